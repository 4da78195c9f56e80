/* What one hop answered, within bounds: status line and headers, body, and how it ended.
 *
 * Filled line by line and piece by piece as it arrives; nothing a peer sends makes it grow. Caps:
 * 16 KiB and 100 lines of headers over everything a hop sends (interim 1xx answers and trailers
 * included), and for the body the target's own limit. Pure; the memory is the slot's. */
#ifndef PICKET_HTTP_ANSWER_H
#define PICKET_HTTP_ANSWER_H

#include "base.h"

enum {
    HTTP_HEAD_BYTES = 16 * 1024,
    HTTP_HEAD_LINES = 100,
    HTTP_BODY_BYTES = 64 * 1024, /* read when max_body is unset */
};

enum http_end {
    HTTP_END_OPEN, /* not ended, or it ended with an error of the connection */
    HTTP_END_WHOLE,
    HTTP_END_CUT,       /* reading stopped at the limit, as it should */
    HTTP_END_TOO_LARGE, /* the body exceeds max_body */
    HTTP_END_HEAD_TOO_LARGE,
    HTTP_END_TRUNCATED, /* shorter than announced */
};

struct http_answer {
    int status; /* of the last status line, interim ones (1xx) included; 0: none came */
    enum http_end end;
    bool head_done; /* of the final (not interim) answer */
    unsigned head_bytes, head_lines;
    unsigned stored; /* bytes used in head */
    size_t body_limit;
    bool limit_fails;           /* beyond the limit: HTTP_END_TOO_LARGE, else HTTP_END_CUT */
    uint8_t *body;              /* body_limit bytes, or NULL when nobody reads it */
    size_t body_bytes;          /* received, at most body_limit */
    char head[HTTP_HEAD_BYTES]; /* "name\0value\0" of each header of the last status line */
};

/* Empties it for one hop. `body` holds at least `body_limit` bytes, or is NULL. */
void http_answer_begin(struct http_answer *answer, uint8_t *body, size_t body_limit,
                       bool limit_fails);
/* One line as received, its line end included. False: over the cap, `end` says so. */
bool http_answer_line(struct http_answer *answer, const char *line, size_t length);
/* A piece of the body. False: read no further, `end` says why. */
bool http_answer_body(struct http_answer *answer, const void *bytes, size_t count);

/* Walks the values of a header (name without regard to case): *cursor starts at 0; NULL at the
 * end. The value is NUL-terminated. */
const char *http_answer_header(const struct http_answer *answer, const char *name,
                               size_t name_length, unsigned *cursor);

#endif
