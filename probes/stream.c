#include "stream.h"

#include <errno.h>
#include <string.h>

void stream_enter(struct stream *stream, struct run *run, enum phase next)
{
    usec_t now_us = clock_monotonic_us(run->clock);
    if (stream->open) {
        result_phase_add(run->result, stream->phase, now_us - stream->phase_since_us);
    }
    stream->open = next != PHASE_NONE;
    stream->phase = next;
    stream->phase_since_us = now_us;
}

static void release(struct stream *stream)
{
    tls_session_end(&stream->session);
    net_connect_close(&stream->connect);
}

enum progress stream_finish(struct stream *stream, struct run *run)
{
    stream_enter(stream, run, PHASE_NONE);
    release(stream);
    return PROGRESS_DONE;
}

void stream_cancel(struct stream *stream)
{
    if (stream->open) {
        release(stream);
        stream->open = false;
        stream->phase = PHASE_NONE;
    }
}

enum net_state stream_connect(struct stream *stream, struct run *run, const char *source)
{
    if (stream->open) {
        return net_connect_step(&stream->connect, run, source);
    }
    stream->connect.fd = -1;
    stream_enter(stream, run, PHASE_CONNECT);
    return net_connect_start(&stream->connect, run, source);
}

enum progress stream_begin_tls(struct stream *stream, struct run *run, const struct trust *trust,
                               bool stop_on_bad)
{
    struct certinfo info;
    certinfo_init(&info, &run->result->tls, clock_wall(run->clock), trust->verify, stop_on_bad);
    stream_enter(stream, run, PHASE_TLS);
    if (tls_session_start(&stream->session, stream->connect.fd, trust, run->endpoint->host,
                          &info) != ERROR_NONE) {
        result_unknown(run->result, PHASE_TLS, "no memory for a TLS session");
        return stream_finish(stream, run);
    }
    return PROGRESS_YIELD;
}

static int fail_system(struct stream *stream, struct run *run, int system_errno)
{
    if (net_exhausted(system_errno)) {
        result_unknown(run->result, stream->phase, "%s", strerror(system_errno));
    } else {
        result_fail(run->result, net_reason(system_errno), stream->phase, "%s",
                    strerror(system_errno));
    }
    (void)stream_finish(stream, run);
    return STREAM_FAILED;
}

static int plain_result(struct stream *stream, struct run *run, ssize_t moved)
{
    if (moved >= 0) {
        return moved > 0 ? (int)moved : STREAM_CLOSED;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) {
        return STREAM_WAIT;
    }
    return fail_system(stream, run, errno);
}

static int secure_result(struct stream *stream, struct run *run, int moved)
{
    switch (moved) {
    case TLS_IO_WAIT:
        return STREAM_WAIT;
    case TLS_IO_CLOSED:
        return STREAM_CLOSED;
    case TLS_IO_ERROR:
        break;
    default:
        return moved;
    }
    /* In TLS 1.3 a server that wants a client certificate says so only now. */
    bool ended = stream->session.ended;
    result_fail(run->result, ended ? REASON_RESET : REASON_TLS_HANDSHAKE, stream->phase,
                ended ? "connection ended by the server inside TLS"
                      : "the server ended TLS with an alert, or broke it");
    (void)stream_finish(stream, run);
    return STREAM_FAILED;
}

int stream_read(struct stream *stream, struct run *run, void *bytes, size_t size)
{
    if (stream->session.active) {
        return secure_result(stream, run, tls_session_read(&stream->session, bytes, size));
    }
    return plain_result(stream, run, recv(stream->connect.fd, bytes, size, MSG_DONTWAIT));
}

int stream_write(struct stream *stream, struct run *run, const void *bytes, size_t count)
{
    if (stream->session.active) {
        return secure_result(stream, run, tls_session_write(&stream->session, bytes, count));
    }
    return plain_result(stream, run,
                        send(stream->connect.fd, bytes, count, MSG_NOSIGNAL | MSG_DONTWAIT));
}

void stream_waits(const struct stream *stream, struct waits *waits)
{
    if (stream->open && stream->phase == PHASE_CONNECT) {
        net_connect_waits(&stream->connect, waits);
    } else if (stream->open && stream->phase == PHASE_TLS) {
        waits_add(waits, stream->connect.fd, tls_session_events(&stream->session));
    }
}

enum phase stream_current_phase(struct stream *stream, struct run *run)
{
    if (!stream->open) {
        return PHASE_NONE;
    }
    stream_enter(stream, run, stream->phase);
    return stream->phase;
}
