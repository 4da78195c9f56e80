#include "procd.h"

#include <ctype.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* instance_watchdog_mode_t of procd's service/instance.h. The third, "active", is not made yet. */
enum { MODE_OFF = 0, MODE_PASSIVE = 1 };

enum { ARGUMENT_BYTES = 3 * PROCD_NAME_BYTES };

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

/* Our signals are held back or ignored, which a program that is started would inherit. Its output
 * is nobody's. */
static bool spawn(pid_t *pid, const char *program, char *const arguments[])
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t none, broken_pipe;
    bool spawned = false;

    if (posix_spawn_file_actions_init(&files) != 0) {
        return false;
    }
    (void)sigemptyset(&none);
    (void)sigemptyset(&broken_pipe);
    (void)sigaddset(&broken_pipe, SIGPIPE);
    if (posix_spawnattr_init(&attributes) == 0) {
        (void)posix_spawnattr_setsigmask(&attributes, &none);
        (void)posix_spawnattr_setsigdefault(&attributes, &broken_pipe);
        (void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
        spawned = posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0) == 0 &&
                  posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0) == 0 &&
                  posix_spawn(pid, program, &files, &attributes, arguments, environ) == 0;
        (void)posix_spawnattr_destroy(&attributes);
    }
    (void)posix_spawn_file_actions_destroy(&files);
    return spawned;
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
