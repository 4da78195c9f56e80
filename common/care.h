/* What the agent does about its own parts before anybody else has to: the first rungs of the ladder
 * (recovery.h), as counters and series know them. */
#ifndef PICKET_CARE_H
#define PICKET_CARE_H

#include "cause.h"
#include "recovery.h"
#include "site_action.h"

/* Label values; their place in the ledger follows from the order, so new ones go to the end. */
enum care {
    CARE_PROBE_SLOWED,    /* a probe that kept ending past its timeout runs less often */
    CARE_PUSH_RESTARTED,  /* a request without an end was dropped */
    CARE_WORKER_REPLACED, /* the thread of a Modbus endpoint was written off */
    CARE_COUNT
};
const char *care_name(enum care care);

/* What status and the push tell of recovery beside the counters of the ledger. */
struct recovery_series {
    enum recovery_phase phase;
    bool good_config; /* runs the last known good configuration instead of the file's … */
    enum rollout_reason left_for;      /* … which was left for this */
    unsigned barred_targets;           /* that may not run for now */
    bool armed;                        /* a watchdog is being fed … */
    usec_t granted_us;                 /* … within this; 0: not known */
    bool may_reset;                    /* it resets the board */
    uint64_t resets_left;              /* of today's budget */
    bool acts;                         /* a site action is configured */
    struct run_end before;             /* how the run before ended */
    char before_probe[CAP_NAME_BYTES]; /* the probe it ended with; "": none */
};

#endif
