/* The running agent: the core, its ports and the loop, put together. */
#ifndef PICKET_DAEMON_H
#define PICKET_DAEMON_H

#include "config.h"
#include "store_tail.h"
#include "supervisor.h"

/* The region a daemon makes use of: the end of the store's log outlives a crash there. Only the
 * pages that are written to cost memory. */
#define DAEMON_REGION_BYTES sizeof(struct tail)

enum daemon_end {
    DAEMON_STOPPED, /* SIGTERM or SIGINT: pushed a last time and ended in order */
    DAEMON_AGAIN,   /* ended in order, to start again with what the machine has now */
    DAEMON_RELOAD,  /* SIGHUP and the new file is good: ended in order, start again with it */
    DAEMON_REFUSED, /* could not start; the reason was printed */
    DAEMON_UNFIT,   /* likewise: what the configuration asks for cannot be had here */
};

/* Runs until a signal ends it. `path` is read again on SIGHUP. `config` and `supervised` are
 * borrowed. `socket_path` replaces the configuration's status socket unless it is NULL. One daemon
 * per process: its memory is static. */
enum daemon_end daemon_run(const char *path, const struct config *config, const char *socket_path,
                           const struct supervised *supervised);

#endif
