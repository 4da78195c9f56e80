/* Cookies of one run: what a hop sets is sent back by later hops of the same run, to the same
 * origin and to nobody else. Enough for a portal that sets one and redirects; nothing is kept from
 * run to run.
 *
 * Far less than RFC 6265 on purpose: Domain, Path and Expires are not read, so a cookie never
 * reaches another host, and Max-Age only to delete. What does not fit is not kept. Pure. */
#ifndef PICKET_HTTP_COOKIES_H
#define PICKET_HTTP_COOKIES_H

#include "http_url.h"

enum {
    HTTP_COOKIES = 8,
    HTTP_COOKIE_BYTES = 1024,
    HTTP_COOKIE_LINE_BYTES = HTTP_COOKIES * (HTTP_COOKIE_BYTES + 2) + 16
};

struct http_cookies {
    unsigned count;
    struct http_cookie {
        struct http_origin origin;
        char pair[HTTP_COOKIE_BYTES]; /* "name=value" */
    } at[HTTP_COOKIES];
};

/* Takes the value of one Set-Cookie header. */
void http_cookies_take(struct http_cookies *cookies, const struct http_origin *origin,
                       const char *value);
/* Writes "Cookie: a=1; b=2" for an origin to `line` (HTTP_COOKIE_LINE_BYTES). False: there is none.
 */
bool http_cookies_line(const struct http_cookies *cookies, const struct http_origin *origin,
                       char *line);

#endif
