/* Signals as events of the loop: SIGTERM, SIGINT and SIGHUP arrive through a descriptor, so that no
 * handler ever runs between two instructions of ours. SIGPIPE is ignored.
 *
 * Once held they stay held, over an exec too: a signal that comes while the agent restarts itself
 * waits for the new start instead of ending it. */
#ifndef PICKET_SIGNALS_H
#define PICKET_SIGNALS_H

#include "waits.h"

struct signals {
    int fd;
    bool stop;   /* SIGTERM or SIGINT came; the owner clears it */
    bool reload; /* SIGHUP came; the owner clears it */
};

/* Holds the three signals back, for this thread and all it starts, until signals_open() lets them
 * be read. The first thing a program does that means to open them. */
void signals_hold(void);
/* Holds them and opens the descriptor. ERROR_EXHAUSTED: no descriptor. */
MUST_CHECK enum error signals_open(struct signals *signals);
/* Closes the descriptor; the signals stay held. */
void signals_close(struct signals *signals);
void signals_waits(const struct signals *signals, struct waits *waits);
/* Several signals of one kind that came together count once. */
void signals_step(struct signals *signals, const struct waits *ready);

#endif
