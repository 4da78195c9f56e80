/* Guards against: retries in lockstep, a delay that overflows after a long outage, a server whose
 * Retry-After is ignored or believed without limit. prng.h is tested here too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <limits.h>

#include "backoff.h"

#define BASE_US USEC_PER_SEC
#define CAP_US  (5 * USEC_PER_MINUTE)

/* The delay's upper limit after n failures in a row, as the paper gives it. */
static usec_t limit_us(unsigned failures_before)
{
    usec_t limit = BASE_US;
    for (unsigned i = 0; i < failures_before && i < 20; i++) {
        limit *= 2;
    }
    return usec_min(limit, CAP_US);
}

static void backoff_doubles_up_to_the_cap_with_full_jitter(void **state)
{
    (void)state;
    enum { SAMPLES = 4000 };
    struct prng prng = {.state = 11};
    for (unsigned failures = 0; failures < 12; failures++) {
        usec_t least_us = CAP_US, greatest_us = 0, total_us = 0;
        for (unsigned i = 0; i < SAMPLES; i++) {
            struct backoff backoff = {.base_us = BASE_US, .cap_us = CAP_US, .failures = failures};
            usec_t delay_us = backoff_next(&backoff, &prng, 0);
            assert_int_equal(backoff.failures, failures + 1);
            least_us = usec_min(least_us, delay_us);
            greatest_us = usec_max(greatest_us, delay_us);
            total_us += delay_us;
        }
        assert_in_range(least_us, 0, limit_us(failures) / 100);
        assert_in_range(greatest_us, limit_us(failures) / 100 * 99, limit_us(failures));
        assert_in_range(total_us / SAMPLES, limit_us(failures) / 100 * 46,
                        limit_us(failures) / 100 * 54);
    }
}

static void backoff_honours_retry_after_up_to_the_cap(void **state)
{
    (void)state;
    static const struct {
        usec_t retry_after_us, least_us, greatest_us;
    } rows[] = {
        {0, 0, BASE_US},
        {-USEC_PER_DAY, 0, BASE_US},
        {10 * USEC_PER_SEC, 10 * USEC_PER_SEC, 10 * USEC_PER_SEC},
        {CAP_US, CAP_US, CAP_US},
        {USEC_PER_DAY, CAP_US, CAP_US},
        {USEC_NEVER, CAP_US, CAP_US},
    };
    struct prng prng = {.state = 5};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct backoff backoff = {.base_us = BASE_US, .cap_us = CAP_US};
        usec_t delay_us = backoff_next(&backoff, &prng, rows[i].retry_after_us);
        assert_in_range(delay_us, rows[i].least_us, rows[i].greatest_us);
    }
}

static void backoff_survives_any_number_of_failures(void **state)
{
    (void)state;
    static const unsigned counts[] = {30, 31, 32, 62, 63, 64, 65, 1000, UINT_MAX - 1, UINT_MAX};
    struct prng prng = {.state = 5};
    for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
        struct backoff backoff = {.base_us = BASE_US, .cap_us = CAP_US, .failures = counts[i]};
        assert_in_range(backoff_next(&backoff, &prng, 0), 0, CAP_US);
        assert_true(backoff.failures >= counts[i]);
    }
    struct backoff endless = {.base_us = 1, .cap_us = USEC_NEVER - 1, .failures = 500};
    usec_t greatest_us = 0;
    for (int i = 0; i < 100; i++) {
        usec_t delay_us = backoff_next(&endless, &prng, 0);
        assert_in_range(delay_us, 0, USEC_NEVER - 1);
        greatest_us = usec_max(greatest_us, delay_us);
    }
    assert_true(greatest_us > USEC_NEVER / 2);
}

static void backoff_begins_again_after_a_success(void **state)
{
    (void)state;
    struct prng prng = {.state = 5};
    struct backoff backoff = {.base_us = BASE_US, .cap_us = CAP_US, .failures = 50};
    backoff_reset(&backoff);
    for (int i = 0; i < 100; i++) {
        assert_in_range(backoff_next(&backoff, &prng, 0), 0, BASE_US);
        backoff_reset(&backoff);
    }
}

/* The first outputs for seed 1234567, as Vigna's splitmix64.c and others' tables list them. */
static void prng_is_splitmix64(void **state)
{
    (void)state;
    static const uint64_t expected[] = {
        UINT64_C(6457827717110365317), UINT64_C(3203168211198807973), UINT64_C(9817491932198370423),
        UINT64_C(4593380528125082431), UINT64_C(16408922859458223821)};
    struct prng prng = {.state = 1234567};
    for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
        assert_true(prng_next(&prng) == expected[i]);
    }
}

static void prng_below_stays_below(void **state)
{
    (void)state;
    struct prng prng = {.state = 1};
    unsigned seen[7] = {0};
    assert_int_equal(prng_below(&prng, 0), 0);
    assert_int_equal(prng_below(&prng, 1), 0);
    for (unsigned i = 0; i < 7000; i++) {
        seen[prng_below(&prng, 7)]++;
    }
    for (unsigned i = 0; i < 7; i++) {
        assert_in_range(seen[i], 800, 1200);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(backoff_doubles_up_to_the_cap_with_full_jitter),
        cmocka_unit_test(backoff_honours_retry_after_up_to_the_cap),
        cmocka_unit_test(backoff_survives_any_number_of_failures),
        cmocka_unit_test(backoff_begins_again_after_a_success),
        cmocka_unit_test(prng_is_splitmix64),
        cmocka_unit_test(prng_below_stays_below),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
