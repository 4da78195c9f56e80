/* Guards against a part of the agent that stands still while its row says that all is well, or is
 * at rest; a row that is armed while there is nothing to do, which would end an agent that is well;
 * a probe that takes the processor from all others and is never slowed down, and one that is slowed
 * down because its target is dead; and a push that hangs and is dropped for ever, or not at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent_world.h"

static struct world world;

#define BOOT_US    (90 * USEC_PER_SEC)
#define HANG_US    (5 * USEC_PER_SEC)
#define OVERRUN_US (250 * USEC_PER_MSEC)

#define AGENT "[agent]\nsite = s\nconcurrency = 2\n"
#define PUSH  "[push]\nurl = http://x\ninterval = 10s\ntimeout = 10s\n"
#define PROBE "[fake a]\nurl = a0\ninterval = 2s\ntimeout = 1s\n"
#define OTHER "[fake b]\nurl = b0\ninterval = 2s\ntimeout = 1s\n"

static void begin(const char *text)
{
    world_begin(&world, text, BOOT_US, 1);
}

static void run_for(usec_t duration_us)
{
    (void)world_run_until(&world, world.now_us + duration_us, 0);
}

static uint64_t cared(enum care care)
{
    return store_ledger(&world.agent.store)->totals.counters[LEDGER_CARE_FIRST + (unsigned)care];
}

/* Level 0: probes that end late. */

static struct {
    usec_t by_us;   /* past the timeout */
    unsigned every; /* so many-th run, the others are in time */
} late;

static void plan_late(struct world *at, unsigned target, struct world_run *run)
{
    bool is_late = at->started[target] % late.every == 0;
    usec_t timeout_us = config_target_probe(&at->config, target)->timeout_us;
    run->result.duration_us = timeout_us + (is_late ? late.by_us : 0);
    result_fail(&run->result, REASON_TIMEOUT, PHASE_PROCESSING, "no answer");
    run->ends_us = at->now_us + run->result.duration_us;
}

static void begin_late(const char *text, usec_t by_us, unsigned every)
{
    begin(text);
    late.by_us = by_us;
    late.every = every;
    world.plan = plan_late;
}

/* Starts in this time. */
static uint64_t starts_in(usec_t duration_us)
{
    uint64_t before = world.started[0];
    run_for(duration_us);
    return world.started[0] - before;
}

static void a_probe_that_keeps_ending_late_runs_less_and_less_often(void **state)
{
    (void)state;
    begin_late(AGENT PROBE, OVERRUN_US + 1, 1);
    uint64_t before = 0;
    for (unsigned slowed = 1; slowed <= 9; slowed++) { /* 4, 8 … 512 s, 10 min */
        while (cared(CARE_PROBE_SLOWED) < slowed && world.now_us < USEC_PER_DAY) {
            run_for(USEC_PER_SEC);
        }
        assert_int_equal(cared(CARE_PROBE_SLOWED), slowed);
        assert_in_range(world.started[0] - before, 20, 21);
        before = world.started[0];
    }
    assert_in_range(starts_in(100 * USEC_PER_MINUTE), 9, 10);
    run_for(USEC_PER_DAY);
    assert_int_equal(cared(CARE_PROBE_SLOWED), 9); /* not below every ten minutes */
    /* What was left out is missed. */
    uint64_t results = agent_sli(&world.agent, 0)->results[OUTCOME_FAILURE];
    uint64_t due = world_points(&world, 0, BOOT_US, world.now_us);
    uint64_t told = results + agent_sli(&world.agent, 0)->missed + world.runs[0].active;
    assert_in_range(told, due - 1, due);
    /* Once it ends in time it is what it was. */
    late.by_us = 0;
    run_for(11 * USEC_PER_MINUTE);
    assert_int_equal(starts_in(100 * USEC_PER_SEC), 50);
}

static void a_probe_whose_target_is_dead_runs_as_often_as_ever(void **state)
{
    static const struct {
        const char *text;
        usec_t by_us;
        unsigned every;
    } rows[] = {
        {AGENT PROBE, OVERRUN_US, 1},
        {AGENT PROBE, OVERRUN_US + 1, 3}, /* the most are in time */
        {AGENT PROBE "[watchdog]\noverruns = 0\n", OVERRUN_US + 1, 1},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        begin_late(rows[i].text, rows[i].by_us, rows[i].every);
        assert_in_range(starts_in(USEC_PER_HOUR), 1799, 1801);
        assert_int_equal(cared(CARE_PROBE_SLOWED), 0);
    }
}

/* Level 1: a push that does not end. */

static void
a_push_without_an_end_is_dropped_three_times_and_then_left_to_the_supervisor(void **state)
{
    (void)state;
    begin(AGENT PUSH PROBE "[watchdog]\nrestart_window = 1h\n");
    world.reply_takes_us = USEC_NEVER;
    for (unsigned dropped = 1; dropped <= 3; dropped++) {
        while (!world.sending) {
            run_for(USEC_PER_SEC);
        }
        usec_t due_us = world.submitted_us + 10 * USEC_PER_SEC + AGENT_OVERDUE_US;
        (void)world_run_until(&world, due_us, 0);
        assert_int_equal(world.resets, dropped - 1);
        assert_true(vital_is_armed(&world.vitals, VITAL_PUSH));
        run_for(USEC_PER_SEC + 1);
        assert_int_equal(world.resets, dropped);
        assert_int_equal(cared(CARE_PUSH_RESTARTED), dropped);
        assert_int_equal(vital_is_armed(&world.vitals, VITAL_PUSH), world.sending); /* the next */
    }
    while (!world.sending) {
        run_for(USEC_PER_SEC);
    }
    run_for(2 * USEC_PER_SEC);
    uint32_t progress = vitals_get(&world.vitals.rows[VITAL_PUSH].progress);
    run_for(USEC_PER_HOUR);
    assert_int_equal(world.resets, 3);
    assert_true(vital_is_armed(&world.vitals, VITAL_PUSH));
    assert_int_equal(vitals_get(&world.vitals.rows[VITAL_PUSH].progress), progress);
    assert_int_equal(vitals_get(&world.vitals.rows[VITAL_PUSH].limit_ms),
                     (HANG_US + 10 * USEC_PER_SEC + 2 * AGENT_OVERDUE_US) / USEC_PER_MSEC);
}

/* Rows. */

static void plan_hang(struct world *at, unsigned target, struct world_run *run)
{
    run->ends_us = target == 0 ? USEC_NEVER : at->now_us + 10 * USEC_PER_MSEC;
    result_succeed(&run->result);
}

/* Whether it is armed, and stands still for a minute in which the loop turns. */
static bool stands_still(unsigned row)
{
    uint32_t progress = vitals_get(&world.vitals.rows[row].progress);
    uint32_t turns = vitals_get(&world.vitals.rows[VITAL_LOOP].progress);
    for (unsigned i = 0; i < 600; i++) {
        if (!vital_is_armed(&world.vitals, row)) {
            return false;
        }
        run_for(100 * USEC_PER_MSEC);
    }
    assert_true(vitals_get(&world.vitals.rows[VITAL_LOOP].progress) - turns > 60);
    return vitals_get(&world.vitals.rows[row].progress) == progress;
}

static void expect_limit(unsigned row, usec_t limit_us)
{
    assert_int_equal(vitals_get(&world.vitals.rows[row].limit_ms), limit_us / USEC_PER_MSEC);
}

static void plan_slow(struct world *at, unsigned target, struct world_run *run)
{
    (void)target;
    run->ends_us = at->now_us + 3 * USEC_PER_SEC;
    result_succeed(&run->result);
}

static void an_agent_with_nothing_to_do_has_no_row_armed_but_the_loops(void **state)
{
    (void)state;
    begin(AGENT "store = /x\nstore_size = 1M\ncommit = 1h\nflash = disk\n" PUSH
                "[fake a]\nurl = a0\ninterval = 1h\ntimeout = 5s\n");
    world.plan = plan_slow;
    while (!vital_is_armed(&world.vitals, VITAL_RUNS)) {
        run_for(100 * USEC_PER_MSEC);
    }
    while (world.sending || world.in_flight > 0 || world.device.busy) {
        run_for(USEC_PER_SEC);
    }
    run_for(2 * USEC_PER_SEC);
    for (unsigned row = 0; row < VITAL_COUNT; row++) {
        if (vital_is_armed(&world.vitals, row) != (row == VITAL_LOOP)) {
            fail_msg("row %s", vital_name(row));
        }
    }
    expect_limit(VITAL_LOOP, HANG_US);
}

static void the_loop_makes_progress_by_turning_and_by_nothing_else(void **state)
{
    (void)state;
    begin(AGENT PROBE);
    run_for(10 * USEC_PER_SEC);
    for (unsigned i = 0; i < 20; i++) {
        uint32_t before = vitals_get(&world.vitals.rows[VITAL_LOOP].progress);
        usec_t wake_us = agent_step(&world.agent, world.now_us);
        assert_int_equal(vitals_get(&world.vitals.rows[VITAL_LOOP].progress), before + 1);
        /* It comes back on its own before it counts as hanging. */
        assert_true(wake_us <= world.now_us + HANG_US / 2);
        world.now_us = usec_min(wake_us, usec_max(world_next_event(&world), world.now_us));
    }
}

static void a_run_without_an_end_stands_still_whatever_others_do(void **state)
{
    (void)state;
    begin(AGENT PROBE OTHER);
    world.plan = plan_hang;
    while (!world.runs[0].active) {
        run_for(100 * USEC_PER_MSEC);
    }
    run_for(USEC_PER_SEC + AGENT_OVERDUE_US);
    uint32_t moved = vitals_get(&world.vitals.rows[VITAL_RUNS].progress);
    assert_true(moved > 10); /* each second, while it may still end */
    run_for(2 * USEC_PER_SEC);
    uint64_t others = world.started[1];
    assert_true(stands_still(VITAL_RUNS));
    assert_int_equal(world.started[1] - others, 30);
    expect_limit(VITAL_RUNS, HANG_US + 10 * USEC_PER_SEC);
}

static void a_start_that_cannot_be_made_stands_still_until_one_can(void **state)
{
    (void)state;
    begin(AGENT PROBE OTHER);
    run_for(10 * USEC_PER_SEC);
    assert_false(vital_is_armed(&world.vitals, VITAL_SCHEDULE));
    world.refuses = true;
    run_for(3 * USEC_PER_SEC);
    assert_true(stands_still(VITAL_SCHEDULE));
    expect_limit(VITAL_SCHEDULE, HANG_US + USEC_PER_SEC + AGENT_OVERDUE_US);
    world.refuses = false;
    run_for(3 * USEC_PER_SEC);
    assert_false(vital_is_armed(&world.vitals, VITAL_SCHEDULE));
}

static void a_device_that_hangs_stands_still_until_it_is_given_up(void **state)
{
    static const char text[] =
        AGENT "store = /x\nstore_size = 1M\ncommit = 1s\nflash = disk\n" PROBE;
    (void)state;
    for (unsigned opening = 0; opening < 2; opening++) {
        begin(text);
        run_for(USEC_PER_MINUTE);
        world.device.takes_us = USEC_NEVER;
        if (opening) {
            world_kill(&world);
        }
        while (!world.device.busy) {
            run_for(100 * USEC_PER_MSEC);
        }
        run_for(USEC_PER_SEC);
        uint32_t progress = vitals_get(&world.vitals.rows[VITAL_STORE].progress);
        expect_limit(VITAL_STORE, HANG_US + STORE_HUNG_US + AGENT_OVERDUE_US);
        run_for(STORE_HUNG_US - 5 * USEC_PER_SEC);
        assert_true(vital_is_armed(&world.vitals, VITAL_STORE));
        assert_int_equal(vitals_get(&world.vitals.rows[VITAL_STORE].progress), progress);
        run_for(10 * USEC_PER_SEC);
        assert_int_equal(world.agent.store.state, STORE_MEMORY);
        assert_false(vital_is_armed(&world.vitals, VITAL_STORE));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_probe_that_keeps_ending_late_runs_less_and_less_often),
        cmocka_unit_test(a_probe_whose_target_is_dead_runs_as_often_as_ever),
        cmocka_unit_test(
            a_push_without_an_end_is_dropped_three_times_and_then_left_to_the_supervisor),
        cmocka_unit_test(an_agent_with_nothing_to_do_has_no_row_armed_but_the_loops),
        cmocka_unit_test(the_loop_makes_progress_by_turning_and_by_nothing_else),
        cmocka_unit_test(a_run_without_an_end_stands_still_whatever_others_do),
        cmocka_unit_test(a_start_that_cannot_be_made_stands_still_until_one_can),
        cmocka_unit_test(a_device_that_hangs_stands_still_until_it_is_given_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
