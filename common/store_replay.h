/* Walks the records of one data block, keeping track of what they mean: which number each has, on
 * which boot it happened, and what wall time was then. For recovery and for looking at an image. */
#ifndef PICKET_STORE_REPLAY_H
#define PICKET_STORE_REPLAY_H

#include "record.h"

struct store_replay {
    struct record_coder coder;
    const uint8_t *payload; /* borrowed */
    size_t used, at;
    unsigned left;          /* records still to come */
    uint64_t ordinal;       /* of the record last handed out */
    uint64_t boot;          /* it happened on */
    int64_t wall_offset_ms; /* as known then; BLOCK_WALL_UNKNOWN */
    bool broken;            /* the payload is not what the header says: what came so far stands */
};

/* `data` is the block's header, `payload` the bytes behind it. */
void store_replay_begin(struct store_replay *replay, const struct block_data *data,
                        const uint8_t *payload);
/* The next record; false at the end, or when the rest is broken. */
bool store_replay_next(struct store_replay *replay, struct record *record);

#endif
