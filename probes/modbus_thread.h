/* The thread that does one Modbus endpoint's jobs, one after the other. libmodbus waits inside its
 * calls, so that only a thread of its own can run it beside the loop.
 *
 * Nothing but the job, the report and one descriptor is shared, under one lock that is never held
 * across a wait, nor while a file is closed (a serial line's close waits for its driver). So
 * whatever the thread hangs in, the loop goes on, and may write it off: then it belongs to itself,
 * and frees all it has should it ever come back.
 *
 * Signs of life, once it is watched: the row is armed while a job goes on, each exchange is
 * progress, and a row whose progress stands still for longer than MODBUS_JOB_SLACK_US past
 * modbus_thread_patience_us() has a thread that hangs and was not written off.
 *
 * Thread rule: all functions are for the loop's thread. The thread has all signals blocked.
 * Memory: one allocation and a stack of MODBUS_STACK_BYTES (or the system's minimum). */
#ifndef PICKET_MODBUS_THREAD_H
#define PICKET_MODBUS_THREAD_H

#include "modbus_session.h"
#include "vitals.h"

enum { MODBUS_STACK_BYTES = 64 * 1024 };

#define MODBUS_JOB_SLACK_US (15 * USEC_PER_SEC)

struct modbus_thread; /* opaque */

/* What a job of this budget may take before its thread counts as hanging. */
usec_t modbus_thread_patience_us(usec_t budget_us);

/* All but the thread itself. NULL: no descriptor or memory. */
struct modbus_thread *modbus_thread_new(void);
/* Starts it, before the first job; at any later time nothing. False: none can be had now. */
MUST_CHECK bool modbus_thread_start(struct modbus_thread *thread);
/* `vitals` is borrowed until the thread is ended or written off. */
void modbus_thread_watch(struct modbus_thread *thread, struct vitals *vitals, unsigned row);
/* Ends an idle thread, and waits for that a second at most; then it is written off. */
void modbus_thread_end(struct modbus_thread *thread);
/* Leaves a thread that hangs behind. It is not to be used any more, takes over the link of the job
 * it hangs in, and touches no row from now on. */
void modbus_thread_write_off(struct modbus_thread *thread);

/* Starts a job: over `fd`, which becomes the thread's; with -1 over the connection that is
 * reusable, or on the serial line. Only while idle. The job is copied, its link borrowed until the
 * job's end; `source` may be NULL. */
void modbus_thread_submit(struct modbus_thread *thread, const struct modbus_job *job, int fd,
                          const char *source);
/* Where the job is. Once it is finished its connection is closed or kept. */
void modbus_thread_report(struct modbus_thread *thread, struct modbus_report *out);
/* Nobody wants to know about the job any more: a finished one makes room, one under way is told to
 * end and its connection is shut down at once. */
void modbus_thread_leave(struct modbus_thread *thread);
/* Leaves the job that uses `link`, if it is under way, and waits for its end a second at most.
 * False: it still uses it. */
MUST_CHECK bool modbus_thread_let_go(struct modbus_thread *thread, const struct modbus_link *link);

bool modbus_thread_is_idle(struct modbus_thread *thread);
/* True while a job that nobody wants any more has not come to its end. */
bool modbus_thread_is_abandoned(struct modbus_thread *thread);
/* Readable when a job has ended since its report was last asked for. */
int modbus_thread_wait_fd(const struct modbus_thread *thread);

/* A TCP connection an earlier job left open, if it is still good: nothing closed it and nothing
 * came unasked; `source` must be the one it was made with. Only while idle. */
bool modbus_thread_reusable(struct modbus_thread *thread, const char *source);
/* The peer's address of the job's connection; false when there is none. */
bool modbus_thread_peer(struct modbus_thread *thread, struct address *out);

#endif
