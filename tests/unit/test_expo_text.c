/* Guards against a body a Prometheus parser refuses or reads otherwise than it was meant: a wrong
 * escape, a bucket that is not cumulative, a missing last line end. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "expo_text.h"

static char memory[8192];

struct encoding {
    struct buffer out;
    struct expo_text encoder;
    struct metric_visitor visitor;
};

static void begin(struct encoding *encoding, size_t size)
{
    buffer_init(&encoding->out, memory, size);
    encoding->visitor = expo_text_visitor(&encoding->encoder, &encoding->out);
}

static void family(struct encoding *encoding, const char *name, enum metric_type type,
                   const char *help)
{
    encoding->visitor.family(encoding->visitor.context, name, type, help);
}

static void sample(struct encoding *encoding, const struct metric_labels *labels, double value)
{
    encoding->visitor.sample(encoding->visitor.context, labels, value);
}

static const struct histogram three_buckets = {
    .bound_count = 2,
    .bounds_us = {2500, 1000000},
    .buckets = {3, 4, 5},
    .count = 12,
    .sum_us = 7250000,
};

static void expo_text_writes_the_format_of_prometheus(void **state)
{
    (void)state;
    struct encoding encoding;
    struct metric_labels labels = {.count = 2, .at = {{"probe", "portal"}, {"result", "success"}}};
    struct metric_labels none = {.count = 0};
    begin(&encoding, sizeof memory);
    family(&encoding, "a_total", METRIC_COUNTER, "Runs by outcome");
    sample(&encoding, &labels, 12);
    labels.at[1].value = "failure";
    sample(&encoding, &labels, 0);
    family(&encoding, "b_ratio", METRIC_GAUGE, "A ratio");
    sample(&encoding, &none, 0.999);
    labels.count = 1;
    family(&encoding, "c_seconds", METRIC_HISTOGRAM, "Durations");
    encoding.visitor.histogram(encoding.visitor.context, &labels, &three_buckets);
    family(&encoding, "d_seconds", METRIC_HISTOGRAM, "Without labels");
    encoding.visitor.histogram(encoding.visitor.context, &none, &three_buckets);
    encoding.visitor.end(encoding.visitor.context);
    assert_string_equal(buffer_text(&encoding.out),
                        "# HELP a_total Runs by outcome\n"
                        "# TYPE a_total counter\n"
                        "a_total{probe=\"portal\",result=\"success\"} 12\n"
                        "a_total{probe=\"portal\",result=\"failure\"} 0\n"
                        "# HELP b_ratio A ratio\n"
                        "# TYPE b_ratio gauge\n"
                        "b_ratio 0.999\n"
                        "# HELP c_seconds Durations\n"
                        "# TYPE c_seconds histogram\n"
                        "c_seconds_bucket{probe=\"portal\",le=\"0.0025\"} 3\n"
                        "c_seconds_bucket{probe=\"portal\",le=\"1\"} 7\n"
                        "c_seconds_bucket{probe=\"portal\",le=\"+Inf\"} 12\n"
                        "c_seconds_sum{probe=\"portal\"} 7.25\n"
                        "c_seconds_count{probe=\"portal\"} 12\n"
                        "# HELP d_seconds Without labels\n"
                        "# TYPE d_seconds histogram\n"
                        "d_seconds_bucket{le=\"0.0025\"} 3\n"
                        "d_seconds_bucket{le=\"1\"} 7\n"
                        "d_seconds_bucket{le=\"+Inf\"} 12\n"
                        "d_seconds_sum 7.25\n"
                        "d_seconds_count 12\n");
}

static void expo_text_escapes_label_values(void **state)
{
    static const struct {
        const char *value, *text;
    } rows[] = {
        {"", ""},
        {"plain", "plain"},
        {"a\\b", "a\\\\b"},
        {"a\"b", "a\\\"b"},
        {"a\nb", "a\\nb"},
        {"\\n", "\\\\n"},
        {"\ttab and \r", "\ttab and \r"},
        {"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x94\xa5", "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x94\xa5"},
        {"\xff", "\xef\xbf\xbd"},
        {"a\x80z", "a\xef\xbf\xbdz"},
        {"cut \xe2\x82", "cut \xef\xbf\xbd\xef\xbf\xbd"},
        {"\xc0\x80", "\xef\xbf\xbd\xef\xbf\xbd"},                 /* overlong NUL */
        {"\xe0\x9f\xbf", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"}, /* overlong */
        {"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"}, /* a surrogate */
        {"\xed\x9f\xbf", "\xed\x9f\xbf"},                         /* the last before them */
        {"\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf"},                 /* U+10FFFF */
        {"\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"}, /* past it */
        {"\xf0\x8f\xbf\xbf", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"}, /* overlong */
        {"\xe2\"\x82\xac", "\xef\xbf\xbd\\\"\xef\xbf\xbd\xef\xbf\xbd"}, /* split by a quote */
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct encoding encoding;
        struct metric_labels labels = {.count = 1, .at = {{"l", rows[i].value}}};
        char expected[256];
        begin(&encoding, sizeof memory);
        family(&encoding, "m", METRIC_GAUGE, "h");
        encoding.out.used = 0;
        sample(&encoding, &labels, 1);
        (void)snprintf(expected, sizeof expected, "m{l=\"%s\"} 1\n", rows[i].text);
        assert_string_equal(buffer_text(&encoding.out), expected);
    }
}

static void expo_text_escapes_help(void **state)
{
    (void)state;
    struct encoding encoding;
    begin(&encoding, sizeof memory);
    family(&encoding, "m", METRIC_GAUGE, "a \"quote\", a \\ and a\nbreak");
    assert_string_equal(buffer_text(&encoding.out),
                        "# HELP m a \"quote\", a \\\\ and a\\nbreak\n# TYPE m gauge\n");
}

static void expo_text_writes_values_that_are_no_plain_numbers(void **state)
{
    static const struct {
        double value;
        const char *text;
    } rows[] = {
        {(double)NAN, "m NaN\n"},         {(double)INFINITY, "m +Inf\n"},
        {-(double)INFINITY, "m -Inf\n"},  {-DBL_MIN, "m -2.2250738585072014e-308\n"},
        {1800000000.0, "m 1800000000\n"}, {-0.5, "m -0.5\n"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct encoding encoding;
        struct metric_labels none = {.count = 0};
        begin(&encoding, sizeof memory);
        family(&encoding, "m", METRIC_GAUGE, "h");
        encoding.out.used = 0;
        sample(&encoding, &none, rows[i].value);
        assert_string_equal(buffer_text(&encoding.out), rows[i].text);
    }
}

/* A buffer that is too small is never written past, and says so. */
static void expo_text_keeps_within_every_size(void **state)
{
    (void)state;
    struct encoding encoding;
    struct metric_labels labels = {.count = 1, .at = {{"l", "\xff\"\\\n"}}};
    size_t full = 0;
    for (size_t size = 0; size <= full + 1; size++) {
        memset(memory, '#', sizeof memory);
        begin(&encoding, size);
        family(&encoding, "m_seconds", METRIC_HISTOGRAM, "h");
        encoding.visitor.histogram(encoding.visitor.context, &labels, &three_buckets);
        encoding.visitor.end(encoding.visitor.context);
        full = encoding.out.used;
        assert_int_equal(buffer_overflowed(&encoding.out), size < full);
        for (size_t i = size; i < size + 64; i++) {
            assert_int_equal(memory[i], '#');
        }
    }
    assert_in_range(full, 200, 400);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(expo_text_writes_the_format_of_prometheus),
        cmocka_unit_test(expo_text_escapes_label_values),
        cmocka_unit_test(expo_text_escapes_help),
        cmocka_unit_test(expo_text_writes_values_that_are_no_plain_numbers),
        cmocka_unit_test(expo_text_keeps_within_every_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
