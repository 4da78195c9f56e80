/* CRC-32C (Castagnoli; RFC 3720 appendix B.4): polynomial 0x1edc6f41 reflected, start and end
 * inverted. crc32c("123456789") is 0xe3069283. It tells torn and rotten blocks from whole ones; it
 * is no defence against forgery. */
#ifndef PICKET_CRC32C_H
#define PICKET_CRC32C_H

#include "base.h"

/* Continues from `crc`, which is 0 for the first piece. */
uint32_t crc32c(uint32_t crc, const void *bytes, size_t count);

#endif
