/* Port: carries one encoded body to the push receiver. One request in flight at most. */
#ifndef PICKET_UPSTREAM_H
#define PICKET_UPSTREAM_H

#include "base.h"

enum upstream_class {
    UPSTREAM_ACCEPTED,    /* 2xx */
    UPSTREAM_REJECTED,    /* 4xx but 408 and 429: state is kept and pushed again all the same */
    UPSTREAM_BUSY,        /* 408, 429, 5xx */
    UPSTREAM_REDIRECTED,  /* 3xx: never followed */
    UPSTREAM_UNREACHABLE, /* name, connect, TLS, reset */
    UPSTREAM_TIMEOUT,
    UPSTREAM_CLASS_COUNT
};

struct upstream_reply {
    enum upstream_class class;
    int http_status;       /* 0: none */
    usec_t retry_after_us; /* from Retry-After, 0: none; uncapped: the agent caps */
    usec_t duration_us;
    char note[192]; /* printable ASCII: the reply's first line or the transport's error */
};

struct upstream {
    void *context;
    /* Begins to send. The body is borrowed until the reply was collected. False: a request is in
     * flight or the system is out of resources; try again later. */
    bool (*submit)(void *context, const void *body, size_t size, usec_t now_us, usec_t deadline_us);
    /* Hands over the reply of the request in flight; false while there is none. */
    bool (*collect)(void *context, struct upstream_reply *reply);
    /* Drops the request in flight, whose reply is long overdue, and all it held. */
    void (*reset)(void *context);
};

/* Label value of picket_push_attempts_total{result}. */
const char *upstream_class_name(enum upstream_class class);

#endif
