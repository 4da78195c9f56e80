/* Signals as events of the loop: SIGTERM, SIGINT and SIGHUP arrive through a descriptor, so that no
 * handler ever runs between two instructions of ours. SIGPIPE is ignored. */
#ifndef PICKET_SIGNALS_H
#define PICKET_SIGNALS_H

#include "waits.h"

struct signals {
    int fd;
    bool stop;   /* SIGTERM or SIGINT came */
    bool reload; /* SIGHUP came; the owner clears it */
};

/* Blocks the three signals for this thread and all it starts. ERROR_EXHAUSTED: no descriptor. */
MUST_CHECK enum error signals_open(struct signals *signals);
/* Gives the signals their usual effect back (for a program that is executed next). */
void signals_close(struct signals *signals);
void signals_waits(const struct signals *signals, struct waits *waits);
void signals_step(struct signals *signals, const struct waits *ready);

#endif
