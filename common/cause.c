#include "cause.h"

#include "buffer.h"

static const char *const names[CAUSE_COUNT] = {
    [CAUSE_NONE] = "none",
    [CAUSE_STOP] = "stop",
    [CAUSE_RELOAD] = "reload",
    [CAUSE_CRASH] = "crash",
    [CAUSE_HANG] = "hang",
    [CAUSE_MEMORY] = "memory",
    [CAUSE_DESCRIPTORS] = "descriptors",
    [CAUSE_SUPERVISOR] = "supervisor",
    [CAUSE_WATCHDOG] = "watchdog",
    [CAUSE_POWER] = "power",
    [CAUSE_UNKNOWN] = "unknown",
};

const char *cause_name(enum cause cause)
{
    return names[cause];
}

/* The agent alone, without a witness, can have gone in any way. */
static enum cause judge_same_boot(const struct cause_evidence *evidence)
{
    return evidence->had_supervisor ? CAUSE_SUPERVISOR : CAUSE_UNKNOWN;
}

static enum cause judge_new_boot(const struct cause_evidence *evidence)
{
    switch (evidence->board) {
    case BOARD_WATCHDOG:
        return CAUSE_WATCHDOG;
    case BOARD_POWER:
    case BOARD_SILENT:
        return CAUSE_POWER;
    case BOARD_MUTE:
        break;
    }
    return CAUSE_UNKNOWN;
}

enum cause cause_judge(const struct cause_evidence *evidence)
{
    if (!evidence->has_store) {
        return CAUSE_NONE;
    }
    bool no_reset = evidence->same_boot && evidence->said == CAUSE_WATCHDOG;
    if (evidence->clean && !no_reset) {
        return evidence->said != CAUSE_NONE ? evidence->said : CAUSE_STOP;
    }
    return evidence->same_boot ? judge_same_boot(evidence) : judge_new_boot(evidence);
}

/* Numbers of signals differ between machines for some; these are the same on all that Linux runs
 * on but MIPS, where the name would be wrong and the end is still a crash. */
const char *cause_signal_name(unsigned signal, char text[CAUSE_SIGNAL_BYTES])
{
    static const char *const known[] = {
        [1] = "SIGHUP",   [2] = "SIGINT",   [3] = "SIGQUIT",  [4] = "SIGILL",   [5] = "SIGTRAP",
        [6] = "SIGABRT",  [7] = "SIGBUS",   [8] = "SIGFPE",   [9] = "SIGKILL",  [10] = "SIGUSR1",
        [11] = "SIGSEGV", [12] = "SIGUSR2", [13] = "SIGPIPE", [14] = "SIGALRM", [15] = "SIGTERM",
        [24] = "SIGXCPU", [25] = "SIGXFSZ", [31] = "SIGSYS",
    };
    struct buffer out;
    buffer_init(&out, text, CAUSE_SIGNAL_BYTES);
    if (signal < ARRAY_LEN(known) && known[signal] != NULL) {
        buffer_append_string(&out, known[signal]);
    } else if (signal > 0) {
        buffer_printf(&out, "signal %u", signal);
    }
    return buffer_text(&out);
}

const char *cause_describe(const struct run_end *end, char text[CAUSE_TEXT_BYTES])
{
    struct buffer out;
    char signal[CAUSE_SIGNAL_BYTES];
    buffer_init(&out, text, CAUSE_TEXT_BYTES);
    buffer_append_string(&out, cause_name(end->cause));
    if (end->task != VITAL_NONE) {
        buffer_printf(&out, " of task %s", vital_name(end->task));
    }
    if (end->signal > 0) {
        buffer_printf(&out, ", %s", cause_signal_name(end->signal, signal));
    } else if (end->cause == CAUSE_CRASH) {
        buffer_printf(&out, ", exit code %u", end->exit_code);
    }
    return buffer_text(&out);
}
