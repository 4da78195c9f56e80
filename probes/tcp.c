/* The tcp probe: connects, makes a TLS handshake where asked to, and follows the configured dialog.
 *
 * Unlike the tls probe it goes on to talk: so a certificate that is not good, or whose dates cannot
 * be judged, ends the handshake, and nothing of the dialog is sent to a peer that is not trusted.
 * Its facts are reported all the same. */
#include <errno.h>
#include <string.h>

#include "buffer.h"
#include "dialog.h"
#include "net.h"
#include "registry.h"
#include "tcp_target.h"
#include "tls_session.h"

enum { READ_BYTES = 2048, WHY_BYTES = 256 };

/* A zeroed run, never started, is over: it holds nothing. */
enum state { STATE_OVER, STATE_CONNECT, STATE_HANDSHAKE, STATE_DIALOG };

struct tcp_run {
    enum state state;
    bool spoke; /* the dialog has begun: a handshake continues it */
    usec_t phase_since_us;
    usec_t quiet_at_us; /* when a pause of the peer counts as one */
    struct net_connect connect;
    struct tls_session session;
    struct dialog dialog;
};

static const enum phase phase_of[] = {
    [STATE_OVER] = PHASE_NONE,
    [STATE_CONNECT] = PHASE_CONNECT,
    [STATE_HANDSHAKE] = PHASE_TLS,
    [STATE_DIALOG] = PHASE_DIALOG,
};

/* --- The course of a run --- */

/* The one place where the state changes: it closes the phase of the state that is left. */
static void enter(struct run *run, enum state next)
{
    struct tcp_run *state = run->state;
    usec_t now_us = clock_monotonic_us(run->clock);
    if (state->state != STATE_OVER) {
        result_phase_add(run->result, phase_of[state->state], now_us - state->phase_since_us);
    }
    state->state = next;
    state->phase_since_us = now_us;
}

static void release(struct tcp_run *state)
{
    tls_session_end(&state->session);
    net_connect_close(&state->connect);
}

static enum progress finish(struct run *run)
{
    enter(run, STATE_OVER);
    release(run->state);
    return PROGRESS_DONE;
}

/* blackbox_exporter's two gauges, there whenever the configuration could make them 1. */
static void set_facts(struct run *run, bool by_pattern, bool by_bytes)
{
    const struct dialog_script *script = &((const struct tcp_target *)run->prepared)->script;
    if (dialog_script_has(script, DIALOG_EXPECT) || dialog_script_has(script, DIALOG_REJECT)) {
        result_fact_set(run->result, FACT_FAILED_DUE_TO_REGEX, by_pattern);
    }
    if (dialog_script_has(script, DIALOG_EXPECT_BYTES)) {
        result_fact_set(run->result, FACT_FAILED_DUE_TO_BYTES, by_bytes);
    }
}

static void note_dialog(struct run *run)
{
    const struct tcp_run *state = run->state;
    struct buffer note;
    buffer_init(&note, run->result->note, sizeof run->result->note);
    dialog_explain(&state->dialog, &note);
}

static enum progress fail_system(struct run *run, int system_errno)
{
    enum phase phase = phase_of[((struct tcp_run *)run->state)->state];
    if (net_exhausted(system_errno)) {
        result_unknown(run->result, phase, "%s", strerror(system_errno));
    } else {
        result_fail(run->result, net_reason(system_errno), phase, "%s", strerror(system_errno));
    }
    return finish(run);
}

static enum progress begin_dialog(struct run *run)
{
    struct tcp_run *state = run->state;
    const struct tcp_target *target = run->prepared;
    if (target->script.count == 0) {
        result_succeed(run->result); /* a connection was all that was asked for */
        return finish(run);
    }
    enter(run, STATE_DIALOG);
    state->quiet_at_us = usec_add(run->now_us, DIALOG_QUIET_US);
    if (state->spoke) {
        dialog_secured(&state->dialog);
    } else {
        state->spoke = true;
        dialog_begin(&state->dialog, &target->script);
    }
    return PROGRESS_YIELD;
}

/* --- Handshake --- */

static enum progress begin_handshake(struct run *run)
{
    struct tcp_run *state = run->state;
    const struct tcp_target *target = run->prepared;
    struct certinfo info;
    certinfo_init(&info, &run->result->tls, clock_wall(run->clock), target->trust.verify, true);
    enter(run, STATE_HANDSHAKE);
    if (tls_session_start(&state->session, state->connect.fd, &target->trust, run->endpoint->host,
                          &info) != ERROR_NONE) {
        result_unknown(run->result, PHASE_TLS, "no memory for a TLS session");
        return finish(run);
    }
    return PROGRESS_YIELD;
}

/* True when the certificate decided the run. */
static bool judge_certificate(struct run *run)
{
    const struct tls_session *session = &((struct tcp_run *)run->state)->session;
    enum reason reason = REASON_NONE;
    char why[WHY_BYTES];
    switch (certinfo_judge(&session->info, &reason, why, sizeof why)) {
    case CERT_GOOD:
        return false;
    case CERT_BAD:
        result_fail(run->result, reason, PHASE_TLS, "%s", why);
        return true;
    case CERT_UNKNOWN:
        result_unknown(run->result, PHASE_TLS, "%s", why);
        return true;
    }
    return false;
}

static enum progress fail_handshake(struct run *run, bool reset, const char *why)
{
    const struct tls_session *session = &((struct tcp_run *)run->state)->session;
    if (session->exhausted) {
        result_unknown(run->result, PHASE_TLS, "no memory for a TLS handshake");
    } else if (!session->info.refused || !judge_certificate(run)) {
        result_fail(run->result, reset ? REASON_RESET : REASON_TLS_HANDSHAKE, PHASE_TLS, "%s", why);
    }
    return finish(run);
}

static enum progress step_handshake(struct run *run)
{
    struct tcp_run *state = run->state;
    const struct tcp_target *target = run->prepared;
    bool reset;
    char why[WHY_BYTES];
    switch (tls_session_handshake(&state->session, &reset, why, sizeof why)) {
    case TLS_WAIT:
        return PROGRESS_WAIT;
    case TLS_YIELD:
        return PROGRESS_YIELD;
    case TLS_FAILED:
        return fail_handshake(run, reset, why);
    case TLS_ESTABLISHED:
        break;
    }
    if (target->trust.min_tls13 && strcmp(run->result->tls.version, "TLS 1.3") != 0) {
        result_fail(run->result, REASON_TLS_POLICY, PHASE_TLS, "%s, and min_tls is 1.3",
                    run->result->tls.version);
        return finish(run);
    }
    /* Once more: some faults show only when the handshake is complete. */
    return judge_certificate(run) ? finish(run) : begin_dialog(run);
}

/* --- Dialog --- */

/* What became of one read or write: bytes moved, or one of these. */
enum { IO_WAIT = -1, IO_CLOSED = -2, IO_FAILED = -3 /* the run is decided */ };

static int plain_result(struct run *run, ssize_t moved)
{
    if (moved >= 0) {
        return moved > 0 ? (int)moved : IO_CLOSED;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) {
        return IO_WAIT;
    }
    (void)fail_system(run, errno);
    return IO_FAILED;
}

static int secure_result(struct run *run, int moved)
{
    switch (moved) {
    case TLS_IO_WAIT:
        return IO_WAIT;
    case TLS_IO_CLOSED:
        return IO_CLOSED;
    case TLS_IO_ERROR:
        break;
    default:
        return moved;
    }
    /* In TLS 1.3 a server that wants a client certificate says so only now. */
    bool ended = ((struct tcp_run *)run->state)->session.ended;
    result_fail(run->result, ended ? REASON_RESET : REASON_TLS_HANDSHAKE, PHASE_DIALOG,
                ended ? "connection ended by the server inside TLS"
                      : "the server ended TLS with an alert, or broke it");
    (void)finish(run);
    return IO_FAILED;
}

static int read_some(struct run *run, void *bytes, size_t size)
{
    struct tcp_run *state = run->state;
    if (state->session.active) {
        return secure_result(run, tls_session_read(&state->session, bytes, size));
    }
    return plain_result(run, recv(state->connect.fd, bytes, size, MSG_DONTWAIT));
}

static int write_some(struct run *run, const void *bytes, size_t count)
{
    struct tcp_run *state = run->state;
    if (state->session.active) {
        return secure_result(run, tls_session_write(&state->session, bytes, count));
    }
    return plain_result(run, send(state->connect.fd, bytes, count, MSG_NOSIGNAL | MSG_DONTWAIT));
}

/* Sends what there is. False: the run is decided. */
static bool flush(struct run *run, bool *blocked)
{
    struct tcp_run *state = run->state;
    size_t count;
    const void *bytes = dialog_output(&state->dialog, &count);
    int moved = count > 0 ? write_some(run, bytes, count) : 0;
    if (moved == IO_FAILED) {
        return false;
    }
    *blocked = moved == IO_WAIT;
    if (moved > 0) {
        dialog_sent(&state->dialog, (size_t)moved);
    }
    return true;
}

static enum progress fail_dialog(struct run *run)
{
    const struct dialog *dialog = &((struct tcp_run *)run->state)->dialog;
    bool expected = dialog->reason == REASON_EXPECT;
    result_fail(run->result, dialog->reason, PHASE_DIALOG, "%s", "");
    note_dialog(run);
    set_facts(run, expected && dialog->by_pattern, expected && dialog->by_bytes);
    return finish(run);
}

/* The socket has nothing for us: perhaps that decides something. */
static enum progress wait_for_peer(struct run *run)
{
    struct tcp_run *state = run->state;
    if (dialog_wants_quiet(&state->dialog) && run->now_us >= state->quiet_at_us) {
        dialog_quiet(&state->dialog);
        return PROGRESS_YIELD;
    }
    return PROGRESS_WAIT;
}

static enum progress listen_to_peer(struct run *run)
{
    struct tcp_run *state = run->state;
    uint8_t bytes[READ_BYTES];
    size_t room = dialog_room(&state->dialog);
    if (room == 0) {
        return PROGRESS_WAIT;
    }
    int moved = read_some(run, bytes, room < sizeof bytes ? room : sizeof bytes);
    switch (moved) {
    case IO_WAIT:
        return wait_for_peer(run);
    case IO_FAILED:
        return PROGRESS_DONE;
    case IO_CLOSED:
        dialog_end(&state->dialog);
        break;
    default:
        state->quiet_at_us = usec_add(run->now_us, DIALOG_QUIET_US);
        dialog_feed(&state->dialog, bytes, (size_t)moved);
        break;
    }
    return PROGRESS_YIELD;
}

static enum progress step_dialog(struct run *run)
{
    struct tcp_run *state = run->state;
    bool blocked;
    if (!flush(run, &blocked)) {
        return PROGRESS_DONE;
    }
    size_t unsent;
    (void)dialog_output(&state->dialog, &unsent);
    switch (state->dialog.state) {
    case DIALOG_OPEN:
        break;
    case DIALOG_FAILED:
        return fail_dialog(run);
    case DIALOG_WANTS_TLS:
        if (unsent == 0) {
            return begin_handshake(run);
        }
        return blocked ? PROGRESS_WAIT : PROGRESS_YIELD;
    case DIALOG_DONE:
        if (unsent == 0) {
            result_succeed(run->result);
            return finish(run);
        }
        return blocked ? PROGRESS_WAIT : PROGRESS_YIELD;
    }
    enum progress progress = listen_to_peer(run);
    return progress == PROGRESS_WAIT && unsent > 0 && !blocked ? PROGRESS_YIELD : progress;
}

/* --- The interface --- */

static enum progress after_connect(struct run *run, enum net_state connected)
{
    const struct tcp_target *target = run->prepared;
    switch (connected) {
    case NET_WAIT:
        return PROGRESS_WAIT;
    case NET_FAILED:
        return finish(run);
    case NET_CONNECTED:
        break;
    }
    return target->tls ? begin_handshake(run) : begin_dialog(run);
}

static enum progress tcp_start(struct run *run)
{
    struct tcp_run *state = run->state;
    const struct tcp_target *target = run->prepared;
    state->connect.fd = -1;
    enter(run, STATE_CONNECT);
    set_facts(run, false, false);
    return after_connect(run, net_connect_start(&state->connect, run, target->source));
}

static enum progress tcp_step(struct run *run, const struct waits *ready)
{
    struct tcp_run *state = run->state;
    const struct tcp_target *target = run->prepared;
    (void)ready; /* every call below finds out for itself */
    switch (state->state) {
    case STATE_CONNECT:
        return after_connect(run, net_connect_step(&state->connect, run, target->source));
    case STATE_HANDSHAKE:
        return step_handshake(run);
    case STATE_DIALOG:
        return step_dialog(run);
    case STATE_OVER:
        break;
    }
    return PROGRESS_DONE;
}

static void dialog_waits(const struct tcp_run *state, struct waits *waits)
{
    size_t unsent;
    (void)dialog_output(&state->dialog, &unsent);
    bool writes = unsent > 0 || (state->session.active && state->session.wants_write);
    bool reads = dialog_room(&state->dialog) > 0;
    waits_add(waits, state->connect.fd, (short)((reads ? POLLIN : 0) | (writes ? POLLOUT : 0)));
    if (dialog_wants_quiet(&state->dialog)) {
        waits_until(waits, state->quiet_at_us);
    }
}

static void tcp_waits(struct run *run, struct waits *waits)
{
    const struct tcp_run *state = run->state;
    switch (state->state) {
    case STATE_CONNECT:
        net_connect_waits(&state->connect, waits);
        break;
    case STATE_HANDSHAKE:
        waits_add(waits, state->connect.fd, tls_session_events(&state->session));
        break;
    case STATE_DIALOG:
        dialog_waits(state, waits);
        break;
    case STATE_OVER:
        break;
    }
}

static void tcp_cancel(struct run *run)
{
    struct tcp_run *state = run->state;
    if (state->state != STATE_OVER) {
        release(state);
        state->state = STATE_OVER;
    }
}

static enum phase tcp_current_phase(struct run *run)
{
    const struct tcp_run *state = run->state;
    if (state->state != STATE_OVER) {
        enter(run, state->state);
    }
    if (state->state == STATE_DIALOG) {
        note_dialog(run);
    }
    return phase_of[state->state];
}

static enum error tcp_open(const struct config *config, const struct config_probe *probe,
                           unsigned target, void **prepared, struct endpoint *endpoint, char *why,
                           size_t why_size)
{
    struct tcp_target *opened = NULL;
    enum error error = tcp_target_new(config, probe, target, &opened, endpoint, why, why_size);
    *prepared = opened;
    return error;
}

static void tcp_close(void *prepared)
{
    tcp_target_free(prepared);
}

const struct probe_ops tcp_probe = {
    .kind =
        {
            .name = "tcp",
            .help = "connects, with TLS if asked to, and follows a dialog",
            .keys = tcp_keys,
            .key_count = TCP_KEY_COUNT,
            .reasons = REASON_BIT(REASON_RESOLVE) | REASON_BIT(REASON_CONNECT) |
                       REASON_BIT(REASON_REFUSED) | REASON_BIT(REASON_UNREACHABLE) |
                       REASON_BIT(REASON_TIMEOUT) | REASON_BIT(REASON_RESET) |
                       REASON_BIT(REASON_TLS_HANDSHAKE) | REASON_BIT(REASON_TLS_POLICY) |
                       REASON_BIT(REASON_CERT_EXPIRED) | REASON_BIT(REASON_CERT_NOT_YET_VALID) |
                       REASON_BIT(REASON_CERT_UNTRUSTED) | REASON_BIT(REASON_CERT_NAME) |
                       REASON_BIT(REASON_TOO_LARGE) | REASON_BIT(REASON_PROTOCOL) |
                       REASON_BIT(REASON_EXPECT) | REASON_BIT(REASON_INTERNAL),
            .phases = PHASE_BIT(PHASE_RESOLVE) | PHASE_BIT(PHASE_CONNECT) | PHASE_BIT(PHASE_TLS) |
                      PHASE_BIT(PHASE_DIALOG),
            .facts = FACT_BIT(FACT_FAILED_DUE_TO_REGEX) | FACT_BIT(FACT_FAILED_DUE_TO_BYTES),
            .tls = true,
            .check = tcp_target_check,
        },
    .run_bytes = sizeof(struct tcp_run),
    .open = tcp_open,
    .close = tcp_close,
    .start = tcp_start,
    .step = tcp_step,
    .waits = tcp_waits,
    .cancel = tcp_cancel,
    .current_phase = tcp_current_phase,
};
