/* Guards against certificate facts that vanish just when the certificate is bad, verdicts by a
 * clock nobody set, and text of a peer that reaches a label or a terminal as it was sent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cert_maker.h"
#include "certinfo.h"
#include "certtext.h"

#define NOW_2026 ((usec_t)1782864000 * USEC_PER_SEC) /* 2026-07-01 */

static const struct wall_time now_2026 = {.unix_us = NOW_2026, .trusted = true};

/* ---- dates ---- */

static void dates_become_unix_seconds_without_libc(void **state)
{
    static const struct {
        mbedtls_x509_time time;
        int64_t unix_seconds;
    } rows[] = {
        {{1970, 1, 1, 0, 0, 0}, 0},
        {{1970, 1, 1, 0, 0, 1}, 1},
        {{1969, 12, 31, 23, 59, 59}, -1},
        {{2000, 2, 29, 12, 0, 0}, 951825600},
        {{2000, 3, 1, 0, 0, 0}, 951868800},
        {{1900, 3, 1, 0, 0, 0}, -2203891200},
        {{2038, 1, 19, 3, 14, 8}, 2147483648},
        {{2026, 7, 1, 0, 0, 0}, 1782864000},
        {{2100, 2, 28, 23, 59, 59}, 4107542399},
        {{2100, 3, 1, 0, 0, 0}, 4107542400},
        {{9999, 12, 31, 23, 59, 59}, 253402300799},
        {{0, 1, 1, 0, 0, 0}, -62167219200},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(certtext_unix(&rows[i].time), rows[i].unix_seconds);
    }
}

/* ---- names ---- */

struct attribute {
    const char *oid;
    size_t oid_length;
    int tag;
    const char *value;
    size_t value_length;
};
#define OID(bytes)  bytes, sizeof(bytes) - 1
#define VALUE(text) text, sizeof(text) - 1
#define UTF8(number, text)                                                                         \
    {                                                                                              \
        OID("\x55\x04" number), MBEDTLS_ASN1_UTF8_STRING, VALUE(text)                              \
    }
#define CN      "\x03"
#define ORG     "\x0A"
#define UNIT    "\x0B"
#define COUNTRY "\x06"
#define MAIL    "\x2A\x86\x48\x86\xF7\x0D\x01\x09\x01"
enum { ATTRIBUTES_MAX = 10 };

static const mbedtls_x509_name *name_of(const struct attribute *rows)
{
    static mbedtls_x509_name names[ATTRIBUTES_MAX];
    memset(names, 0, sizeof names);
    for (unsigned i = 0; i < ATTRIBUTES_MAX && rows[i].oid != NULL; i++) {
        names[i].oid.tag = MBEDTLS_ASN1_OID;
        names[i].oid.p = (unsigned char *)rows[i].oid;
        names[i].oid.len = rows[i].oid_length;
        names[i].val.tag = rows[i].tag;
        names[i].val.p = (unsigned char *)rows[i].value;
        names[i].val.len = rows[i].value_length;
        if (i > 0) {
            names[i - 1].next = &names[i];
        }
    }
    return names;
}

/* The expected texts follow Go's crypto/x509/pkix: Name.String(), which is what blackbox_exporter
 * puts into its labels. */
static void names_read_as_blackbox_exporter_shows_them(void **state)
{
    static const struct {
        struct attribute attributes[ATTRIBUTES_MAX];
        const char *text;
    } rows[] = {
        {{{0}}, ""},
        {{UTF8(CN, "example.com")}, "CN=example.com"},
        {{UTF8(COUNTRY, "US"), UTF8(ORG, "Org"), UTF8(CN, "example.com")},
         "CN=example.com,O=Org,C=US"},
        /* the order in the certificate does not matter, Go sorts */
        {{UTF8(CN, "example.com"), UTF8(ORG, "Org"), UTF8(COUNTRY, "US")},
         "CN=example.com,O=Org,C=US"},
        {{UTF8("\x05", "42"), UTF8(CN, "c"), UTF8("\x11", "1"), UTF8("\x09", "s"),
          UTF8("\x08", "p"), UTF8("\x07", "l"), UTF8(UNIT, "u"), UTF8(ORG, "o"),
          UTF8(COUNTRY, "C")},
         "SERIALNUMBER=42,CN=c,POSTALCODE=1,STREET=s,ST=p,L=l,OU=u,O=o,C=C"},
        {{UTF8(UNIT, "a"), UTF8(UNIT, "b")}, "OU=a+OU=b"},
        {{UTF8(CN, "first"), UTF8(CN, "last")}, "CN=last"},
        {{UTF8(CN, ""), UTF8(ORG, "o")}, "O=o"},
        {{UTF8(ORG, ""), UTF8(CN, "c")}, "CN=c,O="},
        {{UTF8(CN, "a,b+c\"d\\e<f>g;h")}, "CN=a\\,b\\+c\\\"d\\\\e\\<f\\>g\\;h"},
        {{UTF8(CN, " a b ")}, "CN=\\ a b\\ "},
        {{UTF8(CN, "#a#")}, "CN=\\#a#"},
        {{UTF8(CN, "a=b")}, "CN=a=b"},
        {{{OID(MAIL), MBEDTLS_ASN1_IA5_STRING, VALUE("a@b")}, UTF8(CN, "c")},
         "CN=c,1.2.840.113549.1.9.1=#0c03614062"},
        {{{OID(MAIL), MBEDTLS_ASN1_UTF8_STRING, VALUE("ab")},
          {OID("\x55\x04\x0C"), MBEDTLS_ASN1_UTF8_STRING, VALUE("x*")}},
         "2.5.4.12=#0c02782a,1.2.840.113549.1.9.1=#13026162"},
        {{UTF8(CN, "\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80")},
         "CN=\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80"},
        {{{OID("\x55\x04\x03"), MBEDTLS_ASN1_BMP_STRING, VALUE("\0a\x20\xAC\xD8\x3D\xDE\x00")}},
         "CN=a\xE2\x82\xAC\xF0\x9F\x98\x80"},
    };
    char text[CAP_CERT_TEXT_BYTES];
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        certtext_name(name_of(rows[i].attributes), text);
        assert_string_equal(text, rows[i].text);
    }
}

static void hostile_text_in_a_name_is_escaped(void **state)
{
    static const struct {
        struct attribute attribute;
        const char *text;
    } rows[] = {
        {UTF8(CN, "a\x1B[2Jb"), "CN=a\\x1b[2Jb"},
        {UTF8(CN, "a\nb\0c\x7F"), "CN=a\\x0ab\\x00c\\x7f"},
        {UTF8(CN, "\xC2\x9B"), "CN=\\xc2\\x9b"},          /* C1: CSI in eight bits */
        {UTF8(CN, "\xC2\xA0"), "CN=\xC2\xA0"},            /* the first behind C1 */
        {UTF8(CN, "\xFF\xC3"), "CN=\\xff\\xc3"},          /* no lead; cut short */
        {UTF8(CN, "\xC0\x80"), "CN=\\xc0\\x80"},          /* overlong */
        {UTF8(CN, "\xED\xA0\x80"), "CN=\\xed\\xa0\\x80"}, /* surrogate */
        {UTF8(CN, "\xF4\x90\x80\x80"), "CN=\\xf4\\x90\\x80\\x80"},
        {{OID("\x55\x04\x03"), MBEDTLS_ASN1_BMP_STRING, VALUE("\0\x1B\0a")}, "CN=\\x1ba"},
        {{OID("\x55\x04\x03"), MBEDTLS_ASN1_BMP_STRING, VALUE("\xD8\x3D\0")},
         "CN=\\xd8\\x3d\\x00"}, /* half a pair, half a unit */
        {{OID("\x55\x04\x03"), MBEDTLS_ASN1_T61_STRING, VALUE("\xE9")}, "CN=\\xe9"},
        {{OID(MAIL), MBEDTLS_ASN1_UTF8_STRING, VALUE("\xFF")}, "1.2.840.113549.1.9.1=\\xff"},
    };
    char text[CAP_CERT_TEXT_BYTES];
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct attribute one[ATTRIBUTES_MAX] = {rows[i].attribute};
        certtext_name(name_of(one), text);
        assert_string_equal(text, rows[i].text);
    }
}

/* A character, an escape or a pair of hex digits is there whole or not at all. */
static void long_text_is_cut_on_a_character_border(void **state)
{
    char value[400], text[CAP_CERT_TEXT_BYTES + 1];
    (void)state;
    for (size_t lead = 240; lead <= 256; lead++) {
        static const char *const tails[] = {"\xE2\x82\xAC", "\x1B", ",", "\xF0\x9F\x98\x80"};
        for (size_t t = 0; t < ARRAY_LEN(tails); t++) {
            memset(value, 'x', sizeof value);
            memcpy(value + lead, tails[t], strlen(tails[t]));
            struct attribute one[ATTRIBUTES_MAX] = {
                {OID("\x55\x04\x03"), MBEDTLS_ASN1_UTF8_STRING, value, sizeof value}};
            memset(text, '!', sizeof text);
            certtext_name(name_of(one), text);
            size_t length = strlen(text);
            assert_true(length <= CAP_CERT_TEXT_BYTES - 1);
            assert_int_equal(text[CAP_CERT_TEXT_BYTES], '!');
            /* Either the tail is whole, or the text ends just before it. */
            size_t shown = t == 1 ? 4 : t == 2 ? 2 : strlen(tails[t]);
            assert_true(length == 3 + lead || length >= 3 + lead + shown || lead > 253);
        }
    }
}

static void alternative_names_are_joined_and_cut(void **state)
{
    mbedtls_x509_sequence names[4];
    char text[CAP_CERT_TEXT_BYTES];
    (void)state;
    memset(names, 0, sizeof names);
    certtext_dns_names(names, text);
    assert_string_equal(text, ""); /* none: the head of mbedTLS' list is empty */
    static const struct {
        int tag;
        const char *value;
    } rows[] = {
        {0x82, "a.example"}, {0x87, "\x7F\x01\x01\x01"}, {0x82, "b\n.example"}, {0x82, "\xC3\xA4"}};
    for (unsigned i = 0; i < 4; i++) {
        names[i].buf.tag = rows[i].tag;
        names[i].buf.p = (unsigned char *)rows[i].value;
        names[i].buf.len = strlen(rows[i].value);
        names[i].next = i < 3 ? &names[i + 1] : NULL;
    }
    certtext_dns_names(names, text);
    assert_string_equal(text, "a.example,b\\x0a.example,\xC3\xA4");
}

static void serials_lose_their_sign_byte_and_keep_their_zeros(void **state)
{
    static const struct {
        const char *bytes;
        size_t count;
        const char *text;
    } rows[] = {
        {VALUE("\x00\xF1\x02"), "f102"},
        {VALUE("\x0A\x00"), "0a00"},
        {VALUE("\x00"), ""},
        {VALUE("\x00\x00\x01"), "01"},
    };
    char text[CAP_CERT_TEXT_BYTES];
    unsigned char many[300];
    mbedtls_x509_buf serial = {0};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        serial.p = (unsigned char *)rows[i].bytes;
        serial.len = rows[i].count;
        certtext_serial(&serial, text);
        assert_string_equal(text, rows[i].text);
    }
    memset(many, 0xAB, sizeof many);
    serial.p = many;
    serial.len = sizeof many;
    certtext_serial(&serial, text);
    assert_int_equal(strlen(text), 256);
}

/* ---- verdicts ---- */

static struct made root, other_root;

enum chain { FROM_ROOT, FROM_OTHER, SELF };

struct row {
    const char *what;
    struct made_plan plan;
    enum chain chain;
    const char *host;    /* the name checked by mbedTLS */
    const char *address; /* the literal checked by certinfo */
    bool no_clock, no_verify;
    enum cert_verdict verdict;
    enum reason reason;
};

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
    (void)mbedtls_x509_crt_verify(&leaf.certificate, &root.certificate, NULL, row->host, flags,
                                  certinfo_verify, info);
    assert_int_equal(facts->leaf_not_after, certtext_unix(&leaf.certificate.valid_to));
    made_free(&leaf);
}

static const struct row verdict_rows[] = {
    {.what = "good", .host = "lab.example"},
    {.what = "good by alternative name",
     .plan = {.dns = {"a.example", "b.example"}},
     .host = "b.example"},
    {.what = "expired",
     .plan = {.until = "20260630235959"},
     .host = "lab.example",
     .verdict = CERT_BAD,
     .reason = REASON_CERT_EXPIRED},
    {.what = "its last second", .plan = {.until = "20260701000000"}, .host = "lab.example"},
    {.what = "its first second", .plan = {.from = "20260701000000"}, .host = "lab.example"},
    {.what = "not begun",
     .plan = {.from = "20260701000001"},
     .host = "lab.example",
     .verdict = CERT_BAD,
     .reason = REASON_CERT_NOT_YET_VALID},
    {.what = "unknown issuer",
     .chain = FROM_OTHER,
     .host = "lab.example",
     .verdict = CERT_BAD,
     .reason = REASON_CERT_UNTRUSTED},
    {.what = "self-signed",
     .chain = SELF,
     .host = "lab.example",
     .verdict = CERT_BAD,
     .reason = REASON_CERT_UNTRUSTED},
    {.what = "weak hash",
     .plan = {.hash = MBEDTLS_MD_SHA1},
     .host = "lab.example",
     .verdict = CERT_BAD,
     .reason = REASON_CERT_UNTRUSTED},
    {.what = "a client's",
     .plan = {.for_clients = true},
     .host = "lab.example",
     .verdict = CERT_BAD,
     .reason = REASON_CERT_UNTRUSTED},
    {.what = "another name",
     .host = "other.example",
     .verdict = CERT_BAD,
     .reason = REASON_CERT_NAME},
    {.what = "expired wins over untrusted and name",
     .plan = {.until = "20260101000000"},
     .chain = FROM_OTHER,
     .host = "other.example",
     .verdict = CERT_BAD,
     .reason = REASON_CERT_EXPIRED},
    {.what = "untrusted wins over name",
     .chain = FROM_OTHER,
     .host = "other.example",
     .verdict = CERT_BAD,
     .reason = REASON_CERT_UNTRUSTED},
    {.what = "address", .plan = {.address = {127, 0, 0, 1}}, .address = "127.0.0.1"},
    {.what = "another address",
     .plan = {.address = {127, 0, 0, 1}},
     .address = "127.0.0.2",
     .verdict = CERT_BAD,
     .reason = REASON_CERT_NAME},
    {.what = "address as a DNS name",
     .plan = {.dns = {"127.0.0.1"}},
     .address = "127.0.0.1",
     .verdict = CERT_BAD,
     .reason = REASON_CERT_NAME},
    {.what = "address only as common name",
     .plan = {.subject = "CN=127.0.0.1"},
     .address = "127.0.0.1"},
    {.what = "common name does not count beside alternative names",
     .plan = {.subject = "CN=127.0.0.1", .dns = {"a.example"}},
     .address = "127.0.0.1",
     .verdict = CERT_BAD,
     .reason = REASON_CERT_NAME},
    {.what = "address of the other family",
     .plan = {.address = {127, 0, 0, 1}},
     .address = "::1",
     .verdict = CERT_BAD,
     .reason = REASON_CERT_NAME},
    {.what = "an address of IPv6 that begins like it",
     .plan = {.address = {127, 0, 0, 1}, .wide_address = true},
     .address = "127.0.0.1",
     .verdict = CERT_BAD,
     .reason = REASON_CERT_NAME},
    {.what = "an address of IPv6",
     .plan = {.address = {127, 0, 0, 1}, .wide_address = true},
     .address = "7f00:1::"},
    {.what = "no clock, all else good",
     .plan = {.until = "20200601000000"},
     .host = "lab.example",
     .no_clock = true,
     .verdict = CERT_UNKNOWN},
    {.what = "no clock, untrusted all the same",
     .chain = FROM_OTHER,
     .host = "lab.example",
     .no_clock = true,
     .verdict = CERT_BAD,
     .reason = REASON_CERT_UNTRUSTED},
    {.what = "no clock, wrong name all the same",
     .host = "x",
     .no_clock = true,
     .verdict = CERT_BAD,
     .reason = REASON_CERT_NAME},
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
        {.what = "good", .host = "lab.example"},
        {.what = "expired", .plan = {.until = "20260101000000"}, .host = "lab.example"},
        {.what = "another name", .host = "x"},
        {.what = "untrusted", .chain = FROM_OTHER, .host = "lab.example"},
        {.what = "verify off", .host = "lab.example", .no_verify = true},
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
        cmocka_unit_test(dates_become_unix_seconds_without_libc),
        cmocka_unit_test(names_read_as_blackbox_exporter_shows_them),
        cmocka_unit_test(hostile_text_in_a_name_is_escaped),
        cmocka_unit_test(long_text_is_cut_on_a_character_border),
        cmocka_unit_test(alternative_names_are_joined_and_cut),
        cmocka_unit_test(serials_lose_their_sign_byte_and_keep_their_zeros),
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
