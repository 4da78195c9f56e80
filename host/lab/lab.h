/* The lab: target simulators and a push receiver on 127.0.0.1, each able to misbehave on request.
 *
 * Every server is a listening socket with a thread; each connection is served by a thread of its
 * own with blocking calls and a time limit, which keeps a simulator as plain as the protocol it
 * speaks. The lab is a workbench tool: it may allocate, and it ends with its process.
 *
 * A server's mode is what it does to the next request; modes are changed over the control paths of
 * the http server (`/lab/NAME/MODE`) or by lab_set_mode(). */
#ifndef PICKET_LAB_H
#define PICKET_LAB_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum lab_mode {
    LAB_OK,
    LAB_ERROR,    /* a well-formed "no": HTTP 503, SMTP 554, Modbus exception, push 500 */
    LAB_SLOW,     /* right, after 800 ms */
    LAB_HANG,     /* accepts and says nothing */
    LAB_DRIP,     /* right, one byte every 200 ms */
    LAB_RESET,    /* resets the connection */
    LAB_GARBAGE,  /* bytes that mean nothing in the protocol */
    LAB_BUSY,     /* push: 429 with Retry-After: 3; Modbus: exception 6; others as error */
    LAB_REDIRECT, /* push and http: 302 to itself; others as error */
    LAB_MODE_COUNT
};

enum lab_server_id {
    LAB_HTTP,
    LAB_TCP,
    LAB_TLS,
    LAB_TLS_EXPIRED,
    LAB_TLS_SELFSIGNED,
    LAB_TLS_WRONGNAME,
    LAB_MODBUS,
    LAB_PUSH,
    LAB_SERVER_COUNT
};

struct lab;

struct lab_server {
    struct lab *lab;
    enum lab_server_id id;
    int listener;
    uint16_t port;
    atomic_int mode;          /* enum lab_mode */
    atomic_uint connections;  /* open now */
    atomic_ullong served;     /* requests answered as they should be */
    atomic_ullong misbehaved; /* requests answered in another mode */
    void (*serve)(struct lab_server *server, int fd);
};

struct lab_receiver; /* lab_receiver.h */
struct lab_certs;    /* lab_tls.h */

struct lab {
    struct lab_server servers[LAB_SERVER_COUNT];
    struct lab_receiver *receiver;
    struct lab_certs *certs;
    char ca_path[256]; /* the CA's certificate in PEM, for ca_file */
};

/* Starts all servers on 127.0.0.1, at `base_port` and following, or on free ports when it is 0.
 * Certificates are made anew; the CA goes to `folder`/lab-ca.pem. False after saying why on
 * stderr. */
bool lab_start(struct lab *lab, uint16_t base_port, const char *folder);

const char *lab_server_name(enum lab_server_id id);
const char *lab_mode_name(enum lab_mode mode);
/* By the names above; false when either is not one. */
bool lab_set_mode(struct lab *lab, const char *server, const char *mode);

/* A configuration that probes every target of this lab and pushes to it, for the demo and for
 * people to start from. Returns its length, like snprintf. */
size_t lab_site_config(const struct lab *lab, const char *socket_path, char *text, size_t size);

/* The state of every server as JSON (`GET /lab`). Returns its length, like snprintf. */
size_t lab_state_json(const struct lab *lab, char *text, size_t size);

/* For the servers: plain blocking I/O with the limits of a connection. All return false when the
 * connection is of no more use. */
bool lab_send(int fd, const void *bytes, size_t count);
/* As lab_send, but in the mode's manner: at once, after 800 ms, or dripping. */
bool lab_send_in_mode(int fd, enum lab_mode mode, const void *bytes, size_t count);
/* Handles hang, reset and garbage: true when the connection was dealt with. */
bool lab_misbehave(struct lab_server *server, int fd, enum lab_mode mode);
void lab_sleep_ms(unsigned milliseconds);

void lab_http_serve(struct lab_server *server, int fd);
void lab_tcp_serve(struct lab_server *server, int fd);
void lab_tls_serve(struct lab_server *server, int fd);
void lab_modbus_serve(struct lab_server *server, int fd);
void lab_push_serve(struct lab_server *server, int fd);

#endif
