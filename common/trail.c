#include "trail.h"

#include <assert.h>

void trail_add(struct trail *trail, enum outcome outcome, usec_t duration_us)
{
    usec_t kept_us = usec_max(duration_us, 0);
    trail->durations_us[trail->next] = kept_us < UINT32_MAX ? (uint32_t)kept_us : UINT32_MAX;
    trail->outcomes[trail->next] = (uint8_t)outcome;
    trail->next = (uint8_t)((trail->next + 1) % TRAIL_RUNS);
    if (trail->count < TRAIL_RUNS) {
        trail->count++;
    }
}

struct trail_run trail_run(const struct trail *trail, unsigned i)
{
    assert(i < trail->count);
    unsigned at = ((unsigned)trail->next + TRAIL_RUNS - trail->count + i) % TRAIL_RUNS;
    return (struct trail_run){.outcome = (enum outcome)trail->outcomes[at],
                              .duration_us = trail->durations_us[at]};
}
