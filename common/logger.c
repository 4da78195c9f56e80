#include "logger.h"

#include <stdarg.h>
#include <stdio.h>

enum { LINE_BYTES = 512 };

void logger_printf(const struct logger *logger, enum log_level level, const char *format, ...)
{
    if (logger == NULL || logger->write == NULL) {
        return;
    }
    char line[LINE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (length >= 0) {
        logger->write(logger->context, level, line);
    }
}
