/* Upstream port on Linux: one delimited-protobuf PUT at a time by libcurl.
 *
 * Redirects are never followed, the reply is read up to 4 KiB, proxies of the environment are
 * ignored, the certificate is verified unless the configuration says otherwise (dates only while
 * the clock is trusted: a board without one must be able to push). Secrets are read once, at
 * start. Thread rule: the loop's thread. */
#ifndef PICKET_PUSH_TRANSPORT_H
#define PICKET_PUSH_TRANSPORT_H

#include "clock.h"
#include "config.h"
#include "upstream.h"
#include "waits.h"

struct push_transport; /* opaque */

/* Reads [push] of the configuration; its url must be set. On an error NULL and `why`. `clock` is
 * borrowed. */
struct push_transport *push_transport_new(const struct config *config, const struct clock *clock,
                                          char *why, size_t why_size);
void push_transport_free(struct push_transport *transport);
struct upstream push_transport_port(struct push_transport *transport);
void push_transport_waits(struct push_transport *transport, struct waits *waits, usec_t now_us);
void push_transport_step(struct push_transport *transport, const struct waits *ready,
                         usec_t now_us);

#endif
