/* Guards against a peer whose certificates keep the agent busy: names in a maze, slow curves, long
 * exponents. And against refusing the chains honest servers send. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <mbedtls/ecp.h>
#include <mbedtls/pk.h>
#include <mbedtls/rsa.h>

#include "chain_guard.h"

enum { SENT_MAX = 70 };

/* The guard looks at names and keys only, so certificates are put together from those. */
struct sent_link {
    const char *subject, *issuer; /* the common name, as UTF8String */
    mbedtls_ecp_group_id curve;   /* 0: RSA with the usual exponent */
    unsigned exponent_bits;       /* of an RSA key; 0: 65537 */
};

static mbedtls_x509_crt sent[SENT_MAX];

static void set_name(mbedtls_x509_name *name, const char *text)
{
    name->oid.p = (unsigned char *)"\x55\x04\x03";
    name->oid.len = 3;
    name->val.tag = MBEDTLS_ASN1_UTF8_STRING;
    name->val.p = (unsigned char *)text;
    name->val.len = strlen(text);
}

static void set_rsa(mbedtls_pk_context *key, unsigned exponent_bits)
{
    mbedtls_mpi n, e;
    mbedtls_mpi_init(&n);
    mbedtls_mpi_init(&e);
    assert_int_equal(mbedtls_pk_setup(key, mbedtls_pk_info_from_type(MBEDTLS_PK_RSA)), 0);
    assert_int_equal(mbedtls_mpi_set_bit(&n, 2047, 1) | mbedtls_mpi_set_bit(&n, 0, 1), 0);
    assert_int_equal(mbedtls_mpi_lset(&e, 65537), 0);
    if (exponent_bits > 0) {
        assert_int_equal(mbedtls_mpi_set_bit(&e, exponent_bits - 1, 1), 0);
    }
    assert_int_equal(mbedtls_rsa_import(mbedtls_pk_rsa(*key), &n, NULL, NULL, NULL, &e), 0);
    mbedtls_mpi_free(&n);
    mbedtls_mpi_free(&e);
}

static bool accepts(const struct sent_link *links, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        mbedtls_x509_crt_init(&sent[i]);
        set_name(&sent[i].subject, links[i].subject);
        set_name(&sent[i].issuer, links[i].issuer);
        if (links[i].curve == MBEDTLS_ECP_DP_NONE) {
            set_rsa(&sent[i].pk, links[i].exponent_bits);
        } else {
            assert_int_equal(
                mbedtls_pk_setup(&sent[i].pk, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)), 0);
            assert_int_equal(mbedtls_ecp_group_load(
                                 &mbedtls_pk_ec(sent[i].pk)->MBEDTLS_PRIVATE(grp), links[i].curve),
                             0);
        }
        sent[i].next = i + 1 < count ? &sent[i + 1] : NULL;
    }
    bool accepted = chain_guard_accepts(sent);
    for (unsigned i = 0; i < count; i++) {
        mbedtls_pk_free(&sent[i].pk);
    }
    return accepted;
}

static void honest_chains_pass(void **state)
{
    static const struct sent_link plain[] = {{"a", "I", 0, 0}, {"I", "R", 0, 0}, {"R", "R", 0, 0}};
    static const struct sent_link crossed[] = {
        {"a", "I", 0, 0}, {"I", "R", 0, 0}, {"I", "Q", 0, 0}, {"R", "Q", 0, 0}, {"Q", "Q", 0, 0}};
    static const struct sent_link twice[] = {
        {"a", "I", 0, 0}, {"I", "R", 0, 0}, {"a", "I", 0, 0}, {"I", "R", 0, 0}, {"R", "R", 0, 0}};
    static const struct sent_link slow[] = {{"a", "I", MBEDTLS_ECP_DP_BP512R1, 0},
                                            {"I", "R", MBEDTLS_ECP_DP_BP512R1, 0},
                                            {"R", "R", MBEDTLS_ECP_DP_BP512R1, 0}};
    (void)state;
    assert_true(accepts(plain, 1));
    assert_true(accepts(plain, 3));
    assert_true(accepts(crossed, 5));
    assert_true(accepts(twice, 5));
    assert_true(accepts(slow, 3));
}

/* A bundle sent by mistake is many certificates and no maze. */
static void many_certificates_that_have_nothing_to_do_with_each_other_pass(void **state)
{
    struct sent_link links[SENT_MAX];
    char names[SENT_MAX][8];
    (void)state;
    for (unsigned i = 0; i < SENT_MAX; i++) {
        snprintf(names[i], sizeof names[i], "S%u", i);
        links[i] = (struct sent_link){names[i], "nobody", 0, 0};
    }
    assert_true(accepts(links, CHAIN_GUARD_SENT_MAX));
    assert_false(accepts(links, CHAIN_GUARD_SENT_MAX + 1));
}

static void a_maze_is_refused_from_its_first_step_too_many(void **state)
{
    struct sent_link links[SENT_MAX];
    (void)state;
    links[0] = (struct sent_link){"leaf", "a", 0, 0};
    for (unsigned i = 1; i < SENT_MAX; i++) {
        /* Letters of either case are one name to mbedTLS. */
        links[i] = (struct sent_link){i & 1 ? "a" : "A", "x", 0, 0};
    }
    assert_true(accepts(links, 1 + CHAIN_GUARD_CHECKS_MAX));
    assert_false(accepts(links, 2 + CHAIN_GUARD_CHECKS_MAX));
    for (unsigned i = 1; i < SENT_MAX; i++) {
        links[i].curve = MBEDTLS_ECP_DP_BP512R1;
    }
    assert_true(accepts(links, 3));
    assert_false(accepts(links, 4));
}

static void names_that_differ_are_no_maze(void **state)
{
    struct sent_link links[SENT_MAX];
    (void)state;
    links[0] = (struct sent_link){"leaf", "[", 0, 0};
    for (unsigned i = 1; i < 40; i++) {
        links[i] = (struct sent_link){"{", "x", 0, 0}; /* the bit of the case, but no letter */
    }
    assert_true(accepts(links, 40));
}

static void a_long_exponent_is_refused_wherever_it_stands(void **state)
{
    struct sent_link links[] = {{"a", "I", 0, 0}, {"I", "R", 0, 0}, {"x", "y", 0, 0}};
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        links[i].exponent_bits = CHAIN_GUARD_EXPONENT_BITS;
        assert_true(accepts(links, 3));
        links[i].exponent_bits = CHAIN_GUARD_EXPONENT_BITS + 1;
        assert_false(accepts(links, 3));
        links[i].exponent_bits = 2047;
        assert_false(accepts(links, 3));
        links[i].exponent_bits = 0;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(honest_chains_pass),
        cmocka_unit_test(many_certificates_that_have_nothing_to_do_with_each_other_pass),
        cmocka_unit_test(a_maze_is_refused_from_its_first_step_too_many),
        cmocka_unit_test(names_that_differ_are_no_maze),
        cmocka_unit_test(a_long_exponent_is_refused_wherever_it_stands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
