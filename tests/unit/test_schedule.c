/* Guards against: a start that is neither made nor counted, one that is made twice, starts that
 * drift, targets that start in lockstep, a wake that is too late or never. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "prng.h"
#include "schedule.h"

static struct schedule schedule;

static void start_schedule(usec_t interval_us, usec_t phase_us, usec_t now_us)
{
    schedule.count = 0;
    schedule_add(&schedule, interval_us, phase_us, now_us);
}

static void schedule_first_start_is_the_next_phase_point(void **state)
{
    (void)state;
    for (usec_t interval_us = 1; interval_us <= 7; interval_us++) {
        for (usec_t phase_us = 0; phase_us < interval_us; phase_us++) {
            for (usec_t now_us = 0; now_us < 30; now_us++) {
                usec_t expected_us = phase_us;
                while (expected_us < now_us) {
                    expected_us += interval_us;
                }
                start_schedule(interval_us, phase_us, now_us);
                assert_int_equal(schedule.entries[0].due_us, expected_us);
                assert_int_equal(schedule_is_due(&schedule, 0, now_us), expected_us == now_us);
            }
        }
    }
}

static void schedule_never_starts_a_disabled_entry(void **state)
{
    (void)state;
    start_schedule(0, 0, 5);
    assert_false(schedule_is_due(&schedule, 0, 5));
    assert_false(schedule_is_due(&schedule, 0, USEC_NEVER - 1));
    assert_int_equal(schedule_missed(&schedule, 0, USEC_NEVER - 1), 0);
    assert_int_equal(schedule_abandon(&schedule, 0, USEC_NEVER - 1), 0);
    assert_true(schedule_wake(&schedule, 5) == USEC_NEVER);
}

/* The model: every phase point by itself, moved by the words of schedule.h and nothing else. */
enum point { FUTURE, WAITING, STARTED, MISSED };
enum { TICKS = 8, CHOICES = 5 };

struct model {
    enum point points[2 * TICKS];
    usec_t interval_us, phase_us, from_us;
    bool running;
};

static bool is_phase_point(const struct model *model, usec_t at_us)
{
    return at_us >= model->from_us && at_us % model->interval_us == model->phase_us;
}

/* Marks what a look at `now` finds: of the starts that were not made only the newest still waits.
 * Returns how many were newly missed; *waiting is the one that waits, -1 for none. */
static uint64_t model_look(struct model *model, usec_t now_us, usec_t *waiting)
{
    uint64_t missed = 0;
    bool newest = true;
    *waiting = -1;
    for (usec_t at_us = now_us; at_us >= 0; at_us--) {
        if (!is_phase_point(model, at_us)) {
            continue;
        }
        enum point *point = &model->points[at_us];
        if (*point == FUTURE || *point == WAITING) {
            *point = newest ? WAITING : MISSED;
            missed += !newest;
            *waiting = newest ? at_us : *waiting;
        }
        newest = false;
    }
    return missed;
}

static usec_t model_wake(const struct model *model, usec_t now_us)
{
    usec_t at_us = now_us + 1;
    while (!is_phase_point(model, at_us)) {
        at_us++;
    }
    return at_us;
}

/* One tick by both: 0 stalls, 1 looks only, 2 ends the run, 3 looks and starts, 4 does all. */
static void both_tick(struct model *model, usec_t now_us, unsigned choice)
{
    usec_t waiting;
    if (choice == 0) {
        return;
    }
    if ((choice == 2 || choice == 4) && model->running) {
        model->running = false;
        schedule_ended(&schedule, 0);
    }
    uint64_t missed = model_look(model, now_us, &waiting);
    assert_int_equal(schedule_missed(&schedule, 0, now_us), missed);
    bool due = waiting >= 0 && !model->running;
    assert_int_equal(schedule_is_due(&schedule, 0, now_us), due);
    if (due && choice >= 3) {
        assert_int_equal(schedule_started(&schedule, 0, now_us), now_us - waiting);
        model->points[waiting] = STARTED;
        model->running = true;
        assert_false(schedule_is_due(&schedule, 0, now_us));
    }
    assert_int_equal(schedule_wake(&schedule, now_us), model_wake(model, now_us));
}

static void both_live(struct model model, unsigned choices)
{
    start_schedule(model.interval_us, model.phase_us, model.from_us);
    for (usec_t now_us = model.from_us; now_us < TICKS; now_us++) {
        both_tick(&model, now_us, choices % CHOICES);
        choices /= CHOICES;
    }
}

/* Every history there is of eight ticks, for every interval up to four, every phase, and an agent
 * that begins at tick 0 or 2: what is started and missed is what the model starts and misses. */
static void schedule_agrees_with_the_model_in_every_small_history(void **state)
{
    (void)state;
    for (usec_t from_us = 0; from_us <= 2; from_us += 2) {
        unsigned histories = 1;
        for (usec_t i = from_us; i < TICKS; i++) {
            histories *= CHOICES;
        }
        for (usec_t interval_us = 1; interval_us <= 4; interval_us++) {
            for (usec_t phase_us = 0; phase_us < interval_us; phase_us++) {
                struct model model = {
                    .interval_us = interval_us, .phase_us = phase_us, .from_us = from_us};
                for (unsigned history = 0; history < histories; history++) {
                    both_live(model, history);
                }
            }
        }
    }
}

struct totals {
    uint64_t started, missed;
};

static uint64_t points_passed(usec_t first_us, usec_t interval_us, usec_t now_us)
{
    return now_us < first_us ? 0 : (uint64_t)((now_us - first_us) / interval_us + 1);
}

/* A month of turns at random moments with stalls of up to half an hour: nothing is lost, nothing
 * drifts. */
static void schedule_counts_every_start_over_a_month_of_stalls(void **state)
{
    (void)state;
    enum { ENTRIES = 8 };
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct prng prng = {.state = seed};
        struct totals totals[ENTRIES] = {{0, 0}};
        usec_t first_us[ENTRIES], now_us = (usec_t)prng_below(&prng, USEC_PER_DAY);
        schedule.count = 0;
        for (unsigned i = 0; i < ENTRIES; i++) {
            usec_t interval_us = USEC_PER_SEC + (usec_t)prng_below(&prng, USEC_PER_HOUR);
            schedule_add(&schedule, interval_us, (usec_t)prng_below(&prng, (uint64_t)interval_us),
                         now_us);
            first_us[i] = schedule.entries[i].due_us;
        }
        usec_t end_us = now_us + 30 * USEC_PER_DAY;
        while (now_us < end_us) {
            bool stalls = prng_below(&prng, 50) == 0;
            usec_t span_us = stalls ? USEC_PER_HOUR / 2 : USEC_PER_MINUTE;
            now_us += (usec_t)prng_below(&prng, (uint64_t)span_us);
            for (unsigned i = 0; i < ENTRIES; i++) {
                struct schedule_entry *entry = &schedule.entries[i];
                usec_t before_us = entry->due_us;
                if (entry->running && prng_below(&prng, 3) > 0) {
                    schedule_ended(&schedule, i);
                }
                totals[i].missed += schedule_missed(&schedule, i, now_us);
                if (schedule_is_due(&schedule, i, now_us) && prng_below(&prng, 4) > 0) {
                    assert_in_range(schedule_started(&schedule, i, now_us), 0,
                                    entry->interval_us - 1);
                    totals[i].started++;
                }
                uint64_t waiting = entry->due_us <= now_us;
                assert_int_equal((entry->due_us - first_us[i]) % entry->interval_us, 0);
                assert_true(entry->due_us >= before_us);
                assert_true(entry->due_us > now_us - entry->interval_us);
                assert_int_equal(totals[i].started + totals[i].missed + waiting,
                                 points_passed(first_us[i], entry->interval_us, now_us));
            }
        }
    }
}

static void schedule_abandons_the_start_that_waits_too(void **state)
{
    (void)state;
    static const struct {
        usec_t now_us;
        uint64_t missed;
    } rows[] = {{2, 0}, {3, 1}, {12, 1}, {13, 2}, {22, 2}, {23, 3}, {103, 11}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        start_schedule(10, 3, 0);
        assert_int_equal(schedule_abandon(&schedule, 0, rows[i].now_us), rows[i].missed);
        assert_false(schedule_is_due(&schedule, 0, rows[i].now_us));
        assert_int_equal(schedule_abandon(&schedule, 0, rows[i].now_us), 0);
        assert_int_equal(schedule.entries[0].due_us % 10, 3);
    }
}

static void schedule_wake_is_the_earliest_of_all_entries(void **state)
{
    (void)state;
    start_schedule(10, 3, 0);
    schedule_add(&schedule, 0, 0, 0);
    schedule_add(&schedule, 100, 50, 0);
    assert_int_equal(schedule_wake(&schedule, 0), 3);
    assert_int_equal(schedule_wake(&schedule, 3), 13); /* waits: the moment it is missed */
    (void)schedule_started(&schedule, 0, 4);
    assert_int_equal(schedule_wake(&schedule, 4), 13);
    assert_int_equal(schedule_missed(&schedule, 0, 48), 3);
    assert_int_equal(schedule_wake(&schedule, 48), 50);
}

/* Ten thousand sites over 100 slots of 100 each: within what chance allows (five deviations). */
static void schedule_phases_spread_a_fleet(void **state)
{
    (void)state;
    unsigned slots[100] = {0};
    for (unsigned i = 0; i < 10000; i++) {
        char site[32];
        (void)snprintf(site, sizeof site, "branch-%04u", i);
        usec_t phase_us =
            schedule_phase(site, "portal", "https://portal.example.net/", 30 * USEC_PER_SEC);
        assert_in_range(phase_us, 0, 30 * USEC_PER_SEC - 1);
        slots[phase_us / (300 * USEC_PER_MSEC)]++;
    }
    for (size_t i = 0; i < ARRAY_LEN(slots); i++) {
        assert_in_range(slots[i], 50, 150);
    }
}

/* A new version that moved the phases would move every start of a fleet at its roll-out. */
static void schedule_phase_is_the_same_for_ever(void **state)
{
    (void)state;
    assert_int_equal(
        schedule_phase("branch-0042", "portal", "https://portal.example.net/", 30 * USEC_PER_SEC),
        921863);
    assert_int_not_equal(schedule_phase("branch-0042", "portal", "a", USEC_PER_DAY),
                         schedule_phase("branch-0042", "portal", "b", USEC_PER_DAY));
    assert_int_equal(schedule_phase("s", "p", "i", 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(schedule_first_start_is_the_next_phase_point),
        cmocka_unit_test(schedule_never_starts_a_disabled_entry),
        cmocka_unit_test(schedule_agrees_with_the_model_in_every_small_history),
        cmocka_unit_test(schedule_counts_every_start_over_a_month_of_stalls),
        cmocka_unit_test(schedule_abandons_the_start_that_waits_too),
        cmocka_unit_test(schedule_wake_is_the_earliest_of_all_entries),
        cmocka_unit_test(schedule_phases_spread_a_fleet),
        cmocka_unit_test(schedule_phase_is_the_same_for_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
