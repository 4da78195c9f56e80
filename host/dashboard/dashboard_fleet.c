/* Fleet: is any site in trouble, and which. Each table leads to a site or a probe. */
#include "dashboard.h"
#include "dashboard_promql.h"
#include "rules.h"

#define IN       "job=\"picket\",site=~\"$site\""
#define GATEWAY  "job=\"" RULES_GATEWAY_JOB "\""
#define FIRING   "ALERTS{alertname=~\"Picket.+\",alertstate=\"firing\",site=~\"$site\""
#define HEARD    "time() - push_time_seconds{" IN "} < @"
#define BY_SLO   "site, probe, instance, slo"
#define WORST(x) "max by (" BY_SLO ") (" x ")\n  and on (" BY_SLO ") bottomk(50, " BUDGET ")"

static const struct panel panels[] = {
    {PANEL_ROW, .title = "Now"},
    {PANEL_STAT, 3, 4, .title = "Sites",
     .description = "Sites of the inventory that picket rules was given",
     .queries = {{"count(site:picket_inventory:info{" IN "})", "sites"}}},
    {PANEL_STAT, 3, 4, .title = "Silent sites", .steps = STEPS_NO_MORE,
     .description = "Sites of the inventory whose last push is too old, or that never pushed",
     .queries = {{"count(site:picket_inventory:info{" IN "}\n"
                  "  unless on (job, site) (" HEARD ")) or vector(0)",
                  "silent"}}},
    {PANEL_STAT, 3, 4, .title = "Probes failing", .steps = STEPS_NO_MORE,
     .description = "Targets whose last run failed, at sites that are not silent",
     .queries = {{"count(probe_success{" IN "} == 0\n"
                  "  and on (job, site) (" HEARD ")) or vector(0)",
                  "failing"}}},
    {PANEL_STAT, 3, 4, .title = "Success", .unit = "percentunit", .steps = STEPS_OBJECTIVE,
     .description = "Share of runs that succeeded, in the range of time shown; unknown ones are "
                    "kept out. Colours change at the lowest and highest objective",
     .queries = {{SHARE("success", "", "$__range"), "success"}}},
    {PANEL_STAT, 3, 4, .title = "Lowest budget", .unit = "percentunit", .steps = STEPS_BUDGET,
     .description = "What is left of the error budget that is spent most; below 0: overspent",
     .queries = {{"min(" BUDGET ")", "left"}}},
    {PANEL_STAT, 3, 4, .title = "Pages", .steps = STEPS_NO_MORE,
     .description = "Alerts that wake somebody",
     .queries = {{"count(" FIRING ",severity=\"page\"}) or vector(0)", "firing"}}},
    {PANEL_STAT, 3, 4, .title = "Tickets", .description = "Alerts that can wait for the morning",
     .queries = {{"count(" FIRING ",severity=\"ticket\"}) or vector(0)", "firing"}}},
    {PANEL_STAT, 3, 4, .title = "Versions", .description = "Agents by version",
     .queries = {{"count by (version) (picket_build_info{" IN "})", "{{version}}"}}},

    {PANEL_ROW, .title = "Golden signals"},
    {PANEL_LINES, 12, 8, .title = "Latency", .unit = "s",
     .description = "Mean duration of successful runs by kind",
     .queries = {{"sum by (kind) (rate(picket_probe_duration_seconds_sum{" IN "}"
                  "[$__rate_interval]))\n  / sum by (kind) (rate("
                  "picket_probe_duration_seconds_count{" IN "}[$__rate_interval]))",
                  "{{kind}}"}}},
    {PANEL_LINES, 12, 8, .title = "Latency: slowest probes", .unit = "s",
     .description = "95th percentile of successful runs, the ten slowest",
     .queries = {{"topk(10, " QUANTILE("0.95", "site, probe, instance, le") ")",
                  "{{site}} {{probe}} {{instance}}"}}},
    {PANEL_STACK, 12, 8, .title = "Traffic", .unit = "ops", .description = "Runs by kind",
     .queries = {{"sum by (kind) (rate(picket_probe_results_total{" IN "}[$__rate_interval]))",
                  "{{kind}}"}}},
    {PANEL_STACK, 12, 8, .title = "Errors", .unit = "ops",
     .description = "Failed runs by their first cause",
     .queries = {{"sum by (reason) (rate(picket_probe_failures_total{" IN "}"
                  "[$__rate_interval])) > 0",
                  "{{reason}}"}}},
    {PANEL_LINES, 12, 8, .title = "Errors: worst sites", .unit = "percentunit",
     .description = "Share of runs that failed, the ten worst sites",
     .queries = {{"topk(10, " SHARE("failure", " by (site)", "$__rate_interval") ")", "{{site}}"}}},
    {PANEL_LINES, 12, 8, .title = "Saturation", .unit = "s", .steps = STEPS_LAG,
     .description = "How late the loop of an agent was, at worst between two pushes; the ten worst",
     .queries = {{"topk(10, max by (site) (picket_loop_lag_seconds{" IN "}))", "{{site}}"}}},
    {PANEL_LINES, 12, 8, .title = "Saturation: missed runs", .unit = "ops",
     .description = "Scheduled runs that were not made, because all slots were taken or the agent "
                    "was down; the ten worst sites",
     .queries = {{"topk(10, sum by (site) (rate(picket_probe_missed_total{" IN "}"
                  "[$__rate_interval])))",
                  "{{site}}"}}},
    {PANEL_LINES, 12, 8, .title = "Age of pushes", .unit = "s", .steps = STEPS_SILENT,
     .description = "Time since the last push, the ten oldest; a site counts as silent from the "
                    "red line on",
     .queries = {{"topk(10, max by (site) (time() - push_time_seconds{" IN "}))", "{{site}}"}}},

    {PANEL_ROW, .title = "Error budgets"},
    {PANEL_TABLE, 24, 10, .title = "Error budgets",
     .description = "The fifty SLOs with least budget. Burn rates: 1 spends the budget in just its "
                    "window",
     .queries = {{WORST("slo:picket_slo_objective:ratio{" IN "}"), "objective", "percentunit"},
                 {WORST(BUDGET), "budget left", "percentunit", STEPS_BUDGET},
                 {WORST(BURN("1h")), "burn 1h", NULL, STEPS_BURN},
                 {WORST(BURN("6h")), "burn 6h", NULL, STEPS_BURN},
                 {WORST(BURN("3d")), "burn 3d", NULL, STEPS_BURN}}},
    {PANEL_LINES, 24, 8, .title = "Burn rate over an hour", .steps = STEPS_BURN,
     .description = "The ten fastest. The page on a fast burn begins at 14.4, the one on a slower "
                    "at 6, tickets at 3 and 1",
     .queries = {{"topk(10, " BURN("1h") ")", "{{site}} {{probe}} {{instance}} {{slo}}"}}},

    {PANEL_ROW, .title = "Sites"},
    {PANEL_TABLE, 24, 10, .title = "Site by site",
     .description = "What each site last said of itself",
     .queries =
         {{"max by (site) (time() - push_time_seconds{" IN "})", "since push", "s", STEPS_SILENT},
          {"sum by (site) (probe_success{" IN "} == bool 0)", "failing", NULL, STEPS_NO_MORE},
          {"min by (site) (" BUDGET ")", "lowest budget", "percentunit", STEPS_BUDGET},
          {"sum by (site) (increase(picket_restarts_total{" IN ",cause!~\"stop|reload\"}[1d]))",
           "restarts a day", NULL, STEPS_NO_MORE},
          {"min by (site) (picket_store_durable{" IN "})", "store durable", NULL, STEPS_ALL,
           WORDS_YES},
          {"min by (site) (picket_clock_trusted{" IN "})", "clock trusted", NULL, STEPS_ALL,
           WORDS_YES},
          {"max by (site) (time() - picket_start_timestamp_seconds{" IN "})", "uptime", "s"}}},
    {PANEL_TABLE, 12, 9, .title = "Firing alerts", .description = "Of the rules of picket rules",
     .queries = {{"count by (severity, alertname, site, probe, instance) (" FIRING "})",
                  "alerts"}}},
    {PANEL_TABLE, 12, 9, NEED_TLS, .title = "Certificates",
     .description = "The twenty that expire first, of all that a target sent",
     .queries = {{"bottomk(20, min by (site, probe, instance) (\n"
                  "  probe_ssl_earliest_cert_expiry{" IN "} - time()))",
                  "expires in", "s", STEPS_EXPIRY}}},

    {PANEL_ROW, .title = "Pushgateways"},
    {PANEL_STATES, 12, 7, .title = "Scrapes", .steps = STEPS_ALL, .words = WORDS_OUTCOME,
     .description = "Whether Prometheus can read the gateway. One that answers 500 is poisoned",
     .queries = {{"up{" GATEWAY "}", "{{instance}}"}}},
    {PANEL_LINES, 12, 7, .title = "Pushes", .unit = "ops",
     .description = "Pushes by the gateway's answer; 400: it refuses what is pushed",
     .queries = {{"sum by (instance, code) (rate(pushgateway_http_requests_total{" GATEWAY
                  ",handler=\"push\"}[$__rate_interval]))",
                  "{{instance}} {{code}}"}}},
    {PANEL_LINES, 12, 7, .title = "Duration of a scrape", .unit = "s",
     .description = "A gateway gets slower with each site; a scrape that takes longer than its "
                    "timeout is lost",
     .queries = {{"scrape_duration_seconds{" GATEWAY "}", "{{instance}}"}}},
    {PANEL_LINES, 12, 7, .title = "Memory", .unit = "bytes", .description = "Of each gateway",
     .queries = {{"process_resident_memory_bytes{" GATEWAY "}", "{{instance}}"}}},
};

const struct dashboard dashboard_fleet = {
    .name = "fleet",
    .title = "Picket: fleet",
    .description = "All sites: what fails, what burns, who is silent",
    .site = IN,
    .alert = "severity=\"page\",site=~\"$site\"",
    .variables = {{"site", "Site", SITES, true}},
    .panels = panels,
    .panel_count = ARRAY_LEN(panels),
};
