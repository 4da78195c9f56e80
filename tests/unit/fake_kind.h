/* Two kinds of probe that exist nowhere else, for tests of what the configuration does with any:
 * between them they have a key of every type and flag, a check of their own, and named values. */
#ifndef PICKET_FAKE_KIND_H
#define PICKET_FAKE_KIND_H

#include <stdio.h>
#include <string.h>

#include "config.h"
#include "value.h"

enum { FAKE_KIND_COUNT = 2 };

enum web_key {
    WEB_URL = KIND_KEY_FIRST,
    WEB_METHOD,
    WEB_HEADER,
    WEB_BODY,
    WEB_EXPECT,
    WEB_MAX_BODY,
    WEB_REDIRECTS,
    WEB_VERIFY,
    WEB_STATUS,
    WEB_OFFSET
};
enum bus_key { BUS_ADDRESS = KIND_KEY_FIRST, BUS_FILE, BUS_UNIT, BUS_READ, BUS_PAUSE };

static const char *const fake_methods[] = {"GET", "HEAD", "POST", NULL};

static const struct config_key fake_web_keys[] = {
    {.name = "url", .type = SETTING_TEXT, .flags = KEY_TARGET | KEY_REPEATS},
    {.name = "method", .type = SETTING_CHOICE, .choices = fake_methods, .fallback = "GET"},
    {.name = "header", .type = SETTING_TEXT, .flags = KEY_REPEATS},
    {.name = "body", .type = SETTING_TEXT, .flags = KEY_BINARY},
    {.name = "expect_body", .type = SETTING_PATTERN, .flags = KEY_REPEATS},
    {.name = "max_body", .type = SETTING_SIZE, .min = 1, .max = 1 << 20},
    {.name = "redirects", .type = SETTING_INTEGER, .max = 20, .fallback = "10"},
    {.name = "verify", .type = SETTING_SWITCH, .fallback = "on"},
    {.name = "expect_status", .type = SETTING_RAW, .fallback = "200-299"},
    {.name = "offset", .type = SETTING_INTEGER},
};
static const struct config_key fake_bus_keys[] = {
    {.name = "address", .type = SETTING_RAW, .flags = KEY_TARGET},
    {.name = "file", .type = SETTING_TEXT, .flags = KEY_TARGET},
    {.name = "unit", .type = SETTING_INTEGER, .flags = KEY_REQUIRED, .min = 1, .max = 247},
    {.name = "read", .type = SETTING_RAW, .flags = KEY_REPEATS | KEY_REQUIRED},
    {.name = "pause", .type = SETTING_DURATION, .fallback = "0", .max = USEC_PER_SEC},
};

/* The first word of the nth `read`. */
static inline bool fake_bus_value_name(const struct config *config,
                                       const struct config_section *section, unsigned index,
                                       char *name, size_t size)
{
    const struct setting *setting = config_setting(config, section, BUS_READ, index);
    const char *text, *word;
    size_t length, word_length;

    if (setting == NULL) {
        return false;
    }
    text = config_setting_text(config, setting);
    length = setting->length;
    if (!value_next_word(&text, &length, &word, &word_length) || word_length >= size) {
        return false;
    }
    memcpy(name, word, word_length);
    name[word_length] = '\0';
    return true;
}

static inline void fake_bus_check(const struct config *config, const struct config_section *section,
                                  struct config_errors *errors)
{
    const struct setting *setting;

    for (unsigned nth = 0; (setting = config_setting(config, section, BUS_READ, nth)) != NULL;
         nth++) {
        if (strchr(config_setting_text(config, setting), ' ') == NULL) {
            config_error_at(config, section, setting, errors, "'read': NAME ADDRESS, not only '%s'",
                            config_setting_text(config, setting));
        }
    }
}

static const struct probe_kind fake_web = {
    .name = "web",
    .help = "a page",
    .keys = fake_web_keys,
    .key_count = ARRAY_LEN(fake_web_keys),
    .reasons = REASON_BIT(REASON_RESOLVE) | REASON_BIT(REASON_TIMEOUT) | REASON_BIT(REASON_STATUS),
    .phases = PHASE_BIT(PHASE_RESOLVE) | PHASE_BIT(PHASE_CONNECT),
    .facts = FACT_BIT(FACT_HTTP_STATUS_CODE),
};
static const struct probe_kind fake_bus = {
    .name = "bus",
    .help = "a device",
    .keys = fake_bus_keys,
    .key_count = ARRAY_LEN(fake_bus_keys),
    .reasons = REASON_BIT(REASON_TIMEOUT) | REASON_BIT(REASON_EXCEPTION),
    .phases = PHASE_BIT(PHASE_REQUEST),
    .check = fake_bus_check,
    .value_name = fake_bus_value_name,
};
static const struct probe_kind *const fake_kinds[FAKE_KIND_COUNT] = {&fake_web, &fake_bus};

#endif
