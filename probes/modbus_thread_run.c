#include <poll.h>
#include <stdlib.h>

#include "modbus_thread_parts.h"

void modbus_thread_release(struct modbus_thread *thread)
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

void modbus_thread_disconnect(struct modbus_thread *thread)
{
    int fd = thread->fd;

    thread->fd = -1;
    if (fd >= 0) {
        modbus_thread_unlock(thread);
        (void)close(fd);
        modbus_thread_lock(thread);
    }
}

static void publish(void *context, const struct modbus_report *report)
{
    struct modbus_thread *thread = context;

    modbus_thread_lock(thread);
    thread->published = *report;
    if (thread->vitals != NULL) {
        vital_progress(thread->vitals, thread->row);
    }
    modbus_thread_unlock(thread);
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
        modbus_thread_disconnect(thread);
    }
    thread->job.reused = thread->fd >= 0;
    thread->fd_baud = target->baud;
    thread->fd_parity = target->parity;
    thread->fd_stop_bits = target->stop_bits;
}

static bool is_wanted(struct modbus_thread *thread)
{
    bool wanted;

    modbus_thread_lock(thread);
    wanted = !thread->abandoned;
    modbus_thread_unlock(thread);
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
    if (modbus_thread_is_line(thread) && thread->report.stale && is_wanted(thread)) {
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

        modbus_thread_unlock(thread);
        run_session(thread, &fd);
        modbus_thread_lock(thread);
        thread->fd = fd;
    }
    if (thread->abandoned || !thread->job.keep_open || thread->report.end != MODBUS_ANSWERED) {
        modbus_thread_disconnect(thread);
    }
    thread->published = thread->report;
    thread->state = thread->abandoned ? THREAD_IDLE : THREAD_FINISHED;
    thread->abandoned = false;
    if (thread->vitals != NULL) {
        vital_rest(thread->vitals, thread->row);
    }
    modbus_thread_ring(thread->from_thread);
}

/* Waits to be told something. Called and left with the lock held. */
static void wait_for_word(struct modbus_thread *thread)
{
    struct pollfd polled = {.fd = thread->to_thread, .events = POLLIN};

    modbus_thread_unlock(thread);
    (void)poll(&polled, 1, -1);
    modbus_thread_lock(thread);
    modbus_thread_silence(thread->to_thread);
}

void *modbus_thread_main(void *context)
{
    struct modbus_thread *thread = context;
    bool orphan;

    modbus_thread_lock(thread);
    while (!thread->stopping) {
        wait_for_word(thread);
        if (thread->state == THREAD_RUNNING) {
            run_job(thread);
        }
    }
    modbus_thread_disconnect(thread);
    orphan = thread->orphan;
    thread->done = true;
    modbus_thread_ring(thread->from_thread);
    modbus_thread_unlock(thread);
    if (orphan) {
        if (thread->owns_link) {
            modbus_link_free(thread->job.link);
        }
        modbus_thread_release(thread);
    }
    return NULL;
}
