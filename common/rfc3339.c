/* Method: days are counted from 0000-03-01, so that a leap day ends its year; a cycle of 400 years
 * has 146097 days. Years from 0 on keep all divisions positive. */
#include "rfc3339.h"

#include <stdio.h>
#include <string.h>

#define MS_PER_SECOND INT64_C(1000)
#define MS_PER_MINUTE (60 * MS_PER_SECOND)
#define MS_PER_HOUR   (60 * MS_PER_MINUTE)
#define MS_PER_DAY    (24 * MS_PER_HOUR)
/* 1970-01-01, and the first of March of the year before 0, so that January 0000 counts from 0. */
#define EPOCH_DAYS  INT64_C(719468)
#define CYCLE_DAYS  INT64_C(146097)
#define CYCLE_YEARS 400
#define YEAR_MAX    9999

struct date {
    int64_t year;
    int month, day; /* from 1 */
};

/* Days since 0000-03-01; negative in the first two months of year 0. */
static int64_t days_of(struct date date)
{
    int64_t year = date.year + CYCLE_YEARS - (date.month <= 2);
    int64_t month = (date.month + 9) % 12; /* from March */
    int64_t in_cycle = year % CYCLE_YEARS;
    int64_t day_of_year = (153 * month + 2) / 5 + date.day - 1;
    return (year / CYCLE_YEARS - 1) * CYCLE_DAYS + in_cycle * 365 + in_cycle / 4 - in_cycle / 100 +
           day_of_year;
}

static struct date date_of(int64_t days)
{
    days += CYCLE_DAYS;
    int64_t in_cycle = days % CYCLE_DAYS;
    int64_t year = (in_cycle - in_cycle / 1460 + in_cycle / 36524 - in_cycle / 146096) / 365;
    int64_t day_of_year = in_cycle - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * day_of_year + 2) / 153;
    struct date date = {.year = year + (days / CYCLE_DAYS - 1) * CYCLE_YEARS,
                        .month = (int)(month < 10 ? month + 3 : month - 9),
                        .day = (int)(day_of_year - (153 * month + 2) / 5 + 1)};
    date.year += date.month <= 2;
    return date;
}

bool rfc3339_print(int64_t unix_ms, char *out)
{
    int64_t first = (days_of((struct date){0, 1, 1}) - EPOCH_DAYS) * MS_PER_DAY;
    int64_t end = (days_of((struct date){YEAR_MAX + 1, 1, 1}) - EPOCH_DAYS) * MS_PER_DAY;
    out[0] = '\0';
    if (unix_ms < first || unix_ms >= end) {
        return false;
    }
    int64_t since_first = unix_ms - first;
    int64_t in_day = since_first % MS_PER_DAY;
    struct date date = date_of(since_first / MS_PER_DAY + days_of((struct date){0, 1, 1}));
    char text[2 * RFC3339_BYTES]; /* as a compiler sees it, each number might be longer */
    (void)snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", (int)date.year,
                   date.month, date.day, (int)(in_day / MS_PER_HOUR),
                   (int)(in_day / MS_PER_MINUTE % 60), (int)(in_day / MS_PER_SECOND % 60),
                   (int)(in_day % MS_PER_SECOND));
    memcpy(out, text, RFC3339_BYTES);
    return true;
}

/* Exactly `count` digits. */
static bool take_digits(const char **text, int count, int *number)
{
    *number = 0;
    for (int i = 0; i < count; i++, (*text)++) {
        if (**text < '0' || **text > '9') {
            return false;
        }
        *number = *number * 10 + (**text - '0');
    }
    return true;
}

static bool take_mark(const char **text, const char *marks)
{
    for (; *marks != '\0'; marks++) {
        if (**text == *marks) {
            (*text)++;
            return true;
        }
    }
    return false;
}

static bool is_date(const struct date *date)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = date->year % 4 == 0 && (date->year % 100 != 0 || date->year % CYCLE_YEARS == 0);
    return date->month >= 1 && date->month <= 12 && date->day >= 1 &&
           date->day <= lengths[date->month - 1] + (date->month == 2 && leap ? 1 : 0);
}

static bool take_date(const char **text, int64_t *days)
{
    struct date date;
    int year;
    if (!take_digits(text, 4, &year) || !take_mark(text, "-") ||
        !take_digits(text, 2, &date.month) || !take_mark(text, "-") ||
        !take_digits(text, 2, &date.day)) {
        return false;
    }
    date.year = year;
    *days = is_date(&date) ? days_of(date) - EPOCH_DAYS : 0;
    return is_date(&date);
}

static bool take_hours(const char **text, int64_t *ms)
{
    int hours, minutes;
    if (!take_digits(text, 2, &hours) || !take_mark(text, ":") || !take_digits(text, 2, &minutes) ||
        hours > 23 || minutes > 59) {
        return false;
    }
    *ms = hours * MS_PER_HOUR + minutes * MS_PER_MINUTE;
    return true;
}

/* The seconds; 60 is a leap second, and counts as the one after. */
static bool take_seconds(const char **text, int64_t *ms)
{
    int seconds, digit;
    if (!take_mark(text, ":") || !take_digits(text, 2, &seconds) || seconds > 60) {
        return false;
    }
    *ms = seconds * MS_PER_SECOND;
    if (!take_mark(text, ".")) {
        return true;
    }
    if (**text < '0' || **text > '9') {
        return false;
    }
    for (int64_t unit = MS_PER_SECOND / 10; take_digits(text, 1, &digit); unit /= 10) {
        *ms += digit * unit;
    }
    return true;
}

static bool take_offset(const char **text, int64_t *ms)
{
    bool west = **text == '-';
    *ms = 0;
    if (take_mark(text, "Zz")) {
        return true;
    }
    if (!take_mark(text, "+-") || !take_hours(text, ms)) {
        return false;
    }
    *ms = west ? -*ms : *ms;
    return true;
}

bool rfc3339_read(const char *text, int64_t *unix_ms)
{
    int64_t days, hours_ms, seconds_ms, offset_ms;
    if (!take_date(&text, &days) || !take_mark(&text, "Tt ") || !take_hours(&text, &hours_ms) ||
        !take_seconds(&text, &seconds_ms) || !take_offset(&text, &offset_ms) || *text != '\0') {
        return false;
    }
    *unix_ms = days * MS_PER_DAY + hours_ms + seconds_ms - offset_ms;
    return true;
}
