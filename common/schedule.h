/* When each target runs. Pure arithmetic on monotonic time.
 *
 * A target's starts are at phase + n * interval, phase = hash(site, probe, instance) mod interval,
 * counted from boot: spread over the fleet, stable over restarts, without drift. A start that
 * cannot be made before the next one is due is missed and counted; a late one is made late and does
 * not move the next. Promise 2: every scheduled run is either run or counted as missed. */
#ifndef PICKET_SCHEDULE_H
#define PICKET_SCHEDULE_H

#include "base.h"
#include "caps.h"

struct schedule_entry {
    usec_t interval_us; /* 0: never due (disabled) */
    usec_t due_us;      /* the start that is next, or waiting to be made */
    bool running;
};

struct schedule {
    unsigned count;
    struct schedule_entry entries[CAP_TARGETS];
};

/* The phase in [0, interval) of one target. */
usec_t schedule_phase(const char *site, const char *probe, const char *instance,
                      usec_t interval_us);
/* Adds an entry whose first start is the first phase point at or after `now`; entry i is target i,
 * so targets are added in order. */
void schedule_add(struct schedule *schedule, usec_t interval_us, usec_t phase_us, usec_t now_us);

/* Moves past every start that can no longer be made (the next one is due too) and returns how many
 * those were. Call before asking whether an entry is due. */
uint64_t schedule_missed(struct schedule *schedule, unsigned entry, usec_t now_us);
/* The same when nothing will be started any more: the start that waits is missed too. */
uint64_t schedule_abandon(struct schedule *schedule, unsigned entry, usec_t now_us);
/* True when a start is due and the last run has ended. */
bool schedule_is_due(const struct schedule *schedule, unsigned entry, usec_t now_us);
/* The start was made: the next is one interval later. Returns the lateness. */
usec_t schedule_started(struct schedule *schedule, unsigned entry, usec_t now_us);
void schedule_ended(struct schedule *schedule, unsigned entry);
/* The next moment at which something changes by itself: the earliest start in the future, for
 * entries that wait the moment they count as missed. USEC_NEVER when nothing is scheduled. */
usec_t schedule_wake(const struct schedule *schedule, usec_t now_us);

#endif
