/* The ad-hoc probe is written down as the configuration text its arguments stand for and read by
 * the same loader, so that every key, check and message is the same as in a file. */
#include "adhoc.h"

#include <stdio.h>
#include <string.h>

#include "buffer.h"
#include "registry.h"
#include "value.h"
#include "verbs.h"

#define FIXED_LINES   8 /* at most, before those of the arguments */
#define ARGUMENTS_MAX 128

const struct probe_kind *adhoc_kind(const char *word)
{
    unsigned count;
    const struct probe_kind *const *kinds = registry_kinds(&count);
    for (unsigned i = 0; i < count; i++) {
        if (strcmp(kinds[i]->name, word) == 0) {
            return kinds[i];
        }
    }
    return NULL;
}

int adhoc_unknown_kind(const char *word)
{
    const char *names[32];
    unsigned count;
    const struct probe_kind *const *kinds = registry_kinds(&count);
    for (unsigned i = 0; i < count; i++) {
        names[i] = kinds[i]->name;
    }
    names[count] = NULL;
    const char *near = value_near_miss(word, strlen(word), names);
    if (near) {
        return verbs_usage_error("probe", "unknown kind '%s'; did you mean '%s'?", word, near);
    }
    return verbs_usage_error("probe", "unknown kind '%s'", word);
}

static void print_key(const struct config_key *key)
{
    printf("  --%-16s %s", key->name, key->help ? key->help : "");
    if (key->fallback) {
        printf(" (default %s)", key->fallback);
    }
    printf("%s\n", key->flags & KEY_REPEATS ? "; may repeat" : "");
}

int adhoc_kind_help(const struct probe_kind *kind)
{
    printf("Usage: %s probe %s TARGET [--KEY VALUE]...\n\n%s\n\nKeys of this kind:\n",
           verbs_program(), kind->name, kind->help);
    for (unsigned i = 0; i < kind->key_count; i++) {
        print_key(&kind->keys[i]);
    }
    printf("\nKeys of every kind:\n");
    for (unsigned i = 0; i < PROBE_KEY_COUNT; i++) {
        print_key(&config_probe_keys[i]);
    }
    return EXIT_CODE_OK;
}

/* The text, and which argument each of its lines came from, for messages. */
struct lines {
    struct buffer text;
    const char *argument_of[ARGUMENTS_MAX + FIXED_LINES];
    unsigned count;
};

static void print_error(void *context, const char *file, unsigned line, const char *message)
{
    const struct lines *lines = context;
    (void)file;
    const char *argument = line > 0 && line <= lines->count ? lines->argument_of[line - 1] : "";
    fprintf(stderr, "%s probe: %s%s%s\n", verbs_program(), argument, *argument ? ": " : "",
            message);
}

static void add_line(struct lines *lines, const char *argument, const char *key, const char *value)
{
    buffer_printf(&lines->text, "%s%s%s\n", key, value ? " = " : "", value ? value : "");
    lines->argument_of[lines->count++] = argument;
}

static const char *positional_key(const struct probe_kind *kind)
{
    for (unsigned i = 0; i < kind->key_count; i++) {
        if (kind->keys[i].flags & KEY_TARGET) {
            return kind->keys[i].name;
        }
    }
    return "address";
}

/* What the text could not carry: its lines are numbered, and each is one argument. */
static bool has_line_break(const char *text)
{
    return strpbrk(text, "\r\n") != NULL;
}

/* "--key value" and "--key=value", and targets. Returns false after printing what is wrong. */
static bool add_arguments(const struct probe_kind *kind, int argc, char **argv, struct lines *lines)
{
    static char names[ARGUMENTS_MAX + FIXED_LINES][CAP_NAME_BYTES];
    if (argc > ARGUMENTS_MAX) {
        verbs_usage_error("probe", "more than %d arguments", ARGUMENTS_MAX);
        return false;
    }
    for (int i = 0; i < argc; i++) {
        const char *argument = argv[i], *value = argument;
        const char *key = positional_key(kind);
        if (strncmp(argument, "--", 2) == 0) {
            const char *equals = strchr(argument, '=');
            size_t length = equals ? (size_t)(equals - argument - 2) : strlen(argument + 2);
            value = equals ? equals + 1 : argv[++i];
            if (i >= argc || length == 0 || length >= CAP_NAME_BYTES) {
                verbs_usage_error("probe", "%s needs a value", argument);
                return false;
            }
            memcpy(names[lines->count], argument + 2, length);
            key = names[lines->count];
        }
        if (has_line_break(key) || has_line_break(value)) {
            verbs_usage_error("probe", "a line break in an argument; write \\n in quotes");
            return false;
        }
        add_line(lines, argument, key, value);
    }
    return true;
}

bool adhoc_load(const struct probe_kind *kind, int argc, char **argv, struct config *config)
{
    static char memory[64 * 1024];
    static struct lines lines;
    char header[CAP_NAME_BYTES + 16];
    buffer_init(&lines.text, memory, sizeof memory);
    add_line(&lines, "", "[agent]", NULL);
    add_line(&lines, "", "site", "local");
    add_line(&lines, "", "[defaults]", NULL);
    add_line(&lines, "", "interval", "1d"); /* so that any timeout fits */
    snprintf(header, sizeof header, "[%s " ADHOC_NAME "]", kind->name);
    add_line(&lines, "", header, NULL);
    if (!add_arguments(kind, argc, argv, &lines)) {
        return false;
    }
    if (buffer_overflowed(&lines.text)) {
        verbs_usage_error("probe", "arguments over %zu bytes", sizeof memory);
        return false;
    }
    unsigned count;
    const struct probe_kind *const *kinds = registry_kinds(&count);
    struct config_errors errors = {.context = &lines, .report = print_error};
    struct config_loader loader;
    config_begin(&loader, config, kinds, count, &errors);
    config_add_text(&loader, "command line", memory, lines.text.used);
    return config_finish(&loader);
}
