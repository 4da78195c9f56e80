/* Upstream port on Linux: one delimited-protobuf PUT at a time by libcurl.
 *
 * The receiver's name is looked up by our resolver, anew for each push. Redirects are never
 * followed, the reply is read up to 4 KiB, proxies of the environment are ignored, the certificate
 * is verified unless the configuration says otherwise (dates only while the clock is trusted: a
 * board without one must be able to push). Secrets are read once, at start. A receiver cannot make
 * a push last longer than its deadline. Thread rule: the loop's thread. */
#ifndef PICKET_PUSH_TRANSPORT_H
#define PICKET_PUSH_TRANSPORT_H

#include "clock.h"
#include "config.h"
#include "resolver.h"
#include "upstream.h"
#include "waits.h"

struct push_transport; /* opaque */

/* Reads [push] of the configuration; its url must be set. On an error NULL, and what is wrong went
 * to `errors`. `clock` and `resolver` are borrowed; `slot` is the resolver's that is ours alone. */
struct push_transport *push_transport_new(const struct config *config, const struct clock *clock,
                                          const struct resolver *resolver, unsigned slot,
                                          struct config_errors *errors);
/* Ends a push in flight without a reply. NULL is fine. Before the resolver goes. */
void push_transport_free(struct push_transport *transport);
struct upstream push_transport_port(struct push_transport *transport);
void push_transport_waits(struct push_transport *transport, struct waits *waits, usec_t now_us);
void push_transport_step(struct push_transport *transport, const struct waits *ready,
                         usec_t now_us);

#endif
