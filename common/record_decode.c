#include "bytes.h"
#include "record_parts.h"

/* Bytes that are being taken; once some are missing or wrong it stays bad and yields zeros. */
struct source {
    const uint8_t *next;
    size_t left;
    bool bad;
};

static const uint8_t *take(struct source *source, size_t count)
{
    static const uint8_t zeros[RECORD_U64_BYTES];
    const uint8_t *bytes = source->next;
    if (source->bad || count > source->left) {
        source->bad = true;
        return zeros;
    }
    source->next += count;
    source->left -= count;
    return bytes;
}

static uint64_t take_varint(struct source *source)
{
    uint64_t value;
    size_t count = bytes_varint(source->next, source->left, &value);
    source->bad = source->bad || count == 0;
    (void)take(source, count);
    return source->bad ? 0 : value;
}

/* A value of at most `max`, told as its difference from what was expected. */
static int64_t take_difference(struct source *source, uint64_t expected, int64_t max)
{
    uint64_t value = expected + bytes_unzigzag(take_varint(source));
    source->bad = source->bad || value > (uint64_t)max;
    return source->bad ? 0 : (int64_t)value;
}

static enum phase take_phase(struct source *source)
{
    enum phase phase = PHASE_NONE;
    bool known = record_phase_of(*take(source, 1), &phase);
    source->bad = source->bad || !known;
    return phase;
}

static void take_times(const struct record_coder *coder, struct source *source,
                       struct record *record, struct record_times *times)
{
    struct record_rhythm rhythm = record_rhythm_of(coder, record->target);
    times->at_ms = take_difference(source, record_due_ms(&rhythm), BLOCK_TIME_MAX_MS);
    times->duration_steps =
        take_difference(source, (uint64_t)rhythm.duration_steps, RECORD_STEPS_MAX);
    record->at_us = times->at_ms * USEC_PER_MSEC;
    record->duration_us = times->duration_steps * RECORD_DURATION_STEP_US;
}

static void take_clock(struct source *source, struct record *record)
{
    uint8_t known = *take(source, 1);
    record->sort = RECORD_CLOCK;
    record->wall_offset_ms = BLOCK_WALL_UNKNOWN;
    source->bad = source->bad || known > 1;
    if (known == 1) {
        record->wall_offset_ms = (int64_t)bytes_u64(take(source, RECORD_U64_BYTES));
        source->bad = source->bad || record->wall_offset_ms == BLOCK_WALL_UNKNOWN;
    }
}

static void take_of_agent(const struct record_coder *coder, struct source *source, uint8_t sort,
                          struct record *record, struct record_times *times)
{
    switch (sort) {
    case RECORD_CODE_COUNT:
        record->sort = RECORD_COUNT;
        record->counter = *take(source, 1);
        record->count = take_varint(source);
        break;
    case RECORD_CODE_RUN:
        record->sort = RECORD_RUN;
        record->boot = bytes_u64(take(source, RECORD_U64_BYTES));
        times->at_ms = take_difference(source, (uint64_t)coder->base_ms, BLOCK_TIME_MAX_MS);
        record->at_us = times->at_ms * USEC_PER_MSEC;
        break;
    case RECORD_CODE_CLOCK:
        take_clock(source, record);
        break;
    default:
        source->bad = true;
        break;
    }
}

/* Anything about a target but a plain success. */
static void take_of_target(const struct record_coder *coder, struct source *source, uint8_t sort,
                           struct record *record, struct record_times *times)
{
    if (sort == RECORD_CODE_MISSED) {
        record->sort = RECORD_MISSED;
        record->count = take_varint(source);
        return;
    }
    record->maintenance = sort == RECORD_CODE_MAINTENANCE;
    if (record->maintenance) {
        sort = *take(source, 1);
    }
    if (record->maintenance && sort == RECORD_CODE_MAINTENANCE_SUCCESS) {
        take_times(coder, source, record, times);
        return;
    }
    record->outcome = sort == RECORD_CODE_UNKNOWN ? OUTCOME_UNKNOWN : OUTCOME_FAILURE;
    if (record->outcome == OUTCOME_FAILURE) {
        record->reason = record_reason_of(sort);
        source->bad = source->bad || record->reason == REASON_NONE;
    }
    record->phase = take_phase(source);
    take_times(coder, source, record, times);
}

size_t record_decode(struct record_coder *coder, const uint8_t *payload, size_t at, size_t used,
                     struct record *record)
{
    if (at >= used) {
        return 0;
    }
    struct source source = {.next = payload + at, .left = used - at};
    struct record_times times = {0};
    uint64_t head = take_varint(&source);
    *record = (struct record){
        .sort = RECORD_RESULT,
        .target = (uint32_t)(head / 2),
        .reason = REASON_NONE,
        .phase = PHASE_NONE,
    };
    if (head / 2 > UINT32_MAX) {
        return 0;
    }
    if (head % 2 == 0) {
        take_times(coder, &source, record, &times);
    } else if (record->target == 0) {
        take_of_agent(coder, &source, *take(&source, 1), record, &times);
    } else {
        take_of_target(coder, &source, *take(&source, 1), record, &times);
    }
    if (source.bad || !record_in_range(record)) {
        return 0;
    }
    record_remember(coder, record, &times);
    return used - at - source.left;
}
