/* The watchdog port (watchdog.h) on a device of the kernel, /dev/watchdogN: opening it starts it,
 * and a board whose watchdog is not fed is reset.
 *
 * One process has it: a second open is refused. The descriptor is not handed to programs that are
 * started, but a forked child has it too, and must abandon it: closing one of two does nothing to
 * the watchdog, since the kernel calls a driver only when the last copy is closed, but as long as
 * the child keeps its own nobody else can open the watchdog after its parent died.
 *
 * What is no watchdog (a file, a FIFO, a terminal) is written to and nothing else: a kick sink.
 *
 * Facts: the kernel's Documentation/watchdog/watchdog-api.rst, drivers/watchdog/watchdog_dev.c.
 *
 * Thread rule: one thread. Memory: the struct, no heap. Nothing waits: what a FIFO or a terminal
 * does not take at once is lost. */
#ifndef PICKET_WATCHDOG_DEVICE_H
#define PICKET_WATCHDOG_DEVICE_H

#include "watchdog.h"

struct watchdog_device {
    const char *path;
    const char *sysfs; /* WATCHDOG_SYSFS_ROOT; a test puts its own tree there */
    bool started;
    int fd;       /* while started */
    bool answers; /* it is a watchdog, not a sink */
    bool can_stop;
};

/* Fills *state and returns the port on it; nothing is opened yet. `path` is borrowed.
 *
 * start(): one that is started already is asked for the timeout again. ERROR_DENIED, ERROR_MISSING,
 * ERROR_IO as the port says.
 * stop(): false when it is known not to stop, or seen to run on; then it stays open, and can be fed
 * on. A crash of the process stops it only where the driver knows no magic close; the note says so.
 * trigger(): nothing. */
struct watchdog watchdog_device(struct watchdog_device *state, const char *path);

/* For a forked child: closes its copy, and changes nothing for the parent. */
void watchdog_device_abandon(struct watchdog_device *state);

/* True when the watchdog a node stands for was started by a program and has not been stopped since,
 * whether that program lives or not. One that a boot loader started and the kernel feeds meanwhile
 * does not count; nor does one nothing is known of. */
bool watchdog_device_running(const char *path);

#endif
