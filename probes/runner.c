#include "runner.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net.h"
#include "runner_targets.h"

/* A turn steps no further run after this long; one step is meant to take 10 ms at most. */
#define TURN_US (20 * USEC_PER_MSEC)
/* A deadline found this much too late (SPEC section 5, promise 1) was missed by the agent. */
#define STALL_US (250 * USEC_PER_MSEC)
/* Between two looks after what the kinds do beside the loop. */
#define TEND_US USEC_PER_SEC

enum slot_state {
    SLOT_FREE,
    SLOT_RESOLVING,
    SLOT_RESOLVED, /* the next turn starts the probe */
    SLOT_STARTED,
    SLOT_FINISHED /* the result waits to be collected */
};

struct slot {
    enum slot_state state;
    bool due;    /* to be stepped without waiting for anything */
    bool waited; /* its last step ended with WAIT: it can be asked what for */
    unsigned attempts_left;
    usec_t run_deadline_us;
    usec_t resolve_started_us, resolve_us;
    bool resolve_measured;             /* it was done at once */
    unsigned waits_first, waits_count; /* its entries of the last wait set */
    usec_t wake_us;
    struct resolution resolution;
    struct run run;
    struct result result;
};

struct runner {
    const struct config *config;
    const struct clock *clock;
    const struct resolver *resolver;
    struct vitals *vitals; /* NULL: nobody watches */
    usec_t tend_us;
    struct prepared_target targets[CAP_TARGETS];
    unsigned slot_count;
    unsigned next; /* slot whose turn is first */
    struct slot *slots;
};

static const struct prepared_target *target_of(const struct runner *runner, const struct slot *slot)
{
    return &runner->targets[slot->run.target];
}

/* What the loop has in hand from now on; -1: nothing of ours. Around all that may run a probe's
 * code, or the resolver's. */
static void hold(const struct runner *runner, int target)
{
    if (runner->vitals != NULL) {
        vital_hold(runner->vitals, VITAL_LOOP, target);
    }
}

static void set_state(struct slot *slot, enum slot_state state)
{
    static const unsigned allowed[] = {
        /* a run of a target that was not opened, or without a name to resolve, skips states */
        [SLOT_FREE] = 1u << SLOT_RESOLVING | 1u << SLOT_RESOLVED | 1u << SLOT_FINISHED,
        [SLOT_RESOLVING] = 1u << SLOT_RESOLVED | 1u << SLOT_FREE | 1u << SLOT_FINISHED,
        [SLOT_RESOLVED] = 1u << SLOT_STARTED | 1u << SLOT_FREE | 1u << SLOT_FINISHED,
        [SLOT_STARTED] = 1u << SLOT_FREE | 1u << SLOT_FINISHED,
        [SLOT_FINISHED] = 1u << SLOT_FREE,
    };
    assert((allowed[slot->state] & 1u << state) != 0);
    slot->state = state;
    slot->due = state == SLOT_RESOLVED;
    slot->waited = false;
    slot->waits_count = 0;
    slot->wake_us = USEC_NEVER;
}

/* Ends whatever the slot is doing and leaves it free. */
static void cancel_slot(const struct runner *runner, struct slot *slot)
{
    if (slot->state == SLOT_RESOLVING) {
        runner->resolver->cancel(runner->resolver->context, slot->run.slot);
    } else if (slot->state == SLOT_STARTED) {
        target_of(runner, slot)->ops->cancel(&slot->run);
    }
    if (slot->state != SLOT_FREE) {
        set_state(slot, SLOT_FREE);
    }
}

/* The names' time, and the address the target is reached at unless the probe says otherwise. */
static void book_resolve(struct slot *slot)
{
    const struct resolution *resolution = &slot->resolution;
    result_phase_add(&slot->result, PHASE_RESOLVE, slot->resolve_us);
    result_fact_set(&slot->result, FACT_DNS_LOOKUP_SECONDS,
                    (double)slot->resolve_us / (double)USEC_PER_SEC);
    if (resolution->state == RESOLVE_DONE && resolution->count > 0) {
        net_address_facts(&slot->result, &resolution->addresses[0].socket.any);
    }
}

static void begin_attempt(struct runner *runner, struct slot *slot, usec_t now_us)
{
    const struct prepared_target *target = target_of(runner, slot);
    struct run *run = &slot->run;
    usec_t left_us = usec_max(slot->run_deadline_us - now_us, 0);
    run->deadline_us =
        slot->attempts_left == 1 ? slot->run_deadline_us : now_us + left_us / slot->attempts_left;
    slot->attempts_left--;
    result_init(&slot->result, (uint16_t)run->target, slot->result.started_us);
    const struct probe_ops *ops = target->ops;
    memset(run->state, 0, ops->zeroed_bytes > 0 ? ops->zeroed_bytes : ops->run_bytes);
    run->addresses = slot->resolution.addresses;
    run->address_count = 0;
    run->now_us = now_us;
    if (target->endpoint.host[0] == '\0') {
        set_state(slot, SLOT_RESOLVED);
        return;
    }
    set_state(slot, SLOT_RESOLVING);
    memset(&slot->resolution, 0, sizeof slot->resolution);
    enum ip_choice choice =
        (enum ip_choice)config_number(runner->config, &run->probe->section, PROBE_IP);
    slot->resolve_started_us = clock_monotonic_us(runner->clock);
    runner->resolver->start(runner->resolver->context, run->slot, target->endpoint.host, choice,
                            now_us, run->deadline_us, &slot->resolution);
    slot->resolve_us = clock_monotonic_us(runner->clock) - slot->resolve_started_us;
    slot->resolve_measured = slot->resolution.state != RESOLVE_PENDING;
    slot->due = slot->resolve_measured;
}

/* The attempt is over: once more, or the result stands. */
static void end_attempt(struct runner *runner, struct slot *slot)
{
    usec_t now_us = clock_monotonic_us(runner->clock);
    cancel_slot(runner, slot);
    if (slot->result.outcome == OUTCOME_FAILURE && slot->attempts_left > 0 &&
        now_us < slot->run_deadline_us) {
        begin_attempt(runner, slot, now_us);
        return;
    }
    slot->result.duration_us = usec_max(now_us - slot->result.started_us, 0);
    set_state(slot, SLOT_FINISHED);
}

/* Decides a run that its deadline cuts off. A note the probe left says more than ours. */
static void cut_off(struct runner *runner, struct slot *slot, usec_t now_us)
{
    struct result *result = &slot->result;
    bool stalled = now_us - slot->run.deadline_us > STALL_US;
    bool unasked = slot->state == SLOT_RESOLVED ||
                   (slot->state == SLOT_RESOLVING && slot->resolution.state == RESOLVE_DONE);
    if (slot->state == SLOT_RESOLVING) {
        slot->resolve_us = clock_monotonic_us(runner->clock) - slot->resolve_started_us;
        book_resolve(slot);
        if (!stalled && !unasked) {
            result_fail(result, REASON_RESOLVE, PHASE_RESOLVE, "no answer in time");
        }
    }
    enum phase phase = PHASE_NONE;
    const struct probe_ops *ops = target_of(runner, slot)->ops;
    if (slot->state == SLOT_STARTED && ops->current_phase != NULL) {
        phase = ops->current_phase(&slot->run);
    }
    if (stalled) {
        result_unknown(result, phase, "the agent stood still past the deadline");
    } else if (unasked) {
        result_unknown(result, phase, "the agent was too slow to begin");
    }
    char note[CAP_NOTE_BYTES];
    memcpy(note, result->note, sizeof note);
    result_fail(result, REASON_TIMEOUT, phase, "no end in time");
    if (note[0] != '\0') {
        memcpy(result->note, note, sizeof note);
    }
    end_attempt(runner, slot);
}

static void took_progress(struct runner *runner, struct slot *slot, enum progress progress)
{
    if (progress == PROGRESS_DONE) {
        result_fail(&slot->result, REASON_INTERNAL, PHASE_NONE,
                    "the probe ended without a verdict");
        end_attempt(runner, slot);
        return;
    }
    slot->due = progress == PROGRESS_YIELD;
    slot->waited = progress == PROGRESS_WAIT;
    slot->waits_count = 0;
    slot->wake_us = USEC_NEVER;
}

static void step_resolving(struct runner *runner, struct slot *slot)
{
    struct resolution *resolution = &slot->resolution;
    if (!slot->resolve_measured) {
        slot->resolve_us = clock_monotonic_us(runner->clock) - slot->resolve_started_us;
    }
    if (resolution->state == RESOLVE_DONE && resolution->count > 0) {
        uint16_t port = htons(target_of(runner, slot)->endpoint.port);
        for (unsigned i = 0; i < resolution->count; i++) {
            struct address *address = &resolution->addresses[i];
            if (address->socket.any.sa_family == AF_INET6) {
                address->socket.v6.sin6_port = port;
            } else {
                address->socket.v4.sin_port = port;
            }
        }
        slot->run.address_count = resolution->count;
        book_resolve(slot);
        set_state(slot, SLOT_RESOLVED);
        return;
    }
    book_resolve(slot);
    result_fail(&slot->result, REASON_RESOLVE, PHASE_RESOLVE, "%s",
                resolution->note[0] != '\0' ? resolution->note : "no address");
    end_attempt(runner, slot);
}

static void step_slot(struct runner *runner, struct slot *slot, const struct waits *ready,
                      usec_t now_us)
{
    const struct probe_ops *ops = target_of(runner, slot)->ops;
    slot->run.now_us = now_us;
    hold(runner, (int)slot->run.target);
    if (slot->state == SLOT_RESOLVING) {
        step_resolving(runner, slot);
    }
    /* A resolved run starts in the same turn: waiting for the next would count as its time. */
    if (slot->state == SLOT_RESOLVED) {
        set_state(slot, SLOT_STARTED);
        took_progress(runner, slot, ops->start(&slot->run));
    } else if (slot->state == SLOT_STARTED) {
        took_progress(runner, slot, ops->step(&slot->run, ready));
    }
    hold(runner, -1);
}

/* True when something came for the slot. Without an answer to the question (the set overflowed, or
 * the run was not asked what it waits for) it may have. */
static bool slot_is_due(const struct slot *slot, const struct waits *ready, usec_t now_us)
{
    if (slot->due) {
        return true;
    }
    if (slot->state == SLOT_RESOLVING) {
        return slot->resolution.state != RESOLVE_PENDING;
    }
    if (slot->state != SLOT_STARTED) {
        return false;
    }
    bool asked = slot->waits_count > 0 || slot->wake_us != USEC_NEVER;
    if (now_us >= slot->wake_us || ready->overflowed || !asked) {
        return true;
    }
    for (unsigned i = 0; i < slot->waits_count && slot->waits_first + i < ready->count; i++) {
        if (ready->at[slot->waits_first + i].revents != 0) {
            return true;
        }
    }
    return false;
}

static bool in_flight(const struct slot *slot)
{
    return slot->state != SLOT_FREE && slot->state != SLOT_FINISHED;
}

static void tend_targets(struct runner *runner, usec_t now_us)
{
    if (now_us < runner->tend_us) {
        return;
    }
    runner->tend_us = now_us + TEND_US;
    for (unsigned i = 0; i < runner->config->target_count; i++) {
        const struct prepared_target *target = &runner->targets[i];
        if (target->ops != NULL && target->ops->tend != NULL) {
            hold(runner, (int)i);
            target->ops->tend(target->prepared, now_us);
            hold(runner, -1);
        }
    }
}

void runner_step(struct runner *runner, const struct waits *ready, usec_t now_us)
{
    tend_targets(runner, now_us);
    /* What came is looked up for all before any is stepped: a step may close a descriptor, and the
     * next one opens another of the same number. */
    for (unsigned i = 0; i < runner->slot_count; i++) {
        struct slot *slot = &runner->slots[i];
        if (in_flight(slot) && now_us >= slot->run.deadline_us) {
            hold(runner, (int)slot->run.target);
            cut_off(runner, slot, now_us);
            hold(runner, -1);
        } else if (in_flight(slot)) {
            slot->due = slot_is_due(slot, ready, now_us);
        }
    }
    unsigned first = runner->next;
    for (unsigned i = 0; i < runner->slot_count; i++) {
        unsigned index = (first + i) % runner->slot_count;
        struct slot *slot = &runner->slots[index];
        if (!in_flight(slot) || !slot->due) {
            continue;
        }
        step_slot(runner, slot, ready, now_us);
        runner->next = (index + 1) % runner->slot_count;
        if (clock_monotonic_us(runner->clock) - now_us >= TURN_US) {
            return;
        }
    }
}

/* Asks a started run what it waits for, and remembers which entries are its own. */
static void add_slot_waits(const struct runner *runner, struct slot *slot, struct waits *waits)
{
    usec_t others_us = waits->wake_us;
    waits->wake_us = USEC_NEVER;
    slot->waits_first = waits->count;
    target_of(runner, slot)->ops->waits(&slot->run, waits);
    slot->waits_count = waits->count - slot->waits_first;
    slot->wake_us = waits->wake_us;
    waits_until(waits, others_us);
}

void runner_waits(struct runner *runner, struct waits *waits)
{
    for (unsigned i = 0; i < runner->slot_count; i++) {
        struct slot *slot = &runner->slots[i];
        if (!in_flight(slot)) {
            continue;
        }
        waits_until(waits, slot->run.deadline_us);
        if (slot->due) {
            waits_until(waits, 0);
        }
        /* Also of one whose turn came too late to be stepped: what is ready has to be in the set
         * it is stepped with, or busy neighbours would keep it from seeing anything. */
        if (slot->state == SLOT_STARTED && slot->waited) {
            add_slot_waits(runner, slot, waits);
        }
    }
}

static bool prober_start(void *context, uint16_t target, usec_t now_us, usec_t deadline_us)
{
    struct runner *runner = context;
    assert(target < runner->config->target_count);
    struct slot *slot = NULL;
    for (unsigned i = 0; i < runner->slot_count && slot == NULL; i++) {
        slot = runner->slots[i].state == SLOT_FREE ? &runner->slots[i] : NULL;
    }
    if (slot == NULL) {
        return false;
    }
    const struct prepared_target *prepared = &runner->targets[target];
    slot->run.probe = config_target_probe(runner->config, target);
    slot->run.target = target;
    slot->run.prepared = prepared->prepared;
    slot->run.endpoint = &prepared->endpoint;
    slot->run_deadline_us = deadline_us;
    slot->attempts_left = slot->run.probe->attempts > 0 ? slot->run.probe->attempts : 1;
    result_init(&slot->result, target, now_us);
    if (prepared->ops == NULL) {
        result_unknown(&slot->result, PHASE_NONE, "the probe is not enabled");
        set_state(slot, SLOT_FINISHED);
        return true;
    }
    hold(runner, target);
    begin_attempt(runner, slot, now_us);
    hold(runner, -1);
    return true;
}

static bool prober_collect(void *context, struct result *result)
{
    struct runner *runner = context;
    for (unsigned i = 0; i < runner->slot_count; i++) {
        struct slot *slot = &runner->slots[i];
        if (slot->state == SLOT_FINISHED) {
            *result = slot->result;
            set_state(slot, SLOT_FREE);
            return true;
        }
    }
    return false;
}

static void prober_cancel_all(void *context)
{
    struct runner *runner = context;
    for (unsigned i = 0; i < runner->slot_count; i++) {
        hold(runner, (int)runner->slots[i].run.target);
        cancel_slot(runner, &runner->slots[i]);
    }
    hold(runner, -1);
}

const char *runner_path(const struct runner *runner, unsigned target, bool *device)
{
    const struct prepared_target *prepared = &runner->targets[target];
    *device = false;
    return prepared->ops && prepared->ops->path ? prepared->ops->path(prepared->prepared, device)
                                                : NULL;
}

struct prober runner_prober(struct runner *runner)
{
    return (struct prober){runner, prober_start, prober_collect, prober_cancel_all};
}

/* One block: the runner, its slots, and each slot's state, all aligned for anything. */
static struct runner *allocate(const struct probe_ops *const *ops, unsigned ops_count,
                               unsigned slots)
{
    size_t state_bytes = 0;
    for (unsigned i = 0; i < ops_count; i++) {
        state_bytes = ops[i]->run_bytes > state_bytes ? ops[i]->run_bytes : state_bytes;
    }
    const size_t align = alignof(max_align_t);
    size_t runner_bytes = (sizeof(struct runner) + align - 1) / align * align;
    size_t slots_bytes = (slots * sizeof(struct slot) + align - 1) / align * align;
    state_bytes = (state_bytes + align - 1) / align * align;
    uint8_t *block = calloc(1, runner_bytes + slots_bytes + slots * state_bytes);
    if (block == NULL) {
        return NULL;
    }
    struct runner *runner = (struct runner *)(void *)block;
    runner->slots = (struct slot *)(void *)(block + runner_bytes);
    runner->slot_count = slots;
    for (unsigned i = 0; i < slots; i++) {
        struct run *run = &runner->slots[i].run;
        run->slot = i;
        run->state = block + runner_bytes + slots_bytes + i * state_bytes;
        run->result = &runner->slots[i].result;
    }
    return runner;
}

struct runner *runner_new(const struct config *config, const struct probe_ops *const *ops,
                          unsigned ops_count, const struct clock *clock,
                          const struct resolver *resolver, unsigned slots,
                          struct config_errors *errors)
{
    assert(slots >= 1 && slots <= CAP_RUNS);
    struct runner *runner = allocate(ops, ops_count, slots);
    if (runner == NULL) {
        config_error_at(config, &config->agent, NULL, errors, "out of memory for %u runs", slots);
        return NULL;
    }
    runner->config = config;
    runner->clock = clock;
    runner->resolver = resolver;
    for (unsigned i = 0; i < slots; i++) {
        runner->slots[i].run.config = config;
        runner->slots[i].run.clock = clock;
    }
    if (!runner_targets_open(runner->targets, config, ops, ops_count, errors)) {
        runner_free(runner);
        return NULL;
    }
    return runner;
}

void runner_watch(struct runner *runner, struct vitals *vitals)
{
    runner->vitals = vitals;
    for (unsigned i = 0; i < runner->config->target_count; i++) {
        const struct prepared_target *target = &runner->targets[i];
        if (target->ops != NULL && target->ops->watch != NULL) {
            target->ops->watch(target->prepared, vitals, i);
        }
    }
}

void runner_free(struct runner *runner)
{
    if (runner == NULL) {
        return;
    }
    prober_cancel_all(runner);
    runner_targets_close(runner->targets);
    free(runner);
}
