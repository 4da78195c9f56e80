/* One exchange with a Modbus device through libmodbus, which owns framing, CRC and the line's
 * settings. It blocks: only a worker's thread calls it, but for _new and _free.
 *
 * How it stays bounded: libmodbus' byte timeout is off, so that its response timeout is for the
 * whole frame (a slave dripping bytes would renew the other one for ever), its recovery is off (it
 * sleeps inside the call), and nothing is received before the descriptor is readable, so that a
 * wait can be ended through `wake_fd`. */
#ifndef PICKET_MODBUS_LINK_H
#define PICKET_MODBUS_LINK_H

#include "modbus_frame.h"
#include "modbus_target.h"

enum { MODBUS_NOTE_BYTES = 96 };

enum modbus_end {
    MODBUS_ANSWERED,
    MODBUS_REFUSED,   /* with an exception */
    MODBUS_FAILED,    /* with a reason and a note */
    MODBUS_UNKNOWN,   /* the agent could not ask, the note says why */
    MODBUS_CANCELLED, /* wake_fd became readable */
};

struct modbus_failure {
    enum reason reason;
    char note[MODBUS_NOTE_BYTES];
};

/* Where and until when one exchange goes on. */
struct modbus_call {
    int fd;
    int wake_fd;        /* readable: end now */
    usec_t deadline_us; /* on modbus_now_us() */
};

struct modbus_answer {
    uint8_t frame[MODBUS_FRAME_BYTES];
    const uint8_t *data; /* in frame */
    uint8_t exception;
    struct modbus_failure failure;
};

struct modbus_link; /* opaque; one per target, some 500 bytes and two allocations of libmodbus */

/* Copies `target`: a link may outlive it, in a thread that hangs. ERROR_EXHAUSTED: no memory. */
MUST_CHECK enum error modbus_link_new(const struct modbus_target *target, uint8_t unit,
                                      struct modbus_link **out);
void modbus_link_free(struct modbus_link *link);

/* Opens the serial line: ANSWERED with *fd, FAILED or UNKNOWN with *failure. Closing it is close().
 */
enum modbus_end modbus_link_open_line(struct modbus_link *link, int *fd,
                                      struct modbus_failure *failure);

/* Asks once. FAILED: the connection is out of step and must be closed. */
enum modbus_end modbus_link_exchange(struct modbus_link *link, const struct modbus_call *call,
                                     const struct modbus_request *request,
                                     struct modbus_answer *answer);

const struct modbus_target *modbus_link_target(const struct modbus_link *link);

/* The silence a serial line needs between two frames, 0 over TCP. */
usec_t modbus_link_gap_us(const struct modbus_link *link);

/* Sleeps; false: cut short by wake_fd. */
bool modbus_sleep(int wake_fd, usec_t duration_us);

/* CLOCK_MONOTONIC, for the worker's side: it counts a budget down and never meets the loop's time.
 */
usec_t modbus_now_us(void);

#endif
