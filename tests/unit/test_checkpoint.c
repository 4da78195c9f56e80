/* Guards against: totals that a restart changes, a checkpoint that no longer fits the room it was
 * given, bytes of a broken disk that become a ledger which contradicts itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "bytes.h"
#include "checkpoint_fixture.h"
#include "ledger_fixture.h"

#define INTERVAL_US (30 * USEC_PER_SEC)
enum { HEAD_BYTES = 96, END_BYTES = 7, BYTES_MAX = CAP_CHECKPOINT_BLOCKS * BLOCK_PART_BYTES };

static struct config config;
static struct ledger ledger, decoded;
static uint8_t bytes[BYTES_MAX], other[BYTES_MAX];
static size_t used;

static void begin(const char *site)
{
    site_of(&config, site);
    ledger_init(&ledger, 0xe90c);
    (void)ledger_bind(&ledger, &config);
}

static void encode(void)
{
    memset(bytes, 0xa5, sizeof bytes);
    used = checkpoint_encode(&full, &ledger, &ledger.totals, bytes, sizeof bytes);
    assert_in_range(used, HEAD_BYTES + END_BYTES, sizeof bytes);
}

/* In memory of exactly its size, so that a sanitizer sees any read behind it. */
static bool decode(const uint8_t *from, size_t size)
{
    struct checkpoint checkpoint;
    uint8_t *copy = malloc(size > 0 ? size : 1);
    assert_non_null(copy);
    memcpy(copy, from, size);
    bool good = checkpoint_decode(copy, size, &checkpoint, &decoded);
    free(copy);
    return good;
}

static void assert_round_trip(void)
{
    struct checkpoint checkpoint;
    encode();
    memset(&decoded, 0x5a, sizeof decoded);
    memset(&checkpoint, 0x5a, sizeof checkpoint);
    assert_true(checkpoint_decode(bytes, used, &checkpoint, &decoded));
    assert_same_ledger(&decoded, &ledger);
    assert_ledger_rules(&decoded);
    assert_int_equal(checkpoint.covers, ledger.totals.ordinal);
    assert_full(&checkpoint);
}

static void count_records(struct prng *prng, unsigned records)
{
    for (unsigned i = 0; i < records && ledger.totals.sli_count > 0; i++) {
        unsigned entry = (unsigned)prng_below(prng, ledger.totals.sli_count);
        struct record record = random_record(prng, ledger.entries[entry].id);
        if (i % 50 == 0) {
            record = (struct record){.sort = RECORD_COUNT,
                                     .counter = (uint8_t)prng_below(prng, LEDGER_COUNTERS),
                                     .count = prng_next(prng) >> prng_below(prng, 64)};
        }
        ledger_apply(&ledger, &record);
    }
}

/* A site with all there is: two kinds, gone entries, extra bounds, counters. */
static void begin_rich(uint64_t seed)
{
    struct prng prng = {.state = seed};
    begin("web.a/800=x,y bus.gone/70=old bus.b=tcp://10.1.0.40:502");
    count_records(&prng, 300);
    site_of(&config, "bus.b=tcp://10.1.0.40:502 web.a/90/3600000=y,x web.caf\x65=caf\xc3\xa9");
    (void)ledger_bind(&ledger, &config);
    count_records(&prng, 300);
}

static void checkpoint_brings_back_every_ledger(void **state)
{
    (void)state;
    begin("");
    assert_round_trip();
    assert_int_equal(used, HEAD_BYTES + END_BYTES);
    for (uint64_t seed = 1; seed <= 300; seed++) {
        begin_rich(seed);
        assert_int_equal(ledger.totals.sli_count, 5);
        assert_round_trip();
        ledger_restart(&ledger, seed, NULL);
        assert_round_trip();
    }
}

/* The greatest numbers there can be, and texts as long as they can be. */
static void checkpoint_brings_back_the_extremes(void **state)
{
    char longest[CAP_INSTANCE_BYTES], name[CAP_NAME_BYTES];
    (void)state;
    begin("");
    fixture_fill(longest, sizeof longest, 'i');
    fixture_fill(name, sizeof name, 'n');
    assert_int_equal(ledger_add(&ledger, LEDGER_ID_END - 1, name, name, longest), 0);
    ledger.entries[0].gone_at = UINT64_MAX;
    ledger.totals.ordinal = ledger.totals.results = UINT64_MAX;
    for (unsigned i = 0; i < LEDGER_COUNTERS; i++) {
        ledger.totals.counters[i] = UINT64_MAX;
    }
    struct sli *sli = &ledger.totals.slis[0];
    for (unsigned i = 0; i < SLI_EXTRA_BOUNDS; i++) {
        (void)histogram_add_bound(&sli->duration,
                                  SLI_BOUND_MAX_US - (usec_t)i * RECORD_DURATION_STEP_US);
    }
    for (unsigned i = 0; i < REASON_COUNT; i++) {
        sli->failures[i] = UINT64_MAX / REASON_COUNT;
        sli->results[OUTCOME_FAILURE] += sli->failures[i];
    }
    for (unsigned i = 0; i <= sli->duration.bound_count; i++) {
        sli->duration.buckets[i] = UINT64_MAX / (SLI_BOUNDS_MAX + 1);
        sli->duration.count += sli->duration.buckets[i];
    }
    sli->results[OUTCOME_SUCCESS] = sli->duration.count;
    sli->results[OUTCOME_UNKNOWN] = sli->missed = sli->duration.sum_us = UINT64_MAX;
    assert_round_trip();
}

static void checkpoint_takes_totals_of_an_earlier_moment(void **state)
{
    static struct ledger_totals staged;
    static struct ledger expected;
    struct prng prng = {.state = 9};
    (void)state;
    begin_rich(1);
    ledger_totals_copy(&staged, &ledger.totals);
    expected = ledger;
    count_records(&prng, 50);
    used = checkpoint_encode(&full, &ledger, &staged, bytes, sizeof bytes);
    assert_true(decode(bytes, used));
    assert_same_ledger(&decoded, &expected);
}

static void checkpoint_tells_its_size_and_writes_no_further(void **state)
{
    (void)state;
    begin_rich(1);
    encode();
    for (size_t size = 0; size <= used; size++) {
        memset(other, 0xa5, sizeof other);
        assert_int_equal(checkpoint_encode(&full, &ledger, &ledger.totals, other, size), used);
        assert_int_equal(other[size], 0xa5);
    }
    assert_memory_equal(bytes, other, used);
    assert_int_equal(checkpoint_encode(&full, &ledger, &ledger.totals, NULL, 0), used);
}

static void checkpoint_cut_or_prolonged_is_none(void **state)
{
    (void)state;
    begin_rich(2);
    encode();
    for (size_t size = 0; size < used; size++) {
        assert_false(decode(bytes, size));
    }
    for (unsigned last = 0; last <= UINT8_MAX; last++) {
        bytes[used] = (uint8_t)last;
        assert_false(decode(bytes, used + 1));
    }
    assert_true(decode(bytes, used));
}

/* A block's CRC finds these before; here they must do no harm. What comes out keeps all rules, and
 * can be bound, counted and encoded again. */
static void checkpoint_with_a_wrong_bit_is_none_or_a_whole_one(void **state)
{
    unsigned whole = 0;
    (void)state;
    begin_rich(3);
    encode();
    for (size_t bit = 0; bit < 8 * used; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (decode(bytes, used)) {
            whole++;
            assert_ledger_rules(&decoded);
            size_t size = checkpoint_encode(&full, &decoded, &decoded.totals, other, sizeof other);
            assert_true(size <= used); /* an item of another type is passed over */
            (void)ledger_bind(&decoded, &config);
            assert_ledger_rules(&decoded);
        }
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_in_range(whole, 8 * 80, 8 * used / 2); /* most of the head; few of the items */
}

static void checkpoint_survives_random_damage(void **state)
{
    struct prng prng = {.state = 4};
    (void)state;
    begin_rich(5);
    encode();
    for (unsigned round = 0; round < 20000; round++) {
        size_t size = used;
        memcpy(other, bytes, used);
        for (uint64_t n = 1 + prng_below(&prng, 4); n > 0; n--) {
            size_t at = (size_t)prng_below(&prng, used), from = (size_t)prng_below(&prng, used);
            size_t count = 1 + (size_t)prng_below(&prng, 16);
            if (prng_below(&prng, 2) == 0) {
                other[at] = (uint8_t)prng_next(&prng);
            } else {
                memcpy(other + at, bytes + from, used - from < count ? used - from : count);
                size = at + count > size ? at + count : size;
            }
        }
        if (decode(other, size)) {
            assert_ledger_rules(&decoded);
        }
    }
}

/* Items by hand, behind the head of an empty checkpoint. */

static void put(const void *from, size_t count)
{
    memcpy(bytes + used, from, count);
    used += count;
}

static void put_varint(uint64_t value)
{
    used += bytes_put_varint(bytes + used, value);
}

static void put_text(const char *text)
{
    put_varint(strlen(text));
    put(text, strlen(text));
}

static size_t open_item(uint8_t type)
{
    bytes[used] = type;
    used += 3;
    return used;
}

static void close_item(size_t payload)
{
    bytes_put_u16(bytes + payload - 2, (uint16_t)(used - payload));
}

static void open_checkpoint(uint32_t next_id)
{
    begin("");
    ledger.next_id = next_id;
    encode();
    used -= END_BYTES;
}

static bool close_checkpoint(uint32_t items)
{
    size_t payload = open_item(0);
    bytes_put_u32(bytes + used, items);
    used += 4;
    close_item(payload);
    return decode(bytes, used);
}

/* A target item: three texts, then these varints; `rest` bytes behind them. */
struct hand_made {
    uint64_t id, gone_at;
    const char *kind, *probe, *instance;
    unsigned bound_count, failure_count;
    uint64_t bounds[10];      /* as steps */
    uint64_t results[3];      /* success, failure, unknown */
    uint64_t failures[10][2]; /* code, count */
    uint64_t missed, first_bucket, last_bucket, sum_us;
    unsigned rest, fewer_buckets;
};

static const struct hand_made good_target = {
    .id = 7,
    .gone_at = 5,
    .kind = "web",
    .probe = "portal",
    .instance = "https://portal.example.net",
    .bound_count = 2,
    .bounds = {80000, 7},
    .results = {9, 5, 1},
    .failure_count = 2,
    .failures = {{5, 2}, {16, 3}},
    .missed = 4,
    .first_bucket = 9,
    .sum_us = 1230,
};

static void put_target(const struct hand_made *target)
{
    size_t payload = open_item(2);
    put_varint(target->id);
    put_varint(target->gone_at);
    put_text(target->kind);
    put_text(target->probe);
    put_text(target->instance);
    put_varint(target->bound_count);
    for (unsigned i = 0; i < target->bound_count && i < 10; i++) {
        put_varint(target->bounds[i]);
    }
    for (unsigned i = 0; i < 3; i++) {
        put_varint(target->results[i]);
    }
    put_varint(target->failure_count);
    for (unsigned i = 0; i < target->failure_count && i < 10; i++) {
        bytes[used++] = (uint8_t)target->failures[i][0];
        put_varint(target->failures[i][1]);
    }
    put_varint(target->missed);
    put_varint(target->first_bucket);
    for (unsigned i = 1 + target->fewer_buckets; i < SLI_FIXED_BOUNDS + target->bound_count; i++) {
        put_varint(0);
    }
    put_varint(target->last_bucket);
    put_varint(target->sum_us);
    used += target->rest;
    close_item(payload);
}

/* What SPEC.md says, byte by byte, without the encoder. */
static void checkpoint_reads_what_the_format_says(void **state)
{
    (void)state;
    open_checkpoint(8);
    size_t payload = open_item(1);
    bytes[used++] = 16;
    put_varint(300);
    close_item(payload);
    put_target(&good_target);
    assert_true(close_checkpoint(2));
    const struct sli *sli = &decoded.totals.slis[0];
    assert_int_equal(decoded.epoch, 0xe90c);
    assert_int_equal(decoded.totals.counters[LEDGER_STORE_HUNG], 300);
    assert_int_equal(decoded.totals.sli_count, 1);
    assert_int_equal(decoded.entries[0].id, 7);
    assert_int_equal(decoded.entries[0].gone_at, 5);
    assert_int_equal(ledger_find_identity(&decoded, "web", "portal", "https://portal.example.net"),
                     0);
    assert_int_equal(sli->results[OUTCOME_UNKNOWN], 1);
    assert_int_equal(sli->failures[REASON_TIMEOUT], 2);
    assert_int_equal(sli->failures[REASON_STATUS], 3);
    assert_int_equal(sli->missed, 4);
    assert_int_equal(sli->duration.sum_us, 1230);
    assert_int_equal(sli->duration.bounds_us[0], 70);
    assert_int_equal(sli->duration.buckets[0], 9);
    assert_int_equal(sli->duration.extras_us[0], 800000);
    assert_int_equal(sli->duration.extras_us[1], 70);
    assert_ledger_rules(&decoded);
    /* And nothing but it is written. */
    memcpy(other, bytes, used);
    struct checkpoint checkpoint = full;
    assert_int_equal(checkpoint_encode(&checkpoint, &decoded, &decoded.totals, bytes, sizeof bytes),
                     used);
    assert_memory_equal(bytes, other, used);
}

static void checkpoint_refuses_a_target_that_cannot_be(void **state)
{
    static char longest[CAP_INSTANCE_BYTES + 1];
    fixture_fill(longest, sizeof longest, 'i');
    const struct {
        const char *what;
        size_t offset;
        uint64_t number;
        const char *text;
    } rows[] = {
#define NUMBER(member, value) {#member, offsetof(struct hand_made, member), value, NULL}
#define TEXT(member, value)                                                                        \
    {                                                                                              \
#member, offsetof(struct hand_made, member), 0, value                                      \
    }
        NUMBER(id, 0),
        NUMBER(id, 8), /* next_id */
        NUMBER(id, UINT64_C(7) + ((uint64_t)1 << 32)),
        NUMBER(bounds[0], 0),
        NUMBER(bounds[0], 7),     /* twice */
        NUMBER(bounds[0], 50000), /* a fixed one */
        NUMBER(bounds[0], 360000001),
        NUMBER(bounds[0], (uint64_t)1 << 33),
        NUMBER(results[0], 8),
        NUMBER(results[0], 10),
        NUMBER(results[0], UINT64_MAX),
        NUMBER(results[1], 4),
        NUMBER(results[1], 6),
        NUMBER(failures[0][0], 0),
        NUMBER(failures[0][0], 16), /* twice */
        NUMBER(failures[0][0], 63),
        NUMBER(failures[0][1], 0),
        NUMBER(failures[0][1], 1),
        NUMBER(first_bucket, 8),
        TEXT(kind, ""),
        TEXT(kind, "Web"),
        TEXT(probe, ""),
        TEXT(probe, "-portal"),
        TEXT(probe, "a b"),
        TEXT(probe, "a1234567890123456789012345678901234567890123456789012345678901234"),
        TEXT(instance, ""),
        TEXT(instance, "a\nb"),
        TEXT(instance, "a\x7f"),
        TEXT(instance, "a\xff"),
        TEXT(instance, "caf\xc3"),
        TEXT(instance, longest),
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct hand_made target = good_target;
        char *member = (char *)&target + rows[i].offset;
        if (rows[i].text != NULL) {
            memcpy(member, &rows[i].text, sizeof rows[i].text);
        } else {
            memcpy(member, &rows[i].number, sizeof rows[i].number);
        }
        open_checkpoint(8);
        put_target(&target);
        if (close_checkpoint(1)) {
            fail_msg("%s, row %zu", rows[i].what, i);
        }
    }
}

static bool decodes_alone(const struct hand_made *target)
{
    open_checkpoint(8);
    put_target(target);
    return close_checkpoint(1);
}

static void checkpoint_refuses_a_text_with_a_nul(void **state)
{
    (void)state;
    open_checkpoint(8);
    put_target(&good_target);
    uint8_t *instance = memchr(bytes + HEAD_BYTES, ':', used - HEAD_BYTES);
    assert_non_null(instance);
    *instance = '\0';
    assert_false(close_checkpoint(1));
}

static void checkpoint_refuses_a_target_with_too_much(void **state)
{
    struct hand_made target = good_target;
    (void)state;
    target.bounds[0] = target.bounds[1];
    target.fewer_buckets = 1;
    assert_false(decodes_alone(&target));
    target = good_target;
    target.results[1] = 3;
    target.failures[0][1] = 0;
    assert_false(decodes_alone(&target));
    target = good_target;
    target.bound_count = SLI_EXTRA_BOUNDS + 1;
    for (unsigned i = 0; i < 10; i++) {
        target.bounds[i] = 200000 + i;
    }
    assert_false(decodes_alone(&target));
    target.bound_count--;
    assert_true(decodes_alone(&target));
    target.rest = 1;
    assert_false(decodes_alone(&target));
    /* Sums that are right only modulo 2^64. */
    target = good_target;
    target.failures[0][1] = UINT64_MAX;
    target.failures[1][1] = 6;
    assert_false(decodes_alone(&target));
    target = good_target;
    target.first_bucket = UINT64_MAX;
    target.last_bucket = 10;
    assert_false(decodes_alone(&target));
    target.first_bucket = 4;
    target.last_bucket = 5;
    assert_true(decodes_alone(&target));
}

static void checkpoint_refuses_the_same_target_twice(void **state)
{
    static const struct {
        uint64_t id;
        const char *probe;
        bool good;
    } rows[] = {
        {6, "other", true}, {6, "portal", false}, {7, "other", false}, {7, "portal", false}};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct hand_made second = good_target;
        second.id = rows[i].id;
        second.probe = rows[i].probe;
        open_checkpoint(8);
        put_target(&good_target);
        put_target(&second);
        assert_int_equal(close_checkpoint(2), rows[i].good);
    }
}

static void checkpoint_refuses_more_targets_than_there_is_room_for(void **state)
{
    (void)state;
    for (unsigned count = CAP_LEDGER_TARGETS; count <= CAP_LEDGER_TARGETS + 1; count++) {
        open_checkpoint(2000);
        for (unsigned i = 0; i < count; i++) {
            struct hand_made target = good_target;
            char name[CAP_NAME_BYTES];
            (void)snprintf(name, sizeof name, "%u", i);
            target.id = i + 1;
            target.probe = name;
            put_target(&target);
        }
        assert_int_equal(close_checkpoint(count), count == CAP_LEDGER_TARGETS);
    }
}

static void checkpoint_refuses_counters_that_cannot_be(void **state)
{
    static const struct {
        uint8_t first[4], second[4];
        uint8_t first_size, second_size;
        bool good;
    } rows[] = {
        {{0, 1}, {63, 1}, 2, 2, true},      {{0, 1}, {0, 1}, 2, 2, false}, /* twice */
        {{64, 1}, {255, 1}, 2, 2, true},                                   /* of a newer agent */
        {{0, 0}, {1, 1}, 2, 2, false},                                     /* 0 is not written */
        {{0, 1, 0}, {1, 1}, 3, 2, false},                                  /* something behind it */
        {{0}, {1, 1}, 1, 2, false},                                        /* no number */
        {{0, 0x81}, {1, 1}, 2, 2, false},                                  /* half a number */
        {{0, 0x81, 0}, {1, 1}, 3, 2, false} /* a number longer than it need be */
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        open_checkpoint(1);
        size_t payload = open_item(1);
        put(rows[i].first, rows[i].first_size);
        close_item(payload);
        payload = open_item(1);
        put(rows[i].second, rows[i].second_size);
        close_item(payload);
        assert_int_equal(close_checkpoint(2), rows[i].good);
    }
}

static void checkpoint_refuses_a_head_that_cannot_be(void **state)
{
    static const struct {
        size_t at;
        uint8_t byte;
    } rows[] = {{0, 2}, {0, 0}, {1, 1}, {2, 2}, {2, 3}, {3, 1}, {4, 0}, {7, 0x80}};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        open_checkpoint(1);
        assert_true(close_checkpoint(0));
        bytes[rows[i].at] = rows[i].byte;
        assert_false(decode(bytes, used));
    }
    open_checkpoint(1);
    assert_true(close_checkpoint(0));
    memset(bytes + 8, 0, 8); /* no epoch */
    assert_false(decode(bytes, used));
    open_checkpoint(LEDGER_ID_END);
    assert_true(close_checkpoint(0));
    open_checkpoint(LEDGER_ID_END + 1);
    assert_false(close_checkpoint(0));
}

static void checkpoint_passes_over_items_it_does_not_know(void **state)
{
    (void)state;
    open_checkpoint(8);
    for (unsigned type = 7; type <= UINT8_MAX; type++) {
        size_t payload = open_item((uint8_t)type);
        memset(bytes + used, 0, type);
        used += type;
        close_item(payload);
    }
    put_target(&good_target);
    assert_false(close_checkpoint(249)); /* the end counts them all */
    used -= END_BYTES;
    assert_true(close_checkpoint(250));
    assert_int_equal(decoded.totals.sli_count, 1);
    assert_int_equal(decoded.totals.slis[0].missed, 4);
}

/* No two neighbours alike, and as many events as runs in the time of a bucket; two more, as both
 * its ends cut an interval. */
static void fill_worst_histories(void)
{
    struct slo_book *book = &ledger.totals.slos;
    for (unsigned i = 0; i < book->count; i++) {
        struct slo_history *history = &book->histories[i];
        book->targets[i] = LEDGER_ID_END - 1;
        history->gone_at = ((uint64_t)1 << 35) - 1;
        history->last_ms = SLO_POSITION_MAX_MS;
        for (unsigned tier = 0; tier < SLO_TIERS; tier++) {
            int64_t runs = slo_tier_width_ms(history, tier) / (INTERVAL_US / USEC_PER_MSEC) + 2;
            for (unsigned back = 0; back < slo_tier_buckets(tier); back++) {
                slo_tier_set(history, tier, back,
                             (struct slo_bucket){.good = (uint32_t)(runs - back % 2),
                                                 .bad = (uint32_t)runs});
            }
        }
    }
    ledger.totals.slos.clock = (struct slo_clock){.position_ms = SLO_POSITION_MAX_MS,
                                                  .mono_ms = BLOCK_TIME_MAX_MS,
                                                  .wall_less_position_ms = INT64_MIN};
}

/* Counts of a hundred years for each target of a site, none of them gone. */
static void fill_worst(void)
{
    const struct run_end longest = {.cause = CAUSE_HANG,
                                    .target = LEDGER_ID_END,
                                    .ran_us = 36525 * USEC_PER_DAY,
                                    .unix_ms = 253402300799999};
    for (unsigned i = 0; i < CAP_RUN_ENDS; i++) {
        ledger_add_end(&ledger, &longest);
    }
    for (unsigned i = 0; i < ledger.totals.sli_count; i++) {
        struct sli *sli = &ledger.totals.slis[i];
        uint64_t reasons = config_target_probe(&config, i)->section.kind->reasons;
        uint64_t most = ((uint64_t)1 << 35) - 1;
        ledger.entries[i].id = LEDGER_ID_END - 1 - i;
        for (unsigned j = 0; j < SLI_EXTRA_BOUNDS; j++) {
            (void)histogram_add_bound(&sli->duration, 3000000000 + 10 * (usec_t)j);
        }
        for (unsigned j = 0; j <= sli->duration.bound_count; j++) {
            sli->duration.buckets[j] = most;
        }
        for (unsigned j = 0; j < REASON_COUNT; j++) {
            sli->failures[j] = (reasons & REASON_BIT(j)) != 0 ? most : 0;
        }
        for (unsigned j = 0; j < OUTCOME_COUNT; j++) {
            sli->results[j] = most;
        }
        sli->missed = most;
        sli->maintenance = most;
        sli->duration.sum_us = INT64_MAX;
    }
    fill_worst_histories();
    for (unsigned i = 0; i < LEDGER_COUNTERS; i++) {
        ledger.totals.counters[i] = ((uint64_t)1 << 35) - 1;
    }
}

static void checkpoint_bound_holds_for_a_hundred_years(void **state)
{
    static const char *const sites[] = {
        "", "web.a=x", "web.a/800=x,y,z bus.b=tcp://10.1.0.40:502",
        "bus.with-a-longer-name/1/2/3/4=a-rather-long-instance-as-some-people-have-them"};
    const struct config_slo slo = {.type = SLO_AVAILABILITY, .window_us = 7 * USEC_PER_DAY};
    (void)state;
    for (size_t i = 0; i < 2 * ARRAY_LEN(sites) - 1; i++) {
        begin(sites[i % ARRAY_LEN(sites)]);
        if (i >= ARRAY_LEN(sites)) { /* all but the one without room for another */
            fixture_group(&config, "shop", &slo, config.probe_count);
            (void)ledger_bind(&ledger, &config);
        }
        for (unsigned j = 0; j < config.probe_count; j++) {
            config.probes[j].interval_us = INTERVAL_US;
        }
        fill_worst();
        size_t size = checkpoint_encode(&full, &ledger, &ledger.totals, NULL, 0);
        size_t bound = checkpoint_bound(&config);
        assert_true(size + size / 4 <= bound);
        /* And no looser; without histories the time they go by is not there. */
        size_t clock = ledger.totals.slos.count > 0 ? 0 : 3 + 8 + 1 + 8 + 8 + 10;
        assert_true(bound <= size + clock + (size + clock) / 4 + 2);
    }
}

/* A site of `count` targets as people have them, with a day of runs behind it. */
static size_t typical_bytes(unsigned count)
{
    char line[32], instance[64];
    struct prng prng = {.state = count};
    fixture_begin(&config, "branch-0042");
    for (unsigned i = 0; i < count; i++) {
        (void)snprintf(line, sizeof line, "service-%u", i);
        (void)snprintf(instance, sizeof instance, "https://service-%u.example.net/health", i);
        struct config_probe *probe = fixture_probe(&config, &fixture_web, line);
        probe->slos[probe->slo_count++] = (struct config_slo){
            .type = SLO_LATENCY, .threshold_us = 800000, .window_us = 30 * USEC_PER_DAY};
        probe->interval_us = INTERVAL_US;
        fixture_target(&config, instance);
    }
    ledger_init(&ledger, 0xe90c);
    (void)ledger_bind(&ledger, &config);
    for (unsigned i = 0; i < 2880 * count; i++) {
        struct record record = {.sort = RECORD_RESULT,
                                .target = ledger.entries[i % count].id,
                                .outcome =
                                    prng_below(&prng, 500) == 0 ? OUTCOME_FAILURE : OUTCOME_SUCCESS,
                                .reason = REASON_NONE,
                                .at_us = (i / count + 1) * INTERVAL_US,
                                .duration_us = 10 * (usec_t)(3000 + prng_below(&prng, 4000))};
        if (record.outcome == OUTCOME_FAILURE) {
            record.reason = prng_below(&prng, 2) == 0 ? REASON_TIMEOUT : REASON_STATUS;
        }
        ledger_apply(&ledger, &record);
    }
    return checkpoint_encode(&full, &ledger, &ledger.totals, NULL, 0);
}

static void checkpoint_of_a_typical_site_is_small(void **state)
{
    (void)state;
    size_t of_50 = typical_bytes(50), bound_of_50 = checkpoint_bound(&config);
    size_t of_256 = typical_bytes(256), bound_of_256 = checkpoint_bound(&config);
    print_message("50 targets: %zu bytes, bound %zu; 256: %zu, bound %zu\n", of_50, bound_of_50,
                  of_256, bound_of_256);
    assert_in_range(of_50, 1, 3 * BLOCK_PART_BYTES);
    assert_in_range(bound_of_50, of_50, 14 * BLOCK_PART_BYTES);
    assert_in_range(bound_of_256, of_256, 68 * BLOCK_PART_BYTES);
}

/* Nothing a ledger can hold is longer than the longest area. */
static void checkpoint_of_any_ledger_fits_the_longest_area(void **state)
{
    (void)state;
    size_t texts = CAP_LEDGER_TEXT_BYTES;
    size_t numbers = 3 + 5 + 10 + 1 + 1 + 2 + 1 + 5 * SLI_EXTRA_BOUNDS + 10 * OUTCOME_COUNT + 1 +
                     11 * REASON_COUNT + 10 + 10 * (SLI_BOUNDS_MAX + 1) + 10;
    size_t counters = LEDGER_COUNTERS * (3 + 1 + 10);
    size_t clock = 3 + 8 + 1 + 3 * 10, history = 3 + 5 + 1 + 5 + 5 + 10 + 8 + 7 * SLO_BUCKETS;
    assert_true(HEAD_BYTES + counters + texts + CAP_LEDGER_TARGETS * numbers + clock +
                    CAP_SLO_HISTORIES * history + END_BYTES <=
                BYTES_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checkpoint_brings_back_every_ledger),
        cmocka_unit_test(checkpoint_brings_back_the_extremes),
        cmocka_unit_test(checkpoint_takes_totals_of_an_earlier_moment),
        cmocka_unit_test(checkpoint_tells_its_size_and_writes_no_further),
        cmocka_unit_test(checkpoint_cut_or_prolonged_is_none),
        cmocka_unit_test(checkpoint_with_a_wrong_bit_is_none_or_a_whole_one),
        cmocka_unit_test(checkpoint_survives_random_damage),
        cmocka_unit_test(checkpoint_reads_what_the_format_says),
        cmocka_unit_test(checkpoint_refuses_a_target_that_cannot_be),
        cmocka_unit_test(checkpoint_refuses_a_text_with_a_nul),
        cmocka_unit_test(checkpoint_refuses_a_target_with_too_much),
        cmocka_unit_test(checkpoint_refuses_the_same_target_twice),
        cmocka_unit_test(checkpoint_refuses_more_targets_than_there_is_room_for),
        cmocka_unit_test(checkpoint_refuses_counters_that_cannot_be),
        cmocka_unit_test(checkpoint_refuses_a_head_that_cannot_be),
        cmocka_unit_test(checkpoint_passes_over_items_it_does_not_know),
        cmocka_unit_test(checkpoint_bound_holds_for_a_hundred_years),
        cmocka_unit_test(checkpoint_of_a_typical_site_is_small),
        cmocka_unit_test(checkpoint_of_any_ledger_fits_the_longest_area),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
