/* The store on the status page, as text and as JSON. */
#include <inttypes.h>
#include <math.h>

#include "json.h"
#include "status_render.h"
#include "status_table.h"

enum { KIB = 1024, PAGE_INDENT = 9 };

bool status_store_in_trouble(const struct agent *agent)
{
    const struct store *store = &agent->store;
    return store->state == STORE_MEMORY && store->trouble != STORE_OFF &&
           store->trouble != STORE_MAKING;
}

/* Counted, but what a power cut now would cost; 0 when nothing would be kept anyway. */
static uint64_t uncommitted_results(const struct store *store)
{
    bool durable = store->state == STORE_DURABLE;
    return durable ? store->ledger.totals.results - store->published.results : 0;
}

/* "64 KiB", "1.0 MiB" */
static void append_size(struct buffer *out, uint64_t size_bytes)
{
    if (size_bytes < (uint64_t)KIB * KIB) {
        buffer_printf(out, "%" PRIu64 " KiB", size_bytes / KIB);
    } else {
        uint64_t tenths = size_bytes * 10 / KIB / KIB;
        buffer_printf(out, "%" PRIu64 ".%" PRIu64 " MiB", tenths / 10, tenths % 10);
    }
}

static void append_last_commit(struct buffer *out, const struct store_numbers *numbers,
                               usec_t now_us)
{
    if (numbers->committed_us <= 0) {
        buffer_append_string(out, ", no commit yet");
        return;
    }
    buffer_append_string(out, ", last commit ");
    status_append_age(out, now_us - numbers->committed_us);
    buffer_append_string(out, " ago (");
    status_append_milliseconds(out, usec_max(numbers->commit_duration_us, 0));
    buffer_append_string(out, " ms)");
}

/* "durable, 1.0 MiB, 62% used, 81234 results and 5 not yet written, last commit 12s ago (3.1 ms)"
 */
static void append_durable(struct buffer *out, const struct agent *agent, usec_t now_us,
                           const char *alarm)
{
    const struct store *store = &agent->store;
    const struct store_numbers *numbers = &store->numbers;
    if (numbers->is_volatile) {
        status_append_coloured(out, alarm, "VOLATILE");
        buffer_append_string(out, " (its file system is in memory), ");
    } else {
        buffer_append_string(out, "durable, ");
    }
    append_size(out, (uint64_t)agent->ports.store.block_count * BLOCK_BYTES);
    if (numbers->slots > 0) {
        buffer_printf(out, ", %u%% used",
                      (unsigned)((uint64_t)numbers->slots_live * 100 / numbers->slots));
    }
    buffer_printf(out, ", %" PRIu64 " results", numbers->log_results);
    if (uncommitted_results(store) > 0) {
        buffer_printf(out, " and %" PRIu64 " not yet written", uncommitted_results(store));
    }
    append_last_commit(out, numbers, now_us);
}

/* "MEMORY: no_space, tried again in 40s, last commit 5m00s ago (3.1 ms)" */
static void append_trouble(struct buffer *out, const struct agent *agent, usec_t now_us,
                           const char *alarm)
{
    const struct store *store = &agent->store;
    status_append_coloured(out, alarm, "MEMORY");
    buffer_printf(out, ": %s, ", store_trouble_name(store->trouble));
    if (store->retry_us == USEC_NEVER) {
        buffer_append_string(out, "not tried again by itself");
    } else {
        buffer_append_string(out, "tried again in ");
        status_append_age(out, usec_max(store->retry_us - now_us, 0));
    }
    append_last_commit(out, &store->numbers, now_us);
}

void status_store(const struct agent *agent, usec_t now_us, bool colour, struct buffer *out)
{
    const struct store *store = &agent->store;
    const char *alarm = colour ? status_colour(STATUS_FAIL) : NULL;
    buffer_append_string(out, "store    ");
    if (!store_opened(store)) {
        buffer_append_string(out, "opening, nothing is measured before its totals are known\n");
        return;
    }
    char epoch[METRICS_EPOCH_BYTES];
    metrics_epoch_label(store->ledger.epoch, epoch);
    if (store->state == STORE_DURABLE) {
        append_durable(out, agent, now_us, alarm);
    } else if (status_store_in_trouble(agent)) {
        append_trouble(out, agent, now_us, alarm);
    } else if (store->trouble == STORE_MAKING) {
        buffer_append_string(out, "being made, totals are in memory meanwhile");
    } else {
        buffer_append_string(out, "none, totals are in memory");
    }
    buffer_printf(out, ", epoch %s\n", epoch);
    if (status_store_in_trouble(agent) && store->numbers.note[0] != '\0') {
        status_append_spaces(out, PAGE_INDENT);
        status_append_printable(out, store->numbers.note, sizeof store->numbers.note);
        buffer_append_byte(out, '\n');
    }
}

/* JSON. */

static void json_seconds_if(struct buffer *out, const char *name, bool known, usec_t duration_us)
{
    if (known) {
        json_seconds(out, name, duration_us);
    } else {
        json_null(out, name);
    }
}

static void json_identity(struct buffer *out, const struct agent *agent)
{
    const struct store *store = &agent->store;
    char epoch[METRICS_EPOCH_BYTES] = "";
    if (store_opened(store)) {
        metrics_epoch_label(store->ledger.epoch, epoch);
    }
    buffer_append_string(out, ",\n\"store\":{\"state\":");
    buffer_append_json_string(out, store_state_name(store->state));
    json_flag(out, "configured", agent->ports.store.block_count > 0);
    json_text(out, "trouble",
              status_store_in_trouble(agent) ? store_trouble_name(store->trouble) : "");
    json_text(out, "note", status_store_in_trouble(agent) ? store->numbers.note : "");
    json_text(out, "epoch", epoch);
    json_flag(out, "volatile", store->numbers.is_volatile);
}

void status_store_json(const struct agent *agent, usec_t now_us, struct buffer *out)
{
    const struct store *store = &agent->store;
    const struct store_numbers *numbers = &store->numbers;
    bool waits = numbers->uncommitted_since_us != USEC_NEVER;
    bool retries = status_store_in_trouble(agent) && store->retry_us != USEC_NEVER;
    json_identity(out, agent);
    json_seconds_if(out, "retry_in_seconds", retries, usec_max(store->retry_us - now_us, 0));
    json_count(out, "size_bytes", (uint64_t)agent->ports.store.block_count * BLOCK_BYTES);
    json_name(out, "used_ratio");
    json_number(out,
                numbers->slots > 0 ? (double)numbers->slots_live / numbers->slots : (double)NAN);
    json_count(out, "results", numbers->log_results);
    json_count(out, "uncommitted_results", uncommitted_results(store));
    json_seconds_if(out, "uncommitted_seconds", waits, now_us - numbers->uncommitted_since_us);
    json_seconds_if(out, "last_commit_seconds_ago", numbers->committed_us > 0,
                    now_us - numbers->committed_us);
    json_seconds_if(out, "last_commit_duration_seconds", numbers->commit_duration_us >= 0,
                    numbers->commit_duration_us);
    json_count(out, "written_bytes", numbers->blocks_written * BLOCK_BYTES);
    json_name(out, "dropped_results");
    buffer_printf(out, "{\"wrap\":%" PRIu64 ",\"memory\":%" PRIu64 ",\"damaged\":%" PRIu64 "}}",
                  numbers->dropped_wrap, numbers->dropped_memory, numbers->dropped_damaged);
}
