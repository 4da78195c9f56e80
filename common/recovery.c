/* Lives and the turn: a turn looks at the life, moves it along its end if it has one, then at the
 * phase, then at the watchdog. */
#include <assert.h>
#include <string.h>

#include "recovery_parts.h"

/* Looks within the time the loop may be silent, so that a hang is seen no later than a tenth past
 * it. */
#define LOOKS_PER_HANG 20

void recovery_init(struct recovery *recovery, struct vitals *vitals, const struct logger *logger,
                   usec_t now_us)
{
    memset(recovery, 0, sizeof *recovery);
    recovery->vitals = vitals;
    recovery->logger = logger;
    recovery->respawn_us = now_us;
    recovery->phase_us = now_us;
    recovery->looked_us = now_us;
    recovery->newest_group = -1;
    rollout_init(&recovery->rollout, logger);
    recovery->settings.hang_us = 5 * USEC_PER_SEC; /* until the first life has read its own */
    recovery->settings.abort_us = 2 * USEC_PER_SEC;
    recovery_tell_mandate(recovery);
}

/* A watchdog that runs is not left alone: what has changed about it is asked for at once. */
static bool asks_for_another(const struct recovery_settings *before,
                             const struct recovery_settings *now)
{
    return before->owner != now->owner || before->timeout_us != now->timeout_us ||
           strncmp(before->device, now->device, sizeof now->device) != 0;
}

void recovery_configure(struct recovery *recovery, const struct recovery_settings *settings)
{
    if (recovery->armed && asks_for_another(&recovery->settings, settings)) {
        recovery->changed = true;
        recovery->arm_again_us = 0;
    }
    recovery->settings = *settings;
    if (recovery->settings.restarts > RECOVERY_RESTARTS_MAX) {
        recovery->settings.restarts = RECOVERY_RESTARTS_MAX;
    }
}

void recovery_runs(struct recovery *recovery, struct rollout_runs runs, usec_t now_us)
{
    runs.pushes = recovery->settings.pushes;
    runs.silence_us = recovery->settings.rollback_us;
    rollout_told(&recovery->rollout, &runs, now_us);
}

void recovery_found_good(struct recovery *recovery, bool pushes)
{
    rollout_found(&recovery->rollout, pushes);
}

usec_t recovery_look_us(const struct recovery *recovery)
{
    return usec_max(recovery->settings.hang_us / LOOKS_PER_HANG, USEC_PER_MSEC);
}

/* Lives. */

void recovery_born(struct recovery *recovery, usec_t now_us)
{
    assert(recovery->life == LIFE_NONE);
    recovery->life = LIFE_RUNNING;
    recovery->ran = false;
    rollout_born(&recovery->rollout);
    recovery->born_us = now_us;
    recovery->doom = (struct run_end){.task = VITAL_NONE};
    recovery->resources_over = 0;
    memset(recovery->watches, 0, sizeof recovery->watches);
}

void recovery_not_born(struct recovery *recovery, usec_t now_us)
{
    recovery->respawn_us = now_us + respawn_delay(&recovery->respawn, 0);
}

static void count_end(struct recovery *recovery, enum cause cause)
{
    atomic_fetch_add(&recovery->vitals->mandate.ends[cause], 1);
}

struct run_end recovery_gone(struct recovery *recovery, const struct run_end *end, usec_t now_us)
{
    struct run_end why = *end;
    bool doomed = recovery->doom.cause != CAUSE_NONE;
    assert(recovery->life != LIFE_NONE);
    if (doomed) {
        why.cause = recovery->doom.cause;
        why.task = recovery->doom.task;
        why.target = recovery->doom.target;
    }
    why.ran_us = now_us - recovery->born_us;
    bool was_resetting = recovery->phase == RECOVERY_RESETTING;
    bool stopping = recovery->life == LIFE_STOPPING;
    bool asked = recovery->ending || stopping;
    recovery->life = LIFE_NONE;
    if (why.cause != CAUSE_NONE) {
        count_end(recovery, why.cause);
    }
    if (recovery->mended) {
        recovery_begin_anew(recovery, now_us);
    } else if (why.cause == CAUSE_NONE) { /* could not start */
        if (recovery->file_refused) {
            rollout_refused(&recovery->rollout);
        }
        recovery_not_born(recovery, now_us);
    } else {
        recovery->respawn_us = now_us + respawn_delay(&recovery->respawn, why.ran_us);
        if (!asked && why.cause != CAUSE_RELOAD) {
            recovery_judge_restart(recovery, now_us);
        }
    }
    if (recovery->phase == RECOVERY_RESETTING && was_resetting) {
        recovery_note_reset(recovery, stopping && why.cause == CAUSE_STOP, now_us);
    }
    recovery->file_refused = recovery->mended = false;
    recovery_tell_mandate(recovery);
    return why;
}

void recovery_file_refused(struct recovery *recovery)
{
    recovery->file_refused = true;
}

void recovery_stop(struct recovery *recovery, usec_t now_us)
{
    recovery->ending = true;
    vitals_set(&recovery->vitals->leave_cause, CAUSE_NONE);
    if (recovery->life == LIFE_RUNNING) {
        recovery->life = LIFE_STOPPING;
        recovery->told_us = now_us;
    }
}

void recovery_mended(struct recovery *recovery, usec_t now_us)
{
    rollout_mended(&recovery->rollout);
    if (recovery->life == LIFE_NONE) {
        recovery_begin_anew(recovery, now_us);
        recovery_tell_mandate(recovery);
    } else {
        recovery->mended = true;
    }
}

static void move_life_along(struct recovery *recovery, usec_t now_us,
                            struct recovery_orders *orders)
{
    if (recovery->life == LIFE_ABORTED &&
        now_us - recovery->told_us >= recovery->settings.abort_us) {
        recovery->life = LIFE_KILLED;
        recovery->told_us = now_us;
        orders->kill = RECOVERY_KILL;
    } else if (recovery->life == LIFE_NONE && !recovery->ending && now_us >= recovery->respawn_us &&
               !recovery->reset_noted) {
        orders->start = true;
        orders->use_good = recovery->rollout.used;
    } else if (recovery->life == LIFE_RUNNING && recovery->phase == RECOVERY_RESETTING &&
               recovery->ran && vitals_get(&recovery->vitals->resets) == RESETS_ALLOWED) {
        vitals_set(&recovery->vitals->leave_cause, CAUSE_WATCHDOG);
        recovery->life = LIFE_STOPPING;
        recovery->told_us = now_us;
        orders->kill = RECOVERY_STOP;
    }
}

/* A life that runs the wrong configuration leaves in order; one that is ending anyway, or is to put
 * a reset on record, is left alone. */
static void change_configuration(struct recovery *recovery, usec_t now_us,
                                 struct recovery_orders *orders)
{
    const struct vitals *vitals = recovery->vitals;
    bool runs = recovery->life == LIFE_RUNNING && orders->kill == RECOVERY_SPARE;
    bool none = recovery->life == LIFE_NONE && !orders->start;
    struct rollout_pushes pushes = {vitals_get(&vitals->pushes_accepted),
                                    vitals_get(&vitals->pushes_failed)};
    if (recovery->ending || recovery->mended || recovery->phase == RECOVERY_RESETTING ||
        !(runs || none) || !rollout_step(&recovery->rollout, &pushes, now_us)) {
        return;
    }
    if (runs) {
        recovery->life = LIFE_STOPPING;
        recovery->told_us = now_us;
        orders->kill = RECOVERY_LEAVE;
    }
    recovery_tell_mandate(recovery);
}

static usec_t next_wake(const struct recovery *recovery, usec_t now_us)
{
    usec_t wake_us = now_us + recovery_look_us(recovery);
    if (recovery->life == LIFE_NONE && !recovery->ending) {
        wake_us = usec_min(wake_us, usec_max(recovery->respawn_us, now_us));
    }
    return wake_us;
}

struct recovery_orders recovery_step(struct recovery *recovery, const struct recovery_usage *usage,
                                     usec_t now_us)
{
    struct recovery_orders orders = {0};
    recovery_forgive_absence(recovery, now_us);
    bool fresh = recovery_look(recovery, usage, now_us, &orders);
    if (orders.kill == RECOVERY_SPARE) {
        move_life_along(recovery, now_us, &orders);
    }
    recovery_step_phase(recovery, now_us);
    change_configuration(recovery, now_us, &orders);
    recovery_keep_good(recovery, now_us, &orders);
    recovery_step_watchdog(recovery, fresh, now_us, &orders);
    orders.wake_us = next_wake(recovery, now_us);
    return orders;
}
