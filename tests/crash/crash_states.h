/* The power goes, or the process, at each moment of a seed's lives; and what is found then. */
#ifndef PICKET_CRASH_STATES_H
#define PICKET_CRASH_STATES_H

#include "base.h"

enum {
    STATE_KILL = 100, /* cuts from here on are ends of the process alone: see crash_states.c */
    STATE_KILL_COUNT = 3,
};

/* Runs all lives of one seed and judges every moment. `slots` 0: the seed chooses. */
void crash_states_run(uint64_t seed, unsigned slots);

#endif
