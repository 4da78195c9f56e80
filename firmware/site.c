#include "site.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "config_file.h"
#include "linux_clock.h"
#include "page_server.h"
#include "push_transport.h"
#include "recovery.h"
#include "registry.h"
#include "runner.h"
#include "sandbox_user.h"
#include "site_image.h"
#include "watchdog_sysfs.h"

static void print_error(void *context, const char *file, unsigned line, const char *message)
{
    (void)context;
    if (line > 0) {
        fprintf(stderr, "%s:%u: %s\n", file, line, message);
    } else {
        fprintf(stderr, "%s: %s\n", file, message);
    }
}

struct config_errors site_errors(void)
{
    return (struct config_errors){.report = print_error};
}

const char *site_default(void)
{
    return site_image_bytes > 0 ? SITE_IMAGE : NULL;
}

/* Into texts of its own where the caller wants none: the image is read-only. */
static bool read_image(struct config *config, struct config_errors *errors,
                       struct config_texts *texts)
{
    static struct config_texts own;
    struct config_texts *image = texts ? texts : &own;
    image->used = 0;
    if (site_image_bytes <= sizeof image->bytes) {
        memcpy(image->bytes, site_image_texts, site_image_bytes);
        image->used = site_image_bytes;
    }
    if (!config_texts_whole(image)) {
        config_error(errors, SITE_IMAGE, 0, "the program is damaged");
        return false;
    }
    return site_read_texts(image, config, errors);
}

bool site_read(const char *path, struct config *config, struct config_errors *errors,
               struct config_texts *texts)
{
    if (site_image_bytes > 0 && strcmp(path, SITE_IMAGE) == 0) {
        return read_image(config, errors, texts);
    }
    unsigned kind_count;
    const struct probe_kind *const *kinds = registry_kinds(&kind_count);
    enum error error = config_file_load(path, config, kinds, kind_count, errors, texts);
    return error == ERROR_NONE && errors->count == 0;
}

bool site_read_texts(const struct config_texts *texts, struct config *config,
                     struct config_errors *errors)
{
    unsigned kind_count;
    const struct probe_kind *const *kinds = registry_kinds(&kind_count);
    return config_texts_load(texts, config, kinds, kind_count, errors) && errors->count == 0;
}

void site_count_errors(const char *path, const struct config_errors *errors)
{
    if (errors->count > 0) {
        fprintf(stderr, "%s: %u error%s\n", path, errors->count, errors->count == 1 ? "" : "s");
    }
}

bool site_load(const char *path, struct config *config)
{
    struct config_errors errors = site_errors();
    bool good = site_read(path, config, &errors, NULL);
    site_count_errors(path, &errors);
    return good;
}

static bool user_exists(const struct config *config, struct config_errors *errors)
{
    const struct setting *setting = config_setting(config, &config->agent, AGENT_USER, 0);
    struct sandbox_user user;
    if (!setting || sandbox_user_find(config_setting_text(config, setting), &user) == ERROR_NONE) {
        return true;
    }
    config_error_at(config, &config->agent, setting, errors, "'user': no %s in /etc/passwd",
                    config_setting_text(config, setting));
    return false;
}

/* What the driver grants is only known once the watchdog runs; what it never grants, before. */
static bool watchdog_fits(const struct config *config, struct config_errors *errors)
{
    const struct config_section *section = &config->watchdog;
    struct recovery_settings settings;
    char folder[WATCHDOG_FOLDER_BYTES];
    uint32_t least_s = 0, most_s = 0;
    recovery_settings_of(config, &settings);
    usec_t asked_s = settings.timeout_us / USEC_PER_SEC;
    if (settings.owner != WATCHDOG_OWNER_DEVICE) {
        return true;
    }
    if (access(settings.device, F_OK) != 0) {
        config_error_at(config, section, config_setting(config, section, WATCHDOG_DEVICE, 0),
                        errors, "'device': there is no %s on this machine", settings.device);
        return false;
    }
    if (!watchdog_sysfs_of(WATCHDOG_SYSFS_ROOT, settings.device, folder)) {
        return true;
    }
    (void)watchdog_sysfs_number(folder, "min_timeout", &least_s);
    (void)watchdog_sysfs_number(folder, "max_timeout", &most_s);
    if (asked_s >= least_s && (most_s == 0 || asked_s <= most_s)) {
        return true;
    }
    config_error_at(config, section, config_setting(config, section, WATCHDOG_TIMEOUT, 0), errors,
                    "'timeout': %s grants %" PRIu32 "s to %" PRIu32 "s", settings.device, least_s,
                    most_s);
    return false;
}

static bool action_runs(const struct config *config, struct config_errors *errors)
{
    const struct config_section *section = &config->watchdog;
    const char *action = config_text(config, section, WATCHDOG_ACTION, NULL);
    char program[256];
    if (!action) {
        return true;
    }
    (void)snprintf(program, sizeof program, "%.*s", (int)strcspn(action, " \t"), action);
    if (access(program, X_OK) == 0) {
        return true;
    }
    config_error_at(config, section, config_setting(config, section, WATCHDOG_ACTION, 0), errors,
                    "'action': %s is no program that can be run here", program);
    return false;
}

bool site_opens(const struct config *config, struct config_errors *errors)
{
    static const enum clock_trust trust = CLOCK_TRUST_PLAUSIBLE;
    struct clock clock = linux_clock(&trust);
    static const struct resolver no_resolver;
    unsigned count;
    const struct probe_ops *const *ops = registry_ops(&count);
    bool good = user_exists(config, errors);
    good = watchdog_fits(config, errors) && good;
    good = action_runs(config, errors) && good;
    good = page_server_check(config, errors) && good;
    struct runner *runner = runner_new(config, ops, count, &clock, &no_resolver, 1, errors);
    good = runner != NULL && good;
    runner_free(runner);
    if (config_text(config, &config->push, PUSH_URL, NULL)) {
        struct push_transport *transport =
            push_transport_new(config, &clock, &no_resolver, 0, errors);
        good = transport != NULL && good;
        push_transport_free(transport);
    }
    return good;
}

static void log_error(void *context, const char *file, unsigned line, const char *message)
{
    if (line > 0) {
        logger_printf(context, LOG_LEVEL_ERROR, "%s:%u: %s", file, line, message);
    } else {
        logger_printf(context, LOG_LEVEL_ERROR, "%s: %s", file, message);
    }
}

struct config_errors site_logged_errors(const struct logger *logger)
{
    return (struct config_errors){.context = (void *)(uintptr_t)logger, .report = log_error};
}

bool site_log_check(const char *path, struct config *config, const struct logger *logger)
{
    struct config_errors errors = site_logged_errors(logger);
    bool good = site_read(path, config, &errors, NULL) && site_opens(config, &errors);
    if (errors.count > 0) {
        logger_printf(logger, LOG_LEVEL_ERROR, "%s: %u error%s", path, errors.count,
                      errors.count == 1 ? "" : "s");
    }
    return good;
}
