#include "trust.h"

#include <stdio.h>

#include <mbedtls/psa_util.h>
#include <psa/crypto.h>

#include "ca_table.h"
#include "pem_file.h"

const char *const trust_tls_versions[] = {"1.2", "1.3", NULL};

enum { CLIENT_BYTES_MAX = 256 * 1024 };

static enum error open_client(struct trust *trust, const char *cert_file, const char *key_file,
                              char *why, size_t why_size)
{
    if (cert_file == NULL && key_file == NULL) {
        return ERROR_NONE;
    }
    if (cert_file == NULL || key_file == NULL) {
        snprintf(why, why_size, "cert_file and key_file belong together");
        return ERROR_INVALID;
    }
    unsigned unreadable = 0;
    enum error error = pem_file_new_chain(&trust->client_chain, "cert_file", cert_file,
                                          CLIENT_BYTES_MAX, &unreadable, why, why_size);
    if (error != ERROR_NONE) {
        return error;
    }
    if (unreadable > 0) {
        snprintf(why, why_size, "cert_file %s: %u of its certificates cannot be read", cert_file,
                 unreadable);
        return ERROR_INVALID;
    }
    error = pem_file_new_key(&trust->client_key, key_file, CLIENT_BYTES_MAX, why, why_size);
    if (error != ERROR_NONE) {
        return error;
    }
    if (mbedtls_pk_check_pair(&trust->client_chain->pk, trust->client_key, mbedtls_psa_get_random,
                              MBEDTLS_PSA_RANDOM_STATE) != 0) {
        snprintf(why, why_size, "key_file %s: not the key of cert_file %s", key_file, cert_file);
        return ERROR_INVALID;
    }
    return ERROR_NONE;
}

enum error trust_open_files(struct trust *trust, bool verify, const char *ca_file,
                            const char *cert_file, const char *key_file, char *why, size_t why_size)
{
    *trust = (struct trust){.verify = verify};
    if (psa_crypto_init() != PSA_SUCCESS) {
        snprintf(why, why_size, "no random numbers from the system: TLS cannot start");
        return ERROR_EXHAUSTED;
    }
    enum error error = ERROR_NONE;
    if (ca_file != NULL) {
        error = ca_table_share(ca_file, &trust->ca, why, why_size);
    } else if (verify) {
        error = ca_table_share_system(&trust->ca, why, why_size);
    }
    if (error == ERROR_NONE) {
        error = open_client(trust, cert_file, key_file, why, why_size);
    }
    if (error != ERROR_NONE) {
        trust_close(trust);
    }
    return error;
}

enum error trust_open(struct trust *trust, const struct config *config,
                      const struct config_section *section, unsigned first_key, char *why,
                      size_t why_size)
{
    bool verify = config_number(config, section, first_key + TRUST_VERIFY) != 0;
    enum error error = trust_open_files(
        trust, verify, config_text(config, section, first_key + TRUST_CA_FILE, NULL),
        config_text(config, section, first_key + TRUST_CERT_FILE, NULL),
        config_text(config, section, first_key + TRUST_KEY_FILE, NULL), why, why_size);
    if (error == ERROR_NONE) {
        trust->min_tls13 = config_number(config, section, first_key + TRUST_MIN_TLS) == 1;
        trust->server_name = config_text(config, section, first_key + TRUST_SERVER_NAME, NULL);
    }
    return error;
}

void trust_close(struct trust *trust)
{
    ca_table_release(trust->ca);
    pem_file_free_chain(trust->client_chain);
    pem_file_free_key(trust->client_key);
    *trust = (struct trust){0};
}

/* mbedTLS' own list with PKCS #1 before PSS. The 3.6.6 client offers RSA-PSS and then refuses it in
 * TLS 1.2 (their issue 10668), so a server that follows the client's order, as OpenSSL does, must
 * find PKCS #1 first. In TLS 1.3 nobody may sign a handshake with PKCS #1, so the order is moot. */
static const uint16_t signature_algorithms[] = {
    MBEDTLS_TLS1_3_SIG_ECDSA_SECP256R1_SHA256, MBEDTLS_TLS1_3_SIG_ECDSA_SECP384R1_SHA384,
    MBEDTLS_TLS1_3_SIG_ECDSA_SECP521R1_SHA512, MBEDTLS_TLS1_3_SIG_RSA_PKCS1_SHA256,
    MBEDTLS_TLS1_3_SIG_RSA_PKCS1_SHA384,       MBEDTLS_TLS1_3_SIG_RSA_PKCS1_SHA512,
    MBEDTLS_TLS1_3_SIG_RSA_PSS_RSAE_SHA256,    MBEDTLS_TLS1_3_SIG_RSA_PSS_RSAE_SHA384,
    MBEDTLS_TLS1_3_SIG_RSA_PSS_RSAE_SHA512,    MBEDTLS_TLS1_3_SIG_NONE,
};

/* mbedTLS' own list without the larger finite fields, which cost too much at once (dhm_guard.h). */
static const uint16_t groups[] = {
    MBEDTLS_SSL_IANA_TLS_GROUP_X25519,    MBEDTLS_SSL_IANA_TLS_GROUP_SECP256R1,
    MBEDTLS_SSL_IANA_TLS_GROUP_SECP384R1, MBEDTLS_SSL_IANA_TLS_GROUP_X448,
    MBEDTLS_SSL_IANA_TLS_GROUP_SECP521R1, MBEDTLS_SSL_IANA_TLS_GROUP_BP256R1,
    MBEDTLS_SSL_IANA_TLS_GROUP_BP384R1,   MBEDTLS_SSL_IANA_TLS_GROUP_BP512R1,
    MBEDTLS_SSL_IANA_TLS_GROUP_FFDHE2048, MBEDTLS_SSL_IANA_TLS_GROUP_NONE,
};

void trust_apply(const struct trust *trust, mbedtls_ssl_config *config)
{
    mbedtls_ssl_conf_groups(config, groups);
    mbedtls_ssl_conf_sig_algs(config, signature_algorithms);
    mbedtls_ssl_conf_rng(config, mbedtls_psa_get_random, MBEDTLS_PSA_RANDOM_STATE);
    mbedtls_ssl_conf_min_tls_version(config, MBEDTLS_SSL_VERSION_TLS1_2);
    mbedtls_ssl_conf_authmode(config, trust->verify ? MBEDTLS_SSL_VERIFY_REQUIRED
                                                    : MBEDTLS_SSL_VERIFY_OPTIONAL);
    if (trust->ca != NULL) {
        mbedtls_ssl_conf_ca_chain(config, trust->ca, NULL);
    }
    if (trust->client_chain != NULL) {
        /* Fails only for lack of memory; then the client shows no certificate, and the server says
         * what it thinks of that. */
        (void)mbedtls_ssl_conf_own_cert(config, trust->client_chain, trust->client_key);
    }
}
