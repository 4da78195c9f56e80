/* Guards against a checksum that is not CRC-32C, or depends on how the bytes were cut or where they
 * lie: then no other program can verify a store, and the next version of ours may not either. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "crc32c.h"
#include "prng.h"

/* The definition, one bit at a time. */
static uint32_t by_bit(const uint8_t *bytes, size_t count)
{
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < count; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = (crc & 1) != 0 ? crc >> 1 ^ UINT32_C(0x82f63b78) : crc >> 1;
        }
    }
    return ~crc;
}

static void fill(uint8_t *bytes, size_t count, uint64_t seed)
{
    struct prng prng = {.state = seed};
    for (size_t i = 0; i < count; i++) {
        bytes[i] = (uint8_t)prng_next(&prng);
    }
}

/* RFC 3720 appendix B.4, which lists the CRC's bytes in the order in which they are sent. */
static void crc32c_gives_the_values_of_rfc_3720(void **state)
{
    (void)state;
    static const uint8_t read_command[48] = {
        0x01, 0xc0, [16] = 0x14, [22] = 0x04, [27] = 0x14, [31] = 0x18, [32] = 0x28, [40] = 0x02,
    };
    uint8_t zeros[32] = {0}, ones[32], up[32], down[32];
    for (uint8_t i = 0; i < 32; i++) {
        ones[i] = 0xff;
        up[i] = i;
        down[i] = (uint8_t)(31 - i);
    }
    assert_int_equal(crc32c(0, zeros, 32), 0x8a9136aa);
    assert_int_equal(crc32c(0, ones, 32), 0x62a8ab43);
    assert_int_equal(crc32c(0, up, 32), 0x46dd794e);
    assert_int_equal(crc32c(0, down, 32), 0x113fdb5c);
    assert_int_equal(crc32c(0, read_command, 48), 0xd9963a56);
    assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283);
    assert_int_equal(crc32c(0, NULL, 0), 0);
}

/* Each byte value at each place of the eight that are taken at once: every entry of every table. */
static void crc32c_is_the_definition_for_every_byte_at_every_place(void **state)
{
    (void)state;
    uint8_t bytes[16];
    for (size_t place = 0; place < sizeof bytes; place++) {
        for (unsigned value = 0; value < 256; value++) {
            fill(bytes, sizeof bytes, place);
            bytes[place] = (uint8_t)value;
            assert_int_equal(crc32c(0, bytes, sizeof bytes), by_bit(bytes, sizeof bytes));
        }
    }
}

static void crc32c_does_not_mind_length_or_alignment(void **state)
{
    (void)state;
    uint8_t bytes[80];
    fill(bytes, sizeof bytes, 7);
    for (size_t from = 0; from < 9; from++) {
        for (size_t count = 0; from + count <= sizeof bytes; count++) {
            assert_int_equal(crc32c(0, bytes + from, count), by_bit(bytes + from, count));
        }
    }
}

static void crc32c_goes_on_where_it_stopped(void **state)
{
    (void)state;
    uint8_t bytes[64];
    fill(bytes, sizeof bytes, 9);
    uint32_t whole = crc32c(0, bytes, sizeof bytes);
    for (size_t first = 0; first <= sizeof bytes; first++) {
        for (size_t second = first; second <= sizeof bytes; second++) {
            uint32_t crc = crc32c(0, bytes, first);
            crc = crc32c(crc, bytes + first, second - first);
            assert_int_equal(crc32c(crc, bytes + second, sizeof bytes - second), whole);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crc32c_gives_the_values_of_rfc_3720),
        cmocka_unit_test(crc32c_is_the_definition_for_every_byte_at_every_place),
        cmocka_unit_test(crc32c_does_not_mind_length_or_alignment),
        cmocka_unit_test(crc32c_goes_on_where_it_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
