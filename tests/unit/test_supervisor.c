/* Guards against: memory that a crash takes along, a crash that is mistaken for an end in order or
 * for a refusal, one by the kernel for want of memory that is called another, a refusal that ends
 * an agent which had run, a SIGTERM that is lost between two lives, orphans that nobody reaps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base.h"
#include "signals.h"
#include "supervisor.h"

#define DEADLINE_MS  20000
#define REGION_BYTES ((size_t)256 << 20)

/* What one life of the scripted agent does. */
struct act {
    enum { ACT_RETURN, ACT_EXIT, ACT_RAISE, ACT_STARVE } kind;
    int number; /* what it returns, its exit code, or the signal that ends it, and with ACT_STARVE
                   just after the kernel has killed somebody for want of memory */
    bool waits; /* first for the parent's word to stop */
    bool leaves_an_orphan;
};

/* What one life saw. */
struct report {
    struct supervised told;
    unsigned region_first, region_last;
    pid_t self, parent, orphan;
};

struct stage {
    struct act acts[6];
    int reports[2];
    pid_t supervisor;
};

/* The kernel's count, which a test cannot make it raise without killing somebody. */
static _Atomic uint32_t *kernel_kills;

uint64_t __wrap_oom_kills(void);
uint64_t __wrap_oom_kills(void)
{
    return kernel_kills != NULL ? atomic_load(kernel_kills) : 0;
}

static pid_t leave_orphan(void)
{
    pid_t orphan = fork();
    if (orphan == 0) {
        poll(NULL, 0, 200);
        _exit(0);
    }
    return orphan;
}

static enum supervised_end play(void *context, struct supervised *supervised)
{
    const struct stage *stage = context;
    const struct act *act = &stage->acts[supervised->starts - 1];
    unsigned *words = supervised->region;
    size_t last = supervised->region_size / sizeof *words - 1;
    struct report report = {.told = *supervised,
                            .region_first = words[0]++,
                            .region_last = words[last]++,
                            .self = getpid(),
                            .parent = getppid(),
                            .orphan = act->leaves_an_orphan ? leave_orphan() : 0};
    if (write(stage->reports[1], &report, sizeof report) != (ssize_t)sizeof report) {
        _exit(99);
    }
    if (act->waits) {
        sigset_t stop;
        int number;
        sigemptyset(&stop);
        sigaddset(&stop, SIGNALS_PARENT_STOP);
        sigwait(&stop, &number);
    }
    if (act->kind == ACT_STARVE) {
        atomic_fetch_add(kernel_kills, 1);
    }
    if (act->kind == ACT_RAISE || act->kind == ACT_STARVE) {
        signal(act->number, SIG_DFL); /* a sanitizer would catch it */
        raise(act->number);
    }
    if (act->kind == ACT_EXIT) {
        _exit(act->number);
    }
    return (enum supervised_end)act->number;
}

/* The supervisor in a process of its own, silent. */
static void open_stage(struct stage *stage, void (*prepare)(void))
{
    assert_int_equal(pipe2(stage->reports, O_CLOEXEC), 0);
    fflush(NULL);
    stage->supervisor = fork();
    assert_true(stage->supervisor >= 0);
    if (stage->supervisor == 0) {
        int null = open("/dev/null", O_RDWR);
        dup2(null, STDERR_FILENO);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (prepare) {
            prepare();
        }
        _exit((int)supervisor_run(REGION_BYTES,
                                  (struct supervised_agent){.context = stage, .live = play}));
    }
    close(stage->reports[1]);
}

static struct report next_report(const struct stage *stage)
{
    struct report report = {0};
    struct pollfd ready = {.fd = stage->reports[0], .events = POLLIN};
    assert_int_equal(poll(&ready, 1, DEADLINE_MS), 1);
    assert_int_equal(read(stage->reports[0], &report, sizeof report), sizeof report);
    assert_int_equal(report.parent, stage->supervisor);
    return report;
}

/* The exit code; the supervisor and its child have the pipe's other end, so its end tells theirs.
 */
static int end_of(struct stage *stage)
{
    char rest;
    int status;
    struct pollfd ready = {.fd = stage->reports[0], .events = POLLIN};
    assert_int_equal(poll(&ready, 1, DEADLINE_MS), 1);
    assert_int_equal(read(stage->reports[0], &rest, 1), 0);
    close(stage->reports[0]);
    assert_int_equal(waitpid(stage->supervisor, &status, 0), stage->supervisor);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int stop(struct stage *stage)
{
    kill(stage->supervisor, SIGTERM);
    return end_of(stage);
}

static void memory_outlives_crashes_and_reloads_and_each_life_knows_its_cause(void **state)
{
    (void)state;
    struct stage stage = {.acts = {{ACT_RAISE, SIGKILL, false, false},
                                   {ACT_RETURN, SUPERVISED_RELOAD, false, false},
                                   {ACT_EXIT, 3, false, false},
                                   {ACT_RAISE, SIGSEGV, false, false},
                                   {ACT_RETURN, SUPERVISED_STOPPED, true, false}}};
    static const struct {
        enum cause cause;
        int signal, exit_code;
    } rows[] = {{CAUSE_NONE, 0, 0},
                {CAUSE_CRASH, SIGKILL, 0},
                {CAUSE_RELOAD, SIGKILL, 0},
                {CAUSE_CRASH, 0, 3},
                {CAUSE_CRASH, SIGSEGV, 0}};
    open_stage(&stage, NULL);
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        struct report report = next_report(&stage);
        assert_true(report.told.by_parent);
        assert_int_equal(report.told.before.cause, rows[i].cause);
        if (rows[i].cause == CAUSE_CRASH) {
            assert_int_equal(report.told.before.signal, rows[i].signal);
            assert_int_equal(report.told.before.exit_code, rows[i].exit_code);
        }
        assert_int_equal(report.told.starts, i + 1);
        assert_int_equal(report.told.region_size, REGION_BYTES);
        assert_int_equal(report.region_first, i);
        assert_int_equal(report.region_last, i);
    }
    assert_int_equal(stop(&stage), SUPERVISED_STOPPED);
}

static void a_kill_for_want_of_memory_is_told_from_others(void **state)
{
    static const struct {
        struct act act;
        enum cause cause;
    } rows[] = {
        {{ACT_STARVE, SIGKILL, false, false}, CAUSE_MEMORY},
        {{ACT_RAISE, SIGKILL, false, false}, CAUSE_CRASH},
        {{ACT_STARVE, SIGSEGV, false, false}, CAUSE_CRASH}, /* another process was killed */
    };
    (void)state;
    kernel_kills =
        mmap(NULL, sizeof *kernel_kills, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(kernel_kills != MAP_FAILED);
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        struct stage stage = {.acts = {rows[i].act, {ACT_RETURN, SUPERVISED_STOPPED, true, false}}};
        open_stage(&stage, NULL);
        next_report(&stage);
        struct report report = next_report(&stage);
        assert_int_equal(report.told.before.cause, rows[i].cause);
        assert_int_equal(stop(&stage), SUPERVISED_STOPPED);
    }
    assert_int_equal(munmap(kernel_kills, sizeof *kernel_kills), 0);
    kernel_kills = NULL;
}

static void only_the_first_life_may_refuse_to_start(void **state)
{
    (void)state;
    static const int refusals[] = {SUPERVISED_FAILED, SUPERVISED_BAD_CONFIG};
    struct stage later[ARRAY_LEN(refusals)]; /* side by side: each waits for the delay */
    for (unsigned i = 0; i < ARRAY_LEN(refusals); i++) {
        struct stage first = {.acts = {{ACT_RETURN, refusals[i], false, false}}};
        open_stage(&first, NULL);
        next_report(&first);
        assert_int_equal(end_of(&first), refusals[i]);

        later[i] = (struct stage){.acts = {{ACT_RETURN, SUPERVISED_RELOAD, false, false},
                                           {ACT_RETURN, refusals[i], false, false},
                                           {ACT_RETURN, SUPERVISED_STOPPED, true, false}}};
        open_stage(&later[i], NULL);
    }
    for (unsigned i = 0; i < ARRAY_LEN(refusals); i++) {
        next_report(&later[i]);
        next_report(&later[i]);
        struct report report = next_report(&later[i]);
        assert_int_equal(report.told.before.cause, CAUSE_RELOAD); /* of the last life that ran */
        assert_int_equal(stop(&later[i]), SUPERVISED_STOPPED);
    }
}

static void an_end_that_nobody_asked_for_is_a_crash(void **state)
{
    (void)state;
    static const int codes[] = {0, 1, 2, 255};
    struct stage stages[ARRAY_LEN(codes)];
    for (unsigned i = 0; i < ARRAY_LEN(codes); i++) {
        stages[i] = (struct stage){.acts = {{ACT_EXIT, codes[i], false, false},
                                            {ACT_RETURN, SUPERVISED_STOPPED, true, false}}};
        open_stage(&stages[i], NULL);
    }
    for (unsigned i = 0; i < ARRAY_LEN(codes); i++) {
        next_report(&stages[i]);
        struct report report = next_report(&stages[i]);
        assert_int_equal(report.told.before.cause, CAUSE_CRASH);
        assert_int_equal(report.told.before.exit_code, codes[i]);
        assert_int_equal(stop(&stages[i]), SUPERVISED_STOPPED);
    }
}

static void whatever_the_child_does_when_it_is_to_stop_there_is_no_next(void **state)
{
    (void)state;
    static const struct {
        struct act act;
        int end;
    } rows[] = {
        {{ACT_RETURN, SUPERVISED_STOPPED, true, false}, SUPERVISED_STOPPED},
        {{ACT_RETURN, SUPERVISED_RELOAD, true, false}, SUPERVISED_STOPPED},
        {{ACT_EXIT, 3, true, false}, SUPERVISED_FAILED},
        {{ACT_RAISE, SIGSEGV, true, false}, SUPERVISED_FAILED},
    };
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        struct stage stage = {.acts = {rows[i].act}};
        open_stage(&stage, NULL);
        next_report(&stage);
        assert_int_equal(stop(&stage), rows[i].end);
    }
    struct stage refused = {.acts = {{ACT_RETURN, SUPERVISED_RELOAD, false, false},
                                     {ACT_RETURN, SUPERVISED_BAD_CONFIG, true, false}}};
    open_stage(&refused, NULL);
    next_report(&refused);
    next_report(&refused);
    assert_int_equal(stop(&refused), SUPERVISED_STOPPED);
}

static void ignore_children(void)
{
    signal(SIGCHLD, SIG_IGN);
}

static void a_child_is_seen_to_end_though_sigchld_was_ignored(void **state)
{
    (void)state;
    struct stage stage = {.acts = {{ACT_RETURN, SUPERVISED_BAD_CONFIG, false, false}}};
    open_stage(&stage, ignore_children);
    next_report(&stage);
    assert_int_equal(end_of(&stage), SUPERVISED_BAD_CONFIG);
}

/* As process 1 of a container is. */
static void adopt_orphans(void)
{
    prctl(PR_SET_CHILD_SUBREAPER, 1);
}

static void orphans_are_reaped_and_not_mistaken_for_the_child(void **state)
{
    (void)state;
    struct stage stage = {
        .acts = {{ACT_RETURN, SUPERVISED_RELOAD, false, true}, {ACT_EXIT, 3, true, false}}};
    open_stage(&stage, adopt_orphans);
    pid_t orphan = next_report(&stage).orphan;
    struct report report = next_report(&stage);
    for (int i = 0; kill(orphan, 0) == 0; i++) {
        assert_true(i < DEADLINE_MS / 10);
        poll(NULL, 0, 10);
    }
    assert_int_equal(errno, ESRCH);
    assert_int_equal(kill(report.self, 0), 0);
    assert_int_equal(stop(&stage), SUPERVISED_FAILED); /* it still is the child that counts */
}

static void alone_the_agent_knows_that_it_is(void **state)
{
    (void)state;
    struct stage stage = {.acts = {{ACT_RETURN, SUPERVISED_RELOAD, false, false}}};
    assert_int_equal(pipe2(stage.reports, O_CLOEXEC), 0);
    stage.supervisor = getppid();
    assert_int_equal(
        supervisor_skip(REGION_BYTES, (struct supervised_agent){.context = &stage, .live = play}),
        SUPERVISED_RELOAD);
    struct report report = next_report(&stage);
    assert_int_equal(report.self, getpid());
    assert_false(report.told.by_parent);
    assert_int_equal(report.told.before.cause, CAUSE_NONE);
    assert_int_equal(report.told.region_size, REGION_BYTES);
    close(stage.reports[0]);
    close(stage.reports[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_outlives_crashes_and_reloads_and_each_life_knows_its_cause),
        cmocka_unit_test(a_kill_for_want_of_memory_is_told_from_others),
        cmocka_unit_test(only_the_first_life_may_refuse_to_start),
        cmocka_unit_test(an_end_that_nobody_asked_for_is_a_crash),
        cmocka_unit_test(whatever_the_child_does_when_it_is_to_stop_there_is_no_next),
        cmocka_unit_test(a_child_is_seen_to_end_though_sigchld_was_ignored),
        cmocka_unit_test(orphans_are_reaped_and_not_mistaken_for_the_child),
        cmocka_unit_test(alone_the_agent_knows_that_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
