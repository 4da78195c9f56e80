/* What the two forms of an incident have in common: lines, events in words, budgets. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "rfc3339.h"
#include "rollout.h"
#include "site_action.h"
#include "status_table.h"
#include "store_incident.h"
#include "upstream.h"

enum { LINE_BYTES = 8192 };

struct buffer incident_line(void)
{
    static char memory[LINE_BYTES];
    struct buffer out;
    buffer_init(&out, memory, sizeof memory);
    return out;
}

void incident_put(struct buffer *out)
{
    fputs(buffer_text(out), stdout);
}

void incident_time(struct buffer *out, int64_t unix_ms)
{
    char text[RFC3339_BYTES];
    (void)rfc3339_print(unix_ms, text);
    buffer_append_string(out, text);
}

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

/* Between two moments an image may put wherever it likes. */
static void append_age(struct buffer *out, int64_t age_ms)
{
    status_append_age(out,
                      (age_ms < BLOCK_TIME_MAX_MS ? age_ms : BLOCK_TIME_MAX_MS) * USEC_PER_MSEC);
}

static void append_streak(struct buffer *out, const struct incident_event *event)
{
    if (event->count > 1) {
        buffer_printf(out, ", %" PRIu64 " alike until ", event->count);
        incident_time(out, event->until_ms);
    }
    if (event->since_ms < event->at_ms) {
        buffer_append_string(out, "; since ");
        incident_time(out, event->since_ms);
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
    append_age(out, event->at_ms - event->since_ms);
}

/* The one end before, with all that is known of it. */
static void append_end(struct buffer *out, const struct ledger *ledger, const struct run_end *end)
{
    char text[CAUSE_TEXT_BYTES];
    int target = end->target > 0 ? ledger_find(ledger, end->target) : -1;
    buffer_printf(out, ", the run before ended by %s", cause_describe(end, text));
    if (target >= 0) {
        buffer_printf(out, " with probe %s in hand",
                      ledger_text(ledger, ledger->entries[target].probe));
    }
    if (end->ran_us > 0) {
        buffer_append_string(out, " after ");
        append_age(out, end->ran_us / USEC_PER_MSEC);
    }
}

static void append_start(struct buffer *out, const struct ledger *ledger,
                         const struct incident_event *event)
{
    buffer_printf(out, "agent started%s", event->rebooted ? " on another boot" : "");
    const char *before = ", the run before ended by ";
    if (event->end.cause != CAUSE_NONE) {
        append_end(out, ledger, &event->end);
    }
    for (unsigned cause = 0; event->end.cause == CAUSE_NONE && cause < CAUSE_COUNT; cause++) {
        if ((event->causes >> cause & 1) != 0) {
            buffer_printf(out, "%s%s", before, cause_name((enum cause)cause));
            before = " and one by ";
        }
    }
    if (event->silent_ms > 0) {
        buffer_append_string(out, ", nothing was measured for ");
        append_age(out, event->silent_ms);
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

static void append_further(struct buffer *out, const struct incident_event *event)
{
    bool of_agent = event->entry < 0 && event->code == 0;
    buffer_printf(out, "%s%" PRIu64 " further %s", event->entry >= 0 ? ": " : "", event->count,
                  event->entry >= 0 ? "failures"
                  : of_agent        ? "events of the agent"
                                    : "lost pushes");
    if (!of_agent) {
        buffer_printf(out, ", well again %" PRIu64 " times,", event->ended);
    }
    buffer_append_string(out, " until ");
    incident_time(out, event->until_ms);
}

void incident_words(struct buffer *out, const struct ledger *ledger,
                    const struct incident_event *event)
{
    switch (event->sort) {
    case INCIDENT_FAILURE:
        append_failure(out, event);
        break;
    case INCIDENT_RECOVERY:
        buffer_append_string(out, " is well again");
        append_recovery(out, event);
        break;
    case INCIDENT_MAINTENANCE:
        buffer_append_string(out, " is in maintenance");
        append_streak(out, event);
        break;
    case INCIDENT_START:
        append_start(out, ledger, event);
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
    case INCIDENT_FURTHER:
        append_further(out, event);
        break;
    }
}

bool incident_has(const struct incident_target *target)
{
    return target->results[OUTCOME_SUCCESS] + target->results[OUTCOME_FAILURE] +
               target->results[OUTCOME_UNKNOWN] + target->missed + target->maintenance >
           0;
}

static double spent_ratio(struct slo_events events, struct slo_events window,
                          const struct config_slo *slo)
{
    double allowed = (double)(window.good + window.bad) * (1 - (double)slo->objective_ppm / 1e6);
    return allowed > 0 ? (double)events.bad / allowed : NAN;
}

/* The events of the incident that a target counts for an SLO like this one. */
static struct slo_events events_like(const struct incident *incident, const struct config *config,
                                     unsigned target, const struct config_slo *slo)
{
    const struct config_probe *probe = config_target_probe(config, target);
    for (unsigned i = 0; i < config_counted_slos(probe); i++) {
        const struct config_slo *own = &probe->slos[i];
        if (own->type == slo->type && own->threshold_us == slo->threshold_us &&
            own->window_us == slo->window_us) {
            return incident->targets[target].events[i];
        }
    }
    return (struct slo_events){.good = 0};
}

static void fill_target(const struct incident *incident, const struct store_view *view,
                        const struct config *config, struct incident_budget *budget)
{
    const struct config_probe *probe = config_target_probe(config, budget->section);
    usec_t now_us = view->tally.newest.monotonic_ms * USEC_PER_MSEC;
    budget->group = NULL;
    budget->slo = &probe->slos[budget->index];
    budget->events = incident->targets[budget->section].events[budget->index];
    metrics_slo_name(probe, budget->index, budget->name, sizeof budget->name);
    budget->spent = spent_ratio(budget->events,
                                ledger_slo_events(&view->image.ledger, budget->section, budget->slo,
                                                  budget->slo->window_us, now_us),
                                budget->slo);
}

static void fill_group(const struct incident *incident, const struct store_view *view,
                       const struct config *config, struct incident_budget *budget)
{
    usec_t now_us = view->tally.newest.monotonic_ms * USEC_PER_MSEC;
    const struct config_group *group = &config->groups[budget->section - config->target_count];
    budget->group = group;
    budget->slo = &group->slos[budget->index];
    budget->events = (struct slo_events){.good = 0};
    for (unsigned i = 0; i < config->target_count; i++) {
        if (config_group_has(config, group, i)) {
            struct slo_events events = events_like(incident, config, i, budget->slo);
            budget->events.good += events.good;
            budget->events.bad += events.bad;
        }
    }
    metrics_group_slo_name(config, group, budget->index, budget->name, sizeof budget->name);
    budget->spent = spent_ratio(budget->events,
                                ledger_group_events(&view->image.ledger, config, group, budget->slo,
                                                    budget->slo->window_us, now_us),
                                budget->slo);
}

static unsigned slos_of(const struct config *config, unsigned section)
{
    return section < config->target_count
               ? config_target_probe(config, section)->slo_count
               : config->groups[section - config->target_count].slo_count;
}

bool incident_budget_next(const struct incident *incident, const struct store_view *view,
                          const struct config *config, struct incident_budget *budget)
{
    unsigned sections = (unsigned)config->target_count + config->group_count;
    budget->index += budget->begun ? 1 : 0;
    budget->begun = true;
    while (budget->section < sections && budget->index >= slos_of(config, budget->section)) {
        budget->section++;
        budget->index = 0;
    }
    if (budget->section == sections) {
        return false;
    }
    if (budget->section < config->target_count) {
        fill_target(incident, view, config, budget);
    } else {
        fill_group(incident, view, config, budget);
    }
    return true;
}
