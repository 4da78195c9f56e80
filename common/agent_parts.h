/* Between the files of the engine: agent.c, agent_end.c, agent_push.c, and those of its care for
 * itself (agent_care_parts.h). Nobody else includes this. */
#ifndef PICKET_AGENT_PARTS_H
#define PICKET_AGENT_PARTS_H

#include "agent.h"

void agent_set_state(struct agent *agent, enum agent_state state);

/* Whether a push is to begin now: it is due, and no commit is going on that is worth waiting for.
 */
bool agent_push_ready(struct agent *agent, usec_t now_us);
/* When agent_push_ready() is to be asked again, unless the device has something earlier. */
usec_t agent_push_wake(const struct agent *agent);
/* Builds the body of this moment and submits it, whether it is due or not; the push must be idle.
 * What cannot be sent is booked as a failed attempt at once. */
void agent_push_begin(struct agent *agent, usec_t now_us, usec_t deadline_us);
/* Books a push in flight as failed: it did not reach the transport, or the transport broke. */
void agent_push_fail(struct agent *agent, enum upstream_class class, const char *note,
                     usec_t now_us);
/* Books the reply to the push in flight when there is one. */
void agent_push_collect(struct agent *agent, usec_t now_us);

/* agent_care.c */

void agent_care_init(struct agent *agent, usec_t now_us);
/* At the end of each turn: signs of life, what has no end, budgets, the site action. Returns when
 * it wants to be called again. */
usec_t agent_care_step(struct agent *agent, usec_t now_us);
/* Whether the mandate lets this target run, and it is not slowed down. */
bool agent_care_admits(const struct agent *agent, unsigned target, usec_t now_us);
/* A run of this target has ended. */
void agent_care_ended(struct agent *agent, unsigned target, usec_t now_us);
/* Starts that are due were made, or wait. */
void agent_care_started(struct agent *agent, bool any, bool some_wait);

/* agent_record.c */

/* Totals are known: counts how the runs before ended. */
void agent_record_begin(struct agent *agent, usec_t now_us);
/* The store is about to close: how this run ended is noted. */
void agent_record_leave(struct agent *agent);

/* One turn of the states from DRAINING on. */
usec_t agent_step_end(struct agent *agent, usec_t now_us);

#endif
