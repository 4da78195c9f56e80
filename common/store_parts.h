/* What the files of the store share: store.c (records, publishing, the turn), store_open.c (finding
 * what is there, making what is not) and store_commit.c (writing). Nobody else includes this.
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
/* Everything that is owed is durable. */
void store_became_durable(struct store *store, usec_t now_us);
uint64_t store_random(struct store *store); /* never 0 */
/* Appends a record and counts it. */
void store_append(struct store *store, const struct record *record);
/* Begins a block of the log behind all there are. */
void store_begin_block(struct store *store, uint64_t seq);
/* Encodes these totals into the tail; NULL when that is impossible. */
const struct tail_checkpoint *store_checkpoint(struct store *store,
                                               const struct ledger_totals *totals, bool clean);

/* store_open.c */

void store_open_begin(struct store *store, usec_t now_us);
void store_open_reply(struct store *store, const struct block_reply *reply, usec_t now_us);
/* The parts of a checkpoint for a new file are written. */
void store_make_supers(struct store *store, usec_t now_us);
/* Without a device: what the tail holds, or nothing. */
void store_open_in_memory(struct store *store);

/* store_commit.c */

/* Begins to write all there is. With a checkpoint first when one is owed. */
void store_commit_begin(struct store *store, usec_t now_us);
/* Begins a checkpoint of these totals. */
void store_checkpoint_begin(struct store *store, const struct ledger_totals *totals, bool clean,
                            usec_t now_us);
void store_commit_reply(struct store *store, const struct block_reply *reply, usec_t now_us);
/* Whether the tail holds records that are not durable. */
bool store_is_dirty(const struct store *store);
/* The live slot of a seq; STORE_NO_SLOT when it has none. */
uint32_t store_find_slot(const struct store *store, uint64_t seq);

#endif
