#include "loop.h"

#include <errno.h>
#include <time.h>

void loop_init(struct loop *loop, const struct clock *clock, const struct loop_source *sources,
               unsigned count)
{
    *loop = (struct loop){.clock = clock, .sources = sources, .count = count};
}

/* How long a turn rests when the system cannot wait for descriptors. */
#define REST_US (10 * USEC_PER_MSEC)

static struct timespec timespec_of(usec_t duration_us)
{
    return (struct timespec){.tv_sec = (time_t)(duration_us / USEC_PER_SEC),
                             .tv_nsec = (long)(duration_us % USEC_PER_SEC * 1000)};
}

/* EINTR, ENOMEM under pressure, or EINVAL when the limit on descriptors was lowered below what is
 * watched. Then anybody may be ready and has to find out without blocking, as all sources can. */
static void wait_blindly(struct waits *waits, usec_t left_us, int poll_errno)
{
    struct timespec rest = timespec_of(usec_min(left_us, REST_US));
    if (poll_errno != EINTR) {
        nanosleep(&rest, NULL);
    }
    for (unsigned i = 0; i < waits->count; i++) {
        waits->at[i].revents = poll_errno == EINTR ? 0 : waits->at[i].events;
    }
}

static void wait_for_events(struct waits *waits, usec_t wake_us, usec_t now_us)
{
    usec_t left_us = wake_us == USEC_NEVER ? USEC_PER_HOUR : wake_us - now_us;
    left_us = usec_min(usec_max(left_us, 0), USEC_PER_HOUR);
    struct timespec timeout = timespec_of(left_us);
    if (ppoll(waits->at, waits->count, &timeout, NULL) < 0) {
        wait_blindly(waits, left_us, errno);
    }
}

void loop_turn(struct loop *loop)
{
    waits_clear(&loop->waits);
    for (unsigned i = 0; i < loop->count; i++) {
        loop->sources[i].waits(loop->sources[i].context, &loop->waits);
    }
    usec_t asked_us = clock_monotonic_us(loop->clock);
    usec_t wake_us = waits_wake(&loop->waits, asked_us);
    wait_for_events(&loop->waits, wake_us, asked_us);
    usec_t now_us = clock_monotonic_us(loop->clock);
    usec_t overslept_us = now_us - usec_max(wake_us, asked_us);
    usec_t busy_us = loop->turned_us > 0 ? asked_us - loop->turned_us : 0;
    loop->lag_us = usec_max(usec_max(overslept_us, busy_us), 0);
    loop->turned_us = now_us;
    for (unsigned i = 0; i < loop->count; i++) {
        loop->sources[i].step(loop->sources[i].context, &loop->waits, now_us);
    }
}
