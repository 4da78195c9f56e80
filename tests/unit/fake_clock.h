/* A clock port the test moves by hand. */
#ifndef PICKET_FAKE_CLOCK_H
#define PICKET_FAKE_CLOCK_H

#include "clock.h"

struct fake_clock {
    usec_t now_us;
    usec_t tick_us; /* passes with each reading: a clock that never stands still */
    struct wall_time wall;
};

static inline usec_t fake_clock_monotonic_us(void *context)
{
    struct fake_clock *fake = context;
    fake->now_us += fake->tick_us;
    return fake->now_us;
}

static inline struct wall_time fake_clock_wall(void *context)
{
    return ((struct fake_clock *)context)->wall;
}

static inline struct clock fake_clock_port(struct fake_clock *fake)
{
    return (struct clock){fake, fake_clock_monotonic_us, fake_clock_wall};
}

#endif
