#include "sim_tend.h"

#include "sim.h"

static usec_t draw(struct sim *sim, usec_t below_us)
{
    return (usec_t)prng_below(&sim->lives.prng, (uint64_t)below_us);
}

static void arm(struct sim *sim)
{
    struct sim_lives *lives = &sim->lives;
    struct watchdog_grant grant = {.timeout_us = 30 * USEC_PER_SEC, .can_stop = true};
    enum error error = ERROR_NONE;
    sim_check_arm(sim);
    if (sim->site.settings.owner == WATCHDOG_OWNER_DEVICE) {
        struct watchdog watchdog = sim_board_watchdog(sim);
        error = watchdog.start(watchdog.context, sim->site.settings.timeout_us, &grant);
    } else {
        grant.timeout_us = sim->site.settings.timeout_us;
        lives->service_watched = true;
        lives->service_expires_us = sim->now_us + grant.timeout_us;
    }
    recovery_armed(&lives->recovery, error, &grant, sim_now(sim));
    sim_trace(sim, SIM_ARM, error, grant.timeout_us, NULL);
}

void sim_tend_watchdog(struct sim *sim, const struct recovery_orders *orders)
{
    struct sim_lives *lives = &sim->lives;
    struct watchdog watchdog = sim_board_watchdog(sim);
    bool device = sim->site.settings.owner == WATCHDOG_OWNER_DEVICE;
    if (orders->arm) {
        arm(sim);
    }
    if (orders->feed) {
        sim_check_feed(sim);
        if (device) {
            watchdog.feed(watchdog.context);
        } else {
            lives->service_expires_us = sim->now_us + sim->site.settings.timeout_us;
        }
        sim_trace(sim, SIM_FEED, 0, 0, NULL);
    }
    if (orders->trigger) {
        sim_trace(sim, SIM_TRIGGER, 0, 0, NULL);
        lives->service_expires_us = device ? lives->service_expires_us : sim->now_us;
    }
    if (orders->disarm) {
        sim_trace(sim, SIM_DISARM, 0, 0, NULL);
        if (!watchdog.stop(watchdog.context)) {
            recovery_found_running(&lives->recovery);
        }
    }
}

void sim_tend_actions(struct sim *sim)
{
    struct sim_lives *lives = &sim->lives;
    struct mandate *mandate = &lives->vitals.mandate;
    if (sim->now_us >= lives->action_ends_us) {
        lives->action_ends_us = USEC_NEVER;
        atomic_store(&mandate->action_result, draw(sim, 3) == 0 ? 1 : 0);
        atomic_fetch_add(&mandate->actions_done, 1);
    }
    if (lives->action_ends_us == USEC_NEVER &&
        atomic_load(&mandate->actions_done) != atomic_load(&lives->vitals.actions_wanted)) {
        lives->action_ends_us = sim->now_us + draw(sim, USEC_PER_MINUTE);
    }
}
