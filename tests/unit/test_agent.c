/* Guards against: a start that is lost or made twice, more runs at once than allowed, totals
 * upstream that differ from what was measured, a stop that hangs or forgets, a log that floods. The
 * agent is the one that ships; agent_world.h is all around it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent_world.h"
#include "status_render.h"

static struct world world;

#define BOOT_US (90 * USEC_PER_SEC)

static const char site_text[] = "[agent]\n"
                                "site = branch-0042\n"
                                "concurrency = 3\n"
                                "[push]\n"
                                "url = https://push.example.net:9091\n"
                                "interval = 5m\n"
                                "[fake portal]\n"
                                "url = a0\nurl = a1\nurl = a2\n"
                                "interval = 60s\ntimeout = 50s\n"
                                "slo = latency 95% 800ms 30d\n"
                                "[fake mail]\n"
                                "url = b0\nurl = b1\n"
                                "interval = 90s\ntimeout = 10s\n"
                                "[fake off]\n"
                                "url = c0\ninterval = 30s\nenabled = off\n"
                                "[fake cert]\n"
                                "url = d0\ninterval = 1h\ntimeout = 30s\n";

/* One of six takes up to its timeout and fails, one of fifty is unknown; a run may end 250 ms past
 * its deadline, which the port allows. */
static void plan_mixed(struct world *at, unsigned target, struct world_run *run)
{
    usec_t timeout_us = config_target_probe(&at->config, target)->timeout_us;
    usec_t takes_us = (usec_t)prng_below(&at->prng, 900 * USEC_PER_MSEC);
    uint64_t dice = prng_below(&at->prng, 300);
    if (dice < 50) {
        takes_us = (usec_t)prng_below(&at->prng, (uint64_t)timeout_us) + 250 * USEC_PER_MSEC;
        result_fail(&run->result, dice < 25 ? REASON_TIMEOUT : REASON_STATUS, PHASE_PROCESSING,
                    "HTTP %d", 503);
    } else if (dice < 56) {
        result_unknown(&run->result, PHASE_NONE, "no clock");
    } else {
        result_succeed(&run->result);
    }
    run->result.duration_us = takes_us;
    run->ends_us = at->now_us + takes_us;
}

static void plan_hang(struct world *at, unsigned target, struct world_run *run)
{
    (void)at;
    (void)target;
    run->ends_us = USEC_NEVER;
}

static uint64_t attempts(enum upstream_class class)
{
    return store_ledger(&world.agent.store)->totals.counters[LEDGER_PUSH_FIRST + (unsigned)class];
}

static uint64_t results_of(unsigned target)
{
    const uint64_t *results = agent_sli(&world.agent, target)->results;
    return results[OUTCOME_SUCCESS] + results[OUTCOME_FAILURE] + results[OUTCOME_UNKNOWN];
}

/* Promise 2, to the last start: run, missed, running now, or waiting now. */
static void check_every_start(usec_t from_us)
{
    for (unsigned i = 0; i < world.config.target_count; i++) {
        if (!config_target_probe(&world.config, i)->enabled) {
            assert_int_equal(results_of(i) + agent_sli(&world.agent, i)->missed + world.started[i],
                             0);
            continue;
        }
        const struct schedule_entry *entry = &world.agent.schedule.entries[i];
        uint64_t waiting = entry->due_us <= world.now_us;
        assert_int_equal(results_of(i) + world.runs[i].active + agent_sli(&world.agent, i)->missed +
                             waiting,
                         world_points(&world, i, from_us, world.now_us));
        for (unsigned outcome = 0; outcome < OUTCOME_COUNT; outcome++) {
            assert_int_equal(agent_sli(&world.agent, i)->results[outcome], world.ended[i][outcome]);
        }
    }
}

static void agent_runs_or_counts_every_start_over_a_month(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 2; seed++) {
        usec_t from_us = BOOT_US + (usec_t)seed * 12345;
        uint64_t missed = 0, turns = 0;
        world_begin(&world, site_text, from_us, seed);
        world.plan = plan_mixed;
        world.decode_every = 97;
        for (unsigned day = 0; day < 30; day++) {
            world.refuses = day % 7 == 3;
            turns += world_run_until(&world, world.now_us + USEC_PER_HOUR, 5 * USEC_PER_MINUTE);
            world.refuses = false;
            turns += world_run_until(&world, world.now_us + USEC_PER_DAY - USEC_PER_HOUR,
                                     5 * USEC_PER_MINUTE);
            (void)agent_step(&world.agent, world.now_us);
            check_every_start(from_us);
        }
        for (unsigned i = 0; i < world.config.target_count; i++) {
            missed += agent_sli(&world.agent, i)->missed;
        }
        assert_true(missed > 1000); /* the month had stalls and refusals, or nothing was shown */
        assert_int_equal(world.in_flight_max, 3);
        assert_true(world.decoded > 50 && world.accepted > 5000);
        assert_true(turns < 3000000); /* the loop does not spin */
    }
}

static void agent_shares_the_slots_among_all_targets(void **state)
{
    (void)state;
    char text[2048];
    struct buffer out;
    buffer_init(&out, text, sizeof text);
    buffer_printf(&out, "[agent]\nconcurrency = 2\n[fake x]\ninterval = 10s\ntimeout = 10s\n");
    for (unsigned i = 0; i < 20; i++) {
        buffer_printf(&out, "url = t%u\n", i);
    }
    world_begin(&world, buffer_text(&out), BOOT_US, 1);
    /* Twenty targets, each wants a slot for 10 ms in 10 s: all fit. */
    (void)world_run_until(&world, BOOT_US + USEC_PER_HOUR, 0);
    for (unsigned i = 0; i < 20; i++) {
        assert_in_range(world.started[i], 359, 361);
        assert_int_equal(agent_sli(&world.agent, i)->missed, 0);
    }
    /* Two slots that come free every 5 s: a fifth of the starts fits, for each of them. */
    world_begin(&world, buffer_text(&out), BOOT_US, 1);
    world.plan = plan_hang;
    for (usec_t now_us = BOOT_US; now_us < BOOT_US + USEC_PER_HOUR; now_us += 5 * USEC_PER_SEC) {
        for (unsigned i = 0; i < 20; i++) {
            world.runs[i].ends_us = now_us;
        }
        (void)world_run_until(&world, now_us + 5 * USEC_PER_SEC, 0);
    }
    assert_int_equal(world.in_flight_max, 2);
    for (unsigned i = 0; i < 20; i++) {
        assert_in_range(world.started[i], 60, 80);
        assert_true(agent_sli(&world.agent, i)->missed > 200);
    }
}

static void agent_asks_a_prober_that_refused_again_soon(void **state)
{
    (void)state;
    world_begin(&world, site_text, BOOT_US, 1);
    world.refuses = true;
    (void)world_run_until(&world, BOOT_US + 10 * USEC_PER_MINUTE, 0);
    assert_int_equal(world.in_flight_max, 0);
    uint64_t turns = world_run_until(&world, world.now_us + USEC_PER_MINUTE, 0);
    assert_in_range(turns, 500, 700);
    world.refuses = false;
    (void)world_run_until(&world, world.now_us + 150 * USEC_PER_MSEC, 0);
    assert_true(world.in_flight_max > 0);
}

static void agent_totals_are_exact_after_a_day_without_upstream(void **state)
{
    (void)state;
    world_begin(&world, site_text, BOOT_US, 7);
    world.plan = plan_mixed;
    world.away_from_us = BOOT_US + USEC_PER_HOUR;
    world.away_until_us = BOOT_US + 25 * USEC_PER_HOUR;
    (void)world_run_until(&world, world.away_until_us, 0);
    assert_true(world.agent.push.failures_in_row > 200);
    assert_true(world.agent.push_failing_since_us > 0);
    uint64_t accepted = world.accepted;
    world.decode_every = 1;
    (void)world_run_until(&world, world.away_until_us + PUSH_BACKOFF_CAP + USEC_PER_SEC, 0);
    assert_true(world.accepted > accepted);
    assert_true(world.last_body_was_whole);
    assert_true(world_sample("picket_probe_results_total", "a0", "success") > 1000);
    assert_int_equal(world.agent.push.failures_in_row, 0);
    assert_int_equal(world.agent.push_failing_since_us, 0);
    assert_int_equal(attempts(UPSTREAM_ACCEPTED) + attempts(UPSTREAM_UNREACHABLE), world.submitted);
}

static unsigned lines_with(const char *part)
{
    unsigned count = 0;
    for (unsigned i = 0; i < world.line_count && i < WORLD_LINES; i++) {
        count += strstr(world.lines[i], part) != NULL;
    }
    return count;
}

static void agent_tells_a_push_outage_once(void **state)
{
    (void)state;
    world_begin(&world, site_text, BOOT_US, 7);
    world.away_from_us = BOOT_US + 3 * USEC_PER_HOUR;
    world.away_until_us = BOOT_US + 9 * USEC_PER_HOUR;
    (void)world_run_until(&world, BOOT_US + 12 * USEC_PER_HOUR, 0);
    assert_int_equal(lines_with("push: first body accepted"), 1);
    assert_int_equal(lines_with("push: failed (unreachable): connection refused"), 1);
    assert_int_equal(lines_with("push: accepted again after 21"), 1); /* 6 h are 21600 s */
    assert_int_equal(world.line_count, 3);
}

static void agent_tells_each_kind_of_push_failure(void **state)
{
    (void)state;
    static const struct upstream_reply replies[] = {
        {.class = UPSTREAM_REJECTED, .http_status = 400, .note = "invalid metrics"},
        {.class = UPSTREAM_REJECTED, .http_status = 404, .note = "not found"},
        {.class = UPSTREAM_BUSY, .http_status = 503, .note = "later"},
        {.class = UPSTREAM_TIMEOUT, .note = "no answer"},
        {.class = UPSTREAM_ACCEPTED, .http_status = 200},
    };
    world_begin(&world, site_text, BOOT_US, 7);
    for (size_t i = 0; i < ARRAY_LEN(replies); i++) {
        world.reply = replies[i];
        for (uint64_t before = world.submitted; world.submitted == before || world.sending;) {
            (void)world_run_until(&world, world.now_us + USEC_PER_SEC, 0);
        }
    }
    assert_int_equal(world.line_count, 4);
    assert_string_equal(world.lines[0], "push: failed (rejected, HTTP 400): invalid metrics");
    assert_string_equal(world.lines[1], "push: failed (busy, HTTP 503): later");
    assert_string_equal(world.lines[2], "push: failed (timeout): no answer");
    assert_non_null(strstr(world.lines[3], "push: accepted again after "));
}

/* A body that was cut would be read as a group whose counters fell. */
static void agent_never_sends_a_body_that_was_cut(void **state)
{
    (void)state;
    world_begin(&world, site_text, BOOT_US, 7);
    world.agent.body.size = 1000;
    (void)world_run_until(&world, BOOT_US + USEC_PER_HOUR, 0);
    assert_int_equal(world.submitted, 0);
    assert_true(world.errors > 5);
    assert_int_equal(attempts(UPSTREAM_REJECTED), world.errors);
    assert_int_equal(lines_with("push: failed (rejected): the body does not fit its buffer"), 1);
}

static void agent_body_bound_holds(void **state)
{
    (void)state;
    world_begin(&world, site_text, BOOT_US, 7);
    world.plan = plan_mixed;
    world.agent.body.size = metrics_body_bound(&world.config);
    world.decode_every = 1;
    (void)world_run_until(&world, BOOT_US + USEC_PER_DAY, 0);
    assert_int_equal(world.errors, 0);
    assert_true(world.decoded > 250);
}

static void agent_survives_a_transport_that_cannot_begin(void **state)
{
    (void)state;
    world_begin(&world, site_text, BOOT_US, 7);
    world.transport_broken = true;
    uint64_t turns = world_run_until(&world, BOOT_US + USEC_PER_HOUR, 0);
    assert_true(turns < 2000 + 3600); /* the loop comes round once a second */
    assert_int_equal(lines_with("push: failed (unreachable): the transport could not begin"), 1);
    world.transport_broken = false;
    (void)world_run_until(&world, world.now_us + 2 * PUSH_BACKOFF_CAP, 0);
    assert_true(world.accepted > 0);
}

/* Stop. What is left of the runs and the push decides how it ends; the totals always agree. */

enum push_mood { PUSH_WELL, PUSH_SLOW, PUSH_SILENT, PUSH_AWAY, PUSH_BROKEN };

static void agent_stop_pushes_the_last_totals_and_ends_in_time(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool hang;            /* the runs in flight never end */
        enum push_mood mood;  /* of the push before and of the final one */
        bool push_in_flight;  /* at the stop */
        unsigned submissions; /* from the stop on */
    } rows[] = {
        {"all is well", false, PUSH_WELL, false, 1},
        {"runs hang", true, PUSH_WELL, false, 1},
        {"a push is on its way", false, PUSH_SLOW, true, 1},
        {"a push is on its way, runs hang", true, PUSH_SLOW, true, 1},
        {"the server is silent", false, PUSH_SILENT, false, 1},
        {"the server was silent before", false, PUSH_SILENT, true, 0},
        {"the last push failed", false, PUSH_AWAY, false, 1},
        {"the transport is broken", true, PUSH_BROKEN, false, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        world_begin(&world, site_text, BOOT_US, i);
        (void)world_run_until(&world, BOOT_US + USEC_PER_HOUR, 0);
        world.plan = rows[i].hang ? plan_hang : world_plan_success;
        while (world.in_flight == 0) {
            (void)world_run_until(&world, world.now_us + USEC_PER_MSEC, 0);
        }
        world.decode_every = 1;
        world.reply_takes_us = rows[i].mood == PUSH_SLOW     ? 2 * USEC_PER_SEC
                               : rows[i].mood == PUSH_SILENT ? USEC_NEVER
                                                             : 20 * USEC_PER_MSEC;
        if (rows[i].mood == PUSH_AWAY) {
            world.away_until_us = USEC_NEVER;
            world.agent.push.failures_in_row = 9;
            world.agent.push.due_us = world.now_us + PUSH_BACKOFF_CAP;
        }
        if (rows[i].push_in_flight) {
            world.agent.push.due_us = world.now_us;
            (void)agent_step(&world.agent, world.now_us);
            assert_true(world.sending);
        }
        world.transport_broken = rows[i].mood == PUSH_BROKEN;
        uint64_t before = world.submitted;
        usec_t deadline_us = world.now_us + 10 * USEC_PER_SEC;
        agent_stop(&world.agent, CAUSE_STOP, deadline_us);
        uint64_t turns = world_run_until(&world, deadline_us + USEC_PER_MINUTE, 0);
        print_message("%s\n", rows[i].name);
        assert_true(agent_stopped(&world.agent));
        assert_true(world.now_us <= deadline_us);
        assert_true(turns < 20);
        assert_int_equal(world.submitted - before, rows[i].submissions);
        if (rows[i].submissions > 0) {
            assert_true(world.last_body_was_whole);
            assert_int_equal(world_sample("picket_probe_missed_total", "a0", ""),
                             agent_sli(&world.agent, 0)->missed);
        }
        assert_int_equal(world.cancelled > 0, rows[i].hang);
        assert_true(agent_step(&world.agent, world.now_us) == USEC_NEVER);
    }
}

static void agent_stop_counts_what_it_cuts_off_as_missed(void **state)
{
    (void)state;
    world_begin(&world, site_text, BOOT_US, 3);
    world.plan = plan_hang;
    (void)world_run_until(&world, BOOT_US + 2 * USEC_PER_MINUTE, 0);
    assert_int_equal(world.in_flight, 3);
    agent_stop(&world.agent, CAUSE_STOP, world.now_us + 40 * USEC_PER_SEC);
    (void)world_run_until(&world, world.now_us + USEC_PER_MINUTE, 0);
    assert_true(agent_stopped(&world.agent));
    for (unsigned i = 0; i < world.config.target_count; i++) {
        if (config_target_probe(&world.config, i)->enabled) {
            assert_int_equal(results_of(i), 0);
            assert_int_equal(agent_sli(&world.agent, i)->missed,
                             world_points(&world, i, BOOT_US, world.agent.drain_until_us));
        }
    }
    assert_int_equal(world.cancelled, 3);
}

static void agent_stop_without_push_only_waits_for_runs(void **state)
{
    (void)state;
    world_begin(&world, "[fake x]\nurl = x\ninterval = 10s\n", BOOT_US, 3);
    while (world.in_flight == 0) {
        (void)world_run_until(&world, world.now_us + USEC_PER_MSEC, 0);
    }
    agent_stop(&world.agent, CAUSE_STOP, world.now_us + 10 * USEC_PER_SEC);
    usec_t asked_us = world.now_us;
    (void)world_run_until(&world, asked_us + USEC_PER_MINUTE, 0);
    assert_true(agent_stopped(&world.agent));
    assert_in_range(world.now_us - asked_us, 0, 11 * USEC_PER_MSEC);
    assert_int_equal(world.ended[0][OUTCOME_SUCCESS], 1);
    assert_int_equal(world.submitted, 0);
}

/* A loop that slept for long is woken by the signal: the time before that is not part of the share.
 */
static void agent_stop_after_a_long_sleep_leaves_runs_their_time(void **state)
{
    (void)state;
    world_begin(&world, site_text, BOOT_US, 3);
    world.plan = plan_hang;
    (void)world_run_until(&world, BOOT_US + 2 * USEC_PER_MINUTE, 0);
    world.now_us += 45 * USEC_PER_SEC;
    for (unsigned i = 0; i < world.config.target_count; i++) {
        world.runs[i].ends_us = world.now_us + 4 * USEC_PER_SEC;
    }
    agent_stop(&world.agent, CAUSE_STOP, world.now_us + 10 * USEC_PER_SEC);
    (void)world_run_until(&world, world.now_us + USEC_PER_MINUTE, 0);
    assert_true(agent_stopped(&world.agent));
    assert_int_equal(world.cancelled, 0);
    assert_int_equal(attempts(UPSTREAM_ACCEPTED), world.submitted);
}

static void agent_stop_may_be_brought_forward(void **state)
{
    (void)state;
    world_begin(&world, site_text, BOOT_US, 3);
    world.plan = plan_hang;
    world.reply_takes_us = USEC_NEVER;
    (void)world_run_until(&world, BOOT_US + 2 * USEC_PER_MINUTE, 0);
    agent_stop(&world.agent, CAUSE_STOP, world.now_us + USEC_PER_MINUTE);
    (void)agent_step(&world.agent, world.now_us);
    agent_stop(&world.agent, CAUSE_STOP, USEC_NEVER);
    assert_int_equal(world.agent.stop_deadline_us, world.now_us + USEC_PER_MINUTE);
    agent_stop(&world.agent, CAUSE_STOP, world.now_us);
    (void)agent_step(&world.agent, world.now_us);
    assert_true(agent_stopped(&world.agent));
}

static bool broken[WORLD_TARGETS];

static void plan_broken(struct world *at, unsigned target, struct world_run *run)
{
    world_plan_success(at, target, run);
    if (broken[target]) {
        run->result.decided = false;
        result_fail(&run->result, REASON_STATUS, PHASE_PROCESSING, "HTTP 503");
    }
}

/* Maintenance. */

/* Failures of an hour that was announced change no total but their own, and the page does not call
 * them failing; without a trusted clock nobody knows the hour, and they count. */
static void agent_keeps_runs_in_maintenance_apart(void **state)
{
    static const char text[] =
        "[fake portal]\nurl = p\ninterval = 60s\nslo = availability 99% 30d\n"
        "[fake mail]\nurl = m\ninterval = 60s\n"
        "[maintenance move]\nprobe = portal\n"
        "time = 2026-11-22T10:00:00Z 2026-11-22T11:00:00Z\n";
    const usec_t ten_us = 1795341600 * USEC_PER_SEC;
    (void)state;
    for (unsigned trusted = 0; trusted < 2; trusted++) {
        memset(broken, 0, sizeof broken);
        world_begin(&world, text, BOOT_US, 5);
        world.plan = plan_broken;
        /* It is half past nine. */
        world.wall_at_boot = (struct wall_time){.unix_us = ten_us - 30 * USEC_PER_MINUTE - BOOT_US,
                                                .trusted = trusted == 1};
        (void)world_run_until(&world, BOOT_US + 30 * USEC_PER_MINUTE, 0);
        const struct sli *portal = agent_sli(&world.agent, 0), *mail = agent_sli(&world.agent, 1);
        uint64_t before = portal->results[OUTCOME_SUCCESS];
        assert_true(before >= 29 && portal->maintenance <= 1);
        broken[0] = broken[1] = true;
        (void)world_run_until(&world, BOOT_US + 89 * USEC_PER_MINUTE, 0);
        assert_int_equal(status_state(&world.agent, 1), STATUS_FAIL);
        assert_in_range(mail->results[OUTCOME_FAILURE], 58, 60);
        assert_int_equal(mail->maintenance, 0);
        if (trusted == 0) {
            assert_in_range(portal->results[OUTCOME_FAILURE], 58, 60);
            assert_int_equal(portal->maintenance, 0);
            continue;
        }
        const struct config_slo *slo = &world.config.probes[0].slos[0];
        struct slo_events events = agent_slo_events(&world.agent, 0, slo, slo->window_us);
        assert_int_equal(portal->results[OUTCOME_FAILURE], 0);
        assert_int_equal(portal->results[OUTCOME_SUCCESS], before);
        assert_in_range(portal->maintenance, 58, 60);
        assert_int_equal(events.good, before);
        assert_int_equal(events.bad, 0);
        assert_int_equal(status_state(&world.agent, 0), STATUS_MAINTENANCE);
        broken[0] = false;
        (void)world_run_until(&world, BOOT_US + 120 * USEC_PER_MINUTE, 0);
        assert_in_range(portal->results[OUTCOME_SUCCESS], before + 28, before + 31);
    }
}

/* depends_on. */

static const char chain_text[] = "[fake wan]\nurl = w0\nurl = w1\ninterval = 20s\n"
                                 "[fake hub]\nurl = h\ninterval = 20s\ndepends_on = wan\n"
                                 "[fake shop]\nurl = s\ninterval = 20s\ndepends_on = hub\n";
enum { W0, W1, HUB, SHOP };
static void agent_holds_back_what_depends_on_a_failing_probe(void **state)
{
    (void)state;
    const struct result *last = world.agent.last;
    memset(broken, 0, sizeof broken);
    world_begin(&world, chain_text, BOOT_US, 5);
    world.plan = plan_broken;
    (void)world_run_until(&world, BOOT_US + 2 * USEC_PER_MINUTE, 0);
    assert_int_equal(agent_sli(&world.agent, SHOP)->results[OUTCOME_SUCCESS], 6);

    broken[W1] = true; /* one of two targets is enough */
    (void)world_run_until(&world, world.now_us + 61 * USEC_PER_SEC, 0);
    assert_int_equal(last[HUB].outcome, OUTCOME_UNKNOWN);
    assert_string_equal(last[HUB].note, "depends_on wan is failing");
    assert_int_equal(last[SHOP].outcome, OUTCOME_UNKNOWN);
    assert_string_equal(last[SHOP].note, "depends_on hub is unknown");
    assert_int_equal(world.agent.states[SHOP].last_failure_outcome, OUTCOME_SUCCESS);
    uint64_t hub_runs = world.started[HUB], hub_results = results_of(HUB);
    (void)world_run_until(&world, world.now_us + USEC_PER_HOUR, 0);
    assert_int_equal(world.started[HUB], hub_runs);
    assert_int_equal(results_of(HUB), hub_results + 180);
    assert_int_equal(agent_sli(&world.agent, HUB)->missed, 0);

    broken[W1] = false;
    (void)world_run_until(&world, world.now_us + 61 * USEC_PER_SEC, 0);
    assert_int_equal(last[HUB].outcome, OUTCOME_SUCCESS);
    assert_int_equal(last[SHOP].outcome, OUTCOME_SUCCESS);
}

/* Without a result of the parent there is no reason to hold the child back. */
static void agent_runs_a_child_whose_parent_told_nothing_yet(void **state)
{
    (void)state;
    world_begin(&world,
                "[fake wan]\nurl = w\ninterval = 30s\nenabled = off\n"
                "[fake hub]\nurl = h\ninterval = 20s\ndepends_on = wan\n",
                BOOT_US, 5);
    (void)world_run_until(&world, BOOT_US + 2 * USEC_PER_MINUTE, 0);
    assert_int_equal(agent_sli(&world.agent, 1)->results[OUTCOME_SUCCESS], 6);
}

/* A held back child needs no slot, so it is not missed when all slots are taken. */
static void agent_answers_for_held_back_targets_without_a_slot(void **state)
{
    (void)state;
    memset(broken, 1, sizeof broken);
    world_begin(&world,
                "[agent]\nconcurrency = 1\n"
                "[fake wan]\nurl = w0\nurl = w1\ninterval = 10s\n"
                "[fake hub]\nurl = h\ninterval = 1s\ntimeout = 1s\ndepends_on = wan\n",
                BOOT_US, 5);
    world.plan = plan_broken;
    (void)world_run_until(&world, BOOT_US + 20 * USEC_PER_SEC, 0);
    world.plan = plan_hang;
    (void)world_run_until(&world, world.now_us + USEC_PER_MINUTE, 0);
    assert_true(agent_sli(&world.agent, W0)->missed >= 4 &&
                agent_sli(&world.agent, W1)->missed >= 4);
    assert_int_equal(agent_sli(&world.agent, HUB)->missed, 0);
    assert_true(agent_sli(&world.agent, HUB)->results[OUTCOME_UNKNOWN] > 60);
}

static void agent_tells_a_change_of_outcome_once(void **state)
{
    (void)state;
    memset(broken, 0, sizeof broken);
    world_begin(&world, "[fake portal]\nurl = https://portal.example.net/login\ninterval = 10s\n",
                BOOT_US, 5);
    world.plan = plan_broken;
    (void)world_run_until(&world, BOOT_US + 10 * USEC_PER_MINUTE, 0);
    assert_int_equal(world.line_count, 0);
    broken[0] = true;
    (void)world_run_until(&world, world.now_us + 10 * USEC_PER_MINUTE, 0);
    assert_int_equal(world.line_count, 1);
    assert_int_equal(world.warnings, 1);
    assert_string_equal(world.lines[0], "probe portal (https://portal.example.net/login): success "
                                        "-> failure, reason status in processing: HTTP 503");
    broken[0] = false;
    (void)world_run_until(&world, world.now_us + 10 * USEC_PER_MINUTE, 0);
    assert_int_equal(world.line_count, 2);
    assert_int_equal(world.warnings, 1);
    assert_string_equal(world.lines[1], "probe portal (https://portal.example.net/login): failure "
                                        "-> success after 600 s");
    const struct target_state *told = &world.agent.states[0];
    assert_int_equal(told->last_failure_reason, REASON_STATUS);
    assert_string_equal(told->last_failure_note, "HTTP 503");
    assert_true(told->changed_us > told->last_failure_us);
}

static void agent_tells_a_first_result_that_is_bad(void **state)
{
    (void)state;
    memset(broken, 1, sizeof broken);
    world_begin(&world, "[fake portal]\nurl = p\ninterval = 10s\n", BOOT_US, 5);
    world.plan = plan_broken;
    (void)world_run_until(&world, BOOT_US + USEC_PER_MINUTE, 0);
    assert_int_equal(world.line_count, 1);
    assert_string_equal(world.lines[0],
                        "probe portal (p): failure, reason status in processing: HTTP 503");
}

static void agent_tells_no_wall_time_it_does_not_trust(void **state)
{
    (void)state;
    struct agent_numbers numbers;
    const usec_t boot_unix_us = INT64_C(1790000000) * USEC_PER_SEC;
    world_begin(&world, site_text, BOOT_US, 1);
    (void)world_run_until(&world, BOOT_US + USEC_PER_HOUR, 0);
    (void)agent_view(&world.agent, &numbers, world.now_us);
    assert_false(numbers.clock_trusted);
    assert_true(numbers.start_timestamp_seconds <= 0 && numbers.start_timestamp_seconds >= 0);
    assert_true(numbers.push_last_success_timestamp_seconds <= 0);
    world.wall_at_boot = (struct wall_time){.unix_us = boot_unix_us, .trusted = true};
    (void)agent_step(&world.agent, world.now_us);
    world.now_us += USEC_PER_SEC;
    (void)agent_view(&world.agent, &numbers, world.now_us);
    assert_true(numbers.clock_trusted);
    assert_int_equal(numbers.start_timestamp_seconds, 1790000090);
    assert_int_equal(numbers.last_cycle_timestamp_seconds, 1790000000 + 90 + 3600);
    assert_int_equal(numbers.push_last_success_timestamp_seconds,
                     1790000000 + world.agent.push.last_success_us / USEC_PER_SEC);
    assert_int_equal(numbers.targets, 7);
    assert_true(numbers.push_body_bytes > 1000);
    assert_int_equal(numbers.counters[LEDGER_PUSH_FIRST + UPSTREAM_ACCEPTED], world.accepted);
}

static void agent_loop_lag_is_the_greatest_since_the_last_body(void **state)
{
    (void)state;
    world_begin(&world, site_text, BOOT_US, 1);
    agent_loop_lag(&world.agent, 700);
    agent_loop_lag(&world.agent, 900);
    agent_loop_lag(&world.agent, 800);
    assert_int_equal(world.agent.loop_lag_us, 900);
    world.decode_every = 1;
    while (world.submitted == 0) {
        (void)world_run_until(&world, world.now_us + USEC_PER_SEC, 0);
    }
    assert_true(world_sample("picket_loop_lag_seconds", "branch-0042", "") > 0.00089);
    assert_int_equal(world.agent.loop_lag_us, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agent_runs_or_counts_every_start_over_a_month),
        cmocka_unit_test(agent_shares_the_slots_among_all_targets),
        cmocka_unit_test(agent_asks_a_prober_that_refused_again_soon),
        cmocka_unit_test(agent_totals_are_exact_after_a_day_without_upstream),
        cmocka_unit_test(agent_tells_a_push_outage_once),
        cmocka_unit_test(agent_tells_each_kind_of_push_failure),
        cmocka_unit_test(agent_never_sends_a_body_that_was_cut),
        cmocka_unit_test(agent_body_bound_holds),
        cmocka_unit_test(agent_survives_a_transport_that_cannot_begin),
        cmocka_unit_test(agent_stop_pushes_the_last_totals_and_ends_in_time),
        cmocka_unit_test(agent_stop_counts_what_it_cuts_off_as_missed),
        cmocka_unit_test(agent_stop_without_push_only_waits_for_runs),
        cmocka_unit_test(agent_stop_after_a_long_sleep_leaves_runs_their_time),
        cmocka_unit_test(agent_stop_may_be_brought_forward),
        cmocka_unit_test(agent_keeps_runs_in_maintenance_apart),
        cmocka_unit_test(agent_holds_back_what_depends_on_a_failing_probe),
        cmocka_unit_test(agent_runs_a_child_whose_parent_told_nothing_yet),
        cmocka_unit_test(agent_answers_for_held_back_targets_without_a_slot),
        cmocka_unit_test(agent_tells_a_change_of_outcome_once),
        cmocka_unit_test(agent_tells_a_first_result_that_is_bad),
        cmocka_unit_test(agent_tells_no_wall_time_it_does_not_trust),
        cmocka_unit_test(agent_loop_lag_is_the_greatest_since_the_last_body),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
