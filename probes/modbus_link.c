/* Requests go out as raw PDUs with our own transaction id, answers come in as whole frames, and
 * modbus_frame.h judges them: libmodbus' own read functions leave too much of a frame unchecked.
 *
 * Only these calls of libmodbus are used, so that no function that writes to a device is linked in.
 * RTU over TCP, which it does not offer, is its RTU backend over a connected socket. */
#include "modbus_link.h"

#include <errno.h>
#include <modbus/modbus.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <time.h>
#include <unistd.h>

#include "net.h"

/* Frames of other units that are passed over on a line: late answers to an earlier master's call.
 */
enum { STRANGERS_MAX = 4 };

struct modbus_link {
    modbus_t *context;
    struct modbus_target target;
    uint8_t unit;
    uint16_t transaction;
};

usec_t modbus_now_us(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (usec_t)now.tv_sec * USEC_PER_SEC + now.tv_nsec / 1000;
}

static struct timespec timespec_of(usec_t duration_us)
{
    usec_t duration = usec_max(duration_us, 0);

    return (struct timespec){.tv_sec = (time_t)(duration / USEC_PER_SEC),
                             .tv_nsec = (long)(duration % USEC_PER_SEC * 1000)};
}

bool modbus_sleep(int wake_fd, usec_t duration_us)
{
    struct pollfd wake = {.fd = wake_fd, .events = POLLIN};
    struct timespec timeout = timespec_of(duration_us);

    return ppoll(&wake, 1, &timeout, NULL) == 0;
}

const struct modbus_target *modbus_link_target(const struct modbus_link *link)
{
    return &link->target;
}

usec_t modbus_link_gap_us(const struct modbus_link *link)
{
    if (link->target.transport != MODBUS_RTU) {
        return 0;
    }
    /* 3.5 characters of 11 bits, but never below 1.75 ms ("Modbus over Serial Line", 2.5.1.1). */
    return usec_max(USEC_PER_SEC * 77 / 2 / link->target.baud, 1750);
}

static modbus_t *context_new(const struct modbus_target *target)
{
    switch (target->transport) {
    case MODBUS_RTU:
        return modbus_new_rtu(target->device, target->baud, target->parity, 8, target->stop_bits);
    case MODBUS_RTU_TCP:
        /* The device is never opened: the socket takes its place. */
        return modbus_new_rtu("socket", 19200, 'E', 8, 1);
    case MODBUS_TCP:
        break;
    }
    return modbus_new_tcp(NULL, target->endpoint.port);
}

enum error modbus_link_new(const struct modbus_target *target, uint8_t unit,
                           struct modbus_link **out)
{
    struct modbus_link *link = calloc(1, sizeof(*link));

    if (link == NULL) {
        return ERROR_EXHAUSTED;
    }
    link->target = *target;
    link->unit = unit;
    link->context = context_new(target);
    if (link->context == NULL || modbus_enable_quirks(link->context, MODBUS_QUIRK_MAX_SLAVE) != 0 ||
        modbus_set_slave(link->context, unit) != 0 ||
        modbus_set_byte_timeout(link->context, 0, 0) != 0 ||
        modbus_set_error_recovery(link->context, MODBUS_ERROR_RECOVERY_NONE) != 0) {
        modbus_link_free(link);
        return ERROR_EXHAUSTED;
    }
    *out = link;
    return ERROR_NONE;
}

void modbus_link_free(struct modbus_link *link)
{
    if (link != NULL) {
        modbus_free(link->context);
        free(link);
    }
}

PRINTF_LIKE(3, 4)
static enum modbus_end fail(struct modbus_failure *failure, enum reason reason, const char *format,
                            ...)
{
    va_list arguments;

    va_start(arguments, format);
    failure->reason = reason;
    (void)vsnprintf(failure->note, sizeof(failure->note), format, arguments);
    va_end(arguments);
    return MODBUS_FAILED;
}

static enum modbus_end fail_open(const struct modbus_target *target, int system_errno,
                                 struct modbus_failure *failure)
{
    /* Room for the path in the note; its end names the device. */
    size_t length = strlen(target->device);
    const char *device = target->device + (length > 48 ? length - 48 : 0);

    switch (system_errno) {
    case EMFILE:
    case ENFILE:
    case ENOMEM:
        (void)fail(failure, REASON_INTERNAL, "out of descriptors or memory");
        return MODBUS_UNKNOWN;
    case EACCES:
    case EPERM:
        (void)fail(failure, REASON_INTERNAL, "no permission to open %s", device);
        return MODBUS_UNKNOWN;
    case ENOENT:
    case ENODEV:
    case ENXIO:
        return fail(failure, REASON_CONNECT, "no serial device at %s", device);
    case ENOTTY:
    case EINVAL:
        return fail(failure, REASON_CONNECT, "%s is no serial line, or cannot be set so", device);
    case EBUSY:
        return fail(failure, REASON_CONNECT, "%s is in use by another program", device);
    default:
        return fail(failure, REASON_CONNECT, "cannot open %s (errno %d)", device, system_errno);
    }
}

enum modbus_end modbus_link_open_line(struct modbus_link *link, int *fd,
                                      struct modbus_failure *failure)
{
    if (modbus_connect(link->context) != 0) {
        return fail_open(&link->target, errno, failure);
    }
    *fd = modbus_get_socket(link->context);
    return MODBUS_ANSWERED;
}

/* Of a read or write that the system refused. */
static enum modbus_end fail_system(const struct modbus_link *link, int system_errno,
                                   struct modbus_failure *failure)
{
    if (link->target.transport == MODBUS_RTU) {
        return fail(failure, REASON_RESET, "the serial line is gone (errno %d)", system_errno);
    }
    if (system_errno == ECONNRESET || system_errno == EPIPE) {
        return fail(failure, REASON_RESET, "connection closed before the answer was complete");
    }
    return fail(failure, net_reason(system_errno), "connection failed (errno %d)", system_errno);
}

static enum modbus_end fail_silent(const struct modbus_link *link,
                                   const struct modbus_request *request,
                                   struct modbus_failure *failure)
{
    return fail(failure, REASON_TIMEOUT, "no answer from unit %u to %s %u (%u)", link->unit,
                modbus_table_names[request->table], request->address, request->count);
}

static enum modbus_end send_request(struct modbus_link *link, const struct modbus_call *call,
                                    const struct modbus_request *request,
                                    struct modbus_failure *failure)
{
    const uint8_t raw[] = {link->unit,
                           modbus_function((enum modbus_table)request->table),
                           (uint8_t)(request->address >> 8),
                           (uint8_t)request->address,
                           (uint8_t)(request->count >> 8),
                           (uint8_t)request->count};

    if (modbus_set_socket(link->context, call->fd) != 0) {
        return fail(failure, REASON_INTERNAL, "libmodbus refused the connection");
    }
    if (link->target.transport == MODBUS_RTU) {
        (void)modbus_flush(link->context); /* what came before the question is no answer to it */
    }
    link->transaction++;
    if (modbus_send_raw_request_tid(link->context, raw, sizeof(raw), link->transaction) < 0) {
        return fail_system(link, errno, failure);
    }
    return MODBUS_ANSWERED;
}

/* Waits until something came. */
static enum modbus_end await(const struct modbus_link *link, const struct modbus_call *call,
                             const struct modbus_request *request, struct modbus_failure *failure)
{
    struct pollfd polled[] = {{.fd = call->fd, .events = POLLIN},
                              {.fd = call->wake_fd, .events = POLLIN}};
    struct timespec timeout = timespec_of(call->deadline_us - modbus_now_us());
    int ready = ppoll(polled, ARRAY_LEN(polled), &timeout, NULL);

    if (ready > 0 && polled[1].revents != 0) {
        return MODBUS_CANCELLED;
    }
    return ready > 0 ? MODBUS_ANSWERED : fail_silent(link, request, failure);
}

static enum modbus_end fail_receive(const struct modbus_link *link,
                                    const struct modbus_expected *expected, int receive_errno,
                                    struct modbus_answer *answer)
{
    struct modbus_failure *failure = &answer->failure;

    if (receive_errno == EMBBADCRC) {
        return fail(failure, REASON_PROTOCOL, "wrong CRC");
    }
    if (modbus_frame_contradicts(expected, answer->frame, failure->note, sizeof(failure->note))) {
        failure->reason = REASON_PROTOCOL;
        return MODBUS_FAILED;
    }
    if (receive_errno == EMBBADDATA) {
        return fail(failure, REASON_PROTOCOL, "an answer longer than a Modbus frame");
    }
    if (receive_errno == ETIMEDOUT) {
        (void)fail_silent(link, expected->request, failure);
        return MODBUS_FAILED;
    }
    return fail_system(link, receive_errno, failure);
}

/* Takes one frame. A frame of another unit on a line is FAILED with *stranger set. */
static enum modbus_end receive(struct modbus_link *link, const struct modbus_call *call,
                               const struct modbus_expected *expected, struct modbus_answer *answer,
                               bool *stranger)
{
    struct modbus_failure *failure = &answer->failure;
    usec_t left = usec_max(call->deadline_us - modbus_now_us(), 1);
    int length;

    *stranger = false;
    modbus_frame_prepare(expected, answer->frame);
    (void)modbus_set_response_timeout(link->context, (uint32_t)(left / USEC_PER_SEC),
                                      (uint32_t)(left % USEC_PER_SEC));
    length = modbus_receive_confirmation(link->context, answer->frame);
    if (length < 0) {
        return fail_receive(link, expected, errno, answer);
    }
    if (length == 0) { /* its RTU backend's way to say: for another unit */
        (void)modbus_frame_contradicts(expected, answer->frame, failure->note,
                                       sizeof(failure->note));
        failure->reason = REASON_PROTOCOL;
        *stranger = true;
        return MODBUS_FAILED;
    }
    switch (modbus_frame_check(expected, answer->frame, (size_t)length, &answer->data,
                               &answer->exception, failure->note, sizeof(failure->note))) {
    case MODBUS_FRAME_DATA:
        return MODBUS_ANSWERED;
    case MODBUS_FRAME_EXCEPTION:
        return MODBUS_REFUSED;
    case MODBUS_FRAME_OTHER_UNIT:
        *stranger = true;
        break;
    case MODBUS_FRAME_WRONG:
        break;
    }
    failure->reason = REASON_PROTOCOL;
    return MODBUS_FAILED;
}

enum modbus_end modbus_link_exchange(struct modbus_link *link, const struct modbus_call *call,
                                     const struct modbus_request *request,
                                     struct modbus_answer *answer)
{
    struct modbus_failure strange = {.reason = REASON_NONE};
    enum modbus_end end;

    if (call->fd >= FD_SETSIZE) {
        /* libmodbus waits with select(2). */
        (void)fail(&answer->failure, REASON_INTERNAL, "descriptor %d is beyond select(2)'s reach",
                   call->fd);
        return MODBUS_UNKNOWN;
    }
    end = send_request(link, call, request, &answer->failure);
    const struct modbus_expected expected = {.rtu = link->target.transport != MODBUS_TCP,
                                             .unit = link->unit,
                                             .transaction = link->transaction,
                                             .request = request};
    for (unsigned strangers = 0; end == MODBUS_ANSWERED; strangers++) {
        bool stranger = false;

        end = await(link, call, request, &answer->failure);
        if (end == MODBUS_FAILED && strange.reason != REASON_NONE) {
            answer->failure = strange; /* somebody answered, only not the one who was asked */
        }
        if (end != MODBUS_ANSWERED) {
            break;
        }
        end = receive(link, call, &expected, answer, &stranger);
        if (end != MODBUS_FAILED || !stranger || strangers + 1 == STRANGERS_MAX) {
            break;
        }
        strange = answer->failure;
        end = MODBUS_ANSWERED;
    }
    return end;
}
