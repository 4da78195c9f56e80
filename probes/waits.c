#include "waits.h"

void waits_clear(struct waits *waits)
{
    waits->count = 0;
    waits->overflowed = false;
    waits->wake_us = USEC_NEVER;
}

void waits_add(struct waits *waits, int fd, short events)
{
    if (fd < 0) {
        return;
    }
    if (waits->count == ARRAY_LEN(waits->at)) {
        waits->overflowed = true;
        return;
    }
    waits->at[waits->count++] = (struct pollfd){.fd = fd, .events = events};
}

void waits_until(struct waits *waits, usec_t when_us)
{
    waits->wake_us = usec_min(waits->wake_us, when_us);
}

usec_t waits_wake(const struct waits *waits, usec_t now_us)
{
    return waits->overflowed ? usec_min(waits->wake_us, usec_add(now_us, WAITS_OVERFLOW_US))
                             : waits->wake_us;
}

short waits_ready(const struct waits *waits, int fd)
{
    short events = 0;
    bool watched = false;
    /* Not the first match only: one descriptor may be watched twice, for reading and writing. */
    for (unsigned i = 0; i < waits->count; i++) {
        if (waits->at[i].fd == fd) {
            watched = true;
            events |= waits->at[i].revents;
        }
    }
    return watched || !waits->overflowed || fd < 0 ? events : POLLIN | POLLOUT;
}
