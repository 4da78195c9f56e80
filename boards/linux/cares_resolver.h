/* Resolver port with c-ares: /etc/hosts and /etc/resolv.conf, A and AAAA, no thread, no cache (a
 * probe measures name resolution each time). A changed resolv.conf is noticed, because a gateway's
 * uplink brings its own name servers. */
#ifndef PICKET_CARES_RESOLVER_H
#define PICKET_CARES_RESOLVER_H

#include "resolver.h"
#include "waits.h"

struct cares_resolver; /* opaque; one allocation */

/* NULL when c-ares cannot start (no memory). */
struct cares_resolver *cares_resolver_new(void);
/* Pending resolutions are dropped. */
void cares_resolver_free(struct cares_resolver *resolver);
struct resolver cares_resolver_port(struct cares_resolver *resolver);
void cares_resolver_waits(struct cares_resolver *resolver, struct waits *waits, usec_t now_us);
void cares_resolver_step(struct cares_resolver *resolver, const struct waits *ready);

#endif
