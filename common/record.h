/* The records in a data block: dense, self-contained per block, decoded in order. SPEC.md has every
 * byte.
 *
 * A result costs about four bytes: the target and the usual outcome in one, the start as what it
 * differs from the target's own rhythm, the duration as what it differs from the target's last one.
 * What is counted is what is stored: totals are made from records (ledger.h), never from results,
 * so replaying a log gives the same totals to the last microsecond. */
#ifndef PICKET_RECORD_H
#define PICKET_RECORD_H

#include "block.h"
#include "result.h"

/* Start times are kept to the millisecond. Durations are rounded up to this step; as every bound of
 * a histogram and every latency objective is a multiple of it, no verdict changes by that. */
#define RECORD_DURATION_STEP_US 10
#define RECORD_MAX_BYTES        28 /* of one encoded record */
/* Targets whose rhythm is remembered, by id modulo this. Part of the format: a board's own
 * CAP_TARGETS must not change what bytes mean. */
#define RECORD_RHYTHMS 256

enum record_sort {
    RECORD_RESULT, /* one run of a target */
    RECORD_MISSED, /* `count` runs of a target that were not made */
    RECORD_COUNT,  /* a counter of the agent went up by `count` */
    RECORD_RUN,    /* the agent started, perhaps on a new boot: `boot`, `at_us` */
    RECORD_CLOCK,  /* from here on wall time is monotonic time plus `wall_offset_ms` */
};

struct record {
    enum record_sort sort;
    uint32_t target;        /* the ledger's id, from 1; RESULT and MISSED */
    enum outcome outcome;   /* RESULT */
    enum reason reason;     /* RESULT; REASON_NONE unless it failed */
    enum phase phase;       /* RESULT; PHASE_NONE on success */
    bool maintenance;       /* RESULT; it is kept, but enters no indicator */
    usec_t at_us;           /* RESULT: start, RUN: now. Monotonic, cut to the millisecond on disk */
    usec_t duration_us;     /* RESULT; a multiple of RECORD_DURATION_STEP_US */
    uint8_t counter;        /* COUNT: its code (ledger.h) */
    uint64_t count;         /* MISSED, COUNT */
    uint64_t boot;          /* RUN */
    int64_t wall_offset_ms; /* CLOCK; BLOCK_WALL_UNKNOWN: no longer trusted */
};

/* The record of a result: its duration rounded up, its start cut to the millisecond; both within
 * what a record can hold. */
struct record record_of_result(uint32_t target, const struct result *result);

/* Reasons as they stand on disk, here and in a checkpoint: codes of their own, from 1, so that the
 * order of the enum stays free. `reason` is below REASON_COUNT; REASON_NONE: no such code. */
uint8_t record_reason_code(enum reason reason);
enum reason record_reason_of(uint8_t code);

/* What encoder and decoder both remember within one block. Zeroed by record_coder_init(). */
struct record_rhythm {
    uint32_t target; /* 0: free */
    int64_t at_ms, gap_ms, duration_steps;
};
struct record_coder {
    int64_t base_ms; /* RUN counts from here */
    int64_t last_ms; /* start of the last result of any target; base_ms before the first */
    int64_t gap_ms;  /* between the last two starts of the target that was seen again last */
    struct record_rhythm rhythms[RECORD_RHYTHMS];
};

/* For a block whose times count from base_ms. */
void record_coder_init(struct record_coder *coder, int64_t base_ms);
/* Encodes behind `used` bytes of a block's payload, which has BLOCK_DATA_BYTES; returns the bytes
 * it took, 0 when there are not RECORD_MAX_BYTES left, and then nothing has changed. A record with
 * a field out of its range is a bug of the caller. */
size_t record_encode(struct record_coder *coder, const struct record *record, uint8_t *payload,
                     size_t used);
/* Decodes the record at `at` of `used` bytes; returns the bytes it took, 0 when they are no record,
 * and then the coder has not changed. Never reads past `used`. A decoded record has every field in
 * its range, and encoding it again gives the same bytes. */
size_t record_decode(struct record_coder *coder, const uint8_t *payload, size_t at, size_t used,
                     struct record *record);

#endif
