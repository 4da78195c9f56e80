/* Guards against text of a peer that reaches a label or a terminal as it was sent, labels that
 * differ from blackbox_exporter's, and dates that depend on the machine. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base.h"
#include "certtext.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dates_become_unix_seconds_without_libc),
        cmocka_unit_test(names_read_as_blackbox_exporter_shows_them),
        cmocka_unit_test(hostile_text_in_a_name_is_escaped),
        cmocka_unit_test(long_text_is_cut_on_a_character_border),
        cmocka_unit_test(alternative_names_are_joined_and_cut),
        cmocka_unit_test(serials_lose_their_sign_byte_and_keep_their_zeros),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
