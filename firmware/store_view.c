#include "store_view.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "buffer.h"
#include "utf8.h"
#include "verbs.h"

/* The time of a file is that of a clock tick. */
enum { LOOKS = 5, TICK_MS = 20, PAUSE_NS = 30000000 };

const char *store_identity(uint64_t identity, char *out)
{
    (void)snprintf(out, STORE_IDENTITY_BYTES, "%016" PRIx64, identity);
    return out;
}

/* C0, DEL and C1 (U+0080 to U+009F, in two bytes). */
static bool is_control(const uint8_t *text)
{
    return text[0] < 0x20 || text[0] == 0x7f ||
           (text[0] == 0xc2 && text[1] >= 0x80 && text[1] < 0xa0);
}

/* `out` has three bytes for each of the text. */
static void make_safe(char *out, size_t size, const char *text)
{
    struct buffer safe;
    buffer_init(&safe, out, size);
    while (*text != '\0') {
        size_t length = utf8_length(text);
        if (length == 0 || is_control((const uint8_t *)text)) {
            buffer_append_string(&safe, UTF8_REPLACEMENT);
            length = length > 0 ? length : 1;
        } else {
            buffer_append(&safe, text, length);
        }
        text += length;
    }
    (void)buffer_text(&safe);
}

void store_names(struct store_names *names, const struct ledger *ledger, int index)
{
    const struct ledger_entry *entry = index >= 0 ? &ledger->entries[index] : NULL;
    make_safe(names->kind, sizeof names->kind, entry ? ledger_text(ledger, entry->kind) : "");
    make_safe(names->probe, sizeof names->probe, entry ? ledger_text(ledger, entry->probe) : "");
    make_safe(names->instance, sizeof names->instance,
              entry ? ledger_text(ledger, entry->instance) : "");
}

static int64_t milliseconds(struct timespec time)
{
    return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

/* Whether the file was written since then: it changed under our eyes. */
static bool was_written(const struct store_image *image, struct timespec since)
{
    struct stat status;
    return fstat(image->descriptor, &status) == 0 &&
           milliseconds(status.st_mtim) >= milliseconds(since) - TICK_MS;
}

static bool look(struct store_view *view)
{
    store_image_scan(&view->image);
    if (view->image.kind != IMAGE_STORE) {
        return true;
    }
    store_wall_free(&view->wall);
    if (!store_wall_gather(&view->wall, &view->image)) {
        return false;
    }
    store_tally_make(&view->tally, &view->image, &view->wall);
    return true;
}

bool store_view_load(struct store_view *view, const char *path)
{
    static struct store_findings findings;
    char why[128];
    memset(&view->wall, 0, sizeof view->wall);
    view->path = path;
    if (!store_image_open(&view->image, path, why, sizeof why)) {
        fprintf(stderr, "%s store: %s: %s\n", verbs_program(), path, why);
        return false;
    }
    for (unsigned looks = 0; looks < LOOKS; looks++) {
        struct timespec begun;
        (void)clock_gettime(CLOCK_REALTIME, &begun);
        if (!look(view)) {
            fprintf(stderr, "%s store: %s: out of memory\n", verbs_program(), path);
            store_view_free(view);
            return false;
        }
        store_view_judge(view, &findings);
        if (findings.count == 0 || !was_written(&view->image, begun)) {
            break;
        }
        (void)nanosleep(&(struct timespec){.tv_nsec = PAUSE_NS}, NULL);
    }
    return true;
}

void store_view_free(struct store_view *view)
{
    store_wall_free(&view->wall);
    store_image_close(&view->image);
}

/* -- findings -- */

static void find(struct store_findings *findings, const char *format, ...) PRINTF_LIKE(2, 3);
static void find(struct store_findings *findings, const char *format, ...)
{
    if (findings->count < STORE_FINDINGS_MAX) {
        va_list arguments;
        va_start(arguments, format);
        (void)vsnprintf(findings->lines[findings->count++], STORE_FINDING_BYTES, format, arguments);
        va_end(arguments);
    }
}

static void judge_file(const struct store_image *image, struct store_findings *findings)
{
    uint64_t expected = (uint64_t)image->super.block_count * BLOCK_BYTES;
    if (image->size_bytes < expected) {
        find(findings, "the file is cut: %" PRIu64 " of %" PRIu64 " bytes are there",
             image->size_bytes, expected);
    } else if (image->size_bytes > expected) {
        find(findings, "%" PRIu64 " bytes stand behind the end of the store",
             image->size_bytes - expected);
    }
    if (image->unreadable > 0) {
        find(findings, "the system could not read %" PRIu32 " blocks", image->unreadable);
    }
    for (unsigned i = 0; i < 2; i++) {
        const char *which = i == 0 ? "super block" : "copy of the super block";
        if (image->supers[i] != PART_WHOLE) {
            find(findings, "the %s is %s", which,
                 image->supers[i] == PART_MISSING ? "missing" : "damaged");
        }
    }
    if (image->foreign_slots > 0) {
        find(findings, "%" PRIu32 " blocks belong to another store", image->foreign_slots);
    }
}

static void judge_log(const struct store_tally *tally, struct store_findings *findings)
{
    if (tally->cut_results > 0) {
        find(findings, "blocks are missing: %" PRIu64 " results of the log are gone",
             tally->cut_results);
    }
    if (tally->holes > 0) {
        find(findings,
             "%" PRIu32 " hole%s in the log: %" PRIu64 " records, %" PRIu64
             " results among them, are gone",
             tally->holes, tally->holes == 1 ? "" : "s", tally->hole_records, tally->hole_results);
    }
    if (tally->unreached_records > 0) {
        find(findings, "the end of the log is missing: %" PRIu64 " records are counted, but gone",
             tally->unreached_records);
    }
    if (tally->broken_blocks > 0) {
        find(findings, "%" PRIu32 " blocks hold bytes that are no records: %" PRIu64 " are gone",
             tally->broken_blocks, tally->broken_records);
    }
    if (tally->miscounted_blocks > 0) {
        find(findings, "%" PRIu32 " blocks hold more or fewer results than they say",
             tally->miscounted_blocks);
    }
    if (tally->lost_blocks > 0) {
        find(findings, "%" PRIu32 " blocks changed while they were read", tally->lost_blocks);
    }
}

static void judge_totals(const struct store_view *view, struct store_findings *findings)
{
    const struct store_tally *tally = &view->tally;
    if (view->image.area < 0) {
        find(findings, "no checkpoint is whole: the totals and the names of targets are gone");
        return;
    }
    if (tally->uncounted > 0) {
        find(findings,
             "%" PRIu64 " records behind the checkpoint are missing: the totals lack them",
             tally->uncounted);
    }
    if (tally->wrong_targets > 0) {
        find(findings, "the sums of %u targets disagree", tally->wrong_targets);
    }
    if (tally->wrong_results) {
        find(findings, "more results are counted than were ever measured");
    }
}

void store_view_judge(const struct store_view *view, struct store_findings *findings)
{
    const struct store_image *image = &view->image;
    findings->count = 0;
    switch (image->kind) {
    case IMAGE_EMPTY:
        find(findings, "there is nothing in this file");
        break;
    case IMAGE_FOREIGN:
        find(findings, "no block says that this is a store");
        break;
    case IMAGE_NEWER:
        find(findings, "format version %u is newer than the %d this program knows",
             image->super.format_version, BLOCK_FORMAT_VERSION);
        break;
    case IMAGE_STORE:
        judge_file(image, findings);
        judge_log(&view->tally, findings);
        judge_totals(view, findings);
        break;
    }
}
