#include "http_rules.h"

#include <string.h>

#include "value.h"

static void skip_blanks(const char **text, const char *end)
{
    while (*text < end && (**text == ' ' || **text == '\t'))
        ++*text;
}

/* Up to three digits; more would be out of range anyway. */
static enum error read_code(const char **text, const char *end, int *out)
{
    int number = 0, digits = 0;
    skip_blanks(text, end);
    for (; *text < end && **text >= '0' && **text <= '9'; ++*text, digits++) {
        if (digits == 3)
            return ERROR_RANGE;
        number = number * 10 + (**text - '0');
    }
    skip_blanks(text, end);
    if (digits == 0)
        return ERROR_INVALID;
    if (number < HTTP_STATUS_MIN || number > HTTP_STATUS_MAX)
        return ERROR_RANGE;
    *out = number;
    return ERROR_NONE;
}

enum error http_status_read(const char *text, size_t length, struct http_status_set *out)
{
    struct http_status_set set = {{0}};
    const char *end = text + length;
    for (;;) {
        int first = 0, last = 0;
        enum error error = read_code(&text, end, &first);
        last = first;
        if (error == ERROR_NONE && text < end && *text == '-') {
            text++;
            error = read_code(&text, end, &last);
        }
        if (error != ERROR_NONE)
            return error;
        if (last < first)
            return ERROR_RANGE;
        for (int code = first; code <= last; code++)
            set.bits[code / 8] = (uint8_t)(set.bits[code / 8] | 1U << (code % 8));
        if (text == end)
            break;
        if (*text++ != ',')
            return ERROR_INVALID;
    }
    *out = set;
    return ERROR_NONE;
}

bool http_status_has(const struct http_status_set *set, int status)
{
    if (status < HTTP_STATUS_MIN || status > HTTP_STATUS_MAX)
        return false;
    return (set->bits[status / 8] >> (status % 8) & 1) != 0;
}

bool http_is_token(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        char c = text[i];
        bool alphanumeric =
            (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!alphanumeric && (c == '\0' || !strchr("!#$%&'*+-.^_`|~", c)))
            return false;
    }
    return length > 0;
}

enum error http_header_read(const char *text, size_t length, struct http_header *out)
{
    const char *end = text + length;
    const char *colon = memchr(text, ':', length);
    if (!colon || !http_is_token(text, (size_t)(colon - text)))
        return ERROR_INVALID;
    const char *value = colon + 1;
    skip_blanks(&value, end);
    while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    for (const char *at = value; at < end; at++)
        if (((unsigned char)*at < 0x20 && *at != '\t') || *at == 0x7f)
            return ERROR_INVALID;
    out->name = text;
    out->name_length = (size_t)(colon - text);
    out->value = value;
    out->value_length = (size_t)(end - value);
    return ERROR_NONE;
}

enum error http_header_rule_read(const char *text, size_t length, struct http_header_rule *out)
{
    struct http_header header;
    enum error error = http_header_read(text, length, &header);
    if (error != ERROR_NONE)
        return error;
    error = value_pattern(header.value, header.value_length, &out->pattern, &out->pattern_length,
                          &out->flags);
    if (error != ERROR_NONE)
        return error;
    out->name = header.name;
    out->name_length = header.name_length;
    return ERROR_NONE;
}
