/* What a probe ends up with: its times, targets, labels and SLOs, out of its own section,
 * [defaults] and the tables. A mistake in [defaults] is reported there, once, and not again for
 * each heir. */
#include <stdio.h>
#include <string.h>

#include "config_parts.h"
#include "value.h"

enum { WHERE_BYTES = 160 };

const char *config_origin(const struct config *config, const struct config_section *section,
                          unsigned key, char *out, size_t size)
{
    const struct setting *own = config_setting(config, section, key, 0);
    const struct setting *inherited = config_setting(config, &config->defaults, key, 0);

    if (own != NULL && section->kind != NULL) {
        (void)snprintf(out, size, "set in line %u", (unsigned)own->line);
    } else if (inherited != NULL) {
        (void)snprintf(out, size, "set in [defaults]");
    } else {
        (void)snprintf(out, size, "by default");
    }
    return out;
}

bool config_times_unknown(const struct config *config, const struct config_section *section)
{
    return config_is_marked(config, section, PROBE_INTERVAL) ||
           config_is_marked(config, section, PROBE_TIMEOUT) ||
           config_is_marked(config, &config->defaults, PROBE_INTERVAL) ||
           config_is_marked(config, &config->defaults, PROBE_TIMEOUT);
}

/* The timeout may not exceed the interval. Strict also when the shorter interval is the probe's own
 * and the timeout is not: cutting it silently would change what the operator measures. */
static void check_times(struct config_loader *loader, const struct config_section *section)
{
    const struct config *config = loader->config;
    const struct setting *interval = config_setting(config, section, PROBE_INTERVAL, 0);
    const struct setting *timeout = config_setting(config, section, PROBE_TIMEOUT, 0);
    usec_t interval_us = config_number(config, section, PROBE_INTERVAL);
    usec_t timeout_us = config_number(config, section, PROBE_TIMEOUT);
    char title[CONFIG_TITLE_BYTES], where[WHERE_BYTES];
    char interval_text[VALUE_PRINT_BYTES], timeout_text[VALUE_PRINT_BYTES];

    if (timeout_us <= interval_us || (interval == NULL && timeout == NULL) ||
        config_times_unknown(config, section)) {
        return;
    }
    (void)value_print_duration(interval_us, interval_text, sizeof(interval_text));
    (void)value_print_duration(timeout_us, timeout_text, sizeof(timeout_text));
    (void)config_title(config, section, title, sizeof(title));
    if (timeout != NULL) {
        config_error_at(config, section, timeout, loader->errors,
                        "'timeout' %s is above the interval of %s (%s): lower it or raise "
                        "'interval' in %s",
                        timeout_text, interval_text,
                        config_origin(config, section, PROBE_INTERVAL, where, sizeof(where)),
                        title);
    } else {
        config_error_at(config, section, interval, loader->errors,
                        "'interval' %s is below the timeout of %s (%s): set 'timeout' to %s or "
                        "less in %s",
                        interval_text, timeout_text,
                        config_origin(config, section, PROBE_TIMEOUT, where, sizeof(where)),
                        interval_text, title);
    }
}

static const struct setting *same_target(const struct config *config,
                                         const struct config_probe *probe, const char *instance)
{
    for (unsigned i = 0; i < probe->section.setting_count; i++) {
        const struct setting *setting = &config->settings[probe->section.first_setting + i];
        const struct config_key *key = config_key(&probe->section, config, setting->key);

        if (key != NULL && (key->flags & KEY_TARGET) != 0 &&
            strcmp(config_setting_text(config, setting), instance) == 0) {
            return setting;
        }
    }
    return NULL;
}

static void add_target(struct config_loader *loader, unsigned index, const struct setting *setting)
{
    struct config *config = loader->config;
    struct config_probe *probe = &config->probes[index];
    const struct setting *first = same_target(config, probe, config_setting_text(config, setting));

    if (first != setting) {
        config_error_at(config, &probe->section, setting, loader->errors,
                        "the same target is already in line %u", (unsigned)first->line);
        return;
    }
    if (config->target_count == CAP_TARGETS) {
        config_limit(loader, LIMIT_TARGETS, config->text + config->files[setting->file],
                     setting->line, "more than %d targets over all probes", CAP_TARGETS);
        return;
    }
    config->targets[config->target_count] = (struct config_target){
        .probe = (uint16_t)index, .key = setting->key, .instance = setting->text};
    config->target_count++;
    probe->target_count++;
}

static void report_no_target(struct config_loader *loader, const struct config_section *section)
{
    const struct probe_kind *kind = section->kind;
    char title[CONFIG_TITLE_BYTES], keys[WHERE_BYTES] = "";
    size_t used = 0;

    for (unsigned i = 0; i < kind->key_count && used < sizeof(keys); i++) {
        if ((kind->keys[i].flags & KEY_TARGET) != 0) {
            int count = snprintf(keys + used, sizeof(keys) - used, used == 0 ? "'%s'" : " or '%s'",
                                 kind->keys[i].name);

            used += count > 0 ? (size_t)count : 0;
        }
    }
    config_error_at(loader->config, section, NULL, loader->errors, "%s has no target: set %s",
                    config_title(loader->config, section, title, sizeof(title)), keys);
}

static void resolve_targets(struct config_loader *loader, unsigned index)
{
    struct config *config = loader->config;
    struct config_probe *probe = &config->probes[index];
    bool stands = false;

    probe->first_target = config->target_count;
    for (unsigned i = 0; i < probe->section.setting_count; i++) {
        const struct setting *setting = &config->settings[probe->section.first_setting + i];
        const struct config_key *key =
            config_key(&probe->section, config, setting->key & CONFIG_KEY_MASK);

        if (key == NULL || (key->flags & KEY_TARGET) == 0) {
            continue;
        }
        stands = true;
        if ((setting->key & ~CONFIG_KEY_MASK) == 0) {
            add_target(loader, index, setting);
        }
    }
    if (!stands) {
        report_no_target(loader, &probe->section);
    }
}

static void check_required(struct config_loader *loader, const struct config_section *section)
{
    const struct probe_kind *kind = section->kind;
    char title[CONFIG_TITLE_BYTES];

    for (unsigned i = 0; i < kind->key_count; i++) {
        if ((kind->keys[i].flags & (KEY_REQUIRED | KEY_TARGET)) == KEY_REQUIRED &&
            !config_stands(loader->config, section, KIND_KEY_FIRST + i)) {
            config_error_at(loader->config, section, NULL, loader->errors, "%s needs '%s'",
                            config_title(loader->config, section, title, sizeof(title)),
                            kind->keys[i].name);
        }
    }
}

void config_resolve_defaults(struct config_loader *loader, struct config_defaults *defaults)
{
    struct config *config = loader->config;
    const struct config_section *section = &config->defaults;

    check_times(loader, section);
    memcpy(defaults->labels, config->labels, sizeof(defaults->labels));
    defaults->label_count = config->label_count;
    config_read_labels(loader, section, defaults->labels, &defaults->label_count);
    config_read_slos(loader, section, defaults->slos, &defaults->slo_count);
}

void config_resolve_probe(struct config_loader *loader, struct config_defaults *defaults,
                          unsigned index)
{
    struct config *config = loader->config;
    struct config_probe *probe = &config->probes[index];
    const struct config_section *section = &probe->section;

    probe->interval_us = config_number(config, section, PROBE_INTERVAL);
    probe->timeout_us = config_number(config, section, PROBE_TIMEOUT);
    probe->attempts = (unsigned)config_number(config, section, PROBE_ATTEMPTS);
    probe->enabled = config_number(config, section, PROBE_ENABLED) != 0;
    probe->depends_on = CONFIG_NO_PROBE;
    check_required(loader, section);
    resolve_targets(loader, index);
    check_times(loader, section);
    memcpy(probe->labels, defaults->labels, sizeof(probe->labels));
    probe->label_count = defaults->label_count;
    config_read_labels(loader, section, probe->labels, &probe->label_count);
    config_resolve_slos(loader, defaults, probe);
    if (section->kind->check != NULL) {
        section->kind->check(config, section, loader->errors);
    }
}
