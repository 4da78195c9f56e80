/* The thread that talks to one Modbus endpoint (a gateway, a serial line), and the queue before it.
 *
 * libmodbus waits inside its calls, and a device answers one question at a time anyway. So each
 * endpoint has one thread; runs wait for their turn in the loop's thread, hand over a job by value,
 * and wait for an event descriptor. Nothing but the job, the report and one descriptor is shared,
 * under one lock that is never held across a wait.
 *
 * Thread rule: all functions are for the loop's thread. The thread itself has all signals blocked.
 * Memory: one allocation per endpoint, made by the first open, and a stack of MODBUS_STACK_BYTES
 * (or the system's minimum), made by the first run; the last close frees both. That opening starts
 * no thread lets a process that has opened its targets still change what it may do (sandbox.h):
 * what the kernel takes away, it takes away from one thread and from those this one starts later.
 * After a fork only the process that opened it may use it. */
#ifndef PICKET_MODBUS_WORKER_H
#define PICKET_MODBUS_WORKER_H

#include "modbus_session.h"
#include "waits.h"

enum { MODBUS_STACK_BYTES = 64 * 1024 };

struct modbus_worker; /* opaque, one per endpoint, shared by its targets */

/* A run's place in the queue; lives in the run's state. Zeroed: in no queue. */
struct modbus_ticket {
    struct modbus_worker *worker; /* NULL: in no queue */
    struct modbus_ticket *next;
};

/* The worker of `target`'s endpoint. ERROR_EXHAUSTED: no descriptor or memory. */
MUST_CHECK enum error modbus_worker_open(const struct modbus_target *target,
                                         struct modbus_worker **out);
/* Waits until no job uses `link`, which ends at once, or with the job's budget when a slave is just
 * dripping over a serial line; then frees the link, and with the last target ends the thread. */
void modbus_worker_close(struct modbus_worker *worker, struct modbus_link *link);

/* The queue. A ticket is put at its end once, and taken out at any place, twice if need be. Taking
 * out the one whose job is under way abandons the job: its connection is shut down at once. */
void modbus_worker_queue(struct modbus_worker *worker, struct modbus_ticket *ticket);
void modbus_worker_leave(struct modbus_ticket *ticket);
/* True when it is this ticket's turn and the thread is free. */
bool modbus_worker_turn(const struct modbus_ticket *ticket);
/* True when nobody is before it in the queue; the thread may still be busy with an abandoned job.
 */
bool modbus_worker_is_first(const struct modbus_ticket *ticket);
/* For a ticket that waits for its turn, or for its job. */
void modbus_worker_waits(const struct modbus_ticket *ticket, struct waits *waits);

/* Makes sure that the thread is there, before the first job and before each. ERROR_EXHAUSTED: it
 * cannot be started now. */
MUST_CHECK enum error modbus_worker_start(struct modbus_worker *worker);

/* A TCP connection an earlier run left open, if it is still good: nothing closed it and nothing
 * came unasked. For the ticket whose turn it is; `source` must be the one it was made with. */
bool modbus_worker_reusable(struct modbus_worker *worker, const char *source);

/* Starts a job: over `fd`, which becomes the worker's; with -1 over the connection that is
 * reusable, or on the serial line. For the ticket whose turn it is. The job is copied; `source` may
 * be NULL. */
void modbus_worker_submit(struct modbus_worker *worker, const struct modbus_job *job, int fd,
                          const char *source);
/* Where the submitted job is. Once it is finished its connection is closed or kept. */
void modbus_worker_report(struct modbus_worker *worker, struct modbus_report *out);

/* The peer's address of the job's connection, for facts; false when there is none. */
bool modbus_worker_peer(struct modbus_worker *worker, struct address *out);

#endif
