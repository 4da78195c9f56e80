/* A block device in memory that knows what a crash can do to it.
 *
 * Two views of each file: `live`, what a READ sees, and `durable`, what is sure to be there after
 * the power came back. Between them stand the pending writes, in order; SYNC empties them into the
 * durable view. crash_device_cut() makes the device as a crash could leave it: each sector of each
 * pending write old, new or garbage, and a PUBLISH in flight done or not.
 *
 * Deterministic: delays come from a seed. One operation can be made to go wrong, in one way. */
#ifndef PICKET_CRASH_DEVICE_H
#define PICKET_CRASH_DEVICE_H

#include "blockdev.h"
#include "prng.h"

enum {
    CRASH_BLOCKS_MAX = 48,
    CRASH_PENDING_MAX = 160, /* blocks written and not yet synced */
    CRASH_SECTOR_BYTES = 512,
    CRASH_SECTORS = BLOCK_BYTES / CRASH_SECTOR_BYTES,
};

/* What a crash leaves of the pending writes. */
enum {
    CUT_NONE,                     /* nothing of them */
    CUT_ALL,                      /* all of them */
    CUT_PREFIX,                   /* of the last one the first k sectors; all before it */
    CUT_SUFFIX = CUT_PREFIX + 8,  /* of the last one all but the first k sectors; none before */
    CUT_GARBAGE = CUT_SUFFIX + 8, /* all, but sector k of one of them is garbage */
    CUT_MIX = CUT_GARBAGE + 8,    /* each sector old, new or garbage */
    CUT_COUNT = CUT_MIX + 16,
};

/* How one operation goes wrong. */
enum crash_fault {
    FAULT_NONE,
    FAULT_MISSING, /* FAULT_MISSING … FAULT_IN_USE: fails with the block_error of this number */
    FAULT_NO_SPACE,
    FAULT_IO,
    FAULT_READ_ONLY,
    FAULT_DENIED,
    FAULT_IN_USE,
    FAULT_SHORT,      /* a WRITE fails with half of it done */
    FAULT_SYNC_LOST,  /* a SYNC fails, and what was pending counts as clean: never gets durable */
    FAULT_SYNC_STALE, /* the same, and reads see at once what is on the medium */
    FAULT_LATE,       /* ends long after it was given up */
    FAULT_NEVER,      /* never ends */
    FAULT_AWAY,       /* this and all that follow fail with BLOCK_IO, until healed */
    FAULT_FULL,       /* … with BLOCK_NO_SPACE, when they write */
    /* The device lies from here on: it says that all is well. */
    FAULT_BIT_FLIP,    /* one bit of what a READ brings is wrong, once */
    FAULT_MISDIRECTED, /* a WRITE goes to another block */
    FAULT_STALE_READ,  /* a READ brings what the blocks held before their last write */
    FAULT_COUNT,
    FAULT_FIRST_LIE = FAULT_BIT_FLIP,
};

struct crash_pending {
    uint8_t file; /* 0: the one that is open, 1: the one being made */
    uint32_t block;
    uint64_t op; /* that wrote it */
    uint8_t bytes[BLOCK_BYTES];
};

struct crash_file {
    bool exists;
    uint32_t block_count;
    uint8_t live[CRASH_BLOCKS_MAX][BLOCK_BYTES];
    uint8_t durable[CRASH_BLOCKS_MAX][BLOCK_BYTES];
    uint8_t before[CRASH_BLOCKS_MAX][BLOCK_BYTES]; /* the last write; filled when `remembers` */
};

/* Called before the device changes: each is a moment at which the power can go. `in_flight` is
 * false right before an operation is begun, true right before it ends. */
typedef void crash_hook(void *context, bool in_flight);

struct crash_device {
    struct crash_file file, created;
    bool is_open, remembers;
    unsigned pending_count;
    struct crash_pending pending[CRASH_PENDING_MAX];

    bool busy;
    struct block_request request;
    unsigned polls_left;
    enum block_error error; /* the operation in flight will end with */
    struct prng prng;
    unsigned delay_min, delay_max; /* polls an operation takes */

    uint64_t ops, writes, changes; /* begun; WRITEs, and all that change the medium */
    uint64_t fault_op;             /* number of the operation that goes wrong, from 1 */
    enum crash_fault fault;
    bool fault_struck, healed;

    crash_hook *hook;
    void *hook_context;
    const char *misuse; /* how the port was used against its rules; NULL: it was not */
};

/* No file, nothing pending, no fault. */
void crash_device_init(struct crash_device *device, uint64_t seed);
struct blockdev crash_device_port(struct crash_device *device);

/* Makes `to` the device after a crash of `from`: cut CUT_…, drawn from `seed`. */
void crash_device_cut(struct crash_device *to, const struct crash_device *from, unsigned cut,
                      uint64_t seed);
/* After a crash of the process alone: what was written stays; the write in flight happened or not.
 * What is not yet durable stays pending. */
void crash_device_keep(struct crash_device *to, const struct crash_device *from, bool happened);
/* Whether anything is between the two views, or about to be. */
bool crash_device_unsettled(const struct crash_device *device);
/* The fault is over; an operation that was held ends at the next poll. */
void crash_device_heal(struct crash_device *device);

const char *crash_fault_name(enum crash_fault fault);

/* A number that depends on all three, for seeds of seeds. */
uint64_t crash_mix(uint64_t a, uint64_t b, uint64_t c);

#endif
