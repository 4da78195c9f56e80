/* Between the walk (metrics.c), its table (metrics_table.c) and the bound (metrics_bound.c); nobody
 * else includes this. */
#ifndef PICKET_METRICS_WALK_H
#define PICKET_METRICS_WALK_H

#include "metrics.h"

/* What the runner sets for every kind, beside the kind's own facts. */
#define COMMON_FACTS                                                                               \
    (FACT_BIT(FACT_DNS_LOOKUP_SECONDS) | FACT_BIT(FACT_IP_PROTOCOL) | FACT_BIT(FACT_IP_ADDR_HASH))

/* Where the numbers of one target come from: the agent's state, or its worst case. */
struct metrics_source {
    void *context;
    const struct sli *(*sli)(void *context, unsigned target);
    const struct result *(*last)(void *context, unsigned target); /* NULL: no result yet */
    struct slo_events (*slo_events)(void *context, unsigned target, const struct config_slo *slo,
                                    usec_t window_us);
    struct slo_events (*group_events)(void *context, const struct config_group *group,
                                      const struct config_slo *slo, usec_t window_us);
};

/* How often a row of the table becomes a family, and whose samples it holds. */
enum family_scope {
    SCOPE_AGENT,  /* once, no target */
    SCOPE_TARGET, /* once, samples of every target */
    SCOPE_KIND,   /* once for each kind in use, samples of its targets */
    SCOPE_FACT,   /* once for each fact, samples of every target */
};

struct walk;

struct family {
    enum family_scope scope;
    enum metric_type type;
    const char *name; /* SCOPE_KIND: "%" stands for the kind; SCOPE_FACT: NULL, fact_name() */
    const char *help; /* likewise; fact_help() */
    bool phases;      /* the kind's own phases_help goes before `help` */
    bool with_kind;   /* the label kind stands between probe and instance */
    bool with_groups; /* SCOPE_TARGET: samples of every group follow, with the label of the site */
    bool last_run;    /* needs a result: walk->last is not NULL in emit() */
    void (*emit)(struct walk *walk);
};

extern const struct family metrics_families[];
extern const unsigned metrics_family_count;

struct walk {
    const struct config *config;
    const struct agent_numbers *agent; /* NULL: no agent series */
    const char *epoch;                 /* label of counters; NULL: none */
    int only_probe;                    /* -1: all */
    const struct metrics_source *source;
    const struct metric_visitor *visitor;

    /* The family at hand. */
    const struct family *family;
    const struct probe_kind *kind; /* SCOPE_KIND */
    enum fact fact;                /* SCOPE_FACT */
    bool opened;
    char name[96];
    char help[128];

    const struct config_group *group; /* at hand; NULL: it is a target */

    /* The target at hand; not for SCOPE_AGENT. */
    unsigned target;
    const struct config_probe *probe;
    const struct sli *sli;
    const struct result *last;
    struct metric_labels labels;
};

/* Walks the table. The first group of members of `walk` is set, the rest is zero. */
void metrics_walk_source(struct walk *walk);

/* For emit(): a label behind those already there, for this target's samples until popped. */
void walk_label_push(struct walk *walk, const char *name, const char *value);
void walk_label_pop(struct walk *walk);
/* One sample with the labels that are pushed; opens the family if it is the first. */
void walk_sample(struct walk *walk, double value);
/* One sample with one more label. */
void walk_sample_labelled(struct walk *walk, const char *name, const char *text, double value);
void walk_histogram(struct walk *walk, const struct histogram *histogram);

/* emit() of the store's families (metrics_store.c). */
void metrics_store_durable(struct walk *walk);
void metrics_store_trouble(struct walk *walk);
void metrics_store_volatile(struct walk *walk);
void metrics_store_dropped(struct walk *walk);
void metrics_store_errors(struct walk *walk);
void metrics_store_size(struct walk *walk);
void metrics_store_used(struct walk *walk);
void metrics_store_results(struct walk *walk);
void metrics_store_uncommitted(struct walk *walk);
void metrics_store_commit_duration(struct walk *walk);
void metrics_store_last_commit(struct walk *walk);
void metrics_store_written(struct walk *walk);

/* emit() of the families of SLOs (metrics_slo.c). */
void metrics_slo_objective(struct walk *walk);
void metrics_slo_events(struct walk *walk);
void metrics_slo_budget(struct walk *walk);
void metrics_slo_burn(struct walk *walk);

/* emit() of the families of recovery (metrics_recovery.c). */
void metrics_restarts(struct walk *walk);
void metrics_last_restart(struct walk *walk);
void metrics_recovery_phase(struct walk *walk);
void metrics_recovery_barred(struct walk *walk);
void metrics_recovery_actions(struct walk *walk);
void metrics_config_file_in_use(struct walk *walk);
void metrics_config_rollbacks(struct walk *walk);
void metrics_site_actions(struct walk *walk);
void metrics_watchdog_armed(struct walk *walk);
void metrics_watchdog_timeout(struct walk *walk);
void metrics_watchdog_resets_left(struct walk *walk);

#endif
