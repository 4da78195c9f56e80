/* Guards the wait set: a descriptor that is forgotten makes a probe deaf, a wake that is lost makes
 * it late, and a full set must make the loop slower, never deaf. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "waits.h"

static struct waits waits;

static void waits_wake_at_the_earliest_moment_anybody_asked_for(void **state)
{
    (void)state;
    waits_clear(&waits);
    assert_int_equal(waits_wake(&waits, 5), USEC_NEVER);
    waits_until(&waits, 300);
    waits_until(&waits, 100);
    waits_until(&waits, 200);
    waits_until(&waits, USEC_NEVER);
    assert_int_equal(waits_wake(&waits, 5), 100);
    waits_clear(&waits);
    assert_int_equal(waits.wake_us, USEC_NEVER);
    assert_int_equal(waits.count, 0);
}

static void waits_tell_what_came_for_a_descriptor_over_all_its_entries(void **state)
{
    (void)state;
    waits_clear(&waits);
    waits_add(&waits, 7, POLLIN);
    waits_add(&waits, 8, POLLOUT);
    waits_add(&waits, 7, POLLOUT);
    waits_add(&waits, -1, POLLIN);
    assert_int_equal(waits.count, 3);
    waits.at[0].revents = POLLIN;
    waits.at[2].revents = POLLERR;
    assert_int_equal(waits_ready(&waits, 7), POLLIN | POLLERR);
    assert_int_equal(waits_ready(&waits, 8), 0);
    assert_int_equal(waits_ready(&waits, 9), 0);
    assert_int_equal(waits_ready(&waits, -1), 0);
}

static void waits_that_overflow_turn_soon_and_call_the_unwatched_ready(void **state)
{
    (void)state;
    waits_clear(&waits);
    for (int fd = 0; fd < CAP_WAITS; fd++) {
        waits_add(&waits, fd, POLLIN);
    }
    assert_false(waits.overflowed);
    assert_int_equal(waits_wake(&waits, 1000), USEC_NEVER);
    waits_add(&waits, CAP_WAITS, POLLIN);
    assert_true(waits.overflowed);
    assert_int_equal(waits.count, CAP_WAITS);
    assert_int_equal(waits_wake(&waits, 1000), 1000 + WAITS_OVERFLOW_US);
    waits_until(&waits, 1500);
    assert_int_equal(waits_wake(&waits, 1000), 1500);
    assert_int_equal(waits_ready(&waits, CAP_WAITS), POLLIN | POLLOUT);
    assert_int_equal(waits_ready(&waits, 3), 0);
    assert_int_equal(waits_ready(&waits, -1), 0);
    waits_clear(&waits);
    assert_int_equal(waits_ready(&waits, CAP_WAITS), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waits_wake_at_the_earliest_moment_anybody_asked_for),
        cmocka_unit_test(waits_tell_what_came_for_a_descriptor_over_all_its_entries),
        cmocka_unit_test(waits_that_overflow_turn_soon_and_call_the_unwatched_ready),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
