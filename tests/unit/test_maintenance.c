/* Guards against: a maintenance that holds an hour, a day or a week off, ends at midnight, or is
 * read as another time than was written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "maintenance.h"
#include "prng.h"
#include "rfc3339.h"

static struct config config;

static bool holds_at(const char *text, const char *moment)
{
    int64_t unix_ms = 0;
    config.maintenance_count = 1;
    config.maintenances[0].times_count = 1;
    memset(config.maintenances[0].probes, 0, sizeof config.maintenances[0].probes);
    config.maintenances[0].probes[1] = 0x20; /* probe 13 */
    assert_null(maintenance_read(text, &config.maintenances[0].times[0]));
    assert_true(rfc3339_read(moment, &unix_ms));
    assert_false(maintenance_holds(&config, 9, unix_ms));
    return maintenance_holds(&config, 13, unix_ms);
}

static void maintenance_holds_from_its_start_to_before_its_end(void **state)
{
    static const struct {
        const char *time, *moment;
        bool holds;
    } rows[] = {
        {"2026-12-01T22:00:00Z 2026-12-02T02:00:00Z", "2026-12-01T21:59:59.999Z", false},
        {"2026-12-01T22:00:00Z 2026-12-02T02:00:00Z", "2026-12-01T22:00:00Z", true},
        {"2026-12-01T22:00:00Z 2026-12-02T02:00:00Z", "2026-12-02T01:59:59.999Z", true},
        {"2026-12-01T22:00:00Z 2026-12-02T02:00:00Z", "2026-12-02T02:00:00Z", false},
        {"2026-12-01T23:00:00+01:00   2026-12-02T02:00:00Z", "2026-12-01T22:00:00Z", true},
        {"daily 02:00-04:00", "2026-11-22T01:59:59Z", false},
        {"daily 02:00-04:00", "2026-11-22T02:00:00Z", true},
        {"daily 02:00-04:00", "2026-11-22T03:59:59.999Z", true},
        {"daily 02:00-04:00", "2026-11-22T04:00:00Z", false},
        {"daily 22:00-02:00", "2026-11-22T23:59:59Z", true},
        {"daily 22:00-02:00", "2026-11-22T00:00:00Z", true},
        {"daily 22:00-02:00", "2026-11-22T02:00:00Z", false},
        {"daily 03:00-03:00", "2026-11-22T02:59:00Z", true}, /* all day */
        {"sun 10:00-11:00", "2026-11-22T10:30:00Z", true},   /* a Sunday */
        {"sun 10:00-11:00", "2026-11-23T10:30:00Z", false},
        {"sun 10:00-11:00", "2026-11-21T10:30:00Z", false},
        {"sat 22:00-02:00", "2026-11-22T01:30:00Z", true}, /* since Saturday */
        {"sun 22:00-02:00", "2026-11-22T01:30:00Z", false},
        {"mon,thu 10:00-11:00", "2026-11-26T10:30:00Z", true},
        {"mon,thu 10:00-11:00", "2026-11-25T10:30:00Z", false},
        {"thu 00:00-00:01", "1970-01-01T00:00:59Z", true},
        {"daily 00:00-00:00", "1969-12-31T23:59:59Z", false}, /* no clock says so */
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (holds_at(rows[i].time, rows[i].moment) != rows[i].holds) {
            fail_msg("%s at %s", rows[i].time, rows[i].moment);
        }
    }
}

/* Against the calendar of the C library, minute by minute around random moments. */
static void maintenance_days_are_those_of_the_calendar(void **state)
{
    struct prng prng = {.state = 3};
    (void)state;
    config.maintenance_count = 1;
    config.maintenances[0].times_count = 1;
    memset(config.maintenances[0].probes, 0xff, sizeof config.maintenances[0].probes);
    for (unsigned i = 0; i < 20000; i++) {
        struct config_times *times = &config.maintenances[0].times[0];
        *times = (struct config_times){.days = (uint8_t)(1 + prng_below(&prng, 127)),
                                       .start_minute = (uint16_t)prng_below(&prng, 1440),
                                       .minutes = (uint16_t)(1 + prng_below(&prng, 1440))};
        int64_t minute = (int64_t)prng_below(&prng, 60000000);
        bool expected = false;
        for (int64_t back = 0; back < times->minutes && !expected; back++) {
            time_t at = (time_t)((minute - back) * 60);
            const struct tm *parts = gmtime(&at);
            expected = parts->tm_hour * 60 + parts->tm_min == times->start_minute &&
                       (times->days >> parts->tm_wday & 1) != 0;
        }
        if (minute >= 1440) {
            assert_int_equal(maintenance_holds(&config, 0, minute * 60000 + 59999), expected);
        }
    }
}

static void maintenance_times_that_are_none_are_refused(void **state)
{
    static const char *const rows[] = {
        "",
        " ",
        "daily",
        "daily ",
        "daily 02:00",
        "daily 02:00-",
        "daily 2:00-4:00",
        "daily 24:00-02:00",
        "daily 02:60-04:00",
        "daily 02:00-04:00 ",
        "daily 02:00 - 04:00",
        "daily,sun 02:00-04:00",
        "sun, mon 02:00-04:00",
        "sunday 02:00-04:00",
        "sun,02:00-04:00",
        "2026-12-01T22:00:00Z",
        "2026-12-01T22:00:00Z ",
        "2026-12-01T22:00:00Z 2026-12-01T22:00:00Z",
        "2026-12-01 2026-12-02",
        "2026-12-01T22:00:00Z 2026-12-02T02:00:00Z x",
        "2026-12-01T22:00:00.000000000000000000000000000000000Z 2026-12-02T02:00:00Z",
    };
    struct config_times times;
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (maintenance_read(rows[i], &times) == NULL) {
            fail_msg("'%s' was taken", rows[i]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(maintenance_holds_from_its_start_to_before_its_end),
        cmocka_unit_test(maintenance_days_are_those_of_the_calendar),
        cmocka_unit_test(maintenance_times_that_are_none_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
