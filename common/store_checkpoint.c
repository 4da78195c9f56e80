/* Checkpoints: the totals of one moment, encoded into the tail and written from there, part by
 * part, to the area that does not hold the newest whole one. */
#include <string.h>

#include "store_parts.h"

const struct tail_checkpoint *store_checkpoint(struct store *store,
                                               const struct ledger_totals *totals, bool clean)
{
    const struct store_numbers *numbers = &store->numbers;
    struct checkpoint checkpoint = {
        .covers = totals->ordinal,
        .pushed_ordinal = store->pushed_ordinal,
        .oldest_seq = numbers->oldest_seq,
        .next_seq = store->open_seq + 1,
        .dropped_wrap = numbers->dropped_wrap,
        .dropped_memory = numbers->dropped_memory,
        .blocks_written = numbers->blocks_written,
        .boot = store->settings.boot,
        .clean = clean,
    };
    if (store->wall_offset_ms != BLOCK_WALL_UNKNOWN) {
        checkpoint.unix_ms = store->now_us / USEC_PER_MSEC + store->wall_offset_ms;
    }
    size_t room;
    uint8_t *bytes = tail_checkpoint_begin(store->tail, &room);
    size_t size = checkpoint_encode(&checkpoint, &store->ledger, totals, bytes, room);
    if (size > room) {
        return NULL;
    }
    tail_checkpoint_end(store->tail, size);
    if (totals->ordinal > store->tail_cover) {
        store->tail_cover = totals->ordinal;
    }
    return tail_checkpoint(store->tail, 0);
}

static const struct block_super *layout_of(const struct store *store)
{
    return store->is_making ? &store->making : &store->scan.super;
}

/* Never over the newest whole one. */
static unsigned area_to_write(const struct store *store)
{
    return store->is_making || store_scan_area(&store->scan, 0) < 0 ? 0 : 1 - store->area;
}

static void write_part(struct store *store, usec_t now_us)
{
    const struct tail_checkpoint *checkpoint = store->checkpoint;
    if (checkpoint->generation != store->checkpoint_generation) {
        store_checkpoint_begin(store, store->checkpoint_totals, store->checkpoint_clean, now_us);
        return;
    }
    size_t from = (size_t)store->at * BLOCK_PART_BYTES;
    size_t used = checkpoint->size - from;
    struct block_part part = {
        .generation = store->generation,
        .part = (uint16_t)store->at,
        .parts = (uint16_t)store->count,
        .used = (uint16_t)(used < BLOCK_PART_BYTES ? used : BLOCK_PART_BYTES),
    };
    const struct block_super *layout = layout_of(store);
    uint32_t first = block_super_area_index(layout, area_to_write(store));
    memcpy(store->io.block + BLOCK_PART_HEADER, checkpoint->bytes + from, part.used);
    block_part_seal(store->io.block, layout->store, &part);
    store->numbers.blocks_written++;
    store_submit(store, JOB_WRITE_PART, BLOCK_WRITE, first + store->at, 1, store->io.block, now_us);
}

void store_checkpoint_begin(struct store *store, const struct ledger_totals *totals, bool clean,
                            usec_t now_us)
{
    if (!store->epoch_on_device) { /* from now on the device may know it */
        ledger_totals_copy(&store->published, totals);
        store->published_safe = true;
        store->epoch_on_device = true;
        struct tail_durable durable = tail_durable(store->tail);
        tail_set_durable(store->tail, durable.ordinal, durable.generation, totals->ordinal);
        store->tail->detached = 0;
    }
    const struct tail_checkpoint *checkpoint = store_checkpoint(store, totals, clean);
    size_t room = (size_t)layout_of(store)->checkpoint_blocks * BLOCK_PART_BYTES;
    if (checkpoint == NULL || checkpoint->size > room) {
        store_degrade(store, STORE_TOO_SMALL, "", now_us);
        return;
    }
    store->checkpoint = checkpoint;
    store->checkpoint_generation = checkpoint->generation;
    store->checkpoint_totals = totals;
    store->checkpoint_clean = clean;
    store->generation++; /* each attempt its own: parts of two never make one */
    store->at = 0;
    store->count = (checkpoint->size + BLOCK_PART_BYTES - 1) / BLOCK_PART_BYTES;
    write_part(store, now_us);
}

static void is_durable(struct store *store, usec_t now_us)
{
    unsigned area = area_to_write(store);
    store->scan.areas[area] = (struct scan_area){.generation = store->generation, .whole = true};
    store->area = area;
    store_note_generation(store);
    store->covers = store->checkpoint_totals->ordinal;
    store->seals = 0;
    store->checkpoint_owed = false;
    store->bad_in_row = 0;
    store->close_done = store->checkpoint_clean;
    store->job = JOB_IDLE;
    if (store->committing) {
        store_commit_go_on(store, now_us);
    }
}

void store_checkpoint_reply(struct store *store, usec_t now_us)
{
    if (store->job == JOB_SYNC_PARTS) {
        is_durable(store, now_us);
        return;
    }
    store->at++;
    if (store->at < store->count) {
        write_part(store, now_us);
    } else if (store->is_making) {
        store_make_supers(store, now_us);
    } else {
        store_submit(store, JOB_SYNC_PARTS, BLOCK_SYNC, 0, 0, NULL, now_us);
    }
}
