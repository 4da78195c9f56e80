/* Method: every parser reads its whole input by hand and only then writes its result, so that no
 * locale, no leading blank and no trailing rest ever passes, which strtol and friends would allow.
 */
#include "value.h"

#include <float.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REAL_BYTES = 64, FRACTION_DIGITS = 6, RATE_DIGITS = 4 };

struct unit {
    const char *name;
    int64_t factor;
};

/* From large to small, which is the order printing wants. */
static const struct unit duration_units[] = {
    {"d", USEC_PER_DAY}, {"h", USEC_PER_HOUR},  {"m", USEC_PER_MINUTE},
    {"s", USEC_PER_SEC}, {"ms", USEC_PER_MSEC}, {"us", 1},
};
static const struct unit size_units[] = {
    {"G", INT64_C(1) << 30}, {"M", INT64_C(1) << 20}, {"K", INT64_C(1) << 10}, {"", 1}};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Reads the digits at text[*at] as a number; ERROR_INVALID when there is none. */
static enum error read_digits(const char *text, size_t length, size_t *at, int64_t *out)
{
    int64_t number = 0;
    size_t i = *at;

    for (; i < length && is_digit(text[i]); i++) {
        int digit = text[i] - '0';

        if (number > (INT64_MAX - digit) / 10) {
            return ERROR_RANGE;
        }
        number = number * 10 + digit;
    }
    if (i == *at) {
        return ERROR_INVALID;
    }
    *at = i;
    *out = number;
    return ERROR_NONE;
}

/* Reads ".123" at text[*at] as 123 with *scale 1000; no dot gives 0 and 1. */
static enum error read_fraction(const char *text, size_t length, size_t *at, size_t digits,
                                int64_t *out, int64_t *scale)
{
    size_t start = *at + 1;
    enum error error;

    *out = 0;
    *scale = 1;
    if (*at >= length || text[*at] != '.') {
        return ERROR_NONE;
    }
    *at = start;
    error = read_digits(text, length, at, out);
    if (error == ERROR_NONE && *at - start > digits) {
        error = ERROR_INVALID;
    }
    for (size_t i = start; error == ERROR_NONE && i < *at; i++) {
        *scale *= 10;
    }
    return error;
}

/* The factor of a unit that is exactly text[at..length), 0 when there is none such. */
static int64_t unit_factor(const struct unit *units, size_t count, const char *text, size_t length)
{
    for (size_t i = 0; i < count; i++) {
        if (strlen(units[i].name) == length && memcmp(units[i].name, text, length) == 0) {
            return units[i].factor;
        }
    }
    return 0;
}

enum error value_integer(const char *text, size_t length, int64_t *out)
{
    bool negative = length > 0 && text[0] == '-';
    size_t at = negative ? 1 : 0;
    int64_t number;
    enum error error = read_digits(text, length, &at, &number);

    if (error != ERROR_NONE) {
        return error;
    }
    if (at != length) {
        return ERROR_INVALID;
    }
    *out = negative ? -number : number;
    return ERROR_NONE;
}

enum error value_duration(const char *text, size_t length, usec_t *out)
{
    size_t at = 0;
    int64_t whole, fraction, scale, factor;
    enum error error = read_digits(text, length, &at, &whole);

    if (error == ERROR_NONE && at == length && whole == 0) {
        *out = 0;
        return ERROR_NONE;
    }
    if (error == ERROR_NONE) {
        error = read_fraction(text, length, &at, FRACTION_DIGITS, &fraction, &scale);
    }
    if (error != ERROR_NONE) {
        return error;
    }
    factor = unit_factor(duration_units, ARRAY_LEN(duration_units), text + at, length - at);
    /* A part below a microsecond is refused: it would silently become another number. */
    if (factor == 0 || fraction * factor % scale != 0) {
        return ERROR_INVALID;
    }
    if (whole > (INT64_MAX - factor) / factor) {
        return ERROR_RANGE;
    }
    *out = whole * factor + fraction * factor / scale;
    return ERROR_NONE;
}

enum error value_size(const char *text, size_t length, int64_t *out)
{
    size_t at = 0;
    int64_t number, factor;
    enum error error = read_digits(text, length, &at, &number);

    if (error != ERROR_NONE) {
        return error;
    }
    factor = unit_factor(size_units, ARRAY_LEN(size_units), text + at, length - at);
    if (factor == 0) {
        return ERROR_INVALID;
    }
    if (number > INT64_MAX / factor) {
        return ERROR_RANGE;
    }
    *out = number * factor;
    return ERROR_NONE;
}

enum error value_rate(const char *text, size_t length, int64_t *out)
{
    const int64_t ppm_per_percent = 10000;
    size_t at = 0;
    int64_t whole, fraction, scale;
    enum error error = read_digits(text, length, &at, &whole);

    if (error == ERROR_NONE) {
        error = read_fraction(text, length, &at, RATE_DIGITS, &fraction, &scale);
    }
    if (error != ERROR_NONE) {
        return error;
    }
    if (at + 1 != length || text[at] != '%') {
        return ERROR_INVALID;
    }
    if (whole > 100 || (whole == 100 && fraction > 0)) {
        return ERROR_RANGE;
    }
    *out = whole * ppm_per_percent + fraction * ppm_per_percent / scale;
    return ERROR_NONE;
}

static size_t skip_digits(const char *text, size_t length, size_t at)
{
    while (at < length && is_digit(text[at])) {
        at++;
    }
    return at;
}

/* -?D+(.D+)?([eE][+-]?D+)? and nothing else: no hexadecimal, "inf", "nan" or blanks. */
static bool is_real(const char *text, size_t length)
{
    size_t start = length > 0 && text[0] == '-' ? 1 : 0;
    size_t at = skip_digits(text, length, start);

    if (at == start) {
        return false;
    }
    if (at < length && text[at] == '.') {
        start = at + 1;
        at = skip_digits(text, length, start);
        if (at == start) {
            return false;
        }
    }
    if (at < length && (text[at] == 'e' || text[at] == 'E')) {
        start = at + 1;
        if (start < length && (text[start] == '+' || text[start] == '-')) {
            start++;
        }
        at = skip_digits(text, length, start);
        if (at == start) {
            return false;
        }
    }
    return at == length;
}

enum error value_real(const char *text, size_t length, double *out)
{
    char copy[REAL_BYTES];
    double number;

    if (length >= sizeof(copy) || !is_real(text, length)) {
        return ERROR_INVALID;
    }
    memcpy(copy, text, length);
    copy[length] = '\0';
    number = strtod(copy, NULL);
    if (number > DBL_MAX || number < -DBL_MAX) {
        return ERROR_RANGE;
    }
    *out = number;
    return ERROR_NONE;
}

enum error value_switch(const char *text, size_t length, int64_t *out)
{
    if (length == 2 && memcmp(text, "on", 2) == 0) {
        *out = 1;
        return ERROR_NONE;
    }
    if (length == 3 && memcmp(text, "off", 3) == 0) {
        *out = 0;
        return ERROR_NONE;
    }
    return ERROR_INVALID;
}

static const char *print_units(const struct unit *units, size_t count, int64_t number, char *out,
                               size_t size)
{
    size_t i = 0;

    while (i + 1 < count && (number == 0 || number % units[i].factor != 0)) {
        i++;
    }
    (void)snprintf(out, size, "%lld%s", (long long)(number / units[i].factor), units[i].name);
    return out;
}

const char *value_print_duration(usec_t duration_us, char *out, size_t size)
{
    if (duration_us == 0) {
        (void)snprintf(out, size, "0s");
        return out;
    }
    return print_units(duration_units, ARRAY_LEN(duration_units), duration_us, out, size);
}

const char *value_print_size(int64_t bytes, char *out, size_t size)
{
    return print_units(size_units, ARRAY_LEN(size_units), bytes, out, size);
}
