#include "push.h"

#include <assert.h>

void push_init(struct push *push, usec_t interval_us, usec_t timeout_us, uint64_t site_hash,
               usec_t now_us)
{
    *push = (struct push){
        .interval_us = interval_us,
        .timeout_us = timeout_us,
        .due_us = USEC_NEVER,
        .backoff = {.base_us = PUSH_BACKOFF_BASE, .cap_us = PUSH_BACKOFF_CAP},
        .prng = {.state = site_hash ^ (uint64_t)now_us},
        .last_duration_us = -1,
    };
    if (interval_us > 0) {
        push->state = PUSH_IDLE;
        push->due_us = now_us + (usec_t)(site_hash % (uint64_t)interval_us);
        push->phase_us = push->due_us % interval_us;
    }
}

bool push_is_due(const struct push *push, usec_t now_us)
{
    return push->state == PUSH_IDLE && push->due_us <= now_us;
}

void push_submitted(struct push *push)
{
    assert(push->state == PUSH_IDLE);
    push->state = PUSH_IN_FLIGHT;
}

/* The first regular moment after `now`. Counting from the phase, not from the last push, is what
 * keeps the sites of a fleet apart for good. */
static usec_t next_regular(const struct push *push, usec_t now_us)
{
    if (now_us < push->phase_us) {
        return push->phase_us;
    }
    usec_t passed = (now_us - push->phase_us) / push->interval_us + 1;
    return push->phase_us + passed * push->interval_us;
}

void push_replied(struct push *push, const struct upstream_reply *reply, usec_t now_us)
{
    assert(push->state == PUSH_IN_FLIGHT && reply->class < UPSTREAM_CLASS_COUNT);
    push->state = PUSH_IDLE;
    push->last_duration_us = reply->duration_us;
    push->last_reply = *reply;
    if (reply->class == UPSTREAM_ACCEPTED) {
        push->failures_in_row = 0;
        push->last_success_us = now_us;
        backoff_reset(&push->backoff);
        push->due_us = next_regular(push, now_us);
    } else {
        push->failures_in_row++;
        push->due_us = now_us + backoff_next(&push->backoff, &push->prng, reply->retry_after_us);
    }
}

usec_t push_wake(const struct push *push)
{
    return push->state == PUSH_IDLE ? push->due_us : USEC_NEVER;
}
