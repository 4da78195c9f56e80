/* Guards against a `read` line that is understood differently from how it was meant: every mistake
 * must be an error that names itself, and every accepted word must land in its place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "modbus_read.h"
#include "modbus_target.h"

static enum error parse(const char *text, struct modbus_read *read, char *why)
{
    return modbus_read_parse(text, strlen(text), modbus_order_at(2), read, why, 192);
}

static void read_accepts_every_part(void **state)
{
    struct modbus_read read;
    char why[192];

    (void)state;
    assert_int_equal(parse("flow_celsius  holding 100 i16 scale=0.1 offset=-4 range=10..95 "
                           "sentinel=-32768,0x7fff stuck=10m order=ba",
                           &read, why),
                     ERROR_NONE);
    assert_string_equal(read.name, "flow_celsius");
    assert_int_equal(read.table, MODBUS_TABLE_HOLDING);
    assert_int_equal(read.type, MODBUS_TYPE_I16);
    assert_int_equal(read.address, 100);
    assert_int_equal(read.count, 1);
    assert_true(read.scale == 0.1 && read.offset == -4);
    assert_true(read.has_low && read.has_high && read.low == 10 && read.high == 95);
    assert_int_equal(read.sentinel_count, 2);
    assert_int_equal(read.sentinels[0], 0x8000);
    assert_int_equal(read.sentinels[1], 0x7fff);
    assert_int_equal(read.stuck_us, 10 * USEC_PER_MINUTE);
    assert_true(read.order.swap_bytes && !read.order.swap_words);
}

static void read_takes_the_shape_of_its_type(void **state)
{
    static const struct {
        const char *text;
        unsigned count, length;
        int bit;
    } rows[] = {
        {"a coil 0 bool", 1, 1, -1},
        {"a discrete 65535 bool", 1, 1, -1},
        {"a input 65535 u16", 1, 2, -1},
        {"a holding 65534 f32", 2, 4, -1},
        {"a holding 65532 u64", 4, 8, -1},
        {"a holding 0 string:1", 1, 1, -1},
        {"a holding 0 string:38", 19, 38, -1},
        {"a holding 0 string:37", 19, 37, -1},
        {"a input 3 bool bit=0", 1, 2, 0},
        {"_A9 holding 3 bool bit=15", 1, 2, 15},
        {"a coil 0 bool range=1..1 stuck=1h", 1, 1, -1},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        struct modbus_read read;
        char why[192];

        if (parse(rows[i].text, &read, why) != ERROR_NONE) {
            fail_msg("%s: %s", rows[i].text, why);
        }
        assert_int_equal(read.count, rows[i].count);
        assert_int_equal(read.length, rows[i].length);
        assert_int_equal(read.bit, rows[i].bit);
    }
}

static void read_default_order_holds_for_every_width(void **state)
{
    static const struct {
        const char *order;
        bool words, bytes;
    } rows[] = {{"ab", false, false},       {"ba", false, true},      {"abcd", false, false},
                {"dcba", true, true},       {"badc", false, true},    {"cdab", true, false},
                {"abcdefgh", false, false}, {"hgfedcba", true, true}, {"badcfehg", false, true},
                {"ghefcdab", true, false}};

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        struct modbus_order order = modbus_order_at(i);

        assert_string_equal(modbus_order_names[i], rows[i].order);
        assert_int_equal(order.swap_words, rows[i].words);
        assert_int_equal(order.swap_bytes, rows[i].bytes);
    }
    assert_null(modbus_order_names[ARRAY_LEN(rows)]);
}

static void read_refuses_and_says_why(void **state)
{
    static const struct {
        const char *text, *why;
    } rows[] = {
        {"", "this one is short"},
        {"a holding 100", "this one is short"},
        {"9a holding 0 u16", "[a-zA-Z_]"},
        {"a-b holding 0 u16", "[a-zA-Z_]"},
        {"a\"b holding 0 u16", "[a-zA-Z_]"},
        {"a holdin 0 u16", "did you mean 'holding'"},
        {"a register 0 u16", "unknown table 'register'"},
        {"a holding x u16", "is no number"},
        {"a holding 0x10 u16", "is no number"},
        {"a holding -1 u16", "outside 0..65535"},
        {"a holding 65536 u16", "outside 0..65535"},
        {"a holding 99999999999999999999 u16", "outside 0..65535"},
        {"a holding 65535 u32", "2 registers from 65535 go past 65535"},
        {"a holding 65533 f64", "go past 65535"},
        {"a holding 65518 string:38", "19 registers from 65518 go past"},
        {"a holding 0 u61", "did you mean"},
        {"a holding 0 float", "unknown type"},
        {"a holding 0 string", "string:LEN"},
        {"a holding 0 string:", "string:LEN"},
        {"a holding 0 string:0", "1 to 38"},
        {"a holding 0 string:39", "1 to 38"},
        {"a coil 0 u16", "one bit, its type is bool"},
        {"a discrete 0 string:4", "one bit"},
        {"a holding 0 bool", "needs its bit"},
        {"a holding 0 bool bit=16", "outside 0..15"},
        {"a holding 0 bool bit=-1", "outside 0..15"},
        {"a coil 0 bool bit=1", "does not apply"},
        {"a coil 0 bool order=ab", "does not apply"},
        {"a coil 0 bool scale=2", "does not apply"},
        {"a holding 0 string:4 scale=2", "does not apply"},
        {"a holding 0 string:4 range=1..2", "does not apply"},
        {"a holding 0 u16 sclae=2", "did you mean 'scale'"},
        {"a holding 0 u16 colour=red", "unknown option 'colour'"},
        {"a holding 0 u16 scale", "needs a value"},
        {"a holding 0 u16 scale=", "needs a value"},
        {"a holding 0 u16 =2", "unknown option"},
        {"a holding 0 u16 scale=x", "is no number"},
        {"a holding 0 u16 scale=0", "every value the same"},
        {"a holding 0 u16 scale=2 scale=2", "stands twice"},
        {"a holding 0 u16 order=abcd", "takes ab or ba"},
        {"a holding 0 u32 order=ab", "takes abcd"},
        {"a holding 0 f64 order=cdab", "takes abcdefgh"},
        {"a holding 0 string:4 order=abcd", "takes ab or ba"},
        {"a holding 0 u32 order=cbad", "unknown order 'cbad'"},
        {"a holding 0 u16 range=1", "LOW..HIGH"},
        {"a holding 0 u16 range=..", "LOW..HIGH"},
        {"a holding 0 u16 range=5..1", "holds nothing"},
        {"a holding 0 u16 range=a..1", "low end"},
        {"a holding 0 u16 range=1..b", "high end"},
        {"a holding 0 u16 sentinel=0x10000", "does not fit"},
        {"a holding 0 u16 sentinel=65536", "does not fit"},
        {"a holding 0 u16 sentinel=-1", "neither decimal"},
        {"a holding 0 i16 sentinel=32768", "does not fit"},
        {"a holding 0 i16 sentinel=-32769", "does not fit"},
        {"a holding 0 i32 sentinel=2147483648", "does not fit"},
        {"a holding 0 u64 sentinel=18446744073709551616", "does not fit"},
        {"a holding 0 u64 sentinel=0x10000000000000000", "does not fit"},
        {"a holding 0 u16 sentinel=0x", "neither decimal"},
        {"a holding 0 u16 sentinel=0xfg", "neither decimal"},
        {"a holding 0 u16 sentinel=1,", "neither decimal"},
        {"a holding 0 u16 sentinel=1,2,3,4,5,6,7,8,9", "more than 8"},
        {"a holding 0 f32 sentinel=1e39", "does not fit"},
        {"a holding 0 u16 stuck=0", "no duration"},
        {"a holding 0 u16 stuck=5", "no duration"},
        {"a_name_that_goes_on_and_on_until_it_is_longer_than_a_name_may_be_ holding 0 u16",
         "longer than 63"},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        struct modbus_read read;
        char why[192];

        if (parse(rows[i].text, &read, why) == ERROR_NONE) {
            fail_msg("'%s' was accepted", rows[i].text);
        }
        if (strstr(why, rows[i].why) == NULL) {
            fail_msg("'%s': \"%s\" does not say \"%s\"", rows[i].text, why, rows[i].why);
        }
    }
}

static void read_sentinels_become_the_pattern_of_the_type(void **state)
{
    static const struct {
        const char *text;
        uint64_t pattern;
    } rows[] = {
        {"a holding 0 u16 sentinel=65535", 0xffff},
        {"a holding 0 i16 sentinel=-1", 0xffff},
        {"a holding 0 i16 sentinel=0x8000", 0x8000},
        {"a holding 0 i32 sentinel=-2147483648", 0x80000000},
        {"a holding 0 u32 sentinel=0xFFFFffff", 0xffffffff},
        {"a holding 0 i64 sentinel=-1", UINT64_MAX},
        {"a holding 0 u64 sentinel=18446744073709551615", UINT64_MAX},
        {"a holding 0 f32 sentinel=-9999", 0xc61c3c00},
        {"a holding 0 f32 sentinel=0x7fc00000", 0x7fc00000},
        {"a holding 0 f64 sentinel=1", 0x3ff0000000000000},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        struct modbus_read read;
        char why[192];

        if (parse(rows[i].text, &read, why) != ERROR_NONE) {
            fail_msg("%s: %s", rows[i].text, why);
        }
        assert_true(read.sentinels[0] == rows[i].pattern);
    }
}

/* No prefix of a line may be read past its end, nor pass for what it is not. */
static void read_survives_every_prefix(void **state)
{
    static const char line[] = "power holding 200 f32 order=cdab scale=0.5 offset=1 range=-1.5..9 "
                               "sentinel=0x7fc00000,-1 stuck=5m";
    struct modbus_read read;
    char why[192], exact[sizeof(line)];

    (void)state;
    for (size_t length = 0; length < sizeof(line); length++) {
        memcpy(exact, line, length);
        enum error error =
            modbus_read_parse(exact, length, modbus_order_at(0), &read, why, sizeof(why));
        if (length < sizeof("power holding 200 f32") - 1) {
            assert_int_not_equal(error, ERROR_NONE);
        }
        assert_int_equal(error != ERROR_NONE, why[0] != '\0');
    }
}

static void target_reads_the_three_transports(void **state)
{
    struct modbus_target target;
    char why[192];

    (void)state;
    assert_int_equal(modbus_target_parse("tcp://10.1.0.40", &target, why, sizeof(why)), ERROR_NONE);
    assert_int_equal(target.transport, MODBUS_TCP);
    assert_string_equal(target.endpoint.host, "10.1.0.40");
    assert_int_equal(target.endpoint.port, 502);
    assert_int_equal(modbus_target_parse("tcp://[::1]:1502/", &target, why, sizeof(why)),
                     ERROR_NONE);
    assert_int_equal(target.endpoint.port, 1502);
    assert_int_equal(modbus_target_parse("plc:502", &target, why, sizeof(why)), ERROR_NONE);
    assert_int_equal(target.transport, MODBUS_TCP);
    assert_int_equal(modbus_target_parse("rtutcp://gw:4001", &target, why, sizeof(why)),
                     ERROR_NONE);
    assert_int_equal(target.transport, MODBUS_RTU_TCP);
    assert_int_equal(modbus_target_parse("rtu:///dev/ttyS0", &target, why, sizeof(why)),
                     ERROR_NONE);
    assert_string_equal(target.endpoint.host, "");
    assert_string_equal(target.device, "/dev/ttyS0");
    assert_int_equal(target.baud, 19200);
    assert_int_equal(target.parity, 'E');
    assert_int_equal(target.stop_bits, 1);
    assert_int_equal(modbus_target_parse("rtu:///dev/ttyS0?baud=9600&parity=none&data=8&stop=2",
                                         &target, why, sizeof(why)),
                     ERROR_NONE);
    assert_int_equal(target.baud, 9600);
    assert_int_equal(target.parity, 'N');
    assert_int_equal(target.stop_bits, 2);
}

static void target_refuses_and_says_why(void **state)
{
    static const struct {
        const char *text, *why;
    } rows[] = {
        {"udp://h:1", "is not tcp://"},
        {"http://h", "is not tcp://"},
        {"tcp://", "HOST"},
        {"tcp://h:0", "HOST"},
        {"tcp://h:65536", "HOST"},
        {"tcp://h/x", "HOST"},
        {"tcp://h:502?unit=1", "HOST"},
        {"rtutcp://h", "HOST:PORT"},
        {"rtu://", "path of its device"},
        {"rtu://ttyS0", "path of its device"},
        {"rtu:///", "path of its device"},
        {"rtu:///dev/t?baud=14400", "no rate"},
        {"rtu:///dev/t?baud=0", "no rate"},
        {"rtu:///dev/t?baud", "needs a value"},
        {"rtu:///dev/t?parity=mark", "none, even or odd"},
        {"rtu:///dev/t?data=7", "8 data bits"},
        {"rtu:///dev/t?stop=3", "1 or 2"},
        {"rtu:///dev/t?stop=1&stop=1", "stands twice"},
        {"rtu:///dev/t?bauds=9600", "did you mean 'baud'"},
        {"rtu:///dev/t?flow=none", "unknown setting 'flow'"},
        {"rtu:///dev/t?&", "unknown setting"},
    };
    struct modbus_target target;
    char why[192];

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        if (modbus_target_parse(rows[i].text, &target, why, sizeof(why)) == ERROR_NONE) {
            fail_msg("'%s' was accepted", rows[i].text);
        }
        if (strstr(why, rows[i].why) == NULL) {
            fail_msg("'%s': \"%s\" does not say \"%s\"", rows[i].text, why, rows[i].why);
        }
    }
}

static void targets_on_one_gateway_or_line_share_it(void **state)
{
    static const struct {
        const char *a, *b;
        bool same;
    } rows[] = {
        {"tcp://Plc:502", "plc", true},
        {"tcp://plc:502", "tcp://plc:503", false},
        {"tcp://plc:502", "tcp://plc2:502", false},
        {"rtu:///dev/ttyS0", "rtu:///dev/ttyS0?baud=9600", true},
        {"rtu:///dev/ttyS0", "rtu:///dev/ttyS1", false},
        {"rtu:///dev/ttyS0", "tcp://plc", false},
    };
    struct modbus_target a, b;
    char why[192];

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(modbus_target_parse(rows[i].a, &a, why, sizeof(why)), ERROR_NONE);
        assert_int_equal(modbus_target_parse(rows[i].b, &b, why, sizeof(why)), ERROR_NONE);
        assert_int_equal(modbus_target_same_endpoint(&a, &b), rows[i].same);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(read_accepts_every_part),
        cmocka_unit_test(read_takes_the_shape_of_its_type),
        cmocka_unit_test(read_default_order_holds_for_every_width),
        cmocka_unit_test(read_refuses_and_says_why),
        cmocka_unit_test(read_sentinels_become_the_pattern_of_the_type),
        cmocka_unit_test(read_survives_every_prefix),
        cmocka_unit_test(target_reads_the_three_transports),
        cmocka_unit_test(target_refuses_and_says_why),
        cmocka_unit_test(targets_on_one_gateway_or_line_share_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
