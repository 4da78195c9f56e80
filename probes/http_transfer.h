/* Sets one hop up on a slot's libcurl handle, and hears what happens on it: the callbacks. */
#ifndef PICKET_HTTP_TRANSFER_H
#define PICKET_HTTP_TRANSFER_H

#include "http_slot.h"

/* What is the same for every transfer of a slot; once. */
bool http_transfer_prepare(struct http_slot *slot);
/* True when the run has an address the target's source can reach. */
bool http_transfer_has_address(const struct http_slot *slot);
/* What is the same for every hop of a run. False: out of memory. */
bool http_transfer_set_run(struct http_slot *slot);
/* slot->url and slot->origin, with addresses of the run where they are its; headers and body as
 * the origin allows. False: out of memory. */
bool http_transfer_set_hop(struct http_slot *slot);
/* True when the hop's addresses are the run's; else libcurl resolves its name. */
bool http_transfer_is_resolved(const struct http_slot *slot);

#endif
