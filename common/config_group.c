/* [slo NAME]: objectives of a group of probes. What they need to have counted is asked of each of
 * its probes as if it were an SLO of that; so one that differs from an SLO of the probe, or of
 * another group, in nothing but the objective costs nothing more. */
#include "config_parts.h"
#include "value.h"

enum { WHERE_BYTES = 160 };

static void name_probe(struct config_loader *loader, struct config_group *group,
                       const struct setting *setting)
{
    const struct config *config = loader->config;
    unsigned index = config_named_probe(loader, &group->section, setting);
    uint8_t bit = (uint8_t)(1u << index % 8);

    if (index == CONFIG_NO_PROBE) {
        return;
    }
    if ((group->probes[index / 8] & bit) != 0) {
        config_error_at(config, &group->section, setting, loader->errors,
                        "'probe': '%s' is already in the group",
                        config_probe_name(config, &config->probes[index]));
    }
    group->probes[index / 8] |= bit;
}

static bool same_events(const struct config_slo *a, const struct config_slo *b)
{
    return a->type == b->type && a->threshold_us == b->threshold_us && a->window_us == b->window_us;
}

/* Has it counted at each target of the probe, unless it is already. */
static void count_at(struct config_loader *loader, struct config_defaults *defaults,
                     const struct config_group *group, const struct setting *setting,
                     struct config_probe *probe)
{
    const struct config *config = loader->config;
    const struct config_slo *slo = &group->slos[group->slo_count - 1];
    unsigned counted = config_counted_slos(probe);
    char title[CONFIG_TITLE_BYTES];

    for (unsigned i = 0; i < counted; i++) {
        if (same_events(&probe->slos[i], slo)) {
            return;
        }
    }
    if (counted == CAP_SLOS_PER_PROBE) {
        config_error_at(config, &group->section, setting, loader->errors,
                        "'slo': %s has " CONFIG_STRING(
                            CAP_SLOS_PER_PROBE) " slos already, its own and those of groups: one "
                                                "more must differ from them in the objective alone",
                        config_title(config, &probe->section, title, sizeof(title)));
        return;
    }
    probe->slos[counted] = *slo;
    probe->group_slo_count++;
    config_count_slos(loader, defaults, probe->target_count, &group->section, setting);
}

/* A run that takes longer than the timeout has failed, so no run of the probe could be too slow. */
static void check_threshold(struct config_loader *loader, const struct config_group *group,
                            const struct setting *setting, const struct config_probe *probe)
{
    const struct config *config = loader->config;
    const struct config_slo *slo = &group->slos[group->slo_count - 1];
    char threshold[VALUE_PRINT_BYTES], timeout[VALUE_PRINT_BYTES], where[WHERE_BYTES];
    char title[CONFIG_TITLE_BYTES];

    if (slo->threshold_us <= probe->timeout_us || config_times_unknown(config, &probe->section)) {
        return;
    }
    config_error_at(config, &group->section, setting, loader->errors,
                    "'slo': the threshold of %s is above the timeout of %s, %s (%s)",
                    value_print_duration(slo->threshold_us, threshold, sizeof(threshold)),
                    config_title(config, &probe->section, title, sizeof(title)),
                    value_print_duration(probe->timeout_us, timeout, sizeof(timeout)),
                    config_origin(config, &probe->section, PROBE_TIMEOUT, where, sizeof(where)));
}

static void read_slo(struct config_loader *loader, struct config_defaults *defaults,
                     struct config_group *group, const struct setting *setting)
{
    struct config *config = loader->config;

    if (!config_read_slo(loader, &group->section, setting, group->slos, &group->slo_count)) {
        return;
    }
    for (unsigned i = 0; i < config->probe_count; i++) {
        if ((group->probes[i / 8] >> i % 8 & 1) != 0) {
            check_threshold(loader, group, setting, &config->probes[i]);
            count_at(loader, defaults, group, setting, &config->probes[i]);
        }
    }
}

static void resolve(struct config_loader *loader, struct config_defaults *defaults,
                    struct config_group *group)
{
    const struct config *config = loader->config;
    const struct config_section *section = &group->section;
    const struct setting *setting;

    for (unsigned nth = 0; (setting = config_setting(config, section, GROUP_PROBE, nth)) != NULL;
         nth++) {
        name_probe(loader, group, setting);
    }
    if (!config_stands(config, section, GROUP_PROBE)) {
        config_error_at(config, section, NULL, loader->errors,
                        "'probe' is missing: a group without a probe has no events");
    }
    for (unsigned nth = 0; (setting = config_setting(config, section, GROUP_SLO, nth)) != NULL;
         nth++) {
        read_slo(loader, defaults, group, setting);
    }
    if (!config_stands(config, section, GROUP_SLO)) {
        config_error_at(config, section, NULL, loader->errors,
                        "'slo' is missing: a group without an slo has no objective");
    }
}

void config_resolve_groups(struct config_loader *loader, struct config_defaults *defaults)
{
    for (unsigned i = 0; i < loader->config->group_count; i++) {
        resolve(loader, defaults, &loader->config->groups[i]);
    }
}
