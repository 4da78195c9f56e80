/* Parsers for one configuration value each. Pure; whole input or nothing.
 *
 * Each takes `text` of `length` bytes (no NUL needed), returns ERROR_NONE and sets *out, or returns
 * ERROR_INVALID (malformed) or ERROR_RANGE (overflow) and leaves *out as it was. */
#ifndef PICKET_VALUE_H
#define PICKET_VALUE_H

#include "base.h"

/* "0", "42", "-7": decimal, no sign but a leading minus, no blanks. */
MUST_CHECK enum error value_integer(const char *text, size_t length, int64_t *out);
/* "250ms" "30s" "5m" "12h" "30d" "10us"; a fraction is allowed ("1.5s"); a unit is required, but
 * for "0". */
MUST_CHECK enum error value_duration(const char *text, size_t length, usec_t *out);
/* "512" "64K" "1M" "2G": powers of 1024. */
MUST_CHECK enum error value_size(const char *text, size_t length, int64_t *out);
/* "99.9%": 0 % to 100 %, at most four decimals; *out in parts per million. */
MUST_CHECK enum error value_rate(const char *text, size_t length, int64_t *out);
/* A decimal number with optional fraction and exponent ("0.1", "-1e3"); finite. */
MUST_CHECK enum error value_real(const char *text, size_t length, double *out);
/* "on" | "off" */
MUST_CHECK enum error value_switch(const char *text, size_t length, int64_t *out);
/* Bare text, or "quoted" with C escapes \a \b \f \n \r \t \v \\ \" \' \? \0-\377 \xHH. Writes at
 * most `size` bytes to `out`, its NUL behind *out_length included (ERROR_FULL beyond). May be used
 * in place when out == text. Control characters are refused, but for a tab inside quotes. */
MUST_CHECK enum error value_text(const char *text, size_t length, char *out, size_t size,
                                 size_t *out_length);
/* "/…/" or "/…/i" with \/ for a slash. *pattern points into `text`, *flags gets PATTERN_CASELESS
 * (kind.h) or 0. "\/" is left as it is: a regular expression reads it as a slash. */
MUST_CHECK enum error value_pattern(const char *text, size_t length, const char **pattern,
                                    size_t *pattern_length, unsigned *flags);

/* Where reading goes on after text[at]: behind the closing mark when a "quoted" text (at the start
 * of a word or right after '=') or, with `patterns`, a /pattern/ (at the start of a word) begins
 * there and is closed; else at + 1. at < length. What ends a word or begins a comment counts only
 * outside. */
size_t value_skip_enclosed(const char *text, size_t length, size_t at, bool patterns);

/* Splits off the next blank-separated word; a word may be "quoted" or /pattern/ with blanks inside.
 * Advances *text and *length past it; false when none is left. The word keeps its quotes. */
bool value_next_word(const char **text, size_t *length, const char **word, size_t *word_length);

/* The entry of `names` (NULL-terminated) nearest to `text` by edit distance, for a hint; NULL when
 * none is near (distance above 2 or a third of the length). */
const char *value_near_miss(const char *text, size_t length, const char *const *names);

/* The shortest exact form, as a file has it: "90s", "1d", "250ms"; "64K", "1000". Returns `out`. */
enum { VALUE_PRINT_BYTES = 24 };
const char *value_print_duration(usec_t duration_us, char *out, size_t size);
const char *value_print_size(int64_t bytes, char *out, size_t size);

#endif
