/* Bits rot in an image of a store: a fresh store never crashes, hangs or invents a result. */
#ifndef PICKET_CRASH_ROT_H
#define PICKET_CRASH_ROT_H

#include "base.h"

void crash_rot_run(uint64_t seed, unsigned slots);

#endif
