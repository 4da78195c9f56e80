/* What comes in: configurations and records. */
#include <inttypes.h>

#include "crash_case.h"
#include "crash_world.h"
#include "site_fixture.h"

enum { TARGETS_MAX = 9 };

/* Identities by target; a probe's targets stand together. */
static const struct {
    unsigned count;
    uint8_t identities[TARGETS_MAX];
} layouts[WORLD_CONFIGS] = {
    {5, {0, 1, 2, 3, 4}},
    {4, {4, 0, 5, 1}},       /* some go, one comes, others change places */
    {6, {6, 7, 8, 2, 1, 9}}, /* one takes the name of another, under another kind */
    {9, {9, 7, 6, 5, 4, 3, 2, 1, 0}},
};

/* An objective of its own on top in one configuration, so that bounds come later, too. */
static void add_objectives(struct config_probe *probe, const struct model_identity *identity,
                           unsigned index)
{
    probe->slos[probe->slo_count++] = (struct config_slo){
        .type = SLO_AVAILABILITY, .objective_ppm = 999000, .window_us = 30 * USEC_PER_DAY};
    if (identity->objective_us != 0) {
        probe->slos[probe->slo_count++] =
            (struct config_slo){.type = SLO_LATENCY,
                                .objective_ppm = 950000,
                                .threshold_us = identity->objective_us,
                                .window_us = 30 * USEC_PER_DAY};
    }
    if (index == WORLD_CONFIGS - 1) {
        probe->slos[probe->slo_count++] = (struct config_slo){.type = SLO_LATENCY,
                                                              .objective_ppm = 900000,
                                                              .threshold_us = 70 * USEC_PER_MSEC,
                                                              .window_us = 30 * USEC_PER_DAY};
    }
}

static void add_push(struct config *config)
{
    const char *url = "https://push.example.net";
    config->push = (struct config_section){
        .line = 3, .first_setting = config->setting_count, .setting_count = 1};
    config->settings[config->setting_count++] = (struct setting){.key = PUSH_URL,
                                                                 .line = 4,
                                                                 .text = fixture_text(config, url),
                                                                 .length = (uint32_t)strlen(url)};
}

static void make_config(struct config *config, unsigned index)
{
    const struct model_identity *before = NULL;
    fixture_begin(config, "branch-0042");
    add_push(config);
    for (unsigned i = 0; i < layouts[index].count; i++) {
        const struct model_identity *identity = &model_identities[layouts[index].identities[i]];
        const struct probe_kind *kind =
            strcmp(identity->kind, "web") == 0 ? &fixture_web : &fixture_bus;
        if (before == NULL || strcmp(before->probe, identity->probe) != 0) {
            add_objectives(fixture_probe(config, kind, identity->probe), identity, index);
        }
        fixture_target(config, identity->instance);
        before = identity;
    }
}

const struct config *world_config(unsigned index)
{
    static struct config configs[WORLD_CONFIGS];
    static bool is_made;
    for (unsigned i = 0; i < WORLD_CONFIGS && !is_made; i++) {
        make_config(&configs[i], i);
    }
    is_made = true;
    return &configs[index];
}

static void submitted(struct crash_world *world, struct model_record *record, const char *what)
{
    if (store_ledger(&world->store)->totals.ordinal != world->model->ordinal + 1) {
        crash_fail("I3", "%s makes record %" PRIu64 ", %" PRIu64 " is due", what,
                   store_ledger(&world->store)->totals.ordinal, world->model->ordinal + 1);
    }
    if (!model_append(world->model, record)) {
        crash_fail("harness", "more records than the model holds");
    }
    model_count(&world->measured, record);
}

/* Bounds and their neighbours, nothing, very long ones, and the usual. */
static usec_t draw_duration(struct crash_world *world)
{
    static const usec_t edges[] = {0,      1,      10,      11,      1000,    1001,      40000,
                                   300000, 300001, 800000,  800010,  5000000, 10000000,  10000001,
                                   70000,  70001,  1500000, 1500010, 990,     3600000000};
    if (prng_below(&world->prng, 8) == 0) {
        return edges[prng_below(&world->prng, ARRAY_LEN(edges))];
    }
    return (usec_t)prng_below(&world->prng, UINT64_C(1) << (8 + prng_below(&world->prng, 16)));
}

static void work_result(struct crash_world *world, unsigned target)
{
    static struct result result;
    usec_t duration_us = draw_duration(world);
    usec_t started_us = world->now_us - (usec_t)prng_below(&world->prng, 3000000);
    result_init(&result, (uint16_t)target, usec_max(started_us, 0));
    uint64_t dice = prng_below(&world->prng, 20);
    enum phase phase = (enum phase)prng_below(&world->prng, PHASE_COUNT);
    if (dice < 13) {
        result_succeed(&result);
    } else if (dice < 18) {
        result_fail(&result, (enum reason)prng_below(&world->prng, REASON_COUNT), phase, "no");
    } else {
        result_unknown(&result, phase, "no");
    }
    result.duration_us = duration_us;
    struct model_record record = {
        .sort = RECORD_RESULT,
        .target = layouts[world->settings.config].identities[target],
        .outcome = (uint8_t)result.outcome,
        .reason = (uint8_t)result.reason,
        .phase = (uint8_t)result.phase,
        .value = (uint64_t)((duration_us + RECORD_DURATION_STEP_US - 1) / RECORD_DURATION_STEP_US *
                            RECORD_DURATION_STEP_US),
        .at_ms = result.started_us / USEC_PER_MSEC,
    };
    /* Judging a moment within this call has results of its own: the one here is gone afterwards. */
    store_result(&world->store, target, &result);
    submitted(world, &record, "a result");
}

static void work_missed(struct crash_world *world, unsigned target)
{
    uint64_t count = prng_below(&world->prng, 4) * prng_below(&world->prng, 300);
    store_missed(&world->store, target, count);
    struct model_record record = {.sort = RECORD_MISSED,
                                  .target = layouts[world->settings.config].identities[target],
                                  .value = count};
    if (count > 0) {
        submitted(world, &record, "missed runs");
    }
}

static void work_count(struct crash_world *world)
{
    unsigned counter = (unsigned)prng_below(&world->prng, LEDGER_PUSH_END);
    store_count(&world->store, counter, 1);
    struct model_record record = {.sort = RECORD_COUNT, .counter = (uint8_t)counter, .value = 1};
    submitted(world, &record, "a count");
}

static void work_clock(struct crash_world *world)
{
    uint64_t dice = prng_below(&world->prng, 40);
    if (dice == 0) {
        world->wall_trusted = !world->wall_trusted;
    } else if (dice == 1) {
        world->wall_offset_us += (usec_t)prng_below(&world->prng, 20000000) - 10000000;
    }
    struct wall_time wall = {.unix_us = world->now_us + world->wall_offset_us,
                             .trusted = world->wall_trusted};
    uint64_t ordinal = store_ledger(&world->store)->totals.ordinal;
    store_clock(&world->store, wall);
    struct model_record record = {
        .sort = RECORD_CLOCK,
        .at_ms = world->wall_trusted ? world->wall_offset_us / USEC_PER_MSEC : BLOCK_WALL_UNKNOWN};
    if (store_ledger(&world->store)->totals.ordinal != ordinal) {
        submitted(world, &record, "the clock");
    }
}

void world_work(struct crash_world *world)
{
    unsigned targets = world_config(world->settings.config)->target_count;
    uint64_t records = prng_below(&world->prng, world->settings.records_per_round + 1);
    if (prng_below(&world->prng, 60) == 0) {
        records *= 1 + prng_below(&world->prng, 30); /* several blocks at once */
    }
    work_clock(world);
    for (uint64_t i = 0; i < records; i++) {
        unsigned target = (unsigned)prng_below(&world->prng, targets);
        uint64_t dice = prng_below(&world->prng, 40);
        if (dice == 0) {
            work_missed(world, target);
        } else if (dice == 1) {
            work_count(world);
        } else {
            work_result(world, target);
        }
    }
    if (prng_below(&world->prng, 7) == 0) {
        (void)store_freshen(&world->store, world->now_us);
    }
}
