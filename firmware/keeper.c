#include "keeper.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

void keeper_init(struct keeper *keeper, const struct kept_place *place, const struct logger *logger)
{
    *keeper = (struct keeper){.place = place, .logger = logger};
}

/* The parent may have died before the kernel was asked to tell. Not exit(): what the parent means
 * to do at its end is not the writer's. */
static _Noreturn void run_writer(const struct keeper *keeper, pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() == parent) {
        kept_write(keeper->place, keeper->texts, keeper->logger);
    }
    _exit(0);
}

static void fork_writer(struct keeper *keeper)
{
    pid_t parent = getpid();
    keeper->again = false;
    keeper->writer = fork();
    if (keeper->writer == 0) {
        run_writer(keeper, parent);
    } else if (keeper->writer < 0) {
        keeper->writer = 0;
        logger_printf(keeper->logger, LOG_LEVEL_WARNING,
                      "the last known good configuration will not outlive the parent: %s",
                      strerror(errno));
    }
}

void keeper_keep(struct keeper *keeper, const struct config_texts *texts)
{
    keeper->texts = texts;
    if (keeper->writer) {
        keeper->again = true;
    } else if (keeper->place) {
        fork_writer(keeper);
    }
}

bool keeper_reaped(struct keeper *keeper, pid_t pid)
{
    if (!keeper->writer || pid != keeper->writer) {
        return false;
    }
    keeper->writer = 0;
    if (keeper->again) {
        fork_writer(keeper);
    }
    return true;
}
