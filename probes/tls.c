/* The tls probe: connects, speaks the cleartext words where there are some, makes one handshake
 * and judges what it saw. The certificate never ends the handshake here, so that its facts are
 * there whatever the verdict; nothing is sent inside the session.
 *
 * A server that insists on a client certificate says so during the handshake in TLS 1.2, which
 * fails then. In TLS 1.3 it says so after the client's part is over, a round trip later; the probe
 * has what it came for by then and does not wait: the handshake counts as good.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "net.h"
#include "registry.h"
#include "tls_session.h"
#include "tls_target.h"
#include "tls_verdict.h"

enum { READ_BYTES = 1024, WHY_BYTES = 256 };

/* A zeroed run, never started, is over: it holds nothing. */
enum state { STATE_OVER, STATE_CONNECT, STATE_STARTTLS, STATE_HANDSHAKE };

struct tls_run {
    enum state state;
    usec_t phase_since_us;
    struct net_connect connect;
    struct starttls dialog;
    struct tls_session session;
};

static const enum phase phase_of[] = {
    [STATE_CONNECT] = PHASE_CONNECT,
    [STATE_STARTTLS] = PHASE_STARTTLS,
    [STATE_HANDSHAKE] = PHASE_TLS,
    [STATE_OVER] = PHASE_NONE,
};

/* The one place where the state changes: it closes the phase of the state that is left. */
static void enter(struct run *run, enum state next)
{
    struct tls_run *state = run->state;
    usec_t now_us = clock_monotonic_us(run->clock);
    if (state->state != STATE_OVER) {
        result_phase_add(run->result, phase_of[state->state], now_us - state->phase_since_us);
    }
    state->state = next;
    state->phase_since_us = now_us;
}

static void release(struct tls_run *state)
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

static enum progress begin_handshake(struct run *run)
{
    struct tls_run *state = run->state;
    const struct tls_target *target = run->prepared;
    struct certinfo info;
    certinfo_init(&info, &run->result->tls, clock_wall(run->clock), target->trust.verify, false);
    enter(run, STATE_HANDSHAKE);
    if (tls_session_start(&state->session, state->connect.fd, &target->trust, run->endpoint->host,
                          &info) != ERROR_NONE) {
        result_unknown(run->result, PHASE_TLS, "no memory for a TLS session");
        return finish(run);
    }
    return PROGRESS_YIELD;
}

static enum progress after_connect(struct run *run, enum net_state connected)
{
    struct tls_run *state = run->state;
    const struct tls_target *target = run->prepared;
    switch (connected) {
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
    enter(run, STATE_STARTTLS);
    starttls_begin(&state->dialog, target->starttls);
    return PROGRESS_YIELD;
}

static enum progress fail_starttls(struct run *run, int cause)
{
    if (cause == 0) {
        result_fail(run->result, REASON_RESET, PHASE_STARTTLS,
                    "connection closed by the server before TLS");
    } else {
        result_fail(run->result, net_reason(cause), PHASE_STARTTLS, "%s", strerror(cause));
    }
    return finish(run);
}

static bool would_block(int system_errno)
{
    return system_errno == EAGAIN || system_errno == EWOULDBLOCK || system_errno == EINTR;
}

static enum progress send_words(struct run *run, const void *bytes, size_t count)
{
    struct tls_run *state = run->state;
    ssize_t sent = send(state->connect.fd, bytes, count, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0) {
        return would_block(errno) ? PROGRESS_WAIT : fail_starttls(run, errno);
    }
    starttls_sent(&state->dialog, (size_t)sent);
    return PROGRESS_YIELD;
}

static enum progress read_words(struct run *run)
{
    struct tls_run *state = run->state;
    char bytes[READ_BYTES];
    ssize_t received = recv(state->connect.fd, bytes, sizeof(bytes), MSG_DONTWAIT);
    if (received <= 0) {
        return received < 0 && would_block(errno) ? PROGRESS_WAIT
                                                  : fail_starttls(run, received < 0 ? errno : 0);
    }
    starttls_feed(&state->dialog, bytes, (size_t)received);
    return PROGRESS_YIELD;
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
    const struct tls_session *session = &((struct tls_run *)run->state)->session;
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
    switch (tls_session_handshake(&state->session, &reset, why, sizeof(why))) {
    case TLS_WAIT:
        return PROGRESS_WAIT;
    case TLS_YIELD:
        return PROGRESS_YIELD;
    case TLS_FAILED:
        return fail_handshake(run, reset, why);
    case TLS_ESTABLISHED:
        break;
    }
    tls_verdict(run, run->prepared, &state->session.info, tls_session_peer(&state->session));
    return finish(run);
}

static enum progress tls_start(struct run *run)
{
    struct tls_run *state = run->state;
    const struct tls_target *target = run->prepared;
    state->connect.fd = -1;
    if (target->path != NULL) {
        tls_verdict_file(run, target);
        return PROGRESS_DONE;
    }
    enter(run, STATE_CONNECT);
    return after_connect(run, net_connect_start(&state->connect, run, target->source));
}

static enum progress tls_step(struct run *run, const struct waits *ready)
{
    struct tls_run *state = run->state;
    const struct tls_target *target = run->prepared;
    (void)ready; /* every call below finds out for itself */
    switch (state->state) {
    case STATE_CONNECT:
        return after_connect(run, net_connect_step(&state->connect, run, target->source));
    case STATE_STARTTLS:
        return step_starttls(run);
    case STATE_HANDSHAKE:
        return step_handshake(run);
    case STATE_OVER:
        break;
    }
    return PROGRESS_DONE;
}

static void tls_waits(struct run *run, struct waits *waits)
{
    const struct tls_run *state = run->state;
    size_t count;
    switch (state->state) {
    case STATE_CONNECT:
        net_connect_waits(&state->connect, waits);
        break;
    case STATE_STARTTLS:
        (void)starttls_output(&state->dialog, &count);
        waits_add(waits, state->connect.fd, count > 0 ? POLLOUT : POLLIN);
        break;
    case STATE_HANDSHAKE:
        waits_add(waits, state->connect.fd, tls_session_events(&state->session));
        break;
    case STATE_OVER:
        break;
    }
}

static void tls_cancel(struct run *run)
{
    struct tls_run *state = run->state;
    if (state->state != STATE_OVER) {
        release(state);
        state->state = STATE_OVER;
    }
}

static enum phase tls_current_phase(struct run *run)
{
    const struct tls_run *state = run->state;
    if (state->state != STATE_OVER) {
        enter(run, state->state);
    }
    return phase_of[state->state];
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

const struct probe_ops tls_probe = {
    .kind =
        {
            .name = "tls",
            .help = "fetches a certificate, from a server or a file, and judges it",
            .keys = tls_keys,
            .key_count = TLS_KEY_COUNT,
            .reasons = REASON_BIT(REASON_RESOLVE) | REASON_BIT(REASON_CONNECT) |
                       REASON_BIT(REASON_REFUSED) | REASON_BIT(REASON_UNREACHABLE) |
                       REASON_BIT(REASON_TIMEOUT) | REASON_BIT(REASON_RESET) |
                       REASON_BIT(REASON_TLS_HANDSHAKE) | REASON_BIT(REASON_TLS_POLICY) |
                       REASON_BIT(REASON_CERT_EXPIRED) | REASON_BIT(REASON_CERT_NOT_YET_VALID) |
                       REASON_BIT(REASON_CERT_UNTRUSTED) | REASON_BIT(REASON_CERT_NAME) |
                       REASON_BIT(REASON_CERT_PIN) | REASON_BIT(REASON_CERT_SOON) |
                       REASON_BIT(REASON_PROTOCOL) | REASON_BIT(REASON_INTERNAL),
            .phases = PHASE_BIT(PHASE_RESOLVE) | PHASE_BIT(PHASE_CONNECT) |
                      PHASE_BIT(PHASE_STARTTLS) | PHASE_BIT(PHASE_TLS),
            .tls = true,
            .check = tls_target_check,
        },
    .run_bytes = sizeof(struct tls_run),
    .open = tls_open,
    .close = tls_close,
    .start = tls_start,
    .step = tls_step,
    .waits = tls_waits,
    .cancel = tls_cancel,
    .current_phase = tls_current_phase,
};
