/* Guards against an answer that makes the check of frames or the decoder read past what came, and
 * against one that passes although a field of it is not what was asked for.
 *
 * A libFuzzer entry: the first bytes choose request and type, the rest is the frame. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "modbus_decode.h"
#include "modbus_frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

enum { CHOICE_BYTES = 4 };

static void must(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void must_be_the_answer(const struct modbus_expected *expected, const uint8_t *frame,
                               size_t length, const uint8_t *data)
{
    size_t unit = expected->rtu ? 0 : 6;
    unsigned bytes = expected->request->table <= MODBUS_TABLE_DISCRETE
                         ? (expected->request->count + 7U) / 8
                         : expected->request->count * 2U;

    must(data == frame + unit + 3 && length == unit + 3 + bytes + (expected->rtu ? 2 : 0));
    must(frame[unit] == expected->unit && frame[unit + 2] == bytes);
    must(expected->rtu ||
         (frame[0] == expected->transaction >> 8 && frame[1] == (expected->transaction & 0xff) &&
          frame[2] == 0 && frame[3] == 0 && (frame[4] << 8 | frame[5]) == (int)bytes + 3));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const char *const lines[] = {"a coil 0 bool",
                                        "a holding 0 bool bit=9",
                                        "a input 0 i16 sentinel=1 scale=0.1",
                                        "a holding 0 f32 order=cdab",
                                        "a holding 0 i64",
                                        "a input 0 f64 scale=1e300",
                                        "a holding 0 string:38",
                                        "a input 0 string:5 order=ba"};
    struct modbus_read read;
    struct value_reading value;
    const uint8_t *data = NULL;
    uint8_t exception = 0, raw[MODBUS_STRING_BYTES + 2] = {0};
    char why[96] = "";

    if (size < CHOICE_BYTES || size > CHOICE_BYTES + MODBUS_FRAME_BYTES) {
        return 0;
    }
    const char *line = lines[bytes[0] % ARRAY_LEN(lines)];
    must(modbus_read_parse(line, strlen(line), modbus_order_at(0), &read, why, sizeof(why)) ==
         ERROR_NONE);
    const struct modbus_request request = {
        .table = (uint8_t)read.table, .count = read.count, .end = 1};
    const struct modbus_span span = {.table = (uint8_t)read.table, .count = read.count};
    const struct modbus_expected expected = {
        .rtu = bytes[1] & 1, .unit = bytes[2], .transaction = bytes[3], .request = &request};

    /* A copy of the exact size, so that a read past it is seen. */
    size_t length = size - CHOICE_BYTES;
    uint8_t *frame = malloc(length > 0 ? length : 1);
    must(frame != NULL);
    memcpy(frame, bytes + CHOICE_BYTES, length);
    switch (modbus_frame_check(&expected, frame, length, &data, &exception, why, sizeof(why))) {
    case MODBUS_FRAME_DATA:
        must_be_the_answer(&expected, frame, length, data);
        modbus_frame_extract(&request, data, &span, raw);
        modbus_decode(&read, raw, &value);
        must(memchr(value.text, '\0', sizeof(value.text)) != NULL);
        break;
    case MODBUS_FRAME_EXCEPTION:
        must(exception != 0 && modbus_exception_name(exception)[0] != '\0');
        break;
    case MODBUS_FRAME_OTHER_UNIT:
        must(expected.rtu && why[0] != '\0');
        break;
    case MODBUS_FRAME_WRONG:
        must(why[0] != '\0');
        break;
    }
    free(frame);
    return 0;
}
