/* Method: all that can happen to the parent is a signal or the end of a delay, so sigtimedwait(2)
 * is its whole loop; it has no descriptor of its own. */
#include "supervisor.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "linux_clock.h"
#include "linux_logger.h"
#include "recheck.h"
#include "respawn.h"
#include "signals.h"

struct supervisor {
    struct supervised supervised; /* what the next life is told */
    struct supervised_agent agent;
    enum clock_trust trust;
    struct clock clock;
    struct linux_logger logger_state;
    struct logger logger;
    sigset_t waited;
    pid_t child; /* 0: none, it waits for respawn_us */
    usec_t born_us, respawn_us;
    struct respawn respawn;
    struct recheck recheck;
    bool stopping; /* SIGTERM or SIGINT came */
};

static const char *signal_name(int number)
{
    static const struct {
        int number;
        const char *name;
    } names[] = {
        {SIGABRT, "SIGABRT"}, {SIGALRM, "SIGALRM"}, {SIGBUS, "SIGBUS"},   {SIGFPE, "SIGFPE"},
        {SIGILL, "SIGILL"},   {SIGKILL, "SIGKILL"}, {SIGQUIT, "SIGQUIT"}, {SIGSEGV, "SIGSEGV"},
        {SIGSYS, "SIGSYS"},   {SIGTRAP, "SIGTRAP"}, {SIGXCPU, "SIGXCPU"}, {SIGXFSZ, "SIGXFSZ"},
    };
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (names[i].number == number) {
            return names[i].name;
        }
    }
    return NULL;
}

void supervised_describe(const struct supervised *supervised, char *text, size_t size)
{
    const char *name = signal_name(supervised->signal);
    if (name) {
        snprintf(text, size, "was killed by %s", name);
    } else if (supervised->signal) {
        snprintf(text, size, "was killed by signal %d", supervised->signal);
    } else {
        snprintf(text, size, "ended with exit code %d", supervised->exit_code);
    }
}

/* Shared, so that what one child wrote is there for the next. */
static bool map_region(struct supervised *supervised, size_t size)
{
    supervised->region = NULL;
    supervised->region_size = size;
    if (size > 0) {
        supervised->region = mmap(NULL, size, PROT_READ | PROT_WRITE,
                                  MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    }
    if (supervised->region != MAP_FAILED) {
        return true;
    }
    fprintf(stderr, "picket: error: no memory for the agent: %s\n", strerror(errno));
    return false;
}

static void unmap_region(const struct supervised *supervised)
{
    if (supervised->region) {
        munmap(supervised->region, supervised->region_size);
    }
}

/* Whoever started us may have SIGCHLD ignored: then the kernel would keep no exit status. */
static void hold_signals(struct supervisor *supervisor)
{
    signals_hold();
    signal(SIGCHLD, SIG_DFL);
    sigemptyset(&supervisor->waited);
    sigaddset(&supervisor->waited, SIGTERM);
    sigaddset(&supervisor->waited, SIGINT);
    sigaddset(&supervisor->waited, SIGHUP);
    sigaddset(&supervisor->waited, SIGCHLD);
    sigprocmask(SIG_BLOCK, &supervisor->waited, NULL);
}

/* The child: the parent may have died before the kernel was asked to tell. */
static _Noreturn void live(const struct supervisor *supervisor, pid_t parent)
{
    sigset_t children;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) {
        _exit(SUPERVISED_FAILED);
    }
    sigemptyset(&children);
    sigaddset(&children, SIGCHLD);
    sigprocmask(SIG_UNBLOCK, &children, NULL);
    exit((int)supervisor->agent.live(supervisor->agent.context, &supervisor->supervised));
}

/* What happens next when there is no child: it is tried again after the back-off's delay. */
static void try_later(struct supervisor *supervisor, usec_t now_us, const char *what)
{
    usec_t delay_us = respawn_delay(&supervisor->respawn, now_us - supervisor->born_us);
    supervisor->respawn_us = now_us + delay_us;
    logger_printf(&supervisor->logger, LOG_LEVEL_ERROR, "%s: starting it again in %d s", what,
                  (int)(delay_us / USEC_PER_SEC));
}

static void start(struct supervisor *supervisor, usec_t now_us)
{
    pid_t parent = getpid();
    supervisor->born_us = now_us;
    supervisor->supervised.starts++; /* the child is told */
    supervisor->child = fork();
    if (supervisor->child == 0) {
        live(supervisor, parent);
    } else if (supervisor->child < 0) {
        char what[96];
        snprintf(what, sizeof what, "no process for the agent (%s)", strerror(errno));
        supervisor->child = 0;
        supervisor->supervised.starts--;
        try_later(supervisor, now_us, what);
    }
}

/* Notes how the child crashed for the next one to be told, and in *what for the log. */
static void note_crash(struct supervisor *supervisor, int status, usec_t now_us, char *what,
                       size_t size)
{
    struct supervised *supervised = &supervisor->supervised;
    char how[48];
    supervised->cause = START_CRASH;
    supervised->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    supervised->exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
    supervised_describe(supervised, how, sizeof how);
    snprintf(what, size, "the agent %s after %ld s%s", how,
             (long)((now_us - supervisor->born_us) / USEC_PER_SEC),
             supervisor->stopping ? ", while it was to stop" : "");
}

/* The child crashed: it is started again unless it was to stop anyway. */
static bool judge_crash(struct supervisor *supervisor, int status, usec_t now_us,
                        enum supervised_end *end)
{
    char what[160];
    note_crash(supervisor, status, now_us, what, sizeof what);
    if (supervisor->stopping) {
        logger_printf(&supervisor->logger, LOG_LEVEL_ERROR, "%s", what);
        *end = SUPERVISED_FAILED;
    } else {
        try_later(supervisor, now_us, what);
    }
    return supervisor->stopping;
}

/* The child has ended. True: so does the supervisor, with *end. */
static bool judge(struct supervisor *supervisor, int status, usec_t now_us,
                  enum supervised_end *end)
{
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    supervisor->child = 0;
    *end = SUPERVISED_STOPPED;
    switch (code) {
    case SUPERVISED_RELOAD:
        if (!supervisor->stopping) {
            supervisor->supervised.cause = START_RELOAD;
            respawn_reset(&supervisor->respawn);
            start(supervisor, now_us);
        }
        return supervisor->stopping;
    case SUPERVISED_FAILED:
    case SUPERVISED_BAD_CONFIG:
        if (supervisor->supervised.starts == 1) {
            *end = (enum supervised_end)code;
            return true;
        }
        if (!supervisor->stopping) {
            try_later(supervisor, now_us, "the agent could not start");
        }
        return supervisor->stopping;
    case SUPERVISED_STOPPED:
        if (supervisor->stopping) {
            return true;
        }
        break; /* nobody asked it to */
    default:
        break;
    }
    return judge_crash(supervisor, status, now_us, end);
}

static void tell_reload(struct supervisor *supervisor, usec_t now_us)
{
    if (supervisor->child) {
        kill(supervisor->child, SIGNALS_PARENT_RELOAD);
    } else {
        supervisor->respawn_us = now_us; /* whoever mended the file does not want to wait */
    }
}

/* Takes every child that has ended: as process 1 of a container we get the orphans too. */
static bool reap(struct supervisor *supervisor, usec_t now_us, enum supervised_end *end)
{
    pid_t pid;
    int status;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (recheck_reaped(&supervisor->recheck, pid, status, now_us) == RECHECK_GOOD) {
            tell_reload(supervisor, now_us);
        }
        if (pid == supervisor->child && judge(supervisor, status, now_us, end)) {
            return true;
        }
    }
    return false;
}

/* The next signal, or 0: it is time to start the child, or nothing at all has happened. */
static int wait_for_signal(const struct supervisor *supervisor, usec_t now_us)
{
    int number;
    usec_t wake_us = recheck_wake_us(&supervisor->recheck);
    if (!supervisor->child) {
        wake_us = usec_min(wake_us, supervisor->respawn_us);
    }
    if (wake_us == USEC_NEVER) {
        number = sigwaitinfo(&supervisor->waited, NULL);
    } else {
        usec_t left_us = usec_max(wake_us - now_us, 0);
        struct timespec left = {.tv_sec = (time_t)(left_us / USEC_PER_SEC),
                                .tv_nsec = (long)(left_us % USEC_PER_SEC) * 1000};
        number = sigtimedwait(&supervisor->waited, NULL, &left);
    }
    return number > 0 ? number : 0;
}

/* True: the supervisor ends, with *end. */
static bool turn(struct supervisor *supervisor, enum supervised_end *end)
{
    int number = wait_for_signal(supervisor, clock_monotonic_us(&supervisor->clock));
    usec_t now_us = clock_monotonic_us(&supervisor->clock);
    recheck_step(&supervisor->recheck, now_us);
    switch (number) {
    case SIGCHLD:
        return reap(supervisor, now_us, end);
    case SIGTERM:
    case SIGINT:
        supervisor->stopping = true;
        *end = SUPERVISED_STOPPED;
        recheck_cancel(&supervisor->recheck);
        if (supervisor->child) {
            kill(supervisor->child, SIGNALS_PARENT_STOP);
        }
        return !supervisor->child;
    case SIGHUP:
        if (supervisor->stopping) {
            return false;
        }
        if (supervisor->child && supervisor->agent.check) {
            recheck_begin(&supervisor->recheck, now_us);
        } else {
            tell_reload(supervisor, now_us);
        }
        return false;
    default:
        if (!supervisor->child && now_us >= supervisor->respawn_us) {
            start(supervisor, now_us);
        }
        return false;
    }
}

enum supervised_end supervisor_run(size_t region_size, struct supervised_agent agent)
{
    struct supervisor supervisor = {.supervised = {.by_parent = true}, .agent = agent};
    enum supervised_end end = SUPERVISED_FAILED;
    if (!map_region(&supervisor.supervised, region_size)) {
        return end;
    }
    supervisor.clock = linux_clock(&supervisor.trust);
    supervisor.logger = linux_logger(&supervisor.logger_state, LOG_LEVEL_INFO);
    recheck_init(&supervisor.recheck, agent.path, &supervisor.logger, agent.check, agent.context);
    hold_signals(&supervisor);
    start(&supervisor, clock_monotonic_us(&supervisor.clock));
    while (!turn(&supervisor, &end)) {
    }
    unmap_region(&supervisor.supervised);
    return end;
}

enum supervised_end supervisor_skip(size_t region_size, struct supervised_agent agent)
{
    struct supervised supervised = {.starts = 1};
    if (!map_region(&supervised, region_size)) {
        return SUPERVISED_FAILED;
    }
    signals_hold();
    enum supervised_end end = agent.live(agent.context, &supervised);
    unmap_region(&supervised);
    return end;
}
