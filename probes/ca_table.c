#include "ca_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "caps.h"
#include "pem_file.h"

enum {
    CHAINS_MAX = CAP_TARGETS + 2, /* one file per target, one for the push, the system's */
    CA_BYTES_MAX = 8 * 1024 * 1024,
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
enum error ca_table_share(const char *path, mbedtls_x509_crt **out, char *why, size_t why_size)
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
    mbedtls_x509_crt *certificates = NULL;
    unsigned unreadable = 0;
    enum error error = pem_file_new_chain(&certificates, "ca_file", path, CA_BYTES_MAX, &unreadable,
                                          why, why_size);
    if (error != ERROR_NONE) {
        return error;
    }
    char *copy = strdup(path);
    if (copy == NULL) {
        pem_file_free_chain(certificates);
        snprintf(why, why_size, "ca_file %s: out of memory", path);
        return ERROR_EXHAUSTED;
    }
    *entry = (struct chain){.path = copy, .certificates = certificates, .users = 1};
    *out = certificates;
    return ERROR_NONE;
}

void ca_table_release(const mbedtls_x509_crt *certificates)
{
    for (unsigned i = 0; certificates != NULL && i < CHAINS_MAX; i++) {
        struct chain *entry = &chains[i];
        if (entry->users > 0 && entry->certificates == certificates) {
            if (--entry->users == 0) {
                pem_file_free_chain(entry->certificates);
                free(entry->path);
                *entry = (struct chain){0};
            }
            return;
        }
    }
}

enum error ca_table_share_system(mbedtls_x509_crt **out, char *why, size_t why_size)
{
    const char *chosen = getenv("SSL_CERT_FILE");
    if (chosen != NULL && chosen[0] != '\0') {
        return ca_table_share(chosen, out, why, why_size);
    }
    for (unsigned i = 0; i < ARRAY_LEN(system_bundles); i++) {
        enum error error = ca_table_share(system_bundles[i], out, why, why_size);
        if (error != ERROR_MISSING) {
            return error;
        }
    }
    snprintf(why, why_size,
             "no CA bundle on this system (%s and others): set ca_file or SSL_CERT_FILE",
             system_bundles[0]);
    return ERROR_MISSING;
}
