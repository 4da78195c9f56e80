#include "http_target.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "http_headers.h"
#include "http_keys.h"
#include "net.h"
#include "secret_file.h"

/* One section on its way into a target. */
struct opening {
    const struct config *config;
    const struct config_section *section;
    struct http_target *target;
    char *why;
    size_t why_size;
};

static const char *text_of(const struct opening *opening, unsigned key)
{
    return config_text(opening->config, opening->section, key, NULL);
}

static int64_t number_of(const struct opening *opening, unsigned key)
{
    return config_number(opening->config, opening->section, key);
}

static enum error refuse(const struct opening *opening, enum error error, const char *what,
                         const char *cause)
{
    snprintf(opening->why, opening->why_size, "%s: %s", what, cause);
    return error;
}

static enum error read_body_file(const struct opening *opening, const char *path)
{
    struct http_target *target = opening->target;
    struct stat status;
    if (stat(path, &status) != 0)
        return refuse(opening, ERROR_MISSING, path, strerror(errno));
    if (!S_ISREG(status.st_mode))
        return refuse(opening, ERROR_DENIED, path, "not a regular file");
    if (status.st_size > HTTP_MAX_BODY_LIMIT)
        return refuse(opening, ERROR_FULL, path, "a request's body is at most 1 MiB");
    FILE *file = fopen(path, "rbe");
    if (!file)
        return refuse(opening, ERROR_MISSING, path, strerror(errno));
    size_t size = (size_t)status.st_size;
    target->body_file = malloc(size + 1);
    if (target->body_file)
        target->body_size = fread(target->body_file, 1, size, file);
    bool failed = ferror(file) != 0;
    fclose(file);
    if (!target->body_file)
        return refuse(opening, ERROR_EXHAUSTED, path, "no memory for it");
    if (failed)
        return refuse(opening, ERROR_IO, path, "cannot be read");
    target->body = target->body_file;
    return ERROR_NONE;
}

static enum error open_request(const struct opening *opening)
{
    struct http_target *target = opening->target;
    const char *path = text_of(opening, HTTP_BODY_FILE);
    const struct setting *body = config_setting(opening->config, opening->section, HTTP_BODY, 0);
    if (path) {
        enum error error = read_body_file(opening, path);
        if (error != ERROR_NONE)
            return error;
    } else if (body) {
        target->body = (const uint8_t *)config_setting_text(opening->config, body);
        target->body_size = body->length;
    }
    target->method = text_of(opening, HTTP_METHOD);
    if (!target->method)
        target->method = target->body ? "POST" : "GET";
    target->head = strcmp(target->method, "HEAD") == 0;
    /* These say a length even when it is 0 (RFC 9110 section 8.6). */
    target->sends_body = target->body || strcmp(target->method, "POST") == 0 ||
                         strcmp(target->method, "PUT") == 0 || strcmp(target->method, "PATCH") == 0;
    return http_headers_open(opening->config, opening->section, target->sends_body,
                             &target->own_headers, &target->other_headers, opening->why,
                             opening->why_size);
}

static enum error add_rule(const struct opening *opening, const struct setting *setting,
                           unsigned key)
{
    struct http_target *target = opening->target;
    struct http_rule *rule = &target->rules[target->rule_count];
    struct http_header_rule header = {.pattern = config_setting_text(opening->config, setting),
                                      .pattern_length = setting->length,
                                      .flags = (unsigned)setting->number};
    rule->text = header.pattern;
    if ((key == HTTP_REJECT_HEADER || key == HTTP_EXPECT_HEADER) &&
        http_header_rule_read(rule->text, setting->length, &header) != ERROR_NONE)
        return refuse(opening, ERROR_INVALID, rule->text, "not a rule over a header");
    rule->kind =
        key == HTTP_REJECT_HEADER || key == HTTP_REJECT_BODY ? HTTP_RULE_REJECT : HTTP_RULE_EXPECT;
    rule->name = header.name;
    rule->name_length = header.name_length;
    if (header.name)
        rule->text = header.pattern;
    rule->pattern = pattern_new(header.pattern, header.pattern_length, header.flags, opening->why,
                                opening->why_size);
    if (!rule->pattern)
        return ERROR_INVALID;
    target->rule_count++;
    return ERROR_NONE;
}

static enum error add_rules(const struct opening *opening, unsigned key)
{
    unsigned count = config_count(opening->config, opening->section, key);
    enum error error = ERROR_NONE;
    for (unsigned nth = 0; nth < count && error == ERROR_NONE; nth++)
        error = add_rule(opening, config_setting(opening->config, opening->section, key, nth), key);
    return error;
}

/* The rules in the order in which they are judged. */
static enum error open_rules(const struct opening *opening)
{
    static const unsigned keys[] = {HTTP_REJECT_HEADER, HTTP_EXPECT_HEADER, HTTP_REJECT_BODY,
                                    HTTP_EXPECT_BODY};
    struct http_target *target = opening->target;
    struct http_criteria *criteria = &target->criteria;
    unsigned count = 0;
    for (unsigned i = 0; i < ARRAY_LEN(keys); i++)
        count += config_count(opening->config, opening->section, keys[i]);
    target->rules = calloc(count + 1, sizeof(*target->rules));
    if (!target->rules)
        return refuse(opening, ERROR_EXHAUSTED, "rules", "no memory for them");
    for (unsigned i = 0; i < ARRAY_LEN(keys); i++) {
        enum error error = add_rules(opening, keys[i]);
        if (error != ERROR_NONE)
            return error;
        if (keys[i] == HTTP_EXPECT_HEADER)
            criteria->header_rule_count = target->rule_count;
    }
    criteria->header_rules = target->rules;
    criteria->body_rules = target->rules + criteria->header_rule_count;
    criteria->body_rule_count = target->rule_count - criteria->header_rule_count;
    criteria->status_text = text_of(opening, HTTP_EXPECT_STATUS);
    return http_status_read(criteria->status_text, strlen(criteria->status_text),
                            &criteria->status);
}

static void open_limits(const struct opening *opening)
{
    struct http_target *target = opening->target;
    const int64_t max_body = number_of(opening, HTTP_MAX_BODY);
    target->limit_fails = max_body > 0;
    target->body_limit = max_body > 0 ? (size_t)max_body : HTTP_BODY_BYTES;
    target->keeps_body = target->criteria.body_rule_count > 0;
    target->redirects = (unsigned)number_of(opening, HTTP_REDIRECTS);
    target->require_tls = number_of(opening, HTTP_REQUIRE_TLS) != 0;
}

static void set_endpoint(struct endpoint *endpoint, const struct http_origin *origin)
{
    memset(endpoint, 0, sizeof(*endpoint));
    snprintf(endpoint->host, sizeof(endpoint->host), "%s", origin->host);
    endpoint->port = origin->port;
}

static enum error open_proxy(const struct opening *opening, const char *text)
{
    struct http_target *target = opening->target;
    char url[HTTP_URL_BYTES];
    enum error error =
        http_url_read(text, url, &target->proxy_origin, opening->why, opening->why_size);
    if (error != ERROR_NONE)
        return error;
    const struct http_origin *origin = &target->proxy_origin;
    bool brackets = strchr(origin->host, ':') != NULL;
    /* Written anew with its port, since the library's own default is another one (1080). */
    snprintf(target->proxy, sizeof(target->proxy), "%s://%s%s%s:%u", origin->tls ? "https" : "http",
             brackets ? "[" : "", origin->host, brackets ? "]" : "", origin->port);
    set_endpoint(&target->dial, origin);
    return ERROR_NONE;
}

/* The way to the target: whom to dial, from where, and by which name to call it. */
static enum error open_path(const struct opening *opening)
{
    struct http_target *target = opening->target;
    const char *proxy = text_of(opening, HTTP_PROXY);
    const char *connect_to = text_of(opening, HTTP_CONNECT_TO);
    const char *host = text_of(opening, HTTP_HOST);
    const char *source = text_of(opening, PROBE_SOURCE);
    const int64_t ip = number_of(opening, PROBE_IP);
    enum error error = ERROR_NONE;
    set_endpoint(&target->dial, &target->origin);
    if (proxy) {
        error = open_proxy(opening, proxy);
    } else if (connect_to) {
        target->connect_to = true;
        error = net_parse_host_port(connect_to, 0, &target->dial);
    }
    struct endpoint name = {.host = ""};
    if (error == ERROR_NONE && host)
        error = net_parse_host_port(host, target->origin.port, &name);
    if (opening->target->trust.server_name)
        snprintf(name.host, sizeof(name.host), "%s", opening->target->trust.server_name);
    memcpy(target->server_name, name.host, sizeof(target->server_name));
    if (source) {
        struct in6_addr any;
        bool is_address =
            inet_pton(AF_INET, source, &any) == 1 || inet_pton(AF_INET6, source, &any) == 1;
        snprintf(target->source, sizeof(target->source), "%s!%s", is_address ? "host" : "if",
                 source);
    }
    target->ip_resolve = ip == IP_ONLY4   ? CURL_IPRESOLVE_V4
                         : ip == IP_ONLY6 ? CURL_IPRESOLVE_V6
                                          : CURL_IPRESOLVE_WHATEVER;
    return error;
}

static enum error open_all(const struct opening *opening, const char *url)
{
    struct http_target *target = opening->target;
    enum error error =
        http_url_read(url, target->url, &target->origin, opening->why, opening->why_size);
    if (error == ERROR_NONE)
        error = trust_open(&target->trust, opening->config, opening->section, HTTP_TRUST,
                           opening->why, opening->why_size);
    if (error == ERROR_NONE)
        error = open_request(opening);
    if (error == ERROR_NONE)
        error = open_rules(opening);
    if (error == ERROR_NONE)
        error = open_path(opening);
    if (error == ERROR_NONE)
        open_limits(opening);
    return error;
}

enum error http_target_open(const struct config *config, const struct config_probe *probe,
                            unsigned index, struct http_target **out, char *why, size_t why_size)
{
    struct opening opening = {config, &probe->section, calloc(1, sizeof(struct http_target)), why,
                              why_size};
    snprintf(why, why_size, "no memory for the target");
    if (!opening.target)
        return ERROR_EXHAUSTED;
    enum error error = open_all(&opening, config_instance(config, index));
    if (error != ERROR_NONE) {
        http_target_close(opening.target);
        return error;
    }
    *out = opening.target;
    return ERROR_NONE;
}

void http_target_close(struct http_target *target)
{
    for (unsigned i = 0; i < target->rule_count; i++)
        pattern_free(target->rules[i].pattern);
    free(target->rules);
    if (target->body_file)
        secret_wipe(target->body_file, target->body_size);
    free(target->body_file);
    http_headers_close(target->own_headers);
    http_headers_close(target->other_headers);
    trust_close(&target->trust);
    free(target);
}
