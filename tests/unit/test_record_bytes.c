/* Guards against: a code or a byte on disk that changes its meaning, so that the next version reads
 * another history than was written; damaged bytes that become a record. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "record_block.h"

/* The bytes of SPEC.md's example. */
static void record_bytes_are_those_of_the_specification(void **state)
{
    (void)state;
    struct record rows[10] = {
        {.sort = RECORD_RUN, .boot = 0x0807060504030201, .at_us = 1000000},
        {.sort = RECORD_CLOCK, .wall_offset_ms = 1795382400000},
        success(1, 1500, 30000),
        success(1, 31502, 30400),
        success(1, 61501, 29990),
        failure(70, REASON_TIMEOUT, PHASE_CONNECT),
        success(70, 91600, 0),
        {.sort = RECORD_MISSED, .target = 1, .count = 300},
        {.sort = RECORD_COUNT, .counter = 9, .count = 1},
        {.sort = RECORD_CLOCK, .wall_offset_ms = BLOCK_WALL_UNKNOWN},
    };
    rows[5].at_us = 61601 * USEC_PER_MSEC;
    rows[5].duration_us = 5 * USEC_PER_SEC;
    rows[6].outcome = OUTCOME_UNKNOWN;
    static const struct {
        size_t count;
        uint8_t bytes[RECORD_MAX_BYTES];
    } expected[] = {
        {12, {0x01, 67, 1, 2, 3, 4, 5, 6, 7, 8, 0xd0, 0x0f}},
        {11, {0x01, 68, 1, 0x00, 0x54, 0x21, 0x05, 0xa2, 0x01, 0x00, 0x00}},
        {5, {0x02, 0xe8, 0x07, 0xf0, 0x2e}},
        {5, {0x02, 0xe4, 0xd4, 0x03, 0x50}},
        {3, {0x02, 0x05, 0x51}},
        {9, {0x8d, 0x01, 5, 2, 0xc8, 0x01, 0xc0, 0x84, 0x3d}},
        {8, {0x8d, 0x01, 64, 0, 0x00, 0xbf, 0x84, 0x3d}},
        {4, {0x03, 65, 0xac, 0x02}},
        {4, {0x01, 66, 9, 1}},
        {3, {0x01, 68, 0}},
    };
    begin(0);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        size_t from = block.used;
        assert_int_equal(append(&rows[i]), expected[i].count);
        assert_memory_equal(block.payload + from, expected[i].bytes, expected[i].count);
    }
    must_decode(block.used);
}

/* Ids 7 and 263 share a place: each time the other one took it, a target starts anew, from the last
 * start of any target and from no duration. */
static void record_of_a_displaced_target_starts_anew(void **state)
{
    (void)state;
    static const struct {
        uint32_t target;
        int64_t at_ms;
        size_t count;
        uint8_t bytes[8];
    } rows[] = {
        {7, 1001, 3, {0x0e, 0x02, 0x0a}},         /* 1 ms after the base, 50 us */
        {7, 1011, 3, {0x0e, 0x14, 0x00}},         /* no gap known: 10 ms later */
        {263, 1012, 4, {0x8e, 0x04, 0x02, 0x0a}}, /* anew: 1 ms after the last start */
        {7, 1025, 3, {0x0e, 0x1a, 0x0a}},         /* anew: 13 ms after the last start */
        {7, 1036, 3, {0x0e, 0x02, 0x00}},         /* 1 ms later than the last gap of any, 10 ms */
        {7, 1047, 3, {0x0e, 0x00, 0x00}},         /* after its own gap of 11 ms */
        {8, 1047, 3, {0x10, 0x00, 0x0a}},
        {8, 1057, 3, {0x10, 0x01, 0x00}}, /* 1 ms sooner than 11 ms */
    };
    begin(1000);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct record record = success(rows[i].target, rows[i].at_ms, 50);
        size_t from = block.used;
        assert_int_equal(append(&record), rows[i].count);
        assert_memory_equal(block.payload + from, rows[i].bytes, rows[i].count);
    }
    must_decode(block.used);
}

/* The codes on disk, by name: SPEC.md has the same lists. */
static const struct {
    const char *name;
    uint8_t code;
} reason_codes[] =
    {
        {"resolve", 1},         {"connect", 2},
        {"refused", 3},         {"unreachable", 4},
        {"timeout", 5},         {"reset", 6},
        {"tls_handshake", 7},   {"tls_policy", 8},
        {"cert_expired", 9},    {"cert_not_yet_valid", 10},
        {"cert_untrusted", 11}, {"cert_name", 12},
        {"cert_pin", 13},       {"cert_soon", 14},
        {"redirect", 15},       {"status", 16},
        {"header", 17},         {"too_large", 18},
        {"truncated", 19},      {"body", 20},
        {"protocol", 21},       {"expect", 22},
        {"exception", 23},      {"range", 24},
        {"stuck", 25},          {"rcode", 26},
        {"answer", 27},         {"loss", 28},
        {"internal", 29},
},
  phase_codes[] = {
      {"", 0},        {"resolve", 1},    {"connect", 2},  {"starttls", 3},
      {"tls", 4},     {"processing", 5}, {"transfer", 6}, {"dialog", 7},
      {"request", 8}, {"setup", 9},      {"rtt", 10},
};

static uint8_t code_of_reason(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(reason_codes); i++) {
        if (strcmp(reason_codes[i].name, name) == 0) {
            return reason_codes[i].code;
        }
    }
    fail_msg("no code for reason %s", name);
    return 0;
}

static uint8_t code_of_phase(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(phase_codes); i++) {
        if (strcmp(phase_codes[i].name, name) == 0) {
            return phase_codes[i].code;
        }
    }
    fail_msg("no code for phase %s", name);
    return 0;
}

static void record_codes_never_change(void **state)
{
    (void)state;
    for (unsigned reason = 0; reason < REASON_COUNT; reason++) {
        uint8_t code = code_of_reason(reason_name((enum reason)reason));
        assert_int_equal(record_reason_code((enum reason)reason), code);
        for (unsigned phase = 0; phase <= PHASE_NONE; phase++) {
            struct record record = failure(1, (enum reason)reason, (enum phase)phase);
            begin(0);
            assert_int_equal(append(&record), 5);
            assert_int_equal(block.payload[1], code);
            assert_int_equal(block.payload[2], code_of_phase(phase_name((enum phase)phase)));
            must_decode(block.used);
        }
    }
}

static void record_codes_are_each_one_reason_or_none(void **state)
{
    (void)state;
    unsigned known = 0;
    for (unsigned code = 0; code < 256; code++) {
        enum reason reason = record_reason_of((uint8_t)code);
        assert_true(reason <= REASON_NONE);
        if (reason != REASON_NONE) {
            assert_int_equal(record_reason_code(reason), code);
            known++;
        }
    }
    assert_int_equal(known, REASON_COUNT);
}

/* Every sort byte for the agent and for a target, with every phase byte: only those of SPEC.md. */
static void record_unknown_codes_are_refused(void **state)
{
    (void)state;
    for (unsigned agent = 0; agent < 2; agent++) {
        for (unsigned sort = 0; sort < 256; sort++) {
            for (unsigned third = 0; third < 256; third++) {
                uint8_t bytes[24] = {agent ? 1 : 3, (uint8_t)sort, (uint8_t)third};
                struct record_coder coder;
                struct record record;
                record_coder_init(&coder, 0);
                bool failed = sort >= 1 && sort <= 29 && third <= 10, unknown = sort == 64;
                bool maintained =
                    sort == 69 && ((third >= 1 && third <= 29) || third == 64 || third == 70);
                bool valid = agent ? sort == 66 || sort == 67 || (sort == 68 && third <= 1)
                                   : failed || maintained || (unknown && third <= 10) ||
                                         (sort == 65 && third < 128);
                assert_int_equal(record_decode(&coder, bytes, 0, sizeof bytes, &record) > 0, valid);
            }
        }
    }
}

struct bad {
    const char *what;
    size_t count;
    uint8_t bytes[24];
};

static const struct bad bad_rows[] = {
    {"nothing", 0, {0}},
    {"zeros", 24, {0}},
    {"a success of nobody", 3, {0x00, 0x02, 0x02}},
    {"an id past 32 bits", 7, {0x80, 0x80, 0x80, 0x80, 0x20, 0x02, 0x02}},
    {"an id far past 32 bits",
     12,
     {0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 0x02, 0x02}},
    {"an id in a longer form", 4, {0x82, 0x00, 0x02, 0x02}},
    {"a start in a longer form", 4, {0x02, 0x82, 0x00, 0x02}},
    {"a duration in a longer form", 4, {0x02, 0x02, 0x82, 0x00}},
    {"a start before the boot", 3, {0x02, 0xd1, 0x0f}},
    {"a start past the end of time",
     10,
     {0x02, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10, 0x00}},
    {"a start that wraps",
     12,
     {0x02, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 0x00}},
    {"a start of more than 64 bits",
     12,
     {0x02, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x02, 0x00}},
    {"a negative duration", 3, {0x02, 0x02, 0x01}},
    {"a duration past 64 bits of microseconds",
     11,
     {0x02, 0x02, 0x9a, 0xb3, 0xe6, 0xcc, 0x99, 0xb3, 0xe6, 0xcc, 0x19}},
    {"a clock neither known nor unknown", 11, {0x01, 68, 2}},
    {"a known clock that is unknown", 11, {0x01, 68, 1, 0, 0, 0, 0, 0, 0, 0, 0x80}},
    {"a clock just out of range", 11, {0x01, 68, 1, 1, 0, 0, 0, 0, 0, 0x10, 0}},
    {"a clock just out of range below",
     11,
     {0x01, 68, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xef, 0xff}},
    {"a run before the boot", 12, {0x01, 67, 1, 2, 3, 4, 5, 6, 7, 8, 0xd1, 0x0f}},
    {"a run past the end of time",
     19,
     {0x01, 67, 1, 2, 3, 4, 5, 6, 7, 8, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10}},
    {"a count of more than 64 bits",
     13,
     {0x01, 66, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02}},
    {"runs missed by the agent", 3, {0x01, 65, 1}},
    {"a counter of a target", 4, {0x03, 66, 1, 1}},
    {"a clock of a target", 3, {0x03, 68, 0}},
};

static void record_bad_bytes_are_refused_and_forgotten(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad_rows); i++) {
        struct record_coder coder, before;
        struct record record;
        record_coder_init(&coder, 1000);
        before = coder;
        if (record_decode(&coder, bad_rows[i].bytes, 0, bad_rows[i].count, &record) != 0) {
            fail_msg("%s was taken for a record", bad_rows[i].what);
        }
        assert_memory_equal(&coder, &before, sizeof before);
    }
    struct record_coder coder = {.base_ms = 0};
    struct record record;
    assert_int_equal(record_decode(&coder, bad_rows[0].bytes, 5, 5, &record), 0);
    assert_int_equal(record_decode(&coder, bad_rows[0].bytes, 6, 5, &record), 0);
}

/* The same just inside the range, so that the rows above fail for the reason they name. */
static void record_good_bytes_at_the_ends_are_taken(void **state)
{
    (void)state;
    static const struct bad rows[] = {
        {"the greatest id", 7, {0xfe, 0xff, 0xff, 0xff, 0x1f, 0x02, 0x02}},
        {"a start at the boot", 4, {0x02, 0xcf, 0x0f, 0x02}},
        {"a start at the end of time",
         10,
         {0x02, 0xb0, 0xf0, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x00}},
        {"the greatest duration",
         11,
         {0x02, 0x02, 0x98, 0xb3, 0xe6, 0xcc, 0x99, 0xb3, 0xe6, 0xcc, 0x19}},
        {"the last clock", 11, {0x01, 68, 1, 0, 0, 0, 0, 0, 0, 0x10, 0}},
        {"the first clock", 11, {0x01, 68, 1, 0, 0, 0, 0, 0, 0, 0xf0, 0xff}},
        {"a run at the boot", 12, {0x01, 67, 1, 2, 3, 4, 5, 6, 7, 8, 0xcf, 0x0f}},
        {"the greatest count",
         13,
         {0x01, 66, 255, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct record_coder coder;
        struct record record;
        record_coder_init(&coder, 1000);
        if (record_decode(&coder, rows[i].bytes, 0, rows[i].count, &record) != rows[i].count) {
            fail_msg("%s was not taken", rows[i].what);
        }
    }
}

static void record_shortest_is_what_a_block_header_allows(void **state)
{
    (void)state;
    begin(0);
    struct record record = success(1, 0, 0);
    while (append(&record) > 0) {
    }
    assert_int_equal(block.ends[0], BLOCK_RECORD_BYTES_MIN);
    assert_int_equal(block.count, (BLOCK_DATA_BYTES - RECORD_MAX_BYTES) / 3 + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(record_bytes_are_those_of_the_specification),
        cmocka_unit_test(record_of_a_displaced_target_starts_anew),
        cmocka_unit_test(record_codes_never_change),
        cmocka_unit_test(record_codes_are_each_one_reason_or_none),
        cmocka_unit_test(record_unknown_codes_are_refused),
        cmocka_unit_test(record_bad_bytes_are_refused_and_forgotten),
        cmocka_unit_test(record_good_bytes_at_the_ends_are_taken),
        cmocka_unit_test(record_shortest_is_what_a_block_header_allows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
