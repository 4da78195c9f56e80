/* Runs of configured modbus probes against modbus_peer.h, for the tests of the kind. */
#ifndef PICKET_TEST_MODBUS_RUNS_H
#define PICKET_TEST_MODBUS_RUNS_H

#include <dirent.h>
#include <limits.h>

#include "modbus_link.h"
#include "modbus_peer.h"
#include "probe_harness.h"
#include "registry.h"

static const struct probe_ops *const kinds[] = {&modbus_probe, NULL};

#define TIMEOUT_US (400 * USEC_PER_MSEC)
#define GRACE_US   (250 * USEC_PER_MSEC)
/* Of the kernel: set in a thread from before its join returns. include/linux/sched.h */
#define PF_EXITING_ 0x4u

/* The flags of a task of this process as the kernel's stat file has them (its ninth word; the name,
 * the second, ends in the last parenthesis), or PF_EXITING_ for one that is gone. */
static inline unsigned task_flags(const char *task)
{
    char path[64], text[512];
    unsigned flags = PF_EXITING_;
    const char *behind_name;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/self/task/%.20s/stat", task);
    file = fopen(path, "re");
    if (file == NULL) {
        return flags;
    }
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    fclose(file);
    behind_name = strrchr(text, ')');
    if (behind_name != NULL) {
        sscanf(behind_name, ") %*c %*d %*d %*d %*d %*d %u", &flags);
    }
    return flags;
}

/* Threads of this process. One that was joined can still be listed for a moment: it does not
 * count. */
static inline unsigned count_threads(void)
{
    unsigned count = 0;
    DIR *folder = opendir("/proc/self/task");

    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        count += entry->d_name[0] != '.' && (task_flags(entry->d_name) & PF_EXITING_) == 0;
    }
    closedir(folder);
    return count;
}

/* How many of them there are before any test: an emulator has its own. */
static unsigned own_threads;

static inline int count_own_threads(void **state)
{
    (void)state;
    own_threads = count_threads();
    return 0;
}

/* Waits until there are so many, and at most so many descriptors: under an emulator a thread that
 * was joined is still at its end, and a peer closes its own end of a connection when it sees that
 * the other is closed. */
static inline void expect_left(unsigned threads, unsigned descriptors)
{
    const usec_t until_us = modbus_now_us() + 10 * USEC_PER_SEC;

    while (count_threads() != threads || harness_open_descriptors() > descriptors) {
        if (modbus_now_us() >= until_us) {
            fail_msg("%u threads, not %u; %u descriptors, not %u", count_threads(), threads,
                     harness_open_descriptors(), descriptors);
        }
        peer_pause_ms(1);
    }
}

static inline void expect_threads(unsigned count)
{
    expect_left(count, UINT_MAX);
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
