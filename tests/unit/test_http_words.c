/* Guards against a set of codes read wrongly, a redirect that leads where it must not, and a cookie
 * or a secret that is read more generously than it was written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "http_cookies.h"
#include "http_rules.h"
#include "http_url.h"
#include "kind.h"
#include "secret_file.h"

static void status_sets_are_codes_and_ranges(void **state)
{
    static const struct {
        const char *text;
        enum error error;
        int in[3], out[3];
    } rows[] = {
        {"200-299", ERROR_NONE, {200, 250, 299}, {199, 300, 0}},
        {"200-299, 401", ERROR_NONE, {200, 299, 401}, {400, 402, 300}},
        {" 204 , 301-301 ", ERROR_NONE, {204, 301, 301}, {200, 302, 300}},
        {"100,999", ERROR_NONE, {100, 999, 999}, {101, 998, 1000}},
        {"", ERROR_INVALID, {0}, {0}},
        {"200,", ERROR_INVALID, {0}, {0}},
        {",200", ERROR_INVALID, {0}, {0}},
        {"200-", ERROR_INVALID, {0}, {0}},
        {"200--299", ERROR_INVALID, {0}, {0}},
        {"200x", ERROR_INVALID, {0}, {0}},
        {"2xx", ERROR_RANGE, {0}, {0}},
        {"200 201", ERROR_INVALID, {0}, {0}},
        {"99", ERROR_RANGE, {0}, {0}},
        {"1000", ERROR_RANGE, {0}, {0}},
        {"299-200", ERROR_RANGE, {0}, {0}},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct http_status_set set, before;
        memset(&set, 0x5a, sizeof set);
        before = set;
        assert_int_equal(http_status_read(rows[i].text, strlen(rows[i].text), &set), rows[i].error);
        if (rows[i].error != ERROR_NONE)
            assert_memory_equal(&set, &before, sizeof set);
        for (size_t k = 0; k < 3 && rows[i].error == ERROR_NONE; k++) {
            assert_true(http_status_has(&set, rows[i].in[k]));
            assert_false(http_status_has(&set, rows[i].out[k]));
        }
    }
}

static void header_rules_are_a_name_and_a_pattern(void **state)
{
    static const struct {
        const char *text, *name, *pattern;
        unsigned flags;
    } good[] = {
        {"Content-Type: /json/", "Content-Type", "json", 0},
        {"x:/a/i", "x", "a", PATTERN_CASELESS},
        {"X-A:   /a: b\\/c/  ", "X-A", "a: b\\/c", 0},
    };
    static const char *const bad[] = {"",           "X",    "X /y/",     ": /y/",
                                      "X Y: /z/",   "X: y", "X: /y",     "X: /y/q",
                                      "X: /y/ /z/", "X:",   "X\r\n: /y/"};
    struct http_header_rule rule;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        assert_int_equal(http_header_rule_read(good[i].text, strlen(good[i].text), &rule),
                         ERROR_NONE);
        assert_int_equal(rule.name_length, strlen(good[i].name));
        assert_memory_equal(rule.name, good[i].name, rule.name_length);
        assert_int_equal(rule.pattern_length, strlen(good[i].pattern));
        assert_memory_equal(rule.pattern, good[i].pattern, rule.pattern_length);
        assert_int_equal(rule.flags, good[i].flags);
        /* No prefix of a rule but its trailing blanks and flag is a rule. */
        for (size_t length = 0; length < strlen(good[i].name) + strlen(good[i].pattern); length++)
            assert_int_not_equal(http_header_rule_read(good[i].text, length, &rule), ERROR_NONE);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_not_equal(http_header_rule_read(bad[i], strlen(bad[i]), &rule), ERROR_NONE);
}

static void a_header_cannot_smuggle_a_line(void **state)
{
    static const char *const bad[] = {"X: a\r\nY: b", "X: a\nb", "X: a\x7f", "X Y: a", ":a", "X"};
    struct http_header header;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(http_header_read(bad[i], strlen(bad[i]), &header), ERROR_INVALID);
    assert_int_equal(http_header_read("X: a\0b", 6, &header), ERROR_INVALID);
    assert_int_equal(http_header_read("X:\t a b \t", 9, &header), ERROR_NONE);
    assert_int_equal(header.value_length, 3);
    assert_int_equal(http_header_read("X:", 2, &header), ERROR_NONE);
    assert_int_equal(header.value_length, 0);
}

static void configured_addresses_have_an_origin(void **state)
{
    static const struct {
        const char *text;
        enum error error;
        struct http_origin origin;
    } rows[] = {
        {"portal.example.net", ERROR_NONE, {false, 80, "portal.example.net"}},
        {"ftp.example.net:81/x", ERROR_NONE, {false, 81, "ftp.example.net"}},
        {"https://Portal.Example.NET./x?y#z", ERROR_NONE, {true, 443, "portal.example.net"}},
        {"http://[::1]:8080/", ERROR_NONE, {false, 8080, "::1"}},
        {"http://127.0.0.1", ERROR_NONE, {false, 80, "127.0.0.1"}},
        {"https://h/?next=http://other/", ERROR_NONE, {true, 443, "h"}},
        {"ftp://h/", ERROR_DENIED, {0}},
        {"file:///etc/passwd", ERROR_DENIED, {0}},
        {"http://user:pw@h/", ERROR_DENIED, {0}},
        {"http://user@h/", ERROR_DENIED, {0}},
        {"http://h:0/", ERROR_INVALID, {0}},
        {"http://h:65536/", ERROR_INVALID, {0}},
        {"http://", ERROR_INVALID, {0}},
        {"http://a b/", ERROR_INVALID, {0}},
        {"http://h/\n", ERROR_INVALID, {0}},
        {"", ERROR_INVALID, {0}},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char url[HTTP_URL_BYTES], why[160] = "";
        struct http_origin origin;
        enum error error = http_url_read(rows[i].text, url, &origin, why, sizeof why);
        if (error != rows[i].error)
            fail_msg("%s: error %d, %s", rows[i].text, error, why);
        if (error == ERROR_NONE)
            assert_true(http_origin_equal(&origin, &rows[i].origin));
        else
            assert_string_not_equal(why, "");
    }
    char *lengthy = calloc(1, 3000), url[HTTP_URL_BYTES], why[160];
    struct http_origin origin;
    memset(lengthy, 'a', 2990);
    assert_int_not_equal(http_url_read(lengthy, url, &origin, why, sizeof why), ERROR_NONE);
    free(lengthy);
}

static void redirects_follow_the_policy(void **state)
{
    static const struct {
        const char *from;
        int status;
        const char *method;
        bool body;
        const char *location;
        enum error error;
        const char *url;
        bool to_get;
    } rows[] = {
        {"http://a/x/y?z", 302, "GET", false, "/b", ERROR_NONE, "http://a/b", false},
        {"http://a/x/y?z", 302, "GET", false, "w?v", ERROR_NONE, "http://a/x/w?v", false},
        {"http://a/x", 302, "GET", false, "//c/d", ERROR_NONE, "http://c/d", false},
        {"http://a/x", 301, "GET", false, "https://a/", ERROR_NONE, "https://a/", false},
        {"https://a/x", 301, "GET", false, "http://a/", ERROR_DENIED, NULL, false},
        {"https://a/x", 301, "GET", false, "http://b/", ERROR_DENIED, NULL, false},
        {"http://a/", 302, "GET", false, "file:///etc/passwd", ERROR_DENIED, NULL, false},
        {"http://a/", 302, "GET", false, "ftp://a/", ERROR_DENIED, NULL, false},
        {"http://a/", 302, "GET", false, "gopher://a/", ERROR_DENIED, NULL, false},
        {"http://a/", 302, "GET", false, "http://u:p@b/", ERROR_NONE, "http://b/", false},
        {"http://a/", 302, "GET", false, "http://b:99999/", ERROR_INVALID, NULL, false},
        {"http://a/", 302, "GET", false, "http://[x/", ERROR_INVALID, NULL, false},
        {"http://a/", 302, "GET", false, "/a b", ERROR_NONE, "http://a/a%20b", false},
        {"http://a/", 301, "POST", true, "/b", ERROR_NONE, "http://a/b", true},
        {"http://a/", 302, "POST", true, "/b", ERROR_NONE, "http://a/b", true},
        {"http://a/", 302, "POST", true, "http://b/", ERROR_NONE, "http://b/", true},
        {"http://a/", 303, "PUT", true, "/b", ERROR_NONE, "http://a/b", true},
        {"http://a/", 303, "HEAD", false, "/b", ERROR_NONE, "http://a/b", false},
        {"http://a/", 302, "PUT", true, "/b", ERROR_NONE, "http://a/b", false},
        {"http://a/", 307, "POST", true, "/b", ERROR_NONE, "http://a/b", false},
        {"http://a/", 308, "POST", true, "http://a:80/b", ERROR_NONE, "http://a:80/b", false},
        {"http://a/", 307, "POST", true, "http://b/", ERROR_DENIED, NULL, false},
        {"http://a/", 307, "POST", true, "http://a:81/", ERROR_DENIED, NULL, false},
        {"http://a/", 308, "POST", true, "https://a/", ERROR_DENIED, NULL, false},
        {"http://a/", 308, "GET", false, "https://b/", ERROR_NONE, "https://b/", false},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char url[HTTP_URL_BYTES], why[192] = "";
        struct http_origin from;
        static struct http_redirect to;
        assert_int_equal(http_url_read(rows[i].from, url, &from, why, sizeof why), ERROR_NONE);
        enum error error = http_redirect_read(url, &from, rows[i].status, rows[i].method,
                                              rows[i].body, rows[i].location, &to, why, sizeof why);
        if (error != rows[i].error)
            fail_msg("%s -> %s: error %d, %s", rows[i].from, rows[i].location, error, why);
        if (error != ERROR_NONE)
            continue;
        assert_string_equal(to.url, rows[i].url);
        assert_int_equal(to.to_get, rows[i].to_get);
    }
}

static void only_five_codes_are_followed(void **state)
{
    (void)state;
    for (int status = 0; status < 1000; status++)
        assert_int_equal(http_redirect_status(status), status == 301 || status == 302 ||
                                                           status == 303 || status == 307 ||
                                                           status == 308);
}

static void cookies_go_back_to_their_origin_only(void **state)
{
    static const struct http_origin a = {false, 80, "a"}, tls = {true, 443, "a"},
                                    sub = {false, 80, "x.a"};
    static struct http_cookies cookies;
    char line[HTTP_COOKIE_LINE_BYTES];
    (void)state;
    memset(&cookies, 0, sizeof cookies);
    assert_false(http_cookies_line(&cookies, &a, line));
    http_cookies_take(&cookies, &a, "s=1; Path=/x; Domain=a; HttpOnly");
    http_cookies_take(&cookies, &a, "tt=\"2\" ");
    http_cookies_take(&cookies, &sub, "other=3");
    assert_true(http_cookies_line(&cookies, &a, line));
    assert_string_equal(line, "Cookie: s=1; tt=\"2\"");
    assert_false(http_cookies_line(&cookies, &tls, line));
    http_cookies_take(&cookies, &a, "s=4");
    http_cookies_take(&cookies, &a, "tt=; Max-Age=0");
    http_cookies_take(&cookies, &a, "nothing");
    http_cookies_take(&cookies, &a, "=5");
    assert_true(http_cookies_line(&cookies, &a, line));
    assert_string_equal(line, "Cookie: s=4");
}

static void too_many_or_too_long_cookies_are_dropped(void **state)
{
    static const struct http_origin a = {false, 80, "a"};
    static struct http_cookies cookies;
    static char line[HTTP_COOKIE_LINE_BYTES], value[HTTP_COOKIE_BYTES + 8];
    (void)state;
    memset(&cookies, 0, sizeof cookies);
    for (int i = 0; i < 20; i++) {
        memset(value, 'v', sizeof value);
        snprintf(value, sizeof value, "n%02d=", i);
        value[4] = 'v';
        value[HTTP_COOKIE_BYTES - 1] = '\0';
        http_cookies_take(&cookies, &a, value);
    }
    assert_int_equal(cookies.count, HTTP_COOKIES);
    assert_true(http_cookies_line(&cookies, &a, line));
    assert_int_equal(strlen(line),
                     8 + HTTP_COOKIES * (HTTP_COOKIE_BYTES - 1) + 2 * (HTTP_COOKIES - 1));
    memset(&cookies, 0, sizeof cookies);
    memset(value, 'v', sizeof value);
    memcpy(value, "n=", 2);
    value[HTTP_COOKIE_BYTES] = '\0';
    http_cookies_take(&cookies, &a, value);
    assert_int_equal(cookies.count, 0);
}

static void secrets_are_one_line_of_a_file_closed_to_others(void **state)
{
    static const struct {
        const char *content;
        size_t length;
        mode_t mode;
        enum error error;
        const char *secret;
    } rows[] = {
        {"s3cret\n", 7, 0600, ERROR_NONE, "s3cret"},
        {"s3cret\r\n", 8, 0640, ERROR_NONE, "s3cret"},
        {" s3cret ", 8, 0400, ERROR_NONE, " s3cret "},
        {"s3cret\n", 7, 0604, ERROR_DENIED, ""},
        {"s3cret\n", 7, 0602, ERROR_DENIED, ""},
        {"two\nlines\n", 10, 0600, ERROR_INVALID, ""},
        {"nul\0s3cret", 10, 0600, ERROR_INVALID, ""},
        {"\n", 1, 0600, ERROR_INVALID, ""},
        {"", 0, 0600, ERROR_INVALID, ""},
        {"0123456789abcdef", 16, 0600, ERROR_FULL, ""},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char path[] = "/tmp/picket-secret-XXXXXX", out[16], why[160] = "";
        size_t length = 99;
        int fd = mkstemp(path);
        assert_int_equal(write(fd, rows[i].content, rows[i].length), rows[i].length);
        fchmod(fd, rows[i].mode);
        close(fd);
        memset(out, 'x', sizeof out);
        assert_int_equal(secret_file_read(path, out, sizeof out, &length, why, sizeof why),
                         rows[i].error);
        unlink(path);
        assert_string_equal(out, rows[i].secret);
        if (rows[i].error != ERROR_NONE) {
            assert_non_null(strstr(why, path));
            assert_null(strstr(why, "s3cret"));
            assert_null(memchr(out, 's', sizeof out));
        }
    }
    char out[16], why[160];
    size_t length;
    assert_int_equal(secret_file_read("/dev/null", out, sizeof out, &length, why, sizeof why),
                     ERROR_DENIED);
    assert_int_equal(secret_file_read("/nowhere", out, sizeof out, &length, why, sizeof why),
                     ERROR_MISSING);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(status_sets_are_codes_and_ranges),
        cmocka_unit_test(header_rules_are_a_name_and_a_pattern),
        cmocka_unit_test(a_header_cannot_smuggle_a_line),
        cmocka_unit_test(configured_addresses_have_an_origin),
        cmocka_unit_test(redirects_follow_the_policy),
        cmocka_unit_test(only_five_codes_are_followed),
        cmocka_unit_test(cookies_go_back_to_their_origin_only),
        cmocka_unit_test(too_many_or_too_long_cookies_are_dropped),
        cmocka_unit_test(secrets_are_one_line_of_a_file_closed_to_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
