/* The table of CA chains is keyed by path and counted: a bundle of the system costs about half a
 * megabyte and tens of milliseconds, so 200 targets must not parse it 200 times. It is the one
 * piece of state outside a caller's struct, and only open and close touch it. */
#include "trust.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <mbedtls/error.h>
#include <mbedtls/pk.h>
#include <mbedtls/psa_util.h>
#include <psa/crypto.h>

const char *const trust_tls_versions[] = {"1.2", "1.3", NULL};

enum {
    CHAINS_MAX = CAP_TARGETS + 2, /* one file per target, one for the push, the system's */
    CA_BYTES_MAX = 8 * 1024 * 1024,
    CLIENT_BYTES_MAX = 256 * 1024,
};

struct chain {
    char *path;
    mbedtls_x509_crt *certificates;
    unsigned users; /* 0: the entry is free */
};

static struct chain chains[CHAINS_MAX];

static const char *const system_bundles[] = {
    "/etc/ssl/certs/ca-certificates.crt",                /* Debian, Alpine, OpenWrt, Arch */
    "/etc/pki/tls/certs/ca-bundle.crt",                  /* Fedora, RHEL */
    "/etc/ssl/cert.pem",                                 /* OpenWrt's ca-bundle, Alpine, BSDs */
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", /* Fedora without the old links */
    "/etc/ssl/ca-bundle.pem",                            /* SUSE */
};

static enum error error_of_errno(int system_errno)
{
    switch (system_errno) {
    case ENOENT:
    case ENOTDIR:
        return ERROR_MISSING;
    case EACCES:
    case EPERM:
    case ELOOP:
        return ERROR_DENIED;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
        return ERROR_EXHAUSTED;
    default:
        return ERROR_IO;
    }
}

/* Opens to look: a pipe or a device would block or never end, and mbedTLS reads a file whole. */
static enum error inspect_file(const char *key, const char *path, size_t size_max, bool secret,
                               char *why, size_t why_size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) != 0) {
        int cause = errno;
        if (fd >= 0) {
            close(fd);
        }
        snprintf(why, why_size, "%s %s: %s", key, path, strerror(cause));
        return error_of_errno(cause);
    }
    close(fd);
    if (!S_ISREG(status.st_mode)) {
        snprintf(why, why_size, "%s %s: not a regular file", key, path);
        return ERROR_INVALID;
    }
    if ((size_t)status.st_size > size_max) {
        snprintf(why, why_size, "%s %s: larger than %zu KiB", key, path, size_max / 1024);
        return ERROR_RANGE;
    }
    if (secret && (status.st_mode & (S_IROTH | S_IWOTH)) != 0) {
        snprintf(why, why_size,
                 "%s %s: holds a secret, but others may access it (mode %04o, chmod o-rw)", key,
                 path, (unsigned)(status.st_mode & 07777));
        return ERROR_DENIED;
    }
    return ERROR_NONE;
}

/* mbedTLS adds a low-level code to a high-level one. */
static int high_level(int result)
{
    return -(-result & 0xFF80);
}

static enum error explain_chain(int result, const char *key, const char *path, char *why,
                                size_t why_size)
{
    const char *text;
    switch (high_level(result)) {
    case MBEDTLS_ERR_X509_ALLOC_FAILED:
        snprintf(why, why_size, "%s %s: out of memory", key, path);
        return ERROR_EXHAUSTED;
    case MBEDTLS_ERR_PK_FILE_IO_ERROR:
        snprintf(why, why_size, "%s %s: cannot be read", key, path);
        return ERROR_IO;
    case MBEDTLS_ERR_X509_INVALID_FORMAT:
    case MBEDTLS_ERR_X509_CERT_UNKNOWN_FORMAT:
        snprintf(why, why_size, "%s %s: no certificate found", key, path);
        return ERROR_INVALID;
    default:
        text = mbedtls_high_level_strerr(result);
        snprintf(why, why_size, "%s %s: no readable certificate (%s)", key, path,
                 text != NULL ? text : "malformed PEM");
        return ERROR_INVALID;
    }
}

enum error trust_read_chain(mbedtls_x509_crt *chain, const char *key, const char *path,
                            size_t size_max, unsigned *unreadable, char *why, size_t why_size)
{
    enum error error = inspect_file(key, path, size_max, false, why, why_size);
    if (error != ERROR_NONE) {
        return error;
    }
    int result = mbedtls_x509_crt_parse_file(chain, path);
    if (result < 0) {
        return explain_chain(result, key, path, why, why_size);
    }
    *unreadable = (unsigned)result;
    return ERROR_NONE;
}

static void free_chain(mbedtls_x509_crt *chain)
{
    if (chain != NULL) {
        mbedtls_x509_crt_free(chain);
        free(chain);
    }
}

/* A chain of its own on the heap; NULL when it cannot be had. */
static mbedtls_x509_crt *new_chain(const char *key, const char *path, size_t size_max,
                                   unsigned *unreadable, enum error *error, char *why,
                                   size_t why_size)
{
    mbedtls_x509_crt *chain = malloc(sizeof(*chain));
    if (chain == NULL) {
        snprintf(why, why_size, "%s %s: out of memory", key, path);
        *error = ERROR_EXHAUSTED;
        return NULL;
    }
    mbedtls_x509_crt_init(chain);
    *error = trust_read_chain(chain, key, path, size_max, unreadable, why, why_size);
    if (*error != ERROR_NONE) {
        free_chain(chain);
        return NULL;
    }
    return chain;
}

static struct chain *find_chain(const char *path)
{
    for (unsigned i = 0; i < CHAINS_MAX; i++) {
        if (chains[i].users > 0 && strcmp(chains[i].path, path) == 0) {
            return &chains[i];
        }
    }
    return NULL;
}

static struct chain *free_entry(void)
{
    for (unsigned i = 0; i < CHAINS_MAX; i++) {
        if (chains[i].users == 0) {
            return &chains[i];
        }
    }
    return NULL;
}

/* A bundle of which some certificates cannot be read (an algorithm mbedTLS does not have) is used
 * with the others, as curl does. */
static enum error share_chain(const char *path, mbedtls_x509_crt **out, char *why, size_t why_size)
{
    struct chain *entry = find_chain(path);
    if (entry != NULL) {
        entry->users++;
        *out = entry->certificates;
        return ERROR_NONE;
    }
    entry = free_entry();
    if (entry == NULL) {
        snprintf(why, why_size, "ca_file %s: more than %d different CA files", path,
                 (int)CHAINS_MAX);
        return ERROR_FULL;
    }
    enum error error = ERROR_NONE;
    unsigned unreadable = 0;
    mbedtls_x509_crt *certificates =
        new_chain("ca_file", path, CA_BYTES_MAX, &unreadable, &error, why, why_size);
    if (certificates == NULL) {
        return error;
    }
    char *copy = strdup(path);
    if (copy == NULL) {
        free_chain(certificates);
        snprintf(why, why_size, "ca_file %s: out of memory", path);
        return ERROR_EXHAUSTED;
    }
    *entry = (struct chain){.path = copy, .certificates = certificates, .users = 1};
    *out = certificates;
    return ERROR_NONE;
}

static void release_chain(const mbedtls_x509_crt *certificates)
{
    for (unsigned i = 0; certificates != NULL && i < CHAINS_MAX; i++) {
        struct chain *entry = &chains[i];
        if (entry->users > 0 && entry->certificates == certificates) {
            if (--entry->users == 0) {
                free_chain(entry->certificates);
                free(entry->path);
                *entry = (struct chain){0};
            }
            return;
        }
    }
}

static enum error share_system_chain(mbedtls_x509_crt **out, char *why, size_t why_size)
{
    const char *chosen = getenv("SSL_CERT_FILE");
    if (chosen != NULL && chosen[0] != '\0') {
        return share_chain(chosen, out, why, why_size);
    }
    for (unsigned i = 0; i < ARRAY_LEN(system_bundles); i++) {
        enum error error = share_chain(system_bundles[i], out, why, why_size);
        if (error != ERROR_MISSING) {
            return error;
        }
    }
    snprintf(why, why_size,
             "no CA bundle on this system (%s and others): set ca_file or SSL_CERT_FILE",
             system_bundles[0]);
    return ERROR_MISSING;
}

static enum error explain_key(int result, const char *path, char *why, size_t why_size)
{
    const char *cause = "no private key found (one with a passphrase cannot be used)";
    enum error error = ERROR_INVALID;
    switch (high_level(result)) {
    case MBEDTLS_ERR_PK_PASSWORD_REQUIRED:
    case MBEDTLS_ERR_PK_PASSWORD_MISMATCH:
        cause = "the key has a passphrase, and there is nobody to ask for it";
        break;
    case MBEDTLS_ERR_PK_ALLOC_FAILED:
        cause = "out of memory";
        error = ERROR_EXHAUSTED;
        break;
    case MBEDTLS_ERR_PK_FILE_IO_ERROR:
        cause = "cannot be read";
        error = ERROR_IO;
        break;
    case MBEDTLS_ERR_PK_UNKNOWN_PK_ALG:
    case MBEDTLS_ERR_PK_UNKNOWN_NAMED_CURVE:
    case MBEDTLS_ERR_PK_FEATURE_UNAVAILABLE:
        cause = "a kind of key that is not supported";
        break;
    default:
        break;
    }
    snprintf(why, why_size, "key_file %s: %s", path, cause);
    return error;
}

static enum error open_key(struct trust *trust, const char *path, char *why, size_t why_size)
{
    enum error error = inspect_file("key_file", path, CLIENT_BYTES_MAX, true, why, why_size);
    if (error != ERROR_NONE) {
        return error;
    }
    trust->client_key = malloc(sizeof(*trust->client_key));
    if (trust->client_key == NULL) {
        snprintf(why, why_size, "key_file %s: out of memory", path);
        return ERROR_EXHAUSTED;
    }
    mbedtls_pk_init(trust->client_key);
    int result = mbedtls_pk_parse_keyfile(trust->client_key, path, NULL, mbedtls_psa_get_random,
                                          MBEDTLS_PSA_RANDOM_STATE);
    return result == 0 ? ERROR_NONE : explain_key(result, path, why, why_size);
}

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
    enum error error = ERROR_NONE;
    unsigned unreadable = 0;
    trust->client_chain =
        new_chain("cert_file", cert_file, CLIENT_BYTES_MAX, &unreadable, &error, why, why_size);
    if (trust->client_chain == NULL) {
        return error;
    }
    if (unreadable > 0) {
        snprintf(why, why_size, "cert_file %s: %u of its certificates cannot be read", cert_file,
                 unreadable);
        return ERROR_INVALID;
    }
    error = open_key(trust, key_file, why, why_size);
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
        error = share_chain(ca_file, &trust->ca, why, why_size);
    } else if (verify) {
        error = share_system_chain(&trust->ca, why, why_size);
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
    release_chain(trust->ca);
    free_chain(trust->client_chain);
    if (trust->client_key != NULL) {
        mbedtls_pk_free(trust->client_key);
        free(trust->client_key);
    }
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

void trust_apply(const struct trust *trust, mbedtls_ssl_config *config)
{
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
