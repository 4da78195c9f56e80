/* Full-jitter exponential back-off: delay = random(0, min(cap, base * 2^attempt)).
 * Source: M. Brooker, "Exponential Backoff And Jitter", AWS 2015. */
#ifndef PICKET_BACKOFF_H
#define PICKET_BACKOFF_H

#include "prng.h"

struct backoff {
    usec_t base_us, cap_us;
    unsigned failures; /* in a row */
};

/* The delay after one more failure. `retry_after_us` (0: none) is a floor, capped at cap_us. */
usec_t backoff_next(struct backoff *backoff, struct prng *prng, usec_t retry_after_us);
void backoff_reset(struct backoff *backoff);

#endif
