/* What the bytes of a Modbus reply mean: registers to a number or a text. Pure. */
#ifndef PICKET_MODBUS_DECODE_H
#define PICKET_MODBUS_DECODE_H

#include "modbus_read.h"
#include "result.h"

/* Decodes one value. `bytes` are its 2 * read->count bytes as they came (for a bit: one byte, 0 or
 * 1). A sentinel, NaN, an infinity, a number that overflows by its scale, and a blank string make
 * it unavailable. A text ends at its first NUL, loses blanks at its end and is escaped; what does
 * not fit is cut. 64-bit integers above 2^53 are rounded, as every number that is pushed. */
void modbus_decode(const struct modbus_read *read, const uint8_t *bytes, struct value_reading *out);

/* True when the value keeps to its range; an unavailable one does. */
bool modbus_in_range(const struct modbus_read *read, const struct value_reading *value);

#endif
