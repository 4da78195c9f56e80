/* When it was, for records that only know how long the machine was up: each boot has an offset from
 * monotonic to wall time as soon as its clock was trusted, and monotonic time does not jump. So a
 * record of a moment when wall time was not known gets the last offset known before it on the same
 * boot, or else the first one after; and it is said that this was worked out later. On a boot whose
 * clock was never trusted there is no wall time. */
#ifndef PICKET_STORE_WALL_H
#define PICKET_STORE_WALL_H

#include "store_image.h"

struct wall_boot {
    uint64_t boot;
    int64_t first_offset_ms; /* BLOCK_WALL_UNKNOWN: never trusted */
};

struct store_wall {
    struct wall_boot *boots; /* in the order of the log; one allocation */
    size_t count, room;
    bool begun;
    uint64_t boot; /* of the last record */
    size_t at;     /* where it stands in boots; count: nowhere */
    int64_t last_offset_ms;
};

struct wall_stamp {
    bool known;
    bool corrected; /* worked out later */
    int64_t unix_ms;
};

/* Walks the whole log once. False: out of memory. */
MUST_CHECK bool store_wall_gather(struct store_wall *wall, const struct store_image *image);
void store_wall_free(struct store_wall *wall);
/* Before the first record is asked about. */
void store_wall_begin(struct store_wall *wall);
/* Must see every record in order; for a RESULT or a RUN, when it was. */
struct wall_stamp store_wall_stamp(struct store_wall *wall, const struct store_replay *replay,
                                   const struct record *record);

#endif
