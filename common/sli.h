/* Service-level indicators of one target: exact, cumulative, integer. SPEC section 4.
 *
 * The histogram counts the duration of successful runs only, so that its count equals
 * results{success} and a latency SLI read from it is not flattered by failures that fail fast. */
#ifndef PICKET_SLI_H
#define PICKET_SLI_H

#include "config.h"

#define SLI_FIXED_BOUNDS 13
#define SLI_BOUNDS_MAX   (SLI_FIXED_BOUNDS + CAP_SLOS_PER_PROBE)

struct histogram {
    unsigned bound_count;
    usec_t bounds_us[SLI_BOUNDS_MAX];     /* ascending upper bounds, inclusive */
    uint64_t buckets[SLI_BOUNDS_MAX + 1]; /* not cumulative; the last is +Inf */
    uint64_t count;
    uint64_t sum_us;
};

/* The 13 fixed bounds and each latency threshold of the probe that is not one of them, sorted. */
void histogram_init(struct histogram *histogram, const struct config_slo *slos, unsigned slo_count);
void histogram_add(struct histogram *histogram, usec_t duration_us);

struct slo_events {
    uint64_t good, bad;
};

struct sli {
    uint64_t results[OUTCOME_COUNT];
    uint64_t failures[REASON_COUNT];
    uint64_t missed;
    struct histogram duration;
    struct slo_events slos[CAP_SLOS_PER_PROBE];
};

void sli_init(struct sli *sli, const struct config_probe *probe);
/* Counts one result: outcome, reason, duration, and each SLO of the probe. availability: good when
 * success. latency: good when success within the threshold; every failure is bad. unknown is
 * neither. */
void sli_add(struct sli *sli, const struct config_probe *probe, const struct result *result);

#endif
