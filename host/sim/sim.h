/* A simulated site: the unmodified agent core and the unmodified ladder in a world in which time,
 * disk, network, receiver, watchdog, power and everything that goes wrong are drawn from one seed.
 *
 * sim_run() lets faults strike for as many days as asked for, heals them all, and then demands that
 * all is well within bounded time. At every step checks watch that what Picket promises holds
 * (sim_check.h). A run that fails is replayed by its seed.
 *
 * Memory: about 12 MB, of the caller's. Thread rule: one thread for each world. Not here: anything
 * about a real machine. */
#ifndef PICKET_SIM_H
#define PICKET_SIM_H

#include "sim_board.h"
#include "sim_check.h"
#include "sim_disk.h"
#include "sim_faults.h"
#include "sim_lives.h"
#include "sim_net.h"
#include "sim_process.h"
#include "sim_push.h"
#include "sim_site.h"
#include "sim_trace.h"

struct sim_failure {
    bool failed;
    const char *check; /* its name */
    usec_t at_us;
    char text[400];
};

struct sim {
    uint64_t seed;
    usec_t now_us, heal_us;
    uint64_t steps;
    struct sim_failure failure;
    struct sim_trace trace;
    struct sim_site site;
    struct sim_board board;
    struct sim_disk disk;
    struct sim_net net;
    struct sim_push push;
    struct sim_faults faults;
    struct sim_lives lives;
    struct sim_check check;
};

/* Runs one world; all it needs to know afterwards stands in *sim, which need not be zeroed. True
 * when all checks held. */
bool sim_run(struct sim *sim, uint64_t seed, usec_t fault_us, enum sim_verbosity verbosity);

/* A check does not hold: the first one counts. */
void sim_fail(struct sim *sim, const char *check, const char *format, ...) PRINTF_LIKE(3, 4);

#endif
