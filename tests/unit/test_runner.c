/* Guards promises 1 and 2 at the runner: every start yields exactly one result, at its deadline at
 * the latest, whatever the probe or the resolver does, and one run never delays another. A scripted
 * kind plays the probe; the clock is moved by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fake_clock.h"
#include "fake_resolver.h"
#include "runner.h"

/* --- The scripted probe: what it does is in its address, one letter a step ---
 *   w wait for a descriptor   t wait for 10 ms   y yield   s succeed   f fail   u unknown
 *   d done without a verdict  x fail the first attempts, succeed in the third
 * The host before the dash is resolved: "127.0.0.1-wwf". */
enum { FAKE_ADDRESS = KIND_KEY_FIRST };

static const struct config_key fake_keys[] = {
    {.name = "address", .type = SETTING_TEXT, .flags = KEY_REPEATS | KEY_TARGET},
};

struct fake_run {
    unsigned step, started;
    int fd; /* 0: none */
    usec_t wake_us;
};

static struct {
    struct fake_clock clock;
    unsigned opens, closes, starts, steps, cancels, held, attempts;
    char order[256]; /* which slot stepped, in order */
    int pipe[2];
    usec_t step_costs_us;
    usec_t last_deadline_us;
    unsigned last_address_count;
    uint16_t last_port;
    bool refuses_to_open;
    bool phases; /* current_phase() leaves a note */
    struct vitals vitals;
    bool watched;                /* the loop shows what it has in hand */
    unsigned rows[8], row_count; /* of the targets that were told to show theirs */
} fake;

static uint32_t held_by_loop(void)
{
    return atomic_load(&fake.vitals.rows[VITAL_LOOP].subject);
}

static void expect_in_hand(const struct run *run)
{
    assert_true(!fake.watched || held_by_loop() == run->target + 1);
}

static enum error fake_open(const struct config *config, const struct config_probe *probe,
                            unsigned target, void **prepared, struct endpoint *endpoint, char *why,
                            size_t why_size)
{
    (void)probe;
    const char *text = config_instance(config, target);
    const char *dash = strrchr(text, '-');
    if (fake.refuses_to_open) {
        snprintf(why, why_size, "no luck with %s", text);
        return ERROR_MISSING;
    }
    fake.opens++;
    memcpy(endpoint->host, text, (size_t)(dash - text));
    endpoint->port = 7;
    *prepared = (void *)(uintptr_t)(dash + 1);
    return ERROR_NONE;
}

static void fake_close(void *prepared)
{
    assert_non_null(prepared);
    fake.closes++;
}

static void let_go(struct fake_run *state)
{
    fake.held -= state->fd != 0;
    state->fd = 0;
}

static enum progress fake_go(struct run *run)
{
    struct fake_run *state = run->state;
    char step = ((const char *)run->prepared)[state->step];
    expect_in_hand(run);
    size_t used = strlen(fake.order);
    if (used + 1 < sizeof fake.order) {
        fake.order[used] = (char)('a' + run->slot);
    }
    fake.clock.now_us += fake.step_costs_us;
    state->step += step != '\0' && step != 'w';
    switch (step) {
    case 'w':
        fake.held += state->fd == 0;
        state->fd = fake.pipe[0];
        return PROGRESS_WAIT;
    case 't':
        state->wake_us = run->now_us + 10 * USEC_PER_MSEC;
        return PROGRESS_WAIT;
    case 'y':
        return PROGRESS_YIELD;
    case 's':
        result_succeed(run->result);
        break;
    case 'f':
        result_fail(run->result, REASON_REFUSED, PHASE_CONNECT, "attempt %u", fake.attempts);
        break;
    case 'u':
        result_unknown(run->result, PHASE_CONNECT, "no descriptors");
        break;
    case 'x':
        if (fake.attempts < 3) {
            result_fail(run->result, REASON_REFUSED, PHASE_CONNECT, "attempt %u", fake.attempts);
        } else {
            result_succeed(run->result);
        }
        break;
    default:
        break;
    }
    let_go(state);
    return PROGRESS_DONE;
}

static enum progress fake_start(struct run *run)
{
    struct fake_run *state = run->state;
    assert_int_equal(state->started, 0); /* zeroed, for each attempt anew */
    assert_int_equal(state->step, 0);
    state->started = 1;
    fake.starts++;
    fake.attempts++;
    fake.last_deadline_us = run->deadline_us;
    fake.last_address_count = run->address_count;
    if (run->address_count > 0) {
        fake.last_port = ntohs(run->addresses[0].socket.v4.sin_port);
    }
    return fake_go(run);
}

static enum progress fake_step(struct run *run, const struct waits *ready)
{
    struct fake_run *state = run->state;
    fake.steps++;
    if (state->fd != 0) { /* goes on only for its descriptor */
        assert_int_not_equal(waits_ready(ready, state->fd), 0);
        state->step++;
        let_go(state);
    }
    return fake_go(run);
}

static void fake_waits(struct run *run, struct waits *waits)
{
    struct fake_run *state = run->state;
    if (state->fd != 0) {
        waits_add(waits, state->fd, POLLIN);
        waits_until(waits, run->deadline_us); /* as one that divides its time */
    } else {
        waits_until(waits, state->wake_us);
    }
}

static void fake_cancel(struct run *run)
{
    fake.cancels++;
    expect_in_hand(run);
    let_go(run->state);
}

static void fake_watch(void *prepared, struct vitals *vitals, unsigned target)
{
    assert_non_null(prepared);
    assert_ptr_equal(vitals, &fake.vitals);
    assert_true(fake.row_count < ARRAY_LEN(fake.rows));
    fake.rows[fake.row_count++] = target;
}

static enum phase fake_phase(struct run *run)
{
    result_phase_add(run->result, PHASE_DIALOG, 5);
    if (fake.phases) {
        result_note(run->result, "waiting for \"x\"");
    }
    return PHASE_DIALOG;
}

static const struct probe_ops fake_probe = {
    .kind = {.name = "fake", .help = "", .keys = fake_keys, .key_count = ARRAY_LEN(fake_keys)},
    .run_bytes = sizeof(struct fake_run),
    .open = fake_open,
    .close = fake_close,
    .start = fake_start,
    .step = fake_step,
    .waits = fake_waits,
    .cancel = fake_cancel,
    .current_phase = fake_phase,
    .watch = fake_watch,
};

/* --- The world around it --- */

static struct config config;
static struct config_errors errors;
static char error_text[512];
static struct clock clock_port;
static struct resolver resolver_port;
static struct fake_resolver names;
static struct runner *runner;
static struct prober prober;
static struct waits waits;
static struct result result;

#define START_US   ((usec_t)1000000)
#define TIMEOUT_US (USEC_PER_SEC)

static void report(void *context, const char *file, unsigned line, const char *message)
{
    (void)context;
    snprintf(error_text, sizeof error_text, "%s:%u: %s", file, line, message);
}

static void load(const char *text)
{
    static struct config_loader loader;
    static const struct probe_kind *const kinds[] = {&fake_probe.kind};
    errors = (struct config_errors){.report = report};
    config_begin(&loader, &config, kinds, 1, &errors);
    config_add_text(&loader, "x.conf", text, strlen(text));
    if (!config_finish(&loader)) {
        fail_msg("%s", error_text);
    }
}

static void begin(const char *text, unsigned slots)
{
    static const struct probe_ops *const ops[] = {&fake_probe};
    load(text);
    memset(&fake, 0, sizeof fake);
    memset(&names, 0, sizeof names);
    fake.clock.now_us = START_US;
    assert_int_equal(pipe(fake.pipe), 0);
    clock_port = fake_clock_port(&fake.clock);
    resolver_port = fake_resolver_port(&names);
    runner = runner_new(&config, ops, 1, &clock_port, &resolver_port, slots, &errors);
    assert_non_null(runner);
    prober = runner_prober(runner);
}

static void end(void)
{
    runner_free(runner);
    assert_int_equal(fake.held, 0);
    assert_int_equal(fake.opens, fake.closes);
    close(fake.pipe[0]);
    close(fake.pipe[1]);
}

static bool start(uint16_t target)
{
    return prober.start(prober.context, target, fake.clock.now_us, fake.clock.now_us + TIMEOUT_US);
}

static bool collect(void)
{
    return prober.collect(prober.context, &result);
}

/* One turn of the loop at the moment it is. Returns when it would have turned by itself. */
static usec_t turn(void)
{
    waits_clear(&waits);
    runner_waits(runner, &waits);
    usec_t wake_us = waits_wake(&waits, fake.clock.now_us);
    assert_true(poll(waits.at, waits.count, 0) >= 0);
    runner_step(runner, &waits, fake.clock.now_us);
    return wake_us;
}

/* Turns, moving the clock to each wake, until a result comes. */
static void run_until_result(void)
{
    for (unsigned i = 0; i < 1000; i++) {
        if (collect()) {
            return;
        }
        usec_t wake_us = turn();
        if (collect()) {
            return;
        }
        if (wake_us != USEC_NEVER) {
            fake.clock.now_us = usec_max(fake.clock.now_us, wake_us);
        }
    }
    fail_msg("no result after 1000 turns");
}

static void push_byte(void)
{
    assert_int_equal(write(fake.pipe[1], "x", 1), 1);
}

/* --- Tests --- */

static void runner_runs_a_probe_from_resolve_to_verdict(void **state)
{
    (void)state;
    begin("[agent]\nsite = x\n[fake a]\naddress = 127.0.0.1-tys\n", 4);
    assert_true(start(0));
    run_until_result();
    assert_int_equal(result.outcome, OUTCOME_SUCCESS);
    assert_int_equal(result.target, 0);
    assert_int_equal(result.started_us, START_US);
    assert_int_equal(result.duration_us, 10 * USEC_PER_MSEC);
    assert_int_equal(result.phases_reached, PHASE_BIT(PHASE_RESOLVE));
    assert_int_equal(result.facts_set, FACT_BIT(FACT_DNS_LOOKUP_SECONDS) |
                                           FACT_BIT(FACT_IP_PROTOCOL) |
                                           FACT_BIT(FACT_IP_ADDR_HASH));
    assert_int_equal(fake.last_address_count, 1);
    assert_int_equal(fake.last_port, 7);
    assert_false(collect());
    end();
}

static void runner_measures_how_long_a_name_took(void **state)
{
    (void)state;
    begin("[agent]\nsite = x\n[fake a]\naddress = slow.test-s\n", 4);
    fake_resolver_add(&names, "slow.test", "");
    assert_true(start(0));
    assert_int_equal(turn(), START_US + TIMEOUT_US);
    assert_int_equal(fake.starts, 0);
    fake.clock.now_us += 250 * USEC_PER_MSEC;
    fake_resolver_answer(&names, 0, "127.0.0.1");
    turn();
    assert_true(collect());
    assert_int_equal(result.outcome, OUTCOME_SUCCESS);
    assert_int_equal(result.phase_us[PHASE_RESOLVE], 250 * USEC_PER_MSEC);
    assert_true(result.facts[FACT_DNS_LOOKUP_SECONDS] == 0.25);
    assert_int_equal(result.duration_us, 250 * USEC_PER_MSEC);
    end();
}

static void runner_blames_names_that_fail_or_never_come(void **state)
{
    (void)state;
    begin("[agent]\nsite = x\n[fake a]\naddress = no.test-s\naddress = never.test-s\n", 4);
    fake_resolver_add(&names, "never.test", "");
    assert_true(start(0));
    run_until_result();
    assert_int_equal(result.reason, REASON_RESOLVE);
    assert_int_equal(result.phase, PHASE_RESOLVE);
    assert_string_equal(result.note, "no such name");

    assert_true(start(1));
    run_until_result();
    assert_int_equal(result.reason, REASON_RESOLVE);
    assert_int_equal(result.phase, PHASE_RESOLVE);
    assert_string_equal(result.note, "no answer in time");
    assert_int_equal(result.duration_us, TIMEOUT_US);
    assert_int_equal(result.phase_us[PHASE_RESOLVE], TIMEOUT_US);
    assert_null(names.pending[0]); /* told to forget: nothing writes to the slot any more */
    assert_int_equal(fake.starts, 0);
    end();
}

static void runner_cuts_a_run_at_its_deadline(void **state)
{
    (void)state;
    begin("[agent]\nsite = x\n[fake a]\naddress = 127.0.0.1-w\n", 4);
    assert_true(start(0));
    run_until_result();
    assert_int_equal(result.reason, REASON_TIMEOUT);
    assert_int_equal(result.phase, PHASE_DIALOG);
    assert_int_equal(result.duration_us, TIMEOUT_US);
    assert_string_equal(result.note, "no end in time");
    assert_true((result.phases_reached & PHASE_BIT(PHASE_DIALOG)) != 0);
    assert_int_equal(fake.held, 0);

    fake.phases = true;
    assert_true(start(0));
    run_until_result();
    assert_string_equal(result.note, "waiting for \"x\""); /* the probe knows better */
    end();
}

static void runner_that_stood_still_blames_nobody(void **state)
{
    (void)state;
    begin("[agent]\nsite = x\n[fake a]\naddress = 127.0.0.1-w\naddress = never.test-s\n", 4);
    fake_resolver_add(&names, "never.test", "");
    assert_true(start(0));
    assert_true(start(1));
    turn();
    fake.clock.now_us += TIMEOUT_US + 251 * USEC_PER_MSEC;
    turn();
    for (unsigned i = 0; i < 2; i++) {
        assert_true(collect());
        assert_int_equal(result.outcome, OUTCOME_UNKNOWN);
        assert_true(result_decided(&result));
    }
    assert_int_equal(fake.held, 0);
    end();
}

static void runner_waits_for_what_a_run_waits_for_and_for_nothing_else(void **state)
{
    (void)state;
    begin("[agent]\nsite = x\n[fake a]\naddress = 127.0.0.1-ws\naddress = 127.0.0.1-ts\n", 4);
    assert_int_equal(turn(), USEC_NEVER);
    assert_true(start(0));
    assert_true(start(1));
    assert_int_equal(turn(), 0); /* runnable: no sleep */
    assert_int_equal(fake.starts, 2);
    fake.clock.now_us += 1000;
    assert_int_equal(turn(), START_US + 10 * USEC_PER_MSEC);
    assert_int_equal(waits.count, 1);
    assert_int_equal(fake.steps, 0); /* neither has a reason */
    waits_clear(&waits);
    waits_until(&waits, START_US + 5); /* another source's */
    runner_waits(runner, &waits);
    assert_int_equal(waits.wake_us, START_US + 5);
    push_byte();
    turn();
    assert_int_equal(fake.steps, 1);
    assert_true(collect());
    assert_int_equal(result.target, 0);
    assert_false(collect());
    run_until_result();
    assert_int_equal(result.target, 1);
    end();
}

static void runner_steps_yielding_runs_in_turn_without_sleeping(void **state)
{
    (void)state;
    begin("[agent]\nsite = x\n[fake a]\naddress = 127.0.0.1-yyyys\naddress = 127.0.0.2-yyyys\n", 4);
    assert_true(start(0));
    assert_true(start(1));
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(turn(), 0);
    }
    assert_string_equal(fake.order, "ababababab");
    end();
}

/* Steps of 15 ms: a turn takes two at most, the others follow, and nobody starves. */
static void runner_keeps_turns_short_and_fair_under_load(void **state)
{
    (void)state;
    begin("[agent]\nsite = x\n[fake a]\naddress = 127.0.0.1-yyyyyyyyyyyyyyyyyyyy\n", 5);
    fake.step_costs_us = 15 * USEC_PER_MSEC;
    for (unsigned i = 0; i < 5; i++) {
        assert_true(start(0));
    }
    for (unsigned i = 0; i < 10; i++) {
        usec_t before_us = fake.clock.now_us;
        assert_int_equal(turn(), 0);
        assert_int_equal(fake.clock.now_us - before_us, 30 * USEC_PER_MSEC);
    }
    assert_string_equal(fake.order, "abcdeabcdeabcdeabcde");
    end();
}

static void runner_gives_each_attempt_a_share_and_counts_the_last(void **state)
{
    (void)state;
    begin("[agent]\nsite = x\n[fake a]\naddress = 127.0.0.1-x\nattempts = 3\n"
          "[fake b]\naddress = 127.0.0.1-f\nattempts = 2\n"
          "[fake c]\naddress = 127.0.0.1-w\nattempts = 4\n"
          "[fake d]\naddress = 127.0.0.1-u\nattempts = 4\n",
          4);
    assert_true(start(0));
    run_until_result();
    assert_int_equal(fake.starts, 3);
    assert_int_equal(result.outcome, OUTCOME_SUCCESS);
    assert_string_equal(result.note, "");
    assert_int_equal(names.starts, 3);

    fake.starts = fake.attempts = 0;
    assert_true(start(1));
    run_until_result();
    assert_int_equal(fake.starts, 2);
    assert_int_equal(result.reason, REASON_REFUSED);
    assert_string_equal(result.note, "attempt 2");

    fake.starts = 0;
    usec_t begin_us = fake.clock.now_us;
    assert_true(start(2));
    turn();
    assert_int_equal(fake.last_deadline_us, begin_us + TIMEOUT_US / 4);
    run_until_result();
    assert_int_equal(fake.starts, 4);
    assert_int_equal(fake.last_deadline_us, begin_us + TIMEOUT_US);
    assert_int_equal(result.reason, REASON_TIMEOUT);
    assert_int_equal(result.duration_us, TIMEOUT_US);
    assert_int_equal(result.started_us, begin_us);

    fake.starts = 0;
    assert_true(start(3)); /* unknown: not the target's fault, and no better at once */
    run_until_result();
    assert_int_equal(fake.starts, 1);
    assert_int_equal(result.outcome, OUTCOME_UNKNOWN);
    end();
}

static void runner_makes_a_verdict_of_none(void **state)
{
    (void)state;
    begin("[agent]\nsite = x\n[fake a]\naddress = 127.0.0.1-d\n"
          "[fake off]\naddress = 127.0.0.1-s\nenabled = off\n",
          4);
    assert_true(start(0));
    run_until_result();
    assert_int_equal(result.reason, REASON_INTERNAL);
    assert_true(start(1));
    assert_true(collect());
    assert_int_equal(result.outcome, OUTCOME_UNKNOWN);
    assert_true(result_decided(&result));
    assert_int_equal(fake.opens, 1);
    end();
}

static void runner_refuses_a_start_while_every_slot_is_taken(void **state)
{
    (void)state;
    begin("[agent]\nsite = x\n[fake a]\naddress = 127.0.0.1-s\n", 2);
    assert_true(start(0));
    assert_true(start(0));
    assert_false(start(0));
    turn();
    assert_false(start(0)); /* done, but not collected: a slot is the queue's place too */
    assert_true(collect());
    assert_true(start(0));
    assert_false(start(0));
    run_until_result();
    run_until_result();
    assert_false(collect());
    end();
}

/* 2 000 descriptors' worth of runs cannot be watched at once; none may be forgotten. */
static void runner_loses_no_run_when_the_wait_set_is_full(void **state)
{
    (void)state;
    begin("[agent]\nsite = x\n[fake a]\naddress = 127.0.0.1-ws\n", 4);
    assert_true(start(0));
    turn();
    push_byte();
    waits_clear(&waits);
    for (unsigned i = 0; i < CAP_WAITS; i++) {
        waits_add(&waits, fake.pipe[1], POLLIN);
    }
    runner_waits(runner, &waits);
    assert_true(waits.overflowed);
    assert_int_equal(waits_wake(&waits, fake.clock.now_us), fake.clock.now_us + WAITS_OVERFLOW_US);
    runner_step(runner, &waits, fake.clock.now_us);
    assert_true(collect());
    assert_int_equal(result.outcome, OUTCOME_SUCCESS);
    end();
}

static void runner_cancels_at_any_moment_and_drops_the_results(void **state)
{
    (void)state;
    static const char *const texts[] = {"127.0.0.1-w", "127.0.0.1-yyyy", "127.0.0.1-t",
                                        "never.test-s", "127.0.0.1-s"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        for (unsigned turns = 0; turns < 3; turns++) {
            char text[200];
            snprintf(text, sizeof text, "[agent]\nsite = x\n[fake a]\naddress = %s\n", texts[i]);
            begin(text, 2);
            fake_resolver_add(&names, "never.test", "");
            assert_true(start(0));
            assert_true(start(0));
            for (unsigned n = 0; n < turns; n++) {
                turn();
            }
            prober.cancel_all(prober.context);
            assert_false(collect());
            assert_int_equal(fake.held, 0);
            assert_null(names.pending[0]);
            assert_int_equal(turn(), USEC_NEVER);
            prober.cancel_all(prober.context);
            assert_true(start(0)); /* and goes on as new */
            assert_true(start(0));
            end();
        }
    }
}

static void runner_reports_every_target_that_cannot_be_opened(void **state)
{
    (void)state;
    static const struct probe_ops *const ops[] = {&fake_probe};
    load("[agent]\nsite = x\n[fake a]\naddress = 127.0.0.1-s\n\n[fake b]\naddress = 127.0.0.2-s\n");
    memset(&fake, 0, sizeof fake);
    fake.refuses_to_open = true;
    clock_port = fake_clock_port(&fake.clock);
    resolver_port = fake_resolver_port(&names);
    assert_null(runner_new(&config, ops, 1, &clock_port, &resolver_port, 2, &errors));
    assert_int_equal(errors.count, 2);
    assert_string_equal(error_text, "x.conf:6: b: no luck with 127.0.0.2-s");
    assert_int_equal(fake.closes, 0);
    runner_free(NULL);
}

/* Random starts, bytes and clock steps: each start yields one result, never later than its deadline
 * and a turn, and nothing is held at the end. */
/* A loop that hangs must name the probe it hangs in, and none that is only in flight. */
static void runner_shows_what_the_loop_has_in_hand(void **state)
{
    (void)state;
    begin("[agent]\nsite = x\n"
          "[fake a]\naddress = 127.0.0.1-w\naddress = 127.0.0.1-yyf\nattempts = 2\n"
          "[fake off]\nenabled = off\naddress = 127.0.0.1-s\n"
          "[fake b]\naddress = 127.0.0.1-s\naddress = never.test-s\n",
          8);
    fake_resolver_add(&names, "never.test", "");
    vitals_begin(&fake.vitals, USEC_PER_SEC);
    runner_watch(runner, &fake.vitals);
    fake.watched = true;
    assert_int_equal(fake.row_count, 4);
    assert_int_equal(fake.rows[0], 0);
    assert_int_equal(fake.rows[1], 1);
    assert_int_equal(fake.rows[2], 3);
    assert_int_equal(fake.rows[3], 4);
    for (unsigned target = 0; target < 5; target++) {
        assert_true(start((uint16_t)target));
        assert_int_equal(held_by_loop(), 0);
    }
    for (unsigned i = 0; i < 8; i++) {
        turn();
        assert_int_equal(held_by_loop(), 0);
    }
    fake.clock.now_us += TIMEOUT_US; /* the one that waits is cut off, and then cancelled */
    unsigned cancels = fake.cancels;
    turn();
    assert_true(fake.cancels > cancels);
    assert_int_equal(held_by_loop(), 0);
    assert_true(collect());
    assert_true(start(0));
    turn();
    cancels = fake.cancels;
    prober.cancel_all(prober.context);
    assert_true(fake.cancels > cancels);
    assert_int_equal(held_by_loop(), 0);
    end();
}

static void runner_yields_one_result_for_each_start_whatever_happens(void **state)
{
    (void)state;
    begin("[agent]\nsite = x\n"
          "[fake a]\naddress = 127.0.0.1-wtyws\naddress = 127.0.0.1-yyf\nattempts = 2\n"
          "[fake b]\naddress = 127.0.0.1-tttttw\naddress = never.test-s\naddress = no.test-s\n"
          "[fake c]\naddress = 127.0.0.1-d\naddress = 127.0.0.1-wwwwwu\n",
          8);
    fake_resolver_add(&names, "never.test", "");
    unsigned started = 0, collected = 0;
    uint32_t seed = 12345;
    for (unsigned i = 0; i < 20000; i++) {
        seed = seed * 1664525u + 1013904223u;
        unsigned choice = seed >> 24;
        if (choice < 80) {
            started += start((uint16_t)(choice % config.target_count));
        } else if (choice < 120) {
            push_byte();
            turn();
            char byte;
            assert_int_equal(read(fake.pipe[0], &byte, 1), 1);
        } else if (choice < 200) {
            fake.clock.now_us += (choice % 50) * USEC_PER_MSEC;
        }
        turn();
        while (collect()) {
            collected++;
            assert_true(result_decided(&result));
            assert_true(result.duration_us <= TIMEOUT_US + 60 * USEC_PER_MSEC);
        }
    }
    while (collected < started) {
        run_until_result();
        collected++;
    }
    assert_false(collect());
    assert_in_range(started, 500, 20000);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runner_runs_a_probe_from_resolve_to_verdict),
        cmocka_unit_test(runner_measures_how_long_a_name_took),
        cmocka_unit_test(runner_blames_names_that_fail_or_never_come),
        cmocka_unit_test(runner_cuts_a_run_at_its_deadline),
        cmocka_unit_test(runner_that_stood_still_blames_nobody),
        cmocka_unit_test(runner_waits_for_what_a_run_waits_for_and_for_nothing_else),
        cmocka_unit_test(runner_steps_yielding_runs_in_turn_without_sleeping),
        cmocka_unit_test(runner_keeps_turns_short_and_fair_under_load),
        cmocka_unit_test(runner_gives_each_attempt_a_share_and_counts_the_last),
        cmocka_unit_test(runner_makes_a_verdict_of_none),
        cmocka_unit_test(runner_refuses_a_start_while_every_slot_is_taken),
        cmocka_unit_test(runner_loses_no_run_when_the_wait_set_is_full),
        cmocka_unit_test(runner_cancels_at_any_moment_and_drops_the_results),
        cmocka_unit_test(runner_reports_every_target_that_cannot_be_opened),
        cmocka_unit_test(runner_shows_what_the_loop_has_in_hand),
        cmocka_unit_test(runner_yields_one_result_for_each_start_whatever_happens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
