/* Proves the store against crashes: see crash_states.h, crash_faults.h and crash_rot.h for what is
 * done to it, and crash_told.c for what must hold.
 *
 *   crash [--seeds N] [--first N] [--slots N] [--jobs N] [--mode states|faults|rot]
 *   crash --replay CASE
 *
 * Exit 0: all holds; 1: something does not, and the last line says what and how to see it again. */
#define _POSIX_C_SOURCE 200809L
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "crash_case.h"
#include "crash_faults.h"
#include "crash_rot.h"
#include "crash_states.h"

enum {
    JOBS_MAX = 16,
    OTHERS_EVERY = 3, /* seeds that see faults and rot, too */
};

struct options {
    uint64_t first, seeds;
    unsigned slots, jobs;
    bool modes[MODE_COUNT], single_mode;
    const char *replay;
};

/* What a process tells of its work: whole, in one write. */
struct report {
    uint32_t seeds;
    uint64_t states[MODE_COUNT];
};

static void run_seed(enum crash_mode mode, uint64_t seed, unsigned slots)
{
    crash_now.slots = slots;
    switch (mode) {
    case MODE_STATES:
        crash_states_run(seed, slots);
        break;
    case MODE_FAULTS:
        crash_faults_run(seed, slots);
        break;
    case MODE_ROT:
        crash_rot_run(seed, slots);
        break;
    case MODE_COUNT:
        break;
    }
}

static void work(const struct options *options, unsigned job, int to)
{
    crash_watch_signals();
    for (uint64_t i = job; i < options->seeds; i += options->jobs) {
        struct report report = {.seeds = 1};
        for (int mode = 0; mode < MODE_COUNT; mode++) {
            uint64_t before = crash_states;
            bool takes_part = mode == MODE_STATES || i % OTHERS_EVERY == 0 || options->single_mode;
            if (options->modes[mode] && takes_part) {
                run_seed((enum crash_mode)mode, options->first + i, options->slots);
            }
            report.states[mode] = crash_states - before;
        }
        if (write(to, &report, sizeof report) != (ssize_t)sizeof report) {
            _exit(2);
        }
    }
    _exit(0);
}

static double seconds(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static uint64_t states_of(const struct report *sum)
{
    uint64_t states = 0;
    for (int mode = 0; mode < MODE_COUNT; mode++) {
        states += sum->states[mode];
    }
    return states;
}

static void print_progress(const struct options *options, const struct report *sum, double begun,
                           const char *end)
{
    double elapsed = seconds() - begun;
    uint64_t states = states_of(sum);
    (void)printf("%" PRIu32 "/%" PRIu64 " seeds, %" PRIu64 " states (%" PRIu64 " crashes, %" PRIu64
                 " faults, %" PRIu64 " rot), %.0f states/s, %.0f s%s",
                 sum->seeds, options->seeds, states, sum->states[MODE_STATES],
                 sum->states[MODE_FAULTS], sum->states[MODE_ROT],
                 elapsed > 0 ? (double)states / elapsed : 0, elapsed, end);
    (void)fflush(stdout);
}

/* Exit code of all jobs: the first that failed ends the others. */
static int wait_for_jobs(pid_t *pids, unsigned jobs)
{
    int code = 0;
    for (unsigned ended = 0; ended < jobs; ended++) {
        int status = 0;
        pid_t pid = wait(&status);
        if (pid < 0) {
            return 2;
        }
        bool well = WIFEXITED(status) && WEXITSTATUS(status) == 0;
        if (!well && code == 0) {
            code = WIFEXITED(status) ? WEXITSTATUS(status) : 2;
            for (unsigned i = 0; i < jobs; i++) {
                if (pids[i] != pid) {
                    (void)kill(pids[i], SIGTERM);
                }
            }
        }
    }
    return code;
}

static int run(const struct options *options)
{
    int channel[2];
    pid_t pids[JOBS_MAX];
    struct report sum = {.seeds = 0}, report;
    double begun = seconds();
    bool shows = isatty(STDOUT_FILENO) == 1;
    if (pipe(channel) != 0) {
        return 2;
    }
    for (unsigned job = 0; job < options->jobs; job++) {
        pids[job] = fork();
        if (pids[job] == 0) {
            (void)close(channel[0]);
            work(options, job, channel[1]);
        }
    }
    (void)close(channel[1]);
    while (read(channel[0], &report, sizeof report) == (ssize_t)sizeof report) {
        sum.seeds += report.seeds;
        for (int mode = 0; mode < MODE_COUNT; mode++) {
            sum.states[mode] += report.states[mode];
        }
        if (shows) {
            print_progress(options, &sum, begun, "\r");
        }
    }
    int code = wait_for_jobs(pids, options->jobs);
    print_progress(options, &sum, begun, code == 0 ? ": all holds\n" : ": FAILED\n");
    return code;
}

static int replay(const struct options *options)
{
    struct crash_case wanted;
    if (!crash_parse(options->replay, &wanted)) {
        (void)fprintf(stderr, "crash: --replay: not a case: %s\n", options->replay);
        return 2;
    }
    crash_wanted = wanted;
    crash_watch_signals();
    run_seed(wanted.mode, wanted.seed, options->slots);
    (void)printf("%s: holds, %" PRIu64 " states\n", options->replay, crash_states);
    return 0;
}

static bool choose_mode(struct options *options, const char *name)
{
    for (int mode = 0; mode < MODE_COUNT; mode++) {
        options->modes[mode] = strcmp(name, crash_mode_name((enum crash_mode)mode)) == 0;
        if (options->modes[mode]) {
            for (int other = mode + 1; other < MODE_COUNT; other++) {
                options->modes[other] = false;
            }
            options->single_mode = true;
            return true;
        }
    }
    return false;
}

static bool parse_options(int argc, char **argv, struct options *options)
{
    for (int i = 1; i < argc; i += 2) {
        const char *name = argv[i], *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (value == NULL) {
            return false;
        }
        uint64_t number = strtoull(value, NULL, 10);
        if (strcmp(name, "--seeds") == 0) {
            options->seeds = number;
        } else if (strcmp(name, "--first") == 0) {
            options->first = number;
        } else if (strcmp(name, "--slots") == 0) {
            options->slots = (unsigned)number;
        } else if (strcmp(name, "--jobs") == 0) {
            options->jobs = number > 0 && number <= JOBS_MAX ? (unsigned)number : 1;
        } else if (strcmp(name, "--replay") == 0) {
            options->replay = value;
        } else if (strcmp(name, "--mode") != 0 || !choose_mode(options, value)) {
            return false;
        }
    }
    return options->slots == 0 || (options->slots >= 6 && options->slots <= 32);
}

int main(int argc, char **argv)
{
    struct options options = {.first = 1, .seeds = 6, .jobs = 2, .modes = {true, true, true}};
    if (!parse_options(argc, argv, &options)) {
        (void)fprintf(stderr, "usage: crash [--seeds N] [--first N] [--slots N] [--jobs N]\n"
                              "             [--mode states|faults|rot] | --replay CASE\n");
        return 2;
    }
    return options.replay != NULL ? replay(&options) : run(&options);
}
