#include "modbus_judge.h"

#include <stdio.h>
#include <string.h>

#include "modbus_decode.h"
#include "modbus_frame.h"

enum { EXCEPTION_ADDRESS = 2, EXCEPTION_VALUE = 3 };

static size_t raw_bytes(const struct modbus_read *read)
{
    return modbus_table_of_bits(read->table) ? 1 : (size_t)read->count * 2;
}

/* Starts the clock of `stuck` anew when the value changed, and when it was out of sight for so long
 * that it may have changed and come back. */
static void remember(struct modbus_value *value, const uint8_t *bytes, usec_t now_us)
{
    size_t size = raw_bytes(&value->read);
    bool unwatched = !value->seen || now_us - value->seen_us > value->read.stuck_us;

    if (unwatched || memcmp(value->bytes, bytes, size) != 0) {
        value->changed_us = now_us;
    }
    memcpy(value->bytes, bytes, size);
    value->seen = true;
    value->seen_us = now_us;
}

void modbus_judge_values(struct modbus_value *values, unsigned count,
                         const struct modbus_report *report, usec_t now_us, struct result *result)
{
    result->value_count = (uint16_t)count;
    for (unsigned i = 0; i < count; i++) {
        const struct modbus_reading *reading = &report->readings[i];
        struct value_reading *out = &result->values[i];

        memset(out, 0, sizeof(*out));
        values[i].apart = values[i].apart || report->apart[i];
        if (reading->state == MODBUS_READ_DATA) {
            modbus_decode(&values[i].read, reading->bytes, out);
            values[i].alone = false;
            if (out->available) {
                remember(&values[i], reading->bytes, now_us);
            }
        } else if (reading->state == MODBUS_READ_EXCEPTION) {
            values[i].alone =
                reading->exception == EXCEPTION_ADDRESS || reading->exception == EXCEPTION_VALUE;
        }
    }
}

static bool judge_exceptions(const struct modbus_value *values, unsigned count,
                             const struct modbus_report *report, struct result *result)
{
    unsigned first = count, more = 0;
    char others[32] = "";

    for (unsigned i = 0; i < count; i++) {
        if (report->readings[i].state == MODBUS_READ_EXCEPTION) {
            more += first < count ? 1 : 0;
            first = first < count ? first : i;
        }
    }
    if (first == count) {
        return false;
    }
    if (more > 0) {
        (void)snprintf(others, sizeof(others), " and %u more", more);
    }
    result_fail(result, REASON_EXCEPTION, PHASE_REQUEST, "%s (%u) for %s%s",
                modbus_exception_name(report->readings[first].exception),
                report->readings[first].exception, values[first].read.name, others);
    return true;
}

static void fail_range(const struct modbus_read *read, double number, struct result *result)
{
    char low[32] = "", high[32] = "";

    if (read->has_low) {
        (void)snprintf(low, sizeof(low), "%.10g", read->low);
    }
    if (read->has_high) {
        (void)snprintf(high, sizeof(high), "%.10g", read->high);
    }
    result_fail(result, REASON_RANGE, PHASE_REQUEST, "%s is %.10g, outside %s..%s", read->name,
                number, low, high);
}

static bool judge_ranges(const struct modbus_value *values, unsigned count, struct result *result)
{
    for (unsigned i = 0; i < count; i++) {
        if (!modbus_in_range(&values[i].read, &result->values[i])) {
            fail_range(&values[i].read, result->values[i].number, result);
            return true;
        }
    }
    return false;
}

static bool judge_stuck(const struct modbus_value *values, unsigned count, usec_t now_us,
                        struct result *result)
{
    for (unsigned i = 0; i < count; i++) {
        usec_t same_us = now_us - values[i].changed_us;

        if (values[i].read.stuck_us > 0 && result->values[i].available &&
            same_us >= values[i].read.stuck_us) {
            result_fail(result, REASON_STUCK, PHASE_REQUEST, "%s has not changed for %lld s",
                        values[i].read.name, (long long)(same_us / USEC_PER_SEC));
            return true;
        }
    }
    return false;
}

void modbus_judge(const struct modbus_value *values, unsigned count,
                  const struct modbus_report *report, usec_t now_us, struct result *result)
{
    if (!judge_exceptions(values, count, report, result) && !judge_ranges(values, count, result) &&
        !judge_stuck(values, count, now_us, result)) {
        result_succeed(result);
    }
}
