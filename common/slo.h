/* The recent past of one objective: how many events were good and bad, in windows up to now. What
 * error budget and burn rates are calculated from, exactly and in fixed memory.
 *
 * Events are counted into buckets of five widths, each for some windows, the last for the window of
 * the SLO itself. A window of W is the bucket at hand and as many before it as have W together: so
 * it holds every event of the last W, and those of up to one bucket more. That is a fifth of 5m, a
 * twelfth of 1h, 6h and 1d, less of the others, and a sixtieth of the window of the SLO.
 *
 * Time here is the agent's own axis of milliseconds. It goes with the monotonic clock, so no step
 * of the wall clock moves a bucket; over a reboot it goes on by what trusted wall times before and
 * after say has passed, as soon as the new boot has one, and not at all when either is missing:
 * then old events leave their windows later, never sooner. It is driven by records alone, so
 * replaying a log gives the same buckets.
 *
 * Memory: about 1.4 KiB a history. Pure; no thread rule. Source of the windows and of burn rates:
 * Google SRE Workbook, chapter 5. */
#ifndef PICKET_SLO_H
#define PICKET_SLO_H

#include "record.h"
#include "sli.h"

/* Of an SLO. */
#define SLO_WINDOW_MIN_US USEC_PER_HOUR
#define SLO_WINDOW_MAX_US (90 * USEC_PER_DAY)

#define SLO_BURN_WINDOWS 7
struct slo_window {
    const char *name; /* as in label `window` */
    usec_t duration_us;
};
extern const struct slo_window slo_burn_windows[SLO_BURN_WINDOWS]; /* ascending */

/* The buckets of the tiers, one behind the other: 1m, 5m, 30m, 2h, a sixtieth of the window. Each
 * tier has one more than its longest window needs. */
#define SLO_TIERS   5
#define SLO_BUCKETS (31 + 25 + 13 + 37 + 61)

/* At most SLO_BUCKET_MAX each; ten runs a second over the widest bucket are fewer. */
struct slo_bucket {
    uint32_t good, bad;
};
#define SLO_BUCKET_MAX ((UINT32_C(1) << 21) - 1)

struct slo_history {
    enum slo_type type;
    usec_t threshold_us; /* latency only */
    usec_t window_us;
    uint64_t gone_at; /* number of the record when it was last asked for; 0: it is */
    int64_t last_ms;  /* the latest time anything was counted at */
    struct slo_bucket buckets[SLO_BUCKETS];
};

/* Empty, for the events of this SLO. */
void slo_history_init(struct slo_history *history, const struct config_slo *slo);
/* Whether it holds the events of this SLO; the objective is no part of that. */
bool slo_history_is_of(const struct slo_history *history, const struct config_slo *slo);
/* Counts one event. One that is older than a tier reaches back is no longer in any of its windows,
 * and not counted there. */
void slo_history_add(struct slo_history *history, int64_t at_ms, bool good);
/* The events of the last `window_us`, one of slo_burn_windows or the history's own. A `now_ms` from
 * before the last event is taken for the time of that. */
struct slo_events slo_history_sum(const struct slo_history *history, usec_t window_us,
                                  int64_t now_ms);
/* Whether an event counts as good: success, and for latency within the threshold. */
bool slo_is_good(const struct slo_history *history, const struct record *record);

/* For whoever stores a history: its tiers, and the buckets of one, 0 back the one that was last
 * counted in. */
unsigned slo_tier_buckets(unsigned tier);
int64_t slo_tier_width_ms(const struct slo_history *history, unsigned tier);
const struct slo_bucket *slo_tier_bucket(const struct slo_history *history, unsigned tier,
                                         unsigned back);
void slo_tier_set(struct slo_history *history, unsigned tier, unsigned back,
                  struct slo_bucket bucket);

/* How fast the budget is being spent: 1 spends it exactly over the window of the SLO. NaN when
 * there are no events. */
double slo_burn_rate(struct slo_events events, int64_t objective_ppm);
/* The share of the error budget that the events of the window have left: 1 all, 0 none, below 0
 * overspent. NaN when there are no events. */
double slo_budget_remaining(struct slo_events events, int64_t objective_ppm);

/* The axis. Zeroed: nothing has happened yet. */
struct slo_clock {
    uint64_t boot;
    int64_t position_ms; /* on the axis, at … */
    int64_t mono_ms;     /* … this time since that boot */
    bool settled;        /* since that boot, wall time has been heard of */
    bool has_wall;
    int64_t wall_less_position_ms; /* Unix time at a position less that; when has_wall */
};
#define SLO_POSITION_MAX_MS  (INT64_C(1) << 53)
#define SLO_WALL_LESS_MAX_MS (INT64_C(1) << 54) /* either way */

/* Follows a record of any sort. */
void slo_clock_follow(struct slo_clock *clock, const struct record *record);
/* Where a moment of the clock's boot is on the axis: at least 0, and not later than
 * SLO_POSITION_MAX_MS. */
int64_t slo_clock_position(const struct slo_clock *clock, usec_t mono_us);

#endif
