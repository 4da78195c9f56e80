/* A TLS client over a connected non-blocking socket: one handshake state per step. For tcp and tls;
 * http's is libcurl's own. The socket stays the caller's.
 *
 * No call reads more than TLS_SLICE_BYTES from the socket, nor more often than TLS_SLICE_READS, so
 * a peer that sends without end (empty records, tickets) costs its own run time and nobody else's.
 * Memory: mbedTLS takes about 56 KiB of heap per session at its peak, more with a long chain;
 * all of it is back after tls_session_end(). Thread rule: the loop's thread. */
#ifndef PICKET_TLS_SESSION_H
#define PICKET_TLS_SESSION_H

#include "certinfo.h"
#include "trust.h"

enum { TLS_SLICE_BYTES = 64 * 1024, TLS_SLICE_READS = 128 };

/* Must not move while active: mbedTLS holds pointers into it. */
struct tls_session {
    mbedtls_ssl_context ssl;
    mbedtls_ssl_config config;
    struct certinfo info; /* what was found; ask certinfo_judge() */
    int fd;
    bool active;
    bool wants_write; /* what the last WAIT was for */
    bool ended;       /* the peer ended the stream, orderly or not */
    bool exhausted;   /* a failure was for lack of memory: the agent's, not the peer's */
    size_t slice;     /* bytes this call may still read */
    unsigned reads;   /* how often it may still read: a record of a few bytes takes two */
};

enum tls_state { TLS_WAIT, TLS_YIELD, TLS_ESTABLISHED, TLS_FAILED };
enum { TLS_IO_WAIT = -1, TLS_IO_ERROR = -2, TLS_IO_CLOSED = 0 };

/* `host` is the name to check when trust->server_name is unset; an address literal gets no SNI and
 * is looked for among the certificate's addresses. `info` comes from certinfo_init() and is copied;
 * `trust`, `host` and info->facts are borrowed until the end. ERROR_EXHAUSTED: no memory;
 * ERROR_INVALID: the name is too long. In both cases nothing is left to end. */
MUST_CHECK enum error tls_session_start(struct tls_session *session, int fd,
                                        const struct trust *trust, const char *host,
                                        const struct certinfo *info);
/* One state of the handshake. TLS_YIELD: call again, after the others. TLS_WAIT: call again when
 * the socket is ready (tls_session_events). TLS_ESTABLISHED: the facts have version and cipher.
 * TLS_FAILED: `why` says it in one line; when session->info.refused is set it was the certificate,
 * and certinfo_judge() has the reason; else it is `reset` when *reset is set (the peer ended the
 * stream, orderly or abruptly, without an alert), else tls_handshake; and with session->exhausted
 * it says nothing about the peer. */
enum tls_state tls_session_handshake(struct tls_session *session, bool *reset, char *why,
                                     size_t why_size);
/* Bytes moved, or TLS_IO_WAIT, TLS_IO_CLOSED (read: the peer's orderly end), TLS_IO_ERROR (an
 * abrupt end without close_notify too; `ended` of the session tells them apart). Read until
 * TLS_IO_WAIT: bytes may wait inside the session while the socket is silent. After a write's
 * TLS_IO_WAIT the same bytes are to be offered again. */
int tls_session_read(struct tls_session *session, void *bytes, size_t size);
int tls_session_write(struct tls_session *session, const void *bytes, size_t count);
/* POLLIN or POLLOUT, whatever the last WAIT needs. */
short tls_session_events(const struct tls_session *session);
/* The leaf certificate of an established session, borrowed until its end; NULL before. */
const mbedtls_x509_crt *tls_session_peer(const struct tls_session *session);
/* Frees; sends no alert if that would block. Twice is fine; a zeroed one too. */
void tls_session_end(struct tls_session *session);

#endif
