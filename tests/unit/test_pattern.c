/* Guards the promise that neither a pattern nor a peer's text can hang or grow the agent, and that
 * a match on an unfinished line never turns out otherwise when more bytes come. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "heap_use.h"
#include "kind.h"
#include "pattern.h"

static struct pattern *compiled(const char *text, unsigned flags)
{
    char why[200] = "";
    struct pattern *pattern = pattern_new(text, strlen(text), flags, why, sizeof why);
    if (pattern == NULL) {
        print_error("/%s/: %s\n", text, why);
    }
    assert_non_null(pattern);
    return pattern;
}

static enum pattern_match search_at(const struct pattern *pattern, const char *bytes, size_t length,
                                    size_t start, unsigned place, struct pattern_group *groups)
{
    struct pattern_text text = {bytes, length, start, place};
    uint64_t spare = PATTERN_WORK_SPARE;
    return pattern_search(pattern, &text, &spare, groups);
}

static enum pattern_match search(const struct pattern *pattern, const char *subject, size_t length,
                                 struct pattern_group *groups)
{
    return search_at(pattern, subject, length, 0, 0, groups);
}

/* Of the processor's time, which others on the machine do not take. */
static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void pattern_matches_bytes_as_perl_does(void **state)
{
    static const struct {
        const char *pattern;
        unsigned flags;
        const char *subject;
        size_t length; /* 0: the string's */
        enum pattern_match match;
    } rows[] = {
        {"Sign in", 0, "Please Sign in here", 0, PATTERN_YES},
        {"sign in", 0, "Please Sign in here", 0, PATTERN_NO},
        {"sign in", PATTERN_CASELESS, "Please Sign in here", 0, PATTERN_YES},
        {"^b", 0, "a\nb", 0, PATTERN_NO},
        {"^b", PATTERN_MULTILINE, "a\nb", 0, PATTERN_YES},
        {"^b$", PATTERN_MULTILINE, "a\r\nb\r\nc", 0, PATTERN_YES},
        {"a.b", 0, "a\nb", 0, PATTERN_NO},
        {"a.b", 0, "a\rb", 0, PATTERN_NO},
        {"a.b", 0, "a\0b", 3, PATTERN_YES},
        {"a\\x00b", 0, "a\0b", 3, PATTERN_YES},
        {"^\\/x\\/$", 0, "/x/", 0, PATTERN_YES},
        {"\\xe9", 0, "caf\xe9", 0, PATTERN_YES},
        {"^.$", 0, "\xc3\xa9", 0, PATTERN_NO}, /* two bytes */
        {"", 0, "", 0, PATTERN_YES},
        {"^$", 0, "", 0, PATTERN_YES},
        {"x", 0, "", 0, PATTERN_NO},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct pattern *pattern = compiled(rows[i].pattern, rows[i].flags);
        size_t length = rows[i].length > 0 ? rows[i].length : strlen(rows[i].subject);
        enum pattern_match match = search(pattern, rows[i].subject, length, NULL);
        if (match != rows[i].match) {
            fail_msg("row %zu: /%s/ gave %d", i, rows[i].pattern, (int)match);
        }
        pattern_free(pattern);
    }
}

static void pattern_gives_its_groups(void **state)
{
    (void)state;
    struct pattern_group groups[PATTERN_GROUPS];
    struct pattern *pattern = compiled("(\\d+)-(x)?(\\w*)", 0);
    assert_int_equal(search(pattern, "ab 12-cd", 8, groups), PATTERN_YES);
    assert_int_equal(groups[0].start, 3);
    assert_int_equal(groups[0].length, 5);
    assert_int_equal(groups[1].start, 3);
    assert_int_equal(groups[1].length, 2);
    assert_int_equal(groups[2].start, SIZE_MAX);
    assert_int_equal(groups[2].length, 0);
    assert_int_equal(groups[3].start, 6);
    assert_int_equal(groups[4].start, SIZE_MAX);
    assert_int_equal(groups[9].start, SIZE_MAX);
    pattern_free(pattern);

    pattern = compiled("(a)(b)(c)(d)(e)(f)(g)(h)(i)(j)(k)", 0);
    assert_int_equal(search(pattern, "abcdefghijk", 11, groups), PATTERN_YES);
    assert_int_equal(groups[0].length, 11);
    assert_int_equal(groups[9].start, 8);
    pattern_free(pattern);
}

static void pattern_says_what_is_wrong_and_where(void **state)
{
    static const struct {
        const char *pattern, *part;
    } rows[] = {
        {"a(b", "offset 3"},
        {"[a-", "offset 3"},
        {"a**b)", "offset"},
        {"(?<n", "offset"},
        {"((((((((()))))))))", "nested"},
        {"\\", "offset 1"},
        {"(*UTF)x", "offset"},
        {"a\\Cb", "offset"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char why[200] = "";
        struct pattern *pattern =
            pattern_new(rows[i].pattern, strlen(rows[i].pattern), 0, why, sizeof why);
        assert_null(pattern);
        if (strstr(why, rows[i].part) == NULL) {
            fail_msg("/%s/: %s", rows[i].pattern, why);
        }
    }
    pattern_free(compiled("(((((((())))))))", 0));
    pattern_free(NULL);
}

/* How many are too many depends on the size of an offset: PCRE2 begins with ten frames, and each
 * holds two offsets a group. */
static void pattern_with_too_many_groups_is_refused_at_load(void **state)
{
    (void)state;
    enum { GROUPS = CAP_PATTERN_HEAP_KIB * 1024 / (10 * 2 * (int)sizeof(size_t)) };
    static char text[2 * GROUPS];
    char why[200] = "";
    for (size_t i = 0; i < GROUPS; i++) {
        memcpy(text + 2 * i, "()", 2);
    }
    assert_null(pattern_new(text, sizeof text, 0, why, sizeof why));
    assert_string_equal(why, "too many groups");
    pattern_free(compiled("(())()", 0));
}

/* 64 KiB of text made for the pattern; each search ends soon, with `limit` or an honest answer. */
static void pattern_gives_up_on_text_made_to_hang_it(void **state)
{
    static const struct {
        const char *pattern, *fill;
        enum pattern_match match;
    } rows[] = {
        {"^(a+)+$", "a", PATTERN_LIMIT},
        {"(a+)+b", "aaaaaaaaaaaaaaac", PATTERN_LIMIT}, /* each start stays under PCRE2's limit */
        {"(x+x+)+y", "x", PATTERN_LIMIT},
        {"([a-zA-Z]+)*$", "abcABC", PATTERN_LIMIT},
        {"(?:[^x]|y)*z", "a", PATTERN_LIMIT},
        {"[a-z ]*9", "abcd efgh ", PATTERN_LIMIT}, /* quadratic without one backtrack */
    };
    static char subject[64 * 1024];
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        size_t length = strlen(rows[i].fill);
        for (size_t at = 0; at < sizeof subject; at++) {
            subject[at] = rows[i].fill[at % length];
        }
        subject[sizeof subject - 2] = '!';
        subject[sizeof subject - 1] = rows[i].pattern[strlen(rows[i].pattern) - 1]; /* the bait */
        struct pattern *pattern = compiled(rows[i].pattern, 0);
        double before = seconds();
        enum pattern_match match = search(pattern, subject, sizeof subject, NULL);
        double took = seconds() - before;
        if (match != rows[i].match || took > 1.0) {
            fail_msg("/%s/ gave %d after %.3f s", rows[i].pattern, (int)match, took);
        }
        pattern_free(pattern);
    }
}

/* The other side of the limit: what people write on pages as large as they come must not hit it. */
static void pattern_finds_what_people_look_for_in_large_text(void **state)
{
    static const struct {
        const char *pattern;
        unsigned flags;
        enum pattern_match match;
    } rows[] = {
        {"needle", 0, PATTERN_YES},
        {"NEEDLE", PATTERN_CASELESS, PATTERN_YES},
        {"\\bneedle\\b", 0, PATTERN_YES},
        {"(foo|bar|needle)", 0, PATTERN_YES},
        {"\"status\"\\s*:\\s*\"(ok|up)\"", 0, PATTERN_NO},
        {"^needle", PATTERN_MULTILINE, PATTERN_NO},
        {"<title>.*</title>", 0, PATTERN_YES},
        {"(?s)<title>.*needle", 0, PATTERN_YES},
        {"(?s)<html.*</html>", 0, PATTERN_NO},
        {"[0-9]{1,3}\\.[0-9]{1,3}\\.[0-9]{1,3}\\.[0-9]{1,3}", 0, PATTERN_NO},
        {"...needle", 0, PATTERN_YES},
        {"\\w+@\\w+", 0, PATTERN_NO},
    };
    enum { SIZE = 1024 * 1024 };
    char *subject = malloc(SIZE);
    (void)state;
    assert_non_null(subject);
    for (size_t i = 0; i < SIZE; i++) {
        subject[i] = "the quick <b>brown</b> fox, jumps over\n"[i % 39];
    }
    memcpy(subject, "<title>x</title>", 16);
    memcpy(subject + SIZE - 100, " a needle.", 10);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct pattern *pattern = compiled(rows[i].pattern, rows[i].flags);
        enum pattern_match match = search(pattern, subject, SIZE, NULL);
        if (match != rows[i].match) {
            fail_msg("/%s/ gave %d", rows[i].pattern, (int)match);
        }
        pattern_free(pattern);
    }
    free(subject);
}

/* `each` is the work of one turn. *most: the most that one turn took. */
static enum pattern_match search_in_turns(const struct pattern *pattern, const char *subject,
                                          size_t length, uint64_t each, uint64_t *most)
{
    struct pattern_progress progress = {0};
    enum pattern_match match;
    bool over;
    *most = 0;
    do {
        uint64_t left = each, before = progress.work;
        size_t start = progress.start;
        over = pattern_search_turn(pattern, subject, length, &progress, &left, &match);
        uint64_t took = progress.work - before;
        *most = took > *most ? took : *most;
        assert_int_equal(left, took < each ? each - took : 0);
        assert_true(over || progress.start > start);
    } while (!over);
    return match;
}

/* With a turn for every single start, what depends on where a search began would come out. */
static void pattern_ends_alike_in_turns_and_at_once(void **state)
{
    static const struct {
        const char *pattern;
        unsigned flags;
    } patterns[] = {
        {"b", 0},
        {"B", PATTERN_CASELESS},
        {"^b", 0},
        {"^b", PATTERN_MULTILINE},
        {"^$", PATTERN_MULTILINE},
        {"^\\n", PATTERN_MULTILINE},
        {"\\Gb", 0},
        {"a|\\Gb", 0},
        {"x|\\G\\n", 0},
        {"(?<=a)b", 0},
        {"(?<!a)b", 0},
        {"\\bb", 0},
        {".*b", 0},
        {"(?s).*b", 0},
        {"(.)\\1", 0},
        {"a(*COMMIT)z|b", 0},
        {"a+(*SKIP)z|ab", 0},
        {"aaa(*PRUNE)z|ab", 0},
        {"c*", 0},
        {"\\z", 0},
        {"a\\Kb", 0},
    };
    static const char *const subjects[] = {
        "",       "b",          "ab",        "aab",       "aaab\n",      "x\nb",
        "a\r\nb", "a\r\n\r\nb", "xx\r\rb\n", "cab bb ba", "aaaa\r\naab", "zzzzzzzz",
    };
    (void)state;
    for (size_t p = 0; p < ARRAY_LEN(patterns); p++) {
        struct pattern *pattern = compiled(patterns[p].pattern, patterns[p].flags);
        for (size_t s = 0; s < ARRAY_LEN(subjects); s++) {
            size_t length = strlen(subjects[s]);
            uint64_t most;
            enum pattern_match whole = search(pattern, subjects[s], length, NULL),
                               turns = search_in_turns(pattern, subjects[s], length, 1, &most);
            if (whole != turns) {
                fail_msg("/%s/ on \"%s\": %d at once, %d in turns", patterns[p].pattern,
                         subjects[s], (int)whole, (int)turns);
            }
        }
        pattern_free(pattern);
    }
}

/* A turn over a megabyte takes its own work and what one start takes, whoever wrote the text. */
static void pattern_gives_others_their_turn(void **state)
{
    static const struct {
        const char *pattern, *fill;
    } rows[] = {
        {"...[^a-z]x", "the quick fox jumps over\n"},
        {"(a+)+b", "aaaaaaaaaaaaaaac"},
        {"^.*?a\\N*+c", "a"},
        {"[a-z ]*9", "abcd efgh "},
        {"(?s)^.*zzz", "a"},
        {"(?i)NEEDLE", "ne"},
        {"(?:[^x]|y)*z", "a"},
    };
    enum { SIZE = 1024 * 1024, ONE_START = 6100000 };
    char *subject = malloc(SIZE);
    (void)state;
    assert_non_null(subject);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        size_t length = strlen(rows[i].fill);
        for (size_t at = 0; at < SIZE; at++) {
            subject[at] = rows[i].fill[at % length];
        }
        struct pattern *pattern = compiled(rows[i].pattern, 0);
        uint64_t most;
        enum pattern_match whole = search(pattern, subject, SIZE, NULL),
                           turns =
                               search_in_turns(pattern, subject, SIZE, PATTERN_TURN_WORK, &most);
        if (turns != whole || most > PATTERN_TURN_WORK + ONE_START) {
            fail_msg("/%s/ gave %d and %d, a turn took %llu", rows[i].pattern, (int)whole,
                     (int)turns, (unsigned long long)most);
        }
        pattern_free(pattern);
    }
    free(subject);
}

/* A reference to a long group is compared with the text over and over, far from where it stands. */
static void pattern_counts_what_its_references_read(void **state)
{
    static char subject[64 * 1024];
    (void)state;
    memset(subject, 'a', sizeof subject);
    memcpy(subject + sizeof subject / 2, "c-", 2);
    struct pattern *pattern = compiled("^(\\w+)-.*?\\1!", PATTERN_CASELESS);
    assert_int_equal(search(pattern, subject, sizeof subject, NULL), PATTERN_LIMIT);
    pattern_free(pattern);
    pattern = compiled("<(\\w+)>[^<]*</\\1>", 0);
    memcpy(subject + sizeof subject - 30, "<title>Branch</title>", 21);
    assert_int_equal(search(pattern, subject, sizeof subject, NULL), PATTERN_YES);
    pattern_free(pattern);
}

static double seconds_to_miss(const char *text, unsigned flags, const char *subject, size_t length)
{
    struct pattern *pattern = compiled(text, flags);
    double before = seconds();
    assert_int_equal(search(pattern, subject, length, NULL), PATTERN_NO);
    double took = seconds() - before;
    pattern_free(pattern);
    return took;
}

/* A text of small letters once made PCRE2 read it to its end from each start, in vain and
 * uncounted, for a pattern in capitals: minutes on a board. */
static void pattern_searches_capitals_as_fast_as_small_letters(void **state)
{
    enum { SIZE = 1024 * 1024 };
    char *subject = malloc(SIZE);
    (void)state;
    assert_non_null(subject);
    for (size_t at = 0; at < SIZE; at++) {
        subject[at] = "ne"[at % 2];
    }
    double small = seconds_to_miss("needle", PATTERN_CASELESS, subject, SIZE),
           capitals = seconds_to_miss("NEEDLE", PATTERN_CASELESS, subject, SIZE),
           inside = seconds_to_miss("(?i)NEEDLE", 0, subject, SIZE);
    if (capitals > 10 * small || inside > 10 * small) {
        fail_msg("%.3f s, and %.3f s or %.3f s in capitals", small, capitals, inside);
    }
    free(subject);
}

static void pattern_search_allocates_nothing(void **state)
{
    (void)state;
    static char subject[16 * 1024];
    memset(subject, 'a', sizeof subject);
    struct pattern *pattern = compiled("^(?:(a)|b)*c", 0);
    size_t before = heap_bytes();
    assert_int_equal(search(pattern, subject, sizeof subject, NULL), PATTERN_LIMIT);
    assert_int_equal(search(pattern, subject, 100, NULL), PATTERN_NO);
    assert_int_equal(heap_bytes(), before);
    pattern_free(pattern);
}

static bool same_groups(const struct pattern_group *a, const struct pattern_group *b)
{
    for (unsigned i = 0; i < PATTERN_GROUPS; i++) {
        if (a[i].start != b[i].start || a[i].length != b[i].length) {
            return false;
        }
    }
    return true;
}

/* Whatever a prefix is said to match, the whole matches in just the same way. */
static void pattern_on_an_unfinished_line_says_only_what_more_bytes_cannot_change(void **state)
{
    static const char *const patterns[] = {
        "a",       "ab",      "^ab$",           "b$",       "$",      "^$",
        "\\d+",    "(\\d+)",  "\\bfoo",         "foo\\b",   "foo|fo", "fo|foo",
        "foo$|fo", "x*",      "(a|ab)(c|bcd)?", ".*: ",     "a.*",    "a.*?",
        "a.*?b",   "login: ", "(?=.*b)a",       "(?!.*b)a", "\\z",    "a\\Z",
        "",        "\\w+\\s", "a{2}",           "a{2,}",    "(a)|b",  "[^:]+:",
    };
    static const char *const subjects[] = {
        "",      "a",   "ab", "abcd", "foo bar", "login: x: y", "12 345", "aaa b", "fo foo foobar",
        ":a: b", "xxab"};
    (void)state;
    unsigned certain = 0;
    for (size_t p = 0; p < ARRAY_LEN(patterns); p++) {
        struct pattern *pattern = compiled(patterns[p], 0);
        for (size_t s = 0; s < ARRAY_LEN(subjects); s++) {
            struct pattern_group whole[PATTERN_GROUPS], part[PATTERN_GROUPS];
            size_t length = strlen(subjects[s]);
            enum pattern_match end = search(pattern, subjects[s], length, whole);
            for (size_t cut = 0; cut <= length; cut++) {
                enum pattern_match match =
                    search_at(pattern, subjects[s], cut, 0, PATTERN_UNFINISHED, part);
                if (match == PATTERN_YES && (end != PATTERN_YES || !same_groups(part, whole))) {
                    fail_msg("/%s/ on '%.*s' of '%s'", patterns[p], (int)cut, subjects[s],
                             subjects[s]);
                }
                certain += match == PATTERN_YES;
            }
        }
        pattern_free(pattern);
    }
    assert_in_range(certain, 100, 10000); /* or the property would hold for nothing */
}

static void pattern_from_the_middle_knows_where_the_line_starts(void **state)
{
    (void)state;
    struct pattern *start = compiled("^b", 0), *word = compiled("\\bb", 0);
    assert_int_equal(search_at(start, "ab", 2, 1, 0, NULL), PATTERN_NO);
    assert_int_equal(search_at(start, "b", 1, 0, 0, NULL), PATTERN_YES);
    assert_int_equal(search_at(start, "b", 1, 0, PATTERN_MIDDLE, NULL), PATTERN_NO);
    assert_int_equal(search_at(word, "ab", 2, 1, 0, NULL), PATTERN_NO);
    assert_int_equal(search_at(word, "-b", 2, 1, 0, NULL), PATTERN_YES);
    pattern_free(start);
    pattern_free(word);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pattern_matches_bytes_as_perl_does),
        cmocka_unit_test(pattern_gives_its_groups),
        cmocka_unit_test(pattern_says_what_is_wrong_and_where),
        cmocka_unit_test(pattern_with_too_many_groups_is_refused_at_load),
        cmocka_unit_test(pattern_gives_up_on_text_made_to_hang_it),
        cmocka_unit_test(pattern_finds_what_people_look_for_in_large_text),
        cmocka_unit_test(pattern_ends_alike_in_turns_and_at_once),
        cmocka_unit_test(pattern_gives_others_their_turn),
        cmocka_unit_test(pattern_counts_what_its_references_read),
        cmocka_unit_test(pattern_searches_capitals_as_fast_as_small_letters),
        cmocka_unit_test(pattern_search_allocates_nothing),
        cmocka_unit_test(pattern_on_an_unfinished_line_says_only_what_more_bytes_cannot_change),
        cmocka_unit_test(pattern_from_the_middle_knows_where_the_line_starts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
