/* The part of trust.h that reads configuration only: what is wrong with the TLS keys of a section.
 */
#include <string.h>

#include "trust.h"

enum { SERVER_NAME_MAX = 255 };

static void check_path(const struct config *config, const struct config_section *section,
                       unsigned key, struct config_errors *errors)
{
    const struct setting *setting = config_setting(config, section, key, 0);
    if (setting == NULL) {
        return;
    }
    const char *path = config_setting_text(config, setting);
    if (setting->length == 0 || strlen(path) != setting->length) {
        config_error_at(config, section, setting, errors, "%s is not a path",
                        config_key(section, config, key)->name);
    }
}

static void check_server_name(const struct config *config, const struct config_section *section,
                              unsigned key, struct config_errors *errors)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "0123456789.-_:";
    const struct setting *setting = config_setting(config, section, key, 0);
    if (setting == NULL) {
        return;
    }
    const char *name = config_setting_text(config, setting);
    if (setting->length == 0 || setting->length > SERVER_NAME_MAX ||
        strspn(name, allowed) != setting->length) {
        config_error_at(config, section, setting, errors,
                        "server_name is no host name (letters, digits, . - _, at most %d bytes)",
                        (int)SERVER_NAME_MAX);
    }
}

void trust_check(const struct config *config, const struct config_section *section,
                 unsigned first_key, struct config_errors *errors)
{
    const struct setting *cert = config_setting(config, section, first_key + TRUST_CERT_FILE, 0);
    const struct setting *key = config_setting(config, section, first_key + TRUST_KEY_FILE, 0);
    if ((cert == NULL) != (key == NULL)) {
        config_error_at(config, section, cert != NULL ? cert : key, errors,
                        "cert_file and key_file belong together: %s is missing",
                        cert != NULL ? "key_file" : "cert_file");
    }
    check_path(config, section, first_key + TRUST_CA_FILE, errors);
    check_path(config, section, first_key + TRUST_CERT_FILE, errors);
    check_path(config, section, first_key + TRUST_KEY_FILE, errors);
    check_server_name(config, section, first_key + TRUST_SERVER_NAME, errors);
}
