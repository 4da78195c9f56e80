#include "pem_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <mbedtls/error.h>
#include <mbedtls/psa_util.h>

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
static enum error inspect(const char *key, const char *path, size_t size_max, bool secret,
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

enum error pem_file_read_chain(mbedtls_x509_crt *chain, const char *key, const char *path,
                               size_t size_max, unsigned *unreadable, char *why, size_t why_size)
{
    enum error error = inspect(key, path, size_max, false, why, why_size);
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

void pem_file_free_chain(mbedtls_x509_crt *chain)
{
    if (chain != NULL) {
        mbedtls_x509_crt_free(chain);
        free(chain);
    }
}

enum error pem_file_new_chain(mbedtls_x509_crt **out, const char *key, const char *path,
                              size_t size_max, unsigned *unreadable, char *why, size_t why_size)
{
    mbedtls_x509_crt *chain = malloc(sizeof(*chain));
    if (chain == NULL) {
        snprintf(why, why_size, "%s %s: out of memory", key, path);
        return ERROR_EXHAUSTED;
    }
    mbedtls_x509_crt_init(chain);
    enum error error = pem_file_read_chain(chain, key, path, size_max, unreadable, why, why_size);
    if (error != ERROR_NONE) {
        pem_file_free_chain(chain);
        return error;
    }
    *out = chain;
    return ERROR_NONE;
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

void pem_file_free_key(mbedtls_pk_context *key)
{
    if (key != NULL) {
        mbedtls_pk_free(key);
        free(key);
    }
}

enum error pem_file_new_key(mbedtls_pk_context **out, const char *path, size_t size_max, char *why,
                            size_t why_size)
{
    enum error error = inspect("key_file", path, size_max, true, why, why_size);
    if (error != ERROR_NONE) {
        return error;
    }
    mbedtls_pk_context *key = malloc(sizeof(*key));
    if (key == NULL) {
        snprintf(why, why_size, "key_file %s: out of memory", path);
        return ERROR_EXHAUSTED;
    }
    mbedtls_pk_init(key);
    int result =
        mbedtls_pk_parse_keyfile(key, path, NULL, mbedtls_psa_get_random, MBEDTLS_PSA_RANDOM_STATE);
    if (result != 0) {
        pem_file_free_key(key);
        return explain_key(result, path, why, why_size);
    }
    *out = key;
    return ERROR_NONE;
}
