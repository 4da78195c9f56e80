/* The end of the log in memory that outlives the process: what a crash of the agent must not cost.
 *
 * Whoever starts the agent gives it a region; the supervisor's survives its child, a plain one does
 * not, and nothing else differs. Every record goes here first. The tail stands alone: a checkpoint
 * and all blocks after it, so a restarted agent has its exact totals even while the disk is away.
 * A block leaves (its place is taken by the seq CAP_TAIL_BLOCKS later) only when a checkpoint here
 * covers it.
 *
 * A process can be killed between any two instructions, but memory keeps the order of its stores:
 * a record is written behind the end first, then one word makes it part of the block. Contents are
 * checked when they are found again, because a crash may have been scribbling before it was one.
 *
 * Memory: about 1.1 MB of address space, touched only as far as used. */
#ifndef PICKET_STORE_TAIL_H
#define PICKET_STORE_TAIL_H

#include "checkpoint.h"

#define CAP_TAIL_BLOCKS 16

struct tail_head {
    uint64_t seq, first_ordinal, first_result;
    uint64_t boot;
    int64_t base_ms, wall_offset_ms;
};

/* Where the records of a block end. */
struct tail_end {
    uint32_t crc; /* CRC-32C of the payload up to here */
    uint16_t used, records;
};

struct tail_block {
    struct tail_head head;
    volatile uint32_t head_crc; /* wrong while the head changes */
    volatile uint32_t end;      /* which of the two holds */
    struct tail_end ends[2];
    uint8_t payload[BLOCK_DATA_BYTES];
};

/* What is known to be on the device: a write that was not synced, or whose sync failed, can look
 * whole for as long as the machine runs. */
struct tail_durable {
    uint64_t ordinal;    /* of the last record of a block */
    uint64_t generation; /* of the newest checkpoint */
    /* Up to this record totals may be told: when an epoch first went to the device it stood here,
     * and a device that has less does not know the epoch. */
    uint64_t told;
    uint32_t crc; /* of the three */
    uint32_t reserved;
};

struct tail_checkpoint {
    volatile uint32_t generation; /* 0: being written, or never was */
    uint32_t size, crc;
    uint8_t bytes[CAP_CHECKPOINT_BLOCKS * BLOCK_PART_BYTES];
};

struct tail {
    volatile uint32_t magic; /* of this layout, set last */
    /* The totals are published as they are counted, under an epoch that no device knows. */
    volatile uint32_t detached;
    volatile uint32_t durable; /* which of the two holds */
    struct tail_durable durables[2];
    uint64_t store;                            /* whose log; 0: none was ever opened */
    struct tail_block blocks[CAP_TAIL_BLOCKS]; /* seq s stands at s modulo their number */
    struct tail_checkpoint checkpoints[2];
};

/* Empties the region for a store. It must hold sizeof(struct tail). */
void tail_init(struct tail *tail, uint64_t store);
/* True when the region holds a tail of this layout. Its parts are still to be checked. */
bool tail_found(const struct tail *tail);

/* What is known to be durable; all 0 when it does not prove itself. */
struct tail_durable tail_durable(const struct tail *tail);
void tail_set_durable(struct tail *tail, uint64_t ordinal, uint64_t generation, uint64_t told);

/* Begins the block of head->seq, taking the place of the one CAP_TAIL_BLOCKS before it. */
void tail_begin(struct tail *tail, const struct tail_head *head);
/* Where its payload is; a record is encoded behind its end, and there is nothing to see of it … */
uint8_t *tail_payload(struct tail *tail, uint64_t seq);
/* … until these `size` bytes more, `records` records, are made part of it. There must be room. */
void tail_append(struct tail *tail, uint64_t seq, size_t size, unsigned records);
/* The block of `seq` when it is there and whole, else NULL. Borrowed. */
const struct tail_block *tail_block(const struct tail *tail, uint64_t seq);
/* Its bytes and records. */
unsigned tail_used(const struct tail_block *block);
unsigned tail_records(const struct tail_block *block);
/* The greatest seq that is there and whole; 0: none. */
uint64_t tail_newest(const struct tail *tail);

/* Where the next checkpoint is encoded: the older place, taken out of use. */
uint8_t *tail_checkpoint_begin(struct tail *tail, size_t *size);
/* `size` bytes are in place: from now on it is the newest. */
void tail_checkpoint_end(struct tail *tail, size_t size);
/* The newest whole one (nth 0), or the one before (nth 1); NULL when there is none. */
const struct tail_checkpoint *tail_checkpoint(const struct tail *tail, unsigned nth);

#endif
