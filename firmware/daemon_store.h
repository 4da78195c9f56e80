/* What the store of the running agent stands on: a file, a thread that waits for it, and memory
 * that outlives the agent when somebody keeps it. Thread rule: the loop's thread. */
#ifndef PICKET_DAEMON_STORE_H
#define PICKET_DAEMON_STORE_H

#include "blockfile.h"
#include "config.h"
#include "store.h"
#include "supervisor.h"

struct daemon_store {
    struct blockfile *blockfile; /* NULL: no store is configured */
};

/* Fills in the settings for the configuration; the file itself is first touched by the store.
 * `supervised` and its region are borrowed for the store's life. ERROR_EXHAUSTED: no memory,
 * descriptors or threads; there is nothing to close. */
MUST_CHECK enum error daemon_store_open(struct daemon_store *store, const struct config *config,
                                        const struct supervised *supervised,
                                        struct store_settings *settings);
void daemon_store_waits(const struct daemon_store *store, struct waits *waits);
/* After the agent has stopped. False: the medium hangs; its thread is left behind, and only the end
 * of the process is left to do. */
MUST_CHECK bool daemon_store_close(struct daemon_store *store);

#endif
