#include "push_setup.h"

#include <stdlib.h>
#include <string.h>

#include "buffer.h"
#include "expo_proto.h"
#include "push_url.h"
#include "secret_file.h"

#define SECRET_BYTES_MAX 512

static const char *push_text(const struct config *config, enum push_key key)
{
    return config_text(config, &config->push, key, NULL);
}

/* One error, at the line of the key. */
static void report(const struct config *config, enum push_key key, struct config_errors *errors,
                   const char *why)
{
    const struct setting *setting = config_setting(config, &config->push, key, 0);
    config_error_at(config, &config->push, setting, errors, "push: %s", why);
}

/* Host and port as libcurl itself reads them. */
static bool split_url(struct push_setup *setup)
{
    char *host = NULL, *port = NULL;
    CURLU *parts = curl_url();
    bool good = parts && curl_url_set(parts, CURLUPART_URL, setup->url, 0) == CURLUE_OK &&
                curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
                curl_url_get(parts, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK &&
                strlen(host) < sizeof setup->host;
    if (good) {
        bool bracketed = host[0] == '[';
        size_t length = strlen(host) - (bracketed ? 2 : 0);
        memcpy(setup->host, host + bracketed, length);
        setup->host[length] = '\0';
        setup->port = (uint16_t)strtoul(port, NULL, 10);
    }
    curl_free(host);
    curl_free(port);
    curl_url_cleanup(parts);
    return good;
}

static bool read_url(struct push_setup *setup, const struct config *config,
                     struct config_errors *errors)
{
    struct buffer url;
    buffer_init(&url, setup->url, sizeof setup->url);
    push_url(&url, push_text(config, PUSH_URL), config_site(config));
    (void)buffer_text(&url);
    if (url.used >= sizeof setup->url) {
        report(config, PUSH_URL, errors, "the url with the site behind it is too long");
        return false;
    }
    if (!split_url(setup)) {
        report(config, PUSH_URL, errors, "the url cannot be read");
        return false;
    }
    return true;
}

/* trust.h names the key first in what it says. */
static enum push_key key_of(const char *why)
{
    static const enum push_key keys[] = {PUSH_CA_FILE, PUSH_CERT_FILE, PUSH_KEY_FILE};
    for (unsigned i = 0; i < ARRAY_LEN(keys); i++) {
        const char *name = config_push_keys[keys[i]].name;
        if (strncmp(why, name, strlen(name)) == 0) {
            return keys[i];
        }
    }
    return PUSH_URL;
}

/* Only an https receiver needs the CAs, which take time and memory to read. */
static bool read_trust(struct push_setup *setup, const struct config *config,
                       struct config_errors *errors)
{
    char why[256];
    if (strncmp(setup->url, "https:", 6) != 0 ||
        trust_open_files(&setup->trust, config_number(config, &config->push, PUSH_VERIFY) != 0,
                         push_text(config, PUSH_CA_FILE), push_text(config, PUSH_CERT_FILE),
                         push_text(config, PUSH_KEY_FILE), why, sizeof why) == ERROR_NONE) {
        return true;
    }
    report(config, key_of(why), errors, why);
    return false;
}

/* libcurl keeps a copy for as long as the handle lives. */
static bool give_secret(CURL *easy, const char *username, const char *secret)
{
    if (!username) {
        return curl_easy_setopt(easy, CURLOPT_HTTPAUTH, CURLAUTH_BEARER) == CURLE_OK &&
               curl_easy_setopt(easy, CURLOPT_XOAUTH2_BEARER, secret) == CURLE_OK;
    }
    return curl_easy_setopt(easy, CURLOPT_HTTPAUTH, CURLAUTH_BASIC) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_USERNAME, username) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PASSWORD, secret) == CURLE_OK;
}

static bool read_credentials(CURL *easy, const struct config *config, struct config_errors *errors)
{
    enum push_key key = push_text(config, PUSH_BEARER_FILE) ? PUSH_BEARER_FILE : PUSH_PASSWORD_FILE;
    const char *username = key == PUSH_BEARER_FILE ? NULL : push_text(config, PUSH_USERNAME);
    const char *file = push_text(config, key);
    char secret[SECRET_BYTES_MAX], why[256];
    size_t length;
    if (!file) {
        return true;
    }
    if (secret_file_read(file, secret, sizeof secret, &length, why, sizeof why) != ERROR_NONE) {
        report(config, key, errors, why);
        return false;
    }
    bool given = give_secret(easy, username, secret);
    secret_wipe(secret, sizeof secret);
    if (!given) {
        report(config, key, errors, "no memory for the credentials");
    }
    return given;
}

static bool add_header(struct push_setup *setup, const char *line)
{
    struct curl_slist *longer = curl_slist_append(setup->headers, line);
    if (longer) {
        setup->headers = longer;
    }
    return longer != NULL;
}

#define SET(option, value) (curl_easy_setopt(easy, option, value) == CURLE_OK)

/* Verification is the transport's, in mbedTLS' callback; libcurl's own flags only decide whether
 * the handshake asks for it. A new connection for each push: the receiver may have moved, and
 * nothing of the TLS session is held in memory in between. */
static bool set_options(struct push_setup *setup, CURL *easy)
{
    long verify = setup->trust.verify ? 1L : 0L;
    return add_header(setup, "Content-Type: " EXPO_PROTO_CONTENT_TYPE) &&
           add_header(setup, "Expect:") && SET(CURLOPT_URL, setup->url) &&
           SET(CURLOPT_HTTPHEADER, setup->headers) && SET(CURLOPT_USERAGENT, "picket") &&
           SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) &&
           SET(CURLOPT_PROTOCOLS_STR, "http,https") && SET(CURLOPT_PROXY, "") &&
           SET(CURLOPT_NOPROXY, "*") && SET(CURLOPT_NOSIGNAL, 1L) &&
           SET(CURLOPT_FOLLOWLOCATION, 0L) && SET(CURLOPT_FRESH_CONNECT, 1L) &&
           SET(CURLOPT_BUFFERSIZE, 4096L) && SET(CURLOPT_UPLOAD_BUFFERSIZE, 16384L) &&
           SET(CURLOPT_FORBID_REUSE, 1L) && SET(CURLOPT_SSL_SESSIONID_CACHE, 0L) &&
           SET(CURLOPT_SSL_VERIFYPEER, verify) && SET(CURLOPT_SSL_VERIFYHOST, 2 * verify);
}

#undef SET

bool push_setup_open(struct push_setup *setup, CURL *easy, const struct config *config,
                     struct config_errors *errors)
{
    if (!read_url(setup, config, errors)) {
        return false;
    }
    bool trusts = read_trust(setup, config, errors);
    bool known = read_credentials(easy, config, errors);
    if (!trusts || !known) {
        return false;
    }
    if (!set_options(setup, easy)) {
        report(config, PUSH_URL, errors, "no memory for the transport");
        return false;
    }
    return true;
}

void push_setup_close(struct push_setup *setup)
{
    curl_slist_free_all(setup->headers);
    setup->headers = NULL;
    trust_close(&setup->trust);
}
