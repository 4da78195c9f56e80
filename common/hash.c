#include "hash.h"

#include <string.h>

#define HASH32_START UINT32_C(0x811c9dc5)
#define HASH32_PRIME UINT32_C(0x01000193)
#define HASH64_PRIME UINT64_C(0x00000100000001b3)

uint32_t hash32(const void *bytes, size_t count)
{
    const uint8_t *next = bytes;
    uint32_t hash = HASH32_START;
    for (size_t i = 0; i < count; i++) {
        hash = (hash ^ next[i]) * HASH32_PRIME;
    }
    return hash;
}

uint64_t hash64(uint64_t hash, const void *bytes, size_t count)
{
    const uint8_t *next = bytes;
    for (size_t i = 0; i < count; i++) {
        hash = (hash ^ next[i]) * HASH64_PRIME;
    }
    return hash;
}

/* FNV alone leaves the last byte's difference in few bits, and names that count up (branch-0041,
 * branch-0042) are what we hash. The finish is Stafford's mix 13 of MurmurHash3's finaliser, the
 * one SplitMix64 uses. */
static uint64_t mixed(uint64_t hash)
{
    hash = (hash ^ (hash >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    hash = (hash ^ (hash >> 27)) * UINT64_C(0x94d049bb133111eb);
    return hash ^ (hash >> 31);
}

uint64_t hash64_strings(const char *first, const char *second, const char *third)
{
    uint64_t hash = hash64(HASH64_START, first, strlen(first) + 1);
    hash = hash64(hash, second, strlen(second) + 1);
    return mixed(hash64(hash, third, strlen(third) + 1));
}
