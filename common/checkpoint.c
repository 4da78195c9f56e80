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

/* Returns where the item's own bytes begin; its length, before them, is known at its end. */
static size_t begin_item(struct buffer *out, enum checkpoint_item type)
{
    buffer_append_byte(out, (uint8_t)type);
    put_u16(out, 0);
    return out->used;
}

static void end_item(struct buffer *out, size_t begin)
{
    size_t length = out->used - begin;
    assert(length <= UINT16_MAX);
    if (!buffer_overflowed(out)) {
        bytes_put_u16(out->bytes + begin - sizeof(uint16_t), (uint16_t)length);
    }
}

static void put_counter(struct buffer *out, unsigned code, uint64_t value)
{
    size_t begin = begin_item(out, CHECKPOINT_COUNTER);
    buffer_append_byte(out, (uint8_t)code);
    put_varint(out, value);
    end_item(out, begin);
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
    size_t begin = begin_item(out, CHECKPOINT_RUN_END);
    buffer_append_byte(out, (uint8_t)end->cause);
    buffer_append_byte(out, end->signal);
    buffer_append_byte(out, end->exit_code);
    buffer_append_byte(out, end->task);
    put_varint(out, end->target);
    put_varint(out, end->ran_us > 0 ? (uint64_t)(end->ran_us / USEC_PER_MSEC) : 0);
    put_varint(out, end->unix_ms > 0 ? (uint64_t)end->unix_ms : 0);
    end_item(out, begin);
}

struct target {
    uint32_t id;
    uint64_t gone_at;
    const char *kind, *probe, *instance;
};

static void put_target(struct buffer *out, const struct target *target, const struct sli *sli)
{
    size_t begin = begin_item(out, CHECKPOINT_TARGET);
    put_varint(out, target->id);
    put_varint(out, target->gone_at);
    put_text(out, target->kind);
    put_text(out, target->probe);
    put_text(out, target->instance);
    put_sli(out, sli);
    end_item(out, begin);
}

static void put_maintenance(struct buffer *out, uint32_t id, uint64_t runs)
{
    size_t begin = begin_item(out, CHECKPOINT_MAINTENANCE);
    put_varint(out, id);
    put_varint(out, runs);
    end_item(out, begin);
}

static void put_slo_clock(struct buffer *out, const struct slo_clock *clock)
{
    size_t begin = begin_item(out, CHECKPOINT_SLO_CLOCK);
    put_u64(out, clock->boot);
    buffer_append_byte(out, (uint8_t)((clock->settled ? CHECKPOINT_SLO_SETTLED : 0) |
                                      (clock->has_wall ? CHECKPOINT_SLO_HAS_WALL : 0)));
    put_varint(out, (uint64_t)clock->position_ms);
    put_varint(out, (uint64_t)clock->mono_ms);
    put_varint(out, bytes_zigzag((uint64_t)clock->wall_less_position_ms));
    end_item(out, begin);
}

/* A healthy site has the same counts in bucket after bucket, so that they cost next to nothing. */
static void put_tier(struct buffer *out, const struct slo_history *history, unsigned tier)
{
    unsigned count = slo_tier_buckets(tier), back = 0;
    while (back < count) {
        const struct slo_bucket *bucket = slo_tier_bucket(history, tier, back), *next;
        unsigned same = 0;
        while (back + same + 1 < count &&
               (next = slo_tier_bucket(history, tier, back + same + 1))->good == bucket->good &&
               next->bad == bucket->bad) {
            same++;
        }
        put_varint(out, (uint64_t)bucket->good * 2 + (same > 0 ? 1 : 0));
        put_varint(out, bucket->bad);
        if (same > 0) {
            put_varint(out, same);
        }
        back += same + 1;
    }
}

static void put_slo(struct buffer *out, uint32_t target, const struct slo_history *history)
{
    size_t begin = begin_item(out, CHECKPOINT_SLO);
    put_varint(out, target);
    buffer_append_byte(out, history->type == SLO_LATENCY ? CHECKPOINT_SLO_LATENCY
                                                         : CHECKPOINT_SLO_AVAILABILITY);
    put_varint(out, (uint64_t)(history->threshold_us / RECORD_DURATION_STEP_US));
    put_varint(out, (uint64_t)(history->window_us / USEC_PER_MSEC));
    put_varint(out, history->gone_at);
    put_varint(out, (uint64_t)history->last_ms);
    for (unsigned tier = 0; tier < SLO_TIERS; tier++) {
        put_tier(out, history, tier);
    }
    end_item(out, begin);
}

static void put_end(struct buffer *out, uint32_t items)
{
    size_t begin = begin_item(out, CHECKPOINT_END);
    put_u32(out, items);
    end_item(out, begin);
}

size_t checkpoint_encode(const struct checkpoint *checkpoint, const struct ledger *ledger,
                         const struct ledger_totals *totals, uint8_t *bytes, size_t size)
{
    struct buffer out;
    uint32_t items = totals->sli_count + ledger->end_count + totals->slos.count;
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
        if (totals->slis[i].maintenance > 0) {
            put_maintenance(&out, entry->id, totals->slis[i].maintenance);
            items++;
        }
    }
    if (totals->slos.count > 0) {
        put_slo_clock(&out, &totals->slos.clock);
        items++;
    }
    for (unsigned i = 0; i < totals->slos.count; i++) {
        put_slo(&out, totals->slos.targets[i], &totals->slos.histories[i]);
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

/* As many events in each bucket as the target can have, in turn good and bad so that no two buckets
 * are alike. */
static void fill_history(struct slo_history *history, const struct config_slo *slo,
                         usec_t interval_us)
{
    slo_history_init(history, slo);
    history->gone_at = COUNT_MAX;
    history->last_ms = SLO_POSITION_MAX_MS;
    for (unsigned tier = 0; tier < SLO_TIERS; tier++) {
        uint64_t most =
            (uint64_t)(slo_tier_width_ms(history, tier) * USEC_PER_MSEC / usec_max(interval_us, 1));
        uint32_t count = most < SLO_BUCKET_MAX - 2 ? (uint32_t)most + 2 : SLO_BUCKET_MAX;
        for (unsigned back = 0; back < slo_tier_buckets(tier); back++) {
            slo_tier_set(history, tier, back,
                         (struct slo_bucket){.good = count - back % 2, .bad = count});
        }
    }
}

static void put_longest_slos(struct buffer *out, const struct config_probe *probe)
{
    struct slo_history history;
    for (unsigned i = 0; i < config_counted_slos(probe); i++) {
        fill_history(&history, &probe->slos[i], probe->interval_us);
        put_slo(out, LEDGER_ID_END, &history);
    }
}

size_t checkpoint_bound(const struct config *config)
{
    struct buffer out;
    struct sli sli;
    const struct run_end longest = {
        .target = LEDGER_ID_END, .ran_us = RAN_US_MAX, .unix_ms = UNIX_MS_MAX};
    const struct slo_clock longest_clock = {.position_ms = SLO_POSITION_MAX_MS,
                                            .mono_ms = BLOCK_TIME_MAX_MS,
                                            .wall_less_position_ms = INT64_MIN};
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
        put_maintenance(&out, LEDGER_ID_END, COUNT_MAX);
        put_longest_slos(&out, probe);
    }
    put_slo_clock(&out, &longest_clock);
    put_end(&out, 0);
    return CHECKPOINT_HEAD_BYTES + out.used + (CHECKPOINT_HEAD_BYTES + out.used) / 4;
}
