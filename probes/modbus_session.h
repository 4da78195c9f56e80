/* One run's conversation with a device: the requests of its plan one after the other, busy answers
 * asked again, refused ranges split. Blocks; runs on a worker's thread. */
#ifndef PICKET_MODBUS_SESSION_H
#define PICKET_MODBUS_SESSION_H

#include "modbus_link.h"
#include "modbus_plan.h"

enum modbus_reading_state { MODBUS_UNREAD, MODBUS_READ_DATA, MODBUS_READ_EXCEPTION };

struct modbus_reading {
    uint8_t state; /* enum modbus_reading_state */
    uint8_t exception;
    uint8_t bytes[MODBUS_STRING_BYTES];
};

/* What is to be done. Copied into the worker; `link` is borrowed until the job's end. */
struct modbus_job {
    struct modbus_link *link;
    bool reused; /* the connection is an earlier run's: if it proves closed the job ends `stale` */
    bool keep_open;
    usec_t budget_us; /* from now to the run's deadline */
    usec_t pause_us;
    unsigned busy_retries;
    struct modbus_plan plan;
};

/* How far it is. Published after each step, so that a run cut by its deadline knows what it has. */
struct modbus_report {
    bool finished;
    bool stale;
    enum modbus_end end;           /* once finished; ANSWERED: every value was asked for */
    struct modbus_failure failure; /* for FAILED and UNKNOWN */
    enum phase phase;              /* the one it is in, or ended in */
    bool opened;                   /* the serial line was opened, in connect_us */
    usec_t connect_us;
    usec_t request_us;           /* all exchanges so far, pauses not counted */
    usec_t asking_since_us;      /* modbus_now_us() of the exchange under way; 0: none */
    struct modbus_request asked; /* the last request */
    bool any_asked;
    struct modbus_reading readings[CAP_VALUES];
    bool apart[CAP_VALUES]; /* learnt: not to be asked together with the value before it */
};

/* Who is told. */
struct modbus_watcher {
    void *context;
    void (*publish)(void *context, const struct modbus_report *report);
    int wake_fd; /* readable: end now */
};

/* Runs a job to its end over *fd; with -1 the serial line is opened first and left open in *fd
 * (still -1 when that failed). The caller closes. `report` and `answer` are its memory. */
void modbus_session_run(struct modbus_job *job, int *fd, const struct modbus_watcher *watcher,
                        struct modbus_report *report, struct modbus_answer *answer);

#endif
