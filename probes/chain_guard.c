#include "chain_guard.h"

#include <string.h>
#include <strings.h>

#include <mbedtls/ecp.h>
#include <mbedtls/pk.h>
#include <mbedtls/rsa.h>

#include "certinfo.h"

/* The names the linker gives to the wrapped function and to mbedTLS' own. */
int __wrap_mbedtls_x509_crt_verify_restartable(
    mbedtls_x509_crt *chain, mbedtls_x509_crt *trusted, mbedtls_x509_crl *revoked,
    const mbedtls_x509_crt_profile *profile, const char *name, uint32_t *flags,
    int (*callback)(void *, mbedtls_x509_crt *, int, uint32_t *), void *context,
    mbedtls_x509_crt_restart_ctx *restart);
int __real_mbedtls_x509_crt_verify_restartable(
    mbedtls_x509_crt *chain, mbedtls_x509_crt *trusted, mbedtls_x509_crl *revoked,
    const mbedtls_x509_crt_profile *profile, const char *name, uint32_t *flags,
    int (*callback)(void *, mbedtls_x509_crt *, int, uint32_t *), void *context,
    mbedtls_x509_crt_restart_ctx *restart);

/* Never false where mbedTLS finds two names equal, which it does whatever the case of the letters
 * in some kinds of string. */
static bool names_fit(const mbedtls_x509_name *a, const mbedtls_x509_name *b)
{
    for (; a != NULL && b != NULL; a = a->next, b = b->next) {
        if (a->oid.len != b->oid.len || a->val.len != b->val.len ||
            (a->oid.len > 0 && memcmp(a->oid.p, b->oid.p, a->oid.len) != 0)) {
            return false;
        }
        for (size_t i = 0; i < a->val.len; i++) {
            unsigned char x = a->val.p[i], y = b->val.p[i];
            bool letter = (x | 0x20) >= 'a' && (x | 0x20) <= 'z';
            if (x != y && !(letter && (x ^ y) == 0x20)) {
                return false;
            }
        }
    }
    return a == NULL && b == NULL;
}

static bool exponent_is_long(const mbedtls_pk_context *key)
{
    mbedtls_mpi exponent;
    mbedtls_mpi_init(&exponent);
    bool is_long =
        mbedtls_rsa_export(mbedtls_pk_rsa(*key), NULL, NULL, NULL, NULL, &exponent) != 0 ||
        mbedtls_mpi_bitlen(&exponent) > CHAIN_GUARD_EXPONENT_BITS;
    mbedtls_mpi_free(&exponent);
    return is_long;
}

/* Measured with mbedTLS 3.6, in units of P-256 (0.9 ms on a workstation): the Brainpool curves have
 * no fast reduction. */
static unsigned cost_of_curve(const mbedtls_pk_context *key)
{
    switch (mbedtls_ecp_keypair_get_group_id(mbedtls_pk_ec(*key))) {
    case MBEDTLS_ECP_DP_BP512R1:
        return 20;
    case MBEDTLS_ECP_DP_BP384R1:
        return 8;
    case MBEDTLS_ECP_DP_BP256R1:
    case MBEDTLS_ECP_DP_SECP521R1:
        return 4;
    case MBEDTLS_ECP_DP_SECP384R1:
        return 2;
    default:
        return 1;
    }
}

static unsigned cost_of(const mbedtls_pk_context *key)
{
    switch (mbedtls_pk_get_type(key)) {
    case MBEDTLS_PK_ECKEY:
    case MBEDTLS_PK_ECKEY_DH:
    case MBEDTLS_PK_ECDSA:
        return cost_of_curve(key);
    case MBEDTLS_PK_RSA:
        return exponent_is_long(key) ? CHAIN_GUARD_COST_MAX + 1 : 1;
    default:
        return 1;
    }
}

bool chain_guard_accepts(const mbedtls_x509_crt *chain)
{
    unsigned costs[CHAIN_GUARD_SENT_MAX], sent = 0, checks = 0, cost = 0;
    for (const mbedtls_x509_crt *at = chain; at != NULL; at = at->next) {
        if (sent == CHAIN_GUARD_SENT_MAX) {
            return false;
        }
        costs[sent] = cost_of(&at->pk);
        if (costs[sent++] > CHAIN_GUARD_COST_MAX) {
            return false; /* also of one nobody asked for: the leaf's key signs the handshake */
        }
    }
    unsigned child = 0;
    for (const mbedtls_x509_crt *at = chain; at != NULL; at = at->next, child++) {
        unsigned parent = child + 1;
        for (const mbedtls_x509_crt *by = at->next; by != NULL; by = by->next, parent++) {
            if (names_fit(&at->issuer, &by->subject)) {
                checks++;
                cost += costs[parent];
            }
        }
    }
    return checks <= CHAIN_GUARD_CHECKS_MAX && cost <= CHAIN_GUARD_COST_MAX;
}

int __wrap_mbedtls_x509_crt_verify_restartable(
    mbedtls_x509_crt *chain, mbedtls_x509_crt *trusted, mbedtls_x509_crl *revoked,
    const mbedtls_x509_crt_profile *profile, const char *name, uint32_t *flags,
    int (*callback)(void *, mbedtls_x509_crt *, int, uint32_t *), void *context,
    mbedtls_x509_crt_restart_ctx *restart)
{
    struct certinfo *info = callback == certinfo_verify ? context : NULL;
    int result = MBEDTLS_ERR_X509_FATAL_ERROR;
    if (info != NULL) {
        certinfo_chain(info->facts, chain);
    }
    if (chain_guard_accepts(chain)) {
        result = __real_mbedtls_x509_crt_verify_restartable(chain, trusted, revoked, profile, name,
                                                            flags, callback, context, restart);
    } else {
        *flags = UINT32_MAX;
    }
    if (info != NULL && result == MBEDTLS_ERR_X509_FATAL_ERROR) {
        certinfo_give_up(info);
    }
    return result;
}
