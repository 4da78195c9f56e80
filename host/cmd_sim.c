/* sim: days of faults in seconds. Runs worlds (sim/sim.h) one after the other, or side by side, and
 * says of the first whose checks do not hold how to see it again. */
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "sim.h"
#include "verbs.h"
#include "workbench.h"

enum { JOBS_MAX = 16 };

static const char help[] =
    "Simulates a site: the agent and the ladder that restarts it are the real ones, unmodified;\n"
    "clock, disk, targets, receiver, watchdog and power are drawn from one seed, and so is all\n"
    "that goes wrong with them: hangs, crashes, leaks, slow and dead peers, a dead uplink, clock\n"
    "steps, disk faults, a stuck kernel, power cuts, rollouts of bad configurations. The\n"
    "configuration is drawn too. At each step checks watch that what Picket promises holds; at\n"
    "the end all faults heal, and then all has to become well.\n"
    "\n"
    "Options:\n"
    "  --seed N        the world to run (default: a random one, which is printed)\n"
    "  --days D        days of faults (default 4); healing takes half a day more, two at most\n"
    "  --runs K        K worlds: seeds N to N+K-1\n"
    "  --jobs J        side by side in J processes (default 1)\n"
    "  --trace[=all]   print what happens, with simulated time and the agent's log; all: each "
    "run,\n"
    "                  push and operation of the disk too\n"
    "  --format text|json\n"
    "  --help\n"
    "\n"
    "The hash is one over everything that happened: the same seed and days give the same hash,\n"
    "or something is not deterministic. Exit code: 0 all checks held, 1 one did not (the last\n"
    "lines say which, when, and the command that replays it), 2 usage.\n"
    "\n"
    "Try:  picket sim --seed 7 --days 2 --trace | less\n"
    "      picket sim --seed 1 --runs 100 --jobs 2\n";

struct options {
    uint64_t seed, runs;
    unsigned days, jobs;
    enum sim_verbosity verbosity;
    bool json;
};

/* What is told of one world, or of many; whole, in one write. */
struct report {
    uint64_t runs, hash, events, lives, crashes, hangs, safe_modes, suspensions, stays, resets,
        cuts, actions, rollbacks, pushes, epochs;
    double days;
    bool failed;
    uint64_t failed_seed;
};

static struct sim sim;

/* Options. */

static bool read_number(const char *text, uint64_t *number)
{
    char *end;
    *number = strtoull(text, &end, 10);
    return text[0] >= '0' && text[0] <= '9' && *end == '\0';
}

static bool read_option(struct options *options, int letter, const char *text)
{
    uint64_t number = 0;
    bool is_number = text != NULL && read_number(text, &number);
    switch (letter) {
    case 's':
        options->seed = number;
        return is_number;
    case 'd':
        options->days = (unsigned)number;
        return is_number && number >= 1 && number <= 36500;
    case 'r':
        options->runs = number;
        return is_number && number >= 1;
    case 'j':
        options->jobs = (unsigned)number;
        return is_number && number >= 1 && number <= JOBS_MAX;
    case 't':
        options->verbosity = text == NULL ? SIM_TOLD : SIM_ALL;
        return text == NULL || strcmp(text, "all") == 0;
    case 'f':
        options->json = text != NULL && strcmp(text, "json") == 0;
        return options->json || (text != NULL && strcmp(text, "text") == 0);
    default:
        return false;
    }
}

static uint64_t random_seed(void)
{
    uint32_t seed = 1;
    if (getrandom(&seed, sizeof seed, 0) != (ssize_t)sizeof seed) {
        seed = (uint32_t)time(NULL);
    }
    return seed;
}

/* Returns an exit code, or -1 to go on. */
static int parse(int argc, char **argv, struct options *options)
{
    static const struct option table[] = {
        {"seed", required_argument, NULL, 's'},  {"days", required_argument, NULL, 'd'},
        {"runs", required_argument, NULL, 'r'},  {"jobs", required_argument, NULL, 'j'},
        {"trace", optional_argument, NULL, 't'}, {"format", required_argument, NULL, 'f'},
        {"help", no_argument, NULL, 'h'},        {0}};
    int letter, index = 0;
    *options = (struct options){.seed = random_seed(), .runs = 1, .days = 4, .jobs = 1};
    while ((letter = getopt_long(argc, argv, "h", table, &index)) != -1) {
        if (letter == 'h') {
            printf("Usage: picket sim [OPTIONS]\n\n%s", help);
            return EXIT_CODE_OK;
        }
        if (letter == '?') {
            return verbs_usage_error("sim", "wrong option");
        }
        if (!read_option(options, letter, optarg)) {
            return verbs_usage_error("sim", "--%s %s: see --help", table[index].name,
                                     optarg != NULL ? optarg : "");
        }
    }
    if (optind < argc) {
        return verbs_usage_error("sim", "'%s': no arguments are wanted", argv[optind]);
    }
    return -1;
}

/* One world. */

static void print_failure(uint64_t seed, unsigned days, usec_t at_us, const char *check,
                          const char *text)
{
    char time[SIM_TIME_BYTES];
    (void)fprintf(stderr,
                  "FAIL %s: seed %" PRIu64 ", at %s: %s\n"
                  "replay: picket sim --seed %" PRIu64 " --days %u --trace\n",
                  check, seed, sim_time(at_us, time), text, seed, days);
}

static unsigned days_asked;

/* An assert of the agent, or a crash of ours: the seed must not be lost. */
static void on_signal(int number)
{
    print_failure(sim.seed, days_asked, sim.now_us, number == SIGABRT ? "asserts_hold" : "no_crash",
                  "the process got a signal");
    (void)signal(number, SIG_DFL);
    (void)raise(number);
}

static void add_world(struct report *report)
{
    const struct sim_check *check = &sim.check;
    report->runs++;
    report->hash = (report->hash * UINT64_C(0x100000001b3)) ^ sim.trace.hash;
    report->events += sim.trace.events;
    report->days += (double)(sim.now_us - USEC_PER_HOUR) / (double)USEC_PER_DAY;
    report->lives += check->lives;
    report->crashes += check->crashes;
    report->hangs += check->hangs;
    report->safe_modes += check->safe_modes;
    report->suspensions += check->suspensions;
    report->stays += check->stays;
    report->resets += check->resets;
    report->cuts += check->cuts;
    report->actions += check->actions;
    report->rollbacks += check->rolled_back;
    report->pushes += sim.push.accepted;
    report->epochs += check->epochs;
}

static struct report run_world(const struct options *options, uint64_t seed)
{
    struct report report = {.hash = 0};
    bool held = sim_run(&sim, seed, options->days * USEC_PER_DAY, options->verbosity);
    add_world(&report);
    if (!held) {
        report.failed = true;
        report.failed_seed = seed;
        (void)fflush(stdout);
        print_failure(seed, options->days, sim.failure.at_us, sim.failure.check, sim.failure.text);
    }
    return report;
}

/* Many. */

/* Hashes of worlds are summed: they come in any order. */
static void add(struct report *sum, const struct report *one)
{
    sum->runs += one->runs;
    sum->hash += one->hash;
    sum->events += one->events;
    sum->days += one->days;
    sum->lives += one->lives;
    sum->crashes += one->crashes;
    sum->hangs += one->hangs;
    sum->safe_modes += one->safe_modes;
    sum->suspensions += one->suspensions;
    sum->stays += one->stays;
    sum->resets += one->resets;
    sum->cuts += one->cuts;
    sum->actions += one->actions;
    sum->rollbacks += one->rollbacks;
    sum->pushes += one->pushes;
    sum->epochs += one->epochs;
    sum->failed_seed = one->failed && !sum->failed ? one->failed_seed : sum->failed_seed;
    sum->failed = sum->failed || one->failed;
}

static double seconds(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void show_progress(const struct options *options, const struct report *sum, double begun)
{
    double passed = seconds() - begun;
    (void)fprintf(stderr, "\r%" PRIu64 "/%" PRIu64 " worlds, %.0f simulated days, %.0f a second ",
                  sum->runs, options->runs, sum->days, passed > 0 ? sum->days / passed : 0);
    if (sum->runs == options->runs) {
        (void)fputc('\n', stderr);
    }
}

static void work(const struct options *options, unsigned job, int to)
{
    for (uint64_t i = job; i < options->runs; i += options->jobs) {
        struct report report = run_world(options, options->seed + i);
        if (write(to, &report, sizeof report) != (ssize_t)sizeof report || report.failed) {
            (void)fflush(stdout);
            _exit(EXIT_CODE_FAILURE);
        }
    }
    (void)fflush(stdout);
    _exit(EXIT_CODE_OK);
}

/* The first process that fails ends the others. */
static bool wait_for_jobs(pid_t *pids, unsigned jobs)
{
    bool good = true;
    for (unsigned ended = 0; ended < jobs; ended++) {
        int status = 0;
        pid_t pid = wait(&status);
        bool well = pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
        for (unsigned i = 0; i < jobs; i++) {
            pids[i] = pids[i] == pid ? 0 : pids[i];
            if (!well && good && pids[i] > 0) {
                (void)kill(pids[i], SIGTERM);
            }
        }
        good = good && well;
    }
    return good;
}

static bool run_jobs(const struct options *options, struct report *sum, double begun)
{
    int channel[2];
    pid_t pids[JOBS_MAX] = {0};
    struct report report;
    bool shows = isatty(STDERR_FILENO) == 1;
    if (pipe(channel) != 0) {
        return false;
    }
    (void)fflush(stdout);
    for (unsigned job = 0; job < options->jobs; job++) {
        pids[job] = fork();
        if (pids[job] == 0) {
            (void)close(channel[0]);
            work(options, job, channel[1]);
        }
    }
    (void)close(channel[1]);
    while (!sum->failed && read(channel[0], &report, sizeof report) == (ssize_t)sizeof report) {
        add(sum, &report);
        if (shows) {
            show_progress(options, sum, begun);
        }
    }
    (void)close(channel[0]);
    for (unsigned i = 0; sum->failed && i < options->jobs; i++) {
        if (pids[i] > 0) {
            (void)kill(pids[i], SIGTERM);
        }
    }
    return wait_for_jobs(pids, options->jobs);
}

static bool run_all(const struct options *options, struct report *sum, double begun)
{
    bool shows = isatty(STDERR_FILENO) == 1 && options->verbosity == SIM_SILENT;
    if (options->jobs > 1) {
        return run_jobs(options, sum, begun);
    }
    for (uint64_t i = 0; i < options->runs && !sum->failed; i++) {
        struct report report = run_world(options, options->seed + i);
        add(sum, &report);
        if (shows && options->runs > 1) {
            show_progress(options, sum, begun);
        }
    }
    return !sum->failed;
}

static void print_text(const struct options *options, const struct report *sum, bool held,
                       double passed)
{
    printf("%s: %" PRIu64 " world%s from seed %" PRIu64 ", %.1f simulated days (%.0f a second), "
           "hash %016" PRIx64 "\n",
           held ? "all checks held" : "A CHECK FAILED", sum->runs, sum->runs == 1 ? "" : "s",
           options->seed, sum->days, passed > 0 ? sum->days / passed : 0, sum->hash);
    printf("%" PRIu64 " lives, %" PRIu64 " crashes, %" PRIu64 " hangs, %" PRIu64
           " safe modes, %" PRIu64 " groups suspended, %" PRIu64 " stays, %" PRIu64
           " watchdog resets, %" PRIu64 " power cuts, %" PRIu64 " site actions, %" PRIu64
           " rollbacks, %" PRIu64 " pushes accepted, %" PRIu64 " epochs, %" PRIu64 " events\n",
           sum->lives, sum->crashes, sum->hangs, sum->safe_modes, sum->suspensions, sum->stays,
           sum->resets, sum->cuts, sum->actions, sum->rollbacks, sum->pushes, sum->epochs,
           sum->events);
}

static void print_json(const struct options *options, const struct report *sum, bool held,
                       double passed)
{
    printf("{\"held\":%s,\"seed\":%" PRIu64 ",\"runs\":%" PRIu64 ",\"days\":%.3f,"
           "\"days_per_second\":%.1f,\"hash\":\"%016" PRIx64 "\",",
           held ? "true" : "false", options->seed, sum->runs, sum->days,
           passed > 0 ? sum->days / passed : 0, sum->hash);
    printf("\"lives\":%" PRIu64 ",\"crashes\":%" PRIu64 ",\"hangs\":%" PRIu64
           ",\"safe_modes\":%" PRIu64 ",\"suspended\":%" PRIu64 ",\"stays\":%" PRIu64
           ",\"resets\":%" PRIu64 ",\"power_cuts\":%" PRIu64 ",\"actions\":%" PRIu64
           ",\"rollbacks\":%" PRIu64 ",\"pushes\":%" PRIu64 ",\"epochs\":%" PRIu64
           ",\"events\":%" PRIu64,
           sum->lives, sum->crashes, sum->hangs, sum->safe_modes, sum->suspensions, sum->stays,
           sum->resets, sum->cuts, sum->actions, sum->rollbacks, sum->pushes, sum->epochs,
           sum->events);
    if (sum->failed) {
        printf(",\"failed_seed\":%" PRIu64, sum->failed_seed);
    }
    printf("}\n");
}

int cmd_sim(int argc, char **argv)
{
    struct options options;
    struct report sum = {.runs = 0};
    int code = parse(argc, argv, &options);
    if (code >= 0) {
        return code;
    }
    days_asked = options.days;
    (void)signal(SIGABRT, on_signal);
    (void)signal(SIGSEGV, on_signal);
    double begun = seconds();
    bool held = run_all(&options, &sum, begun);
    if (options.json) {
        print_json(&options, &sum, held, seconds() - begun);
    } else {
        print_text(&options, &sum, held, seconds() - begun);
    }
    return held ? EXIT_CODE_OK : EXIT_CODE_FAILURE;
}
