/* A site filled by hand, for tests of what the agent tells: two kinds that exist nowhere else, and
 * results to choose from. One translation unit each; everything is static. */
#ifndef PICKET_SITE_FIXTURE_H
#define PICKET_SITE_FIXTURE_H

#include <float.h>
#include <stdio.h>
#include <string.h>

#include "metrics.h"
#include "upstream.h"

static inline bool fixture_value_name(const struct config *config,
                                      const struct config_section *section, unsigned index,
                                      char *name, size_t size)
{
    static const char *const names[] = {"flow_celsius", "power_watts", "model"};
    (void)config, (void)section;
    if (index >= ARRAY_LEN(names)) {
        return false;
    }
    (void)snprintf(name, size, "%s", names[index]);
    return true;
}

/* As many names as there can be, as long as they can be. */
static inline bool fixture_longest_value_name(const struct config *config,
                                              const struct config_section *section, unsigned index,
                                              char *name, size_t size)
{
    (void)config, (void)section;
    (void)snprintf(name, size, "%0*u", CAP_NAME_BYTES - 1, index);
    return true;
}

static const struct probe_kind fixture_web = {
    .name = "web",
    .reasons = REASON_BIT(REASON_RESOLVE) | REASON_BIT(REASON_TIMEOUT) | REASON_BIT(REASON_STATUS),
    .phases = PHASE_BIT(PHASE_RESOLVE) | PHASE_BIT(PHASE_CONNECT) | PHASE_BIT(PHASE_TLS),
    .phases_help = "Duration of web request by phase, in \"parts\"",
    .facts = FACT_BIT(FACT_HTTP_STATUS_CODE) | FACT_BIT(FACT_HTTP_SSL),
    .tls = true,
};
static const struct probe_kind fixture_bus = {
    .name = "bus",
    .reasons = REASON_BIT(REASON_TIMEOUT) | REASON_BIT(REASON_EXCEPTION),
    .phases = PHASE_BIT(PHASE_CONNECT) | PHASE_BIT(PHASE_REQUEST),
    .value_name = fixture_value_name,
};
/* Declares all there is. */
static const struct probe_kind fixture_everything = {
    .name = "everything",
    .reasons = REASON_BIT(REASON_COUNT) - 1,
    .phases = PHASE_BIT(PHASE_COUNT) - 1,
    .facts = FACT_BIT(FACT_COUNT) - 1,
    .tls = true,
    .value_name = fixture_longest_value_name,
};

static inline uint32_t fixture_text(struct config *config, const char *text)
{
    uint32_t offset = config->text_used;
    size_t size = strlen(text) + 1;
    memcpy(config->text + offset, text, size);
    config->text_used += (uint32_t)size;
    return offset;
}

/* An empty site. */
static inline void fixture_begin(struct config *config, const char *site)
{
    memset(config, 0, sizeof *config);
    config->text_used = 1;
    config->agent = (struct config_section){.line = 1, .setting_count = 1};
    config->settings[0] = (struct setting){.key = AGENT_SITE,
                                           .line = 2,
                                           .text = fixture_text(config, site),
                                           .length = (uint32_t)strlen(site)};
    config->setting_count = 1;
}

static inline void fixture_label(struct config *config, struct config_label *labels, uint8_t *count,
                                 const char *name, const char *value)
{
    labels[(*count)++] = (struct config_label){.name = fixture_text(config, name),
                                               .value = fixture_text(config, value)};
}

static inline struct config_probe *fixture_probe(struct config *config,
                                                 const struct probe_kind *kind, const char *name)
{
    struct config_probe *probe = &config->probes[config->probe_count++];
    *probe = (struct config_probe){
        .section = {.kind = kind, .name = fixture_text(config, name), .line = 10},
        .interval_us = 30 * USEC_PER_SEC,
        .timeout_us = 5 * USEC_PER_SEC,
        .attempts = 1,
        .enabled = true,
        .first_target = config->target_count,
        .depends_on = CONFIG_NO_PROBE};
    return probe;
}

/* One more target of the probe that was added last. */
static inline void fixture_target(struct config *config, const char *instance)
{
    struct config_probe *probe = &config->probes[config->probe_count - 1];
    config->targets[config->target_count++] = (struct config_target){
        .probe = (uint16_t)(config->probe_count - 1), .instance = fixture_text(config, instance)};
    probe->target_count++;
}

/* Site branch-0042: a web portal with two SLOs, a boiler with three values. */
static inline void fixture_site(struct config *config)
{
    fixture_begin(config, "branch-0042");
    fixture_label(config, config->labels, &config->label_count, "region", "emea");
    struct config_probe *portal = fixture_probe(config, &fixture_web, "portal");
    fixture_label(config, portal->labels, &portal->label_count, "region", "emea");
    fixture_label(config, portal->labels, &portal->label_count, "team", "a \"b\" \\c\nd");
    portal->slos[0] = (struct config_slo){
        .type = SLO_AVAILABILITY, .objective_ppm = 999000, .window_us = 30 * USEC_PER_DAY};
    portal->slos[1] = (struct config_slo){.type = SLO_LATENCY,
                                          .objective_ppm = 950000,
                                          .threshold_us = 800 * USEC_PER_MSEC,
                                          .window_us = 30 * USEC_PER_DAY};
    portal->slo_count = 2;
    fixture_target(config, "https://portal.example.net/login");
    struct config_probe *boiler = fixture_probe(config, &fixture_bus, "boiler");
    fixture_label(config, boiler->labels, &boiler->label_count, "region", "emea");
    fixture_target(config, "tcp://10.1.0.40:502");
}

/* A group over the first `probe_count` probes; those that do not count its events yet do so then.
 */
static inline struct config_group *fixture_group(struct config *config, const char *name,
                                                 const struct config_slo *slo, unsigned probe_count)
{
    struct config_group *group = &config->groups[config->group_count++];
    *group = (struct config_group){.section = {.name = fixture_text(config, name), .line = 20},
                                   .slo_count = 1,
                                   .slos = {*slo}};
    for (unsigned i = 0; i < probe_count; i++) {
        struct config_probe *probe = &config->probes[i];
        unsigned counted = config_counted_slos(probe), j = 0;
        while (j < counted && !(probe->slos[j].type == slo->type &&
                                probe->slos[j].threshold_us == slo->threshold_us &&
                                probe->slos[j].window_us == slo->window_us)) {
            j++;
        }
        if (j == counted) {
            probe->slos[counted] = *slo;
            probe->group_slo_count++;
        }
        group->probes[i / 8] |= (uint8_t)(1u << i % 8);
    }
    return group;
}

static inline void fixture_certificate(struct tls_facts *tls, const char *text)
{
    *tls = (struct tls_facts){.certificate = true,
                              .leaf_not_before = 1700000000,
                              .leaf_not_after = 1900000000,
                              .sent_not_after = 1800000000,
                              .verified_not_after = 1850000000};
    (void)snprintf(tls->version, sizeof tls->version, "TLS 1.3");
    (void)snprintf(tls->cipher, sizeof tls->cipher, "TLS_AES_256_GCM_SHA384");
    (void)snprintf(tls->subject, sizeof tls->subject, "%s", text);
    (void)snprintf(tls->issuer, sizeof tls->issuer, "%s", text);
    (void)snprintf(tls->subject_alternative, sizeof tls->subject_alternative, "%s", text);
    (void)snprintf(tls->serial, sizeof tls->serial, "0a1b");
    (void)snprintf(tls->fingerprint_sha256, sizeof tls->fingerprint_sha256, "00ff");
}

/* A run of the portal that went well. */
static inline void fixture_success(struct result *result, uint16_t target)
{
    result_init(result, target, 1 * USEC_PER_SEC);
    result->duration_us = 45200;
    result_phase_add(result, PHASE_RESOLVE, 1500);
    result_phase_add(result, PHASE_CONNECT, 20000);
    result_phase_add(result, PHASE_TLS, 0);
    result_fact_set(result, FACT_IP_PROTOCOL, 4);
    result_fact_set(result, FACT_IP_ADDR_HASH, 3668918509.0);
    result_fact_set(result, FACT_HTTP_STATUS_CODE, 200);
    fixture_certificate(&result->tls, "CN=portal.example.net");
    result_succeed(result);
}

/* A run of the boiler in which one register answered with an exception. */
static inline void fixture_exception(struct result *result, uint16_t target)
{
    result_init(result, target, 2 * USEC_PER_SEC);
    result->duration_us = 12000;
    result_phase_add(result, PHASE_CONNECT, 2000);
    result_phase_add(result, PHASE_REQUEST, 10000);
    result->value_count = 3;
    result->values[0] = (struct value_reading){.available = true, .number = 61.5};
    result->values[2] = (struct value_reading){.available = true, .text = "WB-300"};
    result_fail(result, REASON_EXCEPTION, PHASE_REQUEST, "power_watts: illegal data address");
}

static inline struct agent_numbers fixture_numbers(void)
{
    return (struct agent_numbers){
        .version = "1.2.3",
        .commit = "0123456789ab",
        .start_timestamp_seconds = 1790000000,
        .last_cycle_timestamp_seconds = 1790000123.5,
        .clock_trusted = true,
        .loop_lag_us = 1500,
        .counters = {[LEDGER_PUSH_FIRST + UPSTREAM_ACCEPTED] = 7,
                     [LEDGER_PUSH_FIRST + UPSTREAM_BUSY] = 2,
                     [LEDGER_STORE_ERROR_FIRST + BLOCK_IO] = 4,
                     [LEDGER_STORE_HUNG] = 1,
                     [LEDGER_STORE_WRITTEN] = 10,
                     [LEDGER_DROPPED_WRAP] = 9,
                     [LEDGER_RESTART_FIRST + CAUSE_STOP] = 2,
                     [LEDGER_RESTART_FIRST + CAUSE_HANG] = 1,
                     [LEDGER_CARE_FIRST + CARE_PUSH_RESTARTED] = 3,
                     [LEDGER_ROLLBACK_FIRST + ROLLOUT_SILENCE] = 2,
                     [LEDGER_ACTION_FIRST + SITE_ACTION_STARTED] = 4},
        .push_last_success_timestamp_seconds = 1790000100,
        .push_duration_us = 35000,
        .push_body_bytes = 4242,
        .push_failures_in_row = 1,
        .targets = 2,
        .runs_in_flight = 1,
        .store = {.configured = true,
                  .durable = true,
                  .trouble = STORE_FINE,
                  .size_bytes = 1 << 20,
                  .results = 1234,
                  .used_ratio = 0.625,
                  .uncommitted_us = 1500000,
                  .commit_duration_us = 3100,
                  .last_commit_timestamp_seconds = 1790000090},
        .recovery = {.phase = RECOVERY_REJOINING,
                     .barred_targets = 1,
                     .armed = true,
                     .granted_us = 60 * USEC_PER_SEC,
                     .may_reset = true,
                     .resets_left = 2,
                     .acts = true,
                     .before = {.cause = CAUSE_HANG, .signal = 6, .task = VITAL_LOOP},
                     .before_probe = "portal"}};
}

/* The longest of everything: each text `byte` as often as it fits, each number the longest. */
static inline void fixture_fill(char *text, size_t size, int byte)
{
    memset(text, byte, size - 1);
    text[size - 1] = '\0';
}

static inline void fixture_worst_result(struct result *result, uint16_t target, int byte)
{
    result_init(result, target, 0);
    result->duration_us = INT64_MAX;
    for (unsigned i = 0; i < PHASE_COUNT; i++) {
        result_phase_add(result, (enum phase)i, INT64_MAX - 7);
    }
    for (unsigned i = 0; i < FACT_COUNT; i++) {
        result_fact_set(result, (enum fact)i, -DBL_MIN);
    }
    result->tls.certificate = true;
    result->tls.leaf_not_after = INT64_MIN;
    result->tls.sent_not_after = INT64_MIN + 1025;
    result->tls.verified_not_after = INT64_MAX;
    fixture_fill(result->tls.version, sizeof result->tls.version, byte);
    fixture_fill(result->tls.cipher, sizeof result->tls.cipher, byte);
    fixture_fill(result->tls.subject, sizeof result->tls.subject, byte);
    fixture_fill(result->tls.issuer, sizeof result->tls.issuer, byte);
    fixture_fill(result->tls.subject_alternative, sizeof result->tls.subject_alternative, byte);
    fixture_fill(result->tls.serial, sizeof result->tls.serial, byte);
    fixture_fill(result->tls.fingerprint_sha256, sizeof result->tls.fingerprint_sha256, byte);
    result->value_count = CAP_VALUES;
    for (unsigned i = 0; i < CAP_VALUES; i++) {
        result->values[i] = (struct value_reading){.available = true, .number = -DBL_MIN};
    }
    result_succeed(result);
}

static inline void fixture_worst_sli(struct sli *sli, const struct config_probe *probe)
{
    sli_init(sli, probe);
    for (unsigned i = 0; sli->duration.extra_count < SLI_EXTRA_BOUNDS; i++) {
        (void)histogram_add_bound(&sli->duration, 3333333310 + 20 * (usec_t)i);
    }
    for (unsigned i = 0; i < OUTCOME_COUNT; i++) {
        sli->results[i] = UINT64_MAX;
    }
    for (unsigned i = 0; i < REASON_COUNT; i++) {
        sli->failures[i] = UINT64_MAX - 4097;
    }
    sli->missed = UINT64_MAX;
    sli->duration.buckets[0] = UINT64_MAX;
    sli->duration.count = UINT64_MAX;
    sli->duration.sum_us = 12345678901234567889u;
}

/* Counts a result as the agent does. */
static inline void fixture_count(struct sli *sli, const struct result *result)
{
    struct record record = record_of_result(result->target + 1u, result);
    sli_add(sli, &record);
}

#endif
