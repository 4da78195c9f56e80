#include "agent.h"

#include <string.h>

#include "version.h"

static double unix_seconds(usec_t unix_us)
{
    return (double)unix_us / (double)USEC_PER_SEC;
}

/* Monotonic moments become wall time only here, by the clock as it stands now; while it is not
 * trusted they are not told at all. */
static void fill_times(const struct agent *agent, struct agent_numbers *numbers, usec_t now_us)
{
    struct wall_time wall = clock_wall(&agent->ports.clock);
    numbers->clock_trusted = wall.trusted;
    numbers->start_timestamp_seconds = unix_seconds(agent->start_unix_us);
    if (!wall.trusted) {
        return;
    }
    usec_t boot_unix_us = wall.unix_us - now_us;
    numbers->last_cycle_timestamp_seconds = unix_seconds(boot_unix_us + agent->stepped_us);
    if (agent->push.last_success_us > 0) {
        numbers->push_last_success_timestamp_seconds =
            unix_seconds(boot_unix_us + agent->push.last_success_us);
    }
    if (agent->store.numbers.committed_us > 0) {
        numbers->store.last_commit_timestamp_seconds =
            unix_seconds(boot_unix_us + agent->store.numbers.committed_us);
    }
}

static struct store_series store_series(const struct agent *agent, usec_t now_us)
{
    const struct store *store = &agent->store;
    const struct store_numbers *numbers = &store->numbers;
    bool waits = numbers->uncommitted_since_us != USEC_NEVER;
    return (struct store_series){
        .configured = agent->ports.store.block_count > 0,
        .durable = store->state == STORE_DURABLE,
        .is_volatile = numbers->is_volatile,
        .trouble = store->trouble,
        .size_bytes = (uint64_t)agent->ports.store.block_count * BLOCK_BYTES,
        .results = numbers->log_results,
        .used_ratio = numbers->slots > 0 ? (double)numbers->slots_live / numbers->slots : 0,
        .uncommitted_us = waits ? usec_max(now_us - numbers->uncommitted_since_us, 0) : 0,
        .commit_duration_us = numbers->commit_duration_us,
    };
}

struct metrics_view agent_view(struct agent *agent, struct agent_numbers *numbers, usec_t now_us)
{
    const struct ledger_totals *totals = store_published(&agent->store);
    *numbers = (struct agent_numbers){
        .version = picket_version,
        .commit = picket_commit,
        .loop_lag_us = agent->loop_lag_us,
        .push_duration_us = agent->push.last_duration_us,
        .push_body_bytes = agent->body.used,
        .push_failures_in_row = agent->push.failures_in_row,
        .targets = agent->config->target_count,
        .runs_in_flight = agent->runs_in_flight,
        .store = store_series(agent, now_us),
    };
    agent_recovery_series(agent, &numbers->recovery);
    memcpy(numbers->counters, totals->counters, sizeof numbers->counters);
    fill_times(agent, numbers, now_us);
    return (struct metrics_view){
        .config = agent->config,
        .slis = totals->slis,
        .last = agent->last,
        .seen = agent->seen,
        .agent = numbers,
        .epoch = store_ledger(&agent->store)->epoch,
        .ledger = store_ledger(&agent->store),
        .now_us = now_us,
        .only_probe = -1,
    };
}

struct slo_events agent_slo_events(const struct agent *agent, unsigned target,
                                   const struct config_slo *slo, usec_t window_us)
{
    return store_opened(&agent->store) ? ledger_slo_events(store_ledger(&agent->store), target, slo,
                                                           window_us, agent->stepped_us)
                                       : (struct slo_events){.good = 0};
}

struct slo_events agent_group_events(const struct agent *agent, const struct config_group *group,
                                     const struct config_slo *slo, usec_t window_us)
{
    return store_opened(&agent->store)
               ? ledger_group_events(store_ledger(&agent->store), agent->config, group, slo,
                                     window_us, agent->stepped_us)
               : (struct slo_events){.good = 0};
}
