/* check FILE: every error with file and line; when clean, what running it will cost. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "agent.h"
#include "buffer.h"
#include "expo_proto.h"
#include "linux_clock.h"
#include "push_transport.h"
#include "registry.h"
#include "runner.h"
#include "site.h"
#include "verbs.h"

static struct config config;
static struct sli slis[CAP_TARGETS];
static struct result last[CAP_TARGETS];
static bool seen[CAP_TARGETS];

static const char help[] =
    "Checks a configuration and says what running it will cost. Every mistake is reported in one\n"
    "pass as FILE:LINE: message. Nothing is probed and nothing is pushed.\n"
    "\n"
    "Options:\n"
    "  --no-files     do not look at the files the configuration names (certificates, secrets):\n"
    "                 for checking a site's file on another machine\n"
    "  --format text|json   json goes to standard output, mistakes too\n"
    "  --help\n"
    "\n"
    "Exit code: 0 clean, 2 not.\n";

struct cost {
    unsigned probes, targets, disabled;
    double runs_per_day;
    size_t memory_bytes; /* of our own, fixed at start; libraries come on top */
    size_t push_bytes;   /* of the first body; certificates and values add to later ones */
    double push_bytes_per_day;
};

static void print_json_error(void *context, const char *file, unsigned line, const char *message)
{
    bool *begun = context;
    static char text[8192];
    struct buffer out;
    buffer_init(&out, text, sizeof text);
    buffer_append_string(&out,
                         *begun ? ",\n{\"file\":" : "{\"clean\":false,\"errors\":[\n{\"file\":");
    buffer_append_json_string(&out, file);
    if (line > 0) {
        buffer_printf(&out, ",\"line\":%u,\"message\":", line);
    } else {
        buffer_append_string(&out, ",\"line\":null,\"message\":");
    }
    buffer_append_json_string(&out, message);
    buffer_append_byte(&out, '}');
    fputs(buffer_text(&out), stdout);
    *begun = true;
}

/* What the machine must have for the configuration to start: files, devices, patterns. */
static bool opens(struct config_errors *errors)
{
    static const enum clock_trust trust = CLOCK_TRUST_PLAUSIBLE;
    struct clock clock = linux_clock(&trust);
    static const struct resolver no_resolver;
    unsigned count;
    const struct probe_ops *const *ops = registry_ops(&count);
    struct runner *runner = runner_new(&config, ops, count, &clock, &no_resolver, 1, errors);
    bool good = runner != NULL;
    runner_free(runner);
    if (config_text(&config, &config.push, PUSH_URL, NULL)) {
        struct push_transport *transport =
            push_transport_new(&config, &clock, &no_resolver, 0, errors);
        good = transport != NULL && good;
        push_transport_free(transport);
    }
    return good;
}

static size_t first_push_bytes(void)
{
    struct agent_numbers numbers = {.version = "", .commit = ""};
    for (unsigned i = 0; i < config.target_count; i++) {
        sli_init(&slis[i], config_target_probe(&config, i));
    }
    struct metrics_view view = {.config = &config,
                                .slis = slis,
                                .last = last,
                                .seen = seen,
                                .agent = &numbers,
                                .only_probe = -1};
    struct buffer measure;
    struct expo_proto encoder;
    buffer_init(&measure, NULL, 0);
    struct metric_visitor visitor = expo_proto_visitor(&encoder, &measure);
    metrics_walk(&view, &visitor);
    return measure.used;
}

static struct cost measure_cost(void)
{
    struct cost cost = {.probes = config.probe_count, .targets = config.target_count};
    for (unsigned i = 0; i < config.probe_count; i++) {
        const struct config_probe *probe = &config.probes[i];
        cost.disabled += !probe->enabled;
        if (probe->enabled) {
            cost.runs_per_day +=
                (double)USEC_PER_DAY / (double)probe->interval_us * probe->target_count;
        }
    }
    cost.memory_bytes = sizeof(struct agent) + sizeof config + metrics_body_bound(&config);
    if (config_text(&config, &config.push, PUSH_URL, NULL)) {
        cost.push_bytes = first_push_bytes();
        cost.push_bytes_per_day = (double)cost.push_bytes * (double)USEC_PER_DAY /
                                  (double)config_number(&config, &config.push, PUSH_INTERVAL);
    }
    return cost;
}

static void print_text(const char *path, const struct cost *cost)
{
    printf("%s: clean\n", path);
    printf("  site        %s\n", config_site(&config));
    printf("  probes      %u with %u target%s", cost->probes, cost->targets,
           cost->targets == 1 ? "" : "s");
    printf(cost->disabled ? ", %u of them switched off\n" : "\n", cost->disabled);
    printf("  runs        %.0f a day\n", cost->runs_per_day);
    printf("  memory      %.1f MiB at most for results, counters and the push body\n",
           (double)cost->memory_bytes / (1 << 20));
    if (cost->push_bytes) {
        printf("  upstream    %.1f KiB a push, %.1f MiB a day, and certificate facts\n",
               (double)cost->push_bytes / 1024, cost->push_bytes_per_day / (1 << 20));
    } else {
        printf("  upstream    nothing is pushed: [push] has no url\n");
    }
    printf("  store       in memory: totals start again at 0 when the agent does\n");
}

static void print_json(const struct cost *cost)
{
    char text[1024];
    struct buffer out;
    buffer_init(&out, text, sizeof text);
    buffer_append_string(&out, "{\"clean\":true,\"site\":");
    buffer_append_json_string(&out, config_site(&config));
    buffer_printf(&out,
                  ",\"probes\":%u,\"targets\":%u,\"disabled\":%u,\"runs_per_day\":%.0f,"
                  "\"memory_bytes\":%zu,\"push_bytes\":%zu,\"push_bytes_per_day\":%.0f,"
                  "\"store\":\"memory\"}",
                  cost->probes, cost->targets, cost->disabled, cost->runs_per_day,
                  cost->memory_bytes, cost->push_bytes, cost->push_bytes_per_day);
    puts(buffer_text(&out));
}

struct options {
    const char *file;
    bool no_files, json;
};

/* Returns an exit code, or -1 to go on. */
static int parse(int argc, char **argv, struct options *options)
{
    static const struct option table[] = {{"no-files", no_argument, NULL, 'n'},
                                          {"format", required_argument, NULL, 'f'},
                                          {"help", no_argument, NULL, 'h'},
                                          {0}};
    int letter;
    opterr = 0; /* getopt would not name the program */
    while ((letter = getopt_long(argc, argv, "h", table, NULL)) != -1) {
        if (letter == 'h') {
            printf("Usage: %s check [OPTIONS] FILE\n\n%s", verbs_program(), help);
            return EXIT_CODE_OK;
        } else if (letter == 'n') {
            options->no_files = true;
        } else if (letter == 'f') {
            options->json = strcmp(optarg, "json") == 0;
            if (!options->json && strcmp(optarg, "text") != 0) {
                return verbs_usage_error("check", "unknown format '%s'", optarg);
            }
        } else {
            return verbs_option_error("check", argv[optind - 1]);
        }
    }
    if (argc - optind != 1) {
        return verbs_usage_error("check", "give one FILE (- for standard input)");
    }
    options->file = argv[optind];
    return -1;
}

static int refuse(const struct options *options, const struct config_errors *errors)
{
    if (options->json) {
        puts("\n]}");
    } else {
        site_count_errors(options->file, errors);
    }
    return EXIT_CODE_USAGE;
}

int cmd_check(int argc, char **argv)
{
    struct options options = {.file = NULL};
    int code = parse(argc, argv, &options);
    if (code >= 0) {
        return code;
    }
    bool begun = false;
    struct config_errors errors = site_errors();
    if (options.json) {
        errors = (struct config_errors){.context = &begun, .report = print_json_error};
    }
    if (!site_read(options.file, &config, &errors) || (!options.no_files && !opens(&errors))) {
        return refuse(&options, &errors);
    }
    struct cost cost = measure_cost();
    if (options.json) {
        print_json(&cost);
    } else {
        print_text(options.file, &cost);
    }
    return EXIT_CODE_OK;
}
