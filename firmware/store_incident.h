/* What happened from one moment to another, out of a store's log: for a review without blame. The
 * log is walked once. Runs of equal failures are one event; what finds no room in the timeline is
 * counted, and in the sums of its target all the same. What is not known is said, never filled. */
#ifndef PICKET_STORE_INCIDENT_H
#define PICKET_STORE_INCIDENT_H

#include "config.h"
#include "store_view.h"

enum { INCIDENT_EVENTS = 2000 };

enum incident_sort {
    INCIDENT_FAILURE,  /* of a target; `count` runs alike, up to until_ms */
    INCIDENT_RECOVERY, /* a success; `count` failures since since_ms */
    INCIDENT_START,    /* of the agent; `code`: cause of the end before, `silent_ms` without runs */
    INCIDENT_COUNTER,  /* one of the agent's counters, `code`, went up by `count` */
    INCIDENT_PUSH_LOST,    /* `code`: enum upstream_class; `count` attempts up to until_ms */
    INCIDENT_PUSH_RESUMED, /* `count` attempts were lost since since_ms */
    INCIDENT_CLOCK,        /* it was trusted, no longer, or went by `step_ms` */
    INCIDENT_GAP           /* `count` records are missing here */
};
enum incident_clock { INCIDENT_CLOCK_TRUSTED, INCIDENT_CLOCK_DOUBTED, INCIDENT_CLOCK_STEPPED };

struct incident_event {
    enum incident_sort sort;
    bool corrected; /* its time was worked out later (store_wall.h) */
    int64_t at_ms;  /* Unix time, as all here */
    int64_t since_ms, until_ms, silent_ms, step_ms;
    uint64_t count;
    int entry; /* of the ledger; -1: none, or unknown */
    enum reason reason;
    enum phase phase;
    usec_t duration_us; /* of the first of its runs */
    unsigned code;
    bool rebooted; /* START */
};

struct incident_target {
    uint64_t results[OUTCOME_COUNT];
    uint64_t missed, maintenance;
    uint64_t reasons[REASON_COUNT];
    usec_t success_us; /* sum over successes */
    int64_t first_failure_ms, last_failure_ms;
    struct slo_events events[CAP_SLOS_PER_PROBE]; /* by SLO of the target's probe */
};

struct incident {
    int64_t from_ms, to_ms;
    bool known; /* the log has a result with a known time */
    int64_t known_from_ms, known_to_ms;
    uint64_t untimed;  /* results of boots whose clock was never trusted: nobody knows when */
    uint64_t results;  /* in the time asked for */
    uint64_t left_out; /* events the timeline has no room for */
    uint64_t pushes_lost, pushes_accepted, starts;
    unsigned event_count;
    struct incident_event events[INCIDENT_EVENTS]; /* in order of time */
    struct incident_target targets[CAP_LEDGER_TARGETS];
};

/* `config` NULL: nothing is known of objectives; else the image's ledger is bound to it. */
void store_incident_make(struct incident *incident, struct store_view *view, int64_t from_ms,
                         int64_t to_ms, const struct config *config);

/* store_incident_print.c: Markdown, or one JSON object. */
void store_incident_print(const struct incident *incident, const struct store_view *view,
                          const struct config *config, bool json);

#endif
