/* Writing. A block of the log is written to a slot that holds nothing of the log; when it is
 * durable, the slot of its older version is free. So no byte of value is ever in the way of a
 * write, and a torn, reordered or lost one costs nothing but itself.
 *
 * What a block gives up (the oldest of the log, when room runs out) is named in a header that is
 * durable before the room is used; and a checkpoint covers it before that. */
#include <assert.h>
#include <string.h>

#include "store_parts.h"
#include "store_plan.h"

/* Failed writes in a row, each to another place, until the device counts as failing. */
#define BAD_IN_ROW 3

void store_note_durable(struct store *store, uint64_t ordinal)
{
    struct tail_durable durable = tail_durable(store->tail);
    tail_set_durable(store->tail, store_greater(durable.ordinal, ordinal), durable.generation,
                     durable.told);
}

void store_note_generation(struct store *store)
{
    struct tail_durable durable = tail_durable(store->tail);
    tail_set_durable(store->tail, durable.ordinal, store->generation, durable.told);
}

bool store_is_dirty(const struct store *store)
{
    return store->ledger.totals.ordinal > tail_durable(store->tail).ordinal;
}

uint32_t store_find_slot(const struct store *store, uint64_t seq)
{
    const struct store_scan *scan = &store->scan;
    for (uint32_t i = 0; i < scan->slot_count; i++) {
        if (scan->slots[i].state == SLOT_LIVE && scan->slots[i].seq == seq) {
            return i;
        }
    }
    return STORE_NO_SLOT;
}

/* Slots. */

static bool is_free(const struct store_slot *slot)
{
    return slot->state != SLOT_LIVE && slot->state != SLOT_BAD;
}

static unsigned count_free(const struct store_scan *scan)
{
    unsigned count = 0;
    for (uint32_t i = 0; i < scan->slot_count; i++) {
        count += is_free(&scan->slots[i]);
    }
    return count;
}

/* In turn, so that wear is even; one that failed before only when there is no other. */
static uint32_t find_free(struct store *store)
{
    const struct store_scan *scan = &store->scan;
    uint32_t bad = STORE_NO_SLOT;
    for (uint32_t i = 0; i < scan->slot_count; i++) {
        uint32_t slot = (store->next_slot + i) % scan->slot_count;
        if (is_free(&scan->slots[slot])) {
            store->next_slot = (slot + 1) % scan->slot_count;
            return slot;
        }
        if (scan->slots[slot].state == SLOT_BAD && bad == STORE_NO_SLOT) {
            bad = slot;
        }
    }
    return bad;
}

static uint32_t oldest_from(const struct store_scan *scan, uint64_t seq)
{
    uint32_t oldest = STORE_NO_SLOT;
    for (uint32_t i = 0; i < scan->slot_count; i++) {
        const struct store_slot *slot = &scan->slots[i];
        if (slot->state == SLOT_LIVE && slot->seq >= seq &&
            (oldest == STORE_NO_SLOT || slot->seq < scan->slots[oldest].seq)) {
            oldest = i;
        }
    }
    return oldest;
}

/* Names the blocks that are given up so that STORE_FREE_SLOTS are left after this write. False: a
 * checkpoint must cover them first. */
static bool give_up(struct store *store)
{
    const struct store_scan *scan = &store->scan;
    struct block_data *data = &store->writing.data;
    bool rewrite = store->writing.old_slot != STORE_NO_SLOT;
    unsigned left = count_free(scan) - is_free(&scan->slots[store->writing.slot]) + rewrite;
    data->oldest_seq = store->numbers.oldest_seq;
    store->writing.given_up_results = 0;
    while (left < STORE_FREE_SLOTS) {
        uint32_t oldest = oldest_from(scan, data->oldest_seq);
        if (oldest == STORE_NO_SLOT || scan->slots[oldest].seq >= data->seq) {
            break;
        }
        const struct store_slot *slot = &scan->slots[oldest];
        if (store_slot_last_ordinal(slot) > store->covers) {
            return false;
        }
        data->oldest_seq = slot->seq + 1;
        store->writing.given_up_results += slot->results;
        left++;
    }
    return true;
}

static void free_slots_before(struct store *store, uint64_t seq)
{
    for (uint32_t i = 0; i < store->scan.slot_count; i++) {
        struct store_slot *slot = &store->scan.slots[i];
        if (slot->state == SLOT_LIVE && slot->seq < seq) {
            slot->state = SLOT_STALE;
            store->numbers.slots_live--;
        }
    }
}

/* Blocks of the log. */

static const struct tail_block *content_of(const struct store *store, uint64_t seq)
{
    return seq == store->commit_until ? &store->frozen : store_tail_block(store, seq);
}

/* Results in the block: up to the first of the next, or up to what is counted. */
static uint16_t results_in(const struct store *store, uint64_t seq)
{
    uint64_t end = seq == store->commit_until ? store->staged.results + 1
                                              : store_tail_block(store, seq + 1)->head.first_result;
    return (uint16_t)(end - content_of(store, seq)->head.first_result);
}

/* Of any block of this seq there is, be it part of the log or an attempt that failed. */
static uint32_t last_version(const struct store *store, uint64_t seq)
{
    uint32_t last = 0;
    for (uint32_t i = 0; i < store->scan.slot_count; i++) {
        const struct store_slot *slot = &store->scan.slots[i];
        if (slot->seq == seq && slot->version > last) {
            last = slot->version;
        }
    }
    return last;
}

static void describe_block(struct store *store, uint64_t seq)
{
    const struct tail_block *block = content_of(store, seq);
    uint32_t old = store_find_slot(store, seq);
    store->writing.old_slot = old;
    store->writing.slot = find_free(store);
    store->writing.data = (struct block_data){
        .seq = seq,
        .version = last_version(store, seq) + 1,
        .used = (uint16_t)tail_used(block),
        .records = (uint16_t)tail_records(block),
        .results = results_in(store, seq),
        .first_ordinal = block->head.first_ordinal,
        .first_result = block->head.first_result,
        .dropped_memory = store->numbers.dropped_memory,
        .boot = block->head.boot,
        .base_ms = block->head.base_ms,
        .wall_offset_ms = block->head.wall_offset_ms,
    };
}

static void write_block(struct store *store, uint64_t seq, usec_t now_us)
{
    describe_block(store, seq);
    if (store->writing.slot == STORE_NO_SLOT) {
        store_degrade(store, STORE_IO, "no slot is left to write to", now_us);
        return;
    }
    if (!give_up(store)) {
        store_checkpoint_begin(store, &store->staged, false, now_us);
        return;
    }
    struct block_data *data = &store->writing.data;
    data->dropped_wrap = store->numbers.dropped_wrap + store->writing.given_up_results;
    data->blocks_written = ++store->numbers.blocks_written;
    memcpy(store->io.block + BLOCK_DATA_HEADER, content_of(store, seq)->payload, data->used);
    block_data_seal(store->io.block, store->scan.store, data);
    store_submit(store, JOB_WRITE_BLOCK, BLOCK_WRITE,
                 block_super_slot_index(&store->scan.super, store->writing.slot), 1,
                 store->io.block, now_us);
}

/* The block is durable, and so is all its header says. */
static void block_is_durable(struct store *store)
{
    struct store_numbers *numbers = &store->numbers;
    const struct block_data *data = &store->writing.data;
    struct store_slot *slots = store->scan.slots;
    numbers->log_results += data->results;
    numbers->slots_live++;
    if (store->writing.old_slot != STORE_NO_SLOT) {
        struct store_slot *old = &slots[store->writing.old_slot];
        old->state = SLOT_STALE;
        numbers->log_results -= old->results;
        numbers->slots_live--;
    }
    slots[store->writing.slot] = (struct store_slot){.seq = data->seq,
                                                     .version = data->version,
                                                     .first_ordinal = data->first_ordinal,
                                                     .first_result = data->first_result,
                                                     .records = data->records,
                                                     .results = data->results,
                                                     .state = SLOT_LIVE};
    free_slots_before(store, data->oldest_seq);
    numbers->log_results -= store->writing.given_up_results;
    numbers->dropped_wrap = data->dropped_wrap;
    numbers->oldest_seq = data->oldest_seq;
    numbers->newest_seq = data->seq > numbers->newest_seq ? data->seq : numbers->newest_seq;
    bool is_whole = data->seq < store->open_seq &&
                    data->records == tail_records(store_tail_block(store, data->seq));
    if (is_whole && data->seq >= store->first_seq) {
        store->first_seq = data->seq + 1;
    }
    store_note_durable(store, data->first_ordinal + data->records - 1);
    store->commit_seq = data->seq + 1;
    store->bad_in_row = 0;
}

/* A commit. */

/* The open block would be full long before the next commit is due, and be written once more for the
 * little that still went in: it ends here. `frozen` still is what it was at the last commit. */
static bool is_nearly_full(const struct store *store)
{
    const struct tail_block *open = store_tail_block(store, store->open_seq);
    unsigned used = tail_used(open);
    unsigned before = store->frozen.head.seq == store->open_seq ? tail_used(&store->frozen) : 0;
    return before < used && BLOCK_DATA_BYTES - used < (used - before) / 2;
}

void store_commit_begin(struct store *store, usec_t now_us)
{
    if (store_scrub_begin(store, now_us)) {
        return;
    }
    ledger_totals_copy(&store->staged, &store->ledger.totals);
    bool seals = is_nearly_full(store) && !store->settling;
    memcpy(&store->frozen, store_tail_block(store, store->open_seq), sizeof store->frozen);
    store->committing = true;
    store->commit_now = false;
    store->commit_seq = store->first_seq;
    store->commit_until = store->open_seq;
    store->commit_begun_us = now_us;
    store->since_next_us = USEC_NEVER;
    if (seals) {
        store_seal(store);
    }
    if (store->checkpoint_owed) {
        store_checkpoint_begin(store, &store->staged, false, now_us);
    } else {
        store_commit_go_on(store, now_us);
    }
}

static void commit_is_done(struct store *store, usec_t now_us)
{
    struct store_numbers *numbers = &store->numbers;
    ledger_totals_copy(&store->published, &store->staged);
    store->published_safe = true;
    store_note_durable(store, store->staged.ordinal);
    store->committing = false;
    numbers->committed_us = now_us;
    numbers->commit_duration_us = now_us - store->commit_begun_us;
    numbers->uncommitted_since_us = store->since_next_us;
    store->job = JOB_IDLE;
    if (store->state != STORE_DURABLE) {
        store_became_durable(store);
    }
}

static bool is_written(const struct store *store, uint64_t seq)
{
    unsigned records = tail_records(content_of(store, seq));
    uint32_t slot = store_find_slot(store, seq);
    return records == 0 || (slot != STORE_NO_SLOT && store->scan.slots[slot].records == records);
}

/* Memory dropped what stood before this block, and the device never had it: a checkpoint has to
 * stand for that first, or the log would break off there. */
static bool is_behind_a_hole(const struct store *store, uint64_t seq)
{
    uint64_t before = seq > store->commit_until ? store->staged.ordinal
                                                : content_of(store, seq)->head.first_ordinal - 1;
    return before > store_greater(tail_durable(store->tail).ordinal, store->covers);
}

void store_commit_go_on(struct store *store, usec_t now_us)
{
    uint64_t seq = store_greater(store->commit_seq, store->first_seq);
    while (seq <= store->commit_until && is_written(store, seq)) {
        seq++;
    }
    if (is_behind_a_hole(store, seq)) {
        store_checkpoint_begin(store, &store->staged, false, now_us);
    } else if (seq > store->commit_until) {
        commit_is_done(store, now_us);
    } else {
        write_block(store, seq, now_us);
    }
}

/* Answers. */

static void write_failed(struct store *store, const struct block_reply *reply, usec_t now_us)
{
    bool block = store->job == JOB_WRITE_BLOCK || store->job == JOB_SYNC_BLOCK;
    store->bad_in_row++;
    if (reply->error != BLOCK_IO || store->bad_in_row >= BAD_IN_ROW) {
        store_degrade(store, store_trouble_of(reply->error), reply->note, now_us);
    } else if (store->job >= JOB_SCRUB) {
        store_commit_begin(store, now_us);
    } else if (block) {
        store->scan.slots[store->writing.slot] =
            (struct store_slot){.seq = store->writing.data.seq,
                                .version = store->writing.data.version,
                                .state = SLOT_BAD};
        write_block(store, store->writing.data.seq, now_us);
    } else {
        store_checkpoint_begin(store, store->checkpoint_totals, store->checkpoint_clean, now_us);
    }
}

void store_commit_reply(struct store *store, const struct block_reply *reply, usec_t now_us)
{
    if (reply->error != BLOCK_OK) {
        write_failed(store, reply, now_us);
        return;
    }
    if (store->job == JOB_WRITE_BLOCK) {
        store_submit(store, JOB_SYNC_BLOCK, BLOCK_SYNC, 0, 0, NULL, now_us);
    } else if (store->job == JOB_SYNC_BLOCK) {
        block_is_durable(store);
        store_commit_go_on(store, now_us);
    } else if (store->job == JOB_WRITE_PART || store->job == JOB_SYNC_PARTS) {
        store_checkpoint_reply(store, now_us);
    } else {
        store_scrub_reply(store, now_us);
    }
}
