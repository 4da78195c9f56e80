/* Port: one line of log. The layer that decides logs, once. Texts carry no secret and nothing a
 * target sent unless it went through buffer_append_escaped. */
#ifndef PICKET_LOGGER_H
#define PICKET_LOGGER_H

#include "base.h"

/* Values are syslog's (RFC 5424), so that journald prefixes need no table. */
enum log_level {
    LOG_LEVEL_ERROR = 3,
    LOG_LEVEL_WARNING = 4,
    LOG_LEVEL_INFO = 6,
    LOG_LEVEL_DEBUG = 7
};

struct logger {
    void *context;
    void (*write)(void *context, enum log_level level, const char *text); /* never blocks */
};

/* Formats one line of at most 511 bytes (cut beyond) and writes it. `logger` or its `write` may be
 * NULL: then nothing happens. */
void logger_printf(const struct logger *logger, enum log_level level, const char *format, ...)
    PRINTF_LIKE(3, 4);

#endif
