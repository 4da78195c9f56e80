/* What encoding (record.c) and decoding (record_decode.c) records share; nobody else includes it.
 */
#ifndef PICKET_RECORD_PARTS_H
#define PICKET_RECORD_PARTS_H

#include "record.h"

/* A record opens with the varint id * 2 + x. Without x it is a success; with x a byte says what it
 * is: the code of a failure's reason, or one of these. */
enum record_code {
    RECORD_CODE_REASON_END = 64, /* reasons have codes below */
    RECORD_CODE_UNKNOWN = 64,
    RECORD_CODE_MISSED = 65,
    RECORD_CODE_COUNT = 66, /* from here with id 0: the agent's own */
    RECORD_CODE_RUN = 67,
    RECORD_CODE_CLOCK = 68,
    RECORD_CODE_MAINTENANCE = 69,         /* with an id: a result; what it is follows */
    RECORD_CODE_MAINTENANCE_SUCCESS = 70, /* behind it only */
};

#define RECORD_AT_MAX_US (BLOCK_TIME_MAX_MS * USEC_PER_MSEC)
#define RECORD_STEPS_MAX (INT64_MAX / RECORD_DURATION_STEP_US)
#define RECORD_U64_BYTES 8

/* Whether every field that the sort has is one that can be encoded; that a duration is in whole
 * steps is not looked at. */
bool record_in_range(const struct record *record);
/* False: no such code. */
MUST_CHECK bool record_phase_of(uint8_t code, enum phase *phase);

/* The target's rhythm. One not seen yet is due when the last result of any target started, and one
 * seen once after the gap seen last. */
struct record_rhythm record_rhythm_of(const struct record_coder *coder, uint32_t target);
/* When the next start is due. Modulo 2^64, as a block may hold any numbers. */
uint64_t record_due_ms(const struct record_rhythm *rhythm);
/* The times of a record in the units of the disk. Both sides have them anyway, and 64-bit division
 * is dear where a processor has none. */
struct record_times {
    int64_t at_ms, duration_steps;
};
/* What a record changes for those behind it. A new run may be on a new boot, whose time begins
 * again. */
void record_remember(struct record_coder *coder, const struct record *record,
                     const struct record_times *times);

#endif
