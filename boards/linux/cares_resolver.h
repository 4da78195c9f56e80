/* Resolver port with c-ares: /etc/hosts and /etc/resolv.conf, A and AAAA, no thread, no cache (a
 * probe measures name resolution each time). Name servers of a changed resolv.conf are taken over
 * at the next lookup, because a gateway's uplink brings its own; its other lines count at start.
 * Lookups use UDP only: an answer that was cut to one packet counts as it is.
 *
 * Thread rule: the loop's thread. Lookups that nobody waits for any more are kept until c-ares
 * gives them up, some seconds later; memory for them is fixed. */
#ifndef PICKET_CARES_RESOLVER_H
#define PICKET_CARES_RESOLVER_H

#include "resolver.h"
#include "waits.h"

struct cares_resolver; /* opaque; one allocation */

/* Slots of the port: the runner's, and one behind them for the push. */
#define CARES_RESOLVER_SLOTS     (CAP_RUNS + 1)
#define CARES_RESOLVER_PUSH_SLOT CAP_RUNS

/* NULL when c-ares cannot start (no memory). */
struct cares_resolver *cares_resolver_new(void);
/* Pending resolutions are dropped. */
void cares_resolver_free(struct cares_resolver *resolver);
struct resolver cares_resolver_port(struct cares_resolver *resolver);
void cares_resolver_waits(struct cares_resolver *resolver, struct waits *waits, usec_t now_us);
void cares_resolver_step(struct cares_resolver *resolver, const struct waits *ready);

#endif
