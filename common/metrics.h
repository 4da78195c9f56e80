/* One table of metric families, walked into an encoder. SPEC section 4.
 *
 * metrics_walk() visits each family once, its samples one after the other; the encoder behind the
 * visitor (expo_text.h, expo_proto.h) turns them into bytes. The walk reads the agent's state and
 * nothing else, so the same walk serves the push, `probe --format prom` and a local scrape.
 *
 * What is there when:
 * - Counters, histograms and SLO objectives of every target, enabled or not, are there from the
 *   first walk, with every value their labels can take. Failure reasons are the kind's own only.
 * - Gauges of a target are there once it has a result, and tell of the last run only: a fact that
 *   was not set, a phase that was not reached and a value that could not be read have no sample.
 *   Facts and phases a kind does not declare (kind.h) are not exported. probe_success knows only 0
 *   and 1, so it is absent while the last result is `unknown`; that run is counted in
 *   picket_probe_results_total.
 * - Error budgets and burn rates of an SLO are there while its window has events: with none there
 *   is no ratio. They are told as they are, committed or not, and burn rates only of windows that
 *   are not longer than the SLO's own.
 * - Of an SLO over a group, the same families with the sums over the targets of the group.
 * - Times of the agent that are not known (no trusted clock, no push yet) have no sample.
 *
 * - Of the store, when none is configured: only whether totals are durable, and why not.
 *
 * Labels come in this order: probe, kind, instance on Picket's own counters, histogram and SLO
 * series; probe, instance on gauges of the last run; instance alone (the site) on the agent's own
 * and on those of groups, which are no probe's: a sum by probe counts no event twice, and
 * probe!="" keeps them out; then the configured labels; then, on counters and histograms, epoch;
 * then those of the series itself.
 *
 * The epoch names what the totals have been counted in since they were 0 (ledger.h). When totals
 * that were told may be lost, they begin at 0 under another epoch, as new series: under the old
 * names a receiver would take the fall for a restart and count all again that was counted before.
 * Who does not care sums it away: sum without (epoch). Gauges have none: they begin anew each time.
 *
 * Memory: the walk needs about 1 KiB of stack. Thread rule: that of what it reads. */
#ifndef PICKET_METRICS_H
#define PICKET_METRICS_H

#include "care.h"
#include "config.h"
#include "store.h"

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

struct metric_label {
    const char *name;
    const char *value;
};

/* At most three that say whose series it is, and five of the series itself, epoch included. */
struct metric_labels {
    unsigned count;
    struct metric_label at[CAP_LABELS + 8];
};

/* The encoder's side. family() opens one; sample() or histogram() follow; the next family() or
 * end() closes it. A family without samples is never opened. */
struct metric_visitor {
    void *context;
    void (*family)(void *context, const char *name, enum metric_type type, const char *help);
    void (*sample)(void *context, const struct metric_labels *labels, double value);
    void (*histogram)(void *context, const struct metric_labels *labels,
                      const struct histogram *histogram);
    void (*end)(void *context);
};

/* What the store tells of itself beside the counters of the ledger. */
struct store_series {
    bool configured;
    bool durable, is_volatile;
    enum store_trouble trouble;
    uint64_t size_bytes, results;
    double used_ratio;
    usec_t uncommitted_us;     /* age of the oldest record that is not durable; 0: all is */
    usec_t commit_duration_us; /* of the last one; negative: none yet */
    double last_commit_timestamp_seconds; /* 0: not known, not exported */
};

/* The agent's own numbers, beside those of its targets. */
struct agent_numbers {
    const char *version, *commit;        /* as labels cut at METRICS_VERSION_BYTES - 1 */
    double start_timestamp_seconds;      /* 0: clock not trusted, not exported */
    double last_cycle_timestamp_seconds; /* likewise */
    bool clock_trusted;
    usec_t loop_lag_us;                 /* greatest lateness of a loop pass since the last push */
    uint64_t counters[LEDGER_COUNTERS]; /* by code (ledger.h) */
    double push_last_success_timestamp_seconds; /* 0: none yet */
    usec_t push_duration_us;                    /* of the last attempt; negative: none yet */
    uint64_t push_body_bytes;                   /* of the last body */
    unsigned push_failures_in_row;
    unsigned targets, runs_in_flight;
    struct store_series store;
    struct recovery_series recovery;
};

/* What is walked. All borrowed for the time of the walk. */
struct metrics_view {
    const struct config *config;
    const struct sli *slis;            /* one per target */
    const struct result *last;         /* one per target */
    const bool *seen;                  /* last[i] is valid */
    const struct agent_numbers *agent; /* NULL: targets only */
    const struct ledger *ledger;       /* whose windows budgets and burn rates are of; NULL: none */
    usec_t now_us;                     /* the end of those windows; monotonic */
    uint64_t epoch;                    /* of all counters; 0: they have none, and no such label */
    int only_probe;                    /* index of a probe; -1: all, and the agent */
};

void metrics_walk(const struct metrics_view *view, const struct metric_visitor *visitor);

/* An upper bound of the encoded size of any body this configuration can give, in either encoding:
 * the size of the body in which everything a target, a kind or the agent can report is there, as
 * long as it can get. Walks all series; for start-up, not for every push. */
size_t metrics_body_bound(const struct config *config);

#define METRICS_VERSION_BYTES 64
#define METRICS_EPOCH_BYTES   9
/* The value of label `epoch`: the low 32 bits as eight lower-case hexadecimal digits. */
void metrics_epoch_label(uint64_t epoch, char label[METRICS_EPOCH_BYTES]);

#define METRICS_SLO_NAME_BYTES (96 + CAP_NAME_BYTES)
/* The value of label `slo`, unique within the probe: "availability" or "latency_800ms"; with the
 * window ("availability_30d") when another SLO of the probe has the same type and threshold, with
 * the objective too ("availability_30d_99.9") when that one has the same window, and numbered from
 * the second on when even that is the same. NUL-terminated; `size` METRICS_SLO_NAME_BYTES is
 * enough. */
void metrics_slo_name(const struct config_probe *probe, unsigned slo, char *name, size_t size);
/* Likewise of a group, its name before that: "shop:availability". No probe's has a colon. */
void metrics_group_slo_name(const struct config *config, const struct config_group *group,
                            unsigned slo, char *name, size_t size);
/* The value of label `epoch` of a group's counters: another one for each epoch and whenever the
 * group has other targets, since their sum may go down then, or up by what was counted before. */
void metrics_group_epoch(const struct config *config, const struct config_group *group,
                         const char *epoch, char label[METRICS_EPOCH_BYTES]);

/* True for a label name the series themselves use (or the push group, or Prometheus): a configured
 * label of this name is left out, because a label given twice makes a receiver refuse the whole
 * body. */
bool metrics_label_reserved(const char *name);

/* For encoders: the upper bound of bucket i in seconds, +Inf for the last (i == bound_count). */
double metrics_bucket_bound(const struct histogram *histogram, unsigned i);
/* For encoders: microseconds as seconds. */
double metrics_seconds_total(uint64_t total_us);

#endif
