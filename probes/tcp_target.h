/* A target of the tcp probe as configured: the kind's key table, and what open() makes of it. */
#ifndef PICKET_TCP_TARGET_H
#define PICKET_TCP_TARGET_H

#include "dialog_script.h"
#include "probe.h"
#include "trust.h"

enum {
    TCP_ADDRESS = KIND_KEY_FIRST,
    TCP_TLS,
    TCP_STEP,
    TCP_TRUST,
    TCP_KEY_COUNT = TCP_TRUST + TRUST_KEY_COUNT - KIND_KEY_FIRST
};

extern const struct config_key tcp_keys[TCP_KEY_COUNT];

struct tcp_target {
    bool tls;     /* from the start */
    bool trusted; /* `trust` is open */
    struct trust trust;
    const char *source; /* borrowed; NULL: the system's choice */
    struct dialog_script script;
};

/* check() and open() of the kind (probe.h); the result is freed with tcp_target_free(). */
void tcp_target_check(const struct config *config, const struct config_section *section,
                      struct config_errors *errors);
enum error tcp_target_new(const struct config *config, const struct config_probe *probe,
                          unsigned target, struct tcp_target **out, struct endpoint *endpoint,
                          char *why, size_t why_size);
void tcp_target_free(struct tcp_target *target);

#endif
