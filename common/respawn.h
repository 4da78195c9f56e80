/* When an agent that crashed is started again: after 1, 2, 4 … 60 s. The delay begins anew once it
 * has run for ten minutes. Not jittered: nobody else waits for it, and what the new start sends is
 * spread by its schedule. Pure; a zeroed struct is valid. */
#ifndef PICKET_RESPAWN_H
#define PICKET_RESPAWN_H

#include "base.h"

#define RESPAWN_FIRST_US (1 * USEC_PER_SEC)
#define RESPAWN_CAP_US   (60 * USEC_PER_SEC)
/* Who has run this long is well: its crash is no loop. */
#define RESPAWN_WELL_US (10 * USEC_PER_MINUTE)

struct respawn {
    usec_t last_us; /* the delay before; 0: none */
};

/* The delay after one more crash of an agent that ran for `ran_us`. */
usec_t respawn_delay(struct respawn *respawn, usec_t ran_us);
/* The next crash is the first again. */
void respawn_reset(struct respawn *respawn);

#endif
