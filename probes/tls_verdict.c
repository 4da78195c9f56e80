#include "tls_verdict.h"

#include <stdio.h>
#include <string.h>

#include "pem_file.h"

enum { FILE_BYTES_MAX = 64 * 1024, SECONDS_PER_DAY = 86400, WHY_BYTES = 256 };

static bool pin_matches(const struct tls_target *target, const mbedtls_x509_crt *leaf)
{
    uint8_t sha256[32];
    if (leaf == NULL || certinfo_pin(leaf, sha256) != ERROR_NONE) {
        return false;
    }
    for (unsigned i = 0; i < target->pin_count; i++) {
        if (memcmp(target->pins[i], sha256, sizeof(sha256)) == 0) {
            return true;
        }
    }
    return false;
}

/* The date after which a client would refuse: of the chain a client builds when one is known (a
 * server may send old certificates nobody needs), else of all that was sent. */
static void judge_days(struct run *run, const struct tls_target *target, struct wall_time wall)
{
    const struct tls_facts *facts = &run->result->tls;
    int64_t not_after =
        facts->verified_not_after != 0 ? facts->verified_not_after : facts->sent_not_after;
    int64_t left = not_after - wall.unix_us / USEC_PER_SEC;
    long long days = left / SECONDS_PER_DAY;
    if (!wall.trusted) {
        if (target->min_days != TLS_DAYS_UNSET) {
            result_unknown(run->result, PHASE_TLS, "no trusted clock to count days by");
        }
        return;
    }
    if (target->min_days != TLS_DAYS_UNSET && left < target->min_days * SECONDS_PER_DAY) {
        if (left < 0) {
            result_fail(run->result, REASON_CERT_SOON, PHASE_TLS, "expired %lld days ago", -days);
        } else {
            result_fail(run->result, REASON_CERT_SOON, PHASE_TLS, "expires in %lld days", days);
        }
        return;
    }
    result_succeed(run->result);
    if (left < 0) {
        result_note(run->result, "expired %lld days ago, and verify is off", -days);
    } else {
        result_note(run->result, "valid for %lld more days", days);
    }
}

/* Everything that can be wrong behind a handshake, in the order of enum reason. What no date can
 * change comes before what cannot be judged without a clock. */
void tls_verdict(struct run *run, const struct tls_target *target, const struct certinfo *info,
                 const mbedtls_x509_crt *leaf)
{
    struct result *result = run->result;
    enum reason reason = REASON_CERT_UNTRUSTED;
    char why[WHY_BYTES];
    if (target->trust.min_tls13 && target->path == NULL &&
        strcmp(result->tls.version, "TLS 1.3") != 0) {
        result_fail(result, REASON_TLS_POLICY, PHASE_TLS, "server agreed to %s only",
                    result->tls.version);
        return;
    }
    enum cert_verdict verdict = certinfo_judge(info, &reason, why, sizeof(why));
    if (verdict == CERT_BAD) {
        result_fail(result, reason, PHASE_TLS, "%s", why);
        return;
    }
    if (target->pin_count > 0 && !pin_matches(target, leaf)) {
        result_fail(result, REASON_CERT_PIN, PHASE_TLS, "public key is none of the %u pinned",
                    target->pin_count);
        return;
    }
    if (verdict == CERT_UNKNOWN) {
        result_unknown(result, PHASE_TLS, "%s", why);
        return;
    }
    judge_days(run, target, info->wall);
    if (!result_decided(result)) {
        result_succeed(result);
    }
}

static void judge_chain(struct run *run, const struct tls_target *target, mbedtls_x509_crt *chain)
{
    struct certinfo info;
    uint32_t flags;
    certinfo_init(&info, &run->result->tls, clock_wall(run->clock), target->trust.verify, false);
    certinfo_chain(&run->result->tls, chain);
    certinfo_dates(&info, chain);
    if (target->judge_trust && target->trust.verify) {
        /* The variant that chain_guard.h watches. What it returns is in `info`. */
        (void)mbedtls_x509_crt_verify_restartable(
            chain, target->trust.ca, NULL, &mbedtls_x509_crt_profile_default,
            target->trust.server_name, &flags, certinfo_verify, &info, NULL);
    }
    tls_verdict(run, target, &info, chain);
}

static void fail_file(struct run *run, enum error error, const char *why)
{
    switch (error) {
    case ERROR_MISSING:
        result_fail(run->result, REASON_CONNECT, PHASE_CONNECT, "%s", why);
        break;
    case ERROR_INVALID:
    case ERROR_RANGE:
        result_fail(run->result, REASON_PROTOCOL, PHASE_TLS, "%s", why);
        break;
    default:
        result_unknown(run->result, PHASE_CONNECT, "%s", why);
    }
}

void tls_verdict_file(struct run *run, const struct tls_target *target)
{
    mbedtls_x509_crt chain;
    unsigned unreadable = 0;
    char why[WHY_BYTES];
    mbedtls_x509_crt_init(&chain);
    enum error error = pem_file_read_chain(&chain, "file", target->path, FILE_BYTES_MAX,
                                           &unreadable, why, sizeof(why));
    if (error == ERROR_NONE && unreadable > 0) {
        snprintf(why, sizeof(why), "file %s: %u of its certificates cannot be read", target->path,
                 unreadable);
        error = ERROR_INVALID;
    }
    if (error == ERROR_NONE) {
        judge_chain(run, target, &chain);
    } else {
        fail_file(run, error, why);
    }
    mbedtls_x509_crt_free(&chain);
}
