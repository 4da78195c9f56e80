/* Making a file: the newest blocks of the one it replaces, if any, a checkpoint, the super blocks,
 * and then it takes that one's place. */
#include "store_parts.h"

static uint32_t checkpoint_blocks_needed(const struct store *store)
{
    size_t bytes = checkpoint_bound(store->config);
    return (uint32_t)((bytes + BLOCK_PART_BYTES - 1) / BLOCK_PART_BYTES);
}

bool store_layout_fits(const struct store *store)
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
void store_make(struct store *store, bool take_over, usec_t now_us)
{
    uint32_t blocks = checkpoint_blocks_needed(store);
    uint32_t slots = slots_of(store->settings.block_count, blocks);
    if (slots < BLOCK_SLOTS_MIN || store->settings.block_count < BLOCK_COUNT_MIN ||
        store->is_made) {
        store_degrade(store, store->is_made ? STORE_IO : STORE_TOO_SMALL,
                      store->is_made ? "the file just made is not what was made" : "", now_us);
        return;
    }
    if (!store->has_ledger) {
        if (!(tail_found(store->tail) && store->tail->detached && store_adopt_tail(store))) {
            store_begin_new(store, 0);
        }
        store_bind(store, blocks);
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

/* Blocks that find no room in the new file are given up; once, however often it is tried. */
static void leave_behind(struct store *store)
{
    const struct store_scan *scan = &store->scan;
    uint32_t left = store->copied > 0 ? scan->live_count - store->copied : 0;
    for (uint32_t i = 0; i < left; i++) {
        const struct store_slot *slot = &scan->slots[scan->live[i]];
        if (slot->seq >= store->numbers.oldest_seq) {
            store->numbers.dropped_wrap += slot->results;
            store->numbers.oldest_seq = slot->seq + 1;
        }
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

void store_make_reply(struct store *store, usec_t now_us)
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
        store_note_generation(store);
        store->set_aside = false;
        store_submit(store, JOB_OPEN, BLOCK_OPEN, 0, 0, NULL, now_us);
    }
}
