#include "slo.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* More than passes between any two events that matter to the same window. */
#define GAP_MAX_MS (180 * USEC_PER_DAY / USEC_PER_MSEC)

const struct slo_window slo_burn_windows[SLO_BURN_WINDOWS] = {
    {"5m", 5 * USEC_PER_MINUTE}, {"30m", 30 * USEC_PER_MINUTE}, {"1h", USEC_PER_HOUR},
    {"2h", 2 * USEC_PER_HOUR},   {"6h", 6 * USEC_PER_HOUR},     {"1d", USEC_PER_DAY},
    {"3d", 3 * USEC_PER_DAY},
};

/* Tiers. The last one's width follows from the window of the SLO. */
enum { OWN_TIER = SLO_TIERS - 1, OWN_PARTS = 60 };

struct tier {
    unsigned first, count; /* buckets */
    usec_t width_us;
    usec_t longest_us; /* window that is read from it */
};

static const struct tier tiers[SLO_TIERS] = {
    {0, 31, USEC_PER_MINUTE, 30 * USEC_PER_MINUTE},
    {31, 25, 5 * USEC_PER_MINUTE, 2 * USEC_PER_HOUR},
    {56, 13, 30 * USEC_PER_MINUTE, 6 * USEC_PER_HOUR},
    {69, 37, 2 * USEC_PER_HOUR, 3 * USEC_PER_DAY},
    {106, OWN_PARTS + 1, 0, 0},
};
static_assert(SLO_BUCKETS == 106 + OWN_PARTS + 1, "the tiers fill the buckets");

int64_t slo_tier_width_ms(const struct slo_history *history, unsigned tier)
{
    usec_t parts_us = OWN_PARTS * USEC_PER_MSEC;
    return tier == OWN_TIER ? (history->window_us + parts_us - 1) / parts_us
                            : tiers[tier].width_us / USEC_PER_MSEC;
}

static unsigned slot(unsigned tier, int64_t bucket)
{
    return tiers[tier].first + (unsigned)(bucket % tiers[tier].count);
}

unsigned slo_tier_buckets(unsigned tier)
{
    return tiers[tier].count;
}

static unsigned slot_back(const struct slo_history *history, unsigned tier, unsigned back)
{
    int64_t newest = history->last_ms / slo_tier_width_ms(history, tier);
    assert(back < tiers[tier].count);
    return slot(tier, newest + tiers[tier].count - back);
}

const struct slo_bucket *slo_tier_bucket(const struct slo_history *history, unsigned tier,
                                         unsigned back)
{
    return &history->buckets[slot_back(history, tier, back)];
}

void slo_tier_set(struct slo_history *history, unsigned tier, unsigned back,
                  struct slo_bucket bucket)
{
    history->buckets[slot_back(history, tier, back)] = bucket;
}

/* Histories. */

void slo_history_init(struct slo_history *history, const struct config_slo *slo)
{
    memset(history, 0, sizeof *history);
    history->type = slo->type;
    history->threshold_us = slo->type == SLO_LATENCY ? slo->threshold_us : 0;
    history->window_us = slo->window_us;
}

bool slo_history_is_of(const struct slo_history *history, const struct config_slo *slo)
{
    return history->type == slo->type && history->window_us == slo->window_us &&
           (slo->type != SLO_LATENCY || history->threshold_us == slo->threshold_us);
}

bool slo_is_good(const struct slo_history *history, const struct record *record)
{
    return record->outcome == OUTCOME_SUCCESS &&
           (history->type != SLO_LATENCY || record->duration_us <= history->threshold_us);
}

/* Buckets that nothing was counted in are empty: those between the last event and this one. */
static void go_to(struct slo_history *history, unsigned tier, int64_t at_ms)
{
    int64_t width_ms = slo_tier_width_ms(history, tier);
    int64_t newest = history->last_ms / width_ms, next = at_ms / width_ms;
    int64_t first = next - newest > tiers[tier].count ? next - tiers[tier].count + 1 : newest + 1;
    for (int64_t bucket = first; bucket <= next; bucket++) {
        history->buckets[slot(tier, bucket)] = (struct slo_bucket){.good = 0};
    }
}

void slo_history_add(struct slo_history *history, int64_t at_ms, bool good)
{
    for (unsigned tier = 0; tier < SLO_TIERS; tier++) {
        go_to(history, tier, at_ms);
    }
    history->last_ms = at_ms > history->last_ms ? at_ms : history->last_ms;
    for (unsigned tier = 0; tier < SLO_TIERS; tier++) {
        int64_t width_ms = slo_tier_width_ms(history, tier);
        int64_t bucket = at_ms / width_ms, newest = history->last_ms / width_ms;
        if (newest - bucket < tiers[tier].count) {
            struct slo_bucket *found = &history->buckets[slot(tier, bucket)];
            uint32_t *count = good ? &found->good : &found->bad;
            *count += *count < SLO_BUCKET_MAX ? 1 : 0;
        }
    }
}

static unsigned tier_of(const struct slo_history *history, usec_t window_us)
{
    unsigned tier = 0;
    if (window_us == history->window_us) {
        return OWN_TIER;
    }
    while (tier < OWN_TIER && tiers[tier].longest_us < window_us) {
        tier++;
    }
    assert(tier < OWN_TIER);
    return tier;
}

struct slo_events slo_history_sum(const struct slo_history *history, usec_t window_us,
                                  int64_t now_ms)
{
    struct slo_events events = {.good = 0};
    unsigned tier = tier_of(history, window_us);
    int64_t width_ms = slo_tier_width_ms(history, tier), newest = history->last_ms / width_ms;
    int64_t parts = (window_us / USEC_PER_MSEC + width_ms - 1) / width_ms;
    int64_t first = (now_ms > history->last_ms ? now_ms : history->last_ms) / width_ms - parts;
    assert(parts < tiers[tier].count);
    for (int64_t bucket = first > 0 ? first : 0; bucket <= newest; bucket++) {
        const struct slo_bucket *found = &history->buckets[slot(tier, bucket)];
        events.good += found->good;
        events.bad += found->bad;
    }
    return events;
}

/* Ratios. */

#define WHOLE_PPM 1e6

double slo_burn_rate(struct slo_events events, int64_t objective_ppm)
{
    double total = (double)events.good + (double)events.bad;
    return total == 0
               ? (double)NAN
               : (double)events.bad / total * WHOLE_PPM / (WHOLE_PPM - (double)objective_ppm);
}

/* Spent as fast as 1 over the whole window, all is spent. */
double slo_budget_remaining(struct slo_events events, int64_t objective_ppm)
{
    return 1 - slo_burn_rate(events, objective_ppm);
}

/* The axis. */

static int64_t clamp(int64_t value, int64_t low, int64_t high)
{
    return value < low ? low : value > high ? high : value;
}

static void go_on(struct slo_clock *clock, int64_t passed_ms)
{
    clock->position_ms =
        clamp(clock->position_ms + clamp(passed_ms, 0, GAP_MAX_MS), 0, SLO_POSITION_MAX_MS);
}

static void go_on_to(struct slo_clock *clock, usec_t mono_us)
{
    int64_t mono_ms = mono_us / USEC_PER_MSEC;
    if (mono_ms > clock->mono_ms) {
        go_on(clock, mono_ms - clock->mono_ms);
        clock->mono_ms = mono_ms;
    }
}

/* The time the board was off is put in once a boot. Later steps of the wall clock move nothing. */
static void hear_wall(struct slo_clock *clock, int64_t offset_ms)
{
    int64_t wall_ms = clock->mono_ms + offset_ms;
    if (!clock->settled && clock->has_wall) {
        go_on(clock, wall_ms - clock->wall_less_position_ms - clock->position_ms);
    }
    clock->settled = true;
    clock->has_wall = true;
    clock->wall_less_position_ms = wall_ms - clock->position_ms;
}

void slo_clock_follow(struct slo_clock *clock, const struct record *record)
{
    switch (record->sort) {
    case RECORD_RUN:
        if (record->boot == clock->boot) {
            go_on_to(clock, record->at_us);
        } else {
            clock->boot = record->boot;
            clock->mono_ms = record->at_us / USEC_PER_MSEC;
            clock->settled = false;
        }
        break;
    case RECORD_RESULT:
        go_on_to(clock, record->at_us);
        break;
    case RECORD_CLOCK:
        if (record->wall_offset_ms != BLOCK_WALL_UNKNOWN) {
            hear_wall(clock, record->wall_offset_ms);
        }
        break;
    case RECORD_MISSED:
    case RECORD_COUNT:
        break;
    }
}

int64_t slo_clock_position(const struct slo_clock *clock, usec_t mono_us)
{
    int64_t passed_ms = clamp(mono_us / USEC_PER_MSEC - clock->mono_ms, -GAP_MAX_MS, GAP_MAX_MS);
    return clamp(clock->position_ms + passed_ms, 0, SLO_POSITION_MAX_MS);
}
