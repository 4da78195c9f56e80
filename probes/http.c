/* The http probe: hops over libcurl until an answer is final, then the verdict.
 *
 * The library fetches one address and no more: redirects are followed here, hop by hop, under our
 * own policy (http_url.h). A run is one line of: begin hop -> transfer ends -> next hop or verdict,
 * whose last part, the body, is judged in turns. */
#include <stdio.h>
#include <string.h>

#include "http_failure.h"
#include "http_keys.h"
#include "http_slot.h"
#include "http_transfer.h"
#include "probe.h"
#include "registry.h"

/* What a run keeps of its own: where everything else is. */
struct http_run {
    struct http_slot *slot;
};

static struct http_slot *slot_of(const struct run *run)
{
    return ((const struct http_run *)run->state)->slot;
}

static usec_t now_of(const struct http_slot *slot)
{
    return clock_monotonic_us(slot->run->clock);
}

/* ---- hops ---- */

static bool begin_hop(struct http_slot *slot)
{
    struct http_answer *answer = &slot->answer;
    http_answer_begin(answer, answer->body, answer->body_limit, answer->limit_fails);
    slot->own = http_origin_equal(&slot->origin, &slot->target->origin);
    slot->handshakes = 0;
    slot->connected = false;
    slot->exhausted = false;
    slot->stale_errno = 0;
    slot->stop = HTTP_STOP_NONE;
    http_phases_begin(&slot->phases,
                      http_transfer_is_resolved(slot) ? PHASE_CONNECT : PHASE_RESOLVE,
                      now_of(slot));
    return http_transfer_set_hop(slot) && http_slot_begin(slot);
}

static void take_cookies(struct http_slot *slot)
{
    unsigned cursor = 0;
    const char *value;
    while ((value = http_answer_header(&slot->answer, "set-cookie", 10, &cursor)))
        http_cookies_take(&slot->cookies, &slot->origin, value);
}

/* Where the head just received leads; false when the run ends here. */
static bool take_redirect(struct http_slot *slot)
{
    struct result *result = slot->run->result;
    unsigned cursor = 0;
    char why[CAP_NOTE_BYTES] = "";
    const char *location = http_answer_header(&slot->answer, "location", 8, &cursor);
    if (slot->hops == slot->target->redirects) {
        result_fail(result, REASON_REDIRECT, PHASE_PROCESSING, "more than %u redirects, to %s",
                    slot->target->redirects, location);
        return false;
    }
    enum error error =
        http_redirect_read(slot->url, &slot->origin, slot->answer.status, slot->method,
                           slot->sends_body, location, &slot->next, why, sizeof(why));
    if (error == ERROR_EXHAUSTED)
        result_unknown(result, PHASE_PROCESSING, "%s", why);
    else if (error != ERROR_NONE)
        result_fail(result, REASON_REDIRECT, PHASE_PROCESSING, "status %d: %s (location %.100s)",
                    slot->answer.status, why, location);
    if (error != ERROR_NONE)
        return false;
    take_cookies(slot);
    slot->hops++;
    memcpy(slot->url, slot->next.url, sizeof(slot->url));
    slot->origin = slot->next.origin;
    if (slot->next.to_get) {
        slot->method = "GET";
        slot->sends_body = false;
    }
    return true;
}

/* ---- what is known at the end ---- */

/* The facts, as far as the last hop got. */
static void set_facts(struct http_slot *slot)
{
    struct result *result = slot->run->result;
    curl_off_t length = -1, modified = -1;
    long version = 0;
    result_fact_set(result, FACT_HTTP_STATUS_CODE,
                    slot->answer.status >= 200 || slot->answer.head_done ? slot->answer.status : 0);
    result_fact_set(result, FACT_HTTP_REDIRECTS, slot->hops);
    if (slot->connected)
        result_fact_set(result, FACT_HTTP_SSL, slot->origin.tls ? 1 : 0);
    if (!slot->answer.head_done || !slot->easy)
        return;
    (void)curl_easy_getinfo(slot->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    (void)curl_easy_getinfo(slot->easy, CURLINFO_FILETIME_T, &modified);
    (void)curl_easy_getinfo(slot->easy, CURLINFO_HTTP_VERSION, &version);
    result_fact_set(result, FACT_HTTP_CONTENT_LENGTH, (double)length);
    result_fact_set(result, FACT_HTTP_UNCOMPRESSED_BODY_LENGTH, (double)slot->answer.body_bytes);
    result_fact_set(result, FACT_HTTP_VERSION, version == CURL_HTTP_VERSION_1_0 ? 1.0 : 1.1);
    if (modified >= 0)
        result_fact_set(result, FACT_HTTP_LAST_MODIFIED, (double)modified);
}

/* The certificate's verdict, if it is worse than good. */
static void judge_certificate(struct http_slot *slot)
{
    enum reason reason = REASON_NONE;
    char why[CAP_NOTE_BYTES] = "";
    if (slot->handshakes == 0)
        return;
    switch (certinfo_judge(&slot->cert, &reason, why, sizeof(why))) {
    case CERT_GOOD:
        break;
    case CERT_BAD:
        result_fail(slot->run->result, reason, PHASE_TLS, "%s", why);
        break;
    case CERT_UNKNOWN:
        result_unknown(slot->run->result, PHASE_TLS, "%s", why);
        break;
    }
}

static void judge_answer(struct http_slot *slot)
{
    struct result *result = slot->run->result;
    if (slot->target->require_tls && !slot->origin.tls)
        result_fail(result, REASON_TLS_POLICY, PHASE_TLS, "the answer did not come over https: %s",
                    slot->url);
    if (!result_decided(result))
        judge_certificate(slot);
    if (!result_decided(result))
        http_judge_head(&slot->target->criteria, &slot->answer, result);
}

/* The address as in "connect 192.0.2.1:80", when there is one. */
static void describe_peer(const struct http_slot *slot, char *text, size_t size)
{
    const struct address *first = slot->run->address_count > 0 ? &slot->run->addresses[0] : NULL;
    snprintf(text, size, "%s", slot->origin.host);
    if (first && slot->hops == 0 && !slot->target->proxy[0])
        snprintf(text, size, "%s port %u", slot->target->dial.host, slot->target->dial.port);
}

static void judge_trouble(struct http_slot *slot, CURLcode code, enum phase phase)
{
    struct result *result = slot->run->result;
    struct http_trouble trouble = {
        .code = code, .exhausted = slot->exhausted, .phase = phase, .text = slot->error};
    char peer[HTTP_HOST_BYTES + 16];
    (void)curl_easy_getinfo(slot->easy, CURLINFO_OS_ERRNO, &trouble.system_errno);
    (void)curl_easy_getinfo(slot->easy, CURLINFO_HTTP_CONNECTCODE, &trouble.proxy_status);
    /* Left by an address that was given up before this connection stood. */
    if (trouble.system_errno == slot->stale_errno)
        trouble.system_errno = 0;
    if (phase == PHASE_TLS)
        judge_certificate(slot);
    if (result_decided(result))
        return;
    struct http_failure failure = http_failure_of(&trouble);
    const char *text = slot->error[0] ? slot->error : curl_easy_strerror(code);
    describe_peer(slot, peer, sizeof(peer));
    if (failure.unknown)
        result_unknown(result, failure.phase, "%s",
                       slot->exhausted ? "out of descriptors or memory" : text);
    else
        result_fail(result, failure.reason, failure.phase, "%s: %s", peer, text);
}

/* The end as the answer sees it: an error of the library may be an answer's. */
static enum http_end end_of(const struct http_slot *slot, CURLcode code)
{
    if (slot->stop == HTTP_STOP_LIMIT)
        return slot->answer.end;
    switch (code) {
    case CURLE_OK:
        return HTTP_END_WHOLE;
    case CURLE_PARTIAL_FILE:
        return HTTP_END_TRUNCATED;
    case CURLE_TOO_LARGE: /* one header line over the library's own cap */
        return HTTP_END_HEAD_TOO_LARGE;
    default:
        return HTTP_END_OPEN;
    }
}

static void judge(struct http_slot *slot, CURLcode code, enum phase phase)
{
    struct result *result = slot->run->result;
    slot->answer.end = end_of(slot, code);
    if (slot->stop == HTTP_STOP_POLICY)
        result_fail(result, REASON_TLS_POLICY, PHASE_TLS, "%s, but min_tls is 1.3",
                    result->tls.version);
    else if (slot->answer.end != HTTP_END_OPEN)
        judge_answer(slot);
    else
        judge_trouble(slot, code, phase);
}

/* An answer can come in the same turn as the request goes out, so that nobody saw its first byte
 * (http_slot.c); one that is refused before a line is whole calls nothing back either. */
static void mark_refused_answer(struct http_slot *slot, CURLcode code)
{
    bool refused = code == CURLE_WEIRD_SERVER_REPLY || code == CURLE_UNSUPPORTED_PROTOCOL;
    if (refused && slot->phases.open == PHASE_PROCESSING)
        http_phases_next(&slot->phases, slot->run->result, PHASE_TRANSFER, now_of(slot));
}

/* What the body says, when nothing else decided. The connection is gone by then. */
static enum progress judge_body(struct http_slot *slot)
{
    struct result *result = slot->run->result;
    slot->searching =
        !result_decided(result) &&
        !http_judge_body(&slot->target->criteria, &slot->answer, &slot->search, result);
    return slot->searching ? PROGRESS_YIELD : PROGRESS_DONE;
}

static enum progress finish(struct http_slot *slot, CURLcode code)
{
    mark_refused_answer(slot, code);
    enum phase phase = http_phases_end(&slot->phases, slot->run->result, now_of(slot));
    set_facts(slot);
    if (!result_decided(slot->run->result))
        judge(slot, code, phase);
    /* A proxy's certificate says nothing about a target in the clear. */
    if (!slot->origin.tls)
        memset(&slot->run->result->tls, 0, sizeof(slot->run->result->tls));
    http_slot_end(slot);
    slot->search = (struct http_search){0};
    return judge_body(slot);
}

/* ---- the probe's interface ---- */

static enum progress no_resources(struct run *run)
{
    result_unknown(run->result, PHASE_CONNECT, "out of memory");
    return PROGRESS_DONE;
}

static enum progress advance(struct run *run, struct http_slot *slot, const struct waits *ready)
{
    CURLcode code = CURLE_OK;
    slot->run = run;
    if (slot->searching)
        return judge_body(slot);
    if (!http_slot_turn(slot, ready, &code))
        return PROGRESS_WAIT;
    if (slot->stop != HTTP_STOP_REDIRECT || !take_redirect(slot))
        return finish(slot, code);
    http_phases_hop(&slot->phases, slot->run->result, now_of(slot));
    http_slot_end(slot);
    if (!slot->multi || !begin_hop(slot)) {
        http_slot_end(slot);
        return no_resources(run);
    }
    return PROGRESS_YIELD;
}

static enum progress start(struct run *run)
{
    uint8_t *body = NULL;
    struct http_run *state = run->state;
    const struct http_target *target = run->prepared;
    struct http_slot *slot = http_slot_of(run, &body);
    if (!slot)
        return no_resources(run);
    state->slot = slot;
    slot->run = run;
    slot->target = target;
    slot->hops = 0;
    slot->searching = false;
    slot->cookies.count = 0;
    slot->method = target->method;
    slot->sends_body = target->sends_body;
    slot->origin = target->origin;
    memcpy(slot->url, target->url, sizeof(slot->url));
    http_answer_begin(&slot->answer, target->keeps_body ? body : NULL, target->body_limit,
                      target->limit_fails);
    if (!http_transfer_has_address(slot)) {
        result_unknown(run->result, PHASE_CONNECT,
                       "the source has no address of the target's family");
        return PROGRESS_DONE;
    }
    if (!http_transfer_set_run(slot) || !begin_hop(slot)) {
        http_slot_end(slot);
        return no_resources(run);
    }
    return advance(run, slot, NULL);
}

static enum progress step(struct run *run, const struct waits *ready)
{
    return advance(run, slot_of(run), ready);
}

static void wait_for(struct run *run, struct waits *waits)
{
    http_slot_waits(slot_of(run), waits);
}

static void cancel(struct run *run)
{
    struct http_slot *slot = slot_of(run);
    if (slot)
        http_slot_end(slot);
}

static enum phase current_phase(struct run *run)
{
    struct http_slot *slot = slot_of(run);
    if (!slot)
        return PHASE_CONNECT;
    slot->run = run;
    if (slot->searching) {
        result_note(run->result, "the body (%zu bytes) was not searched in time",
                    slot->answer.body_bytes);
        return PHASE_TRANSFER;
    }
    enum phase phase = http_phases_end(&slot->phases, run->result, now_of(slot));
    set_facts(slot);
    result_fact_set(run->result, FACT_FAILED_DUE_TO_REGEX, 0);
    return phase;
}

static enum error open_target(const struct config *config, const struct config_probe *probe,
                              unsigned target, void **prepared, struct endpoint *endpoint,
                              char *why, size_t why_size)
{
    struct http_target *made = NULL;
    enum error error = http_target_open(config, probe, target, &made, why, why_size);
    if (error != ERROR_NONE)
        return error;
    error = http_slots_acquire(made->keeps_body ? made->body_limit : 0);
    if (error != ERROR_NONE) {
        snprintf(why, why_size, "no memory for the buffers of http");
        http_target_close(made);
        return error;
    }
    *endpoint = made->dial;
    *prepared = made;
    return ERROR_NONE;
}

static void close_target(void *prepared)
{
    http_target_close(prepared);
    http_slots_release();
}

#define ANSWER_REASONS                                                                             \
    (REASON_BIT(REASON_REDIRECT) | REASON_BIT(REASON_STATUS) | REASON_BIT(REASON_HEADER) |         \
     REASON_BIT(REASON_TOO_LARGE) | REASON_BIT(REASON_TRUNCATED) | REASON_BIT(REASON_BODY) |       \
     REASON_BIT(REASON_PROTOCOL) | REASON_BIT(REASON_INTERNAL))

const struct probe_ops http_probe = {
    .kind = {.name = "http",
             .help = "asks a web address and judges the answer",
             .phases_help = "Duration of http request by phase, summed over all redirects",
             .keys = http_keys,
             .key_count = HTTP_KEY_COUNT,
             .reasons = PROBE_REASONS_TCP | PROBE_REASONS_TLS | ANSWER_REASONS,
             .phases = PHASE_BIT(PHASE_RESOLVE) | PHASE_BIT(PHASE_CONNECT) | PHASE_BIT(PHASE_TLS) |
                       PHASE_BIT(PHASE_PROCESSING) | PHASE_BIT(PHASE_TRANSFER),
             .facts = FACT_BIT(FACT_HTTP_STATUS_CODE) | FACT_BIT(FACT_HTTP_CONTENT_LENGTH) |
                      FACT_BIT(FACT_HTTP_UNCOMPRESSED_BODY_LENGTH) | FACT_BIT(FACT_HTTP_REDIRECTS) |
                      FACT_BIT(FACT_HTTP_SSL) | FACT_BIT(FACT_HTTP_VERSION) |
                      FACT_BIT(FACT_HTTP_LAST_MODIFIED) | FACT_BIT(FACT_FAILED_DUE_TO_REGEX),
             .tls = true,
             .check = http_check},
    .run_bytes = sizeof(struct http_run),
    .open = open_target,
    .close = close_target,
    .start = start,
    .step = step,
    .waits = wait_for,
    .cancel = cancel,
    .current_phase = current_phase,
};
