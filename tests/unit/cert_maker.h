/* Makes certificates and keys in memory with mbedTLS, for tests: ECDSA P-256, SHA-256. Whatever
 * goes wrong here is a bug of the test and aborts. */
#ifndef PICKET_CERT_MAKER_H
#define PICKET_CERT_MAKER_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <mbedtls/ecp.h>
#include <mbedtls/oid.h>
#include <mbedtls/pem.h>
#include <mbedtls/pk.h>
#include <mbedtls/psa_util.h>
#include <mbedtls/x509_crt.h>
#include <psa/crypto.h>

enum { MADE_NAMES_MAX = 4, MADE_BYTES = 8192 };

struct made {
    mbedtls_x509_crt certificate; /* one; more may be appended with made_send() */
    mbedtls_pk_context key;
};

struct made_plan {
    const char *subject;      /* "CN=x,O=y"; NULL: CN=lab.example */
    const char *from, *until; /* "20200101000000"; NULL: 2020 and 2090 */
    bool authority;
    const char *dns[MADE_NAMES_MAX]; /* alternative names */
    unsigned char address[4];        /* an alternative name when not all zero */
    bool wide_address;               /* with twelve zero bytes behind it, as one of IPv6 */
    bool for_clients;                /* extended key usage clientAuth instead of serverAuth */
    mbedtls_md_type_t hash;          /* 0: SHA-256 */
};

static inline void made_check(bool good)
{
    if (!good) {
        abort();
    }
}

static inline void made_names(mbedtls_x509write_cert *writer, const struct made_plan *plan)
{
    unsigned char wide[16] = {0};
    static const unsigned char no_address[4];
    mbedtls_x509_san_list list[MADE_NAMES_MAX + 1];
    unsigned count = 0;
    memset(list, 0, sizeof list);
    for (unsigned i = 0; i < MADE_NAMES_MAX && plan->dns[i] != NULL; i++) {
        mbedtls_x509_subject_alternative_name *name = &list[count++].node;
        name->type = MBEDTLS_X509_SAN_DNS_NAME;
        name->san.unstructured_name.p = (unsigned char *)plan->dns[i];
        name->san.unstructured_name.len = strlen(plan->dns[i]);
    }
    if (memcmp(plan->address, no_address, 4) != 0) {
        mbedtls_x509_subject_alternative_name *name = &list[count++].node;
        name->type = MBEDTLS_X509_SAN_IP_ADDRESS;
        memcpy(wide, plan->address, 4);
        name->san.unstructured_name.p = wide;
        name->san.unstructured_name.len = plan->wide_address ? 16 : 4;
    }
    /* mbedTLS writes the list from its end. */
    for (unsigned i = 1; i < count; i++) {
        list[i].next = &list[i - 1];
    }
    if (count > 0) {
        int result = mbedtls_x509write_crt_set_subject_alternative_name(writer, &list[count - 1]);
        made_check(result == 0);
    }
}

static inline void made_usage(mbedtls_x509write_cert *writer, const struct made_plan *plan)
{
    mbedtls_asn1_sequence usage;
    memset(&usage, 0, sizeof usage);
    usage.buf.tag = MBEDTLS_ASN1_OID;
    usage.buf.p =
        (unsigned char *)(plan->for_clients ? MBEDTLS_OID_CLIENT_AUTH : MBEDTLS_OID_SERVER_AUTH);
    usage.buf.len = MBEDTLS_OID_SIZE(MBEDTLS_OID_SERVER_AUTH);
    int result = mbedtls_x509write_crt_set_basic_constraints(writer, plan->authority, -1);
    result |= mbedtls_x509write_crt_set_key_usage(
        writer, plan->authority ? MBEDTLS_X509_KU_KEY_CERT_SIGN | MBEDTLS_X509_KU_CRL_SIGN
                                : MBEDTLS_X509_KU_DIGITAL_SIGNATURE);
    if (!plan->authority) {
        result |= mbedtls_x509write_crt_set_ext_key_usage(writer, &usage);
    }
    made_check(result == 0);
}

/* `issuer` NULL: signed by itself. `issuer_subject` is the issuer's as planned. */
static inline void made_new(struct made *out, const struct made_plan *plan,
                            const struct made *issuer, const char *issuer_subject)
{
    static unsigned char serial[2] = {0x0A, 0x00};
    static unsigned char der[MADE_BYTES];
    const char *subject = plan->subject != NULL ? plan->subject : "CN=lab.example";
    mbedtls_x509write_cert writer;
    int result = psa_crypto_init() == PSA_SUCCESS ? 0 : -1;
    mbedtls_x509_crt_init(&out->certificate);
    mbedtls_pk_init(&out->key);
    mbedtls_x509write_crt_init(&writer);
    result |= mbedtls_pk_setup(&out->key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY));
    result |= mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(out->key),
                                  mbedtls_psa_get_random, MBEDTLS_PSA_RANDOM_STATE);
    mbedtls_x509write_crt_set_version(&writer, MBEDTLS_X509_CRT_VERSION_3);
    mbedtls_x509write_crt_set_md_alg(&writer, plan->hash != 0 ? plan->hash : MBEDTLS_MD_SHA256);
    mbedtls_x509write_crt_set_subject_key(&writer, &out->key);
    mbedtls_x509write_crt_set_issuer_key(
        &writer, issuer != NULL ? (mbedtls_pk_context *)&issuer->key : &out->key);
    serial[1]++;
    result |= mbedtls_x509write_crt_set_serial_raw(&writer, serial, sizeof serial);
    result |= mbedtls_x509write_crt_set_subject_name(&writer, subject);
    result |=
        mbedtls_x509write_crt_set_issuer_name(&writer, issuer != NULL ? issuer_subject : subject);
    result |= mbedtls_x509write_crt_set_validity(
        &writer, plan->from != NULL ? plan->from : "20200101000000",
        plan->until != NULL ? plan->until : "20900101000000");
    made_check(result == 0);
    made_usage(&writer, plan);
    made_names(&writer, plan);
    int size = mbedtls_x509write_crt_der(&writer, der, sizeof der, mbedtls_psa_get_random,
                                         MBEDTLS_PSA_RANDOM_STATE);
    made_check(size > 0);
    result = mbedtls_x509_crt_parse_der(&out->certificate, der + sizeof der - size, (size_t)size);
    made_check(result == 0);
    mbedtls_x509write_crt_free(&writer);
}

/* Puts another's certificate behind the leaf, as a server sends it. */
static inline void made_send(struct made *leaf, const struct made *other)
{
    int result = mbedtls_x509_crt_parse_der(&leaf->certificate, other->certificate.raw.p,
                                            other->certificate.raw.len);
    made_check(result == 0);
}

/* Writes the chain, and the key when `key_path` is set, as PEM. */
static inline void made_save(const struct made *made, const char *path, const char *key_path)
{
    static unsigned char pem[2 * MADE_BYTES];
    size_t used;
    FILE *file = fopen(path, "w");
    made_check(file != NULL);
    for (const mbedtls_x509_crt *at = &made->certificate; at != NULL; at = at->next) {
        made_check(mbedtls_pem_write_buffer("-----BEGIN CERTIFICATE-----\n",
                                            "-----END CERTIFICATE-----\n", at->raw.p, at->raw.len,
                                            pem, sizeof pem, &used) == 0);
        made_check(fputs((const char *)pem, file) >= 0);
    }
    made_check(fclose(file) == 0);
    if (key_path != NULL) {
        file = fopen(key_path, "w");
        made_check(file != NULL && chmod(key_path, 0600) == 0 &&
                   mbedtls_pk_write_key_pem(&made->key, pem, sizeof pem) == 0 &&
                   fputs((const char *)pem, file) >= 0 && fclose(file) == 0);
    }
}

static inline void made_free(struct made *made)
{
    mbedtls_x509_crt_free(&made->certificate);
    mbedtls_pk_free(&made->key);
}

#endif
