/* store verify: what of an image is whole, and what is not. */
#include <inttypes.h>
#include <stdio.h>

#include "json.h"
#include "store_view.h"
#include "value.h"
#include "verbs.h"

static const char *const kind_names[] = {
    [IMAGE_STORE] = "damaged", /* when it has findings */
    [IMAGE_EMPTY] = "empty",
    [IMAGE_FOREIGN] = "foreign",
    [IMAGE_NEWER] = "newer",
};

static const char *verdict(const struct store_view *view, const struct store_findings *findings)
{
    return findings->count == 0 ? "whole" : kind_names[view->image.kind];
}

static const char *part_name(enum image_part part)
{
    return part == PART_WHOLE ? "whole" : part == PART_MISSING ? "missing" : "damaged";
}

/* -- text -- */

static void print_checkpoints(const struct store_image *image)
{
    for (unsigned i = 0; i < 2; i++) {
        const struct image_area *area = &image->areas[i];
        printf(i == 0 ? "  checkpoints  " : "               ");
        if (area->part == PART_WHOLE) {
            printf("%c: generation %" PRIu64 " whole, counts %" PRIu64 " records%s\n", 'A' + (int)i,
                   area->generation, area->covers, (int)i == image->area ? ", in use" : "");
        } else {
            printf("%c: %s\n", 'A' + (int)i,
                   area->part == PART_MISSING ? "never written" : "unfinished or damaged");
        }
    }
}

static void print_text(const struct store_view *view)
{
    const struct store_image *image = &view->image;
    const struct store_scan *scan = &image->scan;
    const struct store_tally *tally = &view->tally;
    char size[VALUE_PRINT_BYTES], store[STORE_IDENTITY_BYTES];
    printf("  file         %s in %" PRIu32 " blocks, format %u, store %s\n",
           value_print_size((int64_t)image->size_bytes, size, sizeof size),
           image->super.block_count, image->super.format_version,
           store_identity(image->super.store, store));
    printf("  super block  %s, its copy %s\n", part_name(image->supers[0]),
           part_name(image->supers[1]));
    print_checkpoints(image);
    printf("  log          %" PRIu32 " of %" PRIu32 " blocks, %" PRIu64 " results", tally->blocks,
           scan->slot_count, tally->results);
    if (tally->results > 0) {
        printf(", number %" PRIu64 " to %" PRIu64, tally->oldest.number, tally->newest.number);
    }
    printf("\n  other room   %" PRIu32 " blocks never written, %" PRIu32
           " no longer needed, %" PRIu32 " unfinished or damaged\n",
           scan->counts[SLOT_EMPTY] - image->missing_slots, scan->counts[SLOT_STALE],
           scan->counts[SLOT_DAMAGED]);
    printf("  totals       of %u targets, from the checkpoint and %" PRIu64 " records behind it\n",
           image->ledger.totals.sli_count, tally->replayed);
}

/* -- JSON -- */

static void begin_object(struct buffer *out, const char *name)
{
    json_name(out, name);
    buffer_append_byte(out, '{');
}

static void json_checkpoint(struct buffer *out, const struct store_image *image, unsigned i)
{
    const struct image_area *area = &image->areas[i];
    buffer_printf(out, "%s{\"state\":\"%s\"", i == 0 ? "" : ",", part_name(area->part));
    if (area->part == PART_WHOLE) {
        json_count(out, "generation", area->generation);
        json_count(out, "records", area->covers);
    } else {
        json_null(out, "generation");
        json_null(out, "records");
    }
    json_flag(out, "in_use", (int)i == image->area);
    buffer_append_byte(out, '}');
}

static void json_log(struct buffer *out, const struct store_view *view)
{
    const struct store_tally *tally = &view->tally;
    const struct store_scan *scan = &view->image.scan;
    begin_object(out, "log");
    buffer_printf(out, "\"blocks\":%" PRIu32, tally->blocks);
    json_count(out, "results", tally->results);
    json_count(out, "first_result", tally->oldest.number);
    json_count(out, "last_result", tally->newest.number);
    json_count(out, "holes", tally->holes);
    json_count(out, "missing_results", tally->hole_results + tally->cut_results);
    json_count(out, "unreadable_records", tally->broken_records);
    buffer_append_byte(out, '}');
    begin_object(out, "slots");
    buffer_printf(out, "\"total\":%" PRIu32, scan->slot_count);
    json_count(out, "log", scan->counts[SLOT_LIVE]);
    json_count(out, "empty", scan->counts[SLOT_EMPTY] - view->image.missing_slots);
    json_count(out, "no_longer_needed", scan->counts[SLOT_STALE]);
    json_count(out, "unfinished", scan->counts[SLOT_DAMAGED]);
    json_count(out, "missing", view->image.missing_slots);
    buffer_append_byte(out, '}');
}

static void json_store(struct buffer *out, const struct store_view *view)
{
    const struct store_image *image = &view->image;
    char store[STORE_IDENTITY_BYTES];
    json_text(out, "store", store_identity(image->super.store, store));
    json_count(out, "format_version", image->super.format_version);
    json_count(out, "blocks", image->super.block_count);
    begin_object(out, "super");
    buffer_printf(out, "\"first\":\"%s\",\"copy\":\"%s\"}", part_name(image->supers[0]),
                  part_name(image->supers[1]));
    json_name(out, "checkpoints");
    buffer_append_byte(out, '[');
    json_checkpoint(out, image, 0);
    json_checkpoint(out, image, 1);
    buffer_append_byte(out, ']');
    json_log(out, view);
    begin_object(out, "totals");
    buffer_printf(out, "\"targets\":%u", image->ledger.totals.sli_count);
    json_count(out, "results", image->ledger.totals.results);
    json_count(out, "records_behind_checkpoint", view->tally.replayed);
    json_count(out, "records_missing", view->tally.uncounted);
    buffer_append_byte(out, '}');
}

static void print_json(const struct store_view *view, const struct store_findings *findings)
{
    static char text[16384];
    struct buffer out;
    buffer_init(&out, text, sizeof text);
    buffer_append_string(&out, "{\"file\":");
    buffer_append_json_string(&out, view->path);
    json_text(&out, "verdict", verdict(view, findings));
    json_count(&out, "size_bytes", view->image.size_bytes);
    json_name(&out, "findings");
    for (unsigned i = 0; i < findings->count; i++) {
        buffer_append_byte(&out, i == 0 ? '[' : ',');
        buffer_append_json_string(&out, findings->lines[i]);
    }
    buffer_append_string(&out, findings->count == 0 ? "[]" : "]");
    if (view->image.kind == IMAGE_STORE) {
        json_store(&out, view);
    }
    buffer_append_byte(&out, '}');
    puts(buffer_text(&out));
}

int store_verify_print(const struct store_view *view, bool json)
{
    static struct store_findings findings;
    store_view_judge(view, &findings);
    if (json) {
        print_json(view, &findings);
    } else {
        printf("%s: %s\n", view->path, verdict(view, &findings));
        for (unsigned i = 0; i < findings.count; i++) {
            printf("  ! %s\n", findings.lines[i]);
        }
        if (view->image.kind == IMAGE_STORE) {
            print_text(view);
        }
    }
    if (view->image.kind == IMAGE_NEWER) {
        return EXIT_CODE_USAGE;
    }
    return findings.count == 0 ? EXIT_CODE_OK : EXIT_CODE_FAILURE;
}
