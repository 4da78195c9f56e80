/* Certificate facts, read first and judged second, for http, tcp and tls alike.
 *
 * mbedTLS calls certinfo_verify() for each certificate of the chain it builds. It records the
 * facts and every flag, and takes the dates out of mbedTLS' hands: the date is judged by our own
 * clock, `unknown` when it is not trusted. */
#ifndef PICKET_CERTINFO_H
#define PICKET_CERTINFO_H

#include <mbedtls/ssl.h>
#include <mbedtls/x509_crt.h>

#include "clock.h"
#include "result.h"

struct certinfo {
    struct tls_facts *facts;   /* written */
    struct wall_time wall;     /* the moment dates are judged by */
    bool verify;               /* false: facts only, everything passes */
    bool stop_on_bad;          /* true: a bad chain ends the handshake (nothing is sent to a peer
                                * that is not trusted); false: it goes on and is judged after */
    uint32_t flags;            /* MBEDTLS_X509_BADCERT_… of all certificates, dates excluded */
    bool expired, not_yet_valid;
    bool seen;
};

void certinfo_init(struct certinfo *info, struct tls_facts *facts, struct wall_time wall,
                   bool verify, bool stop_on_bad);
/* For mbedtls_ssl_conf_verify(); `info` is a struct certinfo. */
int certinfo_verify(void *info, mbedtls_x509_crt *certificate, int depth, uint32_t *flags);
/* Version and cipher after a completed handshake. */
void certinfo_session(struct tls_facts *facts, const mbedtls_ssl_context *ssl);
/* Facts of a chain that did not come over a handshake (a local file). */
void certinfo_chain(struct tls_facts *facts, const mbedtls_x509_crt *chain);

enum cert_verdict { CERT_GOOD, CERT_BAD, CERT_UNKNOWN /* no trusted clock for the date */ };
/* The verdict over what was recorded; *reason is set for CERT_BAD (untrusted before name; an
 * expired one is cert_expired even if the chain is otherwise fine). `why` is one line. */
enum cert_verdict certinfo_judge(const struct certinfo *info, enum reason *reason, char *why,
                                 size_t why_size);
/* The SHA-256 of the certificate's SubjectPublicKeyInfo, as curl's --pinnedpubkey. */
enum error certinfo_pin(const mbedtls_x509_crt *certificate, uint8_t sha256[32]);

#endif
