/* Bounds the work a peer's certificates can cause, before any of it is done.
 *
 * mbedTLS verifies the signature by every certificate sent whose name fits, at each of nine levels,
 * and takes keys as they come. A server that sends thirty-five expired CAs of one name on a slow
 * curve keeps it busy for twelve seconds inside one call, on a fast machine; an RSA key with an
 * exponent as long as its modulus is as bad. mbedTLS has no hook before that, so its entry point is
 * wrapped at link time (probes/CMakeLists.txt), which covers libcurl's handshakes too:
 * a chain is looked at here first, and one that asks for too much ends like one that is too deep.
 *
 * Because the leaf comes by here before it is judged, its facts are recorded even when mbedTLS
 * gives up. Thread rule: no state. */
#ifndef PICKET_CHAIN_GUARD_H
#define PICKET_CHAIN_GUARD_H

#include <mbedtls/x509_crt.h>

#include "base.h"

enum {
    CHAIN_GUARD_SENT_MAX = 64,   /* certificates in all; what fits into one message */
    CHAIN_GUARD_CHECKS_MAX = 12, /* signatures that could be tried; an honest chain has two or so */
    /* Their cost; 1 is about a P-256 verification. Two of the slowest curve, an honest chain's. */
    CHAIN_GUARD_COST_MAX = 40,
    CHAIN_GUARD_EXPONENT_BITS = 32
};

/* False: verifying this chain, leaf first, could take unreasonably long. */
bool chain_guard_accepts(const mbedtls_x509_crt *chain);

#endif
