/* dashboard: what people look at in Grafana. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "dashboard.h"
#include "verbs.h"
#include "workbench.h"

static const char help[] =
    "Writes Grafana dashboards of a fleet, for a Prometheus that has the rules of `picket rules`:\n"
    "  fleet  is any site in trouble, and which; error budgets, certificates, gateways\n"
    "  site   all probes of one site side by side; budgets, certificates, Modbus values\n"
    "  probe  one probe at one site or many: golden signals, phases, burn rates, answers\n"
    "  agent  the agent of one site: saturation, push, store, recovery\n"
    "Give the configurations of all sites: thresholds follow their objectives, steps in time\n"
    "their push intervals, and panels of kinds that no site has are left out. Without a FILE all\n"
    "panels are written, with objectives of 99% to 99.9%.\n"
    "\n"
    "Options:\n"
    "  -o, --output DIR  write picket-fleet.json, picket-site.json and so on into this folder\n"
    "  --only NAME       one of the four; without --output, to standard output\n"
    "  --help\n"
    "\n"
    "In Grafana (10.3 or later): Dashboards, New, Import, and choose the data source at the top\n"
    "of the dashboard; or put the files where a provider of dashboards reads them. Names stay\n"
    "the same (picket-fleet and so on), so what is written again replaces what is there.\n"
    "\n"
    "Exit code: 0 written, 1 could not be written, 2 usage or a configuration is wrong.\n"
    "\n"
    "Try:  picket dashboard sites/*.conf --output /var/lib/grafana/dashboards\n"
    "      picket dashboard --only fleet >fleet.json\n";

static const struct dashboard *const dashboards[] = {&dashboard_fleet, &dashboard_site,
                                                     &dashboard_probe, &dashboard_agent};

struct options {
    const char *folder;           /* NULL: standard output */
    const struct dashboard *only; /* NULL: all */
};

static const struct dashboard *find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(dashboards); i++) {
        if (strcmp(dashboards[i]->name, name) == 0) {
            return dashboards[i];
        }
    }
    return NULL;
}

/* Returns an exit code, or -1 to go on. */
static int parse(int argc, char **argv, struct options *options)
{
    static const struct option table[] = {{"output", required_argument, NULL, 'o'},
                                          {"only", required_argument, NULL, 'n'},
                                          {"help", no_argument, NULL, 'h'},
                                          {0}};
    int letter;
    opterr = 0; /* getopt would not name the program */
    while ((letter = getopt_long(argc, argv, "ho:", table, NULL)) != -1) {
        if (letter == 'h') {
            printf("Usage: picket dashboard [OPTIONS] [FILE...]\n\n%s", help);
            return EXIT_CODE_OK;
        } else if (letter == 'o') {
            options->folder = optarg;
        } else if (letter != 'n') {
            return verbs_option_error("dashboard", argc, argv);
        } else if ((options->only = find(optarg)) == NULL) {
            return verbs_usage_error("dashboard", "--only %s: not fleet, site, probe or agent",
                                     optarg);
        }
    }
    return options->folder != NULL || options->only != NULL
               ? -1
               : verbs_usage_error("dashboard", "give --output DIR, or --only NAME");
}

static bool write_text(const char *path, const struct buffer *text)
{
    FILE *out = path != NULL ? fopen(path, "w") : stdout;
    bool good = out != NULL;
    if (good) {
        good = fwrite(text->bytes, 1, text->used, out) == text->used;
        good = (out == stdout ? fflush(out) : fclose(out)) == 0 && good;
    }
    if (!good) {
        fprintf(stderr, "picket dashboard: %s: %s\n", path != NULL ? path : "standard output",
                strerror(errno));
    }
    return good;
}

/* Written once to measure and once to keep. */
static bool write_dashboard(const struct dashboard *dashboard, const char *folder,
                            const struct fleet *fleet)
{
    struct buffer text;
    char path[4096];
    snprintf(path, sizeof path, "%s/picket-%s.json", folder != NULL ? folder : "", dashboard->name);
    buffer_init(&text, NULL, 0);
    dashboard_write(&text, dashboard, fleet);
    void *memory = malloc(text.used);
    if (memory == NULL) {
        fputs("picket: out of memory\n", stderr);
        return false;
    }
    buffer_init(&text, memory, text.used);
    dashboard_write(&text, dashboard, fleet);
    bool good = write_text(folder != NULL ? path : NULL, &text);
    free(memory);
    return good;
}

/* The folder may be there; that of the folder must. */
static bool write_all(const struct options *options, const struct fleet *fleet)
{
    bool good = true;
    if (options->folder != NULL && mkdir(options->folder, 0777) != 0 && errno != EEXIST) {
        fprintf(stderr, "picket dashboard: %s: %s\n", options->folder, strerror(errno));
        return false;
    }
    for (size_t i = 0; i < ARRAY_LEN(dashboards); i++) {
        if (options->only == NULL || options->only == dashboards[i]) {
            good = write_dashboard(dashboards[i], options->folder, fleet) && good;
        }
    }
    return good;
}

int cmd_dashboard(int argc, char **argv)
{
    struct options options = {.folder = NULL};
    struct fleet fleet = {.sites = NULL};
    int code = parse(argc, argv, &options);
    if (code >= 0) {
        return code;
    }
    code = EXIT_CODE_USAGE;
    if (fleet_load(&fleet, argv + optind, (size_t)(argc - optind))) {
        code = write_all(&options, &fleet) ? EXIT_CODE_OK : EXIT_CODE_FAILURE;
    }
    fleet_free(&fleet);
    return code;
}
