/* The 4 KiB blocks of the store: their headers, byte by byte as SPEC.md says, checked and sealed.
 *
 * Every block opens with a CRC-32C over all that follows it, a magic number that says what the
 * block is, and the store it belongs to; so a block proves itself wherever it is found. Nothing
 * here keeps state. Bytes come from a disk: any input is answered, none is trusted. */
#ifndef PICKET_BLOCK_H
#define PICKET_BLOCK_H

#include "blockdev.h"

#define BLOCK_FORMAT_VERSION 1
#define BLOCK_ENVELOPE_BYTES 16
#define BLOCK_DATA_HEADER    112
#define BLOCK_DATA_BYTES     (BLOCK_BYTES - BLOCK_DATA_HEADER) /* of records */
#define BLOCK_PART_HEADER    32
#define BLOCK_PART_BYTES     (BLOCK_BYTES - BLOCK_PART_HEADER) /* of a checkpoint */

/* What a store can be: 64 KiB need 16 blocks, 64 MiB are 16384. */
#define BLOCK_COUNT_MIN        10
#define BLOCK_COUNT_MAX        16384
#define BLOCK_SLOTS_MIN        4 /* data blocks; one is always free for the next rewrite */
#define BLOCK_PARTS_MAX        288
#define BLOCK_RECORD_BYTES_MIN 3 /* of the shortest record */
/* Monotonic times are 0 to this, offsets to wall time at most this either way: the sum of two, in
 * microseconds, still fits. */
#define BLOCK_TIME_MAX_MS (INT64_C(1) << 52)

enum block_kind {
    BLOCK_EMPTY,   /* all zeros: never written */
    BLOCK_DAMAGED, /* anything that does not prove itself */
    BLOCK_SUPER,
    BLOCK_PART, /* one block of a checkpoint */
    BLOCK_DATA,
};

/* Where things are in a file of block_count blocks:
 * super | checkpoint A | checkpoint B | data … | copy of super */
struct block_super {
    uint64_t store; /* identity of the store, random, never 0 */
    uint16_t format_version;
    uint32_t block_count;       /* of the file, both supers included */
    uint32_t checkpoint_blocks; /* of each of the two areas */
};

struct block_part {
    uint64_t generation; /* of the checkpoint; the greatest whole one counts */
    uint16_t part, parts;
    uint16_t used; /* bytes of payload in this block */
};

#define BLOCK_WALL_UNKNOWN INT64_MIN

struct block_data {
    uint64_t seq;     /* from 1; the order of the log */
    uint32_t version; /* rewrite number of this seq, from 1; the greatest whole one counts */
    uint16_t used;    /* bytes of records */
    uint16_t records, results;
    uint64_t first_ordinal;  /* number of the first record, counting all sorts from 1 */
    uint64_t first_result;   /* number of the first result, counting results only from 1 */
    uint64_t oldest_seq;     /* blocks before this one are no part of the log any more */
    uint64_t dropped_wrap;   /* results in blocks that were given up for newer ones */
    uint64_t dropped_memory; /* results that never reached a disk */
    uint64_t blocks_written; /* in the life of the store, this one included */
    uint64_t boot;           /* of the first record */
    int64_t base_ms;         /* monotonic; times of records count from here */
    int64_t wall_offset_ms;  /* Unix time minus monotonic time; BLOCK_WALL_UNKNOWN */
};

/* What the block is. `store` 0 accepts any; otherwise a block of another store is DAMAGED. A block
 * of this kind and a newer format version is still told as SUPER, and its version says so. */
enum block_kind block_check(const uint8_t bytes[BLOCK_BYTES], uint64_t store);

/* Encode the header and seal; the payload behind the header must be in place, its rest is zeroed
 * here. Fields out of the range that SPEC.md gives them make a block nobody will read. */
void block_super_seal(uint8_t bytes[BLOCK_BYTES], const struct block_super *super);
void block_part_seal(uint8_t bytes[BLOCK_BYTES], uint64_t store, const struct block_part *part);
void block_data_seal(uint8_t bytes[BLOCK_BYTES], uint64_t store, const struct block_data *data);

/* Decode a block that block_check() has told to be of this kind. False: a field is out of its
 * range, and the block is as good as damaged. Of a super of a newer format version only `store` and
 * `format_version` are told, the rest is 0. Every 64-bit count is below 2^63: adding to one is
 * safe. */
MUST_CHECK bool block_super_read(const uint8_t bytes[BLOCK_BYTES], struct block_super *super);
MUST_CHECK bool block_part_read(const uint8_t bytes[BLOCK_BYTES], struct block_part *part);
MUST_CHECK bool block_data_read(const uint8_t bytes[BLOCK_BYTES], struct block_data *data);

/* Known and in range, or BLOCK_WALL_UNKNOWN. */
bool block_wall_offset_valid(int64_t wall_offset_ms);

/* Data blocks of this layout, and the block index of data slot `slot`. */
static inline uint32_t block_super_slots(const struct block_super *super)
{
    return super->block_count - 2 - 2 * super->checkpoint_blocks;
}
static inline uint32_t block_super_slot_index(const struct block_super *super, uint32_t slot)
{
    return 1 + 2 * super->checkpoint_blocks + slot;
}
/* First block of checkpoint area 0 or 1. */
static inline uint32_t block_super_area_index(const struct block_super *super, unsigned area)
{
    return 1 + area * super->checkpoint_blocks;
}

#endif
