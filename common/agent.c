/* One turn goes: results in, reply in, misses counted, runs started, push begun; the store goes on
 * before, with what its device has brought, and after, with what the turn gave it. What a turn
 * finds to do depends on the time and on what the ports hand over, never on how often it is called.
 */
#include "agent.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "agent_parts.h"
#include "hash.h"
#include "maintenance.h"

/* How soon a prober that refused a start is asked again, when no run ends before. */
#define START_RETRY_US (100 * USEC_PER_MSEC)

/* Begin. */

static void init_schedule(struct agent *agent, usec_t now_us)
{
    const struct config *config = agent->config;
    for (unsigned i = 0; i < config->target_count; i++) {
        const struct config_probe *probe = config_target_probe(config, i);
        usec_t phase_us = schedule_phase(config_site(config), config_probe_name(config, probe),
                                         config_instance(config, i), probe->interval_us);
        schedule_add(&agent->schedule, probe->enabled ? probe->interval_us : 0, phase_us, now_us);
    }
}

static void init_push(struct agent *agent, usec_t now_us)
{
    const struct config *config = agent->config;
    bool on = config_text(config, &config->push, PUSH_URL, NULL) != NULL;
    usec_t interval_us = on ? config_number(config, &config->push, PUSH_INTERVAL) : 0;
    push_init(&agent->push, interval_us, config_number(config, &config->push, PUSH_TIMEOUT),
              hash64_strings("push", config_site(config), ""), now_us);
}

static void init_targets(struct agent *agent)
{
    agent->schedule.count = 0;
    for (unsigned i = 0; i < agent->config->target_count; i++) {
        agent->seen[i] = false;
        memset(&agent->states[i], 0, sizeof agent->states[i]);
        memset(&agent->trails[i], 0, sizeof agent->trails[i]);
    }
}

static void init_times(struct agent *agent, usec_t now_us)
{
    agent->start_retry_us = USEC_NEVER;
    agent->started_us = now_us;
    agent->stepped_us = now_us;
    agent->start_unix_us = 0;
    agent->lateness_max_us = 0;
    agent->loop_lag_us = 0;
    agent->push_wait_until_us = USEC_NEVER;
    agent->push_failing_since_us = 0;
    agent->drain_until_us = USEC_NEVER;
    agent->commit_until_us = USEC_NEVER;
    agent->push_until_us = USEC_NEVER;
    agent->stop_deadline_us = USEC_NEVER;
}

void agent_init(struct agent *agent, const struct config *config, const struct agent_ports *ports,
                void *body, size_t body_size, usec_t now_us)
{
    int64_t concurrency = config_number(config, &config->agent, AGENT_CONCURRENCY);
    agent->config = config;
    agent->ports = *ports;
    agent->state = AGENT_OPENING;
    agent->runs_in_flight = 0;
    agent->concurrency = concurrency < 1          ? 1
                         : concurrency > CAP_RUNS ? CAP_RUNS
                                                  : (unsigned)concurrency;
    agent->next_start = 0;
    agent->passes = 0;
    agent->body_ordinal = 0;
    buffer_init(&agent->body, body, body_size);
    init_times(agent, now_us);
    init_targets(agent);
    init_push(agent, now_us);
    agent->leaving = CAUSE_STOP;
    agent_care_init(agent, now_us);
    store_init(&agent->store, config, &agent->ports.logger, &agent->ports.store, now_us);
}

void agent_set_state(struct agent *agent, enum agent_state state)
{
    assert(state > agent->state);
    agent->state = state;
}

const struct sli *agent_sli(const struct agent *agent, unsigned target)
{
    static const struct sli none;
    assert(target < agent->config->target_count);
    return store_opened(&agent->store) ? &store_ledger(&agent->store)->totals.slis[target] : &none;
}

static void log_opened(const struct agent *agent)
{
    const struct store *store = &agent->store;
    const struct ledger *ledger = store_ledger(store);
    if (agent->ports.store.block_count == 0) {
        return;
    }
    char epoch[METRICS_EPOCH_BYTES];
    metrics_epoch_label(ledger->epoch, epoch);
    logger_printf(&agent->ports.logger, LOG_LEVEL_INFO,
                  "store: %s, %" PRIu64 " results recovered (%s), epoch %s",
                  store_state_name(store->state), ledger->totals.results,
                  store->numbers.clean          ? "stopped in order before"
                  : ledger->totals.results == 0 ? "new"
                                                : "not stopped in order before",
                  epoch);
}

/* Starts are counted from here: before, nobody could have kept what they found. */
static void begin_running(struct agent *agent, usec_t now_us)
{
    agent_set_state(agent, AGENT_RUNNING);
    init_schedule(agent, now_us);
    init_push(agent, now_us);
    log_opened(agent);
    agent_record_begin(agent, now_us);
}

/* Results. */

/* ", reason status in processing: HTTP 503" */
static void describe_cause(struct buffer *text, const struct result *result)
{
    if (result->reason < REASON_COUNT) {
        buffer_printf(text, ", reason %s", reason_name(result->reason));
    }
    if (result->phase < PHASE_COUNT) {
        buffer_printf(text, " in %s", phase_name(result->phase));
    }
    if (result->note[0] != '\0') {
        buffer_printf(text, ": %s", result->note);
    }
}

/* Once per change; a first result is news only when it is bad. An instance can be as long as a log
 * line, so it is cut rather than the cause behind it. */
static void log_change(const struct agent *agent, const struct result *result, usec_t now_us)
{
    unsigned target = result->target;
    bool good = result->outcome == OUTCOME_SUCCESS;
    char bytes[CAP_NOTE_BYTES + 96];
    struct buffer text;
    buffer_init(&text, bytes, sizeof bytes);
    if (agent->seen[target]) {
        buffer_printf(&text, "%s -> ", outcome_name(agent->last[target].outcome));
    } else if (good) {
        return;
    }
    buffer_append_string(&text, outcome_name(result->outcome));
    if (good) {
        usec_t lasted_us = now_us - agent->states[target].changed_us;
        buffer_printf(&text, " after %" PRId64 " s", lasted_us / USEC_PER_SEC);
    } else {
        describe_cause(&text, result);
    }
    const struct config_probe *probe = config_target_probe(agent->config, target);
    logger_printf(&agent->ports.logger, good ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING,
                  "probe %s (%.160s): %s", config_probe_name(agent->config, probe),
                  config_instance(agent->config, target), buffer_text(&text));
}

static void remember_failure(struct target_state *state, const struct result *result, usec_t now_us)
{
    state->last_failure_outcome = result->outcome;
    state->last_failure_reason = result->reason;
    state->last_failure_phase = result->phase;
    state->last_failure_us = now_us;
    memcpy(state->last_failure_note, result->note, sizeof state->last_failure_note);
}

/* A run that begins or ends in maintenance. Without a trusted clock nobody knows, and it counts. */
static bool is_in_maintenance(const struct agent *agent, const struct result *result, usec_t now_us)
{
    struct wall_time wall = clock_wall(&agent->ports.clock);
    unsigned probe = agent->config->targets[result->target].probe;
    if (agent->config->maintenance_count == 0 || !wall.trusted) {
        return false;
    }
    usec_t began_us = wall.unix_us - (now_us - result->started_us);
    usec_t ended_us = began_us + result->duration_us;
    return maintenance_holds(agent->config, probe, began_us / USEC_PER_MSEC) ||
           maintenance_holds(agent->config, probe, ended_us / USEC_PER_MSEC);
}

/* Counts and keeps one result, `incoming`. */
static void book_result(struct agent *agent, bool held_back, usec_t now_us)
{
    struct result *result = &agent->incoming;
    unsigned target = result->target;
    result->maintenance = is_in_maintenance(agent, result, now_us);
    struct target_state *state = &agent->states[target];
    store_result(&agent->store, target, result);
    if (!agent->seen[target] || agent->last[target].outcome != result->outcome) {
        log_change(agent, result, now_us);
        state->changed_us = now_us;
    }
    if (result->outcome != OUTCOME_SUCCESS && !held_back) {
        remember_failure(state, result, now_us);
    }
    state->held_back = held_back;
    agent->last[target] = *result;
    agent->seen[target] = true;
    trail_add(&agent->trails[target], result->outcome, result->duration_us);
}

/* A target runs once at a time, so no turn can find more results than there are targets. */
static void collect_results(struct agent *agent, usec_t now_us)
{
    const struct prober *prober = &agent->ports.prober;
    for (unsigned i = 0; i < agent->config->target_count; i++) {
        if (!prober->collect(prober->context, &agent->incoming)) {
            return;
        }
        unsigned target = agent->incoming.target;
        assert(target < agent->schedule.count && agent->schedule.entries[target].running);
        schedule_ended(&agent->schedule, target);
        agent->runs_in_flight--;
        agent_care_ended(agent, target, now_us);
        book_result(agent, false, now_us);
    }
}

/* Starts. */

static void count_missed(struct agent *agent, usec_t now_us)
{
    for (unsigned i = 0; i < agent->schedule.count; i++) {
        uint64_t missed = agent_care_admits(agent, i, now_us)
                              ? schedule_missed(&agent->schedule, i, now_us)
                              : schedule_abandon(&agent->schedule, i, now_us);
        store_missed(&agent->store, i, missed);
    }
}

/* What keeps the probes behind `parent` from telling anything about their own targets; NULL when
 * nothing does. A parent that was itself held back passes that on: the chain needs no walk. */
static const char *trouble_of(const struct agent *agent, const struct config_probe *parent)
{
    const char *trouble = NULL;
    for (unsigned i = 0; i < parent->target_count; i++) {
        unsigned target = parent->first_target + i;
        if (agent->seen[target] && agent->last[target].outcome == OUTCOME_FAILURE) {
            return "failing";
        }
        if (agent->states[target].held_back) {
            trouble = "unknown";
        }
    }
    return trouble;
}

static void note_start(struct agent *agent, unsigned target, usec_t now_us)
{
    usec_t lateness_us = schedule_started(&agent->schedule, target, now_us);
    agent->lateness_max_us = usec_max(agent->lateness_max_us, lateness_us);
}

/* True when a due target was answered without a run, because what it depends on is in trouble. */
static bool hold_back(struct agent *agent, unsigned target, usec_t now_us)
{
    const struct config *config = agent->config;
    const struct config_probe *probe = config_target_probe(config, target);
    if (probe->depends_on == CONFIG_NO_PROBE) {
        return false;
    }
    const struct config_probe *parent = &config->probes[probe->depends_on];
    const char *trouble = trouble_of(agent, parent);
    if (trouble == NULL) {
        return false;
    }
    note_start(agent, target, now_us);
    schedule_ended(&agent->schedule, target);
    result_init(&agent->incoming, (uint16_t)target, now_us);
    result_unknown(&agent->incoming, PHASE_NONE, "depends_on %s is %s",
                   config_probe_name(config, parent), trouble);
    book_result(agent, true, now_us);
    return true;
}

static bool start_run(struct agent *agent, unsigned target, usec_t now_us)
{
    const struct prober *prober = &agent->ports.prober;
    usec_t timeout_us = config_target_probe(agent->config, target)->timeout_us;
    if (agent->runs_in_flight >= agent->concurrency) {
        return false;
    }
    if (!prober->start(prober->context, (uint16_t)target, now_us, now_us + timeout_us)) {
        agent->start_retry_us = now_us + START_RETRY_US;
        return false;
    }
    agent->runs_in_flight++;
    agent->states[target].run_until_us = now_us + timeout_us;
    note_start(agent, target, now_us);
    return true;
}

/* The first one that finds no room is the first one asked in the next turn. */
static void start_due(struct agent *agent, usec_t now_us)
{
    unsigned count = agent->schedule.count, first = agent->next_start;
    bool room = true, any = false;
    agent->start_retry_us = USEC_NEVER;
    for (unsigned i = 0; i < count; i++) {
        unsigned target = (first + i) % count;
        if (!schedule_is_due(&agent->schedule, target, now_us) ||
            hold_back(agent, target, now_us)) {
            continue;
        }
        if (room && !start_run(agent, target, now_us)) {
            room = false;
            agent->next_start = target;
        }
        any = any || room;
    }
    agent_care_started(agent, any, !room);
}

/* Turns. */

/* What the store has done goes into the ledger behind it, with records that wait for a commit
 * anyway: a record of each commit would ask for the next. */
static void follow_store(struct agent *agent)
{
    const struct store_numbers *numbers = &agent->store.numbers;
    const uint64_t known[] = {
        [LEDGER_STORE_WRITTEN - LEDGER_STORE_WRITTEN] = numbers->blocks_written,
        [LEDGER_DROPPED_WRAP - LEDGER_STORE_WRITTEN] = numbers->dropped_wrap,
        [LEDGER_DROPPED_MEMORY - LEDGER_STORE_WRITTEN] = numbers->dropped_memory,
        [LEDGER_DROPPED_DAMAGED - LEDGER_STORE_WRITTEN] = numbers->dropped_damaged,
    };
    if (agent->ports.store.block_count == 0 || numbers->uncommitted_since_us == USEC_NEVER) {
        return;
    }
    for (unsigned i = 0; i < ARRAY_LEN(known); i++) {
        uint64_t told = store_ledger(&agent->store)->totals.counters[LEDGER_STORE_WRITTEN + i];
        if (known[i] > told) {
            store_count(&agent->store, LEDGER_STORE_WRITTEN + i, known[i] - told);
        }
    }
}

static usec_t step_running(struct agent *agent, usec_t now_us)
{
    count_missed(agent, now_us);
    follow_store(agent);
    start_due(agent, now_us);
    if (agent_push_ready(agent, now_us)) {
        agent_push_begin(agent, now_us, now_us + agent->push.timeout_us);
    }
    usec_t wake_us = usec_min(schedule_wake(&agent->schedule, now_us), agent_push_wake(agent));
    return usec_min(wake_us, agent->start_retry_us);
}

static usec_t step_opening(struct agent *agent, usec_t now_us)
{
    bool stops = agent->stop_deadline_us != USEC_NEVER;
    if (!store_opened(&agent->store)) {
        if (stops && now_us >= agent->stop_deadline_us) {
            agent_set_state(agent, AGENT_STOPPED);
        }
        return agent->stop_deadline_us; /* the store knows when it wants to go on */
    }
    begin_running(agent, now_us);
    store_clock(&agent->store, clock_wall(&agent->ports.clock));
    if (stops) { /* the tail may hold what a dead process did not get to commit and push */
        agent_set_state(agent, AGENT_DRAINING);
        return agent_step_end(agent, now_us);
    }
    return step_running(agent, now_us);
}

/* Wall time is taken once a turn: it stamps the log, and the start once it is known. */
static void note_wall_time(struct agent *agent, usec_t now_us)
{
    struct wall_time wall = clock_wall(&agent->ports.clock);
    if (agent->start_unix_us == 0 && wall.trusted) {
        agent->start_unix_us = wall.unix_us - (now_us - agent->started_us);
    }
    if (agent->state != AGENT_OPENING && agent->state != AGENT_CLOSING) {
        store_clock(&agent->store, wall);
    }
}

static usec_t step_state(struct agent *agent, usec_t now_us)
{
    if (agent->state == AGENT_OPENING) {
        return step_opening(agent, now_us);
    }
    if (agent->state == AGENT_RUNNING || agent->state == AGENT_DRAINING) {
        collect_results(agent, now_us);
    }
    if (agent->state != AGENT_CLOSING) {
        agent_push_collect(agent, now_us);
    }
    return agent->state == AGENT_RUNNING ? step_running(agent, now_us)
                                         : agent_step_end(agent, now_us);
}

usec_t agent_step(struct agent *agent, usec_t now_us)
{
    if (agent->state == AGENT_STOPPED) {
        return USEC_NEVER;
    }
    agent->passes++;
    agent->stepped_us = now_us;
    vital_progress(agent->ports.vitals, VITAL_LOOP);
    (void)store_step(&agent->store, now_us);
    note_wall_time(agent, now_us);
    usec_t wake_us = step_state(agent, now_us);
    if (agent->state == AGENT_STOPPED) {
        return USEC_NEVER;
    }
    wake_us = usec_min(wake_us, store_step(&agent->store, now_us));
    return usec_min(wake_us, agent_care_step(agent, now_us));
}

void agent_loop_lag(struct agent *agent, usec_t lag_us)
{
    agent->loop_lag_us = usec_max(agent->loop_lag_us, lag_us);
}
