/* Signs of life. The vitals belong to the other side, so every word of them is read once a turn,
 * and checked before it is used. */
#include <inttypes.h>

#include "logger.h"
#include "recovery_parts.h"

/* Resources are looked at each turn; a peak that passes is no leak. */
#define RESOURCE_TURNS 4
/* More looks missed in a row than this were missed because nothing ran at all. */
#define LOOKS_MISSED 4

static void doom(struct recovery *recovery, enum cause cause, unsigned row)
{
    recovery->doom.cause = cause;
    if (row >= VITAL_COUNT) {
        return;
    }
    uint32_t subject = vitals_get(&recovery->vitals->rows[row].subject);
    recovery->doom.task = (uint8_t)(row > VITAL_WORKER ? VITAL_WORKER : row);
    if (row >= VITAL_WORKER) {
        subject = row - VITAL_WORKER + 1;
    }
    if (subject > 0 && subject <= CAP_TARGETS) {
        recovery->doom.target = vitals_get(&recovery->vitals->ids[subject - 1]);
    }
}

/* The first armed row that stands still past its limit, or VITAL_COUNT. */
static unsigned find_stale(struct recovery *recovery, usec_t now_us)
{
    uint32_t end = vitals_get(&recovery->vitals->row_end);
    unsigned stale = VITAL_COUNT;
    for (unsigned i = 0; i < end && i < VITAL_COUNT; i++) {
        const struct vital *row = &recovery->vitals->rows[i];
        struct vital_watch *watch = &recovery->watches[i];
        usec_t limit_us = (usec_t)vitals_get(&row->limit_ms) * USEC_PER_MSEC;
        uint32_t progress = vitals_get(&row->progress);
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
void recovery_forgive_absence(struct recovery *recovery, usec_t now_us)
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
    rollout_forgive(&recovery->rollout, gap_us - look_us);
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

bool recovery_look(struct recovery *recovery, const struct recovery_usage *usage, usec_t now_us,
                   struct recovery_orders *orders)
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
    recovery->ran = recovery->ran || vitals_get(&recovery->vitals->running) != 0;
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
