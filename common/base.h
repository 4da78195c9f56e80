/* Units, errors and the few macros every floor uses.
 *
 * Time is signed microseconds. Monotonic time counts from boot and carries every interval and
 * duration; wall time is data (see clock.h). Thread rule: nothing here has state. */
#ifndef PICKET_BASE_H
#define PICKET_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef int64_t usec_t;

#define USEC_PER_MSEC   ((usec_t)1000)
#define USEC_PER_SEC    ((usec_t)1000000)
#define USEC_PER_MINUTE (60 * USEC_PER_SEC)
#define USEC_PER_HOUR   (60 * USEC_PER_MINUTE)
#define USEC_PER_DAY    (24 * USEC_PER_HOUR)
/* "No such moment": later than every real one. Never add to it. */
#define USEC_NEVER INT64_MAX

/* Why a call of ours could not do what was asked. A target that fails is not an error: it is an
 * outcome (result.h). errno, CURLcode and mbedTLS codes stop in the file that called the library.
 */
enum error {
    ERROR_NONE = 0,
    ERROR_INVALID,   /* the input breaks the rules; nothing was changed */
    ERROR_RANGE,     /* well formed, but outside what is allowed */
    ERROR_FULL,      /* a fixed capacity is used up (caps.h) */
    ERROR_MISSING,   /* a file, name or entry is not there */
    ERROR_DENIED,    /* the system or a safety rule refuses */
    ERROR_EXHAUSTED, /* out of descriptors, memory or threads; may pass */
    ERROR_IO,        /* the system failed in another way */
};

#define MUST_CHECK               __attribute__((warn_unused_result))
#define PRINTF_LIKE(text, first) __attribute__((format(printf, text, first)))
/* For a function with a large buffer: it is off the stack again when the function has returned. The
 * compiler would make it a part of its only caller, whose frame then holds the buffer to its end.
 */
#define OWN_FRAME        __attribute__((noinline))
#define ARRAY_LEN(array) (sizeof(array) / sizeof((array)[0]))

static inline usec_t usec_min(usec_t a, usec_t b)
{
    return a < b ? a : b;
}

static inline usec_t usec_max(usec_t a, usec_t b)
{
    return a > b ? a : b;
}

/* a + b that stays USEC_NEVER when either is, or when the sum would pass it. b >= 0. */
static inline usec_t usec_add(usec_t a, usec_t b)
{
    return (a == USEC_NEVER || b == USEC_NEVER || a > USEC_NEVER - b) ? USEC_NEVER : a + b;
}

#endif
