/* What a certificate says, as text and numbers that are safe to show: names, alternative names,
 * serial numbers, dates. Pure; no allocation; for certinfo.
 *
 * Everything in a certificate is chosen by the peer. Texts are cut at CAP_CERT_TEXT_BYTES - 1 bytes
 * on a character border, valid UTF-8 is kept, control characters and bytes that are no UTF-8 become
 * \xNN. `out` is CAP_CERT_TEXT_BYTES bytes and always ends with a NUL. */
#ifndef PICKET_CERTTEXT_H
#define PICKET_CERTTEXT_H

#include <mbedtls/x509_crt.h>

#include "caps.h"

/* A distinguished name byte for byte as blackbox_exporter shows it, which is Go's
 * pkix.Name.String(): RFC 2253 order (CN first), the known attributes grouped, several values of
 * one joined by "+", unknown attributes last as OID=#hex. */
void certtext_name(const mbedtls_x509_name *name, char *out);
/* The DNS names among the alternative names, joined by ",". */
void certtext_dns_names(const mbedtls_x509_sequence *names, char *out);
/* Lower-case hex of the bytes; a serial's leading zero bytes (its sign) are left out. */
void certtext_serial(const mbedtls_x509_buf *serial, char *out);
/* Lower-case hex of `count` bytes and a NUL: 2 * count + 1 bytes. */
void certtext_hex(const unsigned char *bytes, size_t count, char *out);
/* Unix seconds of a date in UTC; by arithmetic, so that no time zone and no 2038 comes in. */
int64_t certtext_unix(const mbedtls_x509_time *time);

#endif
