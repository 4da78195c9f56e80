/* Writes the last known good configuration to disk for the parent, in a process of its own: a disk
 * that hangs must not keep the parent from its turns. It has the parent's rights, executes nothing,
 * and dies with the parent. Thread rule: the only thread of the process. Memory: none. */
#ifndef PICKET_KEEPER_H
#define PICKET_KEEPER_H

#include <sys/types.h>

#include "kept.h"

struct keeper {
    const struct kept_place *place; /* NULL: nothing is kept */
    const struct logger *logger;
    const struct config_texts *texts; /* to be written */
    pid_t writer;                     /* 0: none */
    bool again;                       /* there are others since it began */
};

/* All borrowed. */
void keeper_init(struct keeper *keeper, const struct kept_place *place,
                 const struct logger *logger);
/* Begins to write `texts`, or begins once more when the one that writes has ended. They must stay
 * as they are until the next call. */
void keeper_keep(struct keeper *keeper, const struct config_texts *texts);
/* A process has ended; true when it was the writer. */
bool keeper_reaped(struct keeper *keeper, pid_t pid);

#endif
