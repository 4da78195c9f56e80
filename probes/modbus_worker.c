/* State of the thread, all under `lock`:
 *
 *   IDLE --submit--> RUNNING --thread--> FINISHED --leave--> IDLE
 *                       \--leave: abandoned, the thread goes to IDLE by itself
 *
 * `fd` belongs to the thread while RUNNING, else to the loop. Only shutdown() reaches over, under
 * the lock, and the thread closes under it too: so a number is never shut down that was reused. */
#include "modbus_worker.h"

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

enum worker_state { WORKER_IDLE, WORKER_RUNNING, WORKER_FINISHED };

struct modbus_worker {
    /* The loop's own. */
    struct modbus_worker *next;
    unsigned users;
    struct modbus_target target;
    struct modbus_ticket *queue;
    int to_thread, from_thread; /* eventfds, both non-blocking */
    bool started;               /* there is a thread */
    pthread_t thread;

    pthread_mutex_t lock; /* for everything below */
    enum worker_state state;
    bool abandoned;
    bool stopping;
    int fd; /* the connection; -1: none */
    bool fd_baud_known;
    int fd_baud, fd_stop_bits; /* the line settings it was opened with */
    char fd_parity;
    char fd_source[64]; /* the source address it was made with */
    struct modbus_job job;
    struct modbus_report published;

    /* The thread's own while RUNNING; here so that its stack stays small. */
    struct modbus_report report;
    struct modbus_answer answer;
};

/* All workers, so that targets on one endpoint find each other. Loop's thread only. */
static struct modbus_worker *workers;

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

static void close_connection(struct modbus_worker *worker)
{
    if (worker->fd >= 0) {
        (void)close(worker->fd);
        worker->fd = -1;
    }
}

static void publish(void *context, const struct modbus_report *report)
{
    struct modbus_worker *worker = context;

    (void)pthread_mutex_lock(&worker->lock);
    worker->published = *report;
    (void)pthread_mutex_unlock(&worker->lock);
}

/* A kept line serves a target only with the settings it was opened with. */
static void prepare_line(struct modbus_worker *worker)
{
    const struct modbus_target *target = modbus_link_target(worker->job.link);

    if (target->transport != MODBUS_RTU) {
        return;
    }
    if (worker->fd_baud != target->baud || worker->fd_parity != target->parity ||
        worker->fd_stop_bits != target->stop_bits) {
        close_connection(worker);
    }
    worker->job.reused = worker->fd >= 0;
    worker->fd_baud = target->baud;
    worker->fd_parity = target->parity;
    worker->fd_stop_bits = target->stop_bits;
}

/* A line that turns out gone (an adapter that was plugged out and in) is opened anew, once. */
static void run_session(struct modbus_worker *worker, int *fd)
{
    const struct modbus_watcher watcher = {
        .context = worker, .publish = publish, .wake_fd = worker->to_thread};
    const bool line = modbus_link_target(worker->job.link)->transport == MODBUS_RTU;
    const struct modbus_plan plan = worker->job.plan;
    const usec_t deadline_us = usec_add(modbus_now_us(), worker->job.budget_us);

    modbus_session_run(&worker->job, fd, &watcher, &worker->report, &worker->answer);
    if (line && worker->report.stale) {
        (void)close(*fd);
        *fd = -1;
        worker->job.plan = plan;
        worker->job.reused = false;
        worker->job.budget_us = usec_max(deadline_us - modbus_now_us(), 0);
        modbus_session_run(&worker->job, fd, &watcher, &worker->report, &worker->answer);
    }
}

/* Runs the submitted job. Called and left with the lock held. */
static void run_job(struct modbus_worker *worker)
{
    int fd;

    prepare_line(worker);
    fd = worker->fd;
    if (!worker->abandoned) {
        (void)pthread_mutex_unlock(&worker->lock);
        run_session(worker, &fd);
        (void)pthread_mutex_lock(&worker->lock);
    }
    worker->fd = fd;
    if (worker->abandoned || !worker->job.keep_open || worker->report.end != MODBUS_ANSWERED) {
        close_connection(worker);
    }
    worker->published = worker->report;
    worker->state = worker->abandoned ? WORKER_IDLE : WORKER_FINISHED;
    worker->abandoned = false;
    ring(worker->from_thread);
}

static void *thread_main(void *context)
{
    struct modbus_worker *worker = context;
    struct pollfd polled = {.fd = worker->to_thread, .events = POLLIN};

    for (;;) {
        (void)poll(&polled, 1, -1);
        (void)pthread_mutex_lock(&worker->lock);
        silence(worker->to_thread);
        if (worker->stopping) {
            break;
        }
        if (worker->state == WORKER_RUNNING) {
            run_job(worker);
        }
        (void)pthread_mutex_unlock(&worker->lock);
    }
    close_connection(worker);
    (void)pthread_mutex_unlock(&worker->lock);
    return NULL;
}

enum error modbus_worker_start(struct modbus_worker *worker)
{
    size_t least = (size_t)PTHREAD_STACK_MIN;
    pthread_attr_t attributes;
    sigset_t all, before;
    int failed;

    if (worker->started) {
        return ERROR_NONE;
    }
    if (pthread_attr_init(&attributes) != 0) {
        return ERROR_EXHAUSTED;
    }
    (void)pthread_attr_setstacksize(&attributes,
                                    least > MODBUS_STACK_BYTES ? least : MODBUS_STACK_BYTES);
    /* Signals are the loop's; SIGPIPE of a write to a closed socket must become an errno. */
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    failed = pthread_create(&worker->thread, &attributes, thread_main, worker);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_attr_destroy(&attributes);
    worker->started = failed == 0;
    return failed == 0 ? ERROR_NONE : ERROR_EXHAUSTED;
}

static void release(struct modbus_worker *worker)
{
    if (worker->to_thread >= 0) {
        (void)close(worker->to_thread);
    }
    if (worker->from_thread >= 0) {
        (void)close(worker->from_thread);
    }
    (void)pthread_mutex_destroy(&worker->lock);
    free(worker);
}

static struct modbus_worker *worker_new(const struct modbus_target *target)
{
    struct modbus_worker *worker = calloc(1, sizeof(*worker));

    if (worker == NULL) {
        return NULL;
    }
    worker->target = *target;
    worker->fd = -1;
    (void)pthread_mutex_init(&worker->lock, NULL);
    worker->to_thread = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    worker->from_thread = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (worker->to_thread < 0 || worker->from_thread < 0) {
        release(worker);
        return NULL;
    }
    return worker;
}

enum error modbus_worker_open(const struct modbus_target *target, struct modbus_worker **out)
{
    struct modbus_worker *worker = workers;

    while (worker != NULL && !modbus_target_same_endpoint(&worker->target, target)) {
        worker = worker->next;
    }
    if (worker == NULL) {
        worker = worker_new(target);
        if (worker == NULL) {
            return ERROR_EXHAUSTED;
        }
        worker->next = workers;
        workers = worker;
    }
    worker->users++;
    *out = worker;
    return ERROR_NONE;
}

/* Tells the thread to drop its job. Called with the lock held. */
static void abandon(struct modbus_worker *worker)
{
    worker->abandoned = true;
    if (worker->fd >= 0 && worker->target.transport != MODBUS_RTU) {
        (void)shutdown(worker->fd, SHUT_RDWR);
    }
    ring(worker->to_thread);
}

static void end_thread(struct modbus_worker *worker)
{
    struct modbus_worker **link = &workers;

    while (*link != worker) {
        link = &(*link)->next;
    }
    *link = worker->next;
    if (worker->started) {
        (void)pthread_mutex_lock(&worker->lock);
        worker->stopping = true;
        ring(worker->to_thread);
        (void)pthread_mutex_unlock(&worker->lock);
        (void)pthread_join(worker->thread, NULL);
    }
    release(worker);
}

void modbus_worker_close(struct modbus_worker *worker, struct modbus_link *link)
{
    struct pollfd polled = {.fd = worker->from_thread, .events = POLLIN};

    (void)pthread_mutex_lock(&worker->lock);
    while (worker->state == WORKER_RUNNING && worker->job.link == link) {
        abandon(worker);
        (void)pthread_mutex_unlock(&worker->lock);
        (void)poll(&polled, 1, -1);
        silence(worker->from_thread);
        (void)pthread_mutex_lock(&worker->lock);
    }
    (void)pthread_mutex_unlock(&worker->lock);
    modbus_link_free(link);
    if (--worker->users == 0) {
        end_thread(worker);
    }
}

void modbus_worker_queue(struct modbus_worker *worker, struct modbus_ticket *ticket)
{
    struct modbus_ticket **end = &worker->queue;

    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = ticket;
    ticket->next = NULL;
    ticket->worker = worker;
}

void modbus_worker_leave(struct modbus_ticket *ticket)
{
    struct modbus_worker *worker = ticket->worker;
    struct modbus_ticket **place;

    if (worker == NULL) {
        return;
    }
    if (worker->queue == ticket) {
        (void)pthread_mutex_lock(&worker->lock);
        if (worker->state == WORKER_RUNNING && !worker->abandoned) {
            abandon(worker);
        } else if (worker->state == WORKER_FINISHED) {
            worker->state = WORKER_IDLE;
        }
        (void)pthread_mutex_unlock(&worker->lock);
    }
    for (place = &worker->queue; *place != ticket; place = &(*place)->next) {
    }
    *place = ticket->next;
    ticket->worker = NULL;
    ticket->next = NULL;
}

bool modbus_worker_turn(const struct modbus_ticket *ticket)
{
    struct modbus_worker *worker = ticket->worker;
    bool idle;

    if (worker->queue != ticket) {
        return false;
    }
    (void)pthread_mutex_lock(&worker->lock);
    idle = worker->state == WORKER_IDLE;
    (void)pthread_mutex_unlock(&worker->lock);
    return idle;
}

bool modbus_worker_is_first(const struct modbus_ticket *ticket)
{
    return ticket->worker->queue == ticket;
}

void modbus_worker_waits(const struct modbus_ticket *ticket, struct waits *waits)
{
    /* Those further back wait for nothing: when they come to the front, this is asked again. */
    if (ticket->worker->queue != ticket) {
        return;
    }
    if (modbus_worker_turn(ticket)) {
        waits_until(waits, 0);
    } else {
        waits_add(waits, ticket->worker->from_thread, POLLIN);
    }
}

bool modbus_worker_reusable(struct modbus_worker *worker, const char *source)
{
    bool good = false;
    char byte;

    (void)pthread_mutex_lock(&worker->lock);
    if (worker->fd >= 0) {
        good = strncmp(worker->fd_source, source != NULL ? source : "",
                       sizeof(worker->fd_source)) == 0 &&
               recv(worker->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
               (errno == EAGAIN || errno == EWOULDBLOCK);
        if (!good) {
            close_connection(worker);
        }
    }
    (void)pthread_mutex_unlock(&worker->lock);
    return good;
}

void modbus_worker_submit(struct modbus_worker *worker, const struct modbus_job *job, int fd,
                          const char *source)
{
    silence(worker->from_thread);
    (void)pthread_mutex_lock(&worker->lock);
    if (fd >= 0) {
        close_connection(worker);
        worker->fd = fd;
        worker->fd_source[0] = '\0';
        if (source != NULL) {
            (void)strncat(worker->fd_source, source, sizeof(worker->fd_source) - 1);
        }
    }
    worker->job = *job;
    memset(&worker->published, 0, sizeof(worker->published));
    memset(&worker->report, 0, sizeof(worker->report));
    worker->published.phase =
        worker->target.transport == MODBUS_RTU ? PHASE_CONNECT : PHASE_REQUEST;
    worker->state = WORKER_RUNNING;
    ring(worker->to_thread);
    (void)pthread_mutex_unlock(&worker->lock);
}

void modbus_worker_report(struct modbus_worker *worker, struct modbus_report *out)
{
    silence(worker->from_thread);
    (void)pthread_mutex_lock(&worker->lock);
    *out = worker->published;
    out->finished = worker->state == WORKER_FINISHED;
    (void)pthread_mutex_unlock(&worker->lock);
}

bool modbus_worker_peer(struct modbus_worker *worker, struct address *out)
{
    bool known;

    out->length = sizeof(out->socket);
    (void)pthread_mutex_lock(&worker->lock);
    known = worker->fd >= 0 && getpeername(worker->fd, &out->socket.any, &out->length) == 0;
    (void)pthread_mutex_unlock(&worker->lock);
    return known;
}
