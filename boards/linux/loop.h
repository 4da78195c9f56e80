/* The event loop: one turn asks every source what it waits for, waits, and lets each go on.
 *
 * There is nothing to register and nothing to forget: descriptors are told anew each turn
 * (waits.h). With some dozens of them poll(2) costs less than the system calls that would keep an
 * epoll set up to date. Order matters only for latency: earlier sources step first. */
#ifndef PICKET_LOOP_H
#define PICKET_LOOP_H

#include "clock.h"
#include "waits.h"

struct loop_source {
    void *context;
    void (*waits)(void *context, struct waits *waits);
    void (*step)(void *context, const struct waits *ready, usec_t now_us);
};

struct loop {
    const struct clock *clock;
    const struct loop_source *sources; /* borrowed */
    unsigned count;
    struct waits waits;
    usec_t turned_us; /* when the last turn's wait was over; 0: no turn yet */
    /* How long an event could have waited for the last turn: what the wait ended too late, or what
     * the turn before it took to step its sources, whichever is longer. */
    usec_t lag_us;
};

void loop_init(struct loop *loop, const struct clock *clock, const struct loop_source *sources,
               unsigned count);
/* One turn. Waits at most until the earliest wake any source asked for. */
void loop_turn(struct loop *loop);

#endif
