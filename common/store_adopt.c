/* Totals without a device: what a dead process left in the tail, or none; and how they are fitted
 * to the configuration. */
#include "store_parts.h"

void store_take_numbers(struct store *store, const struct checkpoint *checkpoint)
{
    struct store_numbers *numbers = &store->numbers;
    numbers->oldest_seq = store_greater(numbers->oldest_seq, checkpoint->oldest_seq);
    numbers->dropped_wrap = store_greater(numbers->dropped_wrap, checkpoint->dropped_wrap);
    numbers->dropped_memory = store_greater(numbers->dropped_memory, checkpoint->dropped_memory);
    numbers->blocks_written = store_greater(numbers->blocks_written, checkpoint->blocks_written);
    store->pushed_ordinal = store_greater(store->pushed_ordinal, checkpoint->pushed_ordinal);
}

void store_bind(struct store *store, uint32_t checkpoint_blocks)
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

void store_begin_new(struct store *store, uint64_t identity)
{
    tail_init(store->tail, identity);
    ledger_init(&store->ledger, store_random(store));
    store->epoch_on_device = false;
    store->open_seq = 0;
    store->first_seq = 1;
    store_begin_block(store, 1);
    store->first_seq = 1;
}

void store_tail_replay(struct store *store, uint64_t seq)
{
    const struct tail_block *block = store_tail_block(store, seq);
    struct block_data data = {
        .seq = seq,
        .used = (uint16_t)tail_used(block),
        .records = (uint16_t)tail_records(block),
        .first_ordinal = block->head.first_ordinal,
        .boot = block->head.boot,
        .base_ms = block->head.base_ms,
        .wall_offset_ms = block->head.wall_offset_ms,
    };
    store_replay_begin(&store->replay, &data, block->payload);
}

/* Counts the records of a block behind `after`; false when it does not follow that. */
static bool replay_tail_block(struct store *store, const struct tail_block *block, uint64_t after)
{
    struct record record;
    if (block->head.first_ordinal > after + 1) {
        return false;
    }
    store_tail_replay(store, block->head.seq);
    while (store_replay_next(&store->replay, &record)) {
        if (store->replay.ordinal > after) {
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

static bool is_durable(const struct tail *tail, uint64_t seq)
{
    const struct tail_block *block = tail_block(tail, seq);
    return block->head.first_ordinal + tail_records(block) <= tail_durable(tail).ordinal + 1;
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
        if (!replay_tail_block(store, tail_block(tail, seq), store->ledger.totals.ordinal)) {
            return false;
        }
    }
    const struct tail_block *last = tail_block(tail, newest);
    if (last->head.first_ordinal + tail_records(last) != store->ledger.totals.ordinal + 1) {
        return false;
    }
    store->first_seq = first;
    while (store->first_seq < newest && is_durable(tail, store->first_seq)) {
        store->first_seq++;
    }
    store->open_seq = newest;
    store->coder = store->replay.coder;
    store->wall_offset_ms = store->replay.wall_offset_ms;
    store->tail_cover = store->decoded.covers;
    return true;
}

/* Goes on with the totals a dead process left in memory. */
bool store_adopt_tail(struct store *store)
{
    if (!tail_found(store->tail) || !(adopt_tail_from(store, tail_checkpoint(store->tail, 0)) ||
                                      adopt_tail_from(store, tail_checkpoint(store->tail, 1)))) {
        store->open_seq = 0;
        return false;
    }
    store_take_numbers(store, &store->decoded);
    store->epoch_on_device = !store->tail->detached;
    store->published_safe = false;
    store->store = store->tail->store;
    return true;
}

void store_tell_durable(struct store *store)
{
    struct ledger_totals *totals = &store->ledger.totals;
    struct tail_durable known = tail_durable(store->tail);
    uint64_t durable = store_greater(known.ordinal, known.told), after = durable;
    ledger_totals_copy(&store->staged, totals);
    ledger_totals_copy(&store->published, totals);
    ledger_restart(&store->ledger, store->ledger.epoch, NULL);
    store->published_safe = durable <= totals->ordinal;
    for (uint64_t seq = store->first_seq; store->published_safe && seq <= store->open_seq; seq++) {
        const struct tail_block *block = store_tail_block(store, seq);
        store->published_safe = replay_tail_block(store, block, after);
        after = store_greater(after, block->head.first_ordinal + tail_records(block) - 1);
    }
    if (store->published_safe) {
        ledger_totals_subtract(&store->published, totals);
        store->published.results -= totals->results - store->staged.results;
        store->published.ordinal = durable;
    }
    ledger_totals_copy(totals, &store->staged);
}

void store_open_in_memory(struct store *store)
{
    bool adopted = store_adopt_tail(store);
    if (!adopted) {
        store_begin_new(store, 0);
    }
    store_bind(store, CAP_CHECKPOINT_BLOCKS);
    if (adopted && store->epoch_on_device) {
        store_tell_durable(store);
    }
}
