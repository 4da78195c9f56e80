/* Every object is written by one function; `null` stands for what is not known or does not apply,
 * so that each field is always there. */
#include <inttypes.h>
#include <math.h>

#include "buffer.h"
#include "status_render.h"
#include "version.h"

/* A member after the first: ,"name": */
static void append_name(struct buffer *out, const char *name)
{
    buffer_printf(out, ",\"%s\":", name);
}

static void append_null(struct buffer *out, const char *name)
{
    append_name(out, name);
    buffer_append_string(out, "null");
}

/* Empty text is null. */
static void append_text(struct buffer *out, const char *name, const char *text)
{
    append_name(out, name);
    if (text[0] == '\0') {
        buffer_append_string(out, "null");
    } else {
        buffer_append_json_string(out, text);
    }
}

static void append_flag(struct buffer *out, const char *name, bool flag)
{
    append_name(out, name);
    buffer_append_string(out, flag ? "true" : "false");
}

static void append_count(struct buffer *out, const char *name, uint64_t count)
{
    append_name(out, name);
    buffer_printf(out, "%" PRIu64, count);
}

/* JSON knows no infinity. */
static void append_bare_number(struct buffer *out, double value)
{
    if (isfinite(value)) {
        buffer_append_number(out, value);
    } else {
        buffer_append_string(out, "null");
    }
}

static void append_seconds(struct buffer *out, const char *name, usec_t duration_us)
{
    append_name(out, name);
    append_bare_number(out, (double)duration_us / (double)USEC_PER_SEC);
}

/* A Unix time that is 0 while it is not known. */
static void append_date(struct buffer *out, const char *name, int64_t unix_seconds)
{
    if (unix_seconds == 0) {
        append_null(out, name);
    } else {
        append_name(out, name);
        buffer_printf(out, "%" PRId64, unix_seconds);
    }
}

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

static void append_attempts(struct buffer *out, const struct push *push)
{
    for (unsigned i = 0; i < UPSTREAM_CLASS_COUNT; i++) {
        buffer_printf(out, "%s\"%s\":%" PRIu64, i > 0 ? "," : "",
                      upstream_class_name((enum upstream_class)i), push->attempts[i]);
    }
}

static void append_last_reply(struct buffer *out, const struct push *push)
{
    if (push->last_duration_us < 0) {
        append_null(out, "last_result");
        append_null(out, "http_status");
        append_null(out, "note");
        append_null(out, "last_duration_seconds");
        return;
    }
    append_text(out, "last_result", upstream_class_name(push->last_reply.class));
    append_date(out, "http_status", push->last_reply.http_status);
    append_text(out, "note", push->last_reply.note);
    append_seconds(out, "last_duration_seconds", push->last_duration_us);
}

static void append_push(struct buffer *out, const struct push *push, usec_t now_us)
{
    buffer_append_string(out, ",\n\"push\":{\"state\":");
    buffer_append_json_string(out, push_state_name(push->state));
    append_last_reply(out, push);
    if (push->last_success_us > 0) {
        append_seconds(out, "last_success_seconds_ago", now_us - push->last_success_us);
    } else {
        append_null(out, "last_success_seconds_ago");
    }
    if (push->state == PUSH_IDLE) {
        append_seconds(out, "next_in_seconds", usec_max(push->due_us - now_us, 0));
    } else {
        append_null(out, "next_in_seconds");
    }
    append_count(out, "failures_in_row", push->failures_in_row);
    append_name(out, "attempts");
    buffer_append_byte(out, '{');
    append_attempts(out, push);
    buffer_append_string(out, "}}");
}

static void append_phases(struct buffer *out, const struct result *result)
{
    const char *separator = "";
    append_name(out, "phases");
    buffer_append_byte(out, '{');
    for (unsigned i = 0; i < PHASE_COUNT; i++) {
        if ((result->phases_reached & PHASE_BIT(i)) != 0) {
            buffer_printf(out, "%s\"%s\":", separator, phase_name((enum phase)i));
            append_bare_number(out, (double)result->phase_us[i] / (double)USEC_PER_SEC);
            separator = ",";
        }
    }
    buffer_append_byte(out, '}');
}

static void append_facts(struct buffer *out, const struct result *result)
{
    const char *separator = "";
    append_name(out, "facts");
    buffer_append_byte(out, '{');
    for (unsigned i = 0; i < FACT_COUNT; i++) {
        if ((result->facts_set & FACT_BIT(i)) != 0) {
            buffer_printf(out, "%s\"%s\":", separator, fact_name((enum fact)i));
            append_bare_number(out, result->facts[i]);
            separator = ",";
        }
    }
    buffer_append_byte(out, '}');
}

/* The reading of a value the kind names, NULL when it was not read. */
static void append_value(struct buffer *out, const char *name, const struct value_reading *reading)
{
    buffer_append_string(out, "{\"name\":");
    buffer_append_json_string(out, name);
    append_flag(out, "available", reading != NULL && reading->available);
    append_name(out, "value");
    if (reading == NULL || !reading->available) {
        buffer_append_string(out, "null");
    } else if (reading->text[0] != '\0') {
        buffer_append_json_string(out, reading->text);
    } else {
        append_bare_number(out, reading->number);
    }
    buffer_append_byte(out, '}');
}

static void append_values(struct buffer *out, const struct agent *agent, unsigned target)
{
    const struct config_probe *probe = config_target_probe(agent->config, target);
    const struct probe_kind *kind = probe->section.kind;
    const struct result *last = &agent->last[target];
    unsigned known = agent->seen[target] ? last->value_count : 0;
    char name[CAP_NAME_BYTES];
    append_name(out, "values");
    buffer_append_byte(out, '[');
    for (unsigned i = 0; kind->value_name != NULL && i < CAP_VALUES &&
                         kind->value_name(agent->config, &probe->section, i, name, sizeof name);
         i++) {
        buffer_append_string(out, i > 0 ? "," : "");
        append_value(out, name, i < known ? &last->values[i] : NULL);
    }
    buffer_append_byte(out, ']');
}

static void append_tls(struct buffer *out, const struct tls_facts *tls)
{
    if (!tls->certificate && tls->version[0] == '\0') {
        append_null(out, "tls");
        return;
    }
    append_name(out, "tls");
    buffer_printf(out, "{\"certificate\":%s", tls->certificate ? "true" : "false");
    append_text(out, "version", tls->version);
    append_text(out, "cipher", tls->cipher);
    append_text(out, "subject", tls->subject);
    append_text(out, "issuer", tls->issuer);
    append_text(out, "subject_alternative", tls->subject_alternative);
    append_text(out, "serial", tls->serial);
    append_text(out, "fingerprint_sha256", tls->fingerprint_sha256);
    append_date(out, "leaf_not_before", tls->leaf_not_before);
    append_date(out, "leaf_not_after", tls->leaf_not_after);
    append_date(out, "sent_not_after", tls->sent_not_after);
    append_date(out, "verified_not_after", tls->verified_not_after);
    buffer_append_byte(out, '}');
}

static void append_last_failure(struct buffer *out, const struct target_state *state, usec_t now_us)
{
    if (state->last_failure_outcome == OUTCOME_SUCCESS) {
        append_null(out, "last_failure");
        return;
    }
    append_name(out, "last_failure");
    buffer_append_string(out, "{\"outcome\":");
    buffer_append_json_string(out, outcome_name(state->last_failure_outcome));
    append_text(out, "reason", reason_name(state->last_failure_reason));
    append_text(out, "phase", phase_name(state->last_failure_phase));
    append_text(out, "note", state->last_failure_note);
    append_seconds(out, "seconds_ago", now_us - state->last_failure_us);
    buffer_append_byte(out, '}');
}

static void append_counts(struct buffer *out, const struct sli *sli)
{
    append_name(out, "results");
    for (unsigned i = 0; i < OUTCOME_COUNT; i++) {
        buffer_printf(out, "%s\"%s\":%" PRIu64, i > 0 ? "," : "{", outcome_name((enum outcome)i),
                      sli->results[i]);
    }
    buffer_append_byte(out, '}');
    append_count(out, "missed", sli->missed);
}

/* The last run; all null while there is none. */
static void append_last_run(struct buffer *out, const struct agent *agent, unsigned target,
                            usec_t now_us)
{
    const struct result none = {
        .outcome = OUTCOME_COUNT, .reason = REASON_NONE, .phase = PHASE_NONE};
    bool seen = agent->seen[target];
    const struct result *last = seen ? &agent->last[target] : &none;
    append_text(out, "outcome", seen ? outcome_name(last->outcome) : "");
    append_text(out, "reason", reason_name(last->reason));
    append_text(out, "phase", phase_name(last->phase));
    append_text(out, "note", last->note);
    if (seen) {
        append_seconds(out, "since_seconds", now_us - agent->states[target].changed_us);
        append_seconds(out, "duration_seconds", last->duration_us);
    } else {
        append_null(out, "since_seconds");
        append_null(out, "duration_seconds");
    }
    append_phases(out, last);
    append_facts(out, last);
    append_values(out, agent, target);
    append_tls(out, &last->tls);
}

static void append_target(struct buffer *out, const struct agent *agent, unsigned target,
                          usec_t now_us)
{
    const struct config_probe *probe = config_target_probe(agent->config, target);
    buffer_append_string(out, target > 0 ? ",\n{\"probe\":" : "\n{\"probe\":");
    buffer_append_json_string(out, config_probe_name(agent->config, probe));
    append_text(out, "kind", probe->section.kind->name);
    append_text(out, "instance", config_instance(agent->config, target));
    append_flag(out, "enabled", probe->enabled);
    append_flag(out, "held_back", agent->states[target].held_back);
    append_last_run(out, agent, target, now_us);
    append_counts(out, &agent->slis[target]);
    append_last_failure(out, &agent->states[target], now_us);
    buffer_append_byte(out, '}');
}

static void append_slo(struct buffer *out, const struct agent *agent, unsigned target, unsigned slo)
{
    const struct config_probe *probe = config_target_probe(agent->config, target);
    const struct slo_events *events = &agent->slis[target].slos[slo];
    char name[METRICS_SLO_NAME_BYTES];
    metrics_slo_name(probe, slo, name, sizeof name);
    buffer_append_string(out, "\n{\"probe\":");
    buffer_append_json_string(out, config_probe_name(agent->config, probe));
    append_text(out, "instance", config_instance(agent->config, target));
    append_text(out, "slo", name);
    append_name(out, "objective_ratio");
    append_bare_number(out, (double)probe->slos[slo].objective_ppm / 1e6);
    append_seconds(out, "window_seconds", probe->slos[slo].window_us);
    append_count(out, "good", events->good);
    append_count(out, "bad", events->bad);
    append_name(out, "ratio");
    int64_t ppm = status_good_ppm(events->good, events->bad);
    append_bare_number(out, ppm < 0 ? (double)NAN : (double)ppm / 1e6);
    buffer_append_byte(out, '}');
}

static void append_slos(struct buffer *out, const struct agent *agent)
{
    const char *separator = "";
    buffer_append_string(out, ",\n\"slos\":[");
    for (unsigned i = 0; i < agent->config->target_count; i++) {
        for (unsigned j = 0; j < config_target_probe(agent->config, i)->slo_count; j++) {
            buffer_append_string(out, separator);
            append_slo(out, agent, i, j);
            separator = ",";
        }
    }
    buffer_append_string(out, "]}\n");
}

void status_json(const struct agent *agent, usec_t now_us, struct buffer *out)
{
    buffer_append_string(out, "{\"site\":");
    buffer_append_json_string(out, config_site(agent->config));
    append_text(out, "version", picket_version);
    append_text(out, "commit", picket_commit);
    append_seconds(out, "uptime_seconds", now_us - agent->started_us);
    append_flag(out, "clock_trusted", clock_wall(&agent->ports.clock).trusted);
    append_flag(out, "stopping", agent->state != AGENT_RUNNING);
    append_count(out, "runs_in_flight", agent->runs_in_flight);
    append_push(out, &agent->push, now_us);
    buffer_append_string(out, ",\n\"targets\":[");
    for (unsigned i = 0; i < agent->config->target_count; i++) {
        append_target(out, agent, i, now_us);
    }
    buffer_append_byte(out, ']');
    append_slos(out, agent);
}
