#include "modbus_session.h"

#include <stdio.h>
#include <string.h>

/* Pause before a device that said it is busy is asked again, when `pause` asks for less. */
#define BUSY_PAUSE_US (100 * USEC_PER_MSEC)

enum {
    EXCEPTION_ADDRESS = 2,
    EXCEPTION_VALUE = 3,
    EXCEPTION_ACKNOWLEDGE = 5,
    EXCEPTION_BUSY = 6,
    EXCEPTION_GATEWAY_PATH = 10,
    EXCEPTION_GATEWAY_TARGET = 11
};

struct session {
    struct modbus_job *job;
    const struct modbus_watcher *watcher;
    struct modbus_report *report;
    struct modbus_answer *answer;
    struct modbus_call call;
};

static void publish(const struct session *session)
{
    session->watcher->publish(session->watcher->context, session->report);
}

/* The silence before a request: what the user asks for, or what the line needs. */
static bool pause_before(const struct session *session, usec_t at_least_us)
{
    usec_t pause = usec_max(usec_max(session->job->pause_us, at_least_us),
                            modbus_link_gap_us(session->job->link));
    usec_t left = usec_max(session->call.deadline_us - modbus_now_us(), 0);

    return pause == 0 || modbus_sleep(session->call.wake_fd, usec_min(pause, left));
}

static enum modbus_end exchange(struct session *session, const struct modbus_request *request)
{
    struct modbus_report *report = session->report;
    enum modbus_end end;

    report->asked = *request;
    report->any_asked = true;
    report->asking_since_us = modbus_now_us();
    publish(session);
    end = modbus_link_exchange(session->job->link, &session->call, request, session->answer);
    report->request_us += modbus_now_us() - report->asking_since_us;
    report->asking_since_us = 0;
    return end;
}

/* Asks, and asks again while the device is busy. */
static enum modbus_end ask(struct session *session, const struct modbus_request *request)
{
    enum modbus_end end = exchange(session, request);

    for (unsigned retry = 0; retry < session->job->busy_retries; retry++) {
        uint8_t code = session->answer->exception;

        if (end != MODBUS_REFUSED || (code != EXCEPTION_ACKNOWLEDGE && code != EXCEPTION_BUSY)) {
            break;
        }
        if (!pause_before(session, BUSY_PAUSE_US)) {
            return MODBUS_CANCELLED;
        }
        if (modbus_now_us() >= session->call.deadline_us) {
            break;
        }
        end = exchange(session, request);
    }
    return end;
}

static void keep_data(const struct session *session, const struct modbus_request *request)
{
    const struct modbus_plan *plan = &session->job->plan;

    for (unsigned place = request->first; place < request->end; place++) {
        unsigned index = plan->sorted[place];
        struct modbus_reading *reading = &session->report->readings[index];

        reading->state = MODBUS_READ_DATA;
        modbus_frame_extract(request, session->answer->data, &plan->spans[index], reading->bytes);
    }
}

static void keep_exception(const struct session *session, const struct modbus_request *request)
{
    const struct modbus_plan *plan = &session->job->plan;

    for (unsigned place = request->first; place < request->end; place++) {
        struct modbus_reading *reading = &session->report->readings[plan->sorted[place]];

        reading->state = MODBUS_READ_EXCEPTION;
        reading->exception = session->answer->exception;
    }
}

/* A refused request. False: there is no point in asking for the rest. */
static bool refused(const struct session *session, const struct modbus_request *request)
{
    uint8_t code = session->answer->exception;
    struct modbus_plan *plan = &session->job->plan;
    struct modbus_request rest;

    if ((code == EXCEPTION_ADDRESS || code == EXCEPTION_VALUE) &&
        modbus_plan_split(plan, request)) {
        return true;
    }
    keep_exception(session, request);
    if (code != EXCEPTION_GATEWAY_PATH && code != EXCEPTION_GATEWAY_TARGET) {
        return true;
    }
    /* The gateway does not reach the unit: each further request would cost its whole patience. */
    while (modbus_plan_next(plan, &rest)) {
        keep_exception(session, &rest);
    }
    return false;
}

/* Never before the silence it needs is over: then there may be no time left to ask at all. */
static enum modbus_end ask_in_time(struct session *session, const struct modbus_request *request)
{
    struct modbus_failure *failure = &session->answer->failure;

    if (!pause_before(session, 0)) {
        return MODBUS_CANCELLED;
    }
    if (modbus_now_us() < session->call.deadline_us) {
        return ask(session, request);
    }
    failure->reason = REASON_TIMEOUT;
    (void)snprintf(failure->note, sizeof(failure->note), "no time left to ask for %s %u (%u)",
                   modbus_table_names[request->table], request->address, request->count);
    return MODBUS_FAILED;
}

static enum modbus_end ask_all(struct session *session)
{
    struct modbus_request request;

    while (modbus_plan_next(&session->job->plan, &request)) {
        enum modbus_end end = ask_in_time(session, &request);

        if (end == MODBUS_ANSWERED) {
            keep_data(session, &request);
        } else if (end != MODBUS_REFUSED) {
            return end;
        } else if (!refused(session, &request)) {
            break;
        }
        session->job->reused = false; /* it has answered: what fails now is no stale connection */
    }
    return MODBUS_ANSWERED;
}

static void learn(const struct session *session)
{
    struct modbus_report *report = session->report;
    bool refused_for_good[CAP_VALUES];

    for (unsigned i = 0; i < CAP_VALUES; i++) {
        refused_for_good[i] = report->readings[i].state == MODBUS_READ_EXCEPTION;
    }
    modbus_plan_learn(&session->job->plan, refused_for_good, report->apart);
}

static enum modbus_end open_line(struct session *session, int *fd)
{
    struct modbus_report *report = session->report;
    usec_t start = modbus_now_us();
    enum modbus_end end = modbus_link_open_line(session->job->link, fd, &report->failure);

    report->connect_us = modbus_now_us() - start;
    report->opened = end == MODBUS_ANSWERED;
    return end;
}

void modbus_session_run(struct modbus_job *job, int *fd, const struct modbus_watcher *watcher,
                        struct modbus_report *report, struct modbus_answer *answer)
{
    struct session session = {.job = job, .watcher = watcher, .report = report, .answer = answer};
    enum modbus_end end = MODBUS_ANSWERED;

    memset(report, 0, sizeof(*report));
    session.call.deadline_us = usec_add(modbus_now_us(), job->budget_us);
    session.call.wake_fd = watcher->wake_fd;
    report->phase = PHASE_CONNECT;
    if (*fd < 0) {
        end = open_line(&session, fd);
    }
    session.call.fd = *fd;
    if (end == MODBUS_ANSWERED) {
        report->phase = PHASE_REQUEST;
        end = ask_all(&session);
        if (end == MODBUS_FAILED || end == MODBUS_UNKNOWN) {
            report->failure = answer->failure;
        } else if (end == MODBUS_ANSWERED) {
            learn(&session);
        }
    }
    report->stale = job->reused && end == MODBUS_FAILED && report->failure.reason == REASON_RESET;
    report->end = end;
    report->finished = true;
}
