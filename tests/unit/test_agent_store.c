/* Guards against a total that is told and then taken back, a result that is lost or counted twice
 * by a restart, a device that holds up probes, pushes or the end. The agent and its store are those
 * that ship; the device is fake_device.h, and the account of what was measured is the world's own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent_world.h"
#include "hash.h"

static struct world world;

#define BOOT_US   (90 * USEC_PER_SEC)
#define COMMIT_US (10 * USEC_PER_SEC)

#define SITE                                                                                       \
    "[agent]\n"                                                                                    \
    "site = branch-0042\n"                                                                         \
    "concurrency = 3\n"                                                                            \
    "store = s\n"                                                                                  \
    "store_size = 256K\n"                                                                          \
    "commit = 10s\n"                                                                               \
    "flash = disk\n"
#define PUSH                                                                                       \
    "[push]\n"                                                                                     \
    "url = https://push.example.net:9091\n"                                                        \
    "interval = 7s\n"
#define PROBES                                                                                     \
    "[fake portal]\n"                                                                              \
    "url = a0\nurl = a1\n"                                                                         \
    "interval = 2s\ntimeout = 2s\n"                                                                \
    "slo = latency 95% 800ms 30d\n"                                                                \
    "[fake mail]\n"                                                                                \
    "url = b0\n"                                                                                   \
    "interval = 5s\ntimeout = 4s\n"

static const char site_text[] = SITE PUSH PROBES;
static const char site_without_push_text[] = SITE PROBES;

/* What was told, epoch by epoch, and what may be: results that were measured before the last write
 * that is durable began. */
struct told {
    char epoch[METRICS_EPOCH_BYTES];
    uint64_t results[WORLD_TARGETS][OUTCOME_COUNT];
    uint64_t attempts[UPSTREAM_CLASS_COUNT];
};
static struct account {
    struct told epochs[64];
    unsigned epoch_count;
    uint64_t at_write[WORLD_TARGETS][OUTCOME_COUNT], durable[WORLD_TARGETS][OUTCOME_COUNT];
    uint64_t looks, behind;
    struct {
        uint64_t hash; /* of a series; 0: free */
        double value;
    } counters[8192];
    bool durable_only; /* nothing else may be told */
    usec_t device_us;  /* each operation takes up to this long */
    bool hangs_at_close;
} account;

static void device_begun(void *watcher, enum block_op op)
{
    struct world *at = watcher;
    if (op == BLOCK_WRITE) {
        memcpy(account.at_write, at->ended, sizeof account.at_write);
    }
    if (account.hangs_at_close && at->agent.state == AGENT_CLOSING) {
        at->device.ends_us = USEC_NEVER;
    }
    if (account.device_us > 0) {
        at->device.takes_us = (usec_t)prng_below(&at->prng, (uint64_t)account.device_us);
    }
}

static void device_done(void *watcher, enum block_op op)
{
    (void)watcher;
    if (op == BLOCK_SYNC || op == BLOCK_PUBLISH || op == BLOCK_OPEN) {
        memcpy(account.durable, account.at_write, sizeof account.durable);
    }
}

/* The epoch the body tells all its counters in. */
static void find_epoch(char *epoch)
{
    static const char label[] = "epoch=\"";
    epoch[0] = '\0';
    for (unsigned i = 0; i < world_reader.sample_count; i++) {
        const char *found = strstr(world_reader.samples[i].key, label);
        if (found != NULL && epoch[0] == '\0') {
            (void)snprintf(epoch, METRICS_EPOCH_BYTES, "%s", found + strlen(label));
        } else if (found != NULL) {
            assert_memory_equal(found + strlen(label), epoch, METRICS_EPOCH_BYTES - 1);
        }
    }
    assert_int_equal(strlen(epoch), METRICS_EPOCH_BYTES - 1);
}

static struct told *find_told(void)
{
    char epoch[METRICS_EPOCH_BYTES];
    find_epoch(epoch);
    for (unsigned i = 0; i < account.epoch_count; i++) {
        if (strcmp(account.epochs[i].epoch, epoch) == 0) {
            return &account.epochs[i];
        }
    }
    assert_in_range(account.epoch_count, 0, ARRAY_LEN(account.epochs) - 1);
    struct told *told = &account.epochs[account.epoch_count++];
    memcpy(told->epoch, epoch, sizeof epoch);
    return told;
}

/* No counter of any name ever falls within its epoch, which is part of its key. */
static void check_counters(void)
{
    for (unsigned i = 0; i < world_reader.sample_count; i++) {
        const struct reader_sample *sample = &world_reader.samples[i];
        uint64_t hash = hash64(HASH64_START, sample->key, strlen(sample->key));
        if (strstr(sample->key, "epoch=") == NULL) {
            continue;
        }
        unsigned at = (unsigned)(hash % ARRAY_LEN(account.counters));
        while (account.counters[at].hash != 0 && account.counters[at].hash != hash) {
            at = (at + 1) % ARRAY_LEN(account.counters);
        }
        if (sample->value < account.counters[at].value) {
            fail_msg("%s fell from %g to %g", sample->key, account.counters[at].value,
                     sample->value);
        }
        account.counters[at].hash = hash;
        account.counters[at].value = sample->value;
    }
}

static uint64_t told_results(unsigned target, unsigned outcome)
{
    static const char *const parts[] = {"result=\"success\"", "result=\"failure\"",
                                        "result=\"unknown\""};
    const char *instance = config_instance(&world.config, target);
    return (uint64_t)world_sample("picket_probe_results_total", instance, parts[outcome]);
}

/* Each body: no total falls, none is told before it is durable, gauges are of the last run. */
static void look(struct world *at)
{
    struct told *told = find_told();
    account.looks++;
    check_counters();
    for (unsigned i = 0; i < at->config.target_count; i++) {
        for (unsigned outcome = 0; outcome < OUTCOME_COUNT; outcome++) {
            uint64_t now = told_results(i, outcome);
            assert_true(now >= told->results[i][outcome]);
            told->results[i][outcome] = now;
            account.behind += now < at->ended[i][outcome];
            assert_true(now <= at->ended[i][outcome]);
            if (account.durable_only) {
                assert_true(now <= account.durable[i][outcome]);
            }
        }
        if (at->agent.seen[i]) {
            double gauge =
                world_sample("probe_duration_seconds", config_instance(&at->config, i), "");
            assert_int_equal((usec_t)(gauge * 1e6 + 0.5), at->duration_us[i]);
        }
    }
    for (unsigned i = 0; i < UPSTREAM_CLASS_COUNT; i++) {
        char part[64];
        (void)snprintf(part, sizeof part, "result=\"%s\"",
                       upstream_class_name((enum upstream_class)i));
        uint64_t now = (uint64_t)world_sample("picket_push_attempts_total", "branch-0042", part);
        assert_true(now >= told->attempts[i] && now <= at->replies[i]);
        told->attempts[i] = now;
    }
}

/* Over all epochs; each result was told in exactly one. */
static uint64_t told_in_all(unsigned target, unsigned outcome)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < account.epoch_count; i++) {
        sum += account.epochs[i].results[target][outcome];
    }
    return sum;
}

static void assert_all_is_told(void)
{
    for (unsigned i = 0; i < world.config.target_count; i++) {
        for (unsigned outcome = 0; outcome < OUTCOME_COUNT; outcome++) {
            assert_int_equal(told_in_all(i, outcome), world.ended[i][outcome]);
        }
    }
}

static void plan_mixed(struct world *at, unsigned target, struct world_run *run)
{
    usec_t takes_us = 1 + (usec_t)prng_below(&at->prng, 900 * USEC_PER_MSEC);
    uint64_t dice = prng_below(&at->prng, 30);
    (void)target;
    if (dice < 5) {
        result_fail(&run->result, dice < 3 ? REASON_TIMEOUT : REASON_STATUS, PHASE_PROCESSING,
                    "HTTP 503");
    } else if (dice == 5) {
        result_unknown(&run->result, PHASE_NONE, "no clock");
    } else {
        result_succeed(&run->result);
    }
    run->result.duration_us = takes_us;
    run->ends_us = at->now_us + takes_us;
}

static void begin(const char *text, uint64_t seed)
{
    memset(&account, 0, sizeof account);
    account.durable_only = true;
    world_begin(&world, text, BOOT_US, seed);
    world.plan = plan_mixed;
    world.look = look;
    world.decode_every = 1;
    world.device.watcher = &world;
    world.device.begun = device_begun;
    world.device.done = device_done;
}

static void run_for(usec_t duration_us)
{
    (void)world_run_until(&world, world.now_us + duration_us, 0);
}

static void run_until_opened(void)
{
    while (world.agent.state == AGENT_OPENING) {
        (void)world_run_until(&world, world.now_us + USEC_PER_MSEC, 0);
    }
}

static void stop_in_order(void)
{
    agent_stop(&world.agent, CAUSE_STOP, world.now_us + USEC_PER_MINUTE);
    run_for(2 * USEC_PER_MINUTE);
    assert_true(agent_stopped(&world.agent));
}

/* Publish after commit. */

static void agent_tells_no_total_before_it_is_durable(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        begin(site_text, seed);
        account.device_us = 1500 * USEC_PER_MSEC;
        run_for(2 * USEC_PER_HOUR);
        assert_true(account.looks > 900);
        assert_true(account.behind > 900); /* or nothing was shown */
        assert_true(world.device.ended[BLOCK_SYNC] > 500);
        stop_in_order();
        assert_int_equal(account.epoch_count, 1);
        assert_all_is_told();
    }
}

static void agent_tells_zero_before_the_first_commit(void **state)
{
    (void)state;
    begin(site_text, 1);
    run_until_opened();
    world.device.takes_us = 25 * USEC_PER_SEC;
    while (world.submitted == 0) {
        run_for(10 * USEC_PER_MSEC);
    }
    assert_true(world.ended[0][OUTCOME_SUCCESS] + world.ended[0][OUTCOME_FAILURE] > 0);
    assert_int_equal(told_in_all(0, OUTCOME_SUCCESS) + told_in_all(0, OUTCOME_FAILURE), 0);
}

/* Runs until a commit is due soon, and makes a push due with a device that takes so long. */
static usec_t make_push_due(usec_t takes_us)
{
    const struct store_numbers *numbers = &world.agent.store.numbers;
    begin(site_text, 5);
    world.agent.push.due_us = USEC_NEVER;
    run_for(USEC_PER_MINUTE);
    world.agent.push.due_us = USEC_NEVER;
    while (numbers->uncommitted_since_us > world.now_us - COMMIT_US * 92 / 100) {
        run_for(10 * USEC_PER_MSEC);
        world.agent.push.due_us = USEC_NEVER;
    }
    world.device.takes_us = takes_us;
    world.agent.push.due_us = world.now_us;
    return world.now_us;
}

static void agent_push_waits_for_a_commit_but_not_for_long(void **state)
{
    static const struct {
        const char *name;
        usec_t takes_us, waits_us;
        bool fresh;
    } rows[] = {
        {"at once", 0, 0, true},
        {"soon", 400 * USEC_PER_MSEC, 800 * USEC_PER_MSEC, true},
        {"late", 5 * USEC_PER_SEC, AGENT_PUSH_PATIENCE_US, false},
        {"never", USEC_NEVER, AGENT_PUSH_PATIENCE_US, false},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        usec_t due_us = make_push_due(rows[i].takes_us);
        uint64_t before = world.submitted, ended = world.ended[0][OUTCOME_SUCCESS];
        uint64_t told = told_in_all(0, OUTCOME_SUCCESS);
        print_message("%s\n", rows[i].name);
        assert_true(told < ended);
        uint64_t turns = 0;
        while (world.submitted == before) {
            turns += world_run_until(&world, world.now_us + 10 * USEC_PER_MSEC, 0);
        }
        assert_in_range(turns, 0, 2500); /* it does not spin meanwhile */
        assert_in_range(world.submitted_us - due_us, rows[i].waits_us,
                        rows[i].waits_us + 20 * USEC_PER_MSEC);
        if (rows[i].fresh) {
            assert_true(told_in_all(0, OUTCOME_SUCCESS) >= ended);
        } else {
            assert_int_equal(told_in_all(0, OUTCOME_SUCCESS), told);
        }
    }
}

/* A push that is accepted late was of the totals of its time. */
static void agent_remembers_what_was_pushed(void **state)
{
    (void)state;
    begin(site_text, 9);
    world.reply_takes_us = 6 * USEC_PER_SEC;
    run_for(USEC_PER_MINUTE);
    while (!world.sending) {
        run_for(10 * USEC_PER_MSEC);
    }
    uint64_t pushed = world.agent.store.published.ordinal, counted = pushed;
    while (world.sending) {
        counted = store_ledger(&world.agent.store)->totals.ordinal;
        run_for(10 * USEC_PER_MSEC);
    }
    assert_true(counted > pushed);
    assert_int_equal(world.agent.store.pushed_ordinal, pushed);
    world.reply.class = UPSTREAM_BUSY;
    run_for(USEC_PER_MINUTE);
    assert_int_equal(world.agent.store.pushed_ordinal, pushed);
}

/* The store's own numbers go the way of all others: recorded, committed, told. */
static void agent_tells_what_the_store_wrote_and_dropped(void **state)
{
    static const char small_text[] = "[agent]\nsite = branch-0042\nstore = s\nstore_size = 64K\n"
                                     "commit = 10s\nflash = disk\n" PUSH PROBES;
    const struct store_numbers *numbers = &world.agent.store.numbers;
    (void)state;
    begin(small_text, 11);
    run_for(5 * USEC_PER_HOUR);
    assert_true(numbers->dropped_wrap > 2000);
    assert_in_range(world_sample("picket_store_dropped_results_total", "branch-0042", "wrap"),
                    numbers->dropped_wrap - 2000, numbers->dropped_wrap);
    assert_in_range(world_sample("picket_store_written_bytes_total", "branch-0042", ""),
                    (numbers->blocks_written - 8) * BLOCK_BYTES,
                    numbers->blocks_written * BLOCK_BYTES);
    /* Counting what was written costs no commit of its own. */
    assert_in_range(world.device.ended[BLOCK_SYNC], 1700, 2100);
    run_for(USEC_PER_MINUTE);
    for (unsigned i = 0; i < WORLD_TARGETS; i++) {
        world.runs[i].ends_us = world.runs[i].active ? world.now_us : 0;
    }
    world.plan = NULL;
    world.refuses = true;
    world.agent.push.due_us = USEC_NEVER;
    for (unsigned i = 0; i < world.agent.schedule.count; i++) {
        world.agent.schedule.entries[i].interval_us = 0; /* nothing is due any more */
    }
    run_for(USEC_PER_MINUTE);
    uint64_t syncs = world.device.ended[BLOCK_SYNC];
    run_for(USEC_PER_HOUR);
    assert_int_equal(world.device.ended[BLOCK_SYNC], syncs);
}

/* Restarts. */

static struct ledger_totals before, after;

/* What the budgets and burn rates come from, in every window. */
static void assert_same_windows(const struct slo_book *a, const struct slo_book *b)
{
    assert_true(a->count > 0);
    assert_int_equal(a->count, b->count);
    for (unsigned i = 0; i < a->count; i++) {
        const struct slo_history *p = &a->histories[i], *q = &b->histories[i];
        assert_int_equal(a->targets[i], b->targets[i]);
        for (unsigned w = 0; w <= SLO_BURN_WINDOWS; w++) {
            usec_t window_us =
                w < SLO_BURN_WINDOWS ? slo_burn_windows[w].duration_us : p->window_us;
            struct slo_events have = slo_history_sum(p, window_us, p->last_ms);
            struct slo_events had = slo_history_sum(q, window_us, p->last_ms);
            assert_int_equal(have.good, had.good);
            assert_int_equal(have.bad, had.bad);
        }
    }
}

static void kill_and_compare(void)
{
    ledger_totals_copy(&before, &store_ledger(&world.agent.store)->totals);
    uint64_t epoch = store_ledger(&world.agent.store)->epoch;
    bool was_opened = store_opened(&world.agent.store);
    world_kill(&world);
    if (!was_opened) {
        return;
    }
    run_until_opened();
    ledger_totals_copy(&after, &store_ledger(&world.agent.store)->totals);
    assert_int_equal(store_ledger(&world.agent.store)->epoch, epoch);
    assert_memory_equal(after.counters, before.counters,
                        LEDGER_STORE_WRITTEN * sizeof before.counters[0]);
    for (unsigned i = LEDGER_STORE_WRITTEN; i < LEDGER_COUNTERS; i++) {
        assert_true(after.counters[i] >= before.counters[i]); /* the store was at work meanwhile */
    }
    for (unsigned i = 0; i < world.config.target_count; i++) {
        assert_memory_equal(&after.slis[i], &before.slis[i], sizeof after.slis[i]);
    }
    assert_same_windows(&after.slos, &before.slos);
}

/* Kills whose moment is any: results, misses, push attempts, histograms go on to the last unit. */
static void agent_killed_at_any_moment_goes_on_exactly(void **state)
{
    static const usec_t device_us[] = {0, 20 * USEC_PER_MSEC, 2 * USEC_PER_SEC};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(device_us); i++) {
        begin(site_text, 20 + i);
        account.device_us = device_us[i];
        uint64_t missed = 0;
        for (unsigned life = 0; life < 300; life++) {
            world.refuses = life % 10 == 4;
            (void)world_run_until(
                &world, world.now_us + 1 + (usec_t)prng_below(&world.prng, 20 * USEC_PER_SEC),
                6 * USEC_PER_SEC);
            kill_and_compare();
        }
        world.refuses = false;
        run_until_opened();
        for (unsigned j = 0; j < world.config.target_count; j++) {
            missed += agent_sli(&world.agent, j)->missed;
        }
        assert_true(missed > 20);
        stop_in_order();
        assert_int_equal(account.epoch_count, 1);
        assert_all_is_told();
        for (unsigned j = 0; j < UPSTREAM_CLASS_COUNT; j++) {
            assert_int_equal(store_ledger(&world.agent.store)->totals.counters[j],
                             world.replies[j]);
        }
    }
}

/* Without a store there is still the memory a parent keeps. */
static void agent_without_a_store_goes_on_exactly_when_killed(void **state)
{
    (void)state;
    begin("[agent]\nsite = branch-0042\nconcurrency = 3\n" PUSH PROBES, 31);
    account.durable_only = false;
    for (unsigned life = 0; life < 200; life++) {
        run_for(1 + (usec_t)prng_below(&world.prng, 60 * USEC_PER_SEC));
        kill_and_compare();
    }
    stop_in_order();
    assert_int_equal(account.epoch_count, 1);
    assert_int_equal(account.behind, 0);
    assert_all_is_told();
}

/* What was measured a while ago, second by second. */
static uint64_t history[64][WORLD_TARGETS][OUTCOME_COUNT];

static void run_remembering(usec_t duration_us)
{
    for (usec_t end_us = world.now_us + duration_us; world.now_us < end_us;) {
        memmove(history[1], history[0], sizeof history - sizeof history[0]);
        memcpy(history[0], world.ended, sizeof history[0]);
        run_for(usec_min(USEC_PER_SEC, end_us - world.now_us));
    }
}

/* From here on only what was recovered was ever measured. */
static void accept_the_loss(unsigned seconds)
{
    for (unsigned i = 0; i < world.config.target_count; i++) {
        for (unsigned outcome = 0; outcome < OUTCOME_COUNT; outcome++) {
            uint64_t recovered = agent_sli(&world.agent, i)->results[outcome];
            assert_true(recovered <= world.ended[i][outcome]);
            assert_true(recovered >= history[seconds][i][outcome]);
            world.ended[i][outcome] = recovered;
        }
    }
    for (unsigned i = 0; i < UPSTREAM_CLASS_COUNT; i++) {
        uint64_t recovered = store_ledger(&world.agent.store)->totals.counters[i];
        assert_true(recovered <= world.replies[i]);
        world.replies[i] = recovered;
    }
    memset(history, 0, sizeof history);
}

static void agent_after_a_power_cut_loses_no_more_than_commit_and_takes_nothing_back(void **state)
{
    static const usec_t device_us[] = {0, 300 * USEC_PER_MSEC};
    enum { SLACK_SECONDS = 4 };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(device_us); i++) {
        begin(site_text, 40 + i);
        memset(history, 0, sizeof history);
        account.device_us = device_us[i];
        for (unsigned life = 0; life < 200; life++) {
            run_remembering(1 + (usec_t)prng_below(&world.prng, 40 * USEC_PER_SEC));
            world_cut(&world);
            run_until_opened();
            accept_the_loss(COMMIT_US / USEC_PER_SEC + SLACK_SECONDS);
        }
        stop_in_order();
        assert_int_equal(account.epoch_count, 1);
        assert_all_is_told();
    }
}

static void agent_stopped_in_order_starts_again_clean_and_has_counted_its_last_push(void **state)
{
    (void)state;
    begin(site_text, 51);
    run_for(USEC_PER_MINUTE);
    stop_in_order();
    assert_all_is_told();
    world_cut(&world);
    run_until_opened();
    assert_true(world.agent.store.numbers.clean);
    const uint64_t *counters = store_ledger(&world.agent.store)->totals.counters;
    assert_int_equal(counters[LEDGER_PUSH_FIRST + UPSTREAM_ACCEPTED], world.submitted);
    assert_non_null(strstr(world.lines[world.line_count - 2], "(stopped in order before)"));
    assert_string_equal(world.lines[world.line_count - 1], "the run before ended by stop");
    run_for(USEC_PER_MINUTE);
    world_cut(&world);
    run_until_opened();
    assert_false(world.agent.store.numbers.clean);
}

/* Trouble. */

static void fail_all(enum block_error error)
{
    for (unsigned op = 0; op < FAKE_DEVICE_OPS; op++) {
        world.device.fails[op] = error;
    }
}

/* A device that fails and comes back: each result is told once, in one epoch or the other. */
static void agent_goes_on_under_a_new_epoch_when_the_device_fails(void **state)
{
    static const enum block_error errors[] = {BLOCK_NO_SPACE, BLOCK_IO, BLOCK_READ_ONLY};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
        begin(site_text, 60 + i);
        account.device_us = 50 * USEC_PER_MSEC;
        run_for(5 * USEC_PER_MINUTE);
        assert_int_equal(account.epoch_count, 1);
        fail_all(errors[i]);
        account.durable_only = false;
        run_for(5 * USEC_PER_MINUTE);
        assert_int_equal(account.epoch_count, 2);
        assert_int_equal(world.agent.store.state, STORE_MEMORY);
        assert_true(account.epochs[1].results[0][OUTCOME_SUCCESS] > 50);
        fail_all(BLOCK_OK);
        run_for(30 * USEC_PER_MINUTE);
        assert_int_equal(world.agent.store.state, STORE_DURABLE);
        assert_int_equal(account.epoch_count, 2);
        stop_in_order();
        assert_all_is_told();
    }
}

static void agent_goes_on_when_the_device_hangs(void **state)
{
    (void)state;
    begin(site_text, 71);
    run_for(5 * USEC_PER_MINUTE);
    world.device.takes_us = USEC_NEVER;
    uint64_t started = world.started[0], submitted = world.submitted;
    account.durable_only = false;
    run_for(5 * USEC_PER_MINUTE);
    assert_int_equal(world.agent.store.state, STORE_MEMORY);
    assert_int_equal(world.started[0] - started, 150); /* nobody waited */
    assert_in_range(world.submitted - submitted, 41, 44);
    assert_int_equal(account.epoch_count, 2);
    world.device.takes_us = 0;
    world.device.ends_us = world.now_us;
    run_for(20 * USEC_PER_MINUTE);
    assert_int_equal(world.agent.store.state, STORE_DURABLE);
    stop_in_order();
    assert_all_is_told();
}

/* Begin and end. */

static void agent_measures_nothing_before_totals_are_known(void **state)
{
    (void)state;
    begin(site_text, 81);
    run_for(USEC_PER_MINUTE);
    stop_in_order();
    uint64_t started = world.started[0], submitted = world.submitted;
    usec_t begun_us = world.now_us;
    world.device.takes_us = 3 * USEC_PER_SEC;
    world_cut(&world);
    while (world.agent.state == AGENT_OPENING) {
        assert_int_equal(agent_sli(&world.agent, 0)->results[OUTCOME_SUCCESS], 0);
        assert_int_equal(world.started[0], started);
        (void)world_run_until(&world, world.now_us + 10 * USEC_PER_MSEC, 0);
    }
    assert_true(world.now_us > begun_us + 6 * USEC_PER_SEC);
    assert_true(agent_sli(&world.agent, 0)->results[OUTCOME_SUCCESS] > 10);
    assert_int_equal(world.submitted, submitted);
    run_for(USEC_PER_MINUTE);
    assert_in_range(world.started[0] - started, 29, 31); /* and none before was missed */
    assert_int_equal(agent_sli(&world.agent, 0)->missed, 0);
    assert_true(world.submitted > submitted);
}

static void agent_stopped_while_opening_waits_for_the_store_until_the_deadline(void **state)
{
    (void)state;
    begin(site_text, 82);
    world.device.ends_us = USEC_NEVER;
    run_for(5 * USEC_PER_SEC);
    assert_int_equal(world.agent.state, AGENT_OPENING);
    agent_stop(&world.agent, CAUSE_STOP, world.now_us + 10 * USEC_PER_SEC);
    run_for(9 * USEC_PER_SEC);
    assert_int_equal(world.agent.state, AGENT_OPENING);
    run_for(2 * USEC_PER_SEC);
    assert_true(agent_stopped(&world.agent));
    assert_true(agent_step(&world.agent, world.now_us) == USEC_NEVER);
    assert_int_equal(world.submitted, 0);
}

static void agent_stopped_while_opening_pushes_what_a_dead_process_left(void **state)
{
    (void)state;
    begin(site_text, 84);
    run_for(USEC_PER_MINUTE);
    world.device.takes_us = 300 * USEC_PER_MSEC;
    world_kill(&world);
    uint64_t started = world.started[0];
    (void)agent_step(&world.agent, world.now_us);
    assert_int_equal(world.agent.state, AGENT_OPENING);
    stop_in_order();
    assert_int_equal(world.started[0], started);
    assert_all_is_told();
}

static void agent_whose_device_hangs_from_the_start_measures_all_the_same(void **state)
{
    (void)state;
    begin(site_text, 83);
    account.durable_only = false;
    world.device.ends_us = USEC_NEVER;
    run_for(STORE_HUNG_US + USEC_PER_MINUTE);
    assert_int_equal(world.agent.state, AGENT_RUNNING);
    assert_true(world.started[0] >= 29 && world.submitted >= 8);
    stop_in_order();
    assert_all_is_told();
}

static void agent_stop_is_over_in_time_whatever_the_device_does(void **state)
{
    static const struct {
        const char *name;
        const char *text;
        bool hangs, silent; /* the device, the receiver */
        bool hangs_at_close;
        unsigned submissions;
        usec_t least_us; /* it lasts at least */
    } rows[] = {
        {"all is well", site_text, false, false, false, 1, 0},
        {"the device hangs", site_text, true, false, false, 1, 5 * USEC_PER_SEC},
        {"the receiver is silent", site_text, false, true, false, 1, 8 * USEC_PER_SEC},
        {"both", site_text, true, true, false, 1, 10 * USEC_PER_SEC},
        {"no push", site_without_push_text, false, false, false, 0, 0},
        {"no push, the device hangs", site_without_push_text, true, false, false, 0,
         9 * USEC_PER_SEC},
        {"the device hangs at the very end", site_text, false, false, true, 1, 9 * USEC_PER_SEC},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        begin(rows[i].text, 90 + i);
        run_for(USEC_PER_MINUTE);
        while (world.sending || world.device.busy || world.in_flight == 0) {
            run_for(10 * USEC_PER_MSEC);
        }
        print_message("%s\n", rows[i].name);
        world.device.takes_us = rows[i].hangs ? USEC_NEVER : 10 * USEC_PER_MSEC;
        account.hangs_at_close = rows[i].hangs_at_close;
        world.reply_takes_us = rows[i].silent ? USEC_NEVER : 20 * USEC_PER_MSEC;
        if (rows[i].silent) {
            world.reply.class = UPSTREAM_TIMEOUT;
        }
        uint64_t submitted = world.submitted;
        usec_t asked_us = world.now_us, deadline_us = asked_us + 10 * USEC_PER_SEC;
        agent_stop(&world.agent, CAUSE_STOP, deadline_us);
        uint64_t turns = world_run_until(&world, deadline_us + USEC_PER_MINUTE, 0);
        assert_true(agent_stopped(&world.agent));
        assert_in_range(world.now_us, asked_us + rows[i].least_us, deadline_us);
        assert_true(turns < 40);
        assert_int_equal(world.submitted - submitted, rows[i].submissions);
        if (!rows[i].hangs && rows[i].submissions > 0) {
            assert_all_is_told();
        }
        world_cut(&world);
        world.device.takes_us = 0;
        run_until_opened();
        assert_int_equal(world.agent.store.numbers.clean,
                         !rows[i].hangs && !rows[i].hangs_at_close);
    }
}

/* A second SIGTERM. */
static void agent_stop_at_once_leaves_a_store_that_opens(void **state)
{
    (void)state;
    begin(site_text, 99);
    run_for(USEC_PER_MINUTE);
    world.device.takes_us = USEC_PER_SEC;
    agent_stop(&world.agent, CAUSE_STOP, world.now_us + USEC_PER_MINUTE);
    (void)agent_step(&world.agent, world.now_us);
    agent_stop(&world.agent, CAUSE_STOP, world.now_us);
    (void)agent_step(&world.agent, world.now_us);
    assert_true(agent_stopped(&world.agent));
    world.device.takes_us = 0;
    world_cut(&world);
    run_until_opened();
    assert_int_equal(world.agent.store.state, STORE_DURABLE);
    assert_false(world.agent.store.numbers.clean);
    assert_true(agent_sli(&world.agent, 0)->results[OUTCOME_SUCCESS] > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agent_tells_no_total_before_it_is_durable),
        cmocka_unit_test(agent_tells_zero_before_the_first_commit),
        cmocka_unit_test(agent_push_waits_for_a_commit_but_not_for_long),
        cmocka_unit_test(agent_remembers_what_was_pushed),
        cmocka_unit_test(agent_tells_what_the_store_wrote_and_dropped),
        cmocka_unit_test(agent_killed_at_any_moment_goes_on_exactly),
        cmocka_unit_test(agent_without_a_store_goes_on_exactly_when_killed),
        cmocka_unit_test(agent_after_a_power_cut_loses_no_more_than_commit_and_takes_nothing_back),
        cmocka_unit_test(agent_stopped_in_order_starts_again_clean_and_has_counted_its_last_push),
        cmocka_unit_test(agent_goes_on_under_a_new_epoch_when_the_device_fails),
        cmocka_unit_test(agent_goes_on_when_the_device_hangs),
        cmocka_unit_test(agent_measures_nothing_before_totals_are_known),
        cmocka_unit_test(agent_stopped_while_opening_waits_for_the_store_until_the_deadline),
        cmocka_unit_test(agent_stopped_while_opening_pushes_what_a_dead_process_left),
        cmocka_unit_test(agent_whose_device_hangs_from_the_start_measures_all_the_same),
        cmocka_unit_test(agent_stop_is_over_in_time_whatever_the_device_does),
        cmocka_unit_test(agent_stop_at_once_leaves_a_store_that_opens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
