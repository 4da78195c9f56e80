/* Guards against a format that depends on the machine or on the build: a field in the host's byte
 * order, a size of its pointers, a sign of its char. What was written once, on a little-endian
 * machine of 64 bits, lies in golden/; every build must write the same bytes and read them back.
 *
 * When a format is changed on purpose: PICKET_GOLDEN=write build/host/tests/test_formats */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "agent_world.h"
#include "checkpoint_fixture.h"
#include "expo_proto.h"
#include "expo_text.h"
#include "ledger_fixture.h"
#include "view_fixture.h"

#define SITE                                                                                       \
    "[agent]\n"                                                                                    \
    "site = branch-0042\nstore = s\nstore_size = 64K\ncommit = 10s\nflash = disk\n"                \
    "[fake portal]\n"                                                                              \
    "url = a0\nurl = a1\ninterval = 2s\ntimeout = 2s\nslo = latency 95% 800ms 30d\n"

enum { ROUNDS = 40, BODY_BYTES = 1 << 16 };

static struct world world; /* its configuration, device and tail; no agent runs */
static struct store store;
static struct reader from_proto, from_text;
static uint8_t golden[FAKE_DEVICE_BLOCKS * BLOCK_BYTES], made[FAKE_DEVICE_BLOCKS * BLOCK_BYTES];

static FILE *golden_open(const char *name, const char *mode)
{
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/%s", GOLDEN, name);
    FILE *file = fopen(path, mode);
    if (file == NULL) {
        fail_msg("cannot open %s", path);
    }
    return file;
}

static size_t golden_read(const char *name)
{
    FILE *file = golden_open(name, "rb");
    size_t size = fread(golden, 1, sizeof golden, file);
    assert_int_equal(fclose(file), 0);
    assert_true(size > 0);
    return size;
}

static void assert_golden(const char *name, const void *bytes, size_t size)
{
    const char *mode = getenv("PICKET_GOLDEN");
    if (mode != NULL && strcmp(mode, "write") == 0) {
        FILE *file = golden_open(name, "wb");
        assert_int_equal(fwrite(bytes, 1, size, file), size);
        assert_int_equal(fclose(file), 0);
    }
    assert_int_equal(golden_read(name), size);
    assert_memory_equal(bytes, golden, size);
}

/* -- the store -- */

static void run_for(usec_t duration_us)
{
    usec_t until_us = world.now_us + duration_us;
    while (world.now_us < until_us) {
        usec_t wake_us = usec_min(store_step(&store, world.now_us), until_us);
        world.now_us = usec_max(usec_min(wake_us, fake_device_wake(&world.device)), world.now_us);
    }
}

static void begin_life(uint64_t boot)
{
    static struct logger logger;
    struct store_plan plan;
    world.boot = boot;
    world.prng.state = boot;
    world.now_us = (usec_t)boot * USEC_PER_MINUTE;
    world.device.now_us = &world.now_us;
    world_load(&world, SITE);
    memset(&world.tail, 0, sizeof world.tail);
    store_plan_make(&world.config, &plan);
    logger = (struct logger){&world, world_log};
    struct store_settings settings = {.device = fake_device_port(&world.device),
                                      .block_count = plan.block_count,
                                      .commit_us = 10 * USEC_PER_SEC,
                                      .boot = boot,
                                      .entropy = prng_next(&world.prng),
                                      .tail = &world.tail};
    memset(&store, 0xa5, sizeof store);
    store_init(&store, &world.config, &logger, &settings, world.now_us);
    run_for(USEC_PER_SEC);
    assert_int_equal(store.state, STORE_DURABLE);
}

static void count_round(unsigned round)
{
    struct result result;
    world.now_us += 2 * USEC_PER_SEC;
    (void)store_step(&store, world.now_us);
    store_clock(&store, (struct wall_time){.unix_us = 1790000000 * USEC_PER_SEC + world.now_us,
                                           .trusted = round > 3});
    for (unsigned target = 0; target < world.config.target_count; target++) {
        result_init(&result, (uint16_t)target, world.now_us);
        result.duration_us = (usec_t)round * round * (target + 1) * 1234;
        if (round % 7 == 3) {
            result_fail(&result, REASON_STATUS, PHASE_PROCESSING, "%s", "");
        } else if (round % 11 == 5) {
            result_unknown(&result, PHASE_NONE, "%s", "");
        } else {
            result_succeed(&result);
        }
        store_result(&store, target, &result);
    }
    store_missed(&store, round % 2, round % 5 == 4 ? 300 : 0);
    store_count(&store, LEDGER_PUSH_FIRST, 1);
    run_for(USEC_PER_SEC);
}

/* Two boots, the first ended in order, the second by a power cut after its last commit. */
static void make_store(void)
{
    memset(&world, 0, sizeof world);
    for (uint64_t boot = 1; boot <= 2; boot++) {
        begin_life(boot);
        for (unsigned round = 0; round < ROUNDS; round++) {
            count_round(round);
        }
        run_for(USEC_PER_MINUTE);
        if (boot == 1) {
            store_settle(&store);
            run_for(USEC_PER_SEC);
            store_close(&store);
            run_for(USEC_PER_SEC);
            assert_true(store_closed(&store));
        }
    }
}

static void store_image_is_the_same_on_every_machine(void **state)
{
    (void)state;
    make_store();
    assert_golden("store.pk", world.device.durable.bytes,
                  (size_t)world.device.durable.block_count * BLOCK_BYTES);
}

static void store_image_of_another_machine_is_taken_up(void **state)
{
    static struct ledger_totals totals;
    (void)state;
    make_store();
    totals = *store_published(&store);
    uint64_t epoch = store_ledger(&store)->epoch;
    size_t size = golden_read("store.pk");
    memset(&world, 0, sizeof world);
    world.device.cached.block_count = (uint32_t)(size / BLOCK_BYTES);
    memcpy(world.device.cached.bytes, golden, size);
    begin_life(3);
    assert_int_equal(store_ledger(&store)->epoch, epoch);
    assert_int_equal(store.numbers.dropped_damaged, 0);
    assert_int_equal(store.numbers.slots_damaged, 0);
    for (unsigned target = 0; target < 2; target++) {
        assert_int_equal(totals.slis[target].missed, 8 * 300);
        assert_same_sli(&store_published(&store)->slis[target], &totals.slis[target]);
    }
    assert_int_equal(store_published(&store)->results, 2 * 2 * ROUNDS);
}

/* -- a checkpoint -- */

static struct ledger ledger, decoded;
static size_t make_checkpoint(void)
{
    struct prng prng = {.state = 42};
    site_of(&config, "web.a/800=x,y bus.b=tcp://10.1.0.40:502 web.caf\x65=caf\xc3\xa9");
    ledger_init(&ledger, 0xe90c);
    (void)ledger_bind(&ledger, &config);
    for (unsigned i = 0; i < 1000; i++) {
        unsigned entry = (unsigned)prng_below(&prng, ledger.totals.sli_count);
        struct record record = random_record(&prng, ledger.entries[entry].id);
        ledger_apply(&ledger, &record);
    }
    return checkpoint_encode(&full, &ledger, &ledger.totals, made, sizeof made);
}

static void checkpoint_is_the_same_on_every_machine(void **state)
{
    struct checkpoint checkpoint;
    (void)state;
    size_t size = make_checkpoint();
    assert_golden("checkpoint.bin", made, size);
    assert_true(checkpoint_decode(golden, size, &checkpoint, &decoded));
    assert_same_ledger(&decoded, &ledger);
    assert_full(&checkpoint);
}

/* -- what is pushed -- */

static struct metrics_view portal_view(void)
{
    measure_site();
    struct metrics_view view = whole_view();
    view.only_probe = 0;
    view.agent = NULL;
    return view;
}

static void exposition_is_the_same_on_every_machine(void **state)
{
    static char text[BODY_BYTES];
    struct metrics_view view = portal_view();
    struct expo_proto proto;
    struct expo_text plain;
    struct buffer out;
    (void)state;
    buffer_init(&out, made, BODY_BYTES);
    struct metric_visitor visitor = expo_proto_visitor(&proto, &out);
    metrics_walk(&view, &visitor);
    assert_false(buffer_overflowed(&out));
    assert_golden("exposition.pb", made, out.used);
    assert_true(reader_read_proto(&from_proto, golden, out.used));
    buffer_init(&out, text, sizeof text);
    visitor = expo_text_visitor(&plain, &out);
    metrics_walk(&view, &visitor);
    assert_true(reader_read_text(&from_text, (char *)(uintptr_t)buffer_text(&out)));
    assert_int_equal(from_proto.sample_count, from_text.sample_count);
    for (unsigned i = 0; i < from_text.sample_count; i++) {
        assert_string_equal(from_proto.samples[i].key, from_text.samples[i].key);
        assert_memory_equal(&from_proto.samples[i].value, &from_text.samples[i].value,
                            sizeof(double));
    }
    reader_free(&from_proto);
    reader_free(&from_text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(store_image_is_the_same_on_every_machine),
        cmocka_unit_test(store_image_of_another_machine_is_taken_up),
        cmocka_unit_test(checkpoint_is_the_same_on_every_machine),
        cmocka_unit_test(exposition_is_the_same_on_every_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
