/* The cross checks of the store: a size in whole blocks, room for the targets, and a flash that
 * lasts. Nothing is said about what depends on a value that was refused itself. */
#include <stdio.h>

#include "config_parts.h"
#include "store_plan.h"
#include "store_scan.h"
#include "value.h"

enum { MODEL_BYTES = 96, ADVICE_BYTES = 160 };

static void check_size(struct config_loader *loader)
{
    const struct config *config = loader->config;
    const struct setting *size = config_setting(config, &config->agent, AGENT_STORE_SIZE, 0);
    char text[VALUE_PRINT_BYTES], most[VALUE_PRINT_BYTES];

    if (size == NULL) {
        return;
    }
    (void)value_print_size(size->number, text, sizeof(text));
    if (size->number % BLOCK_BYTES != 0) {
        config_error_at(config, &config->agent, size, loader->errors,
                        "'store_size': %s is not a multiple of 4K", text);
    } else if (size->number / BLOCK_BYTES > CAP_STORE_BLOCKS) {
        config_error_at(
            config, &config->agent, size, loader->errors,
            "'store_size': this build holds at most %s, not %s",
            value_print_size((int64_t)CAP_STORE_BLOCKS * BLOCK_BYTES, most, sizeof(most)), text);
    }
}

static void check_flash(struct config_loader *loader)
{
    const struct config *config = loader->config;
    const struct setting *size = config_setting(config, &config->agent, AGENT_FLASH_SIZE, 0);

    if (size != NULL && config_number(config, &config->agent, AGENT_FLASH) == FLASH_DISK) {
        config_error_at(config, &config->agent, size, loader->errors,
                        "'flash_size' makes no difference to 'flash = disk', which is never worn");
    }
}

/* The line to change: the key's own, or that of `store` when it has its default. */
static const struct setting *line_of(const struct config *config, unsigned key)
{
    const struct setting *own = config_setting(config, &config->agent, key, 0);

    return own != NULL ? own : config_setting(config, &config->agent, AGENT_STORE, 0);
}

static void check_room(struct config_loader *loader, const struct store_plan *plan)
{
    const struct config *config = loader->config;
    const struct setting *line = line_of(config, AGENT_STORE_SIZE);
    int64_t bytes = config_number(config, &config->agent, AGENT_STORE_SIZE);
    char size[VALUE_PRINT_BYTES], least[VALUE_PRINT_BYTES];

    (void)value_print_size(bytes, size, sizeof(size));
    if (plan->slots == 0) {
        config_error_at(config, &config->agent, line, loader->errors,
                        "'store_size' %s is too small for %u targets: at least %s", size,
                        config->target_count,
                        value_print_size(plan->least_bytes, least, sizeof(least)));
    } else if (plan->flash_bytes > 0 && bytes > plan->flash_bytes) {
        config_error_at(config, &config->agent, line, loader->errors,
                        "'store_size' %s does not fit on a flash of %s (%s): set 'flash_size'",
                        size, value_print_size(plan->flash_bytes, least, sizeof(least)),
                        plan->flash->name);
    }
}

/* What would help; returns `out`. */
static const char *advice(const struct config *config, char *out, size_t size)
{
    usec_t commit_us = store_plan_commit(config);
    char text[VALUE_PRINT_BYTES];

    if (commit_us > 0) {
        (void)snprintf(out, size, "'commit = %s' makes it %d",
                       value_print_duration(commit_us, text, sizeof(text)), STORE_LIFE_YEARS_MIN);
    } else {
        (void)snprintf(out, size, "no 'commit' makes it %d, less frequent probes do",
                       STORE_LIFE_YEARS_MIN);
    }
    return out;
}

static void check_life(struct config_loader *loader, const struct store_plan *plan)
{
    const struct config *config = loader->config;
    const struct setting *line = line_of(config, AGENT_COMMIT);
    char commit[VALUE_PRINT_BYTES], model[MODEL_BYTES], help[ADVICE_BYTES];

    if (plan->life_years <= 0 || plan->life_years >= STORE_LIFE_YEARS_MIN ||
        config_number(config, &config->agent, AGENT_FLASH_WEAR) != 0) {
        return;
    }
    config_error_at(
        config, &config->agent, line, loader->errors,
        "'commit' %s wears out the flash in %.1f years (%s): %s; say what it is with 'flash' and "
        "'flash_size', or take it as it is with 'flash_wear = accept'",
        value_print_duration(config_number(config, &config->agent, AGENT_COMMIT), commit,
                             sizeof(commit)),
        plan->life_years, store_plan_model(plan, model, sizeof(model)),
        advice(config, help, sizeof(help)));
}

/* True when what the plan is made of was refused or not read. */
static bool is_unknown(const struct config_loader *loader)
{
    static const unsigned keys[] = {AGENT_STORE_SIZE, AGENT_COMMIT, AGENT_FLASH, AGENT_FLASH_SIZE,
                                    AGENT_FLASH_WEAR};
    const struct config *config = loader->config;

    for (unsigned i = 0; i < ARRAY_LEN(keys); i++) {
        if (config_is_marked(config, &config->agent, keys[i])) {
            return true;
        }
    }
    for (unsigned i = 0; i < config->probe_count; i++) {
        if (config_times_unknown(config, &config->probes[i].section)) {
            return true;
        }
    }
    return config_is_marked(config, &config->push, PUSH_INTERVAL) ||
           (loader->limits_reported & (LIMIT_PROBES | LIMIT_TARGETS | LIMIT_SLOS)) != 0;
}

void config_check_store(struct config_loader *loader)
{
    const struct config *config = loader->config;
    unsigned before = loader->errors->count;
    struct store_plan plan;

    check_size(loader);
    check_flash(loader);
    if (loader->errors->count > before || is_unknown(loader) || config_store(config) == NULL) {
        return;
    }
    store_plan_make(config, &plan);
    check_room(loader, &plan);
    if (loader->errors->count == before) {
        check_life(loader, &plan);
    }
}
