/* Signals as events of the loop: SIGTERM, SIGINT and SIGHUP arrive through a descriptor, so that no
 * handler ever runs between two instructions of ours. SIGPIPE is ignored.
 *
 * Once held they stay held, over an exec too: a signal that comes while the agent restarts itself
 * waits for the new start instead of ending it.
 *
 * An agent with a parent of ours obeys it alone, by signals that nobody else sends: those of a
 * terminal or of systemd reach both, and each would count twice. */
#ifndef PICKET_SIGNALS_H
#define PICKET_SIGNALS_H

#include <signal.h>

#include "waits.h"

/* What the parent passes SIGTERM and SIGINT on as; and SIGHUP, once the file was found good. */
#define SIGNALS_PARENT_STOP   SIGUSR1
#define SIGNALS_PARENT_RELOAD SIGUSR2

struct signals {
    int fd;
    bool stop;   /* SIGTERM or SIGINT came, or the parent's word; the owner clears it */
    bool reload; /* SIGHUP came, or the parent's word; the owner clears it */
};

/* Holds all of these signals back, for this thread and all it starts, until signals_open() lets
 * them be read. The first thing a program does that means to open them. */
void signals_hold(void);
/* Holds them and opens the descriptor, for the parent's signals or for everybody's.
 * ERROR_EXHAUSTED: no descriptor. */
MUST_CHECK enum error signals_open(struct signals *signals, bool by_parent);
/* Closes the descriptor; the signals stay held. */
void signals_close(struct signals *signals);
void signals_waits(const struct signals *signals, struct waits *waits);
/* Several signals of one kind that came together count once. */
void signals_step(struct signals *signals, const struct waits *ready);

#endif
