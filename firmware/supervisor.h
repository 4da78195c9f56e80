/* The parent of the agent: starts it, ends it when it hangs or leaks, starts it again, feeds the
 * watchdog, and keeps the memory that outlives it. What it does and when is decided by the ladder
 * (recovery.h); this is its hands.
 *
 * The agent is a child made by fork() alone: what the parent has not done (configuration,
 * libraries, threads), each child does anew. What a child has read from its configuration it tells
 * by the brief, before it touches anything else of the world, and then gives the brief away for
 * good: later it has no way to talk the parent, which may be root, into anything. SIGTERM, SIGINT
 * and SIGHUP are for the parent, which passes them on as the signals of signals.h: the terminal and
 * systemd send theirs to both, and the agent would take the second SIGTERM for impatience. A child
 * whose parent died is killed by the kernel; a change of its user or group undoes that (prctl(2),
 * PR_SET_PDEATHSIG), so whoever drops privileges in the child asks for it again.
 *
 * Memory: nothing after the start but the regions, whose pages cost something once they have been
 * written to; no heap, no name resolution, no TLS. Thread rule: the only thread of its process. */
#ifndef PICKET_SUPERVISOR_H
#define PICKET_SUPERVISOR_H

#include "config_texts.h"
#include "logger.h"
#include "recovery.h"
#include "site_command.h"

/* How one life of the agent ended; the exit code of its process. All other codes are crashes, 1 and
 * 2 too: those may be a library's. */
enum supervised_end {
    SUPERVISED_STOPPED = 0,     /* in order, as it was asked to */
    SUPERVISED_RELOAD = 64,     /* in order, to start again with the new configuration */
    SUPERVISED_FAILED = 65,     /* could not start; it said why */
    SUPERVISED_BAD_CONFIG = 66, /* likewise: the configuration has errors */
    SUPERVISED_UNFIT = 67,      /* likewise: what the configuration names cannot be opened */
    SUPERVISED_AGAIN = 68,      /* in order, to start again with what the machine has now */
};

/* What a life tells its parent. The parent keeps the texts of two configurations: what the file
 * said to the newest life that read it, and the last known good one, which may be on disk as well
 * (kept.h). */
struct brief {
    unsigned newest; /* which of the two the file's is; the other one is the good one, if any */
    struct config_texts texts[2];
    bool found, found_pushes; /* a good one was on disk; it has a [push] … */
    _Atomic unsigned sought;  /* … and that was looked for; set last */
    struct recovery_settings settings;
    struct site_command_settings command;
    struct rollout_runs runs;
    _Atomic unsigned told; /* the number of the life the three above are of; set last */
};

struct supervised {
    bool by_parent;        /* false: nobody watches, and signals come straight to the agent */
    void *region;          /* the agent's own, zero at first; as the life before left it */
    size_t region_size;    /* bytes */
    struct vitals *vitals; /* shared with the parent, or just memory */
    struct brief *brief;   /* until supervised_tell() */
    bool use_good;         /* the configuration is the last known good one, not the file's */
    unsigned starts;       /* lives begun, this one included */
    struct run_end before; /* how the last life that ran ended; cause NONE: there was none */
    enum board_word board; /* what the board says of its last reset */
};

struct kept_place;
/* The agent: `supervised` is borrowed for the call, which lasts its life. */
struct supervised_agent {
    void *context;
    enum supervised_end (*live)(void *context, struct supervised *supervised);
    /* SIGHUP, in a process of its own: whether the file at `path` is good (recheck.h). NULL: the
     * agent is told without. */
    bool (*check)(void *context, const struct logger *logger);
    const char *path;               /* for the log */
    const struct kept_place *place; /* of the last known good configuration; NULL: in memory only */
};

/* For the life, once its configuration was read or taken from the brief: tells the parent what it
 * has to know of it, and gives the brief away. */
void supervised_tell(struct supervised *supervised, const struct config *config);

/* Runs `agent` in a child, again after each end that was not asked for, until SIGTERM or SIGINT has
 * ended it. Blocks.
 * SUPERVISED_STOPPED: ended as it was asked to.
 * SUPERVISED_FAILED, BAD_CONFIG, UNFIT: the first life could not start, and there is no last known
 * good configuration, or that one could not start either; or, FAILED, it crashed while it was to
 * stop, or there was no memory for the regions. The reason was logged. */
enum supervised_end supervisor_run(size_t region_size, struct supervised_agent agent);

/* The same agent in this process, with no parent: the region is lost with it, and no watchdog is
 * fed. SUPERVISED_RELOAD and SUPERVISED_AGAIN are the caller's to act on. */
enum supervised_end supervisor_skip(size_t region_size, struct supervised_agent agent);

#endif
