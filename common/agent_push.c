#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "agent_parts.h"
#include "expo_proto.h"

static_assert(LEDGER_PUSH_FIRST + UPSTREAM_CLASS_COUNT <= LEDGER_PUSH_END, "a counter each");

static void log_failure(const struct agent *agent, const struct upstream_reply *reply)
{
    char status[32] = "";
    struct buffer text;
    buffer_init(&text, status, sizeof status);
    if (reply->http_status != 0) {
        buffer_printf(&text, ", HTTP %d", reply->http_status);
    }
    logger_printf(&agent->ports.logger, LOG_LEVEL_WARNING, "push: failed (%s%s): %s",
                  upstream_class_name(reply->class), buffer_text(&text), reply->note);
}

static void log_recovery(const struct agent *agent, usec_t now_us)
{
    usec_t away_us = now_us - agent->push_failing_since_us;
    logger_printf(&agent->ports.logger, LOG_LEVEL_INFO,
                  "push: accepted again after %" PRId64 " s and %u failed attempts",
                  away_us / USEC_PER_SEC, agent->push.failures_in_row);
}

/* A receiver that is away is told of once, not at each try; another kind of failure is news. */
static void log_reply(const struct agent *agent, const struct upstream_reply *reply, usec_t now_us)
{
    const struct push *before = &agent->push;
    bool was_failing = before->failures_in_row > 0;
    if (reply->class != UPSTREAM_ACCEPTED) {
        if (!was_failing || before->last_reply.class != reply->class) {
            log_failure(agent, reply);
        }
    } else if (was_failing) {
        log_recovery(agent, now_us);
    } else if (before->last_success_us == 0) {
        logger_printf(&agent->ports.logger, LOG_LEVEL_INFO, "push: first body accepted");
    }
}

/* It judges configurations by it (rollout.h). */
static void tell_supervisor(struct vitals *vitals, bool accepted)
{
    if (accepted) {
        atomic_fetch_add(&vitals->pushes_accepted, 1);
    } else if (vitals_get(&vitals->pushes_accepted) == 0) {
        atomic_fetch_add(&vitals->pushes_failed, 1);
    }
}

static void book_reply(struct agent *agent, const struct upstream_reply *reply, usec_t now_us)
{
    log_reply(agent, reply, now_us);
    store_count(&agent->store, LEDGER_PUSH_FIRST + (unsigned)reply->class, 1);
    tell_supervisor(agent->ports.vitals, reply->class == UPSTREAM_ACCEPTED);
    if (reply->class == UPSTREAM_ACCEPTED) {
        agent->push_failing_since_us = 0;
        store_pushed(&agent->store, agent->body_ordinal);
    } else if (agent->push_failing_since_us == 0) {
        agent->push_failing_since_us = now_us;
    }
    push_replied(&agent->push, reply, now_us);
}

void agent_push_fail(struct agent *agent, enum upstream_class class, const char *note,
                     usec_t now_us)
{
    struct upstream_reply reply = {.class = class};
    struct buffer text;
    buffer_init(&text, reply.note, sizeof reply.note);
    buffer_append_string(&text, note);
    (void)buffer_text(&text);
    book_reply(agent, &reply, now_us);
}

static void build_body(struct agent *agent, usec_t now_us)
{
    struct agent_numbers numbers;
    struct expo_proto encoder;
    struct metrics_view view = agent_view(agent, &numbers, now_us);
    buffer_init(&agent->body, agent->body.bytes, agent->body.size);
    struct metric_visitor visitor = expo_proto_visitor(&encoder, &agent->body);
    metrics_walk(&view, &visitor);
    agent->body_ordinal = store_published(&agent->store)->ordinal;
    agent->loop_lag_us = 0;
}

/* Totals of a moment ago are worth a short wait, but not a receiver that thinks the site is dead.
 */
bool agent_push_ready(struct agent *agent, usec_t now_us)
{
    if (!push_is_due(&agent->push, now_us)) {
        return false;
    }
    bool committing = store_freshen(&agent->store, now_us);
    if (committing && agent->push_wait_until_us == USEC_NEVER) {
        agent->push_wait_until_us = now_us + AGENT_PUSH_PATIENCE_US;
    }
    if (committing && now_us < agent->push_wait_until_us) {
        return false;
    }
    agent->push_wait_until_us = USEC_NEVER;
    return true;
}

usec_t agent_push_wake(const struct agent *agent)
{
    bool waiting = agent->push_wait_until_us != USEC_NEVER;
    return waiting ? agent->push_wait_until_us : push_wake(&agent->push);
}

void agent_push_begin(struct agent *agent, usec_t now_us, usec_t deadline_us)
{
    const struct upstream *upstream = &agent->ports.upstream;
    build_body(agent, now_us);
    push_submitted(&agent->push);
    agent->care.push_until_us = deadline_us + AGENT_OVERDUE_US;
    if (buffer_overflowed(&agent->body)) {
        logger_printf(&agent->ports.logger, LOG_LEVEL_ERROR,
                      "push: the body needs %zu bytes of %zu; nothing was sent, please report this",
                      agent->body.used, agent->body.size);
        agent_push_fail(agent, UPSTREAM_REJECTED, "the body does not fit its buffer", now_us);
    } else if (!upstream->submit(upstream->context, agent->body.bytes, agent->body.used, now_us,
                                 deadline_us)) {
        agent_push_fail(agent, UPSTREAM_UNREACHABLE, "the transport could not begin", now_us);
    }
}

void agent_push_collect(struct agent *agent, usec_t now_us)
{
    const struct upstream *upstream = &agent->ports.upstream;
    struct upstream_reply reply;
    if (agent->push.state == PUSH_IN_FLIGHT && upstream->collect(upstream->context, &reply)) {
        book_reply(agent, &reply, now_us);
    }
}
