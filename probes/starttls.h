/* The cleartext words before TLS on a port that begins without it: smtp imap pop3 ftp postgres
 * ldap. A pure dialog: bytes of the server go in, bytes to send come out, at the end stands ready
 * or refused. It works on a byte stream: how the bytes were cut into segments makes no difference.
 *
 * Anything the server sends in clear behind its go-ahead is refused: a peer in the middle could
 * have put it there to be taken for what comes inside TLS (CVE-2011-0411 and its family).
 * Bounded: STARTTLS_BYTES_MAX bytes are read. No allocation. Thread rule: none.
 *
 * Sources: RFC 3207 (SMTP), RFC 9051 section 6.2.1 (IMAP), RFC 2595 section 4 (POP3), RFC 4217
 * (FTP), PostgreSQL "Message Flow" section SSL Session Encryption, RFC 4511 section 4.14 (LDAP). */
#ifndef PICKET_STARTTLS_H
#define PICKET_STARTTLS_H

#include "base.h"

enum { STARTTLS_BYTES_MAX = 16 * 1024, STARTTLS_LINE_BYTES = 96, STARTTLS_MESSAGE_BYTES = 512 };

enum starttls_protocol {
    STARTTLS_NONE,
    STARTTLS_SMTP,
    STARTTLS_IMAP,
    STARTTLS_POP3,
    STARTTLS_FTP,
    STARTTLS_POSTGRES,
    STARTTLS_LDAP,
    STARTTLS_PROTOCOL_COUNT
};
/* "none" "smtp" … NULL: the choices of a configuration key, in the order of the enum. */
extern const char *const starttls_names[];
/* The port the protocol is usually found at; 443 for none. */
uint16_t starttls_port(enum starttls_protocol protocol);

enum starttls_state {
    STARTTLS_MORE,   /* send what there is to send, then feed what the server says */
    STARTTLS_READY,  /* send what there is to send, then begin TLS */
    STARTTLS_REFUSED /* `why` says it in one line: the server's own words, not made safe */
};

struct starttls {
    enum starttls_protocol protocol;
    enum starttls_state state;
    unsigned step;      /* replies that were as they should be */
    size_t bytes_taken; /* from the server, in all */
    size_t out_length, out_sent;
    char out[64];
    unsigned reply_code; /* of a reply of several lines that has begun; 0: none */
    size_t held;         /* bytes in `line` (its beginning) or `message` (all) */
    union {
        char line[STARTTLS_LINE_BYTES];
        uint8_t message[STARTTLS_MESSAGE_BYTES];
    };
    char why[STARTTLS_LINE_BYTES + 64];
};

/* Begins; STARTTLS_NONE is ready at once. */
void starttls_begin(struct starttls *dialog, enum starttls_protocol protocol);
/* Takes bytes from the server and returns the new state. */
enum starttls_state starttls_feed(struct starttls *dialog, const void *bytes, size_t count);
/* What is to be sent now; *count 0 when nothing. Borrowed until the next call. */
const void *starttls_output(const struct starttls *dialog, size_t *count);
/* That many bytes of it were sent. */
void starttls_sent(struct starttls *dialog, size_t count);

#endif
