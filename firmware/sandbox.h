/* The sandbox: what the agent gives up between the opening of its files and the first packet, so
 * that whoever takes it over from the network gets hold of little.
 *
 * It is entered once per life of the agent, in its process, after the configuration, secrets,
 * certificates and targets were read, and before the first thread: what the kernel takes away, it
 * takes away from the calling thread and from those that one starts later. In this order: folders
 * of its own are made, limits lowered, the user changed, capabilities dropped, new privileges ruled
 * out, Landlock (files, TCP ports, signals to others) and seccomp (sandbox_seccomp.h) entered.
 *
 * What stays in reach, by name: the folders of the store and the status socket; what runs open (the
 * `path` of their kind, probe.h); what name resolution reads; a few files of /proc. Files are
 * replaced by renaming, so reading is granted in folders. A device or a store's folder that is
 * replaced (plugged out and in, mounted late) is out of reach: sandbox_outgrown() tells, and a
 * new life of the agent reaches it. Nothing can be executed, no process made, nothing listened on
 * but what is open already (page_server.h).
 *
 * Not here: the parent (supervisor.h), which keeps the rights it was started with. It has no
 * thread, no socket, and reads nothing but files of the configuration: at each start of the agent
 * and at SIGHUP, where a secret that only root may read has to be read again (recheck.h). The one
 * file it writes, the last known good configuration, lies out of the agent's reach (kept.h). An
 * agent without a parent starts itself over at SIGHUP, which a sandbox would not survive: it gets
 * none.
 *
 * Memory: a plan is some 7 KiB, and one descriptor stays open. Thread rule: the agent's first
 * thread, while it is the only one. */
#ifndef PICKET_SANDBOX_H
#define PICKET_SANDBOX_H

#include "config.h"
#include "logger.h"
#include "runner.h"

/* What a path is to be used for. */
enum sandbox_use {
    SANDBOX_FILE,   /* read; it is never replaced */
    SANDBOX_BESIDE, /* read, whatever bears the name: its folder, and the one a link leads to */
    SANDBOX_LINE,   /* a device: read, written, set */
    SANDBOX_STORE,  /* the store's file, made and renamed in its folder */
    SANDBOX_SOCKET, /* the status socket, made and removed in its folder */
};

struct sandbox_path {
    enum sandbox_use use;
    const char *path;       /* borrowed */
    uint64_t device, inode; /* of what was granted: LINE and STORE; both 0: nothing was there */
};

enum { SANDBOX_PATHS = CAP_TARGETS + 16 };

struct sandbox_plan {
    enum sandbox_choice choice;
    const char *user;  /* to become; NULL: stay. Borrowed, as all texts here */
    bool by_parent;    /* false: no sandbox, and a user to become is an error */
    bool binds;        /* a probe has a `source` */
    bool to_interface; /* … that is an interface */
    unsigned path_count;
    struct sandbox_path paths[SANDBOX_PATHS];
    bool confined;    /* set by sandbox_enter(): Landlock holds */
    usec_t looked_us; /* of sandbox_outgrown() */
};

/* What a configuration asks for. `socket_path` may be NULL or "none". `config`, `socket_path` and
 * `runner` are borrowed as long as the plan is used. */
void sandbox_plan_make(const struct config *config, const char *socket_path,
                       const struct runner *runner, bool by_parent, struct sandbox_plan *plan);

/* Adds a path. One too many is left out, and so out of reach. */
void sandbox_plan_add(struct sandbox_plan *plan, enum sandbox_use use, const char *path);

/* Enters it, and logs in one line what holds, and what could not be had as warnings. There is no
 * way back. On an error, which is logged, the process has to end.
 * ERROR_MISSING: no such user; or `strict`, and the kernel lacks a part. ERROR_DENIED: the user
 * could not be changed, or the parent died meanwhile. ERROR_INVALID: there is more than one thread,
 * or a user but no parent. */
MUST_CHECK enum error sandbox_enter(struct sandbox_plan *plan, const struct logger *logger);

/* The path of something the agent uses that has been replaced by what it cannot reach, so that it
 * has to start again to go on with it; NULL when there is none. Looks at devices every 5 s, and at
 * the store's folder only when `store_denied`: otherwise that could wait for a medium that hangs.
 */
const char *sandbox_outgrown(struct sandbox_plan *plan, bool store_denied, usec_t now_us);

#endif
