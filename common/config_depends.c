/* depends_on: names become indices, and circles are found. Each probe depends on one other at most,
 * so following the links needs no stack. */
#include <stdio.h>
#include <string.h>

#include "config_parts.h"
#include "value.h"

enum { CIRCLE_BYTES = 320 };

static const char *near_probe(const struct config *config, const char *name)
{
    const char *names[CAP_PROBES + 1];

    for (unsigned i = 0; i < config->probe_count; i++) {
        names[i] = config_probe_name(config, &config->probes[i]);
    }
    names[config->probe_count] = NULL;
    return value_near_miss(name, strlen(name), names);
}

static void report_unknown(struct config_loader *loader, const struct config_section *section,
                           const struct setting *setting)
{
    const struct config *config = loader->config;
    const char *name = config_setting_text(config, setting);
    const char *near = near_probe(config, name);

    config_error_at(
        config, section, setting, loader->errors, "'%s': no probe is named '%.*s'%s%s%s",
        config_key(section, config, setting->key)->name, config_shown(name, setting->length), name,
        near != NULL ? "; did you mean '" : "", near != NULL ? near : "", near != NULL ? "'?" : "");
}

unsigned config_named_probe(struct config_loader *loader, const struct config_section *section,
                            const struct setting *setting)
{
    const struct config *config = loader->config;
    unsigned index = config_find_probe(config, config_setting_text(config, setting));

    if (index == CONFIG_NO_PROBE) {
        report_unknown(loader, section, setting);
    }
    return index;
}

/* The probe that `section` (a probe's or [defaults]) names itself; NO_PROBE when it names none. */
static unsigned named_probe(struct config_loader *loader, const struct config_section *section)
{
    const struct config *config = loader->config;
    const struct setting *setting = config_setting(config, section, PROBE_DEPENDS_ON, 0);
    unsigned index;

    if (setting == NULL) {
        return CONFIG_NO_PROBE;
    }
    index = config_named_probe(loader, section, setting);
    if (index != CONFIG_NO_PROBE && section == &config->probes[index].section) {
        config_error_at(config, section, setting, loader->errors,
                        "'depends_on' names the probe itself");
        index = CONFIG_NO_PROBE;
    }
    return index;
}

static void link_probes(struct config_loader *loader)
{
    struct config *config = loader->config;
    unsigned inherited = named_probe(loader, &config->defaults);

    for (unsigned i = 0; i < config->probe_count; i++) {
        struct config_probe *probe = &config->probes[i];

        if (config_stands(config, &probe->section, PROBE_DEPENDS_ON)) {
            probe->depends_on = (uint16_t)named_probe(loader, &probe->section);
        } else if (inherited != i) {
            /* What everything depends on does not depend on itself. */
            probe->depends_on = (uint16_t)inherited;
        }
    }
}

static void report_circle(struct config_loader *loader, unsigned start)
{
    const struct config *config = loader->config;
    const struct config_section *section = &config->probes[start].section;
    char names[CIRCLE_BYTES];
    unsigned i = start;
    size_t used = 0;

    do {
        int count = snprintf(names + used, sizeof(names) - used, "%s -> ",
                             config_probe_name(config, &config->probes[i]));

        used += count > 0 ? (size_t)count : 0;
        i = config->probes[i].depends_on;
    } while (i != start && used < sizeof(names));
    config_error_at(config, section, config_setting(config, section, PROBE_DEPENDS_ON, 0),
                    loader->errors, "'depends_on' goes round in a circle: %s%s", names,
                    i == start ? config_probe_name(config, &config->probes[start]) : "...");
}

static void find_circles(struct config_loader *loader)
{
    const struct config *config = loader->config;
    uint16_t seen_in[CAP_PROBES] = {0}; /* the walk, from 1, that came by first */

    for (unsigned start = 0; start < config->probe_count; start++) {
        unsigned i = start;

        while (i != CONFIG_NO_PROBE && seen_in[i] == 0) {
            seen_in[i] = (uint16_t)(start + 1);
            i = config->probes[i].depends_on;
        }
        if (i != CONFIG_NO_PROBE && seen_in[i] == start + 1) {
            report_circle(loader, i);
        }
    }
}

void config_resolve_depends(struct config_loader *loader)
{
    link_probes(loader);
    find_circles(loader);
}
