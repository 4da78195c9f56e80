/* Block device port on a plain file: one thread does the waiting, so that a slow or dead medium
 * never holds up the loop.
 *
 * There is one thread for life. An operation that hangs is collected when it comes back and not
 * before; no second thread is ever started, because what the first one still has to write would
 * hit blocks that are used for something else by then.
 *
 * Beside PATH stand PATH.new (made by CREATE, until PUBLISH) and PATH.bad (the last file that was
 * set aside). A file is owned by a lock on it (flock), which the kernel takes back at the end of
 * the process however it ends; the lock says nothing to readers. Only a plain file with one name,
 * ours or root's, is ever opened: no link is followed, no device or FIFO touched. A missing folder
 * is made when only the last one of the path is missing.
 *
 * Thread rule: all functions are the loop's. Memory: one allocation, and a stack of
 * BLOCKFILE_STACK_BYTES (or the system's minimum). */
#ifndef PICKET_BLOCKFILE_H
#define PICKET_BLOCKFILE_H

#include "blockdev.h"
#include "waits.h"

enum { BLOCKFILE_STACK_BYTES = 32 * 1024 };

struct blockfile; /* opaque */

/* Copies `path` and starts the thread; no file is touched before the first request. NULL: out of
 * memory, descriptors or threads. */
struct blockfile *blockfile_new(const char *path);
/* The port; it lives as long as the blockfile. submit() asserts that the request is one the file
 * can serve: READ and WRITE inside it, CREATE of a block at least. */
struct blockdev blockfile_port(struct blockfile *blockfile);
/* Wakes the loop from the moment an operation has ended until it is collected. */
void blockfile_waits(const struct blockfile *blockfile, struct waits *waits);
/* Ends the thread; what is open is closed, an unpublished file removed, an end not yet collected
 * dropped. Waits for an operation in flight `patience_us` at most (0: not at all).
 *
 * False: it still hangs. Then the thread, its memory and its descriptors are left behind, the
 * buffer of the request stays borrowed for good, and only the end of the process is left to do. */
MUST_CHECK bool blockfile_free(struct blockfile *blockfile, usec_t patience_us);

#endif
