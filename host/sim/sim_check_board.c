#include "sim.h"

#include <inttypes.h>

/* What a power cut may take of a record, the next life need not know. */
static void forget_unrecorded(struct sim *sim)
{
    struct sim_check *check = &sim->check;
    if (check->reset_uncharged && check->reset_count > 0) {
        check->reset_count--;
    }
    check->reset_uncharged = false;
}

/* The board was reset by what we started: within the budget? */
static void count_reset(struct sim *sim)
{
    struct sim_check *check = &sim->check;
    unsigned recent = 1;
    usec_t running_us = sim->lives.running ? sim->now_us - check->service_at_us : 0;
    usec_t service_us = check->service_us + running_us;
    for (unsigned i = 0; i < check->reset_count; i++) {
        recent += service_us - check->resets_us[i] < USEC_PER_DAY ? 1 : 0;
    }
    if (sim->site.has_store && recent > sim->site.reboot_budget) {
        sim_fail(sim, "reset_budget_holds", "reset %u within a day of service, %u are allowed",
                 recent, sim->site.reboot_budget);
    }
    if (check->reset_count < SIM_RESETS) {
        check->resets_us[check->reset_count++] = service_us;
        check->reset_uncharged = true;
    }
}

/* Somebody stood still, or a reset was wanted and may be. */
static bool is_explained(const struct sim *sim, usec_t timeout_us)
{
    const struct sim_lives *lives = &sim->lives;
    bool wanted = lives->supervisor == SIM_SUPERVISOR_RUNS && sim->check.reset_noted;
    if (wanted) {
        return sim->site.settings.reboot;
    }
    return sim->board.state == SIM_BOARD_STUCK || lives->supervisor != SIM_SUPERVISOR_RUNS ||
           lives->in_kernel || sim->check.stalled_us + timeout_us >= sim->now_us;
}

/* Before its end is carried out. */
void sim_check_board_ends(struct sim *sim, bool watchdog)
{
    struct sim_check *check = &sim->check;
    const struct sim_board *board = &sim->board;
    bool by_operator = sim->lives.supervisor == SIM_SUPERVISOR_DEAD && sim->lives.stopping;
    if (watchdog && !is_explained(sim, board->timeout_us) &&
        !(board->armed_by_boot && !board->ours)) {
        sim_fail(sim, "reset_has_a_reason", "the watchdog bit while all were well");
    }
    forget_unrecorded(sim);
    if (watchdog && board->ours && !by_operator) {
        count_reset(sim);
    }
    check->resets += watchdog ? 1 : 0;
    check->cuts += watchdog ? 0 : 1;
    if (sim->lives.running) {
        sim_check_life_ends(sim);
        check->service_at_us = sim->now_us;
        sim->lives.running = false;
    }
    check->truths = 1u << (watchdog ? SIM_TRUTH_WATCHDOG : SIM_TRUTH_POWER);
    check->tail_lost = true;
    check->boot_on_record = check->boot_touched = false;
}

void sim_check_service_ends(struct sim *sim)
{
    if (!is_explained(sim, sim->site.settings.timeout_us)) {
        sim_fail(sim, "reset_has_a_reason", "the service was ended while all were well");
    }
}

void sim_check_supervisor_begins(struct sim *sim)
{
    struct sim_check *check = &sim->check;
    check->found_running = sim->lives.recovery.found_running;
    check->turn_us = sim->now_us;
    check->gap_us = 0;
    check->stale = VITAL_COUNT;
    check->leak_turns = 0;
    check->aborted_us = check->stop_us = 0;
    check->phase = RECOVERY_NORMAL;
    check->reset_noted = false;
    check->phase_us = sim->now_us;
    check->end_count = check->failed_exits = 0;
    check->mask = (1u << VITALS_GROUPS) - 1;
    check->suspended = 0;
    check->newest = -1;
    check->start_after_us = sim->now_us;
    check->delay_us = 0;
    check->restarts_known = false;
    sim_check_rollout_begins(sim);
    for (unsigned i = 0; i < CAUSE_COUNT; i++) {
        check->ends[i] = 0;
    }
}

void sim_check_supervisor_ends(struct sim *sim)
{
    if (sim->check.boot_on_record) {
        sim->check.truths = 1u << SIM_TRUTH_SUPERVISOR;
    } else if (sim->check.boot_touched) {
        sim->check.truths |= 1u << SIM_TRUTH_SUPERVISOR;
    }
    sim->check.tail_lost = true;
}

/* The watchdog. */

void sim_check_arm(struct sim *sim)
{
    struct sim_check *check = &sim->check;
    const struct sim_lives *lives = &sim->lives;
    if (sim->site.settings.owner == WATCHDOG_OWNER_NONE || lives->process == SIM_PROCESS_NONE ||
        check->aborted_us > 0) {
        sim_fail(sim, "watchdog_is_started_for_a_life", "there is none, or nobody wants one");
    }
    if (sim->site.settings.owner != WATCHDOG_OWNER_DEVICE || check->found_running) {
        return;
    }
    bool recorded =
        lives->running && check->boot_on_record && sim->disk.synced_us > lives->running_us;
    if (!recorded || atomic_load(&lives->vitals.resets) != RESETS_ALLOWED) {
        sim_fail(sim, "watchdog_waits_for_the_record",
                 "it is started before the start of this life is on record");
    }
}

void sim_check_feed(struct sim *sim)
{
    const struct sim_check *check = &sim->check;
    bool lives = sim_process_alive(sim) || sim->lives.process == SIM_PROCESS_ENDED;
    if (check->aborted_us > 0 && lives) {
        sim_fail(sim, "not_fed_while_ending", "the life is being ended");
    } else if (lives && check->stale < VITAL_COUNT) {
        sim_fail(sim, "fed_only_when_fresh", "row %s stands still for %" PRId64 " ms",
                 vital_name(check->stale),
                 (sim->now_us - check->rows[check->stale].changed_us) / USEC_PER_MSEC);
    } else if (check->reset_noted) {
        sim_fail(sim, "not_fed_before_a_reset", "the board is to be reset");
    }
}
