/* Guards against an answer that is taken for the one that was asked for, and is not: each field of
 * a frame is broken in turn and must be refused with words that name it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "modbus_frame.h"

static const struct modbus_request two_registers = {
    .table = MODBUS_TABLE_HOLDING, .address = 100, .count = 2, .end = 1};
static const struct modbus_expected tcp = {
    .unit = 17, .transaction = 0x0102, .request = &two_registers};
static const struct modbus_expected rtu = {.rtu = true, .unit = 17, .request = &two_registers};

static const uint8_t good_tcp[] = {1, 2, 0, 0, 0, 7, 17, 3, 4, 0xaa, 0xbb, 0xcc, 0xdd};
static const uint8_t good_rtu[] = {17, 3, 4, 0xaa, 0xbb, 0xcc, 0xdd, 0, 0};

static enum modbus_verdict check(const struct modbus_expected *expected, const uint8_t *frame,
                                 size_t length, const uint8_t **data, uint8_t *code, char *why)
{
    why[0] = '\0';
    return modbus_frame_check(expected, frame, length, data, code, why, 96);
}

static void good_frames_pass(void **state)
{
    const uint8_t *data = NULL;
    uint8_t code = 0;
    char why[96];

    (void)state;
    assert_int_equal(check(&tcp, good_tcp, sizeof(good_tcp), &data, &code, why), MODBUS_FRAME_DATA);
    assert_ptr_equal(data, good_tcp + 9);
    assert_int_equal(check(&rtu, good_rtu, sizeof(good_rtu), &data, &code, why), MODBUS_FRAME_DATA);
    assert_ptr_equal(data, good_rtu + 3);
}

static void each_broken_field_is_named(void **state)
{
    static const struct {
        size_t at;
        uint8_t value;
        const char *why;
    } rows[] = {
        {0, 9, "transaction"},
        {1, 3, "transaction"},
        {2, 1, "protocol id"},
        {3, 1, "protocol id"},
        {4, 1, "MBAP"},
        {5, 6, "MBAP"},
        {5, 8, "MBAP"},
        {6, 18, "unit 18"},
        {6, 0, "unit 0"},
        {7, 4, "function 4"},
        {7, 0x84, "function 132"},
        {7, 0, "function 0"},
        {8, 3, "3 bytes"},
        {8, 5, "5 bytes"},
        {8, 2, "2 bytes"},
        {8, 0, "0 bytes"},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        uint8_t frame[MODBUS_FRAME_BYTES] = {0}, code = 0;
        const uint8_t *data = NULL;
        char why[96];

        memcpy(frame, good_tcp, sizeof(good_tcp));
        frame[rows[i].at] = rows[i].value;
        assert_int_equal(check(&tcp, frame, sizeof(good_tcp), &data, &code, why),
                         MODBUS_FRAME_WRONG);
        if (strstr(why, rows[i].why) == NULL) {
            fail_msg("byte %zu = %u: \"%s\"", rows[i].at, rows[i].value, why);
        }
        assert_null(data);
    }
}

static void every_wrong_length_is_refused(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < 2; kind++) {
        const struct modbus_expected *expected = kind == 0 ? &tcp : &rtu;
        const uint8_t *good = kind == 0 ? good_tcp : good_rtu;
        size_t good_length = kind == 0 ? sizeof(good_tcp) : sizeof(good_rtu);

        for (size_t length = 0; length <= MODBUS_FRAME_BYTES; length++) {
            uint8_t frame[MODBUS_FRAME_BYTES] = {0}, code = 0;
            const uint8_t *data = NULL;
            char why[96];

            memcpy(frame, good, length < good_length ? length : good_length);
            assert_int_equal(check(expected, frame, length, &data, &code, why) == MODBUS_FRAME_DATA,
                             length == good_length);
        }
    }
}

static void exceptions_are_read_with_the_same_care(void **state)
{
    static const struct {
        uint8_t frame[10];
        size_t length;
        enum modbus_verdict verdict;
    } rows[] = {
        {{1, 2, 0, 0, 0, 3, 17, 0x83, 2}, 9, MODBUS_FRAME_EXCEPTION},
        {{1, 2, 0, 0, 0, 3, 17, 0x83, 0xff}, 9, MODBUS_FRAME_EXCEPTION},
        {{1, 2, 0, 0, 0, 3, 17, 0x83, 0}, 9, MODBUS_FRAME_WRONG},
        {{1, 2, 0, 0, 0, 3, 17, 0x84, 2}, 9, MODBUS_FRAME_WRONG},
        {{1, 2, 0, 0, 0, 4, 17, 0x83, 2}, 9, MODBUS_FRAME_WRONG},
        {{1, 2, 0, 0, 0, 3, 17, 0x83, 2, 0}, 10, MODBUS_FRAME_WRONG},
        {{1, 3, 0, 0, 0, 3, 17, 0x83, 2}, 9, MODBUS_FRAME_WRONG},
        {{1, 2, 0, 0, 0, 3, 18, 0x83, 2}, 9, MODBUS_FRAME_WRONG},
    };
    const uint8_t over_line[] = {17, 0x83, 11, 0, 0};
    const uint8_t *data = NULL;
    uint8_t code = 0;
    char why[96];

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        code = 0;
        assert_int_equal(check(&tcp, rows[i].frame, rows[i].length, &data, &code, why),
                         rows[i].verdict);
        assert_int_equal(code, rows[i].verdict == MODBUS_FRAME_EXCEPTION ? rows[i].frame[8] : 0);
    }
    assert_int_equal(check(&rtu, over_line, sizeof(over_line), &data, &code, why),
                     MODBUS_FRAME_EXCEPTION);
    assert_int_equal(code, 11);
    assert_string_equal(modbus_exception_name(11), "gateway target failed to respond");
    assert_string_equal(modbus_exception_name(9), "unknown exception");
    assert_string_equal(modbus_exception_name(255), "unknown exception");
}

static void a_frame_of_another_unit_on_a_line_is_told_apart(void **state)
{
    uint8_t frame[sizeof(good_rtu)], code = 0;
    const uint8_t *data = NULL;
    char why[96];

    (void)state;
    memcpy(frame, good_rtu, sizeof(frame));
    frame[0] = 5;
    assert_int_equal(check(&rtu, frame, sizeof(frame), &data, &code, why), MODBUS_FRAME_OTHER_UNIT);
    assert_non_null(strstr(why, "unit 5"));
}

/* A frame that stopped coming contradicts only with bytes that came. */
static void a_prepared_frame_agrees_until_a_byte_differs(void **state)
{
    uint8_t frame[MODBUS_FRAME_BYTES];
    char why[96];

    (void)state;
    for (size_t came = 0; came <= sizeof(good_tcp); came++) {
        modbus_frame_prepare(&tcp, frame);
        memcpy(frame, good_tcp, came);
        assert_false(modbus_frame_contradicts(&tcp, frame, why, sizeof(why)));
    }
    for (size_t at = 0; at < 9; at++) {
        modbus_frame_prepare(&tcp, frame);
        frame[at] ^= 0x41;
        /* The length is judged on whole frames: here it may still be an exception's. */
        assert_int_equal(modbus_frame_contradicts(&tcp, frame, why, sizeof(why)),
                         at != 4 && at != 5);
    }
    modbus_frame_prepare(&tcp, frame);
    frame[7] = 0x83;
    assert_false(modbus_frame_contradicts(&tcp, frame, why, sizeof(why)));
}

static void bits_are_taken_low_first_across_bytes(void **state)
{
    const uint8_t data[] = {0xcd, 0x6b, 0x05}; /* the example of the specification, section 6.1 */
    static const char expected[] = "1011001111010110101";
    struct modbus_request request = {.table = MODBUS_TABLE_COIL, .address = 20, .count = 19};

    (void)state;
    for (unsigned i = 0; i < 19; i++) {
        struct modbus_span span = {
            .table = MODBUS_TABLE_COIL, .address = (uint16_t)(20 + i), .count = 1};
        uint8_t bit = 9;

        modbus_frame_extract(&request, data, &span, &bit);
        assert_int_equal(bit, expected[i] - '0');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_frames_pass),
        cmocka_unit_test(each_broken_field_is_named),
        cmocka_unit_test(every_wrong_length_is_refused),
        cmocka_unit_test(exceptions_are_read_with_the_same_care),
        cmocka_unit_test(a_frame_of_another_unit_on_a_line_is_told_apart),
        cmocka_unit_test(a_prepared_frame_agrees_until_a_byte_differs),
        cmocka_unit_test(bits_are_taken_low_first_across_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
