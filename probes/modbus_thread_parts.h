/* Inside modbus_thread.h: what the loop's side and the thread's side share. State, all under
 * `lock`:
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
#ifndef PICKET_MODBUS_THREAD_PARTS_H
#define PICKET_MODBUS_THREAD_PARTS_H

#include <pthread.h>
#include <unistd.h>

#include "modbus_thread.h"

enum thread_state { THREAD_IDLE, THREAD_RUNNING, THREAD_FINISHED };

struct modbus_thread {
    int to_thread, from_thread; /* eventfds, both non-blocking */
    bool started;               /* there is a thread; the loop's own word */
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

static inline void modbus_thread_ring(int event_fd)
{
    const uint64_t one = 1;

    /* Fails only when the counter is full: then it is readable anyway. */
    (void)!write(event_fd, &one, sizeof(one));
}

static inline void modbus_thread_silence(int event_fd)
{
    uint64_t count;

    (void)!read(event_fd, &count, sizeof(count));
}

static inline void modbus_thread_lock(struct modbus_thread *thread)
{
    (void)pthread_mutex_lock(&thread->lock);
}

static inline void modbus_thread_unlock(struct modbus_thread *thread)
{
    (void)pthread_mutex_unlock(&thread->lock);
}

static inline bool modbus_thread_is_line(const struct modbus_thread *thread)
{
    return modbus_link_target(thread->job.link)->transport == MODBUS_RTU;
}

/* Closes the connection. Called and left with the lock held, but not held meanwhile. */
void modbus_thread_disconnect(struct modbus_thread *thread);
/* Frees what is left of a thread that has ended, or never began. */
void modbus_thread_release(struct modbus_thread *thread);
/* What the thread runs; `context` is the struct modbus_thread. */
void *modbus_thread_main(void *context);

#endif
