/* Web addresses of the http probe: what a URL names, and where a redirect may lead.
 *
 * The policy is ours, not the library's: http and https only, never from https to http, no
 * credential and no request body to another origin. Parsing is libcurl's (the one that also sends
 * the request, so that no two parsers can disagree). Pure but for libcurl's heap. */
#ifndef PICKET_HTTP_URL_H
#define PICKET_HTTP_URL_H

#include "base.h"

enum { HTTP_URL_BYTES = 2048, HTTP_HOST_BYTES = 256 };

/* Scheme, host and port: what must be equal for two URLs to be of one owner (RFC 6454). */
struct http_origin {
    bool tls;
    uint16_t port;
    char host[HTTP_HOST_BYTES]; /* lower case, no brackets; "fe80::1%eth0" with its zone */
};

bool http_origin_equal(const struct http_origin *a, const struct http_origin *b);

/* Reads a configured URL; without a scheme it is http. `url` (HTTP_URL_BYTES) gets it with its
 * scheme. ERROR_INVALID: malformed; ERROR_DENIED: another scheme, or a user name in it; ERROR_FULL.
 * `why` gets one line. */
MUST_CHECK enum error http_url_read(const char *text, char *url, struct http_origin *origin,
                                    char *why, size_t why_size);

struct http_redirect {
    char url[HTTP_URL_BYTES];
    struct http_origin origin;
    bool to_get; /* method becomes GET and the body is dropped */
};

/* True for the answers that are followed when they have a Location: 301 302 303 307 308. */
bool http_redirect_status(int status);
/* Where `location`, received with `status` for `method` at `url`, leads. ERROR_DENIED: the policy
 * forbids it; ERROR_INVALID, ERROR_FULL: no usable URL. `why` gets one line. */
MUST_CHECK enum error http_redirect_read(const char *url, const struct http_origin *from,
                                         int status, const char *method, bool has_body,
                                         const char *location, struct http_redirect *out, char *why,
                                         size_t why_size);

#endif
