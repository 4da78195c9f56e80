/* The modbus kind: the loop's side of a run. The device is spoken to by its endpoint's worker
 * (modbus_worker.h); connecting over TCP is the loop's own, non-blocking.
 *
 *   QUEUED --turn--> CONNECTING (TCP) --> ASKING --> verdict
 *      \--turn, serial line or connection left open --^  \--left open, but closed--> CONNECTING
 *
 * The phase `connect` is the TCP connect or the opening of the line, `request` the sum of all
 * exchanges; pauses and the wait for the turn are in neither, only in the run's duration. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <unistd.h>

#include "modbus_judge.h"
#include "modbus_keys.h"
#include "modbus_worker.h"
#include "net.h"
#include "registry.h"

/* The worker ends this much before the runner's deadline, so that a run that waited in vain still
 * says what it asked for and hands over the values it got. */
#define MARGIN_US (10 * USEC_PER_MSEC)

/* A target, as open() made it. */
struct modbus_prepared {
    struct modbus_target target;
    uint8_t unit;
    struct modbus_link *link; /* NULL: it went with a thread that hangs */
    struct modbus_worker *worker;
    const char *source; /* of the configuration; NULL: the system's choice */
    unsigned max_registers, max_bits, busy_retries;
    usec_t pause_us;
    bool keep_open;
    unsigned count;
    struct modbus_value values[];
};

enum run_state { RUN_DONE, RUN_QUEUED, RUN_CONNECTING, RUN_ASKING };

struct modbus_run {
    enum run_state state;
    struct modbus_ticket ticket;
    struct net_connect connect;
    usec_t connecting_since_us;
};

static enum error load_values(const struct config *config, const struct config_section *section,
                              struct modbus_prepared *prepared, char *why, size_t why_size)
{
    for (unsigned i = 0; i < prepared->count; i++) {
        enum error error =
            modbus_read_at(config, section, i, &prepared->values[i].read, why, why_size);

        if (error != ERROR_NONE) {
            return error;
        }
    }
    return ERROR_NONE;
}

static struct modbus_patience patience_of(const struct config *config)
{
    const struct config_section *section = &config->watchdog;

    return (struct modbus_patience){
        .write_offs = (unsigned)config_number(config, section, WATCHDOG_SUBSYSTEM_RESTARTS),
        .window_us = config_number(config, section, WATCHDOG_RESTART_WINDOW)};
}

static enum error open_parts(struct modbus_prepared *prepared, const char *instance,
                             struct modbus_patience patience, char *why, size_t why_size)
{
    enum error error = modbus_target_parse(instance, &prepared->target, why, why_size);

    if (error != ERROR_NONE) {
        return error;
    }
    (void)snprintf(why, why_size, "%s", "no memory or descriptor left");
    error = modbus_link_new(&prepared->target, prepared->unit, &prepared->link);
    if (error == ERROR_NONE) {
        error = modbus_worker_open(&prepared->target, patience, &prepared->worker);
        if (error != ERROR_NONE) {
            modbus_link_free(prepared->link);
        }
    }
    return error;
}

static enum error modbus_open(const struct config *config, const struct config_probe *probe,
                              unsigned target, void **out, struct endpoint *endpoint, char *why,
                              size_t why_size)
{
    const struct config_section *section = &probe->section;
    unsigned count = config_count(config, section, MODBUS_KEY_READ);
    struct modbus_prepared *prepared =
        calloc(1, sizeof(*prepared) + count * sizeof(prepared->values[0]));
    enum error error;

    if (prepared == NULL) {
        (void)snprintf(why, why_size, "no memory left");
        return ERROR_EXHAUSTED;
    }
    prepared->source = config_text(config, section, PROBE_SOURCE, NULL);
    prepared->unit = (uint8_t)config_number(config, section, MODBUS_KEY_UNIT);
    prepared->max_registers = (unsigned)config_number(config, section, MODBUS_KEY_MAX_REGISTERS);
    prepared->max_bits = (unsigned)config_number(config, section, MODBUS_KEY_MAX_BITS);
    prepared->busy_retries = (unsigned)config_number(config, section, MODBUS_KEY_BUSY_RETRIES);
    prepared->pause_us = config_number(config, section, MODBUS_KEY_PAUSE);
    prepared->keep_open = config_number(config, section, MODBUS_KEY_KEEP_OPEN) != 0;
    prepared->count = count;
    error = load_values(config, section, prepared, why, why_size);
    if (error == ERROR_NONE) {
        error = open_parts(prepared, config_instance(config, target), patience_of(config), why,
                           why_size);
    }
    if (error != ERROR_NONE) {
        free(prepared);
        return error;
    }
    *endpoint = prepared->target.endpoint;
    *out = prepared;
    return ERROR_NONE;
}

static void modbus_close_target(void *context)
{
    struct modbus_prepared *prepared = context;

    modbus_worker_close(prepared->worker, &prepared->link);
    free(prepared);
}

static void modbus_watch(void *context, struct vitals *vitals, unsigned target)
{
    const struct modbus_prepared *prepared = context;

    modbus_worker_watch(prepared->worker, vitals, VITAL_WORKER + target);
    /* A thread costs memory: now, and not when the site has been running for an hour. One that
     * cannot be had is tried for again by each run. */
    (void)!modbus_worker_start(prepared->worker);
}

static void modbus_tend(void *context, usec_t now_us)
{
    const struct modbus_prepared *prepared = context;

    modbus_worker_tend(prepared->worker, now_us);
}

static const char *modbus_path(const void *context, bool *device)
{
    const struct modbus_prepared *prepared = context;

    *device = prepared->target.transport == MODBUS_RTU;
    return *device ? prepared->target.device : NULL;
}

static void submit(struct run *run, int fd, bool reused)
{
    struct modbus_prepared *prepared = run->prepared;
    struct modbus_run *state = run->state;
    struct modbus_span spans[CAP_VALUES];
    usec_t left = usec_max(run->deadline_us - clock_monotonic_us(run->clock), 0);
    struct modbus_job job = {
        .reused = reused,
        .keep_open = prepared->keep_open,
        .budget_us = left - usec_min(MARGIN_US, left / 10),
        .pause_us = prepared->pause_us,
        .busy_retries = prepared->busy_retries,
    };

    for (unsigned i = 0; i < prepared->count; i++) {
        const struct modbus_value *value = &prepared->values[i];

        spans[i] = (struct modbus_span){.table = (uint8_t)value->read.table,
                                        .alone = value->alone,
                                        .apart = value->apart,
                                        .address = value->read.address,
                                        .count = value->read.count};
    }
    modbus_plan_init(&job.plan, spans, prepared->count, prepared->max_registers,
                     prepared->max_bits);
    modbus_worker_submit(prepared->worker, &job, &prepared->link, fd, prepared->source,
                         run->now_us);
    state->state = RUN_ASKING;
}

static enum progress end(struct run *run)
{
    struct modbus_run *state = run->state;

    modbus_worker_leave(&state->ticket);
    state->state = RUN_DONE;
    return PROGRESS_DONE;
}

static enum progress connecting(struct run *run, enum net_state connected)
{
    struct modbus_run *state = run->state;
    int fd = state->connect.fd;

    if (connected == NET_WAIT) {
        return PROGRESS_WAIT;
    }
    if (connected == NET_FAILED) {
        return end(run);
    }
    if (fd >= FD_SETSIZE) {
        net_connect_close(&state->connect);
        result_unknown(run->result, PHASE_CONNECT, "descriptor %d is beyond select(2)'s reach", fd);
        return end(run);
    }
    result_phase_add(run->result, PHASE_CONNECT,
                     clock_monotonic_us(run->clock) - state->connecting_since_us);
    state->connect.fd = -1; /* the worker's now */
    submit(run, fd, false);
    return PROGRESS_WAIT;
}

static enum progress begin_connect(struct run *run)
{
    const struct modbus_prepared *prepared = run->prepared;
    struct modbus_run *state = run->state;

    state->state = RUN_CONNECTING;
    state->connecting_since_us = clock_monotonic_us(run->clock);
    return connecting(run, net_connect_start(&state->connect, run, prepared->source));
}

static enum progress queued(struct run *run)
{
    struct modbus_prepared *prepared = run->prepared;
    struct modbus_run *state = run->state;
    struct address peer;

    if (!modbus_worker_turn(&state->ticket)) {
        return PROGRESS_WAIT;
    }
    if (modbus_worker_start(prepared->worker) != ERROR_NONE) {
        result_unknown(run->result, PHASE_CONNECT, "no memory for a thread, or too many of them");
        return end(run);
    }
    if (prepared->link == NULL &&
        modbus_link_new(&prepared->target, prepared->unit, &prepared->link) != ERROR_NONE) {
        result_unknown(run->result, PHASE_CONNECT, "no memory left");
        return end(run);
    }
    if (prepared->target.transport == MODBUS_RTU) {
        submit(run, -1, false);
        return PROGRESS_WAIT;
    }
    if (!modbus_worker_reusable(prepared->worker, prepared->source)) {
        return begin_connect(run);
    }
    if (modbus_worker_peer(prepared->worker, &peer)) {
        net_address_facts(run->result, &peer.socket.any);
    }
    submit(run, -1, true);
    return PROGRESS_WAIT;
}

/* Phases and values of what was done so far. */
static void book(struct run *run, const struct modbus_report *report)
{
    struct modbus_prepared *prepared = run->prepared;

    if (report->opened) {
        result_phase_add(run->result, PHASE_CONNECT, report->connect_us);
    }
    if (report->any_asked) {
        usec_t open_us =
            report->asking_since_us != 0 ? modbus_now_us() - report->asking_since_us : 0;
        result_phase_add(run->result, PHASE_REQUEST, report->request_us + open_us);
    }
    modbus_judge_values(prepared->values, prepared->count, report, run->now_us, run->result);
}

static void decide(struct run *run, const struct modbus_report *report)
{
    struct modbus_prepared *prepared = run->prepared;

    switch (report->end) {
    case MODBUS_ANSWERED:
    case MODBUS_REFUSED:
        modbus_judge(prepared->values, prepared->count, report, run->now_us, run->result);
        break;
    case MODBUS_FAILED:
        result_fail(run->result, report->failure.reason, report->phase, "%s", report->failure.note);
        break;
    case MODBUS_UNKNOWN:
    case MODBUS_CANCELLED:
        result_unknown(run->result, report->phase, "%s", report->failure.note);
        break;
    }
}

static enum progress asking(struct run *run)
{
    struct modbus_prepared *prepared = run->prepared;
    struct modbus_report report;

    modbus_worker_report(prepared->worker, &report);
    if (!report.finished) {
        return PROGRESS_WAIT;
    }
    if (report.stale && prepared->target.transport != MODBUS_RTU) {
        return begin_connect(run);
    }
    book(run, &report);
    decide(run, &report);
    return end(run);
}

static enum progress modbus_step(struct run *run, const struct waits *ready)
{
    const struct modbus_prepared *prepared = run->prepared;
    struct modbus_run *state = run->state;

    (void)ready;
    switch (state->state) {
    case RUN_QUEUED:
        return queued(run);
    case RUN_CONNECTING:
        return connecting(run, net_connect_step(&state->connect, run, prepared->source));
    case RUN_ASKING:
        return asking(run);
    case RUN_DONE:
        break;
    }
    return PROGRESS_DONE;
}

static enum progress modbus_start(struct run *run)
{
    const struct modbus_prepared *prepared = run->prepared;
    struct modbus_run *state = run->state;

    state->connect.fd = -1;
    state->state = RUN_QUEUED;
    modbus_worker_queue(prepared->worker, &state->ticket);
    return queued(run);
}

static void modbus_waits(struct run *run, struct waits *waits)
{
    const struct modbus_run *state = run->state;

    if (state->state == RUN_CONNECTING) {
        net_connect_waits(&state->connect, waits);
    } else if (state->state != RUN_DONE) {
        modbus_worker_waits(&state->ticket, waits);
    }
}

static void modbus_cancel(struct run *run)
{
    struct modbus_run *state = run->state;

    if (state->state == RUN_CONNECTING) {
        net_connect_close(&state->connect);
    }
    modbus_worker_leave(&state->ticket);
    state->state = RUN_DONE;
}

/* Cut while it waited behind other runs, the device is not to blame: it was never asked. Behind a
 * call that does not end, it is. */
static enum phase cut_in_queue(struct run *run)
{
    const struct modbus_run *state = run->state;

    if (modbus_worker_is_first(&state->ticket)) {
        result_note(run->result, "still busy with an earlier request that does not end");
    } else {
        result_unknown(run->result, PHASE_CONNECT, "no turn: busy with other probes' requests");
    }
    return PHASE_CONNECT;
}

static enum phase cut_while_asking(struct run *run)
{
    const struct modbus_prepared *prepared = run->prepared;
    struct modbus_report report;

    modbus_worker_report(prepared->worker, &report);
    book(run, &report);
    if (report.finished) {
        decide(run, &report);
    } else if (report.any_asked) {
        result_note(run->result, "no answer from unit %u to %s %u (%u)", prepared->unit,
                    modbus_table_names[report.asked.table], report.asked.address,
                    report.asked.count);
    }
    return report.phase;
}

static enum phase modbus_current_phase(struct run *run)
{
    const struct modbus_run *state = run->state;

    switch (state->state) {
    case RUN_QUEUED:
        return cut_in_queue(run);
    case RUN_CONNECTING:
        return PHASE_CONNECT;
    case RUN_ASKING:
        return cut_while_asking(run);
    case RUN_DONE:
        break;
    }
    return PHASE_NONE;
}

const struct probe_ops modbus_probe = {
    .kind =
        {
            .name = "modbus",
            .help = "reads registers and coils of a Modbus device and judges their values",
            .keys = modbus_keys,
            .key_count = MODBUS_KEY_END - KIND_KEY_FIRST,
            .reasons = PROBE_REASONS_TCP | REASON_BIT(REASON_PROTOCOL) |
                       REASON_BIT(REASON_EXCEPTION) | REASON_BIT(REASON_RANGE) |
                       REASON_BIT(REASON_STUCK) | REASON_BIT(REASON_INTERNAL),
            .phases =
                PHASE_BIT(PHASE_RESOLVE) | PHASE_BIT(PHASE_CONNECT) | PHASE_BIT(PHASE_REQUEST),
            .check = modbus_check,
            .value_name = modbus_value_name,
        },
    .run_bytes = sizeof(struct modbus_run),
    .open = modbus_open,
    .close = modbus_close_target,
    .path = modbus_path,
    .start = modbus_start,
    .step = modbus_step,
    .waits = modbus_waits,
    .cancel = modbus_cancel,
    .current_phase = modbus_current_phase,
    .watch = modbus_watch,
    .tend = modbus_tend,
};
