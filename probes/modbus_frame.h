/* Strict check of one Modbus reply against its request.
 *
 * libmodbus takes frames off the wire by their byte count. It compares the transaction and protocol
 * id when it reads values itself, but never the MBAP length, nor over TCP the unit, and a byte
 * count only by half (an odd one passes). Here everything is compared, on the frame as it came.
 *
 * Sources: "Modbus Messaging on TCP/IP Implementation Guide" V1.0b section 3.1.3, "Modbus over
 * Serial Line" V1.02 section 2.5.1, "Modbus Application Protocol" V1.1b3 sections 6.1-6.4 and 7.
 * Pure. */
#ifndef PICKET_MODBUS_FRAME_H
#define PICKET_MODBUS_FRAME_H

#include "modbus_plan.h"

enum { MODBUS_FRAME_BYTES = 260, MODBUS_MBAP_BYTES = 7 };

struct modbus_expected {
    bool rtu; /* no MBAP header: unit, PDU, CRC */
    uint8_t unit;
    uint16_t transaction;
    const struct modbus_request *request;
};

enum modbus_verdict {
    MODBUS_FRAME_DATA,
    MODBUS_FRAME_EXCEPTION,
    MODBUS_FRAME_OTHER_UNIT, /* RTU: a whole frame, from somebody else on the line */
    MODBUS_FRAME_WRONG
};

/* Fills what a good answer begins with, MBAP to byte count. A frame that was prepared so and then
 * received in part differs from it exactly where the peer contradicted the request. */
void modbus_frame_prepare(const struct modbus_expected *expected, uint8_t *frame);

/* Judges a whole frame of `length` bytes (its CRC is checked by libmodbus). On DATA *data points to
 * the register or coil bytes, on EXCEPTION *exception is its code (1..255, as it came), else `why`
 * says what is wrong. */
enum modbus_verdict modbus_frame_check(const struct modbus_expected *expected, const uint8_t *frame,
                                       size_t length, const uint8_t **data, uint8_t *exception,
                                       char *why, size_t why_size);

/* After a receive that did not end: true, with `why`, when what came of the prepared frame already
 * contradicts the request. */
bool modbus_frame_contradicts(const struct modbus_expected *expected, const uint8_t *frame,
                              char *why, size_t why_size);

/* Copies one value's bytes out of the data of a reply: 2 * count for registers, 1 for a bit. */
void modbus_frame_extract(const struct modbus_request *request, const uint8_t *data,
                          const struct modbus_span *span, uint8_t *out);

/* 1 read coils, 2 read discrete inputs, 3 read holding registers, 4 read input registers. */
uint8_t modbus_function(enum modbus_table table);

/* The name of an exception code ("illegal data address"), never NULL. */
const char *modbus_exception_name(uint8_t code);

#endif
