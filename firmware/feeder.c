#include "feeder.h"

#include <stdio.h>
#include <string.h>

#include "logger.h"

/* Calls in a row. One may fail while procd is busy. */
#define PROCD_FAILURES 3

void feeder_init(struct feeder *feeder)
{
    *feeder = (struct feeder){.owner = WATCHDOG_OWNER_NONE};
    notify_open(&feeder->notify);
}

void feeder_mind_manager(struct feeder *feeder, struct recovery_settings *settings)
{
    bool asks = feeder->notify.watchdog_us > 0 && !feeder->notify.watchdog_of_other;
    if (asks && settings->owner == WATCHDOG_OWNER_NONE) {
        settings->owner = WATCHDOG_OWNER_SYSTEMD;
    } else if (asks && settings->owner != WATCHDOG_OWNER_SYSTEMD) {
        struct watchdog manager = watchdog_systemd(&feeder->notify);
        (void)manager.stop(manager.context);
    }
}

bool feeder_found_running(const struct recovery_settings *settings)
{
    return settings->owner == WATCHDOG_OWNER_DEVICE && watchdog_device_running(settings->device);
}

/* The port of the owner the configuration names now. */
static void choose_port(struct feeder *feeder, const struct recovery_settings *settings)
{
    feeder->owner = settings->owner;
    memcpy(feeder->path, settings->device, sizeof feeder->path);
    feeder->path[sizeof feeder->path - 1] = '\0';
    switch (settings->owner) {
    case WATCHDOG_OWNER_DEVICE:
        feeder->port = watchdog_device(&feeder->device, feeder->path);
        break;
    case WATCHDOG_OWNER_SYSTEMD:
        feeder->port = watchdog_systemd(&feeder->notify);
        break;
    case WATCHDOG_OWNER_PROCD:
        feeder->port = watchdog_procd(&feeder->procd, NULL);
        break;
    case WATCHDOG_OWNER_NONE:
        break;
    }
}

/* One that the configuration names no longer is ended first. False: it cannot be. */
static bool let_go(struct feeder *feeder, const struct recovery_settings *settings)
{
    bool same = feeder->owner == settings->owner &&
                (settings->owner != WATCHDOG_OWNER_DEVICE ||
                 strncmp(feeder->path, settings->device, sizeof feeder->path) == 0);
    if (feeder->owner != WATCHDOG_OWNER_NONE && !same) {
        if (!feeder->port.stop(feeder->port.context)) {
            return false;
        }
        feeder->owner = WATCHDOG_OWNER_NONE;
    }
    if (feeder->owner == WATCHDOG_OWNER_NONE) {
        choose_port(feeder, settings);
    }
    return true;
}

static void arm(struct feeder *feeder, struct recovery *recovery, usec_t now_us)
{
    struct watchdog_grant grant = {0};
    if (!let_go(feeder, &recovery->settings)) {
        (void)snprintf(grant.note, sizeof grant.note, "the one before, which cannot be stopped");
        recovery_armed(recovery, ERROR_NONE, &grant, now_us);
        recovery_runs_on(recovery);
        return;
    }
    enum error error =
        feeder->port.start(feeder->port.context, recovery->settings.timeout_us, &grant);
    recovery_armed(recovery, error, &grant, now_us);
}

void feeder_obey(struct feeder *feeder, struct recovery *recovery,
                 const struct recovery_orders *orders, usec_t now_us)
{
    const struct watchdog *port = &feeder->port;
    if (orders->arm) {
        arm(feeder, recovery, now_us);
    }
    if (orders->feed) {
        port->feed(port->context);
    }
    if (orders->trigger) {
        port->trigger(port->context);
    }
    if (orders->disarm && !port->stop(port->context)) {
        recovery_runs_on(recovery);
    }
}

static const char *describe(const struct recovery *recovery)
{
    if (recovery->life == LIFE_NONE) {
        return "the agent ended and is started again";
    }
    if (recovery->phase != RECOVERY_NORMAL) {
        return recovery_phase_name(recovery->phase);
    }
    return recovery->ran ? "running" : "starting";
}

/* Whether a call was obeyed is known only behind its end. */
static void tell_of_procd(struct feeder *feeder, const struct recovery *recovery)
{
    bool deaf = feeder->owner == WATCHDOG_OWNER_PROCD && feeder->procd.failures >= PROCD_FAILURES;
    if (deaf && !feeder->procd_deaf) {
        logger_printf(
            recovery->logger, LOG_LEVEL_ERROR,
            "watchdog: procd does not obey (ubus call service watchdog failed %u times in "
            "a row): it may not be watching",
            feeder->procd.failures);
    } else if (!deaf && feeder->procd_deaf) {
        logger_printf(recovery->logger, LOG_LEVEL_INFO, "watchdog: procd obeys again");
    }
    feeder->procd_deaf = deaf;
}

void feeder_tell(struct feeder *feeder, const struct recovery *recovery)
{
    tell_of_procd(feeder, recovery);
    unsigned state = 1u + (unsigned)recovery->phase;
    state = 4 * state + (recovery->life == LIFE_NONE ? 2u : 0u) + (recovery->ran ? 1u : 0u);
    if (!feeder->told_ready && recovery->ran) {
        feeder->told_ready = notify_send(&feeder->notify, "READY=1") || !feeder->notify.open;
    }
    if (state != feeder->told) {
        feeder->told = state;
        (void)notify_send(
            &feeder->notify, "STATUS=%s%s",
            recovery->phase != RECOVERY_NORMAL && recovery->life != LIFE_NONE ? "safe mode: " : "",
            describe(recovery));
    }
}

void feeder_stopping(struct feeder *feeder)
{
    (void)notify_send(&feeder->notify, "STOPPING=1");
}

void feeder_abandon(struct feeder *feeder)
{
    if (feeder->owner == WATCHDOG_OWNER_DEVICE) {
        watchdog_device_abandon(&feeder->device);
    }
    notify_close(&feeder->notify);
}

void feeder_close(struct feeder *feeder, const struct recovery *recovery,
                  const struct logger *logger)
{
    if (recovery->armed && !feeder->port.stop(feeder->port.context)) {
        logger_printf(logger, LOG_LEVEL_WARNING,
                      "watchdog: it cannot be stopped, and resets the board unless somebody else "
                      "feeds it");
    }
    notify_close(&feeder->notify);
}

bool feeder_reaped(struct feeder *feeder, pid_t pid, int status)
{
    return feeder->owner == WATCHDOG_OWNER_PROCD && procd_reaped(&feeder->procd, pid, status);
}
