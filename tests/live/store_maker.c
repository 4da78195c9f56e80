/* Makes a store, or goes on with one, by the store's own code on a device in memory, with a clock
 * that runs as fast as it can; what the live tests of `store` look at.
 *
 *   store_maker CONFIG FILE BOOT START_MS TRUST_AFTER RUNS INTERVAL_MS END
 *
 * RUNS rounds of all targets on boot BOOT (a number), from START_MS of monotonic time on, each
 * INTERVAL_MS after the last. The clock becomes trusted after TRUST_AFTER rounds (-1: never); wall
 * time is then monotonic time and BOOT years. END is `close` for an orderly stop, `cut` for a power
 * cut right after the last result, `outage` for an orderly stop after a device that failed for the
 * middle third of the rounds. Every result is written to standard output, one line of JSON
 * each, with what `store dump` should say of it; [maintenance] counts while the clock is
 * trusted. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "maintenance.h"
#include "site.h"
#include "store.h"
#include "store_plan.h"

#define YEAR_MS INT64_C(31536000000)

enum { TURNS_MAX = 1000000 };

struct memory {
    uint8_t *bytes, *made;
    uint32_t count, made_count;
    struct block_reply reply;
    bool is_done, fails;
};

static struct config config;
static struct store store;
static struct tail tail;
static struct memory memory;
static usec_t now_us;
static uint64_t seed;

static void must(bool holds, const char *what)
{
    if (!holds) {
        (void)fprintf(stderr, "store_maker: %s\n", what);
        exit(1);
    }
}

/* -- the device -- */

static enum block_error serve(struct memory *device, const struct block_request *request)
{
    uint8_t *at = request->op == BLOCK_WRITE && device->made ? device->made : device->bytes;
    size_t offset = (size_t)request->first * BLOCK_BYTES;
    size_t size = (size_t)request->count * BLOCK_BYTES;
    switch (request->op) {
    case BLOCK_OPEN:
        device->reply.block_count = device->count;
        return device->count > 0 ? BLOCK_OK : BLOCK_MISSING;
    case BLOCK_CREATE:
        free(device->made);
        device->made = calloc(request->count, BLOCK_BYTES);
        device->made_count = request->count;
        must(device->made != NULL, "out of memory");
        return BLOCK_OK;
    case BLOCK_READ:
        memcpy(request->bytes, at + offset, size);
        return BLOCK_OK;
    case BLOCK_WRITE:
        memcpy(at + offset, request->bytes, size);
        return BLOCK_OK;
    case BLOCK_SYNC:
        return BLOCK_OK;
    case BLOCK_PUBLISH:
        free(device->bytes);
        device->bytes = device->made;
        device->count = device->made_count;
        device->made = NULL;
        return BLOCK_OK;
    }
    return BLOCK_IO;
}

static bool submit(void *context, const struct block_request *request)
{
    struct memory *device = context;
    device->reply = (struct block_reply){.error = BLOCK_OK};
    device->reply.error = device->fails ? BLOCK_IO : serve(device, request);
    device->is_done = true;
    return true;
}

static bool collect(void *context, struct block_reply *reply)
{
    struct memory *device = context;
    bool done = device->is_done;
    *reply = device->reply;
    device->is_done = false;
    return done;
}

static void load(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return;
    }
    must(fseek(file, 0, SEEK_END) == 0, "cannot seek");
    memory.count = (uint32_t)(ftell(file) / BLOCK_BYTES);
    rewind(file);
    memory.bytes = calloc(memory.count + 1, BLOCK_BYTES);
    must(memory.bytes != NULL &&
             fread(memory.bytes, BLOCK_BYTES, memory.count, file) == memory.count,
         "cannot read the store");
    (void)fclose(file);
}

static void save(const char *path)
{
    FILE *file = fopen(path, "wb");
    must(file != NULL && fwrite(memory.bytes, BLOCK_BYTES, memory.count, file) == memory.count &&
             fclose(file) == 0,
         "cannot write the store");
}

/* -- the run -- */

static unsigned dice(unsigned sides)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(seed >> 33) % sides;
}

static void turn_until(bool (*done)(const struct store *store), const char *what)
{
    for (unsigned i = 0; !done(&store); i++) {
        must(i < TURNS_MAX, what);
        (void)store_step(&store, now_us);
        now_us += USEC_PER_MSEC;
    }
}

static void tell(const struct result *result, uint64_t boot, bool trusted)
{
    const struct config_probe *probe = config_target_probe(&config, result->target);
    char text[4096];
    struct buffer out;
    buffer_init(&out, text, sizeof text);
    buffer_printf(&out, "{\"number\":%" PRIu64 ",\"boot\":\"%016" PRIx64 "\"",
                  store_ledger(&store)->totals.results, boot);
    json_count(&out, "monotonic_ms", (uint64_t)(result->started_us / USEC_PER_MSEC));
    json_flag(&out, "trusted", trusted);
    json_text(&out, "probe", config_probe_name(&config, probe));
    json_text(&out, "kind", probe->section.kind->name);
    json_text(&out, "instance", config_instance(&config, result->target));
    json_text(&out, "outcome", outcome_name(result->outcome));
    json_text(&out, "reason", reason_name(result->reason));
    json_text(&out, "phase", phase_name(result->phase));
    json_count(&out, "duration_us", (uint64_t)result->duration_us);
    json_flag(&out, "maintenance", result->maintenance);
    buffer_append_byte(&out, '}');
    (void)puts(buffer_text(&out));
}

static void record(unsigned target, uint64_t boot, bool trusted)
{
    struct result result;
    result_init(&result, (uint16_t)target, now_us);
    result.maintenance =
        trusted && maintenance_holds(&config, config.targets[target].probe,
                                     now_us / USEC_PER_MSEC + (int64_t)boot * YEAR_MS);
    result.duration_us = 10000 + 10 * dice(1000);
    switch (dice(10)) {
    case 0:
        result_fail(&result, REASON_TIMEOUT, PHASE_CONNECT, "%s", "");
        break;
    case 1:
        result_unknown(&result, PHASE_NONE, "%s", "");
        break;
    default:
        result_succeed(&result);
    }
    store_result(&store, target, &result);
    tell(&result, boot, trusted);
}

static void run(uint64_t boot, int64_t trust_after, int64_t runs, usec_t interval_us, bool outage)
{
    for (int64_t i = 0; i < runs; i++) {
        memory.fails = outage && i >= runs / 3 && i < runs * 2 / 3;
        usec_t begun_us = now_us;
        bool trusted = trust_after >= 0 && i >= trust_after;
        (void)store_step(&store, now_us); /* the clock is told for this moment */
        store_clock(&store,
                    (struct wall_time){.unix_us = now_us + (int64_t)boot * YEAR_MS * USEC_PER_MSEC,
                                       .trusted = trusted});
        for (unsigned target = 0; target < config.target_count; target++) {
            now_us += USEC_PER_MSEC;
            record(target, boot, trusted);
            (void)store_step(&store, now_us);
        }
        store_missed(&store, (unsigned)i % config.target_count, i % 7 == 0);
        store_count(&store, LEDGER_PUSH_FIRST, i % 5 == 0);
        for (; now_us < begun_us + interval_us; now_us += interval_us / 8) {
            (void)store_step(&store, now_us);
        }
    }
}

int main(int argc, char **argv)
{
    must(argc == 9 && site_load(argv[1], &config), "eight arguments, the first a configuration");
    uint64_t boot = strtoull(argv[3], NULL, 10);
    seed = boot;
    now_us = strtoll(argv[4], NULL, 10) * USEC_PER_MSEC;
    load(argv[2]);
    struct store_plan plan;
    store_plan_make(&config, &plan);
    static const struct logger silent;
    struct store_settings settings = {.device = {&memory, submit, collect},
                                      .block_count = plan.block_count,
                                      .commit_us =
                                          config_number(&config, &config.agent, AGENT_COMMIT),
                                      .boot = boot,
                                      .entropy = boot * 77 + 1,
                                      .tail = &tail};
    store_init(&store, &config, &silent, &settings, now_us);
    turn_until(store_opened, "the store does not open");
    must(store.state == STORE_DURABLE, "the store is not durable");
    run(boot, strtoll(argv[5], NULL, 10), strtoll(argv[6], NULL, 10),
        strtoll(argv[7], NULL, 10) * USEC_PER_MSEC, strcmp(argv[8], "outage") == 0);
    if (strcmp(argv[8], "cut") != 0) {
        store_settle(&store);
        turn_until(store_settled, "the store does not settle");
        store_close(&store);
        turn_until(store_closed, "the store does not close");
    }
    save(argv[2]);
    return 0;
}
