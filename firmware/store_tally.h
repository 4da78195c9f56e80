/* What an image adds up to: its log is walked once, the totals of its checkpoint are brought up to
 * the log's end, and all that does not fit together is counted. */
#ifndef PICKET_STORE_TALLY_H
#define PICKET_STORE_TALLY_H

#include "store_wall.h"

/* A result at one end of the log. */
struct tally_moment {
    uint64_t number; /* of the result, over the life of the store; 0: there is none */
    uint64_t boot;
    int64_t monotonic_ms;
    struct wall_stamp wall;
};

struct store_tally {
    uint32_t blocks;                   /* of the log that could be read */
    uint64_t results;                  /* that could be read */
    uint64_t held[CAP_LEDGER_TARGETS]; /* of them, by entry of the ledger */
    uint64_t held_unnamed;             /* of ids the ledger does not know */
    struct tally_moment oldest, newest;
    int64_t span_ms; /* from the first to the last result of each boot, all boots together */

    /* In the log. */
    uint32_t lost_blocks;   /* were overwritten since the scan */
    uint32_t broken_blocks; /* whole, but hold records that are none */
    uint64_t broken_records;
    uint32_t miscounted_blocks;          /* hold another number of results than their headers say */
    uint32_t holes;                      /* between two blocks, not accounted for */
    uint64_t hole_results, hole_records; /* that stood there */
    uint64_t cut_results;                /* before the first block, which is not the oldest named */
    uint64_t unreached_records;          /* the checkpoint counts them, the log ends before them */
    uint64_t known_gap_results;          /* never reached the disk, and are accounted for */

    /* In the totals. */
    uint64_t replayed;      /* records counted behind the checkpoint */
    uint64_t uncounted;     /* records missing behind the checkpoint: the totals lack them */
    unsigned wrong_targets; /* sums of which disagree */
    bool wrong_results;     /* more are counted than were ever submitted */
    bool clean;             /* the agent stopped in order right after the log's last record */

    /* By cause, over the life of the store. */
    uint64_t dropped_wrap, dropped_memory, dropped_damaged;
    uint64_t blocks_written;
    uint64_t submitted; /* results, over the life of the store */
};

/* Brings image->ledger up to the end of the log. `wall` was gathered from the image. */
void store_tally_make(struct store_tally *tally, struct store_image *image,
                      struct store_wall *wall);
/* Nothing is missing and everything fits together. */
bool store_tally_is_whole(const struct store_tally *tally);

#endif
