/* State, all under `lock`:
 *
 *   IDLE --submit--> RUNNING --thread--> FINISHED --leave--> IDLE
 *                       \--leave: abandoned, the thread goes to IDLE by itself
 *
 * `fd` belongs to the thread while RUNNING, else to the loop. Only shutdown() reaches over, under
 * the lock, and a descriptor is taken out of `fd` before it is closed: so a number is never shut
 * down that was reused.
 *
 * The end: either the thread is `done` before the loop gives up waiting, and the loop frees all; or
 * it is an `orphan`, and frees all itself. Which of the two is decided under the lock. */
#include "modbus_thread.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE_TIMES    3
#define PATIENCE_LEAST_US (15 * USEC_PER_SEC)
/* What the end of a thread, or of a job that was shut down, is given on a busy machine. */
#define END_PATIENCE_US (1 * USEC_PER_SEC)

enum thread_state { THREAD_IDLE, THREAD_RUNNING, THREAD_FINISHED };

struct modbus_thread {
    int to_thread, from_thread; /* eventfds, both non-blocking */
    pthread_t thread;

    pthread_mutex_t lock; /* for everything below */
    enum thread_state state;
    bool abandoned;
    bool stopping;
    bool done;   /* it has let go of everything and touches nothing any more */
    bool orphan; /* nobody else will free it */
    bool owns_link;
    struct vitals *vitals; /* NULL: nobody watches */
    unsigned row;
    int fd;                    /* the connection; -1: none */
    int fd_baud, fd_stop_bits; /* the line settings it was opened with */
    char fd_parity;
    char fd_source[64]; /* the source address it was made with */
    struct modbus_job job;
    struct modbus_report published;

    /* The thread's own while RUNNING; here so that its stack stays small. */
    struct modbus_report report;
    struct modbus_answer answer;
};

usec_t modbus_thread_patience_us(usec_t budget_us)
{
    return usec_max(PATIENCE_TIMES * budget_us, PATIENCE_LEAST_US);
}

static void ring(int event_fd)
{
    const uint64_t one = 1;

    /* Fails only when the counter is full: then it is readable anyway. */
    (void)!write(event_fd, &one, sizeof(one));
}

static void silence(int event_fd)
{
    uint64_t count;

    (void)!read(event_fd, &count, sizeof(count));
}

static void lock(struct modbus_thread *thread)
{
    (void)pthread_mutex_lock(&thread->lock);
}

static void unlock(struct modbus_thread *thread)
{
    (void)pthread_mutex_unlock(&thread->lock);
}

static bool is_line(const struct modbus_thread *thread)
{
    return modbus_link_target(thread->job.link)->transport == MODBUS_RTU;
}

static void release(struct modbus_thread *thread)
{
    if (thread->to_thread >= 0) {
        (void)close(thread->to_thread);
    }
    if (thread->from_thread >= 0) {
        (void)close(thread->from_thread);
    }
    (void)pthread_mutex_destroy(&thread->lock);
    free(thread);
}

/* --- The thread's side --- */

/* Closes the connection. Called and left with the lock held, but not held meanwhile. */
static void close_connection(struct modbus_thread *thread)
{
    int fd = thread->fd;

    thread->fd = -1;
    if (fd >= 0) {
        unlock(thread);
        (void)close(fd);
        lock(thread);
    }
}

static void publish(void *context, const struct modbus_report *report)
{
    struct modbus_thread *thread = context;

    lock(thread);
    thread->published = *report;
    if (thread->vitals != NULL) {
        vital_progress(thread->vitals, thread->row);
    }
    unlock(thread);
}

/* A kept line serves a target only with the settings it was opened with. */
static void prepare_line(struct modbus_thread *thread)
{
    const struct modbus_target *target = modbus_link_target(thread->job.link);

    if (target->transport != MODBUS_RTU) {
        return;
    }
    if (thread->fd_baud != target->baud || thread->fd_parity != target->parity ||
        thread->fd_stop_bits != target->stop_bits) {
        close_connection(thread);
    }
    thread->job.reused = thread->fd >= 0;
    thread->fd_baud = target->baud;
    thread->fd_parity = target->parity;
    thread->fd_stop_bits = target->stop_bits;
}

static bool is_wanted(struct modbus_thread *thread)
{
    bool wanted;

    lock(thread);
    wanted = !thread->abandoned;
    unlock(thread);
    return wanted;
}

/* A line that turns out gone (an adapter that was plugged out and in) is opened anew, once. */
static void run_session(struct modbus_thread *thread, int *fd)
{
    const struct modbus_watcher watcher = {
        .context = thread, .publish = publish, .wake_fd = thread->to_thread};
    const struct modbus_plan plan = thread->job.plan;
    const usec_t deadline_us = usec_add(modbus_now_us(), thread->job.budget_us);

    modbus_session_run(&thread->job, fd, &watcher, &thread->report, &thread->answer);
    if (is_line(thread) && thread->report.stale && is_wanted(thread)) {
        (void)close(*fd);
        *fd = -1;
        thread->job.plan = plan;
        thread->job.reused = false;
        thread->job.budget_us = usec_max(deadline_us - modbus_now_us(), 0);
        modbus_session_run(&thread->job, fd, &watcher, &thread->report, &thread->answer);
    }
}

/* Runs the submitted job. Called and left with the lock held. */
static void run_job(struct modbus_thread *thread)
{
    if (thread->vitals != NULL) {
        vital_arm(thread->vitals, thread->row,
                  modbus_thread_patience_us(thread->job.budget_us) + MODBUS_JOB_SLACK_US);
    }
    prepare_line(thread);
    if (!thread->abandoned) {
        int fd = thread->fd;

        unlock(thread);
        run_session(thread, &fd);
        lock(thread);
        thread->fd = fd;
    }
    if (thread->abandoned || !thread->job.keep_open || thread->report.end != MODBUS_ANSWERED) {
        close_connection(thread);
    }
    thread->published = thread->report;
    thread->state = thread->abandoned ? THREAD_IDLE : THREAD_FINISHED;
    thread->abandoned = false;
    if (thread->vitals != NULL) {
        vital_rest(thread->vitals, thread->row);
    }
    ring(thread->from_thread);
}

/* Waits to be told something. Called and left with the lock held. */
static void wait_for_word(struct modbus_thread *thread)
{
    struct pollfd polled = {.fd = thread->to_thread, .events = POLLIN};

    unlock(thread);
    (void)poll(&polled, 1, -1);
    lock(thread);
    silence(thread->to_thread);
}

static void *thread_main(void *context)
{
    struct modbus_thread *thread = context;
    bool orphan;

    lock(thread);
    while (!thread->stopping) {
        wait_for_word(thread);
        if (thread->state == THREAD_RUNNING) {
            run_job(thread);
        }
    }
    close_connection(thread);
    orphan = thread->orphan;
    thread->done = true;
    ring(thread->from_thread);
    unlock(thread);
    if (orphan) {
        if (thread->owns_link) {
            modbus_link_free(thread->job.link);
        }
        release(thread);
    }
    return NULL;
}

/* --- The loop's side --- */

static bool start_thread(struct modbus_thread *thread)
{
    size_t least = (size_t)PTHREAD_STACK_MIN;
    pthread_attr_t attributes;
    sigset_t all, before;
    int failed;

    if (pthread_attr_init(&attributes) != 0) {
        return false;
    }
    (void)pthread_attr_setstacksize(&attributes,
                                    least > MODBUS_STACK_BYTES ? least : MODBUS_STACK_BYTES);
    /* Signals are the loop's; SIGPIPE of a write to a closed socket must become an errno. */
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    failed = pthread_create(&thread->thread, &attributes, thread_main, thread);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_attr_destroy(&attributes);
    return failed == 0;
}

struct modbus_thread *modbus_thread_new(void)
{
    struct modbus_thread *thread = calloc(1, sizeof(*thread));

    if (thread == NULL) {
        return NULL;
    }
    thread->fd = -1;
    (void)pthread_mutex_init(&thread->lock, NULL);
    thread->to_thread = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    thread->from_thread = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (thread->to_thread < 0 || thread->from_thread < 0 || !start_thread(thread)) {
        release(thread);
        return NULL;
    }
    return thread;
}

void modbus_thread_watch(struct modbus_thread *thread, struct vitals *vitals, unsigned row)
{
    lock(thread);
    thread->vitals = vitals;
    thread->row = row;
    unlock(thread);
}

/* Called with the lock held. Once it is given back, the thread may be gone at any moment. */
static void disown(struct modbus_thread *thread)
{
    thread->orphan = true;
    thread->stopping = true;
    thread->owns_link = thread->state == THREAD_RUNNING;
    thread->abandoned = true;
    thread->vitals = NULL;
    ring(thread->to_thread);
    (void)pthread_detach(thread->thread);
}

void modbus_thread_write_off(struct modbus_thread *thread)
{
    lock(thread);
    disown(thread);
    unlock(thread);
}

/* Waits for a ring of the thread. Called and left with the lock held. */
static void wait_for_thread(struct modbus_thread *thread, usec_t deadline_us)
{
    struct pollfd polled = {.fd = thread->from_thread, .events = POLLIN};
    usec_t left_us = usec_max(deadline_us - modbus_now_us(), 0);

    unlock(thread);
    (void)poll(&polled, 1, (int)((left_us + USEC_PER_MSEC - 1) / USEC_PER_MSEC));
    lock(thread);
    silence(thread->from_thread);
}

void modbus_thread_end(struct modbus_thread *thread)
{
    const usec_t deadline_us = modbus_now_us() + END_PATIENCE_US;
    bool done;

    lock(thread);
    thread->stopping = true;
    ring(thread->to_thread);
    while (!thread->done && modbus_now_us() < deadline_us) {
        wait_for_thread(thread, deadline_us);
    }
    done = thread->done;
    if (!done) {
        disown(thread);
    }
    unlock(thread);
    if (done) {
        (void)pthread_join(thread->thread, NULL);
        release(thread);
    }
}

/* Tells the thread to drop its job. Called with the lock held. */
static void abandon(struct modbus_thread *thread)
{
    thread->abandoned = true;
    if (thread->fd >= 0 && !is_line(thread)) {
        (void)shutdown(thread->fd, SHUT_RDWR);
    }
    ring(thread->to_thread);
}

void modbus_thread_leave(struct modbus_thread *thread)
{
    lock(thread);
    if (thread->state == THREAD_RUNNING && !thread->abandoned) {
        abandon(thread);
    } else if (thread->state == THREAD_FINISHED) {
        thread->state = THREAD_IDLE;
    }
    unlock(thread);
}

bool modbus_thread_let_go(struct modbus_thread *thread, const struct modbus_link *link)
{
    const usec_t deadline_us = modbus_now_us() + END_PATIENCE_US;
    bool uses;

    lock(thread);
    uses = thread->state == THREAD_RUNNING && thread->job.link == link;
    while (uses && modbus_now_us() < deadline_us) {
        abandon(thread);
        wait_for_thread(thread, deadline_us);
        uses = thread->state == THREAD_RUNNING;
    }
    unlock(thread);
    return !uses;
}

bool modbus_thread_is_idle(struct modbus_thread *thread)
{
    bool idle;

    lock(thread);
    idle = thread->state == THREAD_IDLE;
    unlock(thread);
    return idle;
}

bool modbus_thread_is_abandoned(struct modbus_thread *thread)
{
    bool abandoned;

    lock(thread);
    abandoned = thread->state == THREAD_RUNNING && thread->abandoned;
    unlock(thread);
    return abandoned;
}

int modbus_thread_wait_fd(const struct modbus_thread *thread)
{
    return thread->from_thread;
}

bool modbus_thread_reusable(struct modbus_thread *thread, const char *source)
{
    bool good = false;
    char byte;

    lock(thread);
    if (thread->fd >= 0) {
        good = strncmp(thread->fd_source, source != NULL ? source : "",
                       sizeof(thread->fd_source)) == 0 &&
               recv(thread->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
               (errno == EAGAIN || errno == EWOULDBLOCK);
        if (!good) {
            close_connection(thread);
        }
    }
    unlock(thread);
    return good;
}

void modbus_thread_submit(struct modbus_thread *thread, const struct modbus_job *job, int fd,
                          const char *source)
{
    silence(thread->from_thread);
    lock(thread);
    assert(thread->state != THREAD_RUNNING);
    if (fd >= 0) {
        close_connection(thread);
        thread->fd = fd;
        thread->fd_source[0] = '\0';
        if (source != NULL) {
            (void)strncat(thread->fd_source, source, sizeof(thread->fd_source) - 1);
        }
    }
    thread->job = *job;
    memset(&thread->published, 0, sizeof(thread->published));
    memset(&thread->report, 0, sizeof(thread->report));
    thread->published.phase = is_line(thread) ? PHASE_CONNECT : PHASE_REQUEST;
    thread->state = THREAD_RUNNING;
    ring(thread->to_thread);
    unlock(thread);
}

void modbus_thread_report(struct modbus_thread *thread, struct modbus_report *out)
{
    silence(thread->from_thread);
    lock(thread);
    *out = thread->published;
    out->finished = thread->state == THREAD_FINISHED;
    unlock(thread);
}

bool modbus_thread_peer(struct modbus_thread *thread, struct address *out)
{
    bool known;

    out->length = sizeof(out->socket);
    lock(thread);
    known = thread->fd >= 0 && getpeername(thread->fd, &out->socket.any, &out->length) == 0;
    unlock(thread);
    return known;
}
