/* Liveness: with all faults healed, is all well, and was all told? */
#include <inttypes.h>

#include "sim.h"

/* Somebody pulls the plug of a board that is stuck, and it boots; or a process in the kernel. */
#define PLUG_US  (7 * USEC_PER_HOUR)
#define SLACK_US (2 * USEC_PER_HOUR)

usec_t sim_check_well_limit(const struct sim *sim)
{
    const struct recovery_settings *settings = &sim->site.settings;
    return RECOVERY_RETRY_US + 2 * settings->safe_us + 2 * (VITALS_GROUPS + 1) * settings->step_us +
           PLUG_US + SLACK_US;
}

bool sim_check_needs_restart(const struct sim *sim)
{
    const struct sim_lives *lives = &sim->lives;
    return sim->board.state == SIM_BOARD_UP && lives->running &&
           lives->agent.store.state == STORE_MEMORY && lives->agent.store.trouble == STORE_OTHER;
}

static const char *unwell_target(const struct sim *sim)
{
    for (unsigned i = 0; i < sim->site.config->target_count; i++) {
        if (sim->net.targets[i].succeeded_us <= sim->heal_us ||
            sim->net.targets[i].last != OUTCOME_SUCCESS || !sim->net.targets[i].seen) {
            return "a target has not succeeded";
        }
    }
    return NULL;
}

const char *sim_check_unwell(const struct sim *sim)
{
    const struct sim_lives *lives = &sim->lives;
    if (sim->board.state != SIM_BOARD_UP || lives->supervisor != SIM_SUPERVISOR_RUNS) {
        return "the board or the supervisor is not up";
    }
    if (lives->process != SIM_PROCESS_RUNS || !lives->running ||
        lives->agent.state != AGENT_RUNNING) {
        return "no life runs";
    }
    if (lives->recovery.phase != RECOVERY_NORMAL || sim->check.suspended != 0 ||
        (~atomic_load(&lives->vitals.mandate.barred) & ((1u << VITALS_GROUPS) - 1)) !=
            (1u << VITALS_GROUPS) - 1) {
        return "the ladder is not in its normal phase with all groups";
    }
    if (atomic_load(&lives->vitals.mandate.good) != 0) {
        return "the last known good configuration runs instead of the file's";
    }
    if (sim->site.has_store && lives->agent.store.state != STORE_DURABLE) {
        return "the store is not durable";
    }
    if (sim->push.accepted_us <= sim->heal_us || lives->agent.push.failures_in_row > 0) {
        return "no push was accepted";
    }
    return unwell_target(sim);
}

void sim_check_totals(struct sim *sim)
{
    const struct sim_check *check = &sim->check;
    for (unsigned i = 0; i < sim->site.config->target_count && !sim->push.full; i++) {
        const struct sim_target *target = &sim->net.targets[i];
        uint64_t measured = 0, told = 0;
        for (unsigned j = 0; j < OUTCOME_COUNT; j++) {
            measured += target->collected[j];
            told += (uint64_t)sim->push.told[i][j];
        }
        bool exact = !check->lost_unknown;
        if ((!check->may_tell_twice && told + check->lost[i] > measured) ||
            (exact && told + check->lost[i] < measured)) {
            sim_fail(sim, "totals_told_are_those_measured",
                     "target %u: %" PRIu64 " measured, %" PRIu64 " told, %" PRIu64
                     " lost to power cuts",
                     i, measured, told, check->lost[i]);
        }
    }
}
