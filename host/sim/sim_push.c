#include "sim_push.h"

#include <string.h>

#include "sim.h"

static usec_t draw(struct sim *sim, usec_t below_us)
{
    return (usec_t)prng_below(&sim->push.prng, (uint64_t)below_us);
}

static enum sim_receiver mode_now(struct sim *sim)
{
    if (sim_site_nature(sim) == SIM_CONFIG_SILENT) {
        return SIM_RECEIVER_REFUSES;
    }
    if (!sim->net.uplink_dead) {
        return sim->push.mode;
    }
    return draw(sim, 2) == 0 ? SIM_RECEIVER_REFUSES : SIM_RECEIVER_TIMES_OUT;
}

static void set_reply(struct sim *sim, enum upstream_class class, int status, usec_t at_us)
{
    sim->push.reply = (struct upstream_reply){
        .class = class, .http_status = status, .duration_us = at_us - sim->now_us};
    sim->push.ends_us = at_us;
}

/* A receiver that answers 503 may have taken the body; one that times out, too. */
static bool plan_reply(struct sim *sim, usec_t deadline_us)
{
    usec_t soon_us = sim->now_us + 1000 + draw(sim, 500 * USEC_PER_MSEC);
    soon_us = usec_min(soon_us, deadline_us);
    switch (mode_now(sim)) {
    case SIM_RECEIVER_WELL:
    case SIM_RECEIVERS:
        set_reply(sim, UPSTREAM_ACCEPTED, 200, soon_us);
        return true;
    case SIM_RECEIVER_REFUSES:
        set_reply(sim, UPSTREAM_UNREACHABLE, 0, soon_us);
        return false;
    case SIM_RECEIVER_TIMES_OUT:
        set_reply(sim, UPSTREAM_TIMEOUT, 0, deadline_us);
        return draw(sim, 2) == 0;
    case SIM_RECEIVER_SILENT:
        sim->push.ends_us = USEC_NEVER;
        return draw(sim, 2) == 0;
    case SIM_RECEIVER_BUSY:
        set_reply(sim, UPSTREAM_BUSY, 503, soon_us);
        sim->push.reply.retry_after_us = draw(sim, 20 * USEC_PER_MINUTE);
        return draw(sim, 2) == 0;
    case SIM_RECEIVER_REJECTS:
        set_reply(sim, UPSTREAM_REJECTED, 400, soon_us);
        return false;
    case SIM_RECEIVER_REDIRECTS:
        set_reply(sim, UPSTREAM_REDIRECTED, 302, soon_us);
        return false;
    }
    return false;
}

static bool submit(void *context, const void *body, size_t size, usec_t now_us, usec_t deadline_us)
{
    struct sim *sim = context;
    struct sim_push *push = &sim->push;
    sim_process_may_crash(sim);
    if (draw(sim, 500) == 0 && !sim->faults.healed) {
        sim_check_pushed(sim, false);
        return false;
    }
    push->flies = true;
    push->begun_us = sim->now_us;
    push->bodies++;
    bool arrives = plan_reply(sim, sim->now_us + (deadline_us - now_us));
    sim_trace(sim, SIM_PUSH, arrives, deadline_us - now_us, NULL); /* sizes tell versions apart */
    if (push->ends_us == USEC_NEVER) {
        sim_process_explain(sim, CAUSE_HANG);
    }
    if (arrives) {
        sim_push_receive(sim, body, size);
        sim_check_told(sim);
    }
    return true;
}

static bool collect(void *context, struct upstream_reply *reply)
{
    struct sim *sim = context;
    struct sim_push *push = &sim->push;
    if (!push->flies || push->ends_us > sim->now_us) {
        return false;
    }
    sim_process_may_crash(sim);
    push->flies = false;
    *reply = push->reply;
    if (reply->class == UPSTREAM_ACCEPTED) {
        push->accepted++;
        push->accepted_us = sim->now_us;
        push->accepted_ever_us = sim->now_us;
    }
    sim_check_pushed(sim, reply->class == UPSTREAM_ACCEPTED);
    sim_trace(sim, SIM_REPLY, reply->class, reply->http_status, NULL);
    return true;
}

static void reset(void *context)
{
    struct sim *sim = context;
    if (sim->push.flies) { /* the agent gives up on it */
        sim_check_pushed(sim, false);
    }
    sim->push.flies = false;
}

struct upstream sim_push_port(struct sim *sim)
{
    return (struct upstream){sim, submit, collect, reset};
}

usec_t sim_push_wake(const struct sim_push *push)
{
    return push->flies ? push->ends_us : USEC_NEVER;
}

void sim_push_abandon(struct sim_push *push)
{
    push->flies = false;
    push->accepted_us = 0;
}

void sim_push_set_mode(struct sim *sim, enum sim_receiver mode)
{
    sim->push.mode = mode;
}
