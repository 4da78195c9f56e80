#include "sim_faults.h"

#include "sim.h"

static const struct {
    const char *name;
    unsigned hours; /* usual mean time between two of them */
} kinds[SIM_FAULT_COUNT] = {
    [SIM_FAULT_CRASH] = {"crash", 6},
    [SIM_FAULT_CRASH_PORT] = {"crash in a turn", 6},
    [SIM_FAULT_HANG] = {"hang", 8},
    [SIM_FAULT_STALL] = {"stall", 1},
    [SIM_FAULT_KILLER] = {"killer", 18},
    [SIM_FAULT_LEAK] = {"leak", 18},
    [SIM_FAULT_ENDLESS] = {"endless run", 12},
    [SIM_FAULT_OVERRUN] = {"late run", 2},
    [SIM_FAULT_DISK] = {"disk", 8},
    [SIM_FAULT_TARGET] = {"target", 1},
    [SIM_FAULT_UPLINK] = {"uplink", 8},
    [SIM_FAULT_RECEIVER] = {"receiver", 6},
    [SIM_FAULT_CLOCK] = {"clock", 8},
    [SIM_FAULT_KERNEL] = {"kernel", 14},
    [SIM_FAULT_IN_KERNEL] = {"process in the kernel", 20},
    [SIM_FAULT_POWER] = {"power", 12},
    [SIM_FAULT_SUPERVISOR] = {"supervisor", 16},
    [SIM_FAULT_FREEZE] = {"freeze", 20},
    [SIM_FAULT_RELOAD] = {"reload", 14},
    [SIM_FAULT_ROLLOUT] = {"rollout", 10},
    [SIM_FAULT_RESTART] = {"restart", 16},
    [SIM_FAULT_DENIED] = {"watchdog denied", 24},
};

const char *sim_fault_name(enum sim_fault fault)
{
    return fault < SIM_FAULT_COUNT ? kinds[fault].name : "none";
}

static usec_t draw(struct sim *sim, usec_t below_us)
{
    return (usec_t)prng_below(&sim->faults.prng, (uint64_t)below_us);
}

static bool one_in(struct sim *sim, unsigned count)
{
    return prng_below(&sim->faults.prng, count) == 0;
}

/* Between nothing and twice the mean: no logarithm, whose last bit differs between machines. */
static usec_t gap(struct sim *sim, enum sim_fault fault)
{
    return 1 + draw(sim, 2 * sim->faults.mean_us[fault]);
}

/* A third of the faults never strikes in a run, and one in six comes thick and fast. */
void sim_faults_init(struct sim *sim)
{
    struct sim_faults *faults = &sim->faults;
    for (unsigned i = 0; i < SIM_FAULT_COUNT; i++) {
        uint64_t how = prng_below(&faults->prng, 6);
        usec_t mean_us = (usec_t)kinds[i].hours * USEC_PER_HOUR;
        faults->mean_us[i] = how < 2 ? 0 : how == 2 ? mean_us / 8 : mean_us;
        faults->next_us[i] = USEC_NEVER;
        if (faults->mean_us[i] > 0) {
            faults->next_us[i] = sim->now_us + gap(sim, (enum sim_fault)i);
        }
    }
    faults->killer_until_us = faults->disk_until_us = faults->uplink_until_us = USEC_NEVER;
    faults->receiver_until_us = faults->in_kernel_until_us = USEC_NEVER;
    faults->rollout_until_us = USEC_NEVER;
    faults->spiteful = one_in(sim, 3);
}

/* Strikes. */

static void strike_killer(struct sim *sim)
{
    struct sim_target *target = &sim->net.targets[draw(sim, sim->site.config->target_count)];
    target->killer = one_in(sim, 2) ? SIM_KILLER_CRASHES : SIM_KILLER_HANGS;
    sim->faults.killer_until_us = sim->now_us + USEC_PER_HOUR / 2 + draw(sim, 8 * USEC_PER_HOUR);
}

static void heal_killers(struct sim *sim)
{
    for (unsigned i = 0; i < SIM_TARGETS; i++) {
        sim->net.targets[i].killer = SIM_KILLER_NONE;
    }
    sim->faults.killer_until_us = USEC_NEVER;
}

static void strike_leak(struct sim *sim)
{
    struct sim_lives *lives = &sim->lives;
    if (!sim_process_alive(sim) || lives->leaks_us > 0) {
        return;
    }
    bool files = one_in(sim, 2);
    lives->leaks_us = sim->now_us;
    lives->leaked_files_s = files ? 1 + draw(sim, 10) : 0;
    lives->leaked_bytes_s = files ? 0 : 10000 + draw(sim, 1000000);
    sim_process_explain(sim, files ? CAUSE_DESCRIPTORS : CAUSE_MEMORY);
}

static void strike_disk(struct sim *sim)
{
    enum sim_disk_mode mode = (enum sim_disk_mode)(1 + draw(sim, SIM_DISK_MODES - 1));
    usec_t most_us = one_in(sim, 3) ? 3 * USEC_PER_HOUR : 10 * USEC_PER_MINUTE;
    sim_disk_set_mode(sim, mode);
    sim->faults.disk_until_us = sim->now_us + USEC_PER_SEC + draw(sim, most_us);
}

static void strike_receiver(struct sim *sim)
{
    sim_push_set_mode(sim, (enum sim_receiver)draw(sim, SIM_RECEIVERS));
    sim->faults.receiver_until_us =
        sim->now_us + USEC_PER_SEC +
        draw(sim, one_in(sim, 3) ? 5 * USEC_PER_HOUR : 900 * USEC_PER_SEC);
}

static void strike_clock(struct sim *sim)
{
    sim->board.wall_offset_us += draw(sim, 4 * USEC_PER_HOUR) - 2 * USEC_PER_HOUR;
    sim->board.wall_trusted = !one_in(sim, 3);
}

static void strike_crash_in_turn(struct sim *sim)
{
    if (sim->lives.process == SIM_PROCESS_RUNS) {
        sim->lives.crash_in = 1 + (unsigned)draw(sim, 200);
        sim_process_explain(sim, CAUSE_CRASH);
    }
}

static void strike_hang(struct sim *sim)
{
    sim_process_block(sim, USEC_NEVER);
    sim->faults.stuck_starts = one_in(sim, 5) ? 1 + (unsigned)draw(sim, 3) : 0;
}

static void strike_stall(struct sim *sim)
{
    if (sim->lives.blocked_until_us <= sim->lives.stepped_us) {
        sim_process_block(sim, sim->now_us + draw(sim, sim->site.settings.hang_us * 7 / 10));
    }
}

static void strike_endless(struct sim *sim)
{
    sim->net.endless_next = one_in(sim, 2);
    sim->net.stuck_next = !sim->net.endless_next;
}

static void strike_overrun(struct sim *sim)
{
    sim->net.overrun_next = true;
}

static void strike_target(struct sim *sim)
{
    sim_net_change(sim, (unsigned)draw(sim, sim->site.config->target_count));
}

static void strike_uplink(struct sim *sim)
{
    sim->net.uplink_dead = true;
    sim->faults.uplink_until_us = sim->now_us + USEC_PER_SEC + draw(sim, 6 * USEC_PER_HOUR);
}

static void strike_freeze(struct sim *sim)
{
    sim_lives_freeze(sim, sim->now_us + draw(sim, 3 * USEC_PER_MINUTE));
}

static void strike_reload(struct sim *sim)
{
    sim_site_roll_out(sim, SIM_CONFIG_WELL, true);
}

static void strike_restart(struct sim *sim)
{
    sim_lives_restart(sim, USEC_PER_SEC + draw(sim, 10 * USEC_PER_SEC));
}

static void strike_denied(struct sim *sim)
{
    sim->board.denied_until_us = sim->now_us + draw(sim, 30 * USEC_PER_MINUTE);
}

static void strike_in_kernel(struct sim *sim)
{
    if (sim_process_alive(sim)) {
        sim->lives.in_kernel = true;
        sim_process_block(sim, USEC_NEVER);
        sim->faults.in_kernel_until_us = sim->now_us + 10 * USEC_PER_SEC + draw(sim, USEC_PER_HOUR);
    }
}

/* What it waited for has come: signals are taken. */
static void heal_in_kernel(struct sim *sim)
{
    struct sim_lives *lives = &sim->lives;
    sim->faults.in_kernel_until_us = USEC_NEVER;
    lives->in_kernel = false;
    bool killed = lives->recovery.life == LIFE_KILLED || lives->recovery.life == LIFE_ABORTED;
    if (sim_process_alive(sim) && killed && lives->dies_us == USEC_NEVER) {
        lives->dies_us = sim->now_us + 1000;
    }
}

/* Half of them are silent; somebody mends each after a while, and may forget to say so. */
static void strike_rollout(struct sim *sim)
{
    enum sim_nature nature =
        one_in(sim, 2) ? SIM_CONFIG_SILENT : (enum sim_nature)(1 + draw(sim, SIM_NATURES - 1));
    bool says_so = !one_in(sim, 4);
    sim->faults.rollout_until_us = sim->now_us + USEC_PER_MINUTE + draw(sim, 8 * USEC_PER_HOUR);
    sim_site_roll_out(sim, nature, says_so);
}

static void heal_rollout(struct sim *sim, bool says_so)
{
    sim->faults.rollout_until_us = USEC_NEVER;
    sim_site_roll_out(sim, SIM_CONFIG_WELL, says_so);
}

static void (*const strikes[SIM_FAULT_COUNT])(struct sim *sim) = {
    [SIM_FAULT_CRASH] = sim_process_crash,
    [SIM_FAULT_CRASH_PORT] = strike_crash_in_turn,
    [SIM_FAULT_HANG] = strike_hang,
    [SIM_FAULT_STALL] = strike_stall,
    [SIM_FAULT_KILLER] = strike_killer,
    [SIM_FAULT_LEAK] = strike_leak,
    [SIM_FAULT_ENDLESS] = strike_endless,
    [SIM_FAULT_OVERRUN] = strike_overrun,
    [SIM_FAULT_DISK] = strike_disk,
    [SIM_FAULT_TARGET] = strike_target,
    [SIM_FAULT_UPLINK] = strike_uplink,
    [SIM_FAULT_RECEIVER] = strike_receiver,
    [SIM_FAULT_CLOCK] = strike_clock,
    [SIM_FAULT_KERNEL] = sim_board_get_stuck,
    [SIM_FAULT_IN_KERNEL] = strike_in_kernel,
    [SIM_FAULT_POWER] = sim_board_cut_power,
    [SIM_FAULT_SUPERVISOR] = sim_lives_kill_supervisor,
    [SIM_FAULT_FREEZE] = strike_freeze,
    [SIM_FAULT_RELOAD] = strike_reload,
    [SIM_FAULT_ROLLOUT] = strike_rollout,
    [SIM_FAULT_RESTART] = strike_restart,
    [SIM_FAULT_DENIED] = strike_denied,
};

usec_t sim_faults_wake(const struct sim *sim)
{
    const struct sim_faults *faults = &sim->faults;
    usec_t wake_us = usec_min(faults->killer_until_us, faults->disk_until_us);
    wake_us = usec_min(wake_us, usec_min(faults->uplink_until_us, faults->receiver_until_us));
    wake_us = usec_min(wake_us, usec_min(faults->in_kernel_until_us, faults->rollout_until_us));
    for (unsigned i = 0; i < SIM_FAULT_COUNT; i++) {
        wake_us = usec_min(wake_us, faults->next_us[i]);
    }
    return wake_us;
}

static void end_faults(struct sim *sim)
{
    struct sim_faults *faults = &sim->faults;
    if (sim->now_us >= faults->killer_until_us) {
        heal_killers(sim);
    }
    if (sim->now_us >= faults->disk_until_us) {
        faults->disk_until_us = USEC_NEVER;
        sim_disk_set_mode(sim, SIM_DISK_WELL);
    }
    if (sim->now_us >= faults->uplink_until_us) {
        faults->uplink_until_us = USEC_NEVER;
        sim->net.uplink_dead = false;
    }
    if (sim->now_us >= faults->receiver_until_us) {
        faults->receiver_until_us = USEC_NEVER;
        sim_push_set_mode(sim, SIM_RECEIVER_WELL);
    }
    if (sim->now_us >= faults->in_kernel_until_us) {
        heal_in_kernel(sim);
    }
    if (sim->now_us >= faults->rollout_until_us) {
        heal_rollout(sim, !one_in(sim, 4));
    }
}

void sim_faults_step(struct sim *sim)
{
    struct sim_faults *faults = &sim->faults;
    end_faults(sim);
    for (unsigned i = 0; i < SIM_FAULT_COUNT && !sim->failure.failed; i++) {
        if (sim->now_us >= faults->next_us[i]) {
            faults->next_us[i] = sim->now_us + gap(sim, (enum sim_fault)i);
            sim_trace(sim, SIM_FAULT, i, 0, kinds[i].name);
            strikes[i](sim);
        }
    }
}

void sim_faults_heal(struct sim *sim)
{
    struct sim_faults *faults = &sim->faults;
    faults->healed = true;
    for (unsigned i = 0; i < SIM_FAULT_COUNT; i++) {
        faults->next_us[i] = USEC_NEVER;
    }
    heal_killers(sim);
    heal_in_kernel(sim);
    sim_net_heal(sim);
    sim_disk_set_mode(sim, SIM_DISK_WELL);
    sim_push_set_mode(sim, SIM_RECEIVER_WELL);
    faults->disk_until_us = faults->uplink_until_us = faults->receiver_until_us = USEC_NEVER;
    faults->stuck_starts = 0;
    heal_rollout(sim, true);
    sim->board.denied_until_us = 0;
    sim->lives.crash_in = 0;
    sim->lives.killed_at_us = USEC_NEVER;
}

bool sim_faults_strike_start(struct sim *sim)
{
    struct sim_faults *faults = &sim->faults;
    faults->stuck_starts -= faults->stuck_starts > 0 ? 1 : 0;
    return faults->stuck_starts > 0;
}

bool sim_faults_refuse_birth(struct sim *sim)
{
    return !sim->faults.healed && one_in(sim, 40);
}

void sim_faults_begin_life(struct sim *sim)
{
    if (!sim->faults.healed && one_in(sim, 30)) {
        strike_leak(sim);
    }
}

void sim_faults_begin_good(struct sim *sim)
{
    struct sim_faults *faults = &sim->faults;
    if (faults->spiteful && !faults->healed && faults->uplink_until_us == USEC_NEVER) {
        sim->net.uplink_dead = true;
        faults->uplink_until_us = sim->now_us + USEC_PER_MINUTE + draw(sim, USEC_PER_HOUR);
    }
}
