/* What the agent does for its own recovery: signs of life for whoever watches, the first two rungs
 * of the ladder (recovery.h has the others), the record of how runs end, and the two budgets that
 * have to outlive reboots.
 *
 * A budget is three counters of the ledger in a row: how often something was done, how many of
 * these are forgiven, and the minute of service of the last one. After a day of service without
 * another all are forgiven. Time off does not count, and neither does any clock: a board without
 * one must not go round in resets. */
#include <assert.h>
#include <inttypes.h>

#include "agent_parts.h"
#include "recovery.h"

static_assert(LEDGER_RESTART_FIRST + CAUSE_COUNT <= LEDGER_RESTART_END, "a counter each");
static_assert(LEDGER_CARE_FIRST + CARE_COUNT <= LEDGER_CARE_END, "a counter each");
static_assert(LEDGER_ACTION_FIRST + SITE_ACTION_RESULTS <= LEDGER_ACTION_END, "a counter each");
static_assert(CAUSE_COUNT <= VITALS_CAUSES, "a word each");

#define CHECK_US        (1 * USEC_PER_SEC)
#define OVERRUN_US      (250 * USEC_PER_MSEC) /* SPEC section 5, promise 1 */
#define OVERRUNS_US     (1 * USEC_PER_MINUTE) /* they are counted over */
#define SLOWEST_US      (10 * USEC_PER_MINUTE)
#define RUNS_LIMIT_US   (10 * USEC_PER_SEC)
#define SERVICE_STEP    10 /* minutes of service from one record to the next */
#define DAY_MINUTES     (24 * 60)
#define BUDGET_WORDS    3
#define BUDGET_USED     0
#define BUDGET_FORGIVEN 1
#define BUDGET_LAST     2

const char *care_name(enum care care)
{
    static const char *const names[CARE_COUNT] = {
        [CARE_PROBE_SLOWED] = "probe_slowed",
        [CARE_PUSH_RESTARTED] = "push_restarted",
        [CARE_WORKER_REPLACED] = "worker_replaced",
    };
    return names[care];
}

static int64_t setting(const struct agent *agent, enum watchdog_key key)
{
    return config_number(agent->config, &agent->config->watchdog, key);
}

static uint64_t counter(const struct agent *agent, unsigned code)
{
    return store_ledger(&agent->store)->totals.counters[code];
}

/* Begin. */

static usec_t longest_timeout(const struct config *config)
{
    usec_t longest_us = 0;
    for (unsigned i = 0; i < config->probe_count; i++) {
        longest_us = usec_max(longest_us, config->probes[i].timeout_us);
    }
    return longest_us;
}

static unsigned find_canary(const struct config *config)
{
    const char *name = config_text(config, &config->watchdog, WATCHDOG_CANARY, NULL);
    if (name != NULL) {
        return config_find_probe(config, name);
    }
    unsigned probe = 0;
    while (probe < config->probe_count && !config->probes[probe].enabled) {
        probe++;
    }
    return probe;
}

void agent_care_init(struct agent *agent, usec_t now_us)
{
    const struct config *config = agent->config;
    bool acts = config_text(config, &config->watchdog, WATCHDOG_ACTION, NULL) != NULL;
    usec_t hang_us = setting(agent, WATCHDOG_HANG);
    agent->care = (struct agent_care){
        .heartbeat_us = hang_us / 5,
        .check_us = now_us,
        .hang_us = hang_us,
        .start_limit_us = hang_us + longest_timeout(config) + AGENT_OVERDUE_US,
        .canary = find_canary(config),
        .groups = config->probe_count < VITALS_GROUPS ? config->probe_count : VITALS_GROUPS,
        .before = {.task = VITAL_NONE},
        .actions_done = vitals_get(&agent->ports.vitals->mandate.actions_done),
    };
    site_action_init(&agent->care.action, acts ? setting(agent, WATCHDOG_ACTION_AFTER) : 0,
                     setting(agent, WATCHDOG_ACTION_COOLDOWN), now_us);
    vital_arm(agent->ports.vitals, VITAL_LOOP, hang_us);
    vital_rest(agent->ports.vitals, VITAL_START);
}

/* Budgets. */

static uint64_t budget_left(const struct agent *agent, unsigned budget, enum watchdog_key limit)
{
    uint64_t used = counter(agent, budget + BUDGET_USED) - counter(agent, budget + BUDGET_FORGIVEN);
    uint64_t allowed = (uint64_t)setting(agent, limit);
    return used < allowed ? allowed - used : 0;
}

static uint64_t service_minutes(const struct agent *agent, usec_t now_us)
{
    uint64_t here = (uint64_t)((now_us - agent->started_us) / USEC_PER_MINUTE);
    return counter(agent, LEDGER_SERVICE_MINUTES) + here - agent->care.minutes;
}

/* Minutes of service since the last one. A crash takes back up to SERVICE_STEP minutes of service
 * that were not counted yet, so the last one can seem to lie ahead. */
static uint64_t budget_age(const struct agent *agent, unsigned budget, usec_t now_us)
{
    uint64_t last = counter(agent, budget + BUDGET_LAST), service = service_minutes(agent, now_us);
    return service > last ? service - last : 0;
}

static void budget_take(struct agent *agent, unsigned budget, usec_t now_us)
{
    store_count(&agent->store, budget + BUDGET_USED, 1);
    store_count(&agent->store, budget + BUDGET_LAST, budget_age(agent, budget, now_us));
}

static void budget_forgive(struct agent *agent, unsigned budget, usec_t now_us)
{
    uint64_t used = counter(agent, budget + BUDGET_USED) - counter(agent, budget + BUDGET_FORGIVEN);
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

/* What the supervisor saw. Lives that never got as far as this are counted by the first that does.
 */
static void take_up_seen(struct agent *agent)
{
    struct vitals *vitals = agent->ports.vitals;
    struct run_end end = agent->ports.start.before;
    for (unsigned i = CAUSE_NONE + 1; i < CAUSE_COUNT; i++) {
        uint32_t ends = vitals_get(&vitals->mandate.ends[i]);
        store_count(&agent->store, LEDGER_RESTART_FIRST + i,
                    ends - vitals_get(&vitals->counted[i]));
        vitals_set(&vitals->counted[i], ends);
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

/* The cooldown outlives a restart like the budget does: by the minute of service, rounded against
 * acting. */
static void remember_action(struct agent *agent, usec_t now_us)
{
    uint64_t passed = budget_age(agent, LEDGER_ACTIONS, now_us);
    if (counter(agent, LEDGER_ACTIONS + BUDGET_USED) > 0) {
        usec_t since_us = passed > 0 ? (usec_t)(passed - 1) * USEC_PER_MINUTE : 0;
        agent->care.action.acted_us = now_us - since_us;
    }
}

void agent_care_begin(struct agent *agent, usec_t now_us)
{
    take_up_unseen(agent, now_us);
    take_up_seen(agent);
    remember_action(agent, now_us);
    log_end(agent);
    agent->care.start_noted = true;
    agent->care.start_ordinal = store_ledger(&agent->store)->totals.ordinal;
    store_begin_run(&agent->store);
    tell_targets(agent);
}

void agent_care_leave(struct agent *agent)
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

/* Level 0: probes. */

/* Probes are divided in the order of the file. */
static unsigned group_of(const struct agent *agent, unsigned probe)
{
    return probe * agent->care.groups / agent->config->probe_count;
}

/* By the mandate. */
static bool is_barred(const struct agent *agent, unsigned target)
{
    const struct mandate *mandate = &agent->ports.vitals->mandate;
    unsigned probe = agent->config->targets[target].probe;
    bool canary = probe == agent->care.canary && vitals_get(&mandate->safe) != 0;
    return !canary && (vitals_get(&mandate->barred) & 1u << group_of(agent, probe)) != 0;
}

bool agent_care_admits(const struct agent *agent, unsigned target, usec_t now_us)
{
    return !is_barred(agent, target) && now_us >= agent->states[target].not_before_us;
}

/* From start to start, as far as it was slowed down. */
static usec_t pace_of(const struct agent *agent, unsigned target)
{
    usec_t interval_us = config_target_probe(agent->config, target)->interval_us;
    usec_t pace_us = interval_us;
    for (unsigned i = 0; i < agent->states[target].slowed && pace_us < SLOWEST_US; i++) {
        pace_us *= 2;
    }
    return usec_max(interval_us, usec_min(pace_us, SLOWEST_US));
}

static void slow_down(struct agent *agent, unsigned target)
{
    struct target_state *state = &agent->states[target];
    const struct config_probe *probe = config_target_probe(agent->config, target);
    state->overruns = 0;
    if (pace_of(agent, target) >= SLOWEST_US) {
        return;
    }
    state->slowed++;
    logger_printf(&agent->ports.logger, LOG_LEVEL_WARNING,
                  "probe %s (%.160s) keeps ending past its timeout: it runs less often",
                  config_probe_name(agent->config, probe), config_instance(agent->config, target));
    store_count(&agent->store, LEDGER_CARE_FIRST + CARE_PROBE_SLOWED, 1);
}

/* Within a minute, or as many runs again as are too many: most of them overran. */
static void count_overrun(struct agent *agent, unsigned target, unsigned limit, usec_t now_us)
{
    struct target_state *state = &agent->states[target];
    usec_t window_us = usec_max(OVERRUNS_US, 2 * (usec_t)limit * pace_of(agent, target));
    if (state->overruns == 0 || now_us - state->overruns_us > window_us) {
        state->overruns = 0;
        state->overruns_us = now_us;
    }
    state->overruns++;
    if (state->overruns >= limit) {
        slow_down(agent, target);
    }
}

void agent_care_ended(struct agent *agent, unsigned target, usec_t now_us)
{
    struct target_state *state = &agent->states[target];
    unsigned limit = (unsigned)setting(agent, WATCHDOG_OVERRUNS);
    if (now_us - state->run_until_us <= OVERRUN_US) {
        state->slowed = 0;
    } else if (limit > 0) {
        count_overrun(agent, target, limit, now_us);
    }
    usec_t pace_us = pace_of(agent, target);
    state->not_before_us = state->slowed > 0 ? now_us + pace_us : 0;
}

/* Level 1: parts. */

/* True while a part may be restarted once more; else the supervisor is to find it standing still.
 */
static bool may_restart_part(struct agent *agent, usec_t now_us)
{
    struct agent_care *care = &agent->care;
    if (now_us - care->restarts_us > setting(agent, WATCHDOG_RESTART_WINDOW)) {
        care->restarts = 0;
    }
    if (care->restarts == 0) {
        care->restarts_us = now_us;
    }
    return care->restarts++ < (unsigned)setting(agent, WATCHDOG_SUBSYSTEM_RESTARTS);
}

/* Signs of life of all rows but the workers' come from the loop: each limit outlasts a hang of it,
 * which is then called by its name, and never ended before `hang` has passed. */

/* The transport ends each request at its deadline; when it does not, it is not working. */
static void check_push(struct agent *agent, usec_t now_us)
{
    const struct upstream *upstream = &agent->ports.upstream;
    struct vitals *vitals = agent->ports.vitals;
    bool flies = agent->push.state == PUSH_IN_FLIGHT;
    if (!flies) {
        vital_rest(vitals, VITAL_PUSH);
        return;
    }
    if (!vital_is_armed(vitals, VITAL_PUSH)) {
        vital_arm(vitals, VITAL_PUSH,
                  agent->care.hang_us + agent->push.timeout_us + 2 * AGENT_OVERDUE_US);
    }
    if (now_us < agent->care.push_until_us) {
        return;
    }
    agent->care.push_until_us = USEC_NEVER;
    if (may_restart_part(agent, now_us)) {
        upstream->reset(upstream->context);
        store_count(&agent->store, LEDGER_CARE_FIRST + CARE_PUSH_RESTARTED, 1);
        agent_push_fail(agent, UPSTREAM_TIMEOUT, "the transport gave no answer", now_us);
        vital_rest(vitals, VITAL_PUSH);
    }
}

static void check_runs(struct agent *agent, usec_t now_us)
{
    struct vitals *vitals = agent->ports.vitals;
    bool overdue = false;
    for (unsigned i = 0; i < agent->schedule.count && agent->runs_in_flight > 0; i++) {
        overdue = overdue || (agent->schedule.entries[i].running &&
                              now_us - agent->states[i].run_until_us > AGENT_OVERDUE_US);
    }
    if (agent->runs_in_flight == 0) {
        vital_rest(vitals, VITAL_RUNS);
    } else if (!vital_is_armed(vitals, VITAL_RUNS)) {
        vital_arm(vitals, VITAL_RUNS, agent->care.hang_us + RUNS_LIMIT_US);
    } else if (!overdue) {
        vital_progress(vitals, VITAL_RUNS);
    }
}

/* The store gives a hanging operation up by itself; the row is for when it does not. */
static void watch_store(struct agent *agent)
{
    struct vitals *vitals = agent->ports.vitals;
    usec_t since_us, limit_us;
    if (!store_awaits(&agent->store, &since_us, &limit_us)) {
        vital_rest(vitals, VITAL_STORE);
    } else if (!vital_is_armed(vitals, VITAL_STORE) || since_us != agent->care.store_since_us) {
        agent->care.store_since_us = since_us;
        vital_arm(vitals, VITAL_STORE, agent->care.hang_us + limit_us + AGENT_OVERDUE_US);
    }
}

void agent_care_started(struct agent *agent, bool any, bool some_wait)
{
    struct vitals *vitals = agent->ports.vitals;
    if (!some_wait) {
        vital_rest(vitals, VITAL_SCHEDULE);
    } else if (any || !vital_is_armed(vitals, VITAL_SCHEDULE)) {
        vital_arm(vitals, VITAL_SCHEDULE, agent->care.start_limit_us);
    }
}

/* The site action. */

/* When the uplink was last seen to work, or could not be said not to. */
static usec_t last_through(const struct agent *agent, usec_t now_us)
{
    const struct config *config = agent->config;
    const struct config_section *section = &config->watchdog;
    unsigned count = config_count(config, section, WATCHDOG_ACTION_REFERENCE);
    usec_t through_us = agent->push.last_success_us;
    if (agent->push.failures_in_row == 0) {
        return now_us;
    }
    for (unsigned i = 0; i < count; i++) {
        const struct setting *named = config_setting(config, section, WATCHDOG_ACTION_REFERENCE, i);
        const struct config_probe *probe =
            &config->probes[config_find_probe(config, config_setting_text(config, named))];
        for (unsigned j = 0; j < probe->target_count; j++) {
            unsigned target = probe->first_target + j;
            const struct result *last = &agent->last[target];
            if (!agent->seen[target] || last->outcome != OUTCOME_FAILURE ||
                last->started_us < through_us) { /* that was another outage */
                return now_us;
            }
        }
    }
    return through_us;
}

static void act(struct agent *agent, usec_t now_us)
{
    bool dry = setting(agent, WATCHDOG_ACTION_DRY_RUN) != 0;
    enum site_action_result result = dry ? SITE_ACTION_DRY_RUN : SITE_ACTION_STARTED;
    site_action_done(&agent->care.action, now_us);
    budget_take(agent, LEDGER_ACTIONS, now_us);
    store_count(&agent->store, LEDGER_ACTION_FIRST + result, 1);
    logger_printf(&agent->ports.logger, LOG_LEVEL_WARNING,
                  "site action%s: nothing got through for %" PRId64 " s, and all references fail",
                  dry ? " (dry run, nothing is done)" : "",
                  setting(agent, WATCHDOG_ACTION_AFTER) / USEC_PER_SEC);
    if (!dry) {
        atomic_fetch_add(&agent->ports.vitals->actions_wanted, 1);
    }
}

static void step_action(struct agent *agent, usec_t now_us)
{
    struct agent_care *care = &agent->care;
    const struct mandate *mandate = &agent->ports.vitals->mandate;
    uint32_t done = vitals_get(&mandate->actions_done);
    if (done != care->actions_done) {
        care->actions_done = done;
        if (vitals_get(&mandate->action_result) != 0) {
            store_count(&agent->store, LEDGER_ACTION_FIRST + SITE_ACTION_FAILED, 1);
        }
    }
    site_action_note(&care->action, last_through(agent, now_us));
    if (site_action_due(&care->action, now_us) && agent->state == AGENT_RUNNING &&
        budget_left(agent, LEDGER_ACTIONS, WATCHDOG_ACTION_BUDGET) > 0) {
        act(agent, now_us);
    }
}

/* Threads are replaced far from here (probes/modbus_worker.h), and only counted. */
static void count_workers(struct agent *agent)
{
    uint32_t replaced = vitals_get(&agent->ports.vitals->workers_replaced);
    store_count(&agent->store, LEDGER_CARE_FIRST + CARE_WORKER_REPLACED,
                replaced - agent->care.workers_replaced);
    agent->care.workers_replaced = replaced;
}

/* Once a second is often enough for what is minutes and hours. */
static void check_slowly(struct agent *agent, usec_t now_us)
{
    agent->care.check_us = now_us + CHECK_US;
    check_runs(agent, now_us);
    if (agent->state > AGENT_DRAINING) {
        return; /* what is counted now would have to be committed */
    }
    count_service(agent, now_us);
    count_workers(agent);
    budget_forgive(agent, LEDGER_RESETS, now_us);
    budget_forgive(agent, LEDGER_ACTIONS, now_us);
    decide_resets(agent);
    if (agent->care.action.after_us > 0) {
        step_action(agent, now_us);
    }
}

usec_t agent_care_step(struct agent *agent, usec_t now_us)
{
    watch_store(agent);
    if (agent->state == AGENT_OPENING || agent->state == AGENT_CLOSING) {
        return now_us + agent->care.heartbeat_us;
    }
    check_push(agent, now_us);
    if (now_us >= agent->care.check_us) {
        check_slowly(agent, now_us);
    }
    return now_us + agent->care.heartbeat_us;
}

/* What is told. */

void agent_recovery_series(const struct agent *agent, struct recovery_series *series)
{
    const struct mandate *mandate = &agent->ports.vitals->mandate;
    const struct ledger *ledger = store_ledger(&agent->store);
    const struct run_end *before = &agent->care.before;
    int target = before->target > 0 ? ledger_find(ledger, before->target) : -1;
    uint32_t phase = vitals_get(&mandate->phase);
    struct recovery_settings settings;
    recovery_settings_of(agent->config, &settings);
    *series = (struct recovery_series){
        .phase = phase < RECOVERY_PHASE_COUNT ? (enum recovery_phase)phase : RECOVERY_NORMAL,
        .good_config = vitals_get(&mandate->good) != 0,
        .armed = vitals_get(&mandate->armed) != 0,
        .granted_us = (usec_t)vitals_get(&mandate->granted_ms) * USEC_PER_MSEC,
        .may_reset = settings.owner == WATCHDOG_OWNER_DEVICE || settings.reboot,
        .resets_left = budget_left(agent, LEDGER_RESETS, WATCHDOG_REBOOT_BUDGET),
        .acts = agent->care.action.after_us > 0,
        .before = *before,
    };
    for (unsigned i = 0; i < agent->config->target_count; i++) {
        bool enabled = config_target_probe(agent->config, i)->enabled;
        series->barred_targets += enabled && is_barred(agent, i) ? 1 : 0;
    }
    struct buffer name;
    buffer_init(&name, series->before_probe, sizeof series->before_probe);
    if (target >= 0) {
        buffer_append_string(&name, ledger_text(ledger, ledger->entries[target].probe));
    }
    (void)buffer_text(&name);
}
