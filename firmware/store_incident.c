#include "store_incident.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    STEP_MS = 1000,      /* a clock that goes by less is being slewed */
    SAME_START_MS = 2000 /* between a start in the log and in what was noted of the end before */
};

static bool is_within(const struct incident_walk *walk)
{
    const struct incident *incident = walk->incident;
    return walk->now.known && walk->now.unix_ms >= incident->from_ms &&
           walk->now.unix_ms <= incident->to_ms;
}

/* Who tells it; each has rows of its own. */
static unsigned teller_of(const struct incident_event *event)
{
    if (event->entry >= 0) {
        return (unsigned)event->entry;
    }
    return event->sort == INCIDENT_PUSH_LOST || event->sort == INCIDENT_PUSH_RESUMED
               ? (unsigned)INCIDENT_PUSHES
               : (unsigned)INCIDENT_AGENT;
}

static int put_event(struct incident_walk *walk, struct incident_event event)
{
    struct incident *incident = walk->incident;
    assert(incident->event_count < INCIDENT_EVENTS);
    event.at_ms = walk->now.unix_ms;
    event.corrected = walk->now.corrected;
    event.until_ms = event.at_ms;
    if (event.sort != INCIDENT_FAILURE) {
        event.reason = REASON_NONE;
        event.phase = PHASE_NONE;
    }
    incident->events[incident->event_count] = event;
    return (int)incident->event_count++;
}

/* Its count stands for runs, pushes or, of the agent, events. */
static int put_further(struct incident_walk *walk, const struct incident_event *event)
{
    bool ends = event->sort == INCIDENT_RECOVERY || event->sort == INCIDENT_PUSH_RESUMED;
    int *row = &walk->further[teller_of(event)];
    if (*row < 0) {
        *row = put_event(walk, (struct incident_event){
                                   .sort = INCIDENT_FURTHER,
                                   .entry = event->entry,
                                   .code = teller_of(event) == INCIDENT_PUSHES,
                                   .since_ms = walk->now.unix_ms,
                               });
    }
    struct incident_event *further = &walk->incident->events[*row];
    further->until_ms = walk->now.unix_ms;
    if (ends) {
        further->ended++;
    } else {
        further->count += event->entry >= 0 || further->code != 0 ? event->count : 1;
    }
    return *row;
}

/* Index of the row, or -1 when it is not in the time asked for. */
static int add_event(struct incident_walk *walk, struct incident_event event)
{
    unsigned teller = teller_of(&event);
    bool of_target = event.entry >= 0;
    if (!is_within(walk)) {
        return -1;
    }
    if (walk->rows[teller] == INCIDENT_OWN_ROWS ||
        (of_target && walk->target_rows == INCIDENT_TARGET_ROWS)) {
        return event.sort == INCIDENT_MAINTENANCE ? -1 : put_further(walk, &event);
    }
    walk->rows[teller]++;
    walk->target_rows += of_target ? 1 : 0;
    return put_event(walk, event);
}

static void go_on(struct incident_walk *walk, struct incident_streak *streak,
                  struct incident_event event)
{
    bool alike = streak->open && streak->reason == event.reason && streak->phase == event.phase &&
                 streak->code == event.code;
    if (!streak->open) {
        *streak =
            (struct incident_streak){.open = true, .event = -1, .since_ms = walk->now.unix_ms};
    }
    streak->count += event.count;
    if (alike && streak->event >= 0) {
        struct incident_event *last = &walk->incident->events[streak->event];
        if (is_within(walk)) {
            last->count += event.count;
            last->until_ms = walk->now.unix_ms;
        }
        return;
    }
    streak->reason = event.reason;
    streak->phase = event.phase;
    streak->code = event.code;
    event.since_ms = streak->since_ms;
    streak->event = add_event(walk, event);
}

static void end(struct incident_walk *walk, struct incident_streak *streak,
                struct incident_event event)
{
    if (streak->open) {
        event.count = streak->count;
        event.since_ms = streak->since_ms;
        (void)add_event(walk, event);
    }
    streak->open = false;
}

/* Results. */

static void count_slos(const struct incident_walk *walk, unsigned entry,
                       const struct record *record)
{
    if (walk->config == NULL || entry >= walk->config->target_count ||
        record->outcome == OUTCOME_UNKNOWN) {
        return;
    }
    const struct config_probe *probe = config_target_probe(walk->config, entry);
    for (unsigned i = 0; i < config_counted_slos(probe); i++) {
        const struct config_slo *slo = &probe->slos[i];
        bool good = record->outcome == OUTCOME_SUCCESS &&
                    (slo->type != SLO_LATENCY || record->duration_us <= slo->threshold_us);
        struct slo_events *events = &walk->incident->targets[entry].events[i];
        *(good ? &events->good : &events->bad) += 1;
    }
}

static void count_result(struct incident_walk *walk, unsigned entry, const struct record *record)
{
    struct incident_target *target = &walk->incident->targets[entry];
    walk->incident->results++;
    if (record->maintenance) {
        target->maintenance++;
        return;
    }
    target->results[record->outcome]++;
    count_slos(walk, entry, record);
    if (record->outcome == OUTCOME_SUCCESS) {
        target->success_us += record->duration_us;
    } else if (record->outcome == OUTCOME_FAILURE) {
        target->reasons[record->reason]++;
        target->last_failure_ms = walk->now.unix_ms;
        if (target->first_failure_ms == 0) {
            target->first_failure_ms = walk->now.unix_ms;
        }
    }
}

static void count_usual(struct incident_walk *walk, unsigned entry, const struct record *record)
{
    struct incident_target *target = &walk->incident->targets[entry];
    if (walk->now.unix_ms < walk->incident->from_ms && !record->maintenance &&
        record->outcome == OUTCOME_SUCCESS) {
        target->before++;
        target->before_us += record->duration_us;
    }
}

static void take_result(struct incident_walk *walk, const struct record *record)
{
    struct incident *incident = walk->incident;
    int entry = ledger_find(walk->ledger, record->target);
    if (!walk->now.known) {
        incident->untimed++;
        return;
    }
    incident->known_from_ms = incident->known ? incident->known_from_ms : walk->now.unix_ms;
    incident->known_to_ms = walk->now.unix_ms;
    incident->known = true;
    walk->result_ms = walk->now.unix_ms;
    if (entry < 0) {
        incident->unnamed += is_within(walk) ? 1 : 0;
        incident->results += is_within(walk) ? 1 : 0;
        return;
    }
    struct incident_event event = {.entry = entry,
                                   .reason = record->reason,
                                   .phase = record->phase,
                                   .duration_us = record->duration_us,
                                   .count = 1};
    if (is_within(walk)) {
        count_result(walk, (unsigned)entry, record);
    } else {
        count_usual(walk, (unsigned)entry, record);
    }
    if (record->maintenance) {
        event.sort = INCIDENT_MAINTENANCE;
        event.reason = REASON_NONE;
        event.phase = PHASE_NONE;
        go_on(walk, &walk->maintenance[entry], event);
        return;
    }
    walk->maintenance[entry].open = false;
    if (record->outcome == OUTCOME_FAILURE) {
        event.sort = INCIDENT_FAILURE;
        go_on(walk, &walk->targets[entry], event);
    } else if (record->outcome == OUTCOME_SUCCESS) {
        event.sort = INCIDENT_RECOVERY;
        end(walk, &walk->targets[entry], event);
    }
}

/* The agent. */

static void take_push(struct incident_walk *walk, unsigned class, uint64_t count)
{
    struct incident_event event = {
        .entry = -1, .reason = REASON_NONE, .phase = PHASE_NONE, .code = class, .count = count};
    bool accepted = class == UPSTREAM_ACCEPTED;
    if (is_within(walk)) {
        *(accepted ? &walk->incident->pushes_accepted : &walk->incident->pushes_lost) += count;
    }
    if (accepted) {
        event.sort = INCIDENT_PUSH_RESUMED;
        end(walk, &walk->push, event);
    } else {
        event.sort = INCIDENT_PUSH_LOST;
        go_on(walk, &walk->push, event);
    }
}

static bool is_told(unsigned code)
{
    return (code >= LEDGER_STORE_ERROR_FIRST && code <= LEDGER_STORE_HUNG) ||
           code == LEDGER_DROPPED_MEMORY || code == LEDGER_DROPPED_DAMAGED ||
           (code >= LEDGER_CARE_FIRST && code < LEDGER_CARE_FIRST + CARE_COUNT) ||
           (code >= LEDGER_ROLLBACK_FIRST && code < LEDGER_ACTION_END);
}

/* Ends are counted right behind the start that came after them; of some lives in a row there can be
 * more than one. */
static void take_cause(struct incident_walk *walk, unsigned cause)
{
    if (walk->start >= 0 && cause < CAUSE_COUNT) {
        walk->incident->events[walk->start].causes |= UINT32_C(1) << cause;
    }
}

static void take_count(struct incident_walk *walk, const struct record *record)
{
    unsigned code = record->counter;
    if (code < LEDGER_PUSH_FIRST + UPSTREAM_CLASS_COUNT) {
        take_push(walk, code - LEDGER_PUSH_FIRST, record->count);
    } else if (code > LEDGER_RESTART_FIRST && code < LEDGER_RESTART_END) {
        take_cause(walk, code - LEDGER_RESTART_FIRST);
    } else if (is_told(code)) {
        (void)add_event(
            walk, (struct incident_event){
                      .sort = INCIDENT_COUNTER, .entry = -1, .code = code, .count = record->count});
    }
}

static void take_start(struct incident_walk *walk, const struct record *record)
{
    struct incident_event event = {.sort = INCIDENT_START,
                                   .entry = -1,
                                   .rebooted = walk->boot != 0 && walk->boot != record->boot};
    if (walk->now.known && walk->result_ms > 0) {
        event.silent_ms = walk->now.unix_ms - walk->result_ms;
    }
    walk->incident->starts += is_within(walk) ? 1 : 0;
    walk->incident->untimed_starts += walk->now.known ? 0 : 1;
    walk->start = add_event(walk, event);
    if (event.rebooted) {
        walk->offset_ms = BLOCK_WALL_UNKNOWN;
    }
}

static void take_clock(struct incident_walk *walk, const struct record *record)
{
    int64_t before = walk->offset_ms, now = record->wall_offset_ms;
    struct incident_event event = {.sort = INCIDENT_CLOCK, .entry = -1};
    walk->offset_ms = now;
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
    (void)add_event(walk, event);
}

static void take_record(struct incident_walk *walk, const struct record *record)
{
    int entry = record->sort == RECORD_MISSED ? ledger_find(walk->ledger, record->target) : -1;
    switch (record->sort) {
    case RECORD_RESULT:
        take_result(walk, record);
        break;
    case RECORD_MISSED:
        if (entry >= 0 && is_within(walk)) {
            walk->incident->targets[entry].missed += record->count;
        }
        break;
    case RECORD_COUNT:
        take_count(walk, record);
        break;
    case RECORD_RUN:
        take_start(walk, record);
        break;
    case RECORD_CLOCK:
        take_clock(walk, record);
        break;
    }
}

/* The log has the cause of an end, the ledger more of the last few. They are the same when the next
 * run began at the same time, and only one life lies between. An orderly end says all by its cause,
 * and was noted by the run itself: earlier. */
static void explain_start(const struct ledger *ledger, struct incident_event *event)
{
    int64_t nearest_ms = SAME_START_MS;
    for (unsigned i = 0; event->sort == INCIDENT_START && i < ledger->end_count; i++) {
        const struct run_end *end = &ledger->ends[i];
        bool near =
            end->unix_ms > event->at_ms - nearest_ms && end->unix_ms < event->at_ms + nearest_ms;
        bool orderly = end->cause == CAUSE_STOP || end->cause == CAUSE_RELOAD;
        if (near && !orderly && event->causes == UINT32_C(1) << end->cause) {
            nearest_ms = llabs(end->unix_ms - event->at_ms);
            event->end = *end;
        }
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

void incident_begin(struct incident_walk *walk, struct incident *incident,
                    const struct ledger *ledger, const struct config *config)
{
    memset(walk, 0, sizeof *walk);
    walk->incident = incident;
    walk->ledger = ledger;
    walk->config = config;
    walk->offset_ms = BLOCK_WALL_UNKNOWN;
    walk->start = -1;
    for (unsigned i = 0; i < INCIDENT_TELLERS; i++) {
        walk->further[i] = -1;
    }
}

void incident_take(struct incident_walk *walk, const struct record *record, struct wall_stamp stamp,
                   const struct store_replay *replay)
{
    bool timed = record->sort == RECORD_RESULT || record->sort == RECORD_RUN;
    walk->now = timed ? stamp : walk->now;
    if (walk->ordinal == 0) {
        walk->offset_ms = replay->wall_offset_ms; /* nobody knows what was before the log */
    } else if (replay->ordinal > walk->ordinal + 1) {
        (void)add_event(walk,
                        (struct incident_event){.sort = INCIDENT_GAP,
                                                .entry = -1,
                                                .count = replay->ordinal - walk->ordinal - 1});
    }
    walk->ordinal = replay->ordinal;
    take_record(walk, record);
    walk->boot = replay->boot;
}

void incident_end(struct incident_walk *walk)
{
    struct incident *incident = walk->incident;
    for (unsigned i = 0; i < incident->event_count; i++) {
        explain_start(walk->ledger, &incident->events[i]);
    }
    qsort(incident->events, incident->event_count, sizeof incident->events[0], by_time);
}

void store_incident_make(struct incident *incident, struct store_view *view, int64_t from_ms,
                         int64_t to_ms, const struct config *config)
{
    static struct image_walk log;
    static struct incident_walk walk;
    struct record record;
    memset(incident, 0, sizeof *incident);
    incident->from_ms = from_ms;
    incident->to_ms = to_ms;
    if (config != NULL) {
        (void)ledger_bind(&view->image.ledger, config);
    }
    incident_begin(&walk, incident, &view->image.ledger, config);
    store_image_walk(&log, &view->image);
    store_wall_begin(&view->wall);
    while (store_image_next(&log, &record)) {
        struct wall_stamp stamp = store_wall_stamp(&view->wall, &log.replay, &record);
        incident_take(&walk, &record, stamp, &log.replay);
    }
    incident_end(&walk);
}
