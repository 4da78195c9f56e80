/* Everything becomes big-endian bytes first; then one pattern of 16, 32 or 64 bits; then a type. */
#include "modbus_decode.h"

#include <math.h>
#include <string.h>

#include "buffer.h"

static void reorder(const struct modbus_read *read, const uint8_t *bytes, uint8_t *out)
{
    for (unsigned i = 0; i < read->count; i++) {
        unsigned from =
            read->order.swap_words && read->type != MODBUS_TYPE_STRING ? read->count - 1U - i : i;
        uint8_t high = bytes[2 * from], low = bytes[2 * from + 1];

        out[2 * i] = read->order.swap_bytes ? low : high;
        out[2 * i + 1] = read->order.swap_bytes ? high : low;
    }
}

static uint64_t pattern_of(const uint8_t *bytes, unsigned count)
{
    uint64_t pattern = 0;

    for (unsigned i = 0; i < count; i++) {
        pattern = pattern << 8 | bytes[i];
    }
    return pattern;
}

static double single_of(uint64_t pattern)
{
    uint32_t bits = (uint32_t)pattern;
    float number;

    memcpy(&number, &bits, sizeof(number));
    return (double)number;
}

static double double_of(uint64_t pattern)
{
    double number;

    memcpy(&number, &pattern, sizeof(number));
    return number;
}

static double number_of(const struct modbus_read *read, uint64_t pattern)
{
    switch (read->type) {
    case MODBUS_TYPE_BOOL:
        return (double)(pattern >> read->bit & 1);
    case MODBUS_TYPE_I16:
        return (double)(int16_t)(uint16_t)pattern;
    case MODBUS_TYPE_I32:
        return (double)(int32_t)(uint32_t)pattern;
    case MODBUS_TYPE_I64:
        return (double)(int64_t)pattern;
    case MODBUS_TYPE_F32:
        return single_of(pattern);
    case MODBUS_TYPE_F64:
        return double_of(pattern);
    case MODBUS_TYPE_U16:
    case MODBUS_TYPE_U32:
    case MODBUS_TYPE_U64:
    case MODBUS_TYPE_STRING:
        break;
    }
    return (double)pattern;
}

static void decode_text(const struct modbus_read *read, const uint8_t *bytes,
                        struct value_reading *out)
{
    size_t length = strnlen((const char *)bytes, read->length);
    size_t used = 0;

    while (length > 0 && bytes[length - 1] == ' ') {
        length--;
    }
    for (size_t i = 0; i < length; i++) {
        uint8_t piece[8];
        struct buffer escaped;

        /* Byte by byte, so that a cut never leaves half an escape. */
        buffer_init(&escaped, piece, sizeof(piece));
        buffer_append_escaped(&escaped, &bytes[i], 1);
        if (used + escaped.used >= sizeof(out->text)) {
            break;
        }
        memcpy(out->text + used, piece, escaped.used);
        used += escaped.used;
    }
    out->text[used] = '\0';
    out->available = used > 0;
}

void modbus_decode(const struct modbus_read *read, const uint8_t *bytes, struct value_reading *out)
{
    uint8_t ordered[MODBUS_STRING_BYTES + 2];
    uint64_t pattern;

    memset(out, 0, sizeof(*out));
    if (modbus_table_of_bits(read->table)) {
        out->available = true;
        out->number = bytes[0] != 0 ? 1 : 0;
        return;
    }
    reorder(read, bytes, ordered);
    if (read->type == MODBUS_TYPE_STRING) {
        decode_text(read, ordered, out);
        return;
    }
    pattern = pattern_of(ordered, read->length);
    for (unsigned i = 0; i < read->sentinel_count; i++) {
        if (pattern == read->sentinels[i]) {
            return;
        }
    }
    double number = number_of(read, pattern) * read->scale + read->offset;
    if (isfinite(number)) {
        out->available = true;
        out->number = number;
    }
}

bool modbus_in_range(const struct modbus_read *read, const struct value_reading *value)
{
    return !value->available || read->type == MODBUS_TYPE_STRING ||
           ((!read->has_low || value->number >= read->low) &&
            (!read->has_high || value->number <= read->high));
}
