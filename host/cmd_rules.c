/* rules: what Prometheus and Alertmanager need to decide on the samples of a fleet. */
#include <errno.h>
#include <getopt.h>
#include <string.h>

#include "rules.h"
#include "verbs.h"
#include "workbench.h"

static const char help[] =
    "Writes Prometheus rules for the sites of these configurations: error budgets and alerts on\n"
    "how fast they burn, and alerts on agents. Give the configurations of all sites: they are the\n"
    "inventory, and a site that is in it and pushes nothing is an alert too.\n"
    "\n"
    "Options:\n"
    "  --prometheus       write the scrape block for the Pushgateways the sites push to, instead\n"
    "  --alertmanager     write a configuration of Alertmanager instead: pages go to on-call,\n"
    "                     tickets to a quieter receiver, a silent site silences all else of it\n"
    "  -o, --output FILE  (default: standard output)\n"
    "  --help\n"
    "\n"
    "Pages, when the budget burns 14.4 times too fast over 1h and 5m, or 6 times over 6h and 30m;\n"
    "tickets, 3 times over 1d and 2h, or once over 3d and 6h. One failure alone is no alert.\n"
    "Recorded, with W one of 5m 30m 1h 2h 6h 1d 3d and the window of the SLO:\n"
    "  slo:picket_slo_errors_per_event:ratio_rateW    bad events by events\n"
    "  slo:picket_slo_error_budget_remaining:ratio    1: all of it, 0: none, below: overspent\n"
    "SLOs that cannot page (too few runs, too low an objective) are named on standard error.\n"
    "\n"
    "Exit code: 0 written, 1 could not be written, 2 usage or a configuration is wrong.\n"
    "\n"
    "Try:  picket rules sites/*.conf --output picket.rules.yml\n"
    "      promtool check rules picket.rules.yml\n";

enum sort { SORT_RULES, SORT_PROMETHEUS, SORT_ALERTMANAGER };

struct options {
    enum sort sort;
    const char *output; /* NULL: standard output */
};

/* Returns an exit code, or -1 to go on. */
static int parse(int argc, char **argv, struct options *options)
{
    static const struct option table[] = {{"prometheus", no_argument, NULL, 'p'},
                                          {"alertmanager", no_argument, NULL, 'a'},
                                          {"output", required_argument, NULL, 'o'},
                                          {"help", no_argument, NULL, 'h'},
                                          {0}};
    int letter;
    opterr = 0; /* getopt would not name the program */
    while ((letter = getopt_long(argc, argv, "ho:", table, NULL)) != -1) {
        if (letter == 'h') {
            printf("Usage: picket rules [OPTIONS] FILE...\n\n%s", help);
            return EXIT_CODE_OK;
        } else if (letter == 'o') {
            options->output = optarg;
        } else if (letter != 'p' && letter != 'a') {
            return verbs_option_error("rules", argc, argv);
        } else if (options->sort != SORT_RULES) {
            return verbs_usage_error("rules", "one of --prometheus and --alertmanager");
        } else {
            options->sort = letter == 'p' ? SORT_PROMETHEUS : SORT_ALERTMANAGER;
        }
    }
    return optind < argc ? -1
                         : verbs_usage_error("rules", "give the configuration FILE of each site");
}

static void write_rules(FILE *out, struct fleet *fleet)
{
    fleet_sort(fleet);
    fputs("# Written by picket rules: what is changed here is lost when it is written again.\n"
          "groups:\n",
          out);
    rules_write_slos(out, fleet);
    rules_write_agents(out, fleet);
    rules_note_slos(stderr, fleet);
}

static void write_sort(FILE *out, struct fleet *fleet, enum sort sort)
{
    switch (sort) {
    case SORT_RULES:
        write_rules(out, fleet);
        break;
    case SORT_PROMETHEUS:
        rules_write_prometheus(out, fleet);
        break;
    case SORT_ALERTMANAGER:
        rules_write_alertmanager(out);
        break;
    }
}

static int write_output(const struct options *options, struct fleet *fleet)
{
    FILE *out = options->output != NULL ? fopen(options->output, "w") : stdout;
    bool good = out != NULL;
    if (good) {
        write_sort(out, fleet, options->sort);
        good = ferror(out) == 0;
        good = (out == stdout ? fflush(out) : fclose(out)) == 0 && good;
    }
    if (!good) {
        fprintf(stderr, "picket rules: %s: %s\n",
                options->output != NULL ? options->output : "standard output", strerror(errno));
    }
    return good ? EXIT_CODE_OK : EXIT_CODE_FAILURE;
}

int cmd_rules(int argc, char **argv)
{
    struct options options = {.output = NULL};
    struct fleet fleet = {.sites = NULL};
    int code = parse(argc, argv, &options);
    if (code >= 0) {
        return code;
    }
    code = EXIT_CODE_USAGE;
    if (fleet_load(&fleet, argv + optind, (size_t)(argc - optind))) {
        if (options.sort == SORT_PROMETHEUS && fleet.gateway_count == 0) {
            fputs("picket rules: no site pushes: [push] has no url\n", stderr);
        } else {
            code = write_output(&options, &fleet);
        }
    }
    fleet_free(&fleet);
    return code;
}
