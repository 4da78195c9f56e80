#include "push_transport.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buffer.h"
#include "certinfo.h"
#include "curl_once.h"
#include "expo_proto.h"
#include "push_url.h"
#include "secret_file.h"
#include "trust.h"

#define REPLY_BYTES_MAX  4096
#define URL_BYTES_MAX    1024
#define SECRET_BYTES_MAX 512
#define SOCKETS_MAX      16

struct watched {
    curl_socket_t fd;
    short events;
};

struct push_transport {
    const struct clock *clock;
    bool has_curl; /* curl_once is acquired */
    CURLM *multi;
    CURL *easy;
    struct curl_slist *headers;
    struct trust trust;
    struct tls_facts facts; /* of the last connection; only the verdict is used */
    struct certinfo certinfo;
    char url[URL_BYTES_MAX];
    struct watched sockets[SOCKETS_MAX];
    unsigned socket_count;
    usec_t wake_us; /* when libcurl wants to be called without an event */
    usec_t started_us;
    bool in_flight, replied;
    struct upstream_reply reply;
    size_t received; /* bytes of the reply body */
    char first_line[128];
    char error[CURL_ERROR_SIZE];
};

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *unused)
{
    struct push_transport *transport = context;
    unsigned i = 0;
    (void)easy;
    (void)unused;
    while (i < transport->socket_count && transport->sockets[i].fd != fd) {
        i++;
    }
    if (what == CURL_POLL_REMOVE) {
        if (i < transport->socket_count) {
            transport->sockets[i] = transport->sockets[--transport->socket_count];
        }
        return 0;
    }
    if (i == SOCKETS_MAX) {
        return -1;
    }
    short events =
        (short)((what & CURL_POLL_IN ? POLLIN : 0) | (what & CURL_POLL_OUT ? POLLOUT : 0));
    transport->sockets[i] = (struct watched){.fd = fd, .events = events};
    if (i == transport->socket_count) {
        transport->socket_count++;
    }
    return 0;
}

static int on_timer(CURLM *multi, long timeout_ms, void *context)
{
    struct push_transport *transport = context;
    (void)multi;
    transport->wake_us =
        timeout_ms < 0 ? USEC_NEVER
                       : clock_monotonic_us(transport->clock) + (usec_t)timeout_ms * USEC_PER_MSEC;
    return 0;
}

/* Keeps the first line for the note and stops reading after REPLY_BYTES_MAX. */
static size_t on_body(char *bytes, size_t one, size_t count, void *context)
{
    struct push_transport *transport = context;
    size_t have = strlen(transport->first_line);
    (void)one;
    for (size_t i = 0; i < count && have + 1 < sizeof transport->first_line; i++) {
        if (bytes[i] == '\n') {
            break;
        }
        transport->first_line[have++] = bytes[i];
        transport->first_line[have] = '\0';
    }
    transport->received += count;
    return transport->received > REPLY_BYTES_MAX ? 0 : count;
}

static CURLcode on_tls_config(CURL *easy, void *tls_config, void *context)
{
    struct push_transport *transport = context;
    (void)easy;
    certinfo_init(&transport->certinfo, &transport->facts, clock_wall(transport->clock),
                  transport->trust.verify, true);
    trust_apply(&transport->trust, tls_config);
    mbedtls_ssl_conf_verify(tls_config, certinfo_verify, &transport->certinfo);
    return CURLE_OK;
}

static const char *push_text(const struct config *config, enum push_key key)
{
    return config_text(config, &config->push, key, NULL);
}

/* Basic or bearer authentication from the secret files of [push]. */
static enum error set_credentials(struct push_transport *transport, const struct config *config,
                                  char *why, size_t why_size)
{
    const char *username = push_text(config, PUSH_USERNAME);
    const char *bearer_file = push_text(config, PUSH_BEARER_FILE);
    const char *file = bearer_file ? bearer_file : push_text(config, PUSH_PASSWORD_FILE);
    char secret[SECRET_BYTES_MAX];
    if (!file) {
        return ERROR_NONE;
    }
    size_t length;
    enum error error = secret_file_read(file, secret, sizeof secret, &length, why, why_size);
    if (error) {
        return error;
    }
    if (bearer_file) {
        curl_easy_setopt(transport->easy, CURLOPT_HTTPAUTH, CURLAUTH_BEARER);
        curl_easy_setopt(transport->easy, CURLOPT_XOAUTH2_BEARER, secret);
    } else {
        curl_easy_setopt(transport->easy, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
        curl_easy_setopt(transport->easy, CURLOPT_USERNAME, username ? username : "");
        curl_easy_setopt(transport->easy, CURLOPT_PASSWORD, secret);
    }
    secret_wipe(secret, sizeof secret);
    return ERROR_NONE;
}

static void set_options(struct push_transport *transport)
{
    CURL *easy = transport->easy;
    transport->headers = curl_slist_append(NULL, "Content-Type: " EXPO_PROTO_CONTENT_TYPE);
    transport->headers = curl_slist_append(transport->headers, "Expect:");
    curl_easy_setopt(easy, CURLOPT_URL, transport->url);
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, "PUT");
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transport->headers);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "picket");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, transport);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transport->error);
    curl_easy_setopt(easy, CURLOPT_CAINFO, NULL);
    curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, transport->trust.verify ? 1L : 0L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, transport->trust.verify ? 2L : 0L);
    curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, on_tls_config);
    curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, transport);
    curl_multi_setopt(transport->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(transport->multi, CURLMOPT_SOCKETDATA, transport);
    curl_multi_setopt(transport->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(transport->multi, CURLMOPT_TIMERDATA, transport);
    curl_multi_setopt(transport->multi, CURLMOPT_MAXCONNECTS, 1L);
}

static enum error open_transport(struct push_transport *transport, const struct config *config,
                                 char *why, size_t why_size)
{
    struct buffer url;
    buffer_init(&url, transport->url, sizeof transport->url);
    push_url(&url, push_text(config, PUSH_URL), config_site(config));
    buffer_text(&url);
    if (buffer_overflowed(&url)) {
        snprintf(why, why_size, "the push url with its site is over %d bytes", URL_BYTES_MAX - 1);
        return ERROR_RANGE;
    }
    /* Only an https receiver needs the CAs, which take time and memory to read. */
    if (strncmp(transport->url, "https:", 6) == 0) {
        enum error error =
            trust_open_files(&transport->trust, config_number(config, &config->push, PUSH_VERIFY),
                             push_text(config, PUSH_CA_FILE), push_text(config, PUSH_CERT_FILE),
                             push_text(config, PUSH_KEY_FILE), why, why_size);
        if (error) {
            return error;
        }
    }
    if (curl_once_acquire() != ERROR_NONE) {
        snprintf(why, why_size, "no memory for the push transport");
        return ERROR_EXHAUSTED;
    }
    transport->has_curl = true;
    transport->multi = curl_multi_init();
    transport->easy = curl_easy_init();
    if (!transport->multi || !transport->easy) {
        snprintf(why, why_size, "no memory for the push transport");
        return ERROR_EXHAUSTED;
    }
    set_options(transport);
    return set_credentials(transport, config, why, why_size);
}

struct push_transport *push_transport_new(const struct config *config, const struct clock *clock,
                                          char *why, size_t why_size)
{
    struct push_transport *transport = calloc(1, sizeof *transport);
    if (!transport) {
        snprintf(why, why_size, "no memory for the push transport");
        return NULL;
    }
    transport->clock = clock;
    transport->wake_us = USEC_NEVER;
    if (open_transport(transport, config, why, why_size) != ERROR_NONE) {
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
    if (transport->in_flight) {
        curl_multi_remove_handle(transport->multi, transport->easy);
    }
    curl_easy_cleanup(transport->easy);
    curl_multi_cleanup(transport->multi);
    curl_slist_free_all(transport->headers);
    trust_close(&transport->trust);
    if (transport->has_curl) {
        curl_once_release();
    }
    free(transport);
}

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

static void note_reply(struct push_transport *transport, const char *text)
{
    struct buffer note;
    buffer_init(&note, transport->reply.note, sizeof transport->reply.note);
    buffer_append_escaped(&note, text, strlen(text));
    buffer_text(&note);
}

static void finish(struct push_transport *transport, CURLcode code)
{
    struct upstream_reply *reply = &transport->reply;
    long status = 0;
    curl_off_t retry_after_s = 0;
    curl_easy_getinfo(transport->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(transport->easy, CURLINFO_RETRY_AFTER, &retry_after_s);
    *reply = (struct upstream_reply){.http_status = (int)status,
                                     .duration_us = clock_monotonic_us(transport->clock) -
                                                    transport->started_us};
    /* A reply we cut off, or that stalled behind its status line, has still been given. */
    bool cut = code == CURLE_WRITE_ERROR && transport->received > REPLY_BYTES_MAX;
    if (code == CURLE_OK || cut) {
        reply->class = class_of_status(status);
        reply->retry_after_us = usec_min(retry_after_s, 366 * 24 * 3600) * USEC_PER_SEC;
        note_reply(transport, transport->first_line);
    } else {
        reply->class = code == CURLE_OPERATION_TIMEDOUT ? UPSTREAM_TIMEOUT : UPSTREAM_UNREACHABLE;
        note_reply(transport, transport->error[0] ? transport->error : curl_easy_strerror(code));
    }
    curl_multi_remove_handle(transport->multi, transport->easy);
    transport->in_flight = false;
    transport->replied = true;
}

static void drive(struct push_transport *transport, curl_socket_t fd, int what)
{
    int running;
    curl_multi_socket_action(transport->multi, fd, what, &running);
    int left;
    CURLMsg *message = curl_multi_info_read(transport->multi, &left);
    if (message && message->msg == CURLMSG_DONE) {
        finish(transport, message->data.result);
    }
}

static bool submit(void *context, const void *body, size_t size, usec_t now_us, usec_t deadline_us)
{
    struct push_transport *transport = context;
    if (transport->in_flight || transport->replied) {
        return false;
    }
    CURL *easy = transport->easy;
    transport->started_us = clock_monotonic_us(transport->clock);
    transport->received = 0;
    transport->first_line[0] = '\0';
    transport->error[0] = '\0';
    long left_ms = (long)usec_max((deadline_us - now_us) / USEC_PER_MSEC, 1);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, left_ms);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)size);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body);
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, "PUT");
    if (curl_multi_add_handle(transport->multi, easy) != CURLM_OK) {
        return false;
    }
    transport->in_flight = true;
    return true;
}

static bool collect(void *context, struct upstream_reply *reply)
{
    struct push_transport *transport = context;
    if (!transport->replied) {
        return false;
    }
    *reply = transport->reply;
    transport->replied = false;
    return true;
}

struct upstream push_transport_port(struct push_transport *transport)
{
    return (struct upstream){.context = transport, .submit = submit, .collect = collect};
}

void push_transport_waits(struct push_transport *transport, struct waits *waits, usec_t now_us)
{
    for (unsigned i = 0; i < transport->socket_count; i++) {
        waits_add(waits, transport->sockets[i].fd, transport->sockets[i].events);
    }
    waits_until(waits, transport->replied ? now_us : transport->wake_us);
}

void push_transport_step(struct push_transport *transport, const struct waits *ready, usec_t now_us)
{
    /* libcurl changes its sockets while it works: walk a copy. */
    struct watched sockets[SOCKETS_MAX];
    unsigned count = transport->socket_count;
    memcpy(sockets, transport->sockets, sizeof sockets);
    for (unsigned i = 0; i < count; i++) {
        short events = waits_ready(ready, sockets[i].fd);
        if (events) {
            drive(transport, sockets[i].fd,
                  (events & POLLIN ? CURL_CSELECT_IN : 0) |
                      (events & POLLOUT ? CURL_CSELECT_OUT : 0) |
                      (events & ~(POLLIN | POLLOUT) ? CURL_CSELECT_ERR : 0));
        }
    }
    if (now_us >= transport->wake_us) {
        transport->wake_us = USEC_NEVER;
        drive(transport, CURL_SOCKET_TIMEOUT, 0);
    }
}
