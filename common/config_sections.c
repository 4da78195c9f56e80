/* Section headers: which section the settings that follow belong to. */
#include <stdio.h>
#include <string.h>

#include "config_parts.h"
#include "value.h"

enum { WHERE_BYTES = 320, LIST_BYTES = 384, NAMES_MAX = 64 };

const char *config_place(const struct config_loader *loader, uint16_t file, uint32_t line,
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

bool config_is_name(const char *name)
{
    size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789._-");

    return name[length] == '\0' && length > 0 && length < CAP_NAME_BYTES &&
           strchr("._-", name[0]) == NULL;
}

static void check_name(struct config_loader *loader, const char *kind, const char *name,
                       unsigned line)
{
    unsigned other = config_find_probe(loader->config, name);
    char where[WHERE_BYTES];

    if (*name == '\0') {
        config_error(loader->errors, loader->file_name, line,
                     "a probe needs a name: write [%s NAME]", kind);
    } else if (!config_is_name(name)) {
        config_error(loader->errors, loader->file_name, line,
                     "the name '%.*s' is not allowed: 1 to %d of a-z 0-9 . _ -, the first a letter "
                     "or digit",
                     config_shown(name, strlen(name)), name, CAP_NAME_BYTES - 1);
    } else if (other != CONFIG_NO_PROBE) {
        const struct config_section *first = &loader->config->probes[other].section;

        config_error(loader->errors, loader->file_name, line,
                     "the name '%s' is already used in %s: names are unique across all kinds", name,
                     config_place(loader, first->file, first->line, where, sizeof(where)));
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
    char list[LIST_BYTES] = "";
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

void config_take_section(void *context, const char *header, unsigned line)
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
            config_error(loader->errors, loader->file_name, line,
                         "[%s] takes no name: write it alone between [ and ]", words[index]);
        }
        open_fixed(loader, index, line);
    } else if (index < count) {
        open_probe(loader, loader->kinds[index - CONFIG_FIXED_COUNT], name, line);
    }
}
