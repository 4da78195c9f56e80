/* One target of the http probe, prepared once at start: everything a run needs that does not change
 * between runs, in the form in which libcurl takes it. Allocated by open, freed by close; holds the
 * credentials, which close wipes. */
#ifndef PICKET_HTTP_TARGET_H
#define PICKET_HTTP_TARGET_H

#include <curl/curl.h>

#include "http_judge.h"
#include "http_url.h"
#include "probe.h"
#include "trust.h"

struct http_target {
    char url[HTTP_URL_BYTES];
    struct http_origin origin;
    const char *method;  /* borrowed from the config or static */
    bool head;           /* no body is received */
    const uint8_t *body; /* NULL: none is sent, unless body_size_known */
    size_t body_size;
    bool sends_body;                  /* the request has a Content-Length, 0 included */
    uint8_t *body_file;               /* owned; NULL: the body is the config's */
    struct curl_slist *own_headers;   /* for the configured origin: with every credential */
    struct curl_slist *other_headers; /* for any other: what is no secret by its nature */
    struct http_criteria criteria;
    struct http_rule *rules; /* owned, with their patterns */
    unsigned rule_count;
    size_t body_limit;
    bool limit_fails, keeps_body;
    unsigned redirects;
    bool require_tls;
    char proxy[HTTP_HOST_BYTES + 16]; /* "scheme://HOST:PORT"; "": none */
    struct http_origin proxy_origin;
    bool connect_to;
    struct endpoint dial; /* what the runner resolves: proxy, connect_to or the URL's host */
    char server_name[HTTP_HOST_BYTES]; /* for SNI and verification; "": the URL's host */
    char source[HTTP_HOST_BYTES];      /* in the library's words; "": the system's choice */
    long ip_resolve;                   /* CURL_IPRESOLVE_ for the names of redirects */
    struct trust trust;
};

/* Prepares a target of a configuration that http_check() accepted. On an error `why` says which
 * file and why, and nothing is left. */
MUST_CHECK enum error http_target_open(const struct config *config,
                                       const struct config_probe *probe, unsigned index,
                                       struct http_target **out, char *why, size_t why_size);
void http_target_close(struct http_target *target);

#endif
