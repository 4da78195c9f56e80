#include "sli.h"

#include <assert.h>
#include <string.h>

/* SPEC section 4. */
static const usec_t fixed_bounds_us[SLI_FIXED_BOUNDS] = {
    1000,   2500,   5000,    10000,   25000,   50000,    100000,
    250000, 500000, 1000000, 2500000, 5000000, 10000000,
};

static_assert(SLI_EXTRA_BOUNDS > CAP_SLOS_PER_PROBE, "there is always one that is not asked for");

/* Bounds. */

/* The index of the first bound that is not below this one. */
static unsigned find_bound(const struct histogram *histogram, usec_t bound_us)
{
    unsigned at = 0;
    while (at < histogram->bound_count && histogram->bounds_us[at] < bound_us) {
        at++;
    }
    return at;
}

static bool has_bound(const struct histogram *histogram, usec_t bound_us)
{
    unsigned at = find_bound(histogram, bound_us);
    return at < histogram->bound_count && histogram->bounds_us[at] == bound_us;
}

/* The index in extras_us, or extra_count. */
static unsigned find_extra(const struct histogram *histogram, usec_t bound_us)
{
    unsigned at = 0;
    while (at < histogram->extra_count && histogram->extras_us[at] != bound_us) {
        at++;
    }
    return at;
}

/* Makes an empty bucket below the bound; the rest of the bucket it splits keeps its count. */
static void insert_bound(struct histogram *histogram, usec_t bound_us)
{
    unsigned at = find_bound(histogram, bound_us), above = histogram->bound_count - at;
    assert(histogram->bound_count < SLI_BOUNDS_MAX);
    memmove(&histogram->bounds_us[at + 1], &histogram->bounds_us[at],
            above * sizeof histogram->bounds_us[0]);
    memmove(&histogram->buckets[at + 1], &histogram->buckets[at],
            (above + 1) * sizeof histogram->buckets[0]);
    histogram->bounds_us[at] = bound_us;
    histogram->buckets[at] = 0;
    histogram->bound_count++;
}

static void remove_bound(struct histogram *histogram, usec_t bound_us)
{
    unsigned at = find_bound(histogram, bound_us), above = histogram->bound_count - at - 1;
    histogram->buckets[at + 1] += histogram->buckets[at];
    memmove(&histogram->bounds_us[at], &histogram->bounds_us[at + 1],
            above * sizeof histogram->bounds_us[0]);
    memmove(&histogram->buckets[at], &histogram->buckets[at + 1],
            (above + 1) * sizeof histogram->buckets[0]);
    histogram->bound_count--;
}

static void remove_extra(struct histogram *histogram, unsigned at)
{
    unsigned behind = histogram->extra_count - at - 1;
    memmove(&histogram->extras_us[at], &histogram->extras_us[at + 1],
            behind * sizeof histogram->extras_us[0]);
    histogram->extra_count--;
}

void histogram_init(struct histogram *histogram)
{
    memset(histogram, 0, sizeof *histogram);
    for (unsigned i = 0; i < SLI_FIXED_BOUNDS; i++) {
        histogram->bounds_us[i] = fixed_bounds_us[i];
    }
    histogram->bound_count = SLI_FIXED_BOUNDS;
}

bool histogram_add_bound(struct histogram *histogram, usec_t bound_us)
{
    unsigned extra = find_extra(histogram, bound_us);
    bool is_new = extra == histogram->extra_count;
    if (is_new && has_bound(histogram, bound_us)) {
        return false; /* a fixed one */
    }
    if (!is_new) {
        remove_extra(histogram, extra);
    } else {
        if (histogram->extra_count == SLI_EXTRA_BOUNDS) {
            remove_bound(histogram, histogram->extras_us[0]);
            remove_extra(histogram, 0);
        }
        insert_bound(histogram, bound_us);
    }
    histogram->extras_us[histogram->extra_count++] = bound_us;
    return is_new;
}

void histogram_add(struct histogram *histogram, usec_t duration_us)
{
    duration_us = usec_max(duration_us, 0);
    histogram->buckets[find_bound(histogram, duration_us)]++;
    histogram->count++;
    histogram->sum_us += (uint64_t)duration_us;
}

/* Indicators. */

void sli_init(struct sli *sli, const struct config_probe *probe)
{
    memset(sli, 0, sizeof *sli);
    histogram_init(&sli->duration);
    if (probe != NULL) {
        (void)sli_bind(sli, probe);
    }
}

/* Those that are there are asked for first: then the oldest, which makes room, is none of them. */
bool sli_bind(struct sli *sli, const struct config_probe *probe)
{
    bool changed = false;
    for (unsigned i = 0; i < config_counted_slos(probe); i++) {
        const struct config_slo *slo = &probe->slos[i];
        if (slo->type == SLO_LATENCY && has_bound(&sli->duration, slo->threshold_us)) {
            (void)histogram_add_bound(&sli->duration, slo->threshold_us);
        }
    }
    for (unsigned i = 0; i < config_counted_slos(probe); i++) {
        const struct config_slo *slo = &probe->slos[i];
        if (slo->type == SLO_LATENCY && histogram_add_bound(&sli->duration, slo->threshold_us)) {
            changed = true;
        }
    }
    return changed;
}

/* What a bucket cannot give was counted before its bound was added, and stands above that. */
static void subtract_buckets(uint64_t *buckets, const uint64_t *told, unsigned count)
{
    uint64_t above = 0;
    for (unsigned i = 0; i < count; i++) {
        uint64_t asked = told[i] + above, given = asked < buckets[i] ? asked : buckets[i];
        buckets[i] -= given;
        above = asked - given;
    }
}

void sli_subtract(struct sli *sli, const struct sli *told)
{
    assert(sli->duration.bound_count == told->duration.bound_count);
    for (unsigned i = 0; i < OUTCOME_COUNT; i++) {
        sli->results[i] -= told->results[i];
    }
    for (unsigned i = 0; i < REASON_COUNT; i++) {
        sli->failures[i] -= told->failures[i];
    }
    sli->missed -= told->missed;
    sli->maintenance -= told->maintenance;
    subtract_buckets(sli->duration.buckets, told->duration.buckets, sli->duration.bound_count + 1);
    sli->duration.count -= told->duration.count;
    sli->duration.sum_us -= told->duration.sum_us;
}

static void add_result(struct sli *sli, const struct record *record)
{
    assert(record->outcome < OUTCOME_COUNT);
    sli->results[record->outcome]++;
    if (record->outcome == OUTCOME_FAILURE) {
        assert(record->reason < REASON_COUNT);
        sli->failures[record->reason]++;
    } else if (record->outcome == OUTCOME_SUCCESS) {
        histogram_add(&sli->duration, record->duration_us);
    }
}

void sli_add(struct sli *sli, const struct record *record)
{
    if (record->sort == RECORD_RESULT && record->maintenance) {
        sli->maintenance++;
    } else if (record->sort == RECORD_RESULT) {
        add_result(sli, record);
    } else if (record->sort == RECORD_MISSED) {
        sli->missed += record->count;
    }
}

/* Successful runs that took no longer than the greatest bound that is not above this one. */
static uint64_t count_within(const struct histogram *histogram, usec_t bound_us)
{
    uint64_t count = 0;
    for (unsigned i = 0; i < histogram->bound_count && histogram->bounds_us[i] <= bound_us; i++) {
        count += histogram->buckets[i];
    }
    return count;
}

struct slo_events sli_slo_events(const struct sli *sli, const struct config_slo *slo)
{
    uint64_t runs = sli->results[OUTCOME_SUCCESS];
    uint64_t good =
        slo->type == SLO_LATENCY ? count_within(&sli->duration, slo->threshold_us) : runs;
    return (struct slo_events){.good = good, .bad = runs - good + sli->results[OUTCOME_FAILURE]};
}

void sli_slo_add(struct slo_events *sum, const struct sli *sli, const struct config_slo *slo)
{
    struct slo_events events = sli_slo_events(sli, slo);
    sum->good += events.good;
    sum->bad += events.bad;
}
