/* The table of targets. Its rows are made twice: to find the widths, then to print. */
#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "status_render.h"

enum {
    PROBE,
    KIND,
    INSTANCE,
    STATE,
    SINCE,
    LAST,
    SUCCESS,
    RUNS,
    FAIL,
    UNKNOWN,
    MISSED,
    COLUMN_COUNT,

    PROBE_COLUMNS_MAX = 32,
    INSTANCE_COLUMNS_MIN = 24, /* never cut shorter to make the page fit */
    REASON_COLUMNS_MAX = 24,   /* room kept for the reason behind the table */
    NOTE_INDENT = 4,
};

const struct column status_target_columns[STATUS_TARGET_COLUMNS] = {
    [PROBE] = {"PROBE", false},     [KIND] = {"KIND", false},    [INSTANCE] = {"INSTANCE", false},
    [STATE] = {"STATE", false},     [SINCE] = {"SINCE", true},   [LAST] = {"LAST(ms)", true},
    [SUCCESS] = {"SUCCESS%", true}, [RUNS] = {"RUNS", true},     [FAIL] = {"FAIL", true},
    [UNKNOWN] = {"UNKNOWN", true},  [MISSED] = {"MISSED", true},
};
static const char reason_title[] = "REASON"; /* what stands behind the last column */
static_assert((int)COLUMN_COUNT == STATUS_TARGET_COLUMNS, "as the header says");
static_assert((int)COLUMN_COUNT <= TABLE_COLUMNS_MAX, "a row has a cell for each column");

static void fill_last_run(struct row *row, const struct agent *agent, unsigned target,
                          usec_t now_us)
{
    struct buffer since = row_cell(row, SINCE), last = row_cell(row, LAST);
    if (agent->seen[target]) {
        status_append_age(&since, now_us - agent->states[target].changed_us);
        status_append_milliseconds(&last, agent->last[target].duration_us);
    } else {
        buffer_append_byte(&since, '-');
        buffer_append_byte(&last, '-');
    }
    (void)buffer_text(&since);
    (void)buffer_text(&last);
}

static void fill_counts(struct row *row, const struct sli *sli)
{
    uint64_t good = sli->results[OUTCOME_SUCCESS], bad = sli->results[OUTCOME_FAILURE];
    int64_t ppm = status_good_ppm(good, bad);
    struct buffer success = row_cell(row, SUCCESS);
    if (ppm < 0) {
        buffer_append_byte(&success, '-');
    } else {
        buffer_printf(&success, "%" PRId64 ".%02" PRId64, ppm / 10000, ppm % 10000 / 100);
    }
    (void)buffer_text(&success);
    row_count(row, RUNS, good + bad + sli->results[OUTCOME_UNKNOWN]);
    row_count(row, FAIL, bad);
    row_count(row, UNKNOWN, sli->results[OUTCOME_UNKNOWN]);
    row_count(row, MISSED, sli->missed);
}

void status_target_row(const struct agent *agent, unsigned target, usec_t now_us,
                       unsigned instance_columns, struct row *row)
{
    const struct config_probe *probe = config_target_probe(agent->config, target);
    enum status_state state = status_state(agent, target);
    row_text(row, PROBE, config_probe_name(agent->config, probe), PROBE_COLUMNS_MAX);
    row_text(row, KIND, probe->section.kind->name, PROBE_COLUMNS_MAX);
    row_text(row, INSTANCE, config_instance(agent->config, target), instance_columns);
    row_text(row, STATE, status_word(state), PROBE_COLUMNS_MAX);
    row->coloured = STATE;
    row->colour = status_colour(state);
    fill_last_run(row, agent, target, now_us);
    fill_counts(row, agent_sli(agent, target));
}

const char *status_target_reason(char *reason, const struct agent *agent, unsigned target,
                                 usec_t now_us)
{
    const struct result *last = &agent->last[target];
    const struct target_state *state = &agent->states[target];
    struct buffer text, *out = &text;
    buffer_init(out, reason, TABLE_CELL_BYTES);
    if (!agent->seen[target]) {
        return buffer_text(out);
    }
    if (last->outcome == OUTCOME_FAILURE) {
        buffer_append_string(out, reason_name(last->reason));
        if (last->phase != PHASE_NONE) {
            buffer_printf(out, " in %s", phase_name(last->phase));
        }
    } else if (last->outcome == OUTCOME_SUCCESS && state->last_failure_outcome == OUTCOME_FAILURE) {
        buffer_printf(out, "(%s ", reason_name(state->last_failure_reason));
        status_append_age(out, now_us - state->last_failure_us);
        buffer_append_string(out, " ago)");
    }
    return buffer_text(out);
}

/* Beside the reason when the line has room, else on a line of its own. */
static void append_note(struct buffer *out, const char *note, unsigned columns_used)
{
    size_t length = strlen(note);
    if (length > 0 && columns_used + TABLE_GAP + length <= STATUS_PAGE_COLUMNS) {
        status_append_spaces(out, TABLE_GAP);
        status_append_printable(out, note, length);
    } else if (length > 0) {
        buffer_append_byte(out, '\n');
        status_append_spaces(out, NOTE_INDENT);
        status_append_printable(out, note, STATUS_PAGE_COLUMNS - NOTE_INDENT);
    }
}

static void append_row(struct buffer *out, const struct table *table, const struct row *row,
                       const struct agent *agent, unsigned target, usec_t now_us)
{
    char reason[TABLE_CELL_BYTES];
    (void)status_target_reason(reason, agent, target, now_us);
    table_line(table, row, reason, out);
    if (agent->seen[target]) {
        unsigned gap = reason[0] != '\0' ? TABLE_GAP : 0;
        append_note(out, agent->last[target].note,
                    table_width(table) + gap + (unsigned)strlen(reason));
    }
    buffer_append_byte(out, '\n');
}

/* As many as let the table and a reason fit the page, but not fewer than still tell targets apart.
 */
static unsigned fit_instance(const struct table *table, unsigned reason_columns)
{
    unsigned width = table_width(table) + TABLE_GAP + reason_columns;
    unsigned over = width > STATUS_PAGE_COLUMNS ? width - STATUS_PAGE_COLUMNS : 0;
    unsigned widest = table->widths[INSTANCE];
    if (widest < over + INSTANCE_COLUMNS_MIN) {
        return widest < INSTANCE_COLUMNS_MIN ? widest : INSTANCE_COLUMNS_MIN;
    }
    return widest - over;
}

void status_targets(const struct agent *agent, usec_t now_us, bool colour, struct buffer *out)
{
    struct table table;
    struct row row;
    char reason[TABLE_CELL_BYTES];
    unsigned reason_columns = (unsigned)strlen(reason_title);
    table_begin(&table, status_target_columns, COLUMN_COUNT);
    for (unsigned i = 0; i < agent->config->target_count; i++) {
        status_target_row(agent, i, now_us, TABLE_CELL_BYTES - 1, &row);
        table_measure(&table, &row);
        unsigned length = (unsigned)strlen(status_target_reason(reason, agent, i, now_us));
        reason_columns = length > reason_columns ? length : reason_columns;
    }
    reason_columns = reason_columns < REASON_COLUMNS_MAX ? reason_columns : REASON_COLUMNS_MAX;
    table.widths[INSTANCE] = fit_instance(&table, reason_columns);
    buffer_append_byte(out, '\n');
    table_title(&table, reason_title, out);
    for (unsigned i = 0; i < agent->config->target_count; i++) {
        status_target_row(agent, i, now_us, table.widths[INSTANCE], &row);
        row.colour = colour ? row.colour : NULL;
        append_row(out, &table, &row, agent, i, now_us);
    }
}
