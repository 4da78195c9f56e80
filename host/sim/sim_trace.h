/* What happens in a simulated world, as a line for people and as one hash for machines: the same
 * seed twice gives the same hash, or something in the world or in the agent is not deterministic.
 * No wall clock, no pointer and nothing uninitialised goes into it. Thread rule: one thread. */
#ifndef PICKET_SIM_TRACE_H
#define PICKET_SIM_TRACE_H

#include "base.h"

enum sim_event {
    SIM_BOOT,
    SIM_RESET,
    SIM_POWER_CUT,
    SIM_STUCK,
    SIM_SUPERVISOR,
    SIM_SUPERVISOR_GONE,
    SIM_BORN,
    SIM_RUNNING,
    SIM_ENDED,
    SIM_STOP,
    SIM_ABORT,
    SIM_KILL,
    SIM_PHASE,
    SIM_GROUPS,
    SIM_ARM,
    SIM_DISARM,
    SIM_TRIGGER,
    SIM_ACTION,
    SIM_KEEP_GOOD,
    SIM_ROLL_OUT,
    SIM_ROLL_BACK,
    SIM_FAULT,
    SIM_STORE,
    SIM_HEAL,
    SIM_WELL,
    /* Many an hour: told only when all is wanted. */
    SIM_FEED,
    SIM_START,
    SIM_RESULT,
    SIM_PUSH,
    SIM_REPLY,
    SIM_DISK_OP,
    SIM_EVENT_COUNT,
    SIM_FIRST_QUIET = SIM_FEED
};

enum sim_verbosity { SIM_SILENT, SIM_TOLD, SIM_ALL };

struct sim_trace {
    uint64_t hash, events;
    enum sim_verbosity verbosity;
};

struct sim;
/* One thing happened now. `text` is for people, is not hashed, and may be NULL. */
void sim_trace(struct sim *sim, enum sim_event event, int64_t a, int64_t b, const char *text);
/* A line of somebody's log, for people. */
void sim_trace_log(const struct sim *sim, const char *who, const char *text);

/* "2d 03:04:05.123456" */
#define SIM_TIME_BYTES 32
const char *sim_time(usec_t at_us, char text[SIM_TIME_BYTES]);

#endif
