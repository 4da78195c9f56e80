/* A seed is a script of lives on one device: some end in order, some with the process, some with
 * the power; between two of them the configuration or the size may change. Right before and right
 * after each operation of the device (see crash_hook) each cut is made on a copy, a fresh store
 * opens it, and is judged. Some of those go on with a life of their own, in which the power goes
 * again. The script itself is not disturbed by any of it, so a case is found again by its numbers.
 */
#include "crash_states.h"

#include <inttypes.h>
#include <string.h>

#include "crash_case.h"
#include "crash_world.h"

enum {
    OPS_PER_SEED = 420,
    OPENING_TURNS_MAX = 4000,
    SECOND_LIFE_EVERY = 97, /* states */
    SECOND_LIFE_OPS = 24,
    KILL_EVERY = 4, /* points */
};

/* The kills: the write in flight had happened, it had not, the memory was scribbled over too. */
enum { KILL_AFTER = STATE_KILL, KILL_BEFORE, KILL_SCRIBBLE };

static struct model models[3], past;
static struct crash_world first = {.model = &models[0], .past = &past};
static struct crash_world second = {.model = &models[1]};
static struct crash_world third = {.model = &models[2]};

static uint64_t point_of_second;

static void open_scratch(struct crash_world *scratch)
{
    for (unsigned turns = 0; !store_opened(&scratch->store); turns++) {
        if (turns == OPENING_TURNS_MAX) {
            crash_fail("I6", "opening takes more than %u turns", turns);
        }
        (void)store_step(&scratch->store, scratch->now_us);
        scratch->now_us += USEC_PER_MSEC;
    }
    if (scratch->device.misuse != NULL) {
        crash_fail("port", "%s", scratch->device.misuse);
    }
}

/* Opened once more without a change: the same must come out. */
static void judge_twice(struct crash_world *scratch, const struct crash_world *before)
{
    static struct ledger_totals once;
    uint64_t epoch = store_ledger(&scratch->store)->epoch;
    ledger_totals_copy(&once, store_published(&scratch->store));
    if (scratch->store.state != STORE_DURABLE ||
        scratch->device.changes != scratch->opening_changes) {
        return;
    }
    scratch->device.busy = false;
    world_start(scratch);
    open_scratch(scratch);
    (void)world_judge_opened(scratch, before);
    const struct ledger_totals *again = store_published(&scratch->store);
    if (again->ordinal != once.ordinal || again->results != once.results ||
        store_ledger(&scratch->store)->epoch != epoch ||
        memcmp(again->slis, once.slis, once.sli_count * sizeof once.slis[0]) != 0 ||
        again->slos.count != once.slos.count ||
        memcmp(again->slos.histories, once.slos.histories,
               once.slos.count * sizeof once.slos.histories[0]) != 0) {
        crash_fail("I6", "recovering twice is not recovering once");
    }
}

static void judge_cut(struct crash_world *scratch, const struct crash_world *world, unsigned cut,
                      uint64_t seed)
{
    world_cut_from(scratch, world, cut, seed);
    open_scratch(scratch);
    uint64_t ordinal = world_judge_opened(scratch, world);
    if (scratch->store.state != STORE_DURABLE) {
        crash_fail("I3", "a healthy device is not opened: %s",
                   store_trouble_name(scratch->store.trouble));
    }
    if (seed % 8 == 0) {
        judge_twice(scratch, world);
    }
    crash_states++;
    scratch->recovered_ordinal = ordinal;
}

static void judge_kill(struct crash_world *scratch, const struct crash_world *world, unsigned cut,
                       uint64_t seed)
{
    world_kill_from(scratch, world, cut != KILL_BEFORE, cut == KILL_SCRIBBLE, seed);
    open_scratch(scratch);
    (void)world_judge_opened(scratch, world);
    if (cut != KILL_SCRIBBLE) {
        world_judge_kept(scratch, world);
    }
    crash_states++;
}

/* Which cuts make a difference at this moment. */
static bool is_worth(const struct crash_world *world, unsigned cut, bool same_as_before)
{
    if (cut >= STATE_KILL) {
        return true;
    }
    if (!crash_device_unsettled(&world->device)) {
        return cut == CUT_NONE;
    }
    return !same_as_before || cut <= CUT_ALL || cut >= CUT_GARBAGE;
}

static void judge_second(void *context, bool in_flight)
{
    struct crash_world *world = context;
    (void)in_flight;
    crash_now.point2 = point_of_second++;
    if (!world->seen_open) {
        return;
    }
    for (unsigned i = 0; i < 3; i++) {
        uint64_t seed = crash_mix(world->seed, crash_now.point2, i);
        unsigned cut = (unsigned)(seed % CUT_COUNT);
        crash_now.cut2 = cut;
        if (is_worth(world, cut, false) && crash_is_wanted(crash_wanted.point2, crash_now.point2) &&
            crash_is_wanted(crash_wanted.cut2, cut)) {
            judge_cut(&third, world, cut, seed);
        }
    }
}

/* What was recovered goes on for a while, and the power goes again. */
static void live_again(struct crash_world *world, const struct crash_world *before,
                       uint64_t ordinal)
{
    world_adopt(world, before, ordinal);
    crash_log_forget(&world->log);
    crash_log_forget(&third.log);
    point_of_second = 0;
    world_observe(world);
    world->device.hook = judge_second;
    world->device.hook_context = world;
    world_run(world, SECOND_LIFE_OPS, USEC_PER_HOUR, true);
    world->device.hook = NULL;
    crash_now.point2 = crash_now.cut2 = CRASH_ALL;
    world_expect_durable(world, USEC_PER_HOUR);
    world_expect_exact(world);
    crash_log_forget(&world->log);
    crash_log_forget(&third.log);
}

static void judge_point(void *context, bool in_flight)
{
    struct crash_world *world = context;
    static uint64_t last_changes;
    bool same = !in_flight && world->device.changes == last_changes;
    last_changes = world->device.changes;
    crash_now.point++;
    if (!world->seen_open && world->life > 1) {
        return; /* nothing has changed since the last moment of the life before */
    }
    if (!crash_is_wanted(crash_wanted.point, crash_now.point)) {
        return;
    }
    crash_begins();
    bool kills = crash_mix(world->seed, crash_now.point, 5) % KILL_EVERY == 0;
    for (unsigned cut = 0; cut < STATE_KILL + STATE_KILL_COUNT; cut++) {
        cut = cut == CUT_COUNT ? STATE_KILL : cut;
        uint64_t seed = crash_mix(world->seed, crash_now.point, 100 + cut);
        crash_now.cut = cut;
        if (!crash_is_wanted(crash_wanted.cut, cut) || !is_worth(world, cut, same)) {
            continue;
        }
        if (cut < STATE_KILL) {
            judge_cut(&second, world, cut, seed);
            if (seed % SECOND_LIFE_EVERY == 0) {
                live_again(&second, world, second.recovered_ordinal);
            }
        } else if (kills) {
            judge_kill(&second, world, cut, seed);
        }
    }
    crash_now.cut = CRASH_ALL;
}

static void end_life(struct crash_world *world, uint64_t seed)
{
    uint64_t dice = seed % 10;
    world->device.hook = NULL;
    if (dice < 4) {
        world_cut(world, (unsigned)(seed / 16 % CUT_COUNT), seed);
    } else if (dice < 7) {
        world_kill(world, seed / 16 % 2 == 0);
    } else {
        world_stop(world, dice < 9);
    }
    if (seed / 64 % 3 == 0) {
        world->settings.config = (unsigned)(seed / 256 % WORLD_CONFIGS);
        world->is_bound = false;
    }
    if (seed / 1024 % 6 == 0) {
        world->settings.slots = 10 + (unsigned)(seed / 8192 % 8);
        world->is_bound = false;
    }
    crash_log_forget(&second.log);
}

static void choose_settings(uint64_t seed, unsigned slots, struct world_settings *settings)
{
    static const unsigned commits[] = {5, 20, 60}, rates[] = {150, 350, 900};
    uint64_t dice = crash_mix(seed, 11, 0);
    unsigned commit = commits[dice / 32 % 3], records = rates[dice / 128 % 3];
    *settings = (struct world_settings){
        .slots = slots != 0      ? slots
                 : dice % 4 == 0 ? 6 + (unsigned)(dice / 4 % 4)
                                 : 12 + (unsigned)(dice / 4 % 5),
        .commit_us = commit * USEC_PER_SEC,
        .records_per_round = records / commit,
        .delay_max = (unsigned)(dice / 512 % 3),
    };
}

void crash_states_run(uint64_t seed, unsigned slots)
{
    struct world_settings settings;
    choose_settings(seed, slots, &settings);
    crash_now = (struct crash_case){.slots = crash_now.slots,
                                    .mode = MODE_STATES,
                                    .seed = seed,
                                    .cut = CRASH_ALL,
                                    .point2 = CRASH_ALL,
                                    .cut2 = CRASH_ALL};
    crash_begins();
    world_init(&first, seed, &settings);
    crash_log_forget(&second.log);
    for (uint64_t life = 0; first.device.ops < OPS_PER_SEED && !world_is_full(&first); life++) {
        uint64_t dice = crash_mix(seed, 12, life);
        first.device.hook = judge_point;
        first.device.hook_context = &first;
        world_start(&first);
        world_run(&first, 30 + dice % 120, 6 * USEC_PER_HOUR, true);
        end_life(&first, crash_mix(seed, 13, life));
    }
    crash_begins();
    world_start(&first);
    world_run(&first, 4, USEC_PER_HOUR, true);
    world_expect_durable(&first, USEC_PER_HOUR);
    world_expect_exact(&first);
}
