# ARMv5TE without floating point, as Debian's armel: Kirkwood, i.MX28, AT91SAM9, and all that is
# newer and was installed with a soft-float system.
set(board_processor armv5tel)
set(board_triplet arm-linux-gnueabi)
set(board_flags "-march=armv5te -mfloat-abi=soft -marm")
include(${CMAKE_CURRENT_LIST_DIR}/board.cmake)
