#include "sim.h"

#include <inttypes.h>
#include <string.h>

#define OVERRUN_US (250 * USEC_PER_MSEC) /* SPEC section 5, promise 1 */
/* From the moment a commit is due to its end: a slow disk takes 3 s for each of a few operations.
 */
#define COMMIT_SLACK_US (40 * USEC_PER_SEC)

static const struct sli *sli_of(const struct sim *sim, unsigned target)
{
    return agent_sli(&sim->lives.agent, target);
}

static const struct ledger *ledger_of(const struct sim *sim)
{
    return store_ledger(&sim->lives.agent.store);
}

/* Starts and results. */

void sim_check_start(struct sim *sim, unsigned target, usec_t now_us, usec_t deadline_us)
{
    const struct config *config = sim->site.config;
    const struct mandate *mandate = &sim->lives.vitals.mandate;
    const struct config_probe *probe = sim_site_probe(sim, target);
    bool safe = sim->check.phase != RECOVERY_NORMAL;
    bool canary = safe && config->targets[target].probe == sim->site.canary;
    bool admitted = (atomic_load(&mandate->barred) >> sim_site_group(sim, target) & 1u) == 0;
    if (sim->check.phase == RECOVERY_SAFE) {
        admitted = false;
    }
    if (!canary && !admitted) {
        sim_fail(sim, "safe_mode_holds_probes_back", "target %u is started in phase %s", target,
                 recovery_phase_name(sim->check.phase));
    }
    if (sim->net.targets[target].active) {
        sim_fail(sim, "runs_once_at_a_time", "target %u is started twice", target);
    }
    if (now_us != sim_now(sim) || deadline_us - now_us != probe->timeout_us) {
        sim_fail(sim, "deadline_is_the_timeout", "target %u", target);
    }
    if (sim->net.in_flight >= (unsigned)config_number(config, &config->agent, AGENT_CONCURRENCY)) {
        sim_fail(sim, "concurrency_holds", "%u runs are in flight", sim->net.in_flight);
    }
}

void sim_check_collect(struct sim *sim, unsigned target)
{
    const struct sim_target *run = &sim->net.targets[target];
    bool excused = run->overruns || sim->check.stalled_us >= run->ends_us;
    if (!excused && sim->now_us - run->deadline_us > OVERRUN_US) {
        sim_fail(sim, "run_ends_in_time",
                 "the result of target %u is collected %" PRId64 " ms past its deadline", target,
                 (sim->now_us - run->deadline_us) / USEC_PER_MSEC);
    }
}

void sim_check_blocked(struct sim *sim, usec_t until_us)
{
    sim->check.stalled_us = usec_max(sim->check.stalled_us, until_us);
}

/* Whoever stood still judges, and is judged, by a clock that went on. */
void sim_check_thaw(struct sim *sim)
{
    sim->check.stalled_us = usec_max(sim->check.stalled_us, sim->now_us + 10000);
    sim->check.thawed_us = sim->now_us;
}

/* What was measured once is never told twice, whatever epochs there were. */
void sim_check_told(struct sim *sim)
{
    bool looks = !sim->push.full && !sim->check.may_tell_twice;
    for (unsigned i = 0; i < sim->site.config->target_count && looks; i++) {
        for (unsigned j = 0; j < OUTCOME_COUNT; j++) {
            if ((uint64_t)sim->push.told[i][j] > sim->net.targets[i].collected[j]) {
                sim_fail(sim, "nothing_is_told_twice",
                         "target %u: %" PRIu64 " %s were measured, %.0f told", i,
                         sim->net.targets[i].collected[j], outcome_name((enum outcome)j),
                         sim->push.told[i][j]);
            }
        }
    }
}

/* A life. */

static void take_base(struct sim *sim)
{
    struct sim_check *check = &sim->check;
    for (unsigned i = 0; i < sim->site.config->target_count; i++) {
        const struct sli *sli = sli_of(sim, i);
        const struct sim_target *target = &sim->net.targets[i];
        for (unsigned j = 0; j < OUTCOME_COUNT; j++) {
            check->base[i][j] = sli->results[j] - target->life_collected[j];
        }
        check->base_missed[i] = sli->missed;
    }
}

/* The totals are those of the life before: exactly, or less what a cut may cost. */
static void check_recovered(struct sim *sim)
{
    struct sim_check *check = &sim->check;
    bool cut = check->tail_lost;
    bool bounded = !cut || (sim->site.has_store && check->snapshot_durable_us != USEC_NEVER &&
                            check->snapshot_us - check->snapshot_durable_us >
                                sim->site.commit_us + COMMIT_SLACK_US);
    if (!check->has_snapshot || ledger_of(sim)->epoch != check->epoch) {
        bool gone = cut || check->snapshot_state != STORE_DURABLE;
        check->lost_unknown = check->lost_unknown || (check->has_snapshot && gone);
        return;
    }
    usec_t since_us = check->snapshot_us - sim->site.commit_us - COMMIT_SLACK_US;
    if (check->thawed_us >= since_us) { /* nobody could commit while all stood still */
        since_us = usec_min(since_us, check->snapshot_durable_us);
    }
    for (unsigned i = 0; i < sim->site.config->target_count; i++) {
        const struct sim_target *target = &sim->net.targets[i];
        uint64_t before = 0, after = 0, may = 0;
        for (unsigned j = 0; j < OUTCOME_COUNT; j++) {
            before += check->results[i][j];
            after += sli_of(sim, i)->results[j];
        }
        for (uint64_t j = 0; cut && j < target->recent && j < SIM_RECENT; j++) {
            may += target->recent_us[j] >= since_us ? 1 : 0;
        }
        if (after > before || (bounded && before - after > may)) {
            sim_fail(sim, cut ? "cut_costs_one_commit" : "totals_survive_a_crash",
                     "target %u had %" PRIu64 " results, then %" PRIu64 "; %" PRIu64
                     " may have been lost",
                     i, before, after, may);
        }
        check->lost[i] += before - after;
    }
}

static bool was(const struct sim_check *check, enum sim_truth truth)
{
    return (check->truths >> truth & 1u) != 0;
}

/* Which ends nobody saw may be told as which. */
static bool may_be_told(const struct sim *sim, enum cause cause)
{
    const struct sim_check *check = &sim->check;
    enum board_word word = sim_board_word(sim);
    switch (cause) {
    case CAUSE_NONE:
        return true; /* the store could not be asked, or is new */
    case CAUSE_STOP:
    case CAUSE_RELOAD:
        return check->in_order;
    case CAUSE_SUPERVISOR:
        return was(check, SIM_TRUTH_SUPERVISOR);
    case CAUSE_POWER:
        return was(check, SIM_TRUTH_POWER) ||
               (was(check, SIM_TRUTH_WATCHDOG) && word == BOARD_SILENT);
    case CAUSE_WATCHDOG:
        return was(check, SIM_TRUTH_WATCHDOG) || (check->in_order && check->asked_reset);
    case CAUSE_UNKNOWN:
        return word == BOARD_MUTE &&
               (was(check, SIM_TRUTH_WATCHDOG) || was(check, SIM_TRUTH_POWER));
    default:
        return false;
    }
}

static void check_cause(struct sim *sim)
{
    const struct agent *agent = &sim->lives.agent;
    enum cause cause = agent->care.before.cause;
    if (!agent->ports.start.watched && !may_be_told(sim, cause)) {
        sim_fail(sim, "cause_is_told_as_it_was", "told as %s, and it was%s%s%s%s",
                 cause_name(cause),
                 was(&sim->check, SIM_TRUTH_SUPERVISOR) ? " the supervisor's end" : "",
                 was(&sim->check, SIM_TRUTH_POWER) ? " the power" : "",
                 was(&sim->check, SIM_TRUTH_WATCHDOG) ? " the watchdog" : "",
                 sim->check.in_order ? ", in order" : "");
    }
}

/* A supervisor that saw lives end has each counted once. */
static void check_restarts(struct sim *sim)
{
    struct sim_check *check = &sim->check;
    const uint64_t *counters = ledger_of(sim)->totals.counters;
    bool same = check->restarts_known && ledger_of(sim)->epoch == check->epoch;
    for (unsigned i = CAUSE_NONE + 1; i < CAUSE_COUNT; i++) {
        uint64_t counted = counters[LEDGER_RESTART_FIRST + i];
        if (same && sim->lives.agent.ports.start.watched &&
            counted - check->restarts[i] != check->ends[i]) {
            sim_fail(sim, "restarts_are_counted",
                     "%" PRIu64 " ends by %s were seen, %" PRIu64 " counted", check->ends[i],
                     cause_name((enum cause)i), counted - check->restarts[i]);
        }
        check->restarts[i] = counted;
        check->ends[i] = 0;
    }
    for (unsigned i = 0; i < ROLLOUT_REASONS; i++) {
        uint64_t counted = counters[LEDGER_ROLLBACK_FIRST + i];
        if (same && sim->lives.agent.ports.start.watched &&
            counted - check->rollbacks_known[i] != check->rollbacks_seen[i]) {
            sim_fail(sim, "rollbacks_are_counted",
                     "%" PRIu64 " for %s were seen, %" PRIu64 " counted", check->rollbacks_seen[i],
                     rollout_reason_name((enum rollout_reason)i),
                     counted - check->rollbacks_known[i]);
        }
        check->rollbacks_known[i] = counted;
        check->rollbacks_seen[i] = 0;
    }
    check->restarts_known = true;
}

/* What was on the device is known to whoever comes after. */
static void check_actions_known(struct sim *sim)
{
    struct sim_check *check = &sim->check;
    uint64_t known = ledger_of(sim)->totals.counters[LEDGER_ACTIONS];
    bool may_be_gone = check->tail_lost || check->snapshot_state != STORE_DURABLE;
    bool unasked = check->tail_lost && sim->lives.agent.store.state != STORE_DURABLE;
    if (unasked || check->snapshot_other) { /* or another one is */
        check->action_count = check->actions_recorded = 0;
        check->acted_us = 0;
    } else if (check->actions_recorded < check->action_count && may_be_gone) {
        check->action_count = check->actions_recorded;
        check->acted_us = 0;
    } else if (known < check->actions_taken) {
        if (check->actions_recorded == check->action_count && !sim->disk.reads_failed &&
            sim->lives.agent.store.state == STORE_DURABLE) {
            sim_fail(sim, "actions_stay_on_record", "%" PRIu64 " of %" PRIu64 " are known", known,
                     check->actions_taken);
        }
        check->action_count = check->actions_recorded = 0;
        check->acted_us = 0;
    }
    check->actions_taken = known;
}

void sim_check_life_runs(struct sim *sim)
{
    struct sim_check *check = &sim->check;
    sim_trace(sim, SIM_RUNNING, sim->lives.agent.store.state, check->truths,
              cause_name(sim->lives.agent.care.before.cause));
    for (unsigned i = 0; i < SIM_TARGETS; i++) {
        struct sim_target *target = &sim->net.targets[i];
        target->life_started = 0;
        memset(target->life_collected, 0, sizeof target->life_collected);
        target->seen = false;
    }
    if (check->tail_lost || check->snapshot_state != STORE_DURABLE) {
        check->may_tell_twice = check->may_tell_twice || sim->disk.unacknowledged;
    }
    if (sim->disk.reads_failed) {
        check->reset_count = 0; /* the checkpoint may not have been found: nobody knows of them */
    }
    check_recovered(sim);
    check_cause(sim);
    check_restarts(sim);
    check->epochs += ledger_of(sim)->epoch != check->epoch ? 1 : 0;
    check->life_epoch = check->epoch = ledger_of(sim)->epoch;
    check->epoch_changed = false;
    check_actions_known(sim);
    check->durable_us = USEC_NEVER;
    check->service_at_us = sim->now_us;
    check->has_snapshot = check->life_on_record = false;
    check->lives++;
    take_base(sim);
}

/* The phase points between two moments of the monotonic clock, by the rule in schedule.h. */
static uint64_t points(const struct sim *sim, unsigned target, usec_t from_us, usec_t until_us)
{
    const struct config *config = sim->site.config;
    const struct config_probe *probe = sim_site_probe(sim, target);
    usec_t phase_us = schedule_phase(config_site(config), config_probe_name(config, probe),
                                     config_instance(config, target), probe->interval_us);
    usec_t before = (from_us - phase_us + probe->interval_us - 1) / probe->interval_us;
    usec_t first_us = phase_us + before * probe->interval_us;
    return until_us < first_us ? 0 : (uint64_t)((until_us - first_us) / probe->interval_us + 1);
}

/* The process crashed inside the turn: the result it had in hand may not have been counted yet, and
 * was never measured, as far as anybody knows. */
static void take_back(struct sim *sim)
{
    unsigned index = sim->lives.agent.incoming.target;
    struct sim_target *target = &sim->net.targets[index];
    for (unsigned j = 0; j < OUTCOME_COUNT; j++) {
        uint64_t counted = sli_of(sim, index)->results[j] - sim->check.base[index][j];
        if (counted + 1 == target->life_collected[j]) {
            target->life_collected[j]--;
            target->collected[j]--;
        }
    }
}

static void check_account(struct sim *sim)
{
    const struct sim_check *check = &sim->check;
    usec_t from_us = sim_now(sim) - (sim->now_us - sim->lives.running_us);
    usec_t until_us = sim_now(sim) - (sim->now_us - sim->lives.stepped_us);
    for (unsigned i = 0; i < sim->site.config->target_count && !check->epoch_changed; i++) {
        const struct sim_target *target = &sim->net.targets[i];
        const struct sli *sli = sli_of(sim, i);
        for (unsigned j = 0; j < OUTCOME_COUNT; j++) {
            if (sli->results[j] - check->base[i][j] != target->life_collected[j]) {
                sim_fail(sim, "results_are_counted",
                         "target %u: %" PRIu64 " %s were handed over, %" PRIu64 " counted", i,
                         target->life_collected[j], outcome_name((enum outcome)j),
                         sli->results[j] - check->base[i][j]);
            }
        }
        uint64_t made = target->life_started + sli->missed - check->base_missed[i];
        uint64_t due = points(sim, i, from_us, until_us);
        /* A start may wait until the next is due. In an orderly end runs that are cut off are
         * missed, too, and what comes due after the last record is nobody's. */
        bool draining = sim->lives.agent.state != AGENT_RUNNING;
        if (!sim->lives.crashing && !draining && (made > due || made + 1 < due)) {
            sim_fail(sim, "starts_are_made_or_missed",
                     "target %u: %" PRIu64 " starts were due, %" PRIu64 " made, %" PRIu64 " missed",
                     i, due, target->life_started, sli->missed - check->base_missed[i]);
        }
    }
}

/* A life that never came to know its totals has changed none. */
void sim_check_life_ends(struct sim *sim)
{
    struct sim_check *check = &sim->check;
    check->stalled_us = usec_min(check->stalled_us, sim->now_us); /* who hung for ever is gone */
    if (!sim->lives.running) {
        return;
    }
    if (sim->lives.crashing && !check->epoch_changed) {
        take_back(sim);
    }
    check_account(sim);
    check->service_us += sim->now_us - check->service_at_us;
    check->epoch = ledger_of(sim)->epoch;
    for (unsigned i = 0; i < sim->site.config->target_count; i++) {
        for (unsigned j = 0; j < OUTCOME_COUNT; j++) {
            check->results[i][j] = sli_of(sim, i)->results[j];
        }
    }
    check->has_snapshot = true;
    check->snapshot_us = sim->lives.stepped_us; /* a loop that was stuck has measured nothing */
    check->snapshot_durable_us = check->durable_us;
    check->snapshot_state = sim->lives.agent.store.state;
    check->snapshot_other = sim->lives.agent.store.trouble == STORE_OTHER;
    check->tail_lost = false;
    if (sim->lives.agent.state >= AGENT_CLOSING) { /* the mark may be written before the end */
        check->in_order = true;
        check->asked_reset = atomic_load(&sim->lives.vitals.leave_cause) == CAUSE_WATCHDOG;
    } else if (check->life_on_record) {
        check->in_order = check->asked_reset = false;
    }
}

/* The site action. */

static bool reference_fails(const struct sim *sim, unsigned target, usec_t for_us)
{
    const struct sim_target *run = &sim->net.targets[target];
    return run->seen && run->last == OUTCOME_FAILURE &&
           sim->now_us - run->failing_since_us >= for_us;
}

static void check_action_is_due(struct sim *sim)
{
    const struct sim_site *site = &sim->site;
    usec_t slack_us = site->settings.hang_us / 5 + 3 * USEC_PER_SEC;
    usec_t for_us = site->action_after_us - slack_us;
    for (unsigned i = 0; i < site->config->target_count; i++) {
        unsigned probe = site->config->targets[i].probe;
        if ((site->references >> probe & 1u) != 0 && !reference_fails(sim, i, for_us)) {
            sim_fail(sim, "action_waits_for_references", "target %u did not fail for long enough",
                     i);
        }
    }
    usec_t through_us = usec_max(sim->push.accepted_us, sim->lives.running_us);
    if (sim->now_us - through_us < for_us) {
        sim_fail(sim, "action_waits_for_silence", "something got through %" PRId64 " s before",
                 (sim->now_us - through_us) / USEC_PER_SEC);
    }
    if (sim->check.acted_us > 0 && sim->now_us - sim->check.acted_us < site->action_cooldown_us) {
        sim_fail(sim, "action_cools_down", "the last one was %" PRId64 " s before",
                 (sim->now_us - sim->check.acted_us) / USEC_PER_SEC);
    }
}

static void take_action(struct sim *sim)
{
    struct sim_check *check = &sim->check;
    usec_t service_us = check->service_us + sim->now_us - check->service_at_us;
    unsigned recent = 1;
    sim_trace(sim, SIM_ACTION, (int64_t)check->actions_taken, 0, NULL);
    check_action_is_due(sim);
    for (unsigned i = 0; i < check->action_count; i++) {
        recent += service_us - check->actions_us[i] < USEC_PER_DAY ? 1 : 0;
    }
    if (recent > sim->site.action_budget) {
        sim_fail(sim, "action_budget_holds", "%u within a day of service", recent);
    }
    if (check->action_count < SIM_RESETS) {
        check->actions_us[check->action_count++] = service_us;
    }
    check->acted_us = sim->now_us;
    check->action_ordinal = ledger_of(sim)->totals.ordinal;
    check->actions++;
}

/* After a turn. */

static void watch_store(struct sim *sim)
{
    struct sim_check *check = &sim->check;
    const struct store *store = &sim->lives.agent.store;
    if (store->state != check->store_state) {
        sim_trace(sim, SIM_STORE, store->state, store->trouble, store_state_name(store->state));
        check->store_state = store->state;
    }
    if (store->state == STORE_DURABLE && sim->disk.mode == SIM_DISK_WELL) {
        sim->disk.unacknowledged = false; /* it was opened again, and all was looked at */
    }
    if (store->state != STORE_DURABLE) {
        check->durable_us = USEC_NEVER;
    } else if (check->durable_us == USEC_NEVER) {
        check->durable_us = sim->now_us;
    }
    if (ledger_of(sim)->epoch != check->life_epoch) {
        check->life_epoch = ledger_of(sim)->epoch;
        check->epoch_changed = true;
        check->restarts_known = false;
        check->epochs++;
    }
    check->boot_touched = check->boot_touched || sim->disk.synced_us > sim->lives.running_us;
    bool recorded = store->state == STORE_DURABLE && sim->disk.synced_us > sim->lives.running_us &&
                    tail_durable(store->tail).ordinal >= sim->lives.agent.care.start_ordinal;
    if (recorded) {
        check->boot_on_record = check->life_on_record = true;
        check->reset_uncharged = false;
    }
    if (store->state == STORE_DURABLE &&
        tail_durable(store->tail).ordinal >= check->action_ordinal) {
        check->actions_recorded = check->action_count;
    }
}

void sim_check_agent(struct sim *sim)
{
    struct sim_check *check = &sim->check;
    sim_check_rows(sim);
    if (!sim->lives.running) {
        return;
    }
    watch_store(sim);
    uint64_t taken = ledger_of(sim)->totals.counters[LEDGER_ACTIONS];
    if (taken != check->actions_taken) {
        check->actions_taken = taken;
        take_action(sim);
    }
}
