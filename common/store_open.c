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

/* Ids begin here when no checkpoint could be read, so that none in the log is taken for another. */
#define LOST_FIRST_ID 0x10000u

/* Shared. */

static struct tail_block *block_of(const struct store *store, uint64_t seq)
{
    return &store->tail->blocks[seq % CAP_TAIL_BLOCKS];
}

static void degrade(struct store *store, enum block_error error, const struct block_reply *reply,
                    usec_t now_us)
{
    store_degrade(store, store_trouble_of(error), reply->note, now_us);
}

static uint64_t greater(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static void take_numbers(struct store *store, const struct checkpoint *checkpoint)
{
    struct store_numbers *numbers = &store->numbers;
    numbers->oldest_seq = greater(numbers->oldest_seq, checkpoint->oldest_seq);
    numbers->dropped_wrap = greater(numbers->dropped_wrap, checkpoint->dropped_wrap);
    numbers->dropped_memory = greater(numbers->dropped_memory, checkpoint->dropped_memory);
    numbers->blocks_written = greater(numbers->blocks_written, checkpoint->blocks_written);
    store->pushed_ordinal = greater(store->pushed_ordinal, checkpoint->pushed_ordinal);
}

/* Binds the ledger to the configuration, within half of the room checkpoints have: the other half
 * is what configured targets may still grow. */
static void bind(struct store *store, uint32_t checkpoint_blocks)
{
    size_t room = (size_t)checkpoint_blocks * BLOCK_PART_BYTES / 2;
    if (ledger_bind(&store->ledger, store->config)) {
        store->checkpoint_owed = true;
    }
    const struct tail_checkpoint *taken;
    do {
        taken = store_checkpoint(store, &store->ledger.totals, false);
    } while (taken != NULL && taken->size > room && ledger_forget_gone(&store->ledger));
    ledger_totals_copy(&store->published, &store->ledger.totals);
    store->has_ledger = true;
}

/* A ledger nobody knows yet, in a tail of its own. */
static void begin_new(struct store *store, uint64_t identity)
{
    tail_init(store->tail, identity);
    ledger_init(&store->ledger, store_random(store));
    store->epoch_on_device = false;
    store->open_seq = 0;
    store->first_seq = 1;
    store_begin_block(store, 1);
    store->first_seq = 1;
}

/* The tail. */

/* Counts what a block of the tail adds to the ledger; false when it does not follow it. */
static bool replay_tail_block(struct store *store, const struct tail_block *block)
{
    struct ledger_totals *totals = &store->ledger.totals;
    struct block_data data = {
        .seq = block->head.seq,
        .used = (uint16_t)tail_used(block),
        .records = (uint16_t)tail_records(block),
        .first_ordinal = block->head.first_ordinal,
        .boot = block->head.boot,
        .base_ms = block->head.base_ms,
        .wall_offset_ms = block->head.wall_offset_ms,
    };
    struct record record;
    if (data.first_ordinal > totals->ordinal + 1) {
        return false;
    }
    store_replay_begin(&store->replay, &data, block->payload);
    while (store_replay_next(&store->replay, &record)) {
        if (store->replay.ordinal > totals->ordinal) {
            ledger_apply(&store->ledger, &record);
        }
    }
    return !store->replay.broken;
}

/* The first of the blocks that stand in an unbroken row up to `newest`. */
static uint64_t tail_first(const struct tail *tail, uint64_t newest)
{
    uint64_t first = newest;
    const struct tail_block *block = tail_block(tail, newest), *before;
    while (first > 1 && newest - first + 1 < CAP_TAIL_BLOCKS &&
           (before = tail_block(tail, first - 1)) != NULL &&
           before->head.first_ordinal + tail_records(before) == block->head.first_ordinal) {
        block = before;
        first--;
    }
    return first;
}

static bool adopt_tail_from(struct store *store, const struct tail_checkpoint *taken)
{
    const struct tail *tail = store->tail;
    uint64_t newest = tail_newest(tail);
    if (taken == NULL || newest == 0 ||
        !checkpoint_decode(taken->bytes, taken->size, &store->decoded, &store->ledger)) {
        return false;
    }
    uint64_t first = tail_first(tail, newest);
    for (uint64_t seq = first; seq <= newest; seq++) {
        if (!replay_tail_block(store, tail_block(tail, seq))) {
            return false;
        }
    }
    const struct tail_block *last = tail_block(tail, newest);
    if (last->head.first_ordinal + tail_records(last) != store->ledger.totals.ordinal + 1) {
        return false;
    }
    store->first_seq = first;
    store->open_seq = newest;
    store->coder = store->replay.coder;
    store->wall_offset_ms = store->replay.wall_offset_ms;
    store->tail_cover = store->decoded.covers;
    return true;
}

/* Goes on with the totals a dead process left in memory. */
static bool adopt_tail(struct store *store)
{
    if (!tail_found(store->tail) || !(adopt_tail_from(store, tail_checkpoint(store->tail, 0)) ||
                                      adopt_tail_from(store, tail_checkpoint(store->tail, 1)))) {
        store->open_seq = 0;
        return false;
    }
    take_numbers(store, &store->decoded);
    store->epoch_on_device = !store->tail->detached;
    store->published_safe = false; /* they have records the device has not */
    store->store = store->tail->store;
    return true;
}

void store_open_in_memory(struct store *store)
{
    if (!adopt_tail(store)) {
        begin_new(store, 0);
    }
    bind(store, CAP_CHECKPOINT_BLOCKS);
}

/* Making a file. */

static uint32_t checkpoint_blocks_needed(const struct store *store)
{
    size_t bytes = checkpoint_bound(store->config);
    return (uint32_t)((bytes + BLOCK_PART_BYTES - 1) / BLOCK_PART_BYTES);
}

static bool layout_fits(const struct store *store)
{
    const struct block_super *super = &store->scan.super;
    return super->block_count == store->settings.block_count &&
           super->block_count == store->file_blocks &&
           super->checkpoint_blocks >= checkpoint_blocks_needed(store);
}

static uint32_t slots_of(uint32_t block_count, uint32_t checkpoint_blocks)
{
    uint32_t rest = 2 + 2 * checkpoint_blocks;
    return block_count > rest ? block_count - rest : 0;
}

/* A new file takes over the newest blocks of the log, as they are. One that replaces nothing of
 * ours begins with what the memory holds. */
static void make(struct store *store, bool take_over, usec_t now_us)
{
    uint32_t blocks = checkpoint_blocks_needed(store);
    uint32_t slots = slots_of(store->settings.block_count, blocks);
    if (slots < BLOCK_SLOTS_MIN || store->is_made) {
        store_degrade(store, store->is_made ? STORE_IO : STORE_TOO_SMALL,
                      store->is_made ? "the file just made is not what was made" : "", now_us);
        return;
    }
    if (!store->has_ledger) {
        if (!(tail_found(store->tail) && store->tail->detached && adopt_tail(store))) {
            begin_new(store, 0);
        }
        bind(store, blocks);
    }
    if (store->store == 0) {
        store->store = store_random(store);
        store->tail->store = store->store;
    }
    uint32_t room = slots - 2;
    store->copied = !take_over ? 0 : store->scan.live_count < room ? store->scan.live_count : room;
    store->making = (struct block_super){.store = store->store,
                                         .format_version = BLOCK_FORMAT_VERSION,
                                         .block_count = store->settings.block_count,
                                         .checkpoint_blocks = blocks};
    store->is_making = true;
    store_submit(store, JOB_CREATE, BLOCK_CREATE, 0, store->settings.block_count, NULL, now_us);
}

/* Blocks that find no room in the new file are given up. */
static void leave_behind(struct store *store)
{
    const struct store_scan *scan = &store->scan;
    uint32_t left = store->copied > 0 ? scan->live_count - store->copied : 0;
    for (uint32_t i = 0; i < left; i++) {
        const struct store_slot *slot = &scan->slots[scan->live[i]];
        store->numbers.dropped_wrap += slot->results;
        store->numbers.oldest_seq = greater(store->numbers.oldest_seq, slot->seq + 1);
    }
}

static void copy_next(struct store *store, usec_t now_us)
{
    const struct store_scan *scan = &store->scan;
    if (store->at == store->copied) {
        leave_behind(store);
        store_checkpoint_begin(store, &store->ledger.totals, false, now_us);
        return;
    }
    uint32_t slot = scan->live[scan->live_count - store->copied + store->at];
    store_submit(store, JOB_COPY_READ, BLOCK_READ, block_super_slot_index(&scan->super, slot), 1,
                 store->io.block, now_us);
}

void store_make_supers(struct store *store, usec_t now_us)
{
    block_super_seal(store->io.block, &store->making);
    store_submit(store, JOB_MAKE_SUPER, BLOCK_WRITE, 0, 1, store->io.block, now_us);
}

static void make_reply(struct store *store, usec_t now_us)
{
    switch (store->job) {
    case JOB_CREATE:
        store->at = 0;
        copy_next(store, now_us);
        break;
    case JOB_COPY_READ:
        store_submit(store, JOB_COPY_WRITE, BLOCK_WRITE,
                     block_super_slot_index(&store->making, store->at), 1, store->io.block, now_us);
        break;
    case JOB_COPY_WRITE:
        store->at++;
        copy_next(store, now_us);
        break;
    case JOB_MAKE_SUPER:
        store_submit(store, JOB_MAKE_SUPER_COPY, BLOCK_WRITE, store->making.block_count - 1, 1,
                     store->io.block, now_us);
        break;
    case JOB_MAKE_SUPER_COPY:
        store_submit(store, JOB_PUBLISH, BLOCK_PUBLISH, 0, 0, NULL, now_us);
        break;
    default: /* JOB_PUBLISH: looks at the new file as at any other */
        store->is_making = false;
        store->is_made = true;
        store->set_aside = false;
        store_submit(store, JOB_OPEN, BLOCK_OPEN, 0, 0, NULL, now_us);
    }
}

/* The slots as they were found, when the ledger stands. */

static bool is_on_device(const struct store *store, uint64_t seq)
{
    uint32_t slot = store_find_slot(store, seq);
    return slot != STORE_NO_SLOT &&
           store->scan.slots[slot].records == tail_records(block_of(store, seq));
}

/* Results that a block of the log held that is gone: what was submitted up to the end of the log,
 * and is neither in it nor known to be given up. */
static uint64_t damaged_results(const struct store *store, uint64_t submitted)
{
    const struct store_numbers *numbers = &store->numbers;
    uint64_t known = store->scan.live_results + numbers->dropped_wrap + numbers->dropped_memory;
    return submitted > known ? submitted - known : 0;
}

static void take_slots(struct store *store)
{
    const struct store_scan *scan = &store->scan;
    struct store_numbers *numbers = &store->numbers;
    const struct block_data *newest = &scan->newest;
    numbers->slots = scan->slot_count;
    numbers->slots_live = scan->live_count;
    numbers->slots_damaged = scan->counts[SLOT_DAMAGED];
    numbers->log_results = scan->live_results;
    numbers->oldest_seq = greater(numbers->oldest_seq, newest->oldest_seq);
    numbers->newest_seq = newest->seq;
    numbers->dropped_wrap = greater(numbers->dropped_wrap, newest->dropped_wrap);
    numbers->dropped_memory = greater(numbers->dropped_memory, newest->dropped_memory);
    numbers->blocks_written = greater(numbers->blocks_written, newest->blocks_written);
    int area = store_scan_area(scan, 0);
    store->area = area == 1 ? 1 : 0;
    store->generation = greater(store->generation, scan->greatest_generation);
    store->next_slot = 0;
    store->scrub_owed = true;
    while (store->first_seq < store->open_seq && is_on_device(store, store->first_seq)) {
        store->first_seq++;
    }
}

/* The ledger stands and the slots are known. */
static void opened(struct store *store, usec_t now_us)
{
    if (!layout_fits(store)) {
        make(store, true, now_us);
        return;
    }
    store->checkpoint_owed = store->checkpoint_owed || !store->epoch_on_device;
    bool owed = store->checkpoint_owed || store->first_seq < store->open_seq ||
                (tail_records(block_of(store, store->open_seq)) > 0 &&
                 !is_on_device(store, store->open_seq));
    if (owed) {
        store_commit_begin(store, now_us);
        return;
    }
    ledger_totals_copy(&store->published, &store->ledger.totals);
    store->published_safe = true;
    store->durable_ordinal = store->ledger.totals.ordinal;
    store->numbers.uncommitted_since_us = USEC_NEVER;
    store->job = JOB_IDLE;
    store_became_durable(store, now_us);
}

/* Totals from the device. */

static void read_log(struct store *store, usec_t now_us);

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
    store->ledger.next_id = LOST_FIRST_ID;
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

static void read_checkpoint(struct store *store, unsigned nth, usec_t now_us)
{
    int area = store_scan_area(&store->scan, nth);
    if (area < 0) {
        lose_ledger(store, now_us);
        return;
    }
    store->nth = nth;
    store->at = 0;
    store->count = 0;
    store_submit(store, JOB_READ_PART, BLOCK_READ,
                 block_super_area_index(&store->scan.super, (unsigned)area), 1, store->io.block,
                 now_us);
}

static void next_checkpoint(struct store *store, usec_t now_us)
{
    if (store->nth == 0) {
        read_checkpoint(store, 1, now_us);
    } else {
        lose_ledger(store, now_us);
    }
}

/* `count` bytes of the checkpoint are collected where the tail's will be; it was emptied. */
static void part_reply(struct store *store, const struct block_reply *reply, usec_t now_us)
{
    int area = store_scan_area(&store->scan, store->nth);
    const struct scan_area *found = &store->scan.areas[area];
    uint8_t *bytes = store->tail->checkpoints[0].bytes;
    struct block_part part;
    if (reply->error != BLOCK_OK || block_check(store->io.block, store->scan.store) != BLOCK_PART ||
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
        store_submit(store, JOB_READ_PART, BLOCK_READ, first + store->at, 1, store->io.block,
                     now_us);
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
    store_replay_begin(&store->replay, data, store->io.block + BLOCK_DATA_HEADER);
    while (store_replay_next(&store->replay, &record)) {
        if (store->replay.ordinal > totals->ordinal) {
            ledger_apply(&store->ledger, &record);
        }
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
    take_numbers(store, &store->decoded);
    if (store->open_seq == 0) {
        uint64_t seq = greater(newest->seq + 1, store->decoded.next_seq);
        store->first_seq = seq;
        store_begin_block(store, seq);
    }
    store->first_seq = store->open_seq;
    if (store->gap) {
        logger_printf(store->logger, LOG_LEVEL_ERROR,
                      "store: blocks behind the checkpoint are damaged: totals begin at 0 under a "
                      "new epoch");
        ledger_restart(&store->ledger, store_random(store), &store->ledger.totals);
        store->epoch_on_device = false;
    }
    take_slots(store);
    store->numbers.dropped_damaged = damaged_results(store, store->ledger.totals.results);
    bind(store, store->scan.super.checkpoint_blocks);
    opened(store, now_us);
}

static void read_log(struct store *store, usec_t now_us)
{
    const struct store_scan *scan = &store->scan;
    while (store->at < scan->live_count) {
        const struct store_slot *slot = &scan->slots[scan->live[store->at]];
        if (store->at + 1 == scan->live_count ||
            store_slot_last_ordinal(slot) > store->ledger.totals.ordinal) {
            store_submit(store, JOB_READ_LOG, BLOCK_READ,
                         block_super_slot_index(&scan->super, scan->live[store->at]), 1,
                         store->io.block, now_us);
            return;
        }
        store->at++;
    }
    replayed(store, now_us);
}

static void log_reply(struct store *store, const struct block_reply *reply, usec_t now_us)
{
    const struct store_scan *scan = &store->scan;
    struct block_data data;
    bool whole = reply->error == BLOCK_OK &&
                 block_check(store->io.block, scan->store) == BLOCK_DATA &&
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

/* Looking at all blocks. */

static void scanned(struct store *store, usec_t now_us)
{
    const struct store_scan *scan = &store->scan;
    store_scan_finish(&store->scan, 0);
    uint64_t end = scan->live_count > 0 ? scan->newest.first_ordinal + scan->newest.records : 1;
    bool ours = store->tail->store == scan->store;
    if (store->has_ledger) {
        if (!ours || end > store->ledger.totals.ordinal + 1) {
            store_degrade(store, STORE_OTHER, "", now_us);
            return;
        }
        take_slots(store);
        opened(store, now_us);
    } else if (ours && adopt_tail(store) && end <= store->ledger.totals.ordinal + 1) {
        take_slots(store);
        uint64_t logged =
            scan->live_count > 0 ? scan->newest.first_result - 1 + scan->newest.results : 0;
        store->numbers.dropped_damaged = damaged_results(store, logged);
        bind(store, scan->super.checkpoint_blocks);
        opened(store, now_us);
    } else {
        store->store = scan->store;
        tail_init(store->tail, scan->store);
        store->tail_cover = 0;
        read_checkpoint(store, 0, now_us);
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

/* Where several blocks cannot be read together, each is tried alone; one that cannot is left. */
static void scan_reply(struct store *store, const struct block_reply *reply, usec_t now_us)
{
    if (reply->error != BLOCK_OK && store->count > 1) {
        store->single_until = store->at + store->count;
        scan_next(store, now_us);
        return;
    }
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

static void super_reply(struct store *store, const struct block_reply *reply, usec_t now_us)
{
    struct block_super super;
    bool whole = reply->error == BLOCK_OK && block_check(store->io.block, 0) == BLOCK_SUPER &&
                 block_super_read(store->io.block, &super);
    if (whole && super.format_version != BLOCK_FORMAT_VERSION) {
        store_degrade(store, STORE_NEWER, "", now_us);
    } else if (whole) {
        store_scan_begin(&store->scan, &super);
        store->at = 1;
        store->single_until = 0;
        scan_next(store, now_us);
    } else if (store->job == JOB_SUPER) {
        store_submit(store, JOB_SUPER_COPY, BLOCK_READ, store->file_blocks - 1, 1, store->io.block,
                     now_us);
    } else if (reply->error != BLOCK_OK) {
        degrade(store, reply->error, reply, now_us);
    } else {
        store->set_aside = true;
        make(store, false, now_us);
    }
}

static void open_reply(struct store *store, const struct block_reply *reply, usec_t now_us)
{
    store->file_blocks = reply->block_count;
    store->numbers.is_volatile = reply->is_volatile;
    if (reply->error == BLOCK_MISSING) {
        make(store, false, now_us);
    } else if (reply->error != BLOCK_OK) {
        degrade(store, reply->error, reply, now_us);
    } else if (reply->block_count == 0) {
        make(store, false, now_us);
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
    case JOB_READ_PART:
        part_reply(store, reply, now_us);
        break;
    case JOB_READ_LOG:
        log_reply(store, reply, now_us);
        break;
    default:
        if (reply->error != BLOCK_OK) {
            degrade(store, reply->error, reply, now_us);
        } else {
            make_reply(store, now_us);
        }
    }
}
