/* A small HTTP server for measuring: one thread, epoll, and a time stamp for every request.
 *   /N         200 at once; the arrival of target N (0 .. BENCH_TARGETS - 1) is recorded
 *   /delay/MS  200 after MS milliseconds, exact to the timer
 *   /hang      accepts and says nothing
 *   /drip      one byte a second */
#ifndef PICKET_BENCH_SERVER_H
#define PICKET_BENCH_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "base.h"

#define BENCH_TARGETS      100
#define BENCH_ARRIVALS_MAX 16384

struct bench_arrival {
    unsigned target;
    usec_t accepted_us; /* CLOCK_BOOTTIME when its connection was accepted */
};

struct bench_server {
    int listener;
    uint16_t port;
    volatile unsigned arrival_count;
    struct bench_arrival arrivals[BENCH_ARRIVALS_MAX];
};

/* Starts the thread; it ends with the process. False when there is no port or thread. */
bool bench_server_start(struct bench_server *server);
usec_t bench_now_us(void);

#endif
