/* What the store costs, printed as a table.
 *
 *   bench_store PICKETD [FOLDER [SECONDS]]   (FOLDER: on the disk to measure, default .)
 *
 * Bytes a day, bytes a result and hours held come from the store's own code over simulated days
 * (bench_site.h), once the log is full; the agent's own writes are then measured over SECONDS
 * (default 30) with all times 60 times shorter, by the kernel's count and by its own.
 * The latency of a commit is that of one block written and synced through the block file, each
 * beside a bare pwrite and fdatasync on the same file system. Recovery is opening a full store. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench_server.h"
#include "bench_site.h"
#include "blockfile.h"
#include "status_client.h"

#define TURN_US    (50 * USEC_PER_MSEC) /* of simulated time */
#define COMMITS    400
#define FILE_BYTES ((size_t)1 << 20)
#define OPENINGS   9
#define FASTER     60 /* the agent's own run */

static struct bench_site site;
static struct bench_server server;
static const char *measured; /* the folder as it was named; `folder` is the same from / on */
static char folder[256], path[320];

static void must(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "bench_store: %s\n", what);
        exit(1);
    }
}

static int compare(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return left < right ? -1 : left > right;
}

static void sort(double *values, unsigned count)
{
    qsort(values, count, sizeof values[0], compare);
}

static void line(const char *what, double value, const char *unit, const char *more)
{
    printf("  %-46s %9.3f %-4s %s\n", what, value, unit, more);
}

/* Simulated days. */

static void measure_days(void)
{
    char more[96];
    must(bench_site_open(&site, "1M"), "the simulated site does not open");
    bench_site_run(&site, 2 * USEC_PER_DAY, TURN_US);
    struct bench_device *device = &site.device;
    uint64_t blocks = device->blocks_written, syncs = device->syncs;
    uint64_t counted = site.store.numbers.blocks_written;
    bench_site_run(&site, USEC_PER_DAY, TURN_US);
    blocks = device->blocks_written - blocks;
    counted = site.store.numbers.blocks_written - counted;
    const struct store_numbers *numbers = &site.store.numbers;
    double a_day = (double)USEC_PER_DAY / BENCH_SITE_INTERVAL * BENCH_SITE_PROBES;
    double held = (double)numbers->log_results;
    double log_bytes = (double)numbers->slots_live * BLOCK_BYTES;
    printf("the store of 50 probes every 30 s, 1 MiB, commit = 60s, the third simulated day\n");
    line("written a day", (double)blocks * BLOCK_BYTES / 1048576, "MiB", "(budget 6)");
    snprintf(more, sizeof more, "(its own count: %.3f)", (double)counted * BLOCK_BYTES / 1048576);
    line("  in blocks", (double)blocks, "", more);
    line("  syncs", (double)(device->syncs - syncs), "", "");
    line("bytes a result, in the log", log_bytes / held, "B", "(budget 5)");
    line("bytes a result, of the file", (double)FILE_BYTES / held, "B", "");
    line("hours held in 1 MiB", held / a_day * 24, "h", "(budget 36)");
}

/* Commit latency. */

static void wait_reply(struct blockfile *file, struct block_reply *reply)
{
    struct blockdev device = blockfile_port(file);
    struct waits waits;
    while (!device.collect(device.context, reply)) {
        waits_clear(&waits);
        blockfile_waits(file, &waits);
        (void)poll(waits.at, waits.count, 1000);
    }
}

static void operate(struct blockfile *file, enum block_op op, uint32_t first, uint32_t count,
                    void *bytes)
{
    struct blockdev device = blockfile_port(file);
    struct block_request request = {.op = op, .first = first, .count = count, .bytes = bytes};
    struct block_reply reply;
    must(device.submit(device.context, &request), "the block file is busy");
    wait_reply(file, &reply);
    must(reply.error == BLOCK_OK, reply.note);
}

static double bare_commit_ms(int fd, unsigned turn, const void *bytes)
{
    usec_t begun_us = bench_now_us();
    off_t offset = (off_t)(turn % (FILE_BYTES / BLOCK_BYTES)) * BLOCK_BYTES;
    must(pwrite(fd, bytes, BLOCK_BYTES, offset) == BLOCK_BYTES && fdatasync(fd) == 0, "pwrite");
    return (double)(bench_now_us() - begun_us) / 1e3;
}

static double commit_ms(struct blockfile *file, unsigned turn, void *bytes)
{
    usec_t begun_us = bench_now_us();
    operate(file, BLOCK_WRITE, turn % (uint32_t)(FILE_BYTES / BLOCK_BYTES), 1, bytes);
    operate(file, BLOCK_SYNC, 0, 0, NULL);
    return (double)(bench_now_us() - begun_us) / 1e3;
}

static int open_bare(void *block)
{
    char bare[400];
    snprintf(bare, sizeof bare, "%s.bare", path);
    int fd = open(bare, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    must(fd >= 0, bare);
    unlink(bare);
    for (unsigned i = 0; i < FILE_BYTES / BLOCK_BYTES; i++) {
        must(write(fd, block, BLOCK_BYTES) == BLOCK_BYTES, "write");
    }
    must(fsync(fd) == 0, "fsync");
    return fd;
}

static void measure_commits(void)
{
    static double ours_ms[COMMITS], bare_ms[COMMITS];
    static uint8_t block[BLOCK_BYTES];
    char more[64];
    int fd = open_bare(block);
    unlink(path);
    struct blockfile *file = blockfile_new(path);
    must(file != NULL, "no block file");
    operate(file, BLOCK_CREATE, 0, FILE_BYTES / BLOCK_BYTES, NULL);
    operate(file, BLOCK_PUBLISH, 0, 0, NULL);
    for (unsigned i = 0; i < COMMITS; i++) {
        memset(block, (int)i, sizeof block);
        bare_ms[i] = bare_commit_ms(fd, i * 7, block);
        ours_ms[i] = commit_ms(file, i * 7, block);
    }
    must(blockfile_free(file, USEC_PER_SEC), "the block file hangs");
    close(fd);
    unlink(path);
    sort(ours_ms, COMMITS);
    sort(bare_ms, COMMITS);
    printf("\na commit: one block written and synced, %d times, on the disk of %s\n", COMMITS,
           measured);
    snprintf(more, sizeof more, "ratio %.2f", ours_ms[COMMITS / 2] / bare_ms[COMMITS / 2]);
    line("median", ours_ms[COMMITS / 2], "ms", more);
    line("  floor: bare pwrite and fdatasync", bare_ms[COMMITS / 2], "ms", "");
    snprintf(more, sizeof more, "ratio %.2f",
             ours_ms[COMMITS * 99 / 100] / bare_ms[COMMITS * 99 / 100]);
    line("99th percentile", ours_ms[COMMITS * 99 / 100], "ms", more);
    line("  floor: bare pwrite and fdatasync", bare_ms[COMMITS * 99 / 100], "ms", "");
}

/* Recovery. */

static void save(const struct bench_device *device)
{
    FILE *file = fopen(path, "wb");
    must(file != NULL, path);
    must(fwrite(device->bytes, BLOCK_BYTES, device->count, file) == device->count &&
             fflush(file) == 0 && fsync(fileno(file)) == 0 && fclose(file) == 0,
         "cannot write the store");
}

/* The kernel lets go of clean pages of one file; those of others stay. */
static void forget_pages(void)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    must(fd >= 0 && posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0, "posix_fadvise");
    close(fd);
}

static double opening_ms(struct store *store, bool cold, uint64_t results)
{
    static const struct logger silent;
    static struct tail tail;
    memset(&tail, 0, sizeof tail);
    if (cold) {
        forget_pages();
    }
    struct blockfile *file = blockfile_new(path);
    must(file != NULL, "no block file");
    struct store_settings settings = {.device = blockfile_port(file),
                                      .block_count = site.device.count,
                                      .commit_us = USEC_PER_HOUR,
                                      .boot = 2,
                                      .entropy = 2,
                                      .tail = &tail};
    usec_t begun_us = bench_now_us();
    store_init(store, &site.config, &silent, &settings, begun_us);
    while (!store_opened(store)) {
        struct waits waits;
        waits_clear(&waits);
        (void)store_step(store, bench_now_us());
        blockfile_waits(file, &waits);
        if (!store_opened(store)) {
            (void)poll(waits.at, waits.count, 1);
        }
    }
    double took_ms = (double)(bench_now_us() - begun_us) / 1e3;
    must(store->state == STORE_DURABLE && store_ledger(store)->totals.results == results,
         "the store did not come back as it was");
    must(blockfile_free(file, USEC_PER_SEC), "the block file hangs");
    return took_ms;
}

/* Each opening finds the same bytes: what one has written is put back. */
static void measure_recovery(const char *size, usec_t simulated_us)
{
    static struct store store;
    static double took_ms[2][OPENINGS];
    char what[80], more[64];
    must(bench_site_open(&site, size), "the simulated site does not open");
    bench_site_run(&site, simulated_us, 20 * TURN_US);
    uint64_t results = store_ledger(&site.store)->totals.results;
    must(site.store.numbers.dropped_wrap > 0, "the log is not full");
    bench_site_close(&site);
    for (unsigned i = 0; i < 2 * OPENINGS; i++) {
        save(&site.device);
        took_ms[i % 2][i / 2] = opening_ms(&store, i % 2 == 1, results);
    }
    sort(took_ms[0], OPENINGS);
    sort(took_ms[1], OPENINGS);
    snprintf(what, sizeof what, "a full store of %s, %.1f million results", size,
             (double)site.store.numbers.log_results / 1e6);
    snprintf(more, sizeof more, "(greatest of %d: %.3f)", OPENINGS, took_ms[0][OPENINGS - 1]);
    line(what, took_ms[0][OPENINGS / 2], "ms", more);
    snprintf(more, sizeof more, "(greatest of %d: %.3f)", OPENINGS, took_ms[1][OPENINGS - 1]);
    line("  its pages not in memory", took_ms[1][OPENINGS / 2], "ms", more);
    unlink(path);
    free(site.device.bytes);
}

/* The agent itself. */

static void write_config(const char *config)
{
    FILE *file = fopen(config, "w");
    must(file != NULL, config);
    fprintf(file,
            "[agent]\nsite = bench\nsocket = %s.sock\nstore = %s\nstore_size = 1M\ncommit = 1s\n"
            "flash = disk\nlog_level = error\nconcurrency = 32\n"
            "[push]\nurl = http://127.0.0.1:%u\ninterval = 1s\n"
            "[defaults]\ninterval = 500ms\ntimeout = 400ms\n",
            path, path, server.port);
    for (int i = 0; i < BENCH_SITE_PROBES; i++) {
        fprintf(file, "[http t%d]\nurl = http://127.0.0.1:%u/%d\n", i, server.port, i);
    }
    fclose(file);
}

static pid_t start_agent(const char *picketd, const char *config)
{
    pid_t pid = fork();
    if (pid == 0) {
        execl(picketd, picketd, "run", "--no-supervisor", "-c", config, (char *)NULL);
        _exit(127);
    }
    return pid;
}

/* The number behind `key` in a text, -1 when it is not there. */
static double number_in(const char *text, const char *key)
{
    const char *at = strstr(text, key);
    return at ? strtod(at + strlen(key), NULL) : -1;
}

/* What it handed to write(2) and its kin; sockets are sent to by others. write_bytes beside it
 * counts whole folios of the page cache, 64 KiB for a block of 4, which never reach the disk. */
static double kernel_bytes(pid_t pid)
{
    char name[64], text[1024] = "";
    snprintf(name, sizeof name, "/proc/%d/io", (int)pid);
    FILE *file = fopen(name, "r");
    if (file) {
        text[fread(text, 1, sizeof text - 1, file)] = '\0';
        fclose(file);
    }
    return number_in(text, "\nwchar: ");
}

static double own_bytes(void)
{
    static char text[1 << 20], socket_path[340];
    snprintf(socket_path, sizeof socket_path, "%s.sock", path);
    FILE *out = fmemopen(text, sizeof text, "w");
    must(out != NULL, "fmemopen");
    int code = status_client_ask(socket_path, "json\n", out);
    fclose(out);
    return code == 2 ? -1 : number_in(text, "\"written_bytes\":");
}

static void measure_agent(const char *picketd, int seconds)
{
    char config[340], more[96];
    snprintf(config, sizeof config, "%s.conf", path);
    must(bench_server_start(&server), "no server");
    write_config(config);
    pid_t pid = start_agent(picketd, config);
    for (int i = 0; i < 100 && own_bytes() <= 0; i++) {
        usleep(50000);
    }
    sleep(3);
    double kernel = kernel_bytes(pid), own = own_bytes();
    usec_t begun_us = bench_now_us();
    sleep((unsigned)seconds);
    kernel = kernel_bytes(pid) - kernel;
    own = own_bytes() - own;
    double days = (double)(bench_now_us() - begun_us) * FASTER / (double)USEC_PER_DAY;
    kill(pid, SIGTERM);
    (void)waitpid(pid, NULL, 0);
    must(own > 0, "the agent did not run");
    printf("\nthe agent itself, 50 probes, for %d s, all times %d times shorter\n", seconds,
           FASTER);
    snprintf(more, sizeof more, "(the kernel's count: %.3f)", kernel / days / 1048576);
    line("written a day", own / days / 1048576, "MiB", more);
    unlink(config);
    unlink(path);
}

int main(int argc, char **argv)
{
    must(argc >= 2 && argc <= 4, "usage: bench_store PICKETD [FOLDER [SECONDS]]");
    measured = argc > 2 ? argv[2] : ".";
    char *found = realpath(measured, NULL);
    must(found != NULL && strlen(found) < sizeof folder, "no such folder");
    snprintf(folder, sizeof folder, "%s", found);
    free(found);
    snprintf(path, sizeof path, "%s/bench-store-%d", folder, (int)getpid());
    measure_days();
    free(site.device.bytes);
    measure_commits();
    printf("\nrecovery: from the start to known totals, on the disk of %s\n", measured);
    measure_recovery("1M", 2 * USEC_PER_DAY);
    measure_recovery("64M", 120 * USEC_PER_DAY);
    measure_agent(argv[1], argc > 3 ? atoi(argv[3]) : 30);
    return 0;
}
