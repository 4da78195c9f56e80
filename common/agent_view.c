#include "agent.h"

#include <assert.h>
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
}

struct metrics_view agent_view(const struct agent *agent, struct agent_numbers *numbers,
                               usec_t now_us)
{
    static_assert(UPSTREAM_CLASS_COUNT <= ARRAY_LEN(numbers->push_attempts), "room for each class");
    *numbers = (struct agent_numbers){
        .version = picket_version,
        .commit = picket_commit,
        .loop_lag_us = agent->loop_lag_us,
        .push_duration_us = agent->push.last_duration_us,
        .push_body_bytes = agent->body.used,
        .push_failures_in_row = agent->push.failures_in_row,
        .targets = agent->config->target_count,
        .runs_in_flight = agent->runs_in_flight,
    };
    memcpy(numbers->push_attempts, agent->push.attempts, sizeof agent->push.attempts);
    fill_times(agent, numbers, now_us);
    return (struct metrics_view){
        .config = agent->config,
        .slis = agent->slis,
        .last = agent->last,
        .seen = agent->seen,
        .agent = numbers,
        .only_probe = -1,
    };
}
