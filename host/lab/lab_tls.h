/* TLS for the lab: a CA and certificates made at start, and a blocking server session. */
#ifndef PICKET_LAB_TLS_H
#define PICKET_LAB_TLS_H

#include <mbedtls/ssl.h>

#include "lab.h"

/* Makes a CA and one certificate for each TLS server of the lab, all for the name
 * lab.picket.test and 127.0.0.1 but the wrong-name one; writes the CA to `ca_path`. NULL after
 * saying why on stderr. */
struct lab_certs *lab_certs_new(const char *ca_path);

struct lab_tls {
    mbedtls_ssl_context ssl;
    mbedtls_ssl_config config;
};

/* Handshakes as a server with the certificate of `id` (the tcp server uses that of LAB_TLS). */
bool lab_tls_accept(struct lab_tls *tls, const struct lab_certs *certs, enum lab_server_id id,
                    int *fd);
/* Bytes moved, <= 0 at the end. */
int lab_tls_read(struct lab_tls *tls, void *bytes, size_t size);
int lab_tls_write(struct lab_tls *tls, const void *bytes, size_t count);
void lab_tls_end(struct lab_tls *tls);

#endif
