#include "store_scan.h"

#include <assert.h>
#include <string.h>

void store_scan_begin(struct store_scan *scan, const struct block_super *super)
{
    static_assert(CAP_STORE_BLOCKS <= UINT16_MAX, "slots are told by 16 bits in live[]");
    scan->store = super->store;
    scan->super = *super;
    scan->last_ordinal = UINT64_MAX;
    scan->last_generation = UINT64_MAX;
    memset(scan->areas, 0, sizeof scan->areas);
    scan->greatest_generation = 0;
    memset(scan->part_damaged, 0, sizeof scan->part_damaged);
    memset(scan->counts, 0, sizeof scan->counts);
    scan->slot_count = block_super_slots(super);
    assert(scan->slot_count <= CAP_STORE_BLOCKS);
    memset(scan->slots, 0, scan->slot_count * sizeof scan->slots[0]);
    scan->live_count = 0;
    memset(&scan->newest, 0, sizeof scan->newest);
    scan->live_results = 0;
    scan->hole_results = 0;
}

/* Parts come in order, so a checkpoint is whole when each follows the one before. */
static void add_part(struct store_scan *scan, struct scan_area *area, const uint8_t *bytes,
                     uint32_t index)
{
    struct block_part part;
    enum block_kind kind = block_check(bytes, scan->store);
    if (kind != BLOCK_PART || !block_part_read(bytes, &part)) {
        scan->part_damaged[area - scan->areas][index] = kind != BLOCK_EMPTY;
        return;
    }
    if (part.generation > scan->greatest_generation) {
        scan->greatest_generation = part.generation;
    }
    if (part.part != index || part.generation > scan->last_generation) {
        return;
    }
    if (index == 0) {
        *area = (struct scan_area){.generation = part.generation, .parts = part.parts, .found = 1};
    } else if (area->found == index && part.generation == area->generation &&
               part.parts == area->parts) {
        area->found++;
    }
    area->whole = area->found == area->parts;
}

/* Whether `a` is the newer block of the two: the greatest version of the greatest seq. */
static bool is_newer(const struct block_data *a, const struct block_data *b)
{
    return a->seq > b->seq || (a->seq == b->seq && a->version > b->version);
}

static void add_data(struct store_scan *scan, struct store_slot *slot, const uint8_t *bytes)
{
    struct block_data data;
    enum block_kind kind = block_check(bytes, scan->store);
    if (kind != BLOCK_DATA || !block_data_read(bytes, &data)) {
        slot->state = kind == BLOCK_EMPTY ? SLOT_EMPTY : SLOT_DAMAGED;
        return;
    }
    *slot = (struct store_slot){.seq = data.seq,
                                .version = data.version,
                                .first_ordinal = data.first_ordinal,
                                .first_result = data.first_result,
                                .records = data.records,
                                .results = data.results,
                                .state = SLOT_STALE};
    if (store_slot_last_ordinal(slot) > scan->last_ordinal) {
        slot->suspect = true;
    } else if (is_newer(&data, &scan->newest)) {
        scan->newest = data;
    }
}

void store_scan_add(struct store_scan *scan, uint32_t block_index, const uint8_t bytes[BLOCK_BYTES])
{
    const struct block_super *super = &scan->super;
    uint32_t first_slot = block_super_slot_index(super, 0);
    uint32_t area_blocks = super->checkpoint_blocks;
    if (block_index >= first_slot && block_index - first_slot < scan->slot_count) {
        add_data(scan, &scan->slots[block_index - first_slot], bytes);
    } else if (block_index >= 1 && block_index < first_slot) {
        unsigned area = block_index >= 1 + area_blocks ? 1 : 0;
        add_part(scan, &scan->areas[area], bytes, (block_index - 1) % area_blocks);
    }
}

static bool comes_before(const struct store_slot *a, const struct store_slot *b)
{
    return a->seq < b->seq || (a->seq == b->seq && a->version < b->version);
}

static void sift_down(struct store_scan *scan, uint32_t root, uint32_t count)
{
    uint16_t *live = scan->live;
    for (uint32_t child = 2 * root + 1; child < count; child = 2 * root + 1) {
        if (child + 1 < count &&
            comes_before(&scan->slots[live[child]], &scan->slots[live[child + 1]])) {
            child++;
        }
        if (!comes_before(&scan->slots[live[root]], &scan->slots[live[child]])) {
            return;
        }
        uint16_t swapped = live[root];
        live[root] = live[child];
        live[child] = swapped;
        root = child;
    }
}

/* Heap sort: a bounded number of steps and no memory, whatever an image holds. */
static void sort_live(struct store_scan *scan)
{
    for (uint32_t i = scan->live_count / 2; i-- > 0;) {
        sift_down(scan, i, scan->live_count);
    }
    for (uint32_t end = scan->live_count; end > 1; end--) {
        uint16_t swapped = scan->live[0];
        scan->live[0] = scan->live[end - 1];
        scan->live[end - 1] = swapped;
        sift_down(scan, 0, end - 1);
    }
}

/* Of several versions of one seq, which now stand together, the last. */
static void keep_newest_versions(struct store_scan *scan)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < scan->live_count; i++) {
        bool last = i + 1 == scan->live_count ||
                    scan->slots[scan->live[i]].seq != scan->slots[scan->live[i + 1]].seq;
        if (last) {
            scan->live[kept++] = scan->live[i];
        }
    }
    scan->live_count = kept;
}

static void count_results(struct store_scan *scan)
{
    const struct store_slot *before = NULL;
    for (uint32_t i = 0; i < scan->live_count; i++) {
        struct store_slot *slot = &scan->slots[scan->live[i]];
        slot->state = SLOT_LIVE;
        scan->live_results += slot->results;
        if (before != NULL && slot->first_result > before->first_result + before->results) {
            scan->hole_results += slot->first_result - before->first_result - before->results;
        }
        before = slot;
    }
}

void store_scan_finish(struct store_scan *scan, uint64_t oldest_seq)
{
    if (scan->newest.oldest_seq > oldest_seq) {
        oldest_seq = scan->newest.oldest_seq;
    }
    for (uint32_t i = 0; i < scan->slot_count; i++) {
        const struct store_slot *slot = &scan->slots[i];
        if (slot->state == SLOT_STALE && !slot->suspect && slot->seq >= oldest_seq) {
            scan->live[scan->live_count++] = (uint16_t)i;
        }
    }
    sort_live(scan);
    keep_newest_versions(scan);
    count_results(scan);
    for (uint32_t i = 0; i < scan->slot_count; i++) {
        scan->counts[scan->slots[i].state]++;
    }
}

int store_scan_area(const struct store_scan *scan, unsigned nth)
{
    const struct scan_area *areas = scan->areas;
    int newer = areas[1].whole && (!areas[0].whole || areas[1].generation > areas[0].generation);
    int area = nth == 0 ? newer : 1 - newer;
    return areas[area].whole ? area : -1;
}
