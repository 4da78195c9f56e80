/* What stands beside the rules: how Prometheus scrapes the gateways, and whom Alertmanager tells.
 */
#include <string.h>

#include "rules.h"
#include "yaml.h"

/* A gateway's URL, cut where Prometheus wants it cut. */
struct gateway {
    char scheme[8];
    const char *host, *path;
    size_t host_length;
};

static struct gateway split(const char *url)
{
    struct gateway gateway = {.host = url, .scheme = "http"};
    const char *end = strstr(url, "://");
    if (end != NULL) {
        snprintf(gateway.scheme, sizeof gateway.scheme, "%.*s", (int)(end - url), url);
        gateway.host = end + strlen("://");
    }
    gateway.host_length = strcspn(gateway.host, "/?#");
    gateway.path = gateway.host + gateway.host_length;
    return gateway;
}

/* All have one job, since the rules go by it; the names of scrapes differ. */
static void write_scrape(FILE *out, const char *url, size_t number)
{
    struct gateway gateway = split(url);
    char host[512];
    snprintf(host, sizeof host, "%.*s", (int)gateway.host_length, gateway.host);
    fprintf(out, "- job_name: %s", RULES_GATEWAY_JOB);
    if (number > 0) {
        fprintf(out, "-%zu", number + 1);
    }
    fprintf(out,
            "\n"
            "  honor_labels: true # job and instance are those of the site, not of the gateway\n"
            "  scrape_interval: 30s # rules expect a minute at most\n"
            "  scheme: %s\n  metrics_path: ",
            gateway.scheme);
    yaml_begin(out);
    yaml_part(out, gateway.path);
    yaml_part(out, "/metrics");
    yaml_end(out);
    fputs("\n  static_configs:\n  - targets: [", out);
    yaml_string(out, host);
    fprintf(out, "]\n    labels:\n      job: %s\n", RULES_GATEWAY_JOB);
}

void rules_write_prometheus(FILE *out, const struct fleet *fleet)
{
    fputs("# Written by picket rules --prometheus; to be merged into prometheus.yml. Credentials "
          "and\n"
          "# authorities of the gateway, if it wants any, are to be added.\n"
          "scrape_configs:\n",
          out);
    for (size_t i = 0; i < fleet->gateway_count; i++) {
        write_scrape(out, fleet->gateways[i], i);
    }
}

void rules_write_alertmanager(FILE *out)
{
    fputs("# Written by picket rules --alertmanager. The receivers' addresses are to be replaced:\n"
          "# nobody is told before that.\n"
          "route:\n"
          "  receiver: picket-tickets\n"
          "  group_by: [alertname, site]\n"
          "  repeat_interval: 1d\n"
          "  routes:\n"
          "  - receiver: picket-on-call\n"
          "    matchers: ['severity = \"page\"']\n"
          "    repeat_interval: 4h\n"
          "\n"
          "inhibit_rules:\n"
          "# A site that is silent: nothing else that is known of it is news.\n"
          "- source_matchers: ['alertname = \"PicketSiteSilent\"']\n"
          "  target_matchers: ['alertname =~ \"Picket.+\"', 'alertname != \"PicketSiteSilent\"']\n"
          "  equal: [job, site]\n"
          "# A gateway that cannot be read: all its sites look silent.\n"
          "- source_matchers: ['alertname = \"PicketGatewayDown\"']\n"
          "  target_matchers: ['alertname =~ \"Picket.+\"', 'alertname != \"PicketGatewayDown\"']\n"
          "# Who was called for a budget needs no ticket on it.\n"
          "- source_matchers: ['alertname = \"PicketErrorBudgetBurn\"', 'severity = \"page\"']\n"
          "  target_matchers: ['alertname = \"PicketErrorBudgetBurn\"', 'severity = \"ticket\"']\n"
          "  equal: [job, site, probe, instance, slo]\n"
          "\n"
          "receivers:\n"
          "- name: picket-on-call\n"
          "  webhook_configs:\n"
          "  - url: http://127.0.0.1:5001/page\n"
          "- name: picket-tickets\n"
          "  webhook_configs:\n"
          "  - url: http://127.0.0.1:5001/ticket\n",
          out);
}
