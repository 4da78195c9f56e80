/* Guards the reading of dialog steps: a mistake in a step, or between steps, must be found at load
 * with a word why, and no text may get past a bound. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "dialog_script.h"

enum { STEPS = 10 };

static void read_script(struct dialog_script *script, const char *const *steps)
{
    char why[256];
    memset(script, 0, sizeof *script);
    for (unsigned i = 0; i < STEPS && steps[i] != NULL; i++) {
        if (dialog_script_add(script, steps[i], strlen(steps[i]), why, sizeof why) != ERROR_NONE) {
            fail_msg("%s: %s", steps[i], why);
        }
    }
}

static void dialog_script_refuses_what_is_no_step(void **state)
{
    static const struct {
        const char *step, *why;
    } bad[] = {
        {"", "a step is"},
        {"sned \"x\"", "did you mean 'send'?"},
        {"expekt /x/", "did you mean 'expect'?"},
        {"say hello", "a step is"},
        {"send", "takes bytes"},
        {"send \"\"", "takes bytes"},
        {"send \"x", "takes bytes"},
        {"send \"x\" y", "takes bytes"},
        {"send \"\\q\"", "takes bytes"},
        {"send \"\\${1}\"", "takes bytes"},
        {"expect", "regular expression"},
        {"expect x", "regular expression"},
        {"expect /x", "regular expression"},
        {"expect /x/g", "regular expression"},
        {"expect /x/ /y/", "regular expression"},
        {"expect /(x/", "offset 2"},
        {"reject /[/", "offset"},
        {"expect_bytes \"\"", "takes bytes"},
        {"starttls now", "takes nothing"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct dialog_script script = {0};
        char why[256] = "";
        enum error error =
            dialog_script_add(&script, bad[i].step, strlen(bad[i].step), why, sizeof why);
        if (error == ERROR_NONE || strstr(why, bad[i].why) == NULL) {
            fail_msg("'%s' gave %d: %s", bad[i].step, (int)error, why);
        }
        assert_int_equal(script.count, 0);
        dialog_script_free(&script);
    }
}

/* Every prefix of every good step is either a step or refused with a word why. */
static void dialog_script_survives_every_prefix(void **state)
{
    static const char *const good[] = {
        "send \"EHLO picket\\r\\n\"",
        "send \"${1} and ${9}\\x00\\377\"",
        "send bare",
        "expect /^250[ -](\\w+)$/i",
        "expect /a\\/b/",
        "reject /^5[0-9]{2}/",
        "expect_bytes \"\\x05\\x00\"",
        "starttls",
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        for (size_t length = 0; length <= strlen(good[i]); length++) {
            struct dialog_script script = {0};
            char why[256] = "";
            char *copy = malloc(length + 1);
            assert_non_null(copy);
            memcpy(copy, good[i], length);
            enum error error = dialog_script_add(&script, copy, length, why, sizeof why);
            assert_true((error == ERROR_NONE) == (why[0] == '\0'));
            assert_true(length < strlen(good[i]) || error == ERROR_NONE);
            dialog_script_free(&script);
            free(copy);
        }
    }
}

static void dialog_script_has_bounds(void **state)
{
    (void)state;
    static struct dialog_script script;
    char why[256], text[200] = "send \"";
    for (unsigned i = 0; i < DIALOG_STEPS_MAX; i++) {
        assert_int_equal(dialog_script_add(&script, "send x", 6, why, sizeof why), ERROR_NONE);
    }
    assert_int_equal(dialog_script_add(&script, "send x", 6, why, sizeof why), ERROR_FULL);
    dialog_script_free(&script);
    for (unsigned i = 0; i < 30; i++) {
        strcat(text, "x${1}");
    }
    strcat(text, "\"");
    assert_int_equal(dialog_script_add(&script, text, strlen(text), why, sizeof why), ERROR_FULL);
    assert_non_null(strstr(why, "parts"));
    dialog_script_free(&script);
}

static void dialog_script_finds_faults_between_steps(void **state)
{
    static const struct {
        const char *steps[STEPS];
        const char *fault;
        unsigned step;
    } faults[] = {
        {{"reject /x/"}, "no expect follows", 0},
        {{"expect /x/", "reject /y/", "send z"}, "no expect follows", 1},
        {{"reject /x/", "expect_bytes \"y\""}, "no expect follows", 0},
        {{"starttls", "send x", "starttls"}, "TLS is on", 2},
        {{"send \"${1}\"", "expect /x/"}, "no expect stands before", 0},
        {{"expect /x/", "send \"${1}\""}, NULL, 0},
        {{"reject /x/", "expect /y/"}, NULL, 0},
        {{"starttls", "expect /y/"}, NULL, 0},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
        struct dialog_script script;
        unsigned step = 99;
        read_script(&script, faults[i].steps);
        const char *fault = dialog_script_fault(&script, &step);
        if (faults[i].fault == NULL) {
            assert_null(fault);
        } else {
            assert_non_null(fault);
            assert_non_null(strstr(fault, faults[i].fault));
            assert_int_equal(step, faults[i].step);
        }
        dialog_script_free(&script);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dialog_script_refuses_what_is_no_step),
        cmocka_unit_test(dialog_script_survives_every_prefix),
        cmocka_unit_test(dialog_script_has_bounds),
        cmocka_unit_test(dialog_script_finds_faults_between_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
