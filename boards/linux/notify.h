/* What a service tells systemd, or whoever speaks its notification protocol: one datagram of
 * NAME=value lines to the socket named in $NOTIFY_SOCKET. Source: sd_notify(3).
 *
 * And the watchdog port (watchdog.h) on it: systemd ends a service that does not send WATCHDOG=1 in
 * time, and starts it again (WatchdogSec= and Restart= of its unit).
 *
 * systemd listens to the main process of the service alone (NotifyAccess=main): here that is the
 * supervisor. A forked child closes its copy.
 *
 * Thread rule: one thread. Memory: the struct, no heap. Nothing blocks. */
#ifndef PICKET_NOTIFY_H
#define PICKET_NOTIFY_H

#include <sys/socket.h>
#include <sys/un.h>

#include "watchdog.h"

struct notify {
    bool open; /* somebody listens */
    int fd;    /* while open */
    struct sockaddr_un address;
    socklen_t address_bytes;
    usec_t watchdog_us;     /* asked of us; 0: nothing */
    bool watchdog_of_other; /* … but of another process */
    bool watchdog_stopped;  /* by us */
};

/* Reads $NOTIFY_SOCKET, $WATCHDOG_USEC and $WATCHDOG_PID, and takes them out of the environment, so
 * that no program that is started takes itself for the service. Without a socket, or with one of a
 * kind that is not known, nothing is open and every send is for nothing. Changes the environment:
 * before any thread is started. */
void notify_open(struct notify *notify);
void notify_close(struct notify *notify);

/* One datagram: "READY=1", "STATUS=…" and so on, lines joined by \n. False: it was not taken (there
 * is no socket, nobody reads it, it is full, or the message is longer than 511 bytes); nothing is
 * sent later. */
bool notify_send(const struct notify *notify, const char *format, ...) PRINTF_LIKE(2, 3);

/* The port. `notify` is borrowed.
 *
 * start(): what the unit says is granted, whatever is asked for. ERROR_MISSING: there is no socket,
 * no WatchdogSec=, or it is another process' to feed.
 * stop(): tells systemd to wait for nothing any more (WATCHDOG_USEC=0); a start after that sets it
 * again.
 * trigger(): WATCHDOG=trigger, which systemd knows since version 243. */
struct watchdog watchdog_systemd(struct notify *notify);

#endif
