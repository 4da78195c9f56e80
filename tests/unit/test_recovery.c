/* Guards against: a hang that is not seen, or one that is seen where there is none; an agent that
 * SIGABRT does not end and nobody kills; a crash loop that spins or never gets to safe mode; a
 * probe that kills the agent and is let in again and again; a configuration that kills it and is
 * started for ever. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ladder_world.h"

/* Hangs. */

static void each_row_may_stand_still_until_its_own_limit_and_no_longer(void **state)
{
    (void)state;
    static const struct {
        unsigned row;
        usec_t limit_us;
        const char *said;
        uint32_t target; /* the ledger's id */
    } rows[] = {
        {VITAL_START, RECOVERY_START_US, "hang of task start, SIGABRT", 0},
        {VITAL_LOOP, 5 * SEC, "hang of task loop, SIGABRT", 0},
        {VITAL_SCHEDULE, 9 * SEC, "hang of task schedule, SIGABRT", 0},
        {VITAL_RUNS, 1 * SEC, "hang of task runs, SIGABRT", 0},
        {VITAL_STORE, 40 * SEC, "hang of task store, SIGABRT", 0},
        {VITAL_PUSH, 7 * SEC + 1, "hang of task push, SIGABRT", 0},
        {VITAL_WORKER, 15 * SEC, "hang of task worker, SIGABRT", 100},
        {VITAL_WORKER + 3, 15 * SEC, "hang of task worker, SIGABRT", 103},
        {VITAL_COUNT - 1, 15 * SEC, "hang of task worker, SIGABRT", 99 + CAP_TARGETS},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        begin_running();
        world.recovery.settings.safe_us = USEC_PER_DAY;
        usec_t limit_us = (rows[i].limit_us + 999) / 1000 * 1000;
        vital_rest(&world.vitals, VITAL_LOOP);
        turn();
        world.stuck = UINT64_MAX;
        vital_arm(&world.vitals, rows[i].row, rows[i].limit_us);
        turn();
        pass(limit_us - 1);
        turn();
        assert_string_equal(world.diary, "");
        world.now_us += 1;
        turn();
        assert_int_equal(world.orders.kill, RECOVERY_ABORT);
        char text[CAUSE_TEXT_BYTES];
        assert_string_equal(cause_describe(&world.last, text), rows[i].said);
        assert_int_equal(world.last.target, rows[i].target);
    }
}

static void what_moves_or_rests_or_begins_anew_does_not_hang(void **state)
{
    (void)state;
    begin_running();
    world.recovery.settings.safe_us = USEC_PER_DAY;
    world.stuck = 1u << VITAL_PUSH;
    vital_arm(&world.vitals, VITAL_PUSH, 5 * SEC);
    for (unsigned i = 0; i < 50; i++) {
        pass(4 * SEC);
        switch (i % 3) {
        case 0: /* one step in all this time, and the counter may wrap */
            atomic_store(&world.vitals.rows[VITAL_PUSH].progress, UINT32_MAX);
            turn();
            pass(4 * SEC);
            vital_progress(&world.vitals, VITAL_PUSH);
            break;
        case 1:
            vital_rest(&world.vitals, VITAL_PUSH);
            pass(60 * SEC);
            vital_arm(&world.vitals, VITAL_PUSH, 5 * SEC);
            break;
        default: /* rested and was armed again, all between two looks */
            vital_rest(&world.vitals, VITAL_PUSH);
            vital_arm(&world.vitals, VITAL_PUSH, 5 * SEC);
            break;
        }
    }
    assert_string_equal(world.diary, "");
}

static void a_limit_that_is_made_longer_counts_from_the_last_progress(void **state)
{
    (void)state;
    begin_running();
    world.stuck = 1u << VITAL_STORE;
    vital_arm(&world.vitals, VITAL_STORE, 30 * SEC);
    pass(20 * SEC);
    atomic_store(&world.vitals.rows[VITAL_STORE].limit_ms, 50000);
    pass(29 * SEC);
    assert_string_equal(world.diary, "");
    pass(2 * SEC);
    assert_non_null(strstr(world.diary, "abort"));
}

static void the_probe_in_hand_is_named_and_nonsense_is_not_believed(void **state)
{
    (void)state;
    static const struct {
        uint32_t subject, id;
    } rows[] = {
        {0, 0}, {1, 100}, {CAP_TARGETS, 99 + CAP_TARGETS}, {CAP_TARGETS + 1, 0}, {UINT32_MAX, 0}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        begin_running();
        atomic_store(&world.vitals.rows[VITAL_LOOP].subject, rows[i].subject);
        atomic_store(&world.vitals.row_end,
                     UINT32_MAX); /* an agent that writes where it should not */
        world.stuck = 1u << VITAL_LOOP;
        pass(6 * SEC);
        assert_int_equal(world.last.cause, CAUSE_HANG);
        assert_int_equal(world.last.target, rows[i].id);
    }
}

static void a_hang_is_seen_within_a_tenth_of_what_it_may_take(void **state)
{
    (void)state;
    static const unsigned hangs_s[] = {1, 2, 5, 60, 600};
    for (size_t i = 0; i < ARRAY_LEN(hangs_s); i++) {
        begin_world();
        world.settings.hang_us = hangs_s[i] * SEC;
        pass(2 * hangs_s[i] * SEC);
        forget();
        usec_t begin_us = world.now_us;
        world.stuck = 1u << VITAL_LOOP;
        while (world.lives) {
            turn();
            world.now_us = world.lives ? world.orders.wake_us : world.now_us;
        }
        assert_in_range(world.now_us - begin_us, hangs_s[i] * SEC * 9 / 10,
                        hangs_s[i] * SEC * 11 / 10);
    }
}

static void an_agent_that_sigabrt_does_not_end_is_killed_after_abort(void **state)
{
    (void)state;
    begin_running();
    world.stuck = 1u << VITAL_LOOP;
    world.deaf = true;
    pass(9 * SEC);
    expect_diary("6 abort\n"
                 "8 kill\n"
                 "8 gone: hang of task loop, SIGKILL\n"
                 "9 start\n");
    assert_int_equal(world.last.ran_us, 8 * SEC);
    assert_int_equal(word_of(&world.vitals.mandate.ends[CAUSE_HANG]), 1);
    assert_int_equal(word_of(&world.vitals.mandate.ends[CAUSE_CRASH]), 0);
}

static void an_agent_that_hangs_while_it_is_to_stop_is_ended_too(void **state)
{
    (void)state;
    begin_running();
    recovery_stop(&world.recovery, world.now_us);
    world.stuck = 1u << VITAL_LOOP;
    world.deaf = true;
    pass(60 * SEC);
    expect_diary("6 abort\n8 kill\n8 gone: hang of task loop, SIGKILL\n"); /* and none follows */
}

static void the_machine_that_stood_still_is_not_held_against_the_agent(void **state)
{
    (void)state;
    begin_running();
    world.recovery.settings.safe_us = USEC_PER_DAY;
    pass(3 * SEC);
    world.stuck = UINT64_MAX; /* nor did the supervisor run: both were frozen, or starved */
    world.now_us += 3600 * SEC;
    turn();
    assert_string_equal(world.diary, "");
    world.stuck = 0;
    pass(20 * SEC);
    world.stuck = UINT64_MAX; /* a short while is enough to be misjudged */
    world.now_us += 10 * SEC;
    turn();
    world.stuck = 0;
    pass(20 * SEC);
    assert_string_equal(world.diary, "");
    world.stuck = UINT64_MAX; /* and a hang after it is seen in its time */
    pass(6 * SEC);
    assert_int_equal(world.last.cause, CAUSE_HANG);
}

static void the_time_to_end_is_not_spent_while_the_machine_stands_still(void **state)
{
    (void)state;
    begin_running();
    world.stuck = UINT64_MAX;
    world.deaf = true;
    pass(6 * SEC);
    expect_diary("6 abort\n");
    world.now_us += 3600 * SEC;
    turn();
    expect_diary("");
    pass(2 * SEC);
    assert_non_null(strstr(world.diary, "kill\n"));
}

/* Resources. */

static void a_leak_is_ended_once_it_lasts(void **state)
{
    (void)state;
    static const struct {
        uint64_t memory_limit, memory;
        unsigned files_limit, files, turns;
        enum cause cause;
    } rows[] = {
        {1000, 1001, 0, 0, 4, CAUSE_MEMORY},  {1000, 1001, 0, 0, 3, CAUSE_NONE},
        {1000, 1000, 0, 0, 9, CAUSE_NONE},    {0, UINT64_MAX, 0, UINT32_MAX, 9, CAUSE_NONE},
        {0, 0, 64, 65, 4, CAUSE_DESCRIPTORS}, {0, 0, 64, 65, 3, CAUSE_NONE},
        {0, 0, 64, 64, 9, CAUSE_NONE},        {1000, 1001, 64, 65, 4, CAUSE_MEMORY},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        begin_world();
        world.settings.memory_bytes = rows[i].memory_limit;
        world.settings.descriptors = rows[i].files_limit;
        pass(1 * SEC);
        for (unsigned round = 0; round < 3; round++) { /* a peak that passes is forgotten */
            world.usage = (struct recovery_usage){rows[i].memory, rows[i].files};
            for (unsigned j = 0; j < (rows[i].cause == CAUSE_NONE ? rows[i].turns : 3); j++) {
                world.now_us++;
                turn();
            }
            assert_true(world.lives);
            world.usage = (struct recovery_usage){0, 0};
            world.now_us++;
            turn();
        }
        world.usage = (struct recovery_usage){rows[i].memory, rows[i].files};
        for (unsigned j = 0; j < rows[i].turns; j++) {
            world.now_us++;
            turn();
        }
        assert_int_equal(world.last.cause, rows[i].cause);
        assert_int_equal(world.last.task, rows[i].cause == CAUSE_NONE ? 0 : VITAL_NONE);
    }
}

/* Lives. */

static void the_delay_before_a_new_life_doubles_and_a_reload_forgets_it(void **state)
{
    (void)state;
    begin_world();
    world.settings.restarts = RECOVERY_RESTARTS_MAX;
    pass(SEC);
    forget();
    static const unsigned delays_s[] = {1, 2, 4, 8, 16, 32, 60, 60};
    for (size_t i = 0; i < ARRAY_LEN(delays_s); i++) {
        crash();
        pass(delays_s[i] * SEC);
        assert_false(world.lives);
        turn();
        assert_true(world.lives);
        world.now_us += SEC / 10;
    }
    reload();
    turn();
    assert_true(world.lives);
    crash();
    forget();
    usec_t now_us = world.now_us;
    pass(SEC);
    assert_false(world.lives);
    turn();
    assert_true(world.lives);
    assert_int_equal(world.now_us - now_us, SEC);
}

static void what_cannot_start_is_tried_again_with_the_same_delays(void **state)
{
    (void)state;
    begin_world();
    world.never_runs = true;
    pass(0);
    fail_to_start();
    pass(1500 * USEC_PER_MSEC);
    fail_to_start();
    world.no_process = true;
    pass(8 * SEC);
    expect_diary("0 start\n0 gone: none\n1 start\n1.5 gone: none\n3.5 start\n7.5 start\n");
    assert_int_equal(word_of(&world.vitals.mandate.ends[CAUSE_NONE]), 0);
    assert_int_equal(world.recovery.phase, RECOVERY_NORMAL); /* nothing was run that kills */
}

static void whoever_mended_the_file_does_not_wait(void **state)
{
    (void)state;
    begin_running();
    crash();
    pass(SEC + 500 * USEC_PER_MSEC);
    crash();
    recovery_mended(&world.recovery, world.now_us);
    pass(0);
    expect_diary("1 gone: crash, SIGSEGV\n2 start\n2.5 gone: crash, SIGSEGV\n2.5 start\n");
    recovery_mended(&world.recovery, world.now_us); /* nothing to hurry while one lives */
    pass(SEC);
    expect_diary("");
}

static void a_stop_is_the_end(void **state)
{
    (void)state;
    begin_running();
    crash();
    recovery_stop(&world.recovery, world.now_us);
    pass(3600 * SEC);
    expect_diary("1 gone: crash, SIGSEGV\n");
    assert_int_equal(world.recovery.phase, RECOVERY_NORMAL);
    begin_running();
    world.recovery.settings.restarts = 1; /* nor is one that ends badly then a crash loop */
    recovery_stop(&world.recovery, world.now_us);
    crash();
    assert_int_equal(world.recovery.phase, RECOVERY_NORMAL);
}

/* Safe mode. */

static void ends_within_the_window_lead_to_safe_mode(void **state)
{
    (void)state;
    static const struct {
        unsigned restarts;
        usec_t window_us, apart_us;
        unsigned ends;
        bool safe;
    } rows[] = {
        {3, 600 * SEC, 100 * SEC, 2, false},    {3, 600 * SEC, 100 * SEC, 3, true},
        {3, 600 * SEC, 301 * SEC, 9, false},    {3, 600 * SEC, 299 * SEC, 3, true},
        {5, 80 * SEC, 20 * SEC, 4, false},      {5, 81 * SEC, 20 * SEC, 5, true},
        {5, 80 * SEC, 20 * SEC, 6, false},      {2, 60 * SEC, 5 * SEC, 2, true},
        {32, 86400 * SEC, 70 * SEC, 31, false}, {32, 86400 * SEC, 70 * SEC, 32, true},
        {33, 86400 * SEC, 70 * SEC, 32, true}, /* more than it can remember */
        {0, 86400 * SEC, 70 * SEC, 40, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        begin_world();
        world.settings.restarts = rows[i].restarts;
        world.settings.restart_window_us = rows[i].window_us;
        world.settings.safe_us = USEC_PER_DAY; /* no configuration proves itself here */
        for (unsigned j = 0; j < rows[i].ends; j++) {
            assert_int_equal(world.recovery.phase, RECOVERY_NORMAL);
            pass(rows[i].apart_us);
            if (!world.lives) {
                fail_msg("row %zu: no life at %u", i, j);
            }
            crash();
        }
        if ((world.recovery.phase == RECOVERY_SAFE) != rows[i].safe) {
            fail_msg("row %zu: %s", i, recovery_phase_name(world.recovery.phase));
        }
    }
}

static void orderly_ends_and_reloads_are_no_crash_loop(void **state)
{
    (void)state;
    begin_running();
    for (unsigned i = 0; i < 20; i++) {
        reload();
        pass(SEC);
        assert_true(world.lives);
    }
    assert_int_equal(world.recovery.phase, RECOVERY_NORMAL);
    crash();
    pass(2 * SEC);
    crash();
    pass(3 * SEC);
    reload(); /* a new configuration is a new beginning */
    pass(1 * SEC);
    crash();
    pass(2 * SEC);
    crash();
    assert_int_equal(world.recovery.phase, RECOVERY_NORMAL);
    pass(3 * SEC);
    crash();
    assert_int_equal(world.recovery.phase, RECOVERY_SAFE);
}

static void groups_are_let_back_in_one_by_one_and_then_all_is_normal(void **state)
{
    (void)state;
    begin_running();
    crash_into_safe_mode();
    assert_int_equal(word_of(&world.vitals.mandate.barred), 0xff);
    assert_int_equal(word_of(&world.vitals.mandate.safe), 1);
    world.now_us = world.recovery.respawn_us; /* 4 s after the third end */
    usec_t begin_us = world.now_us;
    pass(300 * SEC);
    char expected[1024];
    size_t used = 0;
    double at = (double)begin_us / SEC;
    used += (size_t)snprintf(expected, sizeof expected, "%g start\n", at);
    at += 100; /* safe, from the birth of the life on */
    used += (size_t)snprintf(expected + used, sizeof expected - used, "%g phase rejoining\n", at);
    for (unsigned i = 0; i < 8; i++) {
        used += (size_t)snprintf(expected + used, sizeof expected - used, "%g barred %02x\n", at,
                                 0xff & ~((2u << i) - 1));
        at += 10;
    }
    (void)snprintf(expected + used, sizeof expected - used,
                   "%g phase normal\n%g keep this configuration\n", at, at + 100);
    assert_string_equal(world.diary, expected);
    assert_int_equal(word_of(&world.vitals.mandate.safe), 0);
    assert_int_equal(world.recovery.restart_count, 0);
}

/* Where `killer` kills the agent as soon as it is let in: a group, or 8 for none. */
static void pass_with_killer(usec_t for_us, unsigned killer)
{
    usec_t end_us = world.now_us + for_us;
    while (world.now_us < end_us) {
        pass(SEC / 4);
        bool runs = word_of(&world.vitals.running) != 0;
        if (world.lives && runs && killer < 8 &&
            (word_of(&world.vitals.mandate.barred) & 1u << killer) == 0) {
            crash();
        }
    }
}

static void a_group_that_kills_is_suspended_and_the_others_run(void **state)
{
    (void)state;
    for (unsigned killer = 0; killer < 8; killer++) {
        begin_running();
        pass_with_killer(600 * SEC, killer);
        assert_int_equal(world.recovery.phase, RECOVERY_NORMAL);
        assert_int_equal(word_of(&world.vitals.mandate.barred), 1u << killer);
        assert_int_equal(world.recovery.failed_exits, 0);
        assert_null(strstr(world.diary, "keep")); /* it never ran whole */
        unsigned begun = world.lives_begun;
        pass_with_killer(86000 * SEC - world.now_us, killer);
        assert_int_equal(world.lives_begun, begun); /* nothing happens for a day */
        pass_with_killer(4000 * SEC, 8);            /* then it is tried again, and is well now */
        assert_int_equal(world.lives_begun, begun);
        assert_int_equal(word_of(&world.vitals.mandate.barred), 0);
        assert_int_equal(world.recovery.phase, RECOVERY_NORMAL);
        assert_non_null(strstr(world.diary, "keep"));
    }
}

static void a_group_that_still_kills_after_a_day_waits_for_another_one(void **state)
{
    (void)state;
    begin_running();
    pass_with_killer(600 * SEC, 5);
    unsigned begun = world.lives_begun;
    pass_with_killer(87500 * SEC - world.now_us, 5);
    assert_in_range(world.lives_begun, begun + 1, begun + 2);
    assert_int_equal(world.recovery.phase, RECOVERY_NORMAL);
    assert_int_equal(word_of(&world.vitals.mandate.barred), 1u << 5);
}

static void an_agent_that_dies_with_the_canary_alone_stays_in_safe_mode(void **state)
{
    (void)state;
    begin_running();
    world.settings.exits = 2;
    crash_into_safe_mode();
    pass(5 * SEC);
    crash();
    assert_int_equal(world.recovery.phase, RECOVERY_SAFE);
    pass(60 * SEC);
    crash();
    assert_int_equal(world.recovery.phase, RECOVERY_STAYING);
    assert_int_equal(word_of(&world.vitals.mandate.barred), 0xff);
    forget();
    pass(60 * SEC);
    for (unsigned i = 0; i < 30; i++) { /* it is started again, whatever happens */
        assert_true(world.lives);
        crash();
        pass(61 * SEC);
    }
    assert_int_equal(world.recovery.phase, RECOVERY_STAYING);
    forget();
    pass(USEC_PER_DAY); /* after a day that was well it tries again */
    assert_int_equal(world.recovery.phase, RECOVERY_NORMAL);
    assert_int_equal(word_of(&world.vitals.mandate.barred), 0);
}

static void what_proved_itself_runs_on_when_safe_mode_cannot_be_left(void **state)
{
    (void)state;
    begin_running();
    world.settings.exits = 1;
    pass_with_killer(600 * SEC, 4);
    assert_int_equal(world.recovery.phase, RECOVERY_STAYING);
    assert_int_equal(word_of(&world.vitals.mandate.barred), 0xf0); /* 1 to 4 were well before it */
    assert_int_equal(word_of(&world.vitals.mandate.safe), 1);
}

static void what_stayed_for_a_day_has_all_its_tries_again(void **state)
{
    (void)state;
    begin_running();
    world.settings.exits = 2;
    crash_into_safe_mode();
    for (unsigned i = 0; i < 2; i++) {
        pass(20 * SEC);
        crash();
    }
    assert_int_equal(world.recovery.phase, RECOVERY_STAYING);
    pass(USEC_PER_DAY + 70 * SEC);
    assert_int_equal(world.recovery.phase, RECOVERY_REJOINING);
    crash();
    assert_int_equal(world.recovery.phase, RECOVERY_SAFE);
}

static void a_reload_ends_safe_mode_from_everywhere(void **state)
{
    (void)state;
    for (unsigned at = 0; at < 3; at++) {
        begin_running();
        world.settings.exits = 1;
        crash_into_safe_mode();
        if (at == 1) {
            pass(120 * SEC);
            assert_int_equal(world.recovery.phase, RECOVERY_REJOINING);
        } else {
            pass(10 * SEC);
        }
        if (at == 2) {
            crash();
            assert_int_equal(world.recovery.phase, RECOVERY_STAYING);
            pass(60 * SEC);
        }
        reload();
        assert_int_equal(world.recovery.phase, RECOVERY_NORMAL);
        assert_int_equal(word_of(&world.vitals.mandate.barred), 0);
        forget();
        turn();
        assert_true(world.lives);
    }
}

/* The last known good configuration. */

static void a_configuration_is_kept_once_it_ran_well_for_safe_time(void **state)
{
    (void)state;
    begin_world();
    pass(99 * SEC);
    expect_diary("0 start\n");
    pass(2 * SEC);
    expect_diary("100 keep this configuration\n");
    pass(2000 * SEC);
    expect_diary("");
    reload();
    pass(SEC);
    reload();
    pass(200 * SEC);
    expect_diary("2101 gone: reload\n2101 start\n2102 gone: reload\n2102 start\n"
                 "2202 keep this configuration\n");
}

static void nothing_is_kept_before_all_probes_run_again(void **state)
{
    (void)state;
    begin_running();
    world.settings.step_us = 60 * SEC; /* letting them in takes longer than safe_time */
    crash_into_safe_mode();
    pass(580 * SEC);
    assert_int_equal(world.recovery.phase, RECOVERY_REJOINING);
    assert_null(strstr(world.diary, "keep"));
    pass(300 * SEC);
    assert_non_null(strstr(world.diary, "phase normal\n"));
    assert_non_null(strstr(world.diary, "keep"));
}

static void nothing_is_good_before_something_was_kept(void **state)
{
    (void)state;
    begin_running();
    world.good = world.file; /* says it */
    pass(200 * SEC);
    expect_diary("100 keep this configuration\n");
}

static void an_agent_that_never_got_to_run_keeps_nothing(void **state)
{
    (void)state;
    begin_world();
    world.starts_in_us = 50 * SEC;
    world.settings.safe_us = 10 * SEC;
    world.recovery.settings.safe_us = 10 * SEC;
    pass(49 * SEC);
    expect_diary("0 start\n");
    pass(2 * SEC);
    expect_diary("50 keep this configuration\n");
}

static void a_new_configuration_that_kills_is_left_for_the_good_one(void **state)
{
    (void)state;
    begin_world();
    pass(150 * SEC);
    reload();
    crash_into_safe_mode();
    pass(20 * SEC);
    assert_non_null(strstr(world.diary, "start with the good configuration"));
    assert_int_equal(word_of(&world.vitals.mandate.good), 1);
    pass(300 * SEC);
    assert_int_equal(world.recovery.phase, RECOVERY_NORMAL);
    assert_int_equal(word_of(&world.vitals.mandate.good), 1); /* until somebody mends the file */
    assert_null(strstr(world.diary, "keep"));
    forget();
    crash();
    pass(9 * SEC);
    assert_non_null(strstr(world.diary, "start with the good configuration"));
    forget();
    reload();
    pass(SEC);
    assert_non_null(strstr(world.diary, "start\n"));
    assert_int_equal(word_of(&world.vitals.mandate.good), 0);
}

static void the_good_one_that_kills_itself_is_not_called_another(void **state)
{
    (void)state;
    begin_world();
    pass(150 * SEC);
    crash_into_safe_mode();
    pass(20 * SEC);
    assert_null(strstr(world.diary, "good"));
    assert_int_equal(word_of(&world.vitals.mandate.good), 0);
}

static void a_file_that_was_changed_in_silence_and_kills_is_left_for_the_good_one(void **state)
{
    (void)state;
    begin_world();
    pass(150 * SEC);
    world.file++; /* and nobody said so: it is read when a life ends for whatever reason */
    crash_into_safe_mode();
    pass(20 * SEC);
    assert_non_null(strstr(world.diary, "start with the good configuration"));
    begin_world();
    pass(150 * SEC);
    world.file++;
    crash();
    world.never_runs = true; /* it kills before it has told anybody what it runs */
    for (unsigned i = 0; i < 2; i++) {
        pass(3 * SEC);
        crash();
    }
    world.never_runs = false;
    pass(20 * SEC);
    assert_non_null(strstr(world.diary, "start with the good configuration"));
}

static void a_file_that_turned_bad_is_left_for_the_good_one(void **state)
{
    (void)state;
    begin_world();
    pass(150 * SEC);
    crash();
    world.never_runs = true;
    pass(SEC + 1);
    forget();
    refuse_the_file();
    world.never_runs = false;
    pass(3 * SEC);
    expect_diary("151 gone: none\n153 start with the good configuration\n");
    crash();
    recovery_mended(&world.recovery, world.now_us); /* it was mended */
    pass(SEC);
    assert_non_null(strstr(world.diary, "start\n"));
}

static void a_life_that_starts_again_by_itself_changes_nothing_but_itself(void **state)
{
    (void)state;
    begin_running();
    crash_into_safe_mode();
    pass(20 * SEC);
    forget();
    gone((struct run_end){.cause = CAUSE_RELOAD, .task = VITAL_NONE, .exit_code = 68});
    assert_int_equal(world.recovery.phase, RECOVERY_SAFE);
    assert_int_equal(world.recovery.failed_exits, 0);
    pass(60 * SEC);
    assert_true(world.lives);
    assert_int_equal(world.recovery.phase, RECOVERY_SAFE);
    reload();
    assert_int_equal(world.recovery.phase, RECOVERY_NORMAL);
}

static void without_a_good_one_the_file_is_tried_again(void **state)
{
    (void)state;
    begin_world();
    pass(50 * SEC);
    reload();
    crash_into_safe_mode();
    pass(20 * SEC);
    assert_null(strstr(world.diary, "good"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_row_may_stand_still_until_its_own_limit_and_no_longer),
        cmocka_unit_test(what_moves_or_rests_or_begins_anew_does_not_hang),
        cmocka_unit_test(a_limit_that_is_made_longer_counts_from_the_last_progress),
        cmocka_unit_test(the_probe_in_hand_is_named_and_nonsense_is_not_believed),
        cmocka_unit_test(a_hang_is_seen_within_a_tenth_of_what_it_may_take),
        cmocka_unit_test(an_agent_that_sigabrt_does_not_end_is_killed_after_abort),
        cmocka_unit_test(an_agent_that_hangs_while_it_is_to_stop_is_ended_too),
        cmocka_unit_test(the_machine_that_stood_still_is_not_held_against_the_agent),
        cmocka_unit_test(the_time_to_end_is_not_spent_while_the_machine_stands_still),
        cmocka_unit_test(a_leak_is_ended_once_it_lasts),
        cmocka_unit_test(the_delay_before_a_new_life_doubles_and_a_reload_forgets_it),
        cmocka_unit_test(what_cannot_start_is_tried_again_with_the_same_delays),
        cmocka_unit_test(whoever_mended_the_file_does_not_wait),
        cmocka_unit_test(a_stop_is_the_end),
        cmocka_unit_test(ends_within_the_window_lead_to_safe_mode),
        cmocka_unit_test(orderly_ends_and_reloads_are_no_crash_loop),
        cmocka_unit_test(groups_are_let_back_in_one_by_one_and_then_all_is_normal),
        cmocka_unit_test(a_group_that_kills_is_suspended_and_the_others_run),
        cmocka_unit_test(a_group_that_still_kills_after_a_day_waits_for_another_one),
        cmocka_unit_test(an_agent_that_dies_with_the_canary_alone_stays_in_safe_mode),
        cmocka_unit_test(what_proved_itself_runs_on_when_safe_mode_cannot_be_left),
        cmocka_unit_test(what_stayed_for_a_day_has_all_its_tries_again),
        cmocka_unit_test(a_reload_ends_safe_mode_from_everywhere),
        cmocka_unit_test(a_configuration_is_kept_once_it_ran_well_for_safe_time),
        cmocka_unit_test(nothing_is_kept_before_all_probes_run_again),
        cmocka_unit_test(nothing_is_good_before_something_was_kept),
        cmocka_unit_test(an_agent_that_never_got_to_run_keeps_nothing),
        cmocka_unit_test(a_new_configuration_that_kills_is_left_for_the_good_one),
        cmocka_unit_test(the_good_one_that_kills_itself_is_not_called_another),
        cmocka_unit_test(a_file_that_was_changed_in_silence_and_kills_is_left_for_the_good_one),
        cmocka_unit_test(a_file_that_turned_bad_is_left_for_the_good_one),
        cmocka_unit_test(a_life_that_starts_again_by_itself_changes_nothing_but_itself),
        cmocka_unit_test(without_a_good_one_the_file_is_tried_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
