#include "store_tally.h"

#include <string.h>

/* Where the log has got to. */
struct progress {
    bool begun;
    uint64_t end_ordinal, end_result; /* of the block before: its last ones */
    uint64_t dropped_memory;
    bool boot_begun;
    uint64_t boot;
    int64_t boot_first_ms, boot_last_ms;
};

/* -- blocks against each other -- */

/* Results that never reached the disk leave a hole too; the header behind it accounts for them. */
static void check_follows(struct store_tally *tally, const struct progress *progress,
                          const struct block_data *data)
{
    if (data->first_ordinal == progress->end_ordinal + 1) {
        return;
    }
    uint64_t results = data->first_result > progress->end_result
                           ? data->first_result - progress->end_result - 1
                           : 0;
    uint64_t told = data->dropped_memory > progress->dropped_memory
                        ? data->dropped_memory - progress->dropped_memory
                        : 0;
    if (results <= told && told > 0) {
        tally->known_gap_results += results;
        return;
    }
    tally->holes++;
    tally->hole_results += results - told;
    tally->hole_records += data->first_ordinal > progress->end_ordinal
                               ? data->first_ordinal - progress->end_ordinal - 1
                               : 0;
}

static void begin_block(struct store_tally *tally, struct progress *progress,
                        const struct block_data *data)
{
    tally->blocks++;
    if (progress->begun) {
        check_follows(tally, progress, data);
    }
    progress->begun = true;
    progress->end_ordinal = data->first_ordinal + data->records - 1;
    progress->end_result = data->first_result + data->results - 1;
    progress->dropped_memory = data->dropped_memory;
}

/* -- records -- */

static void end_boot(struct store_tally *tally, struct progress *progress)
{
    if (progress->boot_begun && tally->span_ms < BLOCK_TIME_MAX_MS) {
        tally->span_ms += progress->boot_last_ms - progress->boot_first_ms;
    }
    progress->boot_begun = false;
}

static void take_moment(struct store_tally *tally, struct progress *progress,
                        const struct tally_moment *moment)
{
    if (tally->oldest.number == 0) {
        tally->oldest = *moment;
    }
    tally->newest = *moment;
    if (!progress->boot_begun || progress->boot != moment->boot) {
        end_boot(tally, progress);
        progress->boot_begun = true;
        progress->boot = moment->boot;
        progress->boot_first_ms = moment->monotonic_ms;
        progress->boot_last_ms = moment->monotonic_ms;
    }
    /* Starts are recorded at the end of a run, so they are not quite in order. */
    if (moment->monotonic_ms < progress->boot_first_ms) {
        progress->boot_first_ms = moment->monotonic_ms;
    } else if (moment->monotonic_ms > progress->boot_last_ms) {
        progress->boot_last_ms = moment->monotonic_ms;
    }
}

static void count_held(struct store_tally *tally, const struct ledger *ledger, uint32_t target)
{
    int index = ledger_find(ledger, target);
    if (index >= 0) {
        tally->held[index]++;
    } else {
        tally->held_unnamed++;
    }
}

/* As the store itself does when it opens. */
static void replay(struct store_tally *tally, struct ledger *ledger, const struct image_walk *walk,
                   const struct record *record)
{
    if (walk->replay.ordinal > ledger->totals.ordinal) {
        ledger_apply(ledger, record);
        tally->replayed++;
    }
}

static void skip_gap(struct store_tally *tally, struct ledger *ledger,
                     const struct block_data *data)
{
    if (data->first_ordinal > ledger->totals.ordinal + 1) {
        tally->uncounted += data->first_ordinal - ledger->totals.ordinal - 1;
        ledger->totals.ordinal = data->first_ordinal - 1;
        ledger->totals.results = data->first_result - 1;
    }
}

static void tally_block(struct store_tally *tally, struct store_image *image,
                        struct store_wall *wall, struct image_walk *walk, struct progress *progress)
{
    struct record record;
    uint64_t results = 0;
    begin_block(tally, progress, &walk->data);
    skip_gap(tally, &image->ledger, &walk->data);
    while (store_image_record(walk, &record)) {
        struct wall_stamp stamp = store_wall_stamp(wall, &walk->replay, &record);
        replay(tally, &image->ledger, walk, &record);
        if (record.sort != RECORD_RESULT) {
            continue;
        }
        struct tally_moment moment = {.number = walk->result,
                                      .boot = walk->replay.boot,
                                      .monotonic_ms = record.at_us / USEC_PER_MSEC,
                                      .wall = stamp};
        take_moment(tally, progress, &moment);
        count_held(tally, &image->ledger, record.target);
        results++;
    }
    tally->results += results;
    tally->miscounted_blocks += !walk->replay.broken && results != walk->data.results;
}

/* -- totals -- */

/* Successes are in the histogram, each failure has a reason. */
static bool sums_agree(const struct sli *sli)
{
    uint64_t bucketed = 0, failures = 0;
    for (unsigned i = 0; i <= sli->duration.bound_count; i++) {
        bucketed += sli->duration.buckets[i];
    }
    for (unsigned i = 0; i < REASON_COUNT; i++) {
        failures += sli->failures[i];
    }
    return sli->duration.count == bucketed && sli->results[OUTCOME_SUCCESS] == bucketed &&
           sli->results[OUTCOME_FAILURE] == failures;
}

static void check_totals(struct store_tally *tally, const struct ledger *ledger)
{
    uint64_t counted = 0;
    for (unsigned i = 0; i < ledger->totals.sli_count; i++) {
        const struct sli *sli = &ledger->totals.slis[i];
        tally->wrong_targets += !sums_agree(sli);
        for (unsigned outcome = 0; outcome < OUTCOME_COUNT; outcome++) {
            counted += sli->results[outcome];
        }
    }
    tally->wrong_results = counted > ledger->totals.results;
}

static uint64_t greater(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* What was submitted is in the log, was given up, or is gone. */
static void take_numbers(struct store_tally *tally, const struct store_image *image)
{
    const struct checkpoint *checkpoint = &image->checkpoint;
    const struct block_data *newest = &image->scan.newest;
    tally->dropped_wrap = greater(checkpoint->dropped_wrap, newest->dropped_wrap);
    tally->dropped_memory = greater(checkpoint->dropped_memory, newest->dropped_memory);
    tally->blocks_written = greater(checkpoint->blocks_written, newest->blocks_written);
    tally->submitted = image->ledger.totals.results;
    uint64_t known = tally->dropped_wrap + tally->dropped_memory + image->scan.live_results;
    tally->dropped_damaged = tally->submitted > known ? tally->submitted - known : 0;
}

/* Blocks are given up oldest first, and the newest names the oldest that is left. Numbers of blocks
 * may be passed over, so only results tell whether one is gone. */
static void check_ends(struct store_tally *tally, const struct store_image *image)
{
    const struct store_scan *scan = &image->scan;
    uint64_t oldest_seq = greater(scan->newest.oldest_seq, image->checkpoint.oldest_seq);
    if (scan->live_count == 0) {
        tally->cut_results = tally->dropped_damaged;
        return;
    }
    const struct store_slot *first = &scan->slots[scan->live[0]];
    uint64_t end = scan->newest.first_ordinal + scan->newest.records - 1;
    if (first->seq > oldest_seq && tally->dropped_damaged > tally->hole_results) {
        tally->cut_results = tally->dropped_damaged - tally->hole_results;
    }
    if (image->area >= 0 && image->checkpoint.covers > end) {
        tally->unreached_records = image->checkpoint.covers - end;
    }
}

void store_tally_make(struct store_tally *tally, struct store_image *image, struct store_wall *wall)
{
    static struct image_walk walk;
    struct progress progress = {.begun = false};
    memset(tally, 0, sizeof *tally);
    store_wall_begin(wall);
    store_image_walk(&walk, image);
    while (store_image_block(&walk)) {
        tally_block(tally, image, wall, &walk, &progress);
    }
    end_boot(tally, &progress);
    tally->lost_blocks = walk.lost_blocks;
    tally->broken_blocks = walk.broken_blocks;
    tally->broken_records = walk.broken_records;
    tally->clean = image->area >= 0 && image->checkpoint.clean &&
                   image->checkpoint.covers == image->ledger.totals.ordinal;
    check_totals(tally, &image->ledger);
    take_numbers(tally, image);
    check_ends(tally, image);
}

bool store_tally_is_whole(const struct store_tally *tally)
{
    return tally->lost_blocks == 0 && tally->broken_blocks == 0 && tally->miscounted_blocks == 0 &&
           tally->holes == 0 && tally->cut_results == 0 && tally->unreached_records == 0 &&
           tally->uncounted == 0 && tally->wrong_targets == 0 && !tally->wrong_results;
}
