/* What a kind of probe tells the core about itself: pure data and pure functions.
 *
 * The core knows no kind by name. The configuration reads `[kind name]` sections through the key
 * table, the counters take their reasons from it, the metric walk its phases and facts. The half
 * that does I/O is probes/probe.h. */
#ifndef PICKET_KIND_H
#define PICKET_KIND_H

#include "result.h"

struct config;
struct config_section;
struct config_errors;

enum setting_type {
    SETTING_SWITCH,   /* on | off                 -> number 1 | 0 */
    SETTING_INTEGER,  /* decimal                  -> number */
    SETTING_DURATION, /* 250ms 30s 5m 12h 30d     -> number in microseconds */
    SETTING_SIZE,     /* bytes, 64K 1M            -> number */
    SETTING_CHOICE,   /* one of `choices`         -> number, the index in it */
    SETTING_TEXT,     /* bare or quoted, C escapes -> text: not empty, UTF-8, no control bytes,
                       * unless KEY_BINARY */
    SETTING_PATTERN,  /* /…/ or /…/i -> text without slashes, number PATTERN_CASELESS or 0 */
    SETTING_RAW,      /* as written, without a comment -> text; the kind's check() reads it */
};

enum { PATTERN_CASELESS = 1 };

enum {
    KEY_REPEATS = 1,  /* may stand more than once in a section */
    KEY_REQUIRED = 2, /* the section is wrong without it */
    KEY_TARGET = 4,   /* each occurrence is a target; its text is the `instance` label. A kind may
                       * have several such keys; one target at least is required */
    KEY_BINARY = 8,   /* a SETTING_TEXT that may be "" and may hold any byte, NUL included (use its
                       * length): for a body, never for what ends in a header, a path or a label */
};

struct config_key {
    const char *name;
    enum setting_type type;
    unsigned flags;             /* KEY_ */
    int64_t min, max;           /* for numbers, inclusive; both 0: no limit beyond >= 0 */
    const char *fallback;       /* written as in a file; NULL: unset */
    const char *const *choices; /* SETTING_CHOICE: NULL-terminated */
    const char *help;           /* one line, for --help and the reference */
};

struct probe_kind {
    const char *name;              /* the section word: "http" */
    const char *help;              /* one line */
    const struct config_key *keys; /* the kind's own; key i has id KIND_KEY_FIRST + i */
    unsigned key_count;
    uint64_t reasons;        /* REASON_BIT of every reason a run of this kind can end with */
    uint32_t phases;         /* PHASE_BIT likewise; series probe_<kind>_duration_seconds{phase} */
    const char *phases_help; /* HELP of that series; NULL: "Duration of <kind> check by phase" */
    uint64_t facts; /* FACT_BIT of the facts it may set (the runner's three not included) */
    bool tls;       /* may report tls_facts */
    /* Optional. Pure: reads one section at load and reports every mistake through
     * config_error_at(). It must accept all that open() (probes/probe.h) accepts later. */
    void (*check)(const struct config *config, const struct config_section *section,
                  struct config_errors *errors);
    /* Optional. The name of named value `index` (picket_<kind>_value{name}), written NUL-terminated
     * to `name`; false when there is no such value. */
    bool (*value_name)(const struct config *config, const struct config_section *section,
                       unsigned index, char *name, size_t size);
};

#endif
