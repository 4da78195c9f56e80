/* Probe: one probe at one site, at some or at all, down to phases and what was received. */
#include "dashboard.h"

#define SITE     "job=\"picket\",site=~\"$site\""
#define IN       SITE ",probe=\"$probe\",instance=~\"$instance\""
#define BUDGET   "slo:picket_slo_error_budget_remaining:ratio{" IN "}"
#define RATIO(w) "slo:picket_slo_errors_per_event:ratio_rate" w "{" IN "}"
#define BURN(w)  "max by (slo) (" RATIO(w) "\n  / (1 - slo:picket_slo_objective:ratio{" IN "}))"
#define BY       "site, instance"
#define TABLE    "site, probe, instance"
#define RUNS(sort, range)                                                                          \
    "increase(picket_probe_results_total{" IN ",result=~\"" sort "\"}[" range "])"
#define QUANTILE(q)                                                                                \
    "histogram_quantile(" q ", sum by (le) (\n"                                                    \
    "  rate(picket_probe_duration_seconds_bucket{" IN "}[$__rate_interval])))"

static const struct panel panels[] = {
    {PANEL_ROW, .title = "Now"},
    {PANEL_STAT, 4, 4, .title = "Targets failing", .steps = STEPS_NO_MORE,
     .description = "Targets whose last run failed",
     .queries = {{"count(probe_success{" IN "} == 0) or vector(0)", "failing"}}},
    {PANEL_STAT, 4, 4, .title = "Success", .unit = "percentunit", .steps = STEPS_OBJECTIVE,
     .description = "Share of runs that succeeded, in the range of time shown; unknown ones are "
                    "kept out. Colours change at the lowest and highest objective",
     .queries = {{"sum(" RUNS("success", "$__range") ")\n"
                                                     "  / sum(" RUNS("success|failure",
                                                                     "$__range") ")",
                  "success"}}},
    {PANEL_STAT, 4, 4, .title = "Runs", .description = "In the range of time shown",
     .queries = {{"sum(" RUNS(".+", "$__range") ")", "runs"}}},
    {PANEL_STAT, 4, 4, .title = "Failures", .steps = STEPS_NO_MORE,
     .description = "In the range of time shown",
     .queries = {{"sum(" RUNS("failure", "$__range") ")", "failures"}}},
    {PANEL_STAT, 4, 4, .title = "Lowest budget", .unit = "percentunit", .steps = STEPS_BUDGET,
     .description = "What is left of the error budget that is spent most; below 0: overspent",
     .queries = {{"min(" BUDGET ")", "left"}}},
    {PANEL_STAT, 4, 4, .title = "Timeout", .unit = "s",
     .description = "After which a run is a failure",
     .queries = {{"max(probe_timeout_seconds{" IN "})", "timeout"}}},
    {PANEL_STATES, 24, 6, .title = "Last run", .steps = STEPS_ALL, .words = WORDS_OUTCOME,
     .description = "Red: it failed; a gap: it could not be measured",
     .queries = {{"max by (" BY ") (probe_success{" IN "})", "{{site}} {{instance}}"}}},

    {PANEL_ROW, .title = "Golden signals"},
    {PANEL_LINES, 12, 9, .title = "Latency", .unit = "s", .latency_objectives = true,
     .description = "Percentiles of successful runs, and the thresholds of latency SLOs",
     .queries = {{QUANTILE("0.5"), "p50"}, {QUANTILE("0.95"), "p95"}, {QUANTILE("0.99"), "p99"}}},
    {PANEL_HEAT, 12, 9, .title = "Latency: distribution", .unit = "short",
     .description = "Successful runs by duration; a bound lies at each threshold of an SLO",
     .queries = {{"sum by (le) (increase(picket_probe_duration_seconds_bucket{" IN "}"
                  "[$__rate_interval]))",
                  "{{le}}"}}},
    {PANEL_STACK, 12, 8, .title = "Latency: phases", .unit = "s",
     .description = "Of the last run, mean over targets; a phase that was not reached is absent",
     .queries = {{"avg by (phase) (probe_http_duration_seconds{" IN "}\n"
                  "  or probe_tcp_duration_seconds{" IN "}\n"
                  "  or probe_tls_duration_seconds{" IN "}\n"
                  "  or probe_modbus_duration_seconds{" IN "}\n"
                  "  or probe_icmp_duration_seconds{" IN "}\n"
                  "  or probe_dns_duration_seconds{" IN "})",
                  "{{phase}}"}}},
    {PANEL_LINES, 12, 8, .title = "Latency: last runs", .unit = "s",
     .description = "Of each target, whatever the outcome",
     .queries = {{"max by (" BY ") (probe_duration_seconds{" IN "})", "{{site}} {{instance}}"}}},
    {PANEL_STACK, 12, 8, .title = "Traffic", .unit = "ops",
     .description = "Runs by outcome; unknown: the agent itself could not measure",
     .queries = {{"sum by (result) (rate(picket_probe_results_total{" IN "}[$__rate_interval]))",
                  "{{result}}"}}},
    {PANEL_STACK, 12, 8, .title = "Errors", .unit = "ops",
     .description = "Failed runs by their first cause",
     .queries = {{"sum by (reason) (rate(picket_probe_failures_total{" IN "}"
                  "[$__rate_interval]))",
                  "{{reason}}"}}},
    {PANEL_LINES, 12, 8, .title = "Errors: share", .unit = "percentunit",
     .description = "Share of runs that failed",
     .queries = {{"sum by (" BY ") (" RUNS(
                      "failure", "$__rate_interval") ")\n"
                                                     "  / sum by (" BY ") (" RUNS(
                                                         "success|failure", "$__rate_interval") ")",
                  "{{site}} {{instance}}"}}},
    {PANEL_LINES, 12, 8, .title = "Saturation: missed runs", .unit = "ops",
     .description = "Scheduled runs that were not made, because all slots were taken or the agent "
                    "was down",
     .queries = {{"sum by (" BY ") (rate(picket_probe_missed_total{" IN "}[$__rate_interval]))",
                  "{{site}} {{instance}}"}}},

    {PANEL_ROW, .title = "Error budgets"},
    {PANEL_LINES, 12, 8, .title = "Good events against the objective", .unit = "percentunit",
     .description = "Share of good events over an hour, at the worst target",
     .queries = {{"1 - max by (slo) (" RATIO("1h") ")", "{{slo}}"},
                 {"max by (slo) (slo:picket_slo_objective:ratio{" IN "})", "objective {{slo}}"}}},
    {PANEL_LINES, 12, 8, .title = "Budget left", .unit = "percentunit", .steps = STEPS_BUDGET,
     .description = "Of each SLO in its own window, at the worst target",
     .queries = {{"min by (slo, window) (" BUDGET ")", "{{slo}} {{window}}"}}},
    {PANEL_LINES, 12, 8, .title = "Burn rate: pages", .steps = STEPS_BURN,
     .description = "The page begins where both 1h and 5m are above 14.4, or 6h and 30m above 6",
     .queries = {{BURN("5m"), "{{slo}} 5m"},
                 {BURN("30m"), "{{slo}} 30m"},
                 {BURN("1h"), "{{slo}} 1h"},
                 {BURN("6h"), "{{slo}} 6h"}}},
    {PANEL_LINES, 12, 8, .title = "Burn rate: tickets", .steps = STEPS_BURN,
     .description = "The ticket begins where both 1d and 2h are above 3, or 3d and 6h above 1",
     .queries = {{BURN("2h"), "{{slo}} 2h"},
                 {BURN("6h"), "{{slo}} 6h"},
                 {BURN("1d"), "{{slo}} 1d"},
                 {BURN("3d"), "{{slo}} 3d"}}},
    {PANEL_LINES, 24, 7, .title = "Events", .unit = "ops",
     .description = "What the SLOs count: unknown runs and maintenance are no events",
     .queries = {{"sum by (slo, result) (rate(picket_slo_events_total{" IN "}[$__rate_interval]))",
                  "{{slo}} {{result}}"}}},

    {PANEL_ROW, .need = NEED_HTTP, .title = "HTTP (empty for other kinds)"},
    {PANEL_STATES, 12, 7, NEED_HTTP, .title = "Status code", .unit = "none", .steps = STEPS_STATUS,
     .description = "Of the last answer; 0: there was none",
     .queries = {{"max by (" BY ") (probe_http_status_code{" IN "})", "{{site}} {{instance}}"}}},
    {PANEL_LINES, 12, 7, NEED_HTTP, .title = "Body", .unit = "bytes",
     .description = "Bytes of the body that were read",
     .queries = {{"max by (" BY ") (probe_http_uncompressed_body_length{" IN "})",
                  "{{site}} {{instance}}"}}},
    {PANEL_TABLE, 24, 6, NEED_HTTP, .title = "Last answer",
     .description = "What the last run received",
     .queries = {{"max by (" TABLE ") (probe_http_status_code{" IN "})", "status", "none"},
                 {"max by (" TABLE ") (probe_http_redirects{" IN "})", "redirects"},
                 {"max by (" TABLE ") (probe_http_version{" IN "})", "HTTP version"},
                 {"max by (" TABLE ") (probe_http_ssl{" IN "})", "TLS", NULL, STEPS_NONE,
                  WORDS_YES},
                 {"max by (" TABLE ") (probe_ip_protocol{" IN "})", "IP version"},
                 {"max by (" TABLE ") (probe_dns_lookup_time_seconds{" IN "})", "lookup", "s"}}},

    {PANEL_ROW, .need = NEED_TLS, .title = "Certificate (empty without TLS)"},
    {PANEL_TABLE, 24, 6, NEED_TLS, .title = "Expiry",
     .description = "Time until expiry: of the first to expire that was sent, of the target's own, "
                    "and of the chain that was verified",
     .queries = {{"min by (" TABLE ") (probe_ssl_earliest_cert_expiry{" IN "}) - time()",
                  "first sent", "s", STEPS_EXPIRY},
                 {"min by (" TABLE ") (picket_tls_leaf_expiry_timestamp_seconds{" IN "}) - time()",
                  "own", "s", STEPS_EXPIRY},
                 {"min by (" TABLE ") (probe_ssl_last_chain_expiry_timestamp_seconds{" IN
                  "}) - time()",
                  "verified chain", "s", STEPS_EXPIRY}}},
    {PANEL_TABLE, 24, 6, NEED_TLS, .title = "Subject and issuer",
     .description = "Of the certificate of the target itself",
     .queries = {{"max by (site, instance, subject, issuer, subjectalternative, serialnumber) (\n"
                  "  probe_ssl_last_chain_info{" IN "})",
                  "seen"}}},
    {PANEL_TEXT, 12, 4, NEED_TLS, .title = "TLS version", .description = "As negotiated",
     .queries = {{"count by (version) (probe_tls_version_info{" IN "})", "{{version}}"}}},
    {PANEL_TEXT, 12, 4, NEED_TLS, .title = "Cipher", .description = "As negotiated",
     .queries = {{"count by (cipher) (probe_tls_cipher_info{" IN "})", "{{cipher}}"}}},

    {PANEL_ROW, .need = NEED_MODBUS, .title = "Modbus (empty for other kinds)"},
    {PANEL_LINES, 12, 9, NEED_MODBUS, .title = "Values",
     .description = "As they were read, scaled; a value that could not be read is a gap",
     .queries = {{"max by (" BY ", name) (picket_modbus_value{" IN "})",
                  "{{name}} {{site}} {{instance}}"}}},
    {PANEL_STATES, 12, 9, NEED_MODBUS, .title = "Readable", .steps = STEPS_ALL, .words = WORDS_YES,
     .description = "Whether the last run could read the value",
     .queries = {{"min by (" BY ", name) (picket_modbus_quality{" IN "})",
                  "{{name}} {{site}} {{instance}}"}}},
};

const struct dashboard dashboard_probe = {
    .name = "probe",
    .title = "Picket: probe",
    .description = "One probe: the golden signals, its SLOs, and what its targets answered",
    .site = SITE,
    .alert = "site=~\"$site\",probe=~\"$probe|\"",
    .mark_restarts = true,
    .variables = {{"site", "Site", "label_values(picket_build_info{job=\"picket\"}, site)", true},
                  {"probe", "Probe", "label_values(picket_probe_results_total{" SITE "}, probe)"},
                  {"instance", "Target",
                   "label_values(picket_probe_results_total{" SITE ",probe=\"$probe\"}, instance)",
                   true}},
    .panels = panels,
    .panel_count = ARRAY_LEN(panels),
};
