/* A world for the ladder (recovery.h): one agent that lives by the orders it gets, a watchdog that
 * grants what it is told to, and a diary of everything that happened, one line "SECONDS what" each.
 * Time is virtual. One translation unit each; everything is static. Include after cmocka.h. */
#ifndef PICKET_LADDER_WORLD_H
#define PICKET_LADDER_WORLD_H

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "logger.h"
#include "recovery.h"

#define SEC USEC_PER_SEC

static struct world {
    struct vitals vitals;
    struct recovery recovery;
    struct recovery_usage usage;
    usec_t now_us;

    usec_t starts_in_us; /* from birth to its loop */
    bool never_runs;     /* it is not there yet when something ends it */
    bool no_process;     /* fork() fails */
    bool deaf;           /* SIGABRT does not end it, as one that is stopped */
    bool ignores_stop;
    uint64_t stuck; /* a bit per row of the first 64: makes no progress */
    enum vitals_resets resets;
    struct recovery_settings settings;
    struct watchdog_grant grant;
    enum error arms; /* what starting the watchdog ends with */

    bool too_large; /* the file, to be kept */
    bool uplink_dead;
    unsigned heard;            /* a bit per configuration whose pushes the receiver takes */
    usec_t pushed_us;          /* pushes come every PUSH_EVERY, when there is a [push] */
    unsigned file, good, runs; /* which configuration stands there, proved itself, is being run */
    usec_t born_us;
    bool lives;
    unsigned feeds, lives_begun;
    enum recovery_phase phase; /* as last written down */
    uint32_t barred;
    struct run_end last; /* how the last life ended, by the ladder's verdict */
    struct recovery_orders orders;
    char diary[1 << 16];
} world;

static inline void write_down(const char *what)
{
    size_t used = strlen(world.diary);
    (void)snprintf(world.diary + used, sizeof world.diary - used, "%.10g %s\n",
                   (double)(world.now_us / USEC_PER_MSEC) / 1000, what);
}

static inline void forget(void)
{
    world.diary[0] = '\0';
    world.feeds = 0;
}

/* What was written down since; then begins a new page. */
#define expect_diary(text)                                                                         \
    do {                                                                                           \
        assert_string_equal(world.diary, text);                                                    \
        forget();                                                                                  \
    } while (0)

static inline void begin_world(void)
{
    static const struct logger silent = {0};
    memset(&world, 0, sizeof world);
    world.starts_in_us = 100 * USEC_PER_MSEC;
    world.resets = RESETS_ALLOWED;
    world.file = 1;
    world.settings = (struct recovery_settings){
        .timeout_us = 60 * SEC,
        .feed_us = 10 * SEC,
        .hang_us = 5 * SEC,
        .abort_us = 2 * SEC,
        .restarts = 3,
        .restart_window_us = 600 * SEC,
        .safe_us = 100 * SEC,
        .step_us = 10 * SEC,
        .exits = 3,
    };
    world.grant = (struct watchdog_grant){.timeout_us = 60 * SEC, .can_stop = true};
    recovery_init(&world.recovery, &world.vitals, &silent, 0);
}

static inline uint32_t word_of(const _Atomic uint32_t *word)
{
    return atomic_load((_Atomic uint32_t *)(uintptr_t)word);
}

static inline void note_changes(void)
{
    char text[64];
    if (world.recovery.phase != world.phase) {
        world.phase = world.recovery.phase;
        (void)snprintf(text, sizeof text, "phase %s", recovery_phase_name(world.phase));
        write_down(text);
    }
    if (word_of(&world.vitals.mandate.barred) != world.barred) {
        world.barred = word_of(&world.vitals.mandate.barred);
        (void)snprintf(text, sizeof text, "barred %02x", world.barred);
        write_down(text);
    }
}

/* The life ends like this. */
static inline void gone(struct run_end end)
{
    char text[CAUSE_TEXT_BYTES + 8], why[CAUSE_TEXT_BYTES];
    world.lives = false;
    world.last = recovery_gone(&world.recovery, &end, world.now_us);
    (void)snprintf(text, sizeof text, "gone: %s", cause_describe(&world.last, why));
    write_down(text);
    note_changes();
}

static inline void crash(void)
{
    gone((struct run_end){.cause = CAUSE_CRASH, .task = VITAL_NONE, .signal = SIGSEGV});
}

static inline void reload(void)
{
    world.file++;
    recovery_mended(&world.recovery, world.now_us);
    gone((struct run_end){.cause = CAUSE_RELOAD, .task = VITAL_NONE});
}

static inline void fail_to_start(void)
{
    gone((struct run_end){.cause = CAUSE_NONE, .task = VITAL_NONE, .exit_code = 65});
}

static inline void refuse_the_file(void)
{
    recovery_file_refused(&world.recovery);
    gone((struct run_end){.cause = CAUSE_NONE, .task = VITAL_NONE, .exit_code = 66});
}

static inline void begin_life(bool use_good)
{
    write_down(use_good ? "start with the good configuration" : "start");
    vitals_begin(&world.vitals, RECOVERY_START_US);
    if (world.no_process) {
        recovery_not_born(&world.recovery, world.now_us);
        return;
    }
    recovery_born(&world.recovery, world.now_us);
    world.lives = true;
    world.runs = use_good ? world.good : world.file;
    world.lives_begun++;
    world.born_us = world.pushed_us = world.now_us;
}

#define PUSH_EVERY (10 * SEC)

static inline void push(void)
{
    bool arrives = !world.uplink_dead && (world.heard >> world.runs & 1u) != 0;
    if (!world.settings.pushes || world.now_us - world.pushed_us < PUSH_EVERY) {
        return;
    }
    world.pushed_us = world.now_us;
    if (arrives) {
        atomic_fetch_add(&world.vitals.pushes_accepted, 1);
    } else if (word_of(&world.vitals.pushes_accepted) == 0) {
        atomic_fetch_add(&world.vitals.pushes_failed, 1);
    }
}

/* What the life does on its own: it gets to its loop, and each armed row moves. */
static inline void live(void)
{
    bool up =
        world.lives && !world.never_runs && world.now_us - world.born_us >= world.starts_in_us;
    if (up && word_of(&world.vitals.running) == 0) {
        recovery_configure(&world.recovery, &world.settings);
        recovery_runs(&world.recovery,
                      (struct rollout_runs){.text = world.runs,
                                            .same = world.runs == world.good,
                                            .keepable = !world.too_large},
                      world.now_us);
        vital_rest(&world.vitals, VITAL_START);
        vital_arm(&world.vitals, VITAL_LOOP, world.settings.hang_us);
        atomic_store(&world.vitals.running, 1);
        for (unsigned i = 0; i < CAP_TARGETS; i++) {
            atomic_store(&world.vitals.ids[i], 100 + i);
        }
    }
    if (up) {
        atomic_store(&world.vitals.resets, world.resets);
        push();
    }
    for (unsigned i = 1; up && i < 64; i++) {
        if ((world.stuck >> i & 1) == 0 && vital_is_armed(&world.vitals, i)) {
            vital_progress(&world.vitals, i);
        }
    }
}

static inline void obey_kill(void)
{
    static const char *const words[] = {"", "leave", "stop", "abort", "kill"};
    enum recovery_kill kill = world.orders.kill;
    if (kill == RECOVERY_SPARE) {
        return;
    }
    write_down(words[kill]);
    assert_true(world.lives);
    if ((kill == RECOVERY_STOP || kill == RECOVERY_LEAVE) && !world.ignores_stop) {
        gone((struct run_end){.cause = kill == RECOVERY_STOP ? CAUSE_STOP : CAUSE_RELOAD,
                              .task = VITAL_NONE});
    } else if (kill == RECOVERY_KILL || (kill == RECOVERY_ABORT && !world.deaf)) {
        gone((struct run_end){.cause = CAUSE_CRASH,
                              .task = VITAL_NONE,
                              .signal = kill == RECOVERY_KILL ? SIGKILL : SIGABRT});
    }
}

static inline void obey_watchdog(void)
{
    const struct recovery_orders *orders = &world.orders;
    if (orders->arm) {
        write_down(world.arms == ERROR_NONE ? "arm" : "arm in vain");
        recovery_armed(&world.recovery, world.arms, &world.grant, world.now_us);
    }
    if (orders->trigger) {
        write_down("trigger");
    }
    if (orders->disarm) {
        write_down("disarm");
    }
    world.feeds += orders->feed;
}

static inline void turn(void)
{
    live();
    world.orders = recovery_step(&world.recovery, &world.usage, world.now_us);
    if (world.orders.keep_good) {
        write_down("keep this configuration");
        world.good = world.runs;
    }
    note_changes();
    if (world.orders.start) {
        assert_false(world.lives);
        begin_life(world.orders.use_good);
    }
    obey_watchdog();
    obey_kill();
}

/* Turns come when the ladder wants them, for this long. */
static inline void pass(usec_t for_us)
{
    usec_t end_us = world.now_us + for_us;
    turn();
    while (world.orders.wake_us < end_us) {
        world.now_us = usec_max(world.orders.wake_us, world.now_us + 1);
        turn();
    }
    world.now_us = end_us;
}

/* The first life, up for a second. */
static inline void begin_running(void)
{
    begin_world();
    pass(1 * SEC);
    forget();
}

/* Ends as fast as the back-off allows until it is in safe mode. */
static inline void crash_into_safe_mode(void)
{
    for (unsigned i = 0; i < world.settings.restarts; i++) {
        while (!world.lives) {
            pass(SEC);
        }
        pass(SEC);
        crash();
    }
    assert_int_equal(world.recovery.phase, RECOVERY_SAFE);
    forget();
}

#endif
