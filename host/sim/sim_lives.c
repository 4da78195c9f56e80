#include "sim_lives.h"

#include <string.h>

#include "sim.h"
#include "store_plan.h"

#define RESTART_US    (1 * USEC_PER_SEC)
#define LEAVE_US      (10 * USEC_PER_SEC)
#define STEPS_AT_ONCE 400
#define MEMORY_USUAL  (12 * INT64_C(1048576))
#define FILES_USUAL   24

static usec_t draw(struct sim *sim, usec_t below_us)
{
    return (usec_t)prng_below(&sim->lives.prng, (uint64_t)below_us);
}

static bool one_in(struct sim *sim, unsigned count)
{
    return prng_below(&sim->lives.prng, count) == 0;
}

bool sim_lives_alive(const struct sim *sim)
{
    enum sim_process process = sim->lives.process;
    return process == SIM_PROCESS_STARTS || process == SIM_PROCESS_RUNS;
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

/* The process. */

static void process_gone(struct sim *sim)
{
    struct sim_lives *lives = &sim->lives;
    if (sim_lives_alive(sim)) {
        sim_check_life_ends(sim);
    }
    lives->dies_us = lives->killed_at_us = USEC_NEVER;
    lives->running = false;
    lives->crash_in = 0;
    sim_net_abandon(sim);
    sim_push_abandon(&sim->push);
    sim_disk_abandon(&sim->disk);
}

/* It has ended, and its parent is told. */
static void process_ends(struct sim *sim, enum cause cause, unsigned signal)
{
    struct sim_lives *lives = &sim->lives;
    process_gone(sim);
    lives->process = SIM_PROCESS_ENDED;
    lives->status = (struct run_end){.cause = cause, .signal = (uint8_t)signal, .task = VITAL_NONE};
    lives->turn_us = usec_min(lives->turn_us, sim->now_us + draw(sim, 5000));
}

static void process_begins(struct sim *sim)
{
    struct sim_lives *lives = &sim->lives;
    lives->process = SIM_PROCESS_STARTS;
    lives->ready_us = sim->now_us + (50 + draw(sim, 450)) * USEC_PER_MSEC;
    lives->never_ready = sim_faults_strike_start(sim);
    lives->lag_us = 0;
    lives->blocked_until_us = 0;
    lives->deaf = lives->in_kernel = false;
    lives->asked_to_leave = false;
    lives->leave = CAUSE_NONE;
    lives->explained = 0;
    lives->leaks_us = 0;
    lives->running = false;
    lives->crash_in = 0;
    sim_faults_begin_life(sim);
    if (lives->never_ready) {
        sim_lives_explain(sim, CAUSE_HANG);
    }
}

static void begin_agent(struct sim *sim)
{
    struct sim_lives *lives = &sim->lives;
    const struct config *config = sim->site.config;
    struct store_plan plan;
    store_plan_make(config, &plan);
    struct agent_ports ports = {
        .clock = sim_board_clock(sim),
        .prober = sim_net_port(sim),
        .upstream = sim_push_port(sim),
        .logger = lives->logger,
        .store = {.device = sim_disk_port(sim),
                  .block_count = sim->site.has_store ? plan.block_count : 0,
                  .commit_us = config_number(config, &config->agent, AGENT_COMMIT),
                  .boot = sim->board.boots,
                  .entropy = prng_next(&lives->prng),
                  .tail = &lives->tail},
        .vitals = &lives->vitals,
        .start = {.watched = lives->born > 1,
                  .before = lives->before,
                  .has_supervisor = true,
                  .board = sim_board_word(sim)},
    };
    recovery_configure(&lives->recovery, &sim->site.settings);
    sim_site_tell(sim);
    lives->configured = true;
    memset(&lives->agent, 0xa5, offsetof(struct agent, store.coder));
    agent_init(&lives->agent, config, &ports, lives->body, sizeof lives->body, sim_now(sim));
    lives->process = SIM_PROCESS_RUNS;
    lives->step_us = sim->now_us;
    lives->stepped_us = sim->now_us;
}

/* A turn that ends in a crash of the process returns false. */
static bool turn_agent(struct sim *sim)
{
    struct sim_lives *lives = &sim->lives;
    if (setjmp(lives->crashed) != 0) {
        return false;
    }
    usec_t wake_us = agent_step(&lives->agent, sim_now(sim));
    lives->step_us = sim_at(sim, wake_us);
    return true;
}

/* A loop that is asked again and again at one moment does nothing else any more. */
static void count_steps(struct sim *sim)
{
    struct sim_lives *lives = &sim->lives;
    lives->steps_at_once = sim->now_us == lives->stepped_us ? lives->steps_at_once + 1 : 0;
    lives->stepped_us = sim->now_us;
    if (lives->steps_at_once > STEPS_AT_ONCE) {
        sim_fail(sim, "loop_rests", "%u turns and time does not move", lives->steps_at_once);
    }
}

static void step_agent(struct sim *sim)
{
    struct sim_lives *lives = &sim->lives;
    if (lives->leave != CAUSE_NONE) {
        agent_stop(&lives->agent, lives->leave, sim_now(sim) + LEAVE_US);
        lives->leave = CAUSE_NONE;
    }
    if (lives->lag_us > 0) {
        agent_loop_lag(&lives->agent, lives->lag_us);
    }
    count_steps(sim);
    lives->lag_us = one_in(sim, 50) ? draw(sim, 60 * USEC_PER_MSEC) : 0;
    if (!turn_agent(sim)) {
        sim_lives_explain(sim, CAUSE_CRASH);
        lives->crashing = true;
        process_ends(sim, CAUSE_CRASH, 11);
        lives->crashing = false;
        return;
    }
    if (!lives->running && lives->agent.state >= AGENT_RUNNING &&
        lives->agent.state < AGENT_STOPPED) {
        lives->running = true;
        lives->running_us = sim->now_us;
        sim_check_life_runs(sim);
        if (sim_site_nature(sim) == SIM_CONFIG_KILLS) {
            sim_lives_be_killed(sim, SIM_KILLER_CRASHES,
                                sim->now_us + 1 + draw(sim, 20 * USEC_PER_SEC), 0);
        }
    }
    sim_check_agent(sim);
    if (agent_stopped(&lives->agent)) {
        process_ends(sim, lives->agent.leaving == CAUSE_RELOAD ? CAUSE_RELOAD : CAUSE_STOP, 0);
    }
}

/* A killer strikes, a signal arrives, the configuration is read, or the loop turns. */
static void step_process(struct sim *sim)
{
    struct sim_lives *lives = &sim->lives;
    if (sim->now_us >= lives->dies_us) {
        process_ends(sim, CAUSE_CRASH, lives->recovery.life == LIFE_KILLED ? 9 : 6);
    } else if (sim->now_us >= lives->killed_at_us) {
        lives->killed_at_us = USEC_NEVER;
        if (lives->killed_by == SIM_KILLER_CRASHES) {
            sim_lives_crash(sim);
        } else {
            sim_lives_block(sim, USEC_NEVER);
        }
    } else if (lives->process == SIM_PROCESS_STARTS && sim_site_nature(sim) == SIM_CONFIG_UNFIT) {
        sim_site_tell(sim);
        sim_lives_explain(sim, CAUSE_NONE);
        process_ends(sim, CAUSE_NONE, 0);
    } else if (lives->process == SIM_PROCESS_STARTS) {
        begin_agent(sim);
        step_agent(sim);
    } else {
        step_agent(sim);
    }
}

static usec_t process_wake(const struct sim *sim)
{
    const struct sim_lives *lives = &sim->lives;
    if (!sim_lives_alive(sim)) {
        return USEC_NEVER;
    }
    usec_t wake_us = usec_min(lives->dies_us, lives->killed_at_us);
    if (lives->process == SIM_PROCESS_STARTS) {
        return lives->never_ready ? wake_us : usec_min(wake_us, lives->ready_us);
    }
    usec_t due_us = usec_min(lives->step_us, sim_net_wake(sim));
    due_us = usec_min(due_us, sim_disk_wake(&sim->disk));
    due_us = usec_min(due_us, sim_push_wake(&sim->push));
    due_us = usec_max(usec_max(due_us, lives->stepped_us), lives->blocked_until_us);
    return usec_min(wake_us, usec_add(due_us, due_us == USEC_NEVER ? 0 : lives->lag_us));
}

/* The supervisor. */

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
    process_gone(sim);
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

void sim_lives_ask_to_leave(struct sim *sim, enum cause cause)
{
    struct sim_lives *lives = &sim->lives;
    lives->leave = cause;
    lives->asked_to_leave = true;
    lives->step_us = sim->now_us;
    sim_lives_explain(sim, cause);
}

static void give_signal(struct sim *sim, enum recovery_kill kill)
{
    struct sim_lives *lives = &sim->lives;
    switch (kill) {
    case RECOVERY_SPARE:
        return;
    case RECOVERY_LEAVE:
        sim_lives_ask_to_leave(sim, CAUSE_RELOAD);
        break;
    case RECOVERY_STOP:
        sim_lives_ask_to_leave(sim, CAUSE_STOP);
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
    process_begins(sim);
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
    struct recovery_usage usage = sim_lives_usage(sim);
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
    sim_lives_tend_watchdog(sim, &orders);
    sim_lives_tend_actions(sim);
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

/* Both. */

usec_t sim_lives_wake(const struct sim *sim)
{
    if (sim->board.state != SIM_BOARD_UP) {
        return USEC_NEVER;
    }
    usec_t wake_us = supervisor_wake(sim);
    bool runs = sim->lives.supervisor == SIM_SUPERVISOR_RUNS;
    return runs ? usec_min(wake_us, process_wake(sim)) : wake_us;
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
    if (lives->supervisor == SIM_SUPERVISOR_RUNS && process_wake(sim) <= sim->now_us) {
        step_process(sim);
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
    process_gone(sim);
    lives->process = SIM_PROCESS_NONE;
    lives->supervisor = SIM_SUPERVISOR_DEAD;
    lives->service_watched = false;
    lives->begin_us = USEC_NEVER;
}

/* Faults. */

void sim_lives_may_crash(struct sim *sim)
{
    struct sim_lives *lives = &sim->lives;
    if (lives->crash_in > 0 && --lives->crash_in == 0) {
        longjmp(lives->crashed, 1);
    }
}

void sim_lives_explain(struct sim *sim, enum cause cause)
{
    sim->lives.explained |= 1u << cause;
}

void sim_lives_be_killed(struct sim *sim, enum sim_killer by, usec_t at_us, unsigned target)
{
    struct sim_lives *lives = &sim->lives;
    if (at_us < lives->killed_at_us) {
        lives->killed_at_us = at_us;
        lives->killed_by = by;
        sim_lives_explain(sim, by == SIM_KILLER_CRASHES ? CAUSE_CRASH : CAUSE_HANG);
        sim_trace(sim, SIM_FAULT, SIM_FAULT_KILLER, target, "a killer is probed");
    }
}

void sim_lives_crash(struct sim *sim)
{
    if (sim_lives_alive(sim)) {
        sim_lives_explain(sim, CAUSE_CRASH);
        process_ends(sim, CAUSE_CRASH, 11);
    }
}

void sim_lives_block(struct sim *sim, usec_t until_us)
{
    struct sim_lives *lives = &sim->lives;
    if (!sim_lives_alive(sim)) {
        return;
    }
    lives->blocked_until_us = usec_max(lives->blocked_until_us, until_us);
    sim_check_blocked(sim, until_us);
    if (until_us == USEC_NEVER) {
        sim_lives_explain(sim, CAUSE_HANG);
        lives->deaf = lives->deaf || one_in(sim, 3);
    }
}

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
    if (sim_lives_alive(sim)) {
        sim_lives_ask_to_leave(sim, CAUSE_STOP);
        sim->check.stop_us = sim->now_us;
    }
    lives->turn_us = sim->now_us;
}

struct recovery_usage sim_lives_usage(const struct sim *sim)
{
    const struct sim_lives *lives = &sim->lives;
    int64_t seconds = lives->leaks_us > 0 ? (sim->now_us - lives->leaks_us) / USEC_PER_SEC : 0;
    return (struct recovery_usage){
        .memory_bytes = (uint64_t)(MEMORY_USUAL + seconds * lives->leaked_bytes_s),
        .descriptors = (unsigned)(FILES_USUAL + seconds * lives->leaked_files_s),
    };
}
