/* Guards against a thread that hangs in its driver and takes its endpoint, the loop or the end of
 * the process along, and against freeing what such a thread comes back to. The hang is a real one:
 * a helper process stops the one thread with ptrace(2), and lets it go on again at the end. Where
 * that is not allowed the tests are skipped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "modbus_runs.h"
#include "modbus_worker.h"

#define DEADLINE_US (10 * USEC_PER_SEC)
#define BUDGET_US   (4 * USEC_PER_SEC)
#define HANGS_US    (15 * USEC_PER_SEC) /* what such a job is given at least */
#define ROW         (VITAL_WORKER + 7)

enum { TASKS_MAX = 64 };

static struct modbus_patience patience = {.write_offs = 3, .window_us = 10 * USEC_PER_MINUTE};

/* --- A thread that hangs --- */

struct frozen {
    pid_t helper;
    int let_go; /* written to: it goes on */
};

static void help(pid_t task, int ready, int let_go)
{
    char byte;
    bool stopped = ptrace(PTRACE_SEIZE, task, NULL, NULL) == 0 &&
                   ptrace(PTRACE_INTERRUPT, task, NULL, NULL) == 0 &&
                   waitpid(task, NULL, __WALL) == task;

    (void)!write(ready, stopped ? "y" : "n", 1);
    (void)!read(let_go, &byte, 1);
    (void)ptrace(PTRACE_DETACH, task, NULL, NULL);
    _exit(0);
}

static struct frozen freeze(pid_t task)
{
    int ready[2], let_go[2];
    char byte = 'n';
    struct frozen frozen;

    assert_int_equal(pipe2(ready, O_CLOEXEC) | pipe2(let_go, O_CLOEXEC), 0);
    frozen.helper = fork();
    assert_true(frozen.helper >= 0);
    if (frozen.helper == 0) {
        (void)close(let_go[1]);
        (void)!read(let_go[0], &byte, 1); /* until it is allowed to */
        help(task, ready[1], let_go[0]);
    }
    (void)prctl(PR_SET_PTRACER, frozen.helper, 0, 0, 0); /* where Yama asks for it */
    (void)!write(let_go[1], "g", 1);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    (void)close(ready[0]);
    (void)close(ready[1]);
    (void)close(let_go[0]);
    frozen.let_go = let_go[1];
    if (byte != 'y') {
        print_message("stopping a thread is not allowed here\n");
        skip();
    }
    return frozen;
}

static void thaw(struct frozen *frozen)
{
    /* A word, and not the end of the pipe: later helpers have a copy of it. */
    assert_int_equal(write(frozen->let_go, "g", 1), 1);
    (void)close(frozen->let_go);
    assert_int_equal(waitpid(frozen->helper, NULL, 0), frozen->helper);
}

static unsigned list_tasks(pid_t tasks[TASKS_MAX])
{
    DIR *folder = opendir("/proc/self/task");
    const struct dirent *entry;
    unsigned count = 0;

    while ((entry = readdir(folder)) != NULL) {
        if (entry->d_name[0] != '.' && count < TASKS_MAX) {
            tasks[count++] = (pid_t)strtol(entry->d_name, NULL, 10);
        }
    }
    closedir(folder);
    return count;
}

/* The one task that is there now and was not before. */
static pid_t new_task(const pid_t *before, unsigned count)
{
    pid_t now[TASKS_MAX], found = 0;
    unsigned now_count = list_tasks(now);

    for (unsigned i = 0; i < now_count; i++) {
        bool known = false;
        for (unsigned j = 0; j < count; j++) {
            known = known || now[i] == before[j];
        }
        found = known ? found : now[i];
    }
    assert_true(found != 0);
    return found;
}

/* --- One endpoint, used as the modbus kind does --- */

static struct vitals vitals;

struct desk {
    struct peer *peer;
    struct modbus_target target;
    struct modbus_worker *worker;
    struct modbus_link *link;
    struct modbus_ticket ticket;
    pid_t tasks[TASKS_MAX]; /* those that were there before the endpoint's last thread */
    unsigned task_count;
    usec_t now_us; /* the loop's clock, moved by hand */
};

static void desk_open(struct desk *desk, enum peer_habit habit)
{
    char why[128];

    *desk = (struct desk){.peer = peer_new(PEER_TCP, habit), .now_us = USEC_PER_HOUR};
    vitals_begin(&vitals, USEC_PER_SEC);
    assert_int_equal(modbus_target_parse(desk->peer->address, &desk->target, why, sizeof(why)),
                     ERROR_NONE);
    assert_int_equal(modbus_link_new(&desk->target, 17, &desk->link), ERROR_NONE);
    desk->task_count = list_tasks(desk->tasks);
    assert_int_equal(modbus_worker_open(&desk->target, patience, &desk->worker), ERROR_NONE);
    modbus_worker_watch(desk->worker, &vitals, ROW);
    modbus_worker_watch(desk->worker, &vitals, ROW + 1); /* a later target changes nothing */
    assert_int_equal(modbus_worker_start(desk->worker), ERROR_NONE);
}

static int connect_to(const struct peer *peer)
{
    struct sockaddr_in at;
    socklen_t size = sizeof(at);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(getsockname(peer->listener, (struct sockaddr *)&at, &size), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&at, size), 0);
    return fd;
}

static unsigned requests_of(struct peer *peer)
{
    pthread_mutex_lock(&peer->lock);
    unsigned count = peer->request_count;
    pthread_mutex_unlock(&peer->lock);
    return count;
}

/* Hands a job over, and returns when the device has been asked: from then on the thread waits. */
static void desk_ask(struct desk *desk)
{
    const struct modbus_span span = {.table = MODBUS_TABLE_HOLDING, .address = 100, .count = 1};
    struct modbus_job job = {.budget_us = BUDGET_US};
    const usec_t until_us = modbus_now_us() + DEADLINE_US;
    unsigned before = requests_of(desk->peer);

    if (desk->link == NULL) {
        assert_int_equal(modbus_link_new(&desk->target, 17, &desk->link), ERROR_NONE);
    }
    assert_int_equal(modbus_worker_start(desk->worker), ERROR_NONE);
    modbus_plan_init(&job.plan, &span, 1, 125, 2000);
    modbus_worker_queue(desk->worker, &desk->ticket);
    assert_true(modbus_worker_turn(&desk->ticket));
    modbus_worker_submit(desk->worker, &job, &desk->link, connect_to(desk->peer), NULL,
                         desk->now_us);
    while (requests_of(desk->peer) == before) {
        assert_true(modbus_now_us() < until_us);
        peer_pause_ms(1);
    }
}

static bool row_is_armed(void)
{
    return vital_is_armed(&vitals, ROW);
}

static void expect_rest(void)
{
    const usec_t until_us = modbus_now_us() + DEADLINE_US;

    while (row_is_armed()) {
        assert_true(modbus_now_us() < until_us);
        peer_pause_ms(1);
    }
}

static uint32_t replaced(void)
{
    return atomic_load(&vitals.workers_replaced);
}

/* A job that is cut off by its run's deadline while its thread hangs. */
static struct frozen desk_hang(struct desk *desk)
{
    pid_t task = new_task(desk->tasks, desk->task_count);

    desk_ask(desk);
    struct frozen frozen = freeze(task);
    assert_true(row_is_armed());
    assert_int_equal(atomic_load(&vitals.rows[ROW].limit_ms), 30000);
    modbus_worker_leave(&desk->ticket);
    desk->task_count = list_tasks(desk->tasks);
    return frozen;
}

static void desk_close(struct desk *desk)
{
    modbus_worker_close(desk->worker, &desk->link);
    assert_null(desk->link);
    peer_free(desk->peer);
}

/* Asks, and gets the answer of a good device. */
static void expect_answer(struct desk *desk)
{
    const usec_t until_us = modbus_now_us() + DEADLINE_US;
    uint32_t progress = atomic_load(&vitals.rows[ROW].progress);
    struct modbus_report report;

    atomic_store(&desk->peer->habit, PEER_GOOD);
    desk_ask(desk);
    do {
        assert_true(modbus_now_us() < until_us);
        struct waits waits;
        waits_clear(&waits);
        modbus_worker_waits(&desk->ticket, &waits);
        (void)poll(waits.at, waits.count, 100);
        modbus_worker_report(desk->worker, &report);
    } while (!report.finished);
    assert_int_equal(report.end, MODBUS_ANSWERED);
    assert_int_equal(report.readings[0].state, MODBUS_READ_DATA);
    assert_false(row_is_armed());
    /* Once for the job, once for the exchange. */
    assert_true(atomic_load(&vitals.rows[ROW].progress) - progress >= 2);
    modbus_worker_leave(&desk->ticket);
}

/* --- Tests --- */

static void a_thread_at_work_shows_signs_of_life_and_rests_after(void **state)
{
    struct desk desk;

    (void)state;
    desk_open(&desk, PEER_GOOD);
    assert_false(row_is_armed());
    expect_answer(&desk);
    modbus_worker_tend(desk.worker, desk.now_us + USEC_PER_HOUR);
    assert_int_equal(replaced(), 0);
    desk_close(&desk);
}

static void a_thread_that_hangs_is_replaced_and_frees_itself_when_it_is_back(void **state)
{
    struct modbus_ticket waiting = {0};
    struct desk desk;

    (void)state;
    unsigned descriptors = harness_open_descriptors();
    desk_open(&desk, PEER_SILENT);
    unsigned threads = count_threads();
    struct frozen frozen = desk_hang(&desk);
    modbus_worker_queue(desk.worker, &waiting);
    modbus_worker_tend(desk.worker, desk.now_us + HANGS_US - 1);
    assert_false(modbus_worker_turn(&waiting));
    assert_int_equal(replaced(), 0);
    assert_non_null(desk.link);
    assert_true(row_is_armed());
    modbus_worker_tend(desk.worker, desk.now_us + HANGS_US);
    assert_int_equal(replaced(), 1);
    assert_null(desk.link); /* it went with the thread */
    assert_true(modbus_worker_turn(&waiting));
    assert_false(row_is_armed());
    assert_int_equal(count_threads(), threads + 1);
    modbus_worker_leave(&waiting);
    expect_answer(&desk);
    /* The one that comes back has no row any more: it must not put to rest what another is at. */
    atomic_store(&desk.peer->habit, PEER_SILENT);
    desk_ask(&desk);
    assert_true(row_is_armed());
    thaw(&frozen);
    expect_threads(threads);
    assert_true(row_is_armed());
    modbus_worker_leave(&desk.ticket);
    expect_rest();
    expect_answer(&desk);
    desk_close(&desk);
    assert_int_equal(harness_open_descriptors(), descriptors);
}

static void a_thread_that_is_back_in_time_is_kept(void **state)
{
    struct desk desk;

    (void)state;
    desk_open(&desk, PEER_SILENT);
    unsigned threads = count_threads();
    struct frozen frozen = desk_hang(&desk);
    thaw(&frozen);
    expect_rest();
    modbus_worker_tend(desk.worker, desk.now_us + HANGS_US);
    assert_int_equal(replaced(), 0);
    assert_int_equal(count_threads(), threads);
    assert_non_null(desk.link);
    expect_answer(&desk);
    desk_close(&desk);
}

static void after_three_in_ten_minutes_only_the_row_tells(void **state)
{
    struct frozen frozen[5];
    struct desk desk;

    (void)state;
    desk_open(&desk, PEER_SILENT);
    unsigned threads = count_threads();
    const usec_t first_us = desk.now_us + HANGS_US;
    for (unsigned i = 0; i < 4; i++) {
        frozen[i] = desk_hang(&desk);
        desk.now_us += HANGS_US;
        modbus_worker_tend(desk.worker, desk.now_us);
        assert_int_equal(replaced(), i < 3 ? i + 1 : 3);
    }
    assert_true(row_is_armed());
    modbus_worker_tend(desk.worker, first_us + 10 * USEC_PER_MINUTE - 1);
    assert_int_equal(replaced(), 3);
    assert_true(row_is_armed());
    desk.now_us = first_us + 10 * USEC_PER_MINUTE;
    modbus_worker_tend(desk.worker, desk.now_us);
    assert_int_equal(replaced(), 4);
    assert_false(row_is_armed());
    /* The window moves: the second write-off counts on. */
    frozen[4] = desk_hang(&desk);
    modbus_worker_tend(desk.worker, first_us + 10 * USEC_PER_MINUTE + HANGS_US - 1);
    assert_int_equal(replaced(), 4);
    for (unsigned i = 0; i < ARRAY_LEN(frozen); i++) {
        thaw(&frozen[i]);
    }
    expect_threads(threads);
    desk_close(&desk);
}

/* The first `patience.write_offs` of three hangs are helped. */
static void expect_help(unsigned write_offs)
{
    const struct modbus_patience usual = patience;
    struct frozen frozen[3];
    struct desk desk;

    patience.write_offs = write_offs;
    desk_open(&desk, PEER_SILENT);
    unsigned threads = count_threads();
    for (unsigned i = 0; i <= write_offs; i++) {
        frozen[i] = desk_hang(&desk);
        desk.now_us += HANGS_US;
        modbus_worker_tend(desk.worker, desk.now_us);
        assert_int_equal(replaced(), i < write_offs ? i + 1 : write_offs);
    }
    assert_true(row_is_armed());
    for (unsigned i = 0; i <= write_offs; i++) {
        thaw(&frozen[i]);
    }
    expect_threads(threads);
    desk_close(&desk);
    patience = usual;
}

static void as_many_threads_are_written_off_as_were_asked_for(void **state)
{
    (void)state;
    for (unsigned write_offs = 0; write_offs < 3; write_offs++) {
        expect_help(write_offs);
    }
}

static void closing_does_not_wait_for_a_thread_that_hangs(void **state)
{
    (void)state;
    for (unsigned busy = 0; busy < 2; busy++) {
        struct desk desk;
        struct frozen frozen;

        desk_open(&desk, PEER_SILENT);
        unsigned threads = count_threads() - 1;
        if (busy != 0) {
            frozen = desk_hang(&desk);
        } else {
            expect_answer(&desk); /* the link of a job that is over stays the target's */
            frozen = freeze(new_task(desk.tasks, desk.task_count));
        }
        usec_t since_us = modbus_now_us();
        modbus_worker_close(desk.worker, &desk.link);
        assert_true(modbus_now_us() - since_us < 5 * USEC_PER_SEC);
        assert_null(desk.link);
        assert_int_equal(count_threads(), threads + 1);
        thaw(&frozen);
        expect_threads(threads);
        peer_free(desk.peer);
    }
}

static void the_last_but_one_to_close_leaves_an_endpoint_that_works(void **state)
{
    struct modbus_link *other;
    struct desk desk;

    (void)state;
    desk_open(&desk, PEER_SILENT);
    assert_int_equal(modbus_link_new(&desk.target, 18, &other), ERROR_NONE);
    struct modbus_worker *same;
    assert_int_equal(modbus_worker_open(&desk.target, patience, &same), ERROR_NONE);
    assert_ptr_equal(same, desk.worker);
    struct frozen frozen = desk_hang(&desk);
    modbus_worker_close(desk.worker, &desk.link);
    desk.link = other;
    /* Without a thread it is the next one's turn all the same, and its to start another. */
    modbus_worker_queue(desk.worker, &desk.ticket);
    assert_true(modbus_worker_turn(&desk.ticket));
    modbus_worker_leave(&desk.ticket);
    modbus_worker_tend(desk.worker, desk.now_us);
    expect_answer(&desk);
    thaw(&frozen);
    desk_close(&desk);
}

static void targets_of_one_endpoint_share_the_row_of_the_first(void **state)
{
    struct peer *line = peer_new(PEER_TCP, PEER_SILENT), *other = peer_new(PEER_TCP, PEER_GOOD);
    struct harness *harness = harness_of("[modbus x]\naddress = %s\nunit = 1\ntimeout = 400ms\n"
                                         "read = a holding 0 u16\n"
                                         "[modbus y]\naddress = %s\nunit = 2\ntimeout = 400ms\n"
                                         "read = a holding 0 u16\n"
                                         "[modbus z]\naddress = %s\ntimeout = 400ms\n"
                                         "read = a holding 0 u16\n",
                                         other->address, line->address, line->address);

    (void)state;
    vitals_begin(&vitals, USEC_PER_SEC);
    runner_watch(harness->runner, &vitals);
    harness_start(harness, 2);
    const usec_t until_us = modbus_now_us() + DEADLINE_US;
    while (!vital_is_armed(&vitals, VITAL_WORKER + 1)) {
        assert_true(modbus_now_us() < until_us);
        harness_turn(harness, 10 * USEC_PER_MSEC);
    }
    assert_false(vital_is_armed(&vitals, VITAL_WORKER));
    assert_false(vital_is_armed(&vitals, VITAL_WORKER + 2));
    struct result result;
    assert_int_equal(harness_collect(harness, &result), ERROR_NONE);
    assert_int_equal(result.reason, REASON_TIMEOUT);
    harness_free(harness);
    assert_false(vital_is_armed(&vitals, VITAL_WORKER + 1));
    peer_free(line);
    peer_free(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thread_at_work_shows_signs_of_life_and_rests_after),
        cmocka_unit_test(a_thread_that_hangs_is_replaced_and_frees_itself_when_it_is_back),
        cmocka_unit_test(a_thread_that_is_back_in_time_is_kept),
        cmocka_unit_test(after_three_in_ten_minutes_only_the_row_tells),
        cmocka_unit_test(as_many_threads_are_written_off_as_were_asked_for),
        cmocka_unit_test(closing_does_not_wait_for_a_thread_that_hangs),
        cmocka_unit_test(the_last_but_one_to_close_leaves_an_endpoint_that_works),
        cmocka_unit_test(targets_of_one_endpoint_share_the_row_of_the_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
