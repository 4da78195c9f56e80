/* The store: a log of all results in a file of fixed size, and the totals that follow from it.
 *
 * SPEC.md has every byte, DESIGN.md the reasons. A record goes to the tail in memory at once
 * (store_tail.h) and is counted; every `commit` the tail's blocks are written to the device, each
 * into a block that holds nothing of value; then, and only then, what they count may be published.
 * A power cut costs at most what was not committed, and nothing that was published.
 *
 * Two states matter to the outside. DURABLE: published totals are those of the last commit. MEMORY:
 * no device, or one in trouble; totals are published as they are counted, under an epoch of their
 * own, so that no series ever goes backwards. The way back needs no restart: the device is tried
 * again, and when it takes everything that is owed, the store is durable again.
 *
 * Nothing here waits, allocates or reads a clock; the device does its work between two calls.
 * Memory: struct store, about 3 MB of address space, touched as far as there are targets and slots.
 * Thread rule: one thread. */
#ifndef PICKET_STORE_H
#define PICKET_STORE_H

#include "checkpoint.h"
#include "clock.h"
#include "logger.h"
#include "prng.h"
#include "store_replay.h"
#include "store_scan.h"
#include "store_tail.h"

/* Blocks the device is asked for at once when it is scanned. */
#define STORE_SCAN_BLOCKS 16
/* An operation that takes longer is given up, until it comes back by itself. Making a file may take
 * this much more for each block. */
#define STORE_HUNG_US       (30 * USEC_PER_SEC)
#define STORE_MAKE_BLOCK_US (250 * USEC_PER_MSEC)
/* Nobody waits longer than this for a file that is being made. */
#define STORE_MAKE_WAIT_US (2 * USEC_PER_SEC)

enum store_state {
    STORE_OPENING, /* at start: nothing may be recorded yet */
    STORE_DURABLE,
    STORE_MEMORY,
};

/* Why it is in memory. The names are label values: never changed, never reused. */
enum store_trouble {
    STORE_FINE,
    STORE_OFF, /* none is configured */
    STORE_NO_SPACE,
    STORE_IO,
    STORE_READ_ONLY,
    STORE_DENIED,
    STORE_IN_USE,
    STORE_HUNG,
    STORE_NEWER,     /* written by a newer format; never overwritten */
    STORE_MAKING,    /* none yet: the file is being made, which takes its time on slow flash */
    STORE_OTHER,     /* appeared while the agent ran, and is not what it began with: starting the
                        agent again takes it up */
    STORE_TOO_SMALL, /* for the targets that are configured */
    STORE_TROUBLE_COUNT
};

struct store_settings {
    struct blockdev device; /* unused when block_count is 0 */
    uint32_t block_count;   /* of the file; 0: totals live in memory */
    usec_t commit_us;
    uint64_t boot;     /* identity of this boot of the machine */
    uint64_t entropy;  /* random: identities of stores and epochs come from it */
    struct tail *tail; /* memory that outlives the process, or just memory; contents are checked */
};

/* For status and series; all since the agent began unless said otherwise. */
struct store_numbers {
    uint64_t dropped_wrap, dropped_memory, dropped_damaged; /* results, in the life of the store */
    uint64_t blocks_written;                                /* in the life of the store */
    uint64_t log_results; /* results the log holds on the device */
    uint64_t oldest_seq, newest_seq;
    uint32_t slots, slots_live, slots_damaged;
    usec_t committed_us;         /* monotonic, of the last commit; 0: none yet */
    usec_t commit_duration_us;   /* of the last commit, writes and syncs; negative: none yet */
    usec_t uncommitted_since_us; /* of the oldest record not yet durable; USEC_NEVER: none */
    bool is_volatile;            /* the device forgets with the power */
    bool clean;                  /* the run before stopped in order */
    bool known;                  /* there was one: its checkpoint was found on the device … */
    uint64_t boot_before;        /* … and this is the boot it was made in */
    char note[96];               /* what the device said when it last failed */
};

/* Everything is private to store*.c but through the functions below; store_parts.h says more. */
struct store {
    const struct config *config;
    const struct logger *logger;
    struct store_settings settings;
    enum store_state state;
    enum store_trouble trouble;
    struct store_numbers numbers;
    struct prng prng;
    usec_t now_us; /* of the last step */

    /* Totals. */
    bool has_ledger;      /* recovered or new, and bound to the configuration */
    bool adopted;         /* totals come from the tail of a process that died */
    bool epoch_on_device; /* the device may know this epoch: publish only what it holds */
    bool published_safe;  /* … and holds all of `published`, if it knows the epoch */
    bool leaving;         /* this epoch ends when its last totals have been pushed */
    uint64_t pushed_ordinal;

    /* The end of the log. */
    struct tail *tail;
    uint64_t store;      /* its identity; 0: none yet */
    uint64_t first_seq;  /* of the blocks in the tail that are not wholly durable */
    uint64_t open_seq;   /* the block records go to; 0: none */
    uint64_t tail_cover; /* last ordinal a checkpoint in the tail has */
    int64_t wall_offset_ms;

    /* The device. */
    uint32_t file_blocks; /* it has */
    uint32_t next_slot;   /* where the search for a free one goes on */
    uint64_t generation;  /* of the last checkpoint that was tried */
    unsigned area;        /* it is in */
    uint64_t covers;      /* its last ordinal */
    unsigned seals;       /* blocks filled since the newest checkpoint */
    bool checkpoint_owed;
    bool scrub_owed; /* unfinished writes of an earlier run may be on the device */
    unsigned bad_in_row;
    usec_t retry_us; /* MEMORY: when the device is tried again; USEC_NEVER: not by itself */
    usec_t retry_delay_us;

    /* What is going on. */
    unsigned job; /* enum store_job */
    usec_t submitted_us;
    uint32_t at, count; /* progress of the job */
    uint32_t single_until;
    uint32_t read_index; /* of the block that is being read */
    bool read_again;     /* for the second time */
    bool gap;            /* the log does not reach from the checkpoint to its end */
    bool is_making;      /* a new file is being made: `making` is its layout */
    bool is_made;        /* and was, by this opening */
    bool set_aside;      /* what the new file replaces is kept */
    bool settling, closing, close_done;
    struct block_super making;
    uint32_t copied; /* blocks the new file takes over */

    /* A commit. */
    bool committing, commit_now;
    uint64_t commit_seq, commit_until;
    usec_t commit_begun_us, since_next_us;
    struct {
        uint32_t slot, old_slot;
        struct block_data data;
        uint64_t given_up_results;
    } writing;
    const struct tail_checkpoint *checkpoint;
    uint32_t checkpoint_generation; /* of the place it is read from */
    const struct ledger_totals *checkpoint_totals;
    bool checkpoint_clean;

    /* Large, and not cleared as a whole. */
    struct record_coder coder;      /* of the open block */
    struct ledger ledger;           /* as counted */
    struct ledger_totals staged;    /* as of the commit in flight */
    struct ledger_totals published; /* as of the last commit, or as of the last look */
    struct tail_block frozen;       /* the open block as of the commit in flight */
    struct checkpoint decoded;
    struct store_replay replay;
    struct store_scan scan; /* layout and slots */
    union {
        uint8_t block[BLOCK_BYTES];
        uint8_t blocks[STORE_SCAN_BLOCKS * BLOCK_BYTES];
    } io;
};

/* Begins to open. `config`, `logger` and the tail are borrowed for the store's life. */
void store_init(struct store *store, const struct config *config, const struct logger *logger,
                const struct store_settings *settings, usec_t now_us);
/* Goes on with whatever there is to do; call it in each turn. Returns when it wants to be called at
 * the latest, unless the device has something earlier. */
usec_t store_step(struct store *store, usec_t now_us);
/* It has come to DURABLE or MEMORY for the first time: recovered totals stand in the ledger, entry
 * i is target i, and records are welcome. A device that does not answer for STORE_HUNG_US is
 * not waited for; one that answers is, however slowly. */
bool store_opened(const struct store *store);

/* Each appends one record and counts it. */
void store_result(struct store *store, unsigned target, const struct result *result);
void store_missed(struct store *store, unsigned target, uint64_t count); /* 0: nothing */
void store_count(struct store *store, unsigned counter, uint64_t count);
/* Tells the wall time of now; recorded when it became known, was lost, or stepped by a second. */
void store_clock(struct store *store, struct wall_time wall);

/* Remembers how a run ended: the one before, as soon as the store was opened; or this one, between
 * store_settled() and store_close(). It is on the device with the next checkpoint, which is owed at
 * once. */
void store_note_end(struct store *store, const struct run_end *end);
/* A run begins: what was recorded so far is committed at once, and a checkpoint with it, which says
 * in what boot that was. */
void store_begin_run(struct store *store);
/* An operation of the device is awaited: since when, and within which time it is given up. False:
 * none is, or it was given up. */
bool store_awaits(const struct store *store, usec_t *since_us, usec_t *limit_us);

/* As counted; entry i is target i. */
const struct ledger *store_ledger(const struct store *store);
/* What may leave the device now, under epoch store_ledger()->epoch. Not to be kept over a step. */
const struct ledger_totals *store_published(struct store *store);
/* Before a push: commits early when a commit would be due soon anyway (a tenth of `commit`). True
 * while a commit is going on, which a push does well to wait for, but not for ever. */
bool store_freshen(struct store *store, usec_t now_us);
/* A push of published totals up to this ordinal was accepted. In memory, that is the moment at
 * which an epoch the device knows is over and the next begins: all it counted has been told. */
void store_pushed(struct store *store, uint64_t ordinal);

/* Orderly end: commits everything now. store_settled() once nothing is owed to the device, or it is
 * in trouble; records may still come, and are committed too. */
void store_settle(struct store *store);
bool store_settled(const struct store *store);
/* The last act after store_settled(): a checkpoint marked clean; nothing may be recorded any more.
 * store_closed() once it is durable or cannot be. */
void store_close(struct store *store);
bool store_closed(const struct store *store);

/* "durable", "memory", …; label values and words of status. */
const char *store_state_name(enum store_state state);
const char *store_trouble_name(enum store_trouble trouble);

#endif
