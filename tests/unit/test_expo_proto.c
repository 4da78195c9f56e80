/* Guards against a body a receiver refuses or reads otherwise than the text form: a length that is
 * off by one, a wrong field number, bytes past the buffer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "expo_proto.h"
#include "expo_text.h"
#include "proto_reader.h"
#include "view_fixture.h"

static uint8_t proto_memory[1 << 20], small_memory[1 << 16];
static char text_memory[1 << 20];
static struct reader from_proto, from_text;
static int only_probe = -1; /* -1: both, and the agent */

static struct metrics_view chosen_view(void)
{
    numbers = fixture_numbers();
    struct metrics_view view = whole_view();
    view.only_probe = only_probe;
    view.agent = only_probe < 0 ? &numbers : NULL;
    return view;
}

static size_t encode_proto(void *memory, size_t size)
{
    struct metrics_view view = chosen_view();
    struct expo_proto encoder;
    struct buffer out;
    buffer_init(&out, memory, size);
    struct metric_visitor visitor = expo_proto_visitor(&encoder, &out);
    metrics_walk(&view, &visitor);
    assert_int_equal(buffer_overflowed(&out), out.used > size);
    return out.used;
}

static char *encode_text(void)
{
    struct metrics_view view = chosen_view();
    struct expo_text encoder;
    struct buffer out;
    buffer_init(&out, text_memory, sizeof text_memory);
    struct metric_visitor visitor = expo_text_visitor(&encoder, &out);
    metrics_walk(&view, &visitor);
    assert_false(buffer_overflowed(&out));
    return (char *)(uintptr_t)buffer_text(&out);
}

/* The bytes of one small body, put together by hand from the protobuf encoding. */
static void expo_proto_writes_delimited_metric_families(void **state)
{
    static const uint8_t expected[] = {
        28,                                                        /* length of the family */
        0x0a, 1,    'c',                                           /* name */
        0x12, 1,    'h',                                           /* help */
        0x18, 0,                                                   /* type COUNTER */
        0x22, 18,                                                  /* metric */
        0x0a, 5,    0x0a, 1,    'l', 0x12, 0,                      /* label l="" */
        0x1a, 9,    0x09, 0,    0,   0,    0, 0,    0,    8, 0x40, /* counter 3.0 */
        52,                                                        /* the next family */
        0x0a, 1,    's',  0x12, 1,   'h',                          /* name, help */
        0x18, 4,                                                   /* type HISTOGRAM */
        0x22, 42,                                                  /* metric, no label */
        0x3a, 40,                                                  /* histogram */
        0x08, 0xac, 2,                                             /* sample_count 300 */
        0x11, 0,    0,    0,    0,   0,    0, 0,    0x40,          /* sample_sum 2.0 */
        0x1a, 12,   0x08, 0xab, 2,                                 /* bucket: 299 … */
        0x11, 0,    0,    0,    0,   0,    0, 0xe0, 0x3f,          /* … up to 0.5 */
        0x1a, 12,   0x08, 0xac, 2,                                 /* bucket: 300 … */
        0x11, 0,    0,    0,    0,   0,    0, 0xf0, 0x7f,          /* … up to +Inf */
    };
    static const struct histogram histogram = {.bound_count = 1,
                                               .bounds_us = {500000},
                                               .buckets = {299, 1},
                                               .count = 300,
                                               .sum_us = 2000000};
    (void)state;
    struct expo_proto encoder;
    struct buffer out;
    struct metric_labels labels = {.count = 1, .at = {{"l", ""}}}, none = {.count = 0};
    buffer_init(&out, proto_memory, sizeof proto_memory);
    struct metric_visitor visitor = expo_proto_visitor(&encoder, &out);
    visitor.family(visitor.context, "c", METRIC_COUNTER, "h");
    visitor.sample(visitor.context, &labels, 3);
    visitor.family(visitor.context, "s", METRIC_HISTOGRAM, "h");
    visitor.histogram(visitor.context, &none, &histogram);
    visitor.end(visitor.context);
    assert_int_equal(out.used, sizeof expected);
    assert_memory_equal(proto_memory, expected, sizeof expected);
}

static void expo_proto_writes_nothing_for_nothing(void **state)
{
    (void)state;
    struct expo_proto encoder;
    struct buffer out;
    buffer_init(&out, proto_memory, sizeof proto_memory);
    struct metric_visitor visitor = expo_proto_visitor(&encoder, &out);
    visitor.end(visitor.context);
    assert_int_equal(out.used, 0);
}

static void assert_same_samples(void)
{
    assert_true(from_text.sample_count > 0);
    assert_int_equal(from_proto.family_count, from_text.family_count);
    for (unsigned i = 0; i < from_text.family_count; i++) {
        assert_string_equal(from_proto.families[i].name, from_text.families[i].name);
        assert_string_equal(from_proto.families[i].type, from_text.families[i].type);
        assert_string_equal(from_proto.families[i].help, from_text.families[i].help);
        assert_int_equal(from_proto.families[i].samples, from_text.families[i].samples);
    }
    assert_int_equal(from_proto.sample_count, from_text.sample_count);
    for (unsigned i = 0; i < from_text.sample_count; i++) {
        assert_string_equal(from_proto.samples[i].key, from_text.samples[i].key);
        assert_memory_equal(&from_proto.samples[i].value, &from_text.samples[i].value,
                            sizeof(double));
    }
}

static void compare_encodings(void)
{
    size_t count = encode_proto(proto_memory, sizeof proto_memory);
    assert_true(count <= sizeof proto_memory);
    bool proto_ok = reader_read_proto(&from_proto, proto_memory, count);
    bool text_ok = reader_read_text(&from_text, encode_text());
    assert_string_equal(from_proto.error != NULL ? from_proto.error : "", "");
    assert_string_equal(from_text.error != NULL ? from_text.error : "", "");
    assert_true(proto_ok && text_ok);
    assert_same_samples();
    reader_free(&from_proto);
    reader_free(&from_text);
}

static void expo_proto_says_what_expo_text_says(void **state)
{
    (void)state;
    measure_site();
    compare_encodings();
    memset(seen, 0, sizeof seen);
    compare_encodings();
}

/* Labels a target chose, and counts that need ten bytes. */
static void expo_proto_says_what_expo_text_says_of_hostile_results(void **state)
{
    static const char *const texts[] = {
        "\xff\xfe\"\\\n", "\xed\xa0\x80", "{le=\"1\",x=\"y\"} 7", "\xf0\x9f\x94",
        "\n# TYPE x y\n", "\\",           "\xc3\xa9\xc3\x28",     ""};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        measure_site();
        fixture_certificate(&last[0].tls, texts[i]);
        compare_encodings();
    }
    for (int byte = 1; byte < 256; byte++) {
        measure_site();
        fixture_worst_result(&last[0], 0, byte);
        fixture_worst_sli(&slis[0], &config.probes[0]);
        compare_encodings();
    }
}

/* A body that does not fit is known by its overflow and never written past; one that just fits is
 * whole, wherever a family's length had to be put in. */
static void expo_proto_keeps_within_every_size(void **state)
{
    (void)state;
    measure_site();
    only_probe = 1;
    size_t full = encode_proto(proto_memory, sizeof proto_memory);
    assert_in_range(full, 2000, sizeof small_memory - 64);
    for (size_t size = 0; size <= full + 1; size++) {
        memset(small_memory + size, '#', 64);
        assert_int_equal(encode_proto(small_memory, size), full);
        for (size_t i = 0; i < 64; i++) {
            assert_int_equal(small_memory[size + i], '#');
        }
        if (size >= full) {
            assert_memory_equal(small_memory, proto_memory, full);
        }
    }
    only_probe = -1;
}

/* What a receiver sees of a body that was cut on the way: never a whole one, except at the end of a
 * family, where the families before it are whole. */
static void expo_proto_cut_anywhere_is_an_error_or_whole_families(void **state)
{
    (void)state;
    measure_site();
    size_t full = encode_proto(proto_memory, sizeof proto_memory);
    unsigned whole = 0;
    for (size_t count = 0; count <= full; count++) {
        whole += reader_read_proto(&from_proto, proto_memory, count) ? 1 : 0;
        reader_free(&from_proto);
    }
    assert_true(reader_read_proto(&from_proto, proto_memory, full));
    assert_int_equal(whole, from_proto.family_count + 1);
    reader_free(&from_proto);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(expo_proto_writes_delimited_metric_families),
        cmocka_unit_test(expo_proto_writes_nothing_for_nothing),
        cmocka_unit_test(expo_proto_says_what_expo_text_says),
        cmocka_unit_test(expo_proto_says_what_expo_text_says_of_hostile_results),
        cmocka_unit_test(expo_proto_keeps_within_every_size),
        cmocka_unit_test(expo_proto_cut_anywhere_is_an_error_or_whole_families),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
