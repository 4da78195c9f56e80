#include "reload.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "buffer.h"

#define CHECK_TIME_US (30 * USEC_PER_SEC)
/* How soon it is asked again whether the checker, which has closed its stderr, has ended. */
#define END_POLL_US (10 * USEC_PER_MSEC)

extern char **environ;

void reload_init(struct reload *reload, const char *path, const struct logger *logger)
{
    *reload = (struct reload){.path = path, .logger = logger, .pipe = -1};
}

/* stdin and stdout lead nowhere, stderr to us; the signals we hold back reach it as usual. */
static int spawn_checker(struct reload *reload, int their_end)
{
    char *arguments[] = {"picketd", "check", (char *)(uintptr_t)reload->path, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, usual;
    if (posix_spawn_file_actions_init(&actions) != 0) {
        return ENOMEM;
    }
    if (posix_spawnattr_init(&attributes) != 0) {
        posix_spawn_file_actions_destroy(&actions);
        return ENOMEM;
    }
    sigemptyset(&none);
    sigemptyset(&usual);
    sigaddset(&usual, SIGPIPE);
    int error = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    error |= posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    error |= posix_spawn_file_actions_adddup2(&actions, their_end, STDERR_FILENO);
    error |= posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    error |= posix_spawnattr_setsigmask(&attributes, &none);
    error |= posix_spawnattr_setsigdefault(&attributes, &usual);
    error = error ? ENOMEM
                  : posix_spawn(&reload->checker, "/proc/self/exe", &actions, &attributes,
                                arguments, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

static int start_checker(struct reload *reload)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) {
        return errno;
    }
    int error = spawn_checker(reload, ends[1]);
    close(ends[1]);
    if (error) {
        close(ends[0]);
        return error;
    }
    reload->pipe = ends[0];
    return 0;
}

void reload_begin(struct reload *reload, usec_t now_us)
{
    if (reload->state != RELOAD_IDLE) {
        reload->again = reload->state == RELOAD_CHECKING;
        return;
    }
    if (strcmp(reload->path, "-") == 0) {
        logger_printf(reload->logger, LOG_LEVEL_ERROR,
                      "the configuration came from standard input and cannot be read again");
        return;
    }
    int error = start_checker(reload);
    if (error) {
        logger_printf(reload->logger, LOG_LEVEL_ERROR,
                      "%s cannot be checked (%s): the old configuration keeps running",
                      reload->path, strerror(error));
        return;
    }
    reload->state = RELOAD_CHECKING;
    reload->deadline_us = now_us + CHECK_TIME_US;
    reload->overdue = false;
    reload->again = false;
    reload->line_length = 0;
}

void reload_waits(const struct reload *reload, struct waits *waits, usec_t now_us)
{
    if (reload->state == RELOAD_CHECKING) {
        waits_add(waits, reload->pipe, POLLIN);
        waits_until(waits, reload->pipe >= 0 ? reload->deadline_us : now_us + END_POLL_US);
    }
}

static void log_line(struct reload *reload)
{
    char text[sizeof reload->line + 96];
    struct buffer out;
    buffer_init(&out, text, sizeof text);
    buffer_append_escaped(&out, reload->line, reload->line_length);
    if (reload->line_length > 0) {
        logger_printf(reload->logger, LOG_LEVEL_ERROR, "%s", buffer_text(&out));
    }
    reload->line_length = 0;
}

/* Lines over the limit are cut: the beginning has the file and the line. */
static void take_output(struct reload *reload, const char *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (bytes[i] == '\n') {
            log_line(reload);
        } else if (reload->line_length < sizeof reload->line) {
            reload->line[reload->line_length++] = bytes[i];
        }
    }
}

static void close_pipe(struct reload *reload)
{
    if (reload->pipe >= 0) {
        close(reload->pipe);
        reload->pipe = -1;
    }
}

/* A bounded share of what the checker says each turn; its end closes the pipe. */
static void read_output(struct reload *reload)
{
    char bytes[1024];
    ssize_t count = read(reload->pipe, bytes, sizeof bytes);
    if (count > 0) {
        take_output(reload, bytes, (size_t)count);
    } else if (count == 0 || (errno != EAGAIN && errno != EINTR)) {
        log_line(reload);
        close_pipe(reload);
    }
}

static void judge(struct reload *reload, int status, usec_t now_us)
{
    reload->state = RELOAD_IDLE;
    if (reload->again) {
        reload_begin(reload, now_us);
    } else if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        logger_printf(reload->logger, LOG_LEVEL_INFO, "%s is good: restarting with it",
                      reload->path);
        reload->state = RELOAD_GOOD;
    } else {
        logger_printf(reload->logger, LOG_LEVEL_ERROR,
                      "%s %s: refused, the old configuration keeps running", reload->path,
                      reload->overdue ? "took too long to check" : "has errors");
    }
}

void reload_step(struct reload *reload, const struct waits *ready, usec_t now_us)
{
    if (reload->state != RELOAD_CHECKING) {
        return;
    }
    if (reload->pipe >= 0 && waits_ready(ready, reload->pipe)) {
        read_output(reload);
    }
    if (now_us >= reload->deadline_us && !reload->overdue) {
        reload->overdue = true;
        kill(reload->checker, SIGKILL);
        close_pipe(reload);
    }
    int status;
    if (reload->pipe < 0 && waitpid(reload->checker, &status, WNOHANG) == reload->checker) {
        judge(reload, status, now_us);
    }
}

void reload_cancel(struct reload *reload)
{
    /* Not waited for: a process that hangs in the kernel would hold up the end of ours. */
    if (reload->state == RELOAD_CHECKING) {
        kill(reload->checker, SIGKILL);
        close_pipe(reload);
    }
    reload->state = RELOAD_IDLE;
}
