#include "result.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "buffer.h"

static const char *const outcome_names[] = {
    [OUTCOME_SUCCESS] = "success",
    [OUTCOME_FAILURE] = "failure",
    [OUTCOME_UNKNOWN] = "unknown",
};
static_assert(ARRAY_LEN(outcome_names) == OUTCOME_COUNT, "one name for each outcome");

static const char *const reason_names[] = {
    [REASON_RESOLVE] = "resolve",
    [REASON_CONNECT] = "connect",
    [REASON_REFUSED] = "refused",
    [REASON_UNREACHABLE] = "unreachable",
    [REASON_TIMEOUT] = "timeout",
    [REASON_RESET] = "reset",
    [REASON_TLS_HANDSHAKE] = "tls_handshake",
    [REASON_TLS_POLICY] = "tls_policy",
    [REASON_CERT_EXPIRED] = "cert_expired",
    [REASON_CERT_NOT_YET_VALID] = "cert_not_yet_valid",
    [REASON_CERT_UNTRUSTED] = "cert_untrusted",
    [REASON_CERT_NAME] = "cert_name",
    [REASON_CERT_PIN] = "cert_pin",
    [REASON_CERT_SOON] = "cert_soon",
    [REASON_REDIRECT] = "redirect",
    [REASON_STATUS] = "status",
    [REASON_HEADER] = "header",
    [REASON_TOO_LARGE] = "too_large",
    [REASON_TRUNCATED] = "truncated",
    [REASON_BODY] = "body",
    [REASON_PROTOCOL] = "protocol",
    [REASON_EXPECT] = "expect",
    [REASON_EXCEPTION] = "exception",
    [REASON_RANGE] = "range",
    [REASON_STUCK] = "stuck",
    [REASON_RCODE] = "rcode",
    [REASON_ANSWER] = "answer",
    [REASON_LOSS] = "loss",
    [REASON_INTERNAL] = "internal",
    [REASON_NONE] = "",
};
static_assert(ARRAY_LEN(reason_names) == REASON_COUNT + 1, "one name for each reason");
static_assert(REASON_COUNT <= 64, "a set of reasons is 64 bits");

static const char *const phase_names[] = {
    [PHASE_RESOLVE] = "resolve",
    [PHASE_CONNECT] = "connect",
    [PHASE_STARTTLS] = "starttls",
    [PHASE_TLS] = "tls",
    [PHASE_PROCESSING] = "processing",
    [PHASE_TRANSFER] = "transfer",
    [PHASE_DIALOG] = "dialog",
    [PHASE_REQUEST] = "request",
    [PHASE_SETUP] = "setup",
    [PHASE_RTT] = "rtt",
    [PHASE_NONE] = "",
};
static_assert(ARRAY_LEN(phase_names) == PHASE_COUNT + 1, "one name for each phase");
static_assert(PHASE_COUNT <= 32, "a set of phases is 32 bits");

/* Names and help texts are blackbox_exporter's (prober/{utils,http,tcp,icmp,dns}.go): dashboards
 * match the names, and one help text per name keeps a scraper that has both quiet. */
static const struct {
    const char *name, *help;
} fact_table[] = {
    [FACT_DNS_LOOKUP_SECONDS] = {"probe_dns_lookup_time_seconds",
                                 "Returns the time taken for probe dns lookup in seconds"},
    [FACT_IP_PROTOCOL] = {"probe_ip_protocol", "Specifies whether probe ip protocol is IP4 or IP6"},
    [FACT_IP_ADDR_HASH] = {"probe_ip_addr_hash", "Specifies the hash of IP address. It's useful to "
                                                 "detect if the IP address changes."},
    [FACT_HTTP_STATUS_CODE] = {"probe_http_status_code", "Response HTTP status code"},
    [FACT_HTTP_CONTENT_LENGTH] = {"probe_http_content_length", "Length of http content response"},
    [FACT_HTTP_UNCOMPRESSED_BODY_LENGTH] = {"probe_http_uncompressed_body_length",
                                            "Length of uncompressed response body"},
    [FACT_HTTP_REDIRECTS] = {"probe_http_redirects", "The number of redirects"},
    [FACT_HTTP_SSL] = {"probe_http_ssl", "Indicates if SSL was used for the final redirect"},
    [FACT_HTTP_VERSION] = {"probe_http_version",
                           "Returns the version of HTTP of the probe response"},
    [FACT_HTTP_LAST_MODIFIED] = {"probe_http_last_modified_timestamp_seconds",
                                 "Returns the Last-Modified HTTP response header in unixtime"},
    [FACT_FAILED_DUE_TO_REGEX] = {"probe_failed_due_to_regex",
                                  "Indicates if probe failed due to regex"},
    [FACT_FAILED_DUE_TO_BYTES] = {"probe_failed_due_to_bytes",
                                  "Indicates if probe failed due to bytes"},
    [FACT_ICMP_REPLY_HOP_LIMIT] = {"probe_icmp_reply_hop_limit",
                                   "Replied packet hop limit (TTL for ipv4)"},
    [FACT_DNS_ANSWER_RRS] = {"probe_dns_answer_rrs",
                             "Returns number of entries in the answer resource record list"},
    [FACT_DNS_AUTHORITY_RRS] = {"probe_dns_authority_rrs",
                                "Returns number of entries in the authority resource record list"},
    [FACT_DNS_ADDITIONAL_RRS] = {"probe_dns_additional_rrs", "Returns number of entries in the "
                                                             "additional resource record list"},
    [FACT_DNS_QUERY_SUCCEEDED] = {"probe_dns_query_succeeded",
                                  "Displays whether or not the query was executed successfully"},
    [FACT_DNS_SERIAL] = {"probe_dns_serial", "Returns the serial number of the zone"},
};
static_assert(ARRAY_LEN(fact_table) == FACT_COUNT, "one series for each fact");
static_assert(FACT_COUNT <= 64, "a set of facts is 64 bits");

void result_init(struct result *result, uint16_t target, usec_t started_us)
{
    memset(result, 0, sizeof *result);
    result->target = target;
    result->outcome = OUTCOME_UNKNOWN;
    result->reason = REASON_NONE;
    result->phase = PHASE_NONE;
    result->started_us = started_us;
}

static void set_note(struct result *result, const char *format, va_list arguments)
{
    char raw[CAP_NOTE_BYTES]; /* enough: escaping never shortens */
    struct buffer note;
    int length = vsnprintf(raw, sizeof raw, format, arguments);
    buffer_init(&note, result->note, sizeof result->note);
    if (length > 0) {
        buffer_append_escaped(&note, raw, strlen(raw));
    }
    (void)buffer_text(&note);
}

void result_succeed(struct result *result)
{
    if (result->decided) {
        return;
    }
    result->decided = true;
    result->outcome = OUTCOME_SUCCESS;
}

void result_fail(struct result *result, enum reason reason, enum phase phase, const char *note, ...)
{
    assert(reason < REASON_COUNT && phase <= PHASE_NONE);
    if (result->decided) {
        return;
    }
    result->decided = true;
    result->outcome = OUTCOME_FAILURE;
    result->reason = reason;
    result->phase = phase;
    va_list arguments;
    va_start(arguments, note);
    set_note(result, note, arguments);
    va_end(arguments);
}

void result_unknown(struct result *result, enum phase phase, const char *note, ...)
{
    assert(phase <= PHASE_NONE);
    if (result->decided) {
        return;
    }
    result->decided = true;
    result->outcome = OUTCOME_UNKNOWN;
    result->phase = phase;
    va_list arguments;
    va_start(arguments, note);
    set_note(result, note, arguments);
    va_end(arguments);
}

bool result_decided(const struct result *result)
{
    return result->decided;
}

void result_note(struct result *result, const char *note, ...)
{
    va_list arguments;
    va_start(arguments, note);
    set_note(result, note, arguments);
    va_end(arguments);
}

void result_phase_add(struct result *result, enum phase phase, usec_t duration_us)
{
    assert(phase < PHASE_COUNT);
    result->phases_reached |= PHASE_BIT(phase);
    result->phase_us[phase] = usec_add(result->phase_us[phase], usec_max(duration_us, 0));
}

void result_fact_set(struct result *result, enum fact fact, double value)
{
    assert(fact < FACT_COUNT);
    result->facts_set |= FACT_BIT(fact);
    result->facts[fact] = value;
}

const char *outcome_name(enum outcome outcome)
{
    return outcome < OUTCOME_COUNT ? outcome_names[outcome] : "invalid";
}

const char *reason_name(enum reason reason)
{
    return reason <= REASON_NONE ? reason_names[reason] : "invalid";
}

const char *phase_name(enum phase phase)
{
    return phase <= PHASE_NONE ? phase_names[phase] : "invalid";
}

const char *fact_name(enum fact fact)
{
    return fact < FACT_COUNT ? fact_table[fact].name : "invalid";
}

const char *fact_help(enum fact fact)
{
    return fact < FACT_COUNT ? fact_table[fact].help : "invalid";
}
