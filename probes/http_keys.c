#include "http_keys.h"

#include <string.h>

#include "http_rules.h"
#include "http_url.h"
#include "net.h"
#include "pattern.h"

const struct config_key http_keys[HTTP_KEY_COUNT] = {
    {.name = "url",
     .type = SETTING_TEXT,
     .flags = KEY_REPEATS | KEY_TARGET,
     .help = "address to ask; without a scheme it is http"},
    {.name = "method", .type = SETTING_TEXT, .help = "GET, or POST when there is a body"},
    {.name = "header",
     .type = SETTING_TEXT,
     .flags = KEY_REPEATS,
     .help = "`Name: value` sent with the request"},
    {.name = "body",
     .type = SETTING_TEXT,
     .flags = KEY_BINARY,
     .help = "body sent with the request"},
    {.name = "body_file", .type = SETTING_TEXT, .help = "file with the body, read at start"},
    {.name = "expect_status",
     .type = SETTING_TEXT,
     .fallback = "200-299",
     .help = "codes and ranges that are a success: 200-299, 401"},
    {.name = "expect_body",
     .type = SETTING_PATTERN,
     .flags = KEY_REPEATS,
     .help = "regular expression the body must match"},
    {.name = "reject_body",
     .type = SETTING_PATTERN,
     .flags = KEY_REPEATS,
     .help = "regular expression the body must not match"},
    {.name = "expect_header",
     .type = SETTING_RAW,
     .flags = KEY_REPEATS,
     .help = "`Name: /pattern/` one value of that header must match"},
    {.name = "reject_header",
     .type = SETTING_RAW,
     .flags = KEY_REPEATS,
     .help = "`Name: /pattern/` no value of that header may match"},
    {.name = "max_body",
     .type = SETTING_SIZE,
     .min = 1,
     .max = HTTP_MAX_BODY_LIMIT,
     .help = "a longer body fails; unset, 64K are read and judged"},
    {.name = "redirects",
     .type = SETTING_INTEGER,
     .max = 50,
     .fallback = "10",
     .help = "how many are followed; 0: expect_status judges the redirect itself"},
    {.name = "username", .type = SETTING_TEXT, .help = "for basic authentication"},
    {.name = "password_file", .type = SETTING_TEXT, .help = "file with the password of username"},
    {.name = "bearer_file", .type = SETTING_TEXT, .help = "file with a bearer token"},
    {.name = "proxy", .type = SETTING_TEXT, .help = "http://HOST:PORT or https://HOST:PORT"},
    {.name = "connect_to",
     .type = SETTING_TEXT,
     .help = "HOST:PORT to connect to, keeping the url's name in Host and SNI"},
    {.name = "host",
     .type = SETTING_TEXT,
     .help = "Host header and server name instead of the url's"},
    {.name = "require_tls",
     .type = SETTING_SWITCH,
     .fallback = "off",
     .help = "fail unless the answer came over https"},
    TRUST_KEYS,
};

/* One section under check. */
struct scope {
    const struct config *config;
    const struct config_section *section;
    struct config_errors *errors;
};

static const struct setting *setting_of(const struct scope *scope, unsigned key)
{
    return config_setting(scope->config, scope->section, key, 0);
}

static void refuse(const struct scope *scope, const struct setting *setting, const char *message)
{
    config_error_at(scope->config, scope->section, setting, scope->errors, "%s", message);
}

static void check_url(const struct scope *scope, const struct setting *setting)
{
    char url[HTTP_URL_BYTES], why[160] = "";
    struct http_origin origin;
    const char *text = config_setting_text(scope->config, setting);
    if (strlen(text) != setting->length) {
        refuse(scope, setting, "url: has a NUL character");
        return;
    }
    enum error error = http_url_read(text, url, &origin, why, sizeof(why));
    if (error == ERROR_DENIED && strchr(text, '@'))
        refuse(scope, setting, "url: no user name in it; use username and password_file");
    else if (error != ERROR_NONE)
        config_error_at(scope->config, scope->section, setting, scope->errors, "url: %s", why);
    else if (!origin.tls && config_number(scope->config, scope->section, HTTP_REQUIRE_TLS) &&
             config_number(scope->config, scope->section, HTTP_REDIRECTS) == 0)
        refuse(scope, setting,
               "url: require_tls can never hold for an http address that follows "
               "no redirect");
}

static void check_method(const struct scope *scope)
{
    const struct setting *setting = setting_of(scope, HTTP_METHOD);
    if (!setting)
        return;
    const char *text = config_setting_text(scope->config, setting);
    if (!http_is_token(text, setting->length) ||
        strcspn(text, "abcdefghijklmnopqrstuvwxyz") != setting->length)
        refuse(scope, setting, "method: a word in capitals is expected, like GET");
    else if (strcmp(text, "CONNECT") == 0)
        refuse(scope, setting, "method: CONNECT is for proxies; use proxy");
    if (strcmp(text, "HEAD") != 0)
        return;
    static const unsigned bodies[] = {HTTP_BODY, HTTP_BODY_FILE, HTTP_EXPECT_BODY,
                                      HTTP_REJECT_BODY};
    for (unsigned i = 0; i < ARRAY_LEN(bodies); i++) {
        const struct setting *other = setting_of(scope, bodies[i]);
        if (other)
            refuse(scope, other, "a HEAD request has no body, neither sent nor received");
    }
}

/* What may not be written as a header: what the library counts itself, and secrets in place. */
static const struct {
    const char *name, *instead;
} own_headers[] = {
    {"host", "header: use host for the Host header"},
    {"content-length", "header: Content-Length follows from the body"},
    {"transfer-encoding", "header: Transfer-Encoding follows from the body"},
    {"connection", "header: Connection is not a probe's to choose"},
    {"authorization", "header: a secret is never written in place; use username and password_file, "
                      "or bearer_file"},
    {"proxy-authorization", "header: a secret is never written in place"},
};

static void check_header(const struct scope *scope, const struct setting *setting)
{
    struct http_header header;
    const char *text = config_setting_text(scope->config, setting);
    if (http_header_read(text, setting->length, &header) != ERROR_NONE) {
        refuse(scope, setting, "header: `Name: value` is expected");
        return;
    }
    for (unsigned i = 0; i < ARRAY_LEN(own_headers); i++)
        if (strlen(own_headers[i].name) == header.name_length &&
            strncasecmp(own_headers[i].name, header.name, header.name_length) == 0)
            refuse(scope, setting, own_headers[i].instead);
}

static void check_pattern(const struct scope *scope, const struct setting *setting,
                          const char *text, size_t length, unsigned flags)
{
    char why[160] = "";
    struct pattern *pattern = pattern_new(text, length, flags, why, sizeof(why));
    if (!pattern)
        config_error_at(scope->config, scope->section, setting, scope->errors, "%s", why);
    pattern_free(pattern);
}

static void check_body_rule(const struct scope *scope, const struct setting *setting)
{
    check_pattern(scope, setting, config_setting_text(scope->config, setting), setting->length,
                  (unsigned)setting->number);
}

static void check_header_rule(const struct scope *scope, const struct setting *setting)
{
    struct http_header_rule rule;
    const char *text = config_setting_text(scope->config, setting);
    if (http_header_rule_read(text, setting->length, &rule) != ERROR_NONE)
        refuse(scope, setting, "`Name: /pattern/` is expected, like Content-Type: /json/");
    else
        check_pattern(scope, setting, rule.pattern, rule.pattern_length, rule.flags);
}

static void check_status(const struct scope *scope)
{
    const struct setting *setting = setting_of(scope, HTTP_EXPECT_STATUS);
    struct http_status_set set;
    if (setting && http_status_read(config_setting_text(scope->config, setting), setting->length,
                                    &set) != ERROR_NONE)
        refuse(scope, setting,
               "expect_status: codes and ranges from 100 to 999 are expected, like 200-299, 401");
}

static void check_credentials(const struct scope *scope)
{
    const struct setting *username = setting_of(scope, HTTP_USERNAME);
    const struct setting *password = setting_of(scope, HTTP_PASSWORD_FILE);
    const struct setting *bearer = setting_of(scope, HTTP_BEARER_FILE);
    if (username && !password)
        refuse(scope, username, "username: needs password_file");
    if (password && !username)
        refuse(scope, password, "password_file: needs username");
    if (bearer && username)
        refuse(scope, bearer, "bearer_file: not together with username");
    if (username && strchr(config_setting_text(scope->config, username), ':'))
        refuse(scope, username, "username: basic authentication has no colon in it");
}

static void check_path(const struct scope *scope)
{
    char url[HTTP_URL_BYTES], why[160];
    struct http_origin origin;
    struct endpoint endpoint;
    const struct setting *proxy = setting_of(scope, HTTP_PROXY);
    const struct setting *connect_to = setting_of(scope, HTTP_CONNECT_TO);
    const struct setting *host = setting_of(scope, HTTP_HOST);
    const char *source = config_text(scope->config, scope->section, PROBE_SOURCE, NULL);
    if (proxy) {
        const char *text = config_setting_text(scope->config, proxy);
        if (!strstr(text, "://") ||
            http_url_read(text, url, &origin, why, sizeof(why)) != ERROR_NONE)
            refuse(scope, proxy,
                   "proxy: http://HOST:PORT or https://HOST:PORT is expected, "
                   "without a user name");
    }
    if (connect_to && net_parse_host_port(config_setting_text(scope->config, connect_to), 0,
                                          &endpoint) != ERROR_NONE)
        refuse(scope, connect_to, "connect_to: HOST:PORT is expected");
    if (proxy && connect_to)
        refuse(scope, connect_to, "connect_to: not together with proxy");
    if (host &&
        net_parse_host_port(config_setting_text(scope->config, host), 80, &endpoint) != ERROR_NONE)
        refuse(scope, host, "host: a name is expected, with a port at most");
    if (source && !net_source_valid(source))
        refuse(scope, setting_of(scope, PROBE_SOURCE),
               "source: an address or the name of an interface is expected");
}

void http_check(const struct config *config, const struct config_section *section,
                struct config_errors *errors)
{
    const struct scope scope = {config, section, errors};
    static const struct {
        unsigned key;
        void (*check)(const struct scope *scope, const struct setting *setting);
    } repeated[] = {
        {HTTP_URL, check_url},
        {HTTP_HEADER, check_header},
        {HTTP_EXPECT_BODY, check_body_rule},
        {HTTP_REJECT_BODY, check_body_rule},
        {HTTP_EXPECT_HEADER, check_header_rule},
        {HTTP_REJECT_HEADER, check_header_rule},
    };
    for (unsigned i = 0; i < ARRAY_LEN(repeated); i++) {
        unsigned count = config_count(config, section, repeated[i].key);
        for (unsigned nth = 0; nth < count; nth++)
            repeated[i].check(&scope, config_setting(config, section, repeated[i].key, nth));
    }
    if (setting_of(&scope, HTTP_BODY) && setting_of(&scope, HTTP_BODY_FILE))
        refuse(&scope, setting_of(&scope, HTTP_BODY_FILE), "body_file: not together with body");
    check_method(&scope);
    check_status(&scope);
    check_credentials(&scope);
    check_path(&scope);
    trust_check(config, section, HTTP_TRUST, errors);
}
