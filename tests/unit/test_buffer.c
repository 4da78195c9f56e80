/* Guards against: writing past the end, a text that is cut without a sign, a series whose value or
 * `le` reads back as another number, and peers' bytes that reach a terminal or break JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buffer.h"
#include "prng.h"

static char memory[4096];

static const char *number_text(double value)
{
    static char text[64];
    struct buffer buffer;
    buffer_init(&buffer, text, sizeof text);
    buffer_append_number(&buffer, value);
    assert_false(buffer_overflowed(&buffer));
    return buffer_text(&buffer);
}

static void buffer_writes_never_pass_the_end_and_count_what_was_asked(void **state)
{
    (void)state;
    const char whole[] = "abc 12 d\\n \"e\\n\" 0.25";
    for (size_t size = 0; size <= strlen(whole) + 2; size++) {
        char bytes[64];
        struct buffer buffer;
        memset(bytes, '#', sizeof bytes);
        buffer_init(&buffer, bytes, size);
        buffer_append(&buffer, "abc", 3);
        buffer_append_byte(&buffer, ' ');
        buffer_printf(&buffer, "%d %c", 12, 'd');
        buffer_append_escaped(&buffer, "\n ", 2);
        buffer_append_json_string(&buffer, "e\n");
        buffer_append_string(&buffer, " ");
        buffer_append_number(&buffer, 0.25);
        assert_int_equal(buffer.used, strlen(whole));
        assert_int_equal(buffer_overflowed(&buffer), size < strlen(whole));
        if (!buffer_overflowed(&buffer)) {
            assert_memory_equal(bytes, whole, strlen(whole));
        }
        for (size_t i = size; i < sizeof bytes; i++) {
            assert_int_equal(bytes[i], '#');
        }
    }
}

static void buffer_without_memory_measures(void **state)
{
    (void)state;
    struct buffer buffer;
    buffer_init(&buffer, NULL, 0);
    buffer_printf(&buffer, "%s=%d", "answer", 42);
    buffer_append(&buffer, "xy", 2);
    assert_int_equal(buffer.used, 11);
    assert_true(buffer_overflowed(&buffer));
}

/* vsnprintf() keeps a byte for its NUL; the text must not lose its last character to it. */
static void buffer_printf_fills_to_the_last_byte(void **state)
{
    (void)state;
    for (size_t length = 0; length < 1023; length += 31) {
        struct buffer buffer;
        buffer_init(&buffer, memory, length);
        buffer_printf(&buffer, "%0*d", (int)length, 0);
        assert_int_equal(buffer.used, length == 0 ? 1 : length);
        for (size_t i = 0; i < length; i++) {
            assert_int_equal(memory[i], '0');
        }
    }
}

/* A text too long to be formatted aside may be refused, never be cut in silence. */
static void buffer_printf_reports_a_long_text_that_lost_its_last_byte(void **state)
{
    (void)state;
    for (size_t size = 2000; size <= 2002; size++) {
        struct buffer buffer;
        buffer_init(&buffer, memory, size);
        buffer_printf(&buffer, "%02001d", 7);
        assert_int_equal(buffer_overflowed(&buffer), size <= 2001);
        if (size > 2001) {
            assert_int_equal(memory[2000], '7');
        }
    }
}

static void buffer_text_is_terminated_whether_it_fits_or_not(void **state)
{
    (void)state;
    static const struct {
        size_t size;
        const char *text;
    } rows[] = {{1, ""}, {2, "a"}, {5, "abcd"}, {6, "abcde"}, {7, "abcde"}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buffer buffer;
        buffer_init(&buffer, memory, rows[i].size);
        buffer_append_string(&buffer, "abcde");
        assert_string_equal(buffer_text(&buffer), rows[i].text);
        assert_string_equal(buffer_text(&buffer), rows[i].text);
    }
}

static void buffer_escapes_all_but_printable_ascii(void **state)
{
    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        uint8_t raw = (uint8_t)byte;
        struct buffer buffer;
        buffer_init(&buffer, memory, sizeof memory);
        buffer_append_escaped(&buffer, &raw, 1);
        const char *text = buffer_text(&buffer);
        for (const char *next = text; *next != '\0'; next++) {
            assert_in_range(*next, 0x20, 0x7e);
        }
        if (byte >= 0x20 && byte < 0x7f && byte != '\\') {
            assert_int_equal(buffer.used, 1);
            assert_int_equal(text[0], byte);
        } else {
            assert_true(buffer.used >= 2);
            assert_int_equal(text[0], '\\');
        }
    }
    struct buffer buffer;
    buffer_init(&buffer, memory, sizeof memory);
    buffer_append_escaped(&buffer, "\\ \n\r\t\x1b[0m\xff\0", 11);
    assert_string_equal(buffer_text(&buffer), "\\\\ \\n\\r\\t\\x1b[0m\\xff\\x00");
}

static void buffer_json_strings_are_utf8_and_quoted(void **state)
{
    (void)state;
    static const struct {
        const char *text, *json;
    } rows[] = {
        {"", "\"\""},
        {"a\"b\\c", "\"a\\\"b\\\\c\""},
        {"\b\f\n\r\t", "\"\\b\\f\\n\\r\\t\""},
        {"\x01\x1f\x7f", "\"\\u0001\\u001f\x7f\""},
        {"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", "\"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80\""},
        {"\xff", "\"\xef\xbf\xbd\""},
        {"\xc3", "\"\xef\xbf\xbd\""},
        {"\xe2\x82", "\"\xef\xbf\xbd\xef\xbf\xbd\""},
        {"\xc0\xaf", "\"\xef\xbf\xbd\xef\xbf\xbd\""},
        {"\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buffer buffer;
        buffer_init(&buffer, memory, sizeof memory);
        buffer_append_json_string(&buffer, rows[i].text);
        assert_string_equal(buffer_text(&buffer), rows[i].json);
    }
}

static void buffer_numbers_look_as_prometheus_prints_them(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *text;
    } rows[] = {
        {0.0, "0"},
        {-0.0, "-0"},
        {1, "1"},
        {-1, "-1"},
        {10, "10"},
        {0.001, "0.001"},
        {0.0025, "0.0025"},
        {0.05, "0.05"},
        {0.1, "0.1"},
        {0.25, "0.25"},
        {2.5, "2.5"},
        {0.8, "0.8"},
        {-12.5, "-12.5"},
        {0.0001, "0.0001"},
        {0.00001, "1e-05"},
        {0.000012, "1.2e-05"},
        {1.5e-300, "1.5e-300"},
        {123456.5, "123456.5"},
        {1234567.5, "1.2345675e+06"},
        {1763836103.25, "1.76383610325e+09"},
        {1000000, "1000000"},
        {9007199254740991.0, "9007199254740991"},
        {9007199254740992.0, "9007199254740992"},
        {-9007199254740992.0, "-9007199254740992"},
        {9007199254740994.0, "9.007199254740994e+15"},
        {1e21, "1e+21"},
        {1e300, "1e+300"},
        {0.30000000000000004, "0.30000000000000004"},
        {3668918509.0, "3668918509"},
        {DBL_MAX, "1.7976931348623157e+308"},
        {DBL_MIN, "2.2250738585072014e-308"},
        {5e-324, "5e-324"},
        {9.5367431640625e-07, "9.5367431640625e-07"},
        /* 2^-44: the nearest decimal of 16 digits, ...801e-14, does not read back; ...802 does. */
        {0x1p-44, "5.684341886080802e-14"},
        {INFINITY, "+Inf"},
        {-INFINITY, "-Inf"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_string_equal(number_text(rows[i].value), rows[i].text);
    }
    assert_string_equal(number_text(NAN), "NaN");
    assert_string_equal(number_text(-NAN), "NaN");
}

/* Significant digits; the zeros at the end of an integer are none. */
static int digits_in(const char *text)
{
    int count = 0, zeros = 0;
    for (; *text != '\0' && *text != 'e'; text++) {
        if (*text == '0') {
            zeros += count > 0;
        } else if (*text >= '1' && *text <= '9') {
            count += zeros + 1;
            zeros = 0;
        }
    }
    return count;
}

/* Over random bit patterns: reads back, and no shorter decimal of "%.*e" does. */
static void buffer_numbers_read_back_and_are_shortest(void **state)
{
    (void)state;
    struct prng prng = {.state = 1};
    for (int i = 0; i < 20000; i++) {
        uint64_t bits = prng_next(&prng);
        if (i % 4 == 0) {
            bits &= UINT64_C(0x7ff0000000000000); /* powers of two, where spacing changes */
        }
        double value;
        memcpy(&value, &bits, sizeof value);
        if (!isfinite(value)) {
            continue;
        }
        const char *text = number_text(value);
        double back = strtod(text, NULL);
        assert_memory_equal(&back, &value, sizeof value);
        int digits = digits_in(text);
        if (digits > 1) {
            char shorter[64];
            (void)snprintf(shorter, sizeof shorter, "%.*e", digits - 2, value);
            back = strtod(shorter, NULL);
            assert_memory_not_equal(&back, &value, sizeof value);
        }
    }
}

/* A program that speaks German must not push 0,05. Locales differ by machine, so those that exist
 * are tried. */
static void buffer_numbers_do_not_follow_the_locale(void **state)
{
    (void)state;
    static const char *const names[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "ar_EG.UTF-8", "C.UTF-8"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (setlocale(LC_ALL, names[i]) != NULL) {
            assert_string_equal(number_text(0.05), "0.05");
            assert_string_equal(number_text(1234567.5), "1.2345675e+06");
        }
    }
    (void)setlocale(LC_ALL, "C");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buffer_writes_never_pass_the_end_and_count_what_was_asked),
        cmocka_unit_test(buffer_without_memory_measures),
        cmocka_unit_test(buffer_printf_fills_to_the_last_byte),
        cmocka_unit_test(buffer_printf_reports_a_long_text_that_lost_its_last_byte),
        cmocka_unit_test(buffer_text_is_terminated_whether_it_fits_or_not),
        cmocka_unit_test(buffer_escapes_all_but_printable_ascii),
        cmocka_unit_test(buffer_json_strings_are_utf8_and_quoted),
        cmocka_unit_test(buffer_numbers_look_as_prometheus_prints_them),
        cmocka_unit_test(buffer_numbers_read_back_and_are_shortest),
        cmocka_unit_test(buffer_numbers_do_not_follow_the_locale),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
