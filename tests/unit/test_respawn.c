/* Guards against: a crash loop that spins, a delay that grows without end, a crash after weeks of
 * health that waits as long as the tenth of a loop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "respawn.h"

static void respawn_doubles_to_a_minute_and_forgets_after_ten(void **state)
{
    (void)state;
    static const struct {
        usec_t ran_us;
        unsigned delay_s;
    } rows[] = {
        {0, 1},
        {0, 2},
        {59 * USEC_PER_SEC, 4},
        {RESPAWN_WELL_US - 1, 8},
        {0, 16},
        {0, 32},
        {0, 60},
        {0, 60},
        {RESPAWN_WELL_US - 1, 60},
        {RESPAWN_WELL_US, 1},
        {0, 2},
        {400 * USEC_PER_DAY, 1},
        {400 * USEC_PER_DAY, 1},
    };
    struct respawn respawn = {0};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(respawn_delay(&respawn, rows[i].ran_us), rows[i].delay_s * USEC_PER_SEC);
    }
}

static void respawn_stays_at_a_minute_for_ever(void **state)
{
    (void)state;
    struct respawn respawn = {0};
    for (unsigned i = 0; i < 6; i++) {
        assert_true(respawn_delay(&respawn, 0) < RESPAWN_CAP_US);
    }
    for (unsigned i = 0; i < 10000; i++) {
        assert_int_equal(respawn_delay(&respawn, 0), RESPAWN_CAP_US);
    }
}

static void respawn_begins_again_when_reset(void **state)
{
    (void)state;
    struct respawn respawn = {0};
    for (unsigned i = 0; i < 10; i++) {
        (void)respawn_delay(&respawn, 0);
    }
    respawn_reset(&respawn);
    assert_int_equal(respawn_delay(&respawn, 0), USEC_PER_SEC);
    assert_int_equal(respawn_delay(&respawn, 0), 2 * USEC_PER_SEC);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(respawn_doubles_to_a_minute_and_forgets_after_ten),
        cmocka_unit_test(respawn_stays_at_a_minute_for_ever),
        cmocka_unit_test(respawn_begins_again_when_reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
