/* Who may have the watchdog running, and when it is fed. */
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

void recovery_armed(struct recovery *recovery, enum error error, const struct watchdog_grant *grant,
                    usec_t now_us)
{
    recovery->grant = *grant;
    recovery->armed = error == ERROR_NONE;
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

void recovery_step_watchdog(struct recovery *recovery, bool fresh, usec_t now_us,
                            struct recovery_orders *orders)
{
    if (recovery->let_go) {
        orders->disarm = true;
        recovery->let_go = recovery->found_running = false;
        return;
    }
    if (!recovery->armed) {
        orders->arm = recovery->life == LIFE_RUNNING && fresh && wants_watchdog(recovery) &&
                      now_us >= recovery->arm_again_us && !recovery->ending;
        return;
    }
    bool board = recovery->settings.owner == WATCHDOG_OWNER_DEVICE;
    if (recovery->reset_noted) {
        orders->trigger = !recovery->triggered;
        recovery->triggered = recovery->triggered || orders->trigger;
        return;
    }
    if (board && recovery->grant.can_stop &&
        vitals_get(&recovery->vitals->resets) == RESETS_USED_UP) {
        orders->disarm = true;
        recovery->armed = false;
        recovery->found_running = false;
        recovery_tell_mandate(recovery);
        return;
    }
    orders->feed = fresh && now_us - recovery->fed_us >= feed_interval(recovery);
    if (orders->feed) {
        recovery->fed_us = now_us;
    }
}
