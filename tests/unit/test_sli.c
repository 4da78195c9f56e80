/* Guards against: a latency bucket that is off by one, failures that flatter the histogram, results
 * that are lost between two counters, `unknown` that touches an SLO. */
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

static struct result result_of(enum outcome outcome, usec_t duration_us)
{
    struct result result;
    result_init(&result, 0, 1);
    result.outcome = outcome;
    result.reason = outcome == OUTCOME_FAILURE ? REASON_TIMEOUT : REASON_NONE;
    result.duration_us = duration_us;
    return result;
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
        {OUTCOME_SUCCESS, 800001, {1, 0}, {0, 1}},  {OUTCOME_FAILURE, 10, {0, 0}, {1, 1}},
        {OUTCOME_FAILURE, 5000000, {0, 0}, {1, 1}}, {OUTCOME_UNKNOWN, 10, {0, 0}, {0, 0}},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct result result = result_of(rows[i].outcome, rows[i].duration_us);
        begin(2, slos);
        sli_add(&sli, &probe, &result);
        for (unsigned slo = 0; slo < 2; slo++) {
            assert_int_equal(sli.slos[slo].good, rows[i].good[slo]);
            assert_int_equal(sli.slos[slo].bad, rows[i].bad[slo]);
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

static void sli_counters_agree_with_each_other(void **state)
{
    (void)state;
    static const struct config_slo slo = {.type = SLO_LATENCY, .threshold_us = 123456};
    struct prng prng = {.state = 3};
    begin(1, &slo);
    for (unsigned i = 0; i < 20000; i++) {
        enum outcome outcome = (enum outcome)prng_below(&prng, OUTCOME_COUNT);
        struct result result = result_of(outcome, (usec_t)prng_below(&prng, 20000000));
        if (outcome == OUTCOME_FAILURE) {
            result.reason = (enum reason)prng_below(&prng, REASON_COUNT);
        }
        sli_add(&sli, &probe, &result);
        assert_int_equal(sum(sli.results, OUTCOME_COUNT), i + 1);
        assert_int_equal(sum(sli.failures, REASON_COUNT), sli.results[OUTCOME_FAILURE]);
        assert_int_equal(sli.duration.count, sli.results[OUTCOME_SUCCESS]);
        assert_int_equal(sum(sli.duration.buckets, sli.duration.bound_count + 1),
                         sli.duration.count);
        assert_int_equal(sli.slos[0].good + sli.slos[0].bad, i + 1 - sli.results[OUTCOME_UNKNOWN]);
    }
    uint64_t within = 0;
    for (unsigned i = 0; sli.duration.bounds_us[i] <= slo.threshold_us; i++) {
        within += sli.duration.buckets[i];
    }
    assert_int_equal(within, sli.slos[0].good); /* what a query on the histogram would find */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sli_begins_at_zero_with_ascending_bounds),
        cmocka_unit_test(sli_has_a_bound_at_each_latency_objective),
        cmocka_unit_test(sli_bounds_are_inclusive),
        cmocka_unit_test(sli_judges_each_objective),
        cmocka_unit_test(sli_counters_agree_with_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
