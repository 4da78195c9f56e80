/* Safe mode: into it, through it, and out of it group by group. */
#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "logger.h"
#include "recovery_parts.h"

static const char *const phase_names[RECOVERY_PHASE_COUNT] = {
    [RECOVERY_NORMAL] = "normal",       [RECOVERY_SAFE] = "safe",
    [RECOVERY_REJOINING] = "rejoining", [RECOVERY_STAYING] = "staying",
    [RECOVERY_RESETTING] = "resetting",
};

const char *recovery_phase_name(enum recovery_phase phase)
{
    return phase < RECOVERY_PHASE_COUNT ? phase_names[phase] : "unknown";
}

void recovery_tell_mandate(struct recovery *recovery)
{
    struct mandate *mandate = &recovery->vitals->mandate;
    vitals_set(&mandate->phase, recovery->phase);
    vitals_set(&mandate->safe, recovery->phase != RECOVERY_NORMAL);
    vitals_set(&mandate->barred, recovery->phase == RECOVERY_NORMAL
                                     ? recovery->suspended
                                     : RECOVERY_ALL_GROUPS & ~recovery->admitted);
    vitals_set(&mandate->good,
               recovery->life == LIFE_NONE ? recovery->rollout.used : recovery->rollout.life_good);
    vitals_set(&mandate->left_for, recovery->rollout.reason);
    for (unsigned i = 0; i < ROLLOUT_REASONS; i++) {
        vitals_set(&mandate->rollbacks[i], recovery->rollout.counts[i]);
    }
    vitals_set(&mandate->armed, recovery->armed);
    vitals_set(&mandate->granted_ms, (uint32_t)(recovery->grant.timeout_us / USEC_PER_MSEC));
}

static void set_phase(struct recovery *recovery, enum recovery_phase phase, usec_t now_us)
{
    static const unsigned allowed[RECOVERY_PHASE_COUNT] = {
        [RECOVERY_NORMAL] = 1u << RECOVERY_SAFE | 1u << RECOVERY_REJOINING,
        [RECOVERY_SAFE] = 1u << RECOVERY_REJOINING | 1u << RECOVERY_STAYING |
                          1u << RECOVERY_RESETTING | 1u << RECOVERY_NORMAL,
        [RECOVERY_REJOINING] = 1u << RECOVERY_NORMAL | 1u << RECOVERY_SAFE |
                               1u << RECOVERY_STAYING | 1u << RECOVERY_RESETTING,
        [RECOVERY_STAYING] = 1u << RECOVERY_REJOINING | 1u << RECOVERY_NORMAL,
        [RECOVERY_RESETTING] = 1u << RECOVERY_STAYING | 1u << RECOVERY_NORMAL,
    };
    assert((allowed[recovery->phase] & 1u << phase) != 0);
    recovery->phase = phase;
    recovery->phase_us = now_us;
    recovery_tell_mandate(recovery);
}

/* Into it. */

static void forget_old_restarts(struct recovery *recovery, usec_t now_us)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < recovery->restart_count; i++) {
        if (now_us - recovery->restarts_us[i] < recovery->settings.restart_window_us) {
            recovery->restarts_us[kept++] = recovery->restarts_us[i];
        }
    }
    recovery->restart_count = kept;
}

static void note_restart(struct recovery *recovery, usec_t now_us)
{
    forget_old_restarts(recovery, now_us);
    if (recovery->restart_count == RECOVERY_RESTARTS_MAX) {
        memmove(recovery->restarts_us, recovery->restarts_us + 1,
                (RECOVERY_RESTARTS_MAX - 1) * sizeof recovery->restarts_us[0]);
        recovery->restart_count--;
    }
    recovery->restarts_us[recovery->restart_count++] = now_us;
}

static void enter_safe_mode(struct recovery *recovery, usec_t now_us)
{
    recovery->admitted = 0;
    recovery->newest_group = -1;
    if (recovery->phase != RECOVERY_SAFE) {
        set_phase(recovery, RECOVERY_SAFE, now_us);
    }
    recovery->phase_us = now_us;
    rollout_crashed(&recovery->rollout); /* a new configuration may be what kills it */
    logger_printf(recovery->logger, LOG_LEVEL_ERROR,
                  "safe mode: the canary alone%s; probes are let back in when that was well for "
                  "%" PRId64 " s",
                  recovery->rollout.used ? ", with the last known good configuration" : "",
                  recovery->settings.safe_us / USEC_PER_SEC);
}

static bool reset_is_allowed(const struct recovery *recovery)
{
    return recovery->settings.reboot && recovery->armed &&
           vitals_get(&recovery->vitals->resets) == RESETS_ALLOWED;
}

/* Leaving safe mode failed as often as it may. */
static void give_up(struct recovery *recovery, usec_t now_us)
{
    if (reset_is_allowed(recovery)) {
        logger_printf(recovery->logger, LOG_LEVEL_ERROR,
                      "safe mode could not be left %u times: the board is reset",
                      recovery->failed_exits);
        recovery->reset_noted = false;
        recovery->triggered = false;
        set_phase(recovery, RECOVERY_RESETTING, now_us);
        return;
    }
    logger_printf(recovery->logger, LOG_LEVEL_ERROR,
                  "safe mode could not be left %u times: the agent goes on with what runs well, "
                  "and somebody has to look",
                  recovery->failed_exits);
    set_phase(recovery, RECOVERY_STAYING, now_us);
}

/* The group that came last is suspected; who ended in the canary's time has no suspect. */
static void note_failed_exit(struct recovery *recovery, usec_t now_us)
{
    recovery->failed_exits++;
    if (recovery->newest_group >= 0) {
        recovery->suspended |= 1u << recovery->newest_group;
        recovery->suspended_us = now_us;
        recovery->admitted &= ~(1u << recovery->newest_group);
        logger_printf(recovery->logger, LOG_LEVEL_ERROR,
                      "group %d of the probes is suspended: the agent ended while it was let in",
                      recovery->newest_group + 1);
        recovery->newest_group = -1;
    }
}

void recovery_judge_restart(struct recovery *recovery, usec_t now_us)
{
    note_restart(recovery, now_us);
    switch (recovery->phase) {
    case RECOVERY_NORMAL:
        if (recovery->settings.restarts > 0 &&
            recovery->restart_count >= recovery->settings.restarts) {
            recovery->failed_exits = 0;
            enter_safe_mode(recovery, now_us);
        }
        break;
    case RECOVERY_SAFE:
    case RECOVERY_REJOINING:
        note_failed_exit(recovery, now_us);
        if (recovery->failed_exits >= recovery->settings.exits) {
            give_up(recovery, now_us);
        } else {
            enter_safe_mode(recovery, now_us);
        }
        break;
    case RECOVERY_STAYING:
    case RECOVERY_RESETTING:
    case RECOVERY_PHASE_COUNT:
        break;
    }
}

void recovery_begin_anew(struct recovery *recovery, usec_t now_us)
{
    respawn_reset(&recovery->respawn);
    recovery->restart_count = 0;
    recovery->failed_exits = 0;
    recovery->suspended = 0;
    recovery->admitted = 0;
    recovery->newest_group = -1;
    recovery->reset_noted = false;
    if (recovery->phase != RECOVERY_NORMAL) {
        set_phase(recovery, RECOVERY_NORMAL, now_us);
    }
    recovery->respawn_us = now_us;
}

/* Through it and out of it. */

static bool runs_well(const struct recovery *recovery, usec_t since_us, usec_t for_us,
                      usec_t now_us)
{
    usec_t well_since_us = usec_max(since_us, recovery->born_us);
    return recovery->life == LIFE_RUNNING && recovery->ran && now_us - well_since_us >= for_us;
}

/* The next group that may be let in, or -1. */
static int next_group(const struct recovery *recovery, uint32_t candidates)
{
    for (int i = 0; i < VITALS_GROUPS; i++) {
        if ((candidates & ~recovery->admitted & 1u << i) != 0) {
            return i;
        }
    }
    return -1;
}

static void let_in(struct recovery *recovery, int group, usec_t now_us)
{
    recovery->admitted |= 1u << group;
    recovery->suspended &= ~(1u << group);
    recovery->newest_group = group;
    recovery->step_us = now_us;
    recovery_tell_mandate(recovery);
    logger_printf(recovery->logger, LOG_LEVEL_INFO, "group %d of the probes is let back in",
                  group + 1);
}

static void leave_safe_mode(struct recovery *recovery, usec_t now_us)
{
    recovery->restart_count = 0;
    recovery->newest_group = -1;
    recovery->failed_exits = 0;
    set_phase(recovery, RECOVERY_NORMAL, now_us);
    logger_printf(recovery->logger, LOG_LEVEL_WARNING, "safe mode is over%s",
                  recovery->suspended != 0 ? ", but for the groups that are suspended" : "");
}

/* Suspended groups wait for their day, unless nothing else is left to let in. */
static void step_rejoining(struct recovery *recovery, usec_t now_us)
{
    if (recovery->newest_group >= 0 &&
        !runs_well(recovery, recovery->step_us, recovery->settings.step_us, now_us)) {
        return;
    }
    bool retry = now_us - recovery->suspended_us >= RECOVERY_RETRY_US;
    int group = next_group(recovery, retry ? RECOVERY_ALL_GROUPS
                                           : RECOVERY_ALL_GROUPS & ~recovery->suspended);
    if (group >= 0) {
        let_in(recovery, group, now_us);
    } else {
        leave_safe_mode(recovery, now_us);
    }
}

static void begin_rejoining(struct recovery *recovery, usec_t now_us)
{
    recovery->newest_group = -1;
    set_phase(recovery, RECOVERY_REJOINING, now_us);
    step_rejoining(recovery, now_us);
}

static void renounce_reset(struct recovery *recovery, const char *why, usec_t now_us)
{
    logger_printf(recovery->logger, LOG_LEVEL_ERROR, "%s: the agent goes on in safe mode", why);
    recovery->reset_noted = false;
    set_phase(recovery, RECOVERY_STAYING, now_us);
}

void recovery_note_reset(struct recovery *recovery, bool noted, usec_t now_us)
{
    if (noted) {
        recovery->reset_noted = true;
        recovery->phase_us = now_us;
    } else {
        renounce_reset(recovery, "the reset could not be put on record", now_us);
    }
}

/* One that was asked for does not come: somebody else feeds the watchdog, or it is none. */
static void check_reset_comes(struct recovery *recovery, usec_t now_us)
{
    usec_t since_us = now_us - recovery->phase_us;
    if (!recovery->reset_noted && since_us >= RECOVERY_RECORD_US) {
        renounce_reset(recovery, "the reset could not be put on record", now_us);
    } else if (recovery->reset_noted &&
               since_us >= 2 * recovery->grant.timeout_us + RECOVERY_STOP_US) {
        renounce_reset(recovery, "the watchdog does not reset the board", now_us);
    }
}

void recovery_step_phase(struct recovery *recovery, usec_t now_us)
{
    const struct recovery_settings *settings = &recovery->settings;
    bool retry = recovery->suspended != 0 && now_us - recovery->suspended_us >= RECOVERY_RETRY_US;
    switch (recovery->phase) {
    case RECOVERY_NORMAL:
        if (retry && runs_well(recovery, recovery->phase_us, settings->safe_us, now_us)) {
            recovery->admitted = RECOVERY_ALL_GROUPS & ~recovery->suspended;
            begin_rejoining(recovery, now_us);
        }
        break;
    case RECOVERY_SAFE:
        if (runs_well(recovery, recovery->phase_us, settings->safe_us, now_us)) {
            begin_rejoining(recovery, now_us);
        }
        break;
    case RECOVERY_REJOINING:
        step_rejoining(recovery, now_us);
        break;
    case RECOVERY_STAYING:
        if (now_us - recovery->phase_us >= RECOVERY_RETRY_US &&
            runs_well(recovery, recovery->phase_us, settings->safe_us, now_us)) {
            recovery->failed_exits = 0;
            begin_rejoining(recovery, now_us);
        }
        break;
    case RECOVERY_RESETTING:
        check_reset_comes(recovery, now_us);
        break;
    case RECOVERY_PHASE_COUNT:
        break;
    }
}

/* With all of its probes: one that does without a group that kills has proved nothing. */
void recovery_keep_good(struct recovery *recovery, usec_t now_us, struct recovery_orders *orders)
{
    if (recovery->phase == RECOVERY_NORMAL && recovery->suspended == 0 &&
        rollout_may_keep(&recovery->rollout) &&
        runs_well(recovery, recovery->phase_us, recovery->settings.safe_us, now_us)) {
        rollout_kept(&recovery->rollout);
        logger_printf(recovery->logger, LOG_LEVEL_INFO,
                      "this configuration runs well, and is kept as the last known good one");
        orders->keep_good = true;
    }
}
