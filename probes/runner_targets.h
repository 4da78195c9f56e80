/* The targets of a configuration, opened: what the runner starts runs with. Part of the runner. */
#ifndef PICKET_RUNNER_TARGETS_H
#define PICKET_RUNNER_TARGETS_H

#include "probe.h"

struct prepared_target {
    const struct probe_ops *ops; /* NULL: not opened, its probe is off */
    void *prepared;
    struct endpoint endpoint;
};

/* Opens every enabled target of the configuration into `targets` (CAP_TARGETS zeroed entries).
 * False when one could not be opened: each is reported to `errors`; those that were are still to be
 * closed.
 */
bool runner_targets_open(struct prepared_target *targets, const struct config *config,
                         const struct probe_ops *const *ops, unsigned ops_count,
                         struct config_errors *errors);
void runner_targets_close(struct prepared_target *targets);

#endif
