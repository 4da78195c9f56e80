/* Regular expressions with bounded work: PCRE2, 8 bit, with match, depth and heap limits, so that
 * neither a pattern nor a peer's text can hang or grow the agent. */
#ifndef PICKET_PATTERN_H
#define PICKET_PATTERN_H

#include "base.h"

struct pattern; /* opaque; allocated by pattern_new */

enum { PATTERN_GROUPS = 10, PATTERN_MULTILINE = 2 /* with PATTERN_CASELESS of kind.h */ };

enum pattern_match { PATTERN_NO, PATTERN_YES, PATTERN_LIMIT /* gave up: too much work */ };

struct pattern_group {
    size_t start, length; /* in the subject; start == SIZE_MAX: the group took no part */
};

/* Compiles; on an error NULL, and `why` says what and at which offset. */
struct pattern *pattern_new(const char *text, size_t length, unsigned flags, char *why,
                            size_t why_size);
void pattern_free(struct pattern *pattern);
/* Searches the subject. `groups` may be NULL; else all PATTERN_GROUPS entries are set. */
enum pattern_match pattern_search(const struct pattern *pattern, const void *subject,
                                  size_t length, struct pattern_group *groups);

#endif
