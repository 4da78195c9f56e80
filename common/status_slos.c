/* All SLOs in the order in which they are shown, and their table: the events of the window of each
 * against its objective. */
#include <assert.h>
#include <math.h>

#include "status_render.h"
#include "value.h"

enum {
    PROBE,
    INSTANCE,
    SLO,
    WINDOW,
    OBJECTIVE,
    RATIO,
    GOOD,
    BAD,
    BUDGET,
    BURN,
    VERDICT,
    COLUMN_COUNT,

    TEXT_COLUMNS_MAX = 32,
};

static_assert((int)COLUMN_COUNT == STATUS_SLO_COLUMNS, "as the header says");

const struct column status_slo_columns[STATUS_SLO_COLUMNS] = {
    [PROBE] = {"PROBE", false},
    [INSTANCE] = {"INSTANCE", false},
    [SLO] = {"SLO", false},
    [WINDOW] = {"WINDOW", true},
    [OBJECTIVE] = {"OBJECTIVE", true},
    [RATIO] = {"RATIO", true},
    [GOOD] = {"GOOD", true},
    [BAD] = {"BAD", true},
    [BUDGET] = {"BUDGET", true},
    [BURN] = {"BURN 1H", true},
    [VERDICT] = {"VERDICT", false},
};

/* The walk. */

static void set_target_slo(const struct config *config, struct status_slo *slo)
{
    const struct config_probe *probe = config_target_probe(config, slo->section);
    slo->slo = &probe->slos[slo->index];
    slo->probe = config_probe_name(config, probe);
    slo->instance = config_instance(config, slo->section);
    metrics_slo_name(probe, slo->index, slo->name, sizeof slo->name);
}

static void set_group_slo(const struct config *config, struct status_slo *slo)
{
    slo->group = &config->groups[slo->section - config->target_count];
    slo->slo = &slo->group->slos[slo->index];
    slo->probe = NULL;
    slo->instance = config_site(config);
    metrics_group_slo_name(config, slo->group, slo->index, slo->name, sizeof slo->name);
}

static unsigned count_slos(const struct config *config, unsigned section)
{
    return section < config->target_count
               ? config_target_probe(config, section)->slo_count
               : config->groups[section - config->target_count].slo_count;
}

bool status_next_slo(const struct agent *agent, struct status_slo *slo)
{
    const struct config *config = agent->config;
    unsigned sections = (unsigned)config->target_count + config->group_count;
    slo->index += slo->slo != NULL ? 1 : 0;
    while (slo->section < sections && slo->index == count_slos(config, slo->section)) {
        slo->section++;
        slo->index = 0;
    }
    if (slo->section == sections) {
        return false;
    }
    if (slo->section < config->target_count) {
        set_target_slo(config, slo);
    } else {
        set_group_slo(config, slo);
    }
    return true;
}

struct slo_events status_slo_events(const struct agent *agent, const struct status_slo *slo,
                                    usec_t window_us)
{
    return slo->group != NULL ? agent_group_events(agent, slo->group, slo->slo, window_us)
                              : agent_slo_events(agent, slo->section, slo->slo, window_us);
}

struct slo_events status_slo_totals(const struct agent *agent, const struct status_slo *slo)
{
    struct slo_events sum = {.good = 0};
    for (unsigned i = 0; i < agent->config->target_count; i++) {
        if (slo->group != NULL ? config_group_has(agent->config, slo->group, i)
                               : i == slo->section) {
            sli_slo_add(&sum, agent_sli(agent, i), slo->slo);
        }
    }
    return sum;
}

/* The table. */

static void fill_percent(struct row *row, unsigned column, int64_t ppm)
{
    struct buffer out = row_cell(row, column);
    if (ppm < 0) {
        buffer_append_byte(&out, '-');
    } else {
        buffer_append_number(&out, (double)ppm / 1e4);
        buffer_append_byte(&out, '%');
    }
    (void)buffer_text(&out);
}

/* Returns whether the objective is not met. */
static bool fill_verdict(struct row *row, int64_t ppm, int64_t objective_ppm)
{
    bool below = ppm >= 0 && ppm < objective_ppm;
    row_text(row, VERDICT, ppm < 0 ? "-" : below ? "BELOW" : "met", TEXT_COLUMNS_MAX);
    row->coloured = VERDICT;
    row->colour = ppm < 0 ? NULL : status_colour(below ? STATUS_FAIL : STATUS_OK);
    return below;
}

/* One decimal; NaN: a dash. */
static void fill_number(struct row *row, unsigned column, double value, const char *unit)
{
    struct buffer out = row_cell(row, column);
    if (isnan(value)) {
        buffer_append_byte(&out, '-');
    } else {
        int64_t tenths = (int64_t)(value * 10 + (value < 0 ? -0.5 : 0.5));
        buffer_append_number(&out, (double)tenths / 10);
        buffer_append_string(&out, unit);
    }
    (void)buffer_text(&out);
}

static bool fill_row(struct row *row, const struct agent *agent, const struct status_slo *slo)
{
    const struct config_slo *mine = slo->slo;
    struct slo_events events = status_slo_events(agent, slo, mine->window_us);
    struct slo_events hour = status_slo_events(agent, slo, USEC_PER_HOUR);
    int64_t ppm = status_good_ppm(events.good, events.bad);
    char window[VALUE_PRINT_BYTES];
    row_text(row, PROBE, slo->probe != NULL ? slo->probe : "-", TEXT_COLUMNS_MAX);
    row_text(row, INSTANCE, slo->instance, TEXT_COLUMNS_MAX);
    row_text(row, SLO, slo->name, TEXT_COLUMNS_MAX);
    row_text(row, WINDOW, value_print_duration(mine->window_us, window, sizeof window),
             TEXT_COLUMNS_MAX);
    fill_percent(row, OBJECTIVE, mine->objective_ppm);
    fill_percent(row, RATIO, ppm);
    row_count(row, GOOD, events.good);
    row_count(row, BAD, events.bad);
    fill_number(row, BUDGET, slo_budget_remaining(events, mine->objective_ppm) * 100, "%");
    fill_number(row, BURN, slo_burn_rate(hour, mine->objective_ppm), "");
    return fill_verdict(row, ppm, mine->objective_ppm);
}

void status_slo_rows(const struct agent *agent,
                     void (*visit)(void *context, const struct row *row, bool below), void *context)
{
    struct row row;
    for (struct status_slo slo = {.name = ""}; status_next_slo(agent, &slo);) {
        bool below = fill_row(&row, agent, &slo);
        visit(context, &row, below);
    }
}

/* The text: a pass to find the widths, then one to print. */
struct text_pass {
    struct table table;
    struct buffer *out; /* NULL: measure */
    bool colour;
    unsigned rows;
};

static void visit_text(void *context, const struct row *row, bool below)
{
    struct text_pass *pass = context;
    struct row shown = *row;
    (void)below;
    pass->rows++;
    if (pass->out == NULL) {
        table_measure(&pass->table, row);
        return;
    }
    shown.colour = pass->colour ? row->colour : NULL;
    table_line(&pass->table, &shown, "", pass->out);
    buffer_append_byte(pass->out, '\n');
}

void status_slos(const struct agent *agent, bool colour, struct buffer *out)
{
    struct text_pass pass = {.out = NULL, .colour = colour};
    table_begin(&pass.table, status_slo_columns, COLUMN_COUNT);
    status_slo_rows(agent, visit_text, &pass);
    if (pass.rows > 0) {
        buffer_append_byte(out, '\n');
        table_title(&pass.table, "", out);
        pass.out = out;
        status_slo_rows(agent, visit_text, &pass);
    }
}
