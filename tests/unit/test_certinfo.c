/* Guards against certificate facts that vanish just when the certificate is bad, and verdicts by a
 * clock nobody set. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cert_maker.h"
#include "certinfo.h"
#include "certtext.h"

#define NOW_2026 ((usec_t)1782864000 * USEC_PER_SEC) /* 2026-07-01 */

static const struct wall_time now_2026 = {.unix_us = NOW_2026, .trusted = true};

static struct made root, other_root;

enum chain { FROM_ROOT, FROM_OTHER, SELF };

struct row {
    const char *what;
    struct made_plan plan;
    enum chain chain;
    const char *host;    /* the name checked by mbedTLS; NULL, and no address: lab.example */
    const char *address; /* the literal checked by certinfo */
    bool no_clock, no_verify;
    enum cert_verdict verdict;
    enum reason reason; /* of a bad one */
};
#define BAD(why) .verdict = CERT_BAD, .reason = (why)

static void run_row(const struct row *row, bool stop_on_bad, struct certinfo *info,
                    struct tls_facts *facts, uint32_t *flags)
{
    struct made leaf;
    const struct made *issuer = row->chain == FROM_ROOT ? &root : &other_root;
    made_new(&leaf, &row->plan, row->chain == SELF ? NULL : issuer,
             row->chain == FROM_ROOT ? "CN=Root,O=Lab" : "CN=Other");
    memset(facts, 0, sizeof *facts);
    struct wall_time wall = {.unix_us = row->no_clock ? 0 : NOW_2026, .trusted = !row->no_clock};
    certinfo_init(info, facts, wall, !row->no_verify, stop_on_bad);
    info->address = row->address;
    const char *host = row->host == NULL && row->address == NULL ? "lab.example" : row->host;
    (void)mbedtls_x509_crt_verify(&leaf.certificate, &root.certificate, NULL, host, flags,
                                  certinfo_verify, info);
    assert_int_equal(facts->leaf_not_after, certtext_unix(&leaf.certificate.valid_to));
    made_free(&leaf);
}

static const struct row verdict_rows[] = {
    {.what = "good"},
    {.what = "good by alternative name",
     .plan = {.dns = {"a.example", "b.example"}},
     .host = "b.example"},
    {.what = "expired", .plan = {.until = "20260630235959"}, BAD(REASON_CERT_EXPIRED)},
    {.what = "its last second", .plan = {.until = "20260701000000"}},
    {.what = "its first second", .plan = {.from = "20260701000000"}},
    {.what = "not begun", .plan = {.from = "20260701000001"}, BAD(REASON_CERT_NOT_YET_VALID)},
    {.what = "unknown issuer", .chain = FROM_OTHER, BAD(REASON_CERT_UNTRUSTED)},
    {.what = "self-signed", .chain = SELF, BAD(REASON_CERT_UNTRUSTED)},
    {.what = "weak hash", .plan = {.hash = MBEDTLS_MD_SHA1}, BAD(REASON_CERT_UNTRUSTED)},
    {.what = "a client's", .plan = {.for_clients = true}, BAD(REASON_CERT_UNTRUSTED)},
    {.what = "another name", .host = "other.example", BAD(REASON_CERT_NAME)},
    {.what = "expired wins over untrusted and name",
     .plan = {.until = "20260101000000"},
     .chain = FROM_OTHER,
     .host = "other.example",
     BAD(REASON_CERT_EXPIRED)},
    {.what = "untrusted wins over name",
     .chain = FROM_OTHER,
     .host = "other.example",
     BAD(REASON_CERT_UNTRUSTED)},
    {.what = "address", .plan = {.address = {127, 0, 0, 1}}, .address = "127.0.0.1"},
    {.what = "another address",
     .plan = {.address = {127, 0, 0, 1}},
     .address = "127.0.0.2",
     BAD(REASON_CERT_NAME)},
    {.what = "address as a DNS name",
     .plan = {.dns = {"127.0.0.1"}},
     .address = "127.0.0.1",
     BAD(REASON_CERT_NAME)},
    {.what = "address only as common name",
     .plan = {.subject = "CN=127.0.0.1"},
     .address = "127.0.0.1"},
    {.what = "common name does not count beside alternative names",
     .plan = {.subject = "CN=127.0.0.1", .dns = {"a.example"}},
     .address = "127.0.0.1",
     BAD(REASON_CERT_NAME)},
    {.what = "address of the other family",
     .plan = {.address = {127, 0, 0, 1}},
     .address = "::1",
     BAD(REASON_CERT_NAME)},
    {.what = "an address of IPv6 that begins like it",
     .plan = {.address = {127, 0, 0, 1}, .wide_address = true},
     .address = "127.0.0.1",
     BAD(REASON_CERT_NAME)},
    {.what = "an address of IPv6",
     .plan = {.address = {127, 0, 0, 1}, .wide_address = true},
     .address = "7f00:1::"},
    {.what = "no clock, all else good",
     .plan = {.until = "20200601000000"},
     .no_clock = true,
     .verdict = CERT_UNKNOWN},
    {.what = "no clock, untrusted all the same",
     .chain = FROM_OTHER,
     .no_clock = true,
     BAD(REASON_CERT_UNTRUSTED)},
    {.what = "no clock, wrong name all the same",
     .host = "x",
     .no_clock = true,
     BAD(REASON_CERT_NAME)},
    {.what = "verify off",
     .plan = {.until = "20200601000000"},
     .chain = FROM_OTHER,
     .host = "x",
     .no_verify = true},
};

static void verdicts_follow_the_order_of_the_reasons(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(verdict_rows); i++) {
        const struct row *row = &verdict_rows[i];
        struct certinfo info;
        struct tls_facts facts;
        uint32_t flags;
        enum reason reason = REASON_NONE;
        char why[128];
        run_row(row, false, &info, &facts, &flags);
        enum cert_verdict verdict = certinfo_judge(&info, &reason, why, sizeof why);
        if (verdict != row->verdict || (verdict == CERT_BAD && reason != row->reason)) {
            fail_msg("%s: verdict %d reason %s (%s)", row->what, verdict, reason_name(reason), why);
        }
        assert_int_equal(flags, 0); /* judged afterwards: nothing ends the handshake */
        assert_false(info.refused);
        assert_int_equal(why[0] == '\0', verdict == CERT_GOOD);
        assert_true(facts.certificate);
    }
}

/* What is sent to a peer that is not trusted is lost: http and tcp end the handshake. */
static void a_bad_chain_ends_the_handshake_where_it_must(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(verdict_rows); i++) {
        const struct row *row = &verdict_rows[i];
        struct certinfo info;
        struct tls_facts facts;
        uint32_t flags;
        run_row(row, true, &info, &facts, &flags);
        if ((flags != 0) != (row->verdict != CERT_GOOD)) {
            fail_msg("%s: flags %x", row->what, flags);
        }
        assert_int_equal(info.refused, row->verdict != CERT_GOOD);
        assert_true(facts.certificate);
    }
}

static void verified_expiry_is_known_only_for_a_chain_that_was_verified(void **state)
{
    static const struct row rows[] = {
        {.what = "good"},
        {.what = "expired", .plan = {.until = "20260101000000"}},
        {.what = "another name", .host = "x"},
        {.what = "untrusted", .chain = FROM_OTHER},
        {.what = "verify off", .no_verify = true},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct certinfo info;
        struct tls_facts facts;
        uint32_t flags;
        run_row(&rows[i], false, &info, &facts, &flags);
        int64_t expected = i < 3 ? usec_min(facts.leaf_not_after, 2524608000) : 0;
        assert_int_equal(facts.verified_not_after, expected); /* the root ends in 2050 */
    }
}

static void one_certinfo_serves_handshake_after_handshake(void **state)
{
    struct made bad, good;
    struct tls_facts facts = {0};
    struct certinfo info;
    enum reason reason;
    char why[64];
    uint32_t flags;
    (void)state;
    made_new(&bad, &(struct made_plan){.until = "20210101000000"}, &other_root, "CN=Other");
    made_new(&good, &(struct made_plan){0}, &root, "CN=Root,O=Lab");
    certinfo_init(&info, &facts, now_2026, true, true);
    (void)mbedtls_x509_crt_verify(&bad.certificate, &root.certificate, NULL, "lab.example", &flags,
                                  certinfo_verify, &info);
    assert_true(info.refused);
    assert_int_equal(mbedtls_x509_crt_verify(&good.certificate, &root.certificate, NULL,
                                             "lab.example", &flags, certinfo_verify, &info),
                     0);
    assert_false(info.refused);
    assert_int_equal(certinfo_judge(&info, &reason, why, sizeof why), CERT_GOOD);
    made_free(&bad);
    made_free(&good);
}

static void facts_tell_the_leaf_and_the_earliest_of_what_was_sent(void **state)
{
    struct made leaf, middle;
    struct tls_facts facts = {0};
    (void)state;
    made_new(&middle,
             &(struct made_plan){.subject = "CN=M", .authority = true, .until = "20300101000000"},
             &root, "CN=Root,O=Lab");
    made_new(&leaf, &(struct made_plan){.subject = "CN=leaf,O=Org,C=US", .dns = {"a", "b"}},
             &middle, "CN=M");
    made_send(&leaf, &middle);
    certinfo_chain(&facts, &leaf.certificate);
    assert_string_equal(facts.subject, "CN=leaf,O=Org,C=US");
    assert_string_equal(facts.issuer, "CN=M");
    assert_string_equal(facts.subject_alternative, "a,b");
    assert_int_equal(facts.leaf_not_before, 1577836800);
    assert_int_equal(facts.leaf_not_after, 3786912000);
    assert_int_equal(facts.sent_not_after, 1893456000);
    assert_int_equal(facts.verified_not_after, 0);
    assert_int_equal(strlen(facts.fingerprint_sha256), 64);
    assert_int_equal(strncmp(facts.serial, "0a", 2), 0);
    made_free(&leaf);
    made_free(&middle);
}

static void nothing_seen_is_nothing_bad(void **state)
{
    struct tls_facts facts = {0};
    struct certinfo info;
    enum reason reason = REASON_NONE;
    char why[8] = "x";
    (void)state;
    certinfo_init(&info, &facts, now_2026, true, true);
    assert_int_equal(certinfo_judge(&info, &reason, why, sizeof why), CERT_GOOD);
    assert_string_equal(why, "");
}

/* SubjectPublicKeyInfo, not the key bits and not the certificate: `openssl pkey -pubin -outform
 * DER | sha256sum` of the same key gives the same. */
static void a_pin_is_the_hash_of_the_public_key_info(void **state)
{
    uint8_t pin[32], expected[32], der[256];
    size_t used;
    (void)state;
    int length = mbedtls_pk_write_pubkey_der(&root.key, der, sizeof der);
    assert_true(length > 0);
    assert_int_equal(psa_hash_compute(PSA_ALG_SHA_256, der + sizeof der - length, (size_t)length,
                                      expected, sizeof expected, &used),
                     PSA_SUCCESS);
    assert_int_equal(certinfo_pin(&root.certificate, pin), ERROR_NONE);
    assert_memory_equal(pin, expected, sizeof pin);
    mbedtls_x509_crt empty;
    mbedtls_x509_crt_init(&empty);
    assert_int_equal(certinfo_pin(&empty, pin), ERROR_INVALID);
}

static int make_roots(void **state)
{
    (void)state;
    made_new(&root,
             &(struct made_plan){
                 .subject = "CN=Root,O=Lab", .authority = true, .until = "20500101000000"},
             NULL, NULL);
    made_new(&other_root, &(struct made_plan){.subject = "CN=Other", .authority = true}, NULL,
             NULL);
    return 0;
}

static int free_roots(void **state)
{
    (void)state;
    made_free(&root);
    made_free(&other_root);
    mbedtls_psa_crypto_free();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verdicts_follow_the_order_of_the_reasons),
        cmocka_unit_test(a_bad_chain_ends_the_handshake_where_it_must),
        cmocka_unit_test(verified_expiry_is_known_only_for_a_chain_that_was_verified),
        cmocka_unit_test(one_certinfo_serves_handshake_after_handshake),
        cmocka_unit_test(facts_tell_the_leaf_and_the_earliest_of_what_was_sent),
        cmocka_unit_test(nothing_seen_is_nothing_bad),
        cmocka_unit_test(a_pin_is_the_hash_of_the_public_key_info),
    };
    return cmocka_run_group_tests(tests, make_roots, free_roots);
}
