/* Who may have the watchdog running, and when it is fed. */
#include <inttypes.h>

#include "logger.h"
#include "recovery_parts.h"

/* A watchdog that could not be started is tried again. */
#define ARM_AGAIN_US         (60 * USEC_PER_SEC)
#define ARM_RUNNING_AGAIN_US (1 * USEC_PER_SEC)

static bool wants_watchdog(const struct recovery *recovery)
{
    switch (recovery->settings.owner) {
    case WATCHDOG_OWNER_NONE:
        return false;
    case WATCHDOG_OWNER_DEVICE:
        return recovery->found_running || vitals_get(&recovery->vitals->resets) == RESETS_ALLOWED;
    case WATCHDOG_OWNER_SYSTEMD: /* which begins to count when it hears that the service is ready */
        return recovery->ran;
    case WATCHDOG_OWNER_PROCD: /* which counts on from the life of the service before */
        break;
    }
    return true;
}

void recovery_found_running(struct recovery *recovery)
{
    recovery->found_running = true;
}

/* What was granted is known only now. */
static void warn_of_short_grant(const struct recovery *recovery)
{
    const struct recovery_settings *settings = &recovery->settings;
    usec_t granted_us = recovery->grant.timeout_us;
    if (granted_us > 0 && granted_us < settings->hang_us + settings->abort_us) {
        logger_printf(recovery->logger, LOG_LEVEL_WARNING,
                      "watchdog: %" PRId64 " s were granted; an agent that hangs is not restarted "
                      "in that time ('hang' and 'abort')",
                      granted_us / USEC_PER_SEC);
    }
}

void recovery_armed(struct recovery *recovery, enum error error, const struct watchdog_grant *grant,
                    usec_t now_us)
{
    recovery->grant = *grant;
    recovery->armed = error == ERROR_NONE;
    recovery->changed = false;
    recovery->fed_us = now_us;
    /* One that runs already does not wait for us. */
    recovery->arm_again_us =
        now_us + (recovery->found_running ? ARM_RUNNING_AGAIN_US : ARM_AGAIN_US);
    bool again = recovery->refused;
    recovery->refused = error != ERROR_NONE;
    recovery_tell_mandate(recovery);
    if (error == ERROR_NONE) {
        logger_printf(recovery->logger, LOG_LEVEL_INFO, "watchdog: fed from now on (%s)",
                      grant->note);
        warn_of_short_grant(recovery);
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

void recovery_runs_on(struct recovery *recovery)
{
    recovery->armed = true;
    recovery->grant.can_stop = false;
    logger_printf(recovery->logger, LOG_LEVEL_ERROR,
                  "watchdog: it cannot be stopped, and is fed on");
    recovery_tell_mandate(recovery);
}

static void disarm(struct recovery *recovery, struct recovery_orders *orders)
{
    orders->disarm = true;
    recovery->armed = recovery->changed = recovery->found_running = false;
    recovery_tell_mandate(recovery);
}

/* Another one is asked for without waiting: the board is being watched already. */
static bool arms(const struct recovery *recovery, bool fresh, usec_t now_us)
{
    return (!recovery->armed || recovery->changed) && recovery->life == LIFE_RUNNING && fresh &&
           !recovery->ending && now_us >= recovery->arm_again_us &&
           (recovery->changed || wants_watchdog(recovery));
}

void recovery_step_watchdog(struct recovery *recovery, bool fresh, usec_t now_us,
                            struct recovery_orders *orders)
{
    bool unwanted = recovery->changed && recovery->settings.owner == WATCHDOG_OWNER_NONE;
    bool used_up = recovery->settings.owner == WATCHDOG_OWNER_DEVICE &&
                   vitals_get(&recovery->vitals->resets) == RESETS_USED_UP;
    if (recovery->armed && recovery->reset_noted) {
        orders->trigger = !recovery->triggered;
        recovery->triggered = true;
        return;
    }
    if (recovery->armed && recovery->grant.can_stop && (unwanted || used_up)) {
        disarm(recovery, orders);
        return;
    }
    orders->arm = !unwanted && arms(recovery, fresh, now_us);
    orders->feed = recovery->armed && !orders->arm && fresh &&
                   now_us - recovery->fed_us >= feed_interval(recovery);
    if (orders->feed) {
        recovery->fed_us = now_us;
    }
}
