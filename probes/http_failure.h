/* Why a transfer of libcurl's failed, in our words. Codes of libcurl, the system and mbedTLS stop
 * here. Pure. */
#ifndef PICKET_HTTP_FAILURE_H
#define PICKET_HTTP_FAILURE_H

#include <curl/curl.h>

#include "result.h"

/* What the library left behind. */
struct http_trouble {
    CURLcode code;
    long system_errno; /* CURLINFO_OS_ERRNO; 0: none */
    long proxy_status; /* of an answer to CONNECT; 0: none */
    bool exhausted;    /* no socket could be had: out of descriptors or memory */
    enum phase phase;  /* that was open when it ended */
    const char *text;  /* the library's error text, "" when it has none */
};

struct http_failure {
    bool unknown; /* the agent could not measure: no reason */
    enum reason reason;
    enum phase phase;
};

struct http_failure http_failure_of(const struct http_trouble *trouble);

#endif
