/* What the tls probe thinks of what it saw. Decides run->result; never touches a socket.
 *
 * The order is that of enum reason: tls_policy, the certificate (certinfo.h), cert_pin, cert_soon;
 * what no date can change comes before what cannot be judged without a clock (`unknown`).
 * `verify = off` leaves min_tls, pins and min_days in force, and nothing else. */
#ifndef PICKET_TLS_VERDICT_H
#define PICKET_TLS_VERDICT_H

#include "certinfo.h"
#include "tls_target.h"

/* After a completed handshake. `leaf` may be NULL when the peer's certificate is not at hand. */
void tls_verdict(struct run *run, const struct tls_target *target, const struct certinfo *info,
                 const mbedtls_x509_crt *leaf);
/* Reads and judges target->path, with all facts. No phase has a duration. A file that is not there
 * fails with `connect`, one without a readable certificate with `protocol`; one the agent has no
 * right to read is `unknown`. The dates of all its certificates count; CAs and the name only when
 * ca_file is set. Blocks as long as the disk does. */
void tls_verdict_file(struct run *run, const struct tls_target *target);

#endif
