/* One block of records as it is written, what was meant, and how it must come back. */
#ifndef RECORD_BLOCK_H
#define RECORD_BLOCK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "record.h"

enum { MAX_RECORDS = BLOCK_DATA_BYTES / BLOCK_RECORD_BYTES_MIN + 1 };

#define AT_MAX_US       (BLOCK_TIME_MAX_MS * USEC_PER_MSEC)
#define DURATION_MAX_US (INT64_MAX / RECORD_DURATION_STEP_US * RECORD_DURATION_STEP_US)

static struct {
    int64_t base_ms;
    struct record_coder coder;
    uint8_t payload[BLOCK_DATA_BYTES];
    size_t used;
    size_t count;
    struct record records[MAX_RECORDS];
    size_t ends[MAX_RECORDS];
} block;

static inline void begin(int64_t base_ms)
{
    block.base_ms = base_ms;
    block.used = block.count = 0;
    memset(block.payload, 0xee, sizeof block.payload);
    record_coder_init(&block.coder, base_ms);
}

static inline size_t append(const struct record *record)
{
    size_t taken = record_encode(&block.coder, record, block.payload, block.used);
    if (taken > 0) {
        block.used += taken;
        block.records[block.count] = *record;
        block.ends[block.count++] = block.used;
    }
    return taken;
}

static inline struct record success(uint32_t target, int64_t at_ms, int64_t duration_us)
{
    return (struct record){
        .sort = RECORD_RESULT,
        .target = target,
        .outcome = OUTCOME_SUCCESS,
        .reason = REASON_NONE,
        .phase = PHASE_NONE,
        .at_us = at_ms * USEC_PER_MSEC,
        .duration_us = duration_us,
    };
}

static inline struct record failure(uint32_t target, enum reason reason, enum phase phase)
{
    struct record record = success(target, 0, 0);
    record.outcome = OUTCOME_FAILURE;
    record.reason = reason;
    record.phase = phase;
    return record;
}

static inline void must_equal(const struct record *found, const struct record *meant)
{
    assert_int_equal(found->sort, meant->sort);
    switch (meant->sort) {
    case RECORD_RESULT:
        assert_int_equal(found->target, meant->target);
        assert_int_equal(found->outcome, meant->outcome);
        assert_int_equal(found->reason, meant->reason);
        assert_int_equal(found->phase, meant->phase);
        assert_true(found->duration_us == meant->duration_us);
        assert_true(found->at_us == meant->at_us - meant->at_us % USEC_PER_MSEC);
        break;
    case RECORD_MISSED:
        assert_int_equal(found->target, meant->target);
        assert_true(found->count == meant->count);
        break;
    case RECORD_COUNT:
        assert_int_equal(found->counter, meant->counter);
        assert_true(found->count == meant->count);
        break;
    case RECORD_RUN:
        assert_true(found->boot == meant->boot);
        assert_true(found->at_us == meant->at_us - meant->at_us % USEC_PER_MSEC);
        break;
    case RECORD_CLOCK:
        assert_true(found->wall_offset_ms == meant->wall_offset_ms);
        break;
    }
}

/* Decodes from bytes of exactly the size, so that a read past them is seen. Every record that is
 * whole must be the one that was meant, and nothing may come after. */
static inline void must_decode(size_t used)
{
    uint8_t *bytes = malloc(used + (used == 0));
    struct record_coder coder;
    struct record record;
    size_t at = 0, whole = 0;
    assert_non_null(bytes);
    memcpy(bytes, block.payload, used);
    record_coder_init(&coder, block.base_ms);
    for (;;) {
        size_t taken = record_decode(&coder, bytes, at, used, &record);
        if (taken == 0) {
            break;
        }
        assert_true(whole < block.count);
        must_equal(&record, &block.records[whole]);
        at += taken;
        assert_int_equal(at, block.ends[whole]);
        whole++;
    }
    assert_true(whole == block.count ? at == used : block.ends[whole] > used);
    if (whole == block.count) {
        assert_memory_equal(&coder, &block.coder, sizeof coder);
    }
    free(bytes);
}

#endif
