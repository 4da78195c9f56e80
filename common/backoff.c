#include "backoff.h"

#include <limits.h>

/* min(cap, base * 2^doublings) without overflow. */
static usec_t ceiling(const struct backoff *backoff, unsigned doublings)
{
    usec_t delay_us = backoff->base_us;
    for (unsigned i = 0; i < doublings && delay_us < backoff->cap_us; i++) {
        delay_us = delay_us > backoff->cap_us / 2 ? backoff->cap_us : delay_us * 2;
    }
    return usec_min(delay_us, backoff->cap_us);
}

usec_t backoff_next(struct backoff *backoff, struct prng *prng, usec_t retry_after_us)
{
    usec_t ceiling_us = ceiling(backoff, backoff->failures);
    if (backoff->failures < UINT_MAX) {
        backoff->failures++;
    }
    usec_t delay_us = (usec_t)prng_below(prng, (uint64_t)ceiling_us + 1);
    return usec_max(delay_us, usec_min(retry_after_us, backoff->cap_us));
}

void backoff_reset(struct backoff *backoff)
{
    backoff->failures = 0;
}
