/* Each bit of each block's header, and bits of payloads as drawn, one at a time. Every block has a
 * checksum, so a flipped bit is a damaged block, and what follows depends on which block it was:
 *
 * - none that matters (free, a superseded rewrite, the older checkpoint, one super of two):
 * nothing;
 * - a block the checkpoint covers: a hole, counted as damaged;
 * - a block behind the checkpoint: totals would miss what was told, so they begin anew;
 * - the newest block itself: the store is as it was before it was written. Nobody can tell that
 *   from a power cut that came earlier, so it is the one case in which totals that were told go
 *   backwards under their epoch (DESIGN.md says so). */
#include "crash_rot.h"

#include <inttypes.h>
#include <string.h>

#include "block.h"
#include "crash_case.h"
#include "crash_world.h"

enum { GROW_OPS = 160, PAYLOAD_BITS = 8, OPENING_TURNS_MAX = 4000 };

static struct model model;
static struct crash_world world = {.model = &model};
static struct crash_world after;

static void open_image(void)
{
    crash_log_forget(&after.log);
    for (unsigned turns = 0; !store_opened(&after.store); turns++) {
        if (turns == OPENING_TURNS_MAX) {
            crash_fail("I6", "opening takes more than %u turns", turns);
        }
        (void)store_step(&after.store, after.now_us);
        after.now_us += USEC_PER_MSEC;
    }
}

/* Up to where the log goes with this block and without it; the same means that it does not matter
 * which record is the last. */
static bool is_newest(uint32_t block)
{
    const struct crash_log_block *blocks = world.log.blocks;
    return blocks[block].is_data && blocks[block].data.seq == world.log.newest_seq;
}

static void try_bit(uint32_t block, uint32_t bit)
{
    crash_begins();
    world_cut_from(&after, &world, CUT_ALL, crash_now.cut);
    after.device.file.live[block][bit / 8] ^= (uint8_t)(1u << (bit % 8));
    after.device.file.durable[block][bit / 8] ^= (uint8_t)(1u << (bit % 8));
    open_image();
    after.rotten_newest = is_newest(block);
    world_judge_rotten(&after, &world);
    crash_states++;
}

void crash_rot_run(uint64_t seed, unsigned slots)
{
    uint64_t dice = crash_mix(seed, 31, 0);
    struct world_settings settings = {
        .slots = slots != 0 ? slots : 10 + (unsigned)(dice % 6),
        .commit_us = 20 * USEC_PER_SEC,
        .records_per_round = 25,
    };
    crash_now =
        (struct crash_case){.mode = MODE_ROT, .seed = seed, .point2 = CRASH_ALL, .cut2 = CRASH_ALL};
    crash_begins();
    world_init(&world, seed, &settings);
    world_start(&world);
    world_run(&world, GROW_OPS + dice / 64 % 64, 6 * USEC_PER_HOUR, true);
    world_expect_durable(&world, USEC_PER_HOUR);
    crash_log_forget(&world.log);
    (void)crash_log_read(&world.log, &world.device.file, store_ledger(&world.store), world.model,
                         world.model->ordinal, true);
    for (uint32_t block = 0; block < world.device.file.block_count; block++) {
        uint32_t header_bits = BLOCK_DATA_HEADER * 8;
        /* Headers are long: each seed takes an eighth of their bits. */
        for (uint32_t i = 0; i < header_bits / 8 + PAYLOAD_BITS; i++) {
            uint32_t bit = i < header_bits / 8
                               ? i * 8 + (uint32_t)((seed + i) % 8)
                               : (uint32_t)(crash_mix(seed, block, i) % (BLOCK_BYTES * 8));
            crash_now.point = block;
            crash_now.cut = bit;
            if (crash_is_wanted(crash_wanted.point, block) &&
                crash_is_wanted(crash_wanted.cut, bit)) {
                try_bit(block, bit);
            }
        }
    }
}
