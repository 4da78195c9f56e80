/* One Modbus endpoint (a gateway, a serial line): the queue of the runs that want to ask there, and
 * the thread that asks (modbus_thread.h).
 *
 * A device answers one question at a time. So runs wait for their turn in the loop's thread, hand
 * over a job by value, and wait for an event descriptor.
 *
 * A thread that still has not come back from an abandoned job when three times the job's budget,
 * and 15 s at least, have passed since its submission hangs: it is written off, and another takes
 * its place. As often as `subsystem_restarts` allows; then it is not helped any more, and its row,
 * which stays armed, tells whoever watches that only a new process can help.
 *
 * Thread rule: all functions are for the loop's thread. Memory: two allocations per endpoint,
 * made by the first open, and a stack, by the first run; freed by the last close, what was written
 * off when it comes back. That opening starts no thread lets a process that has opened its targets
 * still change what it may do (sandbox.h): what the kernel takes away, it takes away from one
 * thread and from those this one starts later. After a fork only the process that opened it may use
 * it. */
#ifndef PICKET_MODBUS_WORKER_H
#define PICKET_MODBUS_WORKER_H

#include "modbus_thread.h"
#include "waits.h"

struct modbus_worker; /* opaque, one per endpoint, shared by its targets */

/* A run's place in the queue; lives in the run's state. Zeroed: in no queue. */
struct modbus_ticket {
    struct modbus_worker *worker; /* NULL: in no queue */
    struct modbus_ticket *next;
};

/* How many threads may be written off within how long. */
struct modbus_patience {
    unsigned write_offs; /* at most MODBUS_WRITE_OFFS_MAX */
    usec_t window_us;
};
#define MODBUS_WRITE_OFFS_MAX 100

/* The worker of `target`'s endpoint; its patience is that of who opens it first. ERROR_EXHAUSTED:
 * no descriptor or memory. */
MUST_CHECK enum error modbus_worker_open(const struct modbus_target *target,
                                         struct modbus_patience patience,
                                         struct modbus_worker **out);
/* The endpoint's signs of life are in `row` from now on, if they are in none yet. `vitals` is
 * borrowed until the last close. */
void modbus_worker_watch(struct modbus_worker *worker, struct vitals *vitals, unsigned row);
/* Writes a thread off that hangs. To be called every second or so, whether runs wait or not. */
void modbus_worker_tend(struct modbus_worker *worker, usec_t now_us);
/* Frees *link, and with the last target ends the thread. A job that uses the link is abandoned; it
 * ends at once, or else its thread is written off after a second. */
void modbus_worker_close(struct modbus_worker *worker, struct modbus_link **link);

/* The queue. A ticket is put at its end once, and taken out at any place, twice if need be. Taking
 * out the one whose job is under way abandons the job: its connection is shut down at once. */
void modbus_worker_queue(struct modbus_worker *worker, struct modbus_ticket *ticket);
void modbus_worker_leave(struct modbus_ticket *ticket);
/* True when it is this ticket's turn and no other job is under way. */
bool modbus_worker_turn(const struct modbus_ticket *ticket);
/* True when nobody is before it in the queue; the thread may still be busy with an abandoned job.
 */
bool modbus_worker_is_first(const struct modbus_ticket *ticket);
/* For a ticket that waits for its turn, or for its job. */
void modbus_worker_waits(const struct modbus_ticket *ticket, struct waits *waits);

/* Makes sure that the thread is there, when its turn has come. ERROR_EXHAUSTED: it cannot be had
 * now. */
MUST_CHECK enum error modbus_worker_start(struct modbus_worker *worker);

/* A TCP connection an earlier run left open, if it is still good: nothing closed it and nothing
 * came unasked. For the ticket whose turn it is; `source` must be the one it was made with. */
bool modbus_worker_reusable(struct modbus_worker *worker, const char *source);

/* Starts a job: over `fd`, which becomes the worker's; with -1 over the connection that is
 * reusable, or on the serial line. For the ticket whose turn it is. The job is copied; `source` may
 * be NULL. The job's link is *link, which is borrowed: it becomes NULL when the thread that uses it
 * is written off, and must be made anew before the next job. `link` itself is borrowed until the
 * next job is submitted, or closed. */
void modbus_worker_submit(struct modbus_worker *worker, const struct modbus_job *job,
                          struct modbus_link **link, int fd, const char *source, usec_t now_us);
/* Where the submitted job is. Once it is finished its connection is closed or kept. */
void modbus_worker_report(struct modbus_worker *worker, struct modbus_report *out);

/* The peer's address of the job's connection, for facts; false when there is none. */
bool modbus_worker_peer(struct modbus_worker *worker, struct address *out);

#endif
