/* Between the files of the agent's care for itself: agent_care.c, agent_record.c, agent_action.c.
 * Nobody else includes this.
 *
 * A budget is three counters of the ledger in a row: how often something was done, how many of
 * these are forgiven, and the minute of service of the last one. After a day of service without
 * another all are forgiven. Time off does not count, and neither does any clock: a board without
 * one must not go round in resets. */
#ifndef PICKET_AGENT_CARE_PARTS_H
#define PICKET_AGENT_CARE_PARTS_H

#include "agent_parts.h"
#include "recovery.h"

static inline int64_t care_setting(const struct agent *agent, enum watchdog_key key)
{
    return config_number(agent->config, &agent->config->watchdog, key);
}
static inline uint64_t care_counter(const struct agent *agent, unsigned code)
{
    return store_ledger(&agent->store)->totals.counters[code];
}

/* agent_record.c: `budget` is the first of its counters. */

uint64_t budget_left(const struct agent *agent, unsigned budget, enum watchdog_key limit);
/* How often something was done so far, forgiven or not. */
uint64_t budget_used(const struct agent *agent, unsigned budget);
/* Minutes of service since the last time, never too many. */
uint64_t budget_age(const struct agent *agent, unsigned budget, usec_t now_us);
void budget_take(struct agent *agent, unsigned budget, usec_t now_us);
/* Once in a while: counts service, forgives what is a day old, and decides whether the board may be
 * reset. */
void agent_record_step(struct agent *agent, usec_t now_us);

/* agent_action.c */

/* Totals are known: takes up the cooldown of the life before. */
void agent_action_begin(struct agent *agent, usec_t now_us);
void agent_action_step(struct agent *agent, usec_t now_us);

#endif
