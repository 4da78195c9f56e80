/* A bounded byte buffer in caller's memory: what the encoders, the status page and notes write to.
 *
 * It never writes past `size` and never allocates. What does not fit is counted: `used` goes on
 * growing, so one pass over a zero-sized buffer measures, and `overflow` says that the content is
 * not whole. Text functions do not terminate; buffer_text() does. Thread rule: none. */
#ifndef PICKET_BUFFER_H
#define PICKET_BUFFER_H

#include "base.h"

struct buffer {
    uint8_t *bytes; /* borrowed; may be NULL when size is 0 */
    size_t size;
    size_t used; /* bytes that were asked for; the content is valid while used <= size */
};

void buffer_init(struct buffer *buffer, void *bytes, size_t size);

/* True when something did not fit. */
static inline bool buffer_overflowed(const struct buffer *buffer)
{
    return buffer->used > buffer->size;
}

void buffer_append(struct buffer *buffer, const void *bytes, size_t count);
void buffer_append_byte(struct buffer *buffer, uint8_t byte);
void buffer_append_string(struct buffer *buffer, const char *string);
void buffer_printf(struct buffer *buffer, const char *format, ...) PRINTF_LIKE(2, 3);

/* Printable ASCII as it is; a backslash and everything else as C escapes (`\n`, `\x1b`). For text
 * from a peer on its way to a note, a log or a terminal. */
void buffer_append_escaped(struct buffer *buffer, const void *bytes, size_t count);

/* A JSON string with its quotes (RFC 8259); a byte that is no UTF-8 becomes U+FFFD. */
void buffer_append_json_string(struct buffer *buffer, const char *string);

/* A number as Prometheus prints it: shortest form that reads back the same, +Inf, -Inf, NaN. */
void buffer_append_number(struct buffer *buffer, double value);

/* The content as a C string: terminates it (cutting the last byte when full) and returns it.
 * size must be at least 1. */
const char *buffer_text(struct buffer *buffer);

#endif
