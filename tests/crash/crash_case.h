/* Which case is being tried, and the end of a run in which something broke: one line that says what
 * and how to see it again, then exit 1. */
#ifndef PICKET_CRASH_CASE_H
#define PICKET_CRASH_CASE_H

#include "base.h"

enum crash_mode {
    MODE_STATES, /* the power goes at each moment, in each way */
    MODE_FAULTS, /* the n-th operation fails */
    MODE_ROT,    /* bits flip in an image */
    MODE_COUNT
};

#define CRASH_ALL UINT64_MAX /* of points, cuts, faults: not only one */

struct crash_case {
    enum crash_mode mode;
    uint64_t seed;
    uint64_t point,
        cut;        /* STATES: moment and cut; FAULTS: operation and fault; ROT: image and bit */
    unsigned slots; /* of the file; 0: the seed's choice */
    uint64_t point2, cut2; /* STATES: of the second crash; CRASH_ALL: there is none */
};

/* What runs now. */
extern struct crash_case crash_now;
/* What alone is to be judged; the rest is only passed through. */
extern struct crash_case crash_wanted;
/* States judged so far in this process. */
extern uint64_t crash_states;

static inline bool crash_is_wanted(uint64_t wanted, uint64_t value)
{
    return wanted == CRASH_ALL || wanted == value;
}

/* `invariant` is "I1" … "I7", or what else does not hold. */
_Noreturn void crash_fail(const char *invariant, const char *format, ...) PRINTF_LIKE(2, 3);
/* Tells of signals, aborts and hangs in the same way. */
void crash_watch_signals(void);
/* One more case begins: it must not take longer than a minute. */
void crash_begins(void);
const char *crash_mode_name(enum crash_mode mode);
/* "states,1,2,3[,4,5]"; false: it is none. */
MUST_CHECK bool crash_parse(const char *text, struct crash_case *out);

#endif
