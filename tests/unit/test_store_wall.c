/* Guards against a result that is dated by the clock of another boot, by a clock that was set later
 * although an earlier setting was known, or by none although there was one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store_wall.h"

#define UNKNOWN BLOCK_WALL_UNKNOWN

struct moment {
    uint64_t boot;
    int64_t at_ms;
    int64_t offset_ms; /* as known then */
    int64_t expected_ms;
    bool known, corrected;
};

static struct wall_boot boots[] = {{7, 1000}, {8, UNKNOWN}, {9, 5000}};

static struct wall_stamp stamp(struct store_wall *wall, const struct moment *moment,
                               enum record_sort sort)
{
    struct store_replay replay = {.boot = moment->boot, .wall_offset_ms = moment->offset_ms};
    struct record record = {.sort = sort, .at_us = moment->at_ms * USEC_PER_MSEC};
    return store_wall_stamp(wall, &replay, &record);
}

static void check(const struct moment *moments, size_t count)
{
    struct store_wall wall = {.boots = boots, .count = ARRAY_LEN(boots)};
    store_wall_begin(&wall);
    for (size_t i = 0; i < count; i++) {
        struct wall_stamp found = stamp(&wall, &moments[i], RECORD_RESULT);
        if (found.known != moments[i].known || found.corrected != moments[i].corrected ||
            (found.known && found.unix_ms != moments[i].expected_ms)) {
            fail_msg("row %zu: known %d, corrected %d, %lld", i, found.known, found.corrected,
                     (long long)found.unix_ms);
        }
    }
}

static void wall_goes_by_the_clock_of_the_moment(void **state)
{
    static const struct moment moments[] = {
        {7, 10, 1000, 1010, true, false},
        {7, 20, 1500, 1520, true, false},
        {9, 5, 5000, 5005, true, false},
    };
    (void)state;
    check(moments, ARRAY_LEN(moments));
}

/* Before the clock was trusted, by the first trust; after it was lost, by the last. */
static void wall_is_worked_out_from_the_nearest_clock_of_the_boot(void **state)
{
    static const struct moment moments[] = {
        {7, 10, UNKNOWN, 1010, true, true}, {7, 20, 1000, 1020, true, false},
        {7, 30, 4000, 4030, true, false},   {7, 40, UNKNOWN, 4040, true, true},
        {8, 50, UNKNOWN, 0, false, false},  {9, 5, UNKNOWN, 5005, true, true},
        {9, 6, 6000, 6006, true, false},    {9, 7, UNKNOWN, 6007, true, true},
    };
    (void)state;
    check(moments, ARRAY_LEN(moments));
}

/* A live file can lose the blocks of a boot between two looks. */
static void wall_finds_a_boot_again_and_knows_none_that_is_new(void **state)
{
    static const struct moment moments[] = {
        {9, 5, UNKNOWN, 5005, true, true}, {7, 5, UNKNOWN, 1005, true, true},
        {77, 5, UNKNOWN, 0, false, false}, {77, 6, 100, 106, true, false},
        {77, 7, UNKNOWN, 107, true, true}, {8, 5, UNKNOWN, 0, false, false},
        {9, 5, UNKNOWN, 5005, true, true},
    };
    (void)state;
    check(moments, ARRAY_LEN(moments));
}

static void wall_dates_only_what_has_a_time(void **state)
{
    static const struct moment moment = {7, 10, 1000, 0, false, false};
    struct store_wall wall = {.boots = boots, .count = ARRAY_LEN(boots)};
    (void)state;
    store_wall_begin(&wall);
    assert_false(stamp(&wall, &moment, RECORD_MISSED).known);
    assert_false(stamp(&wall, &moment, RECORD_CLOCK).known);
    assert_true(stamp(&wall, &moment, RECORD_RUN).known);
}

static void wall_of_an_empty_log_is_not_known(void **state)
{
    static const struct moment moment = {7, 10, UNKNOWN, 0, false, false};
    struct store_wall wall = {.count = 0};
    (void)state;
    store_wall_begin(&wall);
    assert_false(stamp(&wall, &moment, RECORD_RESULT).known);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wall_goes_by_the_clock_of_the_moment),
        cmocka_unit_test(wall_is_worked_out_from_the_nearest_clock_of_the_boot),
        cmocka_unit_test(wall_finds_a_boot_again_and_knows_none_that_is_new),
        cmocka_unit_test(wall_dates_only_what_has_a_time),
        cmocka_unit_test(wall_of_an_empty_log_is_not_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
