/* Every object is written by one function. */
#include <inttypes.h>
#include <math.h>

#include "buffer.h"
#include "json.h"
#include "result_json.h"
#include "status_render.h"
#include "version.h"

static const char *push_state_name(enum push_state state)
{
    switch (state) {
    case PUSH_OFF:
        return "off";
    case PUSH_IDLE:
        return "idle";
    case PUSH_IN_FLIGHT:
        return "in_flight";
    }
    return "invalid";
}

static void append_attempts(struct buffer *out, const struct agent *agent)
{
    const struct store *store = &agent->store;
    static const uint64_t none[LEDGER_COUNTERS];
    const uint64_t *counters = store_opened(store) ? store_ledger(store)->totals.counters : none;
    for (unsigned i = 0; i < UPSTREAM_CLASS_COUNT; i++) {
        buffer_printf(out, "%s\"%s\":%" PRIu64, i > 0 ? "," : "",
                      upstream_class_name((enum upstream_class)i), counters[LEDGER_PUSH_FIRST + i]);
    }
}

static void append_last_reply(struct buffer *out, const struct push *push)
{
    if (push->last_duration_us < 0) {
        json_null(out, "last_result");
        json_null(out, "http_status");
        json_null(out, "note");
        json_null(out, "last_duration_seconds");
        return;
    }
    json_text(out, "last_result", upstream_class_name(push->last_reply.class));
    json_date(out, "http_status", push->last_reply.http_status);
    json_text(out, "note", push->last_reply.note);
    json_seconds(out, "last_duration_seconds", push->last_duration_us);
}

static void append_push(struct buffer *out, const struct agent *agent, usec_t now_us)
{
    const struct push *push = &agent->push;
    buffer_append_string(out, ",\n\"push\":{\"state\":");
    buffer_append_json_string(out, push_state_name(push->state));
    append_last_reply(out, push);
    if (push->last_success_us > 0) {
        json_seconds(out, "last_success_seconds_ago", now_us - push->last_success_us);
    } else {
        json_null(out, "last_success_seconds_ago");
    }
    if (push->state == PUSH_IDLE) {
        json_seconds(out, "next_in_seconds", usec_max(push->due_us - now_us, 0));
    } else {
        json_null(out, "next_in_seconds");
    }
    json_count(out, "failures_in_row", push->failures_in_row);
    json_name(out, "attempts");
    buffer_append_byte(out, '{');
    append_attempts(out, agent);
    buffer_append_string(out, "}}");
}

static void append_last_failure(struct buffer *out, const struct target_state *state, usec_t now_us)
{
    if (state->last_failure_outcome == OUTCOME_SUCCESS) {
        json_null(out, "last_failure");
        return;
    }
    json_name(out, "last_failure");
    buffer_append_string(out, "{\"outcome\":");
    buffer_append_json_string(out, outcome_name(state->last_failure_outcome));
    json_text(out, "reason", reason_name(state->last_failure_reason));
    json_text(out, "phase", phase_name(state->last_failure_phase));
    json_text(out, "note", state->last_failure_note);
    json_seconds(out, "seconds_ago", now_us - state->last_failure_us);
    buffer_append_byte(out, '}');
}

static void append_counts(struct buffer *out, const struct sli *sli)
{
    json_name(out, "results");
    for (unsigned i = 0; i < OUTCOME_COUNT; i++) {
        buffer_printf(out, "%s\"%s\":%" PRIu64, i > 0 ? "," : "{", outcome_name((enum outcome)i),
                      sli->results[i]);
    }
    buffer_append_byte(out, '}');
    json_count(out, "missed", sli->missed);
    json_count(out, "maintenance", sli->maintenance);
}

/* The last run; all null while there is none. */
static void append_last_run(struct buffer *out, const struct agent *agent, unsigned target,
                            usec_t now_us)
{
    const struct result none = {
        .outcome = OUTCOME_COUNT, .reason = REASON_NONE, .phase = PHASE_NONE};
    bool seen = agent->seen[target];
    const struct result *last = seen ? &agent->last[target] : &none;
    json_text(out, "outcome", seen ? outcome_name(last->outcome) : "");
    json_text(out, "reason", reason_name(last->reason));
    json_text(out, "phase", phase_name(last->phase));
    json_text(out, "note", last->note);
    if (seen) {
        json_seconds(out, "since_seconds", now_us - agent->states[target].changed_us);
        json_seconds(out, "duration_seconds", last->duration_us);
    } else {
        json_null(out, "since_seconds");
        json_null(out, "duration_seconds");
    }
    result_json_details(out, agent->config, target, last);
}

static void append_target(struct buffer *out, const struct agent *agent, unsigned target,
                          usec_t now_us)
{
    const struct config_probe *probe = config_target_probe(agent->config, target);
    buffer_append_string(out, target > 0 ? ",\n{\"probe\":" : "\n{\"probe\":");
    buffer_append_json_string(out, config_probe_name(agent->config, probe));
    json_text(out, "kind", probe->section.kind->name);
    json_text(out, "instance", config_instance(agent->config, target));
    json_flag(out, "enabled", probe->enabled);
    json_flag(out, "held_back", agent->states[target].held_back);
    json_flag(out, "in_maintenance", agent->seen[target] && agent->last[target].maintenance);
    append_last_run(out, agent, target, now_us);
    append_counts(out, agent_sli(agent, target));
    append_last_failure(out, &agent->states[target], now_us);
    buffer_append_byte(out, '}');
}

/* Ratios of windows without events are null. */
static void append_budget(struct buffer *out, const struct agent *agent,
                          const struct status_slo *item)
{
    const struct config_slo *slo = item->slo;
    struct slo_events events = status_slo_events(agent, item, slo->window_us);
    const char *separator = "{";
    json_count(out, "window_good", events.good);
    json_count(out, "window_bad", events.bad);
    json_name(out, "budget_remaining_ratio");
    json_number(out, slo_budget_remaining(events, slo->objective_ppm));
    json_name(out, "burn_rates");
    for (unsigned i = 0; i < SLO_BURN_WINDOWS; i++) {
        const struct slo_window *window = &slo_burn_windows[i];
        if (window->duration_us <= slo->window_us) {
            events = status_slo_events(agent, item, window->duration_us);
            buffer_printf(out, "%s\"%s\":", separator, window->name);
            json_number(out, slo_burn_rate(events, slo->objective_ppm));
            separator = ",";
        }
    }
    buffer_append_byte(out, '}');
}

static void append_slo(struct buffer *out, const struct agent *agent, const struct status_slo *item)
{
    struct slo_events events = status_slo_totals(agent, item);
    buffer_append_string(out, "\n{\"probe\":");
    if (item->probe != NULL) {
        buffer_append_json_string(out, item->probe);
    } else {
        buffer_append_string(out, "null");
    }
    json_text(out, "instance", item->instance);
    json_text(out, "slo", item->name);
    json_name(out, "objective_ratio");
    json_number(out, (double)item->slo->objective_ppm / 1e6);
    json_seconds(out, "window_seconds", item->slo->window_us);
    json_count(out, "good", events.good);
    json_count(out, "bad", events.bad);
    json_name(out, "ratio");
    int64_t ppm = status_good_ppm(events.good, events.bad);
    json_number(out, ppm < 0 ? (double)NAN : (double)ppm / 1e6);
    append_budget(out, agent, item);
    buffer_append_byte(out, '}');
}

static void append_slos(struct buffer *out, const struct agent *agent)
{
    const char *separator = "";
    buffer_append_string(out, ",\n\"slos\":[");
    for (struct status_slo item = {.name = ""}; status_next_slo(agent, &item); separator = ",") {
        buffer_append_string(out, separator);
        append_slo(out, agent, &item);
    }
    buffer_append_string(out, "]}\n");
}

void status_json(const struct agent *agent, usec_t now_us, struct buffer *out)
{
    buffer_append_string(out, "{\"site\":");
    buffer_append_json_string(out, config_site(agent->config));
    json_text(out, "version", picket_version);
    json_text(out, "commit", picket_commit);
    json_seconds(out, "uptime_seconds", now_us - agent->started_us);
    json_flag(out, "clock_trusted", clock_wall(&agent->ports.clock).trusted);
    json_flag(out, "stopping", agent->state > AGENT_RUNNING);
    json_count(out, "runs_in_flight", agent->runs_in_flight);
    append_push(out, agent, now_us);
    status_store_json(agent, now_us, out);
    status_recovery_json(agent, out);
    buffer_append_string(out, ",\n\"targets\":[");
    for (unsigned i = 0; i < agent->config->target_count; i++) {
        append_target(out, agent, i, now_us);
    }
    buffer_append_byte(out, ']');
    append_slos(out, agent);
}
