/* The ladder: what the supervisor does about an agent that hangs, crashes, leaks or is starved, and
 * when the watchdog is fed. Pure: time, the vitals and the ends of processes come in, orders go
 * out; the same code runs in the supervisor of a board and in the simulator.
 *
 * Level 2, the process. A task whose row is armed and stands still longer than its limit, memory or
 * descriptors over their limit: SIGABRT, `abort` later SIGKILL, and a new life after a back-off.
 * Time in which this side did not run either (the machine was suspended, or starved) does not
 * count. (Levels 0 and 1, the probe and the subsystem, are the agent's own: agent_care.c.)
 *
 * Level 3, safe mode. After `restarts` ends within `restart_window` the next life runs the last
 * known good configuration and of its probes only the canary. When that was well for `safe` the
 * groups of probes are let back in, one each `step`. An end meanwhile suspends the group that came
 * last, and begins level 3 again; after `exits` of those it stays as it is, with what has proved
 * itself, and tries the suspended groups again after a day.
 *
 * Which configuration a life runs, the file's or the last known good one, is for rollout.h to say.
 *
 * Level 4, the reset, only when asked for (`reboot`), and only while the agent's record allows one:
 * instead of staying, one more life of the canary alone is started and stopped in order, which puts
 * the reset on record; then the watchdog is not fed any more. A life that cannot do that ends the
 * matter: what cannot be counted is not done.
 *
 * Feeding. Only in a turn that found every armed row fresh, and never while a life is being ended,
 * or once a wanted reset is on record. Between two lives there is no task to prove itself: the
 * ladder does, by going on. A watchdog that resets the board is started only once the agent says
 * that its start is on record and that the budget of resets has one left; so no reset goes
 * uncounted. When the budget is used up it is stopped; one that cannot be stopped is fed on.
 *
 * What it is not: a judge of targets or of the uplink. Of neither it knows more than that a push
 * was accepted, which proves a configuration.
 *
 * Memory: about 4 KiB, no heap. Thread rule: one thread. */
#ifndef PICKET_RECOVERY_H
#define PICKET_RECOVERY_H

#include "cause.h"
#include "respawn.h"
#include "rollout.h"
#include "watchdog.h"

/* The longest command of a site action, its NUL included. */
#define RECOVERY_ACTION_BYTES 512
/* The longest ring of restarts that can be asked for. */
#define RECOVERY_RESTARTS_MAX 32
/* A life must get from its birth to its loop within this. */
#define RECOVERY_START_US (60 * USEC_PER_SEC)
/* A life that is to stop may take this long. */
#define RECOVERY_STOP_US (20 * USEC_PER_SEC)
/* From the decision to reset the board until that is on record. */
#define RECOVERY_RECORD_US (2 * USEC_PER_MINUTE)
/* Suspended groups are tried again. */
#define RECOVERY_RETRY_US USEC_PER_DAY

/* From [watchdog], checked at load (recovery_settings_of(), config_watchdog.c). */
struct recovery_settings {
    enum watchdog_owner owner;
    char device[64];   /* WATCHDOG_OWNER_DEVICE: its path */
    usec_t timeout_us; /* asked of the watchdog */
    usec_t feed_us;    /* between two feedings */
    usec_t hang_us;    /* the loop may be silent */
    usec_t abort_us;   /* from SIGABRT to SIGKILL */
    unsigned restarts; /* within restart_window: then safe mode */
    usec_t restart_window_us;
    usec_t safe_us, step_us;
    unsigned exits;
    bool reboot;
    uint64_t memory_bytes; /* resident; 0: no limit */
    unsigned descriptors;  /* 0: no limit */
    bool pushes;           /* there is a [push] */
    usec_t rollback_us;    /* silence of a configuration on trial; 0: is no reason to leave it */
};

enum recovery_phase {
    RECOVERY_NORMAL,
    RECOVERY_SAFE,      /* the canary alone */
    RECOVERY_REJOINING, /* groups are let back in */
    RECOVERY_STAYING,   /* gave up on leaving safe mode; alarm */
    RECOVERY_RESETTING, /* the board is to be reset */
    RECOVERY_PHASE_COUNT
};

enum recovery_kill {
    RECOVERY_SPARE,
    RECOVERY_LEAVE, /* ask it to leave, for a life with the other configuration */
    RECOVERY_STOP,  /* ask it to stop */
    RECOVERY_ABORT, /* SIGABRT */
    RECOVERY_KILL   /* SIGKILL */
};

/* What to do now. Each is given once. */
struct recovery_orders {
    enum recovery_kill kill;         /* the life */
    bool start;                      /* a new life */
    bool use_good;                   /* … with the last known good configuration */
    bool keep_good;                  /* the configuration of this life has proved itself */
    bool arm, feed, trigger, disarm; /* the watchdog */
    usec_t wake_us;
};

/* What a life takes up; 0: not known. */
struct recovery_usage {
    uint64_t memory_bytes;
    unsigned descriptors;
};

/* A row as the supervisor saw it. */
struct vital_watch {
    uint32_t progress;
    bool armed;
    usec_t since_us; /* of the last change */
};

enum recovery_life { LIFE_NONE, LIFE_RUNNING, LIFE_STOPPING, LIFE_ABORTED, LIFE_KILLED };

struct recovery {
    struct recovery_settings settings; /* zero until a life has told them */
    struct vitals *vitals;
    const struct logger *logger;
    enum recovery_phase phase;
    enum recovery_life life;
    usec_t born_us, told_us, respawn_us, phase_us; /* told: when it was last told to end */
    bool ending;                                   /* no life follows this one */
    bool ran;                                      /* this life got to run */
    struct run_end doom; /* why this life is being ended; cause NONE: it is not */
    struct respawn respawn;

    usec_t restarts_us[RECOVERY_RESTARTS_MAX];
    unsigned restart_count; /* of them, the newest last, all within the window */

    uint32_t admitted, suspended; /* groups */
    int newest_group;             /* let in last; -1: none */
    usec_t step_us;               /* when that was */
    usec_t suspended_us;          /* when one was last suspended */
    unsigned failed_exits;

    struct rollout rollout;
    bool mended; /* somebody mended the file: what comes after this life begins anew */

    bool armed;         /* the watchdog runs */
    bool changed;       /* it runs, and another was asked for: fed on until that one runs */
    bool found_running; /* before anybody here started it */
    bool refused;       /* it could not be started: tried again at arm_again_us */
    struct watchdog_grant grant;
    usec_t arm_again_us, fed_us;
    bool reset_noted;  /* the last life before the reset has put it on record */
    bool triggered;    /* … and the watchdog was asked for it */
    bool file_refused; /* said of the life whose end is about to be told */

    usec_t looked_us; /* the last turn */
    struct vital_watch watches[VITAL_COUNT];
    uint32_t resources_over; /* turns in a row */
};

/* `vitals` and `logger` are borrowed. The vitals' mandate is written from here on. */
void recovery_init(struct recovery *recovery, struct vitals *vitals, const struct logger *logger,
                   usec_t now_us);
/* The settings of the life that has just read its configuration. */
void recovery_configure(struct recovery *recovery, const struct recovery_settings *settings);
/* … and what it runs. A file may have been changed without a word to anybody. Members of `runs`
 * that the settings have need not be set. */
void recovery_runs(struct recovery *recovery, struct rollout_runs runs, usec_t now_us);
/* A good configuration is kept from before; `pushes`: it has a [push]. */
void recovery_found_good(struct recovery *recovery, bool pushes);
/* The board's watchdog runs already: whoever started it is gone, so it is taken over at once. */
void recovery_found_running(struct recovery *recovery);
/* The order to start was carried out. */
void recovery_born(struct recovery *recovery, usec_t now_us);
/* … or could not be: no process to be had. */
void recovery_not_born(struct recovery *recovery, usec_t now_us);
/* A life has ended. `end` has what the process' status says: cause STOP, RELOAD, CRASH or MEMORY,
 * or NONE for one that could not start. Returns why it really ended. */
struct run_end recovery_gone(struct recovery *recovery, const struct run_end *end, usec_t now_us);
/* Before recovery_gone(): the life found errors in the configuration's file, or cannot open what it
 * names. The next one does with the last known good one. */
void recovery_file_refused(struct recovery *recovery);
/* Somebody asked for the end: no other life follows, and this one has RECOVERY_STOP_US. */
void recovery_stop(struct recovery *recovery, usec_t now_us);
/* Somebody mended the configuration: the life there is was told to leave for it; or there is none,
 * and the next one does not wait for the back-off. All begins anew. */
void recovery_mended(struct recovery *recovery, usec_t now_us);

/* One turn. */
struct recovery_orders recovery_step(struct recovery *recovery, const struct recovery_usage *usage,
                                     usec_t now_us);

/* How the orders about the watchdog went. A watchdog that was to be disarmed and cannot be is fed
 * on. */
void recovery_runs_on(struct recovery *recovery);
void recovery_armed(struct recovery *recovery, enum error error, const struct watchdog_grant *grant,
                    usec_t now_us);

/* Between two looks at the vitals. */
usec_t recovery_look_us(const struct recovery *recovery);

/* "normal", "safe", "rejoining", "staying", "resetting"; label values. */
const char *recovery_phase_name(enum recovery_phase phase);

/* From the configuration, which was checked. */
struct config;
void recovery_settings_of(const struct config *config, struct recovery_settings *settings);

#endif
