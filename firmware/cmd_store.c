/* store: reads a store image, a live one or a copy, and never writes it. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "rfc3339.h"
#include "site.h"
#include "store_incident.h"
#include "store_view.h"
#include "value.h"
#include "verbs.h"

static struct store_view view;

static const char help[] =
    "Looks into a store: the one of a running agent, a copy, or what is left of one. It is only\n"
    "read, never locked, and what is not whole is counted.\n"
    "\n"
    "  verify         what is whole and what is not; totals are worked out again and checked\n"
    "  stats          what it holds, of which targets, since when; wear; what was dropped\n"
    "  dump           every result, oldest first\n"
    "\n"
    "Options:\n"
    "  --format text|json   also csv and prom for dump: csv has a header line, json one object a\n"
    "                 line, prom the totals at the end of the log as a push would tell them\n"
    "  --help\n"
    "\n"
    "Options of dump:\n"
    "  --probe NAME   only this probe's\n"
    "  --outcome success|failure|unknown\n"
    "  --since TIME   from this moment on: 2026-11-22T21:14:00Z, or 2h: so long before the newest\n"
    "  --until TIME   up to this moment\n"
    "                 Both leave out results whose wall time is not known.\n"
    "  --incident FROM TO   what happened meanwhile, for a review: first failure, timeline, sums "
    "of\n"
    "                 each target, as Markdown or json. FROM and TO are written as for --since\n"
    "  --config FILE  with --incident: what it took of the error budgets of this configuration\n"
    "\n"
    "A time with ~ (time_corrected) was worked out later: the clock was not trusted yet.\n"
    "\n"
    "Exit code: 0 whole, 1 damaged (what is whole is printed), 2 wrong usage, a file that cannot\n"
    "be read or is of a newer format.\n";

enum action { ACTION_VERIFY, ACTION_STATS, ACTION_DUMP };
static const char *const action_names[] = {"verify", "stats", "dump", NULL};
static const char *const format_names[] = {"text", "json", "csv", "prom", NULL};
static const char *const outcome_names[] = {"success", "failure", "unknown", NULL};

enum { ARGUMENTS = 2 }; /* ACTION FILE */

struct options {
    enum action action;
    const char *arguments[ARGUMENTS];
    int argument_count; /* that were given */
    const char *file, *since, *until;
    const char *from, *to; /* of an incident; NULL: none was asked for */
    const char *config;
    enum store_dump_format format;
    bool selects; /* an option that is dump's alone was given */
    struct store_selection selection;
};

/* Index of a word in a list, or -1. */
static int find_word(const char *const *words, const char *word)
{
    for (int i = 0; words[i] != NULL; i++) {
        if (strcmp(words[i], word) == 0) {
            return i;
        }
    }
    return -1;
}

static int unknown_word(const char *what, const char *const *words, const char *word)
{
    const char *near = value_near_miss(word, strlen(word), words);
    return near
               ? verbs_usage_error("store", "unknown %s '%s'; did you mean '%s'?", what, word, near)
               : verbs_usage_error("store", "unknown %s '%s'", what, word);
}

/* Returns an exit code, or -1 to go on. */
static int take_option(int letter, int argc, char **argv, struct options *options)
{
    int word;
    switch (letter) {
    case 'c':
        options->config = optarg;
        return -1;
    case 'i':
        options->from = optarg;
        options->to = optind < argc ? argv[optind++] : "";
        return -1;
    case 'f':
        word = find_word(format_names, optarg);
        options->format = (enum store_dump_format)word;
        return word < 0 ? unknown_word("format", format_names, optarg) : -1;
    case 'o':
        options->selects = true;
        options->selection.outcome = find_word(outcome_names, optarg);
        return options->selection.outcome < 0 ? unknown_word("outcome", outcome_names, optarg) : -1;
    case 'p':
        options->selects = true;
        options->selection.probe = optarg;
        return -1;
    case 's':
        options->selects = true;
        options->since = optarg;
        return -1;
    default: /* 'u' */
        options->selects = true;
        options->until = optarg;
        return -1;
    }
}

static int check_options(struct options *options)
{
    if (options->argument_count != ARGUMENTS) {
        return verbs_usage_error("store", "say verify, stats or dump, and one FILE");
    }
    int action = find_word(action_names, options->arguments[0]);
    if (action < 0) {
        return unknown_word("action", action_names, options->arguments[0]);
    }
    options->action = (enum action)action;
    options->file = options->arguments[1];
    if (options->action != ACTION_DUMP &&
        (options->format == DUMP_CSV || options->format == DUMP_PROM)) {
        return verbs_usage_error("store", "'%s' has no format '%s'", action_names[action],
                                 format_names[options->format]);
    }
    if (options->selects && (options->action != ACTION_DUMP || options->format == DUMP_PROM)) {
        return verbs_usage_error("store", "--probe, --outcome, --since and --until choose among "
                                          "results: they go with dump, and not with prom");
    }
    if (options->from != NULL && (options->action != ACTION_DUMP || options->selects ||
                                  options->format == DUMP_PROM || options->format == DUMP_CSV)) {
        return verbs_usage_error("store", "--incident goes with dump alone, as text or json");
    }
    if (options->config != NULL && options->from == NULL) {
        return verbs_usage_error("store", "--config is for the error budgets of --incident");
    }
    return -1;
}

static void take_argument(const char *argument, struct options *options)
{
    if (options->argument_count < ARGUMENTS) {
        options->arguments[options->argument_count] = argument;
    }
    options->argument_count++;
}

/* Arguments are taken here, one by one (+): where getopt_long(3) sorts them behind the options,
 * each C library does it at another moment, and TO would not always stand behind FROM. Returns an
 * exit code, or -1 to go on. */
static int parse(int argc, char **argv, struct options *options)
{
    static const struct option table[] = {{"config", required_argument, NULL, 'c'},
                                          {"format", required_argument, NULL, 'f'},
                                          {"incident", required_argument, NULL, 'i'},
                                          {"help", no_argument, NULL, 'h'},
                                          {"outcome", required_argument, NULL, 'o'},
                                          {"probe", required_argument, NULL, 'p'},
                                          {"since", required_argument, NULL, 's'},
                                          {"until", required_argument, NULL, 'u'},
                                          {0}};
    int letter, code = -1;
    opterr = 0; /* getopt would not name the program */
    while (code < 0) {
        letter = getopt_long(argc, argv, "+h", table, NULL);
        if (letter == -1 && optind >= argc) {
            break;
        }
        if (letter == -1) {
            take_argument(argv[optind++], options);
            continue;
        }
        if (letter == 'h') {
            printf("Usage: %s store verify|stats|dump [OPTIONS] FILE\n\n%s", verbs_program(), help);
            return EXIT_CODE_OK;
        }
        if (letter == '?') {
            return verbs_option_error("store", argc, argv);
        }
        code = take_option(letter, argc, argv, options);
    }
    return code < 0 ? check_options(options) : code;
}

/* A date, or a duration before the newest result. Returns an exit code, or -1 to go on. */
static int take_moment(const char *option, const char *text, bool *has, int64_t *unix_ms)
{
    const struct wall_stamp *newest = &view.tally.newest.wall;
    usec_t ago_us;
    if (text == NULL) {
        return -1;
    }
    *has = true;
    if (rfc3339_read(text, unix_ms)) {
        return -1;
    }
    if (value_duration(text, strlen(text), &ago_us) != ERROR_NONE) {
        return verbs_usage_error("store",
                                 "%s %s: write a date like 2026-11-22T21:14:00Z, or a "
                                 "duration like 2h",
                                 option, text);
    }
    if (!newest->known && view.tally.newest.number != 0) {
        fprintf(stderr, "%s store: %s: the newest result has no wall time to count from\n",
                verbs_program(), view.path);
        return EXIT_CODE_USAGE;
    }
    *unix_ms = newest->unix_ms - ago_us / USEC_PER_MSEC;
    return -1;
}

static int print_incident(const struct options *options)
{
    static struct incident incident;
    static struct config config;
    static struct store_findings findings;
    int64_t from_ms = 0, to_ms = 0;
    bool has;
    int code = take_moment("--incident", options->from, &has, &from_ms);
    code = code < 0 ? take_moment("--incident", options->to, &has, &to_ms) : code;
    if (code >= 0) {
        return code;
    }
    if (from_ms > to_ms) {
        return verbs_usage_error("store", "--incident %s %s: it ends before it begins",
                                 options->from, options->to);
    }
    if (options->config != NULL && !site_load(options->config, &config)) {
        return EXIT_CODE_USAGE;
    }
    const struct config *of = options->config != NULL ? &config : NULL;
    store_view_judge(&view, &findings);
    if (view.image.kind == IMAGE_STORE) {
        store_incident_make(&incident, &view, from_ms, to_ms, of);
        if (options->format == DUMP_JSON) {
            store_incident_json(&incident, &view, of);
        } else {
            store_incident_markdown(&incident, &view, of);
        }
    }
    for (unsigned i = 0; i < findings.count; i++) {
        fprintf(stderr, "%s store: %s: %s\n", verbs_program(), view.path, findings.lines[i]);
    }
    return view.image.kind == IMAGE_NEWER ? EXIT_CODE_USAGE
           : findings.count == 0          ? EXIT_CODE_OK
                                          : EXIT_CODE_FAILURE;
}

static int run(const struct options *options)
{
    struct store_selection selection = options->selection;
    bool json = options->format == DUMP_JSON;
    if (options->action == ACTION_VERIFY) {
        return store_verify_print(&view, json);
    }
    if (options->action == ACTION_STATS) {
        return store_stats_print(&view, json);
    }
    if (options->from != NULL) {
        return print_incident(options);
    }
    int code = take_moment("--since", options->since, &selection.has_since, &selection.since_ms);
    if (code < 0) {
        code = take_moment("--until", options->until, &selection.has_until, &selection.until_ms);
    }
    return code < 0 ? store_dump_print(&view, options->format, &selection) : code;
}

int cmd_store(int argc, char **argv)
{
    struct options options = {.selection = {.outcome = -1}};
    int code = parse(argc, argv, &options);
    if (code >= 0) {
        return code;
    }
    if (!store_view_load(&view, options.file)) {
        return EXIT_CODE_USAGE;
    }
    code = run(&options);
    store_view_free(&view);
    return code;
}
