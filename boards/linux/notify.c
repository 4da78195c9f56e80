#include "notify.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MESSAGE_BYTES = 512 };

/* A path, or with '@' a name of Linux' own, which begins with a NUL and has no end but its length.
 */
static bool set_address(struct notify *notify, const char *name)
{
    size_t length = strlen(name);

    if ((name[0] != '/' && name[0] != '@') || length < 2 ||
        length >= sizeof notify->address.sun_path) {
        return false;
    }
    notify->address.sun_family = AF_UNIX;
    memcpy(notify->address.sun_path, name, length);
    if (name[0] == '@') {
        notify->address.sun_path[0] = '\0';
    }
    notify->address_bytes =
        (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + (name[0] == '@' ? 0 : 1));
    return true;
}

/* The number an environment variable holds; 0 when it is not there or not one. */
static uint64_t number_of(const char *variable)
{
    const char *text = getenv(variable);
    uint64_t value;
    char *end;

    if (text == NULL || text[0] < '0' || text[0] > '9') {
        return 0;
    }
    errno = 0;
    value = strtoull(text, &end, 10);
    return errno == 0 && *end == '\0' ? value : 0;
}

static void read_watchdog(struct notify *notify)
{
    uint64_t timeout_us = number_of("WATCHDOG_USEC");
    uint64_t pid = number_of("WATCHDOG_PID");

    notify->watchdog_us = timeout_us < INT64_MAX ? (usec_t)timeout_us : 0;
    notify->watchdog_of_other = getenv("WATCHDOG_PID") != NULL && pid != (uint64_t)getpid();
}

void notify_open(struct notify *notify)
{
    const char *name = getenv("NOTIFY_SOCKET");

    *notify = (struct notify){.fd = -1};
    if (name != NULL && set_address(notify, name)) {
        notify->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        notify->open = notify->fd >= 0;
    }
    read_watchdog(notify);
    (void)unsetenv("NOTIFY_SOCKET");
    (void)unsetenv("WATCHDOG_USEC");
    (void)unsetenv("WATCHDOG_PID");
}

void notify_close(struct notify *notify)
{
    if (notify->open) {
        (void)close(notify->fd);
        notify->open = false;
    }
}

/* Addressed each time and not connected once: systemd may make its socket anew. */
bool notify_send(const struct notify *notify, const char *format, ...)
{
    char message[MESSAGE_BYTES];
    va_list arguments;
    int length;

    va_start(arguments, format);
    length = vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    if (!notify->open || length <= 0 || (size_t)length >= sizeof message) {
        return false;
    }
    return sendto(notify->fd, message, (size_t)length, MSG_NOSIGNAL | MSG_DONTWAIT,
                  (const struct sockaddr *)&notify->address,
                  notify->address_bytes) == (ssize_t)length;
}

static const char *why_not(const struct notify *notify)
{
    if (!notify->open) {
        return "nobody listens: there is no NOTIFY_SOCKET (Type=notify in the unit?)";
    }
    if (notify->watchdog_us == 0) {
        return "WatchdogSec= is not set in the unit";
    }
    return notify->watchdog_of_other ? "WATCHDOG_PID names another process" : NULL;
}

static enum error start(void *context, usec_t timeout_us, struct watchdog_grant *grant)
{
    struct notify *notify = context;
    const char *why = why_not(notify);

    memset(grant, 0, sizeof *grant);
    if (why != NULL) {
        (void)snprintf(grant->note, sizeof grant->note, "%s", why);
        return ERROR_MISSING;
    }
    if (notify->watchdog_stopped) {
        (void)notify_send(notify, "WATCHDOG_USEC=%" PRId64 "\nWATCHDOG=1", notify->watchdog_us);
        notify->watchdog_stopped = false;
    }
    grant->timeout_us = notify->watchdog_us;
    grant->can_stop = true;
    (void)snprintf(grant->note, sizeof grant->note, "systemd, %d s by the unit, %d s asked",
                   (int)(notify->watchdog_us / USEC_PER_SEC), (int)(timeout_us / USEC_PER_SEC));
    return ERROR_NONE;
}

static void feed(void *context)
{
    (void)notify_send(context, "WATCHDOG=1");
}

static bool stop(void *context)
{
    struct notify *notify = context;

    (void)notify_send(notify, "WATCHDOG_USEC=0");
    notify->watchdog_stopped = true;
    return true;
}

static void trigger(void *context)
{
    (void)notify_send(context, "WATCHDOG=trigger");
}

struct watchdog watchdog_systemd(struct notify *notify)
{
    return (struct watchdog){
        .context = notify, .start = start, .feed = feed, .stop = stop, .trigger = trigger};
}
