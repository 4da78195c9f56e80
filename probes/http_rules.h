/* The http probe's small languages: sets of status codes and rules over headers. Pure. */
#ifndef PICKET_HTTP_RULES_H
#define PICKET_HTTP_RULES_H

#include "base.h"

enum { HTTP_STATUS_MIN = 100, HTTP_STATUS_MAX = 999 };

struct http_status_set {
    uint8_t bits[(HTTP_STATUS_MAX + 8) / 8];
};

/* "200-299, 401": codes and ranges, parted by commas. ERROR_INVALID: malformed or empty;
 * ERROR_RANGE: a code outside 100..999, or a range that runs backwards. */
MUST_CHECK enum error http_status_read(const char *text, size_t length,
                                       struct http_status_set *out);
bool http_status_has(const struct http_status_set *set, int status);

/* `Name: /pattern/i`; all borrowed from the text. */
struct http_header_rule {
    const char *name, *pattern;
    size_t name_length, pattern_length;
    unsigned flags;
};
MUST_CHECK enum error http_header_rule_read(const char *text, size_t length,
                                            struct http_header_rule *out);

/* `Name: value`, the value without blanks around it; may be empty. ERROR_INVALID: no token before
 * the colon (RFC 9110 section 5.6.2), or a control character in the value. */
struct http_header {
    const char *name, *value;
    size_t name_length, value_length;
};
MUST_CHECK enum error http_header_read(const char *text, size_t length, struct http_header *out);

/* True when `text` is a token of RFC 9110: a header's name, a method. */
bool http_is_token(const char *text, size_t length);

#endif
