#include "maintenance.h"

#include <string.h>

#include "rfc3339.h"

#define MINUTE_MS     INT64_C(60000)
#define DAY_MINUTES   1440
#define FIRST_WEEKDAY 4 /* 1970-01-01 was a Thursday */
#define EVERY_DAY     0x7f
#define SYNTAX                                                                                     \
    "write 'FROM UNTIL' like '2026-12-01T22:00:00Z 2026-12-02T02:00:00Z', or "                     \
    "'daily 02:00-04:00', or days like 'sat,sun 22:00-02:00'; all are UTC"

static bool holds_on(const struct config_times *times, int64_t day, int64_t minute)
{
    unsigned weekday = (unsigned)((day % 7 + 7 + FIRST_WEEKDAY) % 7);
    int64_t since = minute - (day * DAY_MINUTES + times->start_minute);
    return ((unsigned)times->days >> weekday & 1u) != 0 && since >= 0 && since < times->minutes;
}

static bool holds(const struct config_times *times, int64_t unix_ms)
{
    if (times->days == 0) {
        return unix_ms >= times->from_ms && unix_ms < times->until_ms;
    }
    int64_t minute = unix_ms / MINUTE_MS, day = minute / DAY_MINUTES;
    return unix_ms >= 0 && (holds_on(times, day, minute) || holds_on(times, day - 1, minute));
}

bool maintenance_holds(const struct config *config, unsigned probe, int64_t unix_ms)
{
    for (unsigned i = 0; i < config->maintenance_count; i++) {
        const struct config_maintenance *maintenance = &config->maintenances[i];
        bool is_of = ((unsigned)maintenance->probes[probe / 8] >> probe % 8 & 1u) != 0;
        for (unsigned j = 0; is_of && j < maintenance->times_count; j++) {
            if (holds(&maintenance->times[j], unix_ms)) {
                return true;
            }
        }
    }
    return false;
}

/* Reading. */

/* "02:00" at *text, which goes behind it. */
static bool take_minute(const char **text, unsigned *minute)
{
    const char *at = *text;
    for (unsigned i = 0; i < 5; i++) {
        if (i == 2 ? at[i] != ':' : at[i] < '0' || at[i] > '9') {
            return false;
        }
    }
    unsigned hours = (unsigned)(at[0] - '0') * 10 + (unsigned)(at[1] - '0');
    unsigned minutes = (unsigned)(at[3] - '0') * 10 + (unsigned)(at[4] - '0');
    *minute = hours * 60 + minutes;
    *text += 5;
    return hours < 24 && minutes < 60;
}

static unsigned take_days(const char **text)
{
    static const char names[] = "sunmontuewedthufrisat";
    unsigned days = 0, day;
    if (strncmp(*text, "daily", 5) == 0) {
        *text += 5;
        return EVERY_DAY;
    }
    for (;;) {
        for (day = 0; day < 7 && strncmp(*text, names + day * 3, 3) != 0; day++) {
        }
        if (day == 7) {
            return 0;
        }
        days |= 1u << day;
        *text += 3;
        if (**text != ',') {
            return days;
        }
        (*text)++;
    }
}

static bool read_days(const char *text, struct config_times *times)
{
    unsigned start, end;
    times->days = (uint8_t)take_days(&text);
    if (times->days == 0 || *text++ != ' ') {
        return false;
    }
    text += strspn(text, " ");
    if (!take_minute(&text, &start) || *text++ != '-' || !take_minute(&text, &end) ||
        *text != '\0') {
        return false;
    }
    times->start_minute = (uint16_t)start;
    times->minutes = (uint16_t)(end > start ? end - start : end + DAY_MINUTES - start);
    return true;
}

const char *maintenance_read(const char *text, struct config_times *times)
{
    char first[40];
    size_t length = strcspn(text, " ");
    *times = (struct config_times){.days = 0};
    if (length == 0 || length >= sizeof first) {
        return SYNTAX;
    }
    if (text[0] < '0' || text[0] > '9') {
        return read_days(text, times) ? NULL : SYNTAX;
    }
    memcpy(first, text, length);
    first[length] = '\0';
    text += length + strspn(text + length, " ");
    if (!rfc3339_read(first, &times->from_ms) || !rfc3339_read(text, &times->until_ms)) {
        return SYNTAX;
    }
    return times->from_ms < times->until_ms ? NULL : "the second time is not after the first";
}
