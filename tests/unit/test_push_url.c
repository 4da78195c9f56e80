/* The group URL of a push. Guards against a site that files its totals elsewhere, or that makes the
 * gateway refuse every other site's push. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "push_url.h"

static const char *url_of(const char *base, const char *site)
{
    static char text[512];
    struct buffer out;
    buffer_init(&out, text, sizeof text);
    push_url(&out, base, site);
    assert_false(buffer_overflowed(&out));
    return buffer_text(&out);
}

static void push_url_writes_plain_sites_as_they_are(void **state)
{
    static const char *const sites[] = {"branch-0042", "a", "A.b_c-9", "...", "-", ".x", "x."};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(sites); i++) {
        char expected[128] = "http://h:1/metrics/job/picket/site/";
        strcat(expected, sites[i]);
        assert_string_equal(url_of("http://h:1", sites[i]), expected);
    }
}

/* The vectors of RFC 4648 section 10 need no base64 as sites; these have what does. */
static void push_url_writes_other_sites_in_base64url_without_padding(void **state)
{
    static const struct {
        const char *site, *base64;
    } rows[] = {
        {".", "Lg"},
        {"..", "Li4"},
        {" ", "IA"},
        {"a b", "YSBi"},
        {"Z\xc3\xbcrich 1", "WsO8cmljaCAx"},
        {"a/b", "YS9i"},
        {"%2F", "JTJG"},
        {"\xfb\xff\xfe", "-__-"},
        {"\xff", "_w"},
        {"\xff\xff", "__8"},
        {"?#@:", "PyNAOg"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char expected[128] = "http://h/metrics/job/picket/site@base64/";
        strcat(expected, rows[i].base64);
        assert_string_equal(url_of("http://h", rows[i].site), expected);
    }
}

static void push_url_drops_slashes_behind_the_base(void **state)
{
    static const char *const bases[] = {"http://h/pgw", "http://h/pgw/", "http://h/pgw///"};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bases); i++) {
        assert_string_equal(url_of(bases[i], "s"), "http://h/pgw/metrics/job/picket/site/s");
    }
}

static void push_url_says_when_it_does_not_fit(void **state)
{
    char text[16];
    struct buffer out;
    (void)state;
    buffer_init(&out, text, sizeof text);
    push_url(&out, "http://h", "Z\xc3\xbcrich 1");
    assert_true(buffer_overflowed(&out));
    assert_int_equal(out.used, strlen("http://h/metrics/job/picket/site@base64/WsO8cmljaCAx"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(push_url_writes_plain_sites_as_they_are),
        cmocka_unit_test(push_url_writes_other_sites_in_base64url_without_padding),
        cmocka_unit_test(push_url_drops_slashes_behind_the_base),
        cmocka_unit_test(push_url_says_when_it_does_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
