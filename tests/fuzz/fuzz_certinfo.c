/* Any bytes as a certificate (DER, or PEM when they look like it): its facts stay within their
 * bounds, are clean UTF-8, and a verdict comes out. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "certinfo.h"
#include "utf8.h"

static void expect(bool good)
{
    if (!good) {
        abort();
    }
}

static void expect_clean(const char *text, size_t size)
{
    size_t length = strnlen(text, size);
    expect(length < size);
    for (size_t i = 0; i < length;) {
        size_t taken = utf8_length(text + i);
        expect(taken > 0 && (unsigned char)text[i] >= 0x20 && text[i] != 0x7F);
        i += taken;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    mbedtls_x509_crt chain;
    struct tls_facts facts = {0};
    struct certinfo info;
    enum reason reason = REASON_NONE;
    uint8_t pin[32];
    uint32_t flags = 0;
    char why[64];
    uint8_t *copy = malloc(size + 1);
    expect(copy != NULL);
    memcpy(copy, data, size);
    copy[size] = 0;
    mbedtls_x509_crt_init(&chain);
    if (mbedtls_x509_crt_parse(&chain, copy, size + 1) >= 0 ||
        mbedtls_x509_crt_parse_der(&chain, data, size) == 0) {
        certinfo_init(&info, &facts, (struct wall_time){1782864000000000, true}, true, true);
        info.address = "127.0.0.1";
        (void)mbedtls_x509_crt_verify(&chain, &chain, NULL, NULL, &flags, certinfo_verify, &info);
        (void)certinfo_judge(&info, &reason, why, sizeof why);
        expect(certinfo_pin(&chain, pin) == ERROR_NONE);
        certinfo_dates(&info, &chain);
        certinfo_chain(&facts, &chain);
        expect_clean(facts.subject, sizeof facts.subject);
        expect_clean(facts.issuer, sizeof facts.issuer);
        expect_clean(facts.subject_alternative, sizeof facts.subject_alternative);
        expect_clean(facts.serial, sizeof facts.serial);
        expect(strlen(facts.fingerprint_sha256) == 64);
        expect(facts.sent_not_after <= facts.leaf_not_after);
    }
    mbedtls_x509_crt_free(&chain);
    free(copy);
    return 0;
}
