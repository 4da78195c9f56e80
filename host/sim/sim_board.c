#include "sim_board.h"

#include <string.h>

#include "sim.h"

/* No kernel comes to its first process before. */
#define BEFORE_FIRST_US (2 * USEC_PER_SEC)

static usec_t draw(struct sim *sim, usec_t below_us)
{
    return (usec_t)prng_below(&sim->board.prng, (uint64_t)below_us);
}

usec_t sim_now(const struct sim *sim)
{
    return sim->now_us - sim->board.boot_us + BEFORE_FIRST_US;
}

usec_t sim_at(const struct sim *sim, usec_t monotonic_us)
{
    return monotonic_us == USEC_NEVER ? USEC_NEVER
                                      : monotonic_us - BEFORE_FIRST_US + sim->board.boot_us;
}

/* Power. */

static void go_down(struct sim *sim, usec_t off_us)
{
    struct sim_board *board = &sim->board;
    sim_lives_lose_all(sim);
    sim_disk_cut(&sim->disk);
    board->state = SIM_BOARD_DOWN;
    board->up_us = sim->now_us + off_us + (20 + draw(sim, 40)) * USEC_PER_SEC;
    board->plug_us = USEC_NEVER;
    board->running = board->ours = false;
}

void sim_board_cut_power(struct sim *sim)
{
    sim_trace(sim, SIM_POWER_CUT, 0, 0, NULL);
    sim_check_board_ends(sim, false);
    go_down(sim, draw(sim, 10 * USEC_PER_MINUTE));
    sim->board.was_watchdog = false;
}

static void reset(struct sim *sim)
{
    sim_trace(sim, SIM_RESET, sim->board.ours, 0, NULL);
    sim_check_board_ends(sim, true);
    go_down(sim, 0);
    sim->board.was_watchdog = true;
}

void sim_board_get_stuck(struct sim *sim)
{
    struct sim_board *board = &sim->board;
    if (board->state != SIM_BOARD_UP) {
        return;
    }
    sim_trace(sim, SIM_STUCK, board->running, 0, NULL);
    board->state = SIM_BOARD_STUCK;
    if (!board->running) {
        board->plug_us = sim->now_us + USEC_PER_HOUR + draw(sim, 5 * USEC_PER_HOUR);
    }
}

static void come_up(struct sim *sim)
{
    struct sim_board *board = &sim->board;
    board->state = SIM_BOARD_UP;
    board->boot_us = sim->now_us;
    board->boots++;
    board->wall_trusted = false;
    if (board->armed_by_boot) {
        board->running = true;
        board->timeout_us = 60 * USEC_PER_SEC;
        board->expires_us = sim->now_us + board->timeout_us;
    }
    sim_trace(sim, SIM_BOOT, (int64_t)board->boots, board->was_watchdog, NULL);
    sim_lives_begin(sim, sim->now_us + USEC_PER_SEC);
}

void sim_board_init(struct sim *sim)
{
    struct sim_board *board = &sim->board;
    board->nowayout = draw(sim, 4) == 0;
    board->magic_close = draw(sim, 3) != 0;
    board->mute = draw(sim, 3) == 0;
    board->armed_by_boot = sim->site.settings.owner == WATCHDOG_OWNER_DEVICE && draw(sim, 8) == 0;
    board->wall_offset_us = INT64_C(1790000000) * USEC_PER_SEC;
    board->plug_us = USEC_NEVER;
    board->up_us = sim->now_us;
}

usec_t sim_board_wake(const struct sim *sim)
{
    const struct sim_board *board = &sim->board;
    if (board->state == SIM_BOARD_DOWN) {
        return board->up_us;
    }
    usec_t wake_us = board->running ? board->expires_us : USEC_NEVER;
    return usec_min(wake_us, board->plug_us);
}

void sim_board_step(struct sim *sim)
{
    struct sim_board *board = &sim->board;
    if (board->state == SIM_BOARD_DOWN) {
        if (sim->now_us >= board->up_us) {
            come_up(sim);
        }
    } else if (board->running && sim->now_us >= board->expires_us) {
        reset(sim);
    } else if (sim->now_us >= board->plug_us) {
        sim_board_cut_power(sim);
    }
}

/* The watchdog. With systemd it is the service that is watched; sim_lives.c ends it. */

static enum error start(void *context, usec_t timeout_us, struct watchdog_grant *grant)
{
    struct sim *sim = context;
    struct sim_board *board = &sim->board;
    memset(grant, 0, sizeof *grant);
    if (sim->now_us < board->denied_until_us && !board->running) { /* else that one would feed it */
        memcpy(grant->note, "simulated: busy", sizeof "simulated: busy");
        return ERROR_DENIED;
    }
    board->ours = board->ours || !board->running;
    board->running = true;
    board->timeout_us = timeout_us;
    board->expires_us = sim->now_us + timeout_us;
    *grant = (struct watchdog_grant){
        .timeout_us = timeout_us, .can_stop = !board->nowayout, .note = "simulated"};
    return ERROR_NONE;
}

static void feed(void *context)
{
    struct sim *sim = context;
    sim->board.expires_us = sim->now_us + sim->board.timeout_us;
}

static bool stop(void *context)
{
    struct sim *sim = context;
    if (sim->board.nowayout) {
        return false;
    }
    sim->board.running = sim->board.ours = false;
    return true;
}

static void trigger(void *context)
{
    (void)context; /* a device does what it does when it is not fed */
}

struct watchdog sim_board_watchdog(struct sim *sim)
{
    return (struct watchdog){sim, start, feed, stop, trigger};
}

void sim_board_close_watchdog(struct sim *sim)
{
    struct sim_board *board = &sim->board;
    if (!board->nowayout && !board->magic_close) {
        board->running = board->ours = false;
    }
}

enum board_word sim_board_word(const struct sim *sim)
{
    if (sim->site.settings.owner != WATCHDOG_OWNER_DEVICE) {
        return BOARD_SILENT;
    }
    if (sim->board.mute) {
        return BOARD_MUTE;
    }
    return sim->board.was_watchdog ? BOARD_WATCHDOG : BOARD_POWER;
}

/* The clock. */

static usec_t monotonic(void *context)
{
    return sim_now(context);
}

static struct wall_time wall(void *context)
{
    const struct sim *sim = context;
    return (struct wall_time){sim->board.wall_offset_us + sim->now_us, sim->board.wall_trusted};
}

struct clock sim_board_clock(struct sim *sim)
{
    return (struct clock){sim, monotonic, wall};
}
