/* Why a run of the agent ended: the words for it, and the verdict of those who were not there.
 *
 * A parent that watched knows, and says so. After the parent is gone too (the machine went down, or
 * somebody killed both) the next run judges by what is left: the store's last checkpoint, the
 * identity of the boot, and what the board says of its last reset. What cannot be told apart is
 * `unknown`, and never called a watchdog. Pure; no state. */
#ifndef PICKET_CAUSE_H
#define PICKET_CAUSE_H

#include "vitals.h"

/* The value is the code on disk and picks a counter: never changed, never reused. */
enum cause {
    CAUSE_NONE = 0,        /* there was no run before, or it could not even start */
    CAUSE_STOP = 1,        /* asked to: SIGTERM or SIGINT */
    CAUSE_RELOAD = 2,      /* a new configuration */
    CAUSE_CRASH = 3,       /* a signal, or an exit nobody asked for */
    CAUSE_HANG = 4,        /* a task made no progress, and the supervisor killed it */
    CAUSE_MEMORY = 5,      /* over its limit, or killed by the kernel for want of memory */
    CAUSE_DESCRIPTORS = 6, /* over its limit of open files */
    CAUSE_SUPERVISOR = 7,  /* the supervisor died, and the agent with it */
    CAUSE_WATCHDOG = 8,    /* the board was reset by its watchdog */
    CAUSE_POWER = 9,       /* the machine went down without a word: power cut, or kernel crash */
    CAUSE_UNKNOWN = 10,
    CAUSE_COUNT
};

/* How one run ended. Fixed size, pointer-free, kept in checkpoints. */
struct run_end {
    enum cause cause;
    uint8_t signal;    /* that killed it; 0: none, or not known */
    uint8_t exit_code; /* when it ended by itself */
    uint8_t task;      /* enum vital_task that stood still, VITAL_NONE: none */
    uint32_t target;   /* the ledger's id of the target in hand; 0: none, or not known */
    usec_t ran_us;     /* 0: not known */
    int64_t unix_ms;   /* when the next run began; 0: not known */
};

/* Runs whose ends are remembered. */
#define CAP_RUN_ENDS 6

/* What is left when nobody watched. */
enum board_word {
    BOARD_SILENT,   /* no watchdog there that could have bitten */
    BOARD_MUTE,     /* there is one, and its driver does not say what reset the board */
    BOARD_WATCHDOG, /* it says: the watchdog did */
    BOARD_POWER,    /* it says: the power did, or the heat; or: not the watchdog */
};

struct cause_evidence {
    bool has_store;      /* a run before is known of */
    bool clean;          /* it stopped in order … */
    enum cause said;     /* … and said why */
    bool same_boot;      /* the machine has been up since */
    bool had_supervisor; /* this run has one, so that one had too */
    enum board_word board;
};

enum cause cause_judge(const struct cause_evidence *evidence);

/* "stop", "crash" …; label values: never changed, never reused. "none" for CAUSE_NONE. */
const char *cause_name(enum cause cause);

/* "SIGSEGV", "signal 34"; "" for 0. `text` needs CAUSE_SIGNAL_BYTES. */
#define CAUSE_SIGNAL_BYTES 16
const char *cause_signal_name(unsigned signal, char text[CAUSE_SIGNAL_BYTES]);

/* "hang of task loop, SIGABRT", "crash, SIGSEGV", "crash, exit code 3", "power": for people. The
 * target is the caller's to name. */
#define CAUSE_TEXT_BYTES 96
const char *cause_describe(const struct run_end *end, char text[CAUSE_TEXT_BYTES]);

#endif
