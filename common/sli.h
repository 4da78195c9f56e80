/* Service-level indicators of one target: exact, cumulative, integer. SPEC section 4.
 *
 * The histogram counts the duration of successful runs only, so that its count equals
 * results{success} and a latency SLI read from it is not flattered by failures that fail fast. The
 * events of an SLO are not counted of their own: they follow from results and histogram, which has
 * a bound at each latency objective. */
#ifndef PICKET_SLI_H
#define PICKET_SLI_H

#include "config.h"
#include "record.h"

#define SLI_FIXED_BOUNDS 13
/* Beside the fixed ones: those of latency objectives, of today and of some time ago. */
#define SLI_EXTRA_BOUNDS (2 * CAP_SLOS_PER_PROBE)
#define SLI_BOUNDS_MAX   (SLI_FIXED_BOUNDS + SLI_EXTRA_BOUNDS)
/* No objective is longer than the longest timeout there can be. */
#define SLI_BOUND_MAX_US USEC_PER_HOUR

/* An extra bound stays when its objective is removed: a series `le` that came back would have gone
 * backwards. Only when a new one finds no room, the one that was asked for longest ago goes, and
 * what it counted joins the next higher bucket; those asked for now never do. Should that objective
 * come back after more than SLI_EXTRA_BOUNDS - CAP_SLOS_PER_PROBE others, its series begins lower
 * than it ended, which a receiver takes for a restart of this one series. */
struct histogram {
    unsigned bound_count, extra_count;
    usec_t bounds_us[SLI_BOUNDS_MAX];     /* ascending upper bounds, inclusive */
    usec_t extras_us[SLI_EXTRA_BOUNDS];   /* those not fixed; the last was asked for last */
    uint64_t buckets[SLI_BOUNDS_MAX + 1]; /* not cumulative; the last is +Inf */
    uint64_t count;
    uint64_t sum_us;
};

/* Empty, with the fixed bounds. */
void histogram_init(struct histogram *histogram);
/* Asks for a bound: one that is there stays; a new one splits a bucket, and all that was counted in
 * it stays above the new bound: no run is ever called faster than was proven. Returns whether it is
 * new. A bound asked for among fewer than SLI_EXTRA_BOUNDS others stays. */
bool histogram_add_bound(struct histogram *histogram, usec_t bound_us);
void histogram_add(struct histogram *histogram, usec_t duration_us);

struct sli {
    uint64_t results[OUTCOME_COUNT];
    uint64_t failures[REASON_COUNT];
    uint64_t missed;
    uint64_t maintenance; /* runs in maintenance, which count in nothing else */
    struct histogram duration;
};

/* All 0, with the bounds the probe asks for; NULL: the fixed ones. */
void sli_init(struct sli *sli, const struct config_probe *probe);
/* Asks for a bound at each latency objective of the probe; returns whether there was a new one.
 * Asking twice is asking once. */
bool sli_bind(struct sli *sli, const struct config_probe *probe);
/* Takes away what `told`, a part of the same indicators with the same bounds (or the very same
 * object), has counted; the bounds stay. Bounds may have been added since `sli` counted that part,
 * but before `told` did. */
void sli_subtract(struct sli *sli, const struct sli *told);
/* Counts a record of sort RESULT (outcome, reason, duration; or maintenance) or MISSED; others
 * count nothing. */
void sli_add(struct sli *sli, const struct record *record);

struct slo_events {
    uint64_t good, bad;
};

/* availability: good when success. latency: good when success within the threshold; every failure
 * is bad. unknown is neither. Events of before the objective was configured are in it; for latency,
 * as good as the bounds of that time can tell. Should there be no bound at the threshold, the next
 * lower one judges. */
struct slo_events sli_slo_events(const struct sli *sli, const struct config_slo *slo);
/* Adds them to a sum, for a group. */
void sli_slo_add(struct slo_events *sum, const struct sli *sli, const struct config_slo *slo);

#endif
