/* What goes wrong in a simulated world, and when: each kind of fault strikes again and again, at
 * moments and for times drawn from the seed; how often each does is drawn once for a run, so that
 * runs differ in what they are about. At the end all faults heal at once. */
#ifndef PICKET_SIM_FAULTS_H
#define PICKET_SIM_FAULTS_H

#include "prng.h"

enum sim_fault {
    SIM_FAULT_CRASH,      /* of the process, between two turns */
    SIM_FAULT_CRASH_PORT, /* inside a turn */
    SIM_FAULT_HANG,       /* the loop stands still for good */
    SIM_FAULT_STALL,      /* … for less than a hang */
    SIM_FAULT_KILLER,     /* a target that ends whoever probes it */
    SIM_FAULT_LEAK,
    SIM_FAULT_ENDLESS, /* a run, or a worker, without an end */
    SIM_FAULT_OVERRUN, /* a run that ends late */
    SIM_FAULT_DISK,
    SIM_FAULT_TARGET, /* behaves in another way from now on */
    SIM_FAULT_UPLINK,
    SIM_FAULT_RECEIVER,
    SIM_FAULT_CLOCK,
    SIM_FAULT_KERNEL,    /* gets stuck */
    SIM_FAULT_IN_KERNEL, /* the process does, in a hang, and does not die */
    SIM_FAULT_POWER,
    SIM_FAULT_SUPERVISOR, /* is killed */
    SIM_FAULT_FREEZE,     /* all of us stand still */
    SIM_FAULT_RELOAD,
    SIM_FAULT_ROLLOUT, /* of a bad configuration */
    SIM_FAULT_RESTART, /* by an operator */
    SIM_FAULT_DENIED,  /* the watchdog is somebody else's for a while */
    SIM_FAULT_COUNT
};

struct sim_faults {
    struct prng prng;
    usec_t mean_us[SIM_FAULT_COUNT]; /* between two strikes; 0: never */
    usec_t next_us[SIM_FAULT_COUNT];
    usec_t killer_until_us, disk_until_us, uplink_until_us, receiver_until_us, in_kernel_until_us;
    usec_t rollout_until_us;
    unsigned stuck_starts; /* lives to come that do not get to read their configuration */
    bool spiteful; /* the uplink likes to die when the last known good configuration begins */
    bool healed;
};

struct sim;
void sim_faults_init(struct sim *sim);
usec_t sim_faults_wake(const struct sim *sim);
void sim_faults_step(struct sim *sim);
/* All faults are over, and none comes any more. */
void sim_faults_heal(struct sim *sim);

/* Whether the life that begins is stuck before it reads its configuration. */
bool sim_faults_strike_start(struct sim *sim);
/* No process to be had. */
bool sim_faults_refuse_birth(struct sim *sim);
/* A life begins: whether it leaks. */
void sim_faults_begin_life(struct sim *sim);

/* One with the last known good configuration. */
void sim_faults_begin_good(struct sim *sim);

const char *sim_fault_name(enum sim_fault fault);

#endif
