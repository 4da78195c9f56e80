/* The prober of a simulated agent: what the targets do, and what probing them does to the agent.
 *
 * Each target is healthy, slow, dead, refusing or flapping for a while; those over the uplink fail
 * with it. A target can be a killer: while it is probed the process crashes, or its loop is stuck.
 * A run can be endless, and a worker can stand still; both are bugs of a prober that the ladder has
 * to find. Keeps its own account of what was started and what was handed over. */
#ifndef PICKET_SIM_NET_H
#define PICKET_SIM_NET_H

#include "prng.h"
#include "prober.h"

enum { SIM_TARGETS = 24, SIM_RECENT = 512 };

enum sim_peer { SIM_PEER_WELL, SIM_PEER_SLOW, SIM_PEER_DEAD, SIM_PEER_REFUSES, SIM_PEER_FLAPS };
enum sim_killer { SIM_KILLER_NONE, SIM_KILLER_CRASHES, SIM_KILLER_HANGS };

struct sim_target {
    /* What it is. */
    enum sim_peer peer;
    bool over_uplink, has_worker;
    enum sim_killer killer;
    usec_t latency_us;
    /* The run in flight. */
    bool active, endless, worker_stuck, overruns;
    usec_t started_us, deadline_us, ends_us; /* of the world */
    struct result result;
    /* The account. */
    uint64_t started, collected[OUTCOME_COUNT];           /* ever */
    uint64_t life_started, life_collected[OUTCOME_COUNT]; /* in this life */
    usec_t recent_us[SIM_RECENT];                         /* of the last results collected */
    uint64_t recent;
    enum outcome last;       /* in this life … */
    bool seen;               /* … when there was one */
    usec_t failing_since_us; /* while `last` is failure */
    usec_t succeeded_us;     /* ever; 0: never */
};

struct sim_net {
    struct sim_target targets[SIM_TARGETS];
    unsigned in_flight, without_end;
    bool uplink_dead;
    bool endless_next, stuck_next, overrun_next; /* faults that wait for the next start */
    struct prng prng;
};

struct sim;
void sim_net_init(struct sim *sim);
struct prober sim_net_port(struct sim *sim);
usec_t sim_net_wake(const struct sim *sim);
/* The process is no more, and so are its runs. */
void sim_net_abandon(struct sim *sim);
/* Draws anew how one target behaves. */
void sim_net_change(struct sim *sim, unsigned target);
void sim_net_heal(struct sim *sim);

#endif
