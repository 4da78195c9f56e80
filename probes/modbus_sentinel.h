/* A value that stands for "there is no value" (0x8000, 32767, -9999), as the bit pattern that the
 * type writes for it. Pure. */
#ifndef PICKET_MODBUS_SENTINEL_H
#define PICKET_MODBUS_SENTINEL_H

#include "modbus_read.h"

/* Reads a decimal number as the type would hold it, or a raw pattern "0x…". `bytes` is the width of
 * the type, 2, 4 or 8. ERROR_INVALID: malformed; ERROR_RANGE: does not fit the width. */
MUST_CHECK enum error modbus_sentinel_parse(enum modbus_type type, unsigned bytes, const char *text,
                                            size_t length, uint64_t *out);

#endif
