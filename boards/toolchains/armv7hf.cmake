# ARMv7-A with hardware floating point, as Debian's armhf: i.MX6, AM335x, Allwinner, Raspberry Pi 2
# and later. The compiler's defaults are this machine; they are named all the same, since other
# compilers of that name have others.
set(board_processor armv7l)
set(board_triplet arm-linux-gnueabihf)
set(board_flags "-march=armv7-a+fp -mfloat-abi=hard -mthumb")
include(${CMAKE_CURRENT_LIST_DIR}/board.cmake)
