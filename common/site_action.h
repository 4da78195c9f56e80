/* When one command may try to mend the uplink: the modem is restarted, say. Off unless configured.
 *
 * It is due when nothing got through for `after`: no push was accepted, and none of the reference
 * probes succeeded. The references are what tells a dead uplink from a dead receiver: they reach
 * other places over the same uplink, and all of them must be failing. One that cannot tell (it did
 * not run, or its result is unknown) counts for the uplink. After an action the time begins anew,
 * and the next one waits for `cooldown` as well; the budget for a day is the caller's to keep.
 *
 * Pure; a zeroed struct is off. */
#ifndef PICKET_SITE_ACTION_H
#define PICKET_SITE_ACTION_H

#include "base.h"

/* How one ended; label values. */
enum site_action_result {
    SITE_ACTION_STARTED, /* given to the supervisor */
    SITE_ACTION_FAILED,  /* it ended badly, or could not be run; counted beside `started` */
    SITE_ACTION_DRY_RUN, /* was due, and only logged */
    SITE_ACTION_RESULTS
};

struct site_action {
    usec_t after_us; /* 0: off */
    usec_t cooldown_us;
    usec_t through_us; /* when something got through last, or could have been said to */
    usec_t acted_us;   /* 0: never */
};

void site_action_init(struct site_action *action, usec_t after_us, usec_t cooldown_us,
                      usec_t now_us);
/* Something got through at `at_us`, or the fault cannot be called local. */
void site_action_note(struct site_action *action, usec_t at_us);
bool site_action_due(const struct site_action *action, usec_t now_us);
/* It is being done. */
void site_action_done(struct site_action *action, usec_t now_us);

/* "started", "failed", "dry_run" */
const char *site_action_result_name(enum site_action_result result);

#endif
