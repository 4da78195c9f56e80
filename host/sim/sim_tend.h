/* What is done in a turn of the simulated supervisor beside its lives. */
#ifndef PICKET_SIM_TEND_H
#define PICKET_SIM_TEND_H

#include "recovery.h"

struct sim;
/* Carries out the ladder's orders about the watchdog. */
void sim_tend_watchdog(struct sim *sim, const struct recovery_orders *orders);
/* A command the agent asked for is run, and takes its time. */
void sim_tend_actions(struct sim *sim);

#endif
