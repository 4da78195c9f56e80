#include "http_cookies.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* The length of the name in "name=value", 0 when there is none. */
static size_t name_length(const char *pair, size_t length)
{
    const char *equals = memchr(pair, '=', length);
    return equals ? (size_t)(equals - pair) : 0;
}

static struct http_cookie *find(struct http_cookies *cookies, const struct http_origin *origin,
                                const char *pair, size_t name)
{
    for (unsigned i = 0; i < cookies->count; i++) {
        struct http_cookie *cookie = &cookies->at[i];
        if (http_origin_equal(&cookie->origin, origin) && strncmp(cookie->pair, pair, name) == 0 &&
            cookie->pair[name] == '=')
            return cookie;
    }
    return NULL;
}

/* A Max-Age of zero or less deletes (RFC 6265 section 5.2.2). */
static bool deletes(const char *attributes)
{
    for (const char *at = strchr(attributes, ';'); at; at = strchr(at, ';')) {
        at++;
        while (is_blank(*at))
            at++;
        if (strncasecmp(at, "max-age=", 8) == 0 && (at[8] == '-' || at[8] == '0'))
            return true;
    }
    return false;
}

void http_cookies_take(struct http_cookies *cookies, const struct http_origin *origin,
                       const char *value)
{
    size_t length = strcspn(value, ";");
    const char *attributes = value + length;
    while (length > 0 && is_blank(value[length - 1]))
        length--;
    size_t name = name_length(value, length);
    if (name == 0 || length >= HTTP_COOKIE_BYTES)
        return;
    struct http_cookie *cookie = find(cookies, origin, value, name);
    if (deletes(attributes)) {
        if (cookie)
            *cookie = cookies->at[--cookies->count];
        return;
    }
    if (!cookie && cookies->count == HTTP_COOKIES)
        return;
    if (!cookie)
        cookie = &cookies->at[cookies->count++];
    cookie->origin = *origin;
    memcpy(cookie->pair, value, length);
    cookie->pair[length] = '\0';
}

bool http_cookies_line(const struct http_cookies *cookies, const struct http_origin *origin,
                       char *line)
{
    static const char first[] = "Cookie: ";
    const char *mark = first;
    size_t used = 0;
    for (unsigned i = 0; i < cookies->count; i++) {
        if (!http_origin_equal(&cookies->at[i].origin, origin))
            continue;
        used += (size_t)snprintf(line + used, HTTP_COOKIE_LINE_BYTES - used, "%s%s", mark,
                                 cookies->at[i].pair);
        mark = "; ";
    }
    return used > 0;
}
