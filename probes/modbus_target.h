/* A Modbus target as configured: where it is and how to speak to it. Pure.
 *
 *   tcp://HOST[:502]         Modbus TCP; a bare HOST[:PORT] is the same
 *   rtutcp://HOST:PORT       RTU frames over TCP, as serial device servers pass them on
 *   rtu:///dev/tty…[?baud=19200&parity=even&data=8&stop=1]
 *                            RTU over a serial line; the defaults are those of "Modbus over Serial
 *                            Line" V1.02, section 2.5.1 (but one stop bit without parity, too) */
#ifndef PICKET_MODBUS_TARGET_H
#define PICKET_MODBUS_TARGET_H

#include "net.h"

enum modbus_transport { MODBUS_TCP, MODBUS_RTU_TCP, MODBUS_RTU };

enum { MODBUS_DEVICE_BYTES = 128 };

struct modbus_target {
    enum modbus_transport transport;
    struct endpoint endpoint; /* host is "" for a serial line */
    char device[MODBUS_DEVICE_BYTES];
    int baud;
    char parity; /* 'N' 'E' 'O' */
    int stop_bits;
};

/* On an error `why` (of `why_size` > 0 bytes) says what is wrong in one line. */
MUST_CHECK enum error modbus_target_parse(const char *text, struct modbus_target *out, char *why,
                                          size_t why_size);

/* True when both are the same thing that can do one request at a time: the same gateway or line. */
bool modbus_target_same_endpoint(const struct modbus_target *a, const struct modbus_target *b);

#endif
