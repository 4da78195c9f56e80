/* Guards against a reset that is called a power cut though a watchdog did it, which would let a
 * board go round in resets, and against a power cut that is called a watchdog. The tree of /sys is
 * made by the test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "board_word.h"
#include "temp_folder.h"

enum { DOGS = 2 };

struct attributes {
    const char *status, *options, *identity; /* NULL: the attribute is not there */
};

static void make_dog(unsigned index, const struct attributes *dog)
{
    const struct {
        const char *name, *text;
    } files[] = {{"dev", "250:0\n"},
                 {"bootstatus", dog->status},
                 {"options", dog->options},
                 {"identity", dog->identity}};

    for (unsigned i = 0; i < ARRAY_LEN(files); i++) {
        char name[96];

        (void)snprintf(name, sizeof name, "class/watchdog/watchdog%u/%s", index, files[i].name);
        if (files[i].text != NULL) {
            temp_write(name, files[i].text);
        }
    }
}

static void each_board_gets_its_word(void **state)
{
    static const struct {
        const char *what;
        struct attributes dogs[DOGS];
        unsigned count;
        enum board_word word;
    } rows[] = {
        {"no watchdog", {{NULL}}, 0, BOARD_SILENT},
        {"it was", {{"32\n", "0x81a0\n", "dw"}}, 1, BOARD_WATCHDOG},
        {"it was, before Linux 6.4", {{"32\n", NULL, "imx2+ watchdog"}}, 1, BOARD_WATCHDOG},
        {"it was, with low voltage too", {{"48\n", "0x81a0\n", "dw"}}, 1, BOARD_WATCHDOG},
        {"the power", {{"16\n", NULL, "a"}}, 1, BOARD_POWER},
        {"the heat, in hex", {{"0x1\n", NULL, "a"}}, 1, BOARD_POWER},
        {"it would say so, and does not", {{"0\n", "0x81a0\n", "dw"}}, 1, BOARD_POWER},
        {"it cannot say", {{"0\n", "0x8180\n", "dw"}}, 1, BOARD_MUTE},
        {"nobody knows whether it can", {{"0\n", NULL, "dw"}}, 1, BOARD_MUTE},
        {"softdog", {{"0\n", "0x8380\n", "Software Watchdog"}}, 1, BOARD_MUTE},
        {"a kernel without attributes", {{NULL, NULL, NULL}}, 1, BOARD_MUTE},
        {"nonsense", {{"soon\n", "0x81a0\n", "dw"}}, 1, BOARD_MUTE},
        {"it only gives an alarm", {{"0\n", "0x8580\n", "alarm"}}, 1, BOARD_SILENT},
        {"the second was",
         {{"0\n", "0x81a0\n", "a"}, {"32\n", "0x81a0\n", "b"}},
         2,
         BOARD_WATCHDOG},
        {"one says no, the other is mute",
         {{"0\n", "0x81a0\n", "a"}, {"0\n", "0x8380\n", "Software Watchdog"}},
         2,
         BOARD_MUTE},
        {"one blames the power, the other is mute",
         {{"16\n", "0x81a0\n", "a"}, {"0\n", "0x8380\n", "Software Watchdog"}},
         2,
         BOARD_POWER},
    };

    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(temp_empty(state), 0);
        for (unsigned j = 0; j < rows[i].count; j++) {
            make_dog(j, &rows[i].dogs[j]);
        }
        enum board_word word = board_word_in(temp_folder, "/nowhere");
        if (word != rows[i].word) {
            fail_msg("%s: %d", rows[i].what, word);
        }
    }
}

static void a_watchdog_that_is_not_the_first_is_found(void **state)
{
    const struct attributes dog = {"32\n", NULL, "a"};

    (void)state;
    make_dog(3, &dog);
    assert_int_equal(board_word_in(temp_folder, "/nowhere"), BOARD_WATCHDOG);
}

static void a_device_the_kernel_tells_nothing_of_is_mute(void **state)
{
    (void)state;
    assert_int_equal(board_word_in(temp_folder, "/dev/null"), BOARD_MUTE);
    temp_write("plain", "");
    assert_int_equal(board_word_in(temp_folder, temp_path("plain")), BOARD_SILENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(each_board_gets_its_word, temp_empty),
        cmocka_unit_test_setup(a_watchdog_that_is_not_the_first_is_found, temp_empty),
        cmocka_unit_test_setup(a_device_the_kernel_tells_nothing_of_is_mute, temp_empty),
    };
    return cmocka_run_group_tests(tests, temp_make, temp_unmake);
}
