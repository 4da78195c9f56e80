/* What one plain http request costs without an agent, in CPU of the calling thread: the floors that
 * the bench sets the agent's own cost against.
 *
 * A slice is short, so that it can be measured between two measurements of the agent and sees the
 * machine as they do. */
#ifndef PICKET_BENCH_FLOOR_H
#define PICKET_BENCH_FLOOR_H

#include <stdint.h>

/* Milliseconds of CPU a request. */
struct bench_floor {
    double sockets_ms; /* connect, write, read, close: back to back */
    double libcurl_ms; /* libcurl alone, back to back */
    /* Libcurl alone, one request every 10 ms as a schedule makes them. Waking up for each costs
     * more than the request: caches are cold, the core slept. */
    double libcurl_paced_ms;
};

/* Takes about a quarter of a second. Ends the program when the server at 127.0.0.1:port does not
 * answer. curl_global_init() is the caller's. */
struct bench_floor bench_floor_slice(uint16_t port);

#endif
