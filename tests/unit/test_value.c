/* Guards against values that read as something else than was written: a rest that is ignored, a
 * number that overflows, a quoted text that ends early, a hint that misleads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "kind.h"
#include "value.h"

enum { UNTOUCHED = 4242 };

typedef enum error (*number_parser)(const char *text, size_t length, int64_t *out);

/* A copy without NUL, so that a sanitizer sees any read behind it. */
static char *exact_copy(const char *text, size_t length)
{
    char *copy = malloc(length > 0 ? length : 1);

    assert_non_null(copy);
    memcpy(copy, text, length);
    return copy;
}

struct number_row {
    const char *text;
    enum error error;
    int64_t number;
};

static void check_numbers(number_parser parse, const struct number_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t length = strlen(rows[i].text);
        char *copy = exact_copy(rows[i].text, length);
        int64_t number = UNTOUCHED;
        enum error error = parse(copy, length, &number);

        if (error != rows[i].error ||
            number != (error == ERROR_NONE ? rows[i].number : UNTOUCHED)) {
            fail_msg("'%s' gave error %d and %lld", rows[i].text, error, (long long)number);
        }
        free(copy);
    }
}

/* Every prefix ends, reads nothing behind it, and leaves the result alone when it is refused. */
static void check_prefixes(number_parser parse, const char *text)
{
    for (size_t length = 0; length <= strlen(text); length++) {
        char *copy = exact_copy(text, length);
        int64_t number = UNTOUCHED;

        if (parse(copy, length, &number) != ERROR_NONE) {
            assert_int_equal(number, UNTOUCHED);
        }
        free(copy);
    }
}

static void value_integer_takes_decimal_and_nothing_else(void **state)
{
    static const struct number_row rows[] = {
        {"0", ERROR_NONE, 0},
        {"42", ERROR_NONE, 42},
        {"-7", ERROR_NONE, -7},
        {"007", ERROR_NONE, 7},
        {"9223372036854775807", ERROR_NONE, INT64_MAX},
        {"-9223372036854775807", ERROR_NONE, -INT64_MAX},
        {"9223372036854775808", ERROR_RANGE, 0},
        {"99999999999999999999999999", ERROR_RANGE, 0},
        {"", ERROR_INVALID, 0},
        {"-", ERROR_INVALID, 0},
        {"--1", ERROR_INVALID, 0},
        {"+1", ERROR_INVALID, 0},
        {" 1", ERROR_INVALID, 0},
        {"1 ", ERROR_INVALID, 0},
        {"1.0", ERROR_INVALID, 0},
        {"0x10", ERROR_INVALID, 0},
        {"1e3", ERROR_INVALID, 0},
    };
    (void)state;
    check_numbers(value_integer, rows, ARRAY_LEN(rows));
    check_prefixes(value_integer, "-9223372036854775808");
}

static void value_duration_needs_a_unit_and_keeps_every_microsecond(void **state)
{
    static const struct number_row rows[] = {
        {"0", ERROR_NONE, 0},
        {"0s", ERROR_NONE, 0},
        {"10us", ERROR_NONE, 10},
        {"250ms", ERROR_NONE, 250000},
        {"30s", ERROR_NONE, 30000000},
        {"5m", ERROR_NONE, 5 * USEC_PER_MINUTE},
        {"12h", ERROR_NONE, 12 * USEC_PER_HOUR},
        {"30d", ERROR_NONE, 30 * USEC_PER_DAY},
        {"1.5s", ERROR_NONE, 1500000},
        {"0.5ms", ERROR_NONE, 500},
        {"0.000001s", ERROR_NONE, 1},
        {"1.25h", ERROR_NONE, 75 * USEC_PER_MINUTE},
        {"106751990d", ERROR_NONE, 106751990 * USEC_PER_DAY},
        {"106751992d", ERROR_RANGE, 0},
        {"9223372036854775807us", ERROR_RANGE, 0}, /* would be USEC_NEVER */
        {"9223372036854775807s", ERROR_RANGE, 0},
        {"99999999999999999999s", ERROR_RANGE, 0},
        {"0.5us", ERROR_INVALID, 0},
        {"0.0005ms", ERROR_INVALID, 0},
        {"0.0000001s", ERROR_INVALID, 0},
        {"5", ERROR_INVALID, 0},
        {"", ERROR_INVALID, 0},
        {"s", ERROR_INVALID, 0},
        {".5s", ERROR_INVALID, 0},
        {"1.s", ERROR_INVALID, 0},
        {"1..5s", ERROR_INVALID, 0},
        {"-1s", ERROR_INVALID, 0},
        {"1 s", ERROR_INVALID, 0},
        {"1S", ERROR_INVALID, 0},
        {"1sec", ERROR_INVALID, 0},
        {"1h30m", ERROR_INVALID, 0},
        {"1s ", ERROR_INVALID, 0},
    };
    (void)state;
    check_numbers(value_duration, rows, ARRAY_LEN(rows));
    check_prefixes(value_duration, "12345.678901ms");
}

static void value_size_counts_in_powers_of_1024(void **state)
{
    static const struct number_row rows[] = {
        {"0", ERROR_NONE, 0},
        {"512", ERROR_NONE, 512},
        {"64K", ERROR_NONE, 65536},
        {"1M", ERROR_NONE, 1048576},
        {"2G", ERROR_NONE, INT64_C(2147483648)},
        {"8589934591G", ERROR_NONE, INT64_C(8589934591) << 30},
        {"8589934592G", ERROR_RANGE, 0},
        {"9223372036854775808", ERROR_RANGE, 0},
        {"64k", ERROR_INVALID, 0},
        {"64KB", ERROR_INVALID, 0},
        {"1.5M", ERROR_INVALID, 0},
        {"-1K", ERROR_INVALID, 0},
        {"K", ERROR_INVALID, 0},
        {"1 M", ERROR_INVALID, 0},
        {"", ERROR_INVALID, 0},
    };
    (void)state;
    check_numbers(value_size, rows, ARRAY_LEN(rows));
    check_prefixes(value_size, "8589934592G");
}

static void value_rate_is_exact_to_parts_per_million(void **state)
{
    static const struct number_row rows[] = {
        {"0%", ERROR_NONE, 0},           {"99%", ERROR_NONE, 990000},
        {"99.9%", ERROR_NONE, 999000},   {"99.9999%", ERROR_NONE, 999999},
        {"0.0001%", ERROR_NONE, 1},      {"100%", ERROR_NONE, 1000000},
        {"100.0%", ERROR_NONE, 1000000}, {"100.0001%", ERROR_RANGE, 0},
        {"101%", ERROR_RANGE, 0},        {"99.99999%", ERROR_INVALID, 0},
        {"99.9", ERROR_INVALID, 0},      {"0.999", ERROR_INVALID, 0},
        {"%", ERROR_INVALID, 0},         {"99.%", ERROR_INVALID, 0},
        {"99.9%%", ERROR_INVALID, 0},    {"99.9 %", ERROR_INVALID, 0},
        {"-1%", ERROR_INVALID, 0},       {"", ERROR_INVALID, 0},
    };
    (void)state;
    check_numbers(value_rate, rows, ARRAY_LEN(rows));
    check_prefixes(value_rate, "99.9999%");
}

static void value_switch_is_on_or_off(void **state)
{
    static const struct number_row rows[] = {
        {"on", ERROR_NONE, 1},      {"off", ERROR_NONE, 0},     {"ON", ERROR_INVALID, 0},
        {"yes", ERROR_INVALID, 0},  {"true", ERROR_INVALID, 0}, {"1", ERROR_INVALID, 0},
        {"on ", ERROR_INVALID, 0},  {"o", ERROR_INVALID, 0},    {"", ERROR_INVALID, 0},
        {"offf", ERROR_INVALID, 0},
    };
    (void)state;
    check_numbers(value_switch, rows, ARRAY_LEN(rows));
}

static void value_real_is_finite_and_decimal(void **state)
{
    static const struct {
        const char *text;
        enum error error;
        double number;
    } rows[] = {
        {"0", ERROR_NONE, 0.0},
        {"0.1", ERROR_NONE, 0.1},
        {"-1e3", ERROR_NONE, -1000.0},
        {"2.5E-1", ERROR_NONE, 0.25},
        {"1e+2", ERROR_NONE, 100.0},
        {"1e308", ERROR_NONE, 1e308},
        {"1e-400", ERROR_NONE, 0.0},
        {"1e309", ERROR_RANGE, 0},
        {"-1e999", ERROR_RANGE, 0},
        {"inf", ERROR_INVALID, 0},
        {"nan", ERROR_INVALID, 0},
        {"0x1p3", ERROR_INVALID, 0},
        {"+1", ERROR_INVALID, 0},
        {"1.", ERROR_INVALID, 0},
        {".5", ERROR_INVALID, 0},
        {"1e", ERROR_INVALID, 0},
        {"1e+", ERROR_INVALID, 0},
        {" 1", ERROR_INVALID, 0},
        {"1 ", ERROR_INVALID, 0},
        {"1,5", ERROR_INVALID, 0},
        {"", ERROR_INVALID, 0},
        {"-", ERROR_INVALID, 0},
        {"1e1.5", ERROR_INVALID, 0},
        {"0000000000000000000000000000000000000000000000000000000000000001", ERROR_INVALID, 0},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        size_t length = strlen(rows[i].text);
        char *copy = exact_copy(rows[i].text, length);
        double number = UNTOUCHED;
        enum error error = value_real(copy, length, &number);
        double expected = error == ERROR_NONE ? rows[i].number : UNTOUCHED;

        if (error != rows[i].error || number < expected || number > expected) {
            fail_msg("'%s' gave error %d and %g", rows[i].text, error, number);
        }
        free(copy);
    }
}

struct text_row {
    const char *text;
    enum error error;
    const char *out;
    size_t out_length;
};
#define DECODES(text, out)                                                                         \
    {                                                                                              \
        text, ERROR_NONE, out, sizeof(out) - 1                                                     \
    }
#define REFUSED(text)                                                                              \
    {                                                                                              \
        text, ERROR_INVALID, "", 0                                                                 \
    }

static const struct text_row text_rows[] = {
    DECODES("plain", "plain"),
    DECODES("two words", "two words"),
    DECODES("C:\\path\\n", "C:\\path\\n"),
    DECODES("it\"s", "it\"s"),
    DECODES("", ""),
    DECODES("\"\"", ""),
    DECODES("\"quoted ; text\"", "quoted ; text"),
    DECODES("\"\\a\\b\\f\\n\\r\\t\\v\\\\\\\"\\'\\?\"", "\a\b\f\n\r\t\v\\\"'?"),
    DECODES("\"\\0\\00\\000\\7\\377\"", "\0\0\0\7\377"),
    DECODES("\"\\0012\"", "\001"
                          "2"),
    DECODES("\"\\x00\\xff\\xFf\\x41B\"", "\0\xff\xff"
                                         "AB"),
    DECODES("\"tab\there\"", "tab\there"),
    DECODES("\"\xc3\xa4\"", "\xc3\xa4"),
    REFUSED("\""),
    REFUSED("\"open"),
    REFUSED("\"open\\\""),
    REFUSED("\"a\"b\""),
    REFUSED("\"a\" b"),
    REFUSED("\"a\"\""),
    REFUSED("\"\\q\""),
    REFUSED("\"\\400\""),
    REFUSED("\"\\x4\""),
    REFUSED("\"\\xg1\""),
    REFUSED("\"\\x\""),
    REFUSED("\"\\8\""),
    REFUSED("\"a\nb\""),
    REFUSED("tab\there"),
    REFUSED("bell\a"),
    REFUSED("del\x7f"),
};

static void value_text_decodes_escapes_of_c(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(text_rows); i++) {
        const struct text_row *row = &text_rows[i];
        size_t length = strlen(row->text), out_length = UNTOUCHED;
        char *copy = exact_copy(row->text, length);
        char out[64];
        enum error error = value_text(copy, length, out, sizeof(out), &out_length);

        if (error != row->error) {
            fail_msg("<%s> gave error %d", row->text, error);
        }
        if (error == ERROR_NONE) {
            assert_int_equal(out_length, row->out_length);
            assert_memory_equal(out, row->out, out_length + 1);
        } else {
            assert_int_equal(out_length, UNTOUCHED);
        }
        free(copy);
    }
}

static void value_text_may_decode_in_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(text_rows); i++) {
        const struct text_row *row = &text_rows[i];
        size_t length = strlen(row->text), out_length;
        char buffer[64];

        memcpy(buffer, row->text, length);
        if (value_text(buffer, length, buffer, sizeof(buffer), &out_length) == ERROR_NONE) {
            assert_int_equal(out_length, row->out_length);
            assert_memory_equal(buffer, row->out, out_length + 1);
        } else {
            assert_memory_equal(buffer, row->text, length);
        }
    }
}

static void value_text_never_writes_past_its_room(void **state)
{
    const char *text = "\"ab\\ncd\"";

    (void)state;
    for (size_t size = 0; size <= 8; size++) {
        char *out = exact_copy("????????", size);
        size_t length = UNTOUCHED;
        enum error error = value_text(text, strlen(text), out, size, &length);

        assert_int_equal(error, size > 5 ? ERROR_NONE : ERROR_FULL);
        assert_int_equal(length, size > 5 ? 5 : UNTOUCHED);
        free(out);
    }
}

static void value_text_takes_every_prefix(void **state)
{
    const char *text = "\"a\\n\\377\\x41\\\\ \\\" ; /x/ \\0\"";
    char out[64];
    size_t out_length;

    (void)state;
    for (size_t length = 1; length < strlen(text); length++) {
        char *copy = exact_copy(text, length);

        assert_int_equal(value_text(copy, length, out, sizeof(out), &out_length), ERROR_INVALID);
        free(copy);
    }
}

static void value_pattern_ends_at_the_first_plain_slash(void **state)
{
    static const struct {
        const char *text;
        const char *pattern; /* NULL: refused */
        unsigned flags;
    } rows[] = {
        {"/Sign in/", "Sign in", 0},
        {"/x/i", "x", PATTERN_CASELESS},
        {"//", "", 0},
        {"/a\\/b/", "a\\/b", 0},
        {"/a\\\\/", "a\\\\", 0},
        {"/\"/", "\"", 0},
        {"/", NULL, 0},
        {"", NULL, 0},
        {"x", NULL, 0},
        {"/x", NULL, 0},
        {"/x\\/", NULL, 0},
        {"/x/j", NULL, 0},
        {"/x/ii", NULL, 0},
        {"/x/ i", NULL, 0},
        {"/a/b/", NULL, 0},
        {"x/y/", NULL, 0},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        size_t length = strlen(rows[i].text), pattern_length = UNTOUCHED;
        char *copy = exact_copy(rows[i].text, length);
        const char *pattern = NULL;
        unsigned flags = UNTOUCHED;
        enum error error = value_pattern(copy, length, &pattern, &pattern_length, &flags);

        if ((error == ERROR_NONE) != (rows[i].pattern != NULL)) {
            fail_msg("'%s' gave error %d", rows[i].text, error);
        }
        if (error == ERROR_NONE) {
            assert_int_equal(pattern_length, strlen(rows[i].pattern));
            assert_memory_equal(pattern, rows[i].pattern, pattern_length);
            assert_int_equal(flags, rows[i].flags);
        } else {
            assert_int_equal(flags, UNTOUCHED);
            assert_null(pattern);
        }
        free(copy);
    }
}

/* The words of a text, joined by '|'. */
static void join_words(const char *text, size_t length, char *out, size_t size)
{
    const char *word;
    size_t word_length, used = 0;

    while (value_next_word(&text, &length, &word, &word_length)) {
        assert_true(used + word_length + 1 < size);
        memcpy(out + used, word, word_length);
        used += word_length;
        out[used++] = '|';
    }
    assert_int_equal(length, 0);
    out[used] = '\0';
}

static void value_next_word_keeps_enclosed_blanks_together(void **state)
{
    static const struct {
        const char *text, *words;
    } rows[] = {
        {"", ""},
        {" \t ", ""},
        {"a b\tc ", "a|b|c|"},
        {"send \"a b\" c", "send|\"a b\"|c|"},
        {"send \"a \\\" b\" c", "send|\"a \\\" b\"|c|"},
        {"expect /^250[ -]X/ y", "expect|/^250[ -]X/|y|"},
        {"expect /a\\/ b/i", "expect|/a\\/ b/i|"},
        {"note=\"a b\" c", "note=\"a b\"|c|"},
        {"range=10..95", "range=10..95|"},
        {"/dev/tty S0", "/dev/tty|S0|"},
        {"/open a b", "/open|a|b|"},
        {"\"open a b", "\"open|a|b|"},
        {"it\"s a \"b", "it\"s|a|\"b|"},
        {"a/b c/d", "a/b|c/d|"},
    };
    char out[64];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        join_words(rows[i].text, strlen(rows[i].text), out, sizeof(out));
        assert_string_equal(out, rows[i].words);
    }
}

static void value_next_word_takes_every_prefix(void **state)
{
    const char *text = " expect /a\\/ b/i \"c \\\" d\" x=\"y z\" \\";
    char out[96];

    (void)state;
    for (size_t length = 0; length <= strlen(text); length++) {
        char *copy = exact_copy(text, length);

        join_words(copy, length, out, sizeof(out));
        free(copy);
    }
}

static void value_near_miss_helps_and_does_not_guess_wildly(void **state)
{
    static const char *const names[] = {"interval",      "timeout",     "url", "ip",
                                        "expect_status", "expect_body", NULL};
    static const struct {
        const char *text, *near;
    } rows[] = {
        {"intervall", "interval"},
        {"intreval", "interval"},
        {"inerval", "interval"},
        {"time_out", "timeout"},
        {"ulr", "url"},
        {"uri", "url"},
        {"ur", "url"},
        {"expect_stats", "expect_status"},
        {"expect_bdoy", "expect_body"},
        {"interval", "interval"},
        {"x", NULL},
        {"ab", NULL},
        {"abc", NULL},
        {"", NULL},
        {"retries", NULL},
        {"interrrrval", NULL},
        {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", NULL},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        size_t length = strlen(rows[i].text);
        char *copy = exact_copy(rows[i].text, length);
        const char *near = value_near_miss(copy, length, names);

        if ((near == NULL) != (rows[i].near == NULL) ||
            (near != NULL && strcmp(near, rows[i].near) != 0)) {
            fail_msg("'%s' is near '%s'", rows[i].text, near != NULL ? near : "(none)");
        }
        free(copy);
    }
}

static void value_print_gives_what_value_reads(void **state)
{
    static const struct {
        usec_t duration_us;
        const char *text;
    } durations[] = {{0, "0s"},
                     {1, "1us"},
                     {250000, "250ms"},
                     {1500000, "1500ms"},
                     {90000000, "90s"},
                     {USEC_PER_HOUR, "1h"},
                     {USEC_PER_DAY, "1d"},
                     {36 * USEC_PER_HOUR, "36h"}};
    static const struct {
        int64_t bytes;
        const char *text;
    } sizes[] = {
        {0, "0"}, {1000, "1000"}, {65536, "64K"}, {1048576, "1M"}, {INT64_C(1) << 31, "2G"}};
    char out[VALUE_PRINT_BYTES];
    int64_t read;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(durations); i++) {
        assert_string_equal(value_print_duration(durations[i].duration_us, out, sizeof(out)),
                            durations[i].text);
        assert_int_equal(value_duration(out, strlen(out), &read), ERROR_NONE);
        assert_int_equal(read, durations[i].duration_us);
    }
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        assert_string_equal(value_print_size(sizes[i].bytes, out, sizeof(out)), sizes[i].text);
        assert_int_equal(value_size(out, strlen(out), &read), ERROR_NONE);
        assert_int_equal(read, sizes[i].bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(value_integer_takes_decimal_and_nothing_else),
        cmocka_unit_test(value_duration_needs_a_unit_and_keeps_every_microsecond),
        cmocka_unit_test(value_size_counts_in_powers_of_1024),
        cmocka_unit_test(value_rate_is_exact_to_parts_per_million),
        cmocka_unit_test(value_switch_is_on_or_off),
        cmocka_unit_test(value_real_is_finite_and_decimal),
        cmocka_unit_test(value_text_decodes_escapes_of_c),
        cmocka_unit_test(value_text_may_decode_in_place),
        cmocka_unit_test(value_text_never_writes_past_its_room),
        cmocka_unit_test(value_text_takes_every_prefix),
        cmocka_unit_test(value_pattern_ends_at_the_first_plain_slash),
        cmocka_unit_test(value_next_word_keeps_enclosed_blanks_together),
        cmocka_unit_test(value_next_word_takes_every_prefix),
        cmocka_unit_test(value_near_miss_helps_and_does_not_guess_wildly),
        cmocka_unit_test(value_print_gives_what_value_reads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
