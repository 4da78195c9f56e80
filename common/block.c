#include "block.h"

#include <assert.h>
#include <string.h>

#include "bytes.h"
#include "crc32c.h"

/* Where the fields are; SPEC.md has the same table. Those of the envelope first. */
enum {
    AT_CRC = 0,
    AT_MAGIC = 4,
    AT_STORE = 8,

    SUPER_VERSION = 16,
    SUPER_LOG2_BLOCK = 18,
    SUPER_BLOCKS = 20,
    SUPER_CHECKPOINT_BLOCKS = 24,
    SUPER_END = 28,

    PART_GENERATION = 16,
    PART_PART = 24,
    PART_PARTS = 26,
    PART_USED = 28,
    PART_ZERO = 30,

    DATA_SEQ = 16,
    DATA_VERSION = 24,
    DATA_USED = 28,
    DATA_RECORDS = 30,
    DATA_FIRST_ORDINAL = 32,
    DATA_FIRST_RESULT = 40,
    DATA_RESULTS = 48,
    DATA_ZERO = 50,
    DATA_ZERO_TOO = 52,
    DATA_OLDEST_SEQ = 56,
    DATA_DROPPED_WRAP = 64,
    DATA_DROPPED_MEMORY = 72,
    DATA_BOOT = 80,
    DATA_BASE_MS = 88,
    DATA_WALL_OFFSET_MS = 96,
    DATA_BLOCKS_WRITTEN = 104,
};

#define LOG2_BLOCK   12
#define MAGIC_BYTES  4
#define U64_MAX_KEPT ((uint64_t)INT64_MAX)

static const char super_magic[] = "PKS1", part_magic[] = "PKC1", data_magic[] = "PKD1";

static bool has_magic(const uint8_t *bytes, const char *magic)
{
    return memcmp(bytes + AT_MAGIC, magic, MAGIC_BYTES) == 0;
}

static bool is_empty(const uint8_t *bytes)
{
    return bytes[0] == 0 && memcmp(bytes, bytes + 1, BLOCK_BYTES - 1) == 0;
}

static uint32_t checksum(const uint8_t *bytes)
{
    return crc32c(0, bytes + AT_MAGIC, BLOCK_BYTES - AT_MAGIC);
}

enum block_kind block_check(const uint8_t bytes[BLOCK_BYTES], uint64_t store)
{
    uint64_t found = bytes_u64(bytes + AT_STORE);
    if (found == 0 && is_empty(bytes)) {
        return BLOCK_EMPTY;
    }
    if (found == 0 || (store != 0 && found != store) ||
        bytes_u32(bytes + AT_CRC) != checksum(bytes)) {
        return BLOCK_DAMAGED;
    }
    if (has_magic(bytes, super_magic)) {
        return BLOCK_SUPER;
    }
    if (has_magic(bytes, part_magic)) {
        return BLOCK_PART;
    }
    return has_magic(bytes, data_magic) ? BLOCK_DATA : BLOCK_DAMAGED;
}

/* The header's fields must be in place. */
static void seal(uint8_t *bytes, const char *magic, uint64_t store, size_t used)
{
    assert(used <= BLOCK_BYTES);
    memset(bytes + used, 0, BLOCK_BYTES - used);
    memcpy(bytes + AT_MAGIC, magic, MAGIC_BYTES);
    bytes_put_u64(bytes + AT_STORE, store);
    bytes_put_u32(bytes + AT_CRC, checksum(bytes));
}

static bool super_in_range(const struct block_super *super)
{
    return super->block_count >= BLOCK_COUNT_MIN && super->block_count <= BLOCK_COUNT_MAX &&
           super->checkpoint_blocks >= 1 && super->checkpoint_blocks <= BLOCK_PARTS_MAX &&
           super->block_count >= 2 + 2 * super->checkpoint_blocks + BLOCK_SLOTS_MIN;
}

void block_super_seal(uint8_t bytes[BLOCK_BYTES], const struct block_super *super)
{
    bytes_put_u16(bytes + SUPER_VERSION, super->format_version);
    bytes_put_u16(bytes + SUPER_LOG2_BLOCK, LOG2_BLOCK);
    bytes_put_u32(bytes + SUPER_BLOCKS, super->block_count);
    bytes_put_u32(bytes + SUPER_CHECKPOINT_BLOCKS, super->checkpoint_blocks);
    seal(bytes, super_magic, super->store, SUPER_END);
}

bool block_super_read(const uint8_t bytes[BLOCK_BYTES], struct block_super *super)
{
    *super = (struct block_super){
        .store = bytes_u64(bytes + AT_STORE),
        .format_version = bytes_u16(bytes + SUPER_VERSION),
    };
    if (super->format_version > BLOCK_FORMAT_VERSION) {
        return true; /* what stands behind the version is not ours to judge */
    }
    super->block_count = bytes_u32(bytes + SUPER_BLOCKS);
    super->checkpoint_blocks = bytes_u32(bytes + SUPER_CHECKPOINT_BLOCKS);
    return super->format_version == BLOCK_FORMAT_VERSION &&
           bytes_u16(bytes + SUPER_LOG2_BLOCK) == LOG2_BLOCK && super_in_range(super);
}

void block_part_seal(uint8_t bytes[BLOCK_BYTES], uint64_t store, const struct block_part *part)
{
    bytes_put_u64(bytes + PART_GENERATION, part->generation);
    bytes_put_u16(bytes + PART_PART, part->part);
    bytes_put_u16(bytes + PART_PARTS, part->parts);
    bytes_put_u16(bytes + PART_USED, part->used);
    bytes_put_u16(bytes + PART_ZERO, 0);
    seal(bytes, part_magic, store, BLOCK_PART_HEADER + (size_t)part->used);
}

bool block_part_read(const uint8_t bytes[BLOCK_BYTES], struct block_part *part)
{
    *part = (struct block_part){
        .generation = bytes_u64(bytes + PART_GENERATION),
        .part = bytes_u16(bytes + PART_PART),
        .parts = bytes_u16(bytes + PART_PARTS),
        .used = bytes_u16(bytes + PART_USED),
    };
    return part->generation <= U64_MAX_KEPT && part->part < part->parts &&
           part->parts <= BLOCK_PARTS_MAX && part->used <= BLOCK_PART_BYTES &&
           bytes_u16(bytes + PART_ZERO) == 0;
}

void block_data_seal(uint8_t bytes[BLOCK_BYTES], uint64_t store, const struct block_data *data)
{
    bytes_put_u64(bytes + DATA_SEQ, data->seq);
    bytes_put_u32(bytes + DATA_VERSION, data->version);
    bytes_put_u16(bytes + DATA_USED, data->used);
    bytes_put_u16(bytes + DATA_RECORDS, data->records);
    bytes_put_u64(bytes + DATA_FIRST_ORDINAL, data->first_ordinal);
    bytes_put_u64(bytes + DATA_FIRST_RESULT, data->first_result);
    bytes_put_u16(bytes + DATA_RESULTS, data->results);
    bytes_put_u16(bytes + DATA_ZERO, 0);
    bytes_put_u32(bytes + DATA_ZERO_TOO, 0);
    bytes_put_u64(bytes + DATA_OLDEST_SEQ, data->oldest_seq);
    bytes_put_u64(bytes + DATA_DROPPED_WRAP, data->dropped_wrap);
    bytes_put_u64(bytes + DATA_DROPPED_MEMORY, data->dropped_memory);
    bytes_put_u64(bytes + DATA_BOOT, data->boot);
    bytes_put_u64(bytes + DATA_BASE_MS, (uint64_t)data->base_ms);
    bytes_put_u64(bytes + DATA_WALL_OFFSET_MS, (uint64_t)data->wall_offset_ms);
    bytes_put_u64(bytes + DATA_BLOCKS_WRITTEN, data->blocks_written);
    seal(bytes, data_magic, store, BLOCK_DATA_HEADER + (size_t)data->used);
}

static bool data_counts_in_range(const struct block_data *data)
{
    return data->seq >= 1 && data->seq <= U64_MAX_KEPT && data->version >= 1 &&
           data->version <= INT32_MAX && data->oldest_seq >= 1 && data->oldest_seq <= data->seq &&
           data->first_ordinal >= 1 && data->first_ordinal <= U64_MAX_KEPT &&
           data->first_result >= 1 && data->first_result <= U64_MAX_KEPT &&
           data->dropped_wrap <= U64_MAX_KEPT && data->dropped_memory <= U64_MAX_KEPT &&
           data->blocks_written <= U64_MAX_KEPT;
}

static bool data_payload_in_range(const struct block_data *data)
{
    return data->used <= BLOCK_DATA_BYTES && data->used >= data->records * BLOCK_RECORD_BYTES_MIN &&
           (data->used == 0) == (data->records == 0) && data->results <= data->records;
}

bool block_wall_offset_valid(int64_t wall_offset_ms)
{
    return wall_offset_ms == BLOCK_WALL_UNKNOWN ||
           (wall_offset_ms >= -BLOCK_TIME_MAX_MS && wall_offset_ms <= BLOCK_TIME_MAX_MS);
}

bool block_data_read(const uint8_t bytes[BLOCK_BYTES], struct block_data *data)
{
    *data = (struct block_data){
        .seq = bytes_u64(bytes + DATA_SEQ),
        .version = bytes_u32(bytes + DATA_VERSION),
        .used = bytes_u16(bytes + DATA_USED),
        .records = bytes_u16(bytes + DATA_RECORDS),
        .results = bytes_u16(bytes + DATA_RESULTS),
        .first_ordinal = bytes_u64(bytes + DATA_FIRST_ORDINAL),
        .first_result = bytes_u64(bytes + DATA_FIRST_RESULT),
        .oldest_seq = bytes_u64(bytes + DATA_OLDEST_SEQ),
        .dropped_wrap = bytes_u64(bytes + DATA_DROPPED_WRAP),
        .dropped_memory = bytes_u64(bytes + DATA_DROPPED_MEMORY),
        .blocks_written = bytes_u64(bytes + DATA_BLOCKS_WRITTEN),
        .boot = bytes_u64(bytes + DATA_BOOT),
        .base_ms = (int64_t)bytes_u64(bytes + DATA_BASE_MS),
        .wall_offset_ms = (int64_t)bytes_u64(bytes + DATA_WALL_OFFSET_MS),
    };
    return data_counts_in_range(data) && data_payload_in_range(data) && data->base_ms >= 0 &&
           data->base_ms <= BLOCK_TIME_MAX_MS && block_wall_offset_valid(data->wall_offset_ms) &&
           bytes_u16(bytes + DATA_ZERO) == 0 && bytes_u32(bytes + DATA_ZERO_TOO) == 0;
}
