/* Port: a device of 4 KiB blocks where the store lives. One operation at a time.
 *
 * Nothing here waits: submit() hands an operation over, collect() brings its end. An operation that
 * never ends leaves the port busy for good; who uses it watches the time. Until an operation has
 * ended its buffer is borrowed, and after a failed or unfinished WRITE the blocks it named may hold
 * anything. What was written is durable once a later SYNC has ended without error; before that any
 * part of it may be on the device, in any order.
 *
 * A device is at any time one file, or two while it is being replaced: CREATE makes a new file
 * beside the old one, WRITE and SYNC then mean the new file and READ still the old, until PUBLISH
 * puts the new one in the old one's place. A crash before leaves the old one as it was.
 *
 * After a CREATE that failed there is no new file and the old one is as it was; a new file that is
 * not wanted any more goes with the next OPEN or CREATE. After a PUBLISH that failed nothing is
 * open, and either file may be the one that the next OPEN finds. Where nothing is open READ, WRITE
 * and SYNC end in BLOCK_MISSING, and so does PUBLISH where nothing was created. CREATE writes the
 * whole file and takes as long as the medium needs for that. */
#ifndef PICKET_BLOCKDEV_H
#define PICKET_BLOCKDEV_H

#include "base.h"

#define BLOCK_BYTES 4096

enum block_op {
    BLOCK_OPEN,    /* opens what is there, and owns it: a second agent gets BLOCK_IN_USE. What was
                      open is let go first. What is there is made durable: a process that died may
                      have left it unsynced. The reply has block_count and is_volatile. */
    BLOCK_CREATE,  /* makes a new file of `count` blocks of zeros beside what is open, if any */
    BLOCK_READ,    /* `count` blocks from `first` into `bytes` */
    BLOCK_WRITE,   /* `count` blocks from `bytes` to `first` */
    BLOCK_SYNC,    /* makes every WRITE that has ended durable */
    BLOCK_PUBLISH, /* makes the created file durable and the only one; with `set_aside` the one it
                      replaces is kept under another name */
};

enum block_error {
    BLOCK_OK,
    BLOCK_MISSING,   /* nothing there to open, or nothing open */
    BLOCK_NO_SPACE,  /* file system full, a quota, or a limit on the size of files */
    BLOCK_IO,        /* the medium failed, or the system did in another way */
    BLOCK_READ_ONLY, /* the file system does not let us write */
    BLOCK_DENIED,    /* permissions, a link, not a plain file, a missing folder */
    BLOCK_IN_USE,    /* another process owns it */
    BLOCK_ERROR_COUNT
};

struct block_request {
    enum block_op op;
    uint32_t first, count;
    void *bytes; /* borrowed until the reply was collected */
    bool set_aside;
};

struct block_reply {
    enum block_error error;
    uint32_t block_count; /* OPEN: whole blocks the file has */
    bool is_volatile;     /* OPEN, PUBLISH: lives in memory (tmpfs): gone with the power */
    usec_t duration_us;
    char note[96]; /* for people, what the system said; printable ASCII, "" when all is well */
};

struct blockdev {
    void *context;
    /* False: an operation is in flight; nothing was begun. */
    bool (*submit)(void *context, const struct block_request *request);
    /* Hands over the end of the operation in flight; false while there is none. */
    bool (*collect)(void *context, struct block_reply *reply);
};

/* "no_space", "read_only", …; for logs, and values of the label `error`. */
const char *block_error_name(enum block_error error);

#endif
