/* <poll.h> with bounds; see fortify.h. */
#include_next <poll.h>

#include "fortify.h"

#if defined __FORTIFY && !defined PICKET_FORTIFY_POLL_H
#define PICKET_FORTIFY_POLL_H

int __fortify_poll(struct pollfd *, nfds_t, int) __asm__("poll");

__fortified int poll(struct pollfd *polled, nfds_t count, int timeout_ms)
{
    if (count > __object_bytes(polled) / sizeof *polled) {
        __chk_fail();
    }
    return __fortify_poll(polled, count, timeout_ms);
}

#endif
