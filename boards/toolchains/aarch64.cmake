# 64-bit ARM, as Debian's arm64: i.MX8, Rockchip, Raspberry Pi 3 and later with a 64-bit system.
# Branch protection is in instructions that older processors pass over.
set(board_processor aarch64)
set(board_triplet aarch64-linux-gnu)
set(board_flags "-mbranch-protection=standard")
include(${CMAKE_CURRENT_LIST_DIR}/board.cmake)
