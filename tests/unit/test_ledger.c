/* Guards against: counters that move to another target when the configuration changes, totals that
 * go backwards when a probe or an objective comes back, an id given twice, a configured target
 * that is forgotten. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ledger_fixture.h"

enum { KNOWN_MAX = 2048, IDENTITY_BYTES = CAP_INSTANCE_BYTES + 2 * CAP_NAME_BYTES };

static struct config config;
static struct ledger ledger;
static struct prng prng;

/* What each identity must have, kept apart from the ledger. */
static struct known {
    char identity[IDENTITY_BYTES];
    uint32_t id;
    struct sli sli; /* counted by the same records; its bounds are not compared */
} known[KNOWN_MAX];
static unsigned known_count;

static void begin(uint64_t seed)
{
    memset(&ledger, 0xa5, sizeof ledger);
    ledger_init(&ledger, 77);
    prng = (struct prng){.state = seed};
    known_count = 0;
}

static struct known *find_known(const char *identity)
{
    for (unsigned i = 0; i < known_count; i++) {
        if (strcmp(known[i].identity, identity) == 0) {
            return &known[i];
        }
    }
    return NULL;
}

static struct known *known_of_entry(unsigned index)
{
    const struct ledger_entry *entry = &ledger.entries[index];
    char identity[IDENTITY_BYTES];
    (void)snprintf(identity, sizeof identity, "%s %s %s", ledger_text(&ledger, entry->kind),
                   ledger_text(&ledger, entry->probe), ledger_text(&ledger, entry->instance));
    return find_known(identity);
}

static void assert_counts(const struct sli *counted, const struct sli *expected)
{
    assert_memory_equal(counted->results, expected->results, sizeof counted->results);
    assert_memory_equal(counted->failures, expected->failures, sizeof counted->failures);
    assert_int_equal(counted->missed, expected->missed);
    assert_int_equal(counted->duration.count, expected->duration.count);
    assert_int_equal(counted->duration.sum_us, expected->duration.sum_us);
}

/* Runs within a threshold. */
static uint64_t within(const struct sli *sli, usec_t threshold_us)
{
    struct config_slo slo = {.type = SLO_LATENCY, .threshold_us = threshold_us};
    return sli_slo_events(sli, &slo).good;
}

/* Entry i is target i, with its own totals and its own id; a new one has an id nobody had. */
static void assert_target(unsigned target)
{
    const struct config_probe *probe = config_target_probe(&config, target);
    const struct sli *sli = &ledger.totals.slis[target];
    char identity[IDENTITY_BYTES];
    (void)snprintf(identity, sizeof identity, "%s %s %s", probe->section.kind->name,
                   config_probe_name(&config, probe), config_instance(&config, target));
    struct known *one = find_known(identity);
    if (one == NULL) {
        for (unsigned i = 0; i < known_count; i++) {
            assert_int_not_equal(known[i].id, ledger.entries[target].id);
        }
        assert_true(known_count < KNOWN_MAX);
        one = &known[known_count++];
        *one = (struct known){.id = ledger.entries[target].id};
        (void)snprintf(one->identity, sizeof one->identity, "%s", identity);
        sli_init(&one->sli, NULL);
    }
    assert_ptr_equal(known_of_entry(target), one);
    assert_int_equal(ledger.entries[target].id, one->id);
    assert_int_equal(ledger.entries[target].gone_at, 0);
    assert_counts(sli, &one->sli);
    for (unsigned i = 0; i < probe->slo_count; i++) {
        bool bound = false;
        for (unsigned j = 0; j < sli->duration.bound_count; j++) {
            bound = bound || sli->duration.bounds_us[j] == probe->slos[i].threshold_us;
        }
        assert_true(bound);
    }
}

static void assert_all(void)
{
    assert_ledger_rules(&ledger);
    for (unsigned i = 0; i < config.target_count; i++) {
        assert_target(i);
    }
    for (unsigned i = config.target_count; i < ledger.totals.sli_count; i++) {
        assert_true(ledger.entries[i].gone_at > 0);
        assert_non_null(known_of_entry(i));
        assert_int_equal(known_of_entry(i)->id, ledger.entries[i].id);
        assert_counts(&ledger.totals.slis[i], &known_of_entry(i)->sli);
    }
}

static void count_records(unsigned records)
{
    for (unsigned i = 0; i < records && config.target_count > 0; i++) {
        unsigned target = (unsigned)prng_below(&prng, config.target_count);
        struct record record = random_record(&prng, ledger.entries[target].id);
        sli_add(&known_of_entry(target)->sli, &record);
        ledger_apply(&ledger, &record);
    }
}

static bool configure(const char *line)
{
    site_of(&config, line);
    bool changed = ledger_bind(&ledger, &config);
    assert_all();
    assert_false(ledger_bind(&ledger, &config)); /* the same again changes nothing */
    assert_all();
    count_records(100);
    assert_all();
    return changed;
}

static void ledger_keeps_each_counter_with_its_identity(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        const char *sites[6];
        bool changed[6];
        unsigned entries; /* in the end, those gone included */
    } rows[] = {
        {"same", {"web.a=x bus.b=y", "web.a=x bus.b=y"}, {true, false}, 2},
        {"add last", {"web.a=x", "web.a=x bus.b=y"}, {true, true}, 2},
        {"add first", {"web.a=x", "bus.b=y web.a=x"}, {true, true}, 2},
        {"add between", {"web.a=x bus.b=y", "web.a=x web.c=z bus.b=y"}, {true, true}, 3},
        {"remove first", {"web.a=x bus.b=y", "bus.b=y"}, {true, true}, 2},
        {"remove last", {"web.a=x bus.b=y", "web.a=x"}, {true, true}, 2},
        {"remove all", {"web.a=x bus.b=y", ""}, {true, true}, 2},
        {"rename", {"web.a=x bus.b=y", "web.c=x bus.b=y"}, {true, true}, 3},
        {"other instance", {"web.a=x bus.b=y", "web.a=z bus.b=y"}, {true, true}, 3},
        {"other kind", {"web.a=x bus.b=y", "bus.a=x bus.b=y"}, {true, true}, 3},
        {"reorder", {"web.a=x bus.b=y web.c=z", "web.c=z web.a=x bus.b=y"}, {true, false}, 3},
        {"swap names", {"web.a=x web.b=y", "web.b=x web.a=y"}, {true, true}, 4},
        {"swap instances back", {"web.a=x,y", "web.a=y,x", "web.a=x,y"}, {true, false, false}, 2},
        {"one of several", {"web.a=x,y,z", "web.a=x,z", "web.a=z,x,y"}, {true, true, true}, 3},
        {"re-add", {"web.a=x bus.b=y", "bus.b=y", "web.a=x bus.b=y"}, {true, true, true}, 2},
        {"re-add last", {"web.a=x bus.b=y", "bus.b=y", "bus.b=y web.a=x"}, {true, true, true}, 2},
        {"kind and back",
         {"web.a=x", "bus.a=x", "web.a=x", "bus.a=x"},
         {true, true, true, true},
         2},
        {"texts that run on", {"web.a=bc", "web.ab=c", "web.a=bc web.ab=c"}, {true, true, true}, 2},
        {"slo added", {"web.a=x bus.b=y", "web.a/800=x bus.b=y"}, {true, true}, 2},
        {"slo gone", {"web.a/800=x", "web.a=x", "web.a/800=x"}, {true, false, false}, 1},
        {"slo moved", {"web.a/800=x web.b=y", "web.a=x web.b/800=y"}, {true, true}, 2},
        {"slo on a fixed bound", {"web.a=x", "web.a/500=x", "web.a=x"}, {true, true, false}, 1},
        {"slo away with its probe", {"web.a/800=x", "", "web.a/800=x"}, {true, true, true}, 1},
    };
    for (size_t row = 0; row < ARRAY_LEN(rows); row++) {
        begin(row + 1);
        for (unsigned i = 0; i < 6 && rows[row].sites[i] != NULL; i++) {
            bool changed = configure(rows[row].sites[i]);
            if (changed != rows[row].changed[i]) {
                fail_msg("%s: site %u", rows[row].what, i);
            }
        }
        if (ledger.totals.sli_count != rows[row].entries) {
            fail_msg("%s: %u entries", rows[row].what, ledger.totals.sli_count);
        }
    }
}

/* Between a removed objective and its return no run is forgotten, and good never goes down. */
static void ledger_takes_an_objective_back_where_it_was(void **state)
{
    (void)state;
    begin(3);
    (void)configure("web.a/800=x");
    uint64_t before = within(&ledger.totals.slis[0], 800000);
    (void)configure("web.a/700=x");
    (void)configure("");
    (void)configure("web.b=y web.a/800/100=x");
    assert_true(within(&ledger.totals.slis[1], 800000) > before);
    uint64_t expected = within(&ledger.totals.slis[1], 800000) + 1;
    struct record record = {.sort = RECORD_RESULT,
                            .target = ledger.entries[1].id,
                            .outcome = OUTCOME_SUCCESS,
                            .reason = REASON_NONE,
                            .duration_us = 800000};
    ledger_apply(&ledger, &record);
    record.duration_us += RECORD_DURATION_STEP_US;
    ledger_apply(&ledger, &record);
    assert_int_equal(within(&ledger.totals.slis[1], 800000), expected);
}

/* A site of `count` probes from `first` on; instances of `bytes` bytes. */
static void numbered_site(unsigned first, unsigned count, size_t bytes)
{
    char name[CAP_NAME_BYTES], instance[CAP_INSTANCE_BYTES];
    fixture_begin(&config, "branch-0042");
    for (unsigned i = 0; i < count; i++) {
        (void)snprintf(name, sizeof name, "probe-%u", first + i);
        memset(instance, 'i', bytes);
        (void)snprintf(instance + bytes, sizeof instance - bytes, "%s", "");
        fixture_probe(&config, &fixture_web, name);
        fixture_target(&config, instance);
    }
}

/* Each step replaces a part of the site: probes [0, n) are known in the order they went. */
static void ledger_forgets_the_one_gone_longest_when_it_is_full(void **state)
{
    (void)state;
    static const struct {
        size_t instance_bytes;
        unsigned site, step;
    } rows[] = {{10, CAP_TARGETS, 1},
                {10, CAP_TARGETS, 100},
                {511, CAP_TARGETS, 7},
                {511, CAP_TARGETS, CAP_TARGETS},
                {200, 50, 50}};
    for (size_t row = 0; row < ARRAY_LEN(rows); row++) {
        static unsigned missed[3 * CAP_LEDGER_TARGETS]; /* by number of the probe */
        unsigned first = 0;
        memset(missed, 0, sizeof missed);
        begin(row + 1);
        for (; first < 2 * CAP_LEDGER_TARGETS; first += rows[row].step) {
            numbered_site(first, rows[row].site, rows[row].instance_bytes);
            assert_true(ledger_bind(&ledger, &config));
            assert_ledger_rules(&ledger);
            assert_int_equal(ledger.next_id, first + rows[row].site + 1); /* none used again */
            unsigned kept = ledger.totals.sli_count - rows[row].site;
            for (unsigned i = 0; i < ledger.totals.sli_count; i++) {
                unsigned number = (unsigned)strtoul(
                    ledger_text(&ledger, ledger.entries[i].probe) + strlen("probe-"), NULL, 10);
                assert_true(i < rows[row].site ? number == first + i
                                               : number < first && number + kept >= first);
                struct record record = {.sort = RECORD_MISSED, .count = number + 1};
                record.target = ledger.entries[i].id;
                assert_int_equal(ledger.totals.slis[i].missed, missed[number]);
                missed[number] += number + 1;
                assert_int_equal(ledger.entries[i].id, number + 1);
                ledger_apply(&ledger, &record);
            }
            bool text_full = sizeof ledger.text - ledger.text_used < 700;
            assert_true(kept == first || text_full ||
                        ledger.totals.sli_count == CAP_LEDGER_TARGETS);
        }
    }
}

/* Those that come back are not the ones to make room for those that are new. */
static void ledger_never_forgets_one_that_is_configured(void **state)
{
    (void)state;
    begin(1);
    struct record tick = {.sort = RECORD_RUN};
    numbered_site(0, CAP_TARGETS, 10);
    (void)ledger_bind(&ledger, &config);
    for (unsigned i = 0; i < CAP_TARGETS; i++) {
        struct record record = {.sort = RECORD_MISSED, .target = i + 1, .count = i + 1};
        ledger_apply(&ledger, &record);
    }
    numbered_site(CAP_TARGETS, CAP_TARGETS, 10);
    (void)ledger_bind(&ledger, &config);
    ledger_apply(&ledger, &tick);
    assert_int_equal(ledger.totals.sli_count, CAP_LEDGER_TARGETS);
    /* The new ones come first, then the oldest there are. */
    numbered_site(2 * CAP_TARGETS, 100, 10);
    char name[CAP_NAME_BYTES];
    for (unsigned i = 0; i < CAP_TARGETS - 100; i++) {
        (void)snprintf(name, sizeof name, "probe-%u", i);
        fixture_probe(&config, &fixture_web, name);
        fixture_target(&config, "iiiiiiiiii");
    }
    assert_true(ledger_bind(&ledger, &config));
    assert_ledger_rules(&ledger);
    for (unsigned i = 100; i < CAP_TARGETS; i++) {
        assert_int_equal(ledger.entries[i].id, i - 100 + 1);
        assert_int_equal(ledger.totals.slis[i].missed, i - 100 + 1);
    }
}

static void ledger_forget_gone_ends_when_none_is_gone(void **state)
{
    (void)state;
    begin(1);
    (void)configure("web.a=x web.b=y web.c=z web.d=u");
    (void)configure("web.a=x web.c=z web.d=u");
    (void)configure("web.a=x web.d=u");
    assert_true(ledger_forget_gone(&ledger));
    assert_all();
    assert_int_equal(ledger_find_identity(&ledger, "web", "b", "y"), -1);
    assert_int_equal(ledger_find_identity(&ledger, "web", "c", "z"), 2);
    assert_true(ledger_forget_gone(&ledger));
    assert_false(ledger_forget_gone(&ledger));
    assert_all();
    assert_int_equal(ledger.totals.sli_count, 2);
    /* What was forgotten begins again, as somebody else. */
    known[1].identity[0] = '-';
    (void)configure("web.a=x web.b=y web.d=u");
    assert_int_equal(ledger.entries[1].id, 5);
}

static void ledger_holds_for_any_sequence_of_configurations(void **state)
{
    (void)state;
    static const char *const probes[] = {"a", "b", "c", "d", "e", "f", "g"};
    begin(11);
    for (unsigned round = 0; round < 1500; round++) {
        char line[1024] = "";
        unsigned start = (unsigned)prng_below(&prng, ARRAY_LEN(probes));
        for (unsigned i = 0; i < ARRAY_LEN(probes); i++) {
            unsigned shape = (unsigned)prng_below(&prng, 64);
            size_t used = strlen(line);
            if (shape % 4 == 0) {
                continue;
            }
            (void)snprintf(line + used, sizeof line - used, "%s%s.%s%s=%s", used > 0 ? " " : "",
                           shape % 5 == 0 ? "bus" : "web", probes[(start + i) % ARRAY_LEN(probes)],
                           shape % 3 == 0   ? "/800"
                           : shape % 7 == 0 ? "/70/1000/3600000"
                                            : "",
                           shape < 20   ? "x"
                           : shape < 40 ? "y,x"
                                        : "x,y,z");
        }
        (void)configure(line);
    }
    assert_true(known_count > 30);
}

static void ledger_counts_each_sort_of_record(void **state)
{
    (void)state;
    static const struct {
        struct record record;
        unsigned results, missed, push_first, last_counter, successes;
    } rows[] = {
        {{.sort = RECORD_RESULT, .target = 1, .reason = REASON_NONE}, 1, 0, 0, 0, 1},
        {{.sort = RECORD_RESULT, .target = 2, .reason = REASON_NONE}, 1, 0, 0, 0, 0},
        {{.sort = RECORD_RESULT, .target = 99, .reason = REASON_NONE}, 1, 0, 0, 0, 0},
        {{.sort = RECORD_RESULT, .target = 0, .reason = REASON_NONE}, 1, 0, 0, 0, 0},
        {{.sort = RECORD_MISSED, .target = 1, .count = 5}, 0, 5, 0, 0, 0},
        {{.sort = RECORD_MISSED, .target = 99, .count = 5}, 0, 0, 0, 0, 0},
        {{.sort = RECORD_COUNT, .counter = LEDGER_PUSH_FIRST, .count = 3}, 0, 0, 3, 0, 0},
        {{.sort = RECORD_COUNT, .counter = LEDGER_COUNTERS - 1, .count = 3}, 0, 0, 0, 3, 0},
        {{.sort = RECORD_COUNT, .counter = LEDGER_COUNTERS, .count = 3}, 0, 0, 0, 0, 0},
        {{.sort = RECORD_COUNT, .counter = UINT8_MAX, .count = 3}, 0, 0, 0, 0, 0},
        {{.sort = RECORD_RUN, .target = 1, .count = 5}, 0, 0, 0, 0, 0},
        {{.sort = RECORD_CLOCK, .target = 1, .count = 5}, 0, 0, 0, 0, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        begin(1);
        site_of(&config, "web.a=x web.b=y");
        (void)ledger_bind(&ledger, &config);
        ledger_apply(&ledger, &rows[i].record);
        assert_int_equal(ledger.totals.ordinal, 1);
        assert_int_equal(ledger.totals.results, rows[i].results);
        assert_int_equal(ledger.totals.slis[0].missed, rows[i].missed);
        assert_int_equal(ledger.totals.slis[0].results[OUTCOME_SUCCESS], rows[i].successes);
        assert_int_equal(ledger.totals.counters[LEDGER_PUSH_FIRST], rows[i].push_first);
        assert_int_equal(ledger.totals.counters[LEDGER_COUNTERS - 1], rows[i].last_counter);
        assert_ledger_rules(&ledger);
    }
}

static void ledger_restart_begins_all_series_again_but_not_the_log(void **state)
{
    (void)state;
    begin(1);
    (void)configure("web.a/800=x web.b=y");
    (void)configure("web.a/800=x");
    ledger.totals.counters[5] = 9;
    uint64_t ordinal = ledger.totals.ordinal, results = ledger.totals.results;
    assert_in_range(results, 1, ordinal - 1);
    ledger_restart(&ledger, 78, NULL);
    assert_int_equal(ledger.epoch, 78);
    assert_int_equal(ledger.totals.ordinal, ordinal);
    assert_int_equal(ledger.totals.results, results);
    assert_int_equal(ledger.totals.counters[5], 0);
    for (unsigned i = 0; i < known_count; i++) {
        sli_subtract(&known[i].sli, &known[i].sli);
    }
    assert_all();
    assert_false(ledger_bind(&ledger, &config));
}

/* The new epoch holds what the old one never told, and nothing of what it did. */
static void ledger_restart_keeps_what_was_not_told(void **state)
{
    static struct ledger_totals told;
    (void)state;
    begin(1);
    (void)configure("web.a/800=x web.b=y");
    ledger.totals.counters[5] = 9;
    ledger_totals_copy(&told, &ledger.totals);
    for (unsigned i = 0; i < known_count; i++) {
        sli_init(&known[i].sli, NULL);
    }
    count_records(100); /* counted by `known` from 0 */
    ledger.totals.counters[5] += 4;
    ledger_restart(&ledger, 78, &told);
    assert_all();
    assert_int_equal(ledger.totals.counters[5], 4);
    assert_int_equal(ledger.totals.ordinal, told.ordinal + 100);
}

static void ledger_totals_copy_is_whole_and_stands_alone(void **state)
{
    static struct ledger_totals copy;
    (void)state;
    begin(1);
    (void)configure("web.a/800=x web.b=y bus.c=z");
    ledger.totals.counters[LEDGER_COUNTERS - 1] = 9;
    memset(&copy, 0xa5, sizeof copy);
    ledger_totals_copy(&copy, &ledger.totals);
    assert_same_totals(&copy, &ledger.totals);
    uint64_t ordinal = copy.ordinal;
    count_records(10);
    assert_int_equal(copy.ordinal, ordinal);
}

static void ledger_add_refuses_what_has_no_room(void **state)
{
    char instance[CAP_INSTANCE_BYTES];
    (void)state;
    fixture_fill(instance, sizeof instance, 'i');
    begin(1);
    unsigned count = 0;
    while (ledger_add(&ledger, count + 1, "web", "p", instance) >= 0) {
        count++;
        instance[count % 500] = (char)('a' + count % 26);
    }
    assert_int_equal(count, CAP_LEDGER_TEXT_BYTES / (4 + 2 + CAP_INSTANCE_BYTES));
    assert_int_equal(ledger.totals.sli_count, count);
    assert_int_equal(ledger.next_id, count + 1);
    /* To the last byte, and not one further. */
    size_t left = sizeof ledger.text - ledger.text_used - 4 - 2;
    instance[left] = '\0';
    assert_int_equal(ledger_add(&ledger, count + 1, "web", "p", instance), -1);
    instance[left - 1] = '\0';
    assert_int_equal(ledger_add(&ledger, count + 1, "web", "p", instance), count);
    assert_int_equal(ledger.text_used, sizeof ledger.text);
    begin(1);
    for (count = 0; ledger_add(&ledger, count + 1, "web", "p", "i") >= 0; count++) {
    }
    assert_int_equal(count, CAP_LEDGER_TARGETS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ledger_keeps_each_counter_with_its_identity),
        cmocka_unit_test(ledger_takes_an_objective_back_where_it_was),
        cmocka_unit_test(ledger_forgets_the_one_gone_longest_when_it_is_full),
        cmocka_unit_test(ledger_never_forgets_one_that_is_configured),
        cmocka_unit_test(ledger_forget_gone_ends_when_none_is_gone),
        cmocka_unit_test(ledger_holds_for_any_sequence_of_configurations),
        cmocka_unit_test(ledger_counts_each_sort_of_record),
        cmocka_unit_test(ledger_restart_begins_all_series_again_but_not_the_log),
        cmocka_unit_test(ledger_restart_keeps_what_was_not_told),
        cmocka_unit_test(ledger_totals_copy_is_whole_and_stands_alone),
        cmocka_unit_test(ledger_add_refuses_what_has_no_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
