#include "store_incident.h"

#include <stdlib.h>
#include <string.h>

#include "upstream.h"

enum { STEP_MS = 1000 }; /* a clock that goes by less is being slewed */

/* What is remembered along the walk, of the time before the incident too. */
struct streak {
    bool open;
    int event; /* in the timeline; -1: it began before, or found no room */
    uint64_t count;
    int64_t since_ms;
    enum reason reason;
    enum phase phase;
    unsigned code;
};

struct progress {
    struct incident *incident;
    const struct ledger *ledger;
    const struct config *config;
    struct wall_stamp now; /* of the last record that knows when it was */
    int64_t result_ms;     /* of the last result; 0: none yet */
    uint64_t ordinal;
    int start;      /* event of the last start, while its cause is not known; -1: none */
    unsigned cause; /* of the end before the next start */
    uint64_t boot;  /* of the record before; 0: there is none */
    int64_t offset_ms;
    struct streak push;
    struct streak targets[CAP_LEDGER_TARGETS];
};

static bool is_within(const struct progress *progress)
{
    const struct incident *incident = progress->incident;
    return progress->now.known && progress->now.unix_ms >= incident->from_ms &&
           progress->now.unix_ms <= incident->to_ms;
}

/* Index of the event, or -1 when it is not in the time asked for or finds no room. */
static int add_event(struct progress *progress, struct incident_event event)
{
    struct incident *incident = progress->incident;
    if (!is_within(progress)) {
        return -1;
    }
    if (incident->event_count == INCIDENT_EVENTS) {
        incident->left_out++;
        return -1;
    }
    event.at_ms = progress->now.unix_ms;
    event.corrected = progress->now.corrected;
    event.until_ms = event.at_ms;
    if (event.sort != INCIDENT_FAILURE) {
        event.reason = REASON_NONE;
        event.phase = PHASE_NONE;
    }
    incident->events[incident->event_count] = event;
    return (int)incident->event_count++;
}

static void go_on(struct progress *progress, struct streak *streak, struct incident_event event)
{
    bool alike = streak->open && streak->reason == event.reason && streak->phase == event.phase &&
                 streak->code == event.code;
    if (!streak->open) {
        *streak = (struct streak){.open = true, .event = -1, .since_ms = progress->now.unix_ms};
    }
    streak->count++;
    if (alike && streak->event >= 0) {
        struct incident_event *last = &progress->incident->events[streak->event];
        if (is_within(progress)) {
            last->count++;
            last->until_ms = progress->now.unix_ms;
        }
        return;
    }
    streak->reason = event.reason;
    streak->phase = event.phase;
    streak->code = event.code;
    event.count = 1;
    event.since_ms = streak->since_ms;
    streak->event = add_event(progress, event);
}

static void end(struct progress *progress, struct streak *streak, struct incident_event event)
{
    if (streak->open) {
        event.count = streak->count;
        event.since_ms = streak->since_ms;
        (void)add_event(progress, event);
    }
    streak->open = false;
}

/* Results. */

static void count_slos(const struct progress *progress, unsigned entry, const struct record *record)
{
    if (progress->config == NULL || entry >= progress->config->target_count ||
        record->outcome == OUTCOME_UNKNOWN) {
        return;
    }
    const struct config_probe *probe = config_target_probe(progress->config, entry);
    for (unsigned i = 0; i < config_counted_slos(probe); i++) {
        const struct config_slo *slo = &probe->slos[i];
        bool good = record->outcome == OUTCOME_SUCCESS &&
                    (slo->type != SLO_LATENCY || record->duration_us <= slo->threshold_us);
        struct slo_events *events = &progress->incident->targets[entry].events[i];
        *(good ? &events->good : &events->bad) += 1;
    }
}

static void count_result(struct progress *progress, unsigned entry, const struct record *record)
{
    struct incident_target *target = &progress->incident->targets[entry];
    progress->incident->results++;
    if (record->maintenance) {
        target->maintenance++;
        return;
    }
    target->results[record->outcome]++;
    count_slos(progress, entry, record);
    if (record->outcome == OUTCOME_SUCCESS) {
        target->success_us += record->duration_us;
    } else if (record->outcome == OUTCOME_FAILURE) {
        target->reasons[record->reason]++;
        target->last_failure_ms = progress->now.unix_ms;
        if (target->first_failure_ms == 0) {
            target->first_failure_ms = progress->now.unix_ms;
        }
    }
}

static void take_result(struct progress *progress, const struct record *record)
{
    struct incident *incident = progress->incident;
    int entry = ledger_find(progress->ledger, record->target);
    if (!progress->now.known) {
        incident->untimed++;
        return;
    }
    incident->known_from_ms = incident->known ? incident->known_from_ms : progress->now.unix_ms;
    incident->known_to_ms = progress->now.unix_ms;
    incident->known = true;
    progress->result_ms = progress->now.unix_ms;
    progress->start = -1;
    if (entry < 0) {
        return;
    }
    struct incident_event event = {.entry = entry,
                                   .reason = record->reason,
                                   .phase = record->phase,
                                   .duration_us = record->duration_us};
    if (is_within(progress)) {
        count_result(progress, (unsigned)entry, record);
    }
    if (record->maintenance) {
        return;
    }
    if (record->outcome == OUTCOME_FAILURE) {
        event.sort = INCIDENT_FAILURE;
        go_on(progress, &progress->targets[entry], event);
    } else if (record->outcome == OUTCOME_SUCCESS) {
        event.sort = INCIDENT_RECOVERY;
        end(progress, &progress->targets[entry], event);
    }
}

/* The agent. */

static void take_push(struct progress *progress, unsigned class, uint64_t count)
{
    struct incident_event event = {
        .entry = -1, .reason = REASON_NONE, .phase = PHASE_NONE, .code = class};
    bool accepted = class == UPSTREAM_ACCEPTED;
    if (is_within(progress)) {
        *(accepted ? &progress->incident->pushes_accepted : &progress->incident->pushes_lost) +=
            count;
    }
    for (uint64_t i = 0; i < count && !accepted; i++) {
        event.sort = INCIDENT_PUSH_LOST;
        go_on(progress, &progress->push, event);
    }
    if (accepted) {
        event.sort = INCIDENT_PUSH_RESUMED;
        end(progress, &progress->push, event);
    }
}

static bool is_told(unsigned code)
{
    return (code >= LEDGER_STORE_ERROR_FIRST && code <= LEDGER_STORE_HUNG) ||
           code == LEDGER_DROPPED_MEMORY || code == LEDGER_DROPPED_DAMAGED ||
           (code >= LEDGER_CARE_FIRST && code < LEDGER_ACTION_END);
}

static void take_count(struct progress *progress, const struct record *record)
{
    unsigned code = record->counter;
    if (code < LEDGER_PUSH_FIRST + UPSTREAM_CLASS_COUNT) {
        take_push(progress, code - LEDGER_PUSH_FIRST, record->count);
    } else if (code > LEDGER_RESTART_FIRST && code < LEDGER_RESTART_END) {
        if (progress->start >= 0) {
            progress->incident->events[progress->start].code = code - LEDGER_RESTART_FIRST;
        } else {
            progress->cause = code - LEDGER_RESTART_FIRST;
        }
    } else if (is_told(code)) {
        (void)add_event(progress, (struct incident_event){.sort = INCIDENT_COUNTER,
                                                          .entry = -1,
                                                          .code = code,
                                                          .count = record->count});
    }
}

static void take_start(struct progress *progress, const struct record *record)
{
    struct incident_event event = {.sort = INCIDENT_START,
                                   .entry = -1,
                                   .code = progress->cause,
                                   .rebooted =
                                       progress->boot != 0 && progress->boot != record->boot};
    if (progress->now.known && progress->result_ms > 0) {
        event.silent_ms = progress->now.unix_ms - progress->result_ms;
    }
    progress->incident->starts += is_within(progress) ? 1 : 0;
    progress->start = add_event(progress, event);
    if (progress->cause != 0) {
        progress->start = -1;
    }
    progress->cause = 0;
    if (event.rebooted) {
        progress->offset_ms = BLOCK_WALL_UNKNOWN;
    }
}

static void take_clock(struct progress *progress, const struct record *record)
{
    int64_t before = progress->offset_ms, now = record->wall_offset_ms;
    struct incident_event event = {.sort = INCIDENT_CLOCK, .entry = -1};
    progress->offset_ms = now;
    if (now == BLOCK_WALL_UNKNOWN) {
        event.code = INCIDENT_CLOCK_DOUBTED;
    } else if (before == BLOCK_WALL_UNKNOWN) {
        event.code = INCIDENT_CLOCK_TRUSTED;
    } else if (llabs(now - before) >= STEP_MS) {
        event.code = INCIDENT_CLOCK_STEPPED;
        event.step_ms = now - before;
    } else {
        return;
    }
    (void)add_event(progress, event);
}

static void take_record(struct progress *progress, const struct record *record)
{
    int entry = record->sort == RECORD_MISSED ? ledger_find(progress->ledger, record->target) : -1;
    switch (record->sort) {
    case RECORD_RESULT:
        take_result(progress, record);
        break;
    case RECORD_MISSED:
        if (entry >= 0 && is_within(progress)) {
            progress->incident->targets[entry].missed += record->count;
        }
        break;
    case RECORD_COUNT:
        take_count(progress, record);
        break;
    case RECORD_RUN:
        take_start(progress, record);
        break;
    case RECORD_CLOCK:
        take_clock(progress, record);
        break;
    }
}

/* Results stand in the log when they ended, and tell when they began. */
static int by_time(const void *a, const void *b)
{
    const struct incident_event *first = a, *second = b;
    if (first->at_ms != second->at_ms) {
        return first->at_ms < second->at_ms ? -1 : 1;
    }
    return first->sort < second->sort ? -1 : first->sort > second->sort ? 1 : 0;
}

void store_incident_make(struct incident *incident, struct store_view *view, int64_t from_ms,
                         int64_t to_ms, const struct config *config)
{
    static struct image_walk walk;
    static struct progress progress;
    struct record record;
    memset(incident, 0, sizeof *incident);
    incident->from_ms = from_ms;
    incident->to_ms = to_ms;
    if (config != NULL) {
        (void)ledger_bind(&view->image.ledger, config);
    }
    memset(&progress, 0, sizeof progress);
    progress.incident = incident;
    progress.ledger = &view->image.ledger;
    progress.config = config;
    progress.offset_ms = BLOCK_WALL_UNKNOWN;
    progress.start = -1;
    store_image_walk(&walk, &view->image);
    store_wall_begin(&view->wall);
    while (store_image_next(&walk, &record)) {
        struct wall_stamp stamp = store_wall_stamp(&view->wall, &walk.replay, &record);
        bool timed = record.sort == RECORD_RESULT || record.sort == RECORD_RUN;
        progress.now = timed ? stamp : progress.now;
        if (progress.ordinal > 0 && walk.replay.ordinal > progress.ordinal + 1) {
            (void)add_event(&progress, (struct incident_event){.sort = INCIDENT_GAP,
                                                               .entry = -1,
                                                               .count = walk.replay.ordinal -
                                                                        progress.ordinal - 1});
        }
        progress.ordinal = walk.replay.ordinal;
        take_record(&progress, &record);
        progress.boot = walk.replay.boot;
    }
    qsort(incident->events, incident->event_count, sizeof incident->events[0], by_time);
}
