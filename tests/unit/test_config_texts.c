/* Guards against: texts that were cut, damaged or made up and are read all the same; texts that are
 * taken for those of another configuration; errors that lose their file and line; a name that makes
 * two files of one. That files and their texts say the same is checked by test_config_file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "config_texts.h"
#include "crc32c.h"
#include "fake_kind.h"

static struct config config;
static struct config_texts texts, others;
static char reported[4096];

static void note_error(void *context, const char *file, unsigned line, const char *message)
{
    size_t used = strlen(reported);
    (void)context;
    (void)snprintf(reported + used, sizeof reported - used, "%s:%u: %s\n", file, line, message);
}

static void add(struct config_texts *to, const char *name, const char *text)
{
    config_texts_add(to, name, text, strlen(text));
}

static bool load(void)
{
    struct config_errors errors = {.report = note_error};
    reported[0] = '\0';
    return config_texts_load(&texts, &config, fake_kinds, FAKE_KIND_COUNT, &errors);
}

static void make_two(void)
{
    config_texts_begin(&texts);
    add(&texts, "/etc/site.conf", "[agent]\ninclude = b.conf\nsite = s");
    add(&texts, "/etc/b.conf", "\nfile 00000001 x\n[web w]\nurl = x\n");
    assert_true(config_texts_end(&texts));
}

static void whole_texts_are_read_with_their_names_and_lines(void **state)
{
    (void)state;
    make_two();
    assert_true(config_texts_whole(&texts));
    assert_false(load());
    assert_string_equal(reported,
                        "/etc/b.conf:2: expected 'key = value', '[section]' or a comment\n");
    config_texts_begin(&texts);
    add(&texts, "a", "[agent]\ninclude = b\nsite = s");
    add(&texts, "b", "[web w]\nurl = x\n");
    assert_true(config_texts_end(&texts));
    assert_true(load());
    assert_string_equal(config_site(&config), "s");
    assert_int_equal(config.probe_count, 1);
}

/* Every prefix, and every byte that is another. */
static void nothing_that_was_cut_or_damaged_is_whole(void **state)
{
    (void)state;
    make_two();
    uint32_t used = texts.used;
    for (texts.used = 0; texts.used < used; texts.used++) {
        assert_false(config_texts_whole(&texts));
    }
    for (uint32_t i = 0; i < used; i++) {
        texts.bytes[i] ^= 1;
        assert_false(config_texts_whole(&texts));
        texts.bytes[i] ^= 1;
    }
    assert_true(config_texts_whole(&texts));
    texts.used++;
    assert_false(config_texts_whole(&texts));
    texts.used = UINT32_MAX;
    assert_false(config_texts_whole(&texts));
}

/* With a right sum. */
static void what_has_another_form_is_not_whole(void **state)
{
    static const char *const rows[] = {
        "",
        "file 00000000 a\n",
        "file 00000001 a\nx",
        "file 00000002 a\nx\n",
        "file ffffffff a\nx\n",
        "file 0000000g a\nx\n",
        "file 00000001 axx\n",
        "file 00000001a\nx\n",
        "File 00000001 a\nx\n",
        "file 00000001 a\nx\nfile",
        "file 00000001 a\nx\n\n",
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int head = snprintf(texts.bytes, sizeof texts.bytes, "picket-texts 1 %08x\n%s",
                            crc32c(0, rows[i], strlen(rows[i])), rows[i]);
        texts.used = (uint32_t)head;
        assert_false(config_texts_whole(&texts));
    }
}

static void what_is_too_large_or_badly_named_is_none(void **state)
{
    static char large[CAP_CONFIG_TEXTS_BYTES];
    (void)state;
    for (size_t size = sizeof large - 42; size < sizeof large; size++) {
        config_texts_begin(&texts);
        config_texts_add(&texts, "a", large, size);
        bool fits = size + strlen("picket-texts 1 01234567\nfile 01234567 a\n\n") <= sizeof large;
        assert_int_equal(config_texts_end(&texts), fits);
        assert_int_equal(texts.used > 0, fits);
        assert_int_equal(config_texts_whole(&texts), fits);
    }
    config_texts_begin(&texts);
    config_texts_add(&texts, "a", large, sizeof large);
    add(&texts, "b", "");
    assert_false(config_texts_end(&texts));
    config_texts_begin(&texts);
    add(&texts, "a\nb", "");
    assert_false(config_texts_end(&texts));
    assert_int_equal(config_texts_sum(&texts), 0);
}

static void others_are_not_the_same(void **state)
{
    static const struct {
        const char *name, *text;
        bool same;
    } rows[] = {{"a", "[web w]\n", true},
                {"b", "[web w]\n", false},
                {"a", "[web v]\n", false},
                {"a", "[web w]", false},
                {"a", "", false}};
    (void)state;
    texts.used = others.used = 0;
    assert_false(config_texts_same(&texts, &others)); /* there are none */
    config_texts_begin(&texts);
    add(&texts, rows[0].name, rows[0].text);
    assert_true(config_texts_end(&texts));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        config_texts_begin(&others);
        add(&others, rows[i].name, rows[i].text);
        assert_true(config_texts_end(&others));
        assert_int_equal(config_texts_same(&texts, &others), rows[i].same);
        assert_int_equal(config_texts_sum(&texts) == config_texts_sum(&others), rows[i].same);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_texts_are_read_with_their_names_and_lines),
        cmocka_unit_test(nothing_that_was_cut_or_damaged_is_whole),
        cmocka_unit_test(what_has_another_form_is_not_whole),
        cmocka_unit_test(what_is_too_large_or_badly_named_is_none),
        cmocka_unit_test(others_are_not_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
