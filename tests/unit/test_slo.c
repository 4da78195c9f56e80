/* Guards against: an event in a window it is no longer in, or missing from one it is in; windows
 * that move with the wall clock, forget what was before a reboot, or are not the same after a
 * checkpoint; a history that is lost because a configuration was tried and taken back. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "checkpoint.h"
#include "ledger_fixture.h"

enum { EVENTS_MAX = 200000, HOUR_MS = 3600000, DAY_MS = 24 * HOUR_MS, MINUTE_MS = 60000 };

static struct config config;
static struct ledger ledger, decoded;
static uint8_t bytes[CAP_CHECKPOINT_BLOCKS * BLOCK_PART_BYTES];
static struct prng prng;

/* The model: each event as it is, and the axis as true time plus an offset that changes only when a
 * board boots and when that boot first hears the time. */
static struct {
    struct {
        unsigned target;
        int64_t at_ms; /* on the axis */
        int64_t steps; /* duration; -1: failed */
    } events[EVENTS_MAX];
    unsigned count;
    int64_t now_ms, booted_ms; /* true time */
    int64_t last_ms;           /* true time of the last record that has one */
    int64_t offset_ms;
    uint64_t boot;
    bool heard, anchored;
    int64_t wall_error_ms, anchor_ms; /* wall time is true time plus the error */
} model;

static void apply(struct record record)
{
    ledger_apply(&ledger, &record);
}

static void run_record(void)
{
    apply((struct record){.sort = RECORD_RUN,
                          .boot = model.boot,
                          .at_us = (model.now_ms - model.booted_ms) * USEC_PER_MSEC});
    model.last_ms = model.now_ms;
}

static void boot(int64_t off_ms)
{
    int64_t axis_ms = model.last_ms + model.offset_ms;
    model.boot++;
    model.now_ms += off_ms;
    model.booted_ms = model.now_ms - 5000; /* the agent starts a little later */
    model.offset_ms = axis_ms - model.now_ms;
    model.heard = false;
    run_record();
}

static void hear_wall(void)
{
    apply((struct record){.sort = RECORD_CLOCK,
                          .wall_offset_ms = model.booted_ms + model.wall_error_ms});
    if (!model.heard && model.anchored && model.wall_error_ms - model.anchor_ms > model.offset_ms) {
        model.offset_ms = model.wall_error_ms - model.anchor_ms;
    }
    model.heard = model.anchored = true;
    model.anchor_ms = model.wall_error_ms - model.offset_ms;
}

static void result(uint32_t target, enum outcome outcome, int64_t steps, int64_t ago_ms)
{
    bool maintenance = prng_below(&prng, 30) == 0;
    int64_t at_ms = model.now_ms - ago_ms;
    at_ms = at_ms > model.booted_ms ? at_ms : model.booted_ms;
    apply((struct record){.sort = RECORD_RESULT,
                          .target = target,
                          .outcome = outcome,
                          .reason = outcome == OUTCOME_FAILURE ? REASON_TIMEOUT : REASON_NONE,
                          .maintenance = maintenance,
                          .at_us = (at_ms - model.booted_ms) * USEC_PER_MSEC,
                          .duration_us = steps * RECORD_DURATION_STEP_US});
    model.last_ms = at_ms > model.last_ms ? at_ms : model.last_ms;
    if (outcome != OUTCOME_UNKNOWN && !maintenance) {
        int64_t axis_ms = at_ms + model.offset_ms;
        assert_true(model.count < EVENTS_MAX);
        model.events[model.count].target = (unsigned)ledger_find(&ledger, target);
        model.events[model.count].at_ms = axis_ms > 0 ? axis_ms : 0;
        model.events[model.count++].steps = outcome == OUTCOME_SUCCESS ? steps : -1;
    }
}

static bool is_good(const struct config_slo *slo, int64_t steps)
{
    return steps >= 0 &&
           (slo->type == SLO_AVAILABILITY || steps * RECORD_DURATION_STEP_US <= slo->threshold_us);
}

/* Events from a moment on, by looking at every one: of the first two probes, which are all there
 * ever is in a group here, or of the first target. */
static struct slo_events since(const struct config_group *group, const struct config_slo *slo,
                               int64_t from_ms)
{
    struct slo_events events = {.good = 0};
    for (unsigned i = 0; i < model.count; i++) {
        unsigned target = model.events[i].target;
        bool is_of = group != NULL ? config.targets[target].probe < 2 : target == 0;
        if (is_of && model.events[i].at_ms >= from_ms) {
            bool good = is_good(slo, model.events[i].steps);
            events.good += good ? 1 : 0;
            events.bad += good ? 0 : 1;
        }
    }
    return events;
}

/* The window is whole buckets: it begins where the bucket begins that was at hand a window ago. */
static void check_window(const struct config_group *group, const struct config_slo *slo,
                         usec_t window_us, int64_t width_ms)
{
    int64_t window_ms = window_us / USEC_PER_MSEC;
    usec_t mono_us = (model.now_ms - model.booted_ms) * USEC_PER_MSEC;
    int64_t now_ms = slo_clock_position(&ledger.totals.slos.clock, mono_us);
    assert_int_equal(now_ms,
                     model.now_ms + model.offset_ms > 0 ? model.now_ms + model.offset_ms : 0);
    struct slo_events sum =
        group != NULL ? ledger_group_events(&ledger, &config, group, slo, window_us, mono_us)
                      : ledger_slo_events(&ledger, 0, slo, window_us, mono_us);
    int64_t parts = (window_ms + width_ms - 1) / width_ms;
    struct slo_events expected = since(group, slo, (now_ms / width_ms - parts) * width_ms);
    assert_int_equal(sum.good, expected.good);
    assert_int_equal(sum.bad, expected.bad);
    struct slo_events least = since(group, slo, now_ms - window_ms + 1);
    struct slo_events most = since(group, slo, now_ms - window_ms - width_ms);
    assert_in_range(sum.good, least.good, most.good);
    assert_in_range(sum.bad, least.bad, most.bad);
}

static void check_all(const struct config_group *group, const struct config_slo *slo)
{
    static const int64_t widths_ms[SLO_BURN_WINDOWS] = {
        MINUTE_MS,      MINUTE_MS,   5 * MINUTE_MS, 5 * MINUTE_MS,
        30 * MINUTE_MS, 2 * HOUR_MS, 2 * HOUR_MS};
    int64_t own_ms = (slo->window_us / USEC_PER_MSEC + 59) / 60;
    for (unsigned i = 0; i < SLO_BURN_WINDOWS; i++) {
        usec_t window_us = slo_burn_windows[i].duration_us;
        check_window(group, slo, window_us, window_us == slo->window_us ? own_ms : widths_ms[i]);
    }
    check_window(group, slo, slo->window_us, own_ms);
}

/* Goes on with what a checkpoint brings back. */
static void round_trip(void)
{
    struct checkpoint checkpoint = {.oldest_seq = 1, .next_seq = 1};
    size_t size = checkpoint_encode(&checkpoint, &ledger, &ledger.totals, bytes, sizeof bytes);
    assert_true(size <= sizeof bytes);
    assert_true(checkpoint_decode(bytes, size, &checkpoint, &decoded));
    memcpy(&ledger, &decoded, sizeof ledger);
    assert_false(ledger_bind(&ledger, &config));
}

static void begin(uint64_t seed, const struct config_slo *slos, unsigned count)
{
    fixture_begin(&config, "branch-0042");
    struct config_probe *probe = fixture_probe(&config, &fixture_web, "portal");
    memcpy(probe->slos, slos, count * sizeof slos[0]);
    probe->slo_count = (uint8_t)count;
    fixture_target(&config, "http://portal");
    probe = fixture_probe(&config, &fixture_web, "other");
    probe->slos[0] = slos[0];
    probe->slo_count = 1;
    fixture_target(&config, "http://other");
    ledger_init(&ledger, 7);
    (void)ledger_bind(&ledger, &config);
    memset(&model, 0, sizeof model);
    prng = (struct prng){.state = seed};
    model.now_ms = 10000;
    boot(0);
}

/* A stretch of a site's life: runs at some rhythm, some late, with outages and slow times. */
static void live(const struct config_slo *slos)
{
    int64_t interval_ms = 1000 * (int64_t)(1 + prng_below(&prng, 300));
    unsigned runs = 1 + (unsigned)prng_below(&prng, 300), bad = (unsigned)prng_below(&prng, 101);
    for (unsigned i = 0; i < runs; i++) {
        bool fails = prng_below(&prng, 100) < bad;
        int64_t steps =
            slos[1].threshold_us / RECORD_DURATION_STEP_US - 1 + (int64_t)prng_below(&prng, 3);
        int64_t ago_ms = prng_below(&prng, 50) == 0 ? (int64_t)prng_below(&prng, HOUR_MS) : 0;
        enum outcome outcome = prng_below(&prng, 20) == 0 ? OUTCOME_UNKNOWN
                               : fails                    ? OUTCOME_FAILURE
                                                          : OUTCOME_SUCCESS;
        model.now_ms += interval_ms;
        result(ledger.entries[0].id, outcome, steps, ago_ms);
        result(ledger.entries[1].id, OUTCOME_FAILURE, 0, 0);
    }
}

static void slo_windows_are_what_a_look_at_every_event_says(void **state)
{
    static const usec_t windows[] = {USEC_PER_HOUR,
                                     6 * USEC_PER_HOUR,
                                     USEC_PER_DAY,
                                     3 * USEC_PER_DAY,
                                     30 * USEC_PER_DAY,
                                     90 * USEC_PER_DAY,
                                     4321 * USEC_PER_SEC + USEC_PER_MSEC};
    (void)state;
    for (uint64_t seed = 1; seed <= 150; seed++) {
        struct config_slo slos[] = {
            {.type = SLO_AVAILABILITY,
             .objective_ppm = 999000,
             .window_us = windows[seed % ARRAY_LEN(windows)]},
            {.type = SLO_LATENCY,
             .objective_ppm = 950000,
             .threshold_us = 800000,
             .window_us = windows[seed / 2 % ARRAY_LEN(windows)]},
        };
        begin(seed, slos, 2);
        for (unsigned step = 0; step < 60; step++) {
            switch (prng_below(&prng, 8)) {
            case 0:
                boot((int64_t)prng_below(&prng, prng_below(&prng, 4) == 0 ? 40 * (uint64_t)DAY_MS
                                                                          : 2 * HOUR_MS));
                break;
            case 1:
                model.wall_error_ms += prng_below(&prng, 4) == 0
                                           ? (int64_t)prng_below(&prng, 4 * HOUR_MS) - 2 * HOUR_MS
                                           : 0;
                hear_wall();
                break;
            case 2: /* the agent alone starts again */
                model.now_ms += (int64_t)prng_below(&prng, 60000);
                run_record();
                break;
            case 3:
                round_trip();
                break;
            case 4:
                model.now_ms += (int64_t)prng_below(&prng, DAY_MS); /* nothing is due */
                break;
            default:
                live(slos);
            }
            check_all(NULL, &slos[0]);
            check_all(NULL, &slos[1]);
        }
    }
}

/* A group over both targets of one probe and the one of another, which have some of its histories
 * as their own; a fourth target is apart. */
static struct config_group *begin_group(uint64_t seed, const struct config_slo *slos)
{
    static const char *const names[] = {"portal", "other", "apart"};
    begin(seed, slos, 2);
    fixture_begin(&config, "branch-0042");
    for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
        struct config_probe *probe = fixture_probe(&config, &fixture_web, names[i]);
        memcpy(probe->slos, slos, 2 * sizeof slos[0]);
        probe->slo_count = (uint8_t)i;
        probe->group_slo_count = (uint8_t)(2 - i);
        fixture_target(&config, "http://first");
        if (i == 0) {
            fixture_target(&config, "http://second");
        }
    }
    struct config_group *group = &config.groups[config.group_count++];
    memcpy(group->slos, slos, 2 * sizeof slos[0]);
    group->slo_count = 2;
    group->probes[0] = 3;
    (void)ledger_bind(&ledger, &config);
    return group;
}

static void live_all(const struct config_slo *slos)
{
    int64_t interval_ms = 1000 * (int64_t)(1 + prng_below(&prng, 300));
    unsigned runs = 1 + (unsigned)prng_below(&prng, 100), bad = (unsigned)prng_below(&prng, 101);
    for (unsigned i = 0; i < runs; i++) {
        unsigned target = (unsigned)prng_below(&prng, config.target_count);
        enum outcome outcome = prng_below(&prng, 20) == 0     ? OUTCOME_UNKNOWN
                               : prng_below(&prng, 100) < bad ? OUTCOME_FAILURE
                                                              : OUTCOME_SUCCESS;
        int64_t steps =
            slos[1].threshold_us / RECORD_DURATION_STEP_US - 1 + (int64_t)prng_below(&prng, 3);
        model.now_ms += interval_ms;
        result(ledger.entries[target].id, outcome, steps, 0);
    }
}

/* Takes the group away or gives it back, or an SLO of its own to a probe that counts it anyway. */
static void change_groups(unsigned *gone)
{
    if (prng_below(&prng, 2) == 0) {
        *gone ^= 1;
        config.probes[0].group_slo_count = *gone ? 0 : 2;
        config.probes[1].group_slo_count = (uint8_t)(*gone ? 0 : 2 - config.probes[1].slo_count);
    } else if (!*gone) {
        config.probes[1].slo_count ^= 3; /* one or both */
        config.probes[1].group_slo_count ^= 1;
    }
    assert_false(ledger_bind(&ledger, &config));
}

static void slo_of_a_group_is_what_a_look_at_every_event_of_its_targets_says(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct config_slo slos[] = {
            {.type = SLO_AVAILABILITY, .objective_ppm = 999000, .window_us = 7 * USEC_PER_DAY},
            {.type = SLO_LATENCY,
             .objective_ppm = 950000,
             .threshold_us = 800000,
             .window_us = seed % 2 == 0 ? USEC_PER_HOUR : 7 * USEC_PER_DAY},
        };
        struct config_group *group = begin_group(seed, slos);
        unsigned gone = 0;
        for (unsigned step = 0; step < 60; step++) {
            switch (prng_below(&prng, 7)) {
            case 0:
                boot((int64_t)prng_below(&prng, 2 * HOUR_MS));
                break;
            case 1:
                hear_wall();
                break;
            case 2:
                round_trip();
                break;
            case 3:
                model.now_ms += (int64_t)prng_below(&prng, DAY_MS);
                break;
            case 4:
                change_groups(&gone);
                break;
            default:
                live_all(slos);
            }
            for (unsigned i = 0; i < 2 && !gone; i++) {
                check_all(group, &slos[i]);
            }
        }
    }
}

/* A caller's time may be before the last event; then it is the last one of all, for all. */
static void slo_of_a_group_looks_at_one_moment(void **state)
{
    struct config_slo slos[] = {
        {.type = SLO_AVAILABILITY, .objective_ppm = 999000, .window_us = USEC_PER_DAY},
        {.type = SLO_LATENCY,
         .objective_ppm = 950000,
         .threshold_us = 800000,
         .window_us = USEC_PER_DAY}};
    struct config_group *group = begin_group(1, slos);
    (void)state;
    uint32_t ids[] = {ledger.entries[0].id, ledger.entries[2].id};
    for (unsigned i = 0; i < ARRAY_LEN(ids); i++) {
        apply((struct record){.sort = RECORD_RESULT,
                              .target = ids[i],
                              .at_us = 10 * USEC_PER_SEC + i * 2 * USEC_PER_HOUR});
    }
    struct slo_events events =
        ledger_group_events(&ledger, &config, group, &slos[0], USEC_PER_HOUR, 0);
    assert_int_equal(events.good, 1);
    assert_int_equal(events.bad, 0);
    events = ledger_group_events(&ledger, &config, group, &slos[0], USEC_PER_DAY, 0);
    assert_int_equal(events.good, 2);
}

/* Members have what they counted before there was the group, and after it is gone. */
static void slo_of_a_group_that_is_added_later_begins_with_what_members_have(void **state)
{
    struct config_slo slos[] = {
        {.type = SLO_AVAILABILITY, .objective_ppm = 999000, .window_us = 7 * USEC_PER_DAY},
        {.type = SLO_AVAILABILITY, .objective_ppm = 900000, .window_us = 7 * USEC_PER_DAY}};
    (void)state;
    begin(1, slos, 1);
    result(ledger.entries[0].id, OUTCOME_SUCCESS, 1, 0);
    result(ledger.entries[1].id, OUTCOME_FAILURE, 1, 0);
    round_trip();
    struct config_group *group = &config.groups[config.group_count++];
    group->slos[0] = slos[1]; /* what the probes' own count already */
    group->slo_count = 1;
    group->probes[0] = 3;
    round_trip();
    check_all(group, &slos[1]);
    struct slo_events events =
        ledger_group_events(&ledger, &config, group, &slos[1], slos[1].window_us, 0);
    assert_int_equal(events.good + events.bad, model.count);
    assert_int_not_equal(model.count, 0);
}

/* What the field's formulas say: a tenth of the events bad at 99 % burns ten times as fast. */
static void slo_ratios_are_those_of_the_workbook(void **state)
{
    static const struct {
        struct slo_events events;
        int64_t objective_ppm;
        bool known;
        double rate;
    } rows[] = {
        {{0, 0}, 999000, false, 0},  {{1000, 0}, 999000, true, 0}, {{90, 10}, 990000, true, 10},
        {{999, 1}, 999000, true, 1}, {{0, 5}, 999000, true, 1000}, {{856, 144}, 990000, true, 14.4},
        {{1, 0}, 1, true, 0},        {{0, 1}, 999999, true, 1e6},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        double rate = slo_burn_rate(rows[i].events, rows[i].objective_ppm);
        double remaining = slo_budget_remaining(rows[i].events, rows[i].objective_ppm);
        assert_int_equal(isnan(rate), !rows[i].known);
        assert_int_equal(isnan(remaining), !rows[i].known);
        if (rows[i].known) {
            assert_double_equal(rate, rows[i].rate, rows[i].rate * 1e-12);
            assert_double_equal(remaining, 1 - rows[i].rate, rows[i].rate * 1e-12);
        }
    }
}

static struct slo_events sum_of_first(const struct config_slo *slo)
{
    const struct slo_history *history =
        slo_book_find(&ledger.totals.slos, ledger.entries[0].id, slo);
    return history == NULL ? (struct slo_events){.good = 0}
                           : slo_history_sum(history, slo->window_us, history->last_ms);
}

/* The history is there again, with what happened in between; and another objective changes none. */
static void slo_history_outlives_a_configuration_without_it(void **state)
{
    struct config_slo slo = {
        .type = SLO_AVAILABILITY, .objective_ppm = 999000, .window_us = 30 * USEC_PER_DAY};
    (void)state;
    begin(1, &slo, 1);
    result(ledger.entries[0].id, OUTCOME_SUCCESS, 1, 0);
    config.probes[0].slo_count = 0;
    assert_false(ledger_bind(&ledger, &config));
    result(ledger.entries[0].id, OUTCOME_FAILURE, 1, 0);
    round_trip();
    config.probes[0].slo_count = 1;
    config.probes[0].slos[0].objective_ppm = 990000;
    assert_false(ledger_bind(&ledger, &config));
    struct slo_events events = sum_of_first(&slo);
    assert_int_equal(events.good, 1);
    assert_int_equal(events.bad, 1);
}

/* When all room is taken, by histories that are no longer asked for, one that is asked for again is
 * no room for another, however long it was gone. */
static void slo_history_is_not_given_up_for_one_beside_it(void **state)
{
    struct config_slo slo = {
        .type = SLO_AVAILABILITY, .objective_ppm = 999000, .window_us = 30 * USEC_PER_DAY};
    struct slo_book *book = &ledger.totals.slos;
    (void)state;
    begin(1, &slo, 1);
    result(ledger.entries[1].id, OUTCOME_SUCCESS, 1, 0);
    config.probes[0].slo_count = config.probes[1].slo_count = 0;
    assert_false(ledger_bind(&ledger, &config));
    for (unsigned i = 1; book->count < CAP_SLO_HISTORIES; i++) {
        struct config_slo other = {.window_us = USEC_PER_HOUR + (usec_t)i * USEC_PER_MSEC};
        slo_book_add(book, ledger.entries[1].id, &other)->gone_at = ledger.totals.ordinal + i;
    }
    config.probes[0].slo_count = 2; /* both new */
    config.probes[0].slos[0].window_us = 7 * USEC_PER_DAY;
    config.probes[0].slos[1].window_us = 8 * USEC_PER_DAY;
    config.probes[1].slo_count = 1;
    assert_true(ledger_bind(&ledger, &config));
    const struct slo_history *kept = slo_book_find(book, ledger.entries[1].id, &slo);
    assert_non_null(kept);
    assert_int_equal(slo_history_sum(kept, slo.window_us, kept->last_ms).good, 1);
}

/* An id that is given up takes its histories with it: nobody would ever ask for them. */
static void slo_histories_go_with_their_target(void **state)
{
    struct config_slo slo = {
        .type = SLO_AVAILABILITY, .objective_ppm = 999000, .window_us = 30 * USEC_PER_DAY};
    char instance[32];
    int index = 0;
    (void)state;
    begin(1, &slo, 1);
    uint32_t first = ledger.entries[0].id;
    for (unsigned i = 0; index >= 0; i++) {
        (void)snprintf(instance, sizeof instance, "http://%u", i);
        index = ledger_add(&ledger, ledger.next_id, "web", "filler", instance);
        if (index >= 0) {
            ledger.entries[index].gone_at = ledger.totals.ordinal + 1;
        }
    }
    fixture_begin(&config, "branch-0042");
    fixture_probe(&config, &fixture_web, "new");
    fixture_target(&config, "http://new");
    assert_non_null(slo_book_find(&ledger.totals.slos, first, &slo));
    assert_true(ledger_bind(&ledger, &config));
    assert_int_equal(ledger_find(&ledger, first), -1);
    assert_null(slo_book_find(&ledger.totals.slos, first, &slo));
}

/* Until its room is needed, the one longest gone first; one that is asked for never goes. */
static void slo_book_forgets_only_what_is_not_asked_for(void **state)
{
    static struct slo_book book;
    struct config_slo slo = {.type = SLO_AVAILABILITY, .window_us = 30 * USEC_PER_DAY};
    (void)state;
    slo_book_init(&book);
    for (uint32_t id = 1; id <= CAP_SLO_HISTORIES; id++) {
        slo_book_ask_none(&book, id);
        assert_true(slo_book_ask(&book, id, &slo, true));
    }
    assert_null(slo_book_add(&book, 9999, &slo));
    slo_book_ask_none(&book, 10000);
    for (uint32_t id = 1; id <= CAP_SLOS - 1; id++) {
        assert_false(slo_book_ask(&book, id, &slo, false));
    }
    assert_false(slo_book_ask(&book, 10000, &slo, false));
    assert_null(slo_book_find(&book, 10000, &slo));
    assert_true(slo_book_ask(&book, 10000, &slo, true));
    assert_non_null(slo_book_find(&book, 1, &slo));
    assert_null(slo_book_find(&book, CAP_SLOS, &slo)); /* the first of those gone longest */
    assert_non_null(slo_book_find(&book, CAP_SLOS + 1, &slo));
    slo_book_forget_target(&book, 1);
    assert_null(slo_book_find(&book, 1, &slo));
    unsigned asked = CAP_SLOS - 1;
    while (slo_book_forget_gone(&book)) {
    }
    assert_int_equal(book.count, asked);
    assert_non_null(slo_book_find(&book, 10000, &slo));
}

/* No boot without a known time moves anything, whatever times records claim. */
static void slo_clock_stays_in_its_range_whatever_records_say(void **state)
{
    struct slo_clock clock = {.boot = 0};
    int64_t before_ms = 0;
    (void)state;
    prng = (struct prng){.state = 5};
    for (unsigned i = 0; i < 200000; i++) {
        struct record record = {.sort = (enum record_sort)prng_below(&prng, RECORD_CLOCK + 1)};
        int64_t far_ms = (int64_t)(prng_next(&prng) % (BLOCK_TIME_MAX_MS + 1));
        record.boot = prng_below(&prng, 3);
        record.at_us = far_ms * USEC_PER_MSEC;
        record.wall_offset_ms = prng_below(&prng, 9) == 0   ? BLOCK_WALL_UNKNOWN
                                : prng_below(&prng, 2) == 0 ? far_ms
                                                            : -far_ms;
        slo_clock_follow(&clock, &record);
        assert_true(clock.position_ms >= before_ms && clock.position_ms <= SLO_POSITION_MAX_MS);
        before_ms = clock.position_ms;
        int64_t position_ms = slo_clock_position(&clock, (usec_t)far_ms * USEC_PER_MSEC);
        assert_in_range(position_ms, 0, SLO_POSITION_MAX_MS);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slo_windows_are_what_a_look_at_every_event_says),
        cmocka_unit_test(slo_of_a_group_is_what_a_look_at_every_event_of_its_targets_says),
        cmocka_unit_test(slo_of_a_group_looks_at_one_moment),
        cmocka_unit_test(slo_of_a_group_that_is_added_later_begins_with_what_members_have),
        cmocka_unit_test(slo_ratios_are_those_of_the_workbook),
        cmocka_unit_test(slo_history_outlives_a_configuration_without_it),
        cmocka_unit_test(slo_history_is_not_given_up_for_one_beside_it),
        cmocka_unit_test(slo_histories_go_with_their_target),
        cmocka_unit_test(slo_book_forgets_only_what_is_not_asked_for),
        cmocka_unit_test(slo_clock_stays_in_its_range_whatever_records_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
