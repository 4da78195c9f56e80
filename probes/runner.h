/* Runs probes: slots, deadlines, attempts, name resolution. Implements the prober port (prober.h).
 *
 * One run goes: resolve -> start -> step… -> DONE, or its deadline passes and it is cancelled with
 * `timeout`. With attempts = N a failure is tried again at once; each attempt gets an equal share
 * of the time that is left; the last attempt's result counts, its duration spans all of them. A run
 * that the runner finds long past its deadline ends `unknown`: the agent stood still, and what the
 * target did meanwhile was not seen. A run whose start is refused for lack of descriptors or memory
 * ends `unknown`.
 *
 * Results wait in their slots: a slot stays taken until its result is collected, so the queue is as
 * long as the number of slots and never overflows.
 *
 * Each turn of the loop: runner_waits(), poll, runner_step() with the same set. A turn that has
 * stepped long enough leaves the rest to the next, so that deadlines are looked at often. Thread
 * rule: the loop's thread. Memory: one block allocated by runner_new (slots times the result and
 * the largest state of a kind), and what the kinds' open() takes; nothing after. */
#ifndef PICKET_RUNNER_H
#define PICKET_RUNNER_H

#include "logger.h"
#include "probe.h"
#include "prober.h"

struct runner; /* opaque; one allocation */

/* Opens every enabled target. On an error one line per target that could not be opened went to
 * `errors` (as FILE:LINE of its section) and NULL is returned. `config`, `ops`, `clock`, `resolver`
 * are borrowed. `slots` (1 .. CAP_RUNS) is the number of runs in flight at once. */
struct runner *runner_new(const struct config *config, const struct probe_ops *const *ops,
                          unsigned ops_count, const struct clock *clock,
                          const struct resolver *resolver, unsigned slots,
                          struct config_errors *errors);
/* From now on the row VITAL_LOOP holds the target whose probe or name is being worked on, so that a
 * loop that hangs names it, and work beside the loop has rows of its own (probe.h, watch). Once,
 * before the first run; without it nothing is told. `vitals` is borrowed until runner_free(). */
void runner_watch(struct runner *runner, struct vitals *vitals);
/* Cancels what is in flight. NULL is fine. */
void runner_free(struct runner *runner);

/* The path that runs of a target open, as its kind tells (probe.h, `path`); NULL when there is
 * none. Borrowed until runner_free(). */
const char *runner_path(const struct runner *runner, unsigned target, bool *device);

struct prober runner_prober(struct runner *runner);
/* Adds what all runs in flight wait for, and the earliest deadline. */
void runner_waits(struct runner *runner, struct waits *waits);
/* Steps each run that may go on, once. Results are then ready to collect. About once a second it
 * also looks after what goes on beside the runs (probe.h, tend), but wakes nobody for that. */
void runner_step(struct runner *runner, const struct waits *ready, usec_t now_us);

#endif
