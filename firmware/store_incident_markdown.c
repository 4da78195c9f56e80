/* An incident as Markdown, with tables as GitHub has them. */
#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "status_table.h"
#include "store_incident.h"

static struct store_names names;

/* What Markdown would read as more than text gets a backslash; an underscore within a word is one.
 */
static void append_plain(struct buffer *out, const char *text)
{
    for (unsigned char before = ' '; *text != '\0'; before = (unsigned char)*text++) {
        bool inner = *text == '_' && isalnum(before) && isalnum((unsigned char)text[1]);
        if (!inner && strchr("\\`*_{}[]<>#|~&!", *text) != NULL) {
            buffer_append_byte(out, '\\');
        }
        buffer_append_byte(out, iscntrl((unsigned char)*text) ? ' ' : (uint8_t)*text);
    }
}

static void append_words(struct buffer *out, const struct store_view *view,
                         const struct incident_event *event)
{
    static char memory[INCIDENT_WORDS_BYTES];
    struct buffer words;
    buffer_init(&words, memory, sizeof memory);
    incident_words(&words, &view->image.ledger, event);
    append_plain(out, buffer_text(&words));
}

static void append_target(struct buffer *out, const struct store_view *view, int entry)
{
    store_names(&names, &view->image.ledger, entry);
    append_plain(out, names.probe);
    buffer_append_string(out, " (");
    append_plain(out, names.instance);
    buffer_append_byte(out, ')');
}

static void print_summary(const struct incident *incident, const struct store_view *view)
{
    struct buffer out = incident_line();
    const struct incident_event *first = NULL;
    unsigned failing = 0;
    for (unsigned i = 0; i < incident->event_count && first == NULL; i++) {
        first = incident->events[i].sort == INCIDENT_FAILURE ? &incident->events[i] : NULL;
    }
    for (unsigned i = 0; i < view->image.ledger.totals.sli_count; i++) {
        failing += incident->targets[i].results[OUTCOME_FAILURE] > 0 ? 1 : 0;
    }
    buffer_append_string(&out, "# Incident from ");
    incident_time(&out, incident->from_ms);
    buffer_append_string(&out, " to ");
    incident_time(&out, incident->to_ms);
    buffer_append_string(&out, "\n\n- First failure: ");
    if (first != NULL) {
        incident_time(&out, first->at_ms);
        buffer_append_string(&out, ", ");
        append_target(&out, view, first->entry);
        append_words(&out, view, first);
    } else {
        buffer_append_string(&out, "none");
    }
    buffer_printf(&out,
                  "\n- Targets that failed: %u\n- Starts of the agent: %" PRIu64
                  "\n- Pushes: %" PRIu64 " accepted, %" PRIu64 " not\n- Results: %" PRIu64 "\n",
                  failing, incident->starts, incident->pushes_accepted, incident->pushes_lost,
                  incident->results);
    incident_put(&out);
}

/* What the log cannot tell. */
static void print_limits(const struct incident *incident, const struct store_view *view)
{
    struct buffer out = incident_line();
    if (!incident->known) {
        buffer_append_string(&out, "- The log has no result whose time is known.\n");
    } else if (incident->known_from_ms > incident->from_ms) {
        buffer_append_string(&out, "- Nothing is known before ");
        incident_time(&out, incident->known_from_ms);
        buffer_append_string(&out, ", where the log begins");
        if (view->tally.dropped_wrap > 0) {
            buffer_printf(&out, ": %" PRIu64 " older results were given up for newer ones",
                          view->tally.dropped_wrap);
        }
        buffer_append_string(&out, ".\n");
    }
    if (incident->known && incident->known_to_ms < incident->to_ms) {
        buffer_append_string(&out, "- Nothing is known after ");
        incident_time(&out, incident->known_to_ms);
        buffer_append_string(&out, ", where the log ends.\n");
    }
    if (incident->untimed > 0) {
        buffer_printf(&out,
                      "- %" PRIu64 " results of boots whose clock was never trusted could "
                      "be of any time, and are not here.\n",
                      incident->untimed);
    }
    if (incident->untimed_starts > 0) {
        buffer_printf(&out,
                      "- The agent started %" PRIu64 " times on such boots; these are not here "
                      "either.\n",
                      incident->untimed_starts);
    }
    if (incident->unnamed > 0) {
        buffer_printf(&out,
                      "- %" PRIu64 " results are of targets whose names are gone; they are in no "
                      "table.\n",
                      incident->unnamed);
    }
    if (incident->known && incident->results == 0) {
        buffer_append_string(&out, "- The log has no result of this time.\n");
    }
    incident_put(&out);
}

static void print_timeline(const struct incident *incident, const struct store_view *view)
{
    puts("\n## Timeline\n");
    for (unsigned i = 0; i < incident->event_count; i++) {
        const struct incident_event *event = &incident->events[i];
        struct buffer out = incident_line();
        buffer_append_string(&out, "- ");
        incident_time(&out, event->at_ms);
        buffer_append_string(&out, event->corrected ? "~ " : " ");
        if (event->entry >= 0) {
            append_target(&out, view, event->entry);
        }
        append_words(&out, view, event);
        buffer_append_byte(&out, '\n');
        incident_put(&out);
    }
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

static void append_mean(struct buffer *out, usec_t sum_us, uint64_t count)
{
    buffer_append_byte(out, ' ');
    if (count > 0) {
        status_append_milliseconds(out, sum_us / (usec_t)count);
    }
    buffer_append_string(out, " |");
}

static void print_targets(const struct incident *incident, const struct store_view *view)
{
    puts("\n## Targets\n\n"
         "| target | success | failure | unknown | missed | maintenance | first failure | last "
         "failure | reasons | mean success (ms) | before (ms) |\n"
         "|---|--:|--:|--:|--:|--:|---|---|---|--:|--:|");
    for (unsigned i = 0; i < view->image.ledger.totals.sli_count; i++) {
        const struct incident_target *target = &incident->targets[i];
        struct buffer out = incident_line();
        if (!incident_has(target)) {
            continue;
        }
        buffer_append_string(&out, "| ");
        append_target(&out, view, (int)i);
        buffer_printf(&out, " | %" PRIu64 " | %" PRIu64 " | %" PRIu64 " | %" PRIu64 " | %" PRIu64,
                      target->results[OUTCOME_SUCCESS], target->results[OUTCOME_FAILURE],
                      target->results[OUTCOME_UNKNOWN], target->missed, target->maintenance);
        buffer_append_string(&out, " | ");
        if (target->first_failure_ms > 0) {
            incident_time(&out, target->first_failure_ms);
            buffer_append_string(&out, " | ");
            incident_time(&out, target->last_failure_ms);
        } else {
            buffer_append_string(&out, " | ");
        }
        buffer_append_string(&out, " | ");
        append_reasons(&out, target);
        buffer_append_string(&out, " |");
        append_mean(&out, target->success_us, target->results[OUTCOME_SUCCESS]);
        append_mean(&out, target->before_us, target->before);
        buffer_append_byte(&out, '\n');
        incident_put(&out);
    }
}

static void print_budgets(const struct incident *incident, const struct store_view *view,
                          const struct config *config)
{
    struct incident_budget budget = {.begun = false};
    bool titled = false;
    while (incident_budget_next(incident, view, config, &budget)) {
        struct buffer out = incident_line();
        if (!titled) {
            puts("\n## Error budgets\n\nWhat this time took of the budget of the window up to the "
                 "log's end.\n\n"
                 "| target | objective | good | bad | budget spent |\n|---|---|--:|--:|--:|");
            titled = true;
        }
        buffer_append_string(&out, "| ");
        if (budget.group == NULL) {
            append_target(&out, view, (int)budget.section);
        }
        buffer_append_string(&out, " | ");
        append_plain(&out, budget.name);
        buffer_printf(&out, " %g%% | %" PRIu64 " | %" PRIu64 " | ",
                      (double)budget.slo->objective_ppm / 1e4, budget.events.good,
                      budget.events.bad);
        if (isnan(budget.spent)) {
            buffer_append_string(&out, "- |\n");
        } else {
            buffer_printf(&out, "%.1f%% |\n", budget.spent * 100);
        }
        incident_put(&out);
    }
}

void store_incident_markdown(const struct incident *incident, const struct store_view *view,
                             const struct config *config)
{
    print_summary(incident, view);
    print_limits(incident, view);
    print_timeline(incident, view);
    print_targets(incident, view);
    if (config != NULL) {
        print_budgets(incident, view, config);
    }
}
