#include <assert.h>
#include <string.h>

#include "bytes.h"
#include "record_parts.h"

/* A start is told as its difference from when the target was due, a duration as its difference from
 * the target's last one: a byte or two each. A target seen for the first time in a block is due
 * when the record before it started, and then after the gap that was seen last of any target,
 * because most have the same interval. Encoder and decoder remember the same and calculate modulo
 * 2^64, so they agree whatever the numbers are. */

/* Codes on disk. They never change and are never used again for something else, whatever becomes of
 * the order of the enums; 0 is no reason and no phase. */
static const uint8_t reason_codes[] = {
    [REASON_RESOLVE] = 1,         [REASON_CONNECT] = 2,
    [REASON_REFUSED] = 3,         [REASON_UNREACHABLE] = 4,
    [REASON_TIMEOUT] = 5,         [REASON_RESET] = 6,
    [REASON_TLS_HANDSHAKE] = 7,   [REASON_TLS_POLICY] = 8,
    [REASON_CERT_EXPIRED] = 9,    [REASON_CERT_NOT_YET_VALID] = 10,
    [REASON_CERT_UNTRUSTED] = 11, [REASON_CERT_NAME] = 12,
    [REASON_CERT_PIN] = 13,       [REASON_CERT_SOON] = 14,
    [REASON_REDIRECT] = 15,       [REASON_STATUS] = 16,
    [REASON_HEADER] = 17,         [REASON_TOO_LARGE] = 18,
    [REASON_TRUNCATED] = 19,      [REASON_BODY] = 20,
    [REASON_PROTOCOL] = 21,       [REASON_EXPECT] = 22,
    [REASON_EXCEPTION] = 23,      [REASON_RANGE] = 24,
    [REASON_STUCK] = 25,          [REASON_RCODE] = 26,
    [REASON_ANSWER] = 27,         [REASON_LOSS] = 28,
    [REASON_INTERNAL] = 29,
};
static_assert(ARRAY_LEN(reason_codes) == REASON_COUNT, "one code for each reason");
static_assert((int)REASON_COUNT < RECORD_CODE_REASON_END,
              "codes of reasons stay below the other sorts");

static const uint8_t phase_codes[] = {
    [PHASE_RESOLVE] = 1,    [PHASE_CONNECT] = 2,  [PHASE_STARTTLS] = 3, [PHASE_TLS] = 4,
    [PHASE_PROCESSING] = 5, [PHASE_TRANSFER] = 6, [PHASE_DIALOG] = 7,   [PHASE_REQUEST] = 8,
    [PHASE_SETUP] = 9,      [PHASE_RTT] = 10,     [PHASE_NONE] = 0,
};
static_assert(ARRAY_LEN(phase_codes) == PHASE_COUNT + 1, "one code for each phase, and for none");

uint8_t record_reason_code(enum reason reason)
{
    assert(reason < REASON_COUNT);
    return reason_codes[reason];
}

enum reason record_reason_of(uint8_t code)
{
    unsigned reason = 0;
    while (reason < REASON_COUNT && reason_codes[reason] != code) {
        reason++;
    }
    return (enum reason)reason; /* REASON_NONE is REASON_COUNT */
}

bool record_phase_of(uint8_t code, enum phase *phase)
{
    unsigned found = 0;
    while (found <= PHASE_NONE && phase_codes[found] != code) {
        found++;
    }
    *phase = found <= PHASE_NONE ? (enum phase)found : PHASE_NONE;
    return found <= PHASE_NONE;
}

static bool result_in_range(const struct record *record)
{
    bool failed = record->outcome == OUTCOME_FAILURE;
    return record->outcome < OUTCOME_COUNT && failed == (record->reason < REASON_COUNT) &&
           record->reason <= REASON_NONE && record->phase <= PHASE_NONE &&
           (record->outcome != OUTCOME_SUCCESS || record->phase == PHASE_NONE) &&
           record->duration_us >= 0;
}

static bool time_in_range(const struct record *record)
{
    return record->at_us >= 0 && record->at_us <= RECORD_AT_MAX_US;
}

bool record_in_range(const struct record *record)
{
    switch (record->sort) {
    case RECORD_RESULT:
        return record->target != 0 && time_in_range(record) && result_in_range(record);
    case RECORD_MISSED:
        return record->target != 0;
    case RECORD_COUNT:
        return true;
    case RECORD_RUN:
        return time_in_range(record);
    case RECORD_CLOCK:
        return block_wall_offset_valid(record->wall_offset_ms);
    }
    return false;
}

struct record record_of_result(uint32_t target, const struct result *result)
{
    usec_t at_us = usec_min(usec_max(result->started_us, 0), RECORD_AT_MAX_US);
    usec_t duration_us = usec_max(result->duration_us, 0);
    int64_t steps = duration_us / RECORD_DURATION_STEP_US;
    if (duration_us % RECORD_DURATION_STEP_US != 0 && steps < RECORD_STEPS_MAX) {
        steps++;
    }
    return (struct record){
        .sort = RECORD_RESULT,
        .target = target,
        .outcome = result->outcome,
        .reason = result->reason,
        .phase = result->phase,
        .maintenance = result->maintenance,
        .at_us = at_us - at_us % USEC_PER_MSEC,
        .duration_us = steps * RECORD_DURATION_STEP_US,
    };
}

void record_coder_init(struct record_coder *coder, int64_t base_ms)
{
    memset(coder, 0, sizeof *coder);
    coder->base_ms = base_ms;
    coder->last_ms = base_ms;
}

struct record_rhythm record_rhythm_of(const struct record_coder *coder, uint32_t target)
{
    struct record_rhythm rhythm = coder->rhythms[target % RECORD_RHYTHMS];
    if (rhythm.target != target) {
        return (struct record_rhythm){.at_ms = coder->last_ms};
    }
    if (rhythm.gap_ms == 0) {
        rhythm.gap_ms = coder->gap_ms;
    }
    return rhythm;
}

uint64_t record_due_ms(const struct record_rhythm *rhythm)
{
    return (uint64_t)rhythm->at_ms + (uint64_t)rhythm->gap_ms;
}

static void remember_result(struct record_coder *coder, uint32_t target,
                            const struct record_times *times)
{
    struct record_rhythm *rhythm = &coder->rhythms[target % RECORD_RHYTHMS];
    bool seen = rhythm->target == target;
    rhythm->gap_ms = seen ? times->at_ms - rhythm->at_ms : 0;
    coder->gap_ms = seen ? rhythm->gap_ms : coder->gap_ms;
    coder->last_ms = times->at_ms;
    rhythm->target = target;
    rhythm->at_ms = times->at_ms;
    rhythm->duration_steps = times->duration_steps;
}

void record_remember(struct record_coder *coder, const struct record *record,
                     const struct record_times *times)
{
    if (record->sort == RECORD_RESULT) {
        remember_result(coder, record->target, times);
    } else if (record->sort == RECORD_RUN) {
        record_coder_init(coder, times->at_ms);
    }
}

static size_t put_difference(uint8_t *to, int64_t value, uint64_t expected)
{
    return bytes_put_varint(to, bytes_zigzag((uint64_t)value - expected));
}

static size_t put_result(const struct record_coder *coder, const struct record *record,
                         const struct record_times *times, uint8_t *to)
{
    struct record_rhythm rhythm = record_rhythm_of(coder, record->target);
    bool success = record->outcome == OUTCOME_SUCCESS;
    bool plain = success && !record->maintenance;
    size_t count = bytes_put_varint(to, (uint64_t)record->target * 2 + (plain ? 0 : 1));
    if (record->maintenance) {
        to[count++] = RECORD_CODE_MAINTENANCE;
    }
    if (success && !plain) {
        to[count++] = RECORD_CODE_MAINTENANCE_SUCCESS;
    } else if (!success) {
        to[count++] = record->outcome == OUTCOME_FAILURE ? record_reason_code(record->reason)
                                                         : (uint8_t)RECORD_CODE_UNKNOWN;
        to[count++] = phase_codes[record->phase];
    }
    count += put_difference(to + count, times->at_ms, record_due_ms(&rhythm));
    return count +
           put_difference(to + count, times->duration_steps, (uint64_t)rhythm.duration_steps);
}

static size_t put_head(uint8_t *to, uint32_t target, enum record_code sort)
{
    size_t count = bytes_put_varint(to, (uint64_t)target * 2 + 1);
    to[count++] = (uint8_t)sort;
    return count;
}

static size_t put_clock(const struct record *record, uint8_t *to)
{
    size_t count = put_head(to, 0, RECORD_CODE_CLOCK);
    bool known = record->wall_offset_ms != BLOCK_WALL_UNKNOWN;
    to[count++] = known ? 1 : 0;
    if (known) {
        bytes_put_u64(to + count, (uint64_t)record->wall_offset_ms);
        count += RECORD_U64_BYTES;
    }
    return count;
}

static size_t put_run(const struct record_coder *coder, uint64_t boot, int64_t at_ms, uint8_t *to)
{
    size_t count = put_head(to, 0, RECORD_CODE_RUN);
    bytes_put_u64(to + count, boot);
    count += RECORD_U64_BYTES;
    return count + put_difference(to + count, at_ms, (uint64_t)coder->base_ms);
}

static size_t put(const struct record_coder *coder, const struct record *record,
                  const struct record_times *times, uint8_t *to)
{
    size_t count = 0;
    switch (record->sort) {
    case RECORD_RESULT:
        return put_result(coder, record, times, to);
    case RECORD_MISSED:
        count = put_head(to, record->target, RECORD_CODE_MISSED);
        return count + bytes_put_varint(to + count, record->count);
    case RECORD_COUNT:
        count = put_head(to, 0, RECORD_CODE_COUNT);
        to[count++] = record->counter;
        return count + bytes_put_varint(to + count, record->count);
    case RECORD_RUN:
        return put_run(coder, record->boot, times->at_ms, to);
    case RECORD_CLOCK:
        return put_clock(record, to);
    }
    return count;
}

size_t record_encode(struct record_coder *coder, const struct record *record, uint8_t *payload,
                     size_t used)
{
    assert(record_in_range(record));
    if (used + RECORD_MAX_BYTES > BLOCK_DATA_BYTES) {
        return 0;
    }
    const struct record_times times = {
        .at_ms = record->at_us / USEC_PER_MSEC,
        .duration_steps = record->duration_us / RECORD_DURATION_STEP_US,
    };
    assert(record->sort != RECORD_RESULT ||
           times.duration_steps * RECORD_DURATION_STEP_US == record->duration_us);
    size_t count = put(coder, record, &times, payload + used);
    assert(count <= RECORD_MAX_BYTES);
    record_remember(coder, record, &times);
    return count;
}
