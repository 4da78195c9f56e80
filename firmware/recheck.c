#include "recheck.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHECK_TIME_US (30 * USEC_PER_SEC)

void recheck_init(struct recheck *recheck, const char *path, const struct logger *logger,
                  bool (*check)(void *context, const struct logger *logger), void *context)
{
    *recheck = (struct recheck){.path = path, .logger = logger, .check = check, .context = context};
}

/* The parent may have died before the kernel was asked to tell. Not exit(): what the parent means
 * to do at its end is not the checker's. */
static _Noreturn void run_checker(const struct recheck *recheck, pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    bool good = getppid() == parent && recheck->check(recheck->context, recheck->logger);
    _exit(good ? 0 : 1);
}

static void fork_checker(struct recheck *recheck, usec_t now_us)
{
    pid_t parent = getpid();
    recheck->again = false;
    recheck->overdue = false;
    recheck->deadline_us = now_us + CHECK_TIME_US;
    recheck->checker = fork();
    if (recheck->checker == 0) {
        run_checker(recheck, parent);
    } else if (recheck->checker < 0) {
        recheck->checker = 0;
        logger_printf(recheck->logger, LOG_LEVEL_ERROR,
                      "%s cannot be checked (%s): the old configuration keeps running",
                      recheck->path, strerror(errno));
    }
}

void recheck_begin(struct recheck *recheck, usec_t now_us)
{
    if (recheck->checker) {
        recheck->again = true;
    } else if (strcmp(recheck->path, "-") == 0) {
        logger_printf(recheck->logger, LOG_LEVEL_ERROR,
                      "the configuration came from standard input and cannot be read again");
    } else {
        fork_checker(recheck, now_us);
    }
}

usec_t recheck_wake_us(const struct recheck *recheck)
{
    return recheck->checker && !recheck->overdue ? recheck->deadline_us : USEC_NEVER;
}

void recheck_step(struct recheck *recheck, usec_t now_us)
{
    if (now_us >= recheck_wake_us(recheck)) {
        recheck->overdue = true;
        kill(recheck->checker, SIGKILL);
    }
}

static enum recheck_end judge(const struct recheck *recheck, int status)
{
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        logger_printf(recheck->logger, LOG_LEVEL_INFO, "%s is good: restarting with it",
                      recheck->path);
        return RECHECK_GOOD;
    }
    logger_printf(recheck->logger, LOG_LEVEL_ERROR,
                  "%s %s: refused, the old configuration keeps running", recheck->path,
                  recheck->overdue ? "took too long to check" : "has errors");
    return RECHECK_BAD;
}

enum recheck_end recheck_reaped(struct recheck *recheck, pid_t pid, int status, usec_t now_us)
{
    if (!recheck->checker || pid != recheck->checker) {
        return RECHECK_OTHER;
    }
    recheck->checker = 0;
    if (recheck->again) {
        fork_checker(recheck, now_us);
        return recheck->checker ? RECHECK_AGAIN : RECHECK_BAD;
    }
    return judge(recheck, status);
}

void recheck_cancel(struct recheck *recheck)
{
    /* Not waited for: a process that hangs in the kernel would hold up the end of ours. */
    if (recheck->checker) {
        kill(recheck->checker, SIGKILL);
        recheck->checker = 0;
    }
}
