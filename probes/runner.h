/* Runs probes: slots, deadlines, attempts, name resolution. Implements the prober port (prober.h).
 *
 * One run goes: resolve -> start -> step… -> DONE, or its deadline passes and it is cancelled with
 * `timeout`. With attempts = N each attempt gets an equal share of the time that is left; the last
 * attempt's result counts. A run whose start is refused for lack of descriptors or memory ends
 * `unknown`.
 *
 * Each turn of the loop: runner_waits(), poll, runner_step(). Thread rule: the loop's thread.
 * Memory: allocated by runner_init, freed by runner_deinit, nothing in between. */
#ifndef PICKET_RUNNER_H
#define PICKET_RUNNER_H

#include "logger.h"
#include "probe.h"
#include "prober.h"

struct runner; /* opaque; one allocation */

/* Opens every enabled target. On an error one line per target that could not be opened went to
 * `errors` (as FILE:LINE of its section) and NULL is returned. `config`, `clock`, `resolver` are
 * borrowed. `slots` (1 .. CAP_RUNS) is the number of runs in flight at once. */
struct runner *runner_new(const struct config *config, const struct probe_ops *const *ops,
                          unsigned ops_count, const struct clock *clock,
                          const struct resolver *resolver, unsigned slots,
                          struct config_errors *errors);
void runner_free(struct runner *runner);

struct prober runner_prober(struct runner *runner);
/* Adds what all runs in flight wait for, and the earliest deadline. */
void runner_waits(struct runner *runner, struct waits *waits);
/* Steps each run that may go on, once. Results are then ready to collect. */
void runner_step(struct runner *runner, const struct waits *ready, usec_t now_us);

#endif
