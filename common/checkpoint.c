/* One walk writes items into a buffer; measuring is writing into an empty one. So the bound is no
 * formula beside the format: it is the size of a real checkpoint of targets that have the most to
 * tell. */
#include "checkpoint.h"

#include <assert.h>
#include <string.h>

#include "buffer.h"
#include "bytes.h"
#include "checkpoint_items.h"

/* More than any count becomes (checkpoint.h), and what a sum of as many durations stays below. */
#define COUNT_MAX  (((uint64_t)1 << 35) - 1)
#define SUM_US_MAX INT64_MAX
/* A run of a hundred years, in the year 9999. */
#define RAN_US_MAX  (36525 * USEC_PER_DAY)
#define UNIX_MS_MAX INT64_C(253402300799999)

static void put_u16(struct buffer *out, uint16_t value)
{
    uint8_t bytes[2];
    bytes_put_u16(bytes, value);
    buffer_append(out, bytes, sizeof bytes);
}

static void put_u32(struct buffer *out, uint32_t value)
{
    uint8_t bytes[4];
    bytes_put_u32(bytes, value);
    buffer_append(out, bytes, sizeof bytes);
}

static void put_u64(struct buffer *out, uint64_t value)
{
    uint8_t bytes[8];
    bytes_put_u64(bytes, value);
    buffer_append(out, bytes, sizeof bytes);
}

static void put_varint(struct buffer *out, uint64_t value)
{
    uint8_t bytes[BYTES_VARINT_MAX];
    buffer_append(out, bytes, bytes_put_varint(bytes, value));
}

static void put_text(struct buffer *out, const char *text)
{
    size_t length = strlen(text);
    put_varint(out, length);
    buffer_append(out, text, length);
}

static void put_head(struct buffer *out, const struct checkpoint *checkpoint,
                     const struct ledger *ledger, const struct ledger_totals *totals)
{
    put_u16(out, CHECKPOINT_FORMAT);
    put_u16(out, checkpoint->clean ? CHECKPOINT_CLEAN : 0);
    put_u32(out, ledger->next_id);
    put_u64(out, ledger->epoch);
    put_u64(out, totals->ordinal);
    put_u64(out, totals->results);
    put_u64(out, checkpoint->pushed_ordinal);
    put_u64(out, checkpoint->oldest_seq);
    put_u64(out, checkpoint->next_seq);
    put_u64(out, checkpoint->dropped_wrap);
    put_u64(out, checkpoint->dropped_memory);
    put_u64(out, checkpoint->blocks_written);
    put_u64(out, checkpoint->boot);
    put_u64(out, (uint64_t)checkpoint->unix_ms);
}

static void put_item(struct buffer *out, enum checkpoint_item type, const struct buffer *item)
{
    assert(!buffer_overflowed(item) && item->used <= UINT16_MAX);
    buffer_append_byte(out, (uint8_t)type);
    put_u16(out, (uint16_t)item->used);
    buffer_append(out, item->bytes, item->used);
}

static void put_counter(struct buffer *out, unsigned code, uint64_t value)
{
    uint8_t bytes[1 + BYTES_VARINT_MAX];
    struct buffer item;
    buffer_init(&item, bytes, sizeof bytes);
    buffer_append_byte(&item, (uint8_t)code);
    put_varint(&item, value);
    put_item(out, CHECKPOINT_COUNTER, &item);
}

static void put_bounds(struct buffer *out, const struct histogram *histogram)
{
    put_varint(out, histogram->extra_count);
    for (unsigned i = 0; i < histogram->extra_count; i++) {
        assert(histogram->extras_us[i] % RECORD_DURATION_STEP_US == 0);
        put_varint(out, (uint64_t)(histogram->extras_us[i] / RECORD_DURATION_STEP_US));
    }
}

static void put_failures(struct buffer *out, const uint64_t *failures)
{
    unsigned count = 0;
    for (unsigned i = 0; i < REASON_COUNT; i++) {
        count += failures[i] > 0 ? 1 : 0;
    }
    put_varint(out, count);
    for (unsigned i = 0; i < REASON_COUNT; i++) {
        if (failures[i] > 0) {
            buffer_append_byte(out, record_reason_code((enum reason)i));
            put_varint(out, failures[i]);
        }
    }
}

static void put_sli(struct buffer *out, const struct sli *sli)
{
    put_bounds(out, &sli->duration);
    for (unsigned i = 0; i < OUTCOME_COUNT; i++) {
        put_varint(out, sli->results[i]);
    }
    put_failures(out, sli->failures);
    put_varint(out, sli->missed);
    for (unsigned i = 0; i <= sli->duration.bound_count; i++) {
        put_varint(out, sli->duration.buckets[i]);
    }
    put_varint(out, sli->duration.sum_us);
}

static void put_run_end(struct buffer *out, const struct run_end *end)
{
    uint8_t bytes[CHECKPOINT_RUN_END_BYTES];
    struct buffer item;
    buffer_init(&item, bytes, sizeof bytes);
    buffer_append_byte(&item, (uint8_t)end->cause);
    buffer_append_byte(&item, end->signal);
    buffer_append_byte(&item, end->exit_code);
    buffer_append_byte(&item, end->task);
    put_varint(&item, end->target);
    put_varint(&item, end->ran_us > 0 ? (uint64_t)(end->ran_us / USEC_PER_MSEC) : 0);
    put_varint(&item, end->unix_ms > 0 ? (uint64_t)end->unix_ms : 0);
    put_item(out, CHECKPOINT_RUN_END, &item);
}

struct target {
    uint32_t id;
    uint64_t gone_at;
    const char *kind, *probe, *instance;
};

static void put_target(struct buffer *out, const struct target *target, const struct sli *sli)
{
    uint8_t bytes[CHECKPOINT_TARGET_BYTES];
    struct buffer item;
    buffer_init(&item, bytes, sizeof bytes);
    put_varint(&item, target->id);
    put_varint(&item, target->gone_at);
    put_text(&item, target->kind);
    put_text(&item, target->probe);
    put_text(&item, target->instance);
    put_sli(&item, sli);
    put_item(out, CHECKPOINT_TARGET, &item);
}

static void put_end(struct buffer *out, uint32_t items)
{
    uint8_t bytes[4];
    struct buffer item;
    buffer_init(&item, bytes, sizeof bytes);
    put_u32(&item, items);
    put_item(out, CHECKPOINT_END, &item);
}

size_t checkpoint_encode(const struct checkpoint *checkpoint, const struct ledger *ledger,
                         const struct ledger_totals *totals, uint8_t *bytes, size_t size)
{
    struct buffer out;
    uint32_t items = totals->sli_count + ledger->end_count;
    assert(totals->sli_count == ledger->totals.sli_count);
    buffer_init(&out, bytes, size);
    put_head(&out, checkpoint, ledger, totals);
    for (unsigned i = 0; i < LEDGER_COUNTERS; i++) {
        if (totals->counters[i] > 0) {
            put_counter(&out, i, totals->counters[i]);
            items++;
        }
    }
    for (unsigned i = 0; i < ledger->end_count; i++) {
        put_run_end(&out, &ledger->ends[i]);
    }
    for (unsigned i = 0; i < totals->sli_count; i++) {
        const struct ledger_entry *entry = &ledger->entries[i];
        struct target target = {.id = entry->id,
                                .gone_at = entry->gone_at,
                                .kind = ledger_text(ledger, entry->kind),
                                .probe = ledger_text(ledger, entry->probe),
                                .instance = ledger_text(ledger, entry->instance)};
        put_target(&out, &target, &totals->slis[i]);
    }
    put_end(&out, items);
    return out.used;
}

/* All bounds there can be, as far up as they can be; all counts as long as they can be. */
static void fill_sli(struct sli *sli, uint64_t reasons)
{
    sli_init(sli, NULL);
    for (unsigned i = 0; i < SLI_EXTRA_BOUNDS; i++) {
        (void)histogram_add_bound(&sli->duration,
                                  SLI_BOUND_MAX_US - (usec_t)i * RECORD_DURATION_STEP_US);
    }
    for (unsigned i = 0; i < OUTCOME_COUNT; i++) {
        sli->results[i] = COUNT_MAX;
    }
    for (unsigned i = 0; i < REASON_COUNT; i++) {
        sli->failures[i] = (reasons & REASON_BIT(i)) != 0 ? COUNT_MAX : 0;
    }
    for (unsigned i = 0; i <= sli->duration.bound_count; i++) {
        sli->duration.buckets[i] = COUNT_MAX;
    }
    sli->missed = COUNT_MAX;
    sli->duration.sum_us = SUM_US_MAX;
}

size_t checkpoint_bound(const struct config *config)
{
    struct buffer out;
    struct sli sli;
    const struct run_end longest = {
        .target = LEDGER_ID_END, .ran_us = RAN_US_MAX, .unix_ms = UNIX_MS_MAX};
    buffer_init(&out, NULL, 0);
    for (unsigned i = 0; i < LEDGER_COUNTERS; i++) {
        put_counter(&out, i, COUNT_MAX);
    }
    for (unsigned i = 0; i < CAP_RUN_ENDS; i++) {
        put_run_end(&out, &longest);
    }
    for (unsigned i = 0; i < config->target_count; i++) {
        const struct config_probe *probe = config_target_probe(config, i);
        struct target target = {.id = LEDGER_ID_END,
                                .kind = probe->section.kind->name,
                                .probe = config_probe_name(config, probe),
                                .instance = config_instance(config, i)};
        fill_sli(&sli, probe->section.kind->reasons);
        put_target(&out, &target, &sli);
    }
    put_end(&out, 0);
    return CHECKPOINT_HEAD_BYTES + out.used + (CHECKPOINT_HEAD_BYTES + out.used) / 2;
}
