/* When to push, and what the answers mean. Pure: no body, no transport.
 *
 * Pushes are due at phase + n * interval (phase = hash of the site), so that a region coming back
 * from a power cut does not arrive in lockstep. After a failure the next try follows full-jitter
 * back-off: never sooner than Retry-After asks, never later than PUSH_BACKOFF_CAP (which caps
 * Retry-After too); the first success returns to the regular moments. A 4xx is retried like the
 * rest: another site may have poisoned the receiver. No queue: the newest state contains all before
 * it. */
#ifndef PICKET_PUSH_H
#define PICKET_PUSH_H

#include "backoff.h"
#include "upstream.h"

enum push_state { PUSH_OFF, PUSH_IDLE, PUSH_IN_FLIGHT };

struct push {
    enum push_state state;
    usec_t interval_us, timeout_us, phase_us;
    usec_t due_us;
    struct backoff backoff;
    struct prng prng;
    unsigned failures_in_row;
    usec_t last_success_us;  /* monotonic; 0: none yet */
    usec_t last_duration_us; /* negative: none yet */
    struct upstream_reply last_reply;
};

#define PUSH_BACKOFF_BASE (1 * USEC_PER_SEC)
#define PUSH_BACKOFF_CAP  (5 * USEC_PER_MINUTE)

/* interval 0: off. The first push is due hash mod interval after `now`, the regular ones follow it
 * at whole intervals. */
void push_init(struct push *push, usec_t interval_us, usec_t timeout_us, uint64_t site_hash,
               usec_t now_us);
bool push_is_due(const struct push *push, usec_t now_us);
/* The body is on its way; exactly one push_replied() follows. */
void push_submitted(struct push *push);
/* Books the reply and sets the next due time. */
void push_replied(struct push *push, const struct upstream_reply *reply, usec_t now_us);
/* The due time; USEC_NEVER when off or while a reply is awaited. */
usec_t push_wake(const struct push *push);

#endif
