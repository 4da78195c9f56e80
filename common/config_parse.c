/* From lines to sections and settings. A mistake is reported where it stands and reading goes on as
 * if it had been right, as far as one can tell what was meant, so that one pass finds them all. */
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
    memset(config, 0, sizeof(*config));
    config->text_used = 1; /* offset 0 is "" */
    *loader = (struct config_loader){
        .config = config, .kinds = kinds, .kind_count = kind_count, .errors = errors};
}

static void error_in(struct config_loader *loader, unsigned line, const char *title,
                     const char *message)
{
    config_error(loader->errors, loader->file_name, line, "%s%s", title, message);
}

/* Where else a thing stands: "line 3", or "other.conf:3" when that is another file. */
static const char *place(const struct config_loader *loader, uint16_t file, uint32_t line,
                         char *out, size_t size)
{
    if (file == loader->current_file) {
        (void)snprintf(out, size, "line %u", (unsigned)line);
    } else {
        (void)snprintf(out, size, "%s:%u", loader->config->text + loader->config->files[file],
                       (unsigned)line);
    }
    return out;
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

/* The fixed section that has a key of this name, for a line that stands under the wrong header. */
static const char *section_with_key(const char *name)
{
    for (unsigned i = 0; i < CONFIG_FIXED_COUNT; i++) {
        for (unsigned k = 0; k < config_fixed_sections[i].key_count; k++) {
            if (strcmp(config_fixed_sections[i].keys[k].name, name) == 0) {
                return config_fixed_sections[i].name;
            }
        }
    }
    return NULL;
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
    const char *other = section_with_key(name);
    char title[CONFIG_TITLE_BYTES], hint[CONFIG_TITLE_BYTES] = "";

    if (near != NULL) {
        (void)snprintf(hint, sizeof(hint), "; did you mean '%s'?", near);
    } else if (other != NULL) {
        (void)snprintf(hint, sizeof(hint), "; it is a key of [%s]", other);
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
            config_error(loader->errors, loader->file_name, line, "'%s' is already set in %s",
                         key->name,
                         place(loader, settings[i].file, settings[i].line, where, sizeof(where)));
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

/* Settings of a section that cannot be kept are read all the same, for their mistakes. */
static void discard(struct config_loader *loader, const struct probe_kind *kind)
{
    loader->discarded =
        (struct config_section){.kind = kind, .first_setting = loader->config->setting_count};
    loader->section = &loader->discarded;
}

static void open_fixed(struct config_loader *loader, unsigned index, unsigned line)
{
    const struct config_fixed *fixed = &config_fixed_sections[index];
    struct config_section *section = config_fixed_section(loader->config, index);
    unsigned seen = loader->fixed_seen[index];

    loader->keys = fixed->keys;
    loader->key_count = fixed->key_count;
    loader->first_key = 0;
    if (seen != 0) {
        config_error(loader->errors, loader->file_name, line, "[%s] is already in line %u",
                     fixed->name, seen);
        discard(loader, NULL);
        return;
    }
    loader->fixed_seen[index] = line;
    if (section->line == 0) {
        section->file = loader->current_file;
        section->line = line;
        section->first_setting = loader->config->setting_count;
    }
    loader->section = section;
}

static bool is_name(const char *name)
{
    size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789._-");

    return name[length] == '\0' && length > 0 && length < CAP_NAME_BYTES &&
           strchr("._-", name[0]) == NULL;
}

static void check_name(struct config_loader *loader, const char *kind, const char *name,
                       unsigned line)
{
    unsigned other = config_find_probe(loader->config, name);
    char where[WHY_BYTES];

    if (*name == '\0') {
        config_error(loader->errors, loader->file_name, line,
                     "a probe needs a name: write [%s NAME]", kind);
    } else if (!is_name(name)) {
        config_error(loader->errors, loader->file_name, line,
                     "the name '%.*s' is not allowed: 1 to %d of a-z 0-9 . _ -, the first a letter "
                     "or digit",
                     config_shown(name, strlen(name)), name, CAP_NAME_BYTES - 1);
    } else if (other != CONFIG_NO_PROBE) {
        const struct config_section *first = &loader->config->probes[other].section;

        config_error(loader->errors, loader->file_name, line,
                     "the name '%s' is already used in %s: names are unique across all kinds", name,
                     place(loader, first->file, first->line, where, sizeof(where)));
    }
}

static void open_probe(struct config_loader *loader, const struct probe_kind *kind,
                       const char *name, unsigned line)
{
    struct config *config = loader->config;
    struct config_section *section;

    check_name(loader, kind->name, name, line);
    loader->keys = kind->keys;
    loader->key_count = kind->key_count;
    loader->first_key = KIND_KEY_FIRST;
    if (config->probe_count == CAP_PROBES) {
        config_limit(loader, LIMIT_PROBES, loader->file_name, line, "more than %d probes",
                     CAP_PROBES);
        discard(loader, kind);
        return;
    }
    section = &config->probes[config->probe_count].section;
    *section = (struct config_section){.kind = kind,
                                       .file = loader->current_file,
                                       .line = line,
                                       .first_setting = config->setting_count};
    if (config_add_string(config, name, strlen(name), &section->name) != ERROR_NONE) {
        config_limit(loader, LIMIT_TEXT, loader->file_name, line,
                     "the texts of the configuration have more than %d bytes; the rest is not read",
                     CAP_TEXT_BYTES);
        discard(loader, kind);
        return;
    }
    config->probe_count++;
    loader->section = section;
}

/* Index of a section word: fixed ones first, then kinds; the count of both when it is none. */
static unsigned find_word(const char *const *words, unsigned count, const char *word)
{
    unsigned i = 0;

    while (i < count && strcmp(words[i], word) != 0) {
        i++;
    }
    return i;
}

static unsigned list_words(const struct config_loader *loader, const char **words)
{
    unsigned count = 0;

    for (unsigned i = 0; i < CONFIG_FIXED_COUNT; i++) {
        words[count++] = config_fixed_sections[i].name;
    }
    for (unsigned i = 0; i < loader->kind_count && count < NAMES_MAX; i++) {
        words[count++] = loader->kinds[i]->name;
    }
    words[count] = NULL;
    return count;
}

static void report_unknown_word(struct config_loader *loader, const char *word, const char *near,
                                const char *const *words, unsigned line)
{
    char list[WHY_BYTES] = "";
    size_t used = 0;

    if (near != NULL) {
        config_error(loader->errors, loader->file_name, line,
                     "unknown section [%s]; did you mean '%s'?", word, near);
        return;
    }
    for (unsigned i = 0; words[i] != NULL && used < sizeof(list); i++) {
        int count = snprintf(list + used, sizeof(list) - used, " %s", words[i]);

        used += count > 0 ? (size_t)count : 0;
    }
    config_error(loader->errors, loader->file_name, line, "unknown section [%s]; there are:%s",
                 word, list);
}

/* Splits "kind name" in place; the name is "" when there is none. */
static const char *split_header(char *header, const char **name)
{
    char *word = header + strspn(header, " \t");
    char *rest = word + strcspn(word, " \t");
    char *end;

    if (*rest != '\0') {
        *rest++ = '\0';
        rest += strspn(rest, " \t");
    }
    for (end = rest + strlen(rest); end > rest && (end[-1] == ' ' || end[-1] == '\t'); end--) {
        end[-1] = '\0';
    }
    *name = rest;
    return word;
}

static void take_section(void *context, const char *header, unsigned line)
{
    struct config_loader *loader = context;
    const char *words[NAMES_MAX + CONFIG_FIXED_COUNT + 1];
    unsigned count = list_words(loader, words), index;
    char copy[CONFIG_TITLE_BYTES];
    const char *word, *name, *near;

    loader->header_seen = true;
    loader->section = NULL;
    if (*header == '\0') {
        return;
    }
    (void)snprintf(copy, sizeof(copy), "%s", header);
    word = split_header(copy, &name);
    index = find_word(words, count, word);
    if (index == count) {
        near = value_near_miss(word, strlen(word), words);
        report_unknown_word(loader, word, near, words, line);
        index = near != NULL ? find_word(words, count, near) : count;
    }
    if (index < CONFIG_FIXED_COUNT) {
        if (*name != '\0') {
            error_in(loader, line, words[index], " takes no name: write it alone between [ and ]");
        }
        open_fixed(loader, index, line);
    } else if (index < count) {
        open_probe(loader, loader->kinds[index - CONFIG_FIXED_COUNT], name, line);
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
                                 .section = take_section,
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
