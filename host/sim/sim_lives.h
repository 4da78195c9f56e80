/* The part of the supervisor: the real ladder (recovery.h) with everything outside it simulated;
 * and the state of the process it starts again and again (sim_process.h).
 *
 * A process can be starting, running, ended and not yet waited for, or nothing; its loop can be
 * blocked, it can be deaf to SIGABRT, or sit in the kernel and not even die of SIGKILL. The
 * supervisor can be killed (init starts the pair again, and what they shared is gone) or stand
 * still. A process dies between two turns, or inside one, at a call of a port. */
#ifndef PICKET_SIM_LIVES_H
#define PICKET_SIM_LIVES_H

#include <setjmp.h>

#include "agent.h"
#include "prng.h"
#include "recovery.h"
#include "sim_net.h"
#include "sim_site.h"

enum { SIM_BODY_BYTES = 1 << 18 };

enum sim_supervisor { SIM_SUPERVISOR_DEAD, SIM_SUPERVISOR_RUNS, SIM_SUPERVISOR_FROZEN };
enum sim_process { SIM_PROCESS_NONE, SIM_PROCESS_STARTS, SIM_PROCESS_RUNS, SIM_PROCESS_ENDED };

struct sim_lives {
    /* The supervisor. */
    enum sim_supervisor supervisor;
    usec_t begin_us; /* a dead one is started; USEC_NEVER: there is nobody to */
    usec_t turn_us;  /* its next turn */
    usec_t thaw_us;
    bool stopping;   /* somebody asked it to; it is started again … */
    usec_t pause_us; /* … after this long */
    struct recovery recovery;
    struct vitals vitals;
    struct tail tail;
    struct logger logger;
    uint64_t born;   /* lives of this supervisor */
    bool configured; /* one of them has read its configuration */
    struct run_end before;
    usec_t action_ends_us;
    /* systemd's watchdog of the service. */
    bool service_watched;
    usec_t service_expires_us;

    /* The process. */
    enum sim_process process;
    usec_t ready_us;        /* it has read its configuration */
    bool never_ready;       /* it is stuck before */
    usec_t step_us, lag_us; /* wake it asked for; how late it comes */
    usec_t stepped_us;
    unsigned steps_at_once;  /* since time moved */
    usec_t blocked_until_us; /* the loop stands still; USEC_NEVER: for good */
    bool deaf, in_kernel;
    usec_t dies_us, killed_at_us; /* a signal on its way; a killer probe strikes */
    enum sim_killer killed_by;
    bool asked_to_leave;
    enum cause leave;      /* asked for, and not told the agent yet; CAUSE_NONE: nothing is */
    uint32_t explained;    /* bit per cause the world has given this life to end of */
    struct run_end status; /* of one that has ended */
    usec_t leaks_us;       /* since when; 0: it does not */
    int64_t leaked_bytes_s, leaked_files_s;
    bool running; /* the agent knows its totals */
    usec_t running_us;
    bool crashing;     /* inside a turn */
    unsigned crash_in; /* calls of ports until it crashes; 0: not */
    jmp_buf crashed;
    struct prng prng;
    struct agent agent;
    uint8_t body[SIM_BODY_BYTES];
};

struct sim;
void sim_lives_init(struct sim *sim);
/* The board is up: init starts the supervisor then. */
void sim_lives_begin(struct sim *sim, usec_t at_us);
usec_t sim_lives_wake(const struct sim *sim);
/* The turns that are due. */
void sim_lives_step(struct sim *sim);
/* The machine goes down. */
void sim_lives_lose_all(struct sim *sim);

/* Faults: it is killed, stands still, is restarted by an operator. */
void sim_lives_kill_supervisor(struct sim *sim);
void sim_lives_freeze(struct sim *sim, usec_t until_us);
void sim_lives_restart(struct sim *sim, usec_t pause_us);

#endif
