#include "http_url.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool http_origin_equal(const struct http_origin *a, const struct http_origin *b)
{
    return a->tls == b->tls && a->port == b->port && strcmp(a->host, b->host) == 0;
}

static enum error error_of(CURLUcode code, char *why, size_t why_size)
{
    snprintf(why, why_size, "%s",
             code == CURLUE_UNSUPPORTED_SCHEME ? "only http and https are possible"
                                               : curl_url_strerror(code));
    switch (code) {
    case CURLUE_OK:
        return ERROR_NONE;
    case CURLUE_UNSUPPORTED_SCHEME:
    case CURLUE_USER_NOT_ALLOWED:
        return ERROR_DENIED;
    case CURLUE_OUT_OF_MEMORY:
        return ERROR_EXHAUSTED;
    default:
        return ERROR_INVALID;
    }
}

/* Copies one part of the parsed URL; a part that is absent becomes "". */
static enum error copy_part(CURLU *parsed, CURLUPart part, unsigned flags, char *out, size_t size)
{
    char *text = NULL;
    out[0] = '\0';
    if (curl_url_get(parsed, part, &text, flags) != CURLUE_OK)
        return ERROR_NONE;
    size_t length = strlen(text);
    if (length < size)
        memcpy(out, text, length + 1);
    curl_free(text);
    return length < size ? ERROR_NONE : ERROR_FULL;
}

/* "[fe80::1]" and zone "eth0" become "fe80::1%eth0"; letters become small, a last dot goes. */
static enum error read_host(CURLU *parsed, char *host)
{
    char text[HTTP_HOST_BYTES], zone[32];
    if (copy_part(parsed, CURLUPART_HOST, 0, text, sizeof(text)) != ERROR_NONE ||
        copy_part(parsed, CURLUPART_ZONEID, 0, zone, sizeof(zone)) != ERROR_NONE)
        return ERROR_FULL;
    size_t length = strlen(text);
    const char *from = text;
    if (length >= 2 && text[0] == '[') {
        text[length - 1] = '\0';
        from++;
    } else if (length > 1 && text[length - 1] == '.') {
        text[length - 1] = '\0';
    }
    int written = snprintf(host, HTTP_HOST_BYTES, "%s%s%s", from, zone[0] ? "%" : "", zone);
    if (written < 0 || written >= HTTP_HOST_BYTES)
        return ERROR_FULL;
    for (char *at = host; *at; at++)
        if (*at >= 'A' && *at <= 'Z')
            *at = (char)(*at - 'A' + 'a');
    return host[0] ? ERROR_NONE : ERROR_INVALID;
}

static enum error read_origin(CURLU *parsed, struct http_origin *origin)
{
    char scheme[8], port[8];
    if (copy_part(parsed, CURLUPART_SCHEME, 0, scheme, sizeof(scheme)) != ERROR_NONE)
        return ERROR_DENIED;
    if (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0)
        return ERROR_DENIED;
    origin->tls = scheme[4] == 's';
    if (copy_part(parsed, CURLUPART_PORT, CURLU_DEFAULT_PORT, port, sizeof(port)) != ERROR_NONE)
        return ERROR_INVALID;
    unsigned long number = strtoul(port, NULL, 10);
    if (number == 0 || number > UINT16_MAX)
        return ERROR_INVALID;
    origin->port = (uint16_t)number;
    return read_host(parsed, origin->host);
}

static enum error take_parsed(CURLU *parsed, char *url, struct http_origin *origin, char *why,
                              size_t why_size)
{
    enum error error = read_origin(parsed, origin);
    if (error == ERROR_NONE)
        error = copy_part(parsed, CURLUPART_URL, 0, url, HTTP_URL_BYTES);
    if (error != ERROR_NONE)
        snprintf(why, why_size, "%s",
                 error == ERROR_DENIED ? "only http and https are possible"
                 : error == ERROR_FULL ? "the address is too long"
                                       : "not a usable address");
    return error;
}

enum error http_url_read(const char *text, char *url, struct http_origin *origin, char *why,
                         size_t why_size)
{
    char whole[HTTP_URL_BYTES];
    const char *scheme = strstr(text, "://") ? "" : "http://";
    int written = snprintf(whole, sizeof(whole), "%s%s", scheme, text);
    if (written < 0 || (size_t)written >= sizeof(whole)) {
        snprintf(why, why_size, "the address is too long");
        return ERROR_FULL;
    }
    CURLU *parsed = curl_url();
    if (!parsed)
        return error_of(CURLUE_OUT_OF_MEMORY, why, why_size);
    enum error error =
        error_of(curl_url_set(parsed, CURLUPART_URL, whole, CURLU_DISALLOW_USER), why, why_size);
    if (error == ERROR_NONE)
        error = take_parsed(parsed, url, origin, why, why_size);
    curl_url_cleanup(parsed);
    return error;
}

bool http_redirect_status(int status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* 303 asks for a GET of another document; 301 and 302 after a POST are read the same way by every
 * browser (RFC 9110 section 15.4). */
static bool becomes_get(int status, const char *method)
{
    if (status == 303)
        return strcmp(method, "HEAD") != 0;
    return (status == 301 || status == 302) && strcmp(method, "POST") == 0;
}

static enum error apply_policy(const struct http_origin *from, bool has_body,
                               const struct http_redirect *to, char *why, size_t why_size)
{
    if (from->tls && !to->origin.tls) {
        snprintf(why, why_size, "from https to http: %s", to->url);
        return ERROR_DENIED;
    }
    if (has_body && !to->to_get && !http_origin_equal(from, &to->origin)) {
        snprintf(why, why_size, "would carry the body to another origin: %s", to->url);
        return ERROR_DENIED;
    }
    return ERROR_NONE;
}

enum error http_redirect_read(const char *url, const struct http_origin *from, int status,
                              const char *method, bool has_body, const char *location,
                              struct http_redirect *out, char *why, size_t why_size)
{
    CURLU *parsed = curl_url();
    if (!parsed)
        return error_of(CURLUE_OUT_OF_MEMORY, why, why_size);
    out->to_get = becomes_get(status, method);
    CURLUcode code = curl_url_set(parsed, CURLUPART_URL, url, 0);
    if (code == CURLUE_OK)
        code = curl_url_set(parsed, CURLUPART_URL, location, CURLU_URLENCODE);
    /* A name and password chosen by the peer are none of ours. */
    if (code == CURLUE_OK)
        code = curl_url_set(parsed, CURLUPART_USER, NULL, 0);
    if (code == CURLUE_OK)
        code = curl_url_set(parsed, CURLUPART_PASSWORD, NULL, 0);
    enum error error = error_of(code, why, why_size);
    if (error == ERROR_NONE)
        error = take_parsed(parsed, out->url, &out->origin, why, why_size);
    if (error == ERROR_NONE)
        error = apply_policy(from, has_body, out, why, why_size);
    curl_url_cleanup(parsed);
    return error;
}
