/* One machine with a store: the unmodified store on a device in memory, a virtual clock, a workload
 * drawn from a seed, and a model that knows what was submitted and what was told.
 *
 * After each turn the published totals are read, as a push might, held against the model, and kept
 * by epoch; now and then they are really pushed, and sometimes the answer gets lost. */
#ifndef PICKET_CRASH_WORLD_H
#define PICKET_CRASH_WORLD_H

#include "crash_device.h"
#include "crash_log.h"
#include "crash_model.h"
#include "store.h"

enum {
    WORLD_CONFIGS = 4,
    WORLD_EPOCHS_MAX = 64,
    WORLD_OPENING_OPS_MAX = 3 * CRASH_BLOCKS_MAX + 16, /* a recovery takes at most */
};

/* What was told under one epoch: totals of the records behind `base`. */
struct world_epoch {
    uint64_t epoch, base, told_ordinal;
    struct tally base_tally;
    struct tally told;   /* the last published, all of which may have left */
    struct tally pushed; /* the last that did leave, whether the answer came back or not */
};

struct world_settings {
    unsigned slots, config;
    usec_t commit_us;
    unsigned records_per_round; /* at most; a round is a second */
    unsigned delay_max;
};

struct crash_world {
    uint64_t seed;
    struct world_settings settings;
    struct prng prng;
    usec_t now_us;
    uint64_t boot;
    int64_t wall_offset_us;
    bool wall_trusted;
    unsigned life; /* starts so far */
    bool runs, seen_open;
    bool tail_kept;       /* the tail of the life before is still there */
    bool is_lossy;        /* the device lied: what was told may be gone */
    bool is_bound;        /* this configuration's directory is surely on the device */
    uint64_t opening_ops; /* of the device, when the life began */
    uint64_t opening_changes;
    uint64_t recovered_ordinal; /* ordinal of what was recovered last */
    bool rotten_newest;         /* the newest block of the log does not prove itself any more */

    struct store store;
    struct tail tail;
    struct crash_device device;
    struct crash_log log;

    struct model *model;
    struct model *past;  /* room for the ancestor's records; NULL: one is not followed */
    struct model *shelf; /* likewise for those of a device that was away at start */
    bool is_forked;      /* it was: the model begins anew, and the shelf has what the device has */
    bool begins_anew;    /* totals were given up at the last start: the device could not be read */
    bool counts_anew;    /* the next epoch begins with what was recovered */
    /* What the life before the last cut had submitted. A write that was torn then lies unfinished
     * on the device; a later tear may finish it, and as long as nothing else was acknowledged
     * since, its records may come back. They were submitted after all. */
    const struct model *ancestor;  /* NULL: none */
    uint64_t branch;               /* ordinal up to which both are the same */
    const struct model *recovered; /* the one whose records were recovered last */
    struct tally measured;         /* all that was ever submitted, lost or not */
    struct tally lost;             /* of it, by power cuts */
    unsigned epoch_count;
    unsigned epoch; /* index of the one being told */
    struct world_epoch epochs[WORLD_EPOCHS_MAX];
    struct tally told_before; /* told under all epochs but the current one */
};

const struct config *world_config(unsigned index);

void world_init(struct crash_world *world, uint64_t seed, const struct world_settings *settings);
/* A life begins: the agent starts on what is there. */
void world_start(struct crash_world *world);
/* One turn of the agent: its step, what it tells, and time goes on until something happens. With
 * `work` results come in, once it is open. */
void world_turn(struct crash_world *world, bool work);
/* Turns until `ops` more operations were begun, or `us` have passed. */
void world_run(struct crash_world *world, uint64_t ops, usec_t us, bool work);
/* There is no room for many more records: a run with work ends by itself. */
bool world_is_full(const struct crash_world *world);
/* Turns without work until all is durable, or fails the case when that takes longer than `us`. */
void world_expect_durable(struct crash_world *world, usec_t us);

/* The agent began without the device and in vain, and starts again now that it is back. */
void world_rejoin(struct crash_world *world);

/* The ends of a life. */
void world_stop(struct crash_world *world, bool tail_stays); /* in order */
/* The process is killed; what it wrote stays, the write in flight happened or not. */
void world_kill(struct crash_world *world, bool happened);
/* The power goes: the machine becomes what a cut leaves of it. */
void world_cut(struct crash_world *world, unsigned cut, uint64_t seed);
/* `to` becomes what a cut leaves of `from`, and starts. */
void world_cut_from(struct crash_world *to, const struct crash_world *from, unsigned cut,
                    uint64_t seed);

/* `to` becomes what a kill of `from` leaves, and starts; with `scribble` the memory that should
 * outlive the process was written over here and there. */
void world_kill_from(struct crash_world *to, const struct crash_world *from, bool happened,
                     bool scribble, uint64_t seed);
/* After a kill nothing is lost at all. */
void world_judge_kept(const struct crash_world *world, const struct crash_world *before);

/* After a bit of a durable image has rotten: nothing is invented, and nothing goes backwards under
 * an epoch unless it is the newest block. */
void world_judge_rotten(const struct crash_world *world, const struct crash_world *before);

/* The last pushes of all epochs. */
void world_sum_pushed(const struct crash_world *world, struct tally *pushed);
/* Fails the case unless all that was measured and not lost was pushed, over all epochs. */
void world_expect_exact(struct crash_world *world);

/* Looks at a store that has just opened, on what `before` left (the world itself, when it starts
 * again): totals must be those of a prefix of what was submitted, and no less than what was told.
 * Returns the ordinal it goes to. */
uint64_t world_judge_opened(struct crash_world *world, const struct crash_world *before);
/* `world`, judged to hold `ordinal` records of `before`, goes on as it. */
void world_adopt(struct crash_world *world, const struct crash_world *before, uint64_t ordinal);
/* Reads what would be told now, and holds it against the model and what was told before. */
void world_observe(struct crash_world *world);

/* A second's records come in. */
void world_work(struct crash_world *world);
/* What is published is pushed; `answered`: and the store hears of it. */
void world_push(struct crash_world *world, bool answered);

#endif
