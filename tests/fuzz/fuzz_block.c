/* Guards against a block on a damaged disk that crashes its readers, passes with a field out of its
 * range, or is taken for whole although its checksum is wrong. A header that was read is written
 * again and must give the same bytes.
 *
 * A libFuzzer entry. The first byte chooses the kind and whether the checksum is made right, as no
 * mutation finds that by itself; the rest is the block from its store id on, its tail zeros. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "block.h"
#include "bytes.h"
#include "crc32c.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void must(bool holds)
{
    if (!holds) {
        abort();
    }
}

static bool count_in_range(uint64_t count)
{
    return count <= (uint64_t)INT64_MAX;
}

/* Both blocks hold the same payload; `end` is where it ends. Behind it the sealed one has zeros. */
static void must_be_the_same(const uint8_t *block, const uint8_t *sealed, size_t end)
{
    must(end <= BLOCK_BYTES && memcmp(block + 4, sealed + 4, end - 4) == 0);
    for (size_t i = end; i < BLOCK_BYTES; i++) {
        must(sealed[i] == 0);
    }
}

static void super(const uint8_t *block, uint8_t *sealed)
{
    struct block_super found;
    if (!block_super_read(block, &found) || found.format_version > BLOCK_FORMAT_VERSION) {
        return;
    }
    must(found.format_version == BLOCK_FORMAT_VERSION && found.store != 0);
    must(found.block_count <= BLOCK_COUNT_MAX && block_super_slots(&found) >= BLOCK_SLOTS_MIN &&
         block_super_slots(&found) < found.block_count);
    must(block_super_slot_index(&found, block_super_slots(&found)) == found.block_count - 1);
    block_super_seal(sealed, &found);
    must(block_check(sealed, found.store) == BLOCK_SUPER);
    must_be_the_same(block, sealed, 28);
}

static void part(const uint8_t *block, uint8_t *sealed, uint64_t store)
{
    struct block_part found;
    if (block_part_read(block, &found)) {
        must(found.part < found.parts && found.parts <= BLOCK_PARTS_MAX);
        must(found.used <= BLOCK_PART_BYTES && count_in_range(found.generation));
        block_part_seal(sealed, store, &found);
        must(block_check(sealed, store) == BLOCK_PART);
        must_be_the_same(block, sealed, BLOCK_PART_HEADER + (size_t)found.used);
    }
}

static void data(const uint8_t *block, uint8_t *sealed, uint64_t store)
{
    struct block_data found;
    if (block_data_read(block, &found)) {
        must(found.seq > 0 && count_in_range(found.seq) && found.version > 0);
        must(found.oldest_seq > 0 && found.oldest_seq <= found.seq);
        must(found.used <= BLOCK_DATA_BYTES && found.results <= found.records &&
             found.records * BLOCK_RECORD_BYTES_MIN <= found.used);
        must(found.first_ordinal > 0 && count_in_range(found.first_ordinal));
        must(found.first_result > 0 && count_in_range(found.first_result));
        must(count_in_range(found.dropped_wrap) && count_in_range(found.dropped_memory) &&
             count_in_range(found.blocks_written));
        must(found.base_ms >= 0 && found.base_ms <= BLOCK_TIME_MAX_MS);
        must(block_wall_offset_valid(found.wall_offset_ms));
        block_data_seal(sealed, store, &found);
        must(block_check(sealed, store) == BLOCK_DATA);
        must_be_the_same(block, sealed, BLOCK_DATA_HEADER + (size_t)found.used);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const char magics[][5] = {"PKS1", "PKC1", "PKD1", "PKX1"};
    static uint8_t block[BLOCK_BYTES], sealed[BLOCK_BYTES];
    if (size < 1 || size - 1 > BLOCK_BYTES - 8) {
        return 0;
    }
    bool right = (bytes[0] & 0x80) == 0;
    memset(block, 0, sizeof block);
    memcpy(block + 4, magics[bytes[0] % ARRAY_LEN(magics)], 4);
    memcpy(block + 8, bytes + 1, size - 1);
    uint32_t checksum = crc32c(0, block + 4, BLOCK_BYTES - 4);
    bytes_put_u32(block, right ? checksum : ~checksum);

    uint64_t store = bytes_u64(block + 8);
    uint64_t other = store == UINT64_MAX ? 1 : store + 1; /* 0 would mean any */
    enum block_kind kind = block_check(block, 0);
    must(right || kind == BLOCK_DAMAGED);
    must(kind == BLOCK_DAMAGED || (store != 0 && block_check(block, store) == kind &&
                                   block_check(block, other) == BLOCK_DAMAGED));
    memcpy(sealed, block, sizeof sealed);
    if (kind == BLOCK_SUPER) {
        super(block, sealed);
    } else if (kind == BLOCK_PART) {
        part(block, sealed, store);
    } else if (kind == BLOCK_DATA) {
        data(block, sealed, store);
    }
    return 0;
}
