/* SIGHUP in an agent without a parent: checks the changed configuration while the old one keeps
 * running. Where there is a parent, that checks it (recheck.h).
 *
 * The check is this program's own `check FILE` in a process of its own: it opens what the file
 * names (certificates, secrets, patterns), which takes time and memory, and must not touch what the
 * runs in flight share. Its complaints are logged, line by line. Thread rule: the loop's thread. */
#ifndef PICKET_RELOAD_H
#define PICKET_RELOAD_H

#include <sys/types.h>

#include "clock.h"
#include "logger.h"
#include "waits.h"

enum reload_state { RELOAD_IDLE, RELOAD_CHECKING, RELOAD_GOOD };

struct reload {
    enum reload_state state;
    const char *path;
    const struct logger *logger;
    pid_t checker;
    int pipe; /* what the checker says on stderr; -1: closed */
    usec_t deadline_us;
    bool overdue; /* it was killed for taking too long */
    bool again;   /* SIGHUP came while it ran: the file may have changed once more */
    char line[400];
    size_t line_length;
};

/* `path` and `logger` are borrowed. */
void reload_init(struct reload *reload, const char *path, const struct logger *logger);
/* SIGHUP came: begins to check. The outcome is logged; when it is good the state becomes
 * RELOAD_GOOD and stays so. */
void reload_begin(struct reload *reload, usec_t now_us);
void reload_waits(const struct reload *reload, struct waits *waits, usec_t now_us);
void reload_step(struct reload *reload, const struct waits *ready, usec_t now_us);
/* Ends a check that is going on and forgets its outcome; any number of times. For the end of the
 * program: the checker is killed, and left to init to be reaped. */
void reload_cancel(struct reload *reload);

#endif
