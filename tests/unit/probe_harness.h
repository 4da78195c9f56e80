/* Runs configured probes from configuration text through the real runner: the real monotonic
 * clock, a fake resolver (literals and what the test adds), a small poll loop with a deadline.
 *
 *   struct result result;
 *   assert_int_equal(harness_run("[tcp x]\naddress = 127.0.0.1:25\n", "x", &result), ERROR_NONE);
 *
 * or, for more than one run of one target:
 *
 *   struct harness *harness = harness_new(text, NULL, 0);
 *   harness->wall = (struct wall_time){.unix_us = …, .trusted = true};
 *   harness_run_target(harness, target, &result);
 *   harness_free(harness);
 */
#ifndef PICKET_PROBE_HARNESS_H
#define PICKET_PROBE_HARNESS_H

#include "config.h"
#include "fake_resolver.h"
#include "runner.h"

struct harness {
    struct config config;
    struct config_errors errors;
    char error_text[4096]; /* "LINE: message\n" for each error */
    struct runner *runner; /* NULL: the text is wrong or a target could not be opened */
    struct prober prober;
    struct fake_resolver names;
    struct resolver resolver;
    struct clock clock;
    struct wall_time wall; /* what the probes see; at first the machine's time, trusted */
    struct waits waits;
    unsigned turns;
};

/* Reads the text (an [agent] section with a site is put before it when it has none) and opens all
 * enabled targets. `kinds` are the kinds that may be used, NULL for those of the registry. */
struct harness *harness_new(const char *text, const struct probe_ops *const *kinds,
                            unsigned kind_count);
/* The same with a number of runs in flight other than 16. */
struct harness *harness_new_with_slots(const char *text, const struct probe_ops *const *kinds,
                                       unsigned kind_count, unsigned slots);
void harness_free(struct harness *harness);

/* Begins a run with the probe's own timeout; asserts that there was a free slot. */
void harness_start(struct harness *harness, unsigned target);
/* One turn: asks what is waited for, waits at most `wait_us`, steps. */
void harness_turn(struct harness *harness, usec_t wait_us);
/* Turns until a result can be collected. ERROR_MISSING when none came 2 s past every timeout. */
MUST_CHECK enum error harness_collect(struct harness *harness, struct result *out);

/* One whole run of a target. */
MUST_CHECK enum error harness_run_target(struct harness *harness, unsigned target,
                                         struct result *out);
/* One whole run of the first target of a probe. ERROR_MISSING: no such probe. */
MUST_CHECK enum error harness_run_probe(struct harness *harness, const char *name,
                                        struct result *out);
/* All in one, with the registry's kinds. ERROR_INVALID: the text is wrong or a target could not be
 * opened; the errors were printed. */
MUST_CHECK enum error harness_run(const char *text, const char *name, struct result *out);

/* How many descriptors this process has open: equal before and after, or one leaked. */
unsigned harness_open_descriptors(void);

#endif
