/* Between the files of the engine: agent.c, agent_push.c, agent_end.c. Nobody else includes this.
 */
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
/* Books the reply to the push in flight when there is one. */
void agent_push_collect(struct agent *agent, usec_t now_us);

/* One turn of the states from DRAINING on. */
usec_t agent_step_end(struct agent *agent, usec_t now_us);

#endif
