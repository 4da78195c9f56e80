#include "page_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "expo_text.h"
#include "page.h"
#include "page_assets.h"
#include "status.h"

enum { BACKLOG = 16, IDLE_S = 5, CONNECTION_BYTES = 4096, SEND_BYTES = 64 * 1024 };

#define STYLE_TYPE  "text/css; charset=utf-8"
#define SCRIPT_TYPE "text/javascript; charset=utf-8"
#define WORD_TYPE   "text/plain; charset=utf-8"

/* The address. */

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/* "127.0.0.1:9116" or "[::1]:9116", as the configuration's check lets through. */
static bool read_address(const char *listen, union address *address)
{
    char host[INET6_ADDRSTRLEN] = "";
    const char *colon = strrchr(listen, ':');
    bool v6 = listen[0] == '[';
    size_t skip = v6 ? 1 : 0, length = (size_t)(colon - listen) - 2 * skip;
    if (length >= sizeof host) {
        return false;
    }
    memcpy(host, listen + skip, length);
    memset(address, 0, sizeof *address);
    in_port_t port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
    if (v6) {
        address->v6.sin6_family = AF_INET6;
        address->v6.sin6_port = port;
        return inet_pton(AF_INET6, host, &address->v6.sin6_addr) == 1;
    }
    address->v4.sin_family = AF_INET;
    address->v4.sin_port = port;
    return inet_pton(AF_INET, host, &address->v4.sin_addr) == 1;
}

bool page_server_check(const struct config *config, struct config_errors *errors)
{
    const char *listen = config_text(config, &config->status, STATUS_LISTEN, NULL);
    union address address;
    bool good = listen == NULL || read_address(listen, &address);
    if (!good) {
        config_error_at(config, &config->status,
                        config_setting(config, &config->status, STATUS_LISTEN, 0), errors,
                        "'listen': no IPv6 address stands between [ and ]");
    }
    return good;
}

void page_server_init(struct page_server *server)
{
    *server = (struct page_server){.listener = -1};
    for (unsigned i = 0; i < PAGE_CONNECTIONS; i++) {
        server->connections[i].fd = -1;
    }
}

/* An interface may come up after the agent: the address need not be there yet (IP_FREEBIND). */
enum error page_server_listen(struct page_server *server, const struct config *config, char *why,
                              size_t why_size)
{
    const char *listen_on = config_text(config, &config->status, STATUS_LISTEN, NULL);
    union address address;
    const int on = 1, send_bytes = SEND_BYTES; /* connections inherit it */
    if (listen_on == NULL || !read_address(listen_on, &address)) {
        return ERROR_NONE;
    }
    bool v6 = address.any.sa_family == AF_INET6;
    socklen_t length = v6 ? sizeof address.v6 : sizeof address.v4;
    int fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &on, sizeof on) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send_bytes, sizeof send_bytes) != 0 ||
        bind(fd, &address.any, length) != 0 || listen(fd, BACKLOG) != 0) {
        snprintf(why, why_size, "status page %s: %s", listen_on, strerror(errno));
        if (fd >= 0) {
            close(fd);
        }
        return ERROR_IO;
    }
    server->listener = fd;
    return ERROR_NONE;
}

/* What is rendered. */

enum document { DOCUMENT_PAGE, DOCUMENT_JSON, DOCUMENT_METRICS, DOCUMENT_COUNT };

static const struct {
    const char *path, *type;
} documents[DOCUMENT_COUNT] = {
    [DOCUMENT_PAGE] = {"/", "text/html; charset=utf-8"},
    [DOCUMENT_JSON] = {"/status.json", "application/json"},
    [DOCUMENT_METRICS] = {"/metrics", "text/plain; version=0.0.4; charset=utf-8"},
};

static size_t answer_bound(const struct config *config)
{
    size_t page = page_bound(config), metrics = metrics_body_bound(config);
    size_t json = status_bound(config);
    size_t larger = page > metrics ? page : metrics;
    return larger > json ? larger : json;
}

static void render(struct page_server *server, struct page_answer *answer, enum document document)
{
    answer->text.used = 0;
    answer->document = document;
    answer->rendered_us = server->now_us;
    if (document == DOCUMENT_PAGE) {
        page_render(server->agent, server->now_us, &answer->text);
    } else if (document == DOCUMENT_JSON) {
        status_render(server->agent, server->now_us, STATUS_JSON, &answer->text);
    } else {
        struct agent_numbers numbers;
        struct expo_text encoder;
        struct metrics_view view = agent_view(server->agent, &numbers, server->now_us);
        struct metric_visitor visitor = expo_text_visitor(&encoder, &answer->text);
        metrics_walk(&view, &visitor);
    }
}

/* A fresh one if there is, else one that nobody reads, rendered anew; NULL: all are being read. */
static struct page_answer *answer_for(struct page_server *server, enum document document)
{
    struct page_answer *free_one = NULL;
    for (unsigned i = 0; i < PAGE_ANSWERS; i++) {
        struct page_answer *answer = &server->answers[i];
        bool fresh =
            answer->rendered_us > 0 && server->now_us - answer->rendered_us < PAGE_FRESH_US;
        if (answer->document == document && fresh) {
            return answer;
        }
        free_one = answer->readers == 0 ? answer : free_one;
    }
    if (free_one != NULL) {
        render(server, free_one, document);
    }
    return free_one;
}

static void end_reading(void *context)
{
    struct page_answer *answer = context;
    answer->readers--;
}

/* Answers. */

static enum MHD_Result send_response(struct MHD_Connection *connection, unsigned status,
                                     struct MHD_Response *response, const char *type)
{
    static const char *const headers[][2] = {
        {MHD_HTTP_HEADER_CONNECTION, "close"},
        {MHD_HTTP_HEADER_CACHE_CONTROL, "no-store"},
        {"Content-Security-Policy",
         "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
         "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
        {"X-Content-Type-Options", "nosniff"},
        {"Referrer-Policy", "no-referrer"},
    };
    bool good = response != NULL &&
                MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type) == MHD_YES;
    for (unsigned i = 0; good && i < ARRAY_LEN(headers); i++) {
        good = MHD_add_response_header(response, headers[i][0], headers[i][1]) == MHD_YES;
    }
    if (good && status == MHD_HTTP_METHOD_NOT_ALLOWED) {
        good = MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD") == MHD_YES;
    }
    if (good && status == MHD_HTTP_SERVICE_UNAVAILABLE) {
        good = MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, "1") == MHD_YES;
    }
    enum MHD_Result result =
        good ? MHD_queue_response(connection, status, response) : MHD_NO; /* NO: closed */
    if (response != NULL) {
        MHD_destroy_response(response); /* our hold on it; the connection has its own */
    }
    return result;
}

static enum MHD_Result send_static(struct MHD_Connection *connection, unsigned status,
                                   const char *text, size_t length, const char *type)
{
    return send_response(connection, status, MHD_create_response_from_buffer_static(length, text),
                         type);
}

static enum MHD_Result send_word(struct MHD_Connection *connection, unsigned status,
                                 const char *word)
{
    return send_static(connection, status, word, strlen(word), WORD_TYPE);
}

static enum MHD_Result send_document(struct page_server *server, struct MHD_Connection *connection,
                                     enum document document)
{
    if (document == DOCUMENT_METRICS && !store_opened(&server->agent->store)) {
        return send_word(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "totals are not known yet\n");
    }
    struct page_answer *answer = answer_for(server, document);
    if (answer == NULL) {
        return send_word(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "too many slow readers\n");
    }
    if (buffer_overflowed(&answer->text)) {
        return send_word(connection, MHD_HTTP_INTERNAL_SERVER_ERROR, "the answer is too long\n");
    }
    struct MHD_Response *response = MHD_create_response_from_buffer_with_free_callback_cls(
        answer->text.used, answer->text.bytes, end_reading, answer);
    answer->readers += response != NULL ? 1 : 0;
    return send_response(connection, MHD_HTTP_OK, response, documents[document].type);
}

static enum MHD_Result send_readiness(const struct page_server *server,
                                      struct MHD_Connection *connection)
{
    bool ready = server->agent->state == AGENT_RUNNING;
    return send_word(connection, ready ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE,
                     ready                                  ? "ready\n"
                     : server->agent->state < AGENT_RUNNING ? "starting\n"
                                                            : "stopping\n");
}

/* Called when the head of a request is read, and again when its body would begin; what it has for a
 * body is not read. */
static enum MHD_Result answer_request(void *context, struct MHD_Connection *connection,
                                      const char *path, const char *method, const char *version,
                                      const char *upload, size_t *upload_size, void **state)
{
    struct page_server *server = context;
    (void)version;
    (void)upload;
    (void)upload_size;
    (void)state;
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0) {
        return send_word(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD\n");
    }
    for (unsigned i = 0; i < DOCUMENT_COUNT; i++) {
        if (strcmp(path, documents[i].path) == 0) {
            return send_document(server, connection, (enum document)i);
        }
    }
    if (strcmp(path, PAGE_STYLE_PATH) == 0) {
        return send_static(connection, MHD_HTTP_OK, page_style.text, page_style.length, STYLE_TYPE);
    }
    if (strcmp(path, PAGE_SCRIPT_PATH) == 0) {
        return send_static(connection, MHD_HTTP_OK, page_script.text, page_script.length,
                           SCRIPT_TYPE);
    }
    if (strcmp(path, "/-/healthy") == 0) {
        return send_word(connection, MHD_HTTP_OK, "healthy\n");
    }
    if (strcmp(path, "/-/ready") == 0) {
        return send_readiness(server, connection);
    }
    return send_word(connection, MHD_HTTP_NOT_FOUND,
                     "there are /, /status.json, /metrics, /-/healthy and /-/ready\n");
}

/* Connections. */

static void note_connection(void *context, struct MHD_Connection *connection, void **state,
                            enum MHD_ConnectionNotificationCode code)
{
    struct page_server *server = context;
    int fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    bool begins = code == MHD_CONNECTION_NOTIFY_STARTED;
    (void)state;
    for (unsigned i = 0; i < PAGE_CONNECTIONS; i++) {
        struct page_connection *entry = &server->connections[i];
        if (entry->fd == (begins ? -1 : fd)) {
            *entry = (struct page_connection){.fd = begins ? fd : -1,
                                              .until_us = server->now_us + PAGE_CONNECTION_US};
            return;
        }
    }
}

/* The library sees the end of a connection that was shut down, and closes it. */
static void end_overdue(struct page_server *server)
{
    for (unsigned i = 0; i < PAGE_CONNECTIONS; i++) {
        struct page_connection *entry = &server->connections[i];
        if (entry->fd >= 0 && server->now_us >= entry->until_us) {
            (void)shutdown(entry->fd, SHUT_RDWR);
            entry->until_us = USEC_NEVER;
        }
    }
}

static unsigned open_count(const struct page_server *server)
{
    unsigned count = 0;
    for (unsigned i = 0; i < PAGE_CONNECTIONS; i++) {
        count += server->connections[i].fd >= 0 ? 1 : 0;
    }
    return count;
}

static int epoll_of(const struct page_server *server)
{
    return MHD_get_daemon_info(server->http, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
}

static void set_wake(struct page_server *server)
{
    uint64_t wait_ms;
    server->wake_us = USEC_NEVER;
    if (MHD_get_timeout64(server->http, &wait_ms) == MHD_YES) {
        server->wake_us = server->now_us + (usec_t)wait_ms * USEC_PER_MSEC;
    }
    for (unsigned i = 0; i < PAGE_CONNECTIONS; i++) {
        const struct page_connection *entry = &server->connections[i];
        if (entry->fd >= 0 && entry->until_us < server->wake_us) {
            server->wake_us = entry->until_us;
        }
    }
}

static bool make_answers(struct page_server *server)
{
    size_t size = answer_bound(server->agent->config);
    for (unsigned i = 0; i < PAGE_ANSWERS; i++) {
        void *memory = malloc(size);
        if (memory == NULL) {
            return false;
        }
        buffer_init(&server->answers[i].text, memory, size);
    }
    return true;
}

enum error page_server_open(struct page_server *server, struct agent *agent, char *why,
                            size_t why_size)
{
    server->agent = agent;
    if (server->listener < 0) {
        return ERROR_NONE;
    }
    if (make_answers(server)) {
        server->http = MHD_start_daemon(
            MHD_USE_EPOLL | MHD_USE_NO_THREAD_SAFETY, 0, NULL, NULL, answer_request, server,
            MHD_OPTION_LISTEN_SOCKET, server->listener, MHD_OPTION_CONNECTION_LIMIT,
            (unsigned)PAGE_CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_S,
            MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES,
            MHD_OPTION_NOTIFY_CONNECTION, note_connection, server, MHD_OPTION_END);
    }
    if (server->http == NULL) {
        snprintf(why, why_size, "status page: no memory or descriptor for it");
        page_server_close(server);
        return ERROR_EXHAUSTED;
    }
    set_wake(server);
    return ERROR_NONE;
}

void page_server_close(struct page_server *server)
{
    if (server->http != NULL) {
        MHD_stop_daemon(server->http); /* and its listener with it */
    } else if (server->listener >= 0) {
        close(server->listener);
    }
    for (unsigned i = 0; i < PAGE_ANSWERS; i++) {
        free(server->answers[i].text.bytes);
    }
    page_server_init(server);
}

void page_server_waits(const struct page_server *server, struct waits *waits)
{
    if (server->http != NULL) {
        waits_add(waits, epoll_of(server), POLLIN);
        waits_until(waits, server->wake_us);
    }
}

void page_server_step(struct page_server *server, const struct waits *ready, usec_t now_us)
{
    if (server->http == NULL ||
        (waits_ready(ready, epoll_of(server)) == 0 && now_us < server->wake_us)) {
        return;
    }
    server->now_us = now_us;
    end_overdue(server);
    /* The library listens again for one that waits only at the run after the one that ended one. */
    unsigned before;
    do {
        before = open_count(server);
        (void)MHD_run(server->http);
    } while (open_count(server) < before);
    set_wake(server);
}
