#include "certinfo.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <mbedtls/oid.h>
#include <mbedtls/sha256.h>

#include "certtext.h"

/* mbedTLS looks at its own clock, which may be one nobody has set. */
#define DATE_FLAGS                                                                                 \
    ((uint32_t)(MBEDTLS_X509_BADCERT_EXPIRED | MBEDTLS_X509_BADCERT_FUTURE |                       \
                MBEDTLS_X509_BADCRL_EXPIRED | MBEDTLS_X509_BADCRL_FUTURE))

void certinfo_init(struct certinfo *info, struct tls_facts *facts, struct wall_time wall,
                   bool verify, bool stop_on_bad)
{
    *info = (struct certinfo){
        .facts = facts, .wall = wall, .verify = verify, .stop_on_bad = stop_on_bad};
}

static void forget_chain(struct certinfo *info)
{
    info->flags = 0;
    info->expired = info->not_yet_valid = false;
    info->seen = info->refused = info->too_deep = info->self_signed = false;
    info->length = 0;
}

void certinfo_give_up(struct certinfo *info)
{
    forget_chain(info);
    info->seen = info->refused = info->too_deep = true;
}

static void add_dates(struct certinfo *info, const mbedtls_x509_crt *certificate)
{
    int64_t not_before = certtext_unix(&certificate->valid_from);
    int64_t not_after = certtext_unix(&certificate->valid_to);
    int64_t now = info->wall.unix_us / USEC_PER_SEC;
    if (info->length == 0 || not_before > info->not_before) {
        info->not_before = not_before;
    }
    if (info->length == 0 || not_after < info->not_after) {
        info->not_after = not_after;
    }
    if (info->wall.trusted) {
        info->expired |= now > not_after;
        info->not_yet_valid |= now < not_before;
    }
    info->length++;
}

void certinfo_dates(struct certinfo *info, const mbedtls_x509_crt *chain)
{
    forget_chain(info);
    for (; chain != NULL; chain = chain->next) {
        add_dates(info, chain);
    }
    info->seen = true;
}

/* mbedTLS checks the usage itself, but after this callback and only for the cipher in use. */
static uint32_t usage_flags(const mbedtls_x509_crt *leaf)
{
    uint32_t flags = 0;
    if (mbedtls_x509_crt_check_key_usage(leaf, MBEDTLS_X509_KU_DIGITAL_SIGNATURE) != 0 &&
        mbedtls_x509_crt_check_key_usage(leaf, MBEDTLS_X509_KU_KEY_ENCIPHERMENT) != 0 &&
        mbedtls_x509_crt_check_key_usage(leaf, MBEDTLS_X509_KU_KEY_AGREEMENT) != 0) {
        flags |= MBEDTLS_X509_BADCERT_KEY_USAGE;
    }
    if (mbedtls_x509_crt_check_extended_key_usage(leaf, MBEDTLS_OID_SERVER_AUTH,
                                                  MBEDTLS_OID_SIZE(MBEDTLS_OID_SERVER_AUTH)) != 0) {
        flags |= MBEDTLS_X509_BADCERT_EXT_KEY_USAGE;
    }
    return flags;
}

static bool common_name_is(const mbedtls_x509_name *name, const char *text)
{
    size_t length = strlen(text);
    for (; name != NULL; name = name->next) {
        if (name->oid.p != NULL && MBEDTLS_OID_CMP(MBEDTLS_OID_AT_CN, &name->oid) == 0 &&
            name->val.len == length && strncasecmp((const char *)name->val.p, text, length) == 0) {
            return true;
        }
    }
    return false;
}

/* The rule mbedTLS has for a name given as an address: an iPAddress alternative name, or, without
 * any alternative name, the common name. It is repeated here because mbedTLS would send the literal
 * as SNI, which RFC 6066 section 3 forbids and some servers answer with an alert. */
static bool names_address(const mbedtls_x509_crt *leaf, const char *address)
{
    uint8_t bytes[16];
    size_t count = 4;
    if (inet_pton(AF_INET, address, bytes) != 1) {
        count = 16;
        if (inet_pton(AF_INET6, address, bytes) != 1) {
            return false;
        }
    }
    if (!mbedtls_x509_crt_has_ext_type(leaf, MBEDTLS_X509_EXT_SUBJECT_ALT_NAME)) {
        return common_name_is(&leaf->subject, address);
    }
    for (const mbedtls_x509_sequence *name = &leaf->subject_alt_names; name != NULL;
         name = name->next) {
        if ((name->buf.tag & MBEDTLS_ASN1_TAG_VALUE_MASK) == MBEDTLS_X509_SAN_IP_ADDRESS &&
            name->buf.len == count && memcmp(name->buf.p, bytes, count) == 0) {
            return true;
        }
    }
    return false;
}

static void finish_chain(struct certinfo *info, const mbedtls_x509_crt *leaf)
{
    info->flags |= usage_flags(leaf);
    if (info->address != NULL && !names_address(leaf, info->address)) {
        info->flags |= MBEDTLS_X509_BADCERT_CN_MISMATCH;
    }
    info->self_signed = info->length == 1 && leaf->issuer_raw.len == leaf->subject_raw.len &&
                        memcmp(leaf->issuer_raw.p, leaf->subject_raw.p, leaf->issuer_raw.len) == 0;
    info->seen = true;
    certinfo_chain(info->facts, leaf);
    bool trusted = (info->flags & ~(uint32_t)MBEDTLS_X509_BADCERT_CN_MISMATCH) == 0;
    if (info->verify && trusted) {
        info->facts->verified_not_after = info->not_after;
    }
}

int certinfo_verify(void *context, mbedtls_x509_crt *certificate, int depth, uint32_t *flags)
{
    struct certinfo *info = context;
    if (info->seen) {
        forget_chain(info);
    }
    info->flags |= *flags & ~DATE_FLAGS;
    add_dates(info, certificate);
    *flags = 0;
    if (depth > 0) {
        return 0;
    }
    finish_chain(info, certificate);
    bool good = info->wall.trusted && info->flags == 0 && !info->expired && !info->not_yet_valid;
    if (info->verify && info->stop_on_bad && !good) {
        info->refused = true;
        /* Flags choose the alert the peer gets to see. */
        *flags = info->flags != 0 ? info->flags
                 : info->expired  ? (uint32_t)MBEDTLS_X509_BADCERT_EXPIRED
                                  : (uint32_t)MBEDTLS_X509_BADCERT_FUTURE;
    }
    return 0;
}

void certinfo_chain(struct tls_facts *facts, const mbedtls_x509_crt *chain)
{
    uint8_t sha256[32];
    facts->certificate = true;
    facts->leaf_not_before = certtext_unix(&chain->valid_from);
    facts->leaf_not_after = certtext_unix(&chain->valid_to);
    facts->sent_not_after = facts->leaf_not_after;
    facts->verified_not_after = 0;
    for (const mbedtls_x509_crt *other = chain->next; other != NULL; other = other->next) {
        int64_t not_after = certtext_unix(&other->valid_to);
        if (not_after < facts->sent_not_after) {
            facts->sent_not_after = not_after;
        }
    }
    certtext_name(&chain->subject, facts->subject);
    certtext_name(&chain->issuer, facts->issuer);
    certtext_dns_names(&chain->subject_alt_names, facts->subject_alternative);
    certtext_serial(&chain->serial, facts->serial);
    facts->fingerprint_sha256[0] = '\0';
    if (mbedtls_sha256(chain->raw.p, chain->raw.len, sha256, 0) == 0) {
        certtext_hex(sha256, sizeof(sha256), facts->fingerprint_sha256);
    }
}

/* mbedTLS writes TLS-RSA-WITH-… and TLS1-3-…, IANA's registry TLS_RSA_WITH_… and TLS_…. */
static void cipher_name(char *out, size_t size, const char *mbedtls_name)
{
    static const char tls13[] = "TLS1-3-";
    bool is_tls13 = strncmp(mbedtls_name, tls13, sizeof(tls13) - 1) == 0;
    snprintf(out, size, "%s%s", is_tls13 ? "TLS_" : "",
             is_tls13 ? mbedtls_name + sizeof(tls13) - 1 : mbedtls_name);
    for (char *c = out; *c != '\0'; c++) {
        if (*c == '-') {
            *c = '_';
        }
    }
}

void certinfo_session(struct tls_facts *facts, const mbedtls_ssl_context *ssl)
{
    const mbedtls_x509_crt *chain = mbedtls_ssl_get_peer_cert(ssl);
    const char *cipher = mbedtls_ssl_get_ciphersuite(ssl);
    bool tls13 = mbedtls_ssl_get_version_number(ssl) == MBEDTLS_SSL_VERSION_TLS1_3;
    snprintf(facts->version, sizeof(facts->version), "%s", tls13 ? "TLS 1.3" : "TLS 1.2");
    cipher_name(facts->cipher, sizeof(facts->cipher), cipher != NULL ? cipher : "");
    if (chain != NULL && !facts->certificate) {
        certinfo_chain(facts, chain);
    }
}

static void write_age(char *out, size_t size, int64_t seconds)
{
    if (seconds < 2 * 3600) {
        snprintf(out, size, "%lld min", (long long)(seconds / 60));
    } else if (seconds < 2 * 86400) {
        snprintf(out, size, "%lld h", (long long)(seconds / 3600));
    } else {
        snprintf(out, size, "%lld days", (long long)(seconds / 86400));
    }
}

static enum reason judge_dates(const struct certinfo *info, char *why, size_t why_size)
{
    int64_t now = info->wall.unix_us / USEC_PER_SEC;
    char age[32];
    if (info->expired) {
        write_age(age, sizeof(age), now - info->not_after);
        snprintf(why, why_size, "%s expired %s ago",
                 info->facts->leaf_not_after < now ? "certificate" : "a CA of the chain", age);
        return REASON_CERT_EXPIRED;
    }
    if (info->not_yet_valid) {
        write_age(age, sizeof(age), info->not_before - now);
        snprintf(why, why_size, "%s is valid only in %s",
                 info->facts->leaf_not_before > now ? "certificate" : "a CA of the chain", age);
        return REASON_CERT_NOT_YET_VALID;
    }
    return REASON_NONE;
}

static void explain_untrusted(const struct certinfo *info, char *why, size_t why_size)
{
    const char *cause = "certificate was not accepted";
    if (info->too_deep) {
        cause = "more intermediate CAs, or costlier ones, than are followed";
    } else if ((info->flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED) != 0) {
        if (info->self_signed) {
            cause = "self-signed certificate that is no trusted CA";
        } else if (info->length == 1) {
            snprintf(why, why_size, "issuer neither trusted nor sent: %s", info->facts->issuer);
            return;
        } else {
            cause = "the chain ends at no trusted CA";
        }
    } else if ((info->flags & MBEDTLS_X509_BADCERT_BAD_KEY) != 0) {
        cause = "a key of the chain is too short or of an unusual curve";
    } else if ((info->flags & MBEDTLS_X509_BADCERT_BAD_MD) != 0) {
        cause = "a certificate is signed with a weak hash";
    } else if ((info->flags & MBEDTLS_X509_BADCERT_BAD_PK) != 0) {
        cause = "a certificate has a weak kind of key";
    } else if ((info->flags &
                (MBEDTLS_X509_BADCERT_KEY_USAGE | MBEDTLS_X509_BADCERT_EXT_KEY_USAGE)) != 0) {
        cause = "certificate is not meant for a TLS server (key usage)";
    }
    snprintf(why, why_size, "%s", cause);
}

enum cert_verdict certinfo_judge(const struct certinfo *info, enum reason *reason, char *why,
                                 size_t why_size)
{
    if (why_size > 0) {
        why[0] = '\0';
    }
    if (!info->verify || !info->seen) {
        return CERT_GOOD;
    }
    enum reason date = judge_dates(info, why, why_size);
    if (date != REASON_NONE) {
        *reason = date;
        return CERT_BAD;
    }
    if ((info->flags & ~(uint32_t)MBEDTLS_X509_BADCERT_CN_MISMATCH) != 0 || info->too_deep) {
        explain_untrusted(info, why, why_size);
        *reason = REASON_CERT_UNTRUSTED;
        return CERT_BAD;
    }
    if (info->flags != 0) {
        const char *names = info->facts->subject_alternative;
        snprintf(why, why_size, "certificate is for another name: %s",
                 names[0] != '\0' ? names : info->facts->subject);
        *reason = REASON_CERT_NAME;
        return CERT_BAD;
    }
    if (!info->wall.trusted) {
        snprintf(why, why_size, "no trusted clock to judge the certificate's dates by");
        return CERT_UNKNOWN;
    }
    return CERT_GOOD;
}

enum error certinfo_pin(const mbedtls_x509_crt *certificate, uint8_t sha256[32])
{
    if (certificate->pk_raw.p == NULL ||
        mbedtls_sha256(certificate->pk_raw.p, certificate->pk_raw.len, sha256, 0) != 0) {
        return ERROR_INVALID;
    }
    return ERROR_NONE;
}
