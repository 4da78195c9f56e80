#include "crash_log.h"

#include <inttypes.h>
#include <string.h>

#include "crash_case.h"

void crash_log_forget(struct crash_log *log)
{
    for (unsigned i = 0; i < CRASH_BLOCKS_MAX; i++) {
        log->blocks[i].valid = false;
    }
}

static bool find_super(const struct crash_file *file, struct block_super *super)
{
    const uint32_t places[] = {0, file->block_count - 1};
    for (unsigned i = 0; i < ARRAY_LEN(places); i++) {
        const uint8_t *bytes = file->durable[places[i]];
        if (block_check(bytes, 0) == BLOCK_SUPER && block_super_read(bytes, super) &&
            super->format_version == BLOCK_FORMAT_VERSION) {
            return true;
        }
    }
    return false;
}

static bool same_times(const struct model_record *expected, const struct record *record)
{
    int64_t at_ms = record->at_us / USEC_PER_MSEC;
    return expected->at_ms == at_ms && expected->value == (uint64_t)record->duration_us;
}

static bool same_target(const struct ledger *ledger, const struct model_record *expected,
                        const struct record *record)
{
    int index = ledger_find(ledger, record->target);
    return index >= 0 && model_find(ledger, &ledger->entries[index]) == expected->target;
}

/* Records of the store itself (a start, its own errors) are known by number only. */
static bool same_record(const struct ledger *ledger, const struct model_record *expected,
                        const struct record *record)
{
    if (expected->sort == MODEL_OF_STORE) {
        return record->sort == RECORD_RUN || record->sort == RECORD_CLOCK ||
               (record->sort == RECORD_COUNT && record->counter >= LEDGER_STORE_ERROR_FIRST &&
                record->counter <= LEDGER_STORE_HUNG);
    }
    if (expected->sort != (uint8_t)record->sort) {
        return false;
    }
    switch (record->sort) {
    case RECORD_RESULT:
        return same_target(ledger, expected, record) && same_times(expected, record) &&
               expected->outcome == (uint8_t)record->outcome &&
               expected->reason == (uint8_t)record->reason &&
               expected->phase == (uint8_t)record->phase;
    case RECORD_MISSED:
        return same_target(ledger, expected, record) && expected->value == record->count;
    case RECORD_COUNT:
        return expected->counter == record->counter && expected->value == record->count;
    case RECORD_CLOCK:
        return expected->at_ms == record->wall_offset_ms;
    case RECORD_RUN:
        break;
    }
    return false;
}

/* False: records are not those submitted. */
static bool check_records(const struct crash_log_block *block, const struct ledger *ledger,
                          const struct model *model, uint64_t recovered, bool strict)
{
    static const struct model_record of_store = {.sort = MODEL_OF_STORE};
    static struct record_coder coder;
    const struct block_data *data = &block->data;
    const uint8_t *payload = block->bytes + BLOCK_DATA_HEADER;
    struct record record;
    size_t at = 0;
    unsigned results = 0;
    record_coder_init(&coder, data->base_ms);
    for (unsigned i = 0; i < data->records; i++) {
        size_t size = record_decode(&coder, payload, at, data->used, &record);
        uint64_t ordinal = data->first_ordinal + i;
        if (size == 0) {
            crash_fail("I1", "record %" PRIu64 " of block %" PRIu64 " cannot be decoded", ordinal,
                       data->seq);
        }
        bool is_known = ordinal <= recovered && ordinal <= model->ordinal;
        const struct model_record *expected = is_known ? &model->records[ordinal] : &of_store;
        bool same = same_record(ledger, expected, &record);
        if (!same && !strict) {
            return false;
        }
        if (!same) {
            crash_fail("I2", "record %" PRIu64 " of sort %d is not the one submitted (sort %u)",
                       ordinal, (int)record.sort, expected->sort);
        }
        results += record.sort == RECORD_RESULT ? 1 : 0;
        at += size;
    }
    if (at != data->used || results != data->results) {
        crash_fail("I1", "block %" PRIu64 " has %zu bytes and %u results, and says %u and %u",
                   data->seq, at, results, data->used, data->results);
    }
    return true;
}

/* True when it was read anew. */
static bool load_block(struct crash_log_block *block, const uint8_t *bytes, uint64_t store)
{
    if (block->valid && memcmp(block->bytes, bytes, BLOCK_BYTES) == 0) {
        return false;
    }
    memcpy(block->bytes, bytes, BLOCK_BYTES);
    block->valid = true;
    block->is_data =
        block_check(bytes, store) == BLOCK_DATA && block_data_read(bytes, &block->data);
    return block->is_data;
}

static const struct crash_log_block *find_seq(const struct crash_log *log, uint32_t begin,
                                              uint32_t end, uint64_t seq)
{
    const struct crash_log_block *found = NULL;
    for (uint32_t i = begin; i < end; i++) {
        const struct crash_log_block *block = &log->blocks[i];
        if (block->is_data && block->data.seq == seq &&
            (found == NULL || block->data.version > found->data.version)) {
            found = block;
        }
    }
    return found;
}

static void follow(struct crash_log *log, uint32_t begin, uint32_t end)
{
    uint64_t next_ordinal = 0;
    for (uint64_t seq = log->oldest_seq; seq <= log->newest_seq; seq++) {
        const struct crash_log_block *block = find_seq(log, begin, end, seq);
        if (block == NULL) {
            continue; /* rotten, or there never were records in it */
        }
        if (next_ordinal != 0 && block->data.first_ordinal < next_ordinal) {
            crash_fail("I1", "block %" PRIu64 " begins with record %" PRIu64 " once more", seq,
                       block->data.first_ordinal);
        }
        next_ordinal = block->data.first_ordinal + block->data.records;
        log->first_ordinal =
            log->first_ordinal == 0 ? block->data.first_ordinal : log->first_ordinal;
        log->last_ordinal = next_ordinal - 1;
        log->results += block->data.results;
        log->dropped_wrap = block->data.dropped_wrap;
        log->dropped_memory = block->data.dropped_memory;
    }
}

enum crash_log_verdict crash_log_read(struct crash_log *log, const struct crash_file *file,
                                      const struct ledger *ledger, const struct model *model,
                                      uint64_t recovered, bool strict)
{
    struct block_super super;
    log->oldest_seq = log->newest_seq = log->first_ordinal = log->last_ordinal = 0;
    log->results = log->dropped_wrap = log->dropped_memory = 0;
    if (!file->exists || !find_super(file, &super) || super.block_count > CRASH_BLOCKS_MAX) {
        return LOG_NONE;
    }
    if (log->store != super.store) {
        log->store = super.store;
        crash_log_forget(log);
    }
    uint32_t begin = block_super_slot_index(&super, 0), end = begin + block_super_slots(&super);
    for (uint32_t i = begin; i < end; i++) {
        struct crash_log_block *block = &log->blocks[i];
        bool anew = load_block(block, file->durable[i], super.store);
        if (block->is_data && block->data.seq > log->newest_seq) {
            log->newest_seq = block->data.seq;
        }
        if (block->is_data && anew) {
            block->valid = false; /* until its records were checked as part of the log */
        }
    }
    if (log->newest_seq == 0) {
        return LOG_MATCHES;
    }
    const struct crash_log_block *newest = find_seq(log, begin, end, log->newest_seq);
    log->oldest_seq = newest->data.oldest_seq;
    for (uint32_t i = begin; i < end; i++) {
        struct crash_log_block *block = &log->blocks[i];
        if (block->is_data && !block->valid && block->data.seq >= log->oldest_seq &&
            find_seq(log, begin, end, block->data.seq) == block) {
            if (!check_records(block, ledger, model, recovered, strict)) {
                return LOG_DIFFERS;
            }
            block->valid = true;
        }
    }
    follow(log, begin, end);
    return LOG_MATCHES;
}
