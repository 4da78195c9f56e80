/* libmodbus gives a whole answer one timeout, and counts on select(2) to say what is left of it
 * after each piece, as Linux does and glibc hands on. musl does not: there a device that sends one
 * byte at a time would get the whole timeout anew with each. So this counts it down, whatever the
 * C library; the linker puts it in select's place (--wrap). */
#include <sys/select.h>
#include <time.h>

#include "base.h"

/* The names the linker gives to the wrapped function and to the C library's own. On 32-bit machines
 * musl's header renames what takes times of 64 bits. */
#ifdef _REDIR_TIME64
#define WRAP_SELECT __wrap___select_time64
#define REAL_SELECT __real___select_time64
#else
#define WRAP_SELECT __wrap_select
#define REAL_SELECT __real_select
#endif
int WRAP_SELECT(int count, fd_set *readable, fd_set *writable, fd_set *failed,
                struct timeval *timeout);
int REAL_SELECT(int count, fd_set *readable, fd_set *writable, fd_set *failed,
                struct timeval *timeout);

static usec_t monotonic_us(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (usec_t)now.tv_sec * USEC_PER_SEC + now.tv_nsec / 1000;
}

int WRAP_SELECT(int count, fd_set *readable, fd_set *writable, fd_set *failed,
                struct timeval *timeout)
{
    usec_t until_us, left_us;
    int ready;

    if (timeout == NULL) {
        return REAL_SELECT(count, readable, writable, failed, NULL);
    }
    until_us = usec_add(monotonic_us(), timeout->tv_sec * USEC_PER_SEC + timeout->tv_usec);
    ready = REAL_SELECT(count, readable, writable, failed, timeout);
    left_us = usec_max(until_us - monotonic_us(), 0);
    timeout->tv_sec = (time_t)(left_us / USEC_PER_SEC);
    timeout->tv_usec = (suseconds_t)(left_us % USEC_PER_SEC);
    return ready;
}
