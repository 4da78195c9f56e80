/* HTML (WHATWG living standard) by hand: each function writes one element. Text goes through
 * append_text() whatever it is. */
#include "page.h"

#include <inttypes.h>
#include <string.h>

#include "rfc3339.h"
#include "status.h"
#include "status_render.h"
#include "status_table.h"

enum {
    HEAD_BYTES = 4096, /* of the text that the facts at the top are made of */
    BOUND_FIXED = 16 * 1024,
    BOUND_ROW = 4 * 1024, /* a target or an SLO: cells of 128 bytes, each byte escaped */
    SPARK_STEP = 3,       /* units of the drawing from run to run */
    SPARK_HEIGHT = 20,
};

/* What ends a text or an attribute goes as an entity. Cells are printable ASCII already
 * (status_table.h), the site is UTF-8 without control bytes (config.h). */
static void append_text(struct buffer *out, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (strchr("&<>\"'", text[i]) != NULL && text[i] != '\0') {
            buffer_printf(out, "&#%d;", text[i]);
        } else {
            buffer_append_byte(out, (uint8_t)text[i]);
        }
    }
}

static void append_string(struct buffer *out, const char *text)
{
    append_text(out, text, strlen(text));
}

/* The spark line. */

static usec_t longest_us(const struct trail *trail)
{
    usec_t longest_us = 1;
    for (unsigned i = 0; i < trail->count; i++) {
        longest_us = usec_max(longest_us, trail_run(trail, i).duration_us);
    }
    return longest_us;
}

/* A stroke for each run with this outcome: a success as high as it took long, others from top to
 * bottom. The newest is at the right edge. */
static void append_strokes(struct buffer *out, const struct trail *trail, enum outcome outcome)
{
    usec_t longest = longest_us(trail);
    unsigned first = TRAIL_RUNS - trail->count;
    buffer_printf(out, "<path class=\"%s\" d=\"", outcome_name(outcome));
    for (unsigned i = 0; i < trail->count; i++) {
        struct trail_run run = trail_run(trail, i);
        usec_t height = outcome == OUTCOME_SUCCESS
                            ? 1 + run.duration_us * (SPARK_HEIGHT - 1) / longest
                            : SPARK_HEIGHT;
        if (run.outcome == outcome) {
            buffer_printf(out, "M%u %uv-%d", (first + i) * SPARK_STEP + 1, (unsigned)SPARK_HEIGHT,
                          (int)height);
        }
    }
    buffer_append_string(out, "\"/>");
}

/* What it shows, in words: "last 40 runs: 38 success, 2 failure, 0 unknown; longest 45.2 ms". */
static void append_spark_words(struct buffer *out, const struct trail *trail)
{
    unsigned counts[OUTCOME_COUNT] = {0};
    for (unsigned i = 0; i < trail->count; i++) {
        counts[trail_run(trail, i).outcome]++;
    }
    buffer_printf(out, "last %u runs:", trail->count);
    for (unsigned i = 0; i < OUTCOME_COUNT; i++) {
        buffer_printf(out, "%s %u %s", i > 0 ? "," : "", counts[i], outcome_name((enum outcome)i));
    }
    buffer_append_string(out, "; longest ");
    status_append_milliseconds(out, longest_us(trail));
    buffer_append_string(out, " ms");
}

static void append_spark(struct buffer *out, const struct trail *trail)
{
    if (trail->count == 0) {
        return;
    }
    buffer_printf(out, "<svg role=\"img\" viewBox=\"0 0 %d %d\" aria-label=\"",
                  TRAIL_RUNS * SPARK_STEP, SPARK_HEIGHT);
    append_spark_words(out, trail);
    buffer_append_string(out, "\"><title>");
    append_spark_words(out, trail);
    buffer_append_string(out, "</title>");
    for (unsigned i = 0; i < OUTCOME_COUNT; i++) {
        append_strokes(out, trail, (enum outcome)i);
    }
    buffer_append_string(out, "</svg>");
}

/* Tables. On a narrow screen a row becomes a block whose cells name themselves (data-label). */

static void append_table(struct buffer *out, const char *title, const char *class,
                         const struct column *columns, unsigned count)
{
    buffer_printf(out, "<h2>%s</h2>\n<table class=\"%s\"><thead><tr>", title, class);
    for (unsigned i = 0; i < count; i++) {
        buffer_printf(out, "<th scope=\"col\"%s>", columns[i].numeric ? " class=\"number\"" : "");
        append_string(out, columns[i].title);
        buffer_append_string(out, "</th>");
    }
}

static void append_cell(struct buffer *out, const struct column *column, const char *text,
                        bool marked)
{
    buffer_append_string(out, "<td data-label=\"");
    append_string(out, column->title);
    buffer_printf(out, "\"%s>", column->numeric ? " class=\"number\"" : "");
    buffer_append_string(out, marked ? "<b>" : "");
    append_string(out, text);
    buffer_append_string(out, marked ? "</b></td>" : "</td>");
}

static void append_cells(struct buffer *out, const struct row *row, const struct column *columns,
                         unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        append_cell(out, &columns[i], row->cells[i], row->colour != NULL && i == row->coloured);
    }
}

static void append_target(struct buffer *out, const struct agent *agent, unsigned target,
                          usec_t now_us)
{
    struct row row;
    char reason[TABLE_CELL_BYTES];
    status_target_row(agent, target, now_us, TABLE_CELL_BYTES - 1, &row);
    buffer_printf(out, "<tr class=\"%s\">", status_word(status_state(agent, target)));
    append_cells(out, &row, status_target_columns, STATUS_TARGET_COLUMNS);
    buffer_append_string(out, "<td class=\"spark\" data-label=\"TREND\">");
    append_spark(out, &agent->trails[target]);
    buffer_append_string(out, "</td><td class=\"reason\" data-label=\"REASON\">");
    append_string(out, status_target_reason(reason, agent, target, now_us));
    if (agent->seen[target] && agent->last[target].note[0] != '\0') {
        buffer_append_string(out, "<br><small>");
        append_string(out, agent->last[target].note);
        buffer_append_string(out, "</small>");
    }
    buffer_append_string(out, "</td></tr>\n");
}

static void append_targets(struct buffer *out, const struct agent *agent, usec_t now_us)
{
    append_table(out, "Probes", "targets", status_target_columns, STATUS_TARGET_COLUMNS);
    buffer_append_string(out, "<th scope=\"col\">TREND</th><th scope=\"col\">REASON</th>"
                              "</tr></thead><tbody>\n");
    for (unsigned i = 0; i < agent->config->target_count; i++) {
        append_target(out, agent, i, now_us);
    }
    buffer_append_string(out, "</tbody></table>\n");
}

struct slo_rows {
    struct buffer *out;
    bool begun;
};

static void append_slo(void *context, const struct row *row, bool below)
{
    struct slo_rows *rows = context;
    if (!rows->begun) {
        rows->begun = true;
        append_table(rows->out, "Objectives", "slos", status_slo_columns, STATUS_SLO_COLUMNS);
        buffer_append_string(rows->out, "</tr></thead><tbody>\n");
    }
    buffer_append_string(rows->out, below ? "<tr class=\"FAIL\">" : "<tr class=\"ok\">");
    append_cells(rows->out, row, status_slo_columns, STATUS_SLO_COLUMNS);
    buffer_append_string(rows->out, "</tr>\n");
}

static void append_slos(struct buffer *out, const struct agent *agent)
{
    struct slo_rows rows = {.out = out, .begun = false};
    status_slo_rows(agent, append_slo, &rows);
    if (rows.begun) {
        buffer_append_string(out, "</tbody></table>\n");
    }
}

/* The top. */

/* The lines of the text: the first word is the name of a fact, a line that begins with a blank goes
 * on with the one before. */
static void append_facts(struct buffer *out, const struct agent *agent, usec_t now_us)
{
    char text[HEAD_BYTES];
    struct buffer head;
    bool open = false;
    buffer_init(&head, text, sizeof text);
    status_head(agent, now_us, false, &head);
    buffer_append_string(out, "<dl>\n");
    for (const char *line = buffer_text(&head); *line != '\0';) {
        size_t length = strcspn(line, "\n"), name = strcspn(line, " \n");
        size_t blanks = strspn(line + name, " ");
        if (name > 0) {
            buffer_append_string(out, open ? "</dd>\n<dt>" : "<dt>");
            append_text(out, line, name);
            buffer_append_string(out, "</dt><dd>");
        } else {
            buffer_append_string(out, "<br>");
        }
        append_text(out, line + name + blanks, length - name - blanks);
        line += length + (line[length] == '\n' ? 1 : 0);
        open = true;
    }
    buffer_append_string(out, "</dd>\n</dl>\n");
}

static void append_title(struct buffer *out, const struct agent *agent)
{
    bool failing = status_failing(agent);
    buffer_append_string(out, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
                              "<meta name=\"viewport\" content=\"width=device-width\">\n<title>");
    buffer_append_string(out, failing ? "FAIL: " : "ok: ");
    append_string(out, config_site(agent->config));
    buffer_append_string(out, "</title>\n<link rel=\"icon\" href=\"data:,\">\n"
                              "<link rel=\"stylesheet\" href=\"" PAGE_STYLE_PATH "\">\n"
                              "<script src=\"" PAGE_SCRIPT_PATH "\" defer></script>\n<noscript>"
                              "<meta http-equiv=\"refresh\" content=\"30\"></noscript>\n"
                              "</head><body>\n<main>\n<h1>");
    append_string(out, config_site(agent->config));
    buffer_append_string(out, failing ? " <b class=\"FAIL\">something fails</b></h1>\n"
                                      : " <b class=\"ok\">all well</b></h1>\n");
}

/* When it was made: a page that stays open must not be taken for news. */
static void append_time(struct buffer *out, const struct agent *agent)
{
    char time[RFC3339_BYTES];
    struct wall_time wall = clock_wall(&agent->ports.clock);
    buffer_append_string(out, "<p id=\"made\">as of ");
    if (wall.trusted && rfc3339_print(wall.unix_us / USEC_PER_MSEC, time)) {
        append_string(out, time);
    } else {
        buffer_append_string(out, "the moment it was loaded; the site's clock is not set");
    }
    buffer_append_string(out, "</p>\n");
}

size_t page_bound(const struct config *config)
{
    size_t slos = 0;
    for (unsigned i = 0; i < config->probe_count; i++) {
        slos += (size_t)config->probes[i].slo_count * config->probes[i].target_count;
    }
    for (unsigned i = 0; i < config->group_count; i++) {
        slos += config->groups[i].slo_count;
    }
    return BOUND_FIXED + (config->target_count + slos) * BOUND_ROW;
}

void page_render(const struct agent *agent, usec_t now_us, struct buffer *out)
{
    append_title(out, agent);
    append_time(out, agent);
    append_facts(out, agent, now_us);
    append_targets(out, agent, now_us);
    append_slos(out, agent);
    buffer_append_string(out, "</main>\n<footer><a href=\"/status.json\">JSON</a> "
                              "<a href=\"/metrics\">metrics</a></footer>\n</body></html>\n");
}
