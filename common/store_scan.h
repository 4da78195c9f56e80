/* Which blocks of an image are the log: found by looking at each block once, in any order.
 *
 * Pure and read-only, for the store itself when it opens and for whoever looks at a copy. A block
 * is part of the log when it is whole, not before the oldest one the newest block names, and no
 * rewrite of the same seq has a greater version. Everything else is free room: torn writes, older
 * rewrites, blocks given up.
 *
 * Memory: about 0.6 MB of address space at the default caps, touched as far as there are slots. */
#ifndef PICKET_STORE_SCAN_H
#define PICKET_STORE_SCAN_H

#include "block.h"
#include "caps.h"

#define STORE_NO_SLOT UINT32_MAX

enum slot_state {
    SLOT_EMPTY,   /* never written */
    SLOT_LIVE,    /* part of the log */
    SLOT_STALE,   /* whole, but no part of it any more */
    SLOT_DAMAGED, /* unfinished or rotten: the same to the eye */
    SLOT_BAD,     /* writing to it failed; never found by a scan */
    SLOT_STATES
};

struct store_slot {
    uint64_t seq, first_ordinal, first_result; /* when LIVE or STALE */
    uint32_t version;
    uint16_t records, results;
    uint8_t state; /* enum slot_state */
    bool suspect;  /* whole, but known not to be durable */
};

struct scan_area {
    uint64_t generation; /* of the checkpoint in it */
    uint16_t parts;      /* it has */
    uint16_t found;      /* whole ones from the first on, in order and of one generation */
    bool whole;
};

struct store_scan {
    uint64_t store;
    struct block_super super;
    /* Blocks with a later record and checkpoints of a later generation are known not to be durable:
     * they are told as STALE and not whole. Nothing is known after store_scan_begin(). */
    uint64_t last_ordinal, last_generation;
    struct scan_area areas[2];
    uint64_t greatest_generation; /* of any part, so that none is ever given twice */
    bool part_damaged[2][BLOCK_PARTS_MAX];
    uint32_t slot_count;
    struct store_slot slots[CAP_STORE_BLOCKS];
    uint32_t counts[SLOT_STATES]; /* slots by state, as scanned */
    /* The log: slots by ascending seq. */
    uint32_t live_count;
    uint16_t live[CAP_STORE_BLOCKS];
    struct block_data newest; /* of the last one; valid when live_count > 0 */
    uint64_t live_results;    /* in the log */
    /* Results missing between blocks of the log. */
    uint64_t hole_results;
};

/* `super` was read from the image. */
void store_scan_begin(struct store_scan *scan, const struct block_super *super);
/* One block of the file; those that are neither data nor checkpoint are passed over. Blocks of a
 * checkpoint area must come in ascending order. */
void store_scan_add(struct store_scan *scan, uint32_t block_index,
                    const uint8_t bytes[BLOCK_BYTES]);
/* Decides. `oldest_seq` of the checkpoint in use, when one is known: the greater counts; else 0. */
void store_scan_finish(struct store_scan *scan, uint64_t oldest_seq);
/* The area with the newest whole checkpoint, then the other; -1 when there is none. */
int store_scan_area(const struct store_scan *scan, unsigned nth);

static inline uint64_t store_slot_last_ordinal(const struct store_slot *slot)
{
    return slot->first_ordinal + slot->records - 1;
}

#endif
