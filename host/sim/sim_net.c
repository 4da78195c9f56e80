#include "sim_net.h"

#include <string.h>

#include "sim.h"

#define WORKER_LIMIT_US (15 * USEC_PER_SEC)

static usec_t draw(struct sim *sim, usec_t below_us)
{
    return (usec_t)prng_below(&sim->net.prng, (uint64_t)below_us);
}

static bool one_in(struct sim *sim, unsigned count)
{
    return prng_below(&sim->net.prng, count) == 0;
}

/* Behaviour. */

static usec_t timeout_of(const struct sim *sim, unsigned target)
{
    return sim_site_probe(sim, target)->timeout_us;
}

/* A worker rests its row by itself; here the loop does it, so the row outlasts a stall of that. */
static usec_t worker_limit(const struct sim *sim, unsigned target)
{
    return timeout_of(sim, target) + WORKER_LIMIT_US + sim->site.settings.hang_us;
}

static void end_by_timeout(struct sim *sim, struct sim_target *target)
{
    target->ends_us = target->deadline_us + draw(sim, 100 * USEC_PER_MSEC);
    result_fail(&target->result, REASON_TIMEOUT, PHASE_PROCESSING, "nothing came");
}

static void end_well(struct sim *sim, struct sim_target *target, usec_t takes_us)
{
    if (target->started_us + takes_us >= target->deadline_us) {
        end_by_timeout(sim, target);
        return;
    }
    target->ends_us = target->started_us + takes_us;
    if (one_in(sim, 300)) {
        result_unknown(&target->result, PHASE_NONE, "no descriptors");
    } else {
        result_succeed(&target->result);
    }
}

static void end_refused(struct sim *sim, struct sim_target *target)
{
    target->ends_us = target->started_us + 100 + draw(sim, 5 * USEC_PER_MSEC);
    result_fail(&target->result, REASON_STATUS, PHASE_PROCESSING, "refused");
}

static void plan_run(struct sim *sim, struct sim_target *target)
{
    usec_t timeout_us = target->deadline_us - target->started_us;
    enum sim_peer peer = target->peer;
    if (target->over_uplink && sim->net.uplink_dead) {
        peer = SIM_PEER_DEAD;
    } else if (peer == SIM_PEER_FLAPS) {
        peer = one_in(sim, 2) ? SIM_PEER_WELL : SIM_PEER_REFUSES;
    }
    switch (peer) {
    case SIM_PEER_WELL:
    case SIM_PEER_FLAPS:
        end_well(sim, target, target->latency_us / 2 + draw(sim, target->latency_us));
        break;
    case SIM_PEER_SLOW:
        end_well(sim, target, timeout_us / 2 + draw(sim, timeout_us));
        break;
    case SIM_PEER_DEAD:
        end_by_timeout(sim, target);
        break;
    case SIM_PEER_REFUSES:
        end_refused(sim, target);
        break;
    }
}

static void apply_faults(struct sim *sim, struct sim_target *target, unsigned index)
{
    struct sim_net *net = &sim->net;
    target->endless = net->endless_next;
    target->overruns = net->overrun_next && !target->endless;
    target->worker_stuck = net->stuck_next && target->has_worker && !target->endless;
    net->endless_next = net->overrun_next = false;
    net->stuck_next = net->stuck_next && !target->worker_stuck;
    if (target->endless || target->worker_stuck) {
        target->ends_us = USEC_NEVER;
        net->without_end++;
        sim_process_explain(sim, CAUSE_HANG);
        sim_trace(sim, SIM_FAULT, SIM_FAULT_ENDLESS, index, "a run that has no end");
    } else if (target->overruns) {
        target->ends_us = target->deadline_us + USEC_PER_SEC + draw(sim, USEC_PER_SEC);
    }
    if (target->killer != SIM_KILLER_NONE) {
        sim_process_be_killed(sim, target->killer, target->started_us + draw(sim, USEC_PER_SEC),
                              index);
    }
}

/* The port. */

static bool start(void *context, uint16_t index, usec_t now_us, usec_t deadline_us)
{
    struct sim *sim = context;
    struct sim_target *target = &sim->net.targets[index];
    sim_process_may_crash(sim);
    if (one_in(sim, 2000)) {
        return false;
    }
    sim_check_start(sim, index, now_us, deadline_us);
    target->active = true;
    target->started_us = sim->now_us;
    target->deadline_us = sim->now_us + timeout_of(sim, index);
    target->started++;
    target->life_started++;
    sim->net.in_flight++;
    result_init(&target->result, index, now_us);
    plan_run(sim, target);
    apply_faults(sim, target, index);
    if (target->has_worker) {
        vital_arm(&sim->lives.vitals, VITAL_WORKER + index, worker_limit(sim, index));
    }
    sim_trace(sim, SIM_START, index, target->ends_us, NULL);
    return true;
}

static void book(struct sim *sim, struct sim_target *target)
{
    enum outcome outcome = target->result.outcome;
    target->collected[outcome]++;
    target->life_collected[outcome]++;
    target->recent_us[target->recent++ % SIM_RECENT] = sim->now_us;
    if (outcome == OUTCOME_FAILURE && !(target->seen && target->last == OUTCOME_FAILURE)) {
        target->failing_since_us = sim->now_us;
    }
    if (outcome == OUTCOME_SUCCESS) {
        target->succeeded_us = sim->now_us;
    }
    target->seen = true;
    target->last = outcome;
}

static bool collect(void *context, struct result *result)
{
    struct sim *sim = context;
    for (unsigned i = 0; i < sim->site.config->target_count && sim->net.in_flight > 0; i++) {
        struct sim_target *target = &sim->net.targets[i];
        if (!target->active || target->ends_us > sim->now_us) {
            continue;
        }
        sim_process_may_crash(sim);
        target->active = false;
        sim->net.in_flight--;
        target->result.duration_us = target->ends_us - target->started_us;
        sim_check_collect(sim, i);
        book(sim, target);
        if (target->has_worker) {
            vital_rest(&sim->lives.vitals, VITAL_WORKER + i);
        }
        *result = target->result;
        sim_trace(sim, SIM_RESULT, i, result->outcome, NULL);
        return true;
    }
    return false;
}

static void cancel_all(void *context)
{
    struct sim *sim = context;
    for (unsigned i = 0; i < SIM_TARGETS; i++) {
        if (sim->net.targets[i].active && sim->net.targets[i].has_worker) {
            vital_rest(&sim->lives.vitals, VITAL_WORKER + i);
        }
    }
    sim_net_abandon(sim);
}

struct prober sim_net_port(struct sim *sim)
{
    return (struct prober){sim, start, collect, cancel_all};
}

usec_t sim_net_wake(const struct sim *sim)
{
    usec_t wake_us = USEC_NEVER;
    for (unsigned i = 0; i < sim->site.config->target_count && sim->net.in_flight > 0; i++) {
        const struct sim_target *target = &sim->net.targets[i];
        wake_us = target->active ? usec_min(wake_us, target->ends_us) : wake_us;
    }
    return wake_us;
}

void sim_net_abandon(struct sim *sim)
{
    for (unsigned i = 0; i < SIM_TARGETS; i++) {
        sim->net.targets[i].active = false;
    }
    sim->net.in_flight = sim->net.without_end = 0;
}

void sim_net_change(struct sim *sim, unsigned target)
{
    struct sim_target *changed = &sim->net.targets[target];
    changed->peer = one_in(sim, 3) ? SIM_PEER_WELL : (enum sim_peer)draw(sim, SIM_PEER_FLAPS + 1);
    changed->latency_us = USEC_PER_MSEC + draw(sim, 400 * USEC_PER_MSEC);
}

void sim_net_heal(struct sim *sim)
{
    sim->net.uplink_dead = false;
    sim->net.endless_next = sim->net.stuck_next = sim->net.overrun_next = false;
    for (unsigned i = 0; i < SIM_TARGETS; i++) {
        sim->net.targets[i].peer = SIM_PEER_WELL;
        sim->net.targets[i].killer = SIM_KILLER_NONE;
        sim->net.targets[i].latency_us = 20 * USEC_PER_MSEC;
    }
}

void sim_net_init(struct sim *sim)
{
    for (unsigned i = 0; i < sim->site.config->target_count; i++) {
        struct sim_target *target = &sim->net.targets[i];
        target->over_uplink = !one_in(sim, 3);
        target->has_worker = one_in(sim, 5);
        target->latency_us = USEC_PER_MSEC + draw(sim, 400 * USEC_PER_MSEC);
        target->peer =
            one_in(sim, 6) ? (enum sim_peer)draw(sim, SIM_PEER_FLAPS + 1) : SIM_PEER_WELL;
    }
}
