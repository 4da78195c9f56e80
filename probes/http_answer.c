#include "http_answer.h"

#include <string.h>
#include <strings.h>

void http_answer_begin(struct http_answer *answer, uint8_t *body, size_t body_limit,
                       bool limit_fails)
{
    /* All but the head's bytes, which `stored` bounds. */
    memset(answer, 0, offsetof(struct http_answer, head));
    answer->body = body;
    answer->body_limit = body_limit;
    answer->limit_fails = limit_fails;
}

/* "HTTP/1.1 200 OK": the library has checked it; what is no number reads as 0. */
static int status_of(const char *line, size_t length)
{
    const char *blank = memchr(line, ' ', length);
    int status = 0;
    if (!blank)
        return 0;
    const char *end = line + length;
    for (const char *at = blank + 1; at < end && *at >= '0' && *at <= '9' && status < 100; at++)
        status = status * 10 + (*at - '0');
    return status;
}

static void store(struct http_answer *answer, const char *line, size_t length)
{
    const char *colon = memchr(line, ':', length);
    if (!colon)
        return;
    const char *end = line + length, *value = colon + 1;
    while (value < end && (*value == ' ' || *value == '\t'))
        value++;
    while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    size_t name_length = (size_t)(colon - line), value_length = (size_t)(end - value);
    size_t needed = name_length + value_length + 2;
    /* head_bytes bounds the sum of all lines, and a line is longer than what is kept of it: only
     * two NULs against ": " or ":" and a bare LF could differ. */
    if (needed > sizeof(answer->head) - answer->stored)
        return;
    char *to = answer->head + answer->stored;
    memcpy(to, line, name_length);
    to[name_length] = '\0';
    memcpy(to + name_length + 1, value, value_length);
    to[needed - 1] = '\0';
    answer->stored += (unsigned)needed;
}

bool http_answer_line(struct http_answer *answer, const char *line, size_t length)
{
    if (length > HTTP_HEAD_BYTES - answer->head_bytes || answer->head_lines == HTTP_HEAD_LINES) {
        answer->end = HTTP_END_HEAD_TOO_LARGE;
        return false;
    }
    answer->head_bytes += (unsigned)length;
    answer->head_lines++;
    while (length > 0 && (line[length - 1] == '\n' || line[length - 1] == '\r'))
        length--;
    if (length >= 5 && !answer->head_done && strncasecmp(line, "HTTP/", 5) == 0) {
        answer->status = status_of(line, length);
        answer->stored = 0;
    } else if (length == 0) {
        answer->head_done = answer->status >= 200 || answer->status == 101;
    } else {
        store(answer, line, length);
    }
    return true;
}

bool http_answer_body(struct http_answer *answer, const void *bytes, size_t count)
{
    size_t room = answer->body_limit - answer->body_bytes;
    size_t taken = count < room ? count : room;
    if (answer->body)
        memcpy(answer->body + answer->body_bytes, bytes, taken);
    answer->body_bytes += taken;
    if (taken == count)
        return true;
    answer->end = answer->limit_fails ? HTTP_END_TOO_LARGE : HTTP_END_CUT;
    return false;
}

const char *http_answer_header(const struct http_answer *answer, const char *name,
                               size_t name_length, unsigned *cursor)
{
    while (*cursor < answer->stored) {
        const char *found = answer->head + *cursor;
        size_t found_length = strlen(found);
        const char *value = found + found_length + 1;
        *cursor += (unsigned)(found_length + strlen(value) + 2);
        if (found_length == name_length && strncasecmp(found, name, name_length) == 0)
            return value;
    }
    return NULL;
}
