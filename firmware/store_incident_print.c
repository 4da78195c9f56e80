/* An incident as Markdown (GitHub flavoured tables) for people, as one JSON object for programs. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "json.h"
#include "metrics.h"
#include "rfc3339.h"
#include "rollout.h"
#include "site_action.h"
#include "status_table.h"
#include "store_incident.h"
#include "upstream.h"

enum { TEXT_BYTES = 8192 };

static char memory[TEXT_BYTES];
static struct store_names names;

static struct buffer begin(void)
{
    struct buffer out;
    buffer_init(&out, memory, sizeof memory);
    return out;
}

static void flush(struct buffer *out)
{
    fputs(buffer_text(out), stdout);
}

/* What Markdown would read as more than text gets a backslash. */
static void append_plain(struct buffer *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (strchr("\\`*_{}[]<>#|~&!", *text) != NULL) {
            buffer_append_byte(out, '\\');
        }
        buffer_append_byte(out, (uint8_t)*text);
    }
}

static void append_time(struct buffer *out, int64_t unix_ms)
{
    char text[RFC3339_BYTES];
    (void)rfc3339_print(unix_ms, text);
    buffer_append_string(out, text);
}

static void append_target(struct buffer *out, const struct store_view *view, int entry)
{
    store_names(&names, &view->image.ledger, entry);
    append_plain(out, names.probe);
    buffer_append_string(out, " (");
    append_plain(out, names.instance);
    buffer_append_byte(out, ')');
}

/* The timeline. */

static const char *const sort_names[] = {
    [INCIDENT_FAILURE] = "failure",     [INCIDENT_RECOVERY] = "recovery",
    [INCIDENT_START] = "start",         [INCIDENT_COUNTER] = "agent",
    [INCIDENT_PUSH_LOST] = "push_lost", [INCIDENT_PUSH_RESUMED] = "push_resumed",
    [INCIDENT_CLOCK] = "clock",         [INCIDENT_GAP] = "gap",
};

static void append_counter(struct buffer *out, unsigned code, uint64_t count)
{
    if (code < LEDGER_STORE_ERROR_END) {
        buffer_printf(out, "store: %" PRIu64 " operations failed (%s)", count,
                      block_error_name((enum block_error)(code - LEDGER_STORE_ERROR_FIRST)));
    } else if (code == LEDGER_STORE_HUNG) {
        buffer_printf(out, "store: %" PRIu64 " operations hung", count);
    } else if (code == LEDGER_DROPPED_MEMORY || code == LEDGER_DROPPED_DAMAGED) {
        buffer_printf(out, "store: %" PRIu64 " results lost (%s)", count,
                      code == LEDGER_DROPPED_MEMORY ? "memory was full" : "damage");
    } else if (code < LEDGER_CARE_END) {
        buffer_printf(out, "recovery: %s, %" PRIu64 " times",
                      care_name((enum care)(code - LEDGER_CARE_FIRST)), count);
    } else if (code < LEDGER_ROLLBACK_END) {
        buffer_printf(out, "the file's configuration was left: %s",
                      rollout_reason_name((enum rollout_reason)(code - LEDGER_ROLLBACK_FIRST)));
    } else {
        buffer_printf(
            out, "site action: %s, %" PRIu64 " times",
            site_action_result_name((enum site_action_result)(code - LEDGER_ACTION_FIRST)), count);
    }
}

static void append_streak(struct buffer *out, const struct incident_event *event)
{
    if (event->count > 1) {
        buffer_printf(out, ", %" PRIu64 " alike until ", event->count);
        append_time(out, event->until_ms);
    }
    if (event->since_ms < event->at_ms) {
        buffer_append_string(out, "; since ");
        append_time(out, event->since_ms);
    }
}

static void append_failure(struct buffer *out, const struct incident_event *event)
{
    buffer_printf(out, " fails: %s", reason_name(event->reason));
    if (event->phase != PHASE_NONE) {
        buffer_printf(out, " in %s", phase_name(event->phase));
    }
    buffer_append_string(out, " after ");
    status_append_milliseconds(out, event->duration_us);
    buffer_append_string(out, " ms");
    append_streak(out, event);
}

static void append_recovery(struct buffer *out, const struct incident_event *event)
{
    buffer_printf(out, " after %" PRIu64 " failures in ", event->count);
    status_append_age(out, (event->at_ms - event->since_ms) * USEC_PER_MSEC);
}

static void append_start(struct buffer *out, const struct incident_event *event)
{
    buffer_printf(out, "agent started%s", event->rebooted ? " on another boot" : "");
    if (event->code != 0) {
        buffer_printf(out, ", the run before ended by %s", cause_name((enum cause)event->code));
    }
    if (event->silent_ms > 0) {
        buffer_append_string(out, ", nothing was measured for ");
        status_append_age(out, event->silent_ms * USEC_PER_MSEC);
    }
}

static void append_clock(struct buffer *out, const struct incident_event *event)
{
    if (event->code == INCIDENT_CLOCK_STEPPED) {
        buffer_printf(out, "clock stepped by %.3f s", (double)event->step_ms / 1e3);
    } else {
        buffer_append_string(out, event->code == INCIDENT_CLOCK_TRUSTED
                                      ? "clock trusted"
                                      : "clock no longer trusted");
    }
}

/* In words, the target aside. */
static void append_words(struct buffer *out, const struct incident_event *event)
{
    switch (event->sort) {
    case INCIDENT_FAILURE:
        append_failure(out, event);
        break;
    case INCIDENT_RECOVERY:
        buffer_append_string(out, " is well again");
        append_recovery(out, event);
        break;
    case INCIDENT_START:
        append_start(out, event);
        break;
    case INCIDENT_COUNTER:
        append_counter(out, event->code, event->count);
        break;
    case INCIDENT_PUSH_LOST:
        buffer_printf(out, "push not accepted: %s",
                      upstream_class_name((enum upstream_class)event->code));
        append_streak(out, event);
        break;
    case INCIDENT_PUSH_RESUMED:
        buffer_append_string(out, "push accepted again");
        append_recovery(out, event);
        break;
    case INCIDENT_CLOCK:
        append_clock(out, event);
        break;
    case INCIDENT_GAP:
        buffer_printf(out, "%" PRIu64 " records are missing from the log", event->count);
        break;
    }
}

/* Markdown. */

static void print_summary(const struct incident *incident, const struct store_view *view)
{
    struct buffer out = begin();
    const struct incident_event *first = NULL;
    unsigned failing = 0;
    for (unsigned i = 0; i < incident->event_count && first == NULL; i++) {
        first = incident->events[i].sort == INCIDENT_FAILURE ? &incident->events[i] : NULL;
    }
    for (unsigned i = 0; i < view->image.ledger.totals.sli_count; i++) {
        failing += incident->targets[i].results[OUTCOME_FAILURE] > 0 ? 1 : 0;
    }
    buffer_append_string(&out, "# Incident from ");
    append_time(&out, incident->from_ms);
    buffer_append_string(&out, " to ");
    append_time(&out, incident->to_ms);
    buffer_append_string(&out, "\n\n- First failure: ");
    if (first != NULL) {
        append_time(&out, first->at_ms);
        buffer_append_string(&out, ", ");
        append_target(&out, view, first->entry);
        append_words(&out, first);
    } else {
        buffer_append_string(&out, "none");
    }
    buffer_printf(&out,
                  "\n- Targets that failed: %u\n- Starts of the agent: %" PRIu64
                  "\n- Pushes: %" PRIu64 " accepted, %" PRIu64 " not\n- Results: %" PRIu64 "\n",
                  failing, incident->starts, incident->pushes_accepted, incident->pushes_lost,
                  incident->results);
    flush(&out);
}

/* What the log cannot tell. */
static void print_limits(const struct incident *incident)
{
    struct buffer out = begin();
    if (!incident->known) {
        buffer_append_string(&out, "- The log has no result whose time is known.\n");
    } else if (incident->known_from_ms > incident->from_ms) {
        buffer_append_string(&out, "- Nothing is known before ");
        append_time(&out, incident->known_from_ms);
        buffer_append_string(&out, ", where the log begins.\n");
    }
    if (incident->known && incident->known_to_ms < incident->to_ms) {
        buffer_append_string(&out, "- Nothing is known after ");
        append_time(&out, incident->known_to_ms);
        buffer_append_string(&out, ", where the log ends.\n");
    }
    if (incident->untimed > 0) {
        buffer_printf(&out,
                      "- %" PRIu64 " results of boots whose clock was never trusted could "
                      "be of any time, and are not here.\n",
                      incident->untimed);
    }
    if (incident->left_out > 0) {
        buffer_printf(&out,
                      "- %" PRIu64 " further events have no room in the timeline; the "
                      "table counts them.\n",
                      incident->left_out);
    }
    flush(&out);
}

static void print_timeline(const struct incident *incident, const struct store_view *view)
{
    puts("\n## Timeline\n");
    for (unsigned i = 0; i < incident->event_count; i++) {
        const struct incident_event *event = &incident->events[i];
        struct buffer out = begin();
        buffer_append_string(&out, "- ");
        append_time(&out, event->at_ms);
        buffer_append_string(&out, event->corrected ? "~ " : " ");
        if (event->entry >= 0) {
            append_target(&out, view, event->entry);
        }
        append_words(&out, event);
        buffer_append_byte(&out, '\n');
        flush(&out);
    }
}

static bool has_anything(const struct incident_target *target)
{
    return target->results[OUTCOME_SUCCESS] + target->results[OUTCOME_FAILURE] +
               target->results[OUTCOME_UNKNOWN] + target->missed + target->maintenance >
           0;
}

static void append_reasons(struct buffer *out, const struct incident_target *target)
{
    const char *separator = "";
    for (unsigned i = 0; i < REASON_COUNT; i++) {
        if (target->reasons[i] > 0) {
            buffer_printf(out, "%s%s %" PRIu64, separator, reason_name((enum reason)i),
                          target->reasons[i]);
            separator = ", ";
        }
    }
}

static void print_targets(const struct incident *incident, const struct store_view *view)
{
    puts("\n## Targets\n\n"
         "| target | success | failure | unknown | missed | maintenance | first failure | last "
         "failure | reasons | mean success (ms) |\n"
         "|---|--:|--:|--:|--:|--:|---|---|---|--:|");
    for (unsigned i = 0; i < view->image.ledger.totals.sli_count; i++) {
        const struct incident_target *target = &incident->targets[i];
        struct buffer out = begin();
        if (!has_anything(target)) {
            continue;
        }
        buffer_append_string(&out, "| ");
        append_target(&out, view, (int)i);
        buffer_printf(&out, " | %" PRIu64 " | %" PRIu64 " | %" PRIu64 " | %" PRIu64 " | %" PRIu64,
                      target->results[OUTCOME_SUCCESS], target->results[OUTCOME_FAILURE],
                      target->results[OUTCOME_UNKNOWN], target->missed, target->maintenance);
        buffer_append_string(&out, " | ");
        if (target->first_failure_ms > 0) {
            append_time(&out, target->first_failure_ms);
            buffer_append_string(&out, " | ");
            append_time(&out, target->last_failure_ms);
        } else {
            buffer_append_string(&out, " | ");
        }
        buffer_append_string(&out, " | ");
        append_reasons(&out, target);
        buffer_append_string(&out, " | ");
        if (target->results[OUTCOME_SUCCESS] > 0) {
            status_append_milliseconds(&out, target->success_us /
                                                 (usec_t)target->results[OUTCOME_SUCCESS]);
        }
        buffer_append_string(&out, " |\n");
        flush(&out);
    }
}

/* Budgets. */

/* What the incident took of what the window up to the log's end allows; NaN when it has no events.
 */
static double spent_ratio(const struct slo_events *events, struct slo_events window,
                          const struct config_slo *slo)
{
    double allowed = (double)(window.good + window.bad) * (1 - (double)slo->objective_ppm / 1e6);
    return allowed > 0 ? (double)events->bad / allowed : NAN;
}

struct budget {
    char name[METRICS_SLO_NAME_BYTES];
    const struct config_slo *slo;
    struct slo_events events;
    double spent;
};

static struct budget budget_of(const struct incident *incident, const struct store_view *view,
                               const struct config *config, unsigned target, unsigned slo)
{
    const struct config_probe *probe = config_target_probe(config, target);
    usec_t now_us = view->tally.newest.monotonic_ms * USEC_PER_MSEC;
    struct budget budget = {.slo = &probe->slos[slo],
                            .events = incident->targets[target].events[slo]};
    struct slo_events window =
        ledger_slo_events(&view->image.ledger, target, budget.slo, budget.slo->window_us, now_us);
    budget.spent = spent_ratio(&budget.events, window, budget.slo);
    metrics_slo_name(probe, slo, budget.name, sizeof budget.name);
    return budget;
}

static void print_budgets(const struct incident *incident, const struct store_view *view,
                          const struct config *config)
{
    bool begun = false;
    for (unsigned i = 0; i < config->target_count; i++) {
        for (unsigned j = 0; j < config_target_probe(config, i)->slo_count; j++) {
            struct budget budget = budget_of(incident, view, config, i, j);
            struct buffer out = begin();
            if (!begun) {
                puts("\n## Error budgets\n\nWhat this time took of the budget of the window up to "
                     "the log's end.\n\n"
                     "| target | objective | good | bad | budget spent |\n|---|---|--:|--:|--:|");
                begun = true;
            }
            buffer_append_string(&out, "| ");
            append_target(&out, view, (int)i);
            buffer_append_string(&out, " | ");
            append_plain(&out, budget.name);
            buffer_printf(&out, " %g%%", (double)budget.slo->objective_ppm / 1e4);
            buffer_printf(&out, " | %" PRIu64 " | %" PRIu64 " | ", budget.events.good,
                          budget.events.bad);
            if (isnan(budget.spent)) {
                buffer_append_string(&out, "- |\n");
            } else {
                buffer_printf(&out, "%.1f%% |\n", budget.spent * 100);
            }
            flush(&out);
        }
    }
}

/* JSON. */

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

static void json_events(const struct incident *incident, const struct store_view *view)
{
    printf(",\n\"timeline\":[");
    for (unsigned i = 0; i < incident->event_count; i++) {
        const struct incident_event *event = &incident->events[i];
        static char words[1024];
        struct buffer out = begin(), text;
        bool streak = event->sort == INCIDENT_FAILURE || event->sort == INCIDENT_PUSH_LOST;
        buffer_init(&text, words, sizeof words);
        append_words(&text, event);
        buffer_printf(&out, "%s\n{\"event\":\"%s\"", i > 0 ? "," : "", sort_names[event->sort]);
        json_time(&out, "time", event->at_ms);
        json_flag(&out, "time_corrected", event->corrected);
        json_time(&out, "since", event->since_ms);
        json_time(&out, "until", streak ? event->until_ms : 0);
        json_target(&out, view, event->entry);
        json_text(&out, "reason", reason_name(event->reason));
        json_text(&out, "phase", phase_name(event->phase));
        json_count(&out, "count", event->count);
        json_text(&out, "words", buffer_text(&text) + strspn(words, " "));
        buffer_append_byte(&out, '}');
        flush(&out);
    }
    puts("]");
}

static void json_targets(const struct incident *incident, const struct store_view *view)
{
    const char *separator = "";
    printf(",\"targets\":[");
    for (unsigned i = 0; i < view->image.ledger.totals.sli_count; i++) {
        const struct incident_target *target = &incident->targets[i];
        struct buffer out = begin();
        if (!has_anything(target)) {
            continue;
        }
        buffer_printf(&out, "%s\n{\"success\":%" PRIu64, separator,
                      target->results[OUTCOME_SUCCESS]);
        json_count(&out, "failure", target->results[OUTCOME_FAILURE]);
        json_count(&out, "unknown", target->results[OUTCOME_UNKNOWN]);
        json_count(&out, "missed", target->missed);
        json_count(&out, "maintenance", target->maintenance);
        json_time(&out, "first_failure", target->first_failure_ms);
        json_time(&out, "last_failure", target->last_failure_ms);
        json_target(&out, view, (int)i);
        buffer_append_byte(&out, '}');
        flush(&out);
        separator = ",";
    }
    puts("]");
}

static void json_budgets(const struct incident *incident, const struct store_view *view,
                         const struct config *config)
{
    const char *separator = "";
    printf(",\"budgets\":[");
    for (unsigned i = 0; config != NULL && i < config->target_count; i++) {
        for (unsigned j = 0; j < config_target_probe(config, i)->slo_count; j++) {
            struct budget budget = budget_of(incident, view, config, i, j);
            struct buffer out = begin();
            buffer_printf(&out, "%s\n{\"good\":%" PRIu64, separator, budget.events.good);
            json_count(&out, "bad", budget.events.bad);
            json_text(&out, "slo", budget.name);
            json_name(&out, "objective_ratio");
            json_number(&out, (double)budget.slo->objective_ppm / 1e6);
            json_name(&out, "budget_spent_ratio");
            json_number(&out, budget.spent);
            json_target(&out, view, (int)i);
            buffer_append_byte(&out, '}');
            flush(&out);
            separator = ",";
        }
    }
    puts("]}");
}

static void print_json(const struct incident *incident, const struct store_view *view,
                       const struct config *config)
{
    struct buffer out = begin();
    buffer_printf(&out, "{\"results\":%" PRIu64, incident->results);
    json_time(&out, "from", incident->from_ms);
    json_time(&out, "to", incident->to_ms);
    json_time(&out, "known_from", incident->known_from_ms);
    json_time(&out, "known_to", incident->known_to_ms);
    json_count(&out, "untimed_results", incident->untimed);
    json_count(&out, "events_left_out", incident->left_out);
    json_count(&out, "starts", incident->starts);
    json_count(&out, "pushes_accepted", incident->pushes_accepted);
    json_count(&out, "pushes_lost", incident->pushes_lost);
    flush(&out);
    json_events(incident, view);
    json_targets(incident, view);
    json_budgets(incident, view, config);
}

void store_incident_print(const struct incident *incident, const struct store_view *view,
                          const struct config *config, bool json)
{
    if (json) {
        print_json(incident, view, config);
        return;
    }
    print_summary(incident, view);
    print_limits(incident);
    print_timeline(incident, view);
    print_targets(incident, view);
    if (config != NULL) {
        print_budgets(incident, view, config);
    }
}
