#include "linux_clock.h"

#include <sys/timex.h>
#include <time.h>

/* A board that forgot the time wakes up in 1970 or at the date of its image; a program can never
 * run before it was built. PICKET_BUILD_EPOCH (Unix seconds) is set by the build from the commit's
 * date, so that builds are reproducible. */
#ifndef PICKET_BUILD_EPOCH
#define PICKET_BUILD_EPOCH 1767225600 /* 2026-01-01 */
#endif
#define YEAR_2100_EPOCH INT64_C(4102444800)

static usec_t read_clock(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (usec_t)now.tv_sec * USEC_PER_SEC + now.tv_nsec / 1000;
}

static usec_t monotonic_us(void *context)
{
    (void)context;
    return read_clock(CLOCK_BOOTTIME);
}

static bool kernel_is_synchronised(void)
{
    struct timex state = {0};
    int answer = adjtimex(&state); /* -1 where a sandbox forbids to ask */
    return answer >= 0 && answer != TIME_ERROR && (state.status & STA_UNSYNC) == 0;
}

static struct wall_time wall(void *context)
{
    const enum clock_trust *trust = context;
    struct wall_time now = {.unix_us = read_clock(CLOCK_REALTIME)};
    int64_t seconds = now.unix_us / USEC_PER_SEC;
    now.trusted = seconds >= PICKET_BUILD_EPOCH && seconds < YEAR_2100_EPOCH;
    if (now.trusted && *trust == CLOCK_TRUST_SYNCED) {
        now.trusted = kernel_is_synchronised();
    }
    return now;
}

struct clock linux_clock(const enum clock_trust *trust)
{
    return (struct clock){
        .context = (void *)(uintptr_t)trust, .monotonic_us = monotonic_us, .wall = wall};
}
