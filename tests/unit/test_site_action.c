/* Guards against a modem that is restarted because a receiver is dead, one that is restarted over
 * and over, and an uplink that is down for good and nobody does anything. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "site_action.h"

#define MIN USEC_PER_MINUTE

enum what { NOTE, DUE, NOT_DUE, DONE };

struct step {
    enum what what;
    usec_t at_us; /* NOTE: when something got through */
};

static void an_action_is_due_after_the_time_and_waits_for_the_cooldown(void **state)
{
    (void)state;
    static const struct {
        usec_t after_us, cooldown_us;
        struct step steps[10];
        unsigned count;
    } rows[] = {
        /* The start counts as something that got through: a reboot is no reason for another. */
        {15 * MIN, 60 * MIN, {{NOT_DUE, 15 * MIN - 1}, {DUE, 15 * MIN}}, 2},
        {15 * MIN, 60 * MIN, {{NOTE, 3 * MIN}, {NOT_DUE, 18 * MIN - 1}, {DUE, 18 * MIN}}, 3},
        /* News that is older than what is known is none. */
        {15 * MIN, 60 * MIN, {{NOTE, 9 * MIN}, {NOTE, 2 * MIN}, {NOT_DUE, 24 * MIN - 1}}, 3},
        /* Something gets through just in time. */
        {15 * MIN, 60 * MIN, {{DUE, 15 * MIN}, {NOTE, 15 * MIN}, {NOT_DUE, 15 * MIN}}, 3},
        /* Due until it is done; then neither before the cooldown … */
        {15 * MIN,
         60 * MIN,
         {{DUE, 15 * MIN},
          {DUE, 16 * MIN},
          {DONE, 16 * MIN},
          {NOT_DUE, 16 * MIN},
          {NOT_DUE, 76 * MIN - 1},
          {DUE, 76 * MIN}},
         6},
        /* … nor before the time has passed anew. */
        {15 * MIN,
         5 * MIN,
         {{DONE, 15 * MIN}, {NOT_DUE, 20 * MIN}, {NOT_DUE, 30 * MIN - 1}, {DUE, 30 * MIN}},
         4},
        /* The cooldown stands though all was well meanwhile. */
        {15 * MIN,
         60 * MIN,
         {{DONE, 15 * MIN},
          {NOTE, 40 * MIN},
          {NOT_DUE, 55 * MIN},
          {NOT_DUE, 75 * MIN - 1},
          {DUE, 75 * MIN}},
         5},
        /* Off. */
        {0, 60 * MIN, {{NOT_DUE, 0}, {NOT_DUE, 400 * USEC_PER_DAY}}, 2},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct site_action action;
        usec_t begin_us = 1000 * MIN; /* no clock begins at 0 */
        site_action_init(&action, rows[i].after_us, rows[i].cooldown_us, begin_us);
        for (unsigned j = 0; j < rows[i].count; j++) {
            usec_t at_us = begin_us + rows[i].steps[j].at_us;
            switch (rows[i].steps[j].what) {
            case NOTE:
                site_action_note(&action, at_us);
                break;
            case DONE:
                site_action_done(&action, at_us);
                break;
            case DUE:
            case NOT_DUE:
                if (site_action_due(&action, at_us) != (rows[i].steps[j].what == DUE)) {
                    fail_msg("row %zu, step %u", i, j);
                }
                break;
            }
        }
    }
}

static void a_zeroed_one_is_off(void **state)
{
    (void)state;
    struct site_action action = {0};
    assert_false(site_action_due(&action, USEC_PER_DAY));
}

static void results_have_names_that_stay(void **state)
{
    (void)state;
    assert_string_equal(site_action_result_name(SITE_ACTION_STARTED), "started");
    assert_string_equal(site_action_result_name(SITE_ACTION_FAILED), "failed");
    assert_string_equal(site_action_result_name(SITE_ACTION_DRY_RUN), "dry_run");
    assert_int_equal(SITE_ACTION_RESULTS, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_action_is_due_after_the_time_and_waits_for_the_cooldown),
        cmocka_unit_test(a_zeroed_one_is_off),
        cmocka_unit_test(results_have_names_that_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
