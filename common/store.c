/* The turn: what is in flight goes on when the device has answered, and when nothing is, the most
 * urgent thing is begun. Records never wait for any of it. */
#include "store.h"

#include <assert.h>
#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#include "buffer.h"
#include "store_parts.h"
#include "store_plan.h"

/* A device that answers at once does not keep the turn for ever. */
#define OPERATIONS_PER_TURN 64
#define RETRY_MIN_US        (10 * USEC_PER_SEC)
#define RETRY_MAX_US        (10 * USEC_PER_MINUTE)

static const char *const state_names[] = {
    [STORE_OPENING] = "opening", [STORE_DURABLE] = "durable", [STORE_MEMORY] = "memory"};

static const char *const trouble_names[STORE_TROUBLE_COUNT] = {
    [STORE_FINE] = "fine",           [STORE_OFF] = "off",
    [STORE_NO_SPACE] = "no_space",   [STORE_IO] = "io",
    [STORE_READ_ONLY] = "read_only", [STORE_DENIED] = "denied",
    [STORE_IN_USE] = "in_use",       [STORE_HUNG] = "hung",
    [STORE_NEWER] = "newer",         [STORE_MAKING] = "making",
    [STORE_OTHER] = "other",         [STORE_TOO_SMALL] = "too_small",
};

const char *store_state_name(enum store_state state)
{
    return state_names[state];
}

const char *store_trouble_name(enum store_trouble trouble)
{
    return trouble_names[trouble];
}

enum store_trouble store_trouble_of(enum block_error error)
{
    static const enum store_trouble troubles[BLOCK_ERROR_COUNT] = {
        [BLOCK_OK] = STORE_FINE,
        [BLOCK_MISSING] = STORE_DENIED,
        [BLOCK_NO_SPACE] = STORE_NO_SPACE,
        [BLOCK_IO] = STORE_IO,
        [BLOCK_READ_ONLY] = STORE_READ_ONLY,
        [BLOCK_DENIED] = STORE_DENIED,
        [BLOCK_IN_USE] = STORE_IN_USE,
    };
    return troubles[error];
}

uint64_t store_random(struct store *store)
{
    uint64_t number = prng_next(&store->prng);
    return number != 0 ? number : 1;
}

void store_init(struct store *store, const struct config *config, const struct logger *logger,
                const struct store_settings *settings, usec_t now_us)
{
    memset(store, 0, offsetof(struct store, coder));
    store->config = config;
    store->logger = logger;
    store->settings = *settings;
    store->tail = settings->tail;
    store->prng.state = settings->entropy;
    store->now_us = now_us;
    store->wall_offset_ms = BLOCK_WALL_UNKNOWN;
    store->frozen.head.seq = 0;
    store->retry_us = USEC_NEVER;
    store->retry_delay_us = RETRY_MIN_US;
    store->scan.slot_count = 0;
    store->numbers.oldest_seq = 1;
    store->numbers.commit_duration_us = -1;
    store->numbers.uncommitted_since_us = USEC_NEVER;
    store->since_next_us = USEC_NEVER;
    if (settings->block_count == 0) {
        store_degrade(store, STORE_OFF, "", now_us);
    } else {
        store_open_begin(store, now_us);
    }
}

/* Publishing. */

const struct ledger *store_ledger(const struct store *store)
{
    return &store->ledger;
}

const struct ledger_totals *store_published(struct store *store)
{
    if (!store->epoch_on_device) {
        ledger_totals_copy(&store->published, &store->ledger.totals);
    }
    return &store->published;
}

/* A little early, so that the commit is over when `commit` is. */
static usec_t commit_due(const struct store *store)
{
    usec_t commit_us = store->settings.commit_us;
    return usec_add(store->numbers.uncommitted_since_us, commit_us - commit_us / 100);
}

bool store_freshen(struct store *store, usec_t now_us)
{
    if (store->state != STORE_DURABLE) {
        return false;
    }
    if (store->job == JOB_IDLE && store_is_dirty(store) &&
        commit_due(store) - now_us <= store->settings.commit_us / 10) {
        store_commit_begin(store, now_us);
    }
    return store->committing;
}

/* States. */

static bool is_opened(const struct store *store)
{
    return store->state != STORE_OPENING;
}

bool store_opened(const struct store *store)
{
    return is_opened(store);
}

static void log_trouble(const struct store *store, enum store_trouble trouble, const char *note)
{
    if (trouble == store->trouble && is_opened(store)) {
        return;
    }
    if (trouble != STORE_OFF) {
        logger_printf(store->logger, LOG_LEVEL_ERROR,
                      "store: in memory (%s%s%s): what is measured now is told under a new epoch, "
                      "and a power cut would lose it",
                      store_trouble_name(trouble), note[0] != '\0' ? ": " : "", note);
    }
}

static void begin_run(struct store *store)
{
    struct record record = {
        .sort = RECORD_RUN, .boot = store->settings.boot, .at_us = store->now_us};
    store_append(store, &record);
    store->wall_offset_ms = BLOCK_WALL_UNKNOWN;
}

static void set_state(struct store *store, enum store_state state)
{
    bool first = !is_opened(store);
    assert(state != STORE_OPENING);
    store->state = state;
    if (first) {
        begin_run(store);
    }
}

/* What was told stays told: what nobody was told yet counts on from 0 under a new name. */
static void leave_epoch(struct store *store)
{
    if (store->epoch_on_device) {
        ledger_restart(&store->ledger, store_random(store), &store->published);
        store->epoch_on_device = false;
        store->checkpoint_owed = true;
        (void)store_checkpoint(store, &store->ledger.totals, false);
    }
    store->leaving = false;
    store->tail->detached = 1;
}

/* The epoch goes on as it is when the device is back before its last totals were pushed. Nobody
 * would hear of them when nothing is pushed; and they must not be told when the device may hold
 * less. */
static void end_epoch(struct store *store)
{
    bool pushes = config_text(store->config, &store->config->push, PUSH_URL, NULL) != NULL;
    if (store->epoch_on_device && store->published_safe && pushes) {
        store->leaving = true;
    } else {
        leave_epoch(store);
    }
}

void store_pushed(struct store *store, uint64_t ordinal)
{
    store->pushed_ordinal = ordinal > store->pushed_ordinal ? ordinal : store->pushed_ordinal;
    if (store->leaving && !store->committing && ordinal >= store->published.ordinal) {
        leave_epoch(store);
    }
}

static void keep_note(struct store *store, const char *note)
{
    struct buffer text;
    buffer_init(&text, store->numbers.note, sizeof store->numbers.note);
    buffer_append_string(&text, note);
    (void)buffer_text(&text);
}

void store_degrade(struct store *store, enum store_trouble trouble, const char *note, usec_t now_us)
{
    log_trouble(store, trouble, note);
    if (!store->has_ledger) {
        store_open_in_memory(store);
    }
    end_epoch(store);
    store->trouble = trouble;
    store->committing = false;
    store->is_making = false;
    store->bad_in_row = 0;
    store->job = trouble == STORE_HUNG ? JOB_LATE : JOB_IDLE;
    store->retry_us =
        trouble == STORE_OFF || trouble == STORE_HUNG ? USEC_NEVER : now_us + store->retry_delay_us;
    store->retry_delay_us = usec_min(2 * store->retry_delay_us, RETRY_MAX_US);
    keep_note(store, note);
    set_state(store, STORE_MEMORY);
}

void store_became_durable(struct store *store)
{
    if (store->state == STORE_MEMORY) {
        logger_printf(store->logger, LOG_LEVEL_INFO, "store: durable again");
    }
    store->trouble = STORE_FINE;
    store->leaving = false;
    store->numbers.note[0] = '\0';
    store->retry_us = USEC_NEVER;
    store->retry_delay_us = RETRY_MIN_US;
    set_state(store, STORE_DURABLE);
}

void store_settle(struct store *store)
{
    store->settling = true;
}

bool store_settled(const struct store *store)
{
    return store->state == STORE_MEMORY ||
           (store->state == STORE_DURABLE && store->job == JOB_IDLE && !store_is_dirty(store));
}

void store_close(struct store *store)
{
    store->closing = true;
}

bool store_closed(const struct store *store)
{
    return store->close_done || store->state == STORE_MEMORY;
}

/* The turn. */

void store_submit(struct store *store, enum store_job job, enum block_op op, uint32_t first,
                  uint32_t count, void *bytes, usec_t now_us)
{
    const struct blockdev *device = &store->settings.device;
    struct block_request request = {
        .op = op, .first = first, .count = count, .bytes = bytes, .set_aside = store->set_aside};
    bool begun = device->submit(device->context, &request);
    assert(begun); /* one job at a time, and it waits for each end */
    store->job = job;
    store->submitted_us = now_us;
}

static void count_error(struct store *store, unsigned counter)
{
    if (is_opened(store) && !store->closing) {
        store_count(store, counter, 1);
    }
}

static void take_reply(struct store *store, const struct block_reply *reply, usec_t now_us)
{
    unsigned job = store->job;
    if (reply->error != BLOCK_OK && job != JOB_OPEN) {
        count_error(store, LEDGER_STORE_ERROR_FIRST + reply->error);
    }
    if (job == JOB_LATE) {
        store->job = JOB_IDLE;
        store->retry_us = now_us;
    } else if (job >= JOB_WRITE_BLOCK) {
        store_commit_reply(store, reply, now_us);
    } else {
        store_open_reply(store, reply, now_us);
    }
}

static usec_t hung_after(const struct store *store)
{
    usec_t making_us =
        store->job == JOB_CREATE ? store->settings.block_count * STORE_MAKE_BLOCK_US : 0;
    return STORE_HUNG_US + making_us;
}

void store_begin_run(struct store *store)
{
    store->commit_now = true;
    store->checkpoint_owed = true;
}

bool store_awaits(const struct store *store, usec_t *since_us, usec_t *limit_us)
{
    *since_us = store->submitted_us;
    *limit_us = hung_after(store);
    return store->job != JOB_IDLE && store->job != JOB_LATE;
}

void store_note_end(struct store *store, const struct run_end *end)
{
    ledger_add_end(&store->ledger, end);
    store->checkpoint_owed = true;
    (void)store_checkpoint(store, &store->ledger.totals, false);
}

/* The totals are known: measuring can begin while the file is still being made. */
static void stop_waiting(struct store *store)
{
    if (!is_opened(store)) {
        store->trouble = STORE_MAKING;
        set_state(store, STORE_MEMORY);
    }
}

/* False while there is nothing to do but wait. */
static bool go_on(struct store *store, usec_t now_us)
{
    const struct blockdev *device = &store->settings.device;
    struct block_reply reply;
    if (device->collect(device->context, &reply)) {
        take_reply(store, &reply, now_us);
        return true;
    }
    if (store->job == JOB_CREATE && now_us - store->submitted_us >= STORE_MAKE_WAIT_US) {
        stop_waiting(store);
    }
    if (store->job != JOB_LATE && now_us - store->submitted_us >= hung_after(store)) {
        store_degrade(store, STORE_HUNG, "an operation does not come to its end", now_us);
        count_error(store, LEDGER_STORE_HUNG);
    }
    return false;
}

static bool checkpoint_is_due(const struct store *store)
{
    unsigned quarter = store->scan.slot_count / 4;
    return store->checkpoint_owed ||
           store->seals >= (quarter < STORE_CHECKPOINT_SEALS ? quarter : STORE_CHECKPOINT_SEALS);
}

static bool begin_next(struct store *store, usec_t now_us)
{
    if (store->state == STORE_MEMORY) {
        if (store->retry_us > now_us || store->closing) {
            return false;
        }
        store->retry_us = USEC_NEVER;
        store_open_begin(store, now_us);
        return true;
    }
    bool now = store->commit_now || store->settling || store->closing;
    if (store_is_dirty(store) && (now || commit_due(store) <= now_us)) {
        store_commit_begin(store, now_us);
    } else if (checkpoint_is_due(store) || (store->closing && !store->close_done)) {
        store_checkpoint_begin(store, &store->published, store->closing, now_us);
    } else {
        return false;
    }
    return true;
}

static usec_t wake(const struct store *store)
{
    if (store->job == JOB_LATE) {
        return USEC_NEVER;
    }
    if (store->job != JOB_IDLE) {
        bool waits = store->job == JOB_CREATE && !is_opened(store);
        return store->submitted_us + (waits ? STORE_MAKE_WAIT_US : hung_after(store));
    }
    return store->state == STORE_MEMORY ? store->retry_us : commit_due(store);
}

usec_t store_step(struct store *store, usec_t now_us)
{
    store->now_us = now_us;
    for (unsigned i = 0; i < OPERATIONS_PER_TURN; i++) {
        bool more = store->job != JOB_IDLE ? go_on(store, now_us) : begin_next(store, now_us);
        if (!more) {
            return wake(store);
        }
    }
    return now_us;
}
