#include "sim.h"

#include <inttypes.h>

#define ALL_GROUPS ((1u << VITALS_GROUPS) - 1)
/* Turns a leak is watched for before it is one; a few more are not too late. */
/* The most turns that may be missed before it counts as absence. */
#define ABSENT_LOOKS    5
#define LEAK_TURNS      4
#define LEAK_TURNS_LATE 8
#define TURN_SLACK_US   (200 * USEC_PER_MSEC)

static usec_t look_us(const struct sim *sim)
{
    return recovery_look_us(&sim->lives.recovery);
}

/* How late a turn of the supervisor may find what is due; its own gaps excuse it. */
static usec_t late_us(const struct sim *sim)
{
    return 2 * look_us(sim) + sim->check.gap_us + TURN_SLACK_US;
}

/* Rows. */

void sim_check_rows(struct sim *sim)
{
    const struct vitals *vitals = &sim->lives.vitals;
    uint32_t end = atomic_load(&vitals->row_end);
    for (uint32_t i = 0; i < end; i++) {
        struct sim_row *row = &sim->check.rows[i];
        uint32_t progress = atomic_load(&vitals->rows[i].progress);
        uint32_t limit_ms = atomic_load(&vitals->rows[i].limit_ms);
        if (progress != row->progress || limit_ms != row->limit_ms) {
            *row = (struct sim_row){progress, limit_ms, sim->now_us, row->seen_us, true};
        }
    }
}

/* Time in which the supervisor did not run either does not count (recovery.h). */
static usec_t absence(const struct sim *sim)
{
    bool stood_still = sim->check.gap_us > ABSENT_LOOKS * look_us(sim);
    return stood_still ? sim->check.gap_us - look_us(sim) : 0;
}

static void see_rows(struct sim *sim)
{
    struct sim_check *check = &sim->check;
    uint32_t end = atomic_load(&sim->lives.vitals.row_end);
    usec_t absent_us = absence(sim);
    check->stale = VITAL_COUNT;
    check->aborted_us += check->aborted_us > 0 ? absent_us : 0;
    for (unsigned i = 0; i < VITAL_COUNT; i++) {
        check->rows[i].seen_us += absent_us;
    }
    for (unsigned i = 0; i < end; i++) {
        struct sim_row *row = &check->rows[i];
        if (row->news) {
            row->seen_us = sim->now_us;
            row->news = false;
        }
        bool stands =
            row->limit_ms > 0 && sim->now_us - row->seen_us >= row->limit_ms * USEC_PER_MSEC;
        if (stands && check->stale == VITAL_COUNT && check->life_before != LIFE_NONE) {
            check->stale = i;
        }
    }
}

void sim_check_born(struct sim *sim)
{
    struct sim_check *check = &sim->check;
    for (unsigned i = 0; i < VITAL_COUNT; i++) {
        check->rows[i] = (struct sim_row){.changed_us = sim->now_us, .news = true};
    }
    sim_check_rows(sim);
    check->born_us = sim->now_us;
    check->aborted_us = check->stop_us = 0;
    check->leak_turns = 0;
    check->stale = VITAL_COUNT;
}

static usec_t next_delay(struct sim_check *check, usec_t ran_us)
{
    bool anew = check->delay_us == 0 || ran_us >= 10 * USEC_PER_MINUTE;
    check->delay_us = anew ? USEC_PER_SEC : usec_min(2 * check->delay_us, USEC_PER_MINUTE);
    return check->delay_us;
}

void sim_check_not_born(struct sim *sim)
{
    sim->check.start_after_us = sim->now_us + next_delay(&sim->check, 0);
}

/* Phases. */

static unsigned count_bits(uint32_t mask)
{
    unsigned count = 0;
    for (; mask != 0; mask &= mask - 1) {
        count++;
    }
    return count;
}

static bool runs_well(const struct sim *sim, usec_t since_us, usec_t for_us)
{
    usec_t well_us = usec_max(since_us, sim->check.born_us);
    return sim->lives.process == SIM_PROCESS_RUNS && sim->lives.running &&
           sim->now_us - well_us >= for_us;
}

static void check_rejoining(struct sim *sim)
{
    const struct sim_check *check = &sim->check;
    bool well = runs_well(sim, check->phase_us, sim->site.settings.safe_us);
    bool day = sim->now_us - check->phase_us >= RECOVERY_RETRY_US;
    bool suspended =
        check->suspended != 0 && sim->now_us - check->suspended_us >= RECOVERY_RETRY_US;
    bool may = check->phase == RECOVERY_SAFE      ? well
               : check->phase == RECOVERY_STAYING ? day
                                                  : suspended;
    if (!may) {
        sim_fail(sim, "groups_wait_for_their_time", "they are let back in from phase %s",
                 recovery_phase_name(check->phase));
    }
}

static void check_resetting(struct sim *sim)
{
    const struct sim_check *check = &sim->check;
    bool allowed = atomic_load(&sim->lives.vitals.resets) == RESETS_ALLOWED;
    if (!sim->site.settings.reboot || !allowed || check->failed_exits < sim->site.settings.exits) {
        sim_fail(sim, "reset_only_when_asked_for", "after %u failures to leave safe mode",
                 check->failed_exits);
    }
}

static void enter_phase(struct sim *sim, enum recovery_phase phase)
{
    struct sim_check *check = &sim->check;
    sim_trace(sim, SIM_PHASE, check->phase, phase, recovery_phase_name(phase));
    switch (phase) {
    case RECOVERY_SAFE:
        check->safe_modes++;
        break;
    case RECOVERY_REJOINING:
        check_rejoining(sim);
        check->failed_exits = check->phase == RECOVERY_STAYING ? 0 : check->failed_exits;
        check->newest = -1;
        break;
    case RECOVERY_NORMAL:
        if (((check->mask | check->suspended) & ALL_GROUPS) != ALL_GROUPS) {
            sim_fail(sim, "all_groups_are_let_in", "normal with groups %x", check->mask);
        }
        check->end_count = check->failed_exits = 0;
        check->newest = -1;
        break;
    case RECOVERY_RESETTING:
        check_resetting(sim);
        break;
    case RECOVERY_STAYING:
        check->stays++;
        break;
    case RECOVERY_PHASE_COUNT:
        break;
    }
    check->phase = phase;
    check->phase_us = sim->now_us;
    check->reset_noted = false;
}

static void let_in(struct sim *sim, uint32_t more)
{
    struct sim_check *check = &sim->check;
    bool first = check->newest < 0;
    bool well = first || runs_well(sim, check->admitted_us, sim->site.settings.step_us);
    if (count_bits(more) != 1 || !well) {
        sim_fail(sim, "groups_come_one_by_one", "groups %x are let in %" PRId64 " s after the last",
                 more, first ? -1 : (sim->now_us - check->admitted_us) / USEC_PER_SEC);
    }
    if ((more & check->suspended) != 0 && sim->now_us - check->suspended_us < RECOVERY_RETRY_US) {
        sim_fail(sim, "a_suspect_waits", "group %x is let in too early", more);
    }
    check->newest = 0;
    while ((more >> check->newest & 1u) == 0) {
        check->newest++;
    }
    check->suspended &= ~more;
    check->admitted_us = sim->now_us;
    sim_trace(sim, SIM_GROUPS, check->mask, more, NULL);
}

static void check_groups(struct sim *sim)
{
    struct sim_check *check = &sim->check;
    uint32_t mask = (~atomic_load(&sim->lives.vitals.mandate.barred) & ((1u << VITALS_GROUPS) - 1));
    uint32_t more = mask & ~check->mask;
    if (check->phase == RECOVERY_SAFE && mask != 0) {
        sim_fail(sim, "safe_mode_holds_probes_back", "groups %x in safe mode", mask);
    } else if (check->phase == RECOVERY_REJOINING && more != 0) {
        let_in(sim, more);
    } else if (check->phase == RECOVERY_NORMAL && (mask & check->suspended) != 0) {
        sim_fail(sim, "a_suspect_waits", "groups %x run, %x are suspended", mask, check->suspended);
    }
    check->mask = mask;
}

/* The first group is let in by the turn that begins rejoining: from normal, all but the suspended
 * are in already. */
static void follow_phase(struct sim *sim)
{
    struct sim_check *check = &sim->check;
    enum recovery_phase phase = sim->lives.recovery.phase;
    if (phase != check->phase && phase == RECOVERY_NORMAL) {
        check_groups(sim);
    }
    if (phase != check->phase) {
        enter_phase(sim, phase);
    }
    check_groups(sim);
}

/* Ends. */

static void forget_old_ends(struct sim *sim)
{
    struct sim_check *check = &sim->check;
    unsigned kept = 0;
    for (unsigned i = 0; i < check->end_count; i++) {
        if (sim->now_us - check->ends_us[i] < sim->site.settings.restart_window_us) {
            check->ends_us[kept++] = check->ends_us[i];
        }
    }
    check->end_count = kept;
}

static void suspend_newest(struct sim *sim)
{
    struct sim_check *check = &sim->check;
    if (check->newest >= 0) {
        check->suspended |= 1u << check->newest;
        check->suspended_us = sim->now_us;
        check->suspensions++;
    }
    check->newest = -1;
}

void sim_check_begins_anew(struct sim *sim)
{
    struct sim_check *check = &sim->check;
    check->end_count = check->failed_exits = 0;
    check->suspended = 0;
    check->newest = -1;
    check->delay_us = 0;
    check->start_after_us = sim->now_us;
    check->mask = ALL_GROUPS;
    if (sim->lives.recovery.phase != check->phase) {
        check->phase = sim->lives.recovery.phase;
        check->phase_us = sim->now_us;
        sim_trace(sim, SIM_PHASE, -1, check->phase, recovery_phase_name(check->phase));
    }
    if (check->phase != RECOVERY_NORMAL) {
        sim_fail(sim, "a_reload_begins_anew", "phase %s", recovery_phase_name(check->phase));
    }
}

/* What has to become of an end that nobody asked for. */
static void judge(struct sim *sim)
{
    struct sim_check *check = &sim->check;
    const struct recovery_settings *settings = &sim->site.settings;
    enum recovery_phase phase = sim->lives.recovery.phase;
    forget_old_ends(sim);
    if (check->end_count < SIM_ENDS) {
        check->ends_us[check->end_count++] = sim->now_us;
    }
    if (check->phase == RECOVERY_NORMAL) {
        bool many = check->end_count >= settings->restarts;
        if ((phase == RECOVERY_SAFE) != many) {
            sim_fail(sim, "safe_mode_comes_in_time", "%u ends in the window, %u are too many: %s",
                     check->end_count, settings->restarts, recovery_phase_name(phase));
        }
    } else if (check->phase == RECOVERY_SAFE || check->phase == RECOVERY_REJOINING) {
        suspend_newest(sim);
        check->failed_exits++;
        bool over = check->failed_exits >= settings->exits;
        bool stays = phase == RECOVERY_STAYING || phase == RECOVERY_RESETTING;
        if (over != stays || (!over && phase != RECOVERY_SAFE)) {
            sim_fail(sim, "safe_mode_begins_again", "%u failed exits, phase %s",
                     check->failed_exits, recovery_phase_name(phase));
        }
        check->phase_us = sim->now_us;
    }
    follow_phase(sim);
}

void sim_check_end(struct sim *sim, const struct run_end *why)
{
    struct sim_check *check = &sim->check;
    usec_t ran_us = sim->now_us - check->born_us;
    bool asked = sim->lives.stopping || (check->stop_us > 0 && check->aborted_us == 0);
    if ((sim->lives.explained >> why->cause & 1u) == 0) {
        sim_fail(sim, "nothing_ends_without_a_reason",
                 "a life ended by %s, and the world gave none", cause_name(why->cause));
    }
    bool noted =
        check->phase == RECOVERY_RESETTING && check->stop_us > 0 && why->cause == CAUSE_STOP;
    check->ends[why->cause]++;
    check->hangs += why->cause == CAUSE_HANG ? 1 : 0;
    check->crashes += why->cause == CAUSE_CRASH ? 1 : 0;
    if (check->mended) {
        sim_check_begins_anew(sim);
        check->mask =
            (~atomic_load(&sim->lives.vitals.mandate.barred) & ((1u << VITALS_GROUPS) - 1));
    } else if (why->cause == CAUSE_NONE) { /* its configuration cannot run */
        check->start_after_us = sim->now_us + next_delay(check, 0);
    } else {
        check->start_after_us = sim->now_us + next_delay(check, ran_us);
        if (!asked && !sim->lives.configured) { /* nobody has said yet how many are too many */
            check->ends_us[0] = sim->now_us;
            check->end_count = 1;
        } else if (!asked) {
            judge(sim);
        } else {
            follow_phase(sim);
        }
    }
    check->aborted_us = check->stop_us = 0;
    check->mended = false;
    check->reset_noted = check->reset_noted || noted;
}

/* Turns. */

void sim_check_before_turn(struct sim *sim)
{
    struct sim_check *check = &sim->check;
    const struct recovery_settings *settings = &sim->lives.recovery.settings;
    struct recovery_usage usage = sim_process_usage(sim);
    check->gap_us = sim->now_us - check->turn_us;
    check->turn_us = sim->now_us;
    check->life_before = sim->lives.recovery.life;
    see_rows(sim);
    bool looked = check->life_before == LIFE_RUNNING || check->life_before == LIFE_STOPPING;
    bool over = (settings->memory_bytes > 0 && usage.memory_bytes > settings->memory_bytes) ||
                (settings->descriptors > 0 && usage.descriptors > settings->descriptors);
    check->leak_turns = looked && over ? check->leak_turns + 1 : 0;
}

static void check_abort(struct sim *sim)
{
    struct sim_check *check = &sim->check;
    const struct sim_row *row = &check->rows[check->stale];
    bool slow_stop = check->stop_us > 0 && sim->now_us - check->stop_us >= RECOVERY_STOP_US;
    check->aborted_us = sim->now_us;
    if (check->stale == VITAL_COUNT) {
        if (check->leak_turns < LEAK_TURNS && !slow_stop) {
            sim_fail(sim, "who_works_is_spared", "a life is ended that works");
        }
        return;
    }
    usec_t limit_us = row->limit_ms * USEC_PER_MSEC;
    usec_t stood_us = sim->now_us - usec_max(row->changed_us, check->thawed_us);
    usec_t most_us = check->stale == VITAL_LOOP ? limit_us + limit_us / 5 : limit_us + late_us(sim);
    bool excused = check->gap_us > 2 * look_us(sim) || check->thawed_us > row->changed_us;
    if (sim->now_us - row->changed_us < limit_us ||
        (stood_us > most_us + TURN_SLACK_US && !excused)) {
        sim_fail(sim, "a_hang_is_seen_in_time",
                 "row %s stood still for %" PRId64 " of %" PRId64 " ms", vital_name(check->stale),
                 stood_us / USEC_PER_MSEC, limit_us / USEC_PER_MSEC);
    }
}

static void check_spared(struct sim *sim)
{
    struct sim_check *check = &sim->check;
    bool looked = check->life_before == LIFE_RUNNING || check->life_before == LIFE_STOPPING;
    if (looked && (check->stale < VITAL_COUNT || check->leak_turns > LEAK_TURNS_LATE)) {
        sim_fail(sim, "who_hangs_is_ended", "row %s stands still, and nothing is done",
                 vital_name(check->stale));
    }
    bool overdue =
        check->aborted_us > 0 && check->life_before == LIFE_ABORTED &&
        sim->now_us - check->aborted_us > sim->lives.recovery.settings.abort_us + late_us(sim);
    if (overdue) {
        sim_fail(sim, "sigkill_comes_in_time", "SIGABRT was %" PRId64 " ms before",
                 (sim->now_us - check->aborted_us) / USEC_PER_MSEC);
    }
}

static void check_kill(struct sim *sim)
{
    struct sim_check *check = &sim->check;
    usec_t since_us = sim->now_us - check->aborted_us;
    if (check->aborted_us == 0 || since_us < sim->lives.recovery.settings.abort_us) {
        sim_fail(sim, "sigkill_only_after_sigabrt", "SIGABRT was %" PRId64 " ms before",
                 check->aborted_us == 0 ? -1 : since_us / USEC_PER_MSEC);
    }
}

static void check_life_comes(struct sim *sim, const struct recovery_orders *orders)
{
    const struct sim_check *check = &sim->check;
    bool none = sim->lives.process == SIM_PROCESS_NONE;
    bool resets = check->reset_noted && sim->lives.recovery.phase == RECOVERY_RESETTING;
    if (orders->start && (!none || resets || sim->now_us < check->start_after_us)) {
        sim_fail(sim, "a_life_waits_for_its_turn", "it is started %" PRId64 " ms too early",
                 (check->start_after_us - sim->now_us) / USEC_PER_MSEC);
    }
    if (!orders->start && none && !resets && !sim->lives.stopping &&
        sim->now_us > check->start_after_us + late_us(sim) &&
        sim->now_us > check->phase_us + late_us(sim)) {
        sim_fail(sim, "a_life_comes_back", "there is none since %" PRId64 " s",
                 (sim->now_us - check->start_after_us) / USEC_PER_SEC);
    }
}

void sim_check_orders(struct sim *sim, const struct recovery_orders *orders)
{
    switch (orders->kill) {
    case RECOVERY_SPARE:
        check_spared(sim);
        break;
    case RECOVERY_LEAVE:
        sim->check.stop_us = sim->now_us;
        break;
    case RECOVERY_STOP:
        sim->check.stop_us = sim->now_us;
        if (sim->check.phase != RECOVERY_RESETTING) {
            sim_fail(sim, "stopped_only_for_a_reset", "phase %s",
                     recovery_phase_name(sim->check.phase));
        }
        break;
    case RECOVERY_ABORT:
        check_abort(sim);
        break;
    case RECOVERY_KILL:
        check_kill(sim);
        break;
    }
    check_life_comes(sim, orders);
    if (sim_at(sim, orders->wake_us) > sim->now_us + look_us(sim)) {
        sim_fail(sim, "turns_come_often_enough", "the next is in %" PRId64 " ms",
                 (sim_at(sim, orders->wake_us) - sim->now_us) / USEC_PER_MSEC);
    }
}

/* A run whose end does not come is the prober's fault, and somebody has to see it. */
static void check_runs_end(struct sim *sim)
{
    usec_t limit_us = USEC_PER_MINUTE + 3 * sim->site.settings.hang_us;
    usec_t since_us = usec_max(sim->check.stalled_us, sim->check.thawed_us);
    for (unsigned i = 0; i < SIM_TARGETS && sim->net.without_end > 0; i++) {
        const struct sim_target *target = &sim->net.targets[i];
        bool waits = target->active && target->ends_us == USEC_NEVER && sim->lives.running;
        if (waits && sim->lives.recovery.life == LIFE_RUNNING &&
            sim->now_us - usec_max(target->deadline_us, since_us) > limit_us) {
            sim_fail(sim, "a_run_without_end_is_seen", "target %u is still running", i);
        }
    }
}

void sim_check_after_turn(struct sim *sim)
{
    check_runs_end(sim);
    follow_phase(sim);
    sim_check_rollout(sim);
}
