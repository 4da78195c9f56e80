/* The engine: ties schedule, results, indicators and push together over ports.
 *
 * agent_step(agent, now) -> next wake is all there is to running: a pure function of the agent's
 * state, the time, and what its ports hand over. It never blocks, allocates or reads a clock but
 * through its port (wall time for two gauges). The same code runs on a board and in a simulator.
 *
 * Memory: struct agent plus the push body buffer the caller gives. Thread rule: one thread. */
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
    usec_t changed_us;         /* monotonic: when the outcome last changed */
    enum outcome last_failure_outcome; /* OUTCOME_SUCCESS: none yet */
    enum reason last_failure_reason;
    enum phase last_failure_phase;
    usec_t last_failure_us;
    char last_failure_note[CAP_NOTE_BYTES];
};

struct agent {
    const struct config *config;
    struct agent_ports ports;
    struct schedule schedule;
    struct push push;
    struct sli slis[CAP_TARGETS];
    struct result last[CAP_TARGETS];
    bool seen[CAP_TARGETS];
    struct target_state states[CAP_TARGETS];
    struct result incoming; /* where results are collected */
    unsigned runs_in_flight;
    unsigned concurrency;
    unsigned next_start;    /* round robin, so that no target starves at the cap */
    usec_t started_us;
    usec_t lateness_max_us; /* of starts, since the agent began */
    usec_t loop_lag_us;     /* greatest since the last push body */
    uint64_t passes;
    struct buffer body;
    bool stopping;
    usec_t stop_deadline_us;
    bool final_pushed;
};

/* `config` and the memory of `body` are borrowed for the agent's life; size the body with
 * metrics_body_bound(). `version` and `commit` are borrowed too. */
void agent_init(struct agent *agent, const struct config *config, const struct agent_ports *ports,
                void *body, size_t body_size, usec_t now_us);

/* One turn: collect results, count misses, start what is due, push what is due. Returns the moment
 * of the next turn unless a port has something earlier. */
usec_t agent_step(struct agent *agent, usec_t now_us);

/* Reports how late the loop came back beyond the wake it was asked for. */
void agent_loop_lag(struct agent *agent, usec_t lag_us);

/* Orderly end: starts nothing more, lets runs in flight end until `deadline`, then makes one final
 * push. agent_step() goes on being called until agent_stopped(). */
void agent_stop(struct agent *agent, usec_t deadline_us);
bool agent_stopped(const struct agent *agent);

/* The view the encoders and status walk; `numbers` is filled and must outlive the view. */
struct metrics_view agent_view(const struct agent *agent, struct agent_numbers *numbers,
                               usec_t now_us);

#endif
