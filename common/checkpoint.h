/* A ledger as bytes: what a checkpoint holds, over as many blocks as it needs. SPEC.md has the
 * items. Items of a type that is not known are passed over, so that a newer agent may add some. */
#ifndef PICKET_CHECKPOINT_H
#define PICKET_CHECKPOINT_H

#include "ledger.h"

/* The longest checkpoint there can be, in blocks of a store. */
#define CAP_CHECKPOINT_BLOCKS 288

/* What it says beside the totals. */
struct checkpoint {
    uint64_t covers; /* ordinal of the last record in the totals; encoding takes it from them */
    uint64_t pushed_ordinal; /* of the last record in a push that was accepted */
    uint64_t oldest_seq, next_seq;
    uint64_t dropped_wrap, dropped_memory;
    uint64_t blocks_written;
    uint64_t boot;   /* in which it was written */
    bool clean;      /* the agent stopped in order right after */
    int64_t unix_ms; /* when it was written, 0: not known */
};

/* Encodes the ledger's directory with these totals: the ledger's own, or a copy taken since the
 * last ledger_bind(). Refuses nothing. Returns the bytes; when they are more than `size`, nothing
 * useful was written (ledger_forget_gone() makes it shorter). */
size_t checkpoint_encode(const struct checkpoint *checkpoint, const struct ledger *ledger,
                         const struct ledger_totals *totals, uint8_t *bytes, size_t size);
/* Decodes into a ledger, whatever was in it. False: no whole checkpoint in exactly these bytes, or
 * one that contradicts itself; checkpoint and ledger are then unspecified. Any bytes are answered;
 * a ledger that comes out keeps all its rules. */
MUST_CHECK bool checkpoint_decode(const uint8_t *bytes, size_t size, struct checkpoint *checkpoint,
                                  struct ledger *ledger);
/* What areas are sized by: the bytes the targets of this configuration can need at most (as long as
 * each counts below 2^35: a hundred years of ten runs a second), and a quarter more for those
 * that will be added or removed later. */
size_t checkpoint_bound(const struct config *config);

#endif
