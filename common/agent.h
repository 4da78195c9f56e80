/* The engine: ties schedule, results, indicators and push together over ports.
 *
 * agent_step(agent, now) -> next wake is all there is to running: a pure function of the agent's
 * state, the time, and what its ports hand over. It never blocks, allocates or reads a clock but
 * through its port (wall time for two gauges). The same code runs on a board and in a simulator.
 *
 * Memory: struct agent, about 1.5 MB of address space at the default caps (never on a stack), plus
 * the push body buffer the caller gives. Thread rule: one thread. */
#ifndef PICKET_AGENT_H
#define PICKET_AGENT_H

#include "buffer.h"
#include "clock.h"
#include "config.h"
#include "logger.h"
#include "metrics.h"
#include "prober.h"
#include "push.h"
#include "schedule.h"
#include "sli.h"
#include "upstream.h"

struct agent_ports {
    struct clock clock;
    struct prober prober;
    struct upstream upstream; /* unused when the configuration has no push url */
    struct logger logger;
};

/* What status and the push tell about one target beyond its counters. */
struct target_state {
    usec_t changed_us; /* monotonic: when the outcome last changed */
    bool held_back;    /* the last result is `unknown` because of depends_on; nothing was run */
    /* The last result that was not a success, held back ones aside. */
    enum outcome last_failure_outcome; /* OUTCOME_SUCCESS: none yet */
    enum reason last_failure_reason;
    enum phase last_failure_phase;
    usec_t last_failure_us;
    char last_failure_note[CAP_NOTE_BYTES];
};

enum agent_state {
    AGENT_RUNNING,
    AGENT_DRAINING,   /* starts nothing more; runs and a push in flight come to their end */
    AGENT_FINAL_PUSH, /* the last totals are on their way */
    AGENT_STOPPED
};

struct agent {
    const struct config *config;
    struct agent_ports ports;
    enum agent_state state;
    struct schedule schedule;
    struct push push;
    struct sli slis[CAP_TARGETS];
    struct result last[CAP_TARGETS];
    bool seen[CAP_TARGETS];
    struct target_state states[CAP_TARGETS];
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
    struct buffer body;
    usec_t push_failing_since_us; /* 0: the last push was accepted, or there was none */
    usec_t drain_until_us;        /* when runs in flight are cut off; USEC_NEVER: not decided */
    usec_t stop_deadline_us;
};

/* `config` and the memory of `body` are borrowed for the agent's life; size the body with
 * metrics_body_bound(). The agent's memory need not be zeroed, and only as much of it is touched as
 * the configuration has targets. */
void agent_init(struct agent *agent, const struct config *config, const struct agent_ports *ports,
                void *body, size_t body_size, usec_t now_us);

/* One turn: collect results, count misses, start what is due, push what is due. Returns the moment
 * of the next turn unless a port has something earlier. */
usec_t agent_step(struct agent *agent, usec_t now_us);

/* Reports how late the loop came back beyond the wake it was asked for. */
void agent_loop_lag(struct agent *agent, usec_t lag_us);

/* Orderly end: starts nothing more, lets runs in flight end, then makes one final push with the
 * totals of all that was measured, whatever became of the push before. All of it is over at
 * `deadline`: of the time until then the push is left its timeout, half at most, and runs that last
 * longer are ended and counted as missed. agent_step() goes on being called until agent_stopped().
 * A second call can only bring the deadline forward. */
void agent_stop(struct agent *agent, usec_t deadline_us);
bool agent_stopped(const struct agent *agent);

/* The view the encoders and status walk; `numbers` is filled and must outlive the view. */
struct metrics_view agent_view(const struct agent *agent, struct agent_numbers *numbers,
                               usec_t now_us);

#endif
