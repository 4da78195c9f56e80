/* Which requests read a set of values: neighbours together, a bad register alone.
 *
 * Values of one table whose registers touch or overlap are asked for in one request, up to the
 * device's limit. A register nobody named is never read: it may not exist, and some devices act on
 * being read. When a device refuses a request for several values because of an address (exception
 * 2 or 3), the request is split until the bad value stands alone, or until each half is answered:
 * then the device does not let a request cross some border. Both are for the caller to remember
 * (`alone`, `apart`), so that the next run asks rightly from the start.
 *
 * Pure. Work is bounded: n values cost at most 2n - 1 requests. Memory: struct modbus_plan, below
 * 1 KiB. Thread rule: none. */
#ifndef PICKET_MODBUS_PLAN_H
#define PICKET_MODBUS_PLAN_H

#include "modbus_read.h"

struct modbus_span {
    uint8_t table; /* enum modbus_table */
    bool alone;    /* do not merge with any other */
    bool apart;    /* do not merge with those before it */
    uint16_t address, count;
};

/* One request, and the values it answers: sorted[first] to sorted[end - 1]. */
struct modbus_request {
    uint8_t table;
    uint8_t first, end;
    uint16_t address, count;
};

struct modbus_plan {
    uint16_t max_registers, max_bits;
    uint8_t count;         /* of values */
    uint8_t pending_count; /* a stack, the next request on top */
    struct modbus_span spans[CAP_VALUES];
    uint8_t sorted[CAP_VALUES]; /* indices of spans by table, address */
    struct {
        uint8_t first, end;
    } pending[CAP_VALUES];
    uint8_t split_count;
    struct modbus_split {
        uint8_t first, middle, end;
    } splits[CAP_VALUES];
};

/* `count` is at most CAP_VALUES, and each span fits its limit. */
void modbus_plan_init(struct modbus_plan *plan, const struct modbus_span *spans, unsigned count,
                      unsigned max_registers, unsigned max_bits);

/* Takes the next request; false when all are done. */
bool modbus_plan_next(struct modbus_plan *plan, struct modbus_request *request);

/* Puts the values of a refused request back, split in two. False when it holds only one value:
 * nothing is put back, that value is the bad one. */
bool modbus_plan_split(struct modbus_plan *plan, const struct modbus_request *request);

/* After all requests were made: marks in apart[value] where a request was refused although each
 * half was then answered. `refused[value]` tells the values that were never answered. */
void modbus_plan_learn(const struct modbus_plan *plan, const bool *refused, bool *apart);

#endif
