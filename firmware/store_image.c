#include "store_image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SIZE_MAX_BYTES ((uint64_t)BLOCK_COUNT_MAX * BLOCK_BYTES)

static uint8_t checkpoint_bytes[CAP_CHECKPOINT_BLOCKS * BLOCK_PART_BYTES];

/* A FIFO or a device must not hold us up, so the type is looked at before anything is read. */
bool store_image_open(struct store_image *image, const char *path, char *why, size_t size)
{
    struct stat status;
    image->descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (image->descriptor < 0) {
        (void)snprintf(why, size, "%s", strerror(errno));
        return false;
    }
    if (fstat(image->descriptor, &status) != 0 || !S_ISREG(status.st_mode)) {
        (void)snprintf(why, size, "not a regular file");
    } else if ((uint64_t)status.st_size > SIZE_MAX_BYTES) {
        (void)snprintf(why, size, "larger than any store (64M)");
    } else {
        return true;
    }
    store_image_close(image);
    return false;
}

void store_image_close(struct store_image *image)
{
    if (image->descriptor >= 0) {
        close(image->descriptor);
        image->descriptor = -1;
    }
}

/* A block that cannot be read looks damaged, and read_failed says so; one behind the end: false. */
static bool read_block(struct store_image *image, uint32_t index, uint8_t *bytes)
{
    if (index >= image->file_blocks) {
        return false;
    }
    ssize_t count = pread(image->descriptor, bytes, BLOCK_BYTES, (off_t)index * BLOCK_BYTES);
    image->read_failed = count != BLOCK_BYTES;
    if (image->read_failed) {
        memset(bytes, 0xff, BLOCK_BYTES);
    }
    return true;
}

/* Finding the super block. */

static bool read_super(struct store_image *image, uint32_t index, struct block_super *super)
{
    uint8_t bytes[BLOCK_BYTES];
    return read_block(image, index, bytes) && block_check(bytes, 0) == BLOCK_SUPER &&
           block_super_read(bytes, super);
}

static bool same_super(const struct block_super *a, const struct block_super *b)
{
    return a->store == b->store && a->format_version == b->format_version &&
           a->block_count == b->block_count && a->checkpoint_blocks == b->checkpoint_blocks;
}

static enum image_part judge_super(struct store_image *image, uint32_t index)
{
    struct block_super super;
    if (index >= image->file_blocks) {
        return PART_MISSING;
    }
    return read_super(image, index, &super) && same_super(&super, &image->super) ? PART_WHOLE
                                                                                 : PART_UNFINISHED;
}

/* The copy says itself where it stands, so bytes behind the end of a store do not hide it. */
static bool find_copy(struct store_image *image)
{
    struct block_super super;
    for (uint32_t index = image->file_blocks; index-- > 1;) {
        if (read_super(image, index, &super) &&
            (super.format_version != BLOCK_FORMAT_VERSION || super.block_count == index + 1)) {
            image->super = super;
            return true;
        }
    }
    return false;
}

static bool is_blank(struct store_image *image)
{
    uint8_t bytes[BLOCK_BYTES];
    for (uint32_t index = 0; index < image->file_blocks; index++) {
        if (read_block(image, index, bytes) && block_check(bytes, 0) != BLOCK_EMPTY) {
            return false;
        }
    }
    return image->size_bytes % BLOCK_BYTES == 0;
}

static void find_super(struct store_image *image)
{
    if (!read_super(image, 0, &image->super) && !find_copy(image)) {
        image->kind = is_blank(image) ? IMAGE_EMPTY : IMAGE_FOREIGN;
    } else if (image->super.format_version != BLOCK_FORMAT_VERSION) {
        image->kind = IMAGE_NEWER;
    } else {
        image->kind = IMAGE_STORE;
        image->supers[0] = judge_super(image, 0);
        image->supers[1] = judge_super(image, image->super.block_count - 1);
    }
}

/* Checkpoints. */

static bool decode_area(struct store_image *image, unsigned area)
{
    uint32_t first = block_super_area_index(&image->super, area);
    size_t used = 0;
    for (uint16_t i = 0; i < image->scan.areas[area].parts; i++) {
        uint8_t bytes[BLOCK_BYTES];
        struct block_part part;
        if (!read_block(image, first + i, bytes) ||
            block_check(bytes, image->super.store) != BLOCK_PART ||
            !block_part_read(bytes, &part) ||
            part.generation != image->scan.areas[area].generation || part.part != i) {
            return false;
        }
        memcpy(checkpoint_bytes + used, bytes + BLOCK_PART_HEADER, part.used);
        used += part.used;
    }
    return checkpoint_decode(checkpoint_bytes, used, &image->checkpoint, &image->ledger);
}

/* A first part that was never written is no part of anything that was begun. */
static bool area_is_blank(struct store_image *image, unsigned area)
{
    uint8_t bytes[BLOCK_BYTES];
    uint32_t first = block_super_area_index(&image->super, area);
    return !read_block(image, first, bytes) || block_check(bytes, 0) == BLOCK_EMPTY;
}

/* The older one is judged first, so that the newer one's ledger is what stays. */
static void read_checkpoints(struct store_image *image)
{
    image->area = -1;
    for (unsigned area = 0; area < 2; area++) {
        image->areas[area] =
            (struct image_area){.part = area_is_blank(image, area) ? PART_MISSING : PART_UNFINISHED,
                                .generation = image->scan.areas[area].generation};
    }
    for (unsigned nth = 2; nth-- > 0;) {
        int area = store_scan_area(&image->scan, nth);
        if (area >= 0 && decode_area(image, (unsigned)area)) {
            image->areas[area].part = PART_WHOLE;
            image->areas[area].covers = image->checkpoint.covers;
            image->area = area;
        } else if (nth == 0 && image->area >= 0 && !decode_area(image, (unsigned)image->area)) {
            image->areas[image->area].part = PART_UNFINISHED;
            image->area = -1;
        }
    }
    if (image->area < 0) {
        memset(&image->checkpoint, 0, sizeof image->checkpoint);
        ledger_init(&image->ledger, 0);
    }
}

static bool is_block_of(const uint8_t *bytes, uint64_t store)
{
    return block_check(bytes, store) != BLOCK_DAMAGED;
}

static void scan_blocks(struct store_image *image)
{
    uint8_t bytes[BLOCK_BYTES];
    uint32_t first_slot = block_super_slot_index(&image->super, 0);
    store_scan_begin(&image->scan, &image->super);
    for (uint32_t index = 1; index + 1 < image->super.block_count; index++) {
        bool is_slot = index >= first_slot;
        if (!read_block(image, index, bytes)) {
            image->missing_slots += is_slot;
            continue;
        }
        image->unreadable += image->read_failed;
        store_scan_add(&image->scan, index, bytes);
        image->foreign_slots +=
            is_slot && image->scan.slots[index - first_slot].state == SLOT_DAMAGED &&
            block_check(bytes, 0) == BLOCK_DATA && !is_block_of(bytes, image->super.store);
    }
}

void store_image_scan(struct store_image *image)
{
    struct stat status;
    image->size_bytes = fstat(image->descriptor, &status) == 0 ? (uint64_t)status.st_size : 0;
    image->file_blocks = (uint32_t)(image->size_bytes / BLOCK_BYTES);
    image->unreadable = 0;
    image->missing_slots = 0;
    image->foreign_slots = 0;
    find_super(image);
    if (image->kind == IMAGE_STORE) {
        scan_blocks(image);
        read_checkpoints(image);
        store_scan_finish(&image->scan, image->checkpoint.oldest_seq);
    }
}

/* The walk. */

void store_image_walk(struct image_walk *walk, const struct store_image *image)
{
    memset(walk, 0, sizeof *walk);
    walk->image = image;
}

static bool read_live(struct image_walk *walk, uint32_t slot)
{
    const struct store_image *image = walk->image;
    const struct store_slot *expected = &image->scan.slots[slot];
    off_t at = (off_t)block_super_slot_index(&image->super, slot) * BLOCK_BYTES;
    return pread(image->descriptor, walk->block, BLOCK_BYTES, at) == BLOCK_BYTES &&
           block_check(walk->block, image->super.store) == BLOCK_DATA &&
           block_data_read(walk->block, &walk->data) && walk->data.seq == expected->seq &&
           walk->data.version == expected->version;
}

static void end_block(struct image_walk *walk)
{
    if (walk->in_block && walk->replay.broken) {
        walk->broken_blocks++;
        walk->broken_records +=
            walk->data.first_ordinal + walk->data.records - 1 - walk->replay.ordinal;
    }
    walk->in_block = false;
}

bool store_image_block(struct image_walk *walk)
{
    const struct store_scan *scan = &walk->image->scan;
    end_block(walk);
    while (walk->next < scan->live_count) {
        walk->slot = scan->live[walk->next++];
        if (read_live(walk, walk->slot)) {
            store_replay_begin(&walk->replay, &walk->data, walk->block + BLOCK_DATA_HEADER);
            walk->result = walk->data.first_result - 1;
            walk->in_block = true;
            return true;
        }
        walk->lost_blocks++;
    }
    return false;
}

bool store_image_record(struct image_walk *walk, struct record *record)
{
    if (!walk->in_block || !store_replay_next(&walk->replay, record)) {
        return false;
    }
    walk->result += record->sort == RECORD_RESULT;
    return true;
}

bool store_image_next(struct image_walk *walk, struct record *record)
{
    while (!store_image_record(walk, record)) {
        if (!store_image_block(walk)) {
            return false;
        }
    }
    return true;
}
