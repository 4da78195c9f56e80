#include "modbus_worker.h"

#include <stdlib.h>
#include <string.h>

struct modbus_worker {
    struct modbus_worker *next;
    unsigned users;
    struct modbus_target target;
    struct modbus_ticket *queue;
    struct modbus_thread *thread; /* NULL: one was written off, and no other was to be had */
    struct modbus_link **lent;    /* where the last job's link comes from */
    usec_t hangs_us;              /* when the last job's thread counts as hanging */
    struct modbus_patience patience;
    unsigned written_off;                         /* so far … */
    usec_t written_off_us[MODBUS_WRITE_OFFS_MAX]; /* … and when, the last ones in turn */
    struct vitals *vitals;                        /* NULL: nobody watches */
    unsigned row;
};

/* All workers, so that targets on one endpoint find each other. */
static struct modbus_worker *workers;

static struct modbus_worker *worker_new(const struct modbus_target *target)
{
    struct modbus_worker *worker = calloc(1, sizeof(*worker));

    if (worker == NULL) {
        return NULL;
    }
    worker->target = *target;
    worker->thread = modbus_thread_new();
    if (worker->thread == NULL) {
        free(worker);
        return NULL;
    }
    worker->next = workers;
    workers = worker;
    return worker;
}

static void worker_free(struct modbus_worker *worker)
{
    struct modbus_worker **link = &workers;

    while (*link != worker) {
        link = &(*link)->next;
    }
    *link = worker->next;
    if (worker->thread != NULL) {
        modbus_thread_end(worker->thread);
    }
    free(worker);
}

enum error modbus_worker_open(const struct modbus_target *target, struct modbus_patience patience,
                              struct modbus_worker **out)
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
        worker->patience = patience;
    }
    worker->users++;
    *out = worker;
    return ERROR_NONE;
}

void modbus_worker_watch(struct modbus_worker *worker, struct vitals *vitals, unsigned row)
{
    if (worker->vitals == NULL) {
        worker->vitals = vitals;
        worker->row = row;
        if (worker->thread != NULL) {
            modbus_thread_watch(worker->thread, vitals, row);
        }
    }
}

enum error modbus_worker_start(struct modbus_worker *worker)
{
    if (worker->thread == NULL) {
        worker->thread = modbus_thread_new();
        if (worker->thread != NULL && worker->vitals != NULL) {
            modbus_thread_watch(worker->thread, worker->vitals, worker->row);
        }
    }
    bool started = worker->thread != NULL && modbus_thread_start(worker->thread);
    return started ? ERROR_NONE : ERROR_EXHAUSTED;
}

/* Replaces the thread; `fresh` may be NULL. */
static void write_off(struct modbus_worker *worker, struct modbus_thread *fresh)
{
    modbus_thread_write_off(worker->thread);
    *worker->lent = NULL;
    worker->thread = fresh;
    if (worker->vitals != NULL) {
        vital_rest(worker->vitals, worker->row); /* the fresh one arms it anew */
        atomic_fetch_add(&worker->vitals->workers_replaced, 1);
    }
    if (worker->vitals != NULL && fresh != NULL) {
        modbus_thread_watch(fresh, worker->vitals, worker->row);
    }
}

/* Without another thread there is no point in writing one off. */
static void replace(struct modbus_worker *worker, usec_t now_us)
{
    const struct modbus_patience *patience = &worker->patience;
    struct modbus_thread *fresh;
    usec_t *oldest_us;

    if (patience->write_offs == 0) {
        return;
    }
    oldest_us = &worker->written_off_us[worker->written_off % patience->write_offs];
    if (worker->written_off >= patience->write_offs && now_us - *oldest_us < patience->window_us) {
        return;
    }
    fresh = modbus_thread_new();
    if (fresh != NULL && modbus_thread_start(fresh)) {
        *oldest_us = now_us;
        worker->written_off++;
        write_off(worker, fresh);
    } else if (fresh != NULL) {
        modbus_thread_end(fresh);
    }
}

void modbus_worker_tend(struct modbus_worker *worker, usec_t now_us)
{
    if (worker->thread != NULL && now_us >= worker->hangs_us &&
        modbus_thread_is_abandoned(worker->thread)) {
        replace(worker, now_us);
    }
}

void modbus_worker_close(struct modbus_worker *worker, struct modbus_link **link)
{
    if (worker->thread != NULL && *link != NULL && !modbus_thread_let_go(worker->thread, *link)) {
        write_off(worker, NULL);
    }
    modbus_link_free(*link);
    *link = NULL;
    if (--worker->users == 0) {
        worker_free(worker);
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
    if (worker->queue == ticket && worker->thread != NULL) {
        modbus_thread_leave(worker->thread);
    }
    for (place = &worker->queue; *place != ticket; place = &(*place)->next) {
    }
    *place = ticket->next;
    ticket->worker = NULL;
    ticket->next = NULL;
}

bool modbus_worker_turn(const struct modbus_ticket *ticket)
{
    const struct modbus_worker *worker = ticket->worker;

    return worker->queue == ticket &&
           (worker->thread == NULL || modbus_thread_is_idle(worker->thread));
}

bool modbus_worker_is_first(const struct modbus_ticket *ticket)
{
    return ticket->worker->queue == ticket;
}

void modbus_worker_waits(const struct modbus_ticket *ticket, struct waits *waits)
{
    const struct modbus_worker *worker = ticket->worker;

    /* Those further back wait for nothing: when they come to the front, this is asked again. */
    if (worker->queue != ticket) {
        return;
    }
    if (modbus_worker_turn(ticket)) {
        waits_until(waits, 0);
    } else {
        waits_add(waits, modbus_thread_wait_fd(worker->thread), POLLIN);
    }
}

bool modbus_worker_reusable(struct modbus_worker *worker, const char *source)
{
    return modbus_thread_reusable(worker->thread, source);
}

void modbus_worker_submit(struct modbus_worker *worker, const struct modbus_job *job,
                          struct modbus_link **link, int fd, const char *source, usec_t now_us)
{
    struct modbus_job whole = *job;

    whole.link = *link;
    worker->lent = link;
    worker->hangs_us = usec_add(now_us, modbus_thread_patience_us(job->budget_us));
    modbus_thread_submit(worker->thread, &whole, fd, source);
}

void modbus_worker_report(struct modbus_worker *worker, struct modbus_report *out)
{
    modbus_thread_report(worker->thread, out);
}

bool modbus_worker_peer(struct modbus_worker *worker, struct address *out)
{
    return modbus_thread_peer(worker->thread, out);
}
