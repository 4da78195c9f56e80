/* Section headers: which section the settings that follow belong to. */
#include <assert.h>
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

static_assert(ARRAY_LEN(((struct config_loader *)NULL)->fixed_seen) == CONFIG_FIXED_COUNT,
              "each section without a name has its line");

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

static void check_name(struct config_loader *loader, const char *word, const char *what,
                       const char *name, unsigned line)
{
    if (*name == '\0') {
        config_error(loader->errors, loader->file_name, line, "a %s needs a name: write [%s NAME]",
                     what, word);
    } else if (!config_is_name(name)) {
        config_error(loader->errors, loader->file_name, line,
                     "the name '%.*s' is not allowed: 1 to %d of a-z 0-9 . _ -, the first a letter "
                     "or digit",
                     config_shown(name, strlen(name)), name, CAP_NAME_BYTES - 1);
    }
}

static void report_used(struct config_loader *loader, const struct config_section *first,
                        const char *name, const char *among, unsigned line)
{
    char where[WHERE_BYTES];

    config_error(loader->errors, loader->file_name, line,
                 "the name '%s' is already used in %s: names are unique %s", name,
                 config_place(loader, first->file, first->line, where, sizeof(where)), among);
}

/* Settings go to this new section from now on; false when its name finds no room. */
static bool open_named(struct config_loader *loader, struct config_section *section,
                       const struct probe_kind *kind, const char *name, unsigned line)
{
    struct config *config = loader->config;

    *section = (struct config_section){.kind = kind,
                                       .file = loader->current_file,
                                       .line = line,
                                       .first_setting = config->setting_count};
    if (config_add_string(config, name, strlen(name), &section->name) != ERROR_NONE) {
        config_limit(loader, LIMIT_TEXT, loader->file_name, line,
                     "the texts of the configuration have more than %d bytes; the rest is not read",
                     CAP_TEXT_BYTES);
        discard(loader, kind);
        return false;
    }
    loader->section = section;
    return true;
}

static void open_probe(struct config_loader *loader, const struct probe_kind *kind,
                       const char *name, unsigned line)
{
    struct config *config = loader->config;
    unsigned other = config_find_probe(config, name);

    check_name(loader, kind->name, "probe", name, line);
    if (other != CONFIG_NO_PROBE && config_is_name(name)) {
        report_used(loader, &config->probes[other].section, name, "across all kinds", line);
    }
    loader->keys = kind->keys;
    loader->key_count = kind->key_count;
    loader->first_key = KIND_KEY_FIRST;
    if (config->probe_count == CAP_PROBES) {
        config_limit(loader, LIMIT_PROBES, loader->file_name, line, "more than %d probes",
                     CAP_PROBES);
        discard(loader, kind);
    } else if (open_named(loader, &config->probes[config->probe_count].section, kind, name, line)) {
        config->probe_count++;
    }
}

static void open_other(struct config_loader *loader, const struct config_named *named,
                       const char *name, unsigned line)
{
    struct config *config = loader->config;
    uint16_t *count = config_named_count(config, named);
    char among[CONFIG_TITLE_BYTES];

    (void)snprintf(among, sizeof(among), "among %ss", named->what);
    check_name(loader, named->word, named->what, name, line);
    for (unsigned i = 0; i < *count && config_is_name(name); i++) {
        const struct config_section *other = config_named_section(config, named, i);

        if (strcmp(config->text + other->name, name) == 0) {
            report_used(loader, other, name, among, line);
        }
    }
    loader->keys = named->keys;
    loader->key_count = named->key_count;
    loader->first_key = 0;
    if (*count == named->cap) {
        config_limit(loader, named->limit, loader->file_name, line, "more than %u %ss", named->cap,
                     named->what);
        discard(loader, NULL);
    } else if (open_named(loader, config_named_section(config, named, *count), NULL, name, line)) {
        (*count)++;
    }
}

/* Index of a section word: fixed ones first, then those with a name, then kinds; the count of all
 * when it is none. */
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
    for (unsigned i = 0; i < CONFIG_NAMED_COUNT; i++) {
        words[count++] = config_named_sections[i].word;
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
    const char *words[NAMES_MAX + CONFIG_FIXED_COUNT + CONFIG_NAMED_COUNT + 1];
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
    } else if (index < CONFIG_FIXED_COUNT + CONFIG_NAMED_COUNT) {
        open_other(loader, &config_named_sections[index - CONFIG_FIXED_COUNT], name, line);
    } else if (index < count) {
        open_probe(loader, loader->kinds[index - CONFIG_FIXED_COUNT - CONFIG_NAMED_COUNT], name,
                   line);
    }
}
