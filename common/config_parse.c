/* From lines to sections and settings. A mistake is reported where it stands and reading goes on as
 * if it had been right, as far as one can tell what was meant, so that one pass finds them all. */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "config_parts.h"
#include "value.h"

enum { WHY_BYTES = 384, NAMES_MAX = 64 };

static const char *const secret_keys[] = {"password", "bearer", "bearer_token", "token"};

void config_begin(struct config_loader *loader, struct config *config,
                  const struct probe_kind *const *kinds, unsigned kind_count,
                  struct config_errors *errors)
{
    /* What is counted is written before it is read; and pages that nothing wrote to cost no memory,
     * of which the settings and texts of a small site leave many. */
    memset(config, 0, offsetof(struct config, settings));
    config->text[0] = '\0';
    config->text_used = 1; /* offset 0 is "" */
    *loader = (struct config_loader){
        .config = config, .kinds = kinds, .kind_count = kind_count, .errors = errors};
}

/* A slice that began at or behind a place where a setting was put in begins one later. */
static void shift_slice(struct config_section *section, unsigned at)
{
    if (section->first_setting >= at) {
        section->first_setting++;
    }
}

/* Settings after it move up, since every section's settings are one slice. That happens only when a
 * section goes on in another file. */
static void insert_setting(struct config_loader *loader, const struct setting *setting)
{
    struct config *config = loader->config;
    struct config_section *section = loader->section;
    unsigned at = section->first_setting + (unsigned)section->setting_count;
    unsigned behind = config->setting_count - at;

    memmove(&config->settings[at + 1], &config->settings[at], behind * sizeof(*setting));
    config->settings[at] = *setting;
    config->setting_count++;
    section->setting_count++;
    for (unsigned i = 0; behind > 0 && i < CONFIG_FIXED_COUNT; i++) {
        if (config_fixed_section(config, i) != section) {
            shift_slice(config_fixed_section(config, i), at);
        }
    }
    for (unsigned i = 0; behind > 0 && i < config->probe_count; i++) {
        shift_slice(&config->probes[i].section, at);
    }
    for (unsigned i = 0; behind > 0 && i < CONFIG_NAMED_COUNT; i++) {
        const struct config_named *named = &config_named_sections[i];

        for (unsigned j = 0; j < *config_named_count(config, named); j++) {
            shift_slice(config_named_section(config, named, j), at);
        }
    }
}

static bool settings_full(struct config_loader *loader, unsigned line)
{
    if (loader->config->setting_count < CAP_SETTINGS) {
        return false;
    }
    config_limit(loader, LIMIT_SETTINGS, loader->file_name, line,
                 "more than %d settings; the rest is not read", CAP_SETTINGS);
    return true;
}

static bool is_probe(const struct config_loader *loader)
{
    return loader->first_key == KIND_KEY_FIRST;
}

/* The entry of a key in the section being read, and its id. */
static const struct config_key *find_key(const struct config_loader *loader, const char *name,
                                         uint16_t *id)
{
    for (unsigned i = 0; i < loader->key_count; i++) {
        if (strcmp(loader->keys[i].name, name) == 0) {
            *id = (uint16_t)(loader->first_key + i);
            return &loader->keys[i];
        }
    }
    for (unsigned i = 0; is_probe(loader) && i < PROBE_KEY_COUNT; i++) {
        if (strcmp(config_probe_keys[i].name, name) == 0) {
            *id = (uint16_t)i;
            return &config_probe_keys[i];
        }
    }
    return NULL;
}

static const char *near_key(const struct config_loader *loader, const char *name)
{
    const char *names[NAMES_MAX + 1];
    unsigned count = 0;

    for (unsigned i = 0; i < loader->key_count && count < NAMES_MAX; i++) {
        names[count++] = loader->keys[i].name;
    }
    for (unsigned i = 0; is_probe(loader) && i < PROBE_KEY_COUNT && count < NAMES_MAX; i++) {
        names[count++] = config_probe_keys[i].name;
    }
    names[count] = NULL;
    return value_near_miss(name, strlen(name), names);
}

static bool has_key(const struct config_key *keys, unsigned count, const char *name)
{
    for (unsigned i = 0; i < count; i++) {
        if (strcmp(keys[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* Where a key of this name would be right, for a line under the wrong header; "" when nowhere. */
static void suggest_section(const struct config_loader *loader, const char *name, char *out,
                            size_t size)
{
    if (has_key(config_probe_keys, PROBE_KEY_COUNT, name)) {
        (void)snprintf(out, size, "; it belongs in a probe or in [defaults]");
        return;
    }
    for (unsigned i = 0; i < loader->kind_count; i++) {
        const struct probe_kind *kind = loader->kinds[i];

        if (has_key(kind->keys, kind->key_count, name)) {
            (void)snprintf(out, size, "; it is a key of [%s NAME]", kind->name);
            return;
        }
    }
    for (unsigned i = 0; i < CONFIG_FIXED_COUNT; i++) {
        if (has_key(config_fixed_sections[i].keys, config_fixed_sections[i].key_count, name)) {
            (void)snprintf(out, size, "; it is a key of [%s]", config_fixed_sections[i].name);
            return;
        }
    }
    for (unsigned i = 0; i < CONFIG_NAMED_COUNT; i++) {
        const struct config_named *named = &config_named_sections[i];

        if (has_key(named->keys, named->key_count, name)) {
            (void)snprintf(out, size, "; it is a key of [%s NAME]", named->word);
            return;
        }
    }
}

static const char *current_title(const struct config_loader *loader, char *out, size_t size)
{
    for (unsigned i = 0; !is_probe(loader) && i < CONFIG_FIXED_COUNT; i++) {
        if (config_fixed_sections[i].keys == loader->keys) {
            (void)snprintf(out, size, "[%s]", config_fixed_sections[i].name);
            return out;
        }
    }
    return config_title(loader->config, loader->section, out, size);
}

static void report_unknown_key(struct config_loader *loader, const char *name, const char *near,
                               unsigned line)
{
    char title[CONFIG_TITLE_BYTES], hint[CONFIG_TITLE_BYTES] = "";

    if (near != NULL) {
        (void)snprintf(hint, sizeof(hint), "; did you mean '%s'?", near);
    } else {
        suggest_section(loader, name, hint, sizeof(hint));
    }
    config_error(loader->errors, loader->file_name, line, "unknown key '%.*s' in %s%s",
                 config_shown(name, strlen(name)), name,
                 current_title(loader, title, sizeof(title)), hint);
}

/* Keeps the key from being called missing as well. */
static void unknown_key(struct config_loader *loader, const char *name, unsigned line)
{
    const char *near = near_key(loader, name);
    struct setting setting = {.file = loader->current_file, .line = line};
    uint16_t id;

    report_unknown_key(loader, name, near, line);
    if (near != NULL && find_key(loader, near, &id) != NULL && !settings_full(loader, line)) {
        setting.key = (uint16_t)(id | CONFIG_MISTYPED);
        insert_setting(loader, &setting);
    }
}

static bool is_duplicate(struct config_loader *loader, const struct config_key *key, uint16_t id,
                         unsigned line)
{
    const struct setting *settings = loader->config->settings + loader->section->first_setting;
    char where[WHY_BYTES];

    for (unsigned i = 0; i < loader->section->setting_count; i++) {
        if ((settings[i].key & ~CONFIG_BAD_VALUE) == id && (key->flags & KEY_REPEATS) == 0) {
            config_error(
                loader->errors, loader->file_name, line, "'%s' is already set in %s", key->name,
                config_place(loader, settings[i].file, settings[i].line, where, sizeof(where)));
            return true;
        }
    }
    return false;
}

static void set_key(struct config_loader *loader, const struct config_key *key, uint16_t id,
                    const char *value, unsigned line)
{
    struct setting setting = {.key = id, .file = loader->current_file, .line = line};
    bool patterns = key->type == SETTING_PATTERN || key->type == SETTING_RAW;
    char why[WHY_BYTES] = "";
    enum error error =
        config_value_read(loader->config, key, value, config_value_length(value, patterns),
                          &setting, why, sizeof(why));

    if (error == ERROR_FULL) {
        config_limit(loader, LIMIT_TEXT, loader->file_name, line,
                     "the texts of the configuration have more than %d bytes; the rest is not read",
                     CAP_TEXT_BYTES);
    } else if (error != ERROR_NONE) {
        config_error(loader->errors, loader->file_name, line, "'%s': %s", key->name, why);
    }
    if (error != ERROR_NONE) {
        setting.key = (uint16_t)(id | CONFIG_BAD_VALUE);
    }
    if (!is_duplicate(loader, key, id, line) && !settings_full(loader, line)) {
        insert_setting(loader, &setting);
    }
}

static bool is_secret(const char *name)
{
    for (unsigned i = 0; i < ARRAY_LEN(secret_keys); i++) {
        if (strcmp(secret_keys[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static void report_secret(struct config_loader *loader, const char *name, unsigned line)
{
    config_error(loader->errors, loader->file_name, line,
                 "'%s': a secret is never written in the file: use %s = PATH", name,
                 strcmp(name, "password") == 0 ? "password_file" : "bearer_file");
}

static void take_key(void *context, const char *name, const char *value, unsigned line)
{
    struct config_loader *loader = context;
    const struct config_key *key;
    uint16_t id;

    if (is_secret(name)) {
        report_secret(loader, name, line);
        return;
    }
    if (!loader->header_seen) {
        config_error(loader->errors, loader->file_name, line,
                     "'%.*s' stands before the first [section]", config_shown(name, strlen(name)),
                     name);
        loader->header_seen = true; /* once is enough */
        return;
    }
    if (loader->section == NULL) {
        return;
    }
    key = find_key(loader, name, &id);
    if (key == NULL) {
        unknown_key(loader, name, line);
    } else {
        set_key(loader, key, id, value, line);
    }
}

/* Registers the file; false when no more files can be. */
static bool open_file(struct config_loader *loader, const char *name)
{
    struct config *config = loader->config;

    loader->file_name = name;
    loader->section = NULL;
    loader->header_seen = false;
    memset(loader->fixed_seen, 0, sizeof(loader->fixed_seen));
    if (config->file_count == CAP_FILES) {
        config_limit(loader, LIMIT_FILES, name, 0, "more than %d files", CAP_FILES);
        return false;
    }
    if (config_add_string(config, name, strlen(name), &config->files[config->file_count]) !=
        ERROR_NONE) {
        config_limit(loader, LIMIT_TEXT, name, 0,
                     "the texts of the configuration have more than %d bytes", CAP_TEXT_BYTES);
        return false;
    }
    loader->current_file = config->file_count++;
    return true;
}

void config_add_text(struct config_loader *loader, const char *name, const char *text, size_t size)
{
    struct config_lines lines = {.errors = loader->errors,
                                 .file = name,
                                 .text = text,
                                 .size = size,
                                 .context = loader,
                                 .section = config_take_section,
                                 .key = take_key};

    if (open_file(loader, name)) {
        config_lines_read(&lines);
    }
}

const char *config_next_include(struct config_loader *loader, const char **from_file,
                                unsigned *line)
{
    const struct config *config = loader->config;
    const struct setting *setting =
        config_setting(config, &config->agent, AGENT_INCLUDE, loader->includes_done);

    if (setting == NULL) {
        return NULL;
    }
    loader->includes_done++;
    *from_file = config->text + config->files[setting->file];
    *line = setting->line;
    return config_setting_text(config, setting);
}
