/* Guards against: a block that another version cannot read, a rotten or foreign block taken for
 * whole, a field out of its range that reaches the arithmetic of the recovery. bytes.h and
 * blockdev.h are tested here too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "block.h"
#include "bytes.h"
#include "crc32c.h"
#include "prng.h"

#define STORE UINT64_C(0x8877665544332211)
#define U63   ((uint64_t)INT64_MAX)

static uint8_t block[BLOCK_BYTES];

static const struct block_super a_super = {
    .store = STORE, .format_version = 1, .block_count = 256, .checkpoint_blocks = 9};
static const struct block_part a_part = {
    .generation = 0x0102030405060708, .part = 3, .parts = 7, .used = 1000};
static const struct block_data some_data = {
    .seq = 0x1112131415161718,
    .version = 0x21222324,
    .used = 0x0a0b,
    .records = 0x0304,
    .results = 0x0302,
    .first_ordinal = 0x3132333435363738,
    .first_result = 0x2132333435363738,
    .oldest_seq = 0x1112131415161700,
    .dropped_wrap = 0x4142434445464748,
    .dropped_memory = 0x5152535455565758,
    .boot = 0xf1f2f3f4f5f6f7f8,
    .base_ms = 0x000c1d2e3f405162,
    .wall_offset_ms = -2,
    .blocks_written = 0x6162636465666768,
};

static void fill(uint64_t seed)
{
    struct prng prng = {.state = seed};
    for (size_t i = 0; i < sizeof block; i++) {
        block[i] = (uint8_t)prng_next(&prng);
    }
}

static void seal_kind(enum block_kind kind)
{
    fill(kind);
    switch (kind) {
    case BLOCK_SUPER:
        block_super_seal(block, &a_super);
        break;
    case BLOCK_PART:
        block_part_seal(block, STORE, &a_part);
        break;
    default:
        block_data_seal(block, STORE, &some_data);
        break;
    }
}

static void fix_checksum(void)
{
    bytes_put_u32(block, crc32c(0, block + 4, BLOCK_BYTES - 4));
}

static bool reads(enum block_kind kind)
{
    struct block_super super;
    struct block_part part;
    struct block_data data;
    assert_int_equal(block_check(block, STORE), kind);
    switch (kind) {
    case BLOCK_SUPER:
        return block_super_read(block, &super);
    case BLOCK_PART:
        return block_part_read(block, &part);
    default:
        return block_data_read(block, &data);
    }
}

/* Byte by byte as SPEC.md says. The checksum was made by another program (Python, bit by bit). */
static void block_headers_are_those_of_the_specification(void **state)
{
    (void)state;
    static const uint8_t super[] = {
        'P', 'K', 'S', '1', 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 1, 0, 12, 0,
        0,   1,   0,   0,   9,    0,    0,    0,    0,    0,    0,    0,    0, 0, 0,  0,
    };
    static const uint8_t part[] = {
        'P', 'K', 'C', '1', 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 8,    7,
        6,   5,   4,   3,   2,    1,    3,    0,    7,    0,    0xe8, 0x03, 0x00, 0x00,
    };
    static const uint8_t data[] = {
        'P',  'K',  'D',  '1',  0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x18, 0x17,
        0x16, 0x15, 0x14, 0x13, 0x12, 0x11, 0x24, 0x23, 0x22, 0x21, 0x0b, 0x0a, 0x04, 0x03,
        0x38, 0x37, 0x36, 0x35, 0x34, 0x33, 0x32, 0x31, 0x38, 0x37, 0x36, 0x35, 0x34, 0x33,
        0x32, 0x21, 0x02, 0x03, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x17, 0x16, 0x15,
        0x14, 0x13, 0x12, 0x11, 0x48, 0x47, 0x46, 0x45, 0x44, 0x43, 0x42, 0x41, 0x58, 0x57,
        0x56, 0x55, 0x54, 0x53, 0x52, 0x51, 0xf8, 0xf7, 0xf6, 0xf5, 0xf4, 0xf3, 0xf2, 0xf1,
        0x62, 0x51, 0x40, 0x3f, 0x2e, 0x1d, 0x0c, 0x00, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xff, 0x68, 0x67, 0x66, 0x65, 0x64, 0x63, 0x62, 0x61,
    };
    seal_kind(BLOCK_SUPER);
    assert_memory_equal(block + 4, super, sizeof super);
    assert_int_equal(bytes_u32(block), UINT32_C(0xc0e89193));
    seal_kind(BLOCK_PART);
    assert_int_equal(sizeof part, BLOCK_PART_HEADER - 4);
    assert_memory_equal(block + 4, part, sizeof part);
    seal_kind(BLOCK_DATA);
    assert_int_equal(sizeof data, BLOCK_DATA_HEADER - 4);
    assert_memory_equal(block + 4, data, sizeof data);
}

static void block_fields_come_back(void **state)
{
    (void)state;
    struct block_super super;
    struct block_part part;
    struct block_data data;
    seal_kind(BLOCK_SUPER);
    assert_true(block_super_read(block, &super));
    assert_true(super.store == STORE && super.format_version == 1);
    assert_int_equal(super.block_count, a_super.block_count);
    assert_int_equal(super.checkpoint_blocks, a_super.checkpoint_blocks);
    seal_kind(BLOCK_PART);
    assert_true(block_part_read(block, &part));
    assert_true(part.generation == a_part.generation);
    assert_true(part.part == 3 && part.parts == 7 && part.used == 1000);
    seal_kind(BLOCK_DATA);
    assert_true(block_data_read(block, &data));
    assert_true(data.seq == some_data.seq && data.version == some_data.version);
    assert_true(data.used == some_data.used && data.records == some_data.records &&
                data.results == some_data.results);
    assert_true(data.first_ordinal == some_data.first_ordinal &&
                data.first_result == some_data.first_result);
    assert_true(data.oldest_seq == some_data.oldest_seq);
    assert_true(data.dropped_wrap == some_data.dropped_wrap &&
                data.dropped_memory == some_data.dropped_memory);
    assert_true(data.blocks_written == some_data.blocks_written && data.boot == some_data.boot);
    assert_true(data.base_ms == some_data.base_ms && data.wall_offset_ms == -2);
}

static void block_payload_stays_and_its_rest_is_zero(void **state)
{
    (void)state;
    static const struct {
        enum block_kind kind;
        size_t from, used;
    } rows[] = {
        {BLOCK_SUPER, 28, 0},
        {BLOCK_PART, BLOCK_PART_HEADER, 1000},
        {BLOCK_DATA, BLOCK_DATA_HEADER, 0x0a0b},
    };
    uint8_t before[BLOCK_BYTES];
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        fill(rows[i].kind);
        memcpy(before, block, sizeof before);
        seal_kind(rows[i].kind);
        assert_memory_equal(block + rows[i].from, before + rows[i].from, rows[i].used);
        for (size_t at = rows[i].from + rows[i].used; at < BLOCK_BYTES; at++) {
            assert_int_equal(block[at], 0);
        }
    }
}

static void block_check_sees_every_flipped_bit(void **state)
{
    (void)state;
    static const enum block_kind kinds[] = {BLOCK_SUPER, BLOCK_PART, BLOCK_DATA};
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        seal_kind(kinds[i]);
        assert_int_equal(block_check(block, STORE), kinds[i]);
        assert_int_equal(block_check(block, 0), kinds[i]);
        for (size_t bit = 0; bit < 8 * (size_t)BLOCK_BYTES; bit++) {
            block[bit / 8] ^= (uint8_t)(1U << bit % 8);
            assert_int_equal(block_check(block, 0), BLOCK_DAMAGED);
            block[bit / 8] ^= (uint8_t)(1U << bit % 8);
        }
    }
}

/* A write that stopped at a sector: the rest is what stood there before. */
static void block_check_sees_every_torn_write(void **state)
{
    (void)state;
    uint8_t older[BLOCK_BYTES];
    struct block_data data = some_data;
    fill(1);
    block_data_seal(block, STORE, &data);
    memcpy(older, block, sizeof older);
    data.version++;
    for (size_t cut = 16; cut < BLOCK_BYTES; cut += 16) {
        fill(2);
        block_data_seal(block, STORE, &data);
        if (memcmp(block + cut, older + cut, BLOCK_BYTES - cut) == 0) {
            continue; /* both are zeros from here */
        }
        memcpy(block + cut, older + cut, BLOCK_BYTES - cut);
        assert_int_equal(block_check(block, STORE), BLOCK_DAMAGED);
    }
}

static void block_check_tells_empty_foreign_and_unknown_ones(void **state)
{
    (void)state;
    memset(block, 0, sizeof block);
    assert_int_equal(block_check(block, STORE), BLOCK_EMPTY);
    for (size_t at = 0; at < BLOCK_BYTES; at++) {
        block[at] = 1;
        assert_int_equal(block_check(block, 0), BLOCK_DAMAGED);
        block[at] = 0;
    }
    memset(block, 0xff, sizeof block); /* erased flash */
    assert_int_equal(block_check(block, 0), BLOCK_DAMAGED);

    seal_kind(BLOCK_DATA);
    assert_int_equal(block_check(block, STORE + 1), BLOCK_DAMAGED);
    static const char magics[][5] = {"PKX1", "PKD2", "pkd1", "PKE1", "1DKP"};
    for (size_t i = 0; i < ARRAY_LEN(magics); i++) {
        memcpy(block + 4, magics[i], 4);
        fix_checksum();
        assert_int_equal(block_check(block, STORE), BLOCK_DAMAGED);
    }
    block_data_seal(block, 0, &some_data); /* no store has this name */
    assert_int_equal(block_check(block, 0), BLOCK_DAMAGED);
}

static void block_super_is_read_only_in_range(void **state)
{
    (void)state;
    static const struct {
        uint32_t block_count, checkpoint_blocks;
        bool valid;
    } rows[] = {
        {10, 1, true},
        {9, 1, false},
        {10, 2, true},
        {10, 3, false},
        {12, 3, true},
        {16, 5, true},
        {16, 6, false},
        {16384, 288, true},
        {16385, 288, false},
        {16384, 289, false},
        {16, 0, false},
        {0, 0, false},
        {11, 3, false},
        {13, 4, false},
        {16384, 0x7fffffff, false},
        {16384, 0xffffffff, false},
        {UINT32_MAX, UINT32_MAX, false},
        {UINT32_MAX, 1, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct block_super super = a_super;
        super.block_count = rows[i].block_count;
        super.checkpoint_blocks = rows[i].checkpoint_blocks;
        block_super_seal(block, &super);
        assert_int_equal(reads(BLOCK_SUPER), rows[i].valid);
    }
    seal_kind(BLOCK_SUPER);
    bytes_put_u16(block + 18, 13);
    fix_checksum();
    assert_false(reads(BLOCK_SUPER));
}

static void block_super_of_a_newer_version_says_so_and_no_more(void **state)
{
    (void)state;
    static const uint16_t versions[] = {2, 3, 256, UINT16_MAX};
    struct block_super super = a_super;
    for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
        super.format_version = versions[i];
        super.block_count = 3;
        block_super_seal(block, &super);
        bytes_put_u16(block + 18, 99);
        fix_checksum();
        assert_int_equal(block_check(block, 0), BLOCK_SUPER);
        struct block_super seen;
        assert_true(block_super_read(block, &seen));
        assert_int_equal(seen.format_version, versions[i]);
        assert_true(seen.store == STORE);
        assert_int_equal(seen.block_count, 0);
        assert_int_equal(seen.checkpoint_blocks, 0);
    }
    super = a_super;
    super.format_version = 0;
    block_super_seal(block, &super);
    assert_false(reads(BLOCK_SUPER));
}

static void block_part_is_read_only_in_range(void **state)
{
    (void)state;
    static const struct {
        uint64_t generation;
        uint16_t part, parts, used;
        bool valid;
    } rows[] = {
        {0, 0, 1, 0, true},        {U63, 287, 288, BLOCK_PART_BYTES, true},
        {U63 + 1, 0, 1, 0, false}, {UINT64_MAX, 0, 1, 0, false},
        {1, 0, 0, 0, false},       {1, 1, 1, 0, false},
        {1, 7, 7, 0, false},       {1, 65535, 1, 0, false},
        {1, 0, 289, 0, false},     {1, 288, 289, 0, false},
        {1, 0, 65535, 0, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct block_part part = {
            .generation = rows[i].generation,
            .part = rows[i].part,
            .parts = rows[i].parts,
            .used = rows[i].used,
        };
        block_part_seal(block, STORE, &part);
        assert_int_equal(reads(BLOCK_PART), rows[i].valid);
    }
}

static bool poked_reads(enum block_kind kind, size_t at, unsigned bytes, uint64_t value)
{
    seal_kind(kind);
    for (unsigned i = 0; i < bytes; i++) {
        block[at + i] = (uint8_t)(value >> (8 * i));
    }
    fix_checksum();
    return reads(kind);
}

struct poke {
    size_t at;
    unsigned bytes;
    uint64_t value;
    bool valid;
};

static void block_part_pokes_are_judged(void **state)
{
    (void)state;
    static const struct poke rows[] = {
        {28, 2, BLOCK_PART_BYTES, true}, {28, 2, BLOCK_PART_BYTES + 1, false},
        {28, 2, UINT16_MAX, false},      {30, 2, 1, false},
        {30, 2, 0x8000, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(poked_reads(BLOCK_PART, rows[i].at, rows[i].bytes, rows[i].value),
                         rows[i].valid);
    }
}

static void block_data_pokes_are_judged(void **state)
{
    (void)state;
    static const uint64_t time_max = (uint64_t)BLOCK_TIME_MAX_MS;
    const struct poke rows[] = {
        {16, 8, some_data.oldest_seq, true}, /* seq */
        {16, 8, some_data.oldest_seq - 1, false},
        {16, 8, U63, true},
        {16, 8, U63 + 1, false},
        {16, 8, 0, false},
        {24, 4, 1, true}, /* version */
        {24, 4, 0, false},
        {24, 4, INT32_MAX, true},
        {24, 4, (uint64_t)INT32_MAX + 1, false},
        {28, 2, BLOCK_DATA_BYTES, true}, /* used */
        {28, 2, BLOCK_DATA_BYTES + 1, false},
        {28, 2, UINT16_MAX, false},
        {28, 2, 3 * 0x304, true},
        {28, 2, 3 * 0x304 - 1, false},
        {28, 2, 0, false},
        {30, 2, 0x302, true}, /* records */
        {30, 2, 0x301, false},
        {30, 2, 0, false},
        {30, 2, 0xa0b / 3, true},
        {30, 2, 0xa0b / 3 + 1, false},
        {30, 2, UINT16_MAX, false},
        {32, 8, 1, true}, /* first_ordinal */
        {32, 8, 0, false},
        {32, 8, U63, true},
        {32, 8, U63 + 1, false},
        {40, 8, 1, true}, /* first_result */
        {40, 8, 0, false},
        {40, 8, U63, true},
        {40, 8, U63 + 1, false},
        {48, 2, 0, true}, /* results */
        {48, 2, 0x304, true},
        {48, 2, 0x305, false},
        {50, 2, 1, false}, /* zeros */
        {50, 2, 0x100, false},
        {52, 4, 1, false},
        {52, 4, 0x80000000, false},
        {56, 8, 1, true}, /* oldest_seq */
        {56, 8, 0, false},
        {56, 8, some_data.seq, true},
        {56, 8, some_data.seq + 1, false},
        {64, 8, 0, true}, /* dropped_wrap */
        {64, 8, U63, true},
        {64, 8, U63 + 1, false},
        {72, 8, 0, true}, /* dropped_memory */
        {72, 8, U63, true},
        {72, 8, UINT64_MAX, false},
        {80, 8, 0, true}, /* boot */
        {80, 8, UINT64_MAX, true},
        {88, 8, 0, true}, /* base_ms */
        {88, 8, time_max, true},
        {88, 8, time_max + 1, false},
        {88, 8, UINT64_MAX, false},
        {88, 8, (uint64_t)INT64_MIN, false},
        {96, 8, (uint64_t)BLOCK_WALL_UNKNOWN, true}, /* wall_offset_ms */
        {96, 8, (uint64_t)BLOCK_WALL_UNKNOWN + 1, false},
        {96, 8, 0 - time_max, true},
        {96, 8, 0 - time_max - 1, false},
        {96, 8, time_max, true},
        {96, 8, time_max + 1, false},
        {104, 8, 0, true}, /* blocks_written */
        {104, 8, U63, true},
        {104, 8, U63 + 1, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (poked_reads(BLOCK_DATA, rows[i].at, rows[i].bytes, rows[i].value) != rows[i].valid) {
            fail_msg("row %zu, bytes at %zu", i, rows[i].at);
        }
    }
}

static void block_data_without_records_has_no_bytes(void **state)
{
    (void)state;
    struct block_data data = some_data;
    data.used = data.records = data.results = 0;
    block_data_seal(block, STORE, &data);
    assert_true(reads(BLOCK_DATA));
    data.used = 3; /* bytes of no record */
    block_data_seal(block, STORE, &data);
    assert_false(reads(BLOCK_DATA));
}

static void block_places_follow_one_another(void **state)
{
    (void)state;
    assert_int_equal(block_super_area_index(&a_super, 0), 1);
    assert_int_equal(block_super_area_index(&a_super, 1), 10);
    assert_int_equal(block_super_slot_index(&a_super, 0), 19);
    assert_int_equal(block_super_slots(&a_super), 256 - 20);
    /* The last slot stands before the copy of the super. */
    assert_int_equal(block_super_slot_index(&a_super, block_super_slots(&a_super) - 1), 254);
}

static void block_errors_have_names(void **state)
{
    (void)state;
    static const char *const names[] = {"ok",        "missing", "no_space", "io",
                                        "read_only", "denied",  "in_use"};
    assert_int_equal(ARRAY_LEN(names), BLOCK_ERROR_COUNT);
    for (unsigned i = 0; i < BLOCK_ERROR_COUNT; i++) {
        assert_string_equal(block_error_name((enum block_error)i), names[i]);
    }
    assert_string_equal(block_error_name(BLOCK_ERROR_COUNT), "invalid");
}

static void bytes_varint_has_one_form_for_each_value(void **state)
{
    (void)state;
    static const struct {
        uint64_t value;
        size_t count;
        uint8_t bytes[BYTES_VARINT_MAX];
    } rows[] = {
        {0, 1, {0}},
        {1, 1, {1}},
        {127, 1, {0x7f}},
        {128, 2, {0x80, 1}},
        {300, 2, {0xac, 2}},
        {16383, 2, {0xff, 0x7f}},
        {16384, 3, {0x80, 0x80, 1}},
        {UINT32_MAX, 5, {0xff, 0xff, 0xff, 0xff, 0x0f}},
        {U63, 9, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}},
        {U63 + 1, 10, {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1}},
        {UINT64_MAX, 10, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}},
    };
    uint8_t bytes[BYTES_VARINT_MAX];
    uint64_t value;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(bytes_put_varint(bytes, rows[i].value), rows[i].count);
        assert_memory_equal(bytes, rows[i].bytes, rows[i].count);
        for (size_t count = 0; count < rows[i].count; count++) {
            assert_int_equal(bytes_varint(bytes, count, &value), 0);
        }
        assert_int_equal(bytes_varint(bytes, sizeof bytes, &value), rows[i].count);
        assert_true(value == rows[i].value);
    }
}

static void bytes_varint_refuses_other_forms(void **state)
{
    (void)state;
    static const uint8_t rows[][12] = {
        {0x80, 0},
        {0xff, 0},
        {0x80, 0x80, 0},
        {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0},
        {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2},
        {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
        {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x81, 1},
        {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1},
    };
    uint64_t value;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(bytes_varint(rows[i], sizeof rows[i], &value), 0);
    }
}

static void bytes_zigzag_orders_by_magnitude(void **state)
{
    (void)state;
    static const int64_t rows[] = {0, -1, 1, -2, 2, -3, 3};
    for (uint64_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_true(bytes_zigzag((uint64_t)rows[i]) == i);
        assert_true(bytes_unzigzag(i) == (uint64_t)rows[i]);
    }
    assert_true(bytes_zigzag(U63) == UINT64_MAX - 1);
    assert_true(bytes_zigzag(U63 + 1) == UINT64_MAX);
    assert_true(bytes_unzigzag(UINT64_MAX - 1) == U63);
    assert_true(bytes_unzigzag(UINT64_MAX) == U63 + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(block_headers_are_those_of_the_specification),
        cmocka_unit_test(block_fields_come_back),
        cmocka_unit_test(block_payload_stays_and_its_rest_is_zero),
        cmocka_unit_test(block_check_sees_every_flipped_bit),
        cmocka_unit_test(block_check_sees_every_torn_write),
        cmocka_unit_test(block_check_tells_empty_foreign_and_unknown_ones),
        cmocka_unit_test(block_super_is_read_only_in_range),
        cmocka_unit_test(block_super_of_a_newer_version_says_so_and_no_more),
        cmocka_unit_test(block_part_is_read_only_in_range),
        cmocka_unit_test(block_part_pokes_are_judged),
        cmocka_unit_test(block_data_pokes_are_judged),
        cmocka_unit_test(block_data_without_records_has_no_bytes),
        cmocka_unit_test(block_places_follow_one_another),
        cmocka_unit_test(block_errors_have_names),
        cmocka_unit_test(bytes_varint_has_one_form_for_each_value),
        cmocka_unit_test(bytes_varint_refuses_other_forms),
        cmocka_unit_test(bytes_zigzag_orders_by_magnitude),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
