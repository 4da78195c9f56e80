/* Guards against a push body that does not fit the memory set aside for it at start, and against a
 * bound so loose that a small board cannot pay for it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "expo_proto.h"
#include "expo_text.h"
#include "prng.h"
#include "view_fixture.h"

static size_t text_bytes(const struct metrics_view *view)
{
    struct expo_text encoder;
    struct buffer out;
    buffer_init(&out, NULL, 0);
    struct metric_visitor visitor = expo_text_visitor(&encoder, &out);
    metrics_walk(view, &visitor);
    return out.used;
}

static size_t proto_bytes(const struct metrics_view *view)
{
    struct expo_proto encoder;
    struct buffer out;
    buffer_init(&out, NULL, 0);
    struct metric_visitor visitor = expo_proto_visitor(&encoder, &out);
    metrics_walk(view, &visitor);
    return out.used;
}

static void fill_worst(int byte)
{
    static char version[METRICS_VERSION_BYTES + 100];
    fixture_fill(version, sizeof version, byte);
    measure_histories(1, 6); /* ratios with all digits there are */
    numbers = (struct agent_numbers){
        .version = version,
        .commit = version,
        .start_timestamp_seconds = -DBL_MIN,
        .last_cycle_timestamp_seconds = -DBL_MIN,
        .clock_trusted = true,
        .loop_lag_us = INT64_MAX - 513,
        .push_last_success_timestamp_seconds = -DBL_MIN,
        .push_duration_us = INT64_MAX,
        .push_body_bytes = UINT64_MAX,
        .push_failures_in_row = UINT32_MAX,
        .targets = UINT32_MAX,
        .runs_in_flight = UINT32_MAX,
        .store = {.configured = true,
                  .size_bytes = UINT64_MAX,
                  .results = UINT64_MAX,
                  .used_ratio = -DBL_MIN,
                  .uncommitted_us = INT64_MAX,
                  .commit_duration_us = INT64_MAX,
                  .last_commit_timestamp_seconds = DBL_MAX},
        .recovery = {
            .phase = RECOVERY_PHASE_COUNT,
            .barred_targets = UINT32_MAX,
            .armed = true,
            .granted_us = INT64_MAX,
            .may_reset = true,
            .resets_left = UINT64_MAX,
            .acts = true,
            .before = {.cause = CAUSE_DESCRIPTORS, .signal = 255, .task = VITAL_SCHEDULE}}};
    fixture_fill(numbers.recovery.before_probe, sizeof numbers.recovery.before_probe, byte);
    for (unsigned i = 0; i < LEDGER_COUNTERS; i++) {
        numbers.counters[i] = UINT64_MAX;
    }
    for (unsigned i = 0; i < config.target_count; i++) {
        fixture_worst_sli(&slis[i], config_target_probe(&config, i));
        fixture_worst_result(&last[i], (uint16_t)i, byte);
        seen[i] = true;
    }
}

/* A site with the longest names, labels and instances of every kind. */
static void fixture_longest(unsigned probes)
{
    static const struct probe_kind *const kinds[] = {&fixture_everything, &fixture_web,
                                                     &fixture_bus};
    static const int bytes[] = {'a', '"', '\\', 0xff};
    char instance[CAP_INSTANCE_BYTES], value[128], name[CAP_NAME_BYTES];
    fixture_fill(value, sizeof value, 0xff);
    fixture_begin(&config, value);
    fixture_label(&config, config.labels, &config.label_count, "longest", value);
    for (unsigned i = 0; i < probes; i++) {
        (void)snprintf(name, sizeof name, "%0*u", CAP_NAME_BYTES - 1, i);
        struct config_probe *probe = fixture_probe(&config, kinds[i % ARRAY_LEN(kinds)], name);
        fixture_label(&config, probe->labels, &probe->label_count, "longest", value);
        for (unsigned j = 0; j < CAP_SLOS_PER_PROBE; j++) {
            probe->slos[j] = (struct config_slo){.type = SLO_LATENCY,
                                                 .objective_ppm = 999999,
                                                 .threshold_us = 7777777 + j / 2,
                                                 .window_us = 30 * USEC_PER_DAY + 1};
        }
        probe->slo_count = CAP_SLOS_PER_PROBE;
        fixture_fill(instance, sizeof instance, bytes[i % ARRAY_LEN(bytes)]);
        fixture_target(&config, instance);
    }
    for (unsigned i = 0; i < probes / 2; i++) {
        fixture_group(&config, name, &config.probes[0].slos[0], probes);
    }
}

static void assert_within_bound(size_t bound)
{
    struct metrics_view view = whole_view();
    assert_true(text_bytes(&view) <= bound);
    assert_true(proto_bytes(&view) <= bound);
}

static void metrics_body_bound_holds_for_the_worst_there_is(void **state)
{
    static const int bytes[] = {1, '\n', '"', '\\', 'a', 0x7f, 0x80, 0xc3, 0xf0, 0xff};
    (void)state;
    for (unsigned probes = 0; probes <= 12; probes += 3) {
        fixture_longest(probes);
        size_t bound = metrics_body_bound(&config);
        for (size_t i = 0; i < ARRAY_LEN(bytes); i++) {
            fill_worst(bytes[i]);
            assert_within_bound(bound);
        }
        struct metrics_view view = whole_view();
        assert_true(text_bytes(&view) > bound - bound / 20); /* byte is 0xff: near the bound */
    }
}

static double random_double(struct prng *prng)
{
    uint64_t bits = prng_next(prng);
    double value = 0;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static void random_text(struct prng *prng, char *text, size_t size)
{
    size_t length = (size_t)prng_below(prng, size);
    for (size_t i = 0; i < length; i++) {
        text[i] = (char)(1 + prng_below(prng, 255));
    }
    text[length] = '\0';
}

static void randomise(struct prng *prng, struct sli *sli, struct result *result)
{
    result->outcome = (enum outcome)prng_below(prng, OUTCOME_COUNT);
    result->duration_us = (usec_t)(prng_next(prng) >> 1);
    result->phases_reached = (uint32_t)prng_next(prng);
    result->facts_set = prng_next(prng);
    for (unsigned i = 0; i < FACT_COUNT; i++) {
        result->facts[i] = random_double(prng);
    }
    for (unsigned i = 0; i < PHASE_COUNT; i++) {
        result->phase_us[i] = (usec_t)(prng_next(prng) >> 1);
    }
    result->tls.certificate = true;
    result->tls.leaf_not_after = (int64_t)prng_next(prng);
    result->tls.verified_not_after = (int64_t)prng_next(prng);
    random_text(prng, result->tls.subject, sizeof result->tls.subject);
    random_text(prng, result->tls.issuer, sizeof result->tls.issuer);
    random_text(prng, result->tls.version, sizeof result->tls.version);
    result->value_count = (uint16_t)prng_below(prng, CAP_VALUES + 1);
    for (unsigned i = 0; i < CAP_VALUES; i++) {
        result->values[i].available = prng_below(prng, 2) == 0;
        result->values[i].number = random_double(prng);
    }
    for (unsigned i = 0; i <= sli->duration.bound_count; i++) {
        sli->duration.buckets[i] = prng_next(prng) >> prng_below(prng, 64);
    }
    sli->duration.sum_us = prng_next(prng) >> prng_below(prng, 64);
    sli->missed = prng_next(prng);
}

static void metrics_body_bound_holds_for_random_results(void **state)
{
    struct prng prng = {.state = 42};
    (void)state;
    fixture_longest(3);
    size_t bound = metrics_body_bound(&config);
    for (unsigned round = 0; round < 50; round++) {
        fill_worst('x');
        for (unsigned i = 0; i < config.target_count; i++) {
            randomise(&prng, &slis[i], &last[i]);
        }
        assert_within_bound(bound);
    }
}

/* Each alone, so that no slack elsewhere can hide one that is not counted. */
static void metrics_body_bound_is_near_for_a_tiny_site(void **state)
{
    (void)state;
    fixture_begin(&config, "s");
    fixture_probe(&config, &fixture_web, "p");
    fixture_target(&config, "i");
    fill_worst(0xff);
    size_t bound = metrics_body_bound(&config);
    assert_within_bound(bound);
    struct metrics_view view = whole_view();
    assert_in_range(bound - text_bytes(&view), 0, 900);
}

static void metrics_body_bound_of_fifty_probes_is_well_below_two_mebibytes(void **state)
{
    char name[32], instance[64];
    struct probe_kind without_values = fixture_everything;
    (void)state;
    without_values.value_name = NULL;
    fixture_begin(&config, "branch-0042");
    for (unsigned i = 0; i < 50; i++) {
        const struct probe_kind *kind = i % 5 == 0 ? &fixture_everything : &without_values;
        (void)snprintf(name, sizeof name, "service-%u", i);
        (void)snprintf(instance, sizeof instance, "https://service-%u.example.net/health", i);
        struct config_probe *probe = fixture_probe(&config, kind, name);
        fixture_label(&config, probe->labels, &probe->label_count, "region", "emea");
        fixture_label(&config, probe->labels, &probe->label_count, "tier", "gold");
        fixture_target(&config, instance);
    }
    assert_in_range(metrics_body_bound(&config), 512 << 10, 1536 << 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(metrics_body_bound_holds_for_the_worst_there_is),
        cmocka_unit_test(metrics_body_bound_holds_for_random_results),
        cmocka_unit_test(metrics_body_bound_is_near_for_a_tiny_site),
        cmocka_unit_test(metrics_body_bound_of_fifty_probes_is_well_below_two_mebibytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
