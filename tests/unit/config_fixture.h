/* Loads configuration text with the fake kinds and keeps what was reported. One translation unit
 * each; everything is static. Include after cmocka.h. */
#ifndef PICKET_CONFIG_FIXTURE_H
#define PICKET_CONFIG_FIXTURE_H

#include <stdlib.h>

#include "fake_kind.h"

enum { REPORT_BYTES = 1 << 16 };

static struct config config;
static struct config_loader loader;
static struct config_errors errors;
static char reported[REPORT_BYTES];

static inline void note_error(void *context, const char *file, unsigned line, const char *message)
{
    size_t used = strlen(reported);

    (void)context;
    if (strcmp(file, "site.conf") == 0) {
        (void)snprintf(reported + used, sizeof(reported) - used, "%u: %s\n", line, message);
    } else {
        (void)snprintf(reported + used, sizeof(reported) - used, "%s:%u: %s\n", file, line,
                       message);
    }
}

static inline void begin(void)
{
    reported[0] = '\0';
    errors = (struct config_errors){.report = note_error};
    config_begin(&loader, &config, fake_kinds, FAKE_KIND_COUNT, &errors);
}

/* Adds a text in memory of exactly its size, so that a sanitizer sees any read behind it. */
static inline void add(const char *name, const char *text, size_t size)
{
    char *copy = malloc(size > 0 ? size : 1);

    assert_non_null(copy);
    memcpy(copy, text, size);
    config_add_text(&loader, name, copy, size);
    free(copy);
}

static inline void add_string(const char *name, const char *text)
{
    add(name, text, strlen(text));
}

static inline bool load_bytes(const char *text, size_t size)
{
    begin();
    add("site.conf", text, size);
    return config_finish(&loader);
}

static inline bool load(const char *text)
{
    return load_bytes(text, strlen(text));
}

static inline void load_good(const char *text)
{
    if (!load(text)) {
        fail_msg("%s\nwas refused:\n%s", text, reported);
    }
}

static inline const struct config_section *section_of(const char *name)
{
    unsigned index = config_find_probe(&config, name);

    assert_int_not_equal(index, CONFIG_NO_PROBE);
    return &config.probes[index].section;
}

static inline const struct config_probe *probe_of(const char *name)
{
    return &config.probes[config_find_probe(&config, name)];
}

/* "[web a]" with a target: what most rows are about stands behind it. */
#define WEB     "[web a]\nurl = x\n"
#define NAME_63 "a23456789012345678901234567890123456789012345678901234567890123"

#endif
