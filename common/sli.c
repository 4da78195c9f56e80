#include "sli.h"

#include <assert.h>
#include <string.h>

/* SPEC section 4. */
static const usec_t fixed_bounds_us[SLI_FIXED_BOUNDS] = {
    1000,   2500,   5000,    10000,   25000,   50000,    100000,
    250000, 500000, 1000000, 2500000, 5000000, 10000000,
};

/* Keeps the bounds ascending; one that is there already is not added again. */
static void insert_bound(struct histogram *histogram, usec_t bound_us)
{
    unsigned at = 0;
    while (at < histogram->bound_count && histogram->bounds_us[at] < bound_us) {
        at++;
    }
    if (at < histogram->bound_count && histogram->bounds_us[at] == bound_us) {
        return;
    }
    assert(histogram->bound_count < SLI_BOUNDS_MAX);
    for (unsigned i = histogram->bound_count; i > at; i--) {
        histogram->bounds_us[i] = histogram->bounds_us[i - 1];
    }
    histogram->bounds_us[at] = bound_us;
    histogram->bound_count++;
}

void histogram_init(struct histogram *histogram, const struct config_slo *slos, unsigned slo_count)
{
    memset(histogram, 0, sizeof *histogram);
    for (unsigned i = 0; i < SLI_FIXED_BOUNDS; i++) {
        insert_bound(histogram, fixed_bounds_us[i]);
    }
    for (unsigned i = 0; i < slo_count; i++) {
        if (slos[i].type == SLO_LATENCY) {
            insert_bound(histogram, slos[i].threshold_us);
        }
    }
}

void histogram_add(struct histogram *histogram, usec_t duration_us)
{
    unsigned bucket = 0;
    duration_us = usec_max(duration_us, 0);
    while (bucket < histogram->bound_count && duration_us > histogram->bounds_us[bucket]) {
        bucket++;
    }
    histogram->buckets[bucket]++;
    histogram->count++;
    histogram->sum_us += (uint64_t)duration_us;
}

void sli_init(struct sli *sli, const struct config_probe *probe)
{
    memset(sli, 0, sizeof *sli);
    histogram_init(&sli->duration, probe->slos, probe->slo_count);
}

static bool is_good(const struct config_slo *slo, const struct result *result)
{
    if (result->outcome != OUTCOME_SUCCESS) {
        return false;
    }
    return slo->type == SLO_AVAILABILITY || result->duration_us <= slo->threshold_us;
}

void sli_add(struct sli *sli, const struct config_probe *probe, const struct result *result)
{
    assert(result->outcome < OUTCOME_COUNT);
    sli->results[result->outcome]++;
    if (result->outcome == OUTCOME_UNKNOWN) {
        return;
    }
    if (result->outcome == OUTCOME_FAILURE) {
        assert(result->reason < REASON_COUNT);
        sli->failures[result->reason]++;
    } else {
        histogram_add(&sli->duration, result->duration_us);
    }
    for (unsigned i = 0; i < probe->slo_count; i++) {
        if (is_good(&probe->slos[i], result)) {
            sli->slos[i].good++;
        } else {
            sli->slos[i].bad++;
        }
    }
}
