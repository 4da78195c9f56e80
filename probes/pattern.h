/* Regular expressions with bounded work and memory: PCRE2, 8 bit, over bytes (no Unicode: `.` is
 * one byte, /i folds ASCII).
 *
 * Neither a pattern nor a peer's text can hang or grow the agent. PCRE2's own match limit counts
 * anew for each place a match may start at, and steps over single characters not at all, so the
 * work is counted here, over the whole search: bounded by a constant plus a multiple of the
 * subject's length. Many searches in what one peer sent share the constant. A large text is
 * searched in turns, so that others are not kept waiting. Backtracking memory is one block of
 * CAP_PATTERN_HEAP_KIB that all patterns share, allocated with the first; a search allocates
 * nothing. Groups nest eight deep at most.
 *
 * Thread rule: one thread compiles, searches and frees. */
#ifndef PICKET_PATTERN_H
#define PICKET_PATTERN_H

#include "base.h"
#include "caps.h"

struct pattern; /* opaque; allocated by pattern_new */

enum { PATTERN_GROUPS = 10, PATTERN_MULTILINE = 2 /* with PATTERN_CASELESS of kind.h */ };

enum pattern_match {
    PATTERN_NO,
    PATTERN_YES,
    PATTERN_LIMIT,    /* gave up: too much work */
    PATTERN_UNCERTAIN /* with PATTERN_UNFINISHED only: further bytes decide */
};

/* What a search may cost: so much for each byte, and what is left of the spare work. The unit is
 * about the time that it takes to step over one byte: a million are some milliseconds on a
 * workstation, tens on a small board. */
enum { PATTERN_WORK_PER_BYTE = 48, PATTERN_WORK_SPARE = 2000000 };

/* The work of one turn. With what one start may take on top, a turn lasts 20 ms on a workstation, a
 * tenth of a second or two on a board of 800 MHz. Longer only with what counts as one item whatever
 * it reads: a repeat of hundreds or thousands, such as `.{4000}`, and calls of a group. */
enum { PATTERN_TURN_WORK = 1000000 };

/* How far a search in turns is: {0} to begin. */
struct pattern_progress {
    size_t start; /* no match begins before it */
    uint64_t work;
};

struct pattern_group {
    size_t start, length; /* in the subject; start == SIZE_MAX: the group took no part */
};

/* Where a text stands in what the pattern is about. */
enum {
    PATTERN_UNFINISHED = 1, /* bytes may follow: a match counts when none of them can change it */
    PATTERN_MIDDLE = 2      /* bytes went before: `^` does not match at the text's start */
};

struct pattern_text {
    const void *bytes;
    size_t length;
    size_t start; /* no match begins before it; look-behind and `\b` see what is there */
    unsigned place;
};

/* Compiles. CR, LF and CRLF end a line: for `.`, and with PATTERN_MULTILINE for `^` and `$`. On an
 * error NULL, and `why` says what and at which offset. */
struct pattern *pattern_new(const char *text, size_t length, unsigned flags, char *why,
                            size_t why_size);
/* NULL is fine. */
void pattern_free(struct pattern *pattern);
/* Searches the text, at the cost of what the peer's other texts left of *spare, PATTERN_WORK_SPARE
 * to begin: so no peer can make many searches cost that much each. `groups` may be NULL; else all
 * PATTERN_GROUPS entries are set when the answer is PATTERN_YES. */
enum pattern_match pattern_search(const struct pattern *pattern, const struct pattern_text *text,
                                  uint64_t *spare, struct pattern_group *groups);
/* One turn of a search with spare work of its own. *left: the work that is left of the turn, shared
 * by all searches in it, PATTERN_TURN_WORK to begin; what this one took is gone after. True: it is
 * over, and *match is the answer. False: call it again in another turn, with the same subject. */
bool pattern_search_turn(const struct pattern *pattern, const void *subject, size_t length,
                         struct pattern_progress *progress, uint64_t *left,
                         enum pattern_match *match);

#endif
