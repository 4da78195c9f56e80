/* A panel: its queries, what Grafana's plugin of its type wants, units and colours. */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "dashboard_parts.h"
#include "json.h"
#include "rules.h"
#include "value.h"

static bool is_now(enum panel_type type)
{
    return type == PANEL_STAT || type == PANEL_TEXT || type == PANEL_BARS || type == PANEL_TABLE;
}

void dashboard_datasource_write(struct buffer *out)
{
    buffer_append_string(out,
                         ",\"datasource\":{\"type\":\"prometheus\",\"uid\":\"${datasource}\"}");
}

void dashboard_expression_write(struct buffer *out, const char *name, const char *expression,
                                const struct fleet *fleet)
{
    char text[2048];
    struct buffer expanded;
    buffer_init(&expanded, text, sizeof text);
    for (; *expression != '\0'; expression++) {
        if (*expression == '@') {
            buffer_printf(&expanded, "%" PRId64, rules_silent_us(fleet) / USEC_PER_SEC);
        } else {
            buffer_append_byte(&expanded, (uint8_t)*expression);
        }
    }
    json_text(out, name, buffer_text(&expanded));
    assert(!buffer_overflowed(&expanded));
}

/* Queries. */

struct targets {
    struct buffer *out;
    const struct panel *panel;
    const struct fleet *fleet;
    unsigned count;
};

/* Between two pushes there is nothing to see; Grafana's rate interval is four of these. */
static void append_min_step(struct buffer *out, const struct fleet *fleet)
{
    char text[VALUE_PRINT_BYTES];
    usec_t push_us = fleet->push_interval_us > 0 ? fleet->push_interval_us : USEC_PER_MINUTE;
    json_text(out, "interval", value_print_duration(push_us, text, sizeof text));
}

static void append_target(struct targets *targets, const char *expression, const char *legend)
{
    struct buffer *out = targets->out;
    enum panel_type type = targets->panel->type;
    assert(targets->count < 26);
    buffer_printf(out, "%s\n    {\"refId\":\"%c\"", targets->count > 0 ? "," : "",
                  (char)('A' + targets->count));
    dashboard_datasource_write(out);
    json_text(out, "editorMode", "code");
    dashboard_expression_write(out, "expr", expression, targets->fleet);
    json_text(out, "legendFormat", type == PANEL_TABLE || legend == NULL ? "__auto" : legend);
    json_text(out, "format",
              type == PANEL_TABLE  ? "table"
              : type == PANEL_HEAT ? "heatmap"
                                   : "time_series");
    append_min_step(out, targets->fleet);
    json_flag(out, "instant", is_now(type));
    json_flag(out, "range", !is_now(type));
    buffer_append_byte(out, '}');
    targets->count++;
}

static bool is_new_latency(const struct fleet *fleet, size_t at)
{
    for (size_t i = 0; i < at; i++) {
        if (strcmp(fleet->slos[i].name, fleet->slos[at].name) == 0) {
            return false;
        }
    }
    return fleet->slos[at].threshold_us > 0 && fleet->slos[at].probe[0] != '\0';
}

/* A threshold is no series. This one is there only while the probe that is chosen has the SLO. No
 * more of them than there are letters. */
static void append_latency_objectives(struct targets *targets)
{
    const struct fleet *fleet = targets->fleet;
    for (size_t i = 0; i < fleet->slo_count && targets->count < 26; i++) {
        char text[512];
        struct buffer expression;
        if (!is_new_latency(fleet, i)) {
            continue;
        }
        buffer_init(&expression, text, sizeof text);
        buffer_printf(&expression,
                      "0 * max by (slo) (picket_slo_objective_ratio{job=\"picket\",site=~\"$site\","
                      "probe=\"$probe\",slo=\"%s\"}) + ",
                      fleet->slos[i].name);
        buffer_append_number(&expression,
                             (double)fleet->slos[i].threshold_us / (double)USEC_PER_SEC);
        append_target(targets, buffer_text(&expression), "objective {{slo}}");
    }
}

static void append_targets(struct buffer *out, const struct panel *panel, const struct fleet *fleet)
{
    struct targets targets = {.out = out, .panel = panel, .fleet = fleet};
    buffer_append_string(out, ",\"targets\":[");
    for (size_t i = 0; i < PANEL_QUERIES && panel->queries[i].expression != NULL; i++) {
        append_target(&targets, panel->queries[i].expression, panel->queries[i].legend);
    }
    if (panel->latency_objectives) {
        append_latency_objectives(&targets);
    }
    buffer_append_byte(out, ']');
}

/* Options of the plugins. */

#define LEGEND                                                                                     \
    "\"legend\":{\"calcs\":[],\"displayMode\":\"list\",\"placement\":\"bottom\","                  \
    "\"showLegend\":true}"
#define TOOLTIP "\"tooltip\":{\"mode\":\"multi\",\"sort\":\"desc\"}"
#define REDUCE  "\"reduceOptions\":{\"calcs\":[\"lastNotNull\"],\"fields\":\"\",\"values\":false}"
#define STAT(text_mode)                                                                            \
    "{" REDUCE ",\"orientation\":\"auto\",\"colorMode\":\"value\",\"graphMode\":\"none\","         \
    "\"justifyMode\":\"auto\",\"textMode\":\"" text_mode "\",\"wideLayout\":true,"                 \
    "\"showPercentChange\":false}"
#define LINES(fill, stacking)                                                                      \
    "{\"drawStyle\":\"line\",\"lineWidth\":1,\"fillOpacity\":" fill ",\"showPoints\":\"auto\","    \
    "\"spanNulls\":false,\"stacking\":{\"mode\":\"" stacking "\",\"group\":\"A\"},"                \
    "\"thresholdsStyle\":{\"mode\":\"dashed\"}}"

struct plugin {
    const char *type, *options;
    const char *custom; /* of fieldConfig.defaults, NULL: none */
    const char *color;  /* the mode of colours */
};

static const struct plugin plugins[] = {
    [PANEL_STAT] = {"stat", STAT("auto"), NULL, "thresholds"},
    [PANEL_TEXT] = {"stat", STAT("name"), NULL, "thresholds"},
    [PANEL_LINES] = {"timeseries", "{" LEGEND "," TOOLTIP "}", LINES("0", "none"),
                     "palette-classic"},
    [PANEL_STACK] = {"timeseries", "{" LEGEND "," TOOLTIP "}", LINES("30", "normal"),
                     "palette-classic"},
    [PANEL_STATES] = {"state-timeline",
                      "{" LEGEND "," TOOLTIP ",\"mergeValues\":true,\"rowHeight\":0.9,"
                      "\"showValue\":\"auto\",\"alignValue\":\"left\"}",
                      "{\"fillOpacity\":80,\"lineWidth\":0}", "thresholds"},
    [PANEL_BARS] = {"bargauge",
                    "{" REDUCE ",\"orientation\":\"horizontal\",\"displayMode\":\"basic\","
                    "\"maxVizHeight\":300,\"minVizHeight\":16,"
                    "\"minVizWidth\":8,\"namePlacement\":\"auto\",\"showUnfilled\":true,"
                    "\"sizing\":\"auto\",\"valueMode\":\"color\"}",
                    NULL, "thresholds"},
    [PANEL_HEAT] = {"heatmap",
                    "{\"calculate\":false,\"cellGap\":1,\"color\":{\"mode\":\"scheme\","
                    "\"scheme\":\"Oranges\",\"exponent\":0.5,\"fill\":\"dark-orange\","
                    "\"reverse\":false,\"scale\":\"exponential\",\"steps\":64},"
                    "\"exemplars\":{\"color\":\"rgba(255,0,255,0.7)\"},\"filterValues\":"
                    "{\"le\":1e-9},\"legend\":{\"show\":true},\"rowsFrame\":{\"layout\":\"auto\"},"
                    "\"showValue\":\"never\",\"tooltip\":{\"mode\":\"single\"},"
                    "\"yAxis\":{\"axisPlacement\":\"left\",\"reverse\":false,\"unit\":\"s\"}}",
                    "{\"scaleDistribution\":{\"type\":\"linear\"}}", NULL},
    [PANEL_TABLE] = {"table", "{\"frameIndex\":0,\"showHeader\":true,\"cellHeight\":\"sm\"}",
                     "{\"align\":\"auto\",\"cellOptions\":{\"type\":\"auto\"},\"filterable\":true,"
                     "\"inspect\":false}",
                     "thresholds"},
};

/* Overrides. */

struct overrides {
    struct buffer *out;
    unsigned count;
};

/* Begins one for the fields that `matcher` finds by `match`; `]}` ends it. */
static void begin_override(struct overrides *overrides, const char *matcher, const char *match)
{
    buffer_append_string(overrides->out, overrides->count++ > 0 ? ",\n    " : "\n    ");
    buffer_printf(overrides->out, "{\"matcher\":{\"id\":\"%s\"", matcher);
    json_text(overrides->out, "options", match);
    buffer_append_string(overrides->out, "},\"properties\":[");
}

static void append_column(struct overrides *overrides, const struct panel_query *query,
                          const struct fleet *fleet)
{
    struct buffer *out = overrides->out;
    begin_override(overrides, "byName", query->legend);
    buffer_append_string(out, "{\"id\":\"unit\"");
    json_text(out, "value", query->unit != NULL ? query->unit : "short");
    buffer_append_byte(out, '}');
    if (query->steps != STEPS_NONE) {
        buffer_append_string(out, ",{\"id\":\"thresholds\",\"value\":");
        dashboard_steps_write(out, query->steps, fleet);
        buffer_append_string(out, "},{\"id\":\"custom.cellOptions\",\"value\":"
                                  "{\"type\":\"color-text\"}}");
    }
    if (query->words != WORDS_NONE) {
        buffer_append_string(out, ",{\"id\":\"mappings\",\"value\":");
        dashboard_words_write(out, query->words);
        buffer_append_byte(out, '}');
    }
    buffer_append_string(out, "]}");
}

/* From a site or probe in a table to its own dashboard. */
static void append_links(struct overrides *overrides, const struct dashboard *dashboard)
{
    bool one_site = !dashboard->variables[0].many;
    const char *site =
        one_site ? "${site:queryparam}" : "var-site=${__data.fields.site:percentencode}";
    begin_override(overrides, "byName", "site");
    buffer_append_string(overrides->out,
                         "{\"id\":\"links\",\"value\":[{\"title\":\"This site\","
                         "\"url\":\"/d/picket-site?${datasource:queryparam}&"
                         "var-site=${__value.text:percentencode}&${__url_time_range}\"}]}]}");
    begin_override(overrides, "byName", "probe");
    buffer_printf(overrides->out,
                  "{\"id\":\"links\",\"value\":[{\"title\":\"This probe\","
                  "\"url\":\"/d/picket-probe?${datasource:queryparam}&%s&"
                  "var-probe=${__value.text:percentencode}&${__url_time_range}\"}]}]}",
                  site);
}

static void append_overrides(struct buffer *out, const struct dashboard *dashboard,
                             const struct panel *panel, const struct fleet *fleet)
{
    struct overrides overrides = {.out = out};
    buffer_append_string(out, ",\"overrides\":[");
    if (panel->type == PANEL_TABLE) {
        append_links(&overrides, dashboard);
        for (size_t i = 0; i < PANEL_QUERIES && panel->queries[i].expression != NULL; i++) {
            append_column(&overrides, &panel->queries[i], fleet);
        }
    } else if (panel->type == PANEL_LINES) {
        begin_override(&overrides, "byRegexp", "/^objective/");
        buffer_append_string(out, "{\"id\":\"custom.lineStyle\",\"value\":{\"fill\":\"dash\","
                                  "\"dash\":[10,10]}},{\"id\":\"color\",\"value\":"
                                  "{\"mode\":\"fixed\",\"fixedColor\":\"red\"}}]}");
    }
    buffer_append_byte(out, ']');
}

/* One row for each set of labels, and the values of all queries in it. */
static void append_transformations(struct buffer *out, const struct panel *panel)
{
    buffer_append_string(out, ",\"transformations\":[{\"id\":\"merge\",\"options\":{}},"
                              "{\"id\":\"organize\",\"options\":{\"excludeByName\":"
                              "{\"Time\":true},\"indexByName\":{},\"renameByName\":{");
    bool only = panel->queries[1].expression == NULL;
    for (size_t i = 0; i < PANEL_QUERIES && panel->queries[i].expression != NULL; i++) {
        char name[16] = "Value"; /* as Grafana calls the value of the only query */
        if (!only) {
            snprintf(name, sizeof name, "Value #%c", (char)('A' + i));
        }
        buffer_printf(out, "%s\"%s\":", i > 0 ? "," : "", name);
        buffer_append_json_string(out, panel->queries[i].legend);
    }
    buffer_append_string(out, "}}}]");
}

static void append_field_config(struct buffer *out, const struct dashboard *dashboard,
                                const struct panel *panel, const struct fleet *fleet)
{
    buffer_append_string(out, ",\n   \"fieldConfig\":{\"defaults\":{\"unit\":");
    buffer_append_json_string(out, panel->unit != NULL ? panel->unit : "short");
    if (plugins[panel->type].color != NULL) {
        buffer_printf(out, ",\"color\":{\"mode\":\"%s\"}", plugins[panel->type].color);
    }
    json_name(out, "thresholds");
    dashboard_steps_write(out, panel->steps, fleet);
    if (panel->words != WORDS_NONE) {
        json_name(out, "mappings");
        dashboard_words_write(out, panel->words);
    }
    if (panel->type == PANEL_BARS) {
        buffer_append_string(out, ",\"min\":0,\"max\":1");
    }
    if (plugins[panel->type].custom != NULL) {
        json_name(out, "custom");
        buffer_append_string(out, plugins[panel->type].custom);
    }
    buffer_append_byte(out, '}');
    append_overrides(out, dashboard, panel, fleet);
    buffer_append_byte(out, '}');
}

void dashboard_panel_write(struct buffer *out, const struct dashboard *dashboard,
                           const struct panel *panel, const struct fleet *fleet)
{
    if (panel->type == PANEL_ROW) {
        buffer_append_string(out, ",\"type\":\"row\",\"collapsed\":false,\"panels\":[]");
        json_text(out, "title", panel->title);
        return;
    }
    json_text(out, "type", plugins[panel->type].type);
    json_text(out, "title", panel->title);
    json_text(out, "description", panel->description);
    dashboard_datasource_write(out);
    append_targets(out, panel, fleet);
    append_field_config(out, dashboard, panel, fleet);
    json_name(out, "options");
    buffer_append_string(out, plugins[panel->type].options);
    if (panel->type == PANEL_TABLE) {
        append_transformations(out, panel);
    }
}
