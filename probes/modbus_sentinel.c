#include "modbus_sentinel.h"

#include <float.h>
#include <string.h>

#include "value.h"

/* "0x…" of at most `bytes` bytes. */
static enum error parse_hex(const char *digits, size_t length, unsigned bytes, uint64_t *out)
{
    uint64_t pattern = 0;

    if (length < 1) {
        return ERROR_INVALID;
    }
    for (size_t i = 0; i < length; i++) {
        char byte = digits[i];
        unsigned digit = byte >= '0' && byte <= '9'   ? (unsigned)(byte - '0')
                         : byte >= 'a' && byte <= 'f' ? (unsigned)(byte - 'a') + 10
                         : byte >= 'A' && byte <= 'F' ? (unsigned)(byte - 'A') + 10
                                                      : 16;
        if (digit == 16) {
            return ERROR_INVALID;
        }
        if (pattern >> (bytes * 8 - 4) != 0) {
            return ERROR_RANGE;
        }
        pattern = pattern << 4 | digit;
    }
    *out = pattern;
    return ERROR_NONE;
}

/* The bit pattern of a decimal number as the type writes it. */
static enum error parse_decimal_float(enum modbus_type type, const char *text, size_t length,
                                      uint64_t *out)
{
    double number = 0;
    enum error error = value_real(text, length, &number);

    if (error != ERROR_NONE) {
        return error;
    }
    if (type == MODBUS_TYPE_F32) {
        uint32_t pattern;
        if (number > (double)FLT_MAX || number < -(double)FLT_MAX) {
            return ERROR_RANGE;
        }
        float single = (float)number;
        memcpy(&pattern, &single, sizeof(pattern));
        *out = pattern;
    } else {
        memcpy(out, &number, sizeof(*out));
    }
    return ERROR_NONE;
}

/* value_integer stops at INT64_MAX; the upper half of u64 is read here. */
static enum error parse_decimal_unsigned(const char *text, size_t length, uint64_t *out)
{
    uint64_t number = 0;

    if (length < 1) {
        return ERROR_INVALID;
    }
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return ERROR_INVALID;
        }
        unsigned digit = (unsigned)(text[i] - '0');
        if (number > (UINT64_MAX - digit) / 10) {
            return ERROR_RANGE;
        }
        number = number * 10 + digit;
    }
    *out = number;
    return ERROR_NONE;
}

static enum error parse_decimal_integer(enum modbus_type type, unsigned bytes, const char *text,
                                        size_t length, uint64_t *out)
{
    unsigned bits = bytes * 8;
    bool is_signed = type == MODBUS_TYPE_I16 || type == MODBUS_TYPE_I32 || type == MODBUS_TYPE_I64;
    enum error error;

    if (!is_signed) {
        uint64_t number = 0;
        error = parse_decimal_unsigned(text, length, &number);
        if (error == ERROR_NONE && bits < 64 && number >> bits != 0) {
            error = ERROR_RANGE;
        }
        *out = number;
        return error;
    }
    int64_t number = 0;
    error = value_integer(text, length, &number);
    if (error == ERROR_NONE && bits < 64 &&
        (number >= INT64_C(1) << (bits - 1) || number < -(INT64_C(1) << (bits - 1)))) {
        error = ERROR_RANGE;
    }
    *out = bits < 64 ? (uint64_t)number & ((UINT64_C(1) << bits) - 1) : (uint64_t)number;
    return error;
}

enum error modbus_sentinel_parse(enum modbus_type type, unsigned bytes, const char *text,
                                 size_t length, uint64_t *out)
{
    if (length >= 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
        return parse_hex(text + 2, length - 2, bytes, out);
    }
    if (type == MODBUS_TYPE_F32 || type == MODBUS_TYPE_F64) {
        return parse_decimal_float(type, text, length, out);
    }
    return parse_decimal_integer(type, bytes, text, length, out);
}
