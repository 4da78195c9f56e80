/* The process that the simulated supervisor starts: the real agent behind simulated ports, and all
 * that can go wrong with a process. Its state is the second half of struct sim_lives. */
#ifndef PICKET_SIM_PROCESS_H
#define PICKET_SIM_PROCESS_H

#include "sim_lives.h"

/* It was born, and is going to read its configuration. */
void sim_process_begins(struct sim *sim);
/* It has ended like this, and its parent is told. */
void sim_process_ends(struct sim *sim, enum cause cause, unsigned signal);
/* It is no more, and nobody is told: the machine went down, or its parent is gone. */
void sim_process_gone(struct sim *sim);
/* When it has something to do, and what it has to do then. */
usec_t sim_process_wake(const struct sim *sim);
void sim_process_step(struct sim *sim);
/* It is told to leave, for this. */
void sim_process_ask_to_leave(struct sim *sim, enum cause cause);
bool sim_process_alive(const struct sim *sim);
/* What it takes up now. */
struct recovery_usage sim_process_usage(const struct sim *sim);

/* Faults. */

/* Called by ports: it may crash here. Does not return then. */
void sim_process_may_crash(struct sim *sim);
/* The world has given this life a reason to end of this. */
void sim_process_explain(struct sim *sim, enum cause cause);
/* A killer probe strikes at that moment. */
void sim_process_be_killed(struct sim *sim, enum sim_killer by, usec_t at_us, unsigned target);
void sim_process_crash(struct sim *sim);
/* Its loop stands still until then; USEC_NEVER: for good. */
void sim_process_block(struct sim *sim, usec_t until_us);

#endif
