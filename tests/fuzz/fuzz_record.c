/* Guards against records on a damaged disk that crash the decoder, send it past their end, come out
 * with a field out of its range, or have a second form: what is decoded is encoded again and must
 * give the same bytes, and both sides must remember the same.
 *
 * A libFuzzer entry. The first byte chooses the base of the block, the rest is the payload. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "record.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void must(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void must_be_in_range(const struct record *record)
{
    usec_t at_max_us = BLOCK_TIME_MAX_MS * USEC_PER_MSEC;
    must(record->at_us >= 0 && record->at_us <= at_max_us && record->at_us % USEC_PER_MSEC == 0);
    must(record->duration_us >= 0 && record->duration_us % RECORD_DURATION_STEP_US == 0);
    must((record->target != 0) == (record->sort == RECORD_RESULT || record->sort == RECORD_MISSED));
    must(record->sort != RECORD_RESULT || record->outcome < OUTCOME_COUNT);
    must(record->reason <= REASON_NONE && record->phase <= PHASE_NONE);
    if (record->sort == RECORD_RESULT) {
        must((record->outcome == OUTCOME_FAILURE) == (record->reason != REASON_NONE));
        must(record->outcome != OUTCOME_SUCCESS || record->phase == PHASE_NONE);
    }
    must(record->sort != RECORD_CLOCK || block_wall_offset_valid(record->wall_offset_ms));
}

static void decode_and_encode(int64_t base_ms, const uint8_t *payload, size_t used)
{
    static struct record_coder reader, writer, before;
    static uint8_t again[BLOCK_DATA_BYTES];
    struct record record;
    size_t taken;

    record_coder_init(&reader, base_ms);
    record_coder_init(&writer, base_ms);
    for (size_t at = 0;; at += taken) {
        before = reader;
        taken = record_decode(&reader, payload, at, used, &record);
        if (taken == 0) {
            must(memcmp(&before, &reader, sizeof before) == 0);
            return;
        }
        must(taken >= BLOCK_RECORD_BYTES_MIN && taken <= RECORD_MAX_BYTES && taken <= used - at);
        must_be_in_range(&record);
        if (at + RECORD_MAX_BYTES > BLOCK_DATA_BYTES) {
            return; /* the encoder stops before */
        }
        must(record_encode(&writer, &record, again, at) == taken);
        must(memcmp(again + at, payload + at, taken) == 0);
        must(memcmp(&writer, &reader, sizeof writer) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const int64_t bases_ms[] = {0, 1, 86400000, BLOCK_TIME_MAX_MS};
    if (size < 1 || size - 1 > BLOCK_DATA_BYTES) {
        return 0;
    }
    /* A copy of the exact size, so that a read past it is seen. */
    size_t used = size - 1;
    uint8_t *payload = malloc(used > 0 ? used : 1);
    must(payload != NULL);
    memcpy(payload, bytes + 1, used);
    decode_and_encode(bases_ms[bytes[0] % ARRAY_LEN(bases_ms)], payload, used);
    free(payload);
    return 0;
}
