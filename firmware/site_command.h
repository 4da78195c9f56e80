/* The command of the site action, run by the supervisor: one at a time, without a shell, with a
 * deadline for it and everything it started meanwhile. What it leaves behind when it ends is its
 * own affair, and so is the command itself when the supervisor ends: a modem that is half restarted
 * is worse than one that was not.
 *
 * Thread rule: the supervisor's thread. No heap. Nothing here blocks. */
#ifndef PICKET_SITE_COMMAND_H
#define PICKET_SITE_COMMAND_H

#include <sys/types.h>

#include "logger.h"
#include "recovery.h"

struct site_command_settings {
    usec_t timeout_us, cooldown_us;
    char line[RECOVERY_ACTION_BYTES]; /* "": none */
};

struct site_command {
    struct site_command_settings settings; /* of the newest life */
    pid_t pid;                             /* of the command, and its process group; 0: none runs */
    usec_t until_us;
    usec_t not_before_us; /* the agent asks, but does not get more than the configuration says */
    uint32_t asked;       /* requests seen so far */
};

/* Begins the command when the agent asked for it; kills one that takes too long. Returns when it
 * wants to be called again. */
usec_t site_command_step(struct site_command *command, struct vitals *vitals,
                         const struct logger *logger, usec_t now_us);
/* A process has ended; true when it was the command, whose end is told to the agent. */
bool site_command_reaped(struct site_command *command, pid_t pid, int status, struct vitals *vitals,
                         const struct logger *logger);

#endif
