/* [maintenance NAME]: which probes, and when. */
#include <string.h>

#include "config_parts.h"
#include "maintenance.h"

static void name_probe(struct config_loader *loader, struct config_maintenance *maintenance,
                       const struct setting *setting)
{
    unsigned index = config_named_probe(loader, &maintenance->section, setting);
    if (index != CONFIG_NO_PROBE) {
        maintenance->probes[index / 8] |= (uint8_t)(1u << index % 8);
    }
}

static void read_times(struct config_loader *loader, struct config_maintenance *maintenance,
                       const struct setting *setting)
{
    const struct config *config = loader->config;
    const char *text = config_setting_text(config, setting);
    struct config_times times;
    const char *wrong = maintenance->times_count == CAP_MAINTENANCE_TIMES
                            ? "at most " CONFIG_STRING(CAP_MAINTENANCE_TIMES) " in one section"
                            : maintenance_read(text, &times);
    if (wrong != NULL) {
        config_error_at(config, &maintenance->section, setting, loader->errors, "'time': %s",
                        wrong);
        return;
    }
    maintenance->times[maintenance->times_count++] = times;
}

static void resolve(struct config_loader *loader, struct config_maintenance *maintenance)
{
    const struct config *config = loader->config;
    const struct config_section *section = &maintenance->section;
    const struct setting *setting;
    for (unsigned nth = 0;
         (setting = config_setting(config, section, MAINTENANCE_PROBE, nth)) != NULL; nth++) {
        name_probe(loader, maintenance, setting);
    }
    if (!config_stands(config, section, MAINTENANCE_PROBE)) {
        memset(maintenance->probes, 0xff, sizeof maintenance->probes);
    }
    for (unsigned nth = 0;
         (setting = config_setting(config, section, MAINTENANCE_TIME, nth)) != NULL; nth++) {
        read_times(loader, maintenance, setting);
    }
    if (!config_stands(config, section, MAINTENANCE_TIME)) {
        config_error_at(config, section, NULL, loader->errors,
                        "'time' is missing: a maintenance without a time never holds");
    }
}

void config_resolve_maintenance(struct config_loader *loader)
{
    for (unsigned i = 0; i < loader->config->maintenance_count; i++) {
        resolve(loader, &loader->config->maintenances[i]);
    }
}
