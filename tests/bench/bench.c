/* What a probe costs and how exact it is, printed as a table beside two floors measured in the same
 * run: bare sockets and bare libcurl. Numbers of a noisy machine: read the ratios.
 *
 *   bench PICKETD [SECONDS]   (SECONDS per scenario, default 30)
 *
 * Scenario 1: 100 plain http probes every second, pushed to a receiver that takes everything.
 * Scenario 2: the same, but one target hangs and one drips.
 * Then the duration of a probe against a server that answers after 50, 200 and 800 ms. */
#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench_server.h"
#include "schedule.h"
#include "status_client.h"

#define FLOOR_REQUESTS 3000
#define SETTLE_S       3 /* from the agent's start to the first measured second */

static struct bench_server server;
static struct bench_server receiver; /* answers 200 to any request, so to a push as well */
static char folder[] = "/tmp/picket-bench.XXXXXX";

struct process_use {
    double cpu_s;
    long rss_kib;
};

static struct process_use use_of(pid_t pid)
{
    struct process_use use = {0};
    char path[64], line[512];
    unsigned long user, system;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "r");
    if (file && fgets(line, sizeof line, file) &&
        sscanf(strrchr(line, ')') + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
               &user, &system) == 2) {
        use.cpu_s = (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
    }
    if (file) {
        fclose(file);
    }
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file)) {
        sscanf(line, "VmRSS: %ld", &use.rss_kib);
    }
    if (file) {
        fclose(file);
    }
    return use;
}

static double own_cpu_ms(void)
{
    struct rusage usage;
    getrusage(RUSAGE_THREAD, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e3 +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e3;
}

static double bare_sockets_ms(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(server.port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    static const char request[] = "GET /x HTTP/1.1\r\nHost: bench\r\n\r\n";
    char bytes[512];
    double before_ms = own_cpu_ms();
    for (int i = 0; i < FLOOR_REQUESTS; i++) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
            write(fd, request, sizeof request - 1) < 0 || read(fd, bytes, sizeof bytes) <= 0) {
            fprintf(stderr, "bench: bare sockets: %s\n", strerror(errno));
            exit(1);
        }
        close(fd);
    }
    return (own_cpu_ms() - before_ms) / FLOOR_REQUESTS;
}

static size_t discard(char *bytes, size_t one, size_t count, void *context)
{
    (void)bytes;
    (void)one;
    (void)context;
    return count;
}

/* The CPU of one request by libcurl alone: as fast as they go, or one every `pace_us` as a schedule
 * makes them. Waking up for each costs more than the request: caches are cold, the core slept. */
static double bare_libcurl_ms(unsigned requests, usec_t pace_us)
{
    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%u/x", server.port);
    double before_ms = own_cpu_ms();
    for (int i = 0; i < (int)requests; i++) {
        CURL *easy = curl_easy_init();
        curl_easy_setopt(easy, CURLOPT_URL, url);
        curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, discard);
        if (curl_easy_perform(easy) != CURLE_OK) {
            fprintf(stderr, "bench: bare libcurl failed\n");
            exit(1);
        }
        curl_easy_cleanup(easy);
        if (pace_us > 0) {
            usleep((useconds_t)pace_us);
        }
    }
    return (own_cpu_ms() - before_ms) / requests;
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
            "[push]\nurl = http://127.0.0.1:%u\ninterval = 10s\n"
            "[defaults]\ninterval = 1s\ntimeout = 900ms\n",
            folder, receiver.port);
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

static pid_t start_agent(const char *picketd, const char *config)
{
    pid_t pid = fork();
    if (pid == 0) {
        execl(picketd, picketd, "run", "-c", config, (char *)NULL);
        _exit(127);
    }
    return pid;
}

static int by_size(const void *a, const void *b)
{
    usec_t left = *(const usec_t *)a, right = *(const usec_t *)b;
    return left < right ? -1 : left > right;
}

struct lateness {
    usec_t p50_us, p99_us, max_us;
    unsigned count;
};

/* How long after its planned start each target's connection reached the server: the lateness of the
 * start and the connect together, so an upper bound of the lateness. */
static struct lateness measure_lateness(unsigned from, unsigned to)
{
    static usec_t late_us[BENCH_ARRIVALS_MAX];
    usec_t phases_us[BENCH_TARGETS];
    struct lateness lateness = {0};
    for (unsigned i = 0; i < BENCH_TARGETS; i++) {
        char name[16], url[64];
        snprintf(name, sizeof name, "t%u", i);
        snprintf(url, sizeof url, "http://127.0.0.1:%u/%u", server.port, i);
        phases_us[i] = schedule_phase("bench", name, url, USEC_PER_SEC);
    }
    for (unsigned i = from; i < to; i++) {
        const struct bench_arrival *arrival = &server.arrivals[i];
        late_us[lateness.count++] =
            (arrival->accepted_us - phases_us[arrival->target] + USEC_PER_SEC) % USEC_PER_SEC;
    }
    qsort(late_us, lateness.count, sizeof late_us[0], by_size);
    if (lateness.count > 0) {
        lateness.p50_us = late_us[lateness.count / 2];
        lateness.p99_us = late_us[lateness.count * 99 / 100];
        lateness.max_us = late_us[lateness.count - 1];
    }
    return lateness;
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

/* CPU of one plain request without an agent. */
struct floors {
    double sockets_ms, libcurl_ms, libcurl_paced_ms;
};

static void print_floor(const char *name, double floor_ms, double cpu_ms)
{
    printf("  %-46s %8.3f ms   ratio %.1f\n", name, floor_ms, cpu_ms / floor_ms);
}

static void run_scenario(const char *picketd, const char *title, bool hostile, unsigned seconds,
                         const struct floors *floors)
{
    char config[128];
    snprintf(config, sizeof config, "%s/site.conf", folder);
    write_config(config, hostile);
    server.arrival_count = 0;
    pid_t pid = start_agent(picketd, config);
    sleep(SETTLE_S);
    unsigned from = server.arrival_count;
    struct process_use before = use_of(pid);
    sleep(seconds);
    struct process_use after = use_of(pid);
    unsigned to = server.arrival_count;
    unsigned long missed = missed_runs();
    kill(pid, SIGTERM);
    waitpid(pid, NULL, 0);
    unsigned probes = to - from;
    double cpu_ms = (after.cpu_s - before.cpu_s) * 1e3 / (probes ? probes : 1);
    struct lateness lateness = measure_lateness(from, to);
    printf("%s\n", title);
    printf("  %-46s %8.3f ms   (budget 0.150)\n", "CPU per probe: schedule, probe, SLI, push",
           cpu_ms);
    print_floor("  floor: bare libcurl, one every 10 ms", floors->libcurl_paced_ms, cpu_ms);
    print_floor("  floor: bare libcurl, back to back", floors->libcurl_ms, cpu_ms);
    print_floor("  floor: bare sockets, back to back", floors->sockets_ms, cpu_ms);
    printf("  %-46s %8.2f MiB  (budget 6)\n", "resident memory", (double)after.rss_kib / 1024);
    printf("  %-46s %8.2f ms\n", "start to accepted connection, median",
           (double)lateness.p50_us / 1e3);
    printf("  %-46s %8.2f ms   (budget 5)\n", "  99th percentile", (double)lateness.p99_us / 1e3);
    printf("  %-46s %8.2f ms\n", "  greatest", (double)lateness.max_us / 1e3);
    printf("  %-46s %8u      (planned %u)\n", "probes that arrived", probes,
           seconds * (BENCH_TARGETS - (hostile ? 2U : 0U)));
    printf("  %-46s %8lu      (budget 0)\n\n", "runs missed", missed);
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
    struct floors floors = {.sockets_ms = bare_sockets_ms(),
                            .libcurl_ms = bare_libcurl_ms(FLOOR_REQUESTS, 0),
                            .libcurl_paced_ms = bare_libcurl_ms(500, 10 * USEC_PER_MSEC)};
    char path[160];
    run_scenario(argv[1], "100 plain http probes every second", false, seconds, &floors);
    run_scenario(argv[1], "the same, one target hangs and one drips: the other 98", true, seconds,
                 &floors);
    measure_durations(argv[1]);
    snprintf(path, sizeof path, "%s/site.conf", folder);
    unlink(path);
    rmdir(folder);
    return 0;
}
