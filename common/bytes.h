/* Numbers as bytes of the store: little-endian, and varints (LEB128: seven bits a byte, the least
 * significant first, the top bit says that more follow). Byte by byte, so that it is the same on
 * every machine and at every alignment. No state. */
#ifndef PICKET_BYTES_H
#define PICKET_BYTES_H

#include "base.h"

#define BYTES_VARINT_MAX 10 /* bytes of the longest varint */

static inline void bytes_put_u16(uint8_t *to, uint16_t value)
{
    to[0] = (uint8_t)value;
    to[1] = (uint8_t)(value >> 8);
}

static inline void bytes_put_u32(uint8_t *to, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++) {
        to[i] = (uint8_t)(value >> (8 * i));
    }
}

static inline void bytes_put_u64(uint8_t *to, uint64_t value)
{
    for (unsigned i = 0; i < 8; i++) {
        to[i] = (uint8_t)(value >> (8 * i));
    }
}

static inline uint16_t bytes_u16(const uint8_t *from)
{
    return (uint16_t)(from[0] | from[1] << 8);
}

static inline uint32_t bytes_u32(const uint8_t *from)
{
    return bytes_u16(from) | (uint32_t)bytes_u16(from + 2) << 16;
}

static inline uint64_t bytes_u64(const uint8_t *from)
{
    return bytes_u32(from) | (uint64_t)bytes_u32(from + 4) << 32;
}

/* Writes at most BYTES_VARINT_MAX bytes; returns how many. */
static inline size_t bytes_put_varint(uint8_t *to, uint64_t value)
{
    size_t count = 0;
    for (; value > 0x7f; value >>= 7) {
        to[count++] = (uint8_t)(value | 0x80);
    }
    to[count++] = (uint8_t)value;
    return count;
}

/* Reads from `count` bytes; returns how many the varint took, 0 when they hold no whole one, one
 * that passes 64 bits, or one longer than its value needs: each value has one form. */
MUST_CHECK static inline size_t bytes_varint(const uint8_t *from, size_t count, uint64_t *value)
{
    *value = 0;
    for (size_t i = 0; i < count && i < BYTES_VARINT_MAX; i++) {
        *value |= (uint64_t)(from[i] & 0x7f) << (7 * i);
        if (from[i] <= 0x7f) {
            bool passes = i == BYTES_VARINT_MAX - 1 && from[i] > 1;
            bool padded = i > 0 && from[i] == 0;
            return passes || padded ? 0 : i + 1;
        }
    }
    return 0;
}

/* Small magnitudes of either sign as small numbers: 0 -1 1 -2 … become 0 1 2 3 …. Both sides are
 * unsigned: a difference taken modulo 2^64 needs no sign, and then nothing overflows. */
static inline uint64_t bytes_zigzag(uint64_t difference)
{
    return difference << 1 ^ (0 - (difference >> 63));
}

static inline uint64_t bytes_unzigzag(uint64_t value)
{
    return value >> 1 ^ (0 - (value & 1));
}

#endif
