/* What a probe costs and how exact it is, printed as a table beside the floors of bench_floor.h.
 *
 *   bench PICKETD [SECONDS]   (SECONDS per scenario, default 30)
 *
 * Scenario 1: 100 plain http probes every second, pushed to a receiver that takes everything.
 * Scenario 2: the same, but one target hangs and one drips.
 * Then the duration of a probe against a server that answers after 50, 200 and 800 ms.
 *
 * Machines differ, and a shared one differs from second to second, so what counts is the ratio. The
 * agent's CPU is counted in windows of two seconds; a slice of the floors goes before the first and
 * after each, while the agent runs on uncounted. Windows as long as the push interval together make
 * a round, which holds one push. Each round is set against its slices, and the table shows the
 * medians of the rounds. */
#include <curl/curl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench_floor.h"
#include "bench_server.h"
#include "schedule.h"
#include "status_client.h"

#define SETTLE_S        3 /* from the agent's start to the first measured second */
#define PUSH_INTERVAL_S 10
#define WINDOW_S        2
#define WINDOWS         (PUSH_INTERVAL_S / WINDOW_S) /* of a round */
#define ROUNDS_MAX      60
/* The budget of 0.15 ms a probe was set where bare libcurl, back to back, took 0.07 ms. */
#define BUDGET_MS    0.15
#define BUDGET_RATIO (BUDGET_MS / 0.07)

static struct bench_server server;
static struct bench_server receiver; /* answers 200 to any request, so to a push as well */
static char folder[] = "/tmp/picket-bench.XXXXXX";

static double cpu_ms_of(pid_t pid)
{
    clockid_t clock;
    struct timespec used = {0};
    if (clock_getcpuclockid(pid, &clock) == 0) {
        clock_gettime(clock, &used);
    }
    return (double)used.tv_sec * 1e3 + (double)used.tv_nsec / 1e6;
}

static double resident_mib(pid_t pid)
{
    char path[64], line[512];
    long kib = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file)) {
        sscanf(line, "VmRSS: %ld", &kib);
    }
    if (file) {
        fclose(file);
    }
    return (double)kib / 1024;
}

static void write_config(const char *path, bool hostile)
{
    FILE *file = fopen(path, "w");
    if (!file) {
        perror(path);
        exit(1);
    }
    fprintf(file,
            "[agent]\nsite = bench\nsocket = %s/sock\nconcurrency = 64\nlog_level = error\n"
            "[push]\nurl = http://127.0.0.1:%u\ninterval = %ds\n"
            "[defaults]\ninterval = 1s\ntimeout = 900ms\n",
            folder, receiver.port, PUSH_INTERVAL_S);
    for (int i = 0; i < BENCH_TARGETS; i++) {
        const char *what = hostile && i == 98 ? "hang" : hostile && i == 99 ? "drip" : NULL;
        if (what) {
            fprintf(file, "[http t%d]\nurl = http://127.0.0.1:%u/%s\n", i, server.port, what);
        } else {
            fprintf(file, "[http t%d]\nurl = http://127.0.0.1:%u/%d\n", i, server.port, i);
        }
    }
    fclose(file);
}

/* Without its parent, which only waits. */
static pid_t start_agent(const char *picketd, const char *config)
{
    pid_t pid = fork();
    if (pid == 0) {
        execl(picketd, picketd, "run", "--no-supervisor", "-c", config, (char *)NULL);
        _exit(127);
    }
    return pid;
}

static int compare_usec(const void *a, const void *b)
{
    usec_t left = *(const usec_t *)a, right = *(const usec_t *)b;
    return left < right ? -1 : left > right;
}

static int compare_double(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return left < right ? -1 : left > right;
}

static double median(const double *values, unsigned count)
{
    double sorted[ROUNDS_MAX];
    memcpy(sorted, values, count * sizeof values[0]);
    qsort(sorted, count, sizeof sorted[0], compare_double);
    return (sorted[(count - 1) / 2] + sorted[count / 2]) / 2;
}

/* How long after its planned start each counted target's connection reached the server: the
 * lateness of the start and the connect together, so an upper bound of the lateness. */
struct lateness {
    usec_t phases_us[BENCH_TARGETS];
    usec_t late_us[BENCH_ARRIVALS_MAX];
    unsigned count;
};

static void lateness_begin(struct lateness *lateness)
{
    lateness->count = 0;
    for (unsigned i = 0; i < BENCH_TARGETS; i++) {
        char name[16], url[64];
        snprintf(name, sizeof name, "t%u", i);
        snprintf(url, sizeof url, "http://127.0.0.1:%u/%u", server.port, i);
        lateness->phases_us[i] = schedule_phase("bench", name, url, USEC_PER_SEC);
    }
}

static void lateness_add(struct lateness *lateness, unsigned from, unsigned to)
{
    for (unsigned i = from; i < to; i++) {
        const struct bench_arrival *arrival = &server.arrivals[i];
        lateness->late_us[lateness->count++] =
            (arrival->accepted_us - lateness->phases_us[arrival->target] + USEC_PER_SEC) %
            USEC_PER_SEC;
    }
}

/* Of the sorted values; 1000 thousandths are the greatest. */
static double late_ms(const struct lateness *lateness, unsigned thousandths)
{
    unsigned count = lateness->count;
    return count ? (double)lateness->late_us[(count - 1) * thousandths / 1000] / 1e3 : 0;
}

/* Sums every `"missed":N` of the status JSON. */
static unsigned long missed_runs(void)
{
    char path[128], *text = NULL;
    size_t size = 0;
    unsigned long missed = 0;
    snprintf(path, sizeof path, "%s/sock", folder);
    FILE *memory = open_memstream(&text, &size);
    if (!memory || status_client_ask(path, "json\n", memory) == 2) {
        fprintf(stderr, "bench: the agent does not answer\n");
        exit(1);
    }
    fclose(memory);
    for (const char *at = text; (at = strstr(at, "\"missed\":")); at += 9) {
        missed += strtoul(at + 9, NULL, 10);
    }
    free(text);
    return missed;
}

/* What was measured, a row for each round; floors are the means of its slices. */
struct rounds {
    unsigned count, windows, probes;
    double cpu_ms[ROUNDS_MAX]; /* a probe */
    double sockets_ms[ROUNDS_MAX], libcurl_ms[ROUNDS_MAX], paced_ms[ROUNDS_MAX];
};

static void add_slice(struct rounds *rounds, unsigned round)
{
    struct bench_floor floor = bench_floor_slice(server.port);
    rounds->sockets_ms[round] += floor.sockets_ms / (rounds->windows + 1);
    rounds->libcurl_ms[round] += floor.libcurl_ms / (rounds->windows + 1);
    rounds->paced_ms[round] += floor.libcurl_paced_ms / (rounds->windows + 1);
}

static void measure_round(pid_t pid, unsigned round, struct rounds *rounds,
                          struct lateness *lateness)
{
    double cpu_ms = 0;
    unsigned probes = 0;
    add_slice(rounds, round);
    for (unsigned i = 0; i < rounds->windows; i++) {
        unsigned from = server.arrival_count;
        double before_ms = cpu_ms_of(pid);
        sleep(WINDOW_S);
        cpu_ms += cpu_ms_of(pid) - before_ms;
        unsigned to = server.arrival_count;
        probes += to - from;
        lateness_add(lateness, from, to);
        add_slice(rounds, round);
    }
    rounds->cpu_ms[round] = cpu_ms / (probes > 0 ? probes : 1);
    rounds->probes += probes;
}

static void measure_rounds(pid_t pid, unsigned seconds, struct rounds *rounds,
                           struct lateness *lateness)
{
    unsigned windows = seconds < PUSH_INTERVAL_S ? (seconds + 1) / WINDOW_S : WINDOWS;
    unsigned count = seconds / PUSH_INTERVAL_S;
    *rounds = (struct rounds){.count = count < 1            ? 1
                                       : count > ROUNDS_MAX ? ROUNDS_MAX
                                                            : count,
                              .windows = windows < 1 ? 1 : windows};
    lateness_begin(lateness);
    for (unsigned i = 0; i < rounds->count; i++) {
        measure_round(pid, i, rounds, lateness);
    }
    qsort(lateness->late_us, lateness->count, sizeof lateness->late_us[0], compare_usec);
}

/* The median of the floor, and of each round's ratio to it. */
static void print_floor(const struct rounds *rounds, const char *name, const double *floor_ms,
                        double budget)
{
    double ratios[ROUNDS_MAX];
    for (unsigned i = 0; i < rounds->count; i++) {
        ratios[i] = rounds->cpu_ms[i] / floor_ms[i];
    }
    printf("  %-46s %8.3f ms   ratio %.2f", name, median(floor_ms, rounds->count),
           median(ratios, rounds->count));
    if (budget > 0) {
        printf("   (budget %.1f)", budget);
    }
    printf("\n");
}

static void print_scenario(const struct rounds *rounds, const struct lateness *lateness)
{
    printf("  %-46s %8.3f ms   (budget %.3f where libcurl takes 0.070)\n",
           "CPU per probe: schedule, probe, SLI, push", median(rounds->cpu_ms, rounds->count),
           BUDGET_MS);
    print_floor(rounds, "  floor: bare libcurl, back to back", rounds->libcurl_ms, BUDGET_RATIO);
    print_floor(rounds, "  floor: bare libcurl, one every 10 ms", rounds->paced_ms, 0);
    print_floor(rounds, "  floor: bare sockets, back to back", rounds->sockets_ms, 0);
    printf("  %-46s %8.2f ms\n", "start to accepted connection, median", late_ms(lateness, 500));
    printf("  %-46s %8.2f ms   (budget 5)\n", "  99th percentile", late_ms(lateness, 990));
    printf("  %-46s %8.2f ms\n", "  greatest", late_ms(lateness, 1000));
}

static void run_scenario(const char *picketd, const char *title, bool hostile, unsigned seconds)
{
    static struct rounds rounds;
    static struct lateness lateness;
    char config[128];
    snprintf(config, sizeof config, "%s/site.conf", folder);
    write_config(config, hostile);
    server.arrival_count = 0;
    pid_t pid = start_agent(picketd, config);
    sleep(SETTLE_S);
    measure_rounds(pid, seconds, &rounds, &lateness);
    double resident = resident_mib(pid);
    unsigned long missed = missed_runs();
    kill(pid, SIGTERM);
    waitpid(pid, NULL, 0);
    printf("%s\n", title);
    print_scenario(&rounds, &lateness);
    printf("  %-46s %8u      (planned %u)\n", "probes that arrived", rounds.probes,
           rounds.count * rounds.windows * WINDOW_S * (BENCH_TARGETS - (hostile ? 2U : 0U)));
    printf("  %-46s %8lu      (budget 0)\n", "runs missed", missed);
    printf("  %-46s %8.2f MiB  (budget 6)\n\n", "resident memory", resident);
}

static double probe_duration_ms(const char *picketd, unsigned delay_ms)
{
    char command[256], line[4096], *at;
    double seconds = -1;
    snprintf(command, sizeof command,
             "%s probe http http://127.0.0.1:%u/delay/%u --timeout 5s --format json", picketd,
             server.port, delay_ms);
    FILE *output = popen(command, "r");
    if (output && fgets(line, sizeof line, output) &&
        (at = strstr(line, "\"duration_seconds\":")) != NULL) {
        seconds = strtod(at + 19, NULL);
    }
    if (output) {
        pclose(output);
    }
    return seconds * 1e3;
}

static void measure_durations(const char *picketd)
{
    static const unsigned delays_ms[] = {50, 200, 800};
    printf("duration of a probe against a server that delays (worst of 5)\n");
    for (unsigned i = 0; i < ARRAY_LEN(delays_ms); i++) {
        double worst_ms = 0;
        for (int run = 0; run < 5; run++) {
            double error_ms = probe_duration_ms(picketd, delays_ms[i]) - delays_ms[i];
            worst_ms = error_ms > worst_ms ? error_ms : worst_ms;
        }
        printf("  delay %4u ms: measured %8.2f ms, error %5.2f ms   (budget 2)\n", delays_ms[i],
               delays_ms[i] + worst_ms, worst_ms);
    }
}

int main(int argc, char **argv)
{
    unsigned seconds = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 30;
    if (argc < 2 || seconds == 0 || !mkdtemp(folder)) {
        fprintf(stderr, "usage: bench PICKETD [SECONDS]\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (!bench_server_start(&server) || !bench_server_start(&receiver)) {
        fprintf(stderr, "bench: no server\n");
        return 1;
    }
    curl_global_init(CURL_GLOBAL_DEFAULT);
    char path[160];
    run_scenario(argv[1], "100 plain http probes every second", false, seconds);
    run_scenario(argv[1], "the same, one target hangs and one drips: the other 98", true, seconds);
    measure_durations(argv[1]);
    snprintf(path, sizeof path, "%s/site.conf", folder);
    unlink(path);
    rmdir(folder);
    return 0;
}
