/* What the files of the store share; nobody else includes this. Records come in by store_log.c. A
 * device is opened by store_open.c, with totals from store_adopt.c (memory) or store_recover.c (the
 * device), and made by store_make.c. It is written by store_commit.c, store_checkpoint.c and
 * store_scrub.c. store.c has the turn, the states and what may be published.
 *
 * The device does one operation at a time, so there is one job at a time: a job submits its next
 * operation, and its handler goes on when that has ended. JOB_IDLE: nothing is in flight, and the
 * turn decides what is to be done next. */
#ifndef PICKET_STORE_PARTS_H
#define PICKET_STORE_PARTS_H

#include "store.h"

enum store_job {
    JOB_IDLE,
    JOB_LATE, /* an operation that was given up has not come back yet */
    /* store_open.c */
    JOB_OPEN,
    JOB_SUPER,
    JOB_SUPER_COPY,
    JOB_SCAN,
    JOB_SYNC_SCAN,
    JOB_READ_PART,
    JOB_READ_LOG,
    JOB_CREATE,
    JOB_COPY_READ,
    JOB_COPY_WRITE,
    JOB_MAKE_SUPER,
    JOB_MAKE_SUPER_COPY,
    JOB_PUBLISH,
    /* store_commit.c */
    JOB_WRITE_BLOCK,
    JOB_SYNC_BLOCK,
    JOB_WRITE_PART,
    JOB_SYNC_PARTS,
    JOB_SCRUB,
    JOB_SYNC_SCRUB,
};

/* store.c */

/* Hands one operation over; its end comes to the handler of `job`. */
void store_submit(struct store *store, enum store_job job, enum block_op op, uint32_t first,
                  uint32_t count, void *bytes, usec_t now_us);
/* The device is in trouble: totals live in memory until it takes them again. */
void store_degrade(struct store *store, enum store_trouble trouble, const char *note,
                   usec_t now_us);
/* The trouble an error means. */
enum store_trouble store_trouble_of(enum block_error error);
/* Everything that was owed is durable. */
void store_became_durable(struct store *store);
uint64_t store_random(struct store *store); /* never 0 */

/* store_log.c */

/* Appends a record and counts it. */
void store_append(struct store *store, const struct record *record);
/* The open block is full, or as good as full: the next one begins. */
void store_seal(struct store *store);
/* Begins a block of the log behind all there are. */
void store_begin_block(struct store *store, uint64_t seq);

/* store_open.c */

void store_open_begin(struct store *store, usec_t now_us);
/* Answers to every operation before the first commit. */
void store_open_reply(struct store *store, const struct block_reply *reply, usec_t now_us);
/* Goes over to what the scan found on the device. The ledger stands. */
void store_take_slots(struct store *store);
/* Results that stood in blocks that are gone: those submitted that are neither in the log nor known
 * to be given up. */
uint64_t store_damaged_results(const struct store *store, uint64_t submitted);
/* The last of opening: a new file if this one does not fit, and a commit of what is owed. */
void store_open_settle(struct store *store, usec_t now_us);

/* store_adopt.c */

/* Takes over what a checkpoint says beside the totals, where that is more than is known. */
void store_take_numbers(struct store *store, const struct checkpoint *checkpoint);
/* Begins to walk the records of a block of the tail with store->replay. */
void store_tail_replay(struct store *store, uint64_t seq);
/* Goes on with the totals a dead process left in memory; false when there are none. */
bool store_adopt_tail(struct store *store);
/* A ledger nobody knows yet, in a tail of its own. */
void store_begin_new(struct store *store, uint64_t identity);
/* Binds the ledger to the configuration, within half of the room checkpoints have: the other half
 * is what configured targets may still grow. */
void store_bind(struct store *store, uint32_t checkpoint_blocks);
/* After store_adopt_tail() and store_bind(): publishes of the tail's totals what is durable, and no
 * more; if that cannot be told apart, nothing is safe to publish. */
void store_tell_durable(struct store *store);
/* Without a device: what the tail holds, or nothing. */
void store_open_in_memory(struct store *store);

/* store_recover.c */

void store_recover_begin(struct store *store, usec_t now_us);
void store_recover_reply(struct store *store, const struct block_reply *reply, usec_t now_us);

/* store_make.c */

/* The file that is open is as large as configured, and its areas are large enough. */
bool store_layout_fits(const struct store *store);
/* Makes a new file, and opens it. With `take_over` the newest blocks of the log go over as they
 * are; without, it begins with what the memory holds. */
void store_make(struct store *store, bool take_over, usec_t now_us);
void store_make_reply(struct store *store, usec_t now_us);
/* The parts of the checkpoint for a new file are written. */
void store_make_supers(struct store *store, usec_t now_us);

/* store_commit.c */

/* Begins to write all there is: what is damaged is scrubbed first, a checkpoint when one is owed.
 */
void store_commit_begin(struct store *store, usec_t now_us);
/* Writes the next block, or ends the commit. */
void store_commit_go_on(struct store *store, usec_t now_us);
/* Answers to commits, checkpoints and scrubbing. */
void store_commit_reply(struct store *store, const struct block_reply *reply, usec_t now_us);
/* All records up to this one are on the device. */
void store_note_durable(struct store *store, uint64_t ordinal);
/* The newest checkpoint is on the device. */
void store_note_generation(struct store *store);
/* Whether the tail holds records that are not durable. */
bool store_is_dirty(const struct store *store);
/* The live slot of a seq; STORE_NO_SLOT when it has none. */
uint32_t store_find_slot(const struct store *store, uint64_t seq);

/* store_checkpoint.c */

/* Encodes these totals into the tail; NULL when that is impossible. */
const struct tail_checkpoint *store_checkpoint(struct store *store,
                                               const struct ledger_totals *totals, bool clean);
/* Begins a checkpoint of these totals on the device. */
void store_checkpoint_begin(struct store *store, const struct ledger_totals *totals, bool clean,
                            usec_t now_us);
void store_checkpoint_reply(struct store *store, usec_t now_us);

/* store_scrub.c */

/* True when there is something to scrub first; what was to be begun is begun again after it. */
bool store_scrub_begin(struct store *store, usec_t now_us);
void store_scrub_reply(struct store *store, usec_t now_us);

static inline struct tail_block *store_tail_block(const struct store *store, uint64_t seq)
{
    return &store->tail->blocks[seq % CAP_TAIL_BLOCKS];
}

static inline uint64_t store_greater(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

#endif
