/* Method: the bound is not a formula beside the table, which would go stale with it: it is the size
 * of a real walk through the real encoders into an empty buffer, over a result in which everything
 * is there and as long as it can get. The text of a number is not printed but taken for the longest
 * there is. */
#include <string.h>

#include "buffer.h"
#include "expo_proto.h"
#include "expo_text.h"
#include "metrics_walk.h"

/* 17 digits, a sign, a point and an exponent: -2.2250738585072014e-308. */
#define LONGEST_NUMBER_BYTES 24u
/* What the encoders get instead: finding the shortest form of a number takes long, and a site has
 * tens of thousands. */
#define SHORT_NUMBER       0.0
#define SHORT_NUMBER_BYTES 1u

struct worst_case {
    const struct config *config;
    struct sli sli;
    struct result result;
};

/* Encodes into both at once. */
struct measure {
    struct buffer text_size, proto_size;
    struct expo_text text_encoder;
    struct expo_proto proto_encoder;
    struct metric_visitor text, proto;
};

static void measure_family(void *context, const char *name, enum metric_type type, const char *help)
{
    struct measure *measure = context;
    measure->text.family(measure->text.context, name, type, help);
    measure->proto.family(measure->proto.context, name, type, help);
}

static void measure_sample(void *context, const struct metric_labels *labels, double value)
{
    struct measure *measure = context;
    (void)value;
    measure->text.sample(measure->text.context, labels, SHORT_NUMBER);
    measure->text_size.used += LONGEST_NUMBER_BYTES - SHORT_NUMBER_BYTES;
    measure->proto.sample(measure->proto.context, labels, SHORT_NUMBER);
}

/* Counts are the largest already; the sum is not the longest number in print. */
static void measure_histogram(void *context, const struct metric_labels *labels,
                              const struct histogram *histogram)
{
    struct measure *measure = context;
    measure->text.histogram(measure->text.context, labels, histogram);
    measure->text_size.used += LONGEST_NUMBER_BYTES;
    measure->proto.histogram(measure->proto.context, labels, histogram);
}

static void measure_end(void *context)
{
    struct measure *measure = context;
    measure->text.end(measure->text.context);
    measure->proto.end(measure->proto.context);
}

/* The bounds are the probe's own and as many former ones as there can be, as long as their text can
 * be; one bucket with all there can be makes every cumulative count the largest. */
static const struct sli *worst_sli(void *context, unsigned target)
{
    struct worst_case *worst = context;
    sli_init(&worst->sli, config_target_probe(worst->config, target));
    for (unsigned i = 0; worst->sli.duration.extra_count < SLI_EXTRA_BOUNDS; i++) {
        usec_t below_us = (usec_t)(2 * i + 1) * RECORD_DURATION_STEP_US; /* 3599.99999 seconds … */
        (void)histogram_add_bound(&worst->sli.duration, SLI_BOUND_MAX_US - below_us);
    }
    worst->sli.duration.buckets[0] = UINT64_MAX;
    worst->sli.duration.count = UINT64_MAX;
    worst->sli.duration.sum_us = UINT64_MAX;
    return &worst->sli;
}

static const struct result *worst_result(void *context, unsigned target)
{
    struct worst_case *worst = context;
    (void)target;
    return &worst->result;
}

/* So that there is a ratio. */
static struct slo_events worst_slo_events(void *context, unsigned target,
                                          const struct config_slo *slo, usec_t window_us)
{
    (void)context, (void)target, (void)slo, (void)window_us;
    return (struct slo_events){.good = 1, .bad = 1};
}

static struct slo_events worst_group_events(void *context, const struct config_group *group,
                                            const struct config_slo *slo, usec_t window_us)
{
    (void)context, (void)group, (void)slo, (void)window_us;
    return (struct slo_events){.good = 1, .bad = 1};
}

/* No byte takes more room than one that is no UTF-8: three, as U+FFFD. An escape takes two. */
static void fill_text(char *text, size_t size)
{
    memset(text, 0xff, size - 1);
    text[size - 1] = '\0';
}

static void fill_result(struct result *result)
{
    struct tls_facts *tls = &result->tls;
    memset(result, 0, sizeof *result);
    result->outcome = OUTCOME_SUCCESS;
    result->phases_reached = UINT32_MAX;
    result->facts_set = UINT64_MAX;
    tls->certificate = true;
    tls->leaf_not_after = tls->sent_not_after = tls->verified_not_after = 1;
    fill_text(tls->version, sizeof tls->version);
    fill_text(tls->cipher, sizeof tls->cipher);
    fill_text(tls->subject, sizeof tls->subject);
    fill_text(tls->issuer, sizeof tls->issuer);
    fill_text(tls->subject_alternative, sizeof tls->subject_alternative);
    fill_text(tls->serial, sizeof tls->serial);
    fill_text(tls->fingerprint_sha256, sizeof tls->fingerprint_sha256);
    result->value_count = CAP_VALUES;
    for (unsigned i = 0; i < CAP_VALUES; i++) {
        result->values[i].available = true;
    }
}

size_t metrics_body_bound(const struct config *config)
{
    char version[METRICS_VERSION_BYTES];
    fill_text(version, sizeof version);
    struct worst_case worst = {.config = config};
    fill_result(&worst.result);
    struct agent_numbers numbers = {
        .version = version,
        .commit = version,
        .start_timestamp_seconds = 1,
        .last_cycle_timestamp_seconds = 1,
        .push_last_success_timestamp_seconds = 1,
        .push_body_bytes = 1,
        .store = {.configured = true, .last_commit_timestamp_seconds = 1},
        .recovery = {.armed = true,
                     .granted_us = 1,
                     .may_reset = true,
                     .acts = true,
                     .before = {.cause = CAUSE_DESCRIPTORS, .signal = 255, .task = VITAL_SCHEDULE}},
    };
    fill_text(numbers.recovery.before_probe, sizeof numbers.recovery.before_probe);
    struct measure measure;
    buffer_init(&measure.text_size, NULL, 0);
    buffer_init(&measure.proto_size, NULL, 0);
    measure.text = expo_text_visitor(&measure.text_encoder, &measure.text_size);
    measure.proto = expo_proto_visitor(&measure.proto_encoder, &measure.proto_size);
    struct metric_visitor visitor = {.context = &measure,
                                     .family = measure_family,
                                     .sample = measure_sample,
                                     .histogram = measure_histogram,
                                     .end = measure_end};
    struct metrics_source source = {
        .context = &worst,
        .sli = worst_sli,
        .last = worst_result,
        .slo_events = worst_slo_events,
        .group_events = worst_group_events,
    };
    struct walk walk = {.config = config,
                        .agent = &numbers,
                        .epoch = "01234567",
                        .only_probe = -1,
                        .source = &source,
                        .visitor = &visitor};
    metrics_walk_source(&walk);
    return measure.text_size.used > measure.proto_size.used ? measure.text_size.used
                                                            : measure.proto_size.used;
}
