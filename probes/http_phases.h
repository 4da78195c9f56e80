/* The phases of one http run, as blackbox_exporter defines them, summed over redirects.
 *
 *   resolve     start of a hop that looks a name up .. its first connect (hop 1: the runner's)
 *   connect     .. TCP connected (through a tunnel: tunnel open)
 *   tls         .. handshake done
 *   processing  .. first byte of the answer
 *   transfer    .. end of the answer; of the last hop only
 *
 * One phase is open at a time. A phase that was open when the run ended counts up to that moment; a
 * phase never opened has no sample. Pure; borrowed memory only. */
#ifndef PICKET_HTTP_PHASES_H
#define PICKET_HTTP_PHASES_H

#include "result.h"

struct http_phases {
    enum phase open; /* PHASE_NONE between hops and after the end */
    usec_t since_us;
};

/* A hop begins with PHASE_RESOLVE or PHASE_CONNECT. */
void http_phases_begin(struct http_phases *phases, enum phase first, usec_t now_us);
/* Closes the open phase and opens `next`. Ignored when that phase, or a later one, is open: several
 * of the library's events may stand for the same moment, and the first one counts. */
void http_phases_next(struct http_phases *phases, struct result *result, enum phase next,
                      usec_t now_us);
/* A hop that is followed by another one ends: its transfer is not part of the sum. */
void http_phases_hop(struct http_phases *phases, struct result *result, usec_t now_us);
/* The run ends. Returns the phase that was open, for the blame; twice is fine. */
enum phase http_phases_end(struct http_phases *phases, struct result *result, usec_t now_us);

#endif
