/* Lives of the agent: start, turns, and the ways they end. */
#include "crash_world.h"

#include <inttypes.h>
#include <string.h>

#include "crash_case.h"

enum { ROUND_US = 1000000, OPENING_TURNS_MAX = 4000 };

static const struct logger silent;

void world_init(struct crash_world *world, uint64_t seed, const struct world_settings *settings)
{
    world->seed = seed;
    world->settings = *settings;
    world->prng.state = seed;
    world->now_us = 1000000;
    world->boot = crash_mix(seed, 1, 0);
    world->wall_offset_us = INT64_C(1790000000000000);
    world->wall_trusted = false;
    world->life = 0;
    world->runs = world->seen_open = world->tail_kept = world->is_lossy = false;
    world->is_bound = false;
    world->tail.magic = 0;
    crash_device_init(&world->device, crash_mix(seed, 2, 0));
    crash_log_forget(&world->log);
    model_init(world->model);
    world->ancestor = NULL;
    world->recovered_ordinal = 0;
    world->is_forked = world->counts_anew = world->begins_anew = false;
    memset(&world->measured, 0, sizeof world->measured);
    memset(&world->lost, 0, sizeof world->lost);
    memset(&world->told_before, 0, sizeof world->told_before);
    world->epoch_count = world->epoch = 0;
}

/* Blocks of the file, so that it has as many slots as are wanted when it is made with this
 * configuration. */
static uint32_t file_blocks(const struct crash_world *world)
{
    size_t bytes = checkpoint_bound(world_config(world->settings.config));
    size_t parts = (bytes + BLOCK_PART_BYTES - 1) / BLOCK_PART_BYTES;
    return (uint32_t)(2 + 2 * parts) + world->settings.slots;
}

void world_start(struct crash_world *world)
{
    struct store_settings settings = {
        .device = crash_device_port(&world->device),
        .block_count = file_blocks(world),
        .commit_us = world->settings.commit_us,
        .boot = world->boot,
        .entropy = crash_mix(world->seed, 3, world->life),
        .tail = &world->tail,
    };
    if (!world->tail_kept) {
        world->tail.magic = 0; /* what stands behind it is of another life: not to be trusted */
    }
    world->life++;
    world->runs = true;
    world->seen_open = false;
    world->opening_ops = world->device.ops;
    world->opening_changes = world->device.changes;
    world->device.delay_max = world->settings.delay_max;
    world->device.delay_min = 1; /* so that a turn ends when it has opened */
    store_init(&world->store, world_config(world->settings.config), &silent, &settings,
               world->now_us);
}

/* Time goes on: to the device's next poll, to the next round, or to when the store wants. */
static void advance(struct crash_world *world, usec_t wake_us, bool work)
{
    usec_t next_us = wake_us;
    if (world->device.busy) {
        next_us = world->now_us + (usec_t)prng_below(&world->prng, 30000);
    }
    if (work) {
        next_us = usec_min(next_us, world->now_us - world->now_us % ROUND_US + ROUND_US);
    }
    world->now_us =
        usec_max(usec_min(next_us, world->now_us + USEC_PER_MINUTE), world->now_us + USEC_PER_MSEC);
}

/* Nothing is known of what the device has: records are numbered from 1 again. */
static void fork_model(struct crash_world *world)
{
    model_copy(world->shelf, world->model, world->model->ordinal);
    model_init(world->model);
    world->is_forked = world->counts_anew = true;
    world->recovered_ordinal = 0;
    world->ancestor = NULL;
}

static void open_seen(struct crash_world *world)
{
    uint64_t ordinal = world_judge_opened(world, world);
    struct tally before, after;
    world->seen_open = true;
    world->device.delay_min = 0;
    world->recovered_ordinal = ordinal;
    world->counts_anew = world->begins_anew || (world->is_lossy && !world->tail_kept);
    if (world->begins_anew) {
        (void)model_prefix(world->model, ordinal, &before);
        world_sum_pushed(world, &after);
        tally_subtract(&before, &after);
        tally_add(&world->lost, &before);
    }
    bool knows_nothing = store_ledger(&world->store)->totals.ordinal < ordinal ||
                         store_ledger(&world->store)->totals.ordinal <= 3;
    if (world->store.state == STORE_MEMORY && knows_nothing && world->model->ordinal > 0 &&
        world->device.file.exists && !world->is_lossy && world->shelf != NULL) {
        fork_model(world);
        return;
    }
    if (ordinal < world->model->ordinal || world->recovered != world->model) {
        (void)model_prefix(world->model, world->model->ordinal, &before);
        (void)model_prefix(world->recovered, ordinal, &after);
        tally_subtract(&before, &after);
        tally_add(&world->lost, &before);
    }
    if (world->recovered != world->model) {
        model_copy(world->model, world->recovered, ordinal);
    } else if (!world->tail_kept && world->past != NULL) {
        model_copy(world->past, world->model, world->model->ordinal);
        world->ancestor = world->past;
        world->branch = ordinal;
    }
    model_truncate(world->model, ordinal);
    crash_log_forget(&world->log);
}

void world_turn(struct crash_world *world, bool work)
{
    usec_t round = world->now_us / ROUND_US;
    usec_t wake_us = store_step(&world->store, world->now_us);
    if (world->device.misuse != NULL) {
        crash_fail("port", "%s", world->device.misuse);
    }
    if (store_opened(&world->store)) {
        if (!world->seen_open) {
            open_seen(world);
        }
        world_observe(world);
        if (prng_below(&world->prng, 4) == 0) {
            world_push(world, prng_below(&world->prng, 4) != 0);
            world_observe(world); /* an epoch may end with that */
        }
    }
    advance(world, wake_us, work);
    if (work && world->seen_open && world->now_us / ROUND_US != round) {
        wake_us = store_step(&world->store, world->now_us);
        world_observe(world);
        world_work(world);
        world_observe(world);
    }
}

bool world_is_full(const struct crash_world *world)
{
    return world->model->ordinal > MODEL_RECORDS_MAX - 6000;
}

void world_run(struct crash_world *world, uint64_t ops, usec_t us, bool work)
{
    usec_t end_us = usec_add(world->now_us, us);
    ops = ops > UINT64_MAX - world->device.ops ? UINT64_MAX : world->device.ops + ops;
    while (world->device.ops < ops && world->now_us < end_us && !(work && world_is_full(world))) {
        world_turn(world, work);
    }
}

static void wait_for(struct crash_world *world, bool (*done)(const struct store *store),
                     const char *what)
{
    for (unsigned turns = 0; !done(&world->store); turns++) {
        if (turns == OPENING_TURNS_MAX) {
            crash_fail("I6", "%s takes more than %u turns", what, turns);
        }
        world_turn(world, false);
    }
}

void world_expect_durable(struct crash_world *world, usec_t us)
{
    usec_t end_us = usec_add(world->now_us, us);
    wait_for(world, store_opened, "opening");
    store_settle(&world->store);
    while (world->store.state != STORE_DURABLE || !store_settled(&world->store) ||
           world->epochs[world->epoch].told_ordinal != world->model->ordinal) {
        if (world->now_us >= end_us) {
            crash_fail(
                "degradation",
                "%s (%s) after %" PRId64 " s of a healthy device, told %" PRIu64 " of %" PRIu64,
                store_state_name(world->store.state), store_trouble_name(world->store.trouble),
                us / USEC_PER_SEC, world->epochs[world->epoch].told_ordinal, world->model->ordinal);
        }
        world_turn(world, false);
    }
}

void world_stop(struct crash_world *world, bool tail_stays)
{
    wait_for(world, store_opened, "opening");
    store_settle(&world->store);
    wait_for(world, store_settled, "settling");
    store_close(&world->store);
    wait_for(world, store_closed, "closing");
    world_observe(world);
    world_kill(world, true);
    world->tail_kept = tail_stays;
}

void world_rejoin(struct crash_world *world)
{
    world_observe(world);
    world_push(world, true);
    world_kill(world, true);
    world->tail_kept = false;
    model_copy(world->model, world->shelf, world->shelf->ordinal);
    world->is_forked = false;
    crash_log_forget(&world->log);
    world_start(world);
}

static struct crash_device spare;

void world_kill(struct crash_world *world, bool happened)
{
    uint64_t ops = world->device.ops;
    crash_device_keep(&spare, &world->device, happened);
    world->device = spare;
    world->device.ops = ops;
    world->runs = false;
    world->tail_kept = true;
    world->now_us += 200 * USEC_PER_MSEC;
}

void world_cut(struct crash_world *world, unsigned cut, uint64_t seed)
{
    uint64_t ops = world->device.ops;
    crash_device_cut(&spare, &world->device, cut, seed);
    world->device = spare;
    world->device.ops = ops;
    world->runs = false;
    world->tail_kept = false;
    world->now_us = 1000000 + (usec_t)(seed % 60000000);
    world->boot = crash_mix(world->boot, seed, 7);
}

/* A new machine that takes over where another one is. */
static void take_over(struct crash_world *to, const struct crash_world *from, uint64_t seed)
{
    to->seed = crash_mix(from->seed, seed, 9);
    to->settings = from->settings;
    to->prng.state = to->seed;
    to->wall_offset_us = from->wall_offset_us;
    to->wall_trusted = false;
    to->life = from->life;
    to->is_lossy = from->is_lossy;
}

static void scribble_over(struct tail *tail, uint64_t seed)
{
    struct prng prng = {.state = seed};
    uint8_t *bytes = (uint8_t *)tail;
    for (unsigned i = 0; i < 3; i++) {
        /* Where something stands, rather than in the many pages that are not used. */
        size_t size = prng_below(&prng, 2) == 0 ? sizeof(struct tail_block) * CAP_TAIL_BLOCKS + 16
                                                : sizeof *tail;
        bytes[prng_below(&prng, size)] ^= (uint8_t)(1 + prng_below(&prng, 255));
    }
}

void world_kill_from(struct crash_world *to, const struct crash_world *from, bool happened,
                     bool scribble, uint64_t seed)
{
    take_over(to, from, seed);
    to->now_us = from->now_us + USEC_PER_SEC;
    to->boot = from->boot;
    memcpy(&to->tail, &from->tail, sizeof to->tail);
    if (scribble) {
        scribble_over(&to->tail, seed);
    }
    to->tail_kept = true;
    crash_device_keep(&to->device, &from->device, happened);
    world_start(to);
}

void world_cut_from(struct crash_world *to, const struct crash_world *from, unsigned cut,
                    uint64_t seed)
{
    take_over(to, from, seed);
    to->now_us = 1000000 + (usec_t)(seed % 60000000);
    to->boot = crash_mix(from->boot, seed, 7);
    to->tail_kept = false;
    crash_device_cut(&to->device, &from->device, cut, seed);
    world_start(to);
}
