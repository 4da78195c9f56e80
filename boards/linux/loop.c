#include "loop.h"

#include <errno.h>
#include <time.h>

void loop_init(struct loop *loop, const struct clock *clock, const struct loop_source *sources,
               unsigned count)
{
    *loop = (struct loop){.clock = clock, .sources = sources, .count = count};
}

/* Returns true when the wait ended because its time was up. */
static bool wait_for_events(struct waits *waits, usec_t now_us)
{
    usec_t left_us = waits->wake_us == USEC_NEVER ? USEC_PER_HOUR : waits->wake_us - now_us;
    left_us = usec_min(usec_max(left_us, 0), USEC_PER_HOUR);
    struct timespec timeout = {.tv_sec = left_us / USEC_PER_SEC,
                               .tv_nsec = left_us % USEC_PER_SEC * 1000};
    int ready = ppoll(waits->at, waits->count, &timeout, NULL);
    if (ready < 0) {
        /* EINTR, or ENOMEM under pressure: nobody is ready, everybody looks at the time. */
        for (unsigned i = 0; i < waits->count; i++) {
            waits->at[i].revents = 0;
        }
    }
    return ready == 0;
}

void loop_turn(struct loop *loop)
{
    waits_clear(&loop->waits);
    for (unsigned i = 0; i < loop->count; i++) {
        loop->sources[i].waits(loop->sources[i].context, &loop->waits);
    }
    usec_t asked_us = clock_monotonic_us(loop->clock);
    bool timed_out = wait_for_events(&loop->waits, asked_us);
    usec_t now_us = clock_monotonic_us(loop->clock);
    loop->lag_us = timed_out ? usec_max(now_us - usec_max(loop->waits.wake_us, asked_us), 0) : 0;
    for (unsigned i = 0; i < loop->count; i++) {
        loop->sources[i].step(loop->sources[i].context, &loop->waits, now_us);
    }
}
