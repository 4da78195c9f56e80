#include "lab.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "lab_receiver.h"
#include "lab_tls.h"

#define CONNECTIONS_MAX 200
#define HANG_MS         60000
#define DRIP_MS         200
#define SLOW_MS         800

static const char *const server_names[LAB_SERVER_COUNT] = {
    "http", "tcp", "tls", "tls-expired", "tls-selfsigned", "tls-wrongname", "modbus", "push"};
static const char *const mode_names[LAB_MODE_COUNT] = {
    "ok", "error", "slow", "hang", "drip", "reset", "garbage", "busy", "redirect"};

const char *lab_server_name(enum lab_server_id id)
{
    return server_names[id];
}

const char *lab_mode_name(enum lab_mode mode)
{
    return mode_names[mode];
}

static int find_name(const char *const *names, int count, const char *name)
{
    for (int i = 0; i < count; i++) {
        if (strcmp(names[i], name) == 0) {
            return i;
        }
    }
    return -1;
}

bool lab_set_mode(struct lab *lab, const char *server, const char *mode)
{
    int id = find_name(server_names, LAB_SERVER_COUNT, server);
    int value = find_name(mode_names, LAB_MODE_COUNT, mode);
    if (id < 0 || value < 0) {
        return false;
    }
    atomic_store(&lab->servers[id].mode, value);
    return true;
}

void lab_sleep_ms(unsigned milliseconds)
{
    struct timespec time = {.tv_sec = milliseconds / 1000,
                            .tv_nsec = (long)(milliseconds % 1000) * 1000000};
    nanosleep(&time, NULL);
}

bool lab_send(int fd, const void *bytes, size_t count)
{
    const char *at = bytes;
    while (count > 0) {
        ssize_t sent = send(fd, at, count, MSG_NOSIGNAL);
        if (sent <= 0) {
            return false;
        }
        at += sent;
        count -= (size_t)sent;
    }
    return true;
}

bool lab_send_in_mode(int fd, enum lab_mode mode, const void *bytes, size_t count)
{
    if (mode == LAB_SLOW) {
        lab_sleep_ms(SLOW_MS);
    }
    if (mode != LAB_DRIP) {
        return lab_send(fd, bytes, count);
    }
    for (size_t i = 0; i < count; i++) {
        if (!lab_send(fd, (const char *)bytes + i, 1)) {
            return false;
        }
        lab_sleep_ms(DRIP_MS);
    }
    return true;
}

/* Waits until the peer has had enough, or the limit. */
static void hang(int fd)
{
    char byte;
    struct pollfd peer = {.fd = fd, .events = POLLIN};
    for (unsigned waited_ms = 0; waited_ms < HANG_MS; waited_ms += 100) {
        if (poll(&peer, 1, 100) == 1 && recv(fd, &byte, 1, 0) <= 0) {
            return;
        }
    }
}

bool lab_misbehave(struct lab_server *server, int fd, enum lab_mode mode)
{
    static const unsigned char garbage[] = "\x16\x00\xff\xfe picket lab: garbage \x80\x81\r\n\r\n";
    if (mode == LAB_OK) {
        return false;
    }
    if (mode == LAB_HANG) {
        hang(fd);
    } else if (mode == LAB_RESET) {
        struct linger now = {.l_onoff = 1, .l_linger = 0};
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    } else if (mode == LAB_GARBAGE) {
        lab_send(fd, garbage, sizeof garbage - 1);
    } else {
        return false;
    }
    atomic_fetch_add(&server->misbehaved, 1);
    return true;
}

struct connection {
    struct lab_server *server;
    int fd;
};

static void *serve_connection(void *argument)
{
    struct connection *connection = argument;
    struct timeval limit = {.tv_sec = 30};
    setsockopt(connection->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(connection->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    connection->server->serve(connection->server, connection->fd);
    close(connection->fd);
    atomic_fetch_sub(&connection->server->connections, 1);
    free(connection);
    return NULL;
}

static void accept_one(struct lab_server *server)
{
    int fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0) {
        lab_sleep_ms(errno == EMFILE ? 100 : 0);
        return;
    }
    struct connection *connection = malloc(sizeof *connection);
    pthread_t thread;
    if (!connection || atomic_load(&server->connections) >= CONNECTIONS_MAX) {
        free(connection);
        close(fd);
        return;
    }
    *connection = (struct connection){.server = server, .fd = fd};
    atomic_fetch_add(&server->connections, 1);
    if (pthread_create(&thread, NULL, serve_connection, connection) != 0) {
        atomic_fetch_sub(&server->connections, 1);
        free(connection);
        close(fd);
        return;
    }
    pthread_detach(thread);
}

static void *accept_connections(void *argument)
{
    for (;;) {
        accept_one(argument);
    }
    return NULL;
}

static bool start_server(struct lab_server *server, uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int on = 1;
    pthread_t thread;
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(server->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (server->listener < 0 ||
        bind(server->listener, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(server->listener, 128) != 0 ||
        getsockname(server->listener, (struct sockaddr *)&address, &length) != 0) {
        fprintf(stderr, "picket lab: %s: 127.0.0.1:%u: %s\n", server_names[server->id], port,
                strerror(errno));
        return false;
    }
    server->port = ntohs(address.sin_port);
    if (pthread_create(&thread, NULL, accept_connections, server) != 0) {
        fprintf(stderr, "picket lab: no thread for %s\n", server_names[server->id]);
        return false;
    }
    pthread_detach(thread);
    return true;
}

bool lab_start(struct lab *lab, uint16_t base_port, const char *folder)
{
    static void (*const serve[LAB_SERVER_COUNT])(struct lab_server *, int) = {
        lab_http_serve, lab_tcp_serve, lab_tls_serve,    lab_tls_serve,
        lab_tls_serve,  lab_tls_serve, lab_modbus_serve, lab_push_serve};
    memset(lab, 0, sizeof *lab);
    signal(SIGPIPE, SIG_IGN);
    snprintf(lab->ca_path, sizeof lab->ca_path, "%s/lab-ca.pem", folder);
    lab->certs = lab_certs_new(lab->ca_path);
    lab->receiver = lab_receiver_new();
    if (!lab->certs || !lab->receiver) {
        return false;
    }
    for (int id = 0; id < LAB_SERVER_COUNT; id++) {
        struct lab_server *server = &lab->servers[id];
        server->lab = lab;
        server->id = (enum lab_server_id)id;
        server->serve = serve[id];
        if (!start_server(server, base_port ? (uint16_t)(base_port + id) : 0)) {
            return false;
        }
    }
    return true;
}

size_t lab_state_json(const struct lab *lab, char *text, size_t size)
{
    size_t used = 0;
    for (int id = 0; id < LAB_SERVER_COUNT; id++) {
        const struct lab_server *server = &lab->servers[id];
        int length =
            snprintf(used < size ? text + used : NULL, used < size ? size - used : 0,
                     "%s\"%s\":{\"port\":%u,\"mode\":\"%s\",\"served\":%llu,"
                     "\"misbehaved\":%llu}%s",
                     id ? "," : "{", server_names[id], server->port,
                     mode_names[atomic_load(&server->mode)], atomic_load(&server->served),
                     atomic_load(&server->misbehaved), id + 1 == LAB_SERVER_COUNT ? "}\n" : "");
        used += (size_t)length;
    }
    return used;
}

size_t lab_site_config(const struct lab *lab, const char *socket_path, char *text, size_t size)
{
    const struct lab_server *at = lab->servers;
    return (size_t)snprintf(
        text, size,
        "; Probes every target of a running `picket lab` and pushes to its receiver.\n"
        "[agent]\n"
        "site        = lab\n"
        "label       = region=loopback\n"
        "socket      = %s\n"
        "\n"
        "[push]\n"
        "url         = http://127.0.0.1:%u\n"
        "interval    = 2s\n"
        "\n"
        "[defaults]\n"
        "interval    = 1s\n"
        "timeout     = 900ms\n"
        "\n"
        "[http portal]\n"
        "url         = http://127.0.0.1:%u/login\n"
        "expect_status = 200\n"
        "expect_body = /Sign in/\n"
        "slo         = availability 99%% 1d\n"
        "slo         = latency 95%% 100ms 1d\n"
        "\n"
        "[tcp mail]\n"
        "address     = 127.0.0.1:%u\n"
        "step        = expect /^220 .*ESMTP/\n"
        "step        = send \"EHLO picket\\r\\n\"\n"
        "step        = expect /^250[ -]STARTTLS/\n"
        "step        = send \"STARTTLS\\r\\n\"\n"
        "step        = expect /^220/\n"
        "step        = starttls\n"
        "ca_file     = %s\n"
        "server_name = lab.picket.test\n"
        "\n"
        "[tls portal-cert]\n"
        "address     = 127.0.0.1:%u\n"
        "server_name = lab.picket.test\n"
        "ca_file     = %s\n"
        "min_days    = 14\n"
        "\n"
        "[modbus boiler]\n"
        "address     = tcp://127.0.0.1:%u\n"
        "unit        = 1\n"
        "read        = flow_celsius  holding 100 i16 scale=0.1 range=10..95\n"
        "read        = power_watts   input   200 f32 order=cdab\n"
        "read        = pump_on       coil    0   bool\n",
        socket_path, at[LAB_PUSH].port, at[LAB_HTTP].port, at[LAB_TCP].port, lab->ca_path,
        at[LAB_TLS].port, lab->ca_path, at[LAB_MODBUS].port);
}
