/* One page of memory between the agent and its supervisor: signs of life one way, a mandate the
 * other.
 *
 * Each task of the agent has a row. A row is armed only while its task has work, and then says how
 * long its progress may stand still; progress is a counter that must change, so a task that does
 * the same thing over and over, or a timer that fires, proves nothing. Success is not asked for: a
 * probe that timed out and a push that was refused are progress.
 *
 * The supervisor looks at rows by its own clock and never trusts one of the agent: what it reads
 * here is checked before it is used. Every member is one word, written by one side only, so that
 * either side may be killed between any two instructions.
 *
 * Memory: about 8 KiB. Thread rule: each row has one writing thread. */
#ifndef PICKET_VITALS_H
#define PICKET_VITALS_H

#include <stdatomic.h>

#include "base.h"
#include "caps.h"

/* The value is the code on disk: never changed, never reused. */
enum vital_task {
    VITAL_START = 0,    /* from its birth until the loop turns */
    VITAL_LOOP = 1,     /* the event loop; `subject` is the target it is stepping */
    VITAL_SCHEDULE = 2, /* armed while due starts wait to be made */
    VITAL_RUNS = 3,     /* armed while probes run; stands still when one has no end */
    VITAL_STORE = 4,    /* armed while the device of the store works */
    VITAL_PUSH = 5,     /* armed while a push is under way */
    VITAL_WORKER = 6,   /* + a target: the thread that speaks to its Modbus endpoint */
    VITAL_COUNT = VITAL_WORKER + CAP_TARGETS,
    VITAL_NONE = 255 /* in a run_end; every worker's row stands there as VITAL_WORKER */
};

#define VITALS_CAUSES  16 /* causes there is room for */
#define VITALS_REASONS 3  /* reasons to leave a configuration */
/* Probes are let back in by groups: the first to the last eighth of the file. */
#define VITALS_GROUPS 8

/* Whether a watchdog may reset the board. */
enum vitals_resets {
    RESETS_UNDECIDED, /* how this life came to be is not on record yet */
    RESETS_ALLOWED,   /* it is, and the budget has one left */
    RESETS_USED_UP,
};

struct vital {
    _Atomic uint32_t progress;
    _Atomic uint32_t limit_ms; /* 0: at rest */
    _Atomic uint32_t subject;  /* target + 1; 0: none */
};

/* What the supervisor does with the agent, for its decisions and its status page. Told before a
 * life begins; `phase`, `safe`, `barred`, `armed` and `granted_ms` may change during it. All 0:
 * nobody does anything. */
struct mandate {
    _Atomic uint32_t phase;      /* enum recovery_phase */
    _Atomic uint32_t safe;       /* 1: the canary runs, whatever group it is in */
    _Atomic uint32_t barred;     /* bit per group of probes that may not run */
    _Atomic uint32_t good;       /* 1: it runs the last known good configuration … */
    _Atomic uint32_t left_for;   /* … and this is why: enum rollout_reason */
    _Atomic uint32_t armed;      /* 1: a watchdog is running and being fed */
    _Atomic uint32_t granted_ms; /* the timeout that was granted */
    /* Ends by cause since the supervisor began. The agent counts those it has not counted yet. */
    _Atomic uint32_t ends[VITALS_CAUSES];
    /* Likewise: how often the file's configuration was left, by enum rollout_reason. */
    _Atomic uint32_t rollbacks[VITALS_REASONS];
    /* Site actions that have ended, and how the last one did: an exit code, or 256 + a signal. */
    _Atomic uint32_t actions_done, action_result;
};

struct vitals {
    struct vital rows[VITAL_COUNT];
    _Atomic uint32_t row_end;     /* rows from here on were never armed */
    _Atomic uint32_t running;     /* 1: totals are known and probes run */
    _Atomic uint32_t resets;      /* enum vitals_resets */
    _Atomic uint32_t leave_cause; /* enum cause; what a stop that is asked for is to be noted as;
                                     the supervisor's word */
    _Atomic uint32_t workers_replaced; /* in this life: threads that were written off */
    _Atomic uint32_t pushes_accepted;  /* in this life */
    _Atomic uint32_t pushes_failed;    /* … before the first that was accepted */
    _Atomic uint32_t judged;         /* 1: how the run before this supervisor ended was taken up */
    _Atomic uint32_t actions_wanted; /* site actions asked for since the supervisor began */
    _Atomic uint32_t ids[CAP_TARGETS];       /* of the targets in the ledger; 0: not known yet */
    _Atomic uint32_t counted[VITALS_CAUSES]; /* of mandate.ends … */
    _Atomic uint32_t rollbacks_counted[VITALS_REASONS]; /* … and mandate.rollbacks */
    struct mandate mandate;
};

static inline uint32_t vitals_get(const _Atomic uint32_t *word)
{
    return atomic_load_explicit((_Atomic uint32_t *)(uintptr_t)word, memory_order_relaxed);
}
static inline void vitals_set(_Atomic uint32_t *word, uint32_t value)
{
    atomic_store_explicit(word, value, memory_order_relaxed);
}

/* A new life: all rows at rest but VITAL_START, which may take `limit`. Counts and mandate stay. */
void vitals_begin(struct vitals *vitals, usec_t limit_us);

/* Work begins, or begins anew: it may stand still for `limit`, rounded up to a millisecond. */
void vital_arm(struct vitals *vitals, unsigned row, usec_t limit_us);
/* A sign of life. */
static inline void vital_progress(struct vitals *vitals, unsigned row)
{
    atomic_fetch_add_explicit(&vitals->rows[row].progress, 1, memory_order_relaxed);
}
/* Nothing to do any more. */
void vital_rest(struct vitals *vitals, unsigned row);
static inline bool vital_is_armed(const struct vitals *vitals, unsigned row)
{
    return atomic_load_explicit(&vitals->rows[row].limit_ms, memory_order_relaxed) > 0;
}
/* What is in hand: a target, or -1. */
static inline void vital_hold(struct vitals *vitals, unsigned row, int target)
{
    atomic_store_explicit(&vitals->rows[row].subject, (uint32_t)(target + 1), memory_order_relaxed);
}

/* "start", "loop", … "worker"; label values. VITAL_NONE and what is not known: "none". */
const char *vital_name(unsigned row);

#endif
