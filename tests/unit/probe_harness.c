#include "probe_harness.h"

#include <assert.h>
#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "registry.h"

#define PATIENCE_US (2 * USEC_PER_SEC)

static usec_t read_clock(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return now.tv_sec * USEC_PER_SEC + now.tv_nsec / 1000;
}

static usec_t monotonic_us(void *context)
{
    (void)context;
    return read_clock(CLOCK_MONOTONIC);
}

static struct wall_time wall(void *context)
{
    return ((struct harness *)context)->wall;
}

static void keep_error(void *context, const char *file, unsigned line, const char *message)
{
    struct harness *harness = context;
    size_t used = strlen(harness->error_text);
    (void)file;
    snprintf(harness->error_text + used, sizeof harness->error_text - used, "%u: %s\n", line,
             message);
}

static bool read_config(struct harness *harness, const char *text,
                        const struct probe_kind *const *kinds, unsigned kind_count)
{
    static struct config_loader loader;
    config_begin(&loader, &harness->config, kinds, kind_count, &harness->errors);
    if (strstr(text, "[agent]") == NULL) {
        static const char agent[] = "[agent]\nsite = test\n";
        config_add_text(&loader, "agent.conf", agent, sizeof agent - 1);
    }
    config_add_text(&loader, "test.conf", text, strlen(text));
    return config_finish(&loader);
}

struct harness *harness_new_with_slots(const char *text, const struct probe_ops *const *kinds,
                                       unsigned kind_count, unsigned slots)
{
    struct harness *harness = calloc(1, sizeof *harness);
    assert(harness != NULL);
    harness->errors = (struct config_errors){.context = harness, .report = keep_error};
    harness->clock = (struct clock){harness, monotonic_us, wall};
    harness->wall = (struct wall_time){.unix_us = read_clock(CLOCK_REALTIME), .trusted = true};
    harness->resolver = fake_resolver_port(&harness->names);
    fake_resolver_add(&harness->names, "localhost", "127.0.0.1");
    if (kinds == NULL) {
        kinds = registry_ops(&kind_count);
    }
    const struct probe_kind *known[16];
    assert(kind_count <= ARRAY_LEN(known));
    for (unsigned i = 0; i < kind_count; i++) {
        known[i] = &kinds[i]->kind;
    }
    if (read_config(harness, text, known, kind_count)) {
        harness->runner = runner_new(&harness->config, kinds, kind_count, &harness->clock,
                                     &harness->resolver, slots, &harness->errors);
    }
    if (harness->runner != NULL) {
        harness->prober = runner_prober(harness->runner);
    }
    return harness;
}

struct harness *harness_new(const char *text, const struct probe_ops *const *kinds,
                            unsigned kind_count)
{
    return harness_new_with_slots(text, kinds, kind_count, 16);
}

void harness_free(struct harness *harness)
{
    if (harness != NULL) {
        runner_free(harness->runner);
        free(harness);
    }
}

void harness_start(struct harness *harness, unsigned target)
{
    usec_t now_us = monotonic_us(NULL);
    usec_t timeout_us = config_target_probe(&harness->config, target)->timeout_us;
    bool started = harness->prober.start(harness->prober.context, (uint16_t)target, now_us,
                                         now_us + timeout_us);
    assert(started);
    (void)started;
}

void harness_turn(struct harness *harness, usec_t wait_us)
{
    struct waits *waits = &harness->waits;
    waits_clear(waits);
    runner_waits(harness->runner, waits);
    usec_t now_us = monotonic_us(NULL);
    usec_t left_us = usec_min(usec_max(waits_wake(waits, now_us) - now_us, 0), wait_us);
    struct timespec timeout = {.tv_sec = left_us / USEC_PER_SEC,
                               .tv_nsec = (long)(left_us % USEC_PER_SEC * 1000)};
    if (ppoll(waits->at, waits->count, &timeout, NULL) < 0) {
        for (unsigned i = 0; i < waits->count; i++) {
            waits->at[i].revents = 0;
        }
    }
    harness->turns++;
    runner_step(harness->runner, waits, monotonic_us(NULL));
}

enum error harness_collect(struct harness *harness, struct result *out)
{
    usec_t longest_us = 0;
    for (unsigned i = 0; i < harness->config.probe_count; i++) {
        longest_us = usec_max(longest_us, harness->config.probes[i].timeout_us);
    }
    usec_t until_us = monotonic_us(NULL) + longest_us + PATIENCE_US;
    while (!harness->prober.collect(harness->prober.context, out)) {
        if (monotonic_us(NULL) >= until_us) {
            return ERROR_MISSING;
        }
        harness_turn(harness, PATIENCE_US);
    }
    return ERROR_NONE;
}

enum error harness_run_target(struct harness *harness, unsigned target, struct result *out)
{
    harness_start(harness, target);
    return harness_collect(harness, out);
}

enum error harness_run_probe(struct harness *harness, const char *name, struct result *out)
{
    unsigned probe = config_find_probe(&harness->config, name);
    if (probe == CONFIG_NO_PROBE) {
        return ERROR_MISSING;
    }
    return harness_run_target(harness, harness->config.probes[probe].first_target, out);
}

enum error harness_run(const char *text, const char *name, struct result *out)
{
    struct harness *harness = harness_new(text, NULL, 0);
    enum error error = ERROR_INVALID;
    if (harness->runner != NULL) {
        error = harness_run_probe(harness, name, out);
    } else {
        fputs(harness->error_text, stderr);
    }
    harness_free(harness);
    return error;
}

unsigned harness_open_descriptors(void)
{
    unsigned count = 0;
    DIR *folder = opendir("/proc/self/fd");
    assert(folder != NULL);
    while (readdir(folder) != NULL) {
        count++;
    }
    closedir(folder);
    return count;
}
