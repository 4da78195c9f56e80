/* A resolver port for tests: address literals, and the names the test adds. An unknown name fails;
 * one added without an address stays pending until the test answers it. */
#ifndef PICKET_FAKE_RESOLVER_H
#define PICKET_FAKE_RESOLVER_H

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "resolver.h"

enum { FAKE_NAMES = 16 };

struct fake_resolver {
    struct {
        char host[64], address[64]; /* several entries of one host: several addresses */
    } names[FAKE_NAMES];
    unsigned name_count;
    struct resolution *pending[CAP_RUNS]; /* by slot */
    unsigned starts, cancels;
};

static inline void fake_resolver_add(struct fake_resolver *fake, const char *host,
                                     const char *address)
{
    unsigned i = fake->name_count++;
    snprintf(fake->names[i].host, sizeof fake->names[i].host, "%s", host);
    snprintf(fake->names[i].address, sizeof fake->names[i].address, "%s", address);
}

/* Appends a literal unless the family is not wanted. False: it is no literal. */
static inline bool fake_resolver_literal(const char *host, enum ip_choice choice,
                                         struct resolution *out)
{
    struct address address;
    memset(&address, 0, sizeof address);
    if (inet_pton(AF_INET, host, &address.socket.v4.sin_addr) == 1) {
        address.socket.v4.sin_family = AF_INET;
        address.length = sizeof address.socket.v4;
        if (choice == IP_ONLY6) {
            return true;
        }
    } else if (inet_pton(AF_INET6, host, &address.socket.v6.sin6_addr) == 1) {
        address.socket.v6.sin6_family = AF_INET6;
        address.length = sizeof address.socket.v6;
        if (choice == IP_ONLY4) {
            return true;
        }
    } else {
        return false;
    }
    out->addresses[out->count++] = address;
    return true;
}

static inline void fake_resolver_start(void *context, unsigned slot, const char *host,
                                       enum ip_choice choice, usec_t now_us, usec_t deadline_us,
                                       struct resolution *out)
{
    struct fake_resolver *fake = context;
    (void)now_us;
    (void)deadline_us;
    fake->starts++;
    memset(out, 0, sizeof *out);
    bool known = fake_resolver_literal(host, choice, out), pending = false;
    for (unsigned i = 0; i < fake->name_count; i++) {
        if (strcmp(fake->names[i].host, host) == 0) {
            known = true;
            pending = pending || fake->names[i].address[0] == '\0';
            (void)fake_resolver_literal(fake->names[i].address, choice, out);
        }
    }
    if (pending) {
        fake->pending[slot] = out;
        return;
    }
    out->state = out->count > 0 ? RESOLVE_DONE : RESOLVE_FAILED;
    if (out->count == 0) {
        snprintf(out->note, sizeof out->note, known ? "no address of this family" : "no such name");
    }
}

static inline void fake_resolver_cancel(void *context, unsigned slot)
{
    struct fake_resolver *fake = context;
    fake->cancels++;
    fake->pending[slot] = NULL;
}

/* Answers a pending resolution with an address literal. */
static inline void fake_resolver_answer(struct fake_resolver *fake, unsigned slot,
                                        const char *address)
{
    struct resolution *out = fake->pending[slot];
    fake->pending[slot] = NULL;
    (void)fake_resolver_literal(address, IP_ANY, out);
    out->state = RESOLVE_DONE;
}

static inline struct resolver fake_resolver_port(struct fake_resolver *fake)
{
    return (struct resolver){fake, fake_resolver_start, fake_resolver_cancel};
}

#endif
