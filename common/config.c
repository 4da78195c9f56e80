/* The accessors, and how errors are reported. Loading is in config_parse.c and its neighbours. */
#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "config_parts.h"

enum { SHOWN_BYTES = 60 };

static void report(struct config_errors *errors, const char *file, unsigned line,
                   const char *format, va_list arguments) PRINTF_LIKE(4, 0);

/* A message may quote the file; it stays one line, and does nothing to a terminal. */
static void make_plain(char *message)
{
    for (char *at = message; *at != '\0'; at++) {
        if ((unsigned char)*at < 0x20 || *at == 0x7f) {
            *at = *at == '\t' ? ' ' : '?';
        }
    }
}

static void report(struct config_errors *errors, const char *file, unsigned line,
                   const char *format, va_list arguments)
{
    char message[CONFIG_MESSAGE_BYTES];

    errors->count++;
    if (errors->report != NULL) {
        (void)vsnprintf(message, sizeof(message), format, arguments);
        make_plain(message);
        errors->report(errors->context, file, line, message);
    }
}

void config_error(struct config_errors *errors, const char *file, unsigned line, const char *format,
                  ...)
{
    va_list arguments;

    va_start(arguments, format);
    report(errors, file, line, format, arguments);
    va_end(arguments);
}

void config_error_at(const struct config *config, const struct config_section *section,
                     const struct setting *setting, struct config_errors *errors,
                     const char *format, ...)
{
    uint16_t file = setting != NULL ? setting->file : section->file;
    uint32_t line = setting != NULL ? setting->line : section->line;
    va_list arguments;

    va_start(arguments, format);
    report(errors, config->text + config->files[file], line, format, arguments);
    va_end(arguments);
}

void config_limit(struct config_loader *loader, unsigned limit, const char *file, unsigned line,
                  const char *format, ...)
{
    va_list arguments;

    if ((loader->limits_reported & limit) != 0) {
        return;
    }
    loader->limits_reported |= limit;
    va_start(arguments, format);
    report(loader->errors, file, line, format, arguments);
    va_end(arguments);
}

struct config_section *config_fixed_section(struct config *config, unsigned fixed)
{
    return (struct config_section *)(void *)((char *)config + config_fixed_sections[fixed].offset);
}

uint16_t *config_named_count(struct config *config, const struct config_named *named)
{
    return (uint16_t *)(void *)((char *)config + named->count);
}

struct config_section *config_named_section(struct config *config, const struct config_named *named,
                                            unsigned index)
{
    return (struct config_section *)(void *)((char *)config + named->array + index * named->size);
}

const struct config_named *config_named_of(const struct config *config,
                                           const struct config_section *section)
{
    const char *at = (const char *)section, *base = (const char *)config;

    for (unsigned i = 0; i < CONFIG_NAMED_COUNT; i++) {
        const struct config_named *named = &config_named_sections[i];
        const char *array = base + named->array;

        if (at >= array && at < array + named->cap * named->size) {
            return named;
        }
    }
    return NULL;
}

const struct config_key *config_own_keys(const struct config *config,
                                         const struct config_section *section, unsigned *count,
                                         unsigned *first)
{
    const struct config_named *named;

    *first = section->kind != NULL ? KIND_KEY_FIRST : 0;
    if (section->kind != NULL) {
        *count = section->kind->key_count;
        return section->kind->keys;
    }
    for (unsigned i = 0; i < CONFIG_FIXED_COUNT; i++) {
        const struct config_fixed *fixed = &config_fixed_sections[i];

        if ((const char *)section == (const char *)config + fixed->offset) {
            *count = fixed->key_count;
            return fixed->keys;
        }
    }
    named = config_named_of(config, section);
    *count = named != NULL ? named->key_count : 0;
    return named != NULL ? named->keys : NULL;
}

const struct config_key *config_key(const struct config_section *section,
                                    const struct config *config, unsigned key)
{
    unsigned count, first;
    const struct config_key *keys = config_own_keys(config, section, &count, &first);

    if (section->kind != NULL && key < PROBE_KEY_COUNT) {
        return &config_probe_keys[key];
    }
    return key >= first && key - first < count ? &keys[key - first] : NULL;
}

const struct setting *config_setting(const struct config *config,
                                     const struct config_section *section, unsigned key,
                                     unsigned nth)
{
    const struct setting *settings = config->settings + section->first_setting;

    for (unsigned i = 0; i < section->setting_count; i++) {
        if (settings[i].key == key && nth-- == 0) {
            return &settings[i];
        }
    }
    return NULL;
}

unsigned config_count(const struct config *config, const struct config_section *section,
                      unsigned key)
{
    const struct setting *settings = config->settings + section->first_setting;
    unsigned count = 0;

    for (unsigned i = 0; i < section->setting_count; i++) {
        count += settings[i].key == key;
    }
    return count;
}

bool config_stands(const struct config *config, const struct config_section *section, unsigned key)
{
    return config_setting(config, section, key, 0) != NULL ||
           config_is_marked(config, section, key);
}

bool config_is_marked(const struct config *config, const struct config_section *section,
                      unsigned key)
{
    const struct setting *settings = config->settings + section->first_setting;

    for (unsigned i = 0; i < section->setting_count; i++) {
        if (settings[i].key != key && (settings[i].key & CONFIG_KEY_MASK) == key) {
            return true;
        }
    }
    return false;
}

/* The setting that counts: the section's own, or for a probe's common key that of [defaults]. */
static const struct setting *effective(const struct config *config,
                                       const struct config_section *section, unsigned key)
{
    const struct setting *setting = config_setting(config, section, key, 0);

    /* [defaults] has no key of a kind, so it answers for the common ones only. */
    if (setting == NULL && section->kind != NULL) {
        setting = config_setting(config, &config->defaults, key, 0);
    }
    return setting;
}

int64_t config_number(const struct config *config, const struct config_section *section,
                      unsigned key)
{
    const struct setting *setting = effective(config, section, key);
    const struct config_key *entry;
    int64_t number = 0;

    if (setting != NULL) {
        return setting->number;
    }
    entry = config_key(section, config, key);
    if (entry == NULL || entry->fallback == NULL ||
        config_value_number(entry, entry->fallback, strlen(entry->fallback), &number) !=
            ERROR_NONE) {
        return 0;
    }
    return number;
}

const char *config_text(const struct config *config, const struct config_section *section,
                        unsigned key, size_t *length)
{
    const struct setting *setting = effective(config, section, key);
    const struct config_key *entry = config_key(section, config, key);
    const char *text = NULL;
    size_t bytes = 0;

    if (setting != NULL && setting->text != 0) {
        text = config_setting_text(config, setting);
        bytes = setting->length;
    } else if (setting == NULL && entry != NULL && entry->type >= SETTING_TEXT &&
               entry->fallback != NULL) {
        text = entry->fallback;
        bytes = strlen(text);
    }
    if (length != NULL) {
        *length = bytes;
    }
    return text;
}

unsigned config_find_probe(const struct config *config, const char *name)
{
    for (unsigned i = 0; i < config->probe_count; i++) {
        if (strcmp(config_probe_name(config, &config->probes[i]), name) == 0) {
            return i;
        }
    }
    return CONFIG_NO_PROBE;
}

const char *config_site(const struct config *config)
{
    return config_text(config, &config->agent, AGENT_SITE, NULL);
}

const char *config_store(const struct config *config)
{
    const char *path = config_text(config, &config->agent, AGENT_STORE, NULL);

    return path != NULL && strcmp(path, "none") == 0 ? NULL : path;
}

const char *config_title(const struct config *config, const struct config_section *section,
                         char *out, size_t size)
{
    const struct config_named *named = config_named_of(config, section);

    if (section->kind != NULL) {
        (void)snprintf(out, size, "[%s %s]", section->kind->name, config->text + section->name);
        return out;
    }
    if (named != NULL) {
        (void)snprintf(out, size, "[%s %s]", named->word, config->text + section->name);
        return out;
    }
    (void)snprintf(out, size, "[]");
    for (unsigned i = 0; i < CONFIG_FIXED_COUNT; i++) {
        if ((const char *)section == (const char *)config + config_fixed_sections[i].offset) {
            (void)snprintf(out, size, "[%s]", config_fixed_sections[i].name);
        }
    }
    return out;
}

int config_shown(const char *text, size_t length)
{
    size_t shown = length;

    if (shown > SHOWN_BYTES) {
        shown = SHOWN_BYTES;
        while (shown > 0 && ((unsigned char)text[shown] & 0xc0) == 0x80) {
            shown--;
        }
    }
    return (int)shown;
}

enum error config_add_string(struct config *config, const char *text, size_t length,
                             uint32_t *offset)
{
    if (length >= sizeof(config->text) - config->text_used) {
        return ERROR_FULL;
    }
    *offset = config->text_used;
    memcpy(config->text + config->text_used, text, length);
    config->text[config->text_used + length] = '\0';
    config->text_used += (uint32_t)length + 1;
    return ERROR_NONE;
}
