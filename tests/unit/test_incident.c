/* Guards against an incident that tells a start by the end of another run, counts a failure twice
 * or never, lets one noisy target hide what all others did, or trusts what an image says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "care.h"
#include "prng.h"
#include "store_incident.h"

enum { FROM = 100000, TO = 200000, TARGETS = 3 };

static struct incident incident;
static struct incident_walk walk;
static struct ledger ledger;
static uint64_t ordinal, boot;
static int64_t offset_ms; /* of the block's head, then of the last clock record */
static bool timed;        /* what comes now has a wall time */

static int begin(void **state)
{
    (void)state;
    ledger_init(&ledger, 1);
    assert_int_equal(ledger_add(&ledger, 1, "web", "a", "x"), 0);
    assert_int_equal(ledger_add(&ledger, 2, "web", "b", "x"), 1);
    assert_int_equal(ledger_add(&ledger, 3, "web", "c", "x"), 2);
    memset(&incident, 0, sizeof incident);
    incident.from_ms = FROM;
    incident.to_ms = TO;
    incident_begin(&walk, &incident, &ledger, NULL);
    ordinal = 0;
    boot = 7;
    offset_ms = BLOCK_WALL_UNKNOWN;
    timed = true;
    return 0;
}

static void take(struct record record, int64_t unix_ms)
{
    struct wall_stamp stamp = {.known = timed, .unix_ms = unix_ms};
    struct store_replay replay = {.ordinal = ++ordinal, .boot = boot, .wall_offset_ms = offset_ms};
    incident_take(&walk, &record, stamp, &replay);
}

static void fails(uint32_t target, enum reason reason, int64_t unix_ms)
{
    take((struct record){.sort = RECORD_RESULT,
                         .target = target,
                         .outcome = OUTCOME_FAILURE,
                         .reason = reason,
                         .phase = PHASE_CONNECT},
         unix_ms);
}

static void succeeds(uint32_t target, int64_t unix_ms)
{
    take((struct record){.sort = RECORD_RESULT,
                         .target = target,
                         .outcome = OUTCOME_SUCCESS,
                         .reason = REASON_NONE,
                         .phase = PHASE_NONE},
         unix_ms);
}

static void starts(int64_t unix_ms)
{
    take((struct record){.sort = RECORD_RUN, .boot = boot}, unix_ms);
}

static void counts(unsigned counter, uint64_t count)
{
    take((struct record){.sort = RECORD_COUNT, .counter = (uint8_t)counter, .count = count}, 0);
}

static void ends_by(enum cause cause)
{
    counts(LEDGER_RESTART_FIRST + cause, 1);
}

static void clocks(int64_t now_ms)
{
    offset_ms = now_ms;
    take((struct record){.sort = RECORD_CLOCK, .wall_offset_ms = now_ms}, 0);
}

static void maintained(uint32_t target, enum outcome outcome, int64_t unix_ms)
{
    take((struct record){.sort = RECORD_RESULT,
                         .target = target,
                         .maintenance = true,
                         .outcome = outcome,
                         .reason = outcome == OUTCOME_FAILURE ? REASON_REFUSED : REASON_NONE,
                         .phase = outcome == OUTCOME_FAILURE ? PHASE_CONNECT : PHASE_NONE},
         unix_ms);
}

static const struct incident_event *event(unsigned index, enum incident_sort sort)
{
    assert_true(index < incident.event_count);
    assert_int_equal(incident.events[index].sort, sort);
    return &incident.events[index];
}

#define CAUSE_BIT(cause) (UINT32_C(1) << (cause))

/* The agent counts an end after the start that follows it, and not every start follows one. */
static void start_is_told_by_the_ends_before_it_alone(void **state)
{
    (void)state;
    starts(1000);
    starts(2000);
    ends_by(CAUSE_STOP);
    starts(FROM + 1);
    succeeds(1, FROM + 2);
    starts(FROM + 3);
    ends_by(CAUSE_CRASH);
    ends_by(CAUSE_HANG);
    succeeds(1, FROM + 4);
    starts(TO + 1);
    ends_by(CAUSE_POWER);
    incident_end(&walk);
    assert_int_equal(incident.event_count, 2);
    assert_int_equal(incident.starts, 2);
    assert_int_equal(event(0, INCIDENT_START)->causes, 0);
    assert_int_equal(event(1, INCIDENT_START)->causes,
                     CAUSE_BIT(CAUSE_CRASH) | CAUSE_BIT(CAUSE_HANG));
    assert_int_equal(event(1, INCIDENT_START)->silent_ms, 1);
}

static void start_on_another_boot_says_so(void **state)
{
    (void)state;
    starts(FROM);
    boot = 8;
    starts(FROM + 1);
    assert_false(event(0, INCIDENT_START)->rebooted);
    assert_true(event(1, INCIDENT_START)->rebooted);
}

static void equal_failures_are_one_row_within_the_window(void **state)
{
    (void)state;
    fails(1, REASON_TIMEOUT, FROM - 20);
    fails(1, REASON_TIMEOUT, FROM);
    fails(2, REASON_REFUSED, FROM + 5);
    fails(1, REASON_TIMEOUT, FROM + 10);
    fails(1, REASON_REFUSED, FROM + 20);
    succeeds(1, TO);
    fails(2, REASON_REFUSED, TO + 1);
    succeeds(2, TO + 2);
    incident_end(&walk);
    assert_int_equal(incident.event_count, 4);
    const struct incident_event *first = event(0, INCIDENT_FAILURE);
    assert_int_equal(first->since_ms, FROM - 20);
    assert_int_equal(first->at_ms, FROM);
    assert_int_equal(first->until_ms, FROM + 10);
    assert_int_equal(first->count, 2);
    assert_int_equal(event(1, INCIDENT_FAILURE)->entry, 1);
    assert_int_equal(event(1, INCIDENT_FAILURE)->count, 1);
    assert_int_equal(event(1, INCIDENT_FAILURE)->until_ms, FROM + 5);
    assert_int_equal(event(2, INCIDENT_FAILURE)->reason, REASON_REFUSED);
    assert_int_equal(event(3, INCIDENT_RECOVERY)->count, 4);
    assert_int_equal(incident.targets[0].results[OUTCOME_FAILURE], 3);
    assert_int_equal(incident.targets[0].first_failure_ms, FROM);
    assert_int_equal(incident.targets[0].last_failure_ms, FROM + 20);
    assert_int_equal(incident.targets[1].results[OUTCOME_FAILURE], 1);
}

/* A record can say any number: it is no number of steps. */
static void lost_pushes_are_counted_as_told(void **state)
{
    (void)state;
    succeeds(1, FROM);
    counts(LEDGER_PUSH_FIRST + UPSTREAM_UNREACHABLE, 3);
    counts(LEDGER_PUSH_FIRST + UPSTREAM_UNREACHABLE, UINT64_C(1) << 62);
    counts(LEDGER_PUSH_FIRST + UPSTREAM_BUSY, 2);
    succeeds(1, FROM + 9);
    counts(LEDGER_PUSH_FIRST + UPSTREAM_ACCEPTED, 1);
    counts(LEDGER_PUSH_FIRST + UPSTREAM_ACCEPTED, 1);
    assert_int_equal(incident.event_count, 3);
    assert_int_equal(event(0, INCIDENT_PUSH_LOST)->count, (UINT64_C(1) << 62) + 3);
    assert_int_equal(event(1, INCIDENT_PUSH_LOST)->count, 2);
    assert_int_equal(event(2, INCIDENT_PUSH_RESUMED)->count, (UINT64_C(1) << 62) + 5);
    assert_int_equal(event(2, INCIDENT_PUSH_RESUMED)->since_ms, FROM);
    assert_int_equal(incident.pushes_lost, (UINT64_C(1) << 62) + 5);
    assert_int_equal(incident.pushes_accepted, 2);
}

/* An image made by others, or by a newer agent, has them; all words are looked up by code. */
static void codes_that_have_no_word_are_passed_over(void **state)
{
    static char text[1024];
    (void)state;
    starts(FROM);
    for (unsigned counter = 0; counter <= UINT8_MAX; counter++) {
        counts(counter, 1);
    }
    assert_true(incident.event_count > 10);
    for (unsigned i = 0; i < incident.event_count; i++) {
        struct buffer out;
        buffer_init(&out, text, sizeof text);
        incident_words(&out, &ledger, &incident.events[i]);
        assert_null(strstr(buffer_text(&out), "(null)"));
    }
    assert_int_equal(event(0, INCIDENT_START)->causes >> CAUSE_COUNT, 0);
    for (unsigned i = 1; i < incident.event_count; i++) {
        unsigned code = incident.events[i].code;
        assert_false(incident.events[i].sort == INCIDENT_COUNTER &&
                     code >= LEDGER_CARE_FIRST + CARE_COUNT && code < LEDGER_CARE_END);
    }
}

static void a_noisy_target_hides_nobody(void **state)
{
    uint64_t told = 0, ended = 0;
    unsigned further = 0;
    (void)state;
    for (int i = 0; i < 5000; i++) {
        fails(1, REASON_TIMEOUT, FROM + 2 * i);
        succeeds(1, FROM + 2 * i + 1);
    }
    fails(2, REASON_REFUSED, FROM + 20000);
    starts(FROM + 20001);
    ends_by(CAUSE_POWER);
    for (unsigned i = 0; i < incident.event_count; i++) {
        const struct incident_event *row = &incident.events[i];
        further += row->sort == INCIDENT_FURTHER;
        if (row->entry == 0) {
            told += row->sort != INCIDENT_RECOVERY ? row->count : 0;
            ended += row->sort == INCIDENT_RECOVERY ? 1 : row->ended;
        }
    }
    assert_int_equal(further, 1);
    assert_int_equal(told, 5000);
    assert_int_equal(ended, 5000);
    assert_int_equal(incident.event_count, INCIDENT_OWN_ROWS + 3);
    const struct incident_event *row = event(INCIDENT_OWN_ROWS, INCIDENT_FURTHER);
    assert_int_equal(row->at_ms, FROM + INCIDENT_OWN_ROWS);
    assert_int_equal(row->until_ms, FROM + 9999);
    assert_int_equal(event(INCIDENT_OWN_ROWS + 1, INCIDENT_FAILURE)->entry, 1);
    assert_int_equal(event(INCIDENT_OWN_ROWS + 2, INCIDENT_START)->causes, CAUSE_BIT(CAUSE_POWER));
}

/* All that can be in the timeline at once: every target noisy, pushes and the agent too. */
static void there_is_always_room(void **state)
{
    uint64_t told = 0;
    (void)state;
    for (uint32_t id = 4; id <= CAP_LEDGER_TARGETS; id++) {
        char name[16];
        (void)snprintf(name, sizeof name, "t%u", (unsigned)id);
        assert_true(ledger_add(&ledger, id, "web", name, "x") >= 0);
    }
    for (int i = 0; i < 500; i++) {
        for (uint32_t id = 1; id <= CAP_LEDGER_TARGETS; id++) {
            fails(id, i % 2 == 0 ? REASON_TIMEOUT : REASON_REFUSED, FROM + i);
        }
        counts(LEDGER_PUSH_FIRST + (unsigned)(i % 2 == 0 ? UPSTREAM_BUSY : UPSTREAM_TIMEOUT), 1);
        counts(LEDGER_CARE_FIRST + CARE_PROBE_SLOWED, 3);
    }
    unsigned rows = INCIDENT_TARGET_ROWS + 2 * INCIDENT_OWN_ROWS + CAP_LEDGER_TARGETS + 2;
    assert_int_equal(incident.event_count, rows);
    incident_end(&walk);
    for (unsigned i = 0; i < incident.event_count; i++) {
        told += incident.events[i].entry >= 0 ? incident.events[i].count : 0;
    }
    assert_int_equal(told, 500 * CAP_LEDGER_TARGETS);
    unsigned of_agent = 0;
    for (unsigned i = 0; i < incident.event_count; i++) {
        const struct incident_event *row = &incident.events[i];
        if (row->sort == INCIDENT_FURTHER && row->entry < 0) {
            assert_int_equal(row->count, 500 - INCIDENT_OWN_ROWS);
            of_agent++;
        }
    }
    assert_int_equal(of_agent, 2);
}

static void what_has_no_time_or_name_is_counted_apart(void **state)
{
    (void)state;
    fails(99, REASON_TIMEOUT, FROM + 1);
    fails(99, REASON_TIMEOUT, TO + 1);
    timed = false;
    starts(0);
    counts(LEDGER_PUSH_FIRST + UPSTREAM_BUSY, 1);
    fails(1, REASON_TIMEOUT, 0);
    fails(1, REASON_TIMEOUT, 0);
    assert_int_equal(incident.unnamed, 1);
    assert_int_equal(incident.results, 1);
    assert_int_equal(incident.untimed, 2);
    assert_int_equal(incident.untimed_starts, 1);
    assert_int_equal(incident.event_count, 0);
    assert_int_equal(incident.targets[0].results[OUTCOME_FAILURE], 0);
}

static void clock_tells_steps_and_trust(void **state)
{
    static const struct {
        int64_t offset_ms;
        unsigned code;
        int64_t step_ms;
    } rows[] = {
        {5000, INCIDENT_CLOCK_TRUSTED, 0},
        {5999, UINT32_MAX, 0}, /* slewed */
        {6999, INCIDENT_CLOCK_STEPPED, 1000},
        {-1, INCIDENT_CLOCK_STEPPED, -7000},
        {BLOCK_WALL_UNKNOWN, INCIDENT_CLOCK_DOUBTED, 0},
        {7000, INCIDENT_CLOCK_TRUSTED, 0},
    };
    unsigned seen = 0;
    (void)state;
    succeeds(1, FROM);
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        clocks(rows[i].offset_ms);
        if (rows[i].code != UINT32_MAX) {
            assert_int_equal(event(seen, INCIDENT_CLOCK)->code, rows[i].code);
            assert_int_equal(event(seen, INCIDENT_CLOCK)->step_ms, rows[i].step_ms);
            seen++;
        }
        assert_int_equal(incident.event_count, seen);
    }
}

/* Monotonic time begins anew: what was added to it before says nothing. */
static void clock_of_another_boot_did_not_step(void **state)
{
    (void)state;
    starts(FROM);
    clocks(5000);
    boot = 8;
    starts(FROM + 1);
    clocks(90000);
    assert_int_equal(incident.event_count, 4);
    assert_int_equal(event(3, INCIDENT_CLOCK)->code, INCIDENT_CLOCK_TRUSTED);
}

/* Where the ring has given up what was before, nobody knows how the clock stood then. */
static void log_that_begins_late_invents_no_change_of_the_clock(void **state)
{
    (void)state;
    ordinal = 4000;
    offset_ms = 5000;
    succeeds(1, FROM);
    clocks(5500);
    assert_int_equal(incident.event_count, 0);
    clocks(9000);
    assert_int_equal(event(0, INCIDENT_CLOCK)->step_ms, 3500);

    begin(NULL);
    ordinal = 4000;
    clocks(5000);
    succeeds(1, FROM);
    assert_int_equal(incident.event_count, 0);
}

/* Failures too are of nobody's concern then; and a failure before goes on behind it. */
static void maintenance_is_one_row_and_blames_nobody(void **state)
{
    (void)state;
    fails(1, REASON_TIMEOUT, FROM + 1);
    maintained(1, OUTCOME_FAILURE, FROM + 2);
    maintained(1, OUTCOME_SUCCESS, FROM + 3);
    maintained(2, OUTCOME_SUCCESS, FROM + 4);
    maintained(1, OUTCOME_FAILURE, FROM + 5);
    fails(1, REASON_TIMEOUT, FROM + 6);
    maintained(1, OUTCOME_SUCCESS, FROM + 7);
    incident_end(&walk);
    assert_int_equal(incident.event_count, 4);
    assert_int_equal(event(0, INCIDENT_FAILURE)->count, 2);
    assert_int_equal(event(1, INCIDENT_MAINTENANCE)->count, 3);
    assert_int_equal(event(1, INCIDENT_MAINTENANCE)->at_ms, FROM + 2);
    assert_int_equal(event(1, INCIDENT_MAINTENANCE)->until_ms, FROM + 5);
    assert_int_equal(event(2, INCIDENT_MAINTENANCE)->entry, 1);
    assert_int_equal(event(3, INCIDENT_MAINTENANCE)->at_ms, FROM + 7);
    assert_int_equal(incident.targets[0].maintenance, 4);
    assert_int_equal(incident.targets[0].results[OUTCOME_FAILURE], 2);
}

/* However often it comes and goes, it does not count as failures that had no row of their own. */
static void maintenance_without_a_row_is_in_the_sums_alone(void **state)
{
    uint64_t rows = 0;
    (void)state;
    for (int i = 0; i < 2 * INCIDENT_OWN_ROWS; i++) {
        maintained(1, OUTCOME_SUCCESS, FROM + 2 * i);
        succeeds(1, FROM + 2 * i + 1);
    }
    fails(1, REASON_TIMEOUT, FROM + 9000);
    for (unsigned i = 0; i < incident.event_count; i++) {
        rows += incident.events[i].sort == INCIDENT_MAINTENANCE;
    }
    assert_int_equal(rows, INCIDENT_OWN_ROWS);
    assert_int_equal(incident.targets[0].maintenance, 2 * INCIDENT_OWN_ROWS);
    assert_int_equal(event(INCIDENT_OWN_ROWS, INCIDENT_FURTHER)->count, 1);
}

static void what_was_usual_is_of_successes_before(void **state)
{
    (void)state;
    struct record slow = {
        .sort = RECORD_RESULT, .target = 1, .outcome = OUTCOME_SUCCESS, .duration_us = 7000};
    struct record quick = slow;
    quick.duration_us = 1000;
    take(quick, FROM - 9);
    fails(1, REASON_TIMEOUT, FROM - 8);
    maintained(1, OUTCOME_SUCCESS, FROM - 7);
    quick.duration_us = 2000;
    take(quick, FROM - 1);
    take(slow, FROM);
    take(slow, TO);
    take(quick, TO + 1);
    assert_int_equal(incident.targets[0].before, 2);
    assert_int_equal(incident.targets[0].before_us, 3000);
    assert_int_equal(incident.targets[0].success_us, 14000);
}

/* The ledger remembers the last ends by when the next run began; what it noted of another is not
 * told of this one. */
static void end_is_explained_by_what_was_noted_of_it(void **state)
{
    static const struct run_end ends[] = {
        {.cause = CAUSE_CRASH, .signal = 11, .task = VITAL_NONE, .unix_ms = FROM + 1},
        {.cause = CAUSE_HANG, .task = VITAL_LOOP, .target = 3, .unix_ms = FROM + 5900},
        {.cause = CAUSE_HANG, .task = VITAL_LOOP, .target = 2, .unix_ms = FROM + 5000},
        {.cause = CAUSE_CRASH, .exit_code = 3, .task = VITAL_NONE, .unix_ms = INT64_MAX},
        {.cause = CAUSE_MEMORY, .task = VITAL_NONE, .unix_ms = FROM + 20000},
        {.cause = CAUSE_STOP, .task = VITAL_NONE, .unix_ms = FROM + 29999},
    };
    static char text[INCIDENT_WORDS_BYTES];
    struct buffer out;
    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(ends); i++) {
        ledger_add_end(&ledger, &ends[i]);
    }
    starts(FROM);
    ends_by(CAUSE_CRASH);
    starts(FROM + 5800);
    ends_by(CAUSE_HANG);
    starts(FROM + 12000);
    ends_by(CAUSE_CRASH);
    starts(FROM + 20000);
    ends_by(CAUSE_MEMORY);
    ends_by(CAUSE_CRASH);
    starts(FROM + 30000);
    ends_by(CAUSE_STOP);
    incident_end(&walk);
    assert_int_equal(event(0, INCIDENT_START)->end.signal, 11);
    assert_int_equal(event(1, INCIDENT_START)->end.target, 3);
    assert_int_equal(event(2, INCIDENT_START)->end.cause, CAUSE_NONE);
    assert_int_equal(event(3, INCIDENT_START)->end.cause, CAUSE_NONE);
    assert_int_equal(event(4, INCIDENT_START)->end.cause, CAUSE_NONE);
    buffer_init(&out, text, sizeof text);
    incident_words(&out, &ledger, event(1, INCIDENT_START));
    assert_non_null(strstr(buffer_text(&out), "ended by hang of task loop with probe c in hand"));
}

/* A long run that began first stands behind shorter ones. */
static void rows_are_in_order_of_time(void **state)
{
    (void)state;
    fails(1, REASON_REFUSED, FROM + 9);
    fails(2, REASON_TIMEOUT, FROM + 3);
    fails(3, REASON_REFUSED, FROM + 6);
    incident_end(&walk);
    assert_int_equal(event(0, INCIDENT_FAILURE)->entry, 1);
    assert_int_equal(event(1, INCIDENT_FAILURE)->entry, 2);
    assert_int_equal(event(2, INCIDENT_FAILURE)->entry, 0);
}

static void gaps_say_how_many_records_are_missing(void **state)
{
    (void)state;
    succeeds(1, FROM);
    ordinal += 41;
    succeeds(1, FROM + 9);
    assert_int_equal(incident.event_count, 1);
    assert_int_equal(event(0, INCIDENT_GAP)->count, 41);
}

/* Whatever happens, rows and sums tell the same. */
static void rows_add_up_to_the_sums(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct prng prng = {.state = seed};
        uint64_t failed[TARGETS] = {0}, told[TARGETS] = {0}, results = 0;
        begin(NULL);
        int64_t now_ms = FROM - 2000;
        for (int i = 0; i < 4000; i++) {
            uint32_t target = 1 + (uint32_t)prng_below(&prng, TARGETS);
            now_ms += (int64_t)prng_below(&prng, 60);
            bool within = now_ms >= FROM && now_ms <= TO;
            switch (prng_below(&prng, 8)) {
            case 0:
                starts(now_ms);
                ends_by((enum cause)(1 + prng_below(&prng, CAUSE_COUNT - 1)));
                break;
            case 1:
                counts((unsigned)prng_below(&prng, LEDGER_COUNTERS), prng_below(&prng, 5));
                break;
            case 2:
            case 3:
                fails(target, (enum reason)prng_below(&prng, 2), now_ms);
                failed[target - 1] += within;
                results += within;
                break;
            default:
                succeeds(target, now_ms);
                results += within;
            }
        }
        incident_end(&walk);
        for (unsigned i = 0; i < incident.event_count; i++) {
            const struct incident_event *row = &incident.events[i];
            assert_true(row->at_ms >= FROM && row->until_ms <= TO && row->at_ms <= row->until_ms);
            assert_true(i == 0 || incident.events[i - 1].at_ms <= row->at_ms);
            if (row->entry >= 0 && row->sort != INCIDENT_RECOVERY) {
                told[row->entry] += row->count;
            }
        }
        assert_int_equal(incident.results, results);
        for (unsigned i = 0; i < TARGETS; i++) {
            assert_int_equal(incident.targets[i].results[OUTCOME_FAILURE], failed[i]);
            assert_int_equal(told[i], failed[i]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(start_is_told_by_the_ends_before_it_alone, begin),
        cmocka_unit_test_setup(start_on_another_boot_says_so, begin),
        cmocka_unit_test_setup(equal_failures_are_one_row_within_the_window, begin),
        cmocka_unit_test_setup(lost_pushes_are_counted_as_told, begin),
        cmocka_unit_test_setup(codes_that_have_no_word_are_passed_over, begin),
        cmocka_unit_test_setup(a_noisy_target_hides_nobody, begin),
        cmocka_unit_test_setup(there_is_always_room, begin),
        cmocka_unit_test_setup(what_has_no_time_or_name_is_counted_apart, begin),
        cmocka_unit_test_setup(clock_tells_steps_and_trust, begin),
        cmocka_unit_test_setup(clock_of_another_boot_did_not_step, begin),
        cmocka_unit_test_setup(log_that_begins_late_invents_no_change_of_the_clock, begin),
        cmocka_unit_test_setup(maintenance_is_one_row_and_blames_nobody, begin),
        cmocka_unit_test_setup(maintenance_without_a_row_is_in_the_sums_alone, begin),
        cmocka_unit_test_setup(what_was_usual_is_of_successes_before, begin),
        cmocka_unit_test_setup(end_is_explained_by_what_was_noted_of_it, begin),
        cmocka_unit_test_setup(rows_are_in_order_of_time, begin),
        cmocka_unit_test_setup(gaps_say_how_many_records_are_missing, begin),
        cmocka_unit_test_setup(rows_add_up_to_the_sums, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
