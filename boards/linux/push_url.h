/* The Pushgateway's group URL for a site: BASE/metrics/job/picket/site/SITE. */
#ifndef PICKET_PUSH_URL_H
#define PICKET_PUSH_URL_H

#include "buffer.h"

/* Appends the URL. A site outside [A-Za-z0-9._-] goes as site@base64/… (URL-safe alphabet, no
 * padding), because a Pushgateway cannot take `/` even percent-encoded. Slashes at the end of
 * `base` are dropped. `site` must not be empty: an empty value poisons the gateway. */
void push_url(struct buffer *out, const char *base, const char *site);

#endif
