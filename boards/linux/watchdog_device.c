/* Stopping. The driver is called when the last copy of the descriptor is closed (f_op->release, out
 * of __fput(); watchdog_dev.c has no f_op->flush, which would run on every close), and then stops
 * the watchdog if the last byte written was a 'V', or if it knows no magic close at all, and unless
 * it has `nowayout`. */
#include "watchdog_device.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/watchdog.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ioctl_request.h"
#include "watchdog_sysfs.h"

/* Any byte kicks but this one, which in addition lets the next close stop the watchdog. */
#define KICK       '\0'
#define LET_ME_OUT 'V'

static void explain_open(const char *path, int why, struct watchdog_grant *grant)
{
    switch (why) {
    case EBUSY:
        (void)snprintf(grant->note, sizeof grant->note,
                       "%.64s is held by another process (systemd's RuntimeWatchdogSec, procd, "
                       "watchdogd?)",
                       path);
        break;
    case ENOENT:
    case ENODEV:
    case ENXIO:
        (void)snprintf(grant->note, sizeof grant->note, "there is no watchdog at %.64s: %s", path,
                       strerror(why));
        break;
    default:
        (void)snprintf(grant->note, sizeof grant->note, "%.64s: %s", path, strerror(why));
        break;
    }
}

static enum error error_of(int why)
{
    switch (why) {
    case EBUSY:
    case EACCES:
    case EPERM:
    case EROFS:
        return ERROR_DENIED;
    case ENOENT:
    case ENOTDIR:
    case ENODEV:
    case ENXIO:
        return ERROR_MISSING;
    default:
        return ERROR_IO;
    }
}

/* Non-blocking for the sake of sinks; a watchdog never waits. */
static int open_device(const char *path)
{
    return open(path, O_WRONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
}

static void kick(const struct watchdog_device *state, char byte)
{
    /* There is nobody to tell: what cannot be fed will bite, and that is what it is for. */
    (void)!write(state->fd, &byte, 1);
}

static int ask_driver(int fd, unsigned long request, void *answer)
{
    return ioctl(fd, (ioctl_request)request, answer);
}

static int whole_seconds(usec_t timeout_us)
{
    return (int)usec_min((timeout_us + USEC_PER_SEC - 1) / USEC_PER_SEC, INT32_MAX);
}

/* What the driver grants, in seconds; 0: it does not say. */
static int ask_timeout(int fd, usec_t timeout_us)
{
    int asked = whole_seconds(timeout_us);
    int granted = 0;

    /* A driver that cannot, or not this much, keeps what it has. */
    (void)ask_driver(fd, WDIOC_SETTIMEOUT, &asked);
    return ask_driver(fd, WDIOC_GETTIMEOUT, &granted) == 0 && granted > 0 ? granted : 0;
}

static bool has_no_way_out(const struct watchdog_device *state)
{
    char folder[WATCHDOG_FOLDER_BYTES];
    uint32_t no_way_out;

    return watchdog_sysfs_of(state->sysfs, state->path, folder) &&
           watchdog_sysfs_number(folder, "nowayout", &no_way_out) && no_way_out != 0;
}

static void describe(const struct watchdog_device *state, const struct watchdog_info *info,
                     usec_t asked_us, struct watchdog_grant *grant)
{
    char identity[sizeof info->identity + 1] = "";
    const char *limits = "";

    memcpy(identity, info->identity, sizeof info->identity);
    for (char *at = identity; *at != '\0'; at++) {
        *at = *at < ' ' || *at > '~' ? '?' : *at;
    }
    if (!state->can_stop) {
        limits = ", cannot be stopped (nowayout)";
    } else if ((info->options & WDIOF_MAGICCLOSE) == 0) {
        limits = ", also stops when this process dies (no magic close)";
    }
    if (grant->timeout_us > 0) {
        (void)snprintf(grant->note, sizeof grant->note, "%s, %d s granted of %d s asked%s",
                       identity, (int)(grant->timeout_us / USEC_PER_SEC), whole_seconds(asked_us),
                       limits);
    } else {
        (void)snprintf(grant->note, sizeof grant->note, "%s, with a timeout it does not tell%s",
                       identity, limits);
    }
}

static enum error start(void *context, usec_t timeout_us, struct watchdog_grant *grant)
{
    struct watchdog_device *state = context;
    struct watchdog_info info = {0};

    memset(grant, 0, sizeof *grant);
    if (!state->started) {
        state->fd = open_device(state->path);
        if (state->fd < 0) {
            int why = errno;
            explain_open(state->path, why, grant);
            return error_of(why);
        }
        state->started = true;
    }
    state->answers = ask_driver(state->fd, WDIOC_GETSUPPORT, &info) == 0;
    state->can_stop = !has_no_way_out(state);
    grant->can_stop = state->can_stop;
    if (state->answers) {
        grant->timeout_us = ask_timeout(state->fd, timeout_us) * USEC_PER_SEC;
        describe(state, &info, timeout_us, grant);
    } else {
        (void)snprintf(grant->note, sizeof grant->note,
                       "%.64s is no watchdog: it is written to, and resets nothing", state->path);
    }
    return ERROR_NONE;
}

static void feed(void *context)
{
    const struct watchdog_device *state = context;

    if (state->started) {
        kick(state, KICK);
    }
}

static bool runs(const char *sysfs, const char *path)
{
    char folder[WATCHDOG_FOLDER_BYTES], text[16];

    return watchdog_sysfs_of(sysfs, path, folder) &&
           watchdog_sysfs_text(folder, "state", text, sizeof text) && strcmp(text, "active") == 0;
}

static bool stop(void *context)
{
    struct watchdog_device *state = context;

    if (!state->started) {
        return true;
    }
    if (!state->can_stop) {
        return false;
    }
    kick(state, LET_ME_OUT);
    (void)close(state->fd);
    state->started = false;
    if (!runs(state->sysfs, state->path)) {
        return true;
    }
    /* It did not let us out. Fed on it does no harm; so it has to be had again. */
    state->can_stop = false;
    state->fd = open_device(state->path);
    state->started = state->fd >= 0;
    return false;
}

static void trigger(void *context)
{
    (void)context; /* it is enough that nobody feeds it any more */
}

struct watchdog watchdog_device(struct watchdog_device *state, const char *path)
{
    *state = (struct watchdog_device){.path = path, .sysfs = WATCHDOG_SYSFS_ROOT, .fd = -1};
    return (struct watchdog){
        .context = state, .start = start, .feed = feed, .stop = stop, .trigger = trigger};
}

void watchdog_device_abandon(struct watchdog_device *state)
{
    if (state->started) {
        (void)close(state->fd);
        state->started = false;
    }
}

bool watchdog_device_running(const char *path)
{
    return runs(WATCHDOG_SYSFS_ROOT, path);
}
