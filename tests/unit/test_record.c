/* Guards against: a history that comes back from disk other than it was, a target whose rhythm is
 * taken for another's, records that cost more than the five bytes promised. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "prng.h"
#include "record_block.h"

/* Ids that share a place among the remembered ones, and those at the ends of their varints. */
static const uint32_t ids[] = {1,
                               2,
                               3,
                               63,
                               64,
                               256 + 1,
                               512 + 1,
                               257,
                               8191,
                               8192,
                               256 + 2,
                               256,
                               512,
                               1 << 20,
                               1025,
                               65537,
                               65793,
                               UINT32_MAX,
                               UINT32_MAX - 256,
                               UINT32_MAX - 512};

static int64_t any_time_ms(struct prng *prng, int64_t last_ms)
{
    switch (prng_below(prng, 8)) {
    case 0:
        return (int64_t)prng_below(prng, (uint64_t)BLOCK_TIME_MAX_MS + 1);
    case 1:
        return prng_below(prng, 2) == 0 ? 0 : BLOCK_TIME_MAX_MS;
    case 2: /* back, as after a reboot */
        return last_ms / 2;
    default:
        last_ms += 29990 + (int64_t)prng_below(prng, 20);
        return last_ms < BLOCK_TIME_MAX_MS ? last_ms : BLOCK_TIME_MAX_MS;
    }
}

static usec_t any_duration_us(struct prng *prng)
{
    static const usec_t ends[] = {0, 10, 640, 650, 81920, DURATION_MAX_US, DURATION_MAX_US - 10};
    switch (prng_below(prng, 6)) {
    case 0:
        return ends[prng_below(prng, ARRAY_LEN(ends))];
    case 1:
        return (usec_t)(prng_next(prng) >> 5) * RECORD_DURATION_STEP_US;
    default:
        return (usec_t)prng_below(prng, 10000) * RECORD_DURATION_STEP_US;
    }
}

static struct record any_result(struct prng *prng, int64_t at_ms)
{
    struct record record =
        success(ids[prng_below(prng, ARRAY_LEN(ids))], at_ms, any_duration_us(prng));
    record.at_us += (usec_t)(record.at_us < AT_MAX_US ? prng_below(prng, 1000) : 0);
    record.outcome = (enum outcome)prng_below(prng, OUTCOME_COUNT);
    if (record.outcome == OUTCOME_FAILURE) {
        record.reason = (enum reason)prng_below(prng, REASON_COUNT);
    }
    if (record.outcome != OUTCOME_SUCCESS) {
        record.phase = (enum phase)prng_below(prng, PHASE_NONE + 1);
    }
    record.maintenance = prng_below(prng, 8) == 0;
    return record;
}

static struct record any_record(struct prng *prng, int64_t *now_ms)
{
    struct record record = {.sort = RECORD_MISSED};
    switch (prng_below(prng, 20)) {
    case 0:
        record.target = ids[prng_below(prng, ARRAY_LEN(ids))];
        record.count = prng_next(prng) >> prng_below(prng, 64);
        return record;
    case 1:
        record.sort = RECORD_COUNT;
        record.counter = (uint8_t)prng_next(prng);
        record.count = prng_next(prng) >> prng_below(prng, 64);
        return record;
    case 2:
        record.sort = RECORD_RUN;
        record.boot = prng_next(prng);
        *now_ms = any_time_ms(prng, *now_ms);
        record.at_us = *now_ms * USEC_PER_MSEC;
        return record;
    case 3:
        record.sort = RECORD_CLOCK;
        record.wall_offset_ms =
            prng_below(prng, 2) == 0
                ? BLOCK_WALL_UNKNOWN
                : (int64_t)prng_below(prng, 2 * (uint64_t)BLOCK_TIME_MAX_MS + 1) -
                      BLOCK_TIME_MAX_MS;
        return record;
    default:
        *now_ms = any_time_ms(prng, *now_ms);
        return any_result(prng, *now_ms);
    }
}

static void fill_block(struct prng *prng)
{
    int64_t now_ms = any_time_ms(prng, 0);
    begin(now_ms);
    for (;;) {
        struct record record = any_record(prng, &now_ms);
        struct record_coder before = block.coder;
        size_t used = block.used, taken = append(&record);
        assert_int_equal(taken == 0, BLOCK_DATA_BYTES - used < RECORD_MAX_BYTES);
        if (taken == 0) {
            assert_memory_equal(&before, &block.coder, sizeof before);
            return;
        }
        assert_in_range(taken, BLOCK_RECORD_BYTES_MIN, RECORD_MAX_BYTES);
    }
}

static void record_histories_come_back(void **state)
{
    (void)state;
    struct prng prng = {.state = 1};
    for (int round = 0; round < 500; round++) {
        fill_block(&prng);
        must_decode(block.used);
    }
}

static void record_prefixes_hold_only_whole_records(void **state)
{
    (void)state;
    struct prng prng = {.state = 2};
    for (int round = 0; round < 5; round++) {
        fill_block(&prng);
        for (size_t used = 0; used <= block.used; used++) {
            must_decode(used);
        }
    }
}

/* Whatever else it is, what was decoded from garbage is in range and has only this form. */
static void record_garbage_is_refused_or_canonical(void **state)
{
    (void)state;
    struct prng prng = {.state = 3};
    for (int round = 0; round < 3000; round++) {
        struct record_coder reader, writer;
        struct record record;
        uint8_t again[BLOCK_DATA_BYTES];
        size_t at = 0, taken;
        fill_block(&prng);
        block.payload[prng_below(&prng, 40)] = (uint8_t)prng_next(&prng);
        record_coder_init(&reader, block.base_ms);
        record_coder_init(&writer, block.base_ms);
        while (at + RECORD_MAX_BYTES <= BLOCK_DATA_BYTES &&
               (taken = record_decode(&reader, block.payload, at, block.used, &record)) > 0) {
            assert_int_equal(record_encode(&writer, &record, again, at), taken);
            assert_memory_equal(again + at, block.payload + at, taken);
            at += taken;
        }
    }
}

static void record_is_refused_when_the_longest_may_not_fit(void **state)
{
    (void)state;
    struct record record = success(1, 5, 10);
    for (size_t left = 0; left <= RECORD_MAX_BYTES + 2; left++) {
        begin(5);
        block.used = BLOCK_DATA_BYTES - left;
        assert_int_equal(append(&record) > 0, left >= RECORD_MAX_BYTES);
        assert_int_equal(block.coder.rhythms[1].target, left >= RECORD_MAX_BYTES ? 1 : 0);
        for (size_t at = BLOCK_DATA_BYTES - left; left < RECORD_MAX_BYTES && at < BLOCK_DATA_BYTES;
             at++) {
            assert_int_equal(block.payload[at], 0xee);
        }
    }
}

static void record_extremes_fit(void **state)
{
    (void)state;
    static const usec_t times[] = {0, AT_MAX_US}, durations[] = {0, DURATION_MAX_US};
    size_t longest = 0;
    begin(0);
    for (unsigned i = 0; i < 128; i++) {
        struct record record = failure(UINT32_MAX, REASON_INTERNAL, PHASE_RTT);
        record.at_us = times[i >> (i % 4) & 1];
        record.duration_us = durations[i >> (i % 3) & 1];
        size_t taken = append(&record);
        assert_true(taken > 0);
        longest = taken > longest ? taken : longest;
    }
    must_decode(block.used);
    assert_in_range(longest, 20, RECORD_MAX_BYTES);
}

static void record_of_result_rounds_to_what_is_kept(void **state)
{
    (void)state;
    static const struct {
        usec_t started_us, duration_us, at_us, kept_us;
    } rows[] = {
        {0, 0, 0, 0},
        {999, 1, 0, 10},
        {1000, 9, 1000, 10},
        {1999, 10, 1000, 10},
        {2000, 11, 2000, 20},
        {-1, -1, 0, 0},
        {INT64_MIN, INT64_MIN, 0, 0},
        {AT_MAX_US + 1, 800000, AT_MAX_US, 800000},
        {INT64_MAX, INT64_MAX, AT_MAX_US, DURATION_MAX_US},
        {5, DURATION_MAX_US - 1, 0, DURATION_MAX_US},
    };
    static struct result result;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        result_init(&result, 3, rows[i].started_us);
        result.duration_us = rows[i].duration_us;
        result_fail(&result, REASON_STATUS, PHASE_PROCESSING, "HTTP 503");
        struct record record = record_of_result(77, &result);
        assert_true(record.at_us == rows[i].at_us && record.duration_us == rows[i].kept_us);
        assert_true(record.sort == RECORD_RESULT && record.target == 77);
        assert_true(record.outcome == OUTCOME_FAILURE && record.reason == REASON_STATUS &&
                    record.phase == PHASE_PROCESSING);
        begin(0);
        assert_true(append(&record) > 0);
        must_decode(block.used);
    }
}

/* Two ids in one place take it from each other; a third elsewhere keeps its own rhythm. */
static void record_rhythms_are_not_taken_for_anothers(void **state)
{
    (void)state;
    begin(1000000);
    for (int i = 0; i < 50; i++) {
        struct record records[] = {
            success(7, 1000000 + 30000 * i, 20000),
            success(7 + RECORD_RHYTHMS, 1000003 + 30000 * i, 90000),
            success(8, 1000005 + 30000 * i, 50000),
        };
        for (size_t k = 0; k < ARRAY_LEN(records); k++) {
            size_t taken = append(&records[k]);
            assert_true(taken > 0);
            assert_true(k != 2 || i < 2 || taken == 3);
        }
    }
    must_decode(block.used);
}

/* A new run may be on a new boot: what was remembered of the old one's time is gone. */
static void record_of_a_run_begins_time_again(void **state)
{
    (void)state;
    begin(50000000);
    struct record records[] = {
        success(1, 50000000, 20000),
        success(1, 50030000, 20000),
        {.sort = RECORD_RUN, .boot = 2, .at_us = 9000 * USEC_PER_MSEC},
        success(1, 9001, 10),
    };
    for (size_t i = 0; i < ARRAY_LEN(records); i++) {
        assert_true(append(&records[i]) > 0);
    }
    assert_int_equal(block.ends[3] - block.ends[2], 3);
    must_decode(block.used);
}

/* A number around 0 with deviation 1 (twelve uniform ones, less 6). */
static double any_normal(struct prng *prng)
{
    double sum = -6;
    for (int i = 0; i < 12; i++) {
        sum += (double)prng_below(prng, 1U << 30) / (1U << 30);
    }
    return sum;
}

struct cost {
    unsigned targets;
    double spread; /* sigma of the latency's logarithm, from run to run */
    size_t blocks, results;
};

static struct record steady_result(const struct cost *cost, struct prng *prng, unsigned run,
                                   double middle_ms)
{
    enum { INTERVAL_MS = 30000, LATE_MS = 5 };
    int64_t due_ms = (int64_t)run * INTERVAL_MS / cost->targets;
    double ms = middle_ms * exp(cost->spread * any_normal(prng));
    struct record record =
        success(run % cost->targets + 1, due_ms + (int64_t)prng_below(prng, LATE_MS + 1),
                (usec_t)(ms * 100) * RECORD_DURATION_STEP_US);
    if (prng_below(prng, 100) == 0) {
        record.outcome = OUTCOME_FAILURE;
        record.reason = REASON_TIMEOUT;
        record.phase = PHASE_CONNECT;
        record.duration_us = 5 * USEC_PER_SEC;
    }
    return record;
}

/* A day of the load that the size of the store is reckoned by: targets every 30 s at phases of
 * their own, started up to 5 ms late, around 30 ms each with a middle of its own, 1 % failures. */
static void measure_cost(struct cost *cost)
{
    enum { ROUNDS = 2880 };
    struct prng prng = {.state = 30};
    double middle_ms[256];
    assert_true(cost->targets <= ARRAY_LEN(middle_ms));
    for (unsigned i = 0; i < cost->targets; i++) {
        middle_ms[i] = 30 * exp(0.5 * any_normal(&prng));
    }
    begin(0);
    for (unsigned run = 0; run < ROUNDS * cost->targets; run++) {
        struct record record = steady_result(cost, &prng, run, middle_ms[run % cost->targets]);
        if (append(&record) == 0) {
            must_decode(block.used);
            cost->blocks++;
            cost->results += block.count;
            begin(record.at_us / USEC_PER_MSEC);
            assert_true(append(&record) > 0);
        }
    }
}

static void record_of_a_steady_result_costs_at_most_five_bytes(void **state)
{
    (void)state;
    struct cost rows[] = {{50, 0.3, 0, 0}, {50, 1.0, 0, 0}, {10, 0.3, 0, 0}, {200, 0.3, 0, 0}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        measure_cost(&rows[i]);
        double each = (double)rows[i].blocks * BLOCK_BYTES / (double)rows[i].results;
        print_message("%3u targets, spread %.1f: %.3f bytes a result, headers included; %zu a "
                      "block\n",
                      rows[i].targets, rows[i].spread, each, rows[i].results / rows[i].blocks);
        assert_true(each <= (rows[i].targets <= 50 ? 4.5 : 5.2)); /* promised: 5 for 50 */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(record_histories_come_back),
        cmocka_unit_test(record_prefixes_hold_only_whole_records),
        cmocka_unit_test(record_garbage_is_refused_or_canonical),
        cmocka_unit_test(record_is_refused_when_the_longest_may_not_fit),
        cmocka_unit_test(record_extremes_fit),
        cmocka_unit_test(record_of_result_rounds_to_what_is_kept),
        cmocka_unit_test(record_rhythms_are_not_taken_for_anothers),
        cmocka_unit_test(record_of_a_run_begins_time_again),
        cmocka_unit_test(record_of_a_steady_result_costs_at_most_five_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
