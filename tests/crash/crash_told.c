/* What was told upstream, by epoch, and what may never happen to it. */
#include <inttypes.h>
#include <string.h>

#include "crash_case.h"
#include "crash_world.h"

/* Totals of the records behind the epoch's base, up to `ordinal`. */
static uint64_t expected_totals(const struct model *model, const struct world_epoch *epoch,
                                uint64_t ordinal, struct tally *expected)
{
    uint64_t results = model_prefix(model, ordinal, expected);
    tally_subtract(expected, &epoch->base_tally);
    return results;
}

static void check_totals(const char *invariant, const char *which, const struct ledger *ledger,
                         const struct ledger_totals *totals, const struct tally *expected,
                         struct tally *found)
{
    int stranger = model_read(ledger, totals, expected, found);
    if (stranger >= 0) {
        crash_fail("I2", "%s have entry %d, which nobody has configured", which, stranger);
    }
    int differs = tally_differs(found, expected);
    if (differs >= 0) {
        const uint64_t *have = (const uint64_t *)(const void *)found;
        const uint64_t *want = (const uint64_t *)(const void *)expected;
        crash_fail(invariant,
                   "%s up to record %" PRIu64 ": %s is %" PRIu64 ", and %" PRIu64 " were submitted",
                   which, totals->ordinal, tally_value_name(differs), have[differs], want[differs]);
    }
}

static struct world_epoch *find_epoch(struct world_epoch *epochs, unsigned count, uint64_t epoch)
{
    for (unsigned i = 0; i < count; i++) {
        if (epochs[i].epoch == epoch) {
            return &epochs[i];
        }
    }
    return NULL;
}

/* A new epoch counts what nobody was told yet. */
static void begin_epoch(struct crash_world *world, uint64_t epoch)
{
    uint64_t base = 0;
    if (world->counts_anew) {
        base = world->recovered_ordinal;
        world->counts_anew = false;
    } else if (world->epoch_count > 0) {
        const struct world_epoch *last = &world->epochs[world->epoch];
        base = last->told_ordinal > last->base ? last->told_ordinal : last->base;
        tally_add(&world->told_before, &last->told);
    }
    if (world->epoch_count == WORLD_EPOCHS_MAX) {
        crash_fail("harness", "more epochs than it holds");
    }
    struct world_epoch *begun = &world->epochs[world->epoch_count];
    memset(begun, 0, sizeof *begun);
    begun->epoch = epoch;
    begun->base = begun->told_ordinal = base < world->model->ordinal ? base : world->model->ordinal;
    (void)model_prefix(world->model, begun->base, &begun->base_tally);
    world->epoch = world->epoch_count++;
}

static void choose_epoch(struct crash_world *world, uint64_t epoch)
{
    struct world_epoch *known = find_epoch(world->epochs, world->epoch_count, epoch);
    if (epoch == 0) {
        crash_fail("I5", "totals have no epoch");
    }
    if (known == NULL) {
        begin_epoch(world, epoch);
    } else if (known != &world->epochs[world->epoch]) {
        tally_add(&world->told_before, &world->epochs[world->epoch].told);
        tally_subtract(&world->told_before, &known->told);
        world->epoch = (unsigned)(known - world->epochs);
    }
}

/* Records that the store made itself: a start, its own errors. */
static void note_records_of_store(struct crash_world *world)
{
    const struct ledger_totals *totals = &store_ledger(&world->store)->totals;
    static const struct model_record record = {.sort = MODEL_OF_STORE};
    if (totals->ordinal < world->model->ordinal) {
        crash_fail("I3", "counted up to record %" PRIu64 ", %" PRIu64 " were submitted",
                   totals->ordinal, world->model->ordinal);
    }
    while (world->model->ordinal < totals->ordinal) {
        if (!model_append(world->model, &record)) {
            crash_fail("harness", "more records than the model holds");
        }
    }
}

/* Over all epochs. */
static void sum_told(const struct crash_world *world, struct tally *told)
{
    *told = world->told_before;
    if (world->epoch_count > 0) {
        tally_add(told, &world->epochs[world->epoch].told);
    }
}

static void check_backwards(const struct tally *before, const struct tally *now, const char *when)
{
    int down = tally_exceeds(before, now);
    if (down >= 0) {
        const uint64_t *was = (const uint64_t *)(const void *)before;
        const uint64_t *is = (const uint64_t *)(const void *)now;
        crash_fail("I5", "%s goes backwards from %" PRIu64 " to %" PRIu64 " %s",
                   tally_value_name(down), was[down], is[down], when);
    }
}

static void check_told_at_most_measured(const struct crash_world *world)
{
    struct tally told;
    sum_told(world, &told);
    int over = tally_exceeds(&told, &world->measured);
    if (over >= 0) {
        const uint64_t *is = (const uint64_t *)(const void *)&told;
        const uint64_t *most = (const uint64_t *)(const void *)&world->measured;
        crash_fail("I5", "%s was told %" PRIu64 " times over all epochs, measured %" PRIu64,
                   tally_value_name(over), is[over], most[over]);
    }
}

static void check_counted(const struct crash_world *world, const struct world_epoch *epoch)
{
    const struct ledger *ledger = store_ledger(&world->store);
    struct tally expected, found;
    uint64_t results = expected_totals(world->model, epoch, world->model->ordinal, &expected);
    check_totals("I4", "counted totals", ledger, &ledger->totals, &expected, &found);
    if (results != ledger->totals.results) {
        crash_fail("I4", "%" PRIu64 " results were submitted, and %" PRIu64 " are counted", results,
                   ledger->totals.results);
    }
}

void world_observe(struct crash_world *world)
{
    const struct ledger *ledger = store_ledger(&world->store);
    struct tally expected, found;
    note_records_of_store(world);
    choose_epoch(world, ledger->epoch);
    struct world_epoch *epoch = &world->epochs[world->epoch];
    const struct ledger_totals *published = store_published(&world->store);
    if (published->ordinal < epoch->told_ordinal) {
        crash_fail("I5", "published up to record %" PRIu64 " after %" PRIu64 " under one epoch",
                   published->ordinal, epoch->told_ordinal);
    }
    if (published->ordinal > world->model->ordinal) {
        crash_fail("I3", "published up to record %" PRIu64 " of %" PRIu64, published->ordinal,
                   world->model->ordinal);
    }
    check_counted(world, epoch);
    if (published->ordinal == epoch->told_ordinal && published->ordinal != 0) {
        expected = epoch->told;
    } else {
        (void)expected_totals(world->model, epoch, published->ordinal, &expected);
    }
    check_totals("I4", "published totals", ledger, published, &expected, &found);
    check_backwards(&epoch->told, &found, "in one epoch");
    world->is_bound = world->is_bound || (world->store.state == STORE_DURABLE &&
                                          published->ordinal > epoch->told_ordinal);
    epoch->told = found;
    epoch->told_ordinal = published->ordinal;
    check_told_at_most_measured(world);
}

void world_push(struct crash_world *world, bool answered)
{
    struct world_epoch *epoch = &world->epochs[world->epoch];
    epoch->pushed = epoch->told;
    if (answered) {
        store_pushed(&world->store, epoch->told_ordinal);
    }
}

void world_sum_pushed(const struct crash_world *world, struct tally *pushed)
{
    memset(pushed, 0, sizeof *pushed);
    for (unsigned i = 0; i < world->epoch_count; i++) {
        tally_add(pushed, &world->epochs[i].pushed);
    }
}

void world_expect_exact(struct crash_world *world)
{
    struct tally pushed, sum = world->lost;
    world_push(world, true);
    world_sum_pushed(world, &pushed);
    tally_add(&sum, &pushed);
    int differs = tally_differs(&sum, &world->measured);
    if (differs >= 0) {
        const uint64_t *is = (const uint64_t *)(const void *)&pushed;
        const uint64_t *lost = (const uint64_t *)(const void *)&world->lost;
        const uint64_t *want = (const uint64_t *)(const void *)&world->measured;
        crash_fail("I4",
                   "at the end %s was pushed as %" PRIu64 " over %u epochs; measured %" PRIu64
                   ", lost with the power %" PRIu64,
                   tally_value_name(differs), is[differs], world->epoch_count, want[differs],
                   lost[differs]);
    }
}

/* The log on the device, results in it and results dropped, against the totals. */
static void judge_log(struct crash_world *world, const struct crash_world *before, uint64_t ordinal)
{
    const struct store_numbers *numbers = &world->store.numbers;
    struct tally unused;
    if (world->recovered != before->model) {
        crash_log_forget(&world->log);
    }
    /* A kill may leave a block that nobody counts any more, when what stood in memory is damaged.
     */
    bool may_pass = world->tail_kept && ordinal < before->model->ordinal;
    uint64_t until = may_pass ? before->model->ordinal : ordinal;
    if (crash_log_read(&world->log, &world->device.file, store_ledger(&world->store),
                       world->recovered, until, true) == LOG_NONE) {
        if (ordinal != 0) {
            crash_fail("I1", "%" PRIu64 " records were recovered from no image", ordinal);
        }
        return;
    }
    uint64_t results = model_prefix(world->recovered, ordinal, &unused);
    uint64_t there = world->log.results + numbers->dropped_wrap + numbers->dropped_memory +
                     numbers->dropped_damaged;
    /* A write that goes astray after the scan takes a block nobody can miss yet. */
    may_pass = (may_pass && world->log.last_ordinal > ordinal) ||
               (before->is_lossy && world->device.fault_struck);
    if (results != there && !may_pass) {
        crash_fail("I1",
                   "%" PRIu64 " results up to record %" PRIu64 ", %" PRIu64
                   " in the log and %" PRIu64 " + %" PRIu64 " + %" PRIu64 " dropped",
                   results, ordinal, world->log.results, numbers->dropped_wrap,
                   numbers->dropped_memory, numbers->dropped_damaged);
    }
}

static void judge_work(const struct crash_world *world, const struct crash_world *before,
                       uint64_t ordinal)
{
    uint64_t ops = world->device.ops - world->opening_ops;
    uint64_t changes = world->device.changes - world->opening_changes;
    if (ops > WORLD_OPENING_OPS_MAX) {
        crash_fail("I6", "recovery took %" PRIu64 " operations", ops);
    }
    /* What a kill left in memory goes to the device, and a directory that is not there yet; and
     * when the record of this start has no room in the last block, that one is full and written. */
    const struct tail_block *block = tail_block(&world->tail, world->store.open_seq);
    bool owes = world->tail_kept || !before->is_bound || block == NULL ||
                block->head.first_ordinal > ordinal;
    if (changes > 0 && !owes && !before->is_lossy) {
        crash_fail("I6", "recovery changed the device %" PRIu64 " times", changes);
    }
}

/* The records that came back: those submitted, or, while nothing was acknowledged since, those of
 * the life before. */
static const struct model *choose_model(struct crash_world *world, const struct crash_world *before,
                                        const struct world_epoch *epoch,
                                        const struct ledger_totals *published, uint64_t ordinal)
{
    const struct ledger *ledger = store_ledger(&world->store);
    struct tally expected, found;
    bool fits = ordinal <= before->model->ordinal;
    if (before->ancestor == NULL || epoch->told_ordinal > before->branch ||
        ordinal <= before->branch || ordinal > before->ancestor->ordinal) {
        return before->model;
    }
    if (fits) {
        (void)expected_totals(before->model, epoch, ordinal, &expected);
        fits = model_read(ledger, published, &expected, &found) < 0 &&
               tally_differs(&expected, &found) < 0 &&
               crash_log_read(&world->log, &world->device.file, ledger, before->model, ordinal,
                              false) != LOG_DIFFERS;
    }
    return fits ? before->model : before->ancestor;
}

uint64_t world_judge_opened(struct crash_world *world, const struct crash_world *before)
{
    const struct ledger *ledger = store_ledger(&world->store);
    const struct ledger_totals *published = store_published(&world->store);
    struct world_epoch *epoch = NULL;
    static struct world_epoch fresh;
    struct tally expected, found;
    /* The record of this start may have been committed already, when it filled a block. */
    uint64_t end = ledger->totals.ordinal - 1;
    end = published->ordinal < end ? published->ordinal : end;
    uint64_t ordinal = world->tail_kept ? before->model->ordinal : end;
    bool is_told = before->epoch_count > 0;
    world->recovered = before->model;
    world->begins_anew = false;
    if (world->store.state != STORE_DURABLE) {
        return ordinal;
    }
    epoch = find_epoch((struct world_epoch *)(uintptr_t)before->epochs, before->epoch_count,
                       ledger->epoch);
    if (epoch == NULL && is_told && before->is_bound && !before->is_lossy) {
        crash_fail("I5", "recovery begins a new epoch");
    }
    memset(&fresh, 0, sizeof fresh);
    world->begins_anew = epoch == NULL && is_told && world->device.fault_struck;
    if (world->begins_anew) { /* what could not be read is given up, and nothing is told twice */
        (void)model_prefix(before->model, end, &fresh.base_tally);
    }
    epoch = epoch != NULL ? epoch : &fresh;
    const struct model *model = choose_model(world, before, epoch, published, end);
    world->recovered = model;
    if (end > model->ordinal) {
        crash_fail("I3", "recovered %" PRIu64 " records of %" PRIu64, end, model->ordinal);
    }
    if (end < epoch->told_ordinal) {
        crash_fail("I3", "recovered %" PRIu64 " records, acknowledged were %" PRIu64, end,
                   epoch->told_ordinal);
    }
    (void)expected_totals(model, epoch, end, &expected);
    check_totals("I4", "recovered totals", ledger, published, &expected, &found);
    check_backwards(&epoch->told, &found, "by recovery");
    judge_log(world, before, end);
    judge_work(world, before, end);
    if (world->recovered != before->model) {
        crash_log_forget(&world->log);
    }
    return ordinal;
}

/* Under a new epoch totals begin at 0; a rotten checkpoint leaves nothing to go on from. */
void world_judge_rotten(const struct crash_world *world, const struct crash_world *before)
{
    struct crash_world *judged = (struct crash_world *)(uintptr_t)world;
    const struct ledger *ledger = store_ledger(&world->store);
    const struct ledger_totals *published = store_published(&judged->store);
    const struct world_epoch *epoch = find_epoch((struct world_epoch *)(uintptr_t)before->epochs,
                                                 before->epoch_count, ledger->epoch);
    struct tally expected, found;
    if (published->ordinal > before->model->ordinal + 1) { /* + 1: the start itself */
        crash_fail("I3", "recovered %" PRIu64 " records of %" PRIu64, published->ordinal,
                   before->model->ordinal);
    }
    if (epoch == NULL) {
        memset(&expected, 0, sizeof expected);
        check_totals("I2", "totals of a new epoch", ledger, published, &expected, &found);
        return;
    }
    (void)expected_totals(before->model, epoch, published->ordinal, &expected);
    check_totals("I2", "totals with a rotten block", ledger, published, &expected, &found);
    if (!world->rotten_newest) {
        check_backwards(&epoch->told, &found, "by a rotten block");
    }
    if (published->ordinal == before->model->ordinal || world->rotten_newest) {
        (void)crash_log_read(&judged->log, &world->device.file, ledger, before->model,
                             published->ordinal, true);
    }
}

void world_judge_kept(const struct crash_world *world, const struct crash_world *before)
{
    const struct ledger *ledger = store_ledger(&world->store);
    const struct world_epoch *epoch = find_epoch((struct world_epoch *)(uintptr_t)before->epochs,
                                                 before->epoch_count, ledger->epoch);
    struct tally expected, found;
    if (!before->seen_open) {
        return;
    }
    if (ledger->totals.ordinal < before->model->ordinal) {
        crash_fail("I1", "after a kill %" PRIu64 " of %" PRIu64 " records are left",
                   ledger->totals.ordinal, before->model->ordinal);
    }
    if (epoch == NULL && before->epoch_count > 0) {
        crash_fail("I5", "a kill begins a new epoch");
    }
    if (epoch != NULL) {
        (void)expected_totals(before->model, epoch, before->model->ordinal, &expected);
        check_totals("I4", "totals after a kill", ledger, &ledger->totals, &expected, &found);
    }
}

void world_adopt(struct crash_world *world, const struct crash_world *before, uint64_t ordinal)
{
    struct tally all, kept;
    model_copy(world->model, world->recovered, ordinal);
    world->ancestor = before->model;
    world->branch = ordinal;
    world->measured = before->measured;
    world->lost = before->lost;
    (void)model_prefix(before->model, before->model->ordinal, &all);
    (void)model_prefix(world->recovered, ordinal, &kept);
    tally_subtract(&all, &kept);
    tally_add(&world->lost, &all);
    world->told_before = before->told_before;
    world->epoch_count = before->epoch_count;
    world->epoch = before->epoch;
    memcpy(world->epochs, before->epochs, before->epoch_count * sizeof world->epochs[0]);
    world->is_bound = before->is_bound;
    world->seen_open = true;
}
