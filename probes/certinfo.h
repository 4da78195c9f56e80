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
    struct tls_facts *facts; /* written */
    struct wall_time wall;   /* the moment dates are judged by */
    bool verify;             /* false: facts only, everything passes */
    bool stop_on_bad;        /* true: a chain that is not good, or whose dates cannot be judged,
                              * ends the handshake (nothing is sent to a peer that is not
                              * trusted); false: it goes on and is judged after */
    const char *address;     /* an address literal the leaf must be for, when mbedTLS was given
                              * no name to check; NULL: none. Borrowed. */
    /* What was found, of the newest chain. */
    uint32_t flags; /* MBEDTLS_X509_BADCERT_… of all certificates, dates excluded */
    bool expired, not_yet_valid;
    bool seen;                     /* a whole chain went by */
    bool refused;                  /* it was the chain that ended the handshake */
    bool too_deep;                 /* not followed: too many intermediates, or chain_guard.h */
    bool self_signed;              /* the chain is one certificate, issued by itself */
    unsigned length;               /* certificates in the chain that was built */
    int64_t not_before, not_after; /* the latest and the earliest of that chain */
};

void certinfo_init(struct certinfo *info, struct tls_facts *facts, struct wall_time wall,
                   bool verify, bool stop_on_bad);
/* For mbedtls_ssl_conf_verify(); `info` is a struct certinfo. Called from the top of the chain down
 * to the leaf. One certinfo may see several handshakes (redirects): the newest counts. A resumed
 * session shows no certificate and calls nothing: switch resumption off. */
int certinfo_verify(void *info, mbedtls_x509_crt *certificate, int depth, uint32_t *flags);
/* The chain was not followed to its end (chain_guard.h): a certificate nobody vouches for. */
void certinfo_give_up(struct certinfo *info);
/* Judges the dates of every certificate of a chain that was not built by mbedTLS (a local file). */
void certinfo_dates(struct certinfo *info, const mbedtls_x509_crt *chain);
/* Version and cipher after a completed handshake; and the certificate, should no callback have
 * seen it. */
void certinfo_session(struct tls_facts *facts, const mbedtls_ssl_context *ssl);
/* Facts of a chain, leaf first: the one a peer sent, or a local file. */
void certinfo_chain(struct tls_facts *facts, const mbedtls_x509_crt *chain);

enum cert_verdict { CERT_GOOD, CERT_BAD, CERT_UNKNOWN /* no trusted clock for the date */ };
/* The verdict over what was recorded; *reason is set for CERT_BAD, the first in the order of enum
 * reason (an expired certificate is cert_expired even if no CA vouches for it). Without a trusted
 * clock only a fault that no date could change is CERT_BAD. CERT_GOOD also when verify is off or
 * when no certificate came. `why` is one line, "" when good. */
enum cert_verdict certinfo_judge(const struct certinfo *info, enum reason *reason, char *why,
                                 size_t why_size);
/* The SHA-256 of the certificate's SubjectPublicKeyInfo, as curl's --pinnedpubkey. ERROR_INVALID
 * when the certificate holds none. */
MUST_CHECK enum error certinfo_pin(const mbedtls_x509_crt *certificate, uint8_t sha256[32]);

#endif
