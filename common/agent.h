/* The engine: ties schedule, results, store and push together over ports.
 *
 * agent_step(agent, now) -> next wake is all there is to running: a pure function of the agent's
 * state, the time, and what its ports hand over. It never blocks, allocates or reads a clock but
 * through its port (wall time). The same code runs on a board and in a simulator.
 *
 * What was measured goes to the store at once; what is pushed comes from it, and only after it was
 * committed: a total that was told is never taken back. Gauges of the last run are told as they
 * are.
 *
 * Memory: struct agent, about 5 MB of address space at the default caps (never on a stack), touched
 * as far as it is used, plus the push body buffer the caller gives. Thread rule: one thread. */
#ifndef PICKET_AGENT_H
#define PICKET_AGENT_H

#include "buffer.h"
#include "care.h"
#include "clock.h"
#include "config.h"
#include "logger.h"
#include "metrics.h"
#include "prober.h"
#include "push.h"
#include "schedule.h"
#include "site_action.h"
#include "store.h"
#include "trail.h"
#include "upstream.h"
#include "vitals.h"

/* A push that is due waits this long at most for the commit that is going on. */
#define AGENT_PUSH_PATIENCE_US (2 * USEC_PER_SEC)
/* Kept free at the end for the last words of the store, a tenth of the time there is at most. */
#define AGENT_CLOSE_US (1 * USEC_PER_SEC)

/* A run or a push whose end is overdue by this much has none: a part of the agent is broken. */
#define AGENT_OVERDUE_US (15 * USEC_PER_SEC)

/* How this life came to be. */
struct agent_start {
    bool watched;          /* a supervisor saw the life before end, and this is what it saw */
    struct run_end before; /* cause NONE: there was none */
    bool has_supervisor;
    enum board_word board; /* what the board says of its last reset; for an end nobody saw */
};

struct agent_ports {
    struct clock clock;
    struct prober prober;
    struct upstream upstream; /* unused when the configuration has no push url */
    struct logger logger;
    struct store_settings store; /* block_count 0: totals live in memory alone */
    struct vitals *vitals;       /* shared with the supervisor, or just memory */
    struct agent_start start;
};

/* What status and the push tell about one target beyond its counters. */
struct target_state {
    usec_t changed_us;    /* monotonic: when the outcome last changed */
    bool held_back;       /* the last result is `unknown` because of depends_on; nothing was run */
    usec_t run_until_us;  /* when the run in flight has to have ended */
    usec_t not_before_us; /* no start before: it kept overrunning */
    usec_t overruns_us;   /* when the first of the overruns below was */
    uint16_t overruns;    /* within a minute */
    uint8_t slowed;       /* doublings of the interval */
    /* The last result that was not a success, held back ones aside. */
    enum outcome last_failure_outcome; /* OUTCOME_SUCCESS: none yet */
    enum reason last_failure_reason;
    enum phase last_failure_phase;
    usec_t last_failure_us;
    char last_failure_note[CAP_NOTE_BYTES];
};

/* The agent's share of its own recovery (agent_care.c). */
struct agent_care {
    usec_t hang_us;        /* the loop may be silent */
    usec_t heartbeat_us;   /* … and comes round at least this often */
    usec_t check_us;       /* when what is slow to look at is looked at again */
    usec_t start_limit_us; /* due starts may wait this long for a run to end */
    usec_t store_since_us; /* of the operation whose row is armed */
    usec_t push_until_us;  /* when the reply to the push in flight is overdue */
    usec_t restarts_us;    /* when the first of the restarts below was */
    unsigned restarts;     /* of subsystems, within the window */
    bool start_noted;      /* and with it on record up to … */
    uint64_t start_ordinal;
    uint64_t minutes;          /* of service that were counted in this life */
    uint32_t canary;           /* a probe */
    uint32_t workers_replaced; /* that were counted */
    uint32_t groups;           /* probes are divided into */
    struct run_end before;     /* how the run before ended */
    struct site_action action;
    uint32_t actions_done; /* results of the supervisor that were counted */
};

enum agent_state {
    AGENT_OPENING, /* the store is: nothing is measured or pushed before totals are known */
    AGENT_RUNNING,
    AGENT_DRAINING,   /* starts nothing more; runs and a push in flight end, all is committed */
    AGENT_FINAL_PUSH, /* the last totals are on their way */
    AGENT_CLOSING,    /* what the final push counted is committed, then the store closes */
    AGENT_STOPPED
};

struct agent {
    const struct config *config;
    struct agent_ports ports;
    enum agent_state state;
    struct schedule schedule;
    struct push push;
    struct store store;
    struct result last[CAP_TARGETS];
    bool seen[CAP_TARGETS];
    struct target_state states[CAP_TARGETS];
    struct trail trails[CAP_TARGETS];
    struct result incoming; /* where results are collected */
    unsigned runs_in_flight;
    unsigned concurrency;
    unsigned next_start;   /* round robin, so that no target starves at the cap */
    usec_t start_retry_us; /* the prober refused: when to offer again; USEC_NEVER otherwise */
    usec_t started_us;
    usec_t stepped_us;      /* of the last turn */
    usec_t start_unix_us;   /* wall time of started_us; 0 until the clock was first trusted */
    usec_t lateness_max_us; /* of starts, since the agent began */
    usec_t loop_lag_us;     /* greatest since the last push body */
    uint64_t passes;
    struct agent_care care;
    enum cause leaving; /* what this run's end is to be noted as */
    struct buffer body;
    uint64_t body_ordinal;        /* of the last record the totals in `body` have counted */
    usec_t push_wait_until_us;    /* how long a due push waits for a commit; USEC_NEVER: none is */
    usec_t push_failing_since_us; /* 0: the last push was accepted, or there was none */
    /* The end, shared out; drain_until_us is USEC_NEVER while it is not. */
    usec_t drain_until_us;  /* when runs in flight are cut off */
    usec_t commit_until_us; /* when the final push goes without what is not committed */
    usec_t push_until_us;   /* the end of the final push */
    usec_t stop_deadline_us;
};

/* Begins to open the store. `config` and the memory of `body` are borrowed for the agent's life;
 * size the body with metrics_body_bound(). The agent's memory need not be zeroed, and only as much
 * of it is touched as the configuration has targets and the store has blocks. */
void agent_init(struct agent *agent, const struct config *config, const struct agent_ports *ports,
                void *body, size_t body_size, usec_t now_us);

/* One turn: collect results, count misses, start what is due, commit and push what is due. Returns
 * the moment of the next turn unless a port has something earlier. */
usec_t agent_step(struct agent *agent, usec_t now_us);

/* Reports how late the loop came back beyond the wake it was asked for. */
void agent_loop_lag(struct agent *agent, usec_t lag_us);

/* Orderly end: starts nothing more, lets runs in flight end, commits, makes one final push with the
 * totals of all that was measured, whatever became of the push before, and closes the store. All of
 * it is over at `deadline`: of the time until then the push is left its timeout, half at most, and
 * runs that last longer are ended and counted as missed. A device that does not answer costs its
 * share of the time and no more; the push then goes with what was committed. A store that is still
 * opening is waited for: it may find what a dead process could not commit any more. agent_step()
 * goes on being called until agent_stopped(). A second call can only bring the deadline forward.
 * `cause` (STOP, RELOAD) is what the next run will be told. */
void agent_stop(struct agent *agent, enum cause cause, usec_t deadline_us);
bool agent_stopped(const struct agent *agent);

/* What a push tells: totals as published by the store, gauges as they are. `numbers` is filled and
 * must outlive the view, which holds until the next turn. Only once the store was opened. */
struct metrics_view agent_view(struct agent *agent, struct agent_numbers *numbers, usec_t now_us);
/* How the agent is being kept going. Only once the store was opened. */
void agent_recovery_series(const struct agent *agent, struct recovery_series *series);
/* The totals of a target as counted, committed or not; all 0 while the store is opening. */
const struct sli *agent_sli(const struct agent *agent, unsigned target);
/* The events of an SLO of the target within one of its windows (slo.h), up to the last turn; none
 * while the store is opening. */
struct slo_events agent_slo_events(const struct agent *agent, unsigned target,
                                   const struct config_slo *slo, usec_t window_us);
/* Likewise of an SLO of a group. */
struct slo_events agent_group_events(const struct agent *agent, const struct config_group *group,
                                     const struct config_slo *slo, usec_t window_us);

#endif
