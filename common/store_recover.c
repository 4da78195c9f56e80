/* Totals from the device: the newest checkpoint that can be read, and the records behind it. */
#include <string.h>

#include "store_parts.h"

/* Ids begin here when no checkpoint could be read, so that none in the log is taken for another. */
#define LOST_FIRST_ID  0x10000u
#define LOST_ID_SPREAD 0x1000000u

static void read_log(struct store *store, usec_t now_us);

static void read_block(struct store *store, enum store_job job, uint32_t index, usec_t now_us)
{
    store->read_index = index;
    store_submit(store, job, BLOCK_READ, index, 1, store->io.block, now_us);
}

static void replay_begin(struct store *store, usec_t now_us)
{
    store->at = 0;
    store->gap = false;
    store->open_seq = 0;
    read_log(store, now_us);
}

/* No checkpoint: what was counted is lost, the log is not. Its names are gone all the same. */
static void lose_ledger(struct store *store, usec_t now_us)
{
    const struct store_scan *scan = &store->scan;
    ledger_init(&store->ledger, store_random(store));
    store->ledger.next_id = LOST_FIRST_ID + (uint32_t)prng_below(&store->prng, LOST_ID_SPREAD);
    store->epoch_on_device = false;
    memset(&store->decoded, 0, sizeof store->decoded);
    if (scan->live_count > 0) {
        store->ledger.totals.ordinal = scan->newest.first_ordinal - 1;
        store->ledger.totals.results = scan->newest.first_result - 1;
    }
    logger_printf(store->logger, LOG_LEVEL_ERROR,
                  "store: no checkpoint can be read: totals begin at 0 under a new epoch");
    replay_begin(store, now_us);
}

static void read_checkpoint(struct store *store, usec_t now_us)
{
    int area = store_scan_area(&store->scan, 0);
    if (area < 0) {
        lose_ledger(store, now_us);
        return;
    }
    store->at = 0;
    store->count = 0;
    read_block(store, JOB_READ_PART, block_super_area_index(&store->scan.super, (unsigned)area),
               now_us);
}

static void next_checkpoint(struct store *store, usec_t now_us)
{
    store->scan.areas[store_scan_area(&store->scan, 0)].whole = false;
    read_checkpoint(store, now_us);
}

/* `count` bytes of the checkpoint are collected where the tail's will be; it was emptied. */
static void part_reply(struct store *store, usec_t now_us)
{
    int area = store_scan_area(&store->scan, 0);
    const struct scan_area *found = &store->scan.areas[area];
    uint8_t *bytes = store->tail->checkpoints[0].bytes;
    struct block_part part;
    if (block_check(store->io.block, store->scan.store) != BLOCK_PART ||
        !block_part_read(store->io.block, &part) || part.generation != found->generation ||
        part.part != store->at) {
        next_checkpoint(store, now_us);
        return;
    }
    memcpy(bytes + store->count, store->io.block + BLOCK_PART_HEADER, part.used);
    store->count += part.used;
    store->at++;
    if (store->at < found->parts) {
        uint32_t first = block_super_area_index(&store->scan.super, (unsigned)area);
        read_block(store, JOB_READ_PART, first + store->at, now_us);
    } else if (checkpoint_decode(bytes, store->count, &store->decoded, &store->ledger)) {
        store->epoch_on_device = true;
        store->published_safe = true;
        store->covers = store->decoded.covers;
        replay_begin(store, now_us);
    } else {
        next_checkpoint(store, now_us);
    }
}

/* The log goes on in its last block when that block ends where the totals do. */
static void continue_block(struct store *store, const struct block_data *data)
{
    struct tail_head head = {
        .seq = data->seq,
        .first_ordinal = data->first_ordinal,
        .first_result = data->first_result,
        .boot = data->boot,
        .base_ms = data->base_ms,
        .wall_offset_ms = data->wall_offset_ms,
    };
    tail_begin(store->tail, &head);
    memcpy(tail_payload(store->tail, data->seq), store->io.block + BLOCK_DATA_HEADER, data->used);
    tail_append(store->tail, data->seq, data->used, data->records);
    store->coder = store->replay.coder;
    store->wall_offset_ms = store->replay.wall_offset_ms;
    store->open_seq = data->seq;
}

static void replay_block(struct store *store, const struct block_data *data, bool last)
{
    struct ledger_totals *totals = &store->ledger.totals;
    struct record record;
    if (data->first_ordinal > totals->ordinal + 1) {
        store->gap = true;
        totals->ordinal = data->first_ordinal - 1;
        totals->results = data->first_result - 1;
    }
    uint64_t results = data->first_result - 1; /* submitted up to the record before */
    store_replay_begin(&store->replay, data, store->io.block + BLOCK_DATA_HEADER);
    while (store_replay_next(&store->replay, &record)) {
        if (store->replay.ordinal > totals->ordinal) {
            if (totals->results != results) { /* a checkpoint that is whole, and wrong */
                store->gap = true;
                totals->results = results;
            }
            store->gap = store->gap || record.target >= store->ledger.next_id;
            ledger_apply(&store->ledger, &record);
        }
        results += record.sort == RECORD_RESULT;
    }
    if (last && !store->replay.broken && store->replay.ordinal == totals->ordinal) {
        continue_block(store, data);
    }
}

/* Everything that could be read was counted. */
static void replayed(struct store *store, usec_t now_us)
{
    const struct block_data *newest = &store->scan.newest;
    store->numbers.clean =
        store->decoded.clean && store->decoded.covers == store->ledger.totals.ordinal;
    store->numbers.known = store->epoch_on_device;
    store->numbers.boot_before = store->decoded.boot;
    store->gap = store->gap || store->unread;
    store_take_numbers(store, &store->decoded);
    if (store->open_seq == 0) {
        uint64_t seq = store_greater(newest->seq + 1, store->decoded.next_seq);
        store->first_seq = seq;
        store_begin_block(store, seq);
    }
    store->first_seq = store->open_seq;
    if (store->gap && store->epoch_on_device) {
        logger_printf(store->logger, LOG_LEVEL_ERROR,
                      "store: blocks behind the checkpoint are damaged: totals begin at 0 under a "
                      "new epoch");
    }
    if (store->gap || !store->epoch_on_device) {
        ledger_restart(&store->ledger, store_random(store), &store->ledger.totals);
        store->epoch_on_device = false;
    }
    store_take_slots(store);
    store->numbers.dropped_damaged = store_damaged_results(store, store->ledger.totals.results);
    tail_set_durable(store->tail, store->ledger.totals.ordinal, store->scan.greatest_generation, 0);
    store_bind(store, store->scan.super.checkpoint_blocks);
    store_open_settle(store, now_us);
}

static void read_log(struct store *store, usec_t now_us)
{
    const struct store_scan *scan = &store->scan;
    while (store->at < scan->live_count) {
        const struct store_slot *slot = &scan->slots[scan->live[store->at]];
        if (store->at + 1 == scan->live_count ||
            store_slot_last_ordinal(slot) > store->ledger.totals.ordinal) {
            read_block(store, JOB_READ_LOG,
                       block_super_slot_index(&scan->super, scan->live[store->at]), now_us);
            return;
        }
        store->at++;
    }
    replayed(store, now_us);
}

static void log_reply(struct store *store, usec_t now_us)
{
    const struct store_scan *scan = &store->scan;
    struct block_data data;
    bool whole = block_check(store->io.block, scan->store) == BLOCK_DATA &&
                 block_data_read(store->io.block, &data) &&
                 data.seq == scan->slots[scan->live[store->at]].seq;
    if (whole) {
        replay_block(store, &data, store->at + 1 == scan->live_count);
    } else {
        store->gap = true;
    }
    store->at++;
    read_log(store, now_us);
}

void store_recover_begin(struct store *store, usec_t now_us)
{
    tail_init(store->tail, store->scan.store);
    store->store = store->scan.store;
    store->tail_cover = 0;
    read_checkpoint(store, now_us);
}

/* Each of these blocks was read a moment ago, by the scan. A read that fails now tells of the
 * device, not of the block: it is tried again, and then the whole of it later. */
static bool read_again(struct store *store, usec_t now_us)
{
    bool first = !store->read_again;
    store->read_again = first;
    if (first) {
        read_block(store, (enum store_job)store->job, store->read_index, now_us);
    }
    return first;
}

void store_recover_reply(struct store *store, const struct block_reply *reply, usec_t now_us)
{
    if (reply->error != BLOCK_OK) {
        if (!read_again(store, now_us)) {
            store_degrade(store, store_trouble_of(reply->error), reply->note, now_us);
        }
        return;
    }
    store->read_again = false;
    if (store->job == JOB_READ_PART) {
        part_reply(store, now_us);
    } else {
        log_reply(store, now_us);
    }
}
