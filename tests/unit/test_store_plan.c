/* Guards against a plan that promises what the store will not keep: hours of history that are not
 * there, a layout without room for the targets, and a flash that is worn out before its time and
 * nobody was told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "block.h"
#include "checkpoint.h"
#include "config_fixture.h"
#include "store_plan.h"

enum { TEXT_BYTES = 1 << 16 };

static char text[TEXT_BYTES];
static const char *odd_lines = ""; /* of every other probe */

/* A site of `count` targets below these lines. */
static const char *site(const char *agent, const char *defaults, unsigned count)
{
    size_t used = (size_t)snprintf(text, sizeof text, "[agent]\nstore = /s\n%s[defaults]\n%s",
                                   agent, defaults);
    for (unsigned i = 0; i < count; i++) {
        used += (size_t)snprintf(text + used, sizeof text - used,
                                 "[web p%u]\nurl = https://service-%u.example.net/health\n%s", i, i,
                                 i % 2 == 1 ? odd_lines : "");
    }
    return text;
}

static struct store_plan plan_of(const char *agent, const char *defaults, unsigned count)
{
    struct store_plan plan;
    char lines[512];
    (void)snprintf(lines, sizeof lines, "%sflash_wear = accept\n", agent);
    load_good(site(lines, defaults, count));
    store_plan_make(&config, &plan);
    return plan;
}

/* -- layout -- */

static void plan_divides_the_file_as_the_store_does(void **state)
{
    static const struct {
        const char *size;
        unsigned targets;
    } rows[] = {{"64K", 1}, {"64K", 16}, {"1M", 1}, {"1M", 50}, {"1M", 256}, {"64M", 256}};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char lines[64];
        (void)snprintf(lines, sizeof lines, "store_size = %s\n", rows[i].size);
        struct store_plan plan = plan_of(lines, "", rows[i].targets);
        struct block_super super = {.store = 1,
                                    .format_version = BLOCK_FORMAT_VERSION,
                                    .block_count = plan.block_count,
                                    .checkpoint_blocks = plan.checkpoint_blocks};
        uint8_t bytes[BLOCK_BYTES] = {0};
        block_super_seal(bytes, &super);
        assert_int_equal(block_check(bytes, 1), BLOCK_SUPER);
        assert_true(block_super_read(bytes, &super));
        assert_int_equal(plan.slots, block_super_slots(&super));
        assert_true(plan.slots >= BLOCK_SLOTS_MIN);
        assert_true(plan.checkpoint_blocks * BLOCK_PART_BYTES >= checkpoint_bound(&config));
        assert_true((plan.checkpoint_blocks - 1) * BLOCK_PART_BYTES < checkpoint_bound(&config));
    }
}

/* The least size that is told is taken, and 4 KiB less are refused. */
static void plan_tells_the_least_size(void **state)
{
    static const unsigned counts[] = {60, 100, 256};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
        char lines[64], expected[160];
        struct store_plan plan = plan_of("", "", counts[i]);
        (void)snprintf(lines, sizeof lines, "store_size = %dK\nflash = disk\n",
                       (int)(plan.least_bytes / 1024));
        load_good(site(lines, "", counts[i]));
        store_plan_make(&config, &plan);
        assert_int_equal(plan.slots, BLOCK_SLOTS_MIN);
        (void)snprintf(lines, sizeof lines, "store_size = %dK\n",
                       (int)(plan.least_bytes / 1024) - 4);
        (void)snprintf(expected, sizeof expected,
                       "3: 'store_size' %dK is too small for %u targets: at least %dK\n",
                       (int)(plan.least_bytes / 1024) - 4, counts[i],
                       (int)(plan.least_bytes / 1024));
        assert_false(load(site(lines, "", counts[i])));
        assert_string_equal(reported, expected);
    }
}

/* -- history -- */

static uint64_t seed = 1;

static unsigned dice(unsigned sides)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(seed >> 33) % sides;
}

/* Every other target may run less often. */
struct rhythm {
    unsigned targets;
    int64_t interval_ms, odd_interval_ms;
};

static int64_t interval_of(const struct rhythm *rhythm, unsigned target)
{
    return target % 2 == 1 ? rhythm->odd_interval_ms : rhythm->interval_ms;
}

static struct record run_of(unsigned target, int64_t at_ms)
{
    enum { DURATION_US = 20000 };
    struct result result;
    result_init(&result, (uint16_t)target, at_ms * USEC_PER_MSEC);
    result.duration_us = DURATION_US * (1 + target % 3) + dice(DURATION_US / 4);
    if (dice(20) == 0) {
        result_fail(&result, REASON_TIMEOUT, PHASE_CONNECT, "%s", "");
    } else {
        result_succeed(&result);
    }
    return record_of_result(target + 1, &result);
}

/* Results that one block takes, which is begun while all are running. */
static unsigned encode_block(const struct rhythm *rhythm)
{
    static struct record_coder coder;
    static uint8_t payload[BLOCK_DATA_BYTES];
    int64_t base_ms = 1000000, due_ms[CAP_TARGETS];
    size_t used = 0, size;
    record_coder_init(&coder, base_ms);
    for (unsigned i = 0; i < rhythm->targets; i++) {
        due_ms[i] = base_ms + dice((unsigned)interval_of(rhythm, i));
    }
    for (unsigned count = 0;; count++) {
        unsigned next = 0;
        for (unsigned i = 1; i < rhythm->targets; i++) {
            next = due_ms[i] < due_ms[next] ? i : next;
        }
        struct record record = run_of(next, due_ms[next] + dice(4));
        due_ms[next] += interval_of(rhythm, next);
        size = record_encode(&coder, &record, payload, used);
        if (size == 0) {
            return count;
        }
        used += size;
    }
}

static void plan_is_near_what_blocks_really_hold(void **state)
{
    static const struct rhythm rows[] = {
        {1, 1000, 1000},     {1, 30000, 30000},   {10, 30000, 30000},    {50, 30000, 30000},
        {50, 1000, 1000},    {200, 5000, 5000},   {256, 300000, 300000}, {256, 100, 100},
        {100, 10000, 60000}, {250, 30000, 45000},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char lines[64], odd[64];
        (void)snprintf(lines, sizeof lines, "interval = %dms\ntimeout = 50ms\n",
                       (int)rows[i].interval_ms);
        (void)snprintf(odd, sizeof odd, "interval = %dms\n", (int)rows[i].odd_interval_ms);
        odd_lines = odd;
        struct store_plan plan = plan_of("", lines, rows[i].targets);
        odd_lines = "";
        unsigned sum = 0;
        for (unsigned block = 0; block < 20; block++) {
            sum += encode_block(&rows[i]);
        }
        double measured = sum / 20.0;
        if (plan.results_per_block > measured * 1.04 || plan.results_per_block < measured * 0.88) {
            fail_msg("%u targets every %d ms: planned %.0f results a block, measured %.0f",
                     rows[i].targets, (int)rows[i].interval_ms, plan.results_per_block, measured);
        }
    }
}

static void plan_of_the_usual_site_keeps_the_promises(void **state)
{
    struct store_plan plan = plan_of("", "", 50);
    (void)state;
    assert_true(plan.results_per_day > 143999 && plan.results_per_day < 144001);
    assert_true(plan.bytes_per_result <= 5);
    assert_true(plan.hours >= 36);
    /* Two slots are free at any time, and the open block may have just been begun. */
    double blocks = plan.hours / 24 * plan.results_per_day * plan.bytes_per_result / BLOCK_BYTES;
    assert_true(blocks > plan.slots - 3.001 && blocks < plan.slots - 2.999);
    assert_true(plan.bytes_per_day <= 6 * (1 << 20));
}

static void plan_grows_with_size_and_shrinks_with_load(void **state)
{
    struct store_plan usual = plan_of("", "", 20);
    struct store_plan larger = plan_of("store_size = 2M\n", "", 20);
    struct store_plan busier = plan_of("", "interval = 10s\n", 20);
    struct store_plan slower = plan_of("commit = 5m\n", "", 20);
    struct store_plan off = plan_of("", "enabled = off\n", 20);
    (void)state;
    assert_true(larger.hours > 2 * usual.hours && larger.hours < 2.1 * usual.hours);
    assert_true(busier.hours > usual.hours / 3.2 && busier.hours < usual.hours / 2.5);
    assert_true(busier.bytes_per_day > usual.bytes_per_day);
    assert_true(slower.bytes_per_day < usual.bytes_per_day / 4);
    assert_true(slower.life_years > 4 * usual.life_years);
    assert_true(off.hours <= 0 && off.bytes_per_day <= 0 && off.results_per_day <= 0);
}

/* A site that probes once an hour has nothing to commit every second. */
static void plan_writes_no_more_often_than_there_is_something_to_write(void **state)
{
    struct store_plan quiet = plan_of("commit = 1s\n", "interval = 1h\n", 1);
    struct store_plan pushing =
        plan_of("commit = 1s\nsite = s\n", "interval = 1h\n[push]\nurl = http://h\n", 1);
    (void)state;
    assert_true(quiet.writes_per_day > 23 && quiet.writes_per_day < 25);
    /* Each push is counted, and a count is a record. */
    assert_true(pushing.writes_per_day > 1463 && pushing.writes_per_day < 1466);
}

/* -- flash -- */

static void plan_knows_how_storage_wears(void **state)
{
    /* Of 50 targets every 30 s. The first five are the measured and published figures. */
    static const struct {
        const char *agent;
        double years_from, years_to;
    } rows[] = {
        {"flash = sd\n", 1.6, 1.9},
        {"flash = sd\ncommit = 300s\n", 6.5, 9.2},
        {"flash = sd\ncommit = 10s\n", 0.28, 0.31},
        {"flash = nor\n", 15, 20},
        {"flash = nor\ncommit = 10s\n", 2.8, 3.2},
        {"flash = nand\n", 200, 320},
        {"", 40, 60},
        {"commit = 1s\n", 0.8, 1},
        {"flash = emmc\nflash_size = 8G\n", 90, 125},
        {"flash = sd\nflash_size = 64G\n", 13, 16},
        {"flash = disk\ncommit = 1s\n", 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct store_plan plan = plan_of(rows[i].agent, "", 50);
        if (plan.life_years < rows[i].years_from || plan.life_years > rows[i].years_to) {
            fail_msg("%s: %.2f years", rows[i].agent, plan.life_years);
        }
    }
}

static void config_refuses_a_store_that_cannot_be(void **state)
{
    static const struct {
        const char *agent, *defaults, *expected;
    } rows[] = {
        {"store_size = 65K\n", "", "3: 'store_size': 65K is not a multiple of 4K\n"},
        {"store_size = 1000000\n", "", "3: 'store_size': 1000000 is not a multiple of 4K\n"},
        {"flash = disk\nflash_size = 1G\n", "",
         "4: 'flash_size' makes no difference to 'flash = disk', which is never worn\n"},
        {"flash = nor\nstore_size = 4M\n", "",
         "4: 'store_size' 4M does not fit on a flash of 2M (nor): set 'flash_size'\n"},
        {"flash = nor\nflash_size = 512K\n", "",
         "2: 'store_size' 1M does not fit on a flash of 512K (nor): set 'flash_size'\n"},
        {"flash = sdcard\n", "", "3: 'flash': 'sdcard' is not one of emmc, sd, nor, nand, disk\n"},
        {"flash_wear = yes\n", "", "3: 'flash_wear': 'yes' is not one of refuse, accept\n"},
        {"flash = sd\n", "",
         "2: 'commit' 1m wears out the flash in 1.8 years (sd of 8 GB, 500 cycles, each write "
         "wears 4M): 'commit = 170s' makes it 5; say what it is with 'flash' and 'flash_size', or "
         "take it as it is with 'flash_wear = accept'\n"},
        {"flash = sd\ncommit = 120s\n", "",
         "4: 'commit' 2m wears out the flash in 3.6 years (sd of 8 GB, 500 cycles, each write "
         "wears 4M): 'commit = 170s' makes it 5; say what it is with 'flash' and 'flash_size', or "
         "take it as it is with 'flash_wear = accept'\n"},
        {"commit = 1s\n", "",
         "3: 'commit' 1s wears out the flash in 2.9 years (emmc of 4 GB, 1000 cycles, wear 32 "
         "times what is written): 'commit = 6s' makes it 5; say what it is with 'flash' and "
         "'flash_size', or take it as it is with 'flash_wear = accept'\n"},
        {"flash = nor\nflash_size = 1M\n", "interval = 100ms\ntimeout = 50ms\n",
         "2: 'commit' 1m wears out the flash in 1.3 years (nor of 1M, 100000 cycles, wear 5.5 "
         "times what is written): no 'commit' makes it 5, less frequent probes do; say what it is "
         "with 'flash' and 'flash_size', or take it as it is with 'flash_wear = accept'\n"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_false(load(site(rows[i].agent, rows[i].defaults, 10)));
        assert_string_equal(reported, rows[i].expected);
    }
}

/* What is advised is taken, and is the least of its kind. */
static void config_takes_the_commit_it_advises(void **state)
{
    static const char *const rows[] = {"flash = sd\n", "flash = nor\ncommit = 5s\n",
                                       "flash = emmc\ncommit = 1s\n"};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char lines[128];
        assert_false(load(site(rows[i], "", 50)));
        usec_t commit_us = store_plan_commit(&config);
        assert_true(commit_us > 0);
        int length = (int)strcspn(rows[i], "\n") + 1;
        (void)snprintf(lines, sizeof lines, "%.*scommit = %ds\n", length, rows[i],
                       (int)(commit_us / USEC_PER_SEC));
        load_good(site(lines, "", 50));
        usec_t step = commit_us > 10 * USEC_PER_SEC ? 10 : 1;
        (void)snprintf(lines, sizeof lines, "%.*scommit = %ds\n", length, rows[i],
                       (int)(commit_us / USEC_PER_SEC - step));
        assert_false(load(site(lines, "", 50)));
    }
}

static void config_takes_what_is_asked_for_expressly(void **state)
{
    static const char *const rows[] = {"",
                                       "commit = 10s\n",
                                       "flash = sd\nflash_wear = accept\n",
                                       "commit = 1s\nflash = disk\n",
                                       "store_size = 64K\n",
                                       "flash = nor\n",
                                       "flash = nand\n",
                                       "flash = nor\nflash_size = 8M\nstore_size = 4M\n"};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        load_good(site(rows[i], "", 10));
    }
    load_good("[agent]\ncommit = 1s\nflash = sd\n" WEB); /* no store, nothing to wear */
}

/* One mistake is one message. */
static void config_says_nothing_of_a_plan_on_wrong_numbers(void **state)
{
    static const struct {
        const char *agent, *defaults, *expected;
    } rows[] = {
        {"flash = sd\ncommit = 0s\n", "",
         "4: 'commit': 0s is out of range: 1s to 1h are allowed\n"},
        {"flash = sd\n", "interval = 1x\n", "5: 'interval': "},
        {"flash = sd\nflash_size = 1\n", "", "4: 'flash_size': 1 is out of range"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_false(load(site(rows[i].agent, rows[i].defaults, 10)));
        assert_int_equal(errors.count, 1);
        assert_memory_equal(reported, rows[i].expected, strlen(rows[i].expected));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plan_divides_the_file_as_the_store_does),
        cmocka_unit_test(plan_tells_the_least_size),
        cmocka_unit_test(plan_is_near_what_blocks_really_hold),
        cmocka_unit_test(plan_of_the_usual_site_keeps_the_promises),
        cmocka_unit_test(plan_grows_with_size_and_shrinks_with_load),
        cmocka_unit_test(plan_writes_no_more_often_than_there_is_something_to_write),
        cmocka_unit_test(plan_knows_how_storage_wears),
        cmocka_unit_test(config_refuses_a_store_that_cannot_be),
        cmocka_unit_test(config_takes_the_commit_it_advises),
        cmocka_unit_test(config_takes_what_is_asked_for_expressly),
        cmocka_unit_test(config_says_nothing_of_a_plan_on_wrong_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
