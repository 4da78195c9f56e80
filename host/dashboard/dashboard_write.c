/* A dashboard: what is around its panels, and where each goes. Grafana's model is that of
 * kinds/dashboard/dashboard_kind.cue in its repository (npm: @grafana/schema). */
#include <string.h>

#include "dashboard_parts.h"
#include "json.h"
#include "rules.h"

enum { SCHEMA_VERSION = 39 /* Grafana 10.3 */, COLUMNS = 24 };

/* Variables. */

static void append_variable(struct buffer *out, const struct dashboard_variable *variable)
{
    buffer_append_string(out, ",\n  {\"type\":\"query\"");
    json_text(out, "name", variable->name);
    json_text(out, "label", variable->title);
    dashboard_datasource_write(out);
    json_text(out, "definition", variable->query);
    buffer_append_string(out, ",\"query\":{\"refId\":\"PrometheusVariableQueryEditor\"");
    json_text(out, "query", variable->query);
    buffer_append_string(out,
                         "},\"refresh\":2,\"sort\":1,\"hide\":0,\"regex\":\"\",\"options\":[]");
    json_flag(out, "multi", variable->many);
    json_flag(out, "includeAll", variable->many);
    if (variable->many) {
        buffer_append_string(out, ",\"allValue\":\".*\","
                                  "\"current\":{\"text\":[\"All\"],\"value\":[\"$__all\"]}");
    }
    buffer_append_byte(out, '}');
}

static void append_variables(struct buffer *out, const struct dashboard *dashboard)
{
    buffer_append_string(out, ",\n\"templating\":{\"list\":[\n"
                              "  {\"type\":\"datasource\",\"name\":\"datasource\","
                              "\"label\":\"Data source\",\"query\":\"prometheus\",\"refresh\":1,"
                              "\"hide\":0,\"regex\":\"\",\"options\":[],\"multi\":false,"
                              "\"includeAll\":false}");
    for (size_t i = 0; i < DASHBOARD_VARIABLES && dashboard->variables[i].name != NULL; i++) {
        append_variable(out, &dashboard->variables[i]);
    }
    buffer_append_string(out, "]}");
}

/* Annotations. */

/* Grafana 11 reads `target`, those before it `expr` and `step`. */
static void append_annotation(struct buffer *out, const char *name, const char *color,
                              const char *expression)
{
    buffer_append_string(out, ",\n  {\"enable\":true");
    json_text(out, "name", name);
    json_text(out, "iconColor", color);
    dashboard_datasource_write(out);
    json_text(out, "expr", expression);
    json_text(out, "step", "60s");
    buffer_append_string(out, ",\"target\":{\"refId\":\"Anno\"");
    json_text(out, "expr", expression);
    json_text(out, "interval", "60s");
    buffer_append_byte(out, '}');
}

static void append_alerts(struct buffer *out, const struct dashboard *dashboard)
{
    char text[512];
    struct buffer expression;
    buffer_init(&expression, text, sizeof text);
    buffer_printf(&expression, "ALERTS{alertname=~\"Picket.+\",alertstate=\"firing\",%s}",
                  dashboard->alert);
    append_annotation(out, "Alerts", "red", buffer_text(&expression));
    buffer_append_string(out, ",\"titleFormat\":\"{{alertname}}\","
                              "\"textFormat\":\"{{severity}} {{site}} {{probe}} {{slo}}\","
                              "\"tagKeys\":\"severity,site,probe\"}");
}

/* The time of a start is the value of its series. */
static void append_restarts(struct buffer *out, const struct dashboard *dashboard)
{
    char text[512];
    struct buffer expression;
    buffer_init(&expression, text, sizeof text);
    buffer_printf(&expression, "picket_start_timestamp_seconds{%s} * 1000", dashboard->site);
    append_annotation(out, "Restarts", "blue", buffer_text(&expression));
    buffer_append_string(out, ",\"useValueForTime\":true,\"titleFormat\":\"The agent started\","
                              "\"textFormat\":\"{{site}}\",\"tagKeys\":\"site\"}");
}

static void append_annotations(struct buffer *out, const struct dashboard *dashboard)
{
    buffer_append_string(out, ",\n\"annotations\":{\"list\":[\n"
                              "  {\"builtIn\":1,\"type\":\"dashboard\",\"enable\":true,"
                              "\"hide\":true,\"name\":\"Annotations & Alerts\","
                              "\"iconColor\":\"rgba(0, 211, 255, 1)\","
                              "\"datasource\":{\"type\":\"grafana\",\"uid\":\"-- Grafana --\"}}");
    append_alerts(out, dashboard);
    if (dashboard->mark_restarts) {
        append_restarts(out, dashboard);
    }
    buffer_append_string(out, "]}");
}

/* Panels. */

static bool fleet_has(const struct fleet *fleet, enum need need)
{
    bool found = need == NEED_NOTHING || fleet->site_count == 0;
    for (size_t i = 0; i < fleet->kind_count; i++) {
        const struct probe_kind *kind = fleet->kinds[i];
        found = found || (need == NEED_TLS && kind->tls) ||
                (need == NEED_HTTP && strcmp(kind->name, "http") == 0) ||
                (need == NEED_MODBUS && strcmp(kind->name, "modbus") == 0);
    }
    return found;
}

/* Where the next panel goes. */
struct place {
    unsigned x, y;
    unsigned height; /* of the line at hand */
};

static void new_line(struct place *place)
{
    place->y += place->height;
    place->x = place->height = 0;
}

static void append_panel(struct buffer *out, const struct dashboard *dashboard,
                         const struct panel *panel, const struct fleet *fleet, struct place *place)
{
    bool row = panel->type == PANEL_ROW;
    unsigned width = row ? COLUMNS : panel->width, height = row ? 1 : panel->height;
    if (place->x + width > COLUMNS) {
        new_line(place);
    }
    buffer_printf(out, ",\"gridPos\":{\"x\":%u,\"y\":%u,\"w\":%u,\"h\":%u}", place->x, place->y,
                  width, height);
    dashboard_panel_write(out, dashboard, panel, fleet);
    place->x += width;
    place->height = height > place->height ? height : place->height;
    if (row) {
        new_line(place);
    }
}

static void append_panels(struct buffer *out, const struct dashboard *dashboard,
                          const struct fleet *fleet)
{
    struct place place = {.x = 0};
    unsigned id = 0;
    buffer_append_string(out, ",\n\"panels\":[");
    for (size_t i = 0; i < dashboard->panel_count; i++) {
        const struct panel *panel = &dashboard->panels[i];
        if (fleet_has(fleet, panel->need)) {
            buffer_append_string(out, id > 0 ? ",\n" : "\n");
            buffer_printf(out, "  {\"id\":%u", ++id);
            append_panel(out, dashboard, panel, fleet, &place);
            buffer_append_byte(out, '}');
        }
    }
    buffer_append_string(out, "]");
}

void dashboard_write(struct buffer *out, const struct dashboard *dashboard,
                     const struct fleet *fleet)
{
    buffer_printf(out, "{\"uid\":\"picket-%s\",\"id\":null", dashboard->name);
    json_text(out, "title", dashboard->title);
    json_text(out, "description", dashboard->description);
    buffer_printf(out, ",\"schemaVersion\":%d,\"version\":1", SCHEMA_VERSION);
    buffer_append_string(out, ",\"editable\":true,\"graphTooltip\":1,\"tags\":[\"picket\"],"
                              "\"timezone\":\"browser\",\"refresh\":\"1m\","
                              "\"time\":{\"from\":\"now-6h\",\"to\":\"now\"},\n"
                              "\"links\":[{\"type\":\"dashboards\",\"title\":\"Picket\","
                              "\"icon\":\"external link\",\"tooltip\":\"\",\"tags\":[\"picket\"],"
                              "\"asDropdown\":false,\"includeVars\":true,\"keepTime\":true,"
                              "\"targetBlank\":false,\"url\":\"\"}]");
    append_variables(out, dashboard);
    append_annotations(out, dashboard);
    append_panels(out, dashboard, fleet);
    buffer_append_string(out, "}\n");
}
