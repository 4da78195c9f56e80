/* The orderly end. The time until the deadline is shared out once, backwards: the store's last
 * words, the final push, the commit before it; the runs in flight have the rest. What ends early
 * leaves its time to what follows, and nothing that hangs costs more than its share. */
#include <assert.h>

#include "agent_parts.h"

/* A start that nobody will make any more is missed, and so is a run that is cut off. */
static void give_up_starts(struct agent *agent, usec_t now_us)
{
    for (unsigned i = 0; i < agent->schedule.count; i++) {
        store_missed(&agent->store, i, schedule_abandon(&agent->schedule, i, now_us));
    }
}

static void give_up_runs(struct agent *agent)
{
    const struct prober *prober = &agent->ports.prober;
    prober->cancel_all(prober->context);
    for (unsigned i = 0; i < agent->schedule.count; i++) {
        if (agent->schedule.entries[i].running) {
            schedule_ended(&agent->schedule, i);
            store_missed(&agent->store, i, 1);
        }
    }
    agent->runs_in_flight = 0;
}

/* The commit may take up to half of what the push has: without it the push has nothing new to say.
 */
static void share_out_time(struct agent *agent, usec_t now_us)
{
    usec_t left_us = usec_max(agent->stop_deadline_us - now_us, 0);
    bool stores = agent->ports.store.block_count > 0, pushes = agent->push.state != PUSH_OFF;
    usec_t store_us = stores ? usec_min(AGENT_CLOSE_US, left_us / 10) : 0;
    usec_t push_us = pushes ? usec_min(agent->push.timeout_us, (left_us - 2 * store_us) / 2) : 0;
    agent->push_until_us = agent->stop_deadline_us - store_us;
    agent->commit_until_us = agent->push_until_us - push_us / 2;
    agent->drain_until_us = agent->push_until_us - push_us - store_us;
}

static usec_t stop(struct agent *agent)
{
    agent_set_state(agent, AGENT_STOPPED);
    return USEC_NEVER;
}

static usec_t step_closing(struct agent *agent, usec_t now_us)
{
    if (store_closed(&agent->store) || now_us >= agent->stop_deadline_us) {
        return stop(agent);
    }
    return agent->stop_deadline_us;
}

static usec_t step_final_push(struct agent *agent, usec_t now_us)
{
    if (now_us >= agent->stop_deadline_us) {
        return stop(agent);
    }
    if (agent->push.state == PUSH_IN_FLIGHT && now_us < agent->push_until_us) {
        return agent->push_until_us;
    }
    (void)store_step(&agent->store, now_us); /* the attempt was counted, which is to be committed */
    if (!store_settled(&agent->store)) {
        return agent->stop_deadline_us;
    }
    agent_set_state(agent, AGENT_CLOSING);
    agent_record_leave(agent);
    store_close(&agent->store);
    (void)store_step(&agent->store, now_us);
    return step_closing(agent, now_us);
}

/* True once all that was measured is committed, or took too long to be. */
static bool is_committed(struct agent *agent, usec_t now_us)
{
    store_settle(&agent->store);
    (void)store_step(&agent->store, now_us);
    return store_settled(&agent->store) || now_us >= agent->commit_until_us;
}

static usec_t step_draining(struct agent *agent, usec_t now_us)
{
    give_up_starts(agent, now_us);
    if (agent->runs_in_flight > 0 && now_us >= agent->drain_until_us) {
        give_up_runs(agent);
    }
    if (now_us >= agent->stop_deadline_us) {
        return stop(agent);
    }
    if (agent->runs_in_flight > 0) {
        return agent->drain_until_us;
    }
    if (!is_committed(agent, now_us)) {
        return agent->commit_until_us;
    }
    if (agent->push.state == PUSH_IN_FLIGHT && now_us < agent->push_until_us) {
        return agent->push_until_us; /* the push before, with totals of its time */
    }
    agent_set_state(agent, AGENT_FINAL_PUSH);
    if (agent->push.state == PUSH_IDLE) {
        agent_push_begin(agent, now_us,
                         usec_min(now_us + agent->push.timeout_us, agent->push_until_us));
    }
    return step_final_push(agent, now_us);
}

usec_t agent_step_end(struct agent *agent, usec_t now_us)
{
    if (agent->drain_until_us == USEC_NEVER) {
        share_out_time(agent, now_us);
    }
    switch (agent->state) {
    case AGENT_DRAINING:
        return step_draining(agent, now_us);
    case AGENT_FINAL_PUSH:
        return step_final_push(agent, now_us);
    default:
        assert(agent->state == AGENT_CLOSING);
        return step_closing(agent, now_us);
    }
}

void agent_stop(struct agent *agent, enum cause cause, usec_t deadline_us)
{
    agent->leaving = cause;
    if (agent->state == AGENT_RUNNING) {
        agent_set_state(agent, AGENT_DRAINING);
    }
    if (deadline_us < agent->stop_deadline_us) {
        agent->stop_deadline_us = deadline_us;
        agent->drain_until_us = USEC_NEVER; /* shared out by the next turn, which knows the time */
    }
}

bool agent_stopped(const struct agent *agent)
{
    return agent->state == AGENT_STOPPED;
}
