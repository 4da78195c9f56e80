/* Guards against: sites that push in lockstep, a grid that drifts, a receiver that is hammered
 * while it is down or left alone after it came back, a wait that never ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "push.h"

#define INTERVAL_US USEC_PER_MINUTE
#define TIMEOUT_US  (10 * USEC_PER_SEC)

static struct upstream_reply reply_of(enum upstream_class class, usec_t retry_after_us)
{
    struct upstream_reply reply = {
        .class = class, .retry_after_us = retry_after_us, .duration_us = 5};
    return reply;
}

static void answer(struct push *push, enum upstream_class class, usec_t retry_after_us,
                   usec_t now_us)
{
    struct upstream_reply reply = reply_of(class, retry_after_us);
    push_submitted(push);
    push_replied(push, &reply, now_us);
}

static void push_first_comes_within_an_interval_by_hash(void **state)
{
    (void)state;
    static const struct {
        uint64_t hash;
        usec_t now_us, due_us;
    } rows[] = {
        {0, 5, 5},
        {1, 5, 6},
        {INTERVAL_US - 1, 5, 4 + INTERVAL_US},
        {INTERVAL_US, 5, 5},
        {7 * INTERVAL_US + 30, 1000, 1030},
        {UINT64_MAX, 9, 9 + (usec_t)(UINT64_MAX % INTERVAL_US)},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct push push;
        push_init(&push, INTERVAL_US, TIMEOUT_US, rows[i].hash, rows[i].now_us);
        assert_int_equal(push_wake(&push), rows[i].due_us);
        assert_int_equal(push_is_due(&push, rows[i].due_us), true);
        assert_int_equal(push_is_due(&push, rows[i].due_us - 1), false);
        assert_true(push.last_duration_us < 0);
        assert_int_equal(push.last_success_us, 0);
    }
}

static void push_without_interval_is_off(void **state)
{
    (void)state;
    struct push push;
    push_init(&push, 0, TIMEOUT_US, 99, 5);
    assert_int_equal(push.state, PUSH_OFF);
    assert_false(push_is_due(&push, USEC_NEVER - 1));
    assert_true(push_wake(&push) == USEC_NEVER);
}

static void push_in_flight_is_never_due(void **state)
{
    (void)state;
    struct push push;
    push_init(&push, INTERVAL_US, TIMEOUT_US, 0, 5);
    push_submitted(&push);
    assert_false(push_is_due(&push, USEC_PER_DAY));
    assert_true(push_wake(&push) == USEC_NEVER);
}

/* How late the reply comes never moves the regular moments; those it covers are left out. */
static void push_success_returns_to_the_regular_moments(void **state)
{
    (void)state;
    static const struct {
        usec_t replied_us, due_us;
    } rows[] = {
        {100, 100 + INTERVAL_US},
        {101, 100 + INTERVAL_US},
        {99 + INTERVAL_US, 100 + INTERVAL_US},
        {100 + INTERVAL_US, 100 + 2 * INTERVAL_US},
        {100 + 9 * INTERVAL_US + 1, 100 + 10 * INTERVAL_US},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct push push;
        push_init(&push, INTERVAL_US, TIMEOUT_US, 40, 60);
        answer(&push, UPSTREAM_ACCEPTED, USEC_PER_DAY, rows[i].replied_us);
        assert_int_equal(push.due_us, rows[i].due_us);
        assert_int_equal(push.last_success_us, rows[i].replied_us);
        assert_int_equal(push.failures_in_row, 0);
    }
}

static void push_failure_of_any_class_is_tried_again_within_the_cap(void **state)
{
    (void)state;
    static const struct {
        usec_t retry_after_us, least_us, greatest_us;
    } rows[] = {
        {0, 0, PUSH_BACKOFF_BASE},
        {30 * USEC_PER_SEC, 30 * USEC_PER_SEC, 30 * USEC_PER_SEC},
        {USEC_PER_DAY, PUSH_BACKOFF_CAP, PUSH_BACKOFF_CAP},
    };
    for (unsigned class = UPSTREAM_ACCEPTED + 1; class < UPSTREAM_CLASS_COUNT; class ++) {
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
            struct push push;
            push_init(&push, INTERVAL_US, TIMEOUT_US, 0, 1000);
            answer(&push, (enum upstream_class) class, rows[i].retry_after_us, 2000);
            assert_in_range(push.due_us - 2000, rows[i].least_us, rows[i].greatest_us);
            assert_int_equal(push.failures_in_row, 1);
            assert_int_equal(push.last_reply.class, class);
            assert_int_equal(push.last_success_us, 0);
        }
    }
}

static void push_backs_off_anew_after_a_success(void **state)
{
    (void)state;
    struct push push;
    push_init(&push, INTERVAL_US, TIMEOUT_US, 0, 1000);
    for (int i = 0; i < 100; i++) {
        for (int failure = 0; failure < 20; failure++) {
            answer(&push, UPSTREAM_TIMEOUT, 0, push.due_us);
        }
        answer(&push, UPSTREAM_ACCEPTED, 0, push.due_us);
        usec_t now_us = push.due_us;
        answer(&push, UPSTREAM_TIMEOUT, 0, now_us);
        assert_in_range(push.due_us - now_us, 0, PUSH_BACKOFF_BASE);
        answer(&push, UPSTREAM_ACCEPTED, 0, push.due_us);
    }
}

/* One month of a receiver that comes and goes: the promises of push.h at every reply. */
static void simulate_month(uint64_t seed)
{
    struct prng prng = {.state = seed};
    struct push push;
    usec_t now_us = 1 + (usec_t)prng_below(&prng, USEC_PER_DAY),
           end_us = now_us + 30 * USEC_PER_DAY;
    usec_t down_until_us = 0, last_us = now_us;
    push_init(&push, INTERVAL_US, TIMEOUT_US, prng_next(&prng), now_us);
    usec_t phase_us = push.due_us % INTERVAL_US;
    while (now_us < end_us) {
        usec_t wake_us = push_wake(&push);
        assert_true(wake_us - last_us <= PUSH_BACKOFF_CAP + INTERVAL_US);
        now_us = usec_max(wake_us, now_us);
        assert_true(push_is_due(&push, now_us));
        if (now_us > down_until_us && prng_below(&prng, 200) == 0) {
            down_until_us = now_us + (usec_t)prng_below(&prng, USEC_PER_DAY);
        }
        bool down = now_us < down_until_us;
        bool asks = prng_below(&prng, 3) == 0;
        usec_t retry_after_us = asks ? (usec_t)prng_below(&prng, USEC_PER_HOUR) : 0;
        enum upstream_class class =
            down ? (enum upstream_class)(1 + prng_below(&prng, UPSTREAM_CLASS_COUNT - 1))
                 : UPSTREAM_ACCEPTED;
        now_us += (usec_t)prng_below(&prng, TIMEOUT_US);
        answer(&push, class, retry_after_us, now_us);
        last_us = now_us;
        if (down) {
            assert_true(push.due_us - now_us >= usec_min(retry_after_us, PUSH_BACKOFF_CAP));
            assert_true(push.due_us - now_us <= PUSH_BACKOFF_CAP);
        } else {
            assert_int_equal(push.due_us % INTERVAL_US, phase_us);
            assert_in_range(push.due_us - now_us, 1, INTERVAL_US);
        }
    }
}

static void push_keeps_its_promises_through_a_month_of_failures(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 50; seed++) {
        simulate_month(seed);
    }
}

/* A thousand sites whose receiver is away for an hour come back spread over the cap. */
static void push_tries_of_a_fleet_are_spread_after_an_outage(void **state)
{
    (void)state;
    enum { SITES = 1000, SLOTS = 10 };
    unsigned slots[SLOTS] = {0};
    for (uint64_t site = 0; site < SITES; site++) {
        struct push push;
        struct prng prng = {.state = site};
        push_init(&push, INTERVAL_US, TIMEOUT_US, prng_next(&prng), 1);
        while (push.due_us < USEC_PER_HOUR) {
            answer(&push, UPSTREAM_UNREACHABLE, 0, push.due_us);
        }
        slots[(push.due_us - USEC_PER_HOUR) * SLOTS / PUSH_BACKOFF_CAP]++;
    }
    for (unsigned i = 0; i < SLOTS / 2; i++) {
        assert_in_range(slots[i], 50, 350);
    }
}

static void push_class_names_are_label_values(void **state)
{
    (void)state;
    static const char *const names[] = {"accepted",    "rejected", "busy",   "redirected",
                                        "unreachable", "timeout",  "invalid"};
    for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
        assert_string_equal(upstream_class_name((enum upstream_class)i), names[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(push_first_comes_within_an_interval_by_hash),
        cmocka_unit_test(push_without_interval_is_off),
        cmocka_unit_test(push_in_flight_is_never_due),
        cmocka_unit_test(push_success_returns_to_the_regular_moments),
        cmocka_unit_test(push_failure_of_any_class_is_tried_again_within_the_cap),
        cmocka_unit_test(push_backs_off_anew_after_a_success),
        cmocka_unit_test(push_keeps_its_promises_through_a_month_of_failures),
        cmocka_unit_test(push_tries_of_a_fleet_are_spread_after_an_outage),
        cmocka_unit_test(push_class_names_are_label_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
