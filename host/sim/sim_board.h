/* The board of a simulated site: power, kernel, boot, and the timer that resets it.
 *
 * A board is down while it has no power or boots; it is stuck when its kernel is: then nothing runs
 * until its watchdog resets it or, when none runs, somebody pulls the plug some hours later. The
 * monotonic clock begins anew with each boot. */
#ifndef PICKET_SIM_BOARD_H
#define PICKET_SIM_BOARD_H

#include "cause.h"
#include "clock.h"
#include "prng.h"
#include "watchdog.h"

enum sim_board_state { SIM_BOARD_DOWN, SIM_BOARD_UP, SIM_BOARD_STUCK };

struct sim_board {
    enum sim_board_state state;
    usec_t up_us;   /* when a board that is down is up */
    usec_t boot_us; /* when the kernel began */
    usec_t plug_us; /* when somebody pulls the plug of a board that is stuck; USEC_NEVER: not yet */
    uint64_t boots;
    /* The watchdog. */
    bool nowayout, magic_close, mute, armed_by_boot; /* what it is like */
    bool running, ours;                              /* ours: we started it, in this boot */
    usec_t timeout_us, expires_us;
    usec_t denied_until_us; /* another process has it */
    bool was_watchdog;      /* the last reset was its */
    /* The wall clock. */
    usec_t wall_offset_us;
    bool wall_trusted;
    struct prng prng;
};

struct sim;
void sim_board_init(struct sim *sim);
usec_t sim_board_wake(const struct sim *sim);
/* What is due at this moment: a board comes up, is reset, or has its plug pulled. */
void sim_board_step(struct sim *sim);
void sim_board_cut_power(struct sim *sim);
void sim_board_get_stuck(struct sim *sim);

struct watchdog sim_board_watchdog(struct sim *sim);
/* The process that had it is no more; in_order: it asked the driver to stop before. */
void sim_board_close_watchdog(struct sim *sim);
/* What the driver says of the last reset. */
enum board_word sim_board_word(const struct sim *sim);

struct clock sim_board_clock(struct sim *sim);
/* Monotonic time. */
usec_t sim_now(const struct sim *sim);
/* The moment of the world at which the monotonic clock says that. */
usec_t sim_at(const struct sim *sim, usec_t monotonic_us);

#endif
