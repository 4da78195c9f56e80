/* A world for the agent under test: prober, upstream, device, clock and logger over virtual time.
 * It keeps its own account of what ran and what was sent, made without the agent's help, and it
 * fails the test at once when the agent breaks a port's contract. Include after cmocka.h. */
#ifndef PICKET_AGENT_WORLD_H
#define PICKET_AGENT_WORLD_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent.h"
#include "fake_device.h"
#include "prng.h"
#include "proto_reader.h"
#include "store_plan.h"

enum { WORLD_TARGETS = 24, WORLD_LINES = 64, WORLD_BODY_BYTES = 1 << 18 };

struct world_run {
    bool active;
    usec_t ends_us; /* USEC_NEVER: hangs until it is cancelled */
    struct result result;
};

struct world {
    usec_t now_us;
    struct wall_time wall_at_boot;
    struct prng prng;
    struct config config;
    struct agent agent;
    struct tail tail;
    struct vitals vitals;
    struct agent_start start;
    struct fake_device device;
    bool has_device;
    uint64_t boot, lives;
    uint8_t body[WORLD_BODY_BYTES];

    /* Prober. What the next run of a target yields is asked from `plan`. */
    void (*plan)(struct world *world, unsigned target, struct world_run *run);
    struct world_run runs[WORLD_TARGETS];
    unsigned in_flight, in_flight_max, concurrency;
    bool refuses;
    uint64_t started[WORLD_TARGETS], cancelled;
    uint64_t ended[WORLD_TARGETS][OUTCOME_COUNT];
    usec_t duration_us[WORLD_TARGETS]; /* of the run that ended last; 0: none yet */

    /* Upstream. */
    bool sending, transport_broken;
    uint64_t resets;                     /* requests the agent gave up */
    usec_t reply_due_us, reply_takes_us; /* takes USEC_NEVER: says nothing */
    struct upstream_reply reply;         /* to all bodies … */
    struct upstream_reply reply_on_way;  /* … and to the one in flight */
    usec_t away_from_us, away_until_us;  /* unreachable in between */
    uint64_t submitted, accepted, decoded;
    usec_t submitted_us;               /* when the last body was */
    unsigned decode_every;             /* 0: never */
    uint64_t last_good[WORLD_TARGETS]; /* successes in the last accepted body */
    bool last_body_was_whole;          /* it told what was measured at its submission */
    void (*look)(struct world *world); /* NULL, or looks at each body that is decoded instead */
    uint64_t replies[UPSTREAM_CLASS_COUNT]; /* the agent was told of */

    /* Logger. */
    unsigned line_count, warnings, errors;
    char lines[WORLD_LINES][512];
};

static struct reader world_reader;

static inline bool world_start(void *context, uint16_t target, usec_t now_us, usec_t deadline_us)
{
    struct world *world = context;
    struct world_run *run = &world->runs[target];
    if (world->refuses) {
        return false;
    }
    assert_false(run->active); /* no double start */
    assert_true(world->in_flight < world->concurrency);
    assert_int_equal(now_us, world->now_us);
    assert_int_equal(deadline_us - now_us, config_target_probe(&world->config, target)->timeout_us);
    memset(run, 0, sizeof *run);
    result_init(&run->result, target, now_us);
    world->plan(world, target, run);
    run->active = true;
    world->started[target]++;
    world->in_flight++;
    world->in_flight_max =
        world->in_flight > world->in_flight_max ? world->in_flight : world->in_flight_max;
    return true;
}

static inline bool world_collect(void *context, struct result *result)
{
    struct world *world = context;
    for (unsigned i = 0; i < world->config.target_count; i++) {
        struct world_run *run = &world->runs[i];
        if (run->active && run->ends_us <= world->now_us) {
            run->active = false;
            world->in_flight--;
            world->ended[i][run->result.outcome]++;
            world->duration_us[i] = run->result.duration_us;
            *result = run->result;
            return true;
        }
    }
    return false;
}

static inline void world_cancel_all(void *context)
{
    struct world *world = context;
    for (unsigned i = 0; i < world->config.target_count; i++) {
        world->cancelled += world->runs[i].active;
        world->runs[i].active = false;
    }
    world->in_flight = 0;
}

/* The value of the one sample whose key begins with `name` and has all of `parts`. */
static inline double world_sample(const char *name, const char *instance, const char *part)
{
    char label[600];
    double value = -1;
    unsigned found = 0;
    (void)snprintf(label, sizeof label, "instance=\"%s\"", instance);
    for (unsigned i = 0; i < world_reader.sample_count; i++) {
        const char *key = world_reader.samples[i].key;
        if (strncmp(key, name, strlen(name)) == 0 && key[strlen(name)] == '{' &&
            strstr(key, label) != NULL && strstr(key, part) != NULL) {
            value = world_reader.samples[i].value;
            found++;
        }
    }
    assert_int_equal(found, 1);
    return value;
}

static inline void world_decode(const void *body, size_t size)
{
    reader_free(&world_reader);
    if (!reader_read_proto(&world_reader, body, size)) {
        fail_msg("body: %s", world_reader.error);
    }
}

/* Promise 3: the totals in the body are those of all results measured so far. */
static inline void world_check_totals(const struct world *world)
{
    static const char *const outcomes[] = {"result=\"success\"", "result=\"failure\"",
                                           "result=\"unknown\""};
    for (unsigned i = 0; i < world->config.target_count; i++) {
        const char *instance = config_instance(&world->config, i);
        for (unsigned outcome = 0; outcome < OUTCOME_COUNT; outcome++) {
            double told = world_sample("picket_probe_results_total", instance, outcomes[outcome]);
            assert_int_equal(told, world->ended[i][outcome]);
        }
        assert_int_equal(world_sample("picket_probe_duration_seconds_count", instance, ""),
                         world->ended[i][OUTCOME_SUCCESS]);
        assert_int_equal(world_sample("picket_probe_missed_total", instance, ""),
                         agent_sli(&world->agent, i)->missed);
    }
}

static inline bool world_submit(void *context, const void *body, size_t size, usec_t now_us,
                                usec_t deadline_us)
{
    struct world *world = context;
    assert_false(world->sending);
    assert_int_equal(
        deadline_us,
        usec_min(now_us + world->agent.push.timeout_us,
                 world->agent.state == AGENT_RUNNING ? USEC_NEVER : world->agent.push_until_us));
    assert_true(size <= WORLD_BODY_BYTES && body == world->body);
    if (world->transport_broken) {
        return false;
    }
    world->submitted++;
    world->submitted_us = now_us;
    world->last_body_was_whole = false;
    if (world->decode_every > 0 && world->submitted % world->decode_every == 0) {
        world_decode(body, size);
        if (world->look != NULL) {
            world->look(world);
        } else {
            world_check_totals(world);
        }
        world->decoded++;
        world->last_body_was_whole = true;
    }
    world->reply_on_way = world->reply;
    if (now_us >= world->away_from_us && now_us < world->away_until_us) {
        world->reply_on_way =
            (struct upstream_reply){.class = UPSTREAM_UNREACHABLE, .note = "connection refused"};
    }
    world->sending = true;
    world->reply_due_us = world->reply_takes_us == USEC_NEVER
                              ? USEC_NEVER
                              : usec_min(now_us + world->reply_takes_us, deadline_us);
    return true;
}

static inline bool world_reply(void *context, struct upstream_reply *reply)
{
    struct world *world = context;
    if (!world->sending || world->now_us < world->reply_due_us) {
        return false;
    }
    world->sending = false;
    *reply = world->reply_on_way;
    reply->duration_us = world->reply_takes_us;
    world->accepted += reply->class == UPSTREAM_ACCEPTED;
    world->replies[reply->class]++;
    return true;
}

static inline void world_reset(void *context)
{
    struct world *world = context;
    world->sending = false;
    world->resets++;
}

static inline usec_t world_monotonic(void *context)
{
    return ((struct world *)context)->now_us;
}

static inline struct wall_time world_wall(void *context)
{
    struct world *world = context;
    struct wall_time wall = world->wall_at_boot;
    wall.unix_us += world->now_us;
    return wall;
}

static inline void world_log(void *context, enum log_level level, const char *text)
{
    struct world *world = context;
    world->warnings += level == LOG_LEVEL_WARNING;
    world->errors += level == LOG_LEVEL_ERROR;
    if (world->line_count < WORLD_LINES) {
        (void)snprintf(world->lines[world->line_count], sizeof world->lines[0], "%s", text);
    }
    world->line_count++;
}

static inline void world_config_error(void *context, const char *file, unsigned line,
                                      const char *message)
{
    (void)context;
    fail_msg("%s:%u: %s", file, line, message);
}

static const struct config_key world_keys[] = {
    {.name = "url", .type = SETTING_TEXT, .flags = KEY_REPEATS | KEY_REQUIRED | KEY_TARGET},
};
static const struct probe_kind world_kind = {
    .name = "fake",
    .help = "a probe of the test",
    .keys = world_keys,
    .key_count = ARRAY_LEN(world_keys),
    .reasons = REASON_BIT(REASON_STATUS) | REASON_BIT(REASON_TIMEOUT),
    .phases = PHASE_BIT(PHASE_PROCESSING),
    .phases_help = "Duration of a fake request by phase",
};

static inline void world_plan_success(struct world *world, unsigned target, struct world_run *run)
{
    (void)target;
    run->ends_us = world->now_us + 10 * USEC_PER_MSEC;
    run->result.duration_us = 10 * USEC_PER_MSEC;
    result_succeed(&run->result);
}

static inline void world_load(struct world *world, const char *text)
{
    static const struct probe_kind *const kinds[] = {&world_kind};
    static struct config_loader loader;
    struct config_errors errors = {.report = world_config_error};
    config_begin(&loader, &world->config, kinds, 1, &errors);
    config_add_text(&loader, "test.ini", text, strlen(text));
    assert_true(config_finish(&loader));
    assert_true(world->config.target_count <= WORLD_TARGETS);
    world->concurrency =
        (unsigned)config_number(&world->config, &world->config.agent, AGENT_CONCURRENCY);
}

/* The agent begins, in memory that is dirty. */
static inline void world_start_agent(struct world *world)
{
    struct store_plan plan;
    store_plan_make(&world->config, &plan);
    struct agent_ports ports = {
        .clock = {world, world_monotonic, world_wall},
        .prober = {world, world_start, world_collect, world_cancel_all},
        .upstream = {world, world_submit, world_reply, world_reset},
        .logger = {world, world_log},
        .store = {.device = fake_device_port(&world->device),
                  .block_count = world->has_device ? plan.block_count : 0,
                  .commit_us = config_number(&world->config, &world->config.agent, AGENT_COMMIT),
                  .boot = world->boot,
                  .entropy = prng_next(&world->prng),
                  .tail = &world->tail},
        .vitals = &world->vitals,
        .start = world->start,
    };
    world->lives++;
    vitals_begin(&world->vitals, USEC_PER_MINUTE);
    memset(&world->agent, 0xa5, sizeof world->agent);
    agent_init(&world->agent, &world->config, &ports, world->body, sizeof world->body,
               world->now_us);
}

/* A new world at `now` whose agent has read `text`; runs succeed after 10 ms, pushes are accepted
 * after 20 ms. There is a device when `text` sets `store`; it answers at once. */
static inline void world_begin(struct world *world, const char *text, usec_t now_us, uint64_t seed)
{
    memset(world, 0, sizeof *world);
    world->now_us = now_us;
    world->prng.state = seed;
    world->plan = world_plan_success;
    world->reply_takes_us = 20 * USEC_PER_MSEC;
    world->reply = (struct upstream_reply){.class = UPSTREAM_ACCEPTED, .http_status = 200};
    world->boot = 1;
    world->device.now_us = &world->now_us;
    world_load(world, text);
    world->has_device = config_store(&world->config) != NULL;
    world_start_agent(world);
}

/* kill -9, and a parent that starts it again: what it had in flight is gone, the tail is not. */
static inline void world_kill(struct world *world)
{
    world_cancel_all(world);
    world->sending = false;
    fake_device_abandon(&world->device);
    world_start_agent(world);
}

/* The power is cut, and comes back at once. */
static inline void world_cut(struct world *world)
{
    memset(&world->tail, 0x5a, sizeof world->tail);
    memset(&world->vitals, 0, sizeof world->vitals);
    world->boot++;
    fake_device_cut(&world->device);
    world_kill(world);
}

/* The earliest moment at which something outside the agent happens. */
static inline usec_t world_next_event(const struct world *world)
{
    usec_t next_us = world->sending ? world->reply_due_us : USEC_NEVER;
    next_us = usec_min(next_us, fake_device_wake(&world->device));
    for (unsigned i = 0; i < world->config.target_count; i++) {
        if (world->runs[i].active) {
            next_us = usec_min(next_us, world->runs[i].ends_us);
        }
    }
    return next_us;
}

/* Turns until `until`, or until the agent has stopped. With `stall_us` the loop comes back late by
 * up to that much, one time in a hundred. Returns the number of turns. */
static inline uint64_t world_run_until(struct world *world, usec_t until_us, usec_t stall_us)
{
    uint64_t turns = 0;
    while (world->now_us < until_us) {
        usec_t wake_us = agent_step(&world->agent, world->now_us);
        turns++;
        if (agent_stopped(&world->agent)) {
            break;
        }
        wake_us = usec_min(wake_us, world_next_event(world));
        wake_us = usec_max(usec_min(wake_us, until_us), world->now_us);
        if (stall_us > 0 && prng_below(&world->prng, 100) == 0) {
            usec_t lag_us = (usec_t)prng_below(&world->prng, (uint64_t)stall_us);
            agent_loop_lag(&world->agent, lag_us);
            wake_us += lag_us;
        }
        world->now_us = wake_us;
    }
    return turns;
}

/* How many starts a target has had since `from`, by the rule in schedule.h and nothing else. */
static inline uint64_t world_points(const struct world *world, unsigned target, usec_t from_us,
                                    usec_t until_us)
{
    const struct config *config = &world->config;
    const struct config_probe *probe = config_target_probe(config, target);
    usec_t phase_us = schedule_phase(config_site(config), config_probe_name(config, probe),
                                     config_instance(config, target), probe->interval_us);
    usec_t first_us = phase_us;
    if (from_us > phase_us) {
        usec_t intervals = (from_us - phase_us + probe->interval_us - 1) / probe->interval_us;
        first_us = phase_us + intervals * probe->interval_us;
    }
    return until_us < first_us ? 0 : (uint64_t)((until_us - first_us) / probe->interval_us + 1);
}

#endif
