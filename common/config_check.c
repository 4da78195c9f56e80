/* The cross checks of [agent], [push] and [status], and the order in which all checks run. */
#include <stdio.h>
#include <string.h>

#include "config_parts.h"
#include "value.h"

enum { SITE_BYTES = 128, USER_BYTES = 32, PORT_MAX = 65535 };

/* -- agent -- */

/* The site becomes a part of the push's path. A Pushgateway that gets an empty one, "." or "..", or
 * a slash in it, files the group elsewhere or refuses every later push of every site. */
static const char *wrong_site(const char *site, size_t length)
{
    if (length > SITE_BYTES) {
        return "a site has at most 128 bytes";
    }
    if (strcmp(site, ".") == 0 || strcmp(site, "..") == 0 || strchr(site, '/') != NULL) {
        return "a site is not '.' or '..' and has no '/', since it becomes part of the push's path";
    }
    return NULL;
}

static const char *wrong_socket(const char *path, size_t length)
{
    (void)length;
    return strcmp(path, "none") == 0 || path[0] == '/' ? NULL : "write an absolute path, or none";
}

/* As it could stand in /etc/passwd (passwd(5)). */
static const char *wrong_user(const char *user, size_t length)
{
    return length <= USER_BYTES && strpbrk(user, ":/ ") == NULL
               ? NULL
               : "a user is at most 32 bytes, without colon, slash or blank";
}

/* -- push -- */

static bool is_port(const char *text, size_t length)
{
    int64_t port;

    return value_integer(text, length, &port) == ERROR_NONE && port >= 1 && port <= PORT_MAX;
}

/* "[V6]" or a name or IPv4 address, before an optional ":PORT". */
static bool is_authority(const char *text, size_t length)
{
    static const char v6[] = "0123456789abcdefABCDEF:.";
    static const char name[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
    bool bracket = text[0] == '[';
    size_t host = bracket ? 1 + strspn(text + 1, v6) : strspn(text, name);

    if (bracket) {
        if (host < 3 || text[host] != ']') {
            return false;
        }
        host++;
    }
    return host > 0 && (host == length || (host < length && text[host] == ':' &&
                                           is_port(text + host + 1, length - host - 1)));
}

static const char *wrong_push_url(const char *url, size_t length)
{
    size_t scheme = strncmp(url, "https://", 8) == 0 ? 8 : strncmp(url, "http://", 7) == 0 ? 7 : 0;
    const char *authority = url + scheme;
    size_t authority_length = strcspn(authority, "/?#");

    (void)length;
    if (scheme == 0) {
        return "a push goes to http://HOST or https://HOST";
    }
    if (memchr(authority, '@', authority_length) != NULL) {
        return "take the user out of the URL and use username and password_file = PATH";
    }
    if (!is_authority(authority, authority_length)) {
        return "after the scheme, a host and maybe a port: https://HOST:PORT";
    }
    if (strpbrk(url, "?#") != NULL) {
        return "a push URL has no query and no fragment";
    }
    if (strchr(url, ' ') != NULL) {
        return "a URL has no blanks";
    }
    return NULL;
}

struct text_rule {
    unsigned key;
    const char *(*wrong)(const char *text, size_t length);
};

static void check_texts(struct config_loader *loader, const struct config_section *section,
                        const struct text_rule *rules, unsigned count)
{
    const struct config *config = loader->config;

    for (unsigned i = 0; i < count; i++) {
        const struct setting *setting = config_setting(config, section, rules[i].key, 0);
        const char *wrong =
            setting == NULL ? NULL
                            : rules[i].wrong(config_setting_text(config, setting), setting->length);

        if (wrong != NULL) {
            config_error_at(config, section, setting, loader->errors, "'%s': %s",
                            config_key(section, config, rules[i].key)->name, wrong);
        }
    }
}

/* `key` makes sense only together with `other`. */
static void check_together(struct config_loader *loader, enum push_key key, enum push_key other)
{
    const struct config *config = loader->config;
    const struct setting *setting = config_setting(config, &config->push, key, 0);

    if (setting != NULL && !config_stands(config, &config->push, other)) {
        config_error_at(config, &config->push, setting, loader->errors, "'%s' needs '%s' beside it",
                        config_push_keys[key].name, config_push_keys[other].name);
    }
}

static void check_apart(struct config_loader *loader, enum push_key key, enum push_key other)
{
    const struct config *config = loader->config;
    const struct setting *setting = config_setting(config, &config->push, key, 0);

    if (setting != NULL && config_stands(config, &config->push, other)) {
        config_error_at(config, &config->push, setting, loader->errors,
                        "'%s' and '%s' exclude each other", config_push_keys[key].name,
                        config_push_keys[other].name);
    }
}

static void check_agent(struct config_loader *loader)
{
    static const struct text_rule rules[] = {
        {AGENT_SITE, wrong_site}, {AGENT_SOCKET, wrong_socket}, {AGENT_USER, wrong_user}};
    struct config *config = loader->config;

    check_texts(loader, &config->agent, rules, ARRAY_LEN(rules));
    config_read_labels(loader, &config->agent, config->labels, &config->label_count);
}

static void check_push(struct config_loader *loader)
{
    static const struct text_rule rules[] = {{PUSH_URL, wrong_push_url}};
    const struct config *config = loader->config;
    const struct setting *url = config_setting(config, &config->push, PUSH_URL, 0);

    check_texts(loader, &config->push, rules, ARRAY_LEN(rules));
    if (url != NULL && !config_stands(config, &config->agent, AGENT_SITE)) {
        config_error_at(config, &config->push, url, loader->errors,
                        "a push needs to say whose it is: set 'site' in [agent]");
    }
    check_together(loader, PUSH_USERNAME, PUSH_PASSWORD_FILE);
    check_together(loader, PUSH_PASSWORD_FILE, PUSH_USERNAME);
    check_apart(loader, PUSH_BEARER_FILE, PUSH_USERNAME);
    check_together(loader, PUSH_CERT_FILE, PUSH_KEY_FILE);
    check_together(loader, PUSH_KEY_FILE, PUSH_CERT_FILE);
}

/* -- status -- */

/* Four numbers; how an IPv6 address is put together is for the machine to say (page_server.h). */
static bool is_address_v4(const char *text, size_t length)
{
    unsigned numbers = 0;
    size_t digits;
    int64_t number;

    for (size_t at = 0; at <= length; at += digits + 1, numbers++) {
        digits = strspn(text + at, "0123456789");
        if (value_integer(text + at, digits, &number) != ERROR_NONE || number > UINT8_MAX ||
            (at + digits < length && text[at + digits] != '.')) {
            return false;
        }
    }
    return numbers == 4;
}

static const char *wrong_listen(const char *listen, size_t length)
{
    bool v6 = listen[0] == '[';
    size_t host = v6 ? strcspn(listen, "]") + 1 : strcspn(listen, ":");

    return is_authority(listen, length) && listen[host] == ':' &&
                   (v6 || is_address_v4(listen, host))
               ? NULL
               : "write ADDRESS:PORT with an address in numbers, as 127.0.0.1:9116 or [::1]:9116";
}

static void check_status(struct config_loader *loader)
{
    static const struct text_rule rules[] = {{STATUS_LISTEN, wrong_listen}};

    check_texts(loader, &loader->config->status, rules, ARRAY_LEN(rules));
}

bool config_finish(struct config_loader *loader)
{
    struct config *config = loader->config;
    struct config_defaults defaults = {.label_count = 0};

    /* What was not read would only be called missing. */
    if ((loader->limits_reported & (LIMIT_SETTINGS | LIMIT_TEXT | LIMIT_FILES)) != 0) {
        return false;
    }
    check_agent(loader);
    check_push(loader);
    check_status(loader);
    config_resolve_defaults(loader, &defaults);
    for (unsigned i = 0; i < config->probe_count; i++) {
        config_resolve_probe(loader, &defaults, i);
    }
    if ((loader->limits_reported & LIMIT_PROBES) == 0) {
        config_resolve_depends(loader);
        config_resolve_maintenance(loader);
        config_resolve_groups(loader, &defaults);
    }
    config_check_store(loader);
    config_check_watchdog(loader);
    return loader->errors->count == 0;
}
