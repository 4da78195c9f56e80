/* From what a device answered to values and a verdict. Pure: no I/O, no clock. */
#ifndef PICKET_MODBUS_JUDGE_H
#define PICKET_MODBUS_JUDGE_H

#include "modbus_read.h"
#include "modbus_session.h"
#include "result.h"

/* One value of a target: how it is read, and what is remembered of it from run to run. */
struct modbus_value {
    struct modbus_read read;
    bool alone, apart; /* modbus_plan.h */
    bool seen;
    usec_t seen_us;    /* when it was last read … */
    usec_t changed_us; /* … and first read as it is now */
    uint8_t bytes[MODBUS_STRING_BYTES];
};

/* Fills result->values with all that was read, and remembers it: also of a run that broke off. */
void modbus_judge_values(struct modbus_value *values, unsigned count,
                         const struct modbus_report *report, usec_t now_us, struct result *result);

/* The verdict of a run in which every value was asked for: exception, then range, then stuck, each
 * by the first value in the order of the file; else success. After modbus_judge_values(). */
void modbus_judge(const struct modbus_value *values, unsigned count,
                  const struct modbus_report *report, usec_t now_us, struct result *result);

#endif
