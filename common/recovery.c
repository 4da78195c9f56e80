/* A turn looks at the life, moves it along its end if it has one, then at the phase, then at the
 * watchdog. The vitals belong to the other side, so every word of them is read once a turn. */
#include "recovery.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "logger.h"

/* Resources are looked at each turn; a peak that passes is no leak. */
#define RESOURCE_TURNS 4
/* A watchdog that could not be started is tried again. */
#define ARM_AGAIN_US (60 * USEC_PER_SEC)
/* Looks within the time the loop may be silent, so that a hang is seen no later than a tenth past
 * it. */
#define LOOKS_PER_HANG 20
/* More looks missed in a row than this were missed because nothing ran at all. */
#define LOOKS_MISSED 4

static const char *const phase_names[RECOVERY_PHASE_COUNT] = {
    [RECOVERY_NORMAL] = "normal",       [RECOVERY_SAFE] = "safe",
    [RECOVERY_REJOINING] = "rejoining", [RECOVERY_STAYING] = "staying",
    [RECOVERY_RESETTING] = "resetting",
};

const char *recovery_phase_name(enum recovery_phase phase)
{
    return phase < RECOVERY_PHASE_COUNT ? phase_names[phase] : "unknown";
}

static uint32_t get(const _Atomic uint32_t *word)
{
    return atomic_load_explicit((_Atomic uint32_t *)(uintptr_t)word, memory_order_relaxed);
}

static void set(_Atomic uint32_t *word, uint32_t value)
{
    atomic_store_explicit(word, value, memory_order_relaxed);
}

#define ALL_GROUPS ((1u << VITALS_GROUPS) - 1)

/* The mandate is what the life and the status page see of all this. */
static void tell_mandate(struct recovery *recovery)
{
    struct mandate *mandate = &recovery->vitals->mandate;
    set(&mandate->phase, recovery->phase);
    set(&mandate->safe, recovery->phase != RECOVERY_NORMAL);
    set(&mandate->barred, recovery->phase == RECOVERY_NORMAL ? recovery->suspended
                                                             : ALL_GROUPS & ~recovery->admitted);
    set(&mandate->good, recovery->good_used);
    set(&mandate->armed, recovery->armed);
    set(&mandate->granted_ms, (uint32_t)(recovery->grant.timeout_us / USEC_PER_MSEC));
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
    tell_mandate(recovery);
}

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
    recovery->settings.hang_us = 5 * USEC_PER_SEC; /* until the first life has read its own */
    recovery->settings.abort_us = 2 * USEC_PER_SEC;
    tell_mandate(recovery);
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
        recovery->found_running = recovery->settings.owner == WATCHDOG_OWNER_DEVICE;
        recovery->armed = false;
        recovery->arm_again_us = 0;
    }
    recovery->settings = *settings;
    if (recovery->settings.restarts > RECOVERY_RESTARTS_MAX) {
        recovery->settings.restarts = RECOVERY_RESTARTS_MAX;
    }
}

void recovery_is_good(struct recovery *recovery, bool good)
{
    recovery->good_kept = good && recovery->good_known;
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
    recovery->good_kept = false; /* until it has said what it runs */
    recovery->born_us = now_us;
    recovery->doom = (struct run_end){.task = VITAL_NONE};
    recovery->resources_over = 0;
    memset(recovery->watches, 0, sizeof recovery->watches);
}

void recovery_not_born(struct recovery *recovery, usec_t now_us)
{
    recovery->respawn_us = now_us + respawn_delay(&recovery->respawn, 0);
}

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
    if (!recovery->good_kept && recovery->good_known) {
        recovery->good_used = true; /* the new configuration may be what kills it */
    }
    logger_printf(recovery->logger, LOG_LEVEL_ERROR,
                  "safe mode: the canary alone%s; probes are let back in when that was well for "
                  "%" PRId64 " s",
                  recovery->good_used ? ", with the last known good configuration" : "",
                  recovery->settings.safe_us / USEC_PER_SEC);
}

static bool reset_is_allowed(const struct recovery *recovery)
{
    return recovery->settings.reboot && recovery->armed &&
           get(&recovery->vitals->resets) == RESETS_ALLOWED;
}

/* Leaving safe mode failed as often as it may. */
static void give_up(struct recovery *recovery, usec_t now_us)
{
    if (reset_is_allowed(recovery)) {
        logger_printf(recovery->logger, LOG_LEVEL_ERROR,
                      "safe mode could not be left %u times: the board is reset",
                      recovery->failed_exits);
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

/* A life ended that should not have. */
static void judge_restart(struct recovery *recovery, usec_t now_us)
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

/* A new configuration is a new beginning. */
static void begin_anew(struct recovery *recovery, usec_t now_us)
{
    respawn_reset(&recovery->respawn);
    recovery->restart_count = 0;
    recovery->failed_exits = 0;
    recovery->suspended = 0;
    recovery->admitted = 0;
    recovery->newest_group = -1;
    recovery->good_used = false;
    recovery->good_kept = false;
    if (recovery->phase != RECOVERY_NORMAL) {
        set_phase(recovery, RECOVERY_NORMAL, now_us);
    }
    recovery->respawn_us = now_us;
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
    bool asked = recovery->ending || recovery->life == LIFE_STOPPING;
    recovery->life = LIFE_NONE;
    if (why.cause != CAUSE_NONE) {
        count_end(recovery, why.cause);
    }
    if (why.cause == CAUSE_RELOAD && !doomed) {
        begin_anew(recovery, now_us);
    } else if (why.cause == CAUSE_NONE) { /* could not start: the file has errors, most likely */
        recovery->good_used = recovery->good_known;
        recovery_not_born(recovery, now_us);
    } else {
        recovery->respawn_us = now_us + respawn_delay(&recovery->respawn, why.ran_us);
        if (!asked) {
            judge_restart(recovery, now_us);
        }
    }
    tell_mandate(recovery);
    return why;
}

void recovery_stop(struct recovery *recovery)
{
    recovery->ending = true;
}

void recovery_hurry(struct recovery *recovery, usec_t now_us)
{
    if (recovery->life == LIFE_NONE) {
        recovery->good_used = false;
        recovery->respawn_us = now_us;
    }
}

/* Vitals. */

static void doom(struct recovery *recovery, enum cause cause, unsigned row)
{
    recovery->doom.cause = cause;
    if (row >= VITAL_COUNT) {
        return;
    }
    uint32_t subject = get(&recovery->vitals->rows[row].subject);
    recovery->doom.task = (uint8_t)(row > VITAL_WORKER ? VITAL_WORKER : row);
    if (row >= VITAL_WORKER) {
        subject = row - VITAL_WORKER + 1;
    }
    if (subject > 0 && subject <= CAP_TARGETS) {
        recovery->doom.target = get(&recovery->vitals->ids[subject - 1]);
    }
}

/* The first armed row that stands still past its limit, or VITAL_COUNT. */
static unsigned find_stale(struct recovery *recovery, usec_t now_us)
{
    uint32_t end = get(&recovery->vitals->row_end);
    unsigned stale = VITAL_COUNT;
    for (unsigned i = 0; i < end && i < VITAL_COUNT; i++) {
        const struct vital *row = &recovery->vitals->rows[i];
        struct vital_watch *watch = &recovery->watches[i];
        usec_t limit_us = (usec_t)get(&row->limit_ms) * USEC_PER_MSEC;
        uint32_t progress = get(&row->progress);
        if (limit_us == 0 || !watch->armed || watch->progress != progress) {
            *watch = (struct vital_watch){progress, limit_us > 0, now_us};
        } else if (now_us - watch->since_us >= limit_us && stale == VITAL_COUNT) {
            stale = i;
        }
    }
    return stale;
}

/* A machine that was suspended, or starved us, did the same to the agent: what this side was not
 * there to see is not held against the other. */
static void forgive_absence(struct recovery *recovery, usec_t now_us)
{
    usec_t look_us = recovery_look_us(recovery);
    usec_t gap_us = now_us - recovery->looked_us;
    recovery->looked_us = now_us;
    if (gap_us <= (LOOKS_MISSED + 1) * look_us) {
        return;
    }
    for (unsigned i = 0; i < VITAL_COUNT; i++) {
        recovery->watches[i].since_us += gap_us - look_us;
    }
    if (recovery->life == LIFE_ABORTED) {
        recovery->told_us += gap_us - look_us;
    }
}

static enum cause find_leak(struct recovery *recovery, const struct recovery_usage *usage)
{
    const struct recovery_settings *settings = &recovery->settings;
    bool memory = settings->memory_bytes > 0 && usage->memory_bytes > settings->memory_bytes;
    bool files = settings->descriptors > 0 && usage->descriptors > settings->descriptors;
    recovery->resources_over = memory || files ? recovery->resources_over + 1 : 0;
    if (recovery->resources_over < RESOURCE_TURNS) {
        return CAUSE_NONE;
    }
    return memory ? CAUSE_MEMORY : CAUSE_DESCRIPTORS;
}

static void log_doom(const struct recovery *recovery, const struct recovery_usage *usage)
{
    const struct run_end *end = &recovery->doom;
    if (end->cause == CAUSE_HANG) {
        logger_printf(recovery->logger, LOG_LEVEL_ERROR,
                      "the agent hangs: task %s makes no progress; it is ended",
                      vital_name(end->task));
    } else {
        logger_printf(recovery->logger, LOG_LEVEL_ERROR,
                      "the agent takes up too much (%" PRIu64 " KiB, %u descriptors): it is ended",
                      usage->memory_bytes / 1024, usage->descriptors);
    }
}

/* True when every armed row is fresh. Dooms the life when not, or when it leaks. */
static bool look_at_life(struct recovery *recovery, const struct recovery_usage *usage,
                         usec_t now_us, struct recovery_orders *orders)
{
    bool looked_at = recovery->life == LIFE_RUNNING || recovery->life == LIFE_STOPPING;
    if (!looked_at) {
        return recovery->life == LIFE_NONE;
    }
    unsigned stale = find_stale(recovery, now_us);
    enum cause cause = stale < VITAL_COUNT ? CAUSE_HANG : find_leak(recovery, usage);
    if (recovery->life == LIFE_STOPPING && cause == CAUSE_NONE &&
        now_us - recovery->told_us >= RECOVERY_STOP_US) {
        cause = CAUSE_HANG;
    }
    recovery->ran = recovery->ran || get(&recovery->vitals->running) != 0;
    if (cause == CAUSE_NONE) {
        return true;
    }
    doom(recovery, cause, stale);
    log_doom(recovery, usage);
    recovery->life = LIFE_ABORTED;
    recovery->told_us = now_us;
    orders->kill = RECOVERY_ABORT;
    return false;
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
               recovery->phase != RECOVERY_RESETTING) {
        orders->start = true;
        orders->use_good = recovery->good_used;
    } else if (recovery->life == LIFE_RUNNING && recovery->phase == RECOVERY_RESETTING) {
        set(&recovery->vitals->leave_cause, CAUSE_WATCHDOG);
        recovery->life = LIFE_STOPPING;
        recovery->told_us = now_us;
        orders->kill = RECOVERY_STOP;
    }
}

/* Phases. */

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
    tell_mandate(recovery);
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
    int group = next_group(recovery, retry ? ALL_GROUPS : ALL_GROUPS & ~recovery->suspended);
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

/* A reset that was asked for does not come: somebody else feeds it, or it is none. */
static void check_reset_comes(struct recovery *recovery, usec_t now_us)
{
    usec_t until_us = usec_max(recovery->phase_us + RECOVERY_STOP_US, recovery->fed_us) +
                      2 * recovery->grant.timeout_us + RECOVERY_STOP_US;
    if (now_us >= until_us) {
        logger_printf(recovery->logger, LOG_LEVEL_ERROR,
                      "the watchdog does not reset the board: the agent goes on in safe mode");
        set_phase(recovery, RECOVERY_STAYING, now_us);
    }
}

static void step_phase(struct recovery *recovery, usec_t now_us)
{
    const struct recovery_settings *settings = &recovery->settings;
    bool retry = recovery->suspended != 0 && now_us - recovery->suspended_us >= RECOVERY_RETRY_US;
    switch (recovery->phase) {
    case RECOVERY_NORMAL:
        if (retry && runs_well(recovery, recovery->phase_us, settings->safe_us, now_us)) {
            recovery->admitted = ALL_GROUPS & ~recovery->suspended;
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
static void keep_good(struct recovery *recovery, usec_t now_us, struct recovery_orders *orders)
{
    if (recovery->phase == RECOVERY_NORMAL && recovery->suspended == 0 && !recovery->good_used &&
        !recovery->good_kept &&
        runs_well(recovery, recovery->phase_us, recovery->settings.safe_us, now_us)) {
        recovery->good_kept = true;
        recovery->good_known = true;
        orders->keep_good = true;
    }
}

/* The watchdog. */

static bool wants_watchdog(const struct recovery *recovery)
{
    switch (recovery->settings.owner) {
    case WATCHDOG_OWNER_NONE:
        return false;
    case WATCHDOG_OWNER_DEVICE:
        return recovery->found_running || get(&recovery->vitals->resets) == RESETS_ALLOWED;
    case WATCHDOG_OWNER_SYSTEMD:
    case WATCHDOG_OWNER_PROCD:
        break;
    }
    return recovery->ran;
}

void recovery_found_running(struct recovery *recovery)
{
    recovery->found_running = true;
}

void recovery_armed(struct recovery *recovery, enum error error, const struct watchdog_grant *grant,
                    usec_t now_us)
{
    recovery->grant = *grant;
    recovery->armed = error == ERROR_NONE;
    recovery->fed_us = now_us;
    recovery->arm_again_us = now_us + ARM_AGAIN_US;
    bool again = recovery->refused;
    recovery->refused = error != ERROR_NONE;
    tell_mandate(recovery);
    if (error == ERROR_NONE) {
        logger_printf(recovery->logger, LOG_LEVEL_INFO, "watchdog: fed from now on (%s)",
                      grant->note);
    } else if (!again) {
        logger_printf(recovery->logger, LOG_LEVEL_ERROR, "watchdog: %s; tried again each minute",
                      grant->note);
    }
}

/* A watchdog that grants less than was asked for is fed more often. */
static usec_t feed_interval(const struct recovery *recovery)
{
    usec_t asked_us = usec_max(recovery->settings.feed_us, USEC_PER_MSEC);
    usec_t granted_us = recovery->grant.timeout_us;
    return granted_us > 0 ? usec_min(asked_us, granted_us / 3) : asked_us;
}

static void step_watchdog(struct recovery *recovery, bool fresh, usec_t now_us,
                          struct recovery_orders *orders)
{
    if (!recovery->armed) {
        orders->arm = recovery->life == LIFE_RUNNING && fresh && wants_watchdog(recovery) &&
                      now_us >= recovery->arm_again_us && !recovery->ending;
        return;
    }
    bool board = recovery->settings.owner == WATCHDOG_OWNER_DEVICE;
    if (recovery->phase == RECOVERY_RESETTING) {
        orders->trigger = recovery->life == LIFE_NONE && !recovery->triggered;
        recovery->triggered = recovery->triggered || orders->trigger;
        return;
    }
    if (board && recovery->grant.can_stop && get(&recovery->vitals->resets) == RESETS_USED_UP) {
        orders->disarm = true;
        recovery->armed = false;
        recovery->found_running = false;
        tell_mandate(recovery);
        return;
    }
    orders->feed = fresh && now_us - recovery->fed_us >= feed_interval(recovery);
    if (orders->feed) {
        recovery->fed_us = now_us;
    }
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
    forgive_absence(recovery, now_us);
    bool fresh = look_at_life(recovery, usage, now_us, &orders);
    if (orders.kill == RECOVERY_SPARE) {
        move_life_along(recovery, now_us, &orders);
    }
    step_phase(recovery, now_us);
    keep_good(recovery, now_us, &orders);
    step_watchdog(recovery, fresh, now_us, &orders);
    orders.wake_us = next_wake(recovery, now_us);
    return orders;
}
