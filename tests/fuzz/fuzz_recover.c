/* Guards against an image of a store that crashes or hangs the agent that opens it, or makes it
 * break its own rules: whatever the bytes are, opening ends within a bounded number of operations,
 * records can then be counted and committed, and a second opening finds what the first one told.
 *
 * A libFuzzer entry. The first byte says how to read the rest: as a whole image, or as changes to
 * one that a store has made (a block, an offset and a byte each); and whether checksums are made
 * right afterwards, as no mutation finds those by itself, with the store's identity taken from the
 * first block, so that blocks fit together. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "block.h"
#include "bytes.h"
#include "crash_device.h"
#include "crash_world.h"
#include "crc32c.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

enum { BLOCKS = 14, TURNS_MAX = 4000, RESULTS = 40, GROW_ROUNDS = 400, CHANGE_BYTES = 4 };
enum { FLAG_MEND = 1, FLAG_CHANGES = 2 };

static struct store store;
static struct tail tail;
static struct crash_device device;
static const struct logger silent;

static void must(bool holds)
{
    if (!holds) {
        abort();
    }
}

static uint8_t grown[BLOCKS][BLOCK_BYTES];

static void change_image(uint8_t (*image)[BLOCK_BYTES], const uint8_t *bytes, size_t size)
{
    memcpy(image, grown, sizeof grown);
    for (; size >= CHANGE_BYTES; bytes += CHANGE_BYTES, size -= CHANGE_BYTES) {
        image[bytes[0] % BLOCKS][bytes_u16(bytes + 1) % BLOCK_BYTES] = bytes[3];
    }
}

/* An image of exactly BLOCKS blocks, so that its layout can be the one asked for. */
static void load_image(const uint8_t *bytes, size_t size, unsigned flags)
{
    uint8_t(*image)[BLOCK_BYTES] = device.file.live;
    memset(image, 0, sizeof device.file.live);
    if ((flags & FLAG_CHANGES) != 0) {
        change_image(image, bytes, size);
    } else {
        memcpy(image, bytes, size < sizeof grown ? size : sizeof grown);
    }
    for (unsigned i = 0; i < BLOCKS && (flags & FLAG_MEND) != 0; i++) {
        if (bytes_u32(image[i] + 4) != 0) {
            memcpy(image[i] + 8, image[0] + 8, 8);
            bytes_put_u32(image[i], crc32c(0, image[i] + 4, BLOCK_BYTES - 4));
        }
    }
    memcpy(device.file.durable, image, sizeof device.file.live);
    device.file.exists = true;
    device.file.block_count = BLOCKS;
}

static usec_t open_store(usec_t now_us, uint64_t entropy)
{
    struct store_settings settings = {.device = crash_device_port(&device),
                                      .block_count = BLOCKS,
                                      .commit_us = USEC_PER_MINUTE,
                                      .boot = 1,
                                      .entropy = entropy,
                                      .tail = &tail};
    tail.magic = 0;
    store_init(&store, world_config(0), &silent, &settings, now_us);
    for (unsigned turns = 0; !store_opened(&store); turns++) {
        must(turns < TURNS_MAX);
        (void)store_step(&store, now_us);
        now_us += USEC_PER_MSEC;
    }
    return now_us;
}

static usec_t settle(usec_t now_us)
{
    store_settle(&store);
    for (unsigned turns = 0; !store_settled(&store); turns++) {
        must(turns < TURNS_MAX);
        (void)store_step(&store, now_us);
        now_us += USEC_PER_MSEC;
    }
    return now_us;
}

static void work(usec_t now_us)
{
    struct result result;
    for (uint16_t i = 0; i < RESULTS; i++) {
        result_init(&result, i % world_config(0)->target_count, now_us);
        result_succeed(&result);
        result.duration_us = i * USEC_PER_MSEC;
        store_result(&store, result.target, &result);
    }
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    crash_device_init(&device, 1);
    usec_t now_us = open_store(USEC_PER_SEC, 3);
    for (unsigned i = 0; i < GROW_ROUNDS; i++) {
        work(now_us);
        now_us = settle(now_us) + USEC_PER_SEC;
    }
    memcpy(grown, device.file.live, sizeof grown);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (size < 1) {
        return 0;
    }
    crash_device_init(&device, 1);
    load_image(bytes + 1, size - 1, bytes[0]);
    usec_t now_us = open_store(USEC_PER_SEC, 1);
    const struct ledger *ledger = store_ledger(&store);
    must(ledger->epoch != 0 && ledger->totals.sli_count >= world_config(0)->target_count);
    uint64_t results = ledger->totals.results;
    work(now_us);
    must(ledger->totals.results == results + RESULTS);
    now_us = settle(now_us);
    if (store.state != STORE_DURABLE) {
        return 0;
    }
    uint64_t epoch = ledger->epoch, ordinal = store_published(&store)->ordinal;
    device.busy = false;
    (void)open_store(now_us, 2);
    if (store.state == STORE_DURABLE) {
        must(store_ledger(&store)->epoch == epoch);
        must(store_published(&store)->ordinal == ordinal);
    }
    return 0;
}
