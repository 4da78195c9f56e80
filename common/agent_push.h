/* The push side of the engine, part of agent.c by another name: nobody else calls it. */
#ifndef PICKET_AGENT_PUSH_H
#define PICKET_AGENT_PUSH_H

#include "agent.h"

/* Builds the body of this moment and submits it, whether it is due or not; the push must be idle.
 * What cannot be sent is booked as a failed attempt at once. */
void agent_push_begin(struct agent *agent, usec_t now_us, usec_t deadline_us);
/* Books the reply to the push in flight when there is one. */
void agent_push_collect(struct agent *agent, usec_t now_us);

#endif
