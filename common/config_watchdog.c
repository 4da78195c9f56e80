/* The cross checks of [watchdog], and what the ladder is told of it. Nothing is said about what
 * depends on a value that was refused itself. */
#include <stdio.h>
#include <string.h>

#include "config_parts.h"
#include "recovery.h"
#include "value.h"

/* From the last feeding before a hang to the first of the new life there is a feeding, the hang,
 * its end, and this much. */
#define START_MARGIN_US (1 * USEC_PER_SEC)
/* Of `rollback`, when it is not set. */
#define ROLLBACK_US        (15 * USEC_PER_MINUTE)
#define ROLLBACK_INTERVALS 3
/* In two intervals one push at least has failed, and the next one too. */
#define ROLLBACK_INTERVALS_MIN 2

static int64_t number(const struct config *config, enum watchdog_key key)
{
    return config_number(config, &config->watchdog, key);
}

static const struct setting *own(const struct config *config, enum watchdog_key key)
{
    return config_setting(config, &config->watchdog, key, 0);
}

static enum watchdog_owner owner_of(const char *device)
{
    if (strcmp(device, "systemd") == 0) {
        return WATCHDOG_OWNER_SYSTEMD;
    }
    if (strcmp(device, "procd") == 0) {
        return WATCHDOG_OWNER_PROCD;
    }
    return strcmp(device, "none") == 0 ? WATCHDOG_OWNER_NONE : WATCHDOG_OWNER_DEVICE;
}

static usec_t rollback_of(const struct config *config)
{
    if (own(config, WATCHDOG_ROLLBACK) != NULL) {
        return number(config, WATCHDOG_ROLLBACK);
    }
    return usec_max(ROLLBACK_US,
                    ROLLBACK_INTERVALS * config_number(config, &config->push, PUSH_INTERVAL));
}

void recovery_settings_of(const struct config *config, struct recovery_settings *settings)
{
    const char *device = config_text(config, &config->watchdog, WATCHDOG_DEVICE, NULL);
    usec_t timeout_us = number(config, WATCHDOG_TIMEOUT), feed_us = number(config, WATCHDOG_FEED);
    *settings = (struct recovery_settings){
        .owner = owner_of(device),
        .timeout_us = timeout_us,
        .feed_us = feed_us > 0 ? feed_us : usec_max(timeout_us / 6, 100 * USEC_PER_MSEC),
        .hang_us = number(config, WATCHDOG_HANG),
        .abort_us = number(config, WATCHDOG_ABORT),
        .restarts = (unsigned)number(config, WATCHDOG_RESTARTS),
        .restart_window_us = number(config, WATCHDOG_RESTART_WINDOW),
        .safe_us = number(config, WATCHDOG_SAFE_TIME),
        .step_us = number(config, WATCHDOG_REJOIN_STEP),
        .exits = (unsigned)number(config, WATCHDOG_REJOIN_TRIES),
        .reboot = number(config, WATCHDOG_REBOOT) != 0,
        .memory_bytes = (uint64_t)number(config, WATCHDOG_MEMORY),
        .descriptors = (unsigned)number(config, WATCHDOG_DESCRIPTORS),
        .pushes = config_text(config, &config->push, PUSH_URL, NULL) != NULL,
        .rollback_us = rollback_of(config),
    };
    if (settings->owner == WATCHDOG_OWNER_DEVICE) {
        (void)snprintf(settings->device, sizeof settings->device, "%s", device);
    }
}

static void complain(struct config_loader *loader, enum watchdog_key key, const char *message)
{
    const struct config *config = loader->config;
    config_error_at(config, &config->watchdog, own(config, key), loader->errors, "'%s': %s",
                    config_watchdog_keys[key].name, message);
}

/* A store that was refused is no second mistake. */
static bool stores(const struct config *config)
{
    return config_store(config) != NULL || config_is_marked(config, &config->agent, AGENT_STORE);
}

static void check_device(struct config_loader *loader)
{
    static const char folder[] = "/dev/";
    const struct config *config = loader->config;
    const struct setting *device = own(config, WATCHDOG_DEVICE);
    struct recovery_settings settings;

    recovery_settings_of(config, &settings);
    if (settings.owner == WATCHDOG_OWNER_NONE) {
        return;
    }
    if (settings.owner == WATCHDOG_OWNER_DEVICE && device != NULL &&
        (strncmp(settings.device, folder, strlen(folder)) != 0 ||
         device->length <= strlen(folder) || device->length >= sizeof settings.device)) {
        complain(loader, WATCHDOG_DEVICE, "write none, systemd, procd or a path below /dev");
    } else if (settings.owner == WATCHDOG_OWNER_DEVICE && !stores(config)) {
        complain(loader, WATCHDOG_DEVICE,
                 "a watchdog that resets the board needs 'store' in [agent]: resets are counted "
                 "there, so that a board never goes round in them");
    }
    if (settings.owner == WATCHDOG_OWNER_SYSTEMD && own(config, WATCHDOG_TIMEOUT) != NULL) {
        complain(loader, WATCHDOG_TIMEOUT,
                 "with 'device = systemd' it is the unit that says so, by WatchdogSec=");
    }
}

static void check_times(struct config_loader *loader)
{
    const struct config *config = loader->config;
    struct recovery_settings settings;
    char text[VALUE_PRINT_BYTES], timeout[VALUE_PRINT_BYTES];

    recovery_settings_of(config, &settings);
    usec_t least_us = settings.feed_us + settings.hang_us + settings.abort_us + START_MARGIN_US;
    bool resets = settings.owner == WATCHDOG_OWNER_DEVICE || settings.owner == WATCHDOG_OWNER_PROCD;
    (void)value_print_duration(settings.timeout_us, timeout, sizeof timeout);
    if (own(config, WATCHDOG_FEED) != NULL && 2 * settings.feed_us > settings.timeout_us) {
        config_error_at(config, &config->watchdog, own(config, WATCHDOG_FEED), loader->errors,
                        "'feed' %s is more than half of 'timeout' %s: one late feeding would be "
                        "the end",
                        value_print_duration(settings.feed_us, text, sizeof text), timeout);
    } else if (resets && least_us > settings.timeout_us) {
        config_error_at(
            config, &config->watchdog, own(config, WATCHDOG_TIMEOUT), loader->errors,
            "'timeout' %s: it would be over before the agent could be "
            "restarted; 'feed', 'hang' and 'abort' take %s",
            timeout,
            value_print_duration((least_us + USEC_PER_MSEC - 1) / USEC_PER_MSEC * USEC_PER_MSEC,
                                 text, sizeof text));
    }
}

/* The back-off between the ends that are counted: 1, 2, 4 … 60 s, after each a hang at the longest.
 */
static void check_window(struct config_loader *loader)
{
    const struct config *config = loader->config;
    struct recovery_settings settings;
    struct respawn respawn = {0};
    char text[VALUE_PRINT_BYTES];
    usec_t span_us = 0;

    recovery_settings_of(config, &settings);
    for (unsigned i = 1; i < settings.restarts; i++) {
        span_us += respawn_delay(&respawn, 0) + settings.hang_us + settings.abort_us;
    }
    if (span_us >= settings.restart_window_us) {
        const struct setting *line = own(config, WATCHDOG_RESTART_WINDOW);
        config_error_at(config, &config->watchdog,
                        line != NULL ? line : own(config, WATCHDOG_RESTARTS), loader->errors,
                        "%u 'restarts' of an agent that hangs take %s and never fall into "
                        "'restart_window': safe mode would not be reached",
                        settings.restarts, value_print_duration(span_us, text, sizeof text));
    }
}

static void check_reboot(struct config_loader *loader)
{
    const struct config *config = loader->config;
    struct recovery_settings settings;

    recovery_settings_of(config, &settings);
    if (settings.reboot &&
        (settings.owner == WATCHDOG_OWNER_NONE || settings.owner == WATCHDOG_OWNER_PROCD)) {
        complain(loader, WATCHDOG_REBOOT,
                 "there is nobody to reset the board: set 'device' to a watchdog or to systemd");
    } else if (settings.reboot && !stores(config)) {
        complain(loader, WATCHDOG_REBOOT, "needs 'store' in [agent]: resets are counted there");
    } else if (settings.reboot && number(config, WATCHDOG_REBOOT_BUDGET) == 0) {
        complain(loader, WATCHDOG_REBOOT_BUDGET, "none are allowed, but 'reboot' is on");
    }
}

static void check_rollback(struct config_loader *loader)
{
    const struct config *config = loader->config;
    usec_t rollback_us = number(config, WATCHDOG_ROLLBACK);

    if (own(config, WATCHDOG_ROLLBACK) == NULL || rollback_us == 0) {
        return;
    }
    if (!config_stands(config, &config->push, PUSH_URL)) {
        complain(loader, WATCHDOG_ROLLBACK,
                 "nothing is pushed ('url' in [push]), so this configuration would be left each "
                 "time; with 0 it stays");
    } else if (!config_is_marked(config, &config->push, PUSH_INTERVAL) &&
               rollback_us <
                   ROLLBACK_INTERVALS_MIN * config_number(config, &config->push, PUSH_INTERVAL)) {
        complain(loader, WATCHDOG_ROLLBACK,
                 "is less than two intervals of the push, which need not have failed in it");
    }
}

/* A probe that is named must be there, and run. */
static void check_named(struct config_loader *loader, enum watchdog_key key)
{
    const struct config *config = loader->config;
    unsigned count = config_count(config, &config->watchdog, key);

    for (unsigned i = 0; i < count; i++) {
        const struct setting *setting = config_setting(config, &config->watchdog, key, i);
        const char *name = config_setting_text(config, setting);
        unsigned probe = config_find_probe(config, name);
        if (probe == CONFIG_NO_PROBE || !config->probes[probe].enabled) {
            config_error_at(config, &config->watchdog, setting, loader->errors,
                            "'%s': no probe%s is named '%.*s'", config_watchdog_keys[key].name,
                            probe == CONFIG_NO_PROBE ? "" : " that is enabled",
                            config_shown(name, setting->length), name);
        } else if (key == WATCHDOG_ACTION_REFERENCE &&
                   2 * config->probes[probe].interval_us > number(config, WATCHDOG_ACTION_AFTER)) {
            config_error_at(
                config, &config->watchdog, setting, loader->errors,
                "'action_reference': '%.*s' runs less than twice in 'action_after', and "
                "would tell of another outage",
                config_shown(name, setting->length), name);
        }
    }
}

static void check_action(struct config_loader *loader)
{
    static const enum watchdog_key parts[] = {WATCHDOG_ACTION_REFERENCE, WATCHDOG_ACTION_AFTER,
                                              WATCHDOG_ACTION_COOLDOWN,  WATCHDOG_ACTION_BUDGET,
                                              WATCHDOG_ACTION_TIMEOUT,   WATCHDOG_ACTION_DRY_RUN};
    const struct config *config = loader->config;

    if (!config_stands(config, &config->watchdog, WATCHDOG_ACTION)) {
        for (unsigned i = 0; i < ARRAY_LEN(parts); i++) {
            if (own(config, parts[i]) != NULL) {
                complain(loader, parts[i], "needs 'action' beside it");
            }
        }
        return;
    }
    const char *action = config_text(config, &config->watchdog, WATCHDOG_ACTION, NULL);
    if (action != NULL && strlen(action) >= RECOVERY_ACTION_BYTES) {
        complain(loader, WATCHDOG_ACTION, "is too long: at most 511 bytes");
    } else if (action != NULL && action[0] != '/') {
        complain(loader, WATCHDOG_ACTION, "write an absolute path, and arguments after blanks");
    }
    if (!config_stands(config, &config->watchdog, WATCHDOG_ACTION_REFERENCE)) {
        complain(loader, WATCHDOG_ACTION,
                 "name at least one 'action_reference': without one, a receiver that is dead looks "
                 "like an uplink that is");
    }
    if (!config_stands(config, &config->push, PUSH_URL)) {
        complain(loader, WATCHDOG_ACTION,
                 "nothing is pushed ('url' in [push]), so nobody would know that nothing gets "
                 "through");
    } else if (!config_is_marked(config, &config->push, PUSH_INTERVAL) &&
               number(config, WATCHDOG_ACTION_AFTER) <
                   2 * config_number(config, &config->push, PUSH_INTERVAL)) {
        complain(loader, WATCHDOG_ACTION_AFTER,
                 "is less than two intervals of the push, which need not have failed in it");
    }
}

void config_check_watchdog(struct config_loader *loader)
{
    const struct config *config = loader->config;

    check_device(loader);
    for (unsigned i = 0; i < WATCHDOG_KEY_COUNT; i++) {
        if (config_is_marked(config, &config->watchdog, i)) {
            return;
        }
    }
    check_times(loader);
    check_window(loader);
    check_reboot(loader);
    check_rollback(loader);
    check_named(loader, WATCHDOG_CANARY);
    check_named(loader, WATCHDOG_ACTION_REFERENCE);
    check_action(loader);
}
