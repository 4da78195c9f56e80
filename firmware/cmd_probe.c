/* probe: one configured or ad-hoc probe, run once, shown as text, JSON or series. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "adhoc.h"
#include "cares_resolver.h"
#include "expo_text.h"
#include "linux_clock.h"
#include "loop.h"
#include "metrics.h"
#include "registry.h"
#include "result_view.h"
#include "runner.h"
#include "site.h"
#include "verbs.h"

enum format { FORMAT_TEXT, FORMAT_JSON, FORMAT_PROM };

static struct config config;
static struct sli slis[CAP_TARGETS];
static struct result last[CAP_TARGETS];
static bool seen[CAP_TARGETS];
static enum clock_trust clock_trust;

static const char help_head[] =
    "Runs one probe now and shows its phases, its verdict and what was received.\n"
    "\n"
    "With a file:    probe -c FILE NAME\n"
    "Without one:    probe KIND TARGET [--KEY VALUE]...\n"
    "\n"
    "Options:\n"
    "  --format text|json|prom   one JSON object a line for each target; prom is what a push\n"
    "                            of this one run would carry\n"
    "  --help                    this text; 'probe KIND --help' lists the keys of a kind\n"
    "\n"
    "Exit code: 0 success, 1 failure, 3 unknown, 2 wrong arguments or configuration.\n"
    "Several targets are all run; the worst outcome decides.\n"
    "\n"
    "Kinds:\n";

static int print_help(void)
{
    unsigned count;
    const struct probe_kind *const *kinds = registry_kinds(&count);
    printf("Usage: %s probe ...\n\n%s", verbs_program(), help_head);
    for (unsigned i = 0; i < count; i++) {
        printf("  %-8s %s\n", kinds[i]->name, kinds[i]->help);
    }
    printf("\nExamples:\n"
           "  %s probe http https://portal.example.net/login --expect_body '/Sign in/'\n"
           "  %s probe tcp mail.example.net:25 --step 'expect /^220 /'\n",
           verbs_program(), verbs_program());
    return EXIT_CODE_OK;
}

/* Everything but the probe that was asked for is switched off, so that nothing else is opened. */
static bool select_probe(const char *name)
{
    unsigned wanted = config_find_probe(&config, name);
    if (wanted == CONFIG_NO_PROBE) {
        return false;
    }
    for (unsigned i = 0; i < config.probe_count; i++) {
        config.probes[i].enabled = i == wanted;
    }
    return true;
}

struct session {
    struct clock clock;
    struct cares_resolver *resolver;
    struct resolver resolver_port;
    struct runner *runner;
};

static void session_resolver_waits(void *context, struct waits *waits)
{
    struct session *session = context;
    cares_resolver_waits(session->resolver, waits, clock_monotonic_us(&session->clock));
}

static void session_resolver_step(void *context, const struct waits *ready, usec_t now_us)
{
    (void)now_us;
    cares_resolver_step(((struct session *)context)->resolver, ready);
}

static void session_runner_waits(void *context, struct waits *waits)
{
    runner_waits(((struct session *)context)->runner, waits);
}

static void session_runner_step(void *context, const struct waits *ready, usec_t now_us)
{
    runner_step(((struct session *)context)->runner, ready, now_us);
}

/* Runs every target of the probe, as many at once as there are slots. */
static void run_targets(struct session *session, const struct config_probe *probe)
{
    static struct result result;
    const struct loop_source sources[] = {
        {session, session_resolver_waits, session_resolver_step},
        {session, session_runner_waits, session_runner_step},
    };
    struct prober prober = runner_prober(session->runner);
    static struct loop loop;
    loop_init(&loop, &session->clock, sources, ARRAY_LEN(sources));
    unsigned started = 0, ended = 0;
    while (ended < probe->target_count) {
        while (started < probe->target_count) {
            usec_t now_us = clock_monotonic_us(&session->clock);
            unsigned target = probe->first_target + started;
            if (!prober.start(prober.context, (uint16_t)target, now_us,
                              now_us + probe->timeout_us)) {
                break;
            }
            started++;
        }
        loop_turn(&loop);
        while (prober.collect(prober.context, &result)) {
            last[result.target] = result;
            seen[result.target] = true;
            struct record record = record_of_result(result.target + 1u, &result);
            sli_add(&slis[result.target], &record);
            ended++;
        }
    }
}

static void print_series(const struct config_probe *probe)
{
    size_t size = metrics_body_bound(&config);
    struct buffer out;
    struct expo_text encoder;
    void *memory = malloc(size);
    if (!memory) {
        return;
    }
    buffer_init(&out, memory, size);
    struct metric_visitor visitor = expo_text_visitor(&encoder, &out);
    struct metrics_view view = {.config = &config,
                                .slis = slis,
                                .last = last,
                                .seen = seen,
                                .only_probe = (int)(probe - config.probes)};
    metrics_walk(&view, &visitor);
    fwrite(out.bytes, 1, out.used <= size ? out.used : size, stdout);
    free(memory);
}

static void print_results(const struct config_probe *probe, enum format format,
                          const struct clock *clock)
{
    static char memory[64 * 1024];
    const char *no_colour = getenv("NO_COLOR");
    bool colour = isatty(STDOUT_FILENO) && !(no_colour && *no_colour);
    for (unsigned i = 0; i < probe->target_count; i++) {
        const struct result *result = &last[probe->first_target + i];
        struct buffer out;
        buffer_init(&out, memory, sizeof memory);
        if (format == FORMAT_JSON) {
            result_view_json(&config, result, &out);
        } else {
            result_view_text(&config, result, clock_wall(clock), colour, &out);
        }
        fputs(buffer_text(&out), stdout);
    }
}

static int exit_code(const struct config_probe *probe)
{
    int code = EXIT_CODE_OK;
    for (unsigned i = 0; i < probe->target_count; i++) {
        enum outcome outcome = last[probe->first_target + i].outcome;
        if (outcome == OUTCOME_FAILURE) {
            return EXIT_CODE_FAILURE;
        }
        if (outcome == OUTCOME_UNKNOWN) {
            code = EXIT_CODE_UNKNOWN;
        }
    }
    return code;
}

static int run_probe(const char *name, enum format format)
{
    const struct config_probe *probe = &config.probes[config_find_probe(&config, name)];
    struct session session = {.clock = linux_clock(&clock_trust)};
    clock_trust = (enum clock_trust)config_number(&config, &config.agent, AGENT_CLOCK_TRUST);
    signal(SIGPIPE, SIG_IGN); /* a target that hangs up is a result */
    struct config_errors errors = site_errors();
    unsigned count;
    const struct probe_ops *const *ops = registry_ops(&count);
    session.resolver = cares_resolver_new();
    if (!session.resolver) {
        fprintf(stderr, "%s probe: out of memory\n", verbs_program());
        return EXIT_CODE_UNKNOWN;
    }
    session.resolver_port = cares_resolver_port(session.resolver);
    unsigned slots = (unsigned)config_number(&config, &config.agent, AGENT_CONCURRENCY);
    session.runner =
        runner_new(&config, ops, count, &session.clock, &session.resolver_port, slots, &errors);
    if (!session.runner) {
        cares_resolver_free(session.resolver);
        return EXIT_CODE_USAGE;
    }
    for (unsigned i = 0; i < config.target_count; i++) {
        sli_init(&slis[i], config_target_probe(&config, i));
    }
    run_targets(&session, probe);
    if (format == FORMAT_PROM) {
        print_series(probe);
    } else {
        print_results(probe, format, &session.clock);
    }
    runner_free(session.runner);
    cares_resolver_free(session.resolver);
    return exit_code(probe);
}

/* Takes `--format X` out of the arguments; the rest is keys and targets. */
static bool take_format(int *argc, char **argv, enum format *format)
{
    static const char *const names[] = {"text", "json", "prom"};
    int kept = 0;
    for (int i = 0; i < *argc; i++) {
        const char *value = NULL;
        if (strncmp(argv[i], "--format=", 9) == 0) {
            value = argv[i] + 9;
        } else if (strcmp(argv[i], "--format") == 0) {
            value = i + 1 < *argc ? argv[++i] : "";
        } else {
            argv[kept++] = argv[i];
            continue;
        }
        unsigned choice = 0;
        while (choice < ARRAY_LEN(names) && strcmp(names[choice], value) != 0) {
            choice++;
        }
        if (choice == ARRAY_LEN(names)) {
            verbs_usage_error("probe", "unknown format '%s'", value);
            return false;
        }
        *format = (enum format)choice;
    }
    *argc = kept;
    return true;
}

static bool asks_for_help(int argc, char **argv)
{
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            return true;
        }
    }
    return false;
}

static int probe_from_file(const char *file, const char *name, enum format format)
{
    if (!site_load(file, &config)) {
        return EXIT_CODE_USAGE;
    }
    if (!select_probe(name)) {
        return verbs_usage_error("probe", "no probe '%s' in %s", name, file);
    }
    return run_probe(name, format);
}

int cmd_probe(int argc, char **argv)
{
    enum format format = FORMAT_TEXT;
    argc--;
    argv++;
    if (!take_format(&argc, argv, &format)) {
        return EXIT_CODE_USAGE;
    }
    const struct probe_kind *kind = argc > 0 ? adhoc_kind(argv[0]) : NULL;
    if (asks_for_help(argc, argv)) {
        return kind ? adhoc_kind_help(kind) : print_help();
    }
    if (argc > 0 && strcmp(argv[0], "-c") == 0) {
        return argc == 3 ? probe_from_file(argv[1], argv[2], format)
                         : verbs_usage_error("probe", "give one file and one name: -c FILE NAME");
    }
    if (!kind && argc == 1 && site_default()) {
        return probe_from_file(site_default(), argv[0], format);
    }
    if (!kind) {
        return argc > 0 ? adhoc_unknown_kind(argv[0])
                        : verbs_usage_error("probe", "give -c FILE NAME, or KIND TARGET");
    }
    if (!adhoc_load(kind, argc - 1, argv + 1, &config)) {
        return EXIT_CODE_USAGE;
    }
    select_probe(ADHOC_NAME);
    return run_probe(ADHOC_NAME, format);
}
