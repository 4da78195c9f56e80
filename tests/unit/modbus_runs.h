/* Runs of configured modbus probes against modbus_peer.h, for the tests of the kind. */
#ifndef PICKET_TEST_MODBUS_RUNS_H
#define PICKET_TEST_MODBUS_RUNS_H

#include <dirent.h>

#include "modbus_peer.h"
#include "probe_harness.h"
#include "registry.h"

static const struct probe_ops *const kinds[] = {&modbus_probe, NULL};

#define TIMEOUT_US (400 * USEC_PER_MSEC)
#define GRACE_US   (250 * USEC_PER_MSEC)

static inline unsigned count_threads(void)
{
    unsigned count = 0;
    DIR *folder = opendir("/proc/self/task");

    while (readdir(folder) != NULL) {
        count++;
    }
    closedir(folder);
    return count;
}

static inline struct harness *harness_of(const char *format, ...) PRINTF_LIKE(1, 2);
static inline struct harness *harness_of(const char *format, ...)
{
    char text[4096];
    va_list arguments;
    struct harness *harness;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    harness = harness_new(text, kinds, 1);
    if (harness->runner == NULL) {
        fail_msg("%s", harness->error_text);
    }
    return harness;
}

/* One probe of one device with some reads. */
static inline struct harness *harness_for(const struct peer *peer, const char *lines)
{
    return harness_of("[modbus x]\naddress = %s\nunit = 17\ntimeout = 400ms\ninterval = 5s\n%s",
                      peer->address, lines);
}

static inline struct result run_target(struct harness *harness, unsigned target)
{
    struct result result;

    assert_int_equal(harness_run_target(harness, target, &result), ERROR_NONE);
    assert_true(result.duration_us <= TIMEOUT_US + GRACE_US);
    return result;
}

static inline void assert_success(const struct result *result)
{
    if (result->outcome != OUTCOME_SUCCESS) {
        fail_msg("%s %s in %s: %s", outcome_name(result->outcome), reason_name(result->reason),
                 phase_name(result->phase), result->note);
    }
}

#endif
