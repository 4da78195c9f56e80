#include "sim_lives.h"

#include <string.h>

#include "sim.h"
#include "sim_tend.h"

#define RESTART_US (1 * USEC_PER_SEC)

static usec_t draw(struct sim *sim, usec_t below_us)
{
    return (usec_t)prng_below(&sim->lives.prng, (uint64_t)below_us);
}

static bool one_in(struct sim *sim, unsigned count)
{
    return prng_below(&sim->lives.prng, count) == 0;
}

static void log_line(void *context, enum log_level level, const char *text)
{
    (void)level;
    sim_trace_log(context, "log", text);
}

void sim_lives_init(struct sim *sim)
{
    sim->lives.logger = (struct logger){sim, log_line};
    sim->lives.begin_us = USEC_NEVER;
    sim->lives.dies_us = sim->lives.killed_at_us = USEC_NEVER;
}

void sim_lives_begin(struct sim *sim, usec_t at_us)
{
    sim->lives.begin_us = at_us;
}

static void supervisor_begins(struct sim *sim)
{
    struct sim_lives *lives = &sim->lives;
    sim_trace(sim, SIM_SUPERVISOR, 0, 0, NULL);
    lives->supervisor = SIM_SUPERVISOR_RUNS;
    lives->begin_us = USEC_NEVER;
    lives->turn_us = sim->now_us;
    lives->stopping = lives->service_watched = false;
    lives->born = 0;
    lives->configured = false;
    lives->before = (struct run_end){.task = VITAL_NONE};
    lives->action_ends_us = USEC_NEVER;
    memset(&lives->vitals, 0, sizeof lives->vitals);
    memset(&lives->tail, 0, sizeof lives->tail);
    recovery_init(&lives->recovery, &lives->vitals, &lives->logger, sim_now(sim));
    if (sim->site.settings.owner == WATCHDOG_OWNER_DEVICE && sim->board.running) {
        recovery_found_running(&lives->recovery);
    }
    sim->site.has_good = sim->site.has_good && sim->site.keeps;
    if (sim->site.has_good) {
        recovery_found_good(&lives->recovery, true);
    }
    sim_site_use(sim, false);
    sim_check_supervisor_begins(sim);
}

static void supervisor_gone(struct sim *sim, usec_t again_us)
{
    struct sim_lives *lives = &sim->lives;
    sim_process_gone(sim);
    lives->process = SIM_PROCESS_NONE;
    lives->supervisor = SIM_SUPERVISOR_DEAD;
    lives->service_watched = false;
    lives->begin_us = again_us;
    sim_trace(sim, SIM_SUPERVISOR_GONE, again_us, 0, NULL);
    sim_check_supervisor_ends(sim);
}

static void supervisor_leaves(struct sim *sim)
{
    struct watchdog watchdog = sim_board_watchdog(sim);
    if (sim->lives.recovery.armed && sim->site.settings.owner == WATCHDOG_OWNER_DEVICE) {
        (void)watchdog.stop(watchdog.context);
    }
    supervisor_gone(sim, sim->now_us + sim->lives.pause_us);
}

/* The configuration cannot run. The first life says so at once when nothing is known to be good:
 * init starts the pair again. False: that is the end. */
static bool refused_goes_on(struct sim *sim)
{
    struct sim_lives *lives = &sim->lives;
    if (lives->born == 1 && !sim->site.has_good) {
        lives->pause_us = RESTART_US;
        sim_check_blocked(sim, sim->now_us); /* nobody could feed a watchdog until now */
        supervisor_leaves(sim);
        return false;
    }
    recovery_file_refused(&lives->recovery);
    sim_check_refused(sim);
    return true;
}

/* The process has ended: what the ladder makes of it. True: so does the supervisor. */
static bool reap(struct sim *sim)
{
    struct sim_lives *lives = &sim->lives;
    struct run_end end = lives->status;
    if (end.cause == CAUSE_STOP && !lives->asked_to_leave) {
        end.cause = CAUSE_CRASH;
    }
    lives->process = SIM_PROCESS_NONE;
    if (end.cause == CAUSE_NONE && !refused_goes_on(sim)) {
        return true;
    }
    struct run_end why = recovery_gone(&lives->recovery, &end, sim_now(sim));
    if (why.cause != CAUSE_NONE) {
        lives->before = why;
    }
    sim_trace(sim, SIM_ENDED, why.cause, why.task, cause_name(why.cause));
    sim_check_end(sim, &why);
    if (lives->stopping) {
        supervisor_leaves(sim);
    }
    return lives->stopping;
}

static void give_signal(struct sim *sim, enum recovery_kill kill)
{
    struct sim_lives *lives = &sim->lives;
    switch (kill) {
    case RECOVERY_SPARE:
        return;
    case RECOVERY_LEAVE:
        sim_process_ask_to_leave(sim, CAUSE_RELOAD);
        break;
    case RECOVERY_STOP:
        sim_process_ask_to_leave(sim, CAUSE_STOP);
        break;
    case RECOVERY_ABORT:
        if (!lives->deaf && !lives->in_kernel) {
            lives->dies_us = sim->now_us + 1000 + draw(sim, 200 * USEC_PER_MSEC);
        }
        break;
    case RECOVERY_KILL:
        if (!lives->in_kernel) {
            lives->dies_us = sim->now_us + 1000 + draw(sim, 10 * USEC_PER_MSEC);
        }
        break;
    }
    sim_trace(sim, SIM_STOP + (enum sim_event)(kill - RECOVERY_STOP), 0, 0, NULL);
}

static void start_life(struct sim *sim, bool use_good)
{
    struct sim_lives *lives = &sim->lives;
    if (sim_faults_refuse_birth(sim)) {
        recovery_not_born(&lives->recovery, sim_now(sim));
        sim_check_not_born(sim);
        return;
    }
    sim_site_use(sim, use_good);
    sim_check_text_begins(sim);
    if (use_good) {
        sim_faults_begin_good(sim);
    }
    vitals_begin(&lives->vitals, RECOVERY_START_US);
    recovery_born(&lives->recovery, sim_now(sim));
    lives->born++;
    sim_process_begins(sim);
    sim_trace(sim, SIM_BORN, (int64_t)lives->born, use_good, NULL);
    sim_check_born(sim);
}

static void step_supervisor(struct sim *sim)
{
    struct sim_lives *lives = &sim->lives;
    if (lives->process == SIM_PROCESS_ENDED && reap(sim)) {
        return;
    }
    if (lives->stopping && lives->process == SIM_PROCESS_NONE) {
        supervisor_leaves(sim);
        return;
    }
    struct recovery_usage usage = sim_process_usage(sim);
    sim_check_before_turn(sim);
    struct recovery_orders orders = recovery_step(&lives->recovery, &usage, sim_now(sim));
    sim_check_orders(sim, &orders);
    give_signal(sim, orders.kill);
    if (orders.start) {
        start_life(sim, orders.use_good);
    }
    if (orders.keep_good) {
        sim_check_keeps(sim);
        sim_site_keep(sim);
        sim_trace(sim, SIM_KEEP_GOOD, sim->site.good, 0, NULL);
    }
    sim_tend_watchdog(sim, &orders);
    sim_tend_actions(sim);
    lives->turn_us = sim_at(sim, orders.wake_us) + (one_in(sim, 100) ? draw(sim, 20000) : 0);
    sim_check_after_turn(sim);
}

static usec_t supervisor_wake(const struct sim *sim)
{
    const struct sim_lives *lives = &sim->lives;
    switch (lives->supervisor) {
    case SIM_SUPERVISOR_DEAD:
        return lives->begin_us;
    case SIM_SUPERVISOR_FROZEN:
        return lives->service_watched ? usec_min(lives->thaw_us, lives->service_expires_us)
                                      : lives->thaw_us;
    case SIM_SUPERVISOR_RUNS:
        break;
    }
    return lives->service_watched ? usec_min(lives->turn_us, lives->service_expires_us)
                                  : lives->turn_us;
}

usec_t sim_lives_wake(const struct sim *sim)
{
    if (sim->board.state != SIM_BOARD_UP) {
        return USEC_NEVER;
    }
    usec_t wake_us = supervisor_wake(sim);
    bool runs = sim->lives.supervisor == SIM_SUPERVISOR_RUNS;
    return runs ? usec_min(wake_us, sim_process_wake(sim)) : wake_us;
}

static void thaw(struct sim *sim)
{
    sim->lives.supervisor = SIM_SUPERVISOR_RUNS;
    sim->lives.turn_us = sim->now_us + draw(sim, 2000);
    sim->lives.lag_us += draw(sim, 2000);
    sim_check_thaw(sim);
}

void sim_lives_step(struct sim *sim)
{
    struct sim_lives *lives = &sim->lives;
    if (sim->board.state != SIM_BOARD_UP) {
        return;
    }
    if (lives->supervisor == SIM_SUPERVISOR_RUNS && sim_process_wake(sim) <= sim->now_us) {
        sim_process_step(sim);
    }
    if (sim->failure.failed || supervisor_wake(sim) > sim->now_us) {
        return;
    }
    if (lives->supervisor == SIM_SUPERVISOR_DEAD) {
        supervisor_begins(sim);
    } else if (lives->service_watched && sim->now_us >= lives->service_expires_us) {
        sim_check_service_ends(sim);
        supervisor_gone(sim, sim->now_us + RESTART_US);
    } else if (lives->supervisor == SIM_SUPERVISOR_FROZEN) {
        thaw(sim);
    } else {
        step_supervisor(sim);
    }
}

void sim_lives_lose_all(struct sim *sim)
{
    struct sim_lives *lives = &sim->lives;
    sim_process_gone(sim);
    lives->process = SIM_PROCESS_NONE;
    lives->supervisor = SIM_SUPERVISOR_DEAD;
    lives->service_watched = false;
    lives->begin_us = USEC_NEVER;
}

/* Faults. */

void sim_lives_kill_supervisor(struct sim *sim)
{
    if (sim->lives.supervisor != SIM_SUPERVISOR_DEAD) {
        if (sim->site.settings.owner == WATCHDOG_OWNER_DEVICE) {
            sim_board_close_watchdog(sim);
        }
        supervisor_gone(sim, sim->now_us + RESTART_US);
    }
}

void sim_lives_freeze(struct sim *sim, usec_t until_us)
{
    if (sim->lives.supervisor == SIM_SUPERVISOR_RUNS) {
        sim->lives.supervisor = SIM_SUPERVISOR_FROZEN;
        sim->lives.thaw_us = until_us;
    }
}

void sim_lives_restart(struct sim *sim, usec_t pause_us)
{
    struct sim_lives *lives = &sim->lives;
    if (lives->supervisor != SIM_SUPERVISOR_RUNS || lives->stopping) {
        return;
    }
    lives->stopping = true;
    lives->pause_us = pause_us;
    recovery_stop(&lives->recovery, sim->now_us);
    if (sim_process_alive(sim)) {
        sim_process_ask_to_leave(sim, CAUSE_STOP);
        sim->check.stop_us = sim->now_us;
    }
    lives->turn_us = sim->now_us;
}
