/* Guards against: a configuration that silences all pushes and stays; one that is left although its
 * pushes got through; a dead uplink that is taken for a bad configuration for good, or that turns
 * the agent round and round; a configuration that is called good and never pushed; a mended file
 * that nobody reads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ladder_world.h"

#define ROLLBACK (300 * SEC)

static unsigned rollbacks(enum rollout_reason reason)
{
    return word_of(&world.vitals.mandate.rollbacks[reason]);
}

static bool runs_good(void)
{
    return word_of(&world.vitals.mandate.good) != 0;
}

static void begin_pushing(void)
{
    begin_world();
    world.settings.pushes = true;
    world.settings.rollback_us = ROLLBACK;
    world.heard = 1u << 1;
}

/* Configuration 1 is good, and 2, which no receiver hears, stands in the file and runs. */
static void begin_silent_rollout(void)
{
    begin_pushing();
    pass(150 * SEC);
    assert_int_equal(world.good, 1);
    reload();
    forget();
}

static void a_silent_configuration_is_left_when_its_time_is_over(void **state)
{
    (void)state;
    begin_silent_rollout();
    pass(ROLLBACK);
    expect_diary("150 start\n");
    pass(5 * SEC);
    expect_diary("450.5 leave\n450.5 gone: reload\n451.5 start with the good configuration\n");
    assert_true(runs_good());
    assert_int_equal(word_of(&world.vitals.mandate.left_for), ROLLOUT_SILENCE);
    assert_int_equal(rollbacks(ROLLOUT_SILENCE), 1);
    pass(USEC_PER_DAY);
    expect_diary(""); /* it pushes: the other one stays out … */
    assert_int_equal(world.recovery.phase, RECOVERY_NORMAL);
    assert_int_equal(world.recovery.restart_count, 0);
    world.uplink_dead = true; /* … whatever becomes of the uplink later */
    crash();
    pass(USEC_PER_HOUR);
    world.uplink_dead = false;
    pass(USEC_PER_HOUR);
    assert_true(runs_good());
    assert_null(strstr(world.diary, "leave"));
}

static void one_accepted_push_is_enough(void **state)
{
    (void)state;
    begin_silent_rollout();
    pass(ROLLBACK - 20 * SEC);
    world.heard |= 1u << 2;
    pass(15 * SEC);
    world.uplink_dead = true;
    pass(USEC_PER_DAY);
    expect_diary("150 start\n430.25 keep this configuration\n");
    assert_int_equal(rollbacks(ROLLOUT_SILENCE), 0);
}

static void what_was_heard_in_another_life_counts_too(void **state)
{
    (void)state;
    begin_silent_rollout();
    world.heard |= 1u << 2;
    pass(15 * SEC);
    crash();
    world.heard = 0;
    pass(USEC_PER_HOUR);
    assert_null(strstr(world.diary, "leave"));
    assert_non_null(strstr(world.diary, "keep"));
}

static void silence_is_no_reason_without_a_better_one(void **state)
{
    (void)state;
    static const struct {
        bool kept, kept_pushes, pushes, same, off;
    } rows[] = {
        {false, false, true, false, false}, /* nothing is good */
        {true, false, true, false, false},  /* the good one never pushed */
        {true, true, true, true, false},    /* it is the good one */
        {true, true, true, false, true},    /* rollback = 0 */
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        begin_pushing();
        world.heard = 0;
        world.settings.pushes = rows[i].pushes;
        world.settings.rollback_us = rows[i].off ? 0 : ROLLBACK;
        world.good = rows[i].same ? world.file : 9;
        if (rows[i].kept) {
            recovery_found_good(&world.recovery, rows[i].kept_pushes);
        }
        pass(USEC_PER_DAY);
        expect_diary("0 start\n");
    }
}

static void one_that_is_kept_from_before_is_a_better_one(void **state)
{
    (void)state;
    begin_pushing();
    world.heard = 1u << 9;
    world.good = 9;
    recovery_found_good(&world.recovery, true);
    pass(ROLLBACK + 5 * SEC);
    assert_non_null(strstr(world.diary, "start with the good configuration"));
}

static void a_file_that_lost_its_push_is_silent_unless_it_says_so(void **state)
{
    (void)state;
    for (unsigned off = 0; off < 2; off++) {
        begin_pushing();
        pass(150 * SEC);
        world.settings.pushes = false;
        world.settings.rollback_us = off ? 0 : ROLLBACK;
        reload();
        forget();
        pass(ROLLBACK + 5 * SEC);
        assert_true((strstr(world.diary, "start with the good configuration") != NULL) == !off);
        assert_true((strstr(world.diary, "keep") != NULL) == (off != 0));
    }
}

static void a_configuration_that_pushes_is_good_once_a_push_was_accepted(void **state)
{
    (void)state;
    begin_pushing();
    world.uplink_dead = true;
    pass(USEC_PER_HOUR);
    expect_diary("0 start\n");
    world.uplink_dead = false;
    pass(11 * SEC);
    expect_diary("3600.25 keep this configuration\n");
}

static void what_is_too_large_is_not_kept(void **state)
{
    (void)state;
    begin_pushing();
    world.too_large = true;
    pass(USEC_PER_HOUR);
    expect_diary("0 start\n");
}

/* The uplink. */

static void when_the_uplink_was_dead_the_new_one_is_tried_again_and_stays(void **state)
{
    (void)state;
    begin_silent_rollout();
    world.heard |= 1u << 2;
    world.uplink_dead = true;
    pass(ROLLBACK + 6 * USEC_PER_HOUR);
    assert_true(runs_good());
    forget();
    world.uplink_dead = false;
    pass(200 * SEC);
    expect_diary("22051.5 leave\n22051.5 gone: reload\n22052.5 start\n"
                 "22152.5 keep this configuration\n");
    assert_false(runs_good());
    assert_int_equal(rollbacks(ROLLOUT_SILENCE), 1);
}

static void a_silent_one_is_tried_once_more_and_then_stays_out(void **state)
{
    (void)state;
    begin_silent_rollout();
    world.uplink_dead = true;
    pass(ROLLBACK + USEC_PER_HOUR);
    world.uplink_dead = false;
    pass(USEC_PER_DAY);
    assert_true(runs_good());
    assert_int_equal(rollbacks(ROLLOUT_SILENCE), 2);
}

/* Dead whenever the good one begins. */
static void pass_with_spiteful_uplink(usec_t for_us)
{
    usec_t end_us = world.now_us + for_us;
    while (world.now_us < end_us) {
        world.uplink_dead = runs_good() && world.now_us - world.born_us < USEC_PER_MINUTE;
        pass(SEC);
    }
}

static void an_uplink_that_comes_and_goes_does_not_turn_it_for_ever(void **state)
{
    (void)state;
    begin_silent_rollout();
    pass_with_spiteful_uplink(USEC_PER_DAY);
    assert_true(runs_good());
    assert_int_equal(rollbacks(ROLLOUT_SILENCE), ROLLOUT_TRIES);
    assert_int_equal(world.lives_begun, 1 + 2 * ROLLOUT_TRIES);
    /* Somebody says that it was mended, and has changed nothing: it has all its tries again. */
    recovery_mended(&world.recovery, world.now_us);
    gone((struct run_end){.cause = CAUSE_RELOAD, .task = VITAL_NONE});
    pass_with_spiteful_uplink(USEC_PER_DAY);
    assert_int_equal(rollbacks(ROLLOUT_SILENCE), 2 * ROLLOUT_TRIES);
}

static void a_text_that_changes_in_silence_has_all_its_tries(void **state)
{
    (void)state;
    begin_silent_rollout();
    world.uplink_dead = true;
    pass(ROLLBACK + USEC_PER_HOUR);
    world.uplink_dead = false;
    pass(USEC_PER_MINUTE);
    assert_false(runs_good());
    world.file++;
    crash();
    pass_with_spiteful_uplink(USEC_PER_DAY);
    assert_int_equal(rollbacks(ROLLOUT_SILENCE), 1 + ROLLOUT_TRIES);
}

static void a_push_of_the_life_that_leaves_says_nothing_of_the_next(void **state)
{
    (void)state;
    begin_silent_rollout();
    world.ignores_stop = true;
    pass(ROLLBACK + SEC);
    atomic_store(&world.vitals.pushes_accepted, 1); /* its last one */
    pass(SEC);
    assert_false(runs_good()); /* not yet */
    gone((struct run_end){.cause = CAUSE_RELOAD, .task = VITAL_NONE});
    world.ignores_stop = false;
    world.uplink_dead = true;
    pass(USEC_PER_HOUR);
    assert_true(runs_good());
    assert_false(world.recovery.rollout.settled);
}

/* Time. */

static void lives_that_end_are_silent_as_well(void **state)
{
    (void)state;
    begin_silent_rollout();
    world.settings.restarts = 32;
    while (!runs_good() && world.now_us < USEC_PER_HOUR) {
        if (world.lives && world.now_us - world.born_us > 2 * SEC) {
            crash();
        }
        pass(SEC);
    }
    assert_true(runs_good());
    assert_int_equal(rollbacks(ROLLOUT_SILENCE), 1);
    assert_true(world.now_us <= 150 * SEC + ROLLBACK + 70 * SEC);
}

static void a_machine_that_stood_still_was_not_silent(void **state)
{
    (void)state;
    begin_silent_rollout();
    pass(100 * SEC);
    world.now_us += USEC_PER_DAY;
    pass(150 * SEC);
    expect_diary("150 start\n");
    pass(60 * SEC);
    assert_non_null(strstr(world.diary, "leave"));
}

static void a_text_that_changes_in_silence_has_its_own_time(void **state)
{
    (void)state;
    begin_silent_rollout();
    pass(200 * SEC);
    world.file++;
    crash();
    forget();
    pass(ROLLBACK);
    assert_null(strstr(world.diary, "leave"));
    pass(5 * SEC);
    assert_non_null(strstr(world.diary, "leave"));
    begin_silent_rollout();
    pass(200 * SEC);
    crash(); /* the same text goes on with its time */
    pass(110 * SEC);
    assert_non_null(strstr(world.diary, "leave"));
}

/* Somebody mends it. */

static void a_mended_file_is_tried_whatever_was_decided(void **state)
{
    (void)state;
    begin_silent_rollout();
    pass(USEC_PER_HOUR);
    assert_true(runs_good());
    forget();
    world.heard |= 1u << 3;
    reload();
    pass(USEC_PER_HOUR);
    expect_diary("3750 gone: reload\n3750 start\n3850 keep this configuration\n");
    assert_false(runs_good());
}

static void a_file_mended_while_the_silent_one_leaves_is_read(void **state)
{
    (void)state;
    begin_silent_rollout();
    world.ignores_stop = true;
    pass(ROLLBACK + SEC);
    forget();
    world.heard |= 1u << 3;
    reload();
    pass(SEC);
    expect_diary("451 gone: reload\n451 start\n");
}

static void the_old_life_s_pushes_do_not_speak_for_the_mended_file(void **state)
{
    (void)state;
    begin_pushing();
    pass(150 * SEC);
    forget();
    world.file++;
    recovery_mended(&world.recovery, world.now_us);
    pass(2 * SEC); /* it takes its time to leave, and its last push is accepted */
    atomic_fetch_add(&world.vitals.pushes_accepted, 1);
    pass(SEC);
    crash(); /* and does not even leave in order */
    pass(ROLLBACK + 5 * SEC);
    expect_diary("153 gone: crash, SIGSEGV\n153 start\n453.25 leave\n453.25 gone: reload\n"
                 "454.25 start with the good configuration\n");
}

/* It cannot start. */

static void a_file_that_cannot_start_is_left_at_once(void **state)
{
    (void)state;
    begin_world();
    world.never_runs = true;
    world.good = 9;
    recovery_found_good(&world.recovery, false);
    pass(100 * USEC_PER_MSEC);
    refuse_the_file();
    world.never_runs = false;
    pass(5 * SEC);
    expect_diary("0 start\n0.1 gone: none\n1.1 start with the good configuration\n");
    assert_int_equal(word_of(&world.vitals.mandate.left_for), ROLLOUT_START);
    assert_int_equal(rollbacks(ROLLOUT_START), 1);
    pass(USEC_PER_DAY);
    expect_diary("");
}

static void a_good_one_that_cannot_start_either_is_not_left_for_itself(void **state)
{
    (void)state;
    begin_world();
    world.never_runs = true;
    recovery_found_good(&world.recovery, false);
    for (unsigned refused = 0; refused < 4;) {
        pass(SEC);
        if (world.lives) {
            refuse_the_file();
            refused++;
        }
    }
    assert_int_equal(rollbacks(ROLLOUT_START), 1);
}

static void what_kills_is_counted_as_that(void **state)
{
    (void)state;
    begin_silent_rollout();
    crash_into_safe_mode();
    world.uplink_dead = true;
    pass(20 * SEC);
    assert_true(runs_good());
    assert_int_equal(word_of(&world.vitals.mandate.left_for), ROLLOUT_CRASHES);
    assert_int_equal(rollbacks(ROLLOUT_CRASHES), 1);
    assert_int_equal(rollbacks(ROLLOUT_SILENCE), 0);
    pass(USEC_PER_HOUR);
    world.uplink_dead = false; /* says nothing of crashes */
    pass(USEC_PER_HOUR);
    assert_true(runs_good());
    assert_int_equal(rollbacks(ROLLOUT_SILENCE), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_silent_configuration_is_left_when_its_time_is_over),
        cmocka_unit_test(one_accepted_push_is_enough),
        cmocka_unit_test(what_was_heard_in_another_life_counts_too),
        cmocka_unit_test(silence_is_no_reason_without_a_better_one),
        cmocka_unit_test(one_that_is_kept_from_before_is_a_better_one),
        cmocka_unit_test(a_file_that_lost_its_push_is_silent_unless_it_says_so),
        cmocka_unit_test(a_configuration_that_pushes_is_good_once_a_push_was_accepted),
        cmocka_unit_test(what_is_too_large_is_not_kept),
        cmocka_unit_test(when_the_uplink_was_dead_the_new_one_is_tried_again_and_stays),
        cmocka_unit_test(a_silent_one_is_tried_once_more_and_then_stays_out),
        cmocka_unit_test(an_uplink_that_comes_and_goes_does_not_turn_it_for_ever),
        cmocka_unit_test(a_text_that_changes_in_silence_has_all_its_tries),
        cmocka_unit_test(a_push_of_the_life_that_leaves_says_nothing_of_the_next),
        cmocka_unit_test(lives_that_end_are_silent_as_well),
        cmocka_unit_test(a_machine_that_stood_still_was_not_silent),
        cmocka_unit_test(a_text_that_changes_in_silence_has_its_own_time),
        cmocka_unit_test(a_mended_file_is_tried_whatever_was_decided),
        cmocka_unit_test(a_file_mended_while_the_silent_one_leaves_is_read),
        cmocka_unit_test(the_old_life_s_pushes_do_not_speak_for_the_mended_file),
        cmocka_unit_test(a_file_that_cannot_start_is_left_at_once),
        cmocka_unit_test(a_good_one_that_cannot_start_either_is_not_left_for_itself),
        cmocka_unit_test(what_kills_is_counted_as_that),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
