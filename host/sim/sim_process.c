#include "sim_process.h"

#include <string.h>

#include "sim.h"
#include "store_plan.h"

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

bool sim_process_alive(const struct sim *sim)
{
    enum sim_process process = sim->lives.process;
    return process == SIM_PROCESS_STARTS || process == SIM_PROCESS_RUNS;
}

void sim_process_gone(struct sim *sim)
{
    struct sim_lives *lives = &sim->lives;
    if (sim_process_alive(sim)) {
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
void sim_process_ends(struct sim *sim, enum cause cause, unsigned signal)
{
    struct sim_lives *lives = &sim->lives;
    sim_process_gone(sim);
    lives->process = SIM_PROCESS_ENDED;
    lives->status = (struct run_end){.cause = cause, .signal = (uint8_t)signal, .task = VITAL_NONE};
    lives->turn_us = usec_min(lives->turn_us, sim->now_us + draw(sim, 5000));
}

void sim_process_begins(struct sim *sim)
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
        sim_process_explain(sim, CAUSE_HANG);
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
        sim_process_explain(sim, CAUSE_CRASH);
        lives->crashing = true;
        sim_process_ends(sim, CAUSE_CRASH, 11);
        lives->crashing = false;
        return;
    }
    if (!lives->running && lives->agent.state >= AGENT_RUNNING &&
        lives->agent.state < AGENT_STOPPED) {
        lives->running = true;
        lives->running_us = sim->now_us;
        sim_check_life_runs(sim);
        if (sim_site_nature(sim) == SIM_CONFIG_KILLS) {
            sim_process_be_killed(sim, SIM_KILLER_CRASHES,
                                  sim->now_us + 1 + draw(sim, 20 * USEC_PER_SEC), 0);
        }
    }
    sim_check_agent(sim);
    if (agent_stopped(&lives->agent)) {
        sim_process_ends(sim, lives->agent.leaving == CAUSE_RELOAD ? CAUSE_RELOAD : CAUSE_STOP, 0);
    }
}

/* A killer strikes, a signal arrives, the configuration is read, or the loop turns. */
void sim_process_step(struct sim *sim)
{
    struct sim_lives *lives = &sim->lives;
    if (sim->now_us >= lives->dies_us) {
        sim_process_ends(sim, CAUSE_CRASH, lives->recovery.life == LIFE_KILLED ? 9 : 6);
    } else if (sim->now_us >= lives->killed_at_us) {
        lives->killed_at_us = USEC_NEVER;
        if (lives->killed_by == SIM_KILLER_CRASHES) {
            sim_process_crash(sim);
        } else {
            sim_process_block(sim, USEC_NEVER);
        }
    } else if (lives->process == SIM_PROCESS_STARTS && sim_site_nature(sim) == SIM_CONFIG_UNFIT) {
        sim_site_tell(sim);
        sim_process_explain(sim, CAUSE_NONE);
        sim_process_ends(sim, CAUSE_NONE, 0);
    } else if (lives->process == SIM_PROCESS_STARTS) {
        begin_agent(sim);
        step_agent(sim);
    } else {
        step_agent(sim);
    }
}

usec_t sim_process_wake(const struct sim *sim)
{
    const struct sim_lives *lives = &sim->lives;
    if (!sim_process_alive(sim)) {
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

void sim_process_ask_to_leave(struct sim *sim, enum cause cause)
{
    struct sim_lives *lives = &sim->lives;
    lives->leave = cause;
    lives->asked_to_leave = true;
    lives->step_us = sim->now_us;
    sim_process_explain(sim, cause);
}

/* Faults. */

void sim_process_may_crash(struct sim *sim)
{
    struct sim_lives *lives = &sim->lives;
    if (lives->crash_in > 0 && --lives->crash_in == 0) {
        longjmp(lives->crashed, 1);
    }
}

void sim_process_explain(struct sim *sim, enum cause cause)
{
    sim->lives.explained |= 1u << cause;
}

void sim_process_be_killed(struct sim *sim, enum sim_killer by, usec_t at_us, unsigned target)
{
    struct sim_lives *lives = &sim->lives;
    if (at_us < lives->killed_at_us) {
        lives->killed_at_us = at_us;
        lives->killed_by = by;
        sim_process_explain(sim, by == SIM_KILLER_CRASHES ? CAUSE_CRASH : CAUSE_HANG);
        sim_trace(sim, SIM_FAULT, SIM_FAULT_KILLER, target, "a killer is probed");
    }
}

void sim_process_crash(struct sim *sim)
{
    if (sim_process_alive(sim)) {
        sim_process_explain(sim, CAUSE_CRASH);
        sim_process_ends(sim, CAUSE_CRASH, 11);
    }
}

void sim_process_block(struct sim *sim, usec_t until_us)
{
    struct sim_lives *lives = &sim->lives;
    if (!sim_process_alive(sim)) {
        return;
    }
    lives->blocked_until_us = usec_max(lives->blocked_until_us, until_us);
    sim_check_blocked(sim, until_us);
    if (until_us == USEC_NEVER) {
        sim_process_explain(sim, CAUSE_HANG);
        lives->deaf = lives->deaf || one_in(sim, 3);
    }
}

struct recovery_usage sim_process_usage(const struct sim *sim)
{
    const struct sim_lives *lives = &sim->lives;
    int64_t seconds = lives->leaks_us > 0 ? (sim->now_us - lives->leaks_us) / USEC_PER_SEC : 0;
    return (struct recovery_usage){
        .memory_bytes = (uint64_t)(MEMORY_USUAL + seconds * lives->leaked_bytes_s),
        .descriptors = (unsigned)(FILES_USUAL + seconds * lives->leaked_files_s),
    };
}
