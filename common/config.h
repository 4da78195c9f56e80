/* The configuration: INI text in, one fixed struct out, every error in one pass. SPEC section 2.
 *
 * The loader takes text only; who reads files (and follows `include`) is above. One mechanism for
 * every section: its settings are a slice of one table, read through a key table (kind.h), asked
 * for by key id. A value not set in a probe's section comes from [defaults] (keys common to all
 * probes only), then from the key's fallback.
 *
 * Memory: struct config is about half a megabyte of address space, used from the front; no heap.
 * Thread rule: written while loading, read-only for everybody afterwards. */
#ifndef PICKET_CONFIG_H
#define PICKET_CONFIG_H

#include "kind.h"

/* Keys common to all probes; kind-specific ids follow from KIND_KEY_FIRST. */
enum probe_key {
    PROBE_INTERVAL,
    PROBE_TIMEOUT,
    PROBE_ATTEMPTS,
    PROBE_LABEL,
    PROBE_SLO,
    PROBE_DEPENDS_ON,
    PROBE_ENABLED,
    PROBE_IP, /* a choice: enum ip_choice */
    PROBE_SOURCE,
    PROBE_KEY_COUNT,
    KIND_KEY_FIRST = 32
};
enum ip_choice { IP_ANY, IP_PREFER4, IP_PREFER6, IP_ONLY4, IP_ONLY6 };

enum agent_key {
    AGENT_SITE,
    AGENT_LABEL,
    AGENT_INCLUDE,
    AGENT_STORE,
    AGENT_STORE_SIZE,
    AGENT_COMMIT,
    AGENT_CONCURRENCY,
    AGENT_SOCKET,      /* unix socket of `status`; "none": no socket */
    AGENT_CLOCK_TRUST, /* choice: plausible | synced */
    AGENT_LOG_LEVEL,   /* choice: error | warning | info | debug */
    AGENT_FLASH,       /* choice: enum flash_type (store_plan.h), what the store lies on */
    AGENT_FLASH_SIZE,  /* unset: by the type */
    AGENT_FLASH_WEAR,  /* choice: refuse | accept, a life of less than 5 years */
    AGENT_USER,        /* whom the agent becomes when root started it; unset: it stays who it is */
    AGENT_SANDBOX,     /* choice: enum sandbox_choice */
    AGENT_KEY_COUNT
};
enum sandbox_choice { SANDBOX_OFF, SANDBOX_ON, SANDBOX_STRICT };
enum push_key {
    PUSH_URL, /* unset: nothing is pushed */
    PUSH_INTERVAL,
    PUSH_TIMEOUT,
    PUSH_USERNAME,
    PUSH_PASSWORD_FILE,
    PUSH_BEARER_FILE,
    PUSH_CA_FILE,
    PUSH_CERT_FILE,
    PUSH_KEY_FILE,
    PUSH_VERIFY,
    PUSH_KEY_COUNT
};
enum watchdog_key {
    WATCHDOG_DEVICE,
    WATCHDOG_TIMEOUT,
    WATCHDOG_FEED, /* unset: a sixth of the timeout */
    WATCHDOG_HANG,
    WATCHDOG_ABORT,
    WATCHDOG_OVERRUNS,
    WATCHDOG_SUBSYSTEM_RESTARTS,
    WATCHDOG_RESTARTS,
    WATCHDOG_RESTART_WINDOW,
    WATCHDOG_CANARY, /* unset: the first probe that is enabled */
    WATCHDOG_SAFE_TIME,
    WATCHDOG_ROLLBACK, /* unset: 15 min, or three intervals of the push */
    WATCHDOG_REJOIN_STEP,
    WATCHDOG_REJOIN_TRIES,
    WATCHDOG_REBOOT,
    WATCHDOG_REBOOT_BUDGET,
    WATCHDOG_MEMORY,
    WATCHDOG_DESCRIPTORS,
    WATCHDOG_ACTION, /* unset: no site action */
    WATCHDOG_ACTION_REFERENCE,
    WATCHDOG_ACTION_AFTER,
    WATCHDOG_ACTION_COOLDOWN,
    WATCHDOG_ACTION_BUDGET,
    WATCHDOG_ACTION_TIMEOUT,
    WATCHDOG_ACTION_DRY_RUN,
    WATCHDOG_KEY_COUNT
};

enum status_key { STATUS_LISTEN, STATUS_KEY_COUNT }; /* unset: no status page */

enum group_key { GROUP_PROBE, GROUP_SLO, GROUP_KEY_COUNT };
enum maintenance_key { MAINTENANCE_TIME, MAINTENANCE_PROBE, MAINTENANCE_KEY_COUNT };

/* One `key = value` line. */
struct setting {
    uint16_t key;  /* its id; until config_finish() has approved, also marks of config_parts.h */
    uint16_t file; /* index into config.files */
    uint32_t line;
    uint32_t text;   /* offset into config.text; 0: none */
    uint32_t length; /* of the text, without its NUL */
    int64_t number;
};

struct config_section {
    const struct probe_kind *kind; /* NULL for all but a probe */
    uint32_t name;                 /* offset into config.text */
    uint16_t file;
    uint32_t line; /* of the section's header; 0: the section is not in the file */
    uint16_t first_setting, setting_count;
};

enum slo_type { SLO_AVAILABILITY, SLO_LATENCY };

struct config_slo {
    enum slo_type type;
    int64_t objective_ppm;
    usec_t threshold_us; /* latency only */
    usec_t window_us;
};

struct config_label {
    uint32_t name, value; /* offsets into config.text */
};

struct config_probe {
    struct config_section section;
    usec_t interval_us, timeout_us;
    unsigned attempts;
    bool enabled;
    uint16_t first_target, target_count;
    uint8_t slo_count;       /* its own … */
    uint8_t group_slo_count; /* … and behind them, what groups have counted and none of it counts */
    struct config_slo slos[CAP_SLOS_PER_PROBE];
    uint8_t label_count; /* the agent's labels are merged in */
    struct config_label labels[CAP_LABELS];
    uint16_t depends_on; /* index of a probe, CONFIG_NO_PROBE when unset */
};
#define CONFIG_NO_PROBE UINT16_MAX

/* [slo NAME]: objectives of probes together. Events are those of all their targets, each of which
 * counts them as for an SLO of its own. */
struct config_group {
    struct config_section section;
    uint8_t slo_count;
    struct config_slo slos[CAP_SLOS_PER_PROBE];
    uint8_t probes[(CAP_PROBES + 7) / 8]; /* a bit each */
};

/* When a maintenance holds: once, or on some days of the week; all UTC. */
struct config_times {
    int64_t from_ms, until_ms; /* Unix time; once */
    uint8_t days;              /* bit 0 is Sunday; 0: once */
    uint16_t start_minute, minutes;
};

struct config_maintenance {
    struct config_section section;
    uint8_t times_count;
    struct config_times times[CAP_MAINTENANCE_TIMES];
    uint8_t probes[(CAP_PROBES + 7) / 8]; /* a bit each */
};

struct config_target {
    uint16_t probe;
    uint16_t key;      /* the KEY_TARGET key that named it */
    uint32_t instance; /* offset into config.text */
};

struct config {
    struct config_section agent, push, status, watchdog, defaults;
    uint8_t label_count;
    struct config_label labels[CAP_LABELS]; /* the agent's own series' */
    uint16_t probe_count, target_count, setting_count, file_count, maintenance_count, group_count;
    uint32_t text_used;
    struct config_probe probes[CAP_PROBES];
    struct config_group groups[CAP_SLO_GROUPS];
    struct config_maintenance maintenances[CAP_MAINTENANCES];
    struct config_target targets[CAP_TARGETS]; /* in the order of the file, grouped by probe */
    struct setting settings[CAP_SETTINGS];
    uint32_t files[CAP_FILES]; /* offsets of their names */
    char text[CAP_TEXT_BYTES]; /* NUL-terminated strings; offset 0 is "" */
};

/* Where errors go, one call each, in the order found. */
struct config_errors {
    void *context;
    void (*report)(void *context, const char *file, unsigned line,
                   const char *message); /* or NULL */
    unsigned count;                      /* counted here, starts at 0 */
};

/* Reports one error and counts it. Line 0: the file as a whole. The message is lower case, says
 * what is wrong and what would be right; it is cut at CONFIG_MESSAGE_BYTES - 1 and its control
 * bytes are replaced. */
#define CONFIG_MESSAGE_BYTES 512
void config_error(struct config_errors *errors, const char *file, unsigned line, const char *format,
                  ...) PRINTF_LIKE(4, 5);

/* Loading: begin, add the main file's text, then what config_next_include() asks for, then finish.
 *
 *   config_begin(&loader, &config, kinds, kind_count, &errors);
 *   config_add_text(&loader, "site.conf", text, size);
 *   while ((pattern = config_next_include(&loader, &from, &line))) … expand, read, add …
 *   if (config_finish(&loader)) … config is complete and checked …
 *
 * [agent], [push], [status], [watchdog] and [defaults] may stand once in every file and mean the
 * same section in all of them, wherever they stand; a key that may not repeat stands once over all
 * files. */
struct config_loader {
    struct config *config;
    const struct probe_kind *const *kinds;
    unsigned kind_count;
    struct config_errors *errors;
    const char *file_name; /* of the text being read */
    uint16_t current_file;
    struct config_section *section; /* where settings go now; NULL: skip until the next header */
    const struct config_key *keys;  /* the section's own keys … */
    unsigned key_count;
    unsigned first_key;     /* … and the id of the first; a probe has the common ones too */
    bool header_seen;       /* in the current file */
    unsigned fixed_seen[5]; /* line of [agent] … [defaults] in the current file; 0: none */
    struct config_section discarded; /* takes the settings of a section that is wrong itself */
    unsigned includes_done;
    unsigned limits_reported; /* bit per capacity: each is reported once */
};

/* `kinds` are borrowed as long as the config lives. Zeroes *config. */
void config_begin(struct config_loader *loader, struct config *config,
                  const struct probe_kind *const *kinds, unsigned kind_count,
                  struct config_errors *errors);
/* Reads one file's text (UTF-8, no NUL; a BOM and CRLF line ends are accepted). `name` appears in
 * messages. Nothing is kept of `text`. */
void config_add_text(struct config_loader *loader, const char *name, const char *text, size_t size);
/* The next `include = PATTERN` not yet handed out, and the file and line it stands in (a relative
 * pattern is relative to that file); NULL when all were. */
const char *config_next_include(struct config_loader *loader, const char **from_file,
                                unsigned *line);
/* Cross checks (required keys, timeout against interval, names, depends_on and its cycles, kinds'
 * own check()). True when errors->count is 0: only then may *config be used. */
bool config_finish(struct config_loader *loader);

/* Reports one error against the line of a setting, or of the section's header when `setting` is
 * NULL. For kinds' check(). */
void config_error_at(const struct config *config, const struct config_section *section,
                     const struct setting *setting, struct config_errors *errors,
                     const char *format, ...) PRINTF_LIKE(5, 6);

/* Occurrence `nth` (from 0) of a key as set in the section, or NULL. Looks neither at [defaults]
 * nor at fallbacks. */
const struct setting *config_setting(const struct config *config,
                                     const struct config_section *section, unsigned key,
                                     unsigned nth);
/* How often the key stands in the section. */
unsigned config_count(const struct config *config, const struct config_section *section,
                      unsigned key);
/* The effective number of a switch, integer, duration, size or choice: section, [defaults],
 * fallback; 0 when none of them has it. */
int64_t config_number(const struct config *config, const struct config_section *section,
                      unsigned key);
/* The effective text of a key (TEXT, PATTERN, RAW), NULL when unset. `length` may be NULL. Borrowed
 * from the config (a fallback: from its table, so that one must be bare text). */
const char *config_text(const struct config *config, const struct config_section *section,
                        unsigned key, size_t *length);
/* The text of a setting. */
static inline const char *config_setting_text(const struct config *config,
                                              const struct setting *setting)
{
    return config->text + setting->text;
}

/* The key table entry of a key id in a section (kind-specific ids need section->kind). */
const struct config_key *config_key(const struct config_section *section,
                                    const struct config *config, unsigned key);

static inline const char *config_probe_name(const struct config *config,
                                            const struct config_probe *probe)
{
    return config->text + probe->section.name;
}
static inline const char *config_instance(const struct config *config, unsigned target)
{
    return config->text + config->targets[target].instance;
}
static inline const struct config_probe *config_target_probe(const struct config *config,
                                                             unsigned target)
{
    return &config->probes[config->targets[target].probe];
}
static inline const char *config_group_name(const struct config *config,
                                            const struct config_group *group)
{
    return config->text + group->section.name;
}
/* Whether the target counts in the group. */
static inline bool config_group_has(const struct config *config, const struct config_group *group,
                                    unsigned target)
{
    unsigned probe = config->targets[target].probe;
    return (group->probes[probe / 8] >> probe % 8 & 1) != 0;
}
/* How many of the probe's `slos` have histories: its own and those that groups have counted. */
static inline unsigned config_counted_slos(const struct config_probe *probe)
{
    return (unsigned)probe->slo_count + probe->group_slo_count;
}
/* Whether a text could be the name of a probe (or a kind), the instance of a target: for those who
 * read such texts from elsewhere than a configuration. NUL-terminated. */
bool config_is_name(const char *name);
bool config_is_instance(const char *instance);
/* Index of the probe with this name, CONFIG_NO_PROBE when there is none. */
unsigned config_find_probe(const struct config *config, const char *name);
/* The site name (never NULL). */
const char *config_site(const struct config *config);
/* The store's path; NULL: totals are in memory. */
const char *config_store(const struct config *config);

/* Key tables of the fixed sections and of the keys common to all probes, for --help and docs. */
extern const struct config_key config_agent_keys[AGENT_KEY_COUNT];
extern const struct config_key config_push_keys[PUSH_KEY_COUNT];
extern const struct config_key config_status_keys[STATUS_KEY_COUNT];
extern const struct config_key config_watchdog_keys[WATCHDOG_KEY_COUNT];
extern const struct config_key config_group_keys[GROUP_KEY_COUNT];
extern const struct config_key config_maintenance_keys[MAINTENANCE_KEY_COUNT];
extern const struct config_key config_probe_keys[PROBE_KEY_COUNT];

#endif
