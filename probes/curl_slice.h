/* A bound on what libcurl's TLS reads in one turn.
 *
 * mbedTLS passes over warnings and other records that mean nothing, as long as more of them come,
 * inside one call. A peer that sends them without end would keep libcurl, and with it the loop, in
 * that call for ever: so a session is told that nothing more is there when its slice is used up,
 * and reads on in a later turn, since its socket stays readable.
 *
 * Thread rule: the loop's thread. Memory: none; all sessions share the slice of the turn. */
#ifndef PICKET_CURL_SLICE_H
#define PICKET_CURL_SLICE_H

#include <mbedtls/ssl.h>

#include "base.h"

enum { CURL_SLICE_BYTES = 64 * 1024, CURL_SLICE_READS = 128 };

/* From libcurl's CURLOPT_SSL_CTX_FUNCTION, for the session that reads from the socket itself (not
 * for one inside another, whose bytes may wait where no poll sees them). False: libcurl has not
 * set the session up yet. */
MUST_CHECK bool curl_slice_attach(mbedtls_ssl_context *session);
/* A new slice, before each of libcurl's turns. */
void curl_slice_renew(void);

#endif
