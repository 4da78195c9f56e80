/* The push receiver of a simulated site, and the way to it: accepts, refuses, is slow, answers with
 * any status, or says nothing, even past the deadline.
 *
 * It keeps what a Prometheus behind it would know: the last value of each counter series by its
 * labels, epoch included. A counter that goes backwards fails the run. */
#ifndef PICKET_SIM_PUSH_H
#define PICKET_SIM_PUSH_H

#include "prng.h"
#include "result.h"
#include "sim_net.h"
#include "upstream.h"

enum { SIM_SERIES = 1 << 16 };

enum sim_receiver {
    SIM_RECEIVER_WELL,
    SIM_RECEIVER_REFUSES,
    SIM_RECEIVER_TIMES_OUT,
    SIM_RECEIVER_SILENT, /* the transport never says how it ended */
    SIM_RECEIVER_BUSY,
    SIM_RECEIVER_REJECTS,
    SIM_RECEIVER_REDIRECTS,
    SIM_RECEIVERS
};

struct sim_series {
    uint64_t key; /* 0: free */
    double value;
};

struct sim_push {
    enum sim_receiver mode;
    bool flies;
    usec_t begun_us, ends_us;
    struct upstream_reply reply;
    struct prng prng;
    usec_t accepted_us;      /* when the agent was last told so in this life; 0: not yet */
    usec_t accepted_ever_us; /* the same, over all lives */
    uint64_t bodies, accepted;
    bool full; /* there were more series than there is room for: the rest is not looked at */
    unsigned series_count;
    struct sim_series series[SIM_SERIES];
    double told[SIM_TARGETS][OUTCOME_COUNT]; /* the sum over all epochs */
};

struct sim;
struct upstream sim_push_port(struct sim *sim);
usec_t sim_push_wake(const struct sim_push *push);
void sim_push_abandon(struct sim_push *push);
void sim_push_set_mode(struct sim *sim, enum sim_receiver mode);

/* sim_receiver.c: the receiver reads one body. */
void sim_push_receive(struct sim *sim, const void *body, size_t size);

#endif
