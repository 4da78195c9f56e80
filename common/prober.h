/* Port: runs probes for the agent. Implemented by probes/runner.h on a machine and by the
 * simulator's model in tests. Pull only: nothing calls back into the agent. */
#ifndef PICKET_PROBER_H
#define PICKET_PROBER_H

#include "result.h"

struct prober {
    void *context;
    /* Begins one run of a target. Exactly one result for it is collected later, at the latest
     * 250 ms past the deadline. False: no free run right now; nothing began, try again. A run that
     * cannot even begin (no descriptors) returns true and yields an `unknown` result. */
    bool (*start)(void *context, uint16_t target, usec_t now_us, usec_t deadline_us);
    /* Hands over one finished result; false when there is none. */
    bool (*collect)(void *context, struct result *result);
    /* Ends every run in flight now; their results are dropped. */
    void (*cancel_all)(void *context);
};

#endif
