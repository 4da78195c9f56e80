#include "bench_site.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "registry.h"
#include "schedule.h"
#include "store_plan.h"

static enum block_error serve(struct bench_device *device, const struct block_request *request)
{
    bool fresh = device->made != NULL && request->op == BLOCK_WRITE;
    uint8_t *at = fresh ? device->made : device->bytes;
    size_t offset = (size_t)request->first * BLOCK_BYTES;
    size_t size = (size_t)request->count * BLOCK_BYTES;
    switch (request->op) {
    case BLOCK_OPEN:
        device->reply.block_count = device->count;
        return device->count > 0 ? BLOCK_OK : BLOCK_MISSING;
    case BLOCK_CREATE:
        device->made = calloc(request->count, BLOCK_BYTES);
        device->made_count = request->count;
        return device->made ? BLOCK_OK : BLOCK_NO_SPACE;
    case BLOCK_READ:
        memcpy(request->bytes, at + offset, size);
        return BLOCK_OK;
    case BLOCK_WRITE:
        memcpy(at + offset, request->bytes, size);
        device->blocks_written += request->count;
        return BLOCK_OK;
    case BLOCK_SYNC:
        device->syncs++;
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
    struct bench_device *device = context;
    device->reply = (struct block_reply){.error = BLOCK_OK};
    device->reply.error = serve(device, request);
    device->is_done = true;
    return true;
}

static bool collect(void *context, struct block_reply *reply)
{
    struct bench_device *device = context;
    bool done = device->is_done;
    *reply = device->reply;
    device->is_done = false;
    return done;
}

static void print_error(void *context, const char *file, unsigned line, const char *message)
{
    (void)context;
    fprintf(stderr, "bench: %s:%u: %s\n", file, line, message);
}

static bool load_config(struct config *config, const char *store_size)
{
    static struct config_loader loader;
    static char text[16384];
    struct config_errors errors = {.report = print_error};
    unsigned count;
    const struct probe_kind *const *kinds = registry_kinds(&count);
    int used = snprintf(text, sizeof text,
                        "[agent]\nsite = bench\nstore = /bench\nstore_size = %s\ncommit = 60s\n"
                        "flash = disk\n[push]\nurl = http://127.0.0.1:1\ninterval = 60s\n"
                        "[defaults]\ninterval = 30s\ntimeout = 5s\n",
                        store_size);
    for (int i = 0; i < BENCH_SITE_PROBES; i++) {
        used +=
            snprintf(text + used, sizeof text - (size_t)used,
                     "[http service-%02d]\nurl = http://service-%02d.example.net/health\n", i, i);
    }
    config_begin(&loader, config, kinds, count, &errors);
    config_add_text(&loader, "site.conf", text, (size_t)used);
    return config_finish(&loader);
}

static void spread(struct bench_site *site)
{
    char name[32], url[64];
    for (unsigned i = 0; i < BENCH_SITE_PROBES; i++) {
        snprintf(name, sizeof name, "service-%02u", i);
        snprintf(url, sizeof url, "http://service-%02u.example.net/health", i);
        site->due_us[i] = schedule_phase("bench", name, url, BENCH_SITE_INTERVAL) + USEC_PER_MINUTE;
        site->duration_us[i] = (usec_t)(5 + prng_below(&site->prng, 300)) * USEC_PER_MSEC;
    }
}

bool bench_site_open(struct bench_site *site, const char *store_size)
{
    static const struct logger silent;
    struct store_plan plan;
    memset(&site->device, 0, sizeof site->device);
    memset(&site->tail, 0, sizeof site->tail);
    site->prng.state = 1;
    site->results = 0;
    site->now_us = USEC_PER_SEC;
    if (!load_config(&site->config, store_size)) {
        return false;
    }
    spread(site);
    store_plan_make(&site->config, &plan);
    struct store_settings settings = {.device = {&site->device, submit, collect},
                                      .block_count = plan.block_count,
                                      .commit_us = USEC_PER_MINUTE,
                                      .boot = 1,
                                      .entropy = 1,
                                      .tail = &site->tail};
    store_init(&site->store, &site->config, &silent, &settings, site->now_us);
    for (int i = 0; i < 1000 && !store_opened(&site->store); i++) {
        (void)store_step(&site->store, site->now_us);
    }
    site->device.blocks_written = 0;
    site->device.syncs = 0;
    return site->store.state == STORE_DURABLE;
}

/* Most vary by a few per cent, one in twenty takes up to twice as long, one in two hundred fails.
 */
static void finish_run(struct bench_site *site, unsigned target)
{
    usec_t usual_us = site->duration_us[target];
    struct result result;
    usec_t late_us = (usec_t)prng_below(&site->prng, 3 * USEC_PER_MSEC);
    result_init(&result, (uint16_t)target, site->due_us[target] + late_us);
    result.duration_us = usual_us + (usec_t)prng_below(&site->prng, (uint64_t)usual_us / 20);
    if (prng_below(&site->prng, 20) == 0) {
        result.duration_us += (usec_t)prng_below(&site->prng, (uint64_t)usual_us);
    }
    if (prng_below(&site->prng, 200) == 0) {
        result_fail(&result, REASON_STATUS, PHASE_PROCESSING, "%s", "");
    } else {
        result_succeed(&result);
    }
    store_result(&site->store, target, &result);
    site->results++;
}

static void push(struct bench_site *site)
{
    (void)store_freshen(&site->store, site->now_us);
    (void)store_step(&site->store, site->now_us);
    uint64_t ordinal = store_published(&site->store)->ordinal;
    store_count(&site->store, LEDGER_PUSH_FIRST, 1);
    store_pushed(&site->store, ordinal);
}

/* Each store_step() goes as far as it can, as the device answers at once. */
void bench_site_run(struct bench_site *site, usec_t duration_us, usec_t turn_us)
{
    usec_t until_us = site->now_us + duration_us;
    usec_t push_us = site->now_us + USEC_PER_MINUTE;
    for (; site->now_us < until_us; site->now_us += turn_us) {
        (void)store_step(&site->store, site->now_us);
        store_clock(&site->store, (struct wall_time){.unix_us = site->now_us, .trusted = true});
        for (unsigned i = 0; i < BENCH_SITE_PROBES; i++) {
            if (site->due_us[i] + site->duration_us[i] <= site->now_us) {
                finish_run(site, i);
                site->due_us[i] += BENCH_SITE_INTERVAL;
            }
        }
        if (site->now_us >= push_us) {
            push(site);
            push_us += USEC_PER_MINUTE;
        }
        (void)store_step(&site->store, site->now_us);
    }
}

void bench_site_close(struct bench_site *site)
{
    store_settle(&site->store);
    for (int i = 0; i < 1000 && !store_settled(&site->store); i++) {
        (void)store_step(&site->store, site->now_us);
    }
    store_close(&site->store);
    for (int i = 0; i < 1000 && !store_closed(&site->store); i++) {
        (void)store_step(&site->store, site->now_us);
    }
}
