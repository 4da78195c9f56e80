/* The connection of a probe that talks over a socket of its own, first in the clear and from some
 * moment on inside TLS; with it goes the phase its run is in. For tcp and tls.
 *
 * Thread rule: the loop's thread. Memory: the struct, and that of an active TLS session. */
#ifndef PICKET_STREAM_H
#define PICKET_STREAM_H

#include "net.h"
#include "tls_session.h"

/* A zeroed one is not open and holds nothing. Must not move while open (tls_session.h). */
struct stream {
    bool open;
    enum phase phase; /* while open; the state of the run at the same time */
    usec_t phase_since_us;
    struct net_connect connect;
    struct tls_session session;
};

/* What a read or write came to, if not to bytes moved. */
enum { STREAM_WAIT = -1, STREAM_CLOSED = -2, STREAM_FAILED = -3 /* the run is decided and over */ };

/* Begins with PHASE_CONNECT, or goes on in it: net_connect_start() and net_connect_step(). */
enum net_state stream_connect(struct stream *stream, struct run *run, const char *source);
/* Leaves a phase, whose duration goes to the result, and enters the next. */
void stream_enter(struct stream *stream, struct run *run, enum phase next);
/* Enters PHASE_TLS with a session of run->endpoint's host, whose certinfo gets `stop_on_bad`.
 * YIELD: make the handshake with `session`. DONE: there was no memory, the run is decided and over.
 */
enum progress stream_begin_tls(struct stream *stream, struct run *run, const struct trust *trust,
                               bool stop_on_bad);
/* Reads or writes inside TLS if there is a session, else in the clear. Never blocks. */
int stream_read(struct stream *stream, struct run *run, void *bytes, size_t size);
int stream_write(struct stream *stream, struct run *run, const void *bytes, size_t count);
/* Leaves the last phase and closes; always DONE. The verdict is the caller's. */
enum progress stream_finish(struct stream *stream, struct run *run);

/* What PHASE_CONNECT and PHASE_TLS wait for; other phases are their probe's. */
void stream_waits(const struct stream *stream, struct waits *waits);
/* For probe.h's current_phase(): books the time so far. PHASE_NONE when not open. */
enum phase stream_current_phase(struct stream *stream, struct run *run);
/* Closes at once and books nothing. Twice is fine. */
void stream_cancel(struct stream *stream);

#endif
