/* Port: where time comes from.
 *
 * The core never reads a clock on its own: each loop pass takes one `now` and hands it down. A
 * probe reads `monotonic_us` next to the system call it measures. Wall time is data with a flag,
 * because a board without a clock chip boots in 1970. */
#ifndef PICKET_CLOCK_H
#define PICKET_CLOCK_H

#include "base.h"

struct wall_time {
    usec_t unix_us; /* microseconds since 1970-01-01T00:00:00Z */
    bool trusted;   /* false: no verdict may rest on it (certificate dates become `unknown`) */
};

struct clock {
    void *context;
    usec_t (*monotonic_us)(void *context); /* since boot, never steps; > 0 */
    struct wall_time (*wall)(void *context);
};

static inline usec_t clock_monotonic_us(const struct clock *clock)
{
    return clock->monotonic_us(clock->context);
}

static inline struct wall_time clock_wall(const struct clock *clock)
{
    return clock->wall(clock->context);
}

#endif
