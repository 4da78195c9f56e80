/* A Pushgateway shows the last push of a site for ever, so nothing here waits for a series to go;
 * ages are compared with the time of the push. What a site has never said, or a gateway has
 * forgotten, is missing against the inventory. */
#include <inttypes.h>
#include <string.h>

#include "rules.h"
#include "yaml.h"

#define SILENT_MIN (10 * USEC_PER_MINUTE)

struct alert {
    const char *name, *severity, *hold; /* hold: `for`, NULL: at once */
    const char *expression; /* lines; @ stands for the silent time, # for the stuck one */
    const char *summary, *description;
};

static const struct alert site_alerts[] = {
    {"PicketSiteSilent", "page", "5m",
     "      time() - max by (job, site) (push_time_seconds{job=\"picket\"}) > @\n"
     "      or\n"
     "      site:picket_inventory:info\n"
     "      unless on (job, site)\n"
     "      max_over_time(push_time_seconds{job=\"picket\"}[@s])\n",
     "Nothing is heard of site {{ $labels.site }}",
     "The agent, its power or its uplink is down, or what it pushes is refused"},
    {"PicketProberStuck", "page", "5m",
     "      max by (job, site) (push_time_seconds{job=\"picket\"})\n"
     "        - max by (job, site) (picket_last_cycle_timestamp_seconds{job=\"picket\"}) > 300\n"
     "      or\n"
     "      sum by (job, site) (increase(picket_probe_results_total{job=\"picket\"}[#s])) == 0\n"
     "      and on (job, site)\n"
     "      time() - push_time_seconds{job=\"picket\"} < @\n",
     "Site {{ $labels.site }} pushes but does not probe",
     "Its loop stands still or no run ends; or its clock is behind the gateway's"},
    {"PicketPushRefused", "ticket", "15m",
     "      max by (job, site) (push_failure_time_seconds{job=\"picket\"})\n"
     "        > max by (job, site) (push_time_seconds{job=\"picket\"})\n",
     "The Pushgateway refuses what site {{ $labels.site }} pushes",
     "Another group may have poisoned the gateway: its log names the series"},
    {"PicketStoreDegraded", "ticket", "15m",
     "      picket_store_durable{job=\"picket\"} == 0\n"
     "      and on (job, site)\n"
     "      picket_store_size_bytes{job=\"picket\"}\n",
     "The store of site {{ $labels.site }} is in memory alone",
     "A reboot loses what was counted since: picket_store_trouble names the cause"},
    {"PicketRestartLoop", "ticket", NULL,
     "      sum by (job, site) (\n"
     "        max_over_time(picket_restarts_total{job=\"picket\",cause!~\"stop|reload\"}[1h])\n"
     "        - min_over_time(picket_restarts_total{job=\"picket\",cause!~\"stop|reload\"}[1h])) > "
     "2\n",
     "The agent of site {{ $labels.site }} restarts again and again",
     "{{ $value | humanize }} times in an hour without having been asked to"},
    {"PicketClockUntrusted", "ticket", "1h", "      picket_clock_trusted{job=\"picket\"} == 0\n",
     "Site {{ $labels.site }} does not know the time",
     "Dates of certificates are not judged and results bear no time of day"},
};

static const struct alert gateway_alerts[] = {
    {"PicketGatewayDown", "page", "5m",
     "      up{job=\"" RULES_GATEWAY_JOB "\"} == 0\n"
     "      or\n"
     "      absent(up{job=\"" RULES_GATEWAY_JOB "\"})\n",
     "The Pushgateway {{ $labels.instance }} cannot be scraped",
     "No site is seen. A gateway that answers 500 is poisoned: two groups claim one series; delete "
     "the group its log names"},
    {"PicketGatewayRefuses", "ticket", "10m",
     "      sum by (instance) (increase(pushgateway_http_requests_total{\n"
     "        job=\"" RULES_GATEWAY_JOB "\",handler=\"push\",code=\"400\"}[15m])) > 0\n",
     "The Pushgateway {{ $labels.instance }} refuses pushes",
     "When it refuses all sites it is poisoned: delete the group its log names"},
};

struct expiry {
    const char *severity, *from, *below; /* days; from NULL: down to the expiry and after it */
};
/* Apart from each other: one certificate is one alert at a time. Each step is an alert of its own,
 * by the label `within`, so that one who forgot the first is told again. */
static const struct expiry expiries[] = {
    {"ticket", "14", "30"}, {"ticket", "3", "14"}, {"page", NULL, "3"}};

usec_t rules_silent_us(const struct fleet *fleet)
{
    return usec_max(3 * fleet->push_interval_us, SILENT_MIN);
}

/* The last push that told of runs lies within it for as long as the site is not silent. */
static usec_t stuck_us(const struct fleet *fleet)
{
    return rules_silent_us(fleet) + usec_max(3 * fleet->run_interval_us, SILENT_MIN / 2);
}

static void write_expression(FILE *out, const char *text, const struct fleet *fleet)
{
    for (; *text != '\0'; text++) {
        if (*text == '@') {
            fprintf(out, "%" PRId64, rules_silent_us(fleet) / USEC_PER_SEC);
        } else if (*text == '#') {
            fprintf(out, "%" PRId64, stuck_us(fleet) / USEC_PER_SEC);
        } else {
            fputc(*text, out);
        }
    }
}

static void write_annotations(FILE *out, const char *summary, const char *description)
{
    fputs("    annotations:\n      summary: ", out);
    yaml_string(out, summary);
    fputs("\n      description: ", out);
    yaml_string(out, description);
    fputc('\n', out);
}

static void write_alerts(FILE *out, const struct alert *alerts, size_t count,
                         const struct fleet *fleet)
{
    for (size_t i = 0; i < count; i++) {
        fprintf(out, "  - alert: %s\n    expr: |\n", alerts[i].name);
        write_expression(out, alerts[i].expression, fleet);
        if (alerts[i].hold != NULL) {
            fprintf(out, "    for: %s\n", alerts[i].hold);
        }
        fprintf(out, "    labels:\n      severity: %s\n", alerts[i].severity);
        write_annotations(out, alerts[i].summary, alerts[i].description);
    }
}

static void write_expiry(FILE *out, const struct expiry *expiry)
{
    fprintf(out,
            "  - alert: PicketCertificateExpires\n    expr: |\n"
            "      probe_ssl_earliest_cert_expiry{job=\"picket\"} - time() < %s * 86400\n",
            expiry->below);
    if (expiry->from != NULL) {
        fprintf(out,
                "      and\n"
                "      probe_ssl_earliest_cert_expiry{job=\"picket\"} - time() >= %s * 86400\n",
                expiry->from);
    }
    fprintf(out, "    labels:\n      severity: %s\n      within: %sd\n", expiry->severity,
            expiry->below);
    write_annotations(out,
                      "A certificate of {{ $labels.instance }} expires in "
                      "{{ $value | humanizeDuration }}",
                      "Seen by {{ $labels.probe }} at site {{ $labels.site }}");
}

static void write_inventory(FILE *out, const struct fleet *fleet)
{
    fputs("- name: picket_inventory\n  rules:\n", out);
    for (size_t i = 0; i < fleet->site_count; i++) {
        fputs("  - record: site:picket_inventory:info\n"
              "    expr: vector(1)\n"
              "    labels:\n"
              "      job: picket\n"
              "      site: ",
              out);
        yaml_string(out, fleet->sites[i].name);
        fputc('\n', out);
    }
}

void rules_write_agents(FILE *out, const struct fleet *fleet)
{
    write_inventory(out, fleet);
    fputs("- name: picket_agents\n  rules:\n", out);
    write_alerts(out, site_alerts, ARRAY_LEN(site_alerts), fleet);
    for (size_t i = 0; i < ARRAY_LEN(expiries); i++) {
        write_expiry(out, &expiries[i]);
    }
    fputs("- name: picket_gateway\n  rules:\n", out);
    write_alerts(out, gateway_alerts, ARRAY_LEN(gateway_alerts), fleet);
}
