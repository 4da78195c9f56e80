/* FNV-1a, 32 and 64 bit (draft-eastlake-fnv): for stable phases and blackbox_exporter's address
 * hash. No defence against chosen input, and none is needed where it is used. */
#ifndef PICKET_HASH_H
#define PICKET_HASH_H

#include "base.h"

#define HASH64_START UINT64_C(0xcbf29ce484222325)

uint32_t hash32(const void *bytes, size_t count);
/* Continues from `hash` (HASH64_START first). */
uint64_t hash64(uint64_t hash, const void *bytes, size_t count);
/* A well mixed 64-bit number of strings, each ended by its NUL so that ("a","bc") != ("ab","c"). */
uint64_t hash64_strings(const char *first, const char *second, const char *third);

#endif
