/* check FILE: every error with file and line; when clean, what running it will cost. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "agent.h"
#include "buffer.h"
#include "expo_proto.h"
#include "json.h"
#include "site.h"
#include "store_plan.h"
#include "value.h"
#include "verbs.h"

static struct config config;
static struct ledger ledger;
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
    unsigned slos, group_slos;
    double runs_per_day;
    size_t memory_bytes; /* of our own, fixed at start; libraries come on top */
    size_t push_bytes;   /* of the first body; certificates and values add to later ones */
    double push_bytes_per_day;
    const char *store; /* path; NULL: totals are in memory */
    struct store_plan plan;
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

static size_t first_push_bytes(void)
{
    bool stores = config_store(&config) != NULL;
    struct agent_numbers numbers = {.version = "", .commit = "", .store = {.configured = stores}};
    ledger_init(&ledger, 1);
    (void)ledger_bind(&ledger, &config);
    for (unsigned i = 0; i < config.target_count; i++) { /* so that SLOs have ratios */
        ledger_apply(&ledger, &(struct record){.sort = RECORD_RESULT,
                                               .target = ledger.entries[i].id,
                                               .outcome = OUTCOME_SUCCESS,
                                               .reason = REASON_NONE});
    }
    struct metrics_view view = {.config = &config,
                                .slis = ledger.totals.slis,
                                .last = last,
                                .seen = seen,
                                .agent = &numbers,
                                .ledger = &ledger,
                                .epoch = 1,
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
    for (unsigned i = 0; i < config.target_count; i++) {
        cost.slos += config_target_probe(&config, i)->slo_count;
    }
    for (unsigned i = 0; i < config.group_count; i++) {
        cost.group_slos += config.groups[i].slo_count;
    }
    cost.memory_bytes =
        sizeof(struct agent) + sizeof(struct tail) + sizeof config + metrics_body_bound(&config);
    if (config_text(&config, &config.push, PUSH_URL, NULL)) {
        cost.push_bytes = first_push_bytes();
        cost.push_bytes_per_day = (double)cost.push_bytes * (double)USEC_PER_DAY /
                                  (double)config_number(&config, &config.push, PUSH_INTERVAL);
    }
    cost.store = config_store(&config);
    store_plan_make(&config, &cost.plan);
    return cost;
}

static void print_store_text(const struct cost *cost)
{
    const struct store_plan *plan = &cost->plan;
    char size[VALUE_PRINT_BYTES], commit[VALUE_PRINT_BYTES], model[128];
    if (!cost->store) {
        printf("  store       none: totals are in memory. A crash of the agent does not cost them, "
               "the\n              supervisor keeps them; after a reboot series begin anew at 0, "
               "under a new epoch\n");
        return;
    }
    value_print_size(config_number(&config, &config.agent, AGENT_STORE_SIZE), size, sizeof size);
    printf("  store       %s, %s", cost->store, size);
    if (plan->results_per_block <= 0) {
        printf("; no probe is switched on\n");
        return;
    }
    printf(": the last %.0f hours of results, %.1f bytes each\n", plan->hours,
           plan->bytes_per_result);
    value_print_duration(config_number(&config, &config.agent, AGENT_COMMIT), commit,
                         sizeof commit);
    printf("  commit      every %s, which a power cut can cost; %.1f MiB written a day\n", commit,
           plan->bytes_per_day / (1 << 20));
    store_plan_model(plan, model, sizeof model);
    if (plan->life_years > 0) {
        printf("  flash       lasts %.*f years (%s)\n", plan->life_years < 10 ? 1 : 0,
               plan->life_years, model);
    } else {
        printf("  flash       %s\n", model);
    }
}

static void print_recovery(void)
{
    struct recovery_settings settings;
    char timeout[VALUE_PRINT_BYTES], feed[VALUE_PRINT_BYTES];
    recovery_settings_of(&config, &settings);
    const char *device = config_text(&config, &config.watchdog, WATCHDOG_DEVICE, NULL);
    if (settings.owner == WATCHDOG_OWNER_DEVICE) {
        printf("  watchdog    %s, %s, fed every %s%s\n", device,
               value_print_duration(settings.timeout_us, timeout, sizeof timeout),
               value_print_duration(settings.feed_us, feed, sizeof feed),
               settings.reboot ? "; resets the board when safe mode cannot be left" : "");
    } else {
        printf("  watchdog    %s\n", device);
    }
}

static void print_rollout(void)
{
    struct recovery_settings settings;
    char text[VALUE_PRINT_BYTES];
    recovery_settings_of(&config, &settings);
    if (settings.rollback_us > 0) {
        printf("  rollout     left for the last known good configuration, if that pushes, when no "
               "push is\n              accepted for %s\n",
               value_print_duration(settings.rollback_us, text, sizeof text));
    } else {
        printf("  rollout     never left for being silent: rollback = 0\n");
    }
}

static void print_text(const char *path, const struct cost *cost)
{
    printf("%s: clean\n", path);
    printf("  site        %s\n", config_site(&config));
    printf("  probes      %u with %u target%s", cost->probes, cost->targets,
           cost->targets == 1 ? "" : "s");
    printf(cost->disabled ? ", %u of them switched off\n" : "\n", cost->disabled);
    if (cost->slos + cost->group_slos > 0) {
        printf("  slos        %u of targets, %u of groups\n", cost->slos, cost->group_slos);
    }
    printf("  runs        %.0f a day\n", cost->runs_per_day);
    printf("  memory      %.1f MiB at most for results, totals, their log and the push body\n",
           (double)cost->memory_bytes / (1 << 20));
    if (cost->push_bytes) {
        printf("  upstream    %.1f KiB a push, %.1f MiB a day, and certificate facts\n",
               (double)cost->push_bytes / 1024, cost->push_bytes_per_day / (1 << 20));
    } else {
        printf("  upstream    nothing is pushed: [push] has no url\n");
    }
    print_store_text(cost);
    print_recovery();
    print_rollout();
}

/* A number that is unknown when it is not positive. */
static void json_estimate(struct buffer *out, const char *name, double value)
{
    json_name(out, name);
    if (value > 0) {
        buffer_printf(out, "%.*f", value < 100 ? 2 : 0, value);
    } else {
        buffer_append_string(out, "null");
    }
}

static void print_store_json(struct buffer *out, const struct cost *cost)
{
    const struct store_plan *plan = &cost->plan;
    json_text(out, "store", cost->store ? "file" : "memory");
    if (!cost->store) {
        return;
    }
    json_text(out, "store_path", cost->store);
    json_count(out, "store_size_bytes", (uint64_t)plan->block_count * BLOCK_BYTES);
    json_estimate(out, "store_hours", plan->hours);
    json_estimate(out, "store_bytes_per_result", plan->bytes_per_result);
    json_seconds(out, "commit_seconds", config_number(&config, &config.agent, AGENT_COMMIT));
    json_estimate(out, "store_bytes_per_day", plan->bytes_per_day);
    json_text(out, "flash", plan->flash->name);
    json_estimate(out, "flash_size_bytes", (double)plan->flash_bytes);
    json_estimate(out, "flash_life_years", plan->life_years);
}

static void print_json(const struct cost *cost)
{
    static char text[8192];
    struct buffer out;
    buffer_init(&out, text, sizeof text);
    buffer_append_string(&out, "{\"clean\":true");
    json_text(&out, "site", config_site(&config));
    json_count(&out, "probes", cost->probes);
    json_count(&out, "targets", cost->targets);
    json_count(&out, "disabled", cost->disabled);
    json_count(&out, "slos", cost->slos);
    json_count(&out, "group_slos", cost->group_slos);
    buffer_printf(&out, ",\"runs_per_day\":%.0f", cost->runs_per_day);
    json_count(&out, "memory_bytes", cost->memory_bytes);
    json_count(&out, "push_bytes", cost->push_bytes);
    buffer_printf(&out, ",\"push_bytes_per_day\":%.0f", cost->push_bytes_per_day);
    print_store_json(&out, cost);
    struct recovery_settings settings;
    recovery_settings_of(&config, &settings);
    json_seconds(&out, "rollback_seconds", settings.rollback_us);
    buffer_append_byte(&out, '}');
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
            return verbs_option_error("check", argc, argv);
        }
    }
    options->file = optind < argc ? argv[optind] : site_default();
    if (!options->file || argc - optind > 1) {
        return verbs_usage_error("check", "give one FILE (- for standard input)");
    }
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
    if (!site_read(options.file, &config, &errors, NULL) ||
        (!options.no_files && !site_opens(&config, &errors))) {
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
