#include "site_command.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Words of a command line: the program and its arguments, split at blanks. */
enum { WORDS_MAX = 32 };

/* What could not be run at all, as a shell would say it. */
#define EXIT_NOT_RUN 127

static unsigned split(char *text, char **words)
{
    unsigned count = 0;
    char *next = text;
    while (count < WORDS_MAX) {
        next += strspn(next, " \t");
        if (*next == '\0') {
            break;
        }
        words[count++] = next;
        next += strcspn(next, " \t");
        if (*next != '\0') {
            *next++ = '\0';
        }
    }
    words[count] = NULL;
    return count;
}

/* The child: a group of its own, so that its end is the end of all it started. */
static _Noreturn void run(const char *line)
{
    char text[RECOVERY_ACTION_BYTES];
    char *words[WORDS_MAX + 1];
    sigset_t none;
    memcpy(text, line, sizeof text);
    text[sizeof text - 1] = '\0';
    (void)setpgid(0, 0);
    signal(SIGPIPE, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (split(text, words) > 0) {
        execv(words[0], words);
    }
    _exit(EXIT_NOT_RUN);
}

static void tell(struct vitals *vitals, uint32_t result)
{
    atomic_store(&vitals->mandate.action_result, result);
    atomic_fetch_add(&vitals->mandate.actions_done, 1);
}

static void begin(struct site_command *command, struct vitals *vitals, const struct logger *logger,
                  usec_t now_us)
{
    const struct site_command_settings *settings = &command->settings;
    if (settings->line[0] == '\0' || now_us < command->not_before_us) {
        return; /* whoever asks has not read it in the configuration */
    }
    command->pid = fork();
    if (command->pid == 0) {
        run(settings->line);
    }
    /* The agent counts its cooldown from a moment of its own. */
    if (command->pid > 0) {
        (void)setpgid(command->pid, command->pid); /* whoever comes first: both say the same */
    }
    command->not_before_us = now_us + settings->cooldown_us / 10 * 9;
    command->until_us = now_us + settings->timeout_us;
    if (command->pid < 0) {
        logger_printf(logger, LOG_LEVEL_ERROR, "site action: no process for %s (%s)",
                      settings->line, strerror(errno));
        command->pid = 0;
        tell(vitals, EXIT_NOT_RUN);
        return;
    }
    logger_printf(logger, LOG_LEVEL_WARNING, "site action: %s", settings->line);
}

usec_t site_command_step(struct site_command *command, struct vitals *vitals,
                         const struct logger *logger, usec_t now_us)
{
    uint32_t wanted = atomic_load(&vitals->actions_wanted);
    if (command->pid != 0) {
        if (now_us >= command->until_us) {
            kill(-command->pid, SIGKILL);
            command->until_us = USEC_NEVER;
        }
        return command->until_us;
    }
    if (wanted != command->asked) {
        command->asked = wanted;
        begin(command, vitals, logger, now_us);
    }
    return command->pid != 0 ? command->until_us : USEC_NEVER;
}

bool site_command_reaped(struct site_command *command, pid_t pid, int status, struct vitals *vitals,
                         const struct logger *logger)
{
    if (pid != command->pid || command->pid == 0) {
        return false;
    }
    uint32_t result =
        WIFSIGNALED(status) ? 256u + (uint32_t)WTERMSIG(status) : (uint32_t)WEXITSTATUS(status);
    command->pid = 0;
    logger_printf(logger, result == 0 ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR,
                  WIFSIGNALED(status) ? "site action: killed by signal %d"
                                      : "site action: ended with exit code %d",
                  WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    tell(vitals, result);
    return true;
}
