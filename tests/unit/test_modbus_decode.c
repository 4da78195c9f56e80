/* Guards against word order guesswork: each type in each order against bytes written by hand, not
 * by the code under test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "modbus_decode.h"

static struct value_reading decode(const char *line, const char *bytes)
{
    struct modbus_read read;
    struct value_reading value;
    char why[192];

    if (modbus_read_parse(line, strlen(line), modbus_order_at(0), &read, why, sizeof(why)) !=
        ERROR_NONE) {
        fail_msg("%s: %s", line, why);
    }
    modbus_decode(&read, (const uint8_t *)bytes, &value);
    return value;
}

static void every_type_and_order_decodes(void **state)
{
    static const struct {
        const char *type, *bytes;
        double number;
    } rows[] = {
        {"u16", "\x12\x34", 0x1234},
        {"u16 order=ab", "\x12\x34", 0x1234},
        {"u16 order=ba", "\x34\x12", 0x1234},
        {"u16", "\xff\xff", 65535},
        {"i16", "\xff\xfe", -2},
        {"i16 order=ba", "\xfe\xff", -2},
        {"i16", "\x80\x00", -32768},
        {"u32", "\x12\x34\x56\x78", 0x12345678},
        {"u32 order=abcd", "\x12\x34\x56\x78", 0x12345678},
        {"u32 order=dcba", "\x78\x56\x34\x12", 0x12345678},
        {"u32 order=badc", "\x34\x12\x78\x56", 0x12345678},
        {"u32 order=cdab", "\x56\x78\x12\x34", 0x12345678},
        {"u32", "\xff\xff\xff\xff", 4294967295.0},
        {"i32", "\xff\xff\xff\xfe", -2},
        {"i32 order=cdab", "\xff\xfe\xff\xff", -2},
        {"i32 order=dcba", "\xfe\xff\xff\xff", -2},
        {"u64", "\x00\x02\x03\x04\x05\x06\x07\x08", 0x0002030405060708},
        {"u64 order=abcdefgh", "\x00\x02\x03\x04\x05\x06\x07\x08", 0x0002030405060708},
        {"u64 order=hgfedcba", "\x08\x07\x06\x05\x04\x03\x02\x00", 0x0002030405060708},
        {"u64 order=badcfehg", "\x02\x00\x04\x03\x06\x05\x08\x07", 0x0002030405060708},
        {"u64 order=ghefcdab", "\x07\x08\x05\x06\x03\x04\x00\x02", 0x0002030405060708},
        {"i64", "\xff\xff\xff\xff\xff\xff\xff\xfd", -3},
        {"i64 order=ghefcdab", "\xff\xfd\xff\xff\xff\xff\xff\xff", -3},
        {"f32", "\x42\xf6\xe9\x79", 123.456001281738281},
        {"f32 order=dcba", "\x79\xe9\xf6\x42", 123.456001281738281},
        {"f32 order=badc", "\xf6\x42\x79\xe9", 123.456001281738281},
        {"f32 order=cdab", "\xe9\x79\x42\xf6", 123.456001281738281},
        {"f64", "\x40\x5e\xdd\x2f\x1a\x9f\xbe\x77", 123.456},
        {"f64 order=hgfedcba", "\x77\xbe\x9f\x1a\x2f\xdd\x5e\x40", 123.456},
        {"f64 order=badcfehg", "\x5e\x40\x2f\xdd\x9f\x1a\x77\xbe", 123.456},
        {"f64 order=ghefcdab", "\xbe\x77\x1a\x9f\xdd\x2f\x40\x5e", 123.456},
        {"bool bit=0", "\x00\x01", 1},
        {"bool bit=0", "\xff\xfe", 0},
        {"bool bit=15", "\x80\x00", 1},
        {"bool bit=8 order=ba", "\x00\x01", 1},
        {"i16 scale=0.5 offset=10", "\xff\xfe", 9},
        {"u16 offset=-273.25", "\x01\x12", 0.75},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        char line[64] = "a holding 0 ";
        strncat(line, rows[i].type, sizeof(line) - strlen(line) - 1);
        struct value_reading value = decode(line, rows[i].bytes);
        if (!value.available || value.number != rows[i].number || value.text[0] != '\0') {
            fail_msg("%s gave %.17g", line, value.number);
        }
    }
    assert_true(decode("a coil 0 bool", "\x01").number == 1);
    assert_true(decode("a discrete 0 bool", "\x00").available);
}

static void no_value_is_unavailable_and_not_a_number(void **state)
{
    static const struct {
        const char *line, *bytes;
    } rows[] = {
        {"a holding 0 f32", "\x7f\xc0\x00\x00"},
        {"a holding 0 f32", "\xff\x80\x00\x00"},
        {"a holding 0 f64", "\x7f\xf0\x00\x00\x00\x00\x00\x00"},
        {"a holding 0 f64 scale=10", "\x7f\xef\xff\xff\xff\xff\xff\xff"},
        {"a holding 0 i16 sentinel=-32768", "\x80\x00"},
        {"a holding 0 i16 sentinel=0x8000 order=ba", "\x00\x80"},
        {"a holding 0 u16 sentinel=1,2,65535", "\xff\xff"},
        {"a holding 0 f32 sentinel=-9999 order=cdab", "\x3c\x00\xc6\x1c"},
        {"a holding 0 i64 sentinel=-1", "\xff\xff\xff\xff\xff\xff\xff\xff"},
        {"a holding 0 string:4", "\0\0\0\0"},
        {"a holding 0 string:4", "    "},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        struct value_reading value = decode(rows[i].line, rows[i].bytes);
        if (value.available || value.number != 0) {
            fail_msg("%s was taken for %.17g", rows[i].line, value.number);
        }
    }
}

static void a_sentinel_is_compared_before_scaling(void **state)
{
    (void)state;
    assert_true(decode("a holding 0 i16 scale=0.1 sentinel=1000", "\x27\x10").available);
    assert_false(decode("a holding 0 i16 scale=0.1 sentinel=10000", "\x27\x10").available);
}

static void texts_are_cut_trimmed_and_made_safe(void **state)
{
    static const struct {
        const char *type, *bytes, *text;
    } rows[] = {
        {"string:4", "AB12", "AB12"},          {"string:3", "AB12", "AB1"},
        {"string:4 order=ba", "BA21", "AB12"}, {"string:6", "AB\0XYZ", "AB"},
        {"string:6", "AB    ", "AB"},          {"string:4", "A\nB\x07", "A\\nB\\x07"},
        {"string:4", "\x1b[2J", "\\x1b[2J"},   {"string:5", "a\\b\"c\0", "a\\\\b\"c"},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        char line[64] = "a holding 0 ";
        strncat(line, rows[i].type, sizeof(line) - strlen(line) - 1);
        struct value_reading value = decode(line, rows[i].bytes);
        assert_true(value.available);
        assert_true(value.number == 0);
        assert_string_equal(value.text, rows[i].text);
    }
}

static void a_text_of_escapes_is_cut_between_them(void **state)
{
    char bytes[MODBUS_STRING_BYTES + 1];
    struct value_reading value;

    (void)state;
    memset(bytes, 0x01, sizeof(bytes));
    value = decode("a holding 0 string:38", bytes);
    assert_non_null(memchr(value.text, '\0', sizeof(value.text)));
    assert_int_equal(strlen(value.text) % 4, 0);
    assert_string_equal(value.text + strlen(value.text) - 4, "\\x01");
}

static void ranges_are_inclusive_and_may_be_open(void **state)
{
    static const struct {
        const char *options, *bytes;
        bool inside;
    } rows[] = {
        {"range=10..95", "\x00\x0a", true},
        {"range=10..95", "\x00\x5f", true},
        {"range=10..95", "\x00\x09", false},
        {"range=10..95", "\x00\x60", false},
        {"range=10..", "\xff\xff", true},
        {"range=10..", "\x00\x09", false},
        {"range=..95", "\x00\x00", true},
        {"range=..95", "\x00\x60", false},
        {"range=1..9 scale=0.1", "\x00\x5a", true},
        {"range=1..9 scale=0.1", "\x00\x5b", false},
        {"range=10..95 sentinel=0", "\x00\x00", true},
        {"", "\x00\x00", true},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        char line[64] = "a holding 0 u16 ", why[192];
        struct modbus_read read;
        struct value_reading value;

        strncat(line, rows[i].options, sizeof(line) - strlen(line) - 1);
        assert_int_equal(
            modbus_read_parse(line, strlen(line), modbus_order_at(0), &read, why, sizeof(why)),
            ERROR_NONE);
        modbus_decode(&read, (const uint8_t *)rows[i].bytes, &value);
        if (modbus_in_range(&read, &value) != rows[i].inside) {
            fail_msg("%s of %.17g", line, value.number);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_and_order_decodes),
        cmocka_unit_test(no_value_is_unavailable_and_not_a_number),
        cmocka_unit_test(a_sentinel_is_compared_before_scaling),
        cmocka_unit_test(texts_are_cut_trimmed_and_made_safe),
        cmocka_unit_test(a_text_of_escapes_is_cut_between_them),
        cmocka_unit_test(ranges_are_inclusive_and_may_be_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
