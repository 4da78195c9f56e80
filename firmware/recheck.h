/* SIGHUP in the parent: the configuration is checked again, by a child of its own, before the agent
 * is told to start anew with it.
 *
 * The agent cannot check it: it has given up the right to read what root alone may read
 * (sandbox.h). The parent must not: that takes libraries, memory and time. So it forks a checker,
 * which has the parent's rights, logs what is wrong with the file, and says by its exit code
 * whether it is good. No program is executed. The checker dies with its parent, and is killed when
 * it takes too long.
 *
 * Thread rule: the only thread of the process. Memory: none. */
#ifndef PICKET_RECHECK_H
#define PICKET_RECHECK_H

#include <sys/types.h>

#include "clock.h"
#include "logger.h"

enum recheck_end {
    RECHECK_OTHER, /* it was not the checker that ended */
    RECHECK_AGAIN, /* it was, and another one has begun: SIGHUP had come once more meanwhile */
    RECHECK_GOOD,
    RECHECK_BAD, /* this was logged, and that the old configuration stays */
};

struct recheck {
    const char *path;
    const struct logger *logger;
    void *context;
    bool (*check)(void *context, const struct logger *logger);
    pid_t checker; /* 0: none */
    usec_t deadline_us;
    bool overdue; /* it was killed for taking too long */
    bool again;   /* SIGHUP came while it ran: the file may have changed once more */
};

/* `check` runs in the checker: it reads all that a start would read, logs each mistake, and tells
 * whether there was none. `path` is for the log; "-" cannot be read again, which is told. All
 * borrowed. */
void recheck_init(struct recheck *recheck, const char *path, const struct logger *logger,
                  bool (*check)(void *context, const struct logger *logger), void *context);
/* SIGHUP came: begins, or begins once more when the one that runs has ended. */
void recheck_begin(struct recheck *recheck, usec_t now_us);
/* When recheck_step() has something to do at the latest; USEC_NEVER: nothing. */
usec_t recheck_wake_us(const struct recheck *recheck);
/* Kills a checker that is overdue; waitpid(2) has it soon. */
void recheck_step(struct recheck *recheck, usec_t now_us);
/* waitpid(2) returned this child with this status. The outcome is logged. */
enum recheck_end recheck_reaped(struct recheck *recheck, pid_t pid, int status, usec_t now_us);
/* Ends a check that is going on and forgets its outcome; any number of times. */
void recheck_cancel(struct recheck *recheck);

#endif
