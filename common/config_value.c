/* One value: from the text behind '=' to a setting's number or text, with a reason when refused. */
#include <stdio.h>
#include <string.h>

#include "config_parts.h"
#include "utf8.h"
#include "value.h"

enum { CHOICES_BYTES = 160 };

static bool is_number_type(enum setting_type type)
{
    return type < SETTING_TEXT;
}

size_t config_value_length(const char *value, bool patterns)
{
    size_t length = strlen(value), at = 0;

    while (at < length) {
        if (value[at] == ';' && (at == 0 || value[at - 1] == ' ' || value[at - 1] == '\t')) {
            break;
        }
        at = value_skip_enclosed(value, length, at, patterns);
    }
    while (at > 0 && (value[at - 1] == ' ' || value[at - 1] == '\t')) {
        at--;
    }
    return at;
}

bool config_is_plain(const char *text, size_t length)
{
    for (size_t at = 0; at < length;) {
        unsigned char byte = (unsigned char)text[at];
        size_t step = utf8_length(text + at);

        if (step == 0 || byte < 0x20 || byte == 0x7f) {
            return false;
        }
        at += step;
    }
    return true;
}

bool config_is_instance(const char *instance)
{
    size_t length = strlen(instance);

    return length > 0 && length < CAP_INSTANCE_BYTES && config_is_plain(instance, length);
}

static enum error read_choice(const char *const *choices, const char *value, size_t length,
                              int64_t *number)
{
    for (int64_t i = 0; choices[i] != NULL; i++) {
        if (strlen(choices[i]) == length && memcmp(choices[i], value, length) == 0) {
            *number = i;
            return ERROR_NONE;
        }
    }
    return ERROR_INVALID;
}

enum error config_value_number(const struct config_key *key, const char *value, size_t length,
                               int64_t *number)
{
    switch (key->type) {
    case SETTING_SWITCH:
        return value_switch(value, length, number);
    case SETTING_INTEGER:
        return value_integer(value, length, number);
    case SETTING_DURATION:
        return value_duration(value, length, number);
    case SETTING_SIZE:
        return value_size(value, length, number);
    case SETTING_CHOICE:
        return read_choice(key->choices, value, length, number);
    case SETTING_TEXT:
    case SETTING_PATTERN:
    case SETTING_RAW:
        break;
    }
    return ERROR_INVALID;
}

static void explain_choice(const char *const *choices, const char *value, size_t length, char *why,
                           size_t why_size)
{
    const char *near = value_near_miss(value, length, choices);
    char list[CHOICES_BYTES] = "";
    size_t used = 0;

    for (unsigned i = 0; choices[i] != NULL && used < sizeof(list); i++) {
        int count = snprintf(list + used, sizeof(list) - used, i == 0 ? "%s" : ", %s", choices[i]);

        used += count > 0 ? (size_t)count : 0;
    }
    if (near != NULL) {
        (void)snprintf(why, why_size, "'%.*s' is not one of %s; did you mean '%s'?",
                       config_shown(value, length), value, list, near);
    } else {
        (void)snprintf(why, why_size, "'%.*s' is not one of %s", config_shown(value, length), value,
                       list);
    }
}

static const char *type_example(enum setting_type type)
{
    switch (type) {
    case SETTING_SWITCH:
        return "on or off";
    case SETTING_INTEGER:
        return "a whole number";
    case SETTING_DURATION:
        return "a duration like 250ms, 30s, 5m, 12h or 30d";
    case SETTING_SIZE:
        return "a size like 512, 64K or 1M";
    case SETTING_CHOICE:
    case SETTING_TEXT:
    case SETTING_PATTERN:
    case SETTING_RAW:
        break;
    }
    return "";
}

static const char *print_number(enum setting_type type, int64_t number, char *out, size_t size)
{
    if (type == SETTING_DURATION) {
        return value_print_duration(number, out, size);
    }
    if (type == SETTING_SIZE) {
        return value_print_size(number, out, size);
    }
    (void)snprintf(out, size, "%lld", (long long)number);
    return out;
}

static enum error check_range(const struct config_key *key, const char *value, size_t length,
                              int64_t number, char *why, size_t why_size)
{
    bool limited = key->min != 0 || key->max != 0;
    char low[VALUE_PRINT_BYTES], high[VALUE_PRINT_BYTES];

    if (key->type == SETTING_CHOICE || key->type == SETTING_SWITCH) {
        return ERROR_NONE;
    }
    if (limited ? number >= key->min && number <= key->max : number >= 0) {
        return ERROR_NONE;
    }
    if (limited) {
        (void)snprintf(why, why_size, "%.*s is out of range: %s to %s are allowed",
                       config_shown(value, length), value,
                       print_number(key->type, key->min, low, sizeof(low)),
                       print_number(key->type, key->max, high, sizeof(high)));
    } else {
        (void)snprintf(why, why_size, "%.*s is negative", config_shown(value, length), value);
    }
    return ERROR_INVALID;
}

static enum error read_number(const struct config_key *key, const char *value, size_t length,
                              int64_t *number, char *why, size_t why_size)
{
    enum error error = config_value_number(key, value, length, number);

    if (error == ERROR_NONE) {
        return check_range(key, value, length, *number, why, why_size);
    }
    if (key->type == SETTING_CHOICE) {
        explain_choice(key->choices, value, length, why, why_size);
    } else if (error == ERROR_RANGE) {
        (void)snprintf(why, why_size, "%.*s is too large a number", config_shown(value, length),
                       value);
    } else {
        (void)snprintf(why, why_size, "'%.*s' is not %s", config_shown(value, length), value,
                       type_example(key->type));
    }
    return ERROR_INVALID;
}

/* The part of a URL before its path; with `bare`, text without a scheme is taken for one too. */
static bool find_authority(const char *text, bool bare, const char **authority, size_t *length)
{
    const char *scheme = strstr(text, "://");
    bool has_scheme = scheme != NULL && strcspn(text, " /?#@\"'") >= (size_t)(scheme - text);

    if (!has_scheme && !bare) {
        return false;
    }
    *authority = has_scheme ? scheme + 3 : text;
    *length = strcspn(*authority, "/?#");
    return true;
}

/* A URL with user:password@ would put the secret into the file, a label and every message. */
static bool holds_password(const struct config_key *key, const char *text)
{
    const char *authority;
    size_t length;
    bool colon = false;

    if (!find_authority(text, (key->flags & KEY_TARGET) != 0, &authority, &length)) {
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        if (authority[i] == '@') {
            return colon;
        }
        colon = colon || authority[i] == ':';
    }
    return false;
}

static enum error explain_text(const char *value, size_t length, char *why, size_t why_size)
{
    if (length > 0 && value[0] == '"' && (length == 1 || value[length - 1] != '"')) {
        (void)snprintf(why, why_size, "the quoted text lacks its closing '\"'");
    } else if (length > 0 && value[0] == '"') {
        (void)snprintf(why, why_size,
                       "the quoted text has an escape that C does not know, or a '\"' that should "
                       "be '\\\"'");
    } else {
        (void)snprintf(why, why_size, "a tab must be quoted, as \"\\t\"");
    }
    return ERROR_INVALID;
}

static enum error check_text(const struct config_key *key, const char *text, size_t length,
                             char *why, size_t why_size)
{
    if ((key->flags & KEY_BINARY) != 0) {
        return ERROR_NONE;
    }
    if (length == 0) {
        (void)snprintf(why, why_size, "the text is empty");
        return ERROR_INVALID;
    }
    if (!config_is_plain(text, length)) {
        (void)snprintf(why, why_size,
                       "control characters and bytes that are not UTF-8 are not allowed");
        return ERROR_INVALID;
    }
    if (holds_password(key, text)) {
        (void)snprintf(why, why_size,
                       "a secret is never written in the file: take user and password out of the "
                       "URL and use username and password_file = PATH");
        return ERROR_INVALID;
    }
    if ((key->flags & KEY_TARGET) != 0 && length >= CAP_INSTANCE_BYTES) {
        (void)snprintf(why, why_size, "a target has at most %d bytes", CAP_INSTANCE_BYTES - 1);
        return ERROR_INVALID;
    }
    return ERROR_NONE;
}

/* Decodes into the free end of config->text, and keeps it there only when it is good. */
static enum error read_text(struct config *config, const struct config_key *key, const char *value,
                            size_t length, struct setting *setting, char *why, size_t why_size)
{
    char *text = config->text + config->text_used;
    size_t room = sizeof(config->text) - config->text_used;
    enum error error;
    size_t bytes = length;

    if (key->type == SETTING_RAW) {
        error = length < room ? ERROR_NONE : ERROR_FULL;
        if (error == ERROR_NONE) {
            memcpy(text, value, length);
            text[length] = '\0';
        }
    } else {
        error = value_text(value, length, text, room, &bytes);
    }
    if (error == ERROR_INVALID) {
        return explain_text(value, length, why, why_size);
    }
    /* A raw value's tabs are blanks to its reader, unless the value is a label. */
    if (error == ERROR_NONE && (key->type == SETTING_TEXT || (key->flags & KEY_TARGET) != 0)) {
        error = check_text(key, text, bytes, why, why_size);
    }
    if (error != ERROR_NONE) {
        return error;
    }
    setting->text = config->text_used;
    setting->length = (uint32_t)bytes;
    config->text_used += (uint32_t)bytes + 1;
    return ERROR_NONE;
}

static enum error read_pattern(struct config *config, const char *value, size_t length,
                               struct setting *setting, char *why, size_t why_size)
{
    const char *pattern;
    size_t bytes;
    unsigned flags;

    if (value_pattern(value, length, &pattern, &bytes, &flags) != ERROR_NONE) {
        (void)snprintf(why, why_size,
                       "'%.*s' is not a pattern like /text/ or /text/i (a slash in it is '\\/')",
                       config_shown(value, length), value);
        return ERROR_INVALID;
    }
    if (bytes == 0) {
        (void)snprintf(why, why_size, "the pattern is empty");
        return ERROR_INVALID;
    }
    setting->number = flags;
    setting->length = (uint32_t)bytes;
    return config_add_string(config, pattern, bytes, &setting->text);
}

enum error config_value_read(struct config *config, const struct config_key *key, const char *value,
                             size_t length, struct setting *setting, char *why, size_t why_size)
{
    if (length == 0) {
        (void)snprintf(why, why_size, "there is no value");
        return ERROR_INVALID;
    }
    if (is_number_type(key->type)) {
        return read_number(key, value, length, &setting->number, why, why_size);
    }
    if (key->type == SETTING_PATTERN) {
        return read_pattern(config, value, length, setting, why, why_size);
    }
    return read_text(config, key, value, length, setting, why, why_size);
}
