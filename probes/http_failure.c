#include "http_failure.h"

#include <mbedtls/ssl.h>
#include <stdio.h>
#include <string.h>

#include "net.h"

/* The library has no field for mbedTLS' code, but writes it into its text as "(-0x7280)". */
static bool tls_code_is(const char *text, int code)
{
    char wanted[16];
    snprintf(wanted, sizeof(wanted), "(-0x%04X)", (unsigned)-code);
    return strstr(text, wanted) != NULL;
}

static struct http_failure unknown_in(enum phase phase)
{
    return (struct http_failure){.unknown = true, .reason = REASON_NONE, .phase = phase};
}

static struct http_failure failed(enum reason reason, enum phase phase)
{
    return (struct http_failure){.unknown = false, .reason = reason, .phase = phase};
}

static struct http_failure of_connect(const struct http_trouble *trouble)
{
    if (trouble->proxy_status != 0 || trouble->system_errno == 0)
        return failed(REASON_CONNECT, PHASE_CONNECT);
    return failed(net_reason((int)trouble->system_errno), PHASE_CONNECT);
}

static struct http_failure of_handshake(const struct http_trouble *trouble)
{
    if (trouble->system_errno != 0 && net_reason((int)trouble->system_errno) != REASON_CONNECT)
        return failed(net_reason((int)trouble->system_errno), PHASE_TLS);
    if (tls_code_is(trouble->text, MBEDTLS_ERR_SSL_CONN_EOF))
        return failed(REASON_RESET, PHASE_TLS);
    return failed(REASON_TLS_HANDSHAKE, PHASE_TLS);
}

/* Reading or writing an open connection failed. Without an errno the bytes came, but make no sense:
 * a bad chunk, a TLS record that does not open. */
static struct http_failure of_stream(const struct http_trouble *trouble)
{
    if (trouble->proxy_status != 0 && trouble->phase <= PHASE_CONNECT)
        return failed(REASON_CONNECT, PHASE_CONNECT);
    if (trouble->phase == PHASE_TLS)
        return of_handshake(trouble);
    /* TLS 1.3 reports a client certificate that is missing or refused after the handshake. */
    if (tls_code_is(trouble->text, MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE))
        return failed(REASON_TLS_HANDSHAKE, PHASE_TLS);
    if (tls_code_is(trouble->text, MBEDTLS_ERR_SSL_CONN_EOF))
        return failed(REASON_RESET, trouble->phase);
    if (trouble->system_errno == 0)
        return failed(REASON_PROTOCOL, trouble->phase);
    return failed(net_reason((int)trouble->system_errno), trouble->phase);
}

struct http_failure http_failure_of(const struct http_trouble *trouble)
{
    if (trouble->exhausted)
        return unknown_in(trouble->phase);
    switch (trouble->code) {
    case CURLE_OUT_OF_MEMORY:
    case CURLE_FAILED_INIT:
    case CURLE_INTERFACE_FAILED: /* our own side of the connection: `source` is not there */
    case CURLE_READ_ERROR:
        return unknown_in(trouble->phase);
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
        return failed(REASON_RESOLVE, PHASE_RESOLVE);
    case CURLE_COULDNT_CONNECT:
        return of_connect(trouble);
    case CURLE_PROXY:
        return failed(REASON_CONNECT, PHASE_CONNECT);
    case CURLE_OPERATION_TIMEDOUT:
        return failed(REASON_TIMEOUT, trouble->phase);
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_PEER_FAILED_VERIFICATION:
        return of_handshake(trouble);
    case CURLE_GOT_NOTHING:
        return failed(REASON_RESET, trouble->phase);
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
        return of_stream(trouble);
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_UNSUPPORTED_PROTOCOL: /* an answer of HTTP/0.9 */
    case CURLE_BAD_CONTENT_ENCODING:
    case CURLE_HTTP2:
        return failed(REASON_PROTOCOL, trouble->phase);
    default:
        return failed(REASON_INTERNAL, trouble->phase);
    }
}
