/* What every push has in common, read from [push] once at start: where it goes, whom it trusts, who
 * it says it is. Part of push_transport.c by another name: nobody else uses it.
 *
 * Thread rule: the loop's thread. Memory: CA chains, the client's certificate, and what libcurl
 * copies of the credentials. */
#ifndef PICKET_PUSH_SETUP_H
#define PICKET_PUSH_SETUP_H

#include <curl/curl.h>

#include "config.h"
#include "trust.h"

#define PUSH_URL_BYTES 1024

struct push_setup {
    char url[PUSH_URL_BYTES]; /* of the site's group */
    char host[256];           /* of the URL; an IPv6 literal without brackets */
    uint16_t port;
    struct trust trust; /* empty unless the URL is https */
    struct curl_slist *headers;
};

/* Fills *setup and sets what never changes on `easy`, which borrows from *setup. What is wrong with
 * the files named in [push] is reported at the line that names them, all of it; then false. */
bool push_setup_open(struct push_setup *setup, CURL *easy, const struct config *config,
                     struct config_errors *errors);
/* After the handle is gone. A zeroed setup may be closed too. */
void push_setup_close(struct push_setup *setup);

#endif
