/* Finding what is there, and making what is not.
 *
 * Opening reads the super block, looks at every block once, and takes the totals from the tail when
 * that belongs to the same store (a process died, the machine did not), else from the newest
 * checkpoint and the records behind it. Nothing is written by that. What is owed to the device
 * afterwards (a changed directory, the tail's records) is committed before the store counts as
 * durable. Opening again after trouble goes the same way; the totals in memory then stand. */
#include <assert.h>
#include <string.h>

#include "store_parts.h"

static void degrade(struct store *store, enum block_error error, const struct block_reply *reply,
                    usec_t now_us)
{
    store_degrade(store, store_trouble_of(error), reply->note, now_us);
}

/* The slots as they were found, when the ledger stands. */

static bool is_on_device(const struct store *store, uint64_t seq)
{
    uint32_t slot = store_find_slot(store, seq);
    return slot != STORE_NO_SLOT &&
           store->scan.slots[slot].records == tail_records(store_tail_block(store, seq));
}

/* Results that a block of the log held that is gone: what was submitted up to the end of the log,
 * and is neither in it nor known to be given up. */
uint64_t store_damaged_results(const struct store *store, uint64_t submitted)
{
    const struct store_numbers *numbers = &store->numbers;
    uint64_t known = store->scan.live_results + numbers->dropped_wrap + numbers->dropped_memory;
    return submitted > known ? submitted - known : 0;
}

/* A block that was durable, is not there any more, and still stands in the tail. */
static bool is_lost(const struct store *store, uint64_t seq)
{
    return seq >= store->numbers.oldest_seq && store->first_seq - seq < CAP_TAIL_BLOCKS &&
           store->open_seq - seq < CAP_TAIL_BLOCKS && tail_block(store->tail, seq) != NULL &&
           !is_on_device(store, seq);
}

void store_take_slots(struct store *store)
{
    const struct store_scan *scan = &store->scan;
    struct store_numbers *numbers = &store->numbers;
    const struct block_data *newest = &scan->newest;
    numbers->slots = scan->slot_count;
    numbers->slots_live = scan->live_count;
    numbers->slots_damaged = scan->counts[SLOT_DAMAGED];
    numbers->log_results = scan->live_results;
    numbers->oldest_seq = store_greater(numbers->oldest_seq, newest->oldest_seq);
    numbers->newest_seq = newest->seq;
    numbers->dropped_wrap = store_greater(numbers->dropped_wrap, newest->dropped_wrap);
    numbers->dropped_memory = store_greater(numbers->dropped_memory, newest->dropped_memory);
    numbers->blocks_written = store_greater(numbers->blocks_written, newest->blocks_written);
    int area = store_scan_area(scan, 0);
    store->area = area == 1 ? 1 : 0;
    if (area < 0 || scan->areas[area].generation < tail_durable(store->tail).generation) {
        store->checkpoint_owed = true; /* the last one is not there any more */
        store->covers = 0;
    }
    store->generation = store_greater(store->generation, scan->greatest_generation);
    store->next_slot = 0;
    store->scrub_owed = true;
    while (is_lost(store, store->first_seq - 1)) {
        store->first_seq--;
    }
    while (store->first_seq < store->open_seq && is_on_device(store, store->first_seq)) {
        store->first_seq++;
    }
}

/* An epoch the device may know is over when the device fails again, so one that reads but does not
 * write must not hear of it: scrubbing a slot that holds nothing comes first. */
static void ask_for_proof(struct store *store)
{
    struct store_slot *slots = store->scan.slots;
    uint32_t slot = 0;
    while (slot < store->scan.slot_count && slots[slot].state == SLOT_LIVE) {
        slot++;
    }
    if (!store->epoch_on_device && slot < store->scan.slot_count) {
        slots[slot].state = SLOT_DAMAGED;
    }
}

/* The ledger stands and the slots are known. */
void store_open_settle(struct store *store, usec_t now_us)
{
    if (!store_layout_fits(store)) {
        store_make(store, true, now_us);
        return;
    }
    store->checkpoint_owed = store->checkpoint_owed || !store->epoch_on_device;
    bool owed = store->checkpoint_owed || store_is_dirty(store) ||
                store->first_seq < store->open_seq ||
                (tail_records(store_tail_block(store, store->open_seq)) > 0 &&
                 !is_on_device(store, store->open_seq));
    if (owed) {
        ask_for_proof(store);
        store_commit_begin(store, now_us);
        return;
    }
    ledger_totals_copy(&store->published, &store->ledger.totals);
    store->published_safe = true;
    store_note_durable(store, store->ledger.totals.ordinal);
    store->numbers.uncommitted_since_us = USEC_NEVER;
    store->job = JOB_IDLE;
    store_became_durable(store);
}

/* Looking at all blocks. */

/* What a scan finds whole may stand in the system's memory only: written by a process that died
 * before it synced. */
static void scanned(struct store *store, usec_t now_us)
{
    store_submit(store, JOB_SYNC_SCAN, BLOCK_SYNC, 0, 0, NULL, now_us);
}

static void go_on_with_scan(struct store *store, usec_t now_us)
{
    const struct store_scan *scan = &store->scan;
    store_scan_finish(&store->scan, 0);
    uint64_t end = scan->newest.first_ordinal + scan->newest.records; /* 0: an empty log */
    if (store->has_ledger) {
        store_take_slots(store);
        store_open_settle(store, now_us);
    } else if (store->adopted && end <= store->ledger.totals.ordinal + 1) {
        store_take_slots(store);
        uint64_t logged =
            scan->live_count > 0 ? scan->newest.first_result - 1 + scan->newest.results : 0;
        /* What the tail cannot bring there any more is gone as well. */
        logged =
            store_greater(logged, store_tail_block(store, store->first_seq)->head.first_result - 1);
        store->numbers.dropped_damaged = store_damaged_results(store, logged);
        store_bind(store, scan->super.checkpoint_blocks);
        store_tell_durable(store);
        store_open_settle(store, now_us);
    } else {
        store_recover_begin(store, now_us);
    }
}

static void scan_next(struct store *store, usec_t now_us)
{
    uint32_t end = store->scan.super.block_count - 1;
    end = end < store->file_blocks ? end : store->file_blocks;
    if (store->at >= end) {
        scanned(store, now_us);
        return;
    }
    store->count = end - store->at < STORE_SCAN_BLOCKS ? end - store->at : STORE_SCAN_BLOCKS;
    if (store->at < store->single_until) {
        store->count = 1;
    }
    store_submit(store, JOB_SCAN, BLOCK_READ, store->at, store->count, store->io.blocks, now_us);
}

/* Where several blocks cannot be read together, each is tried alone, and again; one that cannot be
 * read is left. */
static void scan_reply(struct store *store, const struct block_reply *reply, usec_t now_us)
{
    if (reply->error != BLOCK_OK && store->count > 1) {
        store->single_until = store->at + store->count;
        scan_next(store, now_us);
        return;
    }
    if (reply->error != BLOCK_OK && !store->read_again) {
        store->read_again = true;
        scan_next(store, now_us);
        return;
    }
    store->read_again = false;
    if (reply->error != BLOCK_OK) {
        memset(store->io.block, 0xff, BLOCK_BYTES);
    }
    for (uint32_t i = 0; i < store->count; i++) {
        store_scan_add(&store->scan, store->at + i, store->io.blocks + i * BLOCK_BYTES);
    }
    store->at += store->count;
    scan_next(store, now_us);
}

/* The super block. */

/* Whoever has the tail of this store knows what is durable better than the file shows. */
static void begin_scan(struct store *store, const struct block_super *super, usec_t now_us)
{
    bool ours = tail_found(store->tail) && store->tail->store == super->store;
    if (store->has_ledger && !ours) {
        store_degrade(store, STORE_OTHER, "", now_us);
        return;
    }
    struct tail_durable durable = tail_durable(store->tail);
    bool tells = durable.generation != 0; /* else the file was made, but never known to be */
    store->adopted = !store->has_ledger && ours && (tells || store->tail->detached) &&
                     store_adopt_tail(store) && store->ledger.totals.ordinal >= durable.ordinal;
    store_scan_begin(&store->scan, super);
    if (tells && (store->has_ledger || store->adopted)) {
        store->scan.last_ordinal = durable.ordinal;
        store->scan.last_generation = durable.generation;
    }
    store->at = 1;
    store->single_until = 0;
    store->read_again = false;
    scan_next(store, now_us);
}

static void super_reply(struct store *store, const struct block_reply *reply, usec_t now_us)
{
    struct block_super super;
    bool whole = reply->error == BLOCK_OK && block_check(store->io.block, 0) == BLOCK_SUPER &&
                 block_super_read(store->io.block, &super);
    if (whole && super.format_version != BLOCK_FORMAT_VERSION) {
        store_degrade(store, STORE_NEWER, "", now_us);
    } else if (whole) {
        begin_scan(store, &super, now_us);
    } else if (store->job == JOB_SUPER) {
        store_submit(store, JOB_SUPER_COPY, BLOCK_READ, store->file_blocks - 1, 1, store->io.block,
                     now_us);
    } else if (reply->error != BLOCK_OK) {
        degrade(store, reply->error, reply, now_us);
    } else {
        store->set_aside = true;
        store_make(store, false, now_us);
    }
}

static void open_reply(struct store *store, const struct block_reply *reply, usec_t now_us)
{
    store->file_blocks = reply->block_count;
    store->numbers.is_volatile = reply->is_volatile;
    if (reply->error == BLOCK_MISSING) {
        store_make(store, false, now_us);
    } else if (reply->error != BLOCK_OK) {
        degrade(store, reply->error, reply, now_us);
    } else if (reply->block_count == 0) {
        store_make(store, false, now_us);
    } else {
        store_submit(store, JOB_SUPER, BLOCK_READ, 0, 1, store->io.block, now_us);
    }
}

void store_open_begin(struct store *store, usec_t now_us)
{
    store->is_made = false;
    store->set_aside = false;
    store_submit(store, JOB_OPEN, BLOCK_OPEN, 0, 0, NULL, now_us);
}

void store_open_reply(struct store *store, const struct block_reply *reply, usec_t now_us)
{
    switch (store->job) {
    case JOB_OPEN:
        open_reply(store, reply, now_us);
        break;
    case JOB_SUPER:
    case JOB_SUPER_COPY:
        super_reply(store, reply, now_us);
        break;
    case JOB_SCAN:
        scan_reply(store, reply, now_us);
        break;
    case JOB_SYNC_SCAN:
        if (reply->error != BLOCK_OK) {
            degrade(store, reply->error, reply, now_us);
        } else {
            go_on_with_scan(store, now_us);
        }
        break;
    case JOB_READ_PART:
    case JOB_READ_LOG:
        store_recover_reply(store, reply, now_us);
        break;
    default:
        if (reply->error != BLOCK_OK) {
            degrade(store, reply->error, reply, now_us);
        } else {
            store_make_reply(store, now_us);
        }
    }
}
