/* A target of the tls probe as configured: the kind's key table, and what open() makes of it. */
#ifndef PICKET_TLS_TARGET_H
#define PICKET_TLS_TARGET_H

#include "probe.h"
#include "starttls.h"
#include "trust.h"

enum {
    TLS_ADDRESS = KIND_KEY_FIRST,
    TLS_FILE,
    TLS_STARTTLS,
    TLS_MIN_DAYS,
    TLS_PIN_SHA256,
    TLS_TRUST,
    TLS_KEY_COUNT = TLS_TRUST + TRUST_KEY_COUNT - KIND_KEY_FIRST,
    TLS_PINS_MAX = 8,
    TLS_DAYS_UNSET = -1
};
extern const struct config_key tls_keys[TLS_KEY_COUNT];

struct tls_target {
    const char *path; /* the file to read instead of a server; NULL: none. Borrowed. */
    bool judge_trust; /* of a file: whether CAs and a name were given to check it against */
    struct trust trust;
    enum starttls_protocol starttls;
    const char *source; /* borrowed; NULL: the system's choice */
    int64_t min_days;   /* TLS_DAYS_UNSET: not asked for */
    unsigned pin_count;
    uint8_t pins[TLS_PINS_MAX][32];
};

/* check() and open() of the kind (probe.h); the result is freed with tls_target_free(). */
void tls_target_check(const struct config *config, const struct config_section *section,
                      struct config_errors *errors);
enum error tls_target_new(const struct config *config, const struct config_probe *probe,
                          unsigned target, struct tls_target **out, struct endpoint *endpoint,
                          char *why, size_t why_size);
void tls_target_free(struct tls_target *target);

#endif
