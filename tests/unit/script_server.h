/* A TCP server for tests that does what a script says, in the same thread: the test steps it
 * between the turns of the client, so nothing waits and nothing races. */
#ifndef PICKET_SCRIPT_SERVER_H
#define PICKET_SCRIPT_SERVER_H

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <unistd.h>

#include "tls_peer.h"

enum server_verb {
    SERVER_END,   /* keeps the connection open and silent */
    SERVER_SAY,   /* sends the text */
    SERVER_DRIP,  /* sends it one byte a step */
    SERVER_HEAR,  /* waits until exactly this was received since the last hear */
    SERVER_TLS,   /* a handshake, then everything inside TLS */
    SERVER_CLOSE, /* orderly */
    SERVER_RESET, /* abruptly */
    SERVER_FLOOD, /* sends the text over and over, as much as goes out */
};

struct server_action {
    enum server_verb verb;
    const char *text;
};

struct script_server {
    int listener, fd;
    uint16_t port;
    const struct server_action *actions; /* ended by SERVER_END */
    unsigned at;
    size_t said;
    char heard[1024];
    size_t heard_count, heard_total;
    struct made *made;
    mbedtls_ssl_protocol_version newest;
    mbedtls_x509_crt *client_ca;
    bool in_tls;
    struct tls_peer peer;
};

static inline void script_server_open(struct script_server *server,
                                      const struct server_action *actions)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof address;
    memset(server, 0, sizeof *server);
    server->fd = -1;
    server->actions = actions;
    server->newest = MBEDTLS_SSL_VERSION_TLS1_3;
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert(server->listener >= 0);
    int failed = bind(server->listener, (struct sockaddr *)&address, sizeof address);
    failed |= listen(server->listener, 8);
    failed |= getsockname(server->listener, (struct sockaddr *)&address, &length);
    assert(failed == 0);
    server->port = ntohs(address.sin_port);
}

static inline void script_server_hang_up(struct script_server *server)
{
    if (server->in_tls) {
        tls_peer_end(&server->peer);
        server->in_tls = false;
    }
    if (server->fd >= 0) {
        close(server->fd);
        server->fd = -1;
    }
}

static inline void script_server_close(struct script_server *server)
{
    script_server_hang_up(server);
    close(server->listener);
}

/* How many bytes went out; 0: none now. */
static inline size_t script_server_write(struct script_server *server, const char *text,
                                         size_t count)
{
    if (server->in_tls) {
        int sent = mbedtls_ssl_write(&server->peer.ssl, (const unsigned char *)text, count);
        return sent > 0 ? (size_t)sent : 0;
    }
    ssize_t sent = send(server->fd, text, count, MSG_NOSIGNAL | MSG_DONTWAIT);
    return sent > 0 ? (size_t)sent : 0;
}

/* Reads in clear up to the first byte of a TLS record, which a handshake is to read. */
static inline void script_server_listen(struct script_server *server)
{
    for (;;) {
        unsigned char byte;
        int got;
        if (server->in_tls) {
            got = mbedtls_ssl_read(&server->peer.ssl, &byte, 1);
        } else {
            got = (int)recv(server->fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK);
            if (got == 1 && byte == 0x16) {
                return;
            }
            got = got == 1 ? (int)recv(server->fd, &byte, 1, MSG_DONTWAIT) : got;
        }
        if (got != 1 || server->heard_count == sizeof server->heard) {
            return;
        }
        server->heard[server->heard_count++] = (char)byte;
        server->heard_total++;
    }
}

static inline bool script_server_say(struct script_server *server, const char *text, size_t most)
{
    size_t left = strlen(text) - server->said;
    server->said += script_server_write(server, text + server->said, left < most ? left : most);
    return server->said == strlen(text);
}

static inline bool script_server_hear(struct script_server *server, const char *text)
{
    script_server_listen(server);
    if (server->heard_count != strlen(text) ||
        memcmp(server->heard, text, server->heard_count) != 0) {
        return false;
    }
    server->heard_count = 0;
    return true;
}

static inline bool script_server_secure(struct script_server *server)
{
    if (!server->in_tls) {
        script_server_listen(server);
        tls_peer_start(&server->peer, server->fd, server->made, server->newest, server->client_ca);
        server->in_tls = true;
    }
    return tls_peer_step(&server->peer);
}

/* One action as far as it gets. True: the next one is to be done. */
static inline bool script_server_act(struct script_server *server,
                                     const struct server_action *action)
{
    struct linger linger = {.l_onoff = 1};
    switch (action->verb) {
    case SERVER_SAY:
        return script_server_say(server, action->text, SIZE_MAX);
    case SERVER_DRIP:
        return script_server_say(server, action->text, 1);
    case SERVER_HEAR:
        return script_server_hear(server, action->text);
    case SERVER_TLS:
        return script_server_secure(server);
    case SERVER_CLOSE:
        if (server->in_tls) {
            (void)mbedtls_ssl_close_notify(&server->peer.ssl);
        }
        shutdown(server->fd, SHUT_WR);
        return true;
    case SERVER_RESET:
        setsockopt(server->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
        script_server_hang_up(server);
        return true;
    case SERVER_FLOOD:
        while (script_server_write(server, action->text, strlen(action->text)) > 0) {
        }
        return false;
    case SERVER_END:
        break;
    }
    return false;
}

static inline void script_server_step(struct script_server *server)
{
    if (server->fd < 0 && server->at == 0) {
        server->fd = accept4(server->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    }
    while (server->fd >= 0 && script_server_act(server, &server->actions[server->at])) {
        server->at++;
        server->said = 0;
    }
    if (server->fd >= 0 && server->actions[server->at].verb == SERVER_END) {
        script_server_listen(server);
    }
}

#endif
