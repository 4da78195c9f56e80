#include "schedule.h"

#include <assert.h>

#include "hash.h"

usec_t schedule_phase(const char *site, const char *probe, const char *instance, usec_t interval_us)
{
    return (usec_t)(hash64_strings(site, probe, instance) % (uint64_t)interval_us);
}

/* The first phase point at or after `now`; a phase is smaller than its interval. */
static usec_t first_due(usec_t interval_us, usec_t phase_us, usec_t now_us)
{
    usec_t passed = (now_us - phase_us + interval_us - 1) / interval_us;
    return phase_us + passed * interval_us;
}

void schedule_add(struct schedule *schedule, usec_t interval_us, usec_t phase_us, usec_t now_us)
{
    assert(schedule->count < CAP_TARGETS && now_us >= 0);
    assert(interval_us == 0 || (phase_us >= 0 && phase_us < interval_us));
    schedule->entries[schedule->count++] = (struct schedule_entry){
        .interval_us = interval_us,
        .due_us = interval_us > 0 ? first_due(interval_us, phase_us, now_us) : USEC_NEVER,
    };
}

/* Moves past all starts that are due at `until` and returns their number. */
static uint64_t move_past(struct schedule_entry *entry, usec_t until_us)
{
    if (entry->interval_us == 0 || until_us < entry->due_us) {
        return 0;
    }
    usec_t passed = (until_us - entry->due_us) / entry->interval_us + 1;
    entry->due_us += passed * entry->interval_us;
    return (uint64_t)passed;
}

uint64_t schedule_missed(struct schedule *schedule, unsigned entry, usec_t now_us)
{
    struct schedule_entry *moved = &schedule->entries[entry];
    return move_past(moved, now_us - moved->interval_us);
}

uint64_t schedule_abandon(struct schedule *schedule, unsigned entry, usec_t now_us)
{
    return move_past(&schedule->entries[entry], now_us);
}

bool schedule_is_due(const struct schedule *schedule, unsigned entry, usec_t now_us)
{
    const struct schedule_entry *asked = &schedule->entries[entry];
    return asked->interval_us > 0 && !asked->running && asked->due_us <= now_us;
}

usec_t schedule_started(struct schedule *schedule, unsigned entry, usec_t now_us)
{
    struct schedule_entry *started = &schedule->entries[entry];
    assert(schedule_is_due(schedule, entry, now_us));
    usec_t lateness_us = now_us - started->due_us;
    started->due_us += started->interval_us;
    started->running = true;
    return lateness_us;
}

void schedule_ended(struct schedule *schedule, unsigned entry)
{
    schedule->entries[entry].running = false;
}

usec_t schedule_wake(const struct schedule *schedule, usec_t now_us)
{
    usec_t wake_us = USEC_NEVER;
    for (unsigned i = 0; i < schedule->count; i++) {
        const struct schedule_entry *entry = &schedule->entries[i];
        if (entry->interval_us > 0) {
            bool waits = entry->due_us <= now_us;
            wake_us = usec_min(wake_us, entry->due_us + (waits ? entry->interval_us : 0));
        }
    }
    return wake_us;
}
