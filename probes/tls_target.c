#include "tls_target.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mbedtls/base64.h>

#include "net.h"

const struct config_key tls_keys[TLS_KEY_COUNT] = {
    {.name = "address",
     .type = SETTING_TEXT,
     .flags = KEY_REPEATS | KEY_TARGET,
     .help = "HOST[:PORT] to fetch the certificate from; the port is 443 or the one of starttls"},
    {.name = "file",
     .type = SETTING_TEXT,
     .flags = KEY_REPEATS | KEY_TARGET,
     .help = "local PEM or DER certificate to watch instead; checked against CAs only if ca_file "
             "is set"},
    {.name = "starttls",
     .type = SETTING_CHOICE,
     .fallback = "none",
     .choices = starttls_names,
     .help = "protocol spoken before TLS"},
    {.name = "min_days",
     .type = SETTING_INTEGER,
     .min = 0,
     .max = 36500,
     .help = "fail when the certificate or its chain expires in fewer days"},
    {.name = "pin_sha256",
     .type = SETTING_TEXT,
     .flags = KEY_REPEATS,
     .help = "base64 of the public key's SHA-256; one of several must match"},
    TRUST_KEYS,
};

/* curl writes a pin with a prefix, so a pin copied from a curl command works. */
static bool decode_pin(const char *text, size_t length, uint8_t sha256[32])
{
    static const char prefix[] = "sha256//";
    uint8_t bytes[33];
    size_t used = 0;
    if (length > sizeof(prefix) - 1 && memcmp(text, prefix, sizeof(prefix) - 1) == 0) {
        text += sizeof(prefix) - 1;
        length -= sizeof(prefix) - 1;
    }
    if (mbedtls_base64_decode(bytes, sizeof(bytes), &used, (const unsigned char *)text, length) !=
            0 ||
        used != 32) {
        return false;
    }
    memcpy(sha256, bytes, 32);
    return true;
}

static void check_pins(const struct config *config, const struct config_section *section,
                       struct config_errors *errors)
{
    const struct setting *pin;
    uint8_t sha256[32];
    for (unsigned i = 0; (pin = config_setting(config, section, TLS_PIN_SHA256, i)) != NULL; i++) {
        if (i == TLS_PINS_MAX) {
            config_error_at(config, section, pin, errors, "more than %d pin_sha256",
                            (int)TLS_PINS_MAX);
            return;
        }
        if (!decode_pin(config_setting_text(config, pin), pin->length, sha256)) {
            config_error_at(config, section, pin, errors,
                            "pin_sha256 is not the base64 of 32 bytes (44 characters)");
        }
    }
}

static enum starttls_protocol starttls_of(const struct config *config,
                                          const struct config_section *section)
{
    return (enum starttls_protocol)config_number(config, section, TLS_STARTTLS);
}

void tls_target_check(const struct config *config, const struct config_section *section,
                      struct config_errors *errors)
{
    const struct setting *setting;
    struct endpoint endpoint;
    uint16_t port = starttls_port(starttls_of(config, section));
    for (unsigned i = 0; (setting = config_setting(config, section, TLS_ADDRESS, i)) != NULL; i++) {
        const char *text = config_setting_text(config, setting);
        if (strlen(text) != setting->length ||
            net_parse_host_port(text, port, &endpoint) != ERROR_NONE) {
            config_error_at(config, section, setting, errors,
                            "address is not HOST, HOST:PORT or [IPV6]:PORT");
        }
    }
    for (unsigned i = 0; (setting = config_setting(config, section, TLS_FILE, i)) != NULL; i++) {
        const char *text = config_setting_text(config, setting);
        if (setting->length == 0 || strlen(text) != setting->length) {
            config_error_at(config, section, setting, errors, "file is not a path");
        }
    }
    setting = config_setting(config, section, TLS_STARTTLS, 0);
    if (setting != NULL && config_count(config, section, TLS_ADDRESS) == 0) {
        config_error_at(config, section, setting, errors, "starttls needs an address");
    }
    check_pins(config, section, errors);
    trust_check(config, section, TLS_TRUST, errors);
}

static void read_rules(struct tls_target *target, const struct config *config,
                       const struct config_section *section)
{
    const struct setting *pin;
    target->min_days = config_setting(config, section, TLS_MIN_DAYS, 0) != NULL
                           ? config_number(config, section, TLS_MIN_DAYS)
                           : TLS_DAYS_UNSET;
    while (target->pin_count < TLS_PINS_MAX &&
           (pin = config_setting(config, section, TLS_PIN_SHA256, target->pin_count)) != NULL &&
           decode_pin(config_setting_text(config, pin), pin->length,
                      target->pins[target->pin_count])) {
        target->pin_count++;
    }
}

/* A file is held against CAs when the operator names them: the certificate of a service behind the
 * agent is often of a private CA, and then it is its dates that are watched. */
static enum error open_file(struct tls_target *target, const struct config *config,
                            const struct config_section *section, char *why, size_t why_size)
{
    target->judge_trust = config_text(config, section, TLS_TRUST + TRUST_CA_FILE, NULL) != NULL;
    if (target->judge_trust) {
        return trust_open(&target->trust, config, section, TLS_TRUST, why, why_size);
    }
    target->trust.verify = config_number(config, section, TLS_TRUST + TRUST_VERIFY) != 0;
    return ERROR_NONE;
}

enum error tls_target_new(const struct config *config, const struct config_probe *probe,
                          unsigned index, struct tls_target **out, struct endpoint *endpoint,
                          char *why, size_t why_size)
{
    const struct config_section *section = &probe->section;
    struct tls_target *target = calloc(1, sizeof(*target));
    enum error error = ERROR_NONE;
    if (target == NULL) {
        snprintf(why, why_size, "out of memory");
        return ERROR_EXHAUSTED;
    }
    read_rules(target, config, section);
    *endpoint = (struct endpoint){0};
    if (config->targets[index].key == TLS_FILE) {
        target->path = config_instance(config, index);
        error = open_file(target, config, section, why, why_size);
    } else {
        target->starttls = starttls_of(config, section);
        target->source = config_text(config, section, PROBE_SOURCE, NULL);
        error = net_parse_host_port(config_instance(config, index), starttls_port(target->starttls),
                                    endpoint);
        if (error != ERROR_NONE) {
            snprintf(why, why_size, "address %s is not HOST[:PORT]",
                     config_instance(config, index));
        } else {
            error = trust_open(&target->trust, config, section, TLS_TRUST, why, why_size);
        }
    }
    if (error != ERROR_NONE) {
        free(target);
        return error;
    }
    *out = target;
    return ERROR_NONE;
}

void tls_target_free(struct tls_target *target)
{
    if (target != NULL) {
        trust_close(&target->trust);
        free(target);
    }
}
