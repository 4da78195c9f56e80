/* Port: what resets the board, or ends the service, when it is not fed. Implemented on a machine by
 * boards/linux (a device, systemd, procd), in the simulator by a timer.
 *
 * Nothing here blocks for long. Nobody feeds but the supervisor's turn, after it has seen every
 * armed task make progress. */
#ifndef PICKET_WATCHDOG_H
#define PICKET_WATCHDOG_H

#include "base.h"

enum watchdog_owner {
    WATCHDOG_OWNER_NONE,
    WATCHDOG_OWNER_DEVICE,  /* we open /dev/watchdogN; the board is reset */
    WATCHDOG_OWNER_SYSTEMD, /* WATCHDOG=1; systemd ends the service and starts it again */
    WATCHDOG_OWNER_PROCD,   /* likewise, over ubus */
};

struct watchdog_grant {
    usec_t timeout_us; /* granted, which may be other than was asked for; 0: not known */
    bool can_stop;     /* stop() can be expected to work */
    char note[160];    /* for people: identity and limits, or what went wrong; printable */
};

struct watchdog {
    void *context;
    /* Starts it, and asks for this timeout. On an error nothing runs, and the note says why
     * (ERROR_DENIED: another process has it; ERROR_MISSING: it is not there; ERROR_IO). */
    enum error (*start)(void *context, usec_t timeout_us, struct watchdog_grant *grant);
    void (*feed)(void *context);
    /* Ends it. False: it cannot be stopped (nowayout, no magic close) and runs on. */
    bool (*stop)(void *context);
    /* Asks for what it does on expiry, now. For a device: nothing more than not to be fed. */
    void (*trigger)(void *context);
};

#endif
