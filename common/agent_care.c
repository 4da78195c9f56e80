/* What the agent does for its own recovery: signs of life for whoever watches, and the first two
 * rungs of the ladder, probes and parts (recovery.h has the others). */
#include <assert.h>
#include <inttypes.h>

#include "agent_care_parts.h"

static_assert(LEDGER_CARE_FIRST + CARE_COUNT <= LEDGER_CARE_END, "a counter each");

#define CHECK_US      (1 * USEC_PER_SEC)
#define OVERRUN_US    (250 * USEC_PER_MSEC) /* SPEC section 5, promise 1 */
#define OVERRUNS_US   (1 * USEC_PER_MINUTE) /* they are counted over */
#define SLOWEST_US    (10 * USEC_PER_MINUTE)
#define RUNS_LIMIT_US (10 * USEC_PER_SEC)

const char *care_name(enum care care)
{
    static const char *const names[CARE_COUNT] = {
        [CARE_PROBE_SLOWED] = "probe_slowed",
        [CARE_PUSH_RESTARTED] = "push_restarted",
        [CARE_WORKER_REPLACED] = "worker_replaced",
    };
    return names[care];
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
    usec_t hang_us = care_setting(agent, WATCHDOG_HANG);
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
    site_action_init(&agent->care.action, acts ? care_setting(agent, WATCHDOG_ACTION_AFTER) : 0,
                     care_setting(agent, WATCHDOG_ACTION_COOLDOWN), now_us);
    vital_arm(agent->ports.vitals, VITAL_LOOP, hang_us);
    vital_rest(agent->ports.vitals, VITAL_START);
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
    unsigned limit = (unsigned)care_setting(agent, WATCHDOG_OVERRUNS);
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
    if (now_us - care->restarts_us > care_setting(agent, WATCHDOG_RESTART_WINDOW)) {
        care->restarts = 0;
    }
    if (care->restarts == 0) {
        care->restarts_us = now_us;
    }
    return care->restarts++ < (unsigned)care_setting(agent, WATCHDOG_SUBSYSTEM_RESTARTS);
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
    count_workers(agent);
    agent_record_step(agent, now_us);
    if (agent->care.action.after_us > 0) {
        agent_action_step(agent, now_us);
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
    uint32_t phase = vitals_get(&mandate->phase), left_for = vitals_get(&mandate->left_for);
    struct recovery_settings settings;
    recovery_settings_of(agent->config, &settings);
    *series = (struct recovery_series){
        .phase = phase < RECOVERY_PHASE_COUNT ? (enum recovery_phase)phase : RECOVERY_NORMAL,
        .good_config = vitals_get(&mandate->good) != 0,
        .left_for = left_for < ROLLOUT_REASONS ? (enum rollout_reason)left_for : ROLLOUT_START,
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
