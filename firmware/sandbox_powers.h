/* Capabilities (capabilities(7)), as sets with a bit each: giving up all but those that are kept.
 * The calling thread alone, and those it starts later. */
#ifndef PICKET_SANDBOX_POWERS_H
#define PICKET_SANDBOX_POWERS_H

#include "base.h"

/* What this kernel wants of whoever binds a socket to an interface; usually nothing. */
uint64_t sandbox_powers_kept(bool to_interface);
/* Takes all others out of the bounding set; while the process still has the power to. */
void sandbox_powers_bound(uint64_t kept);
/* Drops all others from every other set. False with errno. */
MUST_CHECK bool sandbox_powers_drop(uint64_t kept);

#endif
