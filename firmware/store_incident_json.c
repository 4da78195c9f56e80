/* An incident as one JSON object. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "json.h"
#include "rfc3339.h"
#include "status_render.h"
#include "store_incident.h"

static struct store_names names;

static const char *const sort_names[] = {
    [INCIDENT_FAILURE] = "failure",
    [INCIDENT_RECOVERY] = "recovery",
    [INCIDENT_START] = "start",
    [INCIDENT_COUNTER] = "agent",
    [INCIDENT_MAINTENANCE] = "maintenance",
    [INCIDENT_PUSH_LOST] = "push_lost",
    [INCIDENT_PUSH_RESUMED] = "push_resumed",
    [INCIDENT_CLOCK] = "clock",
    [INCIDENT_GAP] = "gap",
    [INCIDENT_FURTHER] = "further",
};

static void json_time(struct buffer *out, const char *name, int64_t unix_ms)
{
    char text[RFC3339_BYTES] = "";
    if (unix_ms > 0) {
        (void)rfc3339_print(unix_ms, text);
    }
    json_text(out, name, text);
}

static void json_target(struct buffer *out, const struct store_view *view, int entry)
{
    store_names(&names, &view->image.ledger, entry);
    json_text(out, "probe", names.probe);
    json_text(out, "kind", names.kind);
    json_text(out, "instance", names.instance);
}

static void json_causes(struct buffer *out, uint32_t causes)
{
    const char *separator = "";
    json_name(out, "ends_before");
    buffer_append_byte(out, '[');
    for (unsigned i = 0; i < CAUSE_COUNT; i++) {
        if ((causes >> i & 1) != 0) {
            buffer_printf(out, "%s\"%s\"", separator, cause_name((enum cause)i));
            separator = ",";
        }
    }
    buffer_append_byte(out, ']');
}

static void json_events(const struct incident *incident, const struct store_view *view)
{
    printf(",\n\"timeline\":[");
    for (unsigned i = 0; i < incident->event_count; i++) {
        const struct incident_event *event = &incident->events[i];
        static char words[INCIDENT_WORDS_BYTES];
        struct buffer out = incident_line(), text;
        bool streak = event->sort == INCIDENT_FAILURE || event->sort == INCIDENT_PUSH_LOST ||
                      event->sort == INCIDENT_FURTHER || event->sort == INCIDENT_MAINTENANCE;
        buffer_init(&text, words, sizeof words);
        incident_words(&text, &view->image.ledger, event);
        buffer_printf(&out, "%s\n{\"event\":\"%s\"", i > 0 ? "," : "", sort_names[event->sort]);
        json_time(&out, "time", event->at_ms);
        json_flag(&out, "time_corrected", event->corrected);
        json_time(&out, "since", event->since_ms);
        json_time(&out, "until", streak ? event->until_ms : 0);
        json_target(&out, view, event->entry);
        json_text(&out, "reason", reason_name(event->reason));
        json_text(&out, "phase", phase_name(event->phase));
        json_count(&out, "count", event->count);
        json_count(&out, "recoveries", event->ended);
        json_causes(&out, event->causes);
        json_name(&out, "end");
        if (event->end.cause != CAUSE_NONE) {
            status_end_json(&out, &view->image.ledger, &event->end);
        } else {
            buffer_append_string(&out, "null");
        }
        json_text(&out, "words", buffer_text(&text) + strspn(words, " "));
        buffer_append_byte(&out, '}');
        incident_put(&out);
    }
    puts("]");
}

static void json_reasons(struct buffer *out, const struct incident_target *target)
{
    const char *separator = "";
    json_name(out, "reasons");
    buffer_append_byte(out, '{');
    for (unsigned i = 0; i < REASON_COUNT; i++) {
        if (target->reasons[i] > 0) {
            buffer_printf(out, "%s\"%s\":%" PRIu64, separator, reason_name((enum reason)i),
                          target->reasons[i]);
            separator = ",";
        }
    }
    buffer_append_byte(out, '}');
}

static void json_mean(struct buffer *out, const char *name, usec_t sum_us, uint64_t count)
{
    json_name(out, name);
    json_number(out, count > 0 ? (double)sum_us / (double)count / USEC_PER_SEC : NAN);
}

static void json_targets(const struct incident *incident, const struct store_view *view)
{
    const char *separator = "";
    printf(",\"targets\":[");
    for (unsigned i = 0; i < view->image.ledger.totals.sli_count; i++) {
        const struct incident_target *target = &incident->targets[i];
        struct buffer out = incident_line();
        if (!incident_has(target)) {
            continue;
        }
        buffer_printf(&out, "%s\n{\"success\":%" PRIu64, separator,
                      target->results[OUTCOME_SUCCESS]);
        json_count(&out, "failure", target->results[OUTCOME_FAILURE]);
        json_count(&out, "unknown", target->results[OUTCOME_UNKNOWN]);
        json_count(&out, "missed", target->missed);
        json_count(&out, "maintenance", target->maintenance);
        json_reasons(&out, target);
        json_mean(&out, "success_mean_seconds", target->success_us,
                  target->results[OUTCOME_SUCCESS]);
        json_mean(&out, "success_mean_before_seconds", target->before_us, target->before);
        json_time(&out, "first_failure", target->first_failure_ms);
        json_time(&out, "last_failure", target->last_failure_ms);
        json_target(&out, view, (int)i);
        buffer_append_byte(&out, '}');
        incident_put(&out);
        separator = ",";
    }
    puts("]");
}

static void json_budgets(const struct incident *incident, const struct store_view *view,
                         const struct config *config)
{
    struct incident_budget budget = {.begun = false};
    const char *separator = "";
    printf(",\"budgets\":[");
    while (config != NULL && incident_budget_next(incident, view, config, &budget)) {
        struct buffer out = incident_line();
        buffer_printf(&out, "%s\n{\"good\":%" PRIu64, separator, budget.events.good);
        json_count(&out, "bad", budget.events.bad);
        json_text(&out, "slo", budget.name);
        json_name(&out, "objective_ratio");
        json_number(&out, (double)budget.slo->objective_ppm / 1e6);
        json_name(&out, "budget_spent_ratio");
        json_number(&out, budget.spent);
        json_target(&out, view, budget.group == NULL ? (int)budget.section : -1);
        buffer_append_byte(&out, '}');
        incident_put(&out);
        separator = ",";
    }
    puts("]}");
}

void store_incident_json(const struct incident *incident, const struct store_view *view,
                         const struct config *config)
{
    struct buffer out = incident_line();
    buffer_printf(&out, "{\"results\":%" PRIu64, incident->results);
    json_time(&out, "from", incident->from_ms);
    json_time(&out, "to", incident->to_ms);
    json_time(&out, "known_from", incident->known_from_ms);
    json_time(&out, "known_to", incident->known_to_ms);
    json_count(&out, "untimed_results", incident->untimed);
    json_count(&out, "untimed_starts", incident->untimed_starts);
    json_count(&out, "unnamed_results", incident->unnamed);
    json_count(&out, "starts", incident->starts);
    json_count(&out, "pushes_accepted", incident->pushes_accepted);
    json_count(&out, "pushes_lost", incident->pushes_lost);
    incident_put(&out);
    json_events(incident, view);
    json_targets(incident, view);
    json_budgets(incident, view, config);
}
