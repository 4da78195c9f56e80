#include "modbus_frame.h"

#include <stdio.h>
#include <string.h>

enum { EXCEPTION_FLAG = 0x80 };

uint8_t modbus_function(enum modbus_table table)
{
    switch (table) {
    case MODBUS_TABLE_COIL:
        return 1;
    case MODBUS_TABLE_DISCRETE:
        return 2;
    case MODBUS_TABLE_HOLDING:
        return 3;
    case MODBUS_TABLE_INPUT:
        break;
    }
    return 4;
}

const char *modbus_exception_name(uint8_t code)
{
    static const char *const names[] = {[1] = "illegal function",
                                        [2] = "illegal data address",
                                        [3] = "illegal data value",
                                        [4] = "device failure",
                                        [5] = "acknowledge",
                                        [6] = "device busy",
                                        [7] = "negative acknowledge",
                                        [8] = "memory parity error",
                                        [10] = "gateway path unavailable",
                                        [11] = "gateway target failed to respond"};

    return code < ARRAY_LEN(names) && names[code] != NULL ? names[code] : "unknown exception";
}

static unsigned data_bytes(const struct modbus_request *request)
{
    return modbus_table_of_bits((enum modbus_table)request->table) ? (request->count + 7U) / 8U
                                                                   : request->count * 2U;
}

/* Where the unit stands; function and byte count follow it. */
static size_t unit_at(const struct modbus_expected *expected)
{
    return expected->rtu ? 0 : MODBUS_MBAP_BYTES - 1;
}

static size_t check_bytes(const struct modbus_expected *expected)
{
    return expected->rtu ? 2 : 0;
}

static unsigned word_at(const uint8_t *frame, size_t at)
{
    return (unsigned)frame[at] << 8 | frame[at + 1];
}

void modbus_frame_prepare(const struct modbus_expected *expected, uint8_t *frame)
{
    size_t unit = unit_at(expected);
    unsigned bytes = data_bytes(expected->request);

    memset(frame, 0, MODBUS_FRAME_BYTES);
    if (!expected->rtu) {
        frame[0] = (uint8_t)(expected->transaction >> 8);
        frame[1] = (uint8_t)expected->transaction;
        frame[4] = (uint8_t)((bytes + 3) >> 8);
        frame[5] = (uint8_t)(bytes + 3);
    }
    frame[unit] = expected->unit;
    frame[unit + 1] = modbus_function((enum modbus_table)expected->request->table);
    frame[unit + 2] = (uint8_t)bytes;
}

/* The ids of the MBAP header; its length is the caller's. */
static bool ids_are_wrong(const struct modbus_expected *expected, const uint8_t *frame, char *why,
                          size_t why_size)
{
    if (expected->rtu) {
        return false;
    }
    if (word_at(frame, 0) != expected->transaction) {
        (void)snprintf(why, why_size, "answer to transaction %u, asked was %u", word_at(frame, 0),
                       expected->transaction);
        return true;
    }
    if (word_at(frame, 2) != 0) {
        (void)snprintf(why, why_size, "protocol id %u instead of 0", word_at(frame, 2));
        return true;
    }
    return false;
}

static bool length_is_wrong(const struct modbus_expected *expected, const uint8_t *frame,
                            unsigned pdu_bytes, char *why, size_t why_size)
{
    if (expected->rtu || word_at(frame, 4) == pdu_bytes + 1) {
        return false;
    }
    (void)snprintf(why, why_size, "length %u in the MBAP header instead of %u", word_at(frame, 4),
                   pdu_bytes + 1);
    return true;
}

static enum modbus_verdict check_exception(const struct modbus_expected *expected,
                                           const uint8_t *frame, size_t length, uint8_t *exception,
                                           char *why, size_t why_size)
{
    size_t code = unit_at(expected) + 2;

    if (length_is_wrong(expected, frame, 2, why, why_size)) {
        return MODBUS_FRAME_WRONG;
    }
    if (length != code + 1 + check_bytes(expected)) {
        (void)snprintf(why, why_size, "an exception of %zu bytes", length);
        return MODBUS_FRAME_WRONG;
    }
    if (frame[code] == 0) {
        (void)snprintf(why, why_size, "exception without a code");
        return MODBUS_FRAME_WRONG;
    }
    *exception = frame[code];
    return MODBUS_FRAME_EXCEPTION;
}

/* Everything before the byte count. DATA: it agrees so far. */
static enum modbus_verdict check_header(const struct modbus_expected *expected,
                                        const uint8_t *frame, char *why, size_t why_size)
{
    const uint8_t *unit = frame + unit_at(expected);
    uint8_t function = modbus_function((enum modbus_table)expected->request->table);

    if (ids_are_wrong(expected, frame, why, why_size)) {
        return MODBUS_FRAME_WRONG;
    }
    if (unit[0] != expected->unit) {
        (void)snprintf(why, why_size, "answer from unit %u, asked was %u", unit[0], expected->unit);
        return expected->rtu ? MODBUS_FRAME_OTHER_UNIT : MODBUS_FRAME_WRONG;
    }
    if (unit[1] == (function | EXCEPTION_FLAG)) {
        return MODBUS_FRAME_EXCEPTION;
    }
    if (unit[1] != function) {
        (void)snprintf(why, why_size, "answer with function %u, asked was %u", unit[1], function);
        return MODBUS_FRAME_WRONG;
    }
    return MODBUS_FRAME_DATA;
}

static bool count_is_wrong(const struct modbus_expected *expected, const uint8_t *frame, char *why,
                           size_t why_size)
{
    unsigned bytes = data_bytes(expected->request);
    unsigned announced = frame[unit_at(expected) + 2];

    if (announced != bytes) {
        (void)snprintf(why, why_size, "%u bytes of data, asked were %u", announced, bytes);
    }
    return announced != bytes;
}

enum modbus_verdict modbus_frame_check(const struct modbus_expected *expected, const uint8_t *frame,
                                       size_t length, const uint8_t **data, uint8_t *exception,
                                       char *why, size_t why_size)
{
    size_t data_at = unit_at(expected) + 3;
    unsigned bytes = data_bytes(expected->request);
    enum modbus_verdict verdict;

    if (length < data_at + check_bytes(expected)) {
        (void)snprintf(why, why_size, "an answer of %zu bytes", length);
        return MODBUS_FRAME_WRONG;
    }
    verdict = check_header(expected, frame, why, why_size);
    if (verdict == MODBUS_FRAME_EXCEPTION) {
        return check_exception(expected, frame, length, exception, why, why_size);
    }
    if (verdict != MODBUS_FRAME_DATA) {
        return verdict;
    }
    if (count_is_wrong(expected, frame, why, why_size) ||
        length_is_wrong(expected, frame, bytes + 2, why, why_size)) {
        return MODBUS_FRAME_WRONG;
    }
    if (length != data_at + bytes + check_bytes(expected)) {
        (void)snprintf(why, why_size, "an answer of %zu bytes", length);
        return MODBUS_FRAME_WRONG;
    }
    *data = frame + data_at;
    return MODBUS_FRAME_DATA;
}

bool modbus_frame_contradicts(const struct modbus_expected *expected, const uint8_t *frame,
                              char *why, size_t why_size)
{
    enum modbus_verdict verdict = check_header(expected, frame, why, why_size);

    return verdict == MODBUS_FRAME_WRONG || verdict == MODBUS_FRAME_OTHER_UNIT ||
           (verdict == MODBUS_FRAME_DATA && count_is_wrong(expected, frame, why, why_size));
}

void modbus_frame_extract(const struct modbus_request *request, const uint8_t *data,
                          const struct modbus_span *span, uint8_t *out)
{
    unsigned from = (unsigned)span->address - request->address;

    if (modbus_table_of_bits((enum modbus_table)request->table)) {
        out[0] = (uint8_t)(data[from / 8] >> (from % 8) & 1);
    } else {
        memcpy(out, data + (size_t)from * 2, (size_t)span->count * 2);
    }
}
