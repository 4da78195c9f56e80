/* Everything is checked while it is read: an item is taken whole or the checkpoint is none. */
#include <string.h>

#include "checkpoint_items.h"

/* Bytes that are being taken; once some are missing or wrong it stays bad and yields zeros. */
struct source {
    const uint8_t *next;
    size_t left;
    bool bad;
};

static const uint8_t *take(struct source *source, size_t count)
{
    const uint8_t *bytes = source->next;
    if (source->bad || count > source->left) {
        source->bad = true;
        return NULL;
    }
    source->next += count;
    source->left -= count;
    return bytes;
}

static uint8_t take_u8(struct source *source)
{
    const uint8_t *bytes = take(source, 1);
    return bytes != NULL ? bytes[0] : 0;
}

static uint16_t take_u16(struct source *source)
{
    const uint8_t *bytes = take(source, 2);
    return bytes != NULL ? bytes_u16(bytes) : 0;
}

static uint32_t take_u32(struct source *source)
{
    const uint8_t *bytes = take(source, 4);
    return bytes != NULL ? bytes_u32(bytes) : 0;
}

static uint64_t take_u64(struct source *source)
{
    const uint8_t *bytes = take(source, 8);
    return bytes != NULL ? bytes_u64(bytes) : 0;
}

static uint64_t take_varint(struct source *source)
{
    uint64_t value = 0;
    size_t count = source->bad ? 0 : bytes_varint(source->next, source->left, &value);
    source->bad = source->bad || count == 0;
    (void)take(source, count);
    return source->bad ? 0 : value;
}

/* At most `max`. */
static unsigned take_count(struct source *source, unsigned max)
{
    uint64_t count = take_varint(source);
    source->bad = source->bad || count > max;
    return source->bad ? 0 : (unsigned)count;
}

/* A text of less than `size` bytes, without a NUL in it; terminated. */
static void take_text(struct source *source, char *text, unsigned size)
{
    unsigned length = take_count(source, size - 1);
    const uint8_t *bytes = take(source, length);
    if (bytes == NULL || memchr(bytes, '\0', length) != NULL) {
        source->bad = true;
        length = 0;
    } else {
        memcpy(text, bytes, length);
    }
    text[length] = '\0';
}

/* a + b, which does not pass 64 bits in any total that was counted. */
static uint64_t add(struct source *source, uint64_t a, uint64_t b)
{
    source->bad = source->bad || b > UINT64_MAX - a;
    return a + b;
}

static bool take_head(struct source *source, struct checkpoint *checkpoint, struct ledger *ledger)
{
    uint16_t format = take_u16(source), flags = take_u16(source);
    uint32_t next_id = take_u32(source);
    ledger_init(ledger, take_u64(source));
    ledger->next_id = next_id;
    ledger->totals.ordinal = take_u64(source);
    ledger->totals.results = take_u64(source);
    *checkpoint =
        (struct checkpoint){.covers = ledger->totals.ordinal, .clean = flags == CHECKPOINT_CLEAN};
    checkpoint->pushed_ordinal = take_u64(source);
    checkpoint->oldest_seq = take_u64(source);
    checkpoint->next_seq = take_u64(source);
    checkpoint->dropped_wrap = take_u64(source);
    checkpoint->dropped_memory = take_u64(source);
    checkpoint->blocks_written = take_u64(source);
    checkpoint->boot = take_u64(source);
    checkpoint->unix_ms = (int64_t)take_u64(source);
    return !source->bad && format == CHECKPOINT_FORMAT && flags <= CHECKPOINT_CLEAN &&
           next_id > 0 && next_id <= LEDGER_ID_END && ledger->epoch != 0 &&
           checkpoint->next_seq <= INT64_MAX && checkpoint->oldest_seq <= checkpoint->next_seq;
}

/* A counter with a code that is not known is a newer agent's, and passed over like its items. */
static bool take_counter(struct source *item, struct ledger_totals *totals)
{
    uint8_t code = take_u8(item);
    uint64_t value = take_varint(item);
    if (item->bad || value == 0 || item->left > 0) {
        return false;
    }
    if (code < LEDGER_COUNTERS) {
        if (totals->counters[code] != 0) {
            return false;
        }
        totals->counters[code] = value;
    }
    return true;
}

/* An end with a cause that is not known is a newer agent's, and passed over. */
static bool take_run_end(struct source *item, struct ledger *ledger)
{
    struct run_end end = {0};
    uint8_t cause = take_u8(item);
    end.signal = take_u8(item);
    end.exit_code = take_u8(item);
    end.task = take_u8(item);
    end.target = take_count(item, LEDGER_ID_END);
    uint64_t ran_ms = take_varint(item), unix_ms = take_varint(item);
    if (item->bad || item->left > 0 || cause == CAUSE_NONE ||
        ran_ms > INT64_MAX / (uint64_t)USEC_PER_MSEC || unix_ms > INT64_MAX ||
        ledger->end_count == CAP_RUN_ENDS) {
        return false;
    }
    end.cause = (enum cause)cause;
    end.ran_us = (usec_t)ran_ms * USEC_PER_MSEC;
    end.unix_ms = (int64_t)unix_ms;
    if (cause < CAUSE_COUNT) {
        ledger_add_end(ledger, &end);
    }
    return true;
}

static void take_bounds(struct source *item, struct histogram *histogram)
{
    unsigned count = take_count(item, SLI_EXTRA_BOUNDS);
    for (unsigned i = 0; i < count && !item->bad; i++) {
        unsigned steps = take_count(item, SLI_BOUND_MAX_US / RECORD_DURATION_STEP_US);
        item->bad = item->bad || steps == 0 ||
                    !histogram_add_bound(histogram, (usec_t)steps * RECORD_DURATION_STEP_US);
    }
}

static void take_failures(struct source *item, struct sli *sli)
{
    uint64_t total = 0;
    unsigned count = take_count(item, REASON_COUNT);
    for (unsigned i = 0; i < count && !item->bad; i++) {
        enum reason reason = record_reason_of(take_u8(item));
        uint64_t value = take_varint(item);
        if (item->bad || reason >= REASON_COUNT || value == 0 || sli->failures[reason] != 0) {
            item->bad = true;
            return;
        }
        sli->failures[reason] = value;
        total = add(item, total, value);
    }
    item->bad = item->bad || total != sli->results[OUTCOME_FAILURE];
}

static void take_buckets(struct source *item, struct histogram *histogram)
{
    uint64_t total = 0;
    for (unsigned i = 0; i <= histogram->bound_count; i++) {
        histogram->buckets[i] = take_varint(item);
        total = add(item, total, histogram->buckets[i]);
    }
    histogram->sum_us = take_varint(item);
    item->bad = item->bad || total != histogram->count;
}

static void take_sli(struct source *item, struct sli *sli)
{
    take_bounds(item, &sli->duration);
    for (unsigned i = 0; i < OUTCOME_COUNT; i++) {
        sli->results[i] = take_varint(item);
    }
    take_failures(item, sli);
    sli->missed = take_varint(item);
    sli->duration.count = sli->results[OUTCOME_SUCCESS];
    take_buckets(item, &sli->duration);
}

static bool take_target(struct source *item, struct ledger *ledger)
{
    char kind[CAP_NAME_BYTES], probe[CAP_NAME_BYTES], instance[CAP_INSTANCE_BYTES];
    uint32_t id = take_count(item, ledger->next_id - 1);
    uint64_t gone_at = take_varint(item);
    take_text(item, kind, sizeof kind);
    take_text(item, probe, sizeof probe);
    take_text(item, instance, sizeof instance);
    if (item->bad || id == 0 || !config_is_name(kind) || !config_is_name(probe) ||
        !config_is_instance(instance) || ledger_find(ledger, id) >= 0 ||
        ledger_find_identity(ledger, kind, probe, instance) >= 0) {
        return false;
    }
    int index = ledger_add(ledger, id, kind, probe, instance);
    if (index < 0) {
        return false;
    }
    ledger->entries[index].gone_at = gone_at;
    take_sli(item, &ledger->totals.slis[index]);
    return !item->bad && item->left == 0;
}

static bool take_maintenance(struct source *item, struct ledger *ledger)
{
    uint32_t id = take_count(item, ledger->next_id - 1);
    uint64_t runs = take_varint(item);
    int index = ledger_find(ledger, id);
    if (item->bad || item->left > 0 || index < 0 || runs == 0 ||
        ledger->totals.slis[index].maintenance != 0) {
        return false;
    }
    ledger->totals.slis[index].maintenance = runs;
    return true;
}

static bool take_slo_clock(struct source *item, struct slo_clock *clock)
{
    *clock = (struct slo_clock){.boot = take_u64(item)};
    uint8_t flags = take_u8(item);
    uint64_t position_ms = take_varint(item), mono_ms = take_varint(item);
    int64_t wall_ms = (int64_t)bytes_unzigzag(take_varint(item));
    clock->settled = (flags & CHECKPOINT_SLO_SETTLED) != 0;
    clock->has_wall = (flags & CHECKPOINT_SLO_HAS_WALL) != 0;
    clock->position_ms = (int64_t)position_ms;
    clock->mono_ms = (int64_t)mono_ms;
    clock->wall_less_position_ms = wall_ms;
    return !item->bad && item->left == 0 &&
           flags <= (CHECKPOINT_SLO_SETTLED | CHECKPOINT_SLO_HAS_WALL) &&
           position_ms <= SLO_POSITION_MAX_MS && mono_ms <= BLOCK_TIME_MAX_MS &&
           wall_ms >= -SLO_WALL_LESS_MAX_MS && wall_ms <= SLO_WALL_LESS_MAX_MS;
}

static void take_tier(struct source *item, struct slo_history *history, unsigned tier)
{
    unsigned count = slo_tier_buckets(tier);
    for (unsigned back = 0; back < count && !item->bad;) {
        uint64_t good = take_varint(item), bad = take_varint(item);
        unsigned left = count - back - 1;
        unsigned same = good % 2 == 0 ? 0 : take_count(item, left);
        struct slo_bucket bucket = {.good = (uint32_t)(good / 2), .bad = (uint32_t)bad};
        item->bad = item->bad || good / 2 > SLO_BUCKET_MAX || bad > SLO_BUCKET_MAX;
        for (unsigned i = 0; i <= same; i++) {
            slo_tier_set(history, tier, back + i, bucket);
        }
        back += same + 1;
    }
}

/* The SLO whose history it is. */
static bool take_slo_key(struct source *item, struct config_slo *slo)
{
    uint8_t type = take_u8(item);
    unsigned steps = take_count(item, SLI_BOUND_MAX_US / RECORD_DURATION_STEP_US);
    uint64_t window_ms = take_varint(item);
    bool latency = type == CHECKPOINT_SLO_LATENCY;
    slo->type = latency ? SLO_LATENCY : SLO_AVAILABILITY;
    slo->threshold_us = (usec_t)steps * RECORD_DURATION_STEP_US;
    slo->window_us = 0;
    if (item->bad || type < CHECKPOINT_SLO_AVAILABILITY || type > CHECKPOINT_SLO_LATENCY ||
        latency != (steps > 0) || window_ms < SLO_WINDOW_MIN_US / USEC_PER_MSEC ||
        window_ms > SLO_WINDOW_MAX_US / USEC_PER_MSEC) {
        return false;
    }
    slo->window_us = (usec_t)window_ms * USEC_PER_MSEC;
    return true;
}

static bool take_slo(struct source *item, struct ledger *ledger)
{
    struct config_slo slo;
    struct slo_book *book = &ledger->totals.slos;
    uint32_t target = take_count(item, ledger->next_id - 1);
    if (!take_slo_key(item, &slo) || ledger_find(ledger, target) < 0 ||
        slo_book_find(book, target, &slo) != NULL) {
        return false;
    }
    struct slo_history *history = slo_book_add(book, target, &slo);
    if (history == NULL) {
        return false;
    }
    history->gone_at = take_varint(item);
    uint64_t last_ms = take_varint(item);
    if (item->bad || last_ms > SLO_POSITION_MAX_MS) {
        return false;
    }
    history->last_ms = (int64_t)last_ms;
    for (unsigned tier = 0; tier < SLO_TIERS; tier++) {
        take_tier(item, history, tier);
    }
    return !item->bad && item->left == 0;
}

/* The end marker is the last of all bytes and knows how many items there were. */
static bool take_end(const struct source *source, struct source *item, uint32_t items)
{
    uint32_t expected = take_u32(item);
    return !item->bad && item->left == 0 && source->left == 0 && items == expected;
}

bool checkpoint_decode(const uint8_t *bytes, size_t size, struct checkpoint *checkpoint,
                       struct ledger *ledger)
{
    struct source source = {.next = bytes, .left = size};
    bool good = take_head(&source, checkpoint, ledger);
    for (uint32_t items = 0; good; items++) {
        uint8_t type = take_u8(&source);
        struct source item = {.left = take_u16(&source)};
        item.next = take(&source, item.left);
        if (source.bad) {
            return false;
        }
        switch (type) {
        case CHECKPOINT_END:
            return take_end(&source, &item, items);
        case CHECKPOINT_COUNTER:
            good = take_counter(&item, &ledger->totals);
            break;
        case CHECKPOINT_TARGET:
            good = take_target(&item, ledger);
            break;
        case CHECKPOINT_RUN_END:
            good = take_run_end(&item, ledger);
            break;
        case CHECKPOINT_MAINTENANCE:
            good = take_maintenance(&item, ledger);
            break;
        case CHECKPOINT_SLO_CLOCK:
            good = take_slo_clock(&item, &ledger->totals.slos.clock);
            break;
        case CHECKPOINT_SLO:
            good = take_slo(&item, ledger);
            break;
        default:
            break;
        }
    }
    return false;
}
