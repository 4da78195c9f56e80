/* Logger port on Linux: one line each on stderr, with journald's level prefix (<4>) when stderr is
 * the journal (JOURNAL_STREAM, systemd.exec(5)). Lines that stderr does not take at once are
 * dropped and counted, never waited for; the next line that gets through says how many. */
#ifndef PICKET_LINUX_LOGGER_H
#define PICKET_LINUX_LOGGER_H

#include "logger.h"

struct linux_logger {
    enum log_level level; /* less important lines are left out */
    bool journal;
    uint64_t dropped; /* since the log last took a line */
};

/* `state` is borrowed for the logger's life. */
struct logger linux_logger(struct linux_logger *state, enum log_level level);

#endif
