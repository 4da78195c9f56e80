/* The parent of the agent: starts it, starts it again when it crashed, and keeps the memory that
 * outlives it.
 *
 * The agent is a child made by fork() alone: what the parent has not done (configuration,
 * libraries, threads), each child does anew. SIGTERM, SIGINT and SIGHUP are for the parent, which
 * passes them on as the signals of signals.h: the terminal and systemd send theirs to both, and the
 * agent would take the second SIGTERM for impatience. A child whose parent died is killed by the
 * kernel; a change of its user or group undoes that (prctl(2), PR_SET_PDEATHSIG), so whoever drops
 * privileges in the child asks for it again.
 *
 * Not here: a watchdog, and any judgement of a child that runs. Memory: nothing after the start but
 * the region, whose pages cost something once the agent has written to them; no heap. Thread rule:
 * the only thread of its process. */
#ifndef PICKET_SUPERVISOR_H
#define PICKET_SUPERVISOR_H

#include <stdbool.h>
#include <stddef.h>

#include "logger.h"

/* How one life of the agent ended; the exit code of its process. All other codes are crashes, 1 and
 * 2 too: those may be a library's. */
enum supervised_end {
    SUPERVISED_STOPPED = 0,     /* in order, as it was asked to */
    SUPERVISED_RELOAD = 64,     /* in order, to start again with the new configuration */
    SUPERVISED_FAILED = 65,     /* could not start; it said why */
    SUPERVISED_BAD_CONFIG = 66, /* likewise: the configuration has errors */
};

/* How the last life that ran gave way to this one; lives that could not start do not count. */
enum start_cause { START_FIRST, START_RELOAD, START_CRASH };

struct supervised {
    bool by_parent;     /* false: nobody watches, and signals come straight to the agent */
    void *region;       /* the agent's own, zero at first; as the life before left it. NULL: none */
    size_t region_size; /* bytes */
    enum start_cause cause;
    int signal;      /* START_CRASH: what killed the life before; 0: it ended by itself … */
    int exit_code;   /* … with this code */
    unsigned starts; /* lives begun, this one included */
};

/* The agent: `supervised` is borrowed for the call, which lasts its life. */
struct supervised_agent {
    void *context;
    enum supervised_end (*live)(void *context, const struct supervised *supervised);
    /* SIGHUP, in a process of its own: whether the file at `path` is good (recheck.h). NULL: the
     * agent is told without. */
    bool (*check)(void *context, const struct logger *logger);
    const char *path; /* for the log */
};

/* Runs `agent` in a child, again after each crash, until SIGTERM or SIGINT has ended it. Blocks.
 * SUPERVISED_STOPPED: ended as it was asked to.
 * SUPERVISED_FAILED, SUPERVISED_BAD_CONFIG: the first life could not start; or, FAILED, it crashed
 * while it was to stop, or there was no memory for the region. The reason was logged. */
enum supervised_end supervisor_run(size_t region_size, struct supervised_agent agent);

/* The same agent in this process, with no parent: the region is lost with it. SUPERVISED_RELOAD is
 * the caller's to act on. */
enum supervised_end supervisor_skip(size_t region_size, struct supervised_agent agent);

/* "was killed by SIGSEGV" or "ended with exit code 3": how the life before went when it crashed. */
void supervised_describe(const struct supervised *supervised, char *text, size_t size);

#endif
