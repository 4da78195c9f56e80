/* The table of all series, at the end of the file, and how each gets its samples. Names, meanings
 * and help texts of probe_* are blackbox_exporter's (prober/{handler,prober,http}.go). A name's
 * type never changes: a receiver keeps the first one for its whole fleet. */
#include <assert.h>

#include "buffer.h"
#include "metrics_walk.h"
#include "upstream.h"

static double seconds(usec_t duration_us)
{
    return (double)duration_us / (double)USEC_PER_SEC;
}

/* A time or size that is 0 while it is not known. */
static void sample_if_known(struct walk *walk, double value)
{
    if (value > 0 || value < 0) {
        walk_sample(walk, value);
    }
}

/* The agent. */

static void build_info(struct walk *walk)
{
    char version[METRICS_VERSION_BYTES], commit[METRICS_VERSION_BYTES];
    struct buffer out;
    buffer_init(&out, version, sizeof version);
    buffer_append_string(&out, walk->agent->version);
    walk_label_push(walk, "version", buffer_text(&out));
    buffer_init(&out, commit, sizeof commit);
    buffer_append_string(&out, walk->agent->commit);
    walk_sample_labelled(walk, "commit", buffer_text(&out), 1);
    walk_label_pop(walk);
}

static void start_timestamp(struct walk *walk)
{
    sample_if_known(walk, walk->agent->start_timestamp_seconds);
}

static void last_cycle_timestamp(struct walk *walk)
{
    sample_if_known(walk, walk->agent->last_cycle_timestamp_seconds);
}

static void clock_trusted(struct walk *walk)
{
    walk_sample(walk, walk->agent->clock_trusted ? 1 : 0);
}

static void loop_lag(struct walk *walk)
{
    walk_sample(walk, seconds(walk->agent->loop_lag_us));
}

static void push_attempts(struct walk *walk)
{
    for (unsigned i = 0; i < UPSTREAM_CLASS_COUNT; i++) {
        walk_sample_labelled(walk, "result", upstream_class_name((enum upstream_class)i),
                             (double)walk->agent->counters[LEDGER_PUSH_FIRST + i]);
    }
}

static void push_last_success(struct walk *walk)
{
    sample_if_known(walk, walk->agent->push_last_success_timestamp_seconds);
}

static void push_duration(struct walk *walk)
{
    if (walk->agent->push_duration_us >= 0) {
        walk_sample(walk, seconds(walk->agent->push_duration_us));
    }
}

static void push_body_bytes(struct walk *walk)
{
    sample_if_known(walk, (double)walk->agent->push_body_bytes);
}

static void push_failures_in_row(struct walk *walk)
{
    walk_sample(walk, walk->agent->push_failures_in_row);
}

static void targets(struct walk *walk)
{
    walk_sample(walk, walk->agent->targets);
}

static void runs_in_flight(struct walk *walk)
{
    walk_sample(walk, walk->agent->runs_in_flight);
}

/* Counters of a target. */

static void results(struct walk *walk)
{
    for (unsigned i = 0; i < OUTCOME_COUNT; i++) {
        walk_sample_labelled(walk, "result", outcome_name((enum outcome)i),
                             (double)walk->sli->results[i]);
    }
}

static void failures(struct walk *walk)
{
    uint64_t declared = walk->probe->section.kind->reasons;
    for (unsigned i = 0; i < REASON_COUNT; i++) {
        if ((declared & REASON_BIT(i)) != 0) {
            walk_sample_labelled(walk, "reason", reason_name((enum reason)i),
                                 (double)walk->sli->failures[i]);
        }
    }
}

static void durations(struct walk *walk)
{
    walk_histogram(walk, &walk->sli->duration);
}

static void missed(struct walk *walk)
{
    walk_sample(walk, (double)walk->sli->missed);
}

static void maintenance(struct walk *walk)
{
    walk_sample(walk, (double)walk->sli->maintenance);
}

/* Gauges of the last run. */

static void success(struct walk *walk)
{
    if (walk->last->outcome != OUTCOME_UNKNOWN) {
        walk_sample(walk, walk->last->outcome == OUTCOME_SUCCESS ? 1 : 0);
    }
}

static void duration(struct walk *walk)
{
    walk_sample(walk, seconds(walk->last->duration_us));
}

static void timeout(struct walk *walk)
{
    walk_sample(walk, seconds(walk->probe->timeout_us));
}

static void phases(struct walk *walk)
{
    uint32_t reached = walk->last->phases_reached & walk->kind->phases;
    for (unsigned i = 0; i < PHASE_COUNT; i++) {
        if ((reached & PHASE_BIT(i)) != 0) {
            walk_sample_labelled(walk, "phase", phase_name((enum phase)i),
                                 seconds(walk->last->phase_us[i]));
        }
    }
}

static void fact(struct walk *walk)
{
    uint64_t declared = walk->probe->section.kind->facts | COMMON_FACTS;
    if ((walk->last->facts_set & declared & FACT_BIT(walk->fact)) != 0) {
        walk_sample(walk, walk->last->facts[walk->fact]);
    }
}

/* The facts of a certificate that was received, NULL when none was. */
static const struct tls_facts *certificate(const struct walk *walk)
{
    bool received = walk->probe->section.kind->tls && walk->last->tls.certificate;
    return received ? &walk->last->tls : NULL;
}

static void earliest_cert_expiry(struct walk *walk)
{
    const struct tls_facts *tls = certificate(walk);
    sample_if_known(walk, tls != NULL ? (double)tls->sent_not_after : 0);
}

/* blackbox_exporter answers -62135596800 when no chain was verified; here there is no sample. */
static void last_chain_expiry(struct walk *walk)
{
    const struct tls_facts *tls = certificate(walk);
    sample_if_known(walk, tls != NULL ? (double)tls->verified_not_after : 0);
}

static void leaf_expiry(struct walk *walk)
{
    const struct tls_facts *tls = certificate(walk);
    sample_if_known(walk, tls != NULL ? (double)tls->leaf_not_after : 0);
}

static void last_chain_info(struct walk *walk)
{
    const struct tls_facts *tls = certificate(walk);
    if (tls == NULL) {
        return;
    }
    unsigned before = walk->labels.count;
    walk_label_push(walk, "fingerprint_sha256", tls->fingerprint_sha256);
    walk_label_push(walk, "subject", tls->subject);
    walk_label_push(walk, "issuer", tls->issuer);
    walk_label_push(walk, "subjectalternative", tls->subject_alternative);
    walk_label_push(walk, "serialnumber", tls->serial);
    walk_sample(walk, 1);
    walk->labels.count = before;
}

static void tls_version(struct walk *walk)
{
    if (walk->probe->section.kind->tls && walk->last->tls.version[0] != '\0') {
        walk_sample_labelled(walk, "version", walk->last->tls.version, 1);
    }
}

static void tls_cipher(struct walk *walk)
{
    if (walk->probe->section.kind->tls && walk->last->tls.cipher[0] != '\0') {
        walk_sample_labelled(walk, "cipher", walk->last->tls.cipher, 1);
    }
}

/* The name of value `index` of the probe at hand; false when it reads no such value. */
static bool value_name(const struct walk *walk, unsigned index, char *name, size_t size)
{
    return index < CAP_VALUES && walk->kind->value_name != NULL &&
           walk->kind->value_name(walk->config, &walk->probe->section, index, name, size);
}

static bool value_available(const struct result *last, unsigned index)
{
    return index < last->value_count && last->values[index].available;
}

/* A text is no number: its quality tells that it was read. */
static void values(struct walk *walk)
{
    char name[CAP_NAME_BYTES];
    for (unsigned i = 0; value_name(walk, i, name, sizeof name); i++) {
        if (value_available(walk->last, i) && walk->last->values[i].text[0] == '\0') {
            walk_sample_labelled(walk, "name", name, walk->last->values[i].number);
        }
    }
}

static void qualities(struct walk *walk)
{
    char name[CAP_NAME_BYTES];
    for (unsigned i = 0; value_name(walk, i, name, sizeof name); i++) {
        walk_sample_labelled(walk, "name", name, value_available(walk->last, i) ? 1 : 0);
    }
}

#define AGENT(type_, name_, help_, emit_)                                                          \
    {                                                                                              \
        .scope = SCOPE_AGENT, .type = type_, .name = name_, .help = help_, .emit = emit_           \
    }
/* From the first walk on. */
#define ALWAYS(type_, name_, help_, emit_)                                                         \
    {                                                                                              \
        .scope = SCOPE_TARGET, .type = type_, .name = name_, .help = help_, .with_kind = true,     \
        .emit = emit_                                                                              \
    }
/* Likewise, and of groups. */
#define SLO(type_, name_, help_, emit_)                                                            \
    {                                                                                              \
        .scope = SCOPE_TARGET, .type = type_, .name = name_, .help = help_, .with_kind = true,     \
        .with_groups = true, .emit = emit_                                                         \
    }
/* Gauges of the last run: of all kinds, and one family for each kind. */
#define LAST_RUN(name_, help_, emit_)                                                              \
    {                                                                                              \
        .scope = SCOPE_TARGET, .type = METRIC_GAUGE, .name = name_, .help = help_,                 \
        .last_run = true, .emit = emit_                                                            \
    }
#define LAST_RUN_OF_KIND(name_, help_, emit_)                                                      \
    {                                                                                              \
        .scope = SCOPE_KIND, .type = METRIC_GAUGE, .name = name_, .help = help_, .last_run = true, \
        .emit = emit_                                                                              \
    }

const struct family metrics_families[] = {
    AGENT(METRIC_GAUGE, "picket_build_info", "Version and commit of the agent, always 1",
          build_info),
    AGENT(METRIC_GAUGE, "picket_start_timestamp_seconds", "Unix time at which the agent started",
          start_timestamp),
    AGENT(METRIC_GAUGE, "picket_last_cycle_timestamp_seconds",
          "Unix time at which the agent last went round its loop", last_cycle_timestamp),
    AGENT(METRIC_GAUGE, "picket_clock_trusted",
          "Whether the wall clock may be used to judge certificate dates", clock_trusted),
    AGENT(METRIC_GAUGE, "picket_loop_lag_seconds",
          "Greatest lateness of a pass of the loop since the last push", loop_lag),
    AGENT(METRIC_COUNTER, "picket_push_attempts_total", "Pushes by how the receiver answered",
          push_attempts),
    AGENT(METRIC_GAUGE, "picket_push_last_success_timestamp_seconds",
          "Unix time of the last push that was accepted", push_last_success),
    AGENT(METRIC_GAUGE, "picket_push_duration_seconds", "Duration of the last push", push_duration),
    AGENT(METRIC_GAUGE, "picket_push_body_bytes", "Size of the last body that was pushed",
          push_body_bytes),
    AGENT(METRIC_GAUGE, "picket_push_consecutive_failures",
          "Pushes that failed since the last one that was accepted", push_failures_in_row),
    AGENT(METRIC_GAUGE, "picket_store_durable",
          "Whether totals are on a device before they are pushed", metrics_store_durable),
    AGENT(METRIC_GAUGE, "picket_store_trouble",
          "Why totals are in memory alone: 1 for the cause at hand", metrics_store_trouble),
    AGENT(METRIC_GAUGE, "picket_store_volatile",
          "Whether the device of the store forgets with the power", metrics_store_volatile),
    AGENT(METRIC_COUNTER, "picket_store_dropped_results_total",
          "Results the log no longer holds, by why; totals have counted them",
          metrics_store_dropped),
    AGENT(METRIC_COUNTER, "picket_store_errors_total",
          "Operations on the device of the store that failed", metrics_store_errors),
    AGENT(METRIC_GAUGE, "picket_store_size_bytes", "Size of the store", metrics_store_size),
    AGENT(METRIC_GAUGE, "picket_store_used_ratio", "Share of the log that holds results",
          metrics_store_used),
    AGENT(METRIC_GAUGE, "picket_store_results", "Results the log holds", metrics_store_results),
    AGENT(METRIC_GAUGE, "picket_store_uncommitted_seconds",
          "Age of the oldest record a power cut would cost", metrics_store_uncommitted),
    AGENT(METRIC_GAUGE, "picket_store_commit_duration_seconds", "Duration of the last commit",
          metrics_store_commit_duration),
    AGENT(METRIC_GAUGE, "picket_store_last_commit_timestamp_seconds",
          "Unix time of the last commit", metrics_store_last_commit),
    AGENT(METRIC_COUNTER, "picket_store_written_bytes_total",
          "Bytes written to the device of the store", metrics_store_written),
    AGENT(METRIC_COUNTER, "picket_restarts_total", "Runs of the agent by how the one before ended",
          metrics_restarts),
    AGENT(METRIC_GAUGE, "picket_last_restart_info", "How the run of the agent before ended",
          metrics_last_restart),
    AGENT(METRIC_GAUGE, "picket_recovery_phase",
          "How the agent is kept going: 1 for the phase at hand", metrics_recovery_phase),
    AGENT(METRIC_GAUGE, "picket_recovery_barred_targets", "Targets that may not run for now",
          metrics_recovery_barred),
    AGENT(METRIC_COUNTER, "picket_recovery_actions_total", "What the agent did about its own parts",
          metrics_recovery_actions),
    AGENT(METRIC_GAUGE, "picket_config_file_in_use",
          "Whether the file's configuration runs, not the last known good one instead",
          metrics_config_file_in_use),
    AGENT(METRIC_COUNTER, "picket_config_rollbacks_total",
          "Times the file's configuration was left for the last known good one, by why",
          metrics_config_rollbacks),
    AGENT(METRIC_GAUGE, "picket_watchdog_armed", "Whether a watchdog is being fed",
          metrics_watchdog_armed),
    AGENT(METRIC_GAUGE, "picket_watchdog_timeout_seconds", "Timeout the watchdog has granted",
          metrics_watchdog_timeout),
    AGENT(METRIC_GAUGE, "picket_watchdog_resets_left",
          "Resets of the board that the budget of a day still allows",
          metrics_watchdog_resets_left),
    AGENT(METRIC_COUNTER, "picket_site_actions_total", "Site actions by what became of them",
          metrics_site_actions),
    AGENT(METRIC_GAUGE, "picket_targets", "Targets of the configuration", targets),
    AGENT(METRIC_GAUGE, "picket_runs_in_flight", "Probe runs in progress", runs_in_flight),

    ALWAYS(METRIC_COUNTER, "picket_probe_results_total", "Runs by outcome", results),
    ALWAYS(METRIC_COUNTER, "picket_probe_failures_total", "Failed runs by first cause", failures),
    ALWAYS(METRIC_HISTOGRAM, "picket_probe_duration_seconds", "Duration of successful runs",
           durations),
    ALWAYS(METRIC_COUNTER, "picket_probe_missed_total", "Scheduled runs that were not made",
           missed),
    ALWAYS(METRIC_COUNTER, "picket_probe_maintenance_total",
           "Runs in maintenance, which count in no other series", maintenance),
    SLO(METRIC_GAUGE, "picket_slo_objective_ratio", "Share of good events the SLO asks for",
        metrics_slo_objective),
    SLO(METRIC_COUNTER, "picket_slo_events_total", "Events of the SLO", metrics_slo_events),
    SLO(METRIC_GAUGE, "picket_slo_error_budget_remaining_ratio",
        "Share of the error budget that the events of the SLO's window have left",
        metrics_slo_budget),
    SLO(METRIC_GAUGE, "picket_slo_burn_rate",
        "How fast the error budget is spent: 1 spends it over the window of the SLO",
        metrics_slo_burn),

    LAST_RUN("probe_success", "Displays whether or not the probe was a success", success),
    LAST_RUN("probe_duration_seconds", "Returns how long the probe took to complete in seconds",
             duration),
    LAST_RUN("probe_timeout_seconds", "Returns how long the probe timeout is in seconds", timeout),
    {.scope = SCOPE_KIND,
     .type = METRIC_GAUGE,
     .name = "probe_%_duration_seconds",
     .help = "Duration of % check by phase",
     .phases = true,
     .last_run = true,
     .emit = phases},
    {.scope = SCOPE_FACT, .type = METRIC_GAUGE, .last_run = true, .emit = fact},
    LAST_RUN("probe_ssl_earliest_cert_expiry", "Returns last SSL chain expiry in unixtime",
             earliest_cert_expiry),
    LAST_RUN("probe_ssl_last_chain_expiry_timestamp_seconds",
             "Returns last SSL chain expiry in timestamp", last_chain_expiry),
    LAST_RUN("probe_ssl_last_chain_info", "Contains SSL leaf certificate information",
             last_chain_info),
    LAST_RUN("probe_tls_version_info", "Returns the TLS version used or NaN when unknown",
             tls_version),
    LAST_RUN("probe_tls_cipher_info", "Returns the TLS cipher negotiated during handshake",
             tls_cipher),
    LAST_RUN("picket_tls_leaf_expiry_timestamp_seconds",
             "Unix time at which the certificate of the target itself expires", leaf_expiry),
    LAST_RUN_OF_KIND("picket_%_value", "Value read by the last % check", values),
    LAST_RUN_OF_KIND("picket_%_quality", "Whether the last % check could read the value",
                     qualities),
};
const unsigned metrics_family_count = ARRAY_LEN(metrics_families);
