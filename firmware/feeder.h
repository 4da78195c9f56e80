/* The watchdog as the supervisor has it: whoever owns it according to the configuration, behind the
 * one port, and what a service manager is told besides.
 *
 * Thread rule: the supervisor's thread. No heap. */
#ifndef PICKET_FEEDER_H
#define PICKET_FEEDER_H

#include "notify.h"
#include "procd.h"
#include "recovery.h"
#include "watchdog_device.h"

struct feeder {
    enum watchdog_owner owner; /* of `port`; NONE: none was needed yet */
    char path[64];
    struct watchdog port;
    struct watchdog_device device;
    struct procd procd;
    struct notify notify;
    bool procd_deaf; /* as last told */
    bool told_ready;
    unsigned told; /* what the last status text was of; 0: none yet */
};

/* Takes the addresses the service manager has left in the environment. */
void feeder_init(struct feeder *feeder);
/* A service manager that asks for signs of life ($WATCHDOG_USEC) would end a service that gives
 * none, so it is the owner where the configuration names none, and told not to ask where that names
 * another. */
void feeder_mind_manager(struct feeder *feeder, struct recovery_settings *settings);
/* Whether the board's watchdog, if settings name one, runs already. */
bool feeder_found_running(const struct recovery_settings *settings);
/* Carries out the orders about the watchdog, and tells `recovery` how it went. */
void feeder_obey(struct feeder *feeder, struct recovery *recovery,
                 const struct recovery_orders *orders, usec_t now_us);
/* Tells the service manager that we are ready, and how we are, when that is news; and the log when
 * one does not listen. */
void feeder_tell(struct feeder *feeder, const struct recovery *recovery);
/* The end was asked for. */
void feeder_stopping(struct feeder *feeder);
/* In a child: lets go of what is the parent's, without ending it. */
void feeder_abandon(struct feeder *feeder);
/* The end of the supervisor, in order: a watchdog that can be stopped is. */
void feeder_close(struct feeder *feeder, const struct recovery *recovery,
                  const struct logger *logger);
/* A process has ended; true when it was the feeder's. */
bool feeder_reaped(struct feeder *feeder, pid_t pid, int status);

#endif
