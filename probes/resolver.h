/* Port: names to addresses without blocking. Implemented by boards/linux/resolver.h with c-ares;
 * tests have a fake. */
#ifndef PICKET_RESOLVER_H
#define PICKET_RESOLVER_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "config.h"

struct address {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } socket; /* port in network order, set by the runner */
    socklen_t length;
};

enum resolve_state { RESOLVE_PENDING, RESOLVE_DONE, RESOLVE_FAILED };

struct resolution {
    enum resolve_state state;
    unsigned count; /* in the order to try: the family preference is applied */
    struct address addresses[CAP_ADDRESSES];
    char note[96]; /* why it failed: "no such name", "no answer from 192.0.2.1" … */
};

struct resolver {
    void *context;
    /* Begins to resolve for run slot `slot` (0 .. CAP_RUNS - 1). An address literal (with or
     * without brackets) is done at once. *out is written until it is done or cancelled. */
    void (*start)(void *context, unsigned slot, const char *host, enum ip_choice choice,
                  usec_t now_us, usec_t deadline_us, struct resolution *out);
    /* Forgets the slot: *out is not touched any more. May be called at any time, twice. */
    void (*cancel)(void *context, unsigned slot);
};

#endif
