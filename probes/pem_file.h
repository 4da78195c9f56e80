/* Certificates and keys read from PEM or DER files: for a client's trust, and for a probe of a
 * file.
 *
 * Whatever stands at the path is looked at before it is read: a regular file of bounded size. Each
 * `why` is one line that begins with the configuration key and the path. The errors are
 * ERROR_MISSING (no such file), ERROR_DENIED (no right), ERROR_EXHAUSTED, ERROR_IO, ERROR_RANGE
 * (too large) and ERROR_INVALID (nothing of use in it). Blocks as long as the disk does. */
#ifndef PICKET_PEM_FILE_H
#define PICKET_PEM_FILE_H

#include <mbedtls/pk.h>
#include <mbedtls/x509_crt.h>

#include "base.h"

/* Reads the certificates of a file of at most `size_max` bytes into an initialised chain, which
 * stays the caller's to free. *unreadable counts those of a PEM file that were passed over. `key`
 * is the configuration key named in `why`. */
MUST_CHECK enum error pem_file_read_chain(mbedtls_x509_crt *chain, const char *key,
                                          const char *path, size_t size_max, unsigned *unreadable,
                                          char *why, size_t why_size);
/* The same into a chain on the heap, to be freed with pem_file_free_chain(); *out is left alone on
 * an error. */
MUST_CHECK enum error pem_file_new_chain(mbedtls_x509_crt **out, const char *key, const char *path,
                                         size_t size_max, unsigned *unreadable, char *why,
                                         size_t why_size);
/* The private key of `key_file`, which others may not have access to (ERROR_DENIED), likewise.
 * psa_crypto_init() is the caller's. */
MUST_CHECK enum error pem_file_new_key(mbedtls_pk_context **out, const char *path, size_t size_max,
                                       char *why, size_t why_size);
/* NULL is fine. */
void pem_file_free_chain(mbedtls_x509_crt *chain);
void pem_file_free_key(mbedtls_pk_context *key);

#endif
