/* Guards the tcp dialog against a hostile peer that would get past a bound: of bytes, of the
 * buffer, of the work of its patterns. */
#include "dialog_rig.h"

static void flood(const char *const *steps, const char *fill, size_t total, size_t segment,
                  struct end *end)
{
    static char bytes[80 * 1024];
    struct dialog_script script;
    assert_true(total <= sizeof bytes);
    for (size_t i = 0; i < total; i++) {
        bytes[i] = fill[i % strlen(fill)];
    }
    read_script(&script, steps);
    begin(end, &script);
    for (size_t at = 0; at < total; at += segment) {
        feed(end, bytes + at, segment < total - at ? segment : total - at);
    }
    finish(end, THEN_NOTHING);
    dialog_script_free(&script);
}

static void dialog_ends_a_flood(void **state)
{
    static const struct {
        const char *step, *fill;
    } floods[] = {
        {"expect /x/", "a"},          {"expect /x/", "a\n"},        {"expect /x/", "\r\n"},
        {"expect_bytes \"x\"", "ab"}, {"expect /^(a|b)*x/", "a\n"}, {"expect /x/", "\r"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(floods); i++) {
        static const size_t segments[] = {1000, 2048, 65536, 80 * 1024};
        for (size_t s = 0; s < ARRAY_LEN(segments); s++) {
            const char *const steps[STEPS] = {floods[i].step};
            struct end end;
            flood(steps, floods[i].fill, 64 * 1024, segments[s], &end);
            assert_int_equal(end.state, DIALOG_OPEN);
            flood(steps, floods[i].fill, 64 * 1024 + 1, segments[s], &end);
            assert_int_equal(end.state, DIALOG_FAILED);
            assert_int_equal(end.reason, REASON_TOO_LARGE);
        }
    }
}

static void dialog_gives_up_on_text_made_for_a_pattern(void **state)
{
    (void)state;
    static const char *const steps[STEPS] = {"expect /^(a+)+$/"};
    struct end end;
    flood(steps, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab\n", 104, 104, &end);
    assert_int_equal(end.state, DIALOG_FAILED);
    assert_int_equal(end.reason, REASON_INTERNAL);
}

/* Lines that each stay just below what one search may cost, so many of them would take minutes. */
static void dialog_gives_up_on_many_lines_made_for_a_pattern(void **state)
{
    (void)state;
    static const char *const steps[STEPS] = {"reject /(a+)+b/", "expect /ready/"};
    static const char line[] = "aaaaaaaaaaaaaaacb\n";
    struct end end;
    flood(steps, line, sizeof line - 1, sizeof line - 1, &end);
    assert_int_equal(end.state, DIALOG_OPEN);
    flood(steps, line, 60000, 1000, &end);
    assert_int_equal(end.state, DIALOG_FAILED);
    assert_int_equal(end.reason, REASON_INTERNAL);
    assert_in_range(dialog.total, 1, 2000);
    /* What a server says in good faith is within bounds, however much it is. */
    static const char *const many[STEPS] = {"reject /.[a-z]{2}/", "reject /..[a-z]/",
                                            "reject /.[^A-Z]+x/", "expect /ready/"};
    flood(many, "250-SIZE 35882577\n", 60000, 1000, &end);
    assert_int_equal(end.state, DIALOG_OPEN);
}

/* A line longer than the buffer: its beginning is forgotten, its end is found, wherever it is. */
static void dialog_finds_the_end_of_a_line_longer_than_its_buffer(void **state)
{
    (void)state;
    static const size_t lengths[] = {16 * 1024 - 5, 16 * 1024 - 4, 16 * 1024 - 3, 16 * 1024 - 1,
                                     16 * 1024,     16 * 1024 + 1, 30000,         60000};
    static const char *const steps[STEPS] = {"expect /needle$/", "expect /^next/"};
    static const char *const starts[STEPS] = {"expect /^.*needle$/"};
    static char bytes[64 * 1024];
    for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
        static const size_t segments[] = {997, 4096, sizeof bytes};
        for (size_t s = 0; s < ARRAY_LEN(segments); s++) {
            struct dialog_script script;
            struct end end;
            memset(bytes, 'a', lengths[i]);
            memcpy(bytes + lengths[i], "needle\r\nnext\n", 13);
            read_script(&script, steps);
            begin(&end, &script);
            for (size_t at = 0; at < lengths[i] + 13; at += segments[s]) {
                size_t left = lengths[i] + 13 - at;
                feed(&end, bytes + at, segments[s] < left ? segments[s] : left);
            }
            finish(&end, THEN_NOTHING);
            assert_int_equal(end.state, DIALOG_DONE);
            dialog_script_free(&script);

            read_script(&script, starts); /* what is left of the line does not start it */
            begin(&end, &script);
            feed(&end, bytes, lengths[i] + 13);
            finish(&end, THEN_NOTHING);
            bool fits = lengths[i] + 7 <= CAP_DIALOG_INPUT_BYTES;
            assert_int_equal(end.state, fits ? DIALOG_DONE : DIALOG_OPEN);
            dialog_script_free(&script);
        }
    }
}

/* The go-ahead ends where the input buffer does: what is behind it is refused all the same. */
static void dialog_refuses_injected_bytes_beyond_its_buffer(void **state)
{
    (void)state;
    static const char *const steps[STEPS] = {"expect /^220 /", "starttls"};
    static char bytes[CAP_DIALOG_INPUT_BYTES + 5];
    struct dialog_script script;
    struct end end;
    memset(bytes, '\n', sizeof bytes);
    memcpy(bytes + CAP_DIALOG_INPUT_BYTES - 8, "220 go\r\nEVIL\n", 13);
    read_script(&script, steps);
    begin(&end, &script);
    feed(&end, bytes, CAP_DIALOG_INPUT_BYTES);
    assert_int_equal(dialog.state, DIALOG_WANTS_TLS);
    begin(&end, &script);
    feed(&end, bytes, sizeof bytes);
    assert_int_equal(dialog.state, DIALOG_FAILED);
    assert_int_equal(dialog.reason, REASON_PROTOCOL);
    dialog_script_free(&script);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dialog_ends_a_flood),
        cmocka_unit_test(dialog_gives_up_on_text_made_for_a_pattern),
        cmocka_unit_test(dialog_gives_up_on_many_lines_made_for_a_pattern),
        cmocka_unit_test(dialog_finds_the_end_of_a_line_longer_than_its_buffer),
        cmocka_unit_test(dialog_refuses_injected_bytes_beyond_its_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
