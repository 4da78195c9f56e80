/* The series of the store, rows of the table in metrics_table.c. */
#include <assert.h>

#include "metrics_walk.h"

static_assert(LEDGER_STORE_ERROR_FIRST + BLOCK_ERROR_COUNT <= LEDGER_STORE_ERROR_END,
              "a counter for each error");

static double seconds(usec_t duration_us)
{
    return (double)duration_us / (double)USEC_PER_SEC;
}

static void sample_if_configured(struct walk *walk, double value)
{
    if (walk->agent->store.configured) {
        walk_sample(walk, value);
    }
}

void metrics_store_durable(struct walk *walk)
{
    walk_sample(walk, walk->agent->store.durable ? 1 : 0);
}

void metrics_store_trouble(struct walk *walk)
{
    for (unsigned i = STORE_FINE + 1; i < STORE_TROUBLE_COUNT; i++) {
        walk_sample_labelled(walk, "cause", store_trouble_name((enum store_trouble)i),
                             walk->agent->store.trouble == (enum store_trouble)i ? 1 : 0);
    }
}

void metrics_store_volatile(struct walk *walk)
{
    sample_if_configured(walk, walk->agent->store.is_volatile ? 1 : 0);
}

void metrics_store_dropped(struct walk *walk)
{
    const uint64_t *counters = walk->agent->counters;
    if (walk->agent->store.configured) {
        walk_sample_labelled(walk, "reason", "wrap", (double)counters[LEDGER_DROPPED_WRAP]);
        walk_sample_labelled(walk, "reason", "memory", (double)counters[LEDGER_DROPPED_MEMORY]);
        walk_sample_labelled(walk, "reason", "damaged", (double)counters[LEDGER_DROPPED_DAMAGED]);
    }
}

void metrics_store_errors(struct walk *walk)
{
    const uint64_t *counters = walk->agent->counters;
    if (!walk->agent->store.configured) {
        return;
    }
    for (unsigned i = BLOCK_OK + 1; i < BLOCK_ERROR_COUNT; i++) {
        walk_sample_labelled(walk, "error", block_error_name((enum block_error)i),
                             (double)counters[LEDGER_STORE_ERROR_FIRST + i]);
    }
    walk_sample_labelled(walk, "error", "hung", (double)counters[LEDGER_STORE_HUNG]);
}

void metrics_store_size(struct walk *walk)
{
    sample_if_configured(walk, (double)walk->agent->store.size_bytes);
}

void metrics_store_used(struct walk *walk)
{
    sample_if_configured(walk, walk->agent->store.used_ratio);
}

void metrics_store_results(struct walk *walk)
{
    sample_if_configured(walk, (double)walk->agent->store.results);
}

void metrics_store_uncommitted(struct walk *walk)
{
    sample_if_configured(walk, seconds(walk->agent->store.uncommitted_us));
}

void metrics_store_commit_duration(struct walk *walk)
{
    if (walk->agent->store.commit_duration_us >= 0) {
        sample_if_configured(walk, seconds(walk->agent->store.commit_duration_us));
    }
}

void metrics_store_last_commit(struct walk *walk)
{
    if (walk->agent->store.last_commit_timestamp_seconds > 0) {
        sample_if_configured(walk, walk->agent->store.last_commit_timestamp_seconds);
    }
}

void metrics_store_written(struct walk *walk)
{
    sample_if_configured(walk, (double)walk->agent->counters[LEDGER_STORE_WRITTEN] * BLOCK_BYTES);
}
