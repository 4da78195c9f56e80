/* The set of descriptors and the moment one turn of the loop waits for.
 *
 * The loop is told anew each turn by everybody who waits for something (`*_waits` adds, `*_step`
 * looks up what came), so there is no registration to forget: a closed descriptor cannot linger.
 * The entries are poll(2)'s own. */
#ifndef PICKET_WAITS_H
#define PICKET_WAITS_H

#include <poll.h>

#include "base.h"
#include "caps.h"

/* How soon the loop turns again when not every descriptor could be watched. */
#define WAITS_OVERFLOW_US (10 * USEC_PER_MSEC)

struct waits {
    struct pollfd at[CAP_WAITS];
    unsigned count;
    bool overflowed; /* a descriptor found no room: see waits_wake() and waits_ready() */
    usec_t wake_us;  /* the earliest moment anybody asked for; USEC_NEVER: only descriptors */
};

void waits_clear(struct waits *waits);
/* Watches `fd` for POLLIN/POLLOUT. A full set makes the loop turn again in 10 ms instead: slower,
 * never deaf. A negative fd is ignored. */
void waits_add(struct waits *waits, int fd, short events);
/* Wakes at `when` at the latest. */
void waits_until(struct waits *waits, usec_t when_us);
/* The moment the loop turns again at the latest: wake_us, and soon when the set overflowed. */
usec_t waits_wake(const struct waits *waits, usec_t now_us);
/* What came for `fd` (POLLIN | POLLOUT | POLLERR | POLLHUP …), 0 for nothing or not watched. After
 * an overflow a descriptor that is not watched may be ready: POLLIN | POLLOUT. */
short waits_ready(const struct waits *waits, int fd);

#endif
