/* What a TLS client of a target trusts and shows: the TLS keys of SPEC section 2, read once.
 *
 * CA chains are shared by all targets, see ca_table.h. */
#ifndef PICKET_TRUST_H
#define PICKET_TRUST_H

#include <mbedtls/ssl.h>
#include <mbedtls/x509_crt.h>

#include "config.h"

/* Rows for a kind's key table; the kind gives them ids in this order, see TRUST_KEYS. */
#define TRUST_KEYS                                                                                 \
    {.name = "verify",                                                                             \
     .type = SETTING_SWITCH,                                                                       \
     .fallback = "on",                                                                             \
     .help = "check the certificate against the CAs and the name"},                                \
        {.name = "ca_file",                                                                        \
         .type = SETTING_TEXT,                                                                     \
         .help = "PEM file of CAs instead of the system's"},                                       \
        {.name = "cert_file", .type = SETTING_TEXT, .help = "PEM client certificate"},             \
        {.name = "key_file", .type = SETTING_TEXT, .help = "PEM key of cert_file"},                \
        {.name = "server_name", .type = SETTING_TEXT, .help = "name for SNI and verification"},    \
    {                                                                                              \
        .name = "min_tls", .type = SETTING_CHOICE, .choices = trust_tls_versions,                  \
        .help = "oldest TLS version that is a success"                                             \
    }
enum trust_key {
    TRUST_VERIFY,
    TRUST_CA_FILE,
    TRUST_CERT_FILE,
    TRUST_KEY_FILE,
    TRUST_SERVER_NAME,
    TRUST_MIN_TLS,
    TRUST_KEY_COUNT
};
extern const char *const trust_tls_versions[]; /* "1.2" "1.3" NULL */

struct trust {
    bool verify;
    bool min_tls13;
    const char *server_name;        /* borrowed from the config; NULL: the host's name */
    mbedtls_x509_crt *ca;           /* shared; NULL: none could be found and verify is off */
    mbedtls_x509_crt *client_chain; /* NULL: none */
    mbedtls_pk_context *client_key;
};

/* Reads the TLS keys of a section whose first has id `first_key`. Initialises PSA on first use.
 * `why` names the file and the cause. With verify on and no ca_file the system's bundle is used
 * (the usual paths of Debian, OpenWrt, Alpine, Fedora; SSL_CERT_FILE wins). */
enum error trust_open(struct trust *trust, const struct config *config,
                      const struct config_section *section, unsigned first_key, char *why,
                      size_t why_size);
/* For one not tied to a section (push): the same from plain paths, NULL where unset. */
enum error trust_open_files(struct trust *trust, bool verify, const char *ca_file,
                            const char *cert_file, const char *key_file, char *why,
                            size_t why_size);
/* Zeroed and failed ones may be closed too. */
void trust_close(struct trust *trust);
/* Consistency of the TLS keys (cert_file with key_file …), for check(). */
void trust_check(const struct config *config, const struct config_section *section,
                 unsigned first_key, struct config_errors *errors);
/* Sets CA chain, client certificate, RNG (PSA), oldest version 1.2 and authmode on a configuration
 * of mbedTLS. The verify callback is the caller's (certinfo.h). min_tls is judged after the
 * handshake, so that an old server is reported as tls_policy and not as a failed handshake. */
void trust_apply(const struct trust *trust, mbedtls_ssl_config *config);

#endif
