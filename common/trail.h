/* The last runs of a target, for a spark line: what a look at the site wants and no total keeps. In
 * memory only; after a start it begins anew. Thread rule: that of the agent. */
#ifndef PICKET_TRAIL_H
#define PICKET_TRAIL_H

#include "result.h"

enum { TRAIL_RUNS = 40 };

struct trail {
    uint32_t durations_us[TRAIL_RUNS]; /* a ring */
    uint8_t outcomes[TRAIL_RUNS];      /* enum outcome */
    uint8_t next, count;
};

/* Forgets the oldest run when there is no room. A duration past 2^32 us is kept as that. */
void trail_add(struct trail *trail, enum outcome outcome, usec_t duration_us);

struct trail_run {
    enum outcome outcome;
    usec_t duration_us;
};
/* Run i of `count`, 0 the oldest. */
struct trail_run trail_run(const struct trail *trail, unsigned i);

#endif
