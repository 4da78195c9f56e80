#include "prng.h"

uint64_t prng_next(struct prng *prng)
{
    prng->state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t mixed = prng->state;
    mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94d049bb133111eb);
    return mixed ^ (mixed >> 31);
}

/* The remainder favours small numbers by less than bound / 2^64, far below anything a delay of
 * microseconds could show; rejecting values instead would need a loop without a bound. */
uint64_t prng_below(struct prng *prng, uint64_t bound)
{
    return bound == 0 ? 0 : prng_next(prng) % bound;
}
