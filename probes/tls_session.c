#include "tls_session.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include <mbedtls/error.h>
#include <mbedtls/net_sockets.h>
#include <psa/crypto.h>

enum { NAME_BYTES = 256 };

static int send_bytes(void *context, const unsigned char *bytes, size_t count)
{
    struct tls_session *session = context;
    ssize_t sent = send(session->fd, bytes, count, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0) {
        return (int)sent;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) {
        return MBEDTLS_ERR_SSL_WANT_WRITE;
    }
    session->ended = true;
    return MBEDTLS_ERR_NET_CONN_RESET;
}

static void renew_slice(struct tls_session *session)
{
    session->slice = TLS_SLICE_BYTES;
    session->reads = TLS_SLICE_READS;
}

static int receive_bytes(void *context, unsigned char *bytes, size_t size)
{
    struct tls_session *session = context;
    size_t count = size < session->slice ? size : session->slice;
    if (count == 0 || session->reads == 0) {
        return MBEDTLS_ERR_SSL_WANT_READ; /* the socket is still readable: poll returns at once */
    }
    session->reads--;
    ssize_t received = recv(session->fd, bytes, count, MSG_DONTWAIT);
    if (received > 0) {
        session->slice -= (size_t)received;
        return (int)received;
    }
    if (received < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) {
        return MBEDTLS_ERR_SSL_WANT_READ;
    }
    session->ended = true;
    return received == 0 ? 0 : MBEDTLS_ERR_NET_CONN_RESET;
}

static bool is_address(const char *host)
{
    uint8_t bytes[16];
    return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

/* RFC 6066 section 3: SNI has no literals and no trailing dot. */
static int set_name(struct tls_session *session, const char *host)
{
    char name[NAME_BYTES];
    size_t length = strlen(host);
    if (is_address(host)) {
        session->info.address = host;
        return mbedtls_ssl_set_hostname(&session->ssl, NULL);
    }
    if (length > 1 && host[length - 1] == '.') {
        length--;
    }
    if (length >= sizeof(name)) {
        return MBEDTLS_ERR_SSL_BAD_INPUT_DATA;
    }
    memcpy(name, host, length);
    name[length] = '\0';
    return mbedtls_ssl_set_hostname(&session->ssl, name);
}

static int configure(struct tls_session *session, const struct trust *trust)
{
    mbedtls_ssl_config *config = &session->config;
    int result = mbedtls_ssl_config_defaults(
        config, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT);
    if (result != 0) {
        return result;
    }
    trust_apply(trust, config);
    if (!session->info.stop_on_bad) {
        mbedtls_ssl_conf_authmode(config, MBEDTLS_SSL_VERIFY_OPTIONAL);
    }
    mbedtls_ssl_conf_verify(config, certinfo_verify, &session->info);
    /* A resumed session would show no certificate. */
    mbedtls_ssl_conf_session_tickets(config, MBEDTLS_SSL_SESSION_TICKETS_DISABLED);
    return 0;
}

enum error tls_session_start(struct tls_session *session, int fd, const struct trust *trust,
                             const char *host, const struct certinfo *info)
{
    *session = (struct tls_session){.info = *info, .fd = fd, .active = true};
    mbedtls_ssl_init(&session->ssl);
    mbedtls_ssl_config_init(&session->config);
    int result = configure(session, trust);
    if (result == 0) {
        result = mbedtls_ssl_setup(&session->ssl, &session->config);
    }
    if (result == 0) {
        result = set_name(session, trust->server_name != NULL ? trust->server_name : host);
    }
    if (result != 0) {
        tls_session_end(session);
        return result == MBEDTLS_ERR_SSL_BAD_INPUT_DATA ? ERROR_INVALID : ERROR_EXHAUSTED;
    }
    mbedtls_ssl_set_bio(&session->ssl, session, send_bytes, receive_bytes, NULL);
    return ERROR_NONE;
}

/* RFC 8446 section 6, and those of RFC 5246 that a TLS 1.2 server still sends. */
static const char *alert_name(unsigned char alert)
{
    static const struct {
        unsigned char number;
        const char *name;
    } names[] = {
        {0, "close_notify"},
        {10, "unexpected_message"},
        {20, "bad_record_mac"},
        {21, "decryption_failed"},
        {22, "record_overflow"},
        {40, "handshake_failure: no common cipher or curve, or a client certificate is wanted"},
        {41, "no_certificate: it wants a client certificate"},
        {42, "bad_certificate"},
        {43, "unsupported_certificate"},
        {44, "certificate_revoked"},
        {45, "certificate_expired"},
        {46, "certificate_unknown"},
        {47, "illegal_parameter"},
        {48, "unknown_ca: it does not trust the client certificate"},
        {49, "access_denied"},
        {50, "decode_error"},
        {51, "decrypt_error"},
        {70, "protocol_version: it speaks neither TLS 1.2 nor 1.3"},
        {71, "insufficient_security"},
        {80, "internal_error"},
        {86, "inappropriate_fallback"},
        {90, "user_canceled"},
        {100, "no_renegotiation"},
        {109, "missing_extension"},
        {110, "unsupported_extension"},
        {112, "unrecognized_name: it does not know the server name"},
        {113, "bad_certificate_status_response"},
        {115, "unknown_psk_identity"},
        {116, "certificate_required: it wants a client certificate"},
        {120, "no_application_protocol"},
    };
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (names[i].number == alert) {
            return names[i].name;
        }
    }
    return "unknown";
}

/* mbedTLS adds a low-level code to a high-level one. */
static int high_level(int result)
{
    return -(-result & 0xFF80);
}

/* The same code stands for an alert the peer sent and for a few the library is about to send. */
static void explain_alert(const mbedtls_ssl_context *ssl, char *why, size_t why_size)
{
    if (ssl->MBEDTLS_PRIVATE(in_msgtype) == MBEDTLS_SSL_MSG_ALERT &&
        ssl->MBEDTLS_PRIVATE(in_msg) != NULL) {
        unsigned char alert = ssl->MBEDTLS_PRIVATE(in_msg)[1];
        snprintf(why, why_size, "server sent alert %u %s", alert, alert_name(alert));
        return;
    }
    snprintf(why, why_size, "server sent no certificate");
}

static void explain(const struct tls_session *session, int result, char *why, size_t why_size)
{
    int code = high_level(result);
    const char *text = mbedtls_high_level_strerr(result);
    if (session->info.too_deep) {
        snprintf(why, why_size,
                 "server's chain has more intermediate CAs, or costlier ones, than are followed");
    } else if (session->info.refused) {
        snprintf(why, why_size, "certificate refused");
    } else if (session->ended) {
        snprintf(why, why_size, "connection %s by the server during the TLS handshake",
                 result == MBEDTLS_ERR_NET_CONN_RESET ? "reset" : "closed");
    } else if (code == MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE) {
        explain_alert(&session->ssl, why, why_size);
    } else if (code == MBEDTLS_ERR_SSL_INVALID_RECORD && session->info.facts->certificate == 0) {
        snprintf(why, why_size, "server's answer is not TLS");
    } else {
        /* "SSL - A message could not be decoded": the library's part says nothing to a reader. */
        const char *tail = text != NULL ? strstr(text, " - ") : NULL;
        snprintf(why, why_size, "%s (-0x%04x)", tail != NULL ? tail + 3 : "TLS error",
                 (unsigned)-result);
    }
}

static void note_failure(struct tls_session *session, int result)
{
    struct certinfo *info = &session->info;
    int code = high_level(result);
    session->exhausted = code == MBEDTLS_ERR_SSL_ALLOC_FAILED ||
                         code == MBEDTLS_ERR_X509_ALLOC_FAILED ||
                         result == PSA_ERROR_INSUFFICIENT_MEMORY;
    if (info->verify && result == MBEDTLS_ERR_SSL_BAD_CERTIFICATE) {
        info->refused = true;
    }
}

/* What mbedTLS finds beyond the chain: curve and key usage against the cipher in use. */
static void add_late_flags(struct tls_session *session)
{
    uint32_t late = mbedtls_ssl_get_verify_result(&session->ssl);
    if (session->info.seen && late != UINT32_MAX) {
        session->info.flags |=
            late & (uint32_t)(MBEDTLS_X509_BADCERT_KEY_USAGE | MBEDTLS_X509_BADCERT_EXT_KEY_USAGE |
                              MBEDTLS_X509_BADCERT_BAD_KEY);
    }
}

enum tls_state tls_session_handshake(struct tls_session *session, bool *reset, char *why,
                                     size_t why_size)
{
    *reset = false;
    renew_slice(session);
    int result = mbedtls_ssl_handshake_step(&session->ssl);
    if (result == MBEDTLS_ERR_SSL_WANT_READ || result == MBEDTLS_ERR_SSL_WANT_WRITE) {
        session->wants_write = result == MBEDTLS_ERR_SSL_WANT_WRITE;
        return TLS_WAIT;
    }
    if (result == 0 && !mbedtls_ssl_is_handshake_over(&session->ssl)) {
        return TLS_YIELD;
    }
    add_late_flags(session);
    if (result == 0) {
        certinfo_session(session->info.facts, &session->ssl);
        return TLS_ESTABLISHED;
    }
    note_failure(session, result);
    *reset = session->ended && !session->info.refused;
    explain(session, result, why, why_size);
    return TLS_FAILED;
}

static int io_result(struct tls_session *session, int result)
{
    switch (result) {
    case MBEDTLS_ERR_SSL_WANT_READ:
    case MBEDTLS_ERR_SSL_WANT_WRITE:
        session->wants_write = result == MBEDTLS_ERR_SSL_WANT_WRITE;
        return TLS_IO_WAIT;
    case MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY:
        session->ended = true;
        return TLS_IO_CLOSED;
    default:
        return result > 0 ? result : TLS_IO_ERROR;
    }
}

int tls_session_read(struct tls_session *session, void *bytes, size_t size)
{
    renew_slice(session);
    return io_result(session,
                     mbedtls_ssl_read(&session->ssl, bytes, size < INT_MAX ? size : INT_MAX));
}

int tls_session_write(struct tls_session *session, const void *bytes, size_t count)
{
    renew_slice(session);
    return io_result(session, mbedtls_ssl_write(&session->ssl, bytes, count));
}

short tls_session_events(const struct tls_session *session)
{
    return session->wants_write ? POLLOUT : POLLIN;
}

const mbedtls_x509_crt *tls_session_peer(const struct tls_session *session)
{
    return session->active ? mbedtls_ssl_get_peer_cert(&session->ssl) : NULL;
}

void tls_session_end(struct tls_session *session)
{
    if (!session->active) {
        return;
    }
    if (!session->ended && mbedtls_ssl_is_handshake_over(&session->ssl)) {
        (void)mbedtls_ssl_close_notify(&session->ssl);
    }
    mbedtls_ssl_free(&session->ssl);
    mbedtls_ssl_config_free(&session->config);
    session->active = false;
}
