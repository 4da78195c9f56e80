/* Who a store's file belongs to, and why an operation on it failed.
 *
 * A file is ours while we hold a lock (flock) on it: it belongs to the open file, so it goes with
 * the last descriptor however the process ends. Thread rule: the blockfile's thread. No memory. */
#ifndef PICKET_BLOCKFILE_OWN_H
#define PICKET_BLOCKFILE_OWN_H

#include <fcntl.h>

#include "blockdev.h"

/* Follows no link, and waits for nobody at the other end of a FIFO. */
#define BLOCKFILE_OPEN_FLAGS (O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK)

/* The note of the reply is left to who hands it over: its words come from `what` and, when not 0,
 * `system_errno`. NULL: all is well. */
struct blockfile_end {
    struct block_reply reply;
    const char *what;
    int system_errno;
};

/* Both write down why an operation ends and return false, so that a step can end in them. */
bool blockfile_refuse(struct blockfile_end *end, enum block_error error, const char *what);
/* The reason is errno's; what is missing, file or folder, comes out as BLOCK_MISSING. */
bool blockfile_fail(struct blockfile_end *end, const char *what);

/* Takes the lock of an open file which `path` must lead to, and says how long the file is. */
bool blockfile_own(int fd, const char *path, uint64_t *bytes, struct blockfile_end *end);
/* Opens an existing file and owns it. -1: `end` says why not. */
int blockfile_claim(const char *path, uint64_t *bytes, struct blockfile_end *end);
/* Fails when `path` leads to another file than the open one; to none is fine. */
bool blockfile_check_place(int fd, const char *path, struct blockfile_end *end);

#endif
