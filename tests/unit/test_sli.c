/* Guards against: a latency bucket that is off by one, failures that flatter the histogram, results
 * that are lost between two counters, `unknown` that touches an SLO, a bound that takes counts away
 * when it comes or goes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "prng.h"
#include "sli.h"

static struct sli sli;
static struct config_probe probe;

static void begin(unsigned slo_count, const struct config_slo *slos)
{
    memset(&probe, 0, sizeof probe);
    probe.slo_count = (uint8_t)slo_count;
    for (unsigned i = 0; i < slo_count; i++) {
        probe.slos[i] = slos[i];
    }
    memset(&sli, 0xa5, sizeof sli);
    sli_init(&sli, &probe);
}

static struct record record_of(enum outcome outcome, usec_t duration_us)
{
    return (struct record){.sort = RECORD_RESULT,
                           .target = 1,
                           .outcome = outcome,
                           .reason = outcome == OUTCOME_FAILURE ? REASON_TIMEOUT : REASON_NONE,
                           .phase = PHASE_NONE,
                           .duration_us = duration_us};
}

static void sli_begins_at_zero_with_ascending_bounds(void **state)
{
    (void)state;
    static const usec_t expected[] = {1000,   2500,   5000,    10000,   25000,   50000,   100000,
                                      250000, 500000, 1000000, 2500000, 5000000, 10000000};
    begin(0, NULL);
    assert_int_equal(sli.duration.bound_count, 13);
    assert_memory_equal(sli.duration.bounds_us, expected, sizeof expected);
    assert_int_equal(sli.duration.count, 0);
    assert_int_equal(sli.missed, 0);
    for (unsigned i = 0; i < REASON_COUNT; i++) {
        assert_int_equal(sli.failures[i], 0);
    }
}

static void sli_has_a_bound_at_each_latency_objective(void **state)
{
    (void)state;
    static const struct {
        usec_t thresholds_us[4];
        unsigned bounds;
    } rows[] = {
        {{800000, 800000, 800000, 800000}, 14}, {{500000, 1, 10000001, 3}, 16},
        {{1000, 2500, 5000, 10000}, 13},        {{1, 2, 3, 4}, 17},
        {{20000000, 11000000, 1500, 999}, 17},
    };
    for (size_t row = 0; row < ARRAY_LEN(rows); row++) {
        struct config_slo slos[4];
        for (unsigned i = 0; i < 4; i++) {
            slos[i] = (struct config_slo){.type = SLO_LATENCY,
                                          .threshold_us = rows[row].thresholds_us[i]};
        }
        begin(4, slos);
        assert_int_equal(sli.duration.bound_count, rows[row].bounds);
        for (unsigned i = 1; i < sli.duration.bound_count; i++) {
            assert_true(sli.duration.bounds_us[i - 1] < sli.duration.bounds_us[i]);
        }
    }
    static const struct config_slo availability = {.type = SLO_AVAILABILITY, .threshold_us = 77};
    begin(1, &availability);
    assert_int_equal(sli.duration.bound_count, 13);
}

static void sli_bounds_are_inclusive(void **state)
{
    (void)state;
    static const struct {
        usec_t duration_us;
        unsigned bucket;
    } rows[] = {{-5, 0},           {0, 0},        {1, 0},         {1000, 0},
                {1001, 1},         {2500, 1},     {2501, 2},      {999999, 9},
                {1000000, 9},      {1000001, 10}, {10000000, 12}, {10000001, 13},
                {USEC_PER_DAY, 13}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        begin(0, NULL);
        histogram_add(&sli.duration, rows[i].duration_us);
        assert_int_equal(sli.duration.buckets[rows[i].bucket], 1);
        assert_int_equal(sli.duration.count, 1);
        assert_int_equal(sli.duration.sum_us, usec_max(rows[i].duration_us, 0));
    }
}

/* The table of sli.h: which outcome is good, bad or neither, for which objective. */
static void sli_judges_each_objective(void **state)
{
    (void)state;
    static const struct config_slo slos[] = {
        {.type = SLO_AVAILABILITY},
        {.type = SLO_LATENCY, .threshold_us = 800000},
    };
    static const struct {
        enum outcome outcome;
        usec_t duration_us;
        unsigned good[2], bad[2];
    } rows[] = {
        {OUTCOME_SUCCESS, 10, {1, 1}, {0, 0}},      {OUTCOME_SUCCESS, 800000, {1, 1}, {0, 0}},
        {OUTCOME_SUCCESS, 800010, {1, 0}, {0, 1}},  {OUTCOME_FAILURE, 10, {0, 0}, {1, 1}},
        {OUTCOME_FAILURE, 5000000, {0, 0}, {1, 1}}, {OUTCOME_UNKNOWN, 10, {0, 0}, {0, 0}},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct record record = record_of(rows[i].outcome, rows[i].duration_us);
        begin(2, slos);
        sli_add(&sli, &record);
        for (unsigned slo = 0; slo < 2; slo++) {
            struct slo_events events = sli_slo_events(&sli, &slos[slo]);
            assert_int_equal(events.good, rows[i].good[slo]);
            assert_int_equal(events.bad, rows[i].bad[slo]);
        }
        assert_int_equal(sli.results[rows[i].outcome], 1);
        assert_int_equal(sli.duration.count, rows[i].outcome == OUTCOME_SUCCESS);
        assert_int_equal(sli.failures[REASON_TIMEOUT], rows[i].outcome == OUTCOME_FAILURE);
    }
}

static uint64_t sum(const uint64_t *numbers, unsigned count)
{
    uint64_t total = 0;
    for (unsigned i = 0; i < count; i++) {
        total += numbers[i];
    }
    return total;
}

static void assert_agreement(unsigned results)
{
    assert_int_equal(sum(sli.results, OUTCOME_COUNT), results);
    assert_int_equal(sum(sli.failures, REASON_COUNT), sli.results[OUTCOME_FAILURE]);
    assert_int_equal(sli.duration.count, sli.results[OUTCOME_SUCCESS]);
    assert_int_equal(sum(sli.duration.buckets, sli.duration.bound_count + 1), sli.duration.count);
}

static void sli_counters_agree_with_each_other(void **state)
{
    (void)state;
    static const struct config_slo slo = {.type = SLO_LATENCY, .threshold_us = 123450};
    struct prng prng = {.state = 3};
    uint64_t good = 0, sum_us = 0;
    begin(1, &slo);
    for (unsigned i = 0; i < 20000; i++) {
        enum outcome outcome = (enum outcome)prng_below(&prng, OUTCOME_COUNT);
        struct record record = record_of(outcome, 10 * (usec_t)prng_below(&prng, 2000000));
        if (outcome == OUTCOME_FAILURE) {
            record.reason = (enum reason)prng_below(&prng, REASON_COUNT);
        }
        sli_add(&sli, &record);
        good += outcome == OUTCOME_SUCCESS && record.duration_us <= slo.threshold_us ? 1 : 0;
        sum_us += outcome == OUTCOME_SUCCESS ? (uint64_t)record.duration_us : 0;
        assert_agreement(i + 1);
        struct slo_events events = sli_slo_events(&sli, &slo);
        assert_int_equal(events.good, good);
        assert_int_equal(events.good + events.bad, i + 1 - sli.results[OUTCOME_UNKNOWN]);
    }
    assert_int_equal(sli.duration.sum_us, sum_us);
}

static void sli_counts_missed_runs_and_nothing_else_of_other_records(void **state)
{
    (void)state;
    static const struct {
        struct record record;
        unsigned missed;
    } rows[] = {
        {{.sort = RECORD_MISSED, .target = 1, .count = 7}, 7},
        {{.sort = RECORD_MISSED, .target = 1, .count = 0}, 0},
        {{.sort = RECORD_COUNT, .count = 7}, 0},
        {{.sort = RECORD_RUN, .count = 7}, 0},
        {{.sort = RECORD_CLOCK, .count = 7}, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        begin(0, NULL);
        sli_add(&sli, &rows[i].record);
        assert_int_equal(sli.missed, rows[i].missed);
        assert_agreement(0);
    }
}

/* One run in each microsecond class, so that each bucket can be told by its count. */
static void fill(void)
{
    static const usec_t durations_us[] = {500, 2000, 600000, 700000, 900000, 20000000};
    for (size_t i = 0; i < ARRAY_LEN(durations_us); i++) {
        struct record record = record_of(OUTCOME_SUCCESS, durations_us[i]);
        sli_add(&sli, &record);
    }
}

static uint64_t within(usec_t bound_us)
{
    struct config_slo slo = {.type = SLO_LATENCY, .threshold_us = bound_us};
    return sli_slo_events(&sli, &slo).good;
}

/* 500 ms to 1 s holds three runs; nobody knows which of them were within 800 ms. */
static void histogram_leaves_the_counts_of_a_split_bucket_above_the_new_bound(void **state)
{
    (void)state;
    begin(0, NULL);
    fill();
    assert_true(histogram_add_bound(&sli.duration, 800000));
    assert_int_equal(sli.duration.bound_count, 14);
    assert_int_equal(within(500000), 2);
    assert_int_equal(within(800000), 2);
    assert_int_equal(within(1000000), 5);
    assert_true(histogram_add_bound(&sli.duration, 10));
    assert_int_equal(within(10), 0);
    assert_int_equal(within(1000), 1);
    assert_true(histogram_add_bound(&sli.duration, 20000000));
    assert_int_equal(within(20000000), 5);
    assert_agreement(6);
    struct record record = record_of(OUTCOME_SUCCESS, 800000);
    sli_add(&sli, &record);
    assert_int_equal(within(800000), 3);
    assert_agreement(7);
}

static void histogram_has_each_bound_once(void **state)
{
    (void)state;
    begin(0, NULL);
    assert_false(histogram_add_bound(&sli.duration, 1000000)); /* a fixed one */
    assert_true(histogram_add_bound(&sli.duration, 800000));
    assert_false(histogram_add_bound(&sli.duration, 800000));
    assert_int_equal(sli.duration.bound_count, 14);
    assert_int_equal(sli.duration.extra_count, 1);
}

static bool has(usec_t bound_us)
{
    bool found = false;
    for (unsigned i = 0; i < sli.duration.bound_count; i++) {
        found = found || sli.duration.bounds_us[i] == bound_us;
    }
    return found;
}

static void bind_to(const usec_t *thresholds_us, unsigned count)
{
    probe.slo_count = (uint8_t)count;
    for (unsigned i = 0; i < count; i++) {
        probe.slos[i] = (struct config_slo){.type = SLO_LATENCY, .threshold_us = thresholds_us[i]};
    }
    (void)sli_bind(&sli, &probe);
}

static void sli_keeps_the_bound_of_an_objective_that_is_gone(void **state)
{
    (void)state;
    static const usec_t slow = 800000;
    begin(0, NULL);
    bind_to(&slow, 1);
    fill();
    bind_to(NULL, 0);
    fill();
    assert_true(has(slow));
    probe.slo_count = 1;
    assert_false(sli_bind(&sli, &probe));
    assert_int_equal(within(slow), 8); /* none was lost while it was away */
}

/* A group's latency is judged by a bound like a probe's own. */
static void sli_has_a_bound_for_what_a_group_counts(void **state)
{
    (void)state;
    begin(0, NULL);
    probe.slos[0] = (struct config_slo){.type = SLO_LATENCY, .threshold_us = 800000};
    probe.group_slo_count = 1;
    assert_true(sli_bind(&sli, &probe));
    assert_true(has(800000));
    fill();
    struct slo_events own = sli_slo_events(&sli, &probe.slos[0]), sum = {.good = 10, .bad = 20};
    assert_int_not_equal(own.good, 0);
    sli_slo_add(&sum, &sli, &probe.slos[0]);
    assert_int_equal(sum.good, 10 + own.good);
    assert_int_equal(sum.bad, 20 + own.bad);
}

/* Eight find room. Of the first four, 100 was asked for again since: 200 is the oldest. */
static void sli_gives_up_the_bound_not_asked_for_the_longest(void **state)
{
    (void)state;
    static const usec_t first[] = {100, 200, 300, 400}, again = 100,
                        second[] = {500, 600, 700, 800}, third[] = {700, 500, 900, 600};
    begin(0, NULL);
    bind_to(first, 4);
    bind_to(&again, 1);
    struct record record = record_of(OUTCOME_SUCCESS, 150);
    sli_add(&sli, &record);
    bind_to(second, 4);
    for (unsigned i = 0; i < 4; i++) {
        assert_true(has(first[i]) && has(second[i]));
    }
    assert_int_equal(within(200), 1);
    bind_to(third, 4);
    assert_false(has(200));
    assert_true(has(100) && has(300) && has(400) && has(800) && has(900));
    assert_int_equal(within(100), 0);
    assert_int_equal(within(300), 1); /* what it counted joined the next higher one */
    assert_int_equal(sli.duration.bound_count, SLI_BOUNDS_MAX);
    assert_agreement(1);
    assert_false(sli_bind(&sli, &probe));
}

/* Of a full set, the oldest is asked for again beside a new one: the new one must not push it out
 * before its turn comes. */
static void sli_makes_room_for_no_objective_at_the_cost_of_another(void **state)
{
    (void)state;
    static const usec_t first[] = {100, 200, 300, 400}, second[] = {500, 600, 700, 800},
                        third[] = {900, 100};
    begin(0, NULL);
    bind_to(first, 4);
    bind_to(second, 4);
    struct record record = record_of(OUTCOME_SUCCESS, 50);
    sli_add(&sli, &record);
    bind_to(third, 2);
    assert_int_equal(within(100), 1);
    assert_true(has(900) && !has(200) && has(300));
}

/* Any sequence of objectives: those asked for are there, in order, and no run is lost or made
 * faster. */
static void sli_bounds_hold_for_any_sequence_of_objectives(void **state)
{
    (void)state;
    struct prng prng = {.state = 5};
    begin(0, NULL);
    for (unsigned round = 0; round < 5000; round++) {
        usec_t wanted[CAP_SLOS_PER_PROBE];
        unsigned count = (unsigned)prng_below(&prng, CAP_SLOS_PER_PROBE + 1);
        for (unsigned i = 0; i < count; i++) {
            wanted[i] = 10 * (1 + (usec_t)prng_below(&prng, 30));
        }
        uint64_t fastest = within(1000), at_300 = within(300);
        bind_to(wanted, count);
        assert_int_equal(within(1000), fastest);
        assert_true(within(300) <= at_300);
        for (unsigned i = 0; i < count; i++) {
            assert_true(has(wanted[i]));
        }
        for (unsigned i = 1; i < sli.duration.bound_count; i++) {
            assert_true(sli.duration.bounds_us[i - 1] < sli.duration.bounds_us[i]);
        }
        assert_int_equal(sli.duration.bound_count, SLI_FIXED_BOUNDS + sli.duration.extra_count);
        struct record record = record_of(OUTCOME_SUCCESS, 10 * (usec_t)prng_below(&prng, 40));
        sli_add(&sli, &record);
        assert_agreement(round + 1);
    }
}

static void sli_reset_keeps_the_bounds_alone(void **state)
{
    (void)state;
    static const usec_t wanted[] = {800000, 30};
    begin(0, NULL);
    bind_to(wanted, 2);
    struct sli fresh = sli;
    fill();
    sli.failures[3] = sli.missed = 9;
    sli_subtract(&sli, &sli);
    assert_memory_equal(&sli, &fresh, sizeof sli);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sli_begins_at_zero_with_ascending_bounds),
        cmocka_unit_test(sli_has_a_bound_at_each_latency_objective),
        cmocka_unit_test(sli_bounds_are_inclusive),
        cmocka_unit_test(sli_judges_each_objective),
        cmocka_unit_test(sli_counters_agree_with_each_other),
        cmocka_unit_test(sli_counts_missed_runs_and_nothing_else_of_other_records),
        cmocka_unit_test(histogram_leaves_the_counts_of_a_split_bucket_above_the_new_bound),
        cmocka_unit_test(histogram_has_each_bound_once),
        cmocka_unit_test(sli_keeps_the_bound_of_an_objective_that_is_gone),
        cmocka_unit_test(sli_has_a_bound_for_what_a_group_counts),
        cmocka_unit_test(sli_gives_up_the_bound_not_asked_for_the_longest),
        cmocka_unit_test(sli_makes_room_for_no_objective_at_the_cost_of_another),
        cmocka_unit_test(sli_bounds_hold_for_any_sequence_of_objectives),
        cmocka_unit_test(sli_reset_keeps_the_bounds_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
