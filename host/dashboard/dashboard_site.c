/* Site: all probes of one site side by side. */
#include "dashboard.h"
#include "dashboard_promql.h"

#define IN     "job=\"picket\",site=\"$site\""
#define FIRING "ALERTS{alertname=~\"Picket.+\",alertstate=\"firing\",site=\"$site\"}"
#define BY     "probe, instance"

static const struct panel panels[] = {
    {PANEL_ROW, .title = "Now"},
    {PANEL_STAT, 3, 4, .title = "Last push", .unit = "s", .steps = STEPS_SILENT,
     .description = "Time since the site was last heard of; all else here is as old",
     .queries = {{"time() - max(push_time_seconds{" IN "})", "ago"}}},
    {PANEL_STAT, 3, 4, .title = "Probes failing", .steps = STEPS_NO_MORE,
     .description = "Targets whose last run failed",
     .queries = {{"count(probe_success{" IN "} == 0) or vector(0)", "failing"}}},
    {PANEL_STAT, 3, 4, .title = "Success", .unit = "percentunit", .steps = STEPS_OBJECTIVE,
     .description = "Share of runs that succeeded, in the range of time shown; unknown ones are "
                    "kept out. Colours change at the lowest and highest objective",
     .queries = {{SHARE("success", "", "$__range"), "success"}}},
    {PANEL_STAT, 3, 4, .title = "Lowest budget", .unit = "percentunit", .steps = STEPS_BUDGET,
     .description = "What is left of the error budget that is spent most; below 0: overspent",
     .queries = {{"min(" BUDGET ")", "left"}}},
    {PANEL_STAT, 3, 4, .title = "Uptime", .unit = "s", .description = "Of the agent",
     .queries = {{"time() - max(picket_start_timestamp_seconds{" IN "})", "uptime"}}},
    {PANEL_STAT, 3, 4, .title = "Restarts", .steps = STEPS_NO_MORE,
     .description = "That nobody asked for, in the range of time shown",
     .queries = {{"sum(increase(picket_restarts_total{" IN ",cause!~\"stop|reload\"}[$__range]))",
                  "restarts"}}},
    {PANEL_STAT, 3, 4, .title = "Store durable", .steps = STEPS_ALL, .words = WORDS_YES,
     .description = "Whether totals outlast a power cut",
     .queries = {{"min(picket_store_durable{" IN "})", "durable"}}},
    {PANEL_STAT, 3, 4, .title = "Clock trusted", .steps = STEPS_ALL, .words = WORDS_YES,
     .description = "Whether dates of certificates can be judged",
     .queries = {{"min(picket_clock_trusted{" IN "})", "trusted"}}},

    {PANEL_ROW, .title = "Probes"},
    {PANEL_STATES, 24, 8, .title = "Last run of each target", .steps = STEPS_ALL,
     .words = WORDS_OUTCOME, .description = "Red: it failed; a gap: it could not be measured",
     .queries = {{"max by (" BY ") (probe_success{" IN "})", "{{probe}} {{instance}}"}}},
    {PANEL_TABLE, 24, 9, .title = "Targets",
     .description = "Success and failures are of the range of time shown",
     .queries =
         {{"max by (" BY ") (probe_success{" IN "})", "last run", NULL, STEPS_ALL, WORDS_OUTCOME},
          {"max by (" BY ") (probe_duration_seconds{" IN "})", "duration", "s"},
          {SHARE("success", " by (" BY ")", "$__range"), "success", "percentunit", STEPS_OBJECTIVE},
          {RUNS("failure", " by (" BY ")", "$__range"), "failures"},
          {"histogram_quantile(0.95, sum by (" BY ", le) (\n"
           "  increase(picket_probe_duration_seconds_bucket{" IN "}[$__range])))",
           "p95", "s"},
          {"min by (" BY ") (slo:picket_slo_error_budget_remaining:ratio{" IN ",probe!=\"\"})",
           "lowest budget", "percentunit", STEPS_BUDGET}}},

    {PANEL_ROW, .title = "Golden signals"},
    {PANEL_LINES, 12, 8, .title = "Latency", .unit = "s",
     .description = "95th percentile of successful runs",
     .queries = {{QUANTILE("0.95", BY ", le"), "{{probe}} {{instance}}"}}},
    {PANEL_STACK, 12, 8, .title = "Traffic", .unit = "ops",
     .description = "Runs by outcome; unknown: the agent itself could not measure",
     .queries = {{"sum by (result) (rate(picket_probe_results_total{" IN "}[$__rate_interval]))",
                  "{{result}}"}}},
    {PANEL_STACK, 12, 8, .title = "Errors", .unit = "ops",
     .description = "Failed runs by probe and first cause",
     .queries = {{"sum by (probe, reason) (rate(picket_probe_failures_total{" IN "}"
                  "[$__rate_interval])) > 0",
                  "{{probe}} {{reason}}"}}},
    {PANEL_LINES, 12, 8, .title = "Saturation", .unit = "s", .steps = STEPS_LAG,
     .description = "How late the loop of the agent was, at worst between two pushes",
     .queries = {{"max(picket_loop_lag_seconds{" IN "})", "loop"}}},
    {PANEL_LINES, 12, 8, .title = "Saturation: slots", .steps = STEPS_SLOTS,
     .description = "Runs in flight as it was pushed; the red line is the fewest slots of a site",
     .queries = {{"max(picket_runs_in_flight{" IN "})", "in flight"}}},
    {PANEL_LINES, 12, 8, .title = "Saturation: missed runs", .unit = "ops",
     .description = "Scheduled runs that were not made, because all slots were taken or the agent "
                    "was down",
     .queries = {{"sum by (probe) (rate(picket_probe_missed_total{" IN "}[$__rate_interval]))",
                  "{{probe}}"}}},

    {PANEL_ROW, .title = "Error budgets"},
    {PANEL_BARS, 12, 9, .title = "Budget left", .unit = "percentunit", .steps = STEPS_BUDGET,
     .description = "Of each SLO, in its own window",
     .queries = {{"min by (" BY ", slo) (" BUDGET ")", "{{probe}} {{slo}} {{instance}}"}}},
    {PANEL_LINES, 12, 9, .title = "Burn rate over an hour", .steps = STEPS_BURN,
     .description = "1 spends the budget in just its window. The page on a fast burn begins at "
                    "14.4, the one on a slower at 6, tickets at 3 and 1",
     .queries = {{BURN("1h"), "{{probe}} {{slo}} {{instance}}"}}},
    {PANEL_TABLE, 24, 8, .title = "SLOs",
     .description = "What is left of each error budget, as Prometheus has it and as the device "
                    "keeps it, which outlasts gaps and short retention; and how fast it burns",
     .queries = {{"max by (" BY ", slo) (slo:picket_slo_objective:ratio{" IN "})", "objective",
                  "percentunit"},
                 {"min by (" BY ", slo) (" BUDGET ")", "left", "percentunit", STEPS_BUDGET},
                 {"min by (" BY ", slo) (picket_slo_error_budget_remaining_ratio{" IN "})",
                  "left on the device", "percentunit", STEPS_BUDGET},
                 {"max by (" BY ", slo) (" BURN("1h") ")", "burn 1h", NULL, STEPS_BURN},
                 {"max by (" BY ", slo) (" BURN("6h") ")", "burn 6h", NULL, STEPS_BURN},
                 {"max by (" BY ", slo) (" BURN("3d") ")", "burn 3d", NULL, STEPS_BURN}}},

    {PANEL_ROW, .need = NEED_TLS, .title = "Certificates"},
    {PANEL_TABLE, 24, 7, NEED_TLS, .title = "Certificates",
     .description = "Time until expiry: of the first to expire that was sent, of the target's own, "
                    "and of the chain that was verified",
     .queries = {{"min by (" BY ") (probe_ssl_earliest_cert_expiry{" IN "}) - time()", "first sent",
                  "s", STEPS_EXPIRY},
                 {"min by (" BY ") (picket_tls_leaf_expiry_timestamp_seconds{" IN "}) - time()",
                  "own", "s", STEPS_EXPIRY},
                 {"min by (" BY ") (probe_ssl_last_chain_expiry_timestamp_seconds{" IN
                  "}) - time()",
                  "verified chain", "s", STEPS_EXPIRY}}},

    {PANEL_ROW, .need = NEED_MODBUS, .title = "Modbus"},
    {PANEL_LINES, 12, 9, NEED_MODBUS, .title = "Values",
     .description = "As they were read, scaled; a value that could not be read is a gap",
     .queries = {{"max by (" BY ", name) (picket_modbus_value{" IN "})",
                  "{{probe}} {{name}} {{instance}}"}}},
    {PANEL_TABLE, 12, 9, NEED_MODBUS, .title = "Last values",
     .description = "Readable: whether the last run could read it",
     .queries = {{"max by (" BY ", name) (picket_modbus_value{" IN "})", "value"},
                 {"min by (" BY ", name) (picket_modbus_quality{" IN "})", "readable", NULL,
                  STEPS_ALL, WORDS_YES}}},

    {PANEL_ROW, .title = "Alerts"},
    {PANEL_TABLE, 24, 7, .title = "Firing alerts", .description = "Of the rules of picket rules",
     .queries = {{"count by (severity, alertname, probe, instance, slo) (" FIRING ")", "alerts"}}},
};

const struct dashboard dashboard_site = {
    .name = "site",
    .title = "Picket: site",
    .description = "One site: its probes, budgets, certificates and values",
    .site = IN,
    .alert = "site=\"$site\"",
    .mark_restarts = true,
    .variables = {{"site", "Site", SITES}},
    .panels = panels,
    .panel_count = ARRAY_LEN(panels),
};
