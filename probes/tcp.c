/* The tcp probe: connects, makes a TLS handshake where asked to, and follows the configured dialog.
 *
 * Unlike the tls probe it goes on to talk: so a certificate that is not good, or whose dates cannot
 * be judged, ends the handshake, and nothing of the dialog is sent to a peer that is not trusted.
 * Its facts are reported all the same. */
#include <stddef.h>
#include <string.h>

#include "buffer.h"
#include "dialog.h"
#include "registry.h"
#include "stream.h"
#include "tcp_target.h"

enum { READ_BYTES = 2048, WHY_BYTES = 256 };

struct tcp_run {
    struct stream stream;
    bool spoke;         /* the dialog has begun: a handshake continues it */
    usec_t quiet_at_us; /* when a pause of the peer counts as one */
    struct dialog dialog;
};

/* --- The course of a run --- */

static enum progress finish(struct run *run)
{
    return stream_finish(&((struct tcp_run *)run->state)->stream, run);
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

static enum progress begin_dialog(struct run *run)
{
    struct tcp_run *state = run->state;
    const struct tcp_target *target = run->prepared;
    if (target->script.count == 0) {
        result_succeed(run->result); /* a connection was all that was asked for */
        return finish(run);
    }
    stream_enter(&state->stream, run, PHASE_DIALOG);
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
    return stream_begin_tls(&state->stream, run, &target->trust, true);
}

/* True when the certificate decided the run. */
static bool judge_certificate(struct run *run)
{
    const struct tls_session *session = &((struct tcp_run *)run->state)->stream.session;
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
    const struct tls_session *session = &((struct tcp_run *)run->state)->stream.session;
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
    switch (tls_session_handshake(&state->stream.session, &reset, why, sizeof why)) {
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

/* Sends what there is. False: the run is decided. */
static bool flush(struct run *run, bool *blocked)
{
    struct tcp_run *state = run->state;
    size_t count;
    const void *bytes = dialog_output(&state->dialog, &count);
    int moved = count > 0 ? stream_write(&state->stream, run, bytes, count) : 0;
    if (moved == STREAM_FAILED) {
        return false;
    }
    *blocked = moved == STREAM_WAIT;
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
    int moved = stream_read(&state->stream, run, bytes, room < sizeof bytes ? room : sizeof bytes);
    switch (moved) {
    case STREAM_WAIT:
        return wait_for_peer(run);
    case STREAM_FAILED:
        return PROGRESS_DONE;
    case STREAM_CLOSED:
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

static enum progress step_connect(struct run *run)
{
    struct tcp_run *state = run->state;
    const struct tcp_target *target = run->prepared;
    switch (stream_connect(&state->stream, run, target->source)) {
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
    set_facts(run, false, false);
    return step_connect(run);
}

static enum progress tcp_step(struct run *run, const struct waits *ready)
{
    const struct tcp_run *state = run->state;
    (void)ready; /* every call below finds out for itself */
    switch (state->stream.phase) {
    case PHASE_CONNECT:
        return step_connect(run);
    case PHASE_TLS:
        return step_handshake(run);
    case PHASE_DIALOG:
        return step_dialog(run);
    default:
        return PROGRESS_DONE;
    }
}

static void dialog_waits(const struct tcp_run *state, struct waits *waits)
{
    size_t unsent;
    (void)dialog_output(&state->dialog, &unsent);
    const struct tls_session *session = &state->stream.session;
    bool writes = unsent > 0 || (session->active && session->wants_write);
    bool reads = dialog_room(&state->dialog) > 0;
    waits_add(waits, state->stream.connect.fd,
              (short)((reads ? POLLIN : 0) | (writes ? POLLOUT : 0)));
    if (dialog_wants_quiet(&state->dialog)) {
        waits_until(waits, state->quiet_at_us);
    }
}

static void tcp_waits(struct run *run, struct waits *waits)
{
    const struct tcp_run *state = run->state;
    if (state->stream.phase == PHASE_DIALOG) {
        dialog_waits(state, waits);
    } else {
        stream_waits(&state->stream, waits);
    }
}

static void tcp_cancel(struct run *run)
{
    stream_cancel(&((struct tcp_run *)run->state)->stream);
}

static enum phase tcp_current_phase(struct run *run)
{
    struct tcp_run *state = run->state;
    enum phase phase = stream_current_phase(&state->stream, run);
    if (phase == PHASE_DIALOG) {
        note_dialog(run);
    }
    return phase;
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
            .reasons = PROBE_REASONS_TCP | PROBE_REASONS_TLS | REASON_BIT(REASON_TOO_LARGE) |
                       REASON_BIT(REASON_PROTOCOL) | REASON_BIT(REASON_EXPECT) |
                       REASON_BIT(REASON_INTERNAL),
            .phases = PHASE_BIT(PHASE_RESOLVE) | PHASE_BIT(PHASE_CONNECT) | PHASE_BIT(PHASE_TLS) |
                      PHASE_BIT(PHASE_DIALOG),
            .facts = FACT_BIT(FACT_FAILED_DUE_TO_REGEX) | FACT_BIT(FACT_FAILED_DUE_TO_BYTES),
            .tls = true,
            .check = tcp_target_check,
        },
    .run_bytes = sizeof(struct tcp_run),
    .zeroed_bytes = offsetof(struct tcp_run, dialog.captured),
    .open = tcp_open,
    .close = tcp_close,
    .start = tcp_start,
    .step = tcp_step,
    .waits = tcp_waits,
    .cancel = tcp_cancel,
    .current_phase = tcp_current_phase,
};
