/* A TLS client over a connected non-blocking socket: one handshake state per step. For tcp and tls;
 * http's is libcurl's own. The socket stays the caller's. */
#ifndef PICKET_TLS_SESSION_H
#define PICKET_TLS_SESSION_H

#include "certinfo.h"
#include "trust.h"

struct tls_session {
    mbedtls_ssl_context ssl;
    mbedtls_ssl_config config;
    struct certinfo info;
    int fd;
    bool active;
    bool wants_write; /* what the last WAIT was for */
};

enum tls_state { TLS_WAIT, TLS_YIELD, TLS_ESTABLISHED, TLS_FAILED };
enum { TLS_IO_WAIT = -1, TLS_IO_ERROR = -2, TLS_IO_CLOSED = 0 };

/* `host` is the name to check when trust->server_name is unset; an address literal gets no SNI. */
enum error tls_session_start(struct tls_session *session, int fd, const struct trust *trust,
                             const char *host, const struct certinfo *info);
/* One state of the handshake. TLS_FAILED: `why` says it; the caller asks certinfo_judge() first
 * (a refused certificate), then it is reset, timeout or tls_handshake. `*reset` tells an orderly
 * or abrupt end of the stream by the peer. */
enum tls_state tls_session_handshake(struct tls_session *session, bool *reset, char *why,
                                     size_t why_size);
/* Bytes moved, or TLS_IO_WAIT, TLS_IO_CLOSED (read: orderly end), TLS_IO_ERROR. */
int tls_session_read(struct tls_session *session, void *bytes, size_t size);
int tls_session_write(struct tls_session *session, const void *bytes, size_t count);
/* POLLIN or POLLOUT, whatever the last WAIT needs. */
short tls_session_events(const struct tls_session *session);
/* Frees; sends no alert if that would block. Twice is fine; a zeroed one too. */
void tls_session_end(struct tls_session *session);

#endif
