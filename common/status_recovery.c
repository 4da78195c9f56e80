/* Recovery on the status page, as text and as JSON. */
#include <inttypes.h>
#include <string.h>

#include "json.h"
#include "rfc3339.h"
#include "status_render.h"
#include "status_table.h"

enum { PAGE_INDENT = 9 };

bool status_recovery_in_trouble(const struct agent *agent)
{
    struct recovery_series series;
    if (!store_opened(&agent->store)) {
        return false;
    }
    agent_recovery_series(agent, &series);
    return series.phase != RECOVERY_NORMAL || series.barred_targets > 0 || series.good_config;
}

/* "the run before ended by hang of task loop, SIGABRT (probe portal)" */
static void append_before(struct buffer *out, const struct recovery_series *series)
{
    char text[CAUSE_TEXT_BYTES];
    if (series->before.cause == CAUSE_NONE) {
        buffer_append_string(out, "no run before is known");
        return;
    }
    buffer_printf(out, "the run before ended by %s", cause_describe(&series->before, text));
    if (series->before_probe[0] != '\0') {
        buffer_append_string(out, " (probe ");
        status_append_printable(out, series->before_probe, sizeof series->before_probe);
        buffer_append_byte(out, ')');
    }
}

static uint64_t restarts(const struct agent *agent)
{
    const uint64_t *counters = store_ledger(&agent->store)->totals.counters;
    uint64_t sum = 0;
    for (unsigned i = CAUSE_NONE + 1; i < CAUSE_COUNT; i++) {
        sum += counters[LEDGER_RESTART_FIRST + i];
    }
    return sum;
}

static void append_watchdog(struct buffer *out, const struct recovery_series *series)
{
    if (!series->armed) {
        return;
    }
    buffer_append_string(out, ", watchdog fed");
    if (series->granted_us > 0) {
        buffer_append_string(out, " (");
        status_append_age(out, series->granted_us);
        buffer_append_byte(out, ')');
    }
}

/* "SAFE MODE (rejoining), 7 targets do not run"; "last known good configuration: the file's got no
 * push through" */
static void append_trouble(struct buffer *out, const struct recovery_series *series,
                           const char *alarm)
{
    if (series->phase != RECOVERY_NORMAL || series->barred_targets > 0) {
        status_append_spaces(out, PAGE_INDENT);
        if (series->phase != RECOVERY_NORMAL) {
            status_append_coloured(out, alarm, "SAFE MODE");
            buffer_printf(out, " (%s), ", recovery_phase_name(series->phase));
        }
        buffer_printf(out, "%u targets do not run\n", series->barred_targets);
    }
    if (series->good_config) {
        status_append_spaces(out, PAGE_INDENT);
        status_append_coloured(out, alarm, "last known good configuration");
        buffer_printf(out, ": the file's %s\n", rollout_reason_text(series->left_for));
    }
}

void status_recovery(const struct agent *agent, usec_t now_us, bool colour, struct buffer *out)
{
    struct recovery_series series;
    (void)now_us;
    if (!store_opened(&agent->store)) {
        return;
    }
    agent_recovery_series(agent, &series);
    buffer_append_string(out, "recovery ");
    append_before(out, &series);
    buffer_printf(out, ", %" PRIu64 " restarts", restarts(agent));
    append_watchdog(out, &series);
    buffer_append_byte(out, '\n');
    if (status_recovery_in_trouble(agent)) {
        append_trouble(out, &series, colour ? status_colour(STATUS_FAIL) : NULL);
    }
}

/* JSON. */

void status_end_json(struct buffer *out, const struct ledger *ledger, const struct run_end *end)
{
    char signal[CAUSE_SIGNAL_BYTES], time[RFC3339_BYTES] = "";
    if (end->unix_ms > 0) {
        (void)rfc3339_print(end->unix_ms, time);
    }
    int target = end->target > 0 ? ledger_find(ledger, end->target) : -1;
    buffer_append_string(out, "{\"cause\":");
    buffer_append_json_string(out, cause_name(end->cause));
    json_text(out, "signal", cause_signal_name(end->signal, signal));
    json_text(out, "task", end->task != VITAL_NONE ? vital_name(end->task) : "");
    json_text(out, "probe", target >= 0 ? ledger_text(ledger, ledger->entries[target].probe) : "");
    json_count(out, "exit_code", end->exit_code);
    json_seconds(out, "ran_seconds", end->ran_us);
    json_text(out, "time", time);
    buffer_append_byte(out, '}');
}

static void json_counts(struct buffer *out, const char *name, const uint64_t *counters,
                        unsigned first, unsigned count, const char *(*name_of)(unsigned))
{
    const char *separator = "";
    json_name(out, name);
    buffer_append_byte(out, '{');
    for (unsigned i = 0; i < count; i++) {
        const char *key = name_of(i);
        if (key != NULL) {
            buffer_printf(out, "%s\"%s\":%" PRIu64, separator, key, counters[first + i]);
            separator = ",";
        }
    }
    buffer_append_byte(out, '}');
}

static const char *cause_key(unsigned i)
{
    return i == CAUSE_NONE ? NULL : cause_name((enum cause)i);
}

static const char *care_key(unsigned i)
{
    return care_name((enum care)i);
}

static const char *rollback_key(unsigned i)
{
    return rollout_reason_name((enum rollout_reason)i);
}

static const char *action_key(unsigned i)
{
    return site_action_result_name((enum site_action_result)i);
}

static void json_ends(struct buffer *out, const struct agent *agent)
{
    const struct ledger *ledger = store_ledger(&agent->store);
    json_name(out, "last_ends");
    buffer_append_byte(out, '[');
    for (unsigned i = 0; i < ledger->end_count; i++) {
        buffer_append_string(out, i > 0 ? "," : "");
        status_end_json(out, ledger, &ledger->ends[i]);
    }
    buffer_append_byte(out, ']');
}

void status_recovery_json(const struct agent *agent, struct buffer *out)
{
    struct recovery_series series = {.before = {.task = VITAL_NONE}};
    const uint64_t *counters = store_ledger(&agent->store)->totals.counters;
    if (!store_opened(&agent->store)) {
        buffer_append_string(out, ",\n\"recovery\":null");
        return;
    }
    agent_recovery_series(agent, &series);
    buffer_append_string(out, ",\n\"recovery\":{\"phase\":");
    buffer_append_json_string(out, recovery_phase_name(series.phase));
    json_count(out, "barred_targets", series.barred_targets);
    json_flag(out, "last_known_good", series.good_config);
    json_text(out, "rolled_back_for",
              series.good_config ? rollout_reason_name(series.left_for) : "");
    json_name(out, "before");
    status_end_json(out, store_ledger(&agent->store), &series.before);
    json_ends(out, agent);
    json_counts(out, "restarts", counters, LEDGER_RESTART_FIRST, CAUSE_COUNT, cause_key);
    json_counts(out, "rollbacks", counters, LEDGER_ROLLBACK_FIRST, ROLLOUT_REASONS, rollback_key);
    json_counts(out, "actions", counters, LEDGER_CARE_FIRST, CARE_COUNT, care_key);
    json_counts(out, "site_actions", counters, LEDGER_ACTION_FIRST, SITE_ACTION_RESULTS,
                action_key);
    json_name(out, "watchdog");
    buffer_append_string(out, series.armed ? "{\"armed\":true" : "{\"armed\":false");
    json_seconds(out, "timeout_seconds", series.armed ? series.granted_us : 0);
    if (series.may_reset) {
        json_count(out, "resets_left", series.resets_left);
    } else {
        json_null(out, "resets_left");
    }
    buffer_append_string(out, "}}");
}
