/* store dump: every result of the log, oldest first. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "json.h"
#include "rfc3339.h"
#include "status_table.h"
#include "store_view.h"
#include "verbs.h"

enum { LINE_BYTES = 8192, INSTANCE_COLUMNS = 48, BOOT_COLUMNS = 8 };

static char line[LINE_BYTES];

struct dumped {
    uint64_t number;
    const struct record *record;
    uint64_t boot;
    struct wall_stamp wall;
    struct store_names names;
};

/* -- text -- */

static const struct column columns[] = {
    {"TIME", false},  {"BOOT", false},        {"UPTIME(ms)", true}, {"PROBE", false},
    {"KIND", false},  {"INSTANCE", false},    {"OUTCOME", false},   {"REASON", false},
    {"PHASE", false}, {"DURATION(ms)", true}, {"MAINT", false}};

static struct table table;
static struct row row;

static void measure_words(void)
{
    for (unsigned i = 0; i < ARRAY_LEN(columns); i++) {
        row_text(&row, i, "", INSTANCE_COLUMNS);
    }
    row_text(&row, 0, "2000-01-01T00:00:00.000Z~", INSTANCE_COLUMNS);
    row_text(&row, 1, "01234567", BOOT_COLUMNS);
    for (unsigned i = 0; i < REASON_COUNT; i++) {
        row_text(&row, 6, outcome_name((enum outcome)(i % OUTCOME_COUNT)), INSTANCE_COLUMNS);
        row_text(&row, 7, reason_name((enum reason)i), INSTANCE_COLUMNS);
        row_text(&row, 8, phase_name((enum phase)(i % PHASE_COUNT)), INSTANCE_COLUMNS);
        table_measure(&table, &row);
    }
}

/* Columns are as wide as the words and names there are, so that lines can go out one by one. */
static void begin_text(const struct store_view *view)
{
    const struct ledger *ledger = &view->image.ledger;
    struct buffer out;
    table_begin(&table, columns, ARRAY_LEN(columns));
    measure_words();
    for (unsigned i = 0; i < ledger->totals.sli_count; i++) {
        if (view->tally.held[i] > 0) {
            const struct ledger_entry *entry = &ledger->entries[i];
            row_text(&row, 3, ledger_text(ledger, entry->probe), INSTANCE_COLUMNS);
            row_text(&row, 4, ledger_text(ledger, entry->kind), INSTANCE_COLUMNS);
            row_text(&row, 5, ledger_text(ledger, entry->instance), INSTANCE_COLUMNS);
            table_measure(&table, &row);
        }
    }
    buffer_init(&out, line, sizeof line);
    table_title(&table, "", &out);
    fputs(buffer_text(&out), stdout);
}

static void print_text(const struct dumped *dumped)
{
    const struct record *record = dumped->record;
    char wall[RFC3339_BYTES + 1] = "-", boot[STORE_IDENTITY_BYTES];
    if (dumped->wall.known && rfc3339_print(dumped->wall.unix_ms, wall) && dumped->wall.corrected) {
        memcpy(wall + RFC3339_BYTES - 1, "~", 2);
    }
    row_text(&row, 0, wall, INSTANCE_COLUMNS);
    row_text(&row, 1, store_identity(dumped->boot, boot) + STORE_IDENTITY_BYTES - 1 - BOOT_COLUMNS,
             BOOT_COLUMNS);
    row_count(&row, 2, (uint64_t)(record->at_us / USEC_PER_MSEC));
    row_text(&row, 3, dumped->names.probe, INSTANCE_COLUMNS);
    row_text(&row, 4, dumped->names.kind, INSTANCE_COLUMNS);
    row_text(&row, 5, dumped->names.instance, INSTANCE_COLUMNS);
    row_text(&row, 6, outcome_name(record->outcome), INSTANCE_COLUMNS);
    row_text(&row, 7, reason_name(record->reason), INSTANCE_COLUMNS);
    row_text(&row, 8, phase_name(record->phase), INSTANCE_COLUMNS);
    struct buffer out = row_cell(&row, 9);
    buffer_printf(&out, "%" PRId64 ".%02d", record->duration_us / 1000,
                  (int)(record->duration_us % 1000 / RECORD_DURATION_STEP_US));
    (void)buffer_text(&out);
    row_text(&row, 10, record->maintenance ? "yes" : "", INSTANCE_COLUMNS);
    buffer_init(&out, line, sizeof line);
    table_line(&table, &row, "", &out);
    puts(buffer_text(&out));
}

/* -- JSON and CSV -- */

/* Seconds with the five decimals that are kept. */
static void append_seconds(struct buffer *out, usec_t duration_us)
{
    buffer_printf(out, "%" PRId64 ".%05d", duration_us / USEC_PER_SEC,
                  (int)(duration_us % USEC_PER_SEC / RECORD_DURATION_STEP_US));
}

static void print_json(const struct dumped *dumped)
{
    const struct record *record = dumped->record;
    char wall[RFC3339_BYTES] = "", boot[STORE_IDENTITY_BYTES];
    struct buffer out;
    if (dumped->wall.known) {
        (void)rfc3339_print(dumped->wall.unix_ms, wall);
    }
    buffer_init(&out, line, sizeof line);
    buffer_printf(&out, "{\"number\":%" PRIu64, dumped->number);
    json_text(&out, "boot", store_identity(dumped->boot, boot));
    json_count(&out, "monotonic_ms", (uint64_t)(record->at_us / USEC_PER_MSEC));
    json_text(&out, "time", wall);
    json_flag(&out, "time_corrected", dumped->wall.corrected);
    json_count(&out, "target", record->target);
    json_text(&out, "probe", dumped->names.probe);
    json_text(&out, "kind", dumped->names.kind);
    json_text(&out, "instance", dumped->names.instance);
    json_text(&out, "outcome", outcome_name(record->outcome));
    json_text(&out, "reason", reason_name(record->reason));
    json_text(&out, "phase", phase_name(record->phase));
    json_name(&out, "duration_seconds");
    append_seconds(&out, record->duration_us);
    json_flag(&out, "maintenance", record->maintenance);
    buffer_append_byte(&out, '}');
    puts(buffer_text(&out));
}

/* RFC 4180: quotes around what has a comma, a quote or a line break, and quotes doubled. */
static void append_field(struct buffer *out, const char *text)
{
    bool quoted = strpbrk(text, ",\"\r\n") != NULL;
    buffer_append_byte(out, ',');
    if (quoted) {
        buffer_append_byte(out, '"');
    }
    for (; *text != '\0'; text++) {
        if (*text == '"') {
            buffer_append_byte(out, '"');
        }
        buffer_append_byte(out, (uint8_t)*text);
    }
    if (quoted) {
        buffer_append_byte(out, '"');
    }
}

static void begin_csv(void)
{
    fputs("number,boot,monotonic_ms,time,time_corrected,target,probe,kind,instance,outcome,reason,"
          "phase,duration_seconds,maintenance\r\n",
          stdout);
}

static void print_csv(const struct dumped *dumped)
{
    const struct record *record = dumped->record;
    char wall[RFC3339_BYTES] = "", boot[STORE_IDENTITY_BYTES];
    struct buffer out;
    if (dumped->wall.known) {
        (void)rfc3339_print(dumped->wall.unix_ms, wall);
    }
    buffer_init(&out, line, sizeof line);
    buffer_printf(&out, "%" PRIu64 ",%s,%" PRId64 ",%s,%s,%" PRIu32, dumped->number,
                  store_identity(dumped->boot, boot), record->at_us / USEC_PER_MSEC, wall,
                  dumped->wall.corrected ? "true" : "false", record->target);
    append_field(&out, dumped->names.probe);
    append_field(&out, dumped->names.kind);
    append_field(&out, dumped->names.instance);
    append_field(&out, outcome_name(record->outcome));
    append_field(&out, reason_name(record->reason));
    append_field(&out, phase_name(record->phase));
    buffer_append_byte(&out, ',');
    append_seconds(&out, record->duration_us);
    buffer_append_string(&out, record->maintenance ? ",true\r\n" : ",false\r\n");
    fputs(buffer_text(&out), stdout);
}

/* -- the log -- */

static bool in_time(const struct store_selection *selection, const struct wall_stamp *wall)
{
    if (!selection->has_since && !selection->has_until) {
        return true;
    }
    return wall->known && (!selection->has_since || wall->unix_ms >= selection->since_ms) &&
           (!selection->has_until || wall->unix_ms <= selection->until_ms);
}

static bool is_selected(const struct store_selection *selection, const struct dumped *dumped)
{
    int outcome = (int)dumped->record->outcome;
    return (selection->probe == NULL || strcmp(selection->probe, dumped->names.probe) == 0) &&
           (selection->outcome < 0 || selection->outcome == outcome) &&
           in_time(selection, &dumped->wall);
}

static void print_one(enum store_dump_format format, const struct dumped *dumped)
{
    if (format == DUMP_JSON) {
        print_json(dumped);
    } else if (format == DUMP_CSV) {
        print_csv(dumped);
    } else {
        print_text(dumped);
    }
}

static void dump_log(struct store_view *view, enum store_dump_format format,
                     const struct store_selection *selection)
{
    static struct image_walk walk;
    static struct dumped dumped;
    struct record record;
    store_image_walk(&walk, &view->image);
    store_wall_begin(&view->wall);
    dumped.record = &record;
    while (!ferror(stdout) && store_image_next(&walk, &record)) {
        dumped.wall = store_wall_stamp(&view->wall, &walk.replay, &record);
        if (record.sort != RECORD_RESULT) {
            continue;
        }
        dumped.number = walk.result;
        dumped.boot = walk.replay.boot;
        store_names(&dumped.names, &view->image.ledger,
                    ledger_find(&view->image.ledger, record.target));
        if (is_selected(selection, &dumped)) {
            print_one(format, &dumped);
        }
    }
}

int store_dump_print(struct store_view *view, enum store_dump_format format,
                     const struct store_selection *selection)
{
    static struct store_findings findings;
    store_view_judge(view, &findings);
    if (view->image.kind == IMAGE_STORE) {
        if (format == DUMP_PROM) {
            store_prom_print(&view->image.ledger);
        } else {
            if (format == DUMP_CSV) {
                begin_csv();
            } else if (format == DUMP_TEXT) {
                begin_text(view);
            }
            dump_log(view, format, selection);
        }
    }
    for (unsigned i = 0; i < findings.count; i++) {
        fprintf(stderr, "%s store: %s: %s\n", verbs_program(), view->path, findings.lines[i]);
    }
    if (view->image.kind == IMAGE_NEWER) {
        return EXIT_CODE_USAGE;
    }
    return findings.count == 0 ? EXIT_CODE_OK : EXIT_CODE_FAILURE;
}
