#include "rollout.h"

#include <inttypes.h>

const char *rollout_reason_name(enum rollout_reason reason)
{
    static const char *const names[ROLLOUT_REASONS] = {
        [ROLLOUT_START] = "start", [ROLLOUT_SILENCE] = "silence", [ROLLOUT_CRASHES] = "crashes"};
    return names[reason];
}

const char *rollout_reason_text(enum rollout_reason reason)
{
    static const char *const texts[ROLLOUT_REASONS] = {
        [ROLLOUT_START] = "cannot start",
        [ROLLOUT_SILENCE] = "got no push through",
        [ROLLOUT_CRASHES] = "kept ending",
    };
    return texts[reason];
}

/* What was found out about the file is void. */
static void begin_trial(struct rollout *rollout)
{
    rollout->heard = rollout->failed_too = rollout->settled = rollout->announced = false;
    rollout->since_us = USEC_NEVER;
}

void rollout_init(struct rollout *rollout, const struct logger *logger)
{
    *rollout = (struct rollout){.logger = logger};
    begin_trial(rollout);
}

void rollout_found(struct rollout *rollout, bool pushes)
{
    rollout->known = true;
    rollout->known_pushes = pushes;
}

void rollout_born(struct rollout *rollout)
{
    rollout->life_good = rollout->used;
    rollout->told = false;
}

bool rollout_runs_good(const struct rollout *rollout)
{
    return rollout->known && (rollout->life_good || (rollout->told && rollout->runs.same));
}

/* Whether silence would be a reason to leave it. */
static bool is_on_trial(const struct rollout *rollout)
{
    return rollout->known && rollout->known_pushes && !rollout->used && !rollout->heard &&
           !rollout->runs.same && rollout->runs.silence_us > 0;
}

void rollout_told(struct rollout *rollout, const struct rollout_runs *runs, usec_t now_us)
{
    if (rollout->life_good) {
        return;
    }
    if (runs->text != rollout->runs.text) {
        begin_trial(rollout);
        rollout->tries = 0;
    }
    rollout->runs = *runs;
    rollout->told = true;
    if (rollout->since_us == USEC_NEVER) {
        rollout->since_us = now_us;
    }
}

static void leave_file(struct rollout *rollout, enum rollout_reason reason)
{
    rollout->used = true;
    rollout->reason = reason;
    rollout->counts[reason]++;
    rollout->failed_too = rollout->settled = false;
    logger_printf(rollout->logger, LOG_LEVEL_ERROR,
                  "the file's configuration %s: the last known good one runs instead",
                  rollout_reason_text(reason));
}

void rollout_refused(struct rollout *rollout)
{
    if (rollout->known && !rollout->used) {
        leave_file(rollout, ROLLOUT_START);
    }
}

void rollout_crashed(struct rollout *rollout)
{
    if (rollout->known && !rollout->used && !rollout_runs_good(rollout)) {
        leave_file(rollout, ROLLOUT_CRASHES);
    }
}

void rollout_mended(struct rollout *rollout)
{
    begin_trial(rollout);
    rollout->used = rollout->told = false; /* the life there is runs what was */
    rollout->tries = 0;
}

/* What the pushes of the good one say of the other's silence. True: that is tried again. */
static bool judge_silence(struct rollout *rollout, const struct rollout_pushes *pushes)
{
    if (!rollout->life_good || rollout->reason != ROLLOUT_SILENCE || rollout->settled) {
        return false;
    }
    rollout->failed_too = rollout->failed_too || pushes->failed > 0;
    if (pushes->accepted == 0) {
        return false;
    }
    if (rollout->failed_too && rollout->tries < ROLLOUT_TRIES) {
        rollout->used = false;
        begin_trial(rollout);
        logger_printf(rollout->logger, LOG_LEVEL_WARNING,
                      "no push got through with the last known good configuration either, until "
                      "now: the file's is tried again");
        return true;
    }
    rollout->settled = true;
    logger_printf(rollout->logger, LOG_LEVEL_ERROR,
                  "pushes get through with the last known good configuration: the file's stays out "
                  "until somebody mends it");
    return false;
}

static void announce(struct rollout *rollout)
{
    if (!rollout->announced) {
        rollout->announced = true;
        logger_printf(rollout->logger, LOG_LEVEL_INFO,
                      "this configuration is new: when no push of it is accepted within %" PRId64
                      " s, the last known good one comes back",
                      rollout->runs.silence_us / USEC_PER_SEC);
    }
}

bool rollout_step(struct rollout *rollout, const struct rollout_pushes *pushes, usec_t now_us)
{
    if (rollout->used) {
        return judge_silence(rollout, pushes);
    }
    rollout->heard = rollout->heard || (rollout->told && pushes->accepted > 0);
    if (!is_on_trial(rollout) || rollout->since_us == USEC_NEVER) {
        return false;
    }
    announce(rollout);
    if (now_us - rollout->since_us < rollout->runs.silence_us) {
        return false;
    }
    rollout->tries++;
    leave_file(rollout, ROLLOUT_SILENCE);
    return true;
}

void rollout_forgive(struct rollout *rollout, usec_t absent_us)
{
    if (rollout->since_us != USEC_NEVER) {
        rollout->since_us += absent_us;
    }
}

bool rollout_may_keep(const struct rollout *rollout)
{
    const struct rollout_runs *runs = &rollout->runs;
    bool owes_a_push = runs->pushes || (rollout->known_pushes && runs->silence_us > 0);
    return rollout->told && !rollout->used && !rollout_runs_good(rollout) && runs->keepable &&
           (rollout->heard || !owes_a_push);
}

void rollout_kept(struct rollout *rollout)
{
    rollout->known = true;
    rollout->known_pushes = rollout->runs.pushes;
    rollout->runs.same = true;
}
