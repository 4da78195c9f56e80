#include "tcp_target.h"

#include <stdio.h>
#include <stdlib.h>

#include "net.h"

enum { WHY_BYTES = 256 };

const struct config_key tcp_keys[TCP_KEY_COUNT] = {
    {.name = "address",
     .type = SETTING_TEXT,
     .flags = KEY_REPEATS | KEY_TARGET,
     .help = "HOST:PORT to connect to"},
    {.name = "tls", .type = SETTING_SWITCH, .fallback = "off", .help = "TLS from the start"},
    {.name = "step",
     .type = SETTING_RAW,
     .flags = KEY_REPEATS,
     .help = "send \"…\", expect /…/, expect_bytes \"…\", reject /…/ or starttls"},
    TRUST_KEYS,
};

/* Reads all steps; errors are reported when `errors` is there. False: there was one. */
static bool read_script(const struct config *config, const struct config_section *section,
                        struct dialog_script *script, struct config_errors *errors, char *why,
                        size_t why_size)
{
    const struct setting *setting;
    for (unsigned i = 0; (setting = config_setting(config, section, TCP_STEP, i)) != NULL; i++) {
        if (dialog_script_add(script, config_setting_text(config, setting), setting->length, why,
                              why_size) != ERROR_NONE) {
            if (errors == NULL) {
                return false;
            }
            config_error_at(config, section, setting, errors, "step: %s", why);
        }
    }
    unsigned count = config_count(config, section, TCP_STEP);
    unsigned wrong;
    const char *fault = script->count == count ? dialog_script_fault(script, &wrong) : NULL;
    if (fault != NULL && errors != NULL) {
        config_error_at(config, section, config_setting(config, section, TCP_STEP, wrong), errors,
                        "step: %s", fault);
    } else if (fault != NULL) {
        snprintf(why, why_size, "%s", fault);
    }
    return fault == NULL && script->count == count;
}

static void check_addresses(const struct config *config, const struct config_section *section,
                            struct config_errors *errors)
{
    const struct setting *setting;
    struct endpoint endpoint;
    for (unsigned i = 0; (setting = config_setting(config, section, TCP_ADDRESS, i)) != NULL; i++) {
        if (net_parse_host_port(config_setting_text(config, setting), 0, &endpoint) != ERROR_NONE) {
            config_error_at(config, section, setting, errors,
                            "address is HOST:PORT, an IPv6 address in brackets: [2001:db8::1]:25");
        }
    }
}

static void check_tls(const struct config *config, const struct config_section *section,
                      const struct dialog_script *script, struct config_errors *errors)
{
    bool tls = config_number(config, section, TCP_TLS) != 0;
    bool starttls = dialog_script_has(script, DIALOG_STARTTLS);
    if (tls && starttls) {
        config_error_at(config, section, config_setting(config, section, TCP_TLS, 0), errors,
                        "tls = on has TLS from the start, so no starttls step can follow");
    }
    for (unsigned i = 0; i < TRUST_KEY_COUNT; i++) {
        const struct setting *setting = config_setting(config, section, TCP_TRUST + i, 0);
        if (setting != NULL && !tls && !starttls) {
            config_error_at(config, section, setting, errors,
                            "%s is of no use without tls = on or a starttls step",
                            tcp_keys[TCP_TRUST + i - KIND_KEY_FIRST].name);
        }
    }
    trust_check(config, section, TCP_TRUST, errors);
}

void tcp_target_check(const struct config *config, const struct config_section *section,
                      struct config_errors *errors)
{
    char why[WHY_BYTES];
    struct dialog_script *script = calloc(1, sizeof *script);
    if (script == NULL) {
        config_error_at(config, section, NULL, errors, "out of memory");
        return;
    }
    check_addresses(config, section, errors);
    bool whole = read_script(config, section, script, errors, why, sizeof why);
    if (whole) {
        check_tls(config, section, script, errors);
    }
    dialog_script_free(script);
    free(script);
    const char *source = config_text(config, section, PROBE_SOURCE, NULL);
    if (source != NULL && !net_source_valid(source)) {
        config_error_at(config, section, config_setting(config, section, PROBE_SOURCE, 0), errors,
                        "source is an address or the name of an interface");
    }
}

void tcp_target_free(struct tcp_target *target)
{
    dialog_script_free(&target->script);
    if (target->trusted) {
        trust_close(&target->trust);
    }
    free(target);
}

/* Everything but the address. */
static enum error read_target(struct tcp_target *target, const struct config *config,
                              const struct config_section *section, char *why, size_t why_size)
{
    target->tls = config_number(config, section, TCP_TLS) != 0;
    target->source = config_text(config, section, PROBE_SOURCE, NULL);
    if (!read_script(config, section, &target->script, NULL, why, why_size)) {
        return ERROR_INVALID;
    }
    if (!target->tls && !dialog_script_has(&target->script, DIALOG_STARTTLS)) {
        return ERROR_NONE;
    }
    enum error error = trust_open(&target->trust, config, section, TCP_TRUST, why, why_size);
    target->trusted = error == ERROR_NONE;
    return error;
}

enum error tcp_target_new(const struct config *config, const struct config_probe *probe,
                          unsigned target, struct tcp_target **out, struct endpoint *endpoint,
                          char *why, size_t why_size)
{
    enum error error = net_parse_host_port(config_instance(config, target), 0, endpoint);
    if (error != ERROR_NONE) {
        snprintf(why, why_size, "address is not HOST:PORT");
        return error;
    }
    struct tcp_target *opened = calloc(1, sizeof *opened);
    if (opened == NULL) {
        snprintf(why, why_size, "out of memory");
        return ERROR_EXHAUSTED;
    }
    error = read_target(opened, config, &probe->section, why, why_size);
    if (error != ERROR_NONE) {
        tcp_target_free(opened);
        return error;
    }
    *out = opened;
    return ERROR_NONE;
}
