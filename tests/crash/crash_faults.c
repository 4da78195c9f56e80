/* The script: a store is made and works, its process dies or stops, another one with another
 * configuration goes on. A fault that lasts is over after some minutes; an operation that is late
 * ends then; one that never ends needs the machine to start again. */
#include "crash_faults.h"

#include <inttypes.h>

#include "crash_case.h"
#include "crash_world.h"

enum {
    FIRST_OPS = 70,
    SECOND_OPS = 40,
    SCRIPT_SECONDS = 700,
    STRIDE = 13, /* each seed takes every so many operations: seeds share the work */
};

static struct model models[2], shelf;
static struct crash_world world = {.model = &models[0], .shelf = &shelf};
static struct crash_world after = {.model = &models[1]};

static bool is_lie(enum crash_fault fault)
{
    return fault >= FAULT_FIRST_LIE;
}

/* The power goes: what was told to the end is there. */
static void judge_end(uint64_t seed)
{
    world_cut_from(&after, &world, (unsigned)(seed % CUT_COUNT), seed);
    crash_log_forget(&after.log);
    for (unsigned turns = 0; !store_opened(&after.store); turns++) {
        if (turns == 4000) {
            crash_fail("I6", "opening takes more than %u turns", turns);
        }
        (void)store_step(&after.store, after.now_us);
        after.now_us += USEC_PER_MSEC;
    }
    (void)world_judge_opened(&after, &world);
}

/* Works for so many operations; a fault that struck is over after a while. */
static void live(uint64_t ops, usec_t heal_after_us)
{
    usec_t struck_us = USEC_NEVER, end_us = world.now_us + SCRIPT_SECONDS * USEC_PER_SEC;
    uint64_t end_ops = world.device.ops + ops;
    while (world.now_us < end_us && world.device.ops < end_ops && !world_is_full(&world)) {
        world_turn(&world, true);
        if (world.device.fault_struck && struck_us == USEC_NEVER) {
            struck_us = world.now_us;
        }
        if (struck_us != USEC_NEVER && !world.is_lossy && !world.is_forked &&
            prng_below(&world.prng, 50) == 0) {
            judge_end(prng_next(&world.prng));
        }
        if (struck_us != USEC_NEVER && world.now_us - struck_us >= heal_after_us &&
            world.device.fault != FAULT_NEVER) {
            crash_device_heal(&world.device);
        }
    }
}

static void restart(enum crash_fault fault, uint64_t dice)
{
    struct crash_device *device = &world.device;
    uint64_t fault_op = device->fault_op;
    bool struck = device->fault_struck;
    if (dice % 2 == 0 && !struck) {
        world_stop(&world, dice % 4 == 0);
    } else {
        world_kill(&world, true);
    }
    if (!struck) { /* it is still to come */
        device->fault_op = fault_op;
        device->fault = fault;
    }
    device->remembers = true;
    world.settings.config = (unsigned)(dice / 8 % WORLD_CONFIGS);
    world.is_bound = false;
    world_start(&world);
}

/* False: the operation was not reached. */
static bool try_fault(uint64_t seed, const struct world_settings *settings, uint64_t op,
                      enum crash_fault fault)
{
    uint64_t dice = crash_mix(seed, op, fault);
    usec_t heal_after_us = (fault == FAULT_LATE ? 45 : 60 + (usec_t)(dice % 300)) * USEC_PER_SEC;
    crash_begins();
    world_init(&world, seed, settings);
    world.is_lossy = is_lie(fault);
    world.device.remembers = true;
    world.device.fault = fault;
    world.device.fault_op = op;
    world_start(&world);
    live(FIRST_OPS, heal_after_us);
    restart(fault, dice / 1024);
    live(SECOND_OPS, heal_after_us);
    bool reached = world.device.ops >= op || world.device.fault_struck;
    crash_device_heal(&world.device);
    if (world.is_forked) {
        world_rejoin(&world);
    } else if (fault == FAULT_NEVER && world.store.job != 0 && world.store.state != STORE_DURABLE) {
        world_kill(&world, true);
        world_start(&world);
    }
    world_expect_durable(&world, 2 * USEC_PER_HOUR);
    if (!world.is_lossy) {
        world_expect_exact(&world);
        judge_end(dice);
    }
    crash_states++;
    return reached;
}

void crash_faults_run(uint64_t seed, unsigned slots)
{
    uint64_t dice = crash_mix(seed, 21, 0);
    struct world_settings settings = {
        .slots = slots != 0 ? slots : 8 + (unsigned)(dice % 6),
        .commit_us = 20 * USEC_PER_SEC,
        .records_per_round = 25,
        .delay_max = (unsigned)(dice / 16 % 3),
    };
    crash_now = (struct crash_case){.slots = crash_now.slots,

                                    .mode = MODE_FAULTS,
                                    .seed = seed,
                                    .point2 = CRASH_ALL,
                                    .cut2 = CRASH_ALL};
    for (int fault = FAULT_NONE + 1; fault < FAULT_COUNT; fault++) {
        bool reached = true;
        for (uint64_t op = 1 + (seed + (uint64_t)fault) % STRIDE; reached; op += STRIDE) {
            crash_now.point = op;
            crash_now.cut = (uint64_t)fault;
            if (crash_wanted.point != CRASH_ALL && op > crash_wanted.point) {
                break;
            }
            if (crash_is_wanted(crash_wanted.point, op) &&
                crash_is_wanted(crash_wanted.cut, (uint64_t)fault)) {
                reached = try_fault(seed, &settings, op, (enum crash_fault)fault);
            }
        }
    }
}
