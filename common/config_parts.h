/* What the files of the configuration share among themselves; nobody else includes it.
 *
 * config_lines reads raw lines, config_sections and config_parse make sections and settings of
 * them, config_value reads one value; config_check, config_resolve, config_labels, config_slo,
 * config_group, config_depends, config_maintenance, config_store and config_watchdog do the cross
 * checks; config has the accessors.
 */
#ifndef PICKET_CONFIG_PARTS_H
#define PICKET_CONFIG_PARTS_H

#include "config.h"

/* A number of caps.h as a string literal. */
#define CONFIG_STRING_OF(number) #number
#define CONFIG_STRING(number)    CONFIG_STRING_OF(number)

/* Marks in setting.key. Both make a setting invisible to config_setting(), and keep a key that does
 * stand in the file, only wrongly, from being called missing as well. */
#define CONFIG_BAD_VALUE 0x8000u
#define CONFIG_MISTYPED  0x4000u /* the key was a near miss of this one */
#define CONFIG_KEY_MASK  0x3fffu

/* Bits of config_loader.limits_reported. */
enum {
    LIMIT_PROBES = 1,
    LIMIT_SETTINGS = 2,
    LIMIT_TEXT = 4,
    LIMIT_FILES = 8,
    LIMIT_TARGETS = 16,
    LIMIT_SLOS = 32,
    LIMIT_MAINTENANCES = 64,
    LIMIT_GROUPS = 128
};

/* The sections without a name. */
struct config_fixed {
    const char *name;
    size_t offset; /* in struct config */
    const struct config_key *keys;
    unsigned key_count;
};
enum { CONFIG_FIXED_COUNT = 5 };
extern const struct config_fixed config_fixed_sections[CONFIG_FIXED_COUNT];

/* The sections with a name that are no probes. */
struct config_named {
    const char *word, *what; /* in the header, in messages */
    const struct config_key *keys;
    unsigned key_count;
    size_t array, size; /* in struct config, of structs that begin with their section */
    size_t count;       /* in struct config, a uint16_t */
    unsigned cap, limit;
};
enum { CONFIG_NAMED_COUNT = 2 };
extern const struct config_named config_named_sections[CONFIG_NAMED_COUNT];
uint16_t *config_named_count(struct config *config, const struct config_named *named);
struct config_section *config_named_section(struct config *config, const struct config_named *named,
                                            unsigned index);
/* What a section is one of; NULL: of none. */
const struct config_named *config_named_of(const struct config *config,
                                           const struct config_section *section);

struct config_section *config_fixed_section(struct config *config, unsigned fixed);
/* The table a section's own keys are in, and the id of its first. */
const struct config_key *config_own_keys(const struct config *config,
                                         const struct config_section *section, unsigned *count,
                                         unsigned *first);
/* True when the key stands in the section, rightly or wrongly. */
bool config_stands(const struct config *config, const struct config_section *section, unsigned key);
/* True when it stands there wrongly. */
bool config_is_marked(const struct config *config, const struct config_section *section,
                      unsigned key);
/* "[http portal]" for messages, cut to fit; returns `out`. */
enum { CONFIG_TITLE_BYTES = 128 };
const char *config_title(const struct config *config, const struct config_section *section,
                         char *out, size_t size);
/* How many of the bytes of a text a message shows: bounded, and ending at a character's end. */
int config_shown(const char *text, size_t length);

/* Adds a string to config->text. ERROR_FULL when it does not fit. */
MUST_CHECK enum error config_add_string(struct config *config, const char *text, size_t length,
                                        uint32_t *offset);
/* Reports a capacity that is used up, once. */
void config_limit(struct config_loader *loader, unsigned limit, const char *file, unsigned line,
                  const char *format, ...) PRINTF_LIKE(5, 6);

/* config_lines: hands each sound line to the two callbacks and reports the others. A header that is
 * wrong in itself arrives as "", so that its keys do not fall to the section before. */
struct config_lines {
    struct config_errors *errors;
    const char *file;
    const char *text;
    size_t size, at;
    unsigned line;
    void *context;
    void (*section)(void *context, const char *header, unsigned line);
    void (*key)(void *context, const char *key, const char *value, unsigned line);
};
void config_lines_read(struct config_lines *lines);

/* config_sections: opens the section of a header; "" closes the last. The context is the
 * struct config_loader. */
void config_take_section(void *context, const char *header, unsigned line);
/* Where else a thing stands: "line 3", or "other.conf:3" when that is another file; returns `out`.
 */
const char *config_place(const struct config_loader *loader, uint16_t file, uint32_t line,
                         char *out, size_t size);

/* config_value: the part of a raw value before its comment, without blanks at the end. */
size_t config_value_length(const char *value, bool patterns);
/* Reads a value (comment gone) into the text and number of a setting. On ERROR_INVALID `why` says
 * what is wrong and what would be right; ERROR_FULL: config->text is full. */
MUST_CHECK enum error config_value_read(struct config *config, const struct config_key *key,
                                        const char *value, size_t length, struct setting *setting,
                                        char *why, size_t why_size);
/* A value of one of the number types alone. */
MUST_CHECK enum error config_value_number(const struct config_key *key, const char *value,
                                          size_t length, int64_t *number);
/* A decoded text that may become a label, a header or a path: UTF-8, no control bytes. */
bool config_is_plain(const char *text, size_t length);

/* What [defaults] gives every probe, checked once. */
struct config_defaults {
    uint8_t label_count, slo_count;
    struct config_label labels[CAP_LABELS]; /* those of [agent] below them */
    struct config_slo slos[CAP_SLOS_PER_PROBE];
    unsigned slo_total; /* of the probes so far */
};

/* config_labels: the labels of a section laid over those already in `labels`; the same name
 * replaces. */
void config_read_labels(struct config_loader *loader, const struct config_section *section,
                        struct config_label *labels, uint8_t *count);

/* config_slo: the SLOs of [defaults], and those a probe has or inherits. */
void config_read_slos(struct config_loader *loader, const struct config_section *section,
                      struct config_slo *slos, uint8_t *count);
/* Adds the SLO of one setting, whosever; reported, and false, when it is wrong. */
bool config_read_slo(struct config_loader *loader, const struct config_section *section,
                     const struct setting *setting, struct config_slo *slos, uint8_t *count);
/* Counts the SLOs there are, `setting` (NULL: the header) having brought these. */
void config_count_slos(struct config_loader *loader, struct config_defaults *defaults,
                       unsigned slos, const struct config_section *section,
                       const struct setting *setting);
void config_resolve_slos(struct config_loader *loader, struct config_defaults *defaults,
                         struct config_probe *probe);

/* config_resolve: [defaults], then each probe. */
void config_resolve_defaults(struct config_loader *loader, struct config_defaults *defaults);
void config_resolve_probe(struct config_loader *loader, struct config_defaults *defaults,
                          unsigned index);
/* Where an effective value comes from, for a message; returns `out`. */
const char *config_origin(const struct config *config, const struct config_section *section,
                          unsigned key, char *out, size_t size);
/* True when interval or timeout was refused: then nothing is said about what they imply. */
bool config_times_unknown(const struct config *config, const struct config_section *section);

/* config_depends: depends_on of all probes, and circles among them. */
void config_resolve_depends(struct config_loader *loader);
/* Index of the probe a setting names; CONFIG_NO_PROBE, and reported, when there is none. */
unsigned config_named_probe(struct config_loader *loader, const struct config_section *section,
                            const struct setting *setting);

/* config_group: after all probes are resolved. */
void config_resolve_groups(struct config_loader *loader, struct config_defaults *defaults);

/* config_maintenance: after all probes are known. */
void config_resolve_maintenance(struct config_loader *loader);

/* config_store: whether the store fits what it is to hold, and what it lies on. After all probes
 * are resolved. */
void config_check_store(struct config_loader *loader);

/* config_watchdog: whether times and limits of [watchdog] go together, and what it names is there.
 * After all probes are resolved. */
void config_check_watchdog(struct config_loader *loader);

#endif
