#include "linux_logger.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* JOURNAL_STREAM is "device:inode" of the socket the service manager connected; it only counts when
 * stderr still is that socket. */
static bool stderr_is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    unsigned long long device, inode;
    struct stat status;
    return stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
           fstat(STDERR_FILENO, &status) == 0 && status.st_dev == device && status.st_ino == inode;
}

static const char *level_word(enum log_level level)
{
    switch (level) {
    case LOG_LEVEL_ERROR:
        return "error: ";
    case LOG_LEVEL_WARNING:
        return "warning: ";
    case LOG_LEVEL_DEBUG:
        return "debug: ";
    case LOG_LEVEL_INFO:
        break;
    }
    return "";
}

/* False when stderr does not take the line at once. What poll(2) calls writable takes this many
 * bytes whole: a pipe has room for PIPE_BUF then. */
static bool put_line(const struct linux_logger *state, enum log_level level, const char *text)
{
    char line[640];
    int length = state->journal
                     ? snprintf(line, sizeof line, "<%d>%s\n", (int)level, text)
                     : snprintf(line, sizeof line, "picket: %s%s\n", level_word(level), text);
    if (length <= 0) {
        return true;
    }
    size_t size = (size_t)length < sizeof line ? (size_t)length : sizeof line - 1;
    line[size - 1] = '\n';
    struct pollfd ready = {.fd = STDERR_FILENO, .events = POLLOUT};
    return poll(&ready, 1, 0) == 1 && write(STDERR_FILENO, line, size) >= 0;
}

static void tell_dropped(struct linux_logger *state)
{
    char text[64];
    snprintf(text, sizeof text, "%llu lines of this log were lost",
             (unsigned long long)state->dropped);
    if (put_line(state, LOG_LEVEL_WARNING, text)) {
        state->dropped = 0;
    }
}

static void write_line(void *context, enum log_level level, const char *text)
{
    struct linux_logger *state = context;
    if (level > state->level) {
        return;
    }
    if (state->dropped > 0) {
        tell_dropped(state);
    }
    if (state->dropped > 0 || !put_line(state, level, text)) {
        state->dropped++;
    }
}

struct logger linux_logger(struct linux_logger *state, enum log_level level)
{
    *state = (struct linux_logger){.level = level, .journal = stderr_is_journal()};
    return (struct logger){.context = state, .write = write_line};
}
