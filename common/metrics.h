/* One table of metric families, walked into an encoder. SPEC section 4.
 *
 * metrics_walk() visits each family once, its samples one after the other; the encoder behind the
 * visitor (expo_text.h, expo_proto.h) turns them into bytes. The walk reads the agent's state and
 * nothing else, so the same walk serves the push, `probe --format prom` and a local scrape. */
#ifndef PICKET_METRICS_H
#define PICKET_METRICS_H

#include "config.h"
#include "sli.h"

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

struct metric_label {
    const char *name;
    const char *value;
};

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

/* The agent's own numbers, beside those of its targets. */
struct agent_numbers {
    const char *version, *commit;
    double start_timestamp_seconds;      /* 0: clock not trusted, not exported */
    double last_cycle_timestamp_seconds; /* likewise */
    bool clock_trusted;
    usec_t loop_lag_us;   /* greatest lateness of a loop pass since the last push */
    uint64_t push_attempts[8]; /* by enum upstream_class */
    double push_last_success_timestamp_seconds; /* 0: none yet */
    usec_t push_duration_us;  /* of the last attempt; negative: none yet */
    uint64_t push_body_bytes; /* of the last body */
    unsigned push_failures_in_row;
    unsigned targets, runs_in_flight;
};

/* What is walked. All borrowed for the time of the walk. */
struct metrics_view {
    const struct config *config;
    const struct sli *slis;        /* one per target */
    const struct result *last;     /* one per target */
    const bool *seen;              /* last[i] is valid */
    const struct agent_numbers *agent; /* NULL: targets only */
    int only_target;               /* -1: all */
};

void metrics_walk(const struct metrics_view *view, const struct metric_visitor *visitor);

/* An upper bound of the encoded size of any body this configuration can give, in either encoding. */
size_t metrics_body_bound(const struct config *config);

#endif
