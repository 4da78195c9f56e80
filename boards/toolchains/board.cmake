# What all boards have in common; included by the file of each, which sets `board_processor`, the
# compiler's `board_triplet` (Debian's package gcc-TRIPLET) and the flags of the machine,
# `board_flags`.
#
# The C library is musl, from source (boards/deps/libc): static, position-independent, times of 64
# bits on every board. A wrong or missing compiler ends the configuration with one line.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR ${board_processor})
set(CMAKE_C_COMPILER ${board_triplet}-gcc)

# Once for a project, and not again for each of its small tries.
set(CMAKE_TRY_COMPILE_PLATFORM_VARIABLES board_libc)
if(NOT board_libc)
  execute_process(
    COMMAND ${CMAKE_CURRENT_LIST_DIR}/../deps/libc --cc ${CMAKE_C_COMPILER} --flags "${board_flags}"
    OUTPUT_VARIABLE board_libc OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE board_failed)
  if(NOT board_failed EQUAL 0)
    message(FATAL_ERROR "there is no C library for this board; the reason is above")
  endif()
endif()
# Tables for unwinding are a tenth of a 64-bit program, and nothing in it unwinds; gdb reads its own.
set(CMAKE_C_FLAGS_INIT "${board_flags} -fno-unwind-tables -fno-asynchronous-unwind-tables \
-specs=${board_libc}/specs")

# Programs come from this machine, libraries and headers never.
set(CMAKE_FIND_ROOT_PATH ${board_libc})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
