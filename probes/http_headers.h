/* The request's header lines of one target, in the two versions a redirect needs: for the
 * configured origin, with every credential, and for any other, with none. */
#ifndef PICKET_HTTP_HEADERS_H
#define PICKET_HTTP_HEADERS_H

#include <curl/curl.h>

#include "config.h"

/* Builds both lists from the keys of a section; reads the files of the secrets. On an error `why`
 * says which file and why, and both lists are NULL. */
MUST_CHECK enum error http_headers_open(const struct config *config,
                                        const struct config_section *section, bool sends_body,
                                        struct curl_slist **own, struct curl_slist **other,
                                        char *why, size_t why_size);
/* Wipes and frees; NULL is fine. */
void http_headers_close(struct curl_slist *list);

#endif
