/* One turn goes: results in, reply in, misses counted, runs started, push begun. What a turn finds
 * to do depends on the time and on what the ports hand over, never on how often it is called. */
#include "agent.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "agent_push.h"
#include "hash.h"

/* How soon a prober that refused a start is asked again, when no run ends before. */
#define START_RETRY_US (100 * USEC_PER_MSEC)

/* Begin. */

static void init_targets(struct agent *agent, usec_t now_us)
{
    const struct config *config = agent->config;
    agent->schedule.count = 0;
    for (unsigned i = 0; i < config->target_count; i++) {
        const struct config_probe *probe = config_target_probe(config, i);
        usec_t phase_us = schedule_phase(config_site(config), config_probe_name(config, probe),
                                         config_instance(config, i), probe->interval_us);
        schedule_add(&agent->schedule, probe->enabled ? probe->interval_us : 0, phase_us, now_us);
        sli_init(&agent->slis[i], probe);
        agent->seen[i] = false;
        memset(&agent->states[i], 0, sizeof agent->states[i]);
    }
}

static void init_push(struct agent *agent, usec_t now_us)
{
    const struct config *config = agent->config;
    bool on = config_text(config, &config->push, PUSH_URL, NULL) != NULL;
    usec_t interval_us = on ? config_number(config, &config->push, PUSH_INTERVAL) : 0;
    push_init(&agent->push, interval_us, config_number(config, &config->push, PUSH_TIMEOUT),
              hash64_strings("push", config_site(config), ""), now_us);
    agent->push_failing_since_us = 0;
}

void agent_init(struct agent *agent, const struct config *config, const struct agent_ports *ports,
                void *body, size_t body_size, usec_t now_us)
{
    int64_t concurrency = config_number(config, &config->agent, AGENT_CONCURRENCY);
    agent->config = config;
    agent->ports = *ports;
    agent->state = AGENT_RUNNING;
    agent->runs_in_flight = 0;
    agent->concurrency = concurrency < 1          ? 1
                         : concurrency > CAP_RUNS ? CAP_RUNS
                                                  : (unsigned)concurrency;
    agent->next_start = 0;
    agent->start_retry_us = USEC_NEVER;
    agent->started_us = now_us;
    agent->stepped_us = now_us;
    agent->start_unix_us = 0;
    agent->lateness_max_us = 0;
    agent->loop_lag_us = 0;
    agent->passes = 0;
    agent->drain_until_us = USEC_NEVER;
    agent->stop_deadline_us = USEC_NEVER;
    buffer_init(&agent->body, body, body_size);
    init_targets(agent, now_us);
    init_push(agent, now_us);
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

/* Counts and keeps one result, `incoming`. */
static void book_result(struct agent *agent, bool held_back, usec_t now_us)
{
    const struct result *result = &agent->incoming;
    unsigned target = result->target;
    struct target_state *state = &agent->states[target];
    struct record record = record_of_result(target + 1, result);
    sli_add(&agent->slis[target], &record);
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
        book_result(agent, false, now_us);
    }
}

/* Starts. */

static void count_missed(struct agent *agent, usec_t now_us)
{
    for (unsigned i = 0; i < agent->schedule.count; i++) {
        agent->slis[i].missed += schedule_missed(&agent->schedule, i, now_us);
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
    note_start(agent, target, now_us);
    return true;
}

/* The first one that finds no room is the first one asked in the next turn. */
static void start_due(struct agent *agent, usec_t now_us)
{
    unsigned count = agent->schedule.count, first = agent->next_start;
    bool room = true;
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
    }
}

/* Turns. */

static usec_t step_running(struct agent *agent, usec_t now_us)
{
    count_missed(agent, now_us);
    start_due(agent, now_us);
    if (push_is_due(&agent->push, now_us)) {
        agent_push_begin(agent, now_us, now_us + agent->push.timeout_us);
    }
    usec_t wake_us = usec_min(schedule_wake(&agent->schedule, now_us), push_wake(&agent->push));
    return usec_min(wake_us, agent->start_retry_us);
}

/* A start that nobody will make any more is missed, and so is a run that is cut off. */
static void give_up_starts(struct agent *agent, usec_t now_us)
{
    for (unsigned i = 0; i < agent->schedule.count; i++) {
        agent->slis[i].missed += schedule_abandon(&agent->schedule, i, now_us);
    }
}

static void give_up_runs(struct agent *agent)
{
    const struct prober *prober = &agent->ports.prober;
    prober->cancel_all(prober->context);
    for (unsigned i = 0; i < agent->schedule.count; i++) {
        if (agent->schedule.entries[i].running) {
            schedule_ended(&agent->schedule, i);
            agent->slis[i].missed++;
        }
    }
    agent->runs_in_flight = 0;
}

static void set_state(struct agent *agent, enum agent_state state)
{
    assert(state > agent->state);
    agent->state = state;
}

static usec_t step_final_push(struct agent *agent, usec_t now_us)
{
    if (agent->push.state != PUSH_IN_FLIGHT || now_us >= agent->stop_deadline_us) {
        set_state(agent, AGENT_STOPPED);
        return USEC_NEVER;
    }
    return agent->stop_deadline_us;
}

/* Runs may take what is left until the deadline but for the share of the final push. */
static void share_out_time(struct agent *agent, usec_t now_us)
{
    usec_t left_us = usec_max(agent->stop_deadline_us - now_us, 0);
    bool pushes = agent->push.state != PUSH_OFF;
    usec_t reserve_us = pushes ? usec_min(agent->push.timeout_us, left_us / 2) : 0;
    agent->drain_until_us = agent->stop_deadline_us - reserve_us;
}

static usec_t step_draining(struct agent *agent, usec_t now_us)
{
    if (agent->drain_until_us == USEC_NEVER) {
        share_out_time(agent, now_us);
    }
    give_up_starts(agent, now_us);
    if (agent->runs_in_flight > 0 && now_us >= agent->drain_until_us) {
        give_up_runs(agent);
    }
    if (now_us >= agent->stop_deadline_us) {
        set_state(agent, AGENT_STOPPED);
        return USEC_NEVER;
    }
    if (agent->runs_in_flight > 0) {
        return agent->drain_until_us;
    }
    if (agent->push.state == PUSH_IN_FLIGHT) {
        return agent->stop_deadline_us;
    }
    if (agent->push.state == PUSH_OFF) {
        set_state(agent, AGENT_STOPPED);
        return USEC_NEVER;
    }
    set_state(agent, AGENT_FINAL_PUSH);
    agent_push_begin(agent, now_us,
                     usec_min(now_us + agent->push.timeout_us, agent->stop_deadline_us));
    return step_final_push(agent, now_us);
}

static void note_start_time(struct agent *agent, usec_t now_us)
{
    if (agent->start_unix_us == 0) {
        struct wall_time wall = clock_wall(&agent->ports.clock);
        agent->start_unix_us = wall.trusted ? wall.unix_us - (now_us - agent->started_us) : 0;
    }
}

usec_t agent_step(struct agent *agent, usec_t now_us)
{
    if (agent->state == AGENT_STOPPED) {
        return USEC_NEVER;
    }
    agent->passes++;
    agent->stepped_us = now_us;
    note_start_time(agent, now_us);
    collect_results(agent, now_us);
    agent_push_collect(agent, now_us);
    switch (agent->state) {
    case AGENT_DRAINING:
        return step_draining(agent, now_us);
    case AGENT_FINAL_PUSH:
        return step_final_push(agent, now_us);
    default:
        return step_running(agent, now_us);
    }
}

void agent_loop_lag(struct agent *agent, usec_t lag_us)
{
    agent->loop_lag_us = usec_max(agent->loop_lag_us, lag_us);
}

/* End. */

void agent_stop(struct agent *agent, usec_t deadline_us)
{
    if (agent->state == AGENT_RUNNING) {
        set_state(agent, AGENT_DRAINING);
    }
    if (deadline_us < agent->stop_deadline_us) {
        agent->stop_deadline_us = deadline_us;
        agent->drain_until_us = USEC_NEVER; /* shared out by the next turn, which knows the time */
    }
}

bool agent_stopped(const struct agent *agent)
{
    return agent->state == AGENT_STOPPED;
}
