# 64-bit x86 gateways, as Debian's amd64.
set(board_processor x86_64)
set(board_triplet x86_64-linux-gnu)
set(board_flags "-fcf-protection=full")
include(${CMAKE_CURRENT_LIST_DIR}/board.cmake)
