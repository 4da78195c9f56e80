/* Dates as text and back: RFC 3339 profile of ISO 8601, UTC, proleptic Gregorian calendar, without
 * leap seconds. Pure; no state. */
#ifndef PICKET_RFC3339_H
#define PICKET_RFC3339_H

#include "base.h"

#define RFC3339_BYTES 25 /* "2026-11-22T21:14:00.123Z" and its NUL */

/* Writes the moment to `out` of RFC3339_BYTES; false, and "", outside the years 0 to 9999. */
bool rfc3339_print(int64_t unix_ms, char *out);
/* Reads "2026-11-22T21:14:00Z", also with a blank for the T, small letters, a fraction (cut to the
 * millisecond) and an offset ("+01:00"). False: it is none, and nothing was changed. */
MUST_CHECK bool rfc3339_read(const char *text, int64_t *unix_ms);

#endif
