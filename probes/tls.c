/* The tls probe: connects, speaks the cleartext words where there are some, makes one handshake
 * and judges what it saw. The certificate never ends the handshake here, so that its facts are
 * there whatever the verdict; nothing is sent inside the session.
 *
 * A server that insists on a client certificate says so during the handshake in TLS 1.2, which
 * fails then. In TLS 1.3 it says so after the client's part is over, a round trip later; the probe
 * has what it came for by then and does not wait: the handshake counts as good.
 */
#include <stdio.h>

#include "registry.h"
#include "stream.h"
#include "tls_target.h"
#include "tls_verdict.h"

enum { READ_BYTES = 1024, WHY_BYTES = 256 };

struct tls_run {
    struct stream stream;
    struct starttls dialog;
};

static enum progress finish(struct run *run)
{
    return stream_finish(&((struct tls_run *)run->state)->stream, run);
}

static enum progress begin_handshake(struct run *run)
{
    struct tls_run *state = run->state;
    const struct tls_target *target = run->prepared;
    return stream_begin_tls(&state->stream, run, &target->trust, false);
}

static enum progress step_connect(struct run *run)
{
    struct tls_run *state = run->state;
    const struct tls_target *target = run->prepared;
    switch (stream_connect(&state->stream, run, target->source)) {
    case NET_WAIT:
        return PROGRESS_WAIT;
    case NET_FAILED:
        return finish(run);
    case NET_CONNECTED:
        break;
    }
    if (target->starttls == STARTTLS_NONE) {
        return begin_handshake(run);
    }
    stream_enter(&state->stream, run, PHASE_STARTTLS);
    starttls_begin(&state->dialog, target->starttls);
    return PROGRESS_YIELD;
}

static enum progress send_words(struct run *run, const void *bytes, size_t count)
{
    struct tls_run *state = run->state;
    int sent = stream_write(&state->stream, run, bytes, count);
    if (sent <= 0) {
        return sent == STREAM_FAILED ? PROGRESS_DONE : PROGRESS_WAIT;
    }
    starttls_sent(&state->dialog, (size_t)sent);
    return PROGRESS_YIELD;
}

static enum progress read_words(struct run *run)
{
    struct tls_run *state = run->state;
    char bytes[READ_BYTES];
    int received = stream_read(&state->stream, run, bytes, sizeof(bytes));
    switch (received) {
    case STREAM_WAIT:
        return PROGRESS_WAIT;
    case STREAM_FAILED:
        return PROGRESS_DONE;
    case STREAM_CLOSED:
        result_fail(run->result, REASON_RESET, PHASE_STARTTLS,
                    "connection closed by the server before TLS");
        return finish(run);
    default:
        starttls_feed(&state->dialog, bytes, (size_t)received);
        return PROGRESS_YIELD;
    }
}

static enum progress step_starttls(struct run *run)
{
    struct tls_run *state = run->state;
    size_t count;
    const void *bytes = starttls_output(&state->dialog, &count);
    if (state->dialog.state == STARTTLS_REFUSED) {
        result_fail(run->result, REASON_PROTOCOL, PHASE_STARTTLS, "%s", state->dialog.why);
        return finish(run);
    }
    if (count > 0) {
        return send_words(run, bytes, count);
    }
    return state->dialog.state == STARTTLS_READY ? begin_handshake(run) : read_words(run);
}

static enum progress fail_handshake(struct run *run, bool reset, const char *why)
{
    const struct tls_session *session = &((struct tls_run *)run->state)->stream.session;
    enum reason reason = reset ? REASON_RESET : REASON_TLS_HANDSHAKE;
    char cause[WHY_BYTES];
    if (session->exhausted) {
        result_unknown(run->result, PHASE_TLS, "no memory for a TLS handshake");
    } else if (session->info.refused &&
               certinfo_judge(&session->info, &reason, cause, sizeof(cause)) == CERT_BAD) {
        result_fail(run->result, reason, PHASE_TLS, "%s", cause);
    } else {
        result_fail(run->result, reason, PHASE_TLS, "%s", why);
    }
    return finish(run);
}

static enum progress step_handshake(struct run *run)
{
    struct tls_run *state = run->state;
    bool reset;
    char why[WHY_BYTES];
    switch (tls_session_handshake(&state->stream.session, &reset, why, sizeof(why))) {
    case TLS_WAIT:
        return PROGRESS_WAIT;
    case TLS_YIELD:
        return PROGRESS_YIELD;
    case TLS_FAILED:
        return fail_handshake(run, reset, why);
    case TLS_ESTABLISHED:
        break;
    }
    const struct tls_session *session = &state->stream.session;
    tls_verdict(run, run->prepared, &session->info, tls_session_peer(session));
    return finish(run);
}

static enum progress tls_start(struct run *run)
{
    const struct tls_target *target = run->prepared;
    if (target->path != NULL) {
        tls_verdict_file(run, target);
        return PROGRESS_DONE;
    }
    return step_connect(run);
}

static enum progress tls_step(struct run *run, const struct waits *ready)
{
    const struct tls_run *state = run->state;
    (void)ready; /* every call below finds out for itself */
    switch (state->stream.phase) {
    case PHASE_CONNECT:
        return step_connect(run);
    case PHASE_STARTTLS:
        return step_starttls(run);
    case PHASE_TLS:
        return step_handshake(run);
    default:
        return PROGRESS_DONE;
    }
}

static void tls_waits(struct run *run, struct waits *waits)
{
    const struct tls_run *state = run->state;
    size_t count;
    if (state->stream.phase == PHASE_STARTTLS) {
        (void)starttls_output(&state->dialog, &count);
        waits_add(waits, state->stream.connect.fd, count > 0 ? POLLOUT : POLLIN);
    } else {
        stream_waits(&state->stream, waits);
    }
}

static void tls_cancel(struct run *run)
{
    stream_cancel(&((struct tls_run *)run->state)->stream);
}

static enum phase tls_current_phase(struct run *run)
{
    return stream_current_phase(&((struct tls_run *)run->state)->stream, run);
}

static enum error tls_open(const struct config *config, const struct config_probe *probe,
                           unsigned target, void **prepared, struct endpoint *endpoint, char *why,
                           size_t why_size)
{
    struct tls_target *opened = NULL;
    enum error error = tls_target_new(config, probe, target, &opened, endpoint, why, why_size);
    *prepared = opened;
    return error;
}

static void tls_close(void *prepared)
{
    tls_target_free(prepared);
}

static const char *tls_path(const void *prepared, bool *device)
{
    *device = false;
    return ((const struct tls_target *)prepared)->path;
}

const struct probe_ops tls_probe = {
    .kind =
        {
            .name = "tls",
            .help = "fetches a certificate, from a server or a file, and judges it",
            .keys = tls_keys,
            .key_count = TLS_KEY_COUNT,
            .reasons = PROBE_REASONS_TCP | PROBE_REASONS_TLS | REASON_BIT(REASON_CERT_PIN) |
                       REASON_BIT(REASON_CERT_SOON) | REASON_BIT(REASON_PROTOCOL) |
                       REASON_BIT(REASON_INTERNAL),
            .phases = PHASE_BIT(PHASE_RESOLVE) | PHASE_BIT(PHASE_CONNECT) |
                      PHASE_BIT(PHASE_STARTTLS) | PHASE_BIT(PHASE_TLS),
            .tls = true,
            .check = tls_target_check,
        },
    .run_bytes = sizeof(struct tls_run),
    .open = tls_open,
    .close = tls_close,
    .path = tls_path,
    .start = tls_start,
    .step = tls_step,
    .waits = tls_waits,
    .cancel = tls_cancel,
    .current_phase = tls_current_phase,
};
