/* Rollouts: what the world knows of each configuration, against what the ladder makes of it. */
#include "sim.h"

#include <inttypes.h>

#define TRIES 3

static bool uses_good(const struct sim *sim)
{
    return sim->site.has_good && sim_site_running(sim) == sim->site.good;
}

void sim_check_rollout_begins(struct sim *sim)
{
    struct sim_check *check = &sim->check;
    check->mended = check->heard = check->good_failed = check->good_heard = false;
    check->text = check->refused = 0;
    check->told_us = USEC_NEVER;
    check->tries = 0;
    check->silent_us = 0;
    for (unsigned i = 0; i < ROLLOUT_REASONS; i++) {
        check->rollbacks[i] = 0;
        check->rollbacks_seen[i] = 0;
    }
}

/* After silence the file is tried again only when the good one was silent as well, until now. */
static void check_retry(struct sim *sim)
{
    const struct sim_check *check = &sim->check;
    if (!check->good_failed || !check->good_heard) {
        sim_fail(sim, "only_a_dead_uplink_excuses",
                 "text %u is tried again, pushes of the good one "
                 "%s before",
                 check->text, check->good_heard ? "did not fail" : "got not through");
    }
    if (check->tries >= TRIES) {
        sim_fail(sim, "no_going_round", "text %u is tried for the time %u", check->text,
                 check->tries + 1);
    }
}

static void begin_trial(struct sim *sim, uint32_t text)
{
    struct sim_check *check = &sim->check;
    check->tries = text == check->text ? check->tries : 0;
    check->text = text;
    check->told_us = sim->now_us;
    check->heard = false;
    check->silent_us = 0;
}

void sim_check_told_text(struct sim *sim, uint32_t text)
{
    struct sim_check *check = &sim->check;
    if (sim->lives.recovery.rollout.life_good) {
        check->good_failed = check->good_failed && !check->good_heard;
        return;
    }
    if (sim->lives.recovery.rollout
            .used) { /* begun with the file's, and left before it could say so */
        return;
    }
    if (text == check->text && check->told_us == USEC_NEVER && check->tries > 0) {
        check_retry(sim);
    }
    if (text != check->text || check->told_us == USEC_NEVER) {
        begin_trial(sim, text);
    }
}

void sim_check_mended(struct sim *sim)
{
    struct sim_check *check = &sim->check;
    check->mended = sim->lives.process != SIM_PROCESS_NONE;
    check->text = check->refused = 0;
    check->tries = 0;
    if (!check->mended) {
        sim_check_begins_anew(sim);
    }
}

void sim_check_pushed(struct sim *sim, bool accepted)
{
    struct sim_check *check = &sim->check;
    if (sim->lives.recovery.rollout.life_good) {
        check->good_failed = check->good_failed || (!accepted && !check->good_heard);
        check->good_heard = check->good_heard || accepted;
    } else if (accepted && sim->site.texts[sim_site_running(sim)] == check->text) {
        check->heard = true;
    }
}

void sim_check_refused(struct sim *sim)
{
    sim->check.refused = sim->site.texts[sim_site_running(sim)];
}

void sim_check_text_begins(struct sim *sim)
{
    if (sim->site.has_good && sim->site.texts[sim_site_running(sim)] == sim->check.refused) {
        sim_fail(sim, "what_cannot_start_is_left", "text %u is started again", sim->check.refused);
    }
}

void sim_check_keeps(struct sim *sim)
{
    enum sim_nature nature = sim_site_nature(sim);
    if (nature != SIM_CONFIG_WELL || !sim->check.heard) {
        sim_fail(sim, "only_what_pushes_and_runs_is_good", "kind %u is kept, and %s", nature,
                 sim->check.heard ? "pushes" : "no push of it was accepted");
    }
}

/* It is left for its silence. */
static void check_left(struct sim *sim)
{
    struct sim_check *check = &sim->check;
    usec_t rollback_us = sim->site.settings.rollback_us;
    if (check->heard || !sim->site.has_good || rollback_us == 0 || check->told_us == USEC_NEVER ||
        sim->now_us - check->told_us < rollback_us) {
        sim_fail(sim, "only_silence_is_left", "text %u is left after %" PRId64 " s, %s",
                 check->text, (sim->now_us - check->told_us) / USEC_PER_SEC,
                 check->heard ? "and a push of it was accepted" : "which is too early");
    }
    check->tries++;
    check->told_us = USEC_NEVER;
    check->good_failed = check->good_heard = false;
}

/* What has proved itself is kept in the turn in which it did. */
static void check_kept(struct sim *sim)
{
    const struct sim_check *check = &sim->check;
    const struct sim_lives *lives = &sim->lives;
    usec_t since_us = usec_max(check->phase_us, check->born_us);
    bool runs = lives->process == SIM_PROCESS_RUNS && lives->running &&
                lives->recovery.life == LIFE_RUNNING && !lives->asked_to_leave;
    bool well = runs && check->phase == RECOVERY_NORMAL && check->suspended == 0 &&
                sim->now_us - since_us > sim->site.settings.safe_us + check->gap_us;
    bool told = sim->site.texts[sim_site_running(sim)] == check->text;
    if (well && told && check->heard && !check->mended && !uses_good(sim)) {
        sim_fail(sim, "what_proved_itself_is_kept", "text %u runs well and pushes", check->text);
    }
}

/* Time in which a silent configuration is what runs, although there is a better one. */
static void check_silence(struct sim *sim)
{
    struct sim_check *check = &sim->check;
    const struct sim_lives *lives = &sim->lives;
    usec_t rollback_us = sim->site.settings.rollback_us;
    bool silent = sim_site_nature(sim) == SIM_CONFIG_SILENT && !uses_good(sim) &&
                  sim->site.has_good && rollback_us > 0;
    bool counts = silent && lives->process == SIM_PROCESS_RUNS && !lives->asked_to_leave &&
                  !lives->stopping && check->aborted_us == 0 && check->stop_us == 0 &&
                  check->phase != RECOVERY_RESETTING;
    usec_t most_us = 2 * recovery_look_us(&lives->recovery);
    if (!silent) {
        check->silent_us = 0;
    } else if (counts) {
        check->silent_us += usec_min(check->gap_us, most_us);
    }
    if (counts && check->silent_us > rollback_us + most_us + USEC_PER_SEC) {
        sim_fail(sim, "a_silent_configuration_is_left", "it runs for %" PRId64 " s",
                 check->silent_us / USEC_PER_SEC);
    }
}

void sim_check_rollout(struct sim *sim)
{
    struct sim_check *check = &sim->check;
    const struct mandate *mandate = &sim->lives.vitals.mandate;
    for (unsigned i = 0; i < ROLLOUT_REASONS; i++) {
        uint32_t count = atomic_load(&mandate->rollbacks[i]);
        if (count != check->rollbacks[i]) {
            sim_trace(sim, SIM_ROLL_BACK, i, count, rollout_reason_name((enum rollout_reason)i));
            check->rollbacks_seen[i] += count - check->rollbacks[i];
            check->rolled_back += count - check->rollbacks[i];
            check->rollbacks[i] = count;
            if (i == ROLLOUT_SILENCE) {
                check_left(sim);
            }
        }
    }
    check_silence(sim);
    check_kept(sim);
}
