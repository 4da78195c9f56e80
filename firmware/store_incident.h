/* What happened from one moment to another, out of a store's log: for a review without blame. The
 * log is walked once. Runs of equal failures are one event; when there are more events than rows,
 * those beyond are counted in a row of their own. What is not known is said, never filled. */
#ifndef PICKET_STORE_INCIDENT_H
#define PICKET_STORE_INCIDENT_H

#include "buffer.h"
#include "config.h"
#include "metrics.h"
#include "store_view.h"
#include "upstream.h"

/* Rows of the timeline. What one target, the pushes or the agent have beyond their own, or all
 * targets together beyond theirs, goes into one further row of each: so there is always room. */
enum {
    INCIDENT_OWN_ROWS = 200,
    INCIDENT_TARGET_ROWS = 1600, /* of all targets */
    INCIDENT_PUSHES = CAP_LEDGER_TARGETS,
    INCIDENT_AGENT,
    INCIDENT_TELLERS, /* targets by their entries, and the two above */
    INCIDENT_EVENTS = INCIDENT_TARGET_ROWS + 2 * INCIDENT_OWN_ROWS + INCIDENT_TELLERS
};

enum incident_sort {
    INCIDENT_FAILURE,      /* of a target; `count` runs alike, up to until_ms */
    INCIDENT_RECOVERY,     /* a success; `count` failures since since_ms */
    INCIDENT_MAINTENANCE,  /* of a target; `count` runs that enter no indicator, up to until_ms */
    INCIDENT_START,        /* of the agent; `causes` of the ends before, `silent_ms` without runs */
    INCIDENT_COUNTER,      /* one of the agent's counters, `code`, went up by `count` */
    INCIDENT_PUSH_LOST,    /* `code`: enum upstream_class; `count` attempts up to until_ms */
    INCIDENT_PUSH_RESUMED, /* `count` attempts were lost since since_ms */
    INCIDENT_CLOCK,        /* it was trusted, no longer, or went by `step_ms` */
    INCIDENT_GAP,          /* `count` records are missing here */
    INCIDENT_FURTHER       /* there was no room for more rows: `count` failures, lost pushes or
                            * events of the agent up to until_ms, and `ended` recoveries */
};
enum incident_clock { INCIDENT_CLOCK_TRUSTED, INCIDENT_CLOCK_DOUBTED, INCIDENT_CLOCK_STEPPED };

struct incident_event {
    enum incident_sort sort;
    bool corrected; /* its time was worked out later (store_wall.h) */
    int64_t at_ms;  /* Unix time, as all here */
    int64_t since_ms, until_ms, silent_ms, step_ms;
    uint64_t count, ended;
    int entry; /* of the ledger; -1: none, or unknown */
    enum reason reason;
    enum phase phase;
    usec_t duration_us; /* of the first of its runs */
    unsigned code;
    uint32_t causes;    /* START: a bit of each enum cause; 0: none was told */
    struct run_end end; /* START: what else is known of that end; cause NONE: nothing */
    bool rebooted;      /* START */
};

struct incident_target {
    uint64_t results[OUTCOME_COUNT];
    uint64_t missed, maintenance;
    uint64_t reasons[REASON_COUNT];
    usec_t success_us; /* sum over successes */
    uint64_t before;   /* successes the log has from before the time asked for … */
    usec_t before_us;  /* … and their sum: what is usual */
    int64_t first_failure_ms, last_failure_ms;
    struct slo_events events[CAP_SLOS_PER_PROBE]; /* by SLO of the target's probe */
};

struct incident {
    int64_t from_ms, to_ms;
    bool known; /* the log has a result with a known time */
    int64_t known_from_ms, known_to_ms;
    uint64_t untimed;        /* results of boots whose clock was never trusted: nobody knows when */
    uint64_t untimed_starts; /* likewise */
    uint64_t results;        /* in the time asked for */
    uint64_t unnamed;        /* of them, of targets the store has no name of; in no table */
    uint64_t pushes_lost, pushes_accepted, starts;
    unsigned event_count;
    struct incident_event events[INCIDENT_EVENTS]; /* in order of time */
    struct incident_target targets[CAP_LEDGER_TARGETS];
};

/* What is remembered along the walk, of the time before the incident too. */
struct incident_streak {
    bool open;
    int event; /* in the timeline; -1: it began before */
    uint64_t count;
    int64_t since_ms;
    enum reason reason;
    enum phase phase;
    unsigned code;
};

struct incident_walk {
    struct incident *incident;
    const struct ledger *ledger;
    const struct config *config;
    struct wall_stamp now; /* of the last record that knows when it was */
    int64_t result_ms;     /* of the last result; 0: none yet */
    uint64_t ordinal;
    int start;     /* event of the last start; -1: it is not in the timeline */
    uint64_t boot; /* of the record before; 0: there is none */
    int64_t offset_ms;
    struct incident_streak push;
    struct incident_streak targets[CAP_LEDGER_TARGETS], maintenance[CAP_LEDGER_TARGETS];
    unsigned rows[INCIDENT_TELLERS], target_rows; /* so far */
    int further[INCIDENT_TELLERS];                /* the last row of each; -1: not needed yet */
};

/* The arithmetic, record by record in the order of the log. `stamp` is of a RESULT or RUN; `replay`
 * has just handed the record out. */
void incident_begin(struct incident_walk *walk, struct incident *incident,
                    const struct ledger *ledger, const struct config *config);
void incident_take(struct incident_walk *walk, const struct record *record, struct wall_stamp stamp,
                   const struct store_replay *replay);
void incident_end(struct incident_walk *walk);

/* `config` NULL: nothing is known of objectives; else the image's ledger is bound to it. */
void store_incident_make(struct incident *incident, struct store_view *view, int64_t from_ms,
                         int64_t to_ms, const struct config *config);

/* One JSON object, or Markdown, on standard output. */
void store_incident_json(const struct incident *incident, const struct store_view *view,
                         const struct config *config);
void store_incident_markdown(const struct incident *incident, const struct store_view *view,
                             const struct config *config);

/* store_incident_words.c, for both. */
/* A buffer over the one line that is at hand; and out with it. */
struct buffer incident_line(void);
void incident_put(struct buffer *out);
void incident_time(struct buffer *out, int64_t unix_ms);
#define INCIDENT_WORDS_BYTES 1024
/* What the event is, the target aside: " fails: refused in connect after 0.3 ms". */
void incident_words(struct buffer *out, const struct ledger *ledger,
                    const struct incident_event *event);
/* Whether there is anything to tell of the target. */
bool incident_has(const struct incident_target *target);
/* What the time took of an SLO's budget: of each target's, then of each group's. */
struct incident_budget {
    unsigned section, index; /* where it stands; both 0, and `begun` false, before the first */
    bool begun;
    const struct config_group *group; /* NULL: of a target */
    const struct config_slo *slo;
    char name[METRICS_SLO_NAME_BYTES + CAP_NAME_BYTES];
    struct slo_events events;
    double spent; /* of what the window up to the log's end allows; NaN: it has no events */
};
/* The next one; false at the end. `section` is the target of one that is no group's. */
bool incident_budget_next(const struct incident *incident, const struct store_view *view,
                          const struct config *config, struct incident_budget *budget);

#endif
