/* label = NAME=VALUE: the agent's on every series, a probe's on its own, the nearer one winning. */
#include <string.h>

#include "config_parts.h"
#include "metrics.h"
#include "value.h"

static bool is_label_name(const char *name, size_t length)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
    size_t start = strspn(name, letters);

    for (size_t i = start; start > 0 && i < length; i++) {
        if (strchr(letters, name[i]) == NULL && (name[i] < '0' || name[i] > '9')) {
            return false;
        }
    }
    return start > 0;
}

/* Reads NAME=VALUE; a message says what is wrong. The name and value become strings. */
static const char *read_label(struct config *config, const char *text, struct config_label *label)
{
    size_t length = strcspn(text, "=");
    const char *value = text + length;
    size_t value_length;
    char *room;

    if (*value != '=') {
        return "a label is written NAME=VALUE";
    }
    value += 1 + strspn(value + 1, " \t");
    while (length > 0 && (text[length - 1] == ' ' || text[length - 1] == '\t')) {
        length--;
    }
    if (!is_label_name(text, length)) {
        return "a label's name is made of a-z A-Z 0-9 _ and does not begin with a digit";
    }
    if (config_add_string(config, text, length, &label->name) != ERROR_NONE) {
        return "there is no room left for texts";
    }
    if (metrics_label_reserved(config->text + label->name)) {
        return "this label name is reserved, choose another";
    }
    label->value = config->text_used;
    room = config->text + label->value;
    if (value_text(value, strlen(value), room, sizeof(config->text) - label->value,
                   &value_length) != ERROR_NONE) {
        return "a label's value is bare text, or quoted with C escapes";
    }
    if (value_length == 0 || !config_is_plain(room, value_length)) {
        return "a label's value is not empty and holds no control characters and only UTF-8";
    }
    config->text_used += (uint32_t)value_length + 1;
    return NULL;
}

/* The place of a label with this name, or the end. */
static unsigned find_label(const struct config *config, const struct config_label *labels,
                           unsigned count, uint32_t name)
{
    unsigned i = 0;

    while (i < count && strcmp(config->text + labels[i].name, config->text + name) != 0) {
        i++;
    }
    return i;
}

/* Lays one label over the others; false when there is no room. */
static bool put_label(const struct config *config, struct config_label *labels, uint8_t *count,
                      const struct config_label *label)
{
    unsigned at = find_label(config, labels, *count, label->name);

    if (at == CAP_LABELS) {
        return false;
    }
    labels[at] = *label;
    *count = (uint8_t)(at == *count ? at + 1 : *count);
    return true;
}

void config_read_labels(struct config_loader *loader, const struct config_section *section,
                        struct config_label *labels, uint8_t *count)
{
    struct config *config = loader->config;
    unsigned key = section == &config->agent ? (unsigned)AGENT_LABEL : (unsigned)PROBE_LABEL;
    struct config_label own[CAP_LABELS];
    uint8_t own_count = 0;
    const struct setting *setting;

    for (unsigned nth = 0; (setting = config_setting(config, section, key, nth)) != NULL; nth++) {
        struct config_label label;
        const char *wrong = read_label(config, config_setting_text(config, setting), &label);

        if (wrong == NULL && find_label(config, own, own_count, label.name) < own_count) {
            wrong = "this label is already in the section";
        } else if (wrong == NULL && (!put_label(config, own, &own_count, &label) ||
                                     !put_label(config, labels, count, &label))) {
            wrong = "more than " CONFIG_STRING(
                CAP_LABELS) " on one series, those of [agent] and [defaults] included";
        }
        if (wrong != NULL) {
            config_error_at(config, section, setting, loader->errors, "'label': %s", wrong);
        }
    }
}
