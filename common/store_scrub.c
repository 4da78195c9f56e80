/* An unfinished write of an earlier run could be completed by a later one that is torn
 * just so: then a block that was never acknowledged would come up as whole. So what is damaged is
 * made empty before anything is written. */
#include <string.h>

#include "store_parts.h"

static uint32_t area_blocks(const struct store *store)
{
    return store->scan.super.checkpoint_blocks;
}

/* The block index of the next one that is damaged, from position `at` on; 0: none. Positions are
 * those of the file behind the super block. */
static uint32_t next_damaged(const struct store *store)
{
    const struct store_scan *scan = &store->scan;
    uint32_t first_slot = block_super_slot_index(&scan->super, 0);
    for (uint32_t index = store->at; index < first_slot + scan->slot_count; index++) {
        bool damaged = index >= first_slot ? scan->slots[index - first_slot].state == SLOT_DAMAGED
                                           : scan->part_damaged[(index - 1) / area_blocks(store)]
                                                               [(index - 1) % area_blocks(store)];
        if (damaged) {
            return index;
        }
    }
    return 0;
}

static void scrub_next(struct store *store, usec_t now_us)
{
    uint32_t index = next_damaged(store);
    if (index == 0) {
        store_submit(store, JOB_SYNC_SCRUB, BLOCK_SYNC, 0, 0, NULL, now_us);
        return;
    }
    store->at = index;
    memset(store->io.block, 0, BLOCK_BYTES);
    store->numbers.blocks_written++;
    store_submit(store, JOB_SCRUB, BLOCK_WRITE, index, 1, store->io.block, now_us);
}

static void scrubbed(struct store *store)
{
    const struct store_scan *scan = &store->scan;
    uint32_t first_slot = block_super_slot_index(&scan->super, 0);
    if (store->at >= first_slot) {
        store->scan.slots[store->at - first_slot].state = SLOT_EMPTY;
    }
    store->at++;
}

/* True when there is something to scrub first; what was to be begun is begun again after it. */
bool store_scrub_begin(struct store *store, usec_t now_us)
{
    store->at = 1;
    bool owed = store->scrub_owed && next_damaged(store) != 0;
    store->scrub_owed = owed;
    if (owed) {
        store->commit_now = true;
        scrub_next(store, now_us);
    }
    return owed;
}

void store_scrub_reply(struct store *store, usec_t now_us)
{
    if (store->job == JOB_SCRUB) {
        scrubbed(store);
        scrub_next(store, now_us);
        return;
    }
    store->bad_in_row = 0;
    store->scrub_owed = false;
    store->job = JOB_IDLE;
    if (store->state != STORE_DURABLE) {
        store_commit_begin(store, now_us);
    }
}
