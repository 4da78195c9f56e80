/* One push goes: look the name up -> hand the addresses to libcurl -> wait for its end. libcurl
 * never looks a name up itself: its own lookups could not be kept off TCP (cares_resolver.c). Its
 * callbacks only note what came; all work is done in step. */
#include "push_transport.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "buffer.h"
#include "certinfo.h"
#include "curl_once.h"
#include "curl_waits.h"
#include "push_setup.h"

#define REPLY_BYTES_MAX 4096

enum transport_state {
    TRANSPORT_IDLE,
    TRANSPORT_RESOLVING,
    TRANSPORT_SENDING, /* the handle is in the multi */
    TRANSPORT_REPLIED, /* the reply waits to be collected */
};

struct push_transport {
    const struct clock *clock;
    const struct resolver *resolver;
    unsigned resolver_slot;
    bool has_curl; /* curl_once is acquired */
    CURLM *multi;
    CURL *easy;
    struct push_setup setup;
    enum transport_state state;
    usec_t started_us, deadline_us;
    struct resolution resolution;
    char addresses[sizeof((struct push_setup *)0)->host + CAP_ADDRESSES * 64];
    struct curl_slist addresses_list; /* one entry: `addresses` */
    struct tls_facts facts;           /* of the last connection; only the verdict is used */
    struct certinfo certinfo;
    struct curl_waits waits;
    struct upstream_reply reply;
    size_t received;      /* bytes of the reply's body */
    char first_line[128]; /* of the reply's body */
    char error[CURL_ERROR_SIZE];
    char refusal[192]; /* what is wrong with the receiver's certificate; "" when nothing is */
};

static void set_state(struct push_transport *transport, enum transport_state state)
{
    static const unsigned allowed[] = {
        [TRANSPORT_IDLE] = 1u << TRANSPORT_RESOLVING,
        [TRANSPORT_RESOLVING] =
            1u << TRANSPORT_SENDING | 1u << TRANSPORT_REPLIED | 1u << TRANSPORT_IDLE,
        [TRANSPORT_SENDING] = 1u << TRANSPORT_REPLIED | 1u << TRANSPORT_IDLE,
        [TRANSPORT_REPLIED] = 1u << TRANSPORT_IDLE,
    };
    assert((allowed[transport->state] & 1u << state) != 0);
    transport->state = state;
}

static curl_socket_t open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    (void)context;
    (void)purpose;
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* ---- what the receiver says ---- */

/* Keeps the first line for the note and stops reading after REPLY_BYTES_MAX. */
static size_t on_body(char *bytes, size_t one, size_t count, void *context)
{
    struct push_transport *transport = context;
    size_t have = strlen(transport->first_line);
    bool ended = transport->received > have; /* the line is full, or its end has come */
    (void)one;
    for (size_t i = 0; !ended && i < count && have + 1 < sizeof transport->first_line; i++) {
        if (bytes[i] == '\n' || bytes[i] == '\r' || bytes[i] == '\0') {
            break;
        }
        transport->first_line[have++] = bytes[i];
        transport->first_line[have] = '\0';
    }
    transport->received += count;
    return transport->received > REPLY_BYTES_MAX ? 0 : count;
}

/* A receiver is refused before anything is sent to it. Dates that no trusted clock can judge do not
 * refuse it. The flags choose the alert it gets to see. */
static int verify_receiver(void *context, mbedtls_x509_crt *certificate, int depth, uint32_t *flags)
{
    struct push_transport *transport = context;
    struct certinfo *info = &transport->certinfo;
    enum reason reason;
    int result = certinfo_verify(info, certificate, depth, flags);
    if (depth == 0 &&
        certinfo_judge(info, &reason, transport->refusal, sizeof transport->refusal) == CERT_BAD) {
        *flags |= info->flags != 0 ? info->flags : (uint32_t)MBEDTLS_X509_BADCERT_EXPIRED;
    }
    return result;
}

static CURLcode on_tls_config(CURL *easy, void *tls_config, void *context)
{
    struct push_transport *transport = context;
    const struct trust *trust = &transport->setup.trust;
    (void)easy;
    certinfo_init(&transport->certinfo, &transport->facts, clock_wall(transport->clock),
                  trust->verify, false);
    trust_apply(trust, tls_config);
    mbedtls_ssl_conf_verify(tls_config, verify_receiver, transport);
    return CURLE_OK;
}

/* ---- life ---- */

static bool set_callbacks(struct push_transport *transport)
{
    CURL *easy = transport->easy;
    return curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_WRITEDATA, transport) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transport->error) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, on_tls_config) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, transport) == CURLE_OK &&
           curl_waits_attach(&transport->waits, transport->multi, transport->clock);
}

static bool make_handles(struct push_transport *transport)
{
    transport->has_curl = curl_once_acquire() == ERROR_NONE;
    if (!transport->has_curl) {
        return false;
    }
    transport->multi = curl_multi_init();
    transport->easy = curl_easy_init();
    return transport->multi && transport->easy && set_callbacks(transport);
}

struct push_transport *push_transport_new(const struct config *config, const struct clock *clock,
                                          const struct resolver *resolver, unsigned slot,
                                          struct config_errors *errors)
{
    struct push_transport *transport = calloc(1, sizeof *transport);
    if (transport) {
        transport->clock = clock;
        transport->resolver = resolver;
        transport->resolver_slot = slot;
        transport->addresses_list.data = transport->addresses;
    }
    if (!transport || !make_handles(transport)) {
        config_error_at(config, &config->push, NULL, errors, "no memory for the push transport");
        push_transport_free(transport);
        return NULL;
    }
    if (!push_setup_open(&transport->setup, transport->easy, config, errors)) {
        push_transport_free(transport);
        return NULL;
    }
    return transport;
}

void push_transport_free(struct push_transport *transport)
{
    if (!transport) {
        return;
    }
    if (transport->state == TRANSPORT_RESOLVING) {
        transport->resolver->cancel(transport->resolver->context, transport->resolver_slot);
    } else if (transport->state == TRANSPORT_SENDING) {
        curl_waits_take_out(&transport->waits, transport->easy);
    }
    curl_waits_free(transport->multi, transport->easy);
    push_setup_close(&transport->setup);
    if (transport->has_curl) {
        curl_once_release();
    }
    free(transport);
}

/* ---- the end of a push ---- */

static enum upstream_class class_of_status(long status)
{
    if (status >= 200 && status < 300) {
        return UPSTREAM_ACCEPTED;
    }
    if (status >= 300 && status < 400) {
        return UPSTREAM_REDIRECTED;
    }
    return status == 408 || status == 429 || status >= 500 ? UPSTREAM_BUSY : UPSTREAM_REJECTED;
}

/* The Pushgateway gives its reason in the first line; a proxy's page of HTML gives none. */
static const char *stated_reason(const struct push_transport *transport, long status)
{
    bool is_reason = transport->first_line[0] != '\0' && transport->first_line[0] != '<';
    return is_reason || status < 300 ? transport->first_line : "no reason was given";
}

static void reply_with(struct push_transport *transport, enum upstream_class class,
                       const char *text)
{
    struct upstream_reply *reply = &transport->reply;
    struct buffer note;
    reply->class = class;
    reply->duration_us = clock_monotonic_us(transport->clock) - transport->started_us;
    buffer_init(&note, reply->note, sizeof reply->note);
    buffer_append_escaped(&note, text, strlen(text));
    (void)buffer_text(&note);
    set_state(transport, TRANSPORT_REPLIED);
}

static void end_transfer(struct push_transport *transport, CURLcode code)
{
    long status = 0;
    curl_off_t retry_after_s = 0;
    curl_easy_getinfo(transport->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(transport->easy, CURLINFO_RETRY_AFTER, &retry_after_s);
    curl_waits_take_out(&transport->waits, transport->easy);
    transport->reply = (struct upstream_reply){.http_status = (int)status};
    /* A reply that we cut off was given all the same. One that the receiver broke off was not: the
     * state is pushed again, which cannot count anything twice. */
    if (code == CURLE_OK || (code == CURLE_WRITE_ERROR && transport->received > REPLY_BYTES_MAX)) {
        transport->reply.retry_after_us =
            usec_min(usec_max(retry_after_s, 0), 366 * 24 * 3600) * USEC_PER_SEC;
        reply_with(transport, class_of_status(status), stated_reason(transport, status));
    } else {
        reply_with(transport,
                   code == CURLE_OPERATION_TIMEDOUT ? UPSTREAM_TIMEOUT : UPSTREAM_UNREACHABLE,
                   transport->refusal[0] ? transport->refusal
                   : transport->error[0] ? transport->error
                                         : curl_easy_strerror(code));
    }
}

/* ---- sending ---- */

/* "HOST:PORT:ADDRESS,ADDRESS" for libcurl's table of names. */
static void write_addresses(struct push_transport *transport)
{
    const char *host = transport->setup.host;
    bool literal = strchr(host, ':') != NULL;
    struct buffer text;
    buffer_init(&text, transport->addresses, sizeof transport->addresses);
    buffer_printf(&text, literal ? "[%s]:%u" : "%s:%u", host, transport->setup.port);
    for (unsigned i = 0; i < transport->resolution.count; i++) {
        const struct address *address = &transport->resolution.addresses[i];
        int family = address->socket.any.sa_family;
        const void *bytes = family == AF_INET ? (const void *)&address->socket.v4.sin_addr
                                              : (const void *)&address->socket.v6.sin6_addr;
        char digits[INET6_ADDRSTRLEN];
        if (inet_ntop(family, bytes, digits, sizeof digits)) {
            buffer_printf(&text, family == AF_INET ? "%c%s" : "%c[%s]", i == 0 ? ':' : ',', digits);
        }
    }
    (void)buffer_text(&text);
}

/* The handle's wake sets the request off, in the next turn. */
static void send_body(struct push_transport *transport, usec_t now_us)
{
    long left_ms = (long)usec_max((transport->deadline_us - now_us) / USEC_PER_MSEC, 1);
    write_addresses(transport);
    if (curl_easy_setopt(transport->easy, CURLOPT_TIMEOUT_MS, left_ms) != CURLE_OK ||
        curl_easy_setopt(transport->easy, CURLOPT_CONNECTTIMEOUT_MS, left_ms) != CURLE_OK ||
        curl_easy_setopt(transport->easy, CURLOPT_RESOLVE, &transport->addresses_list) !=
            CURLE_OK ||
        curl_multi_add_handle(transport->multi, transport->easy) != CURLM_OK) {
        reply_with(transport, UPSTREAM_UNREACHABLE, "no memory for the transfer");
        return;
    }
    set_state(transport, TRANSPORT_SENDING);
}

static void follow_resolution(struct push_transport *transport, usec_t now_us)
{
    const struct resolution *resolution = &transport->resolution;
    if (resolution->state == RESOLVE_DONE && resolution->count > 0) {
        send_body(transport, now_us);
    } else if (resolution->state != RESOLVE_PENDING) {
        reply_with(transport, UPSTREAM_UNREACHABLE, resolution->note);
    } else if (now_us >= transport->deadline_us) {
        transport->resolver->cancel(transport->resolver->context, transport->resolver_slot);
        reply_with(transport, UPSTREAM_UNREACHABLE, "no answer from a name server in time");
    }
}

/* ---- the port ---- */

static bool submit(void *context, const void *body, size_t size, usec_t now_us, usec_t deadline_us)
{
    struct push_transport *transport = context;
    CURL *easy = transport->easy;
    /* The size first: it tells libcurl that the bytes may hold a NUL. */
    if (transport->state != TRANSPORT_IDLE ||
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)size) != CURLE_OK ||
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body) != CURLE_OK ||
        curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, "PUT") != CURLE_OK) {
        return false;
    }
    transport->reply = (struct upstream_reply){.http_status = 0};
    transport->started_us = clock_monotonic_us(transport->clock);
    transport->deadline_us = deadline_us;
    transport->received = 0;
    transport->first_line[0] = '\0';
    transport->error[0] = '\0';
    transport->refusal[0] = '\0';
    set_state(transport, TRANSPORT_RESOLVING);
    transport->resolver->start(transport->resolver->context, transport->resolver_slot,
                               transport->setup.host, IP_ANY, now_us, deadline_us,
                               &transport->resolution);
    return true;
}

static bool collect(void *context, struct upstream_reply *reply)
{
    struct push_transport *transport = context;
    if (transport->state != TRANSPORT_REPLIED) {
        return false;
    }
    *reply = transport->reply;
    set_state(transport, TRANSPORT_IDLE);
    return true;
}

static void reset(void *context)
{
    struct push_transport *transport = context;
    if (transport->state == TRANSPORT_RESOLVING) {
        transport->resolver->cancel(transport->resolver->context, transport->resolver_slot);
    } else if (transport->state == TRANSPORT_SENDING) {
        curl_waits_take_out(&transport->waits, transport->easy);
    }
    if (transport->state != TRANSPORT_IDLE) {
        set_state(transport, TRANSPORT_IDLE);
    }
}

struct upstream push_transport_port(struct push_transport *transport)
{
    return (struct upstream){
        .context = transport, .submit = submit, .collect = collect, .reset = reset};
}

void push_transport_waits(struct push_transport *transport, struct waits *waits, usec_t now_us)
{
    switch (transport->state) {
    case TRANSPORT_IDLE:
        break;
    case TRANSPORT_RESOLVING:
        waits_until(waits, transport->resolution.state == RESOLVE_PENDING ? transport->deadline_us
                                                                          : now_us);
        break;
    case TRANSPORT_SENDING:
        curl_waits_tell(&transport->waits, waits);
        break;
    case TRANSPORT_REPLIED:
        waits_until(waits, now_us);
        break;
    }
}

void push_transport_step(struct push_transport *transport, const struct waits *ready, usec_t now_us)
{
    if (transport->state == TRANSPORT_RESOLVING) {
        follow_resolution(transport, now_us);
    } else if (transport->state == TRANSPORT_SENDING) {
        CURLcode code;
        if (curl_waits_turn(&transport->waits, ready, &code)) {
            end_transfer(transport, code);
        }
    }
}
