/* store stats: what an image holds, of whom, since when, and what it has cost. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "json.h"
#include "metrics.h"
#include "rfc3339.h"
#include "status_table.h"
#include "store_view.h"
#include "value.h"
#include "verbs.h"

enum { LINE_BYTES = 16384, SHOWN_COLUMNS = 60 };

static double bytes_per_result(const struct store_view *view)
{
    const struct store_tally *tally = &view->tally;
    return tally->results > 0 ? (double)tally->blocks * BLOCK_BYTES / (double)tally->results : 0;
}

static double fill(const struct store_view *view)
{
    const struct store_scan *scan = &view->image.scan;
    return (double)scan->live_count / (double)scan->slot_count;
}

static double hours(const struct store_tally *tally)
{
    return (double)tally->span_ms / 3600000;
}

/* -- text -- */

static void print_moment(const char *title, const struct tally_moment *moment)
{
    char wall[RFC3339_BYTES], boot[STORE_IDENTITY_BYTES];
    if (moment->number == 0) {
        return;
    }
    printf("%s  ", title);
    if (moment->wall.known && rfc3339_print(moment->wall.unix_ms, wall)) {
        printf("%s%s, ", wall, moment->wall.corrected ? " (worked out later)" : "");
    }
    printf("%" PRId64 ".%03d s after boot %s\n", moment->monotonic_ms / 1000,
           (int)(moment->monotonic_ms % 1000), store_identity(moment->boot, boot));
}

static void print_summary(const struct store_view *view)
{
    const struct store_image *image = &view->image;
    const struct store_tally *tally = &view->tally;
    char size[VALUE_PRINT_BYTES], store[STORE_IDENTITY_BYTES], epoch[METRICS_EPOCH_BYTES];
    metrics_epoch_label(image->ledger.epoch, epoch);
    printf("file      %s, %s, format %u\n", view->path,
           value_print_size((int64_t)image->size_bytes, size, sizeof size),
           image->super.format_version);
    printf("store     %s, epoch %s\n", store_identity(image->super.store, store), epoch);
    printf("log       %" PRIu32 " of %" PRIu32 " blocks (%.0f %%), %" PRIu64 " results of %" PRIu64
           " ever measured",
           image->scan.live_count, image->scan.slot_count, 100 * fill(view), tally->results,
           tally->submitted);
    printf(tally->results > 0 ? ", %.1f bytes each\n" : "\n", bytes_per_result(view));
    print_moment("oldest  ", &tally->oldest);
    print_moment("newest  ", &tally->newest);
    printf("holds     %.1f hours\n", hours(tally));
    printf("written   %" PRIu64 " blocks, %.1f MiB, since the store was made\n",
           tally->blocks_written, (double)tally->blocks_written * BLOCK_BYTES / (1 << 20));
    printf("dropped   %" PRIu64 " results to make room, %" PRIu64
           " that never reached the disk, %" PRIu64 " damaged\n",
           tally->dropped_wrap, tally->dropped_memory, tally->dropped_damaged);
    printf("stopped   %s\n", tally->clean ? "in order" : "not in order, or still running");
}

static const struct column columns[] = {
    {"PROBE", false},  {"KIND", false},   {"INSTANCE", false},
    {"SUCCESS", true}, {"FAILURE", true}, {"UNKNOWN", true},
    {"MISSED", true},  {"IN LOG", true},  {"CONFIGURED", false}};

static void fill_row(struct row *row, const struct store_view *view, unsigned index)
{
    const struct ledger *ledger = &view->image.ledger;
    const struct sli *sli = &ledger->totals.slis[index];
    const struct ledger_entry *entry = &ledger->entries[index];
    row->colour = NULL;
    row_text(row, 0, ledger_text(ledger, entry->probe), SHOWN_COLUMNS);
    row_text(row, 1, ledger_text(ledger, entry->kind), SHOWN_COLUMNS);
    row_text(row, 2, ledger_text(ledger, entry->instance), SHOWN_COLUMNS);
    row_count(row, 3, sli->results[OUTCOME_SUCCESS]);
    row_count(row, 4, sli->results[OUTCOME_FAILURE]);
    row_count(row, 5, sli->results[OUTCOME_UNKNOWN]);
    row_count(row, 6, sli->missed);
    row_count(row, 7, view->tally.held[index]);
    row_text(row, 8, entry->gone_at == 0 ? "yes" : "no more", SHOWN_COLUMNS);
}

static void print_targets(const struct store_view *view)
{
    static char line[LINE_BYTES];
    static struct row row;
    struct table table;
    struct buffer out;
    unsigned count = view->image.ledger.totals.sli_count;
    table_begin(&table, columns, ARRAY_LEN(columns));
    for (unsigned i = 0; i < count; i++) {
        fill_row(&row, view, i);
        table_measure(&table, &row);
    }
    buffer_init(&out, line, sizeof line);
    table_title(&table, "", &out);
    printf("\n%s", buffer_text(&out));
    for (unsigned i = 0; i < count; i++) {
        fill_row(&row, view, i);
        buffer_init(&out, line, sizeof line);
        table_line(&table, &row, "", &out);
        puts(buffer_text(&out));
    }
    if (view->tally.held_unnamed > 0) {
        printf("and %" PRIu64 " results in the log of targets whose names are gone\n",
               view->tally.held_unnamed);
    }
}

/* -- JSON -- */

static void json_moment(struct buffer *out, const char *name, const struct tally_moment *moment)
{
    char wall[RFC3339_BYTES] = "", boot[STORE_IDENTITY_BYTES];
    if (moment->number == 0) {
        json_null(out, name);
        return;
    }
    if (moment->wall.known) {
        (void)rfc3339_print(moment->wall.unix_ms, wall);
    }
    json_name(out, name);
    buffer_printf(out, "{\"number\":%" PRIu64, moment->number);
    json_text(out, "boot", store_identity(moment->boot, boot));
    json_count(out, "monotonic_ms", (uint64_t)moment->monotonic_ms);
    json_text(out, "time", wall);
    json_flag(out, "time_corrected", moment->wall.corrected);
    buffer_append_byte(out, '}');
}

static void json_target(struct buffer *out, const struct store_view *view, unsigned index)
{
    static struct store_names names;
    const struct sli *sli = &view->image.ledger.totals.slis[index];
    store_names(&names, &view->image.ledger, (int)index);
    buffer_append_string(out, index == 0 ? "{\"probe\":" : ",{\"probe\":");
    buffer_append_json_string(out, names.probe);
    json_text(out, "kind", names.kind);
    json_text(out, "instance", names.instance);
    json_flag(out, "configured", view->image.ledger.entries[index].gone_at == 0);
    for (unsigned i = 0; i < OUTCOME_COUNT; i++) {
        json_count(out, outcome_name((enum outcome)i), sli->results[i]);
    }
    json_count(out, "missed", sli->missed);
    json_count(out, "in_log", view->tally.held[index]);
    buffer_append_byte(out, '}');
}

static void json_number_named(struct buffer *out, const char *name, double value)
{
    json_name(out, name);
    json_number(out, value);
}

static void print_json(const struct store_view *view)
{
    static char text[LINE_BYTES];
    const struct store_image *image = &view->image;
    const struct store_tally *tally = &view->tally;
    char store[STORE_IDENTITY_BYTES], epoch[METRICS_EPOCH_BYTES];
    struct buffer out;
    buffer_init(&out, text, sizeof text);
    buffer_append_string(&out, "{\"file\":");
    buffer_append_json_string(&out, view->path);
    json_text(&out, "store", store_identity(image->super.store, store));
    metrics_epoch_label(image->ledger.epoch, epoch);
    json_text(&out, "epoch", epoch);
    json_count(&out, "format_version", image->super.format_version);
    json_count(&out, "size_bytes", image->size_bytes);
    json_number_named(&out, "fill_ratio", fill(view));
    json_count(&out, "results_in_log", tally->results);
    json_count(&out, "results_ever", tally->submitted);
    json_number_named(&out, "bytes_per_result", bytes_per_result(view));
    json_moment(&out, "oldest", &tally->oldest);
    json_moment(&out, "newest", &tally->newest);
    json_number_named(&out, "hours", hours(tally));
    json_count(&out, "blocks_written", tally->blocks_written);
    json_name(&out, "dropped");
    buffer_printf(&out, "{\"wrap\":%" PRIu64, tally->dropped_wrap);
    json_count(&out, "memory", tally->dropped_memory);
    json_count(&out, "damaged", tally->dropped_damaged);
    buffer_append_byte(&out, '}');
    json_flag(&out, "clean_stop", tally->clean);
    json_count(&out, "records_pushed", image->checkpoint.pushed_ordinal);
    json_count(&out, "records_ever", image->ledger.totals.ordinal);
    buffer_append_string(&out, ",\"targets\":[");
    fputs(buffer_text(&out), stdout);
    for (unsigned i = 0; i < image->ledger.totals.sli_count; i++) {
        buffer_init(&out, text, sizeof text);
        json_target(&out, view, i);
        fputs(buffer_text(&out), stdout);
    }
    puts("]}");
}

int store_stats_print(const struct store_view *view, bool json)
{
    static struct store_findings findings;
    store_view_judge(view, &findings);
    if (view->image.kind != IMAGE_STORE) {
        fprintf(stderr, "%s store: %s: %s\n", verbs_program(), view->path, findings.lines[0]);
        return view->image.kind == IMAGE_NEWER ? EXIT_CODE_USAGE : EXIT_CODE_FAILURE;
    }
    if (json) {
        print_json(view);
    } else {
        print_summary(view);
        print_targets(view);
    }
    for (unsigned i = 0; i < findings.count; i++) {
        fprintf(stderr, "%s store: %s: %s\n", verbs_program(), view->path, findings.lines[i]);
    }
    return findings.count == 0 ? EXIT_CODE_OK : EXIT_CODE_FAILURE;
}
