/* Guards against a moment that is told as another one, and against a date that a person mistyped
 * and that is taken for something all the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <string.h>

#include <cmocka.h>

#include "rfc3339.h"

#define DAY_MS INT64_C(86400000)

static const struct {
    const char *text;
    int64_t unix_ms;
} moments[] = {
    {"1970-01-01T00:00:00.000Z", 0},
    {"1969-12-31T23:59:59.999Z", -1},
    {"2000-02-29T12:00:00.000Z", INT64_C(951825600000)},
    {"2000-03-01T00:00:00.001Z", INT64_C(951868800001)},
    {"2026-11-22T21:14:00.123Z", INT64_C(1795382040123)},
    {"2038-01-19T03:14:08.000Z", INT64_C(2147483648000)},
    {"2100-02-28T23:59:59.999Z", INT64_C(4107542399999)},
    {"2100-03-01T00:00:00.000Z", INT64_C(4107542400000)},
    {"0000-01-01T00:00:00.000Z", INT64_C(-62167219200000)},
    {"9999-12-31T23:59:59.999Z", INT64_C(253402300799999)},
};

static void rfc3339_tells_moments_and_reads_them_back(void **state)
{
    char text[RFC3339_BYTES];
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(moments); i++) {
        int64_t unix_ms = 7;
        assert_true(rfc3339_print(moments[i].unix_ms, text));
        assert_string_equal(text, moments[i].text);
        assert_true(rfc3339_read(text, &unix_ms));
        assert_true(unix_ms == moments[i].unix_ms);
    }
}

static void rfc3339_tells_no_year_of_five_digits(void **state)
{
    static const int64_t rows[] = {INT64_C(-62167219200001), INT64_C(253402300800000), INT64_MIN,
                                   INT64_MAX, INT64_C(1) << 53};
    char text[RFC3339_BYTES] = "x";
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_false(rfc3339_print(rows[i], text));
        assert_string_equal(text, "");
    }
}

/* Each day follows the one before, over all the leap years there are. */
static void rfc3339_knows_every_day(void **state)
{
    char text[RFC3339_BYTES], before[RFC3339_BYTES] = "";
    int64_t first = moments[8].unix_ms, last = moments[9].unix_ms;
    (void)state;
    for (int64_t unix_ms = first; unix_ms < last; unix_ms += DAY_MS) {
        int64_t read_ms = 0;
        assert_true(rfc3339_print(unix_ms, text));
        assert_true(strcmp(before, text) < 0);
        assert_true(rfc3339_read(text, &read_ms));
        assert_true(read_ms == unix_ms);
        memcpy(before, text, sizeof before);
    }
}

static void rfc3339_reads_what_people_write(void **state)
{
    static const struct {
        const char *text;
        int64_t unix_ms;
    } rows[] = {
        {"2026-11-22T21:14:00Z", INT64_C(1795382040000)},
        {"2026-11-22 21:14:00z", INT64_C(1795382040000)},
        {"2026-11-22t22:14:00+01:00", INT64_C(1795382040000)},
        {"2026-11-22T15:44:00-05:30", INT64_C(1795382040000)},
        {"2026-11-22T21:14:00.5Z", INT64_C(1795382040500)},
        {"2026-11-22T21:14:00.12399999999999999999999Z", INT64_C(1795382040123)},
        {"2016-12-31T23:59:60Z", INT64_C(1483228800000)},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int64_t unix_ms = 0;
        assert_true(rfc3339_read(rows[i].text, &unix_ms));
        assert_true(unix_ms == rows[i].unix_ms);
    }
}

static void rfc3339_reads_nothing_else(void **state)
{
    static const char *const rows[] = {
        "",
        "now",
        "2h",
        "2026-11-22",
        "2026-11-22T21:14Z",
        "2026-11-22T21:14:00",
        "2026-11-22T21:14:00 Z",
        "2026-11-22T21:14:00.Z",
        "2026-11-22T21:14:00Zx",
        "2026-13-22T21:14:00Z",
        "2026-00-22T21:14:00Z",
        "2026-11-31T21:14:00Z",
        "2026-11-00T21:14:00Z",
        "2026-02-29T21:14:00Z",
        "2100-02-29T21:14:00Z",
        "2026-11-22T24:14:00Z",
        "2026-11-22T21:60:00Z",
        "2026-11-22T21:14:61Z",
        "2026-11-22T21:14:00+1:00",
        "2026-11-22T21:14:00+01",
        "2026-11-22T21:14:00+25:00",
        "+026-11-22T21:14:00Z",
        "2026-11-22T21:14:-1Z",
        "26-11-22T21:14:00Z",
        "1795382040",
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int64_t unix_ms = 42;
        if (rfc3339_read(rows[i], &unix_ms)) {
            fail_msg("'%s' was taken", rows[i]);
        }
        assert_true(unix_ms == 42);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc3339_tells_moments_and_reads_them_back),
        cmocka_unit_test(rfc3339_tells_no_year_of_five_digits),
        cmocka_unit_test(rfc3339_knows_every_day),
        cmocka_unit_test(rfc3339_reads_what_people_write),
        cmocka_unit_test(rfc3339_reads_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
