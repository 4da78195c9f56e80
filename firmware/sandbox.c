#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buffer.h"
#include "sandbox_landlock.h"
#include "sandbox_powers.h"
#include "sandbox_seccomp.h"
#include "sandbox_user.h"

#define LOOK_US (5 * USEC_PER_SEC)

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1 /* looks at itself by means a sandbox forbids */
#else
#define SANITIZED 0
#endif

struct entering {
    struct sandbox_plan *plan;
    const struct logger *logger;
    struct buffer held; /* what holds, for the log */
    bool becomes;       /* `user` is to be become */
    struct sandbox_user user;
    pid_t parent;
    int rules; /* Landlock's; -1: none */
};

static enum error refuse(const struct entering *entering, enum error error, const char *what,
                         const char *why)
{
    logger_printf(entering->logger, LOG_LEVEL_ERROR, "sandbox: %s: %s", what, why);
    return error;
}

/* A part the kernel does not have. */
static enum error lack(const struct entering *entering, const char *what)
{
    bool strict = entering->plan->choice == SANDBOX_STRICT;
    logger_printf(entering->logger, strict ? LOG_LEVEL_ERROR : LOG_LEVEL_WARNING,
                  "sandbox: this kernel has no %s%s", what,
                  strict ? ", and sandbox = strict" : ": it is done without");
    return strict ? ERROR_MISSING : ERROR_NONE;
}

/* The last folder of a path, when it is missing; it belongs to whom the agent becomes. Synced with
 * the one it is in, or a power cut would take it, and the store in it. */
static void make_folder(const struct entering *entering, const char *path)
{
    char folder[PATH_MAX], parent[PATH_MAX];
    sandbox_folder(path, folder, sizeof folder);
    if (mkdir(folder, 0755) != 0) {
        return; /* who makes a file in it says what is wrong */
    }
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0 && entering->becomes) {
        (void)!fchown(fd, entering->user.uid, entering->user.gid);
    }
    if (fd >= 0) {
        (void)fsync(fd);
        close(fd);
    }
    fd = open(sandbox_folder(folder, parent, sizeof parent), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        (void)fsync(fd);
        close(fd);
    }
}

static void make_folders(const struct entering *entering)
{
    const struct sandbox_plan *plan = entering->plan;
    for (unsigned i = 0; i < plan->path_count; i++) {
        if (plan->paths[i].use == SANDBOX_STORE || plan->paths[i].use == SANDBOX_SOCKET) {
            make_folder(entering, plan->paths[i].path);
        }
    }
}

/* No way up again: the hard limits follow the soft ones, and no core holds the secrets. */
static void lower_limits(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_max = limit.rlim_cur;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
    limit = (struct rlimit){.rlim_cur = 0, .rlim_max = 0};
    (void)setrlimit(RLIMIT_CORE, &limit);
}

static bool change_user(const struct sandbox_user *user)
{
    if (setgroups(user->group_count, user->groups) != 0 ||
        setresgid(user->gid, user->gid, user->gid) != 0 ||
        setresuid(user->uid, user->uid, user->uid) != 0) {
        return false;
    }
    return user->uid == 0 || setresuid(0, 0, 0) != 0; /* nobody gets back */
}

/* The kernel forgets to end us with our parent when the user changes: it is asked again, and the
 * parent may have died in between. */
static bool follow_parent(pid_t parent)
{
    return prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0 && getppid() == parent;
}

/* Threads would keep what this one gives up. */
static bool is_alone(void)
{
    struct stat status;
    return stat("/proc/self/task", &status) != 0 || status.st_nlink <= 3;
}

/* A user, and what is left of root's power in the one who stays. */
static enum error drop_privileges(struct entering *entering, uint64_t kept)
{
    bool drops = entering->plan->choice != SANDBOX_OFF;
    if ((drops || entering->becomes) && !is_alone()) {
        return refuse(entering, ERROR_INVALID, "threads", "there are some already");
    }
    if (drops) {
        sandbox_powers_bound(kept);
    }
    if (entering->becomes) {
        (void)prctl(PR_SET_KEEPCAPS, kept != 0, 0, 0, 0);
        if (!change_user(&entering->user)) {
            return refuse(entering, ERROR_DENIED, entering->plan->user, strerror(errno));
        }
    }
    if (drops && !sandbox_powers_drop(kept)) {
        return refuse(entering, ERROR_DENIED, "capabilities", strerror(errno));
    }
    if (drops || entering->becomes) {
        (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
        if (entering->plan->by_parent && !follow_parent(entering->parent)) {
            return refuse(entering, ERROR_DENIED, "parent", "it has died");
        }
    }
    return ERROR_NONE;
}

/* Before the user changes: it may not reach every path. */
static enum error prepare_landlock(struct entering *entering)
{
    unsigned version = sandbox_landlock_version();
    entering->rules = version ? sandbox_landlock_prepare(entering->plan, version) : -1;
    if (entering->rules < 0) {
        return lack(entering, "Landlock");
    }
    buffer_printf(&entering->held, ", Landlock %u", version);
    return ERROR_NONE;
}

static enum error close_doors(struct entering *entering)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return lack(entering, "promise of no new privileges");
    }
    if (entering->rules >= 0) {
        if (!sandbox_landlock_enter(entering->rules)) {
            return refuse(entering, ERROR_DENIED, "Landlock", strerror(errno));
        }
        entering->plan->confined = true;
        close(entering->rules);
    }
    if (sandbox_seccomp_enter(entering->plan->choice == SANDBOX_STRICT) != ERROR_NONE) {
        return lack(entering, "seccomp for this processor");
    }
    buffer_append_string(&entering->held, entering->plan->choice == SANDBOX_STRICT
                                              ? ", seccomp that kills"
                                              : ", seccomp");
    return ERROR_NONE;
}

/* Whom to become, if anybody. */
static enum error find_user(struct entering *entering)
{
    const struct sandbox_plan *plan = entering->plan;
    if (!plan->user) {
        return ERROR_NONE;
    }
    if (sandbox_user_find(plan->user, &entering->user) != ERROR_NONE) {
        return refuse(entering, ERROR_MISSING, plan->user, "no such user in /etc/passwd");
    }
    entering->becomes = geteuid() == 0;
    if (entering->becomes && !plan->by_parent) {
        return refuse(entering, ERROR_INVALID, plan->user,
                      "without a supervisor the user cannot be changed: start the agent as it");
    }
    if (!entering->becomes && geteuid() != entering->user.uid) {
        logger_printf(entering->logger, LOG_LEVEL_WARNING,
                      "sandbox: not started by root: the agent is not %s, but stays uid %u",
                      plan->user, (unsigned)geteuid());
    }
    return ERROR_NONE;
}

static void tell(struct entering *entering, uint64_t kept)
{
    const struct sandbox_plan *plan = entering->plan;
    char who[64];
    snprintf(who, sizeof who, "uid %u", (unsigned)geteuid());
    const char *name = entering->becomes ? plan->user : geteuid() == 0 ? "root" : who;
    if (plan->choice == SANDBOX_OFF) {
        logger_printf(entering->logger, LOG_LEVEL_INFO, "sandbox: user %s, nothing else%s", name,
                      plan->by_parent ? "" : " (there is none without a supervisor)");
        return;
    }
    logger_printf(entering->logger, LOG_LEVEL_INFO, "sandbox: user %s, %s%s", name,
                  kept ? "no capability but CAP_NET_RAW" : "no capabilities",
                  buffer_text(&entering->held));
}

static enum error enter(struct entering *entering)
{
    struct sandbox_plan *plan = entering->plan;
    uint64_t kept = sandbox_powers_kept(plan->to_interface);
    enum error error = find_user(entering);
    if (error != ERROR_NONE) {
        return error;
    }
    make_folders(entering);
    if (plan->choice != SANDBOX_OFF) {
        lower_limits();
        error = prepare_landlock(entering);
    }
    if (error == ERROR_NONE) {
        error = drop_privileges(entering, kept);
    }
    if (error == ERROR_NONE && plan->choice != SANDBOX_OFF) {
        error = close_doors(entering);
    }
    if (error == ERROR_NONE) {
        tell(entering, kept);
    }
    return error;
}

enum error sandbox_enter(struct sandbox_plan *plan, const struct logger *logger)
{
    char held[64];
    struct entering entering = {.plan = plan, .logger = logger, .parent = getppid(), .rules = -1};
    buffer_init(&entering.held, held, sizeof held);
    if (!plan->by_parent || SANITIZED) {
        plan->choice = SANDBOX_OFF;
    }
    return enter(&entering);
}

static bool is_replaced(const struct sandbox_path *path)
{
    char folder[PATH_MAX];
    struct stat status;
    const char *granted =
        path->use == SANDBOX_STORE ? sandbox_folder(path->path, folder, sizeof folder) : path->path;
    return stat(granted, &status) == 0 &&
           (status.st_dev != path->device || status.st_ino != path->inode);
}

const char *sandbox_outgrown(struct sandbox_plan *plan, bool store_denied, usec_t now_us)
{
    if (!plan->confined || now_us - plan->looked_us < LOOK_US) {
        return NULL;
    }
    plan->looked_us = now_us;
    for (unsigned i = 0; i < plan->path_count; i++) {
        enum sandbox_use use = plan->paths[i].use;
        bool looks = use == SANDBOX_LINE || (use == SANDBOX_STORE && store_denied);
        if (looks && is_replaced(&plan->paths[i])) {
            return plan->paths[i].path;
        }
    }
    return NULL;
}
