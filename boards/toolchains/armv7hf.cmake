# ARMv7-A with hardware floating point, as Debian's armhf: i.MX6, AM335x, Allwinner, Raspberry Pi 2
# and later. The compiler is Debian's gcc-arm-linux-gnueabihf, whose defaults are this machine; they
# are named all the same, since other compilers of that name have others.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR armv7l)
set(CMAKE_C_COMPILER arm-linux-gnueabihf-gcc)

set(CMAKE_C_FLAGS_INIT "-march=armv7-a+fp -mfloat-abi=hard -mthumb")
# Wide file offsets and times, in the libraries as in Picket: a 32-bit time_t ends in 2038.
string(APPEND CMAKE_C_FLAGS_INIT " -D_FILE_OFFSET_BITS=64 -D_TIME_BITS=64")

# Programs come from this machine, libraries and headers never.
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
