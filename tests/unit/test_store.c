/* Guards against totals that a power cut can still take back, and against a store that says it is
 * durable when the device holds less. The store alone, over a device in memory and virtual time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent_world.h"

static struct world world; /* its configuration, device and tail; no agent runs */
static struct store store;

#define SITE_OF(size)                                                                              \
    "[agent]\n"                                                                                    \
    "site = branch-0042\n"                                                                         \
    "store = s\n"                                                                                  \
    "store_size = " size "\n"                                                                      \
    "commit = 10s\n"                                                                               \
    "flash = disk\n"                                                                               \
    "[push]\n"                                                                                     \
    "url = https://push.example.net:9091\n"                                                        \
    "interval = 7s\n"
#define SITE         SITE_OF("512K")
#define SMALLER_SITE SITE_OF("256K")
#define PROBE                                                                                      \
    "[fake portal]\n"                                                                              \
    "url = a0\nurl = a1\n"                                                                         \
    "interval = 2s\ntimeout = 2s\n"
#define OBJECTIVE "slo = latency 95% 800ms 30d\n"

static void run_until(usec_t until_us)
{
    for (unsigned turns = 0; world.now_us < until_us; turns++) {
        usec_t wake_us = usec_min(store_step(&store, world.now_us), until_us);
        wake_us = usec_min(wake_us, fake_device_wake(&world.device));
        world.now_us = usec_max(wake_us, world.now_us);
        assert_in_range(turns, 0, 1000000);
    }
}

static void run_for(usec_t duration_us)
{
    run_until(world.now_us + duration_us);
}

/* A process begins: with the tail of the one before, if any. */
static void begin_life(const char *text)
{
    static struct logger logger;
    struct store_plan plan;
    world_load(&world, text);
    store_plan_make(&world.config, &plan);
    logger = (struct logger){&world, world_log};
    struct store_settings settings = {
        .device = fake_device_port(&world.device),
        .block_count = plan.block_count,
        .commit_us = config_number(&world.config, &world.config.agent, AGENT_COMMIT),
        .boot = world.boot,
        .entropy = prng_next(&world.prng),
        .tail = &world.tail,
    };
    memset(&store, 0xa5, sizeof store);
    store_init(&store, &world.config, &logger, &settings, world.now_us);
}

static void begin(void)
{
    memset(&world, 0, sizeof world);
    world.now_us = 90 * USEC_PER_SEC;
    world.boot = 1;
    world.prng.state = 1;
    world.device.now_us = &world.now_us;
    begin_life(SITE PROBE);
    run_for(USEC_PER_SEC);
    assert_int_equal(store.state, STORE_DURABLE);
}

static void cut_power(void)
{
    memset(&world.tail, 0x5a, sizeof world.tail);
    world.boot++;
    fake_device_cut(&world.device);
}

static void add_result(unsigned target, usec_t duration_us)
{
    struct result result;
    result_init(&result, (uint16_t)target, world.now_us);
    result.duration_us = duration_us;
    result_succeed(&result);
    store_result(&store, target, &result);
}

/* As many as fill this many blocks of the log. */
static void fill_blocks(unsigned blocks)
{
    for (uint64_t end = store.open_seq + blocks; store.open_seq < end;) {
        world.now_us += 10 * USEC_PER_MSEC;
        add_result(0, 20 * USEC_PER_MSEC);
        (void)store_step(&store, world.now_us);
    }
}

static uint64_t told_successes(void)
{
    return store_published(&store)->slis[0].results[OUTCOME_SUCCESS];
}

/* A new life after a power cut tells all that was told, under the same epoch. */
static void assert_survives_a_cut(void)
{
    uint64_t epoch = store_ledger(&store)->epoch, told = told_successes();
    cut_power();
    world.device.takes_us = 0;
    begin_life(SITE PROBE);
    run_for(USEC_PER_SEC);
    assert_int_equal(store.state, STORE_DURABLE);
    assert_int_equal(store_ledger(&store)->epoch, epoch);
    assert_in_range(told_successes(), told, UINT64_MAX);
}

static void store_keeps_totals_of_blocks_that_memory_had_no_room_for(void **state)
{
    (void)state;
    begin();
    fill_blocks(1);
    world.device.takes_us = USEC_NEVER;
    run_for(USEC_PER_MINUTE);
    add_result(0, 20 * USEC_PER_MSEC);
    run_for(USEC_PER_MINUTE);
    assert_int_equal(store.state, STORE_MEMORY);
    fill_blocks(CAP_TAIL_BLOCKS + 2); /* too few for a checkpoint to be due */
    assert_true(store.numbers.dropped_memory > 0);
    world.device.takes_us = 0;
    world.device.ends_us = world.now_us;
    run_for(USEC_PER_MINUTE);
    assert_int_equal(store.state, STORE_DURABLE);
    assert_survives_a_cut();
}

static void store_tells_no_total_of_a_block_that_memory_dropped_during_its_commit(void **state)
{
    (void)state;
    begin();
    fill_blocks(1);
    run_for(USEC_PER_MINUTE);
    world.device.takes_us = 25 * USEC_PER_SEC;
    fill_blocks(2);
    uint64_t before = told_successes();
    fill_blocks(2 * CAP_TAIL_BLOCKS);
    while (told_successes() == before) {
        run_for(USEC_PER_SEC);
    }
    assert_true(store.numbers.dropped_memory > 0);
    assert_survives_a_cut();
}

/* Results of before the objective count as slower than it, also those that are to be told later. */
static void store_tells_no_bucket_below_zero_when_an_objective_is_added(void **state)
{
    (void)state;
    begin();
    add_result(0, 20 * USEC_PER_MSEC);
    run_for(USEC_PER_MINUTE);
    add_result(0, 700 * USEC_PER_MSEC); /* not durable */
    fake_device_abandon(&world.device);
    world.device.takes_us = USEC_NEVER;
    begin_life(SITE PROBE OBJECTIVE);
    run_for(USEC_PER_MINUTE);
    assert_int_equal(store.state, STORE_MEMORY);
    const struct histogram *told = &store_published(&store)->slis[0].duration;
    assert_int_equal(told->bound_count, SLI_FIXED_BOUNDS + 1);
    for (unsigned i = 0; i <= told->bound_count; i++) {
        assert_in_range(told->buckets[i], 0, 1);
    }
    assert_int_equal(told->count, 1);
}

/* Both checkpoints rot while the device is in trouble: what the store says is durable, is. */
static void store_writes_a_checkpoint_again_that_is_gone(void **state)
{
    (void)state;
    begin();
    fill_blocks(40);
    run_for(USEC_PER_MINUTE);
    world.device.fails[BLOCK_WRITE] = BLOCK_IO;
    add_result(0, 20 * USEC_PER_MSEC);
    run_for(USEC_PER_MINUTE);
    assert_int_equal(store.state, STORE_MEMORY);
    for (uint32_t i = 1; i <= 2 * store.scan.super.checkpoint_blocks; i++) {
        world.device.cached.bytes[(i + 1) * BLOCK_BYTES - 1] ^= 1;
    }
    world.device.fails[BLOCK_WRITE] = BLOCK_OK;
    run_for(USEC_PER_HOUR);
    assert_int_equal(store.state, STORE_DURABLE);
    assert_survives_a_cut();
}

static void stop_in_order(void)
{
    store_settle(&store);
    run_for(USEC_PER_SEC);
    store_close(&store);
    run_for(USEC_PER_SEC);
    assert_true(store_closed(&store));
}

static void store_counts_what_a_smaller_file_has_no_room_for_once(void **state)
{
    const struct store_numbers *numbers = &store.numbers;
    (void)state;
    begin();
    fill_blocks(100);
    stop_in_order();
    world.device.fails[BLOCK_PUBLISH] = BLOCK_IO;
    begin_life(SMALLER_SITE PROBE);
    run_for(USEC_PER_HOUR);
    assert_int_equal(store.state, STORE_MEMORY);
    world.device.fails[BLOCK_PUBLISH] = BLOCK_OK;
    run_for(USEC_PER_HOUR);
    assert_int_equal(store.state, STORE_DURABLE);
    assert_true(numbers->dropped_wrap > 0);
    assert_int_equal(numbers->log_results + numbers->dropped_wrap,
                     store_ledger(&store)->totals.results);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(store_keeps_totals_of_blocks_that_memory_had_no_room_for),
        cmocka_unit_test(store_tells_no_total_of_a_block_that_memory_dropped_during_its_commit),
        cmocka_unit_test(store_tells_no_bucket_below_zero_when_an_objective_is_added),
        cmocka_unit_test(store_writes_a_checkpoint_again_that_is_gone),
        cmocka_unit_test(store_counts_what_a_smaller_file_has_no_room_for_once),
    };
    return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
