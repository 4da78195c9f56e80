#define _POSIX_C_SOURCE 200809L
#include "crash_case.h"

#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct crash_case crash_now;
struct crash_case crash_wanted = {.seed = CRASH_ALL,
                                  .point = CRASH_ALL,
                                  .cut = CRASH_ALL,
                                  .point2 = CRASH_ALL,
                                  .cut2 = CRASH_ALL};
uint64_t crash_states;

static const char *const mode_names[] = {
    [MODE_STATES] = "states", [MODE_FAULTS] = "faults", [MODE_ROT] = "rot"};

const char *crash_mode_name(enum crash_mode mode)
{
    return mode_names[mode];
}

/* In one write, so that lines of two processes do not mix. */
static _Noreturn void tell(const char *invariant, const char *what)
{
    char line[1024];
    char slots[32] = "";
    if (crash_now.slots > 0) {
        (void)snprintf(slots, sizeof slots, "--slots %u ", crash_now.slots);
    }
    int size = snprintf(line, sizeof line,
                        "FAIL %s: %s; replay: crash %s--replay %s,%" PRIu64 ",%" PRIu64 ",%" PRIu64,
                        invariant, what, slots, crash_mode_name(crash_now.mode), crash_now.seed,
                        crash_now.point, crash_now.cut);
    if (crash_now.point2 != CRASH_ALL && size > 0 && (size_t)size < sizeof line) {
        size += snprintf(line + size, sizeof line - (size_t)size, ",%" PRIu64 ",%" PRIu64,
                         crash_now.point2, crash_now.cut2);
    }
    size_t length = strnlen(line, sizeof line - 2);
    line[length++] = '\n';
    ssize_t written = write(STDOUT_FILENO, line, length);
    _exit(written == (ssize_t)length ? 1 : 2);
}

void crash_fail(const char *invariant, const char *format, ...)
{
    char what[512];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    tell(invariant, what);
}

/* Not safe in a handler by the letter; the process is lost anyway and has one thread. */
static void on_signal(int number)
{
    if (number == SIGALRM) {
        tell("I6", "a case does not end");
    }
    tell("I7", number == SIGABRT ? "an assert failed, or a sanitizer found something"
                                 : "the store crashed");
}

void crash_watch_signals(void)
{
    static const int numbers[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGALRM};
    for (unsigned i = 0; i < ARRAY_LEN(numbers); i++) {
        struct sigaction action = {.sa_handler = on_signal};
        (void)sigaction(numbers[i], &action, NULL);
    }
}

void crash_begins(void)
{
    (void)alarm(60);
}

bool crash_parse(const char *text, struct crash_case *out)
{
    char mode[16];
    int consumed = 0;
    *out = (struct crash_case){.point2 = CRASH_ALL, .cut2 = CRASH_ALL};
    if (sscanf(text, "%15[a-z],%" SCNu64 ",%" SCNu64 ",%" SCNu64 "%n", mode, &out->seed,
               &out->point, &out->cut, &consumed) != 4) {
        return false;
    }
    text += consumed;
    if (*text != '\0') {
        consumed = 0;
        if (sscanf(text, ",%" SCNu64 ",%" SCNu64 "%n", &out->point2, &out->cut2, &consumed) != 2 ||
            text[consumed] != '\0') {
            return false;
        }
    }
    for (int i = 0; i < MODE_COUNT; i++) {
        if (strcmp(mode, mode_names[i]) == 0) {
            out->mode = (enum crash_mode)i;
            return true;
        }
    }
    return false;
}
