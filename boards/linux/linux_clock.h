/* Clock port on Linux: monotonic time from boot, suspended time included
 * (CLOCK_BOOTTIME), so that schedules hold on a board that was suspended. */
#ifndef PICKET_LINUX_CLOCK_H
#define PICKET_LINUX_CLOCK_H

#include "clock.h"

enum clock_trust {
    CLOCK_TRUST_PLAUSIBLE, /* later than this program was built, and before 2100 */
    CLOCK_TRUST_SYNCED,    /* plausible, and the kernel says it is synchronised (adjtimex) */
};

/* `trust` is read at each call and borrowed for the clock's life. */
struct clock linux_clock(const enum clock_trust *trust);

#endif
