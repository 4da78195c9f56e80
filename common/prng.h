/* A small seeded generator (SplitMix64, Steele et al. 2014) for jitter. Not for secrets. */
#ifndef PICKET_PRNG_H
#define PICKET_PRNG_H

#include "base.h"

struct prng {
    uint64_t state;
};

uint64_t prng_next(struct prng *prng);
/* Uniform in [0, bound); bound 0 gives 0. */
uint64_t prng_below(struct prng *prng, uint64_t bound);

#endif
