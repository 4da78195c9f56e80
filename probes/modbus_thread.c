#include "modbus_thread.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "modbus_thread_parts.h"

#define PATIENCE_TIMES    3
#define PATIENCE_LEAST_US (15 * USEC_PER_SEC)
/* What the end of a thread, or of a job that was shut down, is given on a busy machine. */
#define END_PATIENCE_US (1 * USEC_PER_SEC)

usec_t modbus_thread_patience_us(usec_t budget_us)
{
    return usec_max(PATIENCE_TIMES * budget_us, PATIENCE_LEAST_US);
}

bool modbus_thread_start(struct modbus_thread *thread)
{
    size_t least = (size_t)PTHREAD_STACK_MIN;
    pthread_attr_t attributes;
    sigset_t all, before;
    int failed;

    if (thread->started) {
        return true;
    }
    if (pthread_attr_init(&attributes) != 0) {
        return false;
    }
    (void)pthread_attr_setstacksize(&attributes,
                                    least > MODBUS_STACK_BYTES ? least : MODBUS_STACK_BYTES);
    /* Signals are the loop's; SIGPIPE of a write to a closed socket must become an errno. */
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    failed = pthread_create(&thread->thread, &attributes, modbus_thread_main, thread);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_attr_destroy(&attributes);
    thread->started = failed == 0;
    return thread->started;
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
    if (thread->to_thread < 0 || thread->from_thread < 0) {
        modbus_thread_release(thread);
        return NULL;
    }
    return thread;
}

void modbus_thread_watch(struct modbus_thread *thread, struct vitals *vitals, unsigned row)
{
    modbus_thread_lock(thread);
    thread->vitals = vitals;
    thread->row = row;
    modbus_thread_unlock(thread);
}

/* Called with the lock held. Once it is given back, the thread may be gone at any moment. */
static void disown(struct modbus_thread *thread)
{
    thread->orphan = true;
    thread->stopping = true;
    thread->owns_link = thread->state == THREAD_RUNNING;
    thread->abandoned = true;
    thread->vitals = NULL;
    modbus_thread_ring(thread->to_thread);
    (void)pthread_detach(thread->thread);
}

void modbus_thread_write_off(struct modbus_thread *thread)
{
    modbus_thread_lock(thread);
    disown(thread);
    modbus_thread_unlock(thread);
}

/* Waits for a ring of the thread. Called and left with the lock held. */
static void wait_for_thread(struct modbus_thread *thread, usec_t deadline_us)
{
    struct pollfd polled = {.fd = thread->from_thread, .events = POLLIN};
    usec_t left_us = usec_max(deadline_us - modbus_now_us(), 0);

    modbus_thread_unlock(thread);
    (void)poll(&polled, 1, (int)((left_us + USEC_PER_MSEC - 1) / USEC_PER_MSEC));
    modbus_thread_lock(thread);
    modbus_thread_silence(thread->from_thread);
}

void modbus_thread_end(struct modbus_thread *thread)
{
    const usec_t deadline_us = modbus_now_us() + END_PATIENCE_US;
    bool done;

    if (!thread->started) {
        modbus_thread_release(thread);
        return;
    }
    modbus_thread_lock(thread);
    thread->stopping = true;
    modbus_thread_ring(thread->to_thread);
    while (!thread->done && modbus_now_us() < deadline_us) {
        wait_for_thread(thread, deadline_us);
    }
    done = thread->done;
    if (!done) {
        disown(thread);
    }
    modbus_thread_unlock(thread);
    if (done) {
        (void)pthread_join(thread->thread, NULL);
        modbus_thread_release(thread);
    }
}

/* Tells the thread to drop its job. Called with the lock held. */
static void abandon(struct modbus_thread *thread)
{
    thread->abandoned = true;
    if (thread->fd >= 0 && !modbus_thread_is_line(thread)) {
        (void)shutdown(thread->fd, SHUT_RDWR);
    }
    modbus_thread_ring(thread->to_thread);
}

void modbus_thread_leave(struct modbus_thread *thread)
{
    modbus_thread_lock(thread);
    if (thread->state == THREAD_RUNNING && !thread->abandoned) {
        abandon(thread);
    } else if (thread->state == THREAD_FINISHED) {
        thread->state = THREAD_IDLE;
    }
    modbus_thread_unlock(thread);
}

bool modbus_thread_let_go(struct modbus_thread *thread, const struct modbus_link *link)
{
    const usec_t deadline_us = modbus_now_us() + END_PATIENCE_US;
    bool uses;

    modbus_thread_lock(thread);
    uses = thread->state == THREAD_RUNNING && thread->job.link == link;
    while (uses && modbus_now_us() < deadline_us) {
        abandon(thread);
        wait_for_thread(thread, deadline_us);
        uses = thread->state == THREAD_RUNNING;
    }
    modbus_thread_unlock(thread);
    return !uses;
}

bool modbus_thread_is_idle(struct modbus_thread *thread)
{
    bool idle;

    modbus_thread_lock(thread);
    idle = thread->state == THREAD_IDLE;
    modbus_thread_unlock(thread);
    return idle;
}

bool modbus_thread_is_abandoned(struct modbus_thread *thread)
{
    bool abandoned;

    modbus_thread_lock(thread);
    abandoned = thread->state == THREAD_RUNNING && thread->abandoned;
    modbus_thread_unlock(thread);
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

    modbus_thread_lock(thread);
    if (thread->fd >= 0) {
        good = strncmp(thread->fd_source, source != NULL ? source : "",
                       sizeof(thread->fd_source)) == 0 &&
               recv(thread->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
               (errno == EAGAIN || errno == EWOULDBLOCK);
        if (!good) {
            modbus_thread_disconnect(thread);
        }
    }
    modbus_thread_unlock(thread);
    return good;
}

void modbus_thread_submit(struct modbus_thread *thread, const struct modbus_job *job, int fd,
                          const char *source)
{
    modbus_thread_silence(thread->from_thread);
    modbus_thread_lock(thread);
    assert(thread->state != THREAD_RUNNING);
    if (fd >= 0) {
        modbus_thread_disconnect(thread);
        thread->fd = fd;
        thread->fd_source[0] = '\0';
        if (source != NULL) {
            (void)strncat(thread->fd_source, source, sizeof(thread->fd_source) - 1);
        }
    }
    thread->job = *job;
    memset(&thread->published, 0, sizeof(thread->published));
    memset(&thread->report, 0, sizeof(thread->report));
    thread->published.phase = modbus_thread_is_line(thread) ? PHASE_CONNECT : PHASE_REQUEST;
    thread->state = THREAD_RUNNING;
    modbus_thread_ring(thread->to_thread);
    modbus_thread_unlock(thread);
}

void modbus_thread_report(struct modbus_thread *thread, struct modbus_report *out)
{
    modbus_thread_silence(thread->from_thread);
    modbus_thread_lock(thread);
    *out = thread->published;
    out->finished = thread->state == THREAD_FINISHED;
    modbus_thread_unlock(thread);
}

bool modbus_thread_peer(struct modbus_thread *thread, struct address *out)
{
    bool known;

    out->length = sizeof(out->socket);
    modbus_thread_lock(thread);
    known = thread->fd >= 0 && getpeername(thread->fd, &out->socket.any, &out->length) == 0;
    modbus_thread_unlock(thread);
    return known;
}
