#include "http_headers.h"

#include <mbedtls/base64.h>
#include <stdio.h>
#include <string.h>

#include "http_keys.h"
#include "http_rules.h"
#include "secret_file.h"

enum {
    SECRET_BYTES = 4096,
    LINE_BYTES = 2 * SECRET_BYTES, /* base64 makes four bytes of three, and a name goes before */
};

struct lists {
    struct curl_slist *own, *other;
};

static enum error append(struct curl_slist **list, const char *line)
{
    struct curl_slist *longer = curl_slist_append(*list, line);
    if (!longer)
        return ERROR_EXHAUSTED;
    *list = longer;
    return ERROR_NONE;
}

static enum error append_both(struct lists *lists, const char *line)
{
    enum error error = append(&lists->own, line);
    return error == ERROR_NONE ? append(&lists->other, line) : error;
}

/* Headers that say what is wanted, never who asks: these go to other origins too. Any other one
 * may be a key by a name nobody can know. */
static bool is_harmless(const struct http_header *header)
{
    static const char *const names[] = {"accept",          "accept-charset", "accept-encoding",
                                        "accept-language", "cache-control",  "content-type",
                                        "pragma",          "range",          "user-agent"};
    for (unsigned i = 0; i < ARRAY_LEN(names); i++)
        if (strlen(names[i]) == header->name_length &&
            strncasecmp(names[i], header->name, header->name_length) == 0)
            return true;
    return false;
}

static enum error add_configured(struct lists *lists, const char *text, size_t length)
{
    char line[CAP_LINE_BYTES];
    struct http_header header;
    if (http_header_read(text, length, &header) != ERROR_NONE)
        return ERROR_INVALID;
    /* "Name;" is how the library is asked for a header without a value. */
    int written =
        snprintf(line, sizeof(line), "%.*s%s%.*s", (int)header.name_length, header.name,
                 header.value_length > 0 ? ": " : ";", (int)header.value_length, header.value);
    if (written < 0 || (size_t)written >= sizeof(line))
        return ERROR_FULL;
    return is_harmless(&header) ? append_both(lists, line) : append(&lists->own, line);
}

static bool is_configured(const struct config *config, const struct config_section *section,
                          const char *name)
{
    unsigned count = config_count(config, section, HTTP_HEADER);
    for (unsigned nth = 0; nth < count; nth++) {
        const struct setting *setting = config_setting(config, section, HTTP_HEADER, nth);
        const char *text = config_setting_text(config, setting);
        if (strncasecmp(text, name, strlen(name)) == 0 && text[strlen(name)] == ':')
            return true;
    }
    return false;
}

static enum error add_basic(struct lists *lists, const char *username, const char *path, char *why,
                            size_t why_size)
{
    static const char name[] = "Authorization: Basic ";
    char password[SECRET_BYTES], pair[SECRET_BYTES + 256], line[LINE_BYTES];
    size_t length = 0, written = 0;
    enum error error = secret_file_read(path, password, sizeof(password), &length, why, why_size);
    int count = error == ERROR_NONE ? snprintf(pair, sizeof(pair), "%s:%s", username, password) : 0;
    memcpy(line, name, sizeof(name) - 1);
    if (error == ERROR_NONE &&
        ((size_t)count >= sizeof(pair) ||
         mbedtls_base64_encode((unsigned char *)line + sizeof(name) - 1,
                               sizeof(line) - sizeof(name), &written, (const unsigned char *)pair,
                               (size_t)count) != 0)) {
        snprintf(why, why_size, "%s: too long together with the username", path);
        error = ERROR_FULL;
    }
    if (error == ERROR_NONE) {
        line[sizeof(name) - 1 + written] = '\0';
        error = append(&lists->own, line);
    }
    secret_wipe(password, sizeof(password));
    secret_wipe(pair, sizeof(pair));
    secret_wipe(line, sizeof(line));
    return error;
}

static enum error add_bearer(struct lists *lists, const char *path, char *why, size_t why_size)
{
    char token[SECRET_BYTES], line[LINE_BYTES];
    size_t length = 0;
    enum error error = secret_file_read(path, token, sizeof(token), &length, why, why_size);
    if (error == ERROR_NONE) {
        snprintf(line, sizeof(line), "Authorization: Bearer %s", token);
        error = append(&lists->own, line);
    }
    secret_wipe(token, sizeof(token));
    secret_wipe(line, sizeof(line));
    return error;
}

static enum error add_host(struct lists *lists, const char *host)
{
    char line[320];
    snprintf(line, sizeof(line), "Host: %s", host);
    return append(&lists->own, line);
}

static enum error add_all(const struct config *config, const struct config_section *section,
                          bool sends_body, struct lists *lists, char *why, size_t why_size)
{
    unsigned count = config_count(config, section, HTTP_HEADER);
    const char *username = config_text(config, section, HTTP_USERNAME, NULL);
    const char *password = config_text(config, section, HTTP_PASSWORD_FILE, NULL);
    const char *bearer = config_text(config, section, HTTP_BEARER_FILE, NULL);
    const char *host = config_text(config, section, HTTP_HOST, NULL);
    enum error error = ERROR_NONE;
    for (unsigned nth = 0; nth < count && error == ERROR_NONE; nth++) {
        const struct setting *setting = config_setting(config, section, HTTP_HEADER, nth);
        error = add_configured(lists, config_setting_text(config, setting), setting->length);
    }
    /* A form's type would be the library's guess, and waiting for a 100 its habit: neither is in
     * the configuration. */
    if (error == ERROR_NONE && sends_body && !is_configured(config, section, "content-type"))
        error = append_both(lists, "Content-Type:");
    if (error == ERROR_NONE && sends_body && !is_configured(config, section, "expect"))
        error = append_both(lists, "Expect:");
    if (error == ERROR_NONE && host)
        error = add_host(lists, host);
    if (error == ERROR_NONE && username && password)
        error = add_basic(lists, username, password, why, why_size);
    if (error == ERROR_NONE && bearer)
        error = add_bearer(lists, bearer, why, why_size);
    return error;
}

enum error http_headers_open(const struct config *config, const struct config_section *section,
                             bool sends_body, struct curl_slist **own, struct curl_slist **other,
                             char *why, size_t why_size)
{
    struct lists lists = {NULL, NULL};
    snprintf(why, why_size, "the request's headers are too long or memory is out");
    enum error error = add_all(config, section, sends_body, &lists, why, why_size);
    if (error != ERROR_NONE) {
        http_headers_close(lists.own);
        http_headers_close(lists.other);
        lists = (struct lists){NULL, NULL};
    }
    *own = lists.own;
    *other = lists.other;
    return error;
}

void http_headers_close(struct curl_slist *list)
{
    for (struct curl_slist *at = list; at; at = at->next)
        secret_wipe(at->data, strlen(at->data));
    curl_slist_free_all(list);
}
