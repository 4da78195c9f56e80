/* One `read = NAME TABLE ADDRESS TYPE [option=value…]` line of a Modbus probe, parsed and checked.
 *
 * Pure: text in, one fixed struct out. What the registers then hold is modbus_decode.h's matter.
 * ADDRESS is the one on the wire, from 0 (Modbus Application Protocol V1.1b3, section 4.4), not the
 * 40001 notation. Thread rule: none. Memory: struct modbus_read, about 200 bytes. */
#ifndef PICKET_MODBUS_READ_H
#define PICKET_MODBUS_READ_H

#include "base.h"
#include "caps.h"

/* In the order of their names in modbus_table_names. */
enum modbus_table {
    MODBUS_TABLE_COIL,
    MODBUS_TABLE_DISCRETE,
    MODBUS_TABLE_INPUT,
    MODBUS_TABLE_HOLDING
};
extern const char *const modbus_table_names[]; /* NULL-terminated */

enum modbus_type {
    MODBUS_TYPE_BOOL,
    MODBUS_TYPE_U16,
    MODBUS_TYPE_I16,
    MODBUS_TYPE_U32,
    MODBUS_TYPE_I32,
    MODBUS_TYPE_U64,
    MODBUS_TYPE_I64,
    MODBUS_TYPE_F32,
    MODBUS_TYPE_F64,
    MODBUS_TYPE_STRING
};

/* How a value lies in its registers. The letters of a name are the value's bytes, the most
 * significant one is `a`, in the order in which they come over the wire. Each is a choice of two
 * swaps, so that one default serves values of every width. */
struct modbus_order {
    bool swap_words; /* the least significant register comes first */
    bool swap_bytes; /* within each register the low byte comes first */
};
extern const char *const modbus_order_names[]; /* NULL-terminated */
struct modbus_order modbus_order_at(unsigned index);

enum { MODBUS_STRING_BYTES = 38, MODBUS_SENTINELS = 8 };

struct modbus_read {
    char name[CAP_NAME_BYTES];
    enum modbus_table table;
    enum modbus_type type;
    uint16_t address;
    uint16_t count;  /* registers, or 1 bit */
    uint16_t length; /* bytes of the value */
    int8_t bit;      /* bool in a register: 0 is the least significant; -1: none */
    struct modbus_order order;
    double scale, offset; /* value * scale + offset */
    bool has_low, has_high;
    double low, high; /* of the scaled value, inclusive */
    uint8_t sentinel_count;
    uint64_t sentinels[MODBUS_SENTINELS]; /* bit patterns after reordering, `length` bytes wide */
    usec_t stuck_us;                      /* 0: may stay the same for ever */
};

/* Parses one line. `fallback` is the order of values that name none. ERROR_INVALID or ERROR_RANGE:
 * `why` (of `why_size` > 0 bytes) says what is wrong in one line, and *out holds nothing of use. */
MUST_CHECK enum error modbus_read_parse(const char *text, size_t length,
                                        struct modbus_order fallback, struct modbus_read *out,
                                        char *why, size_t why_size);

/* Coils and discrete inputs are bits; the other two tables hold registers of 16 bits. */
static inline bool modbus_table_of_bits(enum modbus_table table)
{
    return table == MODBUS_TABLE_COIL || table == MODBUS_TABLE_DISCRETE;
}

#endif
