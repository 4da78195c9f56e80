/* The CA chains in use, keyed by path and counted: a bundle of the system costs about half a
 * megabyte and tens of milliseconds, more than a handshake, so 200 targets must not parse it 200
 * times.
 *
 * It is state outside a caller's struct. Thread rule: the thread that opens and closes targets.
 * Memory: on the heap, until the last user of a chain releases it. */
#ifndef PICKET_CA_TABLE_H
#define PICKET_CA_TABLE_H

#include <mbedtls/x509_crt.h>

#include "base.h"

/* The chain of a file, parsed if nobody uses it yet. The errors of pem_file.h with `why` about
 * `ca_file`, and ERROR_FULL: more different files than the table holds. */
MUST_CHECK enum error ca_table_share(const char *path, mbedtls_x509_crt **out, char *why,
                                     size_t why_size);
/* That of the system: the usual paths of Debian, OpenWrt, Alpine and Fedora; SSL_CERT_FILE wins. */
MUST_CHECK enum error ca_table_share_system(mbedtls_x509_crt **out, char *why, size_t why_size);
/* One user less of a chain that was shared; NULL is fine. */
void ca_table_release(const mbedtls_x509_crt *certificates);

#endif
