#include "procd.h"

#include <ctype.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* instance_watchdog_mode_t of procd's service/instance.h. The third, "active", is not made yet. */
enum { MODE_OFF = 0, MODE_PASSIVE = 1 };

enum { ARGUMENT_BYTES = 3 * PROCD_NAME_BYTES };

/* What could not be run at all, as a shell would say it. */
#define EXIT_NOT_RUN 127

static const char *find_program(void)
{
    static const char *const places[] = {"/bin/ubus", "/usr/bin/ubus", "/sbin/ubus",
                                         "/usr/sbin/ubus"};

    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        if (access(places[i], X_OK) == 0) {
            return places[i];
        }
    }
    return NULL;
}

/* Nothing that would have to be escaped in JSON, nor anything too long to be kept. */
static bool is_name(const char *text)
{
    size_t length = strlen(text);

    for (size_t i = 0; i < length; i++) {
        if (isalnum((unsigned char)text[i]) == 0 && strchr("._-", text[i]) == NULL) {
            return false;
        }
    }
    return length > 0 && length < PROCD_NAME_BYTES;
}

static void set_name(char name[PROCD_NAME_BYTES], const char *variable, const char *otherwise)
{
    const char *given = getenv(variable);
    const char *text = given != NULL ? given : otherwise;

    (void)snprintf(name, PROCD_NAME_BYTES, "%s", is_name(text) ? text : "");
}

/* The child. Our signals are held back or ignored, which a program that is started would inherit;
 * its output is nobody's. */
static _Noreturn void run(const char *program, char *const arguments[])
{
    sigset_t none;
    int null = open("/dev/null", O_RDWR);

    if (null >= 0) {
        (void)dup2(null, STDIN_FILENO);
        (void)dup2(null, STDOUT_FILENO);
    }
    if (null > STDERR_FILENO) {
        (void)close(null);
    }
    (void)signal(SIGPIPE, SIG_DFL);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)execv(program, arguments);
    _exit(EXIT_NOT_RUN);
}

/* Not posix_spawn(3), which takes from the heap for what it is to open. */
static bool spawn(pid_t *pid, const char *program, char *const arguments[])
{
    if (access(program, X_OK) != 0) {
        return false;
    }
    *pid = fork();
    if (*pid == 0) {
        run(program, arguments);
    }
    return *pid > 0;
}

/* One call at a time, so that a ubus that hangs does not pile up processes. */
static bool call(struct procd *state, int mode, unsigned timeout_s)
{
    char argument[ARGUMENT_BYTES];
    char words[4][16] = {"ubus", "call", "service", "watchdog"};
    char *const arguments[] = {words[0], words[1], words[2], words[3], argument, NULL};
    const char *program = state->program != NULL ? state->program : find_program();

    if (state->call > 0) {
        (void)kill(state->call, SIGKILL);
        state->call = 0;
        state->failures++;
    }
    (void)snprintf(argument, sizeof argument,
                   "{\"name\":\"%s\",\"instance\":\"%s\",\"mode\":%d,\"timeout\":%u}",
                   state->service, state->instance, mode, timeout_s);
    if (program == NULL || !spawn(&state->call, program, arguments)) {
        state->call = 0;
        state->failures++;
        return false;
    }
    return true;
}

static enum error start(void *context, usec_t timeout_us, struct watchdog_grant *grant)
{
    struct procd *state = context;
    usec_t seconds = (timeout_us + USEC_PER_SEC - 1) / USEC_PER_SEC;

    memset(grant, 0, sizeof *grant);
    if (state->service[0] == '\0' || state->instance[0] == '\0') {
        (void)snprintf(grant->note, sizeof grant->note,
                       "PICKET_PROCD_SERVICE and PICKET_PROCD_INSTANCE hold no names of procd's");
        return ERROR_INVALID;
    }
    if (state->program == NULL && find_program() == NULL) {
        (void)snprintf(grant->note, sizeof grant->note,
                       "there is no ubus here: this is no OpenWrt");
        return ERROR_MISSING;
    }
    /* procd counts the milliseconds in an int. */
    state->timeout_s = (unsigned)usec_max(1, usec_min(seconds, INT32_MAX / 1000));
    if (!call(state, MODE_PASSIVE, state->timeout_s)) {
        state->timeout_s = 0;
        (void)snprintf(grant->note, sizeof grant->note, "ubus could not be started");
        return ERROR_IO;
    }
    grant->timeout_us = state->timeout_s * USEC_PER_SEC;
    grant->can_stop = true;
    (void)snprintf(grant->note, sizeof grant->note, "procd, %u s for %s of %s", state->timeout_s,
                   state->instance, state->service);
    return ERROR_NONE;
}

static void feed(void *context)
{
    struct procd *state = context;

    if (state->timeout_s > 0) {
        (void)call(state, MODE_PASSIVE, state->timeout_s);
    }
}

/* The timeout goes along: procd keeps it, and 0 would be no harmless one to keep. */
static bool stop(void *context)
{
    struct procd *state = context;

    if (state->timeout_s > 0) {
        (void)call(state, MODE_OFF, state->timeout_s);
        state->timeout_s = 0;
    }
    return true;
}

static void trigger(void *context)
{
    (void)context;
}

struct watchdog watchdog_procd(struct procd *state, const char *program)
{
    *state = (struct procd){.program = program};
    set_name(state->service, "PICKET_PROCD_SERVICE", "picketd");
    set_name(state->instance, "PICKET_PROCD_INSTANCE", "instance1");
    return (struct watchdog){
        .context = state, .start = start, .feed = feed, .stop = stop, .trigger = trigger};
}

bool procd_reaped(struct procd *state, pid_t pid, int status)
{
    if (pid <= 0 || pid != state->call) {
        return false;
    }
    state->call = 0;
    state->failures = WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : state->failures + 1;
    return true;
}
