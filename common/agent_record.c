/* How runs of the agent end: what the runs before are told and counted as, what this one leaves
 * behind, and whether the board may be reset for it. */
#include <assert.h>

#include "agent_care_parts.h"

static_assert(LEDGER_RESTART_FIRST + CAUSE_COUNT <= LEDGER_RESTART_END, "a counter each");
static_assert(CAUSE_COUNT <= VITALS_CAUSES, "a word each");
static_assert(LEDGER_ROLLBACK_FIRST + ROLLOUT_REASONS <= LEDGER_ROLLBACK_END, "a counter each");
static_assert(ROLLOUT_REASONS <= VITALS_REASONS, "a word each");

#define SERVICE_STEP 10 /* minutes of service from one record to the next */
#define DAY_MINUTES  (24 * 60)

/* The counters of a budget. */
enum { BUDGET_USED, BUDGET_FORGIVEN, BUDGET_LAST };

/* Budgets. */

uint64_t budget_used(const struct agent *agent, unsigned budget)
{
    return care_counter(agent, budget + BUDGET_USED);
}

static uint64_t outstanding(const struct agent *agent, unsigned budget)
{
    return budget_used(agent, budget) - care_counter(agent, budget + BUDGET_FORGIVEN);
}

uint64_t budget_left(const struct agent *agent, unsigned budget, enum watchdog_key limit)
{
    uint64_t used = outstanding(agent, budget);
    uint64_t allowed = (uint64_t)care_setting(agent, limit);
    return used < allowed ? allowed - used : 0;
}

static uint64_t service_minutes(const struct agent *agent, usec_t now_us)
{
    uint64_t here = (uint64_t)((now_us - agent->started_us) / USEC_PER_MINUTE);
    return care_counter(agent, LEDGER_SERVICE_MINUTES) + here - agent->care.minutes;
}

/* Minutes of service since the last one. A crash takes back up to SERVICE_STEP minutes of service
 * that were not counted yet, so the last one can seem to lie ahead. */
uint64_t budget_age(const struct agent *agent, unsigned budget, usec_t now_us)
{
    uint64_t last = care_counter(agent, budget + BUDGET_LAST),
             service = service_minutes(agent, now_us);
    return service > last ? service - last : 0;
}

void budget_take(struct agent *agent, unsigned budget, usec_t now_us)
{
    store_count(&agent->store, budget + BUDGET_USED, 1);
    store_count(&agent->store, budget + BUDGET_LAST, budget_age(agent, budget, now_us));
}

static void budget_forgive(struct agent *agent, unsigned budget, usec_t now_us)
{
    uint64_t used = outstanding(agent, budget);
    if (used > 0 && budget_age(agent, budget, now_us) >= DAY_MINUTES) {
        store_count(&agent->store, budget + BUDGET_FORGIVEN, used);
    }
}

/* With records that wait for a commit anyway: an agent that does nothing wears no flash. */
static void count_service(struct agent *agent, usec_t now_us)
{
    uint64_t here = (uint64_t)((now_us - agent->started_us) / USEC_PER_MINUTE);
    bool waits = agent->store.numbers.uncommitted_since_us != USEC_NEVER;
    if (waits && here - agent->care.minutes >= SERVICE_STEP) {
        uint64_t more = here - agent->care.minutes;
        agent->care.minutes = here;
        store_count(&agent->store, LEDGER_SERVICE_MINUTES, more);
    }
}

/* How the runs before ended. */

/* What nobody saw: the end of the last run before this supervisor. */
static struct run_end judge_end(const struct agent *agent)
{
    const struct store_numbers *numbers = &agent->store.numbers;
    const struct ledger *ledger = store_ledger(&agent->store);
    const struct agent_start *start = &agent->ports.start;
    struct cause_evidence evidence = {
        .has_store = numbers->known,
        .clean = numbers->clean,
        .said = ledger->end_count > 0 ? ledger->ends[ledger->end_count - 1].cause : CAUSE_NONE,
        .same_boot = numbers->boot_before == agent->ports.store.boot,
        .had_supervisor = start->has_supervisor,
        .board = start->board,
    };
    return (struct run_end){.cause = cause_judge(&evidence), .task = VITAL_NONE};
}

/* An orderly end was noted by the run itself. */
static void note_end(struct agent *agent, struct run_end *end, bool noted)
{
    if (end->cause == CAUSE_NONE || noted) {
        return;
    }
    struct wall_time wall = clock_wall(&agent->ports.clock);
    end->unix_ms = wall.trusted ? wall.unix_us / USEC_PER_MSEC : 0;
    store_note_end(&agent->store, end);
}

/* A reset that cannot be told from one of the watchdog is charged like one. */
static bool was_reset(const struct agent *agent, const struct run_end *end)
{
    return end->cause == CAUSE_WATCHDOG ||
           (end->cause == CAUSE_UNKNOWN && agent->ports.start.board == BOARD_MUTE);
}

/* Once for each supervisor, by the first life that gets as far as this with a store that could be
 * asked: else the reset of a board whose disk comes late would go uncounted. */
static void take_up_unseen(struct agent *agent, usec_t now_us)
{
    struct vitals *vitals = agent->ports.vitals;
    const struct store *store = &agent->store;
    struct run_end end = judge_end(agent);
    bool asked = store->numbers.known || store->state == STORE_DURABLE ||
                 agent->ports.store.block_count == 0;
    if (vitals_get(&vitals->judged) != 0 || !asked) {
        return;
    }
    vitals_set(&vitals->judged, 1);
    if (end.cause != CAUSE_NONE) {
        store_count(&agent->store, LEDGER_RESTART_FIRST + end.cause, 1);
    }
    if (was_reset(agent, &end)) {
        budget_take(agent, LEDGER_RESETS, now_us);
    }
    note_end(agent, &end, agent->store.numbers.clean);
    agent->care.before = end;
}

/* The supervisor goes on counting; what the agent has of it so far stands in `counted`. */
static void count_news(struct agent *agent, unsigned code, const _Atomic uint32_t *seen,
                       _Atomic uint32_t *counted)
{
    uint32_t now = vitals_get(seen);
    store_count(&agent->store, code, now - vitals_get(counted));
    vitals_set(counted, now);
}

/* What the supervisor saw. Lives that never got as far as this are counted by the first that does.
 */
static void take_up_seen(struct agent *agent)
{
    struct vitals *vitals = agent->ports.vitals;
    struct run_end end = agent->ports.start.before;
    for (unsigned i = CAUSE_NONE + 1; i < CAUSE_COUNT; i++) {
        count_news(agent, LEDGER_RESTART_FIRST + i, &vitals->mandate.ends[i], &vitals->counted[i]);
    }
    for (unsigned i = 0; i < ROLLOUT_REASONS; i++) {
        count_news(agent, LEDGER_ROLLBACK_FIRST + i, &vitals->mandate.rollbacks[i],
                   &vitals->rollbacks_counted[i]);
    }
    if (agent->ports.start.watched) {
        note_end(agent, &end, end.cause == CAUSE_STOP || end.cause == CAUSE_RELOAD);
        agent->care.before = end;
    }
}

static void log_end(const struct agent *agent)
{
    char text[CAUSE_TEXT_BYTES];
    const struct run_end *before = &agent->care.before;
    const struct ledger *ledger = store_ledger(&agent->store);
    bool orderly = before->cause == CAUSE_STOP || before->cause == CAUSE_RELOAD;
    if (before->cause == CAUSE_NONE) {
        return;
    }
    int target = before->target > 0 ? ledger_find(ledger, before->target) : -1;
    logger_printf(&agent->ports.logger, orderly ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING,
                  "the run before ended by %s%s%s", cause_describe(before, text),
                  target >= 0 ? ", with probe " : "",
                  target >= 0 ? ledger_text(ledger, ledger->entries[target].probe) : "");
}

static void tell_targets(struct agent *agent)
{
    struct vitals *vitals = agent->ports.vitals;
    const struct ledger *ledger = store_ledger(&agent->store);
    for (unsigned i = 0; i < agent->config->target_count; i++) {
        vitals_set(&vitals->ids[i], ledger->entries[i].id);
    }
    vitals_set(&vitals->running, 1);
}

void agent_record_begin(struct agent *agent, usec_t now_us)
{
    take_up_unseen(agent, now_us);
    take_up_seen(agent);
    agent_action_begin(agent, now_us);
    log_end(agent);
    agent->care.start_noted = true;
    agent->care.start_ordinal = store_ledger(&agent->store)->totals.ordinal;
    store_begin_run(&agent->store);
    tell_targets(agent);
}

void agent_record_leave(struct agent *agent)
{
    struct wall_time wall = clock_wall(&agent->ports.clock);
    uint32_t said = vitals_get(&agent->ports.vitals->leave_cause);
    struct run_end end = {
        .cause = said == CAUSE_WATCHDOG ? CAUSE_WATCHDOG : agent->leaving,
        .task = VITAL_NONE,
        .ran_us = agent->stepped_us - agent->started_us,
        .unix_ms = wall.trusted ? wall.unix_us / USEC_PER_MSEC : 0,
    };
    store_note_end(&agent->store, &end);
}

/* May the board be reset? Not before this start and all resets so far are on record. */
static void decide_resets(struct agent *agent)
{
    const struct store *store = &agent->store;
    bool judged = vitals_get(&agent->ports.vitals->judged) != 0;
    bool on_record = store->state == STORE_DURABLE && judged && agent->care.start_noted &&
                     store->published.ordinal >= agent->care.start_ordinal;
    if (on_record) {
        bool left = budget_left(agent, LEDGER_RESETS, WATCHDOG_REBOOT_BUDGET) > 0;
        vitals_set(&agent->ports.vitals->resets, left ? RESETS_ALLOWED : RESETS_USED_UP);
    }
}

void agent_record_step(struct agent *agent, usec_t now_us)
{
    count_service(agent, now_us);
    budget_forgive(agent, LEDGER_RESETS, now_us);
    budget_forgive(agent, LEDGER_ACTIONS, now_us);
    decide_resets(agent);
}
