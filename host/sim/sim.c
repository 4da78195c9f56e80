/* Method: a discrete-event loop. The next moment is the earliest at which any part of the world has
 * something to do; then each part does what is due, in a fixed order. Nothing else advances time,
 * and each part draws from a generator of its own, so that a change in one leaves the draws of the
 * others as they are. */
#include "sim.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* All is well for this long before it counts. */
#define WELL_US (10 * USEC_PER_MINUTE)

void sim_fail(struct sim *sim, const char *check, const char *format, ...)
{
    va_list arguments;
    if (sim->failure.failed) {
        return;
    }
    sim->failure.failed = true;
    sim->failure.check = check;
    sim->failure.at_us = sim->now_us;
    va_start(arguments, format);
    (void)vsnprintf(sim->failure.text, sizeof sim->failure.text, format, arguments);
    va_end(arguments);
}

static void begin(struct sim *sim, uint64_t seed, enum sim_verbosity verbosity)
{
    struct prng streams = {.state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1};
    memset(sim, 0, sizeof *sim);
    sim->seed = seed;
    sim->now_us = USEC_PER_HOUR;
    sim->heal_us = USEC_NEVER;
    sim->trace.hash = seed;
    sim->trace.verbosity = verbosity;
    sim->check.durable_us = USEC_NEVER;
    sim->site.prng.state = prng_next(&streams);
    sim->board.prng.state = prng_next(&streams);
    sim->disk.prng.state = prng_next(&streams);
    sim->net.prng.state = prng_next(&streams);
    sim->push.prng.state = prng_next(&streams);
    sim->faults.prng.state = prng_next(&streams);
    sim->lives.prng.state = prng_next(&streams);
    sim_site_init(sim);
    if (!sim->failure.failed) {
        sim_lives_init(sim);
        sim_board_init(sim);
        sim_net_init(sim);
        sim_faults_init(sim);
    }
}

static usec_t next_moment(const struct sim *sim)
{
    usec_t next_us = usec_min(sim_board_wake(sim), sim_lives_wake(sim));
    return usec_min(next_us, sim_faults_wake(sim));
}

static void step(struct sim *sim, usec_t until_us)
{
    usec_t next_us = usec_min(next_moment(sim), until_us);
    sim->now_us = usec_max(next_us, sim->now_us);
    sim->steps++;
    sim_faults_step(sim);
    sim_board_step(sim);
    sim_lives_step(sim);
}

static void run_until(struct sim *sim, usec_t until_us)
{
    while (sim->now_us < until_us && !sim->failure.failed) {
        step(sim, until_us);
    }
}

/* Looks once a minute: all has to be well, and to stay so. */
static void become_well(struct sim *sim)
{
    usec_t limit_us = sim->now_us + sim_check_well_limit(sim), well_us = USEC_NEVER;
    const char *unwell = NULL;
    while (!sim->failure.failed && sim->now_us < limit_us) {
        run_until(sim, sim->now_us + USEC_PER_MINUTE);
        unwell = sim_check_unwell(sim);
        if (atomic_load(&sim->lives.vitals.mandate.good) != 0) {
            sim_site_roll_out(sim, SIM_CONFIG_WELL, true); /* somebody looks at the status */
        }
        if (sim_check_needs_restart(sim)) {
            sim_trace(sim, SIM_FAULT, SIM_FAULT_RESTART, 1, "somebody takes up the other store");
            sim_lives_restart(sim, USEC_PER_SEC);
        }
        well_us = unwell != NULL ? USEC_NEVER : usec_min(well_us, sim->now_us);
        if (well_us != USEC_NEVER && sim->now_us - well_us >= WELL_US) {
            sim_trace(sim, SIM_WELL, 0, 0, NULL);
            return;
        }
    }
    sim_fail(sim, "all_becomes_well", "%s, although nothing is wrong any more", unwell);
}

/* The last totals are committed and pushed in an orderly end. */
static void end_in_order(struct sim *sim)
{
    uint64_t lives = sim->check.lives;
    sim_lives_restart(sim, USEC_PER_MINUTE);
    run_until(sim, sim->now_us + 30 * USEC_PER_SEC);
    if (!sim->failure.failed && (sim->lives.supervisor != SIM_SUPERVISOR_DEAD ||
                                 sim->check.lives != lives || !sim->check.in_order)) {
        sim_fail(sim, "it_stops_when_asked_to", "the agent is still there after 30 s");
    }
    sim_check_totals(sim);
}

bool sim_run(struct sim *sim, uint64_t seed, usec_t fault_us, enum sim_verbosity verbosity)
{
    begin(sim, seed, verbosity);
    run_until(sim, sim->now_us + fault_us);
    if (!sim->failure.failed) {
        sim->heal_us = sim->now_us;
        sim_trace(sim, SIM_HEAL, 0, 0, NULL);
        sim_faults_heal(sim);
        become_well(sim);
    }
    if (!sim->failure.failed) {
        end_in_order(sim);
    }
    return !sim->failure.failed;
}
