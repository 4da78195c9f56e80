/* The end of the log: records are encoded into the open block of the tail and counted, and when the
 * block is full the next one begins. */
#include <assert.h>

#include "store_parts.h"

/* Wall time that steps by less than this is a clock being disciplined. */
#define CLOCK_STEP_MS 1000

/* The oldest block that is not wholly durable makes room in memory. */
static void drop_first(struct store *store)
{
    uint64_t durable = tail_durable(store->tail).ordinal;
    struct record record;
    store_tail_replay(store, store->first_seq);
    while (store_replay_next(&store->replay, &record)) {
        bool lost = record.sort == RECORD_RESULT && store->replay.ordinal > durable;
        store->numbers.dropped_memory += lost;
    }
    store->first_seq++;
}

void store_begin_block(struct store *store, uint64_t seq)
{
    const struct tail_block *place = store_tail_block(store, seq);
    bool drops = store->open_seq != 0 && seq - store->first_seq >= CAP_TAIL_BLOCKS;
    if (drops) {
        drop_first(store);
    }
    if (drops || (tail_block(store->tail, place->head.seq) == place &&
                  place->head.first_ordinal + tail_records(place) > store->tail_cover + 1)) {
        (void)store_checkpoint(store, &store->ledger.totals, false);
    }
    struct tail_head head = {
        .seq = seq,
        .first_ordinal = store->ledger.totals.ordinal + 1,
        .first_result = store->ledger.totals.results + 1,
        .boot = store->settings.boot,
        .base_ms = store->now_us / USEC_PER_MSEC,
        .wall_offset_ms = store->wall_offset_ms,
    };
    tail_begin(store->tail, &head);
    record_coder_init(&store->coder, head.base_ms);
    store->open_seq = seq;
}

void store_seal(struct store *store)
{
    store->seals++;
    store_begin_block(store, store->open_seq + 1);
}

/* What the full block counts is committed at once: there is no better moment, and no later one. */
static void commit_full(struct store *store)
{
    uint64_t full = store->open_seq;
    if (store->state == STORE_DURABLE && store->job == JOB_IDLE) {
        store_commit_begin(store, store->now_us);
    } else {
        store->commit_now = true;
    }
    if (store->open_seq == full) {
        store_seal(store);
    }
}

static size_t encode(struct store *store, const struct record *record)
{
    return record_encode(&store->coder, record, tail_payload(store->tail, store->open_seq),
                         tail_used(store_tail_block(store, store->open_seq)));
}

void store_append(struct store *store, const struct record *record)
{
    struct store_numbers *numbers = &store->numbers;
    assert(store->open_seq != 0 && !store->closing);
    size_t size = encode(store, record);
    if (size == 0) {
        commit_full(store);
        size = encode(store, record);
    }
    assert(size != 0);
    tail_append(store->tail, store->open_seq, size, 1);
    ledger_apply(&store->ledger, record);
    numbers->uncommitted_since_us = usec_min(numbers->uncommitted_since_us, store->now_us);
    store->since_next_us = usec_min(store->since_next_us, store->now_us);
}

void store_result(struct store *store, unsigned target, const struct result *result)
{
    struct record record = record_of_result(store->ledger.entries[target].id, result);
    store_append(store, &record);
}

void store_missed(struct store *store, unsigned target, uint64_t count)
{
    struct record record = {
        .sort = RECORD_MISSED, .target = store->ledger.entries[target].id, .count = count};
    if (count > 0) {
        store_append(store, &record);
    }
}

void store_count(struct store *store, unsigned counter, uint64_t count)
{
    struct record record = {.sort = RECORD_COUNT, .counter = (uint8_t)counter, .count = count};
    assert(counter < LEDGER_COUNTERS);
    if (count > 0) {
        store_append(store, &record);
    }
}

void store_clock(struct store *store, struct wall_time wall)
{
    int64_t offset_ms = (wall.unix_us - store->now_us) / USEC_PER_MSEC;
    bool was_known = store->wall_offset_ms != BLOCK_WALL_UNKNOWN;
    if (!wall.trusted || !block_wall_offset_valid(offset_ms)) {
        offset_ms = BLOCK_WALL_UNKNOWN;
    } else if (was_known && offset_ms - store->wall_offset_ms < CLOCK_STEP_MS &&
               store->wall_offset_ms - offset_ms < CLOCK_STEP_MS) {
        return;
    }
    if (offset_ms != store->wall_offset_ms && !store->closing) {
        struct record record = {.sort = RECORD_CLOCK, .wall_offset_ms = offset_ms};
        store_append(store, &record);
        store->wall_offset_ms = offset_ms;
    }
}
