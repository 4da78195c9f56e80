/* Method: all that can happen to the parent is a signal or that a moment has come, so
 * sigtimedwait(2) is its whole loop. Each turn takes what the signal says, asks the ladder for its
 * orders, and carries them out. */
#include "supervisor.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "board_word.h"
#include "feeder.h"
#include "keeper.h"
#include "linux_clock.h"
#include "linux_logger.h"
#include "process_usage.h"
#include "recheck.h"
#include "signals.h"
#include "site_command.h"

struct supervisor {
    struct supervised supervised; /* what the next life is told */
    struct supervised_agent agent;
    enum clock_trust trust;
    struct clock clock;
    struct linux_logger logger_state;
    struct logger logger;
    sigset_t waited;
    struct recovery recovery;
    struct feeder feeder;
    struct site_command command;
    struct process_usage usage;  /* of the child */
    struct recheck recheck;      /* of the file, at SIGHUP */
    struct keeper keeper;        /* of the last known good configuration */
    pid_t child;                 /* 0: none */
    unsigned heard;              /* the life whose brief was read */
    bool heard_found;            /* a good one that was on disk was heard of */
    enum supervised_end refusal; /* why the first life could not start */
    uint64_t oom_kills;          /* before this life */
    bool stopping;               /* SIGTERM or SIGINT came */
    usec_t wake_us;
};

/* Regions. Shared, so that what one child wrote is there for the next. */

static void *map_shared(size_t size)
{
    void *region =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (region == MAP_FAILED) {
        fprintf(stderr, "picket: error: no memory for the agent: %s\n", strerror(errno));
        return NULL;
    }
    return region;
}

static void unmap_regions(struct supervised *supervised)
{
    if (supervised->region) {
        munmap(supervised->region, supervised->region_size);
    }
    if (supervised->vitals) {
        munmap(supervised->vitals, sizeof *supervised->vitals);
    }
    if (supervised->brief) {
        munmap(supervised->brief, sizeof *supervised->brief);
    }
}

static bool map_regions(struct supervised *supervised, size_t size)
{
    supervised->region_size = size;
    supervised->before.task = VITAL_NONE;
    supervised->vitals = map_shared(sizeof *supervised->vitals);
    supervised->brief = map_shared(sizeof *supervised->brief);
    if (size > 0) {
        supervised->region = map_shared(size);
    }
    if (supervised->vitals && supervised->brief && (supervised->region || size == 0)) {
        return true;
    }
    unmap_regions(supervised);
    return false;
}

void supervised_tell(struct supervised *supervised, const struct config *config)
{
    struct brief *brief = supervised->brief;
    const struct config_section *section = &config->watchdog;
    const char *action = config_text(config, section, WATCHDOG_ACTION, NULL);
    recovery_settings_of(config, &brief->settings);
    brief->command.timeout_us = config_number(config, section, WATCHDOG_ACTION_TIMEOUT);
    brief->command.cooldown_us = config_number(config, section, WATCHDOG_ACTION_COOLDOWN);
    (void)snprintf(brief->command.line, sizeof brief->command.line, "%s", action ? action : "");
    const struct config_texts *texts = &brief->texts[brief->newest];
    brief->runs = (struct rollout_runs){
        .text = config_texts_sum(texts),
        .same = config_texts_same(texts, &brief->texts[1 - brief->newest]),
        .keepable = texts->used > 0,
    };
    atomic_store(&brief->told, supervised->starts);
    munmap(brief, sizeof *brief);
    supervised->brief = NULL;
}

/* Lives. */

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
static _Noreturn void live(struct supervisor *supervisor, pid_t parent)
{
    sigset_t children;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) {
        _exit(SUPERVISED_FAILED);
    }
    feeder_abandon(&supervisor->feeder);
    sigemptyset(&children);
    sigaddset(&children, SIGCHLD);
    sigprocmask(SIG_UNBLOCK, &children, NULL);
    exit((int)supervisor->agent.live(supervisor->agent.context, &supervisor->supervised));
}

static void start(struct supervisor *supervisor, bool use_good, usec_t now_us)
{
    struct supervised *supervised = &supervisor->supervised;
    pid_t parent = getpid();
    vitals_begin(supervised->vitals, RECOVERY_START_US);
    supervised->starts++; /* the child is told */
    supervised->use_good = use_good;
    supervisor->oom_kills = oom_kills();
    supervisor->child = fork();
    if (supervisor->child == 0) {
        live(supervisor, parent);
    } else if (supervisor->child > 0) {
        process_usage_open(&supervisor->usage, supervisor->child);
        recovery_born(&supervisor->recovery, now_us);
        return;
    }
    supervisor->child = 0;
    supervised->starts--;
    recovery_not_born(&supervisor->recovery, now_us);
    logger_printf(&supervisor->logger, LOG_LEVEL_ERROR,
                  "no process for the agent (%s): starting it again in %d s", strerror(errno),
                  (int)((supervisor->recovery.respawn_us - now_us) / USEC_PER_SEC));
}

/* What the status of the process says. */
static struct run_end end_of(const struct supervisor *supervisor, int status)
{
    struct run_end end = {.cause = CAUSE_CRASH, .task = VITAL_NONE};
    bool asked = supervisor->stopping || supervisor->recovery.life == LIFE_STOPPING;
    if (WIFSIGNALED(status)) {
        end.signal = (uint8_t)WTERMSIG(status);
        if (end.signal == SIGKILL && oom_kills() > supervisor->oom_kills) {
            end.cause = CAUSE_MEMORY;
        }
        return end;
    }
    end.exit_code = (uint8_t)WEXITSTATUS(status);
    switch (end.exit_code) {
    case SUPERVISED_STOPPED:
        end.cause = asked ? CAUSE_STOP : CAUSE_CRASH;
        break;
    case SUPERVISED_RELOAD:
    case SUPERVISED_AGAIN:
        end.cause = CAUSE_RELOAD;
        break;
    case SUPERVISED_FAILED:
    case SUPERVISED_BAD_CONFIG:
    case SUPERVISED_UNFIT:
        end.cause = CAUSE_NONE;
        break;
    default:
        break;
    }
    return end;
}

static void log_end(const struct supervisor *supervisor, const struct run_end *end, usec_t now_us)
{
    char how[48], signal[CAUSE_SIGNAL_BYTES], next[48] = "";
    if (end->signal) {
        snprintf(how, sizeof how, "was killed by %s", cause_signal_name(end->signal, signal));
    } else {
        snprintf(how, sizeof how, "ended with exit code %u", end->exit_code);
    }
    if (supervisor->stopping) {
        snprintf(next, sizeof next, ", while it was to stop");
    } else {
        snprintf(next, sizeof next, ": starting it again in %d s",
                 (int)((supervisor->recovery.respawn_us - now_us) / USEC_PER_SEC));
    }
    if (end->cause == CAUSE_NONE) {
        logger_printf(&supervisor->logger, LOG_LEVEL_ERROR, "the agent could not start%s", next);
    } else {
        logger_printf(&supervisor->logger, LOG_LEVEL_ERROR, "the agent %s after %ld s%s", how,
                      (long)(end->ran_us / USEC_PER_SEC), next);
    }
}

/* At the system's limit nothing can be opened any more, and above it nothing is ever seen. */
static void mind_system_limit(struct recovery_settings *settings)
{
    struct rlimit limit;
    if (settings->descriptors > 0 && getrlimit(RLIMIT_NOFILE, &limit) == 0 &&
        settings->descriptors > limit.rlim_cur / 10 * 9) {
        settings->descriptors = (unsigned)(limit.rlim_cur / 10 * 9);
    }
}

/* The brief of the newest life, once it is whole. */
static void hear(struct supervisor *supervisor, usec_t now_us)
{
    const struct supervised *supervised = &supervisor->supervised;
    const struct brief *brief = supervised->brief;
    if (!supervisor->heard_found && atomic_load(&brief->sought) != 0) {
        supervisor->heard_found = true;
        if (brief->found) {
            recovery_found_good(&supervisor->recovery, brief->found_pushes);
        }
    }
    if (supervisor->heard == supervised->starts ||
        atomic_load(&brief->told) != supervised->starts) {
        return;
    }
    struct recovery_settings settings = brief->settings;
    supervisor->heard = supervised->starts;
    mind_system_limit(&settings);
    feeder_mind_manager(&supervisor->feeder, &settings);
    supervisor->command.settings = brief->command;
    recovery_configure(&supervisor->recovery, &settings);
    recovery_runs(&supervisor->recovery, brief->runs, now_us);
    if (feeder_found_running(&settings)) {
        recovery_found_running(&supervisor->recovery);
    }
}

/* A life could not start. True: nor will another, and that is the end. A first one whose
 * configuration cannot run has a second with the last known good one, if there is one. */
static bool gives_up(struct supervisor *supervisor, enum supervised_end end)
{
    bool unfit = end == SUPERVISED_BAD_CONFIG || end == SUPERVISED_UNFIT;
    if (supervisor->supervised.starts == 1) {
        supervisor->refusal = end;
        return !unfit || !supervisor->recovery.rollout.known;
    }
    return supervisor->supervised.starts == 2 && supervisor->refusal != SUPERVISED_STOPPED;
}

/* The child has ended. True: so does the supervisor, with *end. */
static bool judge(struct supervisor *supervisor, int status, usec_t now_us,
                  enum supervised_end *end)
{
    struct supervised *supervised = &supervisor->supervised;
    struct run_end seen = end_of(supervisor, status);
    hear(supervisor, now_us); /* what a short life has told */
    supervisor->child = 0;
    process_usage_close(&supervisor->usage);
    if (seen.cause == CAUSE_NONE && gives_up(supervisor, (enum supervised_end)seen.exit_code)) {
        *end = supervisor->refusal;
        return true;
    }
    if (seen.exit_code == SUPERVISED_BAD_CONFIG || seen.exit_code == SUPERVISED_UNFIT) {
        recovery_file_refused(&supervisor->recovery);
    }
    struct run_end why = recovery_gone(&supervisor->recovery, &seen, now_us);
    if (why.cause != CAUSE_NONE) {
        supervised->before = why;
    }
    bool orderly = why.cause == CAUSE_STOP || why.cause == CAUSE_RELOAD;
    if (!orderly && !(why.cause == CAUSE_NONE && supervisor->stopping)) {
        log_end(supervisor, &why, now_us);
    }
    *end = supervisor->stopping && !orderly && why.cause != CAUSE_NONE ? SUPERVISED_FAILED
                                                                       : SUPERVISED_STOPPED;
    return supervisor->stopping;
}

static void tell_reload(struct supervisor *supervisor, usec_t now_us)
{
    recovery_mended(&supervisor->recovery, now_us);
    if (supervisor->child) {
        kill(supervisor->child, SIGNALS_PARENT_RELOAD);
    }
}

/* Takes every child that has ended: as process 1 of a container we get the orphans too. */
static bool reap(struct supervisor *supervisor, usec_t now_us, enum supervised_end *end)
{
    pid_t pid;
    int status;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (pid == supervisor->child) {
            if (judge(supervisor, status, now_us, end)) {
                return true;
            }
        } else if (recheck_reaped(&supervisor->recheck, pid, status, now_us) == RECHECK_GOOD) {
            tell_reload(supervisor, now_us);
        } else if (!keeper_reaped(&supervisor->keeper, pid) &&
                   !feeder_reaped(&supervisor->feeder, pid, status)) {
            (void)site_command_reaped(&supervisor->command, pid, status,
                                      supervisor->supervised.vitals, &supervisor->logger);
        }
    }
    return false;
}

/* Turns. */

static void obey(struct supervisor *supervisor, const struct recovery_orders *orders, usec_t now_us)
{
    static const int signals[] = {[RECOVERY_LEAVE] = SIGNALS_PARENT_RELOAD,
                                  [RECOVERY_STOP] = SIGNALS_PARENT_STOP,
                                  [RECOVERY_ABORT] = SIGABRT,
                                  [RECOVERY_KILL] = SIGKILL};
    struct brief *brief = supervisor->supervised.brief;
    if (orders->kill != RECOVERY_SPARE && supervisor->child) {
        kill(supervisor->child, signals[orders->kill]);
    }
    if (orders->keep_good) { /* the next life's goes where the one before the good one was */
        keeper_keep(&supervisor->keeper, &brief->texts[brief->newest]);
        brief->newest = 1 - brief->newest;
    }
    if (orders->start) {
        start(supervisor, orders->use_good, now_us);
    }
    feeder_obey(&supervisor->feeder, &supervisor->recovery, orders, now_us);
}

static void take_stock(struct supervisor *supervisor, usec_t now_us)
{
    struct recovery_usage usage = {0};
    recheck_step(&supervisor->recheck, now_us);
    hear(supervisor, now_us);
    if (supervisor->child) {
        (void)process_usage_read(&supervisor->usage, &usage);
    }
    struct recovery_orders orders = recovery_step(&supervisor->recovery, &usage, now_us);
    obey(supervisor, &orders, now_us);
    feeder_tell(&supervisor->feeder, &supervisor->recovery);
    usec_t command_us = site_command_step(&supervisor->command, supervisor->supervised.vitals,
                                          &supervisor->logger, now_us);
    supervisor->wake_us =
        usec_min(usec_min(orders.wake_us, command_us), recheck_wake_us(&supervisor->recheck));
}

/* The next signal, or 0: the moment has come. */
static int wait_for_signal(const struct supervisor *supervisor, usec_t now_us)
{
    usec_t left_us = usec_max(supervisor->wake_us - now_us, 0);
    struct timespec left = {.tv_sec = (time_t)(left_us / USEC_PER_SEC),
                            .tv_nsec = (long)(left_us % USEC_PER_SEC) * 1000};
    int number = sigtimedwait(&supervisor->waited, NULL, &left);
    return number > 0 ? number : 0;
}

static bool stop(struct supervisor *supervisor, usec_t now_us, enum supervised_end *end)
{
    supervisor->stopping = true;
    *end = SUPERVISED_STOPPED;
    recheck_cancel(&supervisor->recheck);
    recovery_stop(&supervisor->recovery, now_us);
    feeder_stopping(&supervisor->feeder);
    if (supervisor->child) {
        kill(supervisor->child, SIGNALS_PARENT_STOP);
    }
    return !supervisor->child;
}

/* True: the supervisor ends, with *end. */
static bool turn(struct supervisor *supervisor, enum supervised_end *end)
{
    int number = wait_for_signal(supervisor, clock_monotonic_us(&supervisor->clock));
    usec_t now_us = clock_monotonic_us(&supervisor->clock);
    bool over = false;
    switch (number) {
    case SIGCHLD:
        over = reap(supervisor, now_us, end);
        break;
    case SIGTERM:
    case SIGINT:
        over = stop(supervisor, now_us, end);
        break;
    case SIGHUP:
        if (supervisor->child && supervisor->agent.check && !supervisor->stopping) {
            recheck_begin(&supervisor->recheck, now_us);
        } else {
            tell_reload(supervisor, now_us);
        }
        break;
    default:
        break;
    }
    if (!over) {
        take_stock(supervisor, now_us);
    }
    return over;
}

enum supervised_end supervisor_run(size_t region_size, struct supervised_agent agent)
{
    /* Not on the stack, since all that its agent does is done on top of it. */
    static struct supervisor supervisor;
    supervisor = (struct supervisor){.supervised = {.by_parent = true}, .agent = agent};
    enum supervised_end end = SUPERVISED_FAILED;
    if (!map_regions(&supervisor.supervised, region_size)) {
        return end;
    }
    supervisor.supervised.board = board_word();
    supervisor.clock = linux_clock(&supervisor.trust);
    supervisor.logger = linux_logger(&supervisor.logger_state, LOG_LEVEL_INFO);
    recheck_init(&supervisor.recheck, agent.path, &supervisor.logger, agent.check, agent.context);
    keeper_init(&supervisor.keeper, agent.place, &supervisor.logger);
    hold_signals(&supervisor);
    feeder_init(&supervisor.feeder);
    usec_t now_us = clock_monotonic_us(&supervisor.clock);
    recovery_init(&supervisor.recovery, supervisor.supervised.vitals, &supervisor.logger, now_us);
    take_stock(&supervisor, now_us);
    while (!turn(&supervisor, &end)) {
    }
    feeder_close(&supervisor.feeder, &supervisor.recovery, &supervisor.logger);
    unmap_regions(&supervisor.supervised);
    return end;
}

enum supervised_end supervisor_skip(size_t region_size, struct supervised_agent agent)
{
    struct supervised supervised = {.starts = 1};
    if (!map_regions(&supervised, region_size)) {
        return SUPERVISED_FAILED;
    }
    signals_hold();
    vitals_begin(supervised.vitals, RECOVERY_START_US);
    supervised.board = board_word();
    enum supervised_end end = agent.live(agent.context, &supervised);
    unmap_regions(&supervised);
    return end;
}
