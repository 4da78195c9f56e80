/* Guards against mistakes that pass in silence, hide the next or are told twice, and against
 * messages that do not help: each row is a whole file and the whole report about it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config_fixture.h"

#define DAY "slo = availability 99% 1d\n"

struct bad_row {
    const char *text;
    const char *report; /* all of it */
};

static void check_bad_rows(const struct bad_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        bool good = load(rows[i].text);

        if (good || strcmp(reported, rows[i].report) != 0) {
            fail_msg("row %zu\n%s\n-- reported\n%s-- expected\n%s", i, rows[i].text, reported,
                     rows[i].report);
        }
        assert_true(errors.count > 0);
    }
}

static void config_refuses_lines_that_are_none(void **state)
{
    static const struct bad_row rows[] = {
        {"[agent]\nsite\n", "2: expected 'key = value', '[section]' or a comment\n"},
        {"[agent]\nsite: x\n", "2: a key is followed by '=', not by ':'\n"},
        {"[agent]\n= x\n", "2: there is no key before the '='\n"},
        {"[agent\nsite = x\n", "1: the section header lacks its ']'\n"},
        {"[]\nsite = x\n", "1: the section header is empty: write [agent] or [kind name]\n"},
        {"[ \x09]\n", "1: the section header is empty: write [agent] or [kind name]\n"},
        {"[agent] x\n", "1: unexpected text after ']': a comment there begins with ' ;'\n"},
        {"[agent];c\n", "1: unexpected text after ']': a comment there begins with ' ;'\n"},
        {"site = x\nlabel = a=b\n[agent]\n", "1: 'site' stands before the first [section]\n"},
        {"[agent]\nsite = a\x01"
         "b\n",
         "2: control character 0x01; in a value, write it quoted as \"\\x01\"\n"},
        {"[agent]\nsite = a\x7f\n",
         "2: control character 0x7f; in a value, write it quoted as \"\\x7f\"\n"},
        {"[agent]\nsite = a\x0d"
         "b\n",
         "2: control character 0x0d; in a value, write it quoted as \"\\x0d\"\n"},
        {"[agent]\nsite = \xffx\n", "2: byte 8 of the line is not valid UTF-8\n"},
        {"# \xc3(\n", "1: byte 3 of the line is not valid UTF-8\n"},
        {"[agent]\nsite = \xed\xa0\x80\n", "2: byte 8 of the line is not valid UTF-8\n"},
        {"[agent]\nsite = \"\xc3\xa4\ngarbage\n",
         "2: 'site': the quoted text lacks its closing '\"'\n"
         "3: expected 'key = value', '[section]' or a comment\n"},
        {"[web \xff]\nurl = x\n[agent]\nsite = \n", "1: byte 6 of the line is not valid UTF-8\n"
                                                    "4: 'site': there is no value\n"},
    };
    (void)state;
    check_bad_rows(rows, ARRAY_LEN(rows));
}

static void config_refuses_wrong_sections_and_reads_on(void **state)
{
    static const struct bad_row rows[] = {
        {"[wbe a]\nurl = x\n", "1: unknown section [wbe]; did you mean 'web'?\n"},
        {"[agnet]\nsite = x\n", "1: unknown section [agnet]; did you mean 'agent'?\n"},
        {"[nothing here]\nurl = x\n", "1: unknown section [nothing]; there are: agent push status "
                                      "watchdog defaults maintenance slo web bus\n"},
        {"[web]\nurl = x\n", "1: a probe needs a name: write [web NAME]\n"},
        {"[maintenance]\ntime = daily 02:00-04:00\n",
         "1: a maintenance needs a name: write [maintenance NAME]\n"},
        {"[maintenance a]\ntime = daily 02:00-04:00\n[maintenance a]\ntime = daily 02:00-04:00\n",
         "3: the name 'a' is already used in line 1: names are unique among maintenances\n"},
        {"[maintenance a]\n", "1: 'time' is missing: a maintenance without a time never holds\n"},
        {"[maintenance a]\ntime = daily 02:00-04:00\nprobe = portal\n",
         "3: 'probe': no probe is named 'portal'\n"},
        {"[maintenance a]\ntime = 2026-12-02T02:00:00Z 2026-12-01T22:00:00Z\n",
         "2: 'time': the second time is not after the first\n"},
        {"[agent main]\n", "1: [agent] takes no name: write it alone between [ and ]\n"},
        {"[web A]\nurl = x\n",
         "1: the name 'A' is not allowed: 1 to 63 of a-z 0-9 . _ -, the first a letter or digit\n"},
        {"[web -a]\nurl = x\n", "1: the name '-a' is not allowed: 1 to 63 of a-z 0-9 . _ -, the "
                                "first a letter or digit\n"},
        {"[web a b]\nurl = x\n", "1: the name 'a b' is not allowed: 1 to 63 of a-z 0-9 . _ -, the "
                                 "first a letter or digit\n"},
        {"[web " NAME_63 "x]\nurl = x\n",
         "1: the name 'a23456789012345678901234567890123456789012345678901234567890' is not "
         "allowed: 1 to 63 of a-z 0-9 . _ -, the first a letter or digit\n"},
        {WEB WEB, "3: the name 'a' is already used in line 1: names are unique across all kinds\n"},
        {WEB "[bus a]\naddress = y\nunit = 1\nread = a 1\n",
         "3: the name 'a' is already used in line 1: names are unique across all kinds\n"},
        {"[agent]\n[push]\n[agent]\nsite = /\nsite = b\n", "3: [agent] is already in line 1\n"
                                                           "5: 'site' is already set in line 4\n"},
        {"[web a]\n", "1: [web a] has no target: set 'url'\n"},
        {"[bus a]\nunit = 1\nread = a 1\n", "1: [bus a] has no target: set 'address' or 'file'\n"},
        {"[bus a]\naddress = x\n", "1: [bus a] needs 'unit'\n"
                                   "1: [bus a] needs 'read'\n"},
        {"[Agent]\n", "1: unknown section [Agent]; did you mean 'agent'?\n"},
    };
    (void)state;
    check_bad_rows(rows, ARRAY_LEN(rows));
}

static void config_refuses_unknown_repeated_and_secret_keys(void **state)
{
    static const struct bad_row rows[] = {
        {WEB "intervall = 5s\n",
         "3: unknown key 'intervall' in [web a]; did you mean 'interval'?\n"},
        {WEB "ulr = y\n", "3: unknown key 'ulr' in [web a]; did you mean 'url'?\n"},
        {"[web a]\nulr = y\n", "2: unknown key 'ulr' in [web a]; did you mean 'url'?\n"},
        {WEB "colour = red\n", "3: unknown key 'colour' in [web a]\n"},
        {WEB "store = /x\n", "3: unknown key 'store' in [web a]; it is a key of [agent]\n"},
        {"[agent]\ninterval = 5s\n",
         "2: unknown key 'interval' in [agent]; it belongs in a probe or in [defaults]\n"},
        {"[defaults]\nurl = x\n",
         "2: unknown key 'url' in [defaults]; it is a key of [web NAME]\n"},
        {WEB "timeout = 1s\ntimeout = 1s\n", "4: 'timeout' is already set in line 3\n"},
        {WEB "timeout = x\ntimeout = 1s\n",
         "3: 'timeout': 'x' is not a duration like 250ms, 30s, 5m, 12h or 30d\n"
         "4: 'timeout' is already set in line 3\n"},
        {"[agent]\npassword = geheim\n",
         "2: 'password': a secret is never written in the file: use password_file = PATH\n"},
        {"[push]\nbearer = geheim\n",
         "2: 'bearer': a secret is never written in the file: use bearer_file = PATH\n"},
        {"[nothing]\ntoken = geheim\n",
         "1: unknown section [nothing]; there are: agent push status watchdog defaults maintenance "
         "slo "
         "web bus\n"
         "2: 'token': a secret is never written in the file: use bearer_file = PATH\n"},
        {WEB "bearer_token = geheim\n",
         "3: 'bearer_token': a secret is never written in the file: use bearer_file = PATH\n"},
        {"password = geheim\n",
         "1: 'password': a secret is never written in the file: use password_file = PATH\n"},
        {WEB "pasword = geheim\n", "3: unknown key 'pasword' in [web a]\n"},
        {WEB "a\tb = y\n", "3: unknown key 'a b' in [web a]\n"},
        {WEB "URL = y\n", "3: unknown key 'URL' in [web a]\n"},
    };
    (void)state;
    check_bad_rows(rows, ARRAY_LEN(rows));
}

static void config_refuses_values_and_says_what_would_be_right(void **state)
{
    static const struct bad_row rows[] = {
        {WEB "timeout =\n", "3: 'timeout': there is no value\n"},
        {WEB "timeout = ; 1s\n", "3: 'timeout': there is no value\n"},
        {WEB "timeout = 5\n",
         "3: 'timeout': '5' is not a duration like 250ms, 30s, 5m, 12h or 30d\n"},
        {WEB "timeout = -5s\n",
         "3: 'timeout': '-5s' is not a duration like 250ms, 30s, 5m, 12h or 30d\n"},
        {WEB "timeout = 5ms\n", "3: 'timeout': 5ms is out of range: 10ms to 1h are allowed\n"},
        {WEB "interval = 31d\n", "3: 'interval': 31d is out of range: 100ms to 30d are allowed\n"},
        {WEB "interval = 99999999999999999999d\n",
         "3: 'interval': 99999999999999999999d is too large a number\n"},
        {WEB "attempts = 11\n", "3: 'attempts': 11 is out of range: 1 to 10 are allowed\n"},
        {WEB "attempts = 0\n", "3: 'attempts': 0 is out of range: 1 to 10 are allowed\n"},
        {WEB "attempts = two\n", "3: 'attempts': 'two' is not a whole number\n"},
        {WEB "enabled = yes\n", "3: 'enabled': 'yes' is not on or off\n"},
        {WEB "ip = ipv4\n", "3: 'ip': 'ipv4' is not one of any, prefer4, prefer6, 4, 6\n"},
        {WEB "method = POTS\n",
         "3: 'method': 'POTS' is not one of GET, HEAD, POST; did you mean 'POST'?\n"},
        {WEB "max_body = 64k\n", "3: 'max_body': '64k' is not a size like 512, 64K or 1M\n"},
        {WEB "max_body = 2M\n", "3: 'max_body': 2M is out of range: 1 to 1M are allowed\n"},
        {WEB "offset = -1\n", "3: 'offset': -1 is negative\n"},
        {WEB "redirects = 99999999999999999999\n",
         "3: 'redirects': 99999999999999999999 is too large a number\n"},
        {WEB "expect_body = Sign in\n", "3: 'expect_body': 'Sign in' is not a pattern like /text/ "
                                        "or /text/i (a slash in it is '\\/')\n"},
        {WEB "expect_body = /a/b/\n", "3: 'expect_body': '/a/b/' is not a pattern like /text/ or "
                                      "/text/i (a slash in it is '\\/')\n"},
        {WEB "expect_body = //\n", "3: 'expect_body': the pattern is empty\n"},
        {WEB "header = \"X: y\n", "3: 'header': the quoted text lacks its closing '\"'\n"},
        {WEB "header = \"X: \\y\"\n", "3: 'header': the quoted text has an escape that C does not "
                                      "know, or a '\"' that should be '\\\"'\n"},
        {WEB "header = \"X: \"y\"\n", "3: 'header': the quoted text has an escape that C does not "
                                      "know, or a '\"' that should be '\\\"'\n"},
        {WEB "header = \"X: a\\r\\nY: b\"\n",
         "3: 'header': control characters and bytes that are not UTF-8 are not allowed\n"},
        {WEB "header = \"\\xff\"\n",
         "3: 'header': control characters and bytes that are not UTF-8 are not allowed\n"},
        {WEB "header = \"\\x7f\"\n",
         "3: 'header': control characters and bytes that are not UTF-8 are not allowed\n"},
        {WEB "header = \"\\0\"\n",
         "3: 'header': control characters and bytes that are not UTF-8 are not allowed\n"},
        {WEB "header = X:\x09y\n", "3: 'header': a tab must be quoted, as \"\\t\"\n"},
        {WEB "header = \"\"\n", "3: 'header': the text is empty\n"},
        {"[web a]\nurl = \"\"\n", "2: 'url': the text is empty\n"},
        {"[web a]\nurl = https://me:geheim@host/\n",
         "2: 'url': a secret is never written in the file: take user and password out of the URL "
         "and use username and password_file = PATH\n"},
        {"[web a]\nurl = me:geheim@host/\n",
         "2: 'url': a secret is never written in the file: take user and password out of the URL "
         "and use username and password_file = PATH\n"},
        {WEB "header = http://me:geheim@host/\n",
         "3: 'header': a secret is never written in the file: take user and password out of the "
         "URL and use username and password_file = PATH\n"},
        {"[bus a]\naddress = a\x09"
         "b\nunit = 1\nread = a 1\n",
         "2: 'address': control characters and bytes that are not UTF-8 are not allowed\n"},
        {WEB "url = y\nurl = x\n", "4: the same target is already in line 2\n"},
        {"[bus a]\naddress = x\nfile = x\nunit = 1\nread = a 1\n",
         "3: the same target is already in line 2\n"},
        {WEB
         "header = "
         "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\x09y\n",
         "3: 'header': a tab must be quoted, as \"\\t\"\n"},
        {WEB "ip = "
             "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3"
             "\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
             "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3"
             "\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\n",
         "3: 'ip': "
         "'\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
         "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
         "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4' is not one of any, "
         "prefer4, prefer6, 4, 6\n"},
    };
    (void)state;
    check_bad_rows(rows, ARRAY_LEN(rows));
}

static void config_refuses_a_timeout_above_its_interval(void **state)
{
    static const struct bad_row rows[] = {
        {WEB "timeout = 31s\n", "3: 'timeout' 31s is above the interval of 30s (by default): lower "
                                "it or raise 'interval' in [web a]\n"},
        {WEB "interval = 2s\n", "3: 'interval' 2s is below the timeout of 5s (by default): set "
                                "'timeout' to 2s or less in [web a]\n"},
        {WEB "interval = 2s\ntimeout = 3s\n", "4: 'timeout' 3s is above the interval of 2s (set in "
                                              "line 3): lower it or raise 'interval' in [web a]\n"},
        {"[defaults]\ntimeout = 1m\n", "2: 'timeout' 1m is above the interval of 30s (by default): "
                                       "lower it or raise 'interval' in [defaults]\n"},
        {"[defaults]\ninterval = 1s\n" WEB,
         "2: 'interval' 1s is below the timeout of 5s (by default): set 'timeout' to 1s or less in "
         "[defaults]\n"},
        {"[defaults]\ntimeout = 10s\n" WEB "interval = 5s\n",
         "5: 'interval' 5s is below the timeout of 10s (set in [defaults]): set 'timeout' to 5s or "
         "less in [web a]\n"},
        {"[defaults]\ninterval = 10s\n" WEB "timeout = 20s\n",
         "5: 'timeout' 20s is above the interval of 10s (set in [defaults]): lower it or raise "
         "'interval' in [web a]\n"},
        {"[defaults]\ninterval = x\n" WEB "timeout = 40s\n",
         "2: 'interval': 'x' is not a duration like 250ms, 30s, 5m, 12h or 30d\n"},
        {WEB "interval = 100ms\n", "3: 'interval' 100ms is below the timeout of 5s (by default): "
                                   "set 'timeout' to 100ms or less in [web a]\n"},
    };
    (void)state;
    check_bad_rows(rows, ARRAY_LEN(rows));
}

static void config_refuses_labels_a_receiver_would_refuse(void **state)
{
    static const struct bad_row rows[] = {
        {WEB "label = region\n", "3: 'label': a label is written NAME=VALUE\n"},
        {WEB "label = 1a=b\n",
         "3: 'label': a label's name is made of a-z A-Z 0-9 _ and does not begin with a digit\n"},
        {WEB "label = =b\n",
         "3: 'label': a label's name is made of a-z A-Z 0-9 _ and does not begin with a digit\n"},
        {WEB "label = a-b=c\n",
         "3: 'label': a label's name is made of a-z A-Z 0-9 _ and does not begin with a digit\n"},
        {WEB "label = a=\n", "3: 'label': a label's value is not empty and holds no control "
                             "characters and only UTF-8\n"},
        {WEB "label = a=\"\"\n", "3: 'label': a label's value is not empty and holds no control "
                                 "characters and only UTF-8\n"},
        {WEB "label = a=\"x\n",
         "3: 'label': a label's value is bare text, or quoted with C escapes\n"},
        {WEB "label = a=\"\\n\"\n", "3: 'label': a label's value is not empty and holds no control "
                                    "characters and only UTF-8\n"},
        {WEB "label = a=\"\\xff\"\n", "3: 'label': a label's value is not empty and holds no "
                                      "control characters and only UTF-8\n"},
        {WEB "label = instance=x\n", "3: 'label': this label name is reserved, choose another\n"},
        {"[agent]\nlabel = site=x\n", "2: 'label': this label name is reserved, choose another\n"},
        {WEB "label = __x=y\n", "3: 'label': this label name is reserved, choose another\n"},
        {WEB "label = a=b\nlabel = a=c\n", "4: 'label': this label is already in the section\n"},
        {"[defaults]\nlabel = le=1\n" WEB "[web b]\nurl = y\n",
         "2: 'label': this label name is reserved, choose another\n"},
        {"[agent]\nlabel = a0=x\nlabel = a1=x\nlabel = a2=x\nlabel = a3=x\nlabel = a4=x\nlabel = "
         "a5=x\nlabel = a6=x\nlabel = a7=x\nlabel = a8=x\nlabel = a9=x\nlabel = a10=x\nlabel = "
         "a11=x\nlabel = a12=x\nlabel = a13=x\nlabel = a14=x\nlabel = a15=x\n" WEB "label = b=x\n",
         "20: 'label': more than 16 on one series, those of [agent] and [defaults] included\n"},
    };
    (void)state;
    check_bad_rows(rows, ARRAY_LEN(rows));
}

static void config_refuses_groups_that_cannot_be(void **state)
{
    static const struct bad_row rows[] = {
        {WEB "[slo]\nprobe = a\n" DAY, "3: a group needs a name: write [slo NAME]\n"},
        {WEB "[slo x:y]\nprobe = a\n" DAY,
         "3: the name 'x:y' is not allowed: 1 to 63 of a-z 0-9 . _ -, the first a letter or "
         "digit\n"},
        {WEB "[slo x]\nprobe = a\n" DAY "[slo x]\nprobe = a\n" DAY,
         "6: the name 'x' is already used in line 3: names are unique among groups\n"},
        {WEB "[slo x]\nprobe = portal\nprobe = a\n" DAY,
         "4: 'probe': no probe is named 'portal'\n"},
        {WEB "[slo x]\nprobe = a\nprobe = a\n" DAY, "5: 'probe': 'a' is already in the group\n"},
        {WEB "[slo x]\n" DAY, "3: 'probe' is missing: a group without a probe has no events\n"},
        {WEB "[slo x]\nprobe = a\n",
         "3: 'slo' is missing: a group without an slo has no objective\n"},
        {WEB "[slo x]\nprobe = a\nslo = availability 30d\n",
         "5: 'slo': write 'availability RATE WINDOW' or 'latency RATE THRESHOLD WINDOW', like "
         "'latency 95% 800ms 30d'\n"},
        {WEB "[slo x]\nprobe = a\n" DAY DAY, "6: 'slo': the same slo is already in the section\n"},
        {WEB "[web b]\nurl = y\ntimeout = 1s\n[slo x]\nprobe = a\nprobe = b\n"
             "slo = latency 95% 2s 1d\n",
         "9: 'slo': the threshold of 2s is above the timeout of [web b], 1s (set in line 5)\n"},
        {WEB "[slo x]\nprobe = a\ninterval = 5s\n" DAY,
         "5: unknown key 'interval' in [slo x]; it belongs in a probe or in [defaults]\n"},
        {WEB "[slo x]\nprob = a\n" DAY,
         "4: unknown key 'prob' in [slo x]; did you mean 'probe'?\n"},
        {WEB "slo = availability 99% 2d\nslo = availability 99% 3d\nslo = latency 99% 1s 2d\n"
             "[slo x]\nprobe = a\nslo = availability 90% 2d\n" DAY "slo = availability 99% 4d\n",
         "10: 'slo': [web a] has 4 slos already, its own and those of groups: one more must differ "
         "from them in the objective alone\n"},
    };
    (void)state;
    check_bad_rows(rows, ARRAY_LEN(rows));
}

/* Of groups, and of what they have counted at all targets. */
static void config_bounds_groups(void **state)
{
    static char text[1 << 16], expected[256];
    int length = snprintf(text, sizeof text, WEB);
    (void)state;
    for (unsigned i = 0; i <= CAP_SLO_GROUPS; i++) {
        length += snprintf(text + length, sizeof text - (size_t)length,
                           "[slo g%u]\nprobe = a\nslo = availability 99%% 1d\n", i);
    }
    assert_false(load(text));
    (void)snprintf(expected, sizeof expected, "%d: more than %d groups\n", 3 + 3 * CAP_SLO_GROUPS,
                   CAP_SLO_GROUPS);
    assert_string_equal(reported, expected);
    length = snprintf(text, sizeof text, "[web a]\nslo = availability 99%% 2d\n");
    for (unsigned i = 0; i < CAP_SLOS / 2 + 1; i++) {
        length += snprintf(text + length, sizeof text - (size_t)length, "url = %u\n", i);
    }
    (void)snprintf(text + length, sizeof text - (size_t)length,
                   "[slo x]\nprobe = a\nslo = availability 90%% 2d\nslo = availability 99%% 1d\n");
    assert_false(load(text));
    (void)snprintf(expected, sizeof expected, "%d: more than %d slos over all targets\n",
                   CAP_SLOS / 2 + 7, CAP_SLOS);
    assert_string_equal(reported, expected);
}

static void config_refuses_slos_that_cannot_be(void **state)
{
    static const struct bad_row rows[] = {
        {WEB "slo = 99.9%\n", "3: 'slo': write 'availability RATE WINDOW' or 'latency RATE "
                              "THRESHOLD WINDOW', like 'latency 95% 800ms 30d'\n"},
        {WEB "slo = uptime 99.9% 30d\n", "3: 'slo': write 'availability RATE WINDOW' or 'latency "
                                         "RATE THRESHOLD WINDOW', like 'latency 95% 800ms 30d'\n"},
        {WEB "slo = availability 99.9 30d\n",
         "3: 'slo': the objective is a rate like 99.9%, with at most four decimals\n"},
        {WEB "slo = availability 100% 30d\n",
         "3: 'slo': the objective must be above 0% and below 100%\n"},
        {WEB "slo = availability 0% 30d\n",
         "3: 'slo': the objective must be above 0% and below 100%\n"},
        {WEB "slo = availability 99.9% 30\n", "3: 'slo': the window is a duration like 30d\n"},
        {WEB "slo = availability 99.9% 59m\n", "3: 'slo': the window must be 1h to 90d\n"},
        {WEB "slo = availability 99.9% 91d\n", "3: 'slo': the window must be 1h to 90d\n"},
        {WEB "slo = latency 95% 30d\n", "3: 'slo': write 'availability RATE WINDOW' or 'latency "
                                        "RATE THRESHOLD WINDOW', like 'latency 95% 800ms 30d'\n"},
        {WEB "slo = latency 95% 0 30d\n",
         "3: 'slo': the threshold is a duration like 800ms, above 0\n"},
        {WEB "slo = latency 95% fast 30d\n",
         "3: 'slo': the threshold is a duration like 800ms, above 0\n"},
        {WEB "slo = latency 95% 12345us 30d\n",
         "3: 'slo': durations are measured in steps of 10us, so "
         "the threshold is a multiple of 10us\n"},
        {WEB "slo = latency 95% 5001ms 30d\n",
         "3: 'slo': the threshold of 5001ms is above the timeout of 5s (by default)\n"},
        {WEB "slo = availability 99.9% 30d extra\n",
         "3: 'slo': write 'availability RATE WINDOW' or 'latency RATE THRESHOLD WINDOW', like "
         "'latency 95% 800ms 30d'\n"},
        {WEB "slo = availability 99% 30d\nslo = availability 99.0% 720h\n",
         "4: 'slo': the same slo is already in the section\n"},
        {WEB "slo = availability 90% 30d\nslo = availability 91% 30d\nslo = availability 92% "
             "30d\nslo = availability 93% 30d\nslo = availability 94% 30d\n",
         "7: 'slo': at most 4 in one section\n"},
        {"[defaults]\nslo = latency 95% 6s 30d\n" WEB,
         "2: 'slo': the threshold of 6s is above the timeout of 5s (by default)\n"},
        {"[defaults]\nslo = latency 95% 2s 30d\n" WEB "timeout = 1s\n",
         "3: 'slo': the threshold of 2s from [defaults] is above the timeout of 1s (set in line "
         "5)\n"},
        {"[defaults]\nslo = availability\n" WEB "[web b]\nurl = y\n",
         "2: 'slo': write 'availability RATE WINDOW' or 'latency RATE THRESHOLD WINDOW', like "
         "'latency 95% 800ms 30d'\n"},
    };
    (void)state;
    check_bad_rows(rows, ARRAY_LEN(rows));
}

static void config_refuses_dependencies_that_cannot_be(void **state)
{
    static const struct bad_row rows[] = {
        {WEB "depends_on = b\n", "3: 'depends_on': no probe is named 'b'\n"},
        {WEB "depends_on = uplnk\n[web uplink]\nurl = y\n",
         "3: 'depends_on': no probe is named 'uplnk'; did you mean 'uplink'?\n"},
        {WEB "depends_on = a\n", "3: 'depends_on' names the probe itself\n"},
        {WEB "depends_on = b\n[web b]\nurl = y\ndepends_on = a\n",
         "3: 'depends_on' goes round in a circle: a -> b -> a\n"},
        {WEB "depends_on = b\n[web b]\nurl = y\ndepends_on = c\n[web c]\nurl = y\ndepends_on = b\n",
         "6: 'depends_on' goes round in a circle: b -> c -> b\n"},
        {"[defaults]\ndepends_on = nobody\n" WEB "[web b]\nurl = y\n",
         "2: 'depends_on': no probe is named 'nobody'\n"},
        {"[defaults]\ndepends_on = a\n" WEB "depends_on = b\n[web b]\nurl = y\n",
         "5: 'depends_on' goes round in a circle: a -> b -> a\n"},
    };
    (void)state;
    check_bad_rows(rows, ARRAY_LEN(rows));
}

static void config_refuses_what_would_poison_the_receiver(void **state)
{
    static const struct bad_row rows[] = {
        {"[push]\nurl = http://h\n", "2: a push needs to say whose it is: set 'site' in [agent]\n"},
        {"[agent]\nsite = a/b\n", "2: 'site': a site is not '.' or '..' and has no '/', since it "
                                  "becomes part of the push's path\n"},
        {"[agent]\nsite = ..\n", "2: 'site': a site is not '.' or '..' and has no '/', since it "
                                 "becomes part of the push's path\n"},
        {"[agent]\nsite = \"\"\n", "2: 'site': the text is empty\n"},
        {"[agent]\nsite = \"a\\nb\"\n",
         "2: 'site': control characters and bytes that are not UTF-8 are not allowed\n"},
        {"[agent]\nstore_size = 32K\n",
         "2: 'store_size': 32K is out of range: 64K to 64M are allowed\n"},
        {"[agent]\nstore_size = 65M\n",
         "2: 'store_size': 65M is out of range: 64K to 64M are allowed\n"},
        {"[agent]\ncommit = 500ms\n", "2: 'commit': 500ms is out of range: 1s to 1h are allowed\n"},
        {"[agent]\nconcurrency = 65\n",
         "2: 'concurrency': 65 is out of range: 1 to 64 are allowed\n"},
        {"[agent]\nsocket = status.sock\n", "2: 'socket': write an absolute path, or none\n"},
        {"[agent]\nuser = a:b\n",
         "2: 'user': a user is at most 32 bytes, without colon, slash or blank\n"},
        {"[agent]\nsandbox = yes\n", "2: 'sandbox': 'yes' is not one of off, on, strict\n"},
        {"[agent]\nclock_trust = ntp\n",
         "2: 'clock_trust': 'ntp' is not one of plausible, synced\n"},
        {"[agent]\nlog_level = warn\n",
         "2: 'log_level': 'warn' is not one of error, warning, info, debug\n"},
        {"[agent]\nsite = s\n[push]\nurl = ftp://h\n",
         "4: 'url': a push goes to http://HOST or https://HOST\n"},
        {"[agent]\nsite = s\n[push]\nurl = h:9091\n",
         "4: 'url': a push goes to http://HOST or https://HOST\n"},
        {"[agent]\nsite = s\n[push]\nurl = http://\n",
         "4: 'url': after the scheme, a host and maybe a port: https://HOST:PORT\n"},
        {"[agent]\nsite = s\n[push]\nurl = http://:80\n",
         "4: 'url': after the scheme, a host and maybe a port: https://HOST:PORT\n"},
        {"[agent]\nsite = s\n[push]\nurl = http://h:0\n",
         "4: 'url': after the scheme, a host and maybe a port: https://HOST:PORT\n"},
        {"[agent]\nsite = s\n[push]\nurl = http://h:65536\n",
         "4: 'url': after the scheme, a host and maybe a port: https://HOST:PORT\n"},
        {"[agent]\nsite = s\n[push]\nurl = http://h:x\n",
         "4: 'url': after the scheme, a host and maybe a port: https://HOST:PORT\n"},
        {"[agent]\nsite = s\n[push]\nurl = http://[::1\n",
         "4: 'url': after the scheme, a host and maybe a port: https://HOST:PORT\n"},
        {"[agent]\nsite = s\n[push]\nurl = http://[]\n",
         "4: 'url': after the scheme, a host and maybe a port: https://HOST:PORT\n"},
        {"[agent]\nsite = s\n[push]\nurl = http://h/x?y=1\n",
         "4: 'url': a push URL has no query and no fragment\n"},
        {"[agent]\nsite = s\n[push]\nurl = http://h/#x\n",
         "4: 'url': a push URL has no query and no fragment\n"},
        {"[agent]\nsite = s\n[push]\nurl = http://me@h/\n",
         "4: 'url': take the user out of the URL and use username and password_file = PATH\n"},
        {"[agent]\nsite = s\n[push]\nurl = http://me:geheim@h/\n",
         "4: 'url': a secret is never written in the file: take user and password out of the URL "
         "and use username and password_file = PATH\n"},
        {"[agent]\nsite = s\n[push]\nurl = http://h /x\n",
         "4: 'url': after the scheme, a host and maybe a port: https://HOST:PORT\n"},
        {"[agent]\nsite = s\n[push]\nurl = http://h/a b\n", "4: 'url': a URL has no blanks\n"},
        {"[agent]\nsite = s\n[push]\nurl = http://h;x\n",
         "4: 'url': after the scheme, a host and maybe a port: https://HOST:PORT\n"},
        {"[agent]\nsite = s\n[push]\nurl = https://?x\n",
         "4: 'url': after the scheme, a host and maybe a port: https://HOST:PORT\n"},
        {"[push]\ninterval = 500ms\n",
         "2: 'interval': 500ms is out of range: 1s to 1h are allowed\n"},
        {"[push]\ninterval = 2h\n", "2: 'interval': 2h is out of range: 1s to 1h are allowed\n"},
        {"[push]\ntimeout = 6m\n", "2: 'timeout': 6m is out of range: 100ms to 5m are allowed\n"},
        {"[push]\nusername = u\n", "2: 'username' needs 'password_file' beside it\n"},
        {"[push]\npassword_file = /p\n", "2: 'password_file' needs 'username' beside it\n"},
        {"[push]\nbearer_file = /p\nusername = u\npassword_file = /q\n",
         "2: 'bearer_file' and 'username' exclude each other\n"},
        {"[push]\ncert_file = /c\n", "2: 'cert_file' needs 'key_file' beside it\n"},
        {"[push]\nkey_file = /k\n", "2: 'key_file' needs 'cert_file' beside it\n"},
        {"[status]\nlisten = localhost:9116\n",
         "2: 'listen': write ADDRESS:PORT with an address in numbers, as 127.0.0.1:9116 or "
         "[::1]:9116\n"},
        {"[status x]\nlisten = 127.0.0.1:9116\n",
         "1: [status] takes no name: write it alone between [ and ]\n"},
        {"[watchdog]\ndevice = watchdog\n",
         "2: 'device': write none, systemd, procd or a path below /dev\n"},
        {"[watchdog]\ndevice = /dev/\n",
         "2: 'device': write none, systemd, procd or a path below /dev\n"},
        {"[watchdog]\ntimeout = 100ms\n",
         "2: 'timeout': 100ms is out of range: 1s to 1h are allowed\n"},
    };
    (void)state;
    check_bad_rows(rows, ARRAY_LEN(rows));
}

static void config_reports_every_mistake_once_and_in_one_pass(void **state)
{
    static const struct bad_row rows[] = {
        {"intervall = 1s\n[agent]\nsite = ..\n[wbe a]\nulr = x\nurl = y\ntimeout = 2x\n[bus "
         "a]\nread = q\n[push]\nurl = ftp://x\npassword = geheim\n",
         "1: 'intervall' stands before the first [section]\n"
         "4: unknown section [wbe]; did you mean 'web'?\n"
         "5: unknown key 'ulr' in [web a]; did you mean 'url'?\n"
         "7: 'timeout': '2x' is not a duration like 250ms, 30s, 5m, 12h or 30d\n"
         "8: the name 'a' is already used in line 4: names are unique across all kinds\n"
         "12: 'password': a secret is never written in the file: use password_file = PATH\n"
         "3: 'site': a site is not '.' or '..' and has no '/', since it becomes part of the push's "
         "path\n"
         "11: 'url': a push goes to http://HOST or https://HOST\n"
         "8: [bus a] needs 'unit'\n"
         "8: [bus a] has no target: set 'address' or 'file'\n"
         "9: 'read': NAME ADDRESS, not only 'q'\n"},
    };
    (void)state;
    check_bad_rows(rows, ARRAY_LEN(rows));
}

static void config_asks_the_kind_to_check_its_section(void **state)
{
    static const struct bad_row rows[] = {
        {"[bus a]\naddress = x\nunit = 248\nread = a\nread = b 1\nread = c\n",
         "3: 'unit': 248 is out of range: 1 to 247 are allowed\n"
         "4: 'read': NAME ADDRESS, not only 'a'\n"
         "6: 'read': NAME ADDRESS, not only 'c'\n"},
        {"[bus a]\nadress = x\nunit = 1\nread = a 1\n",
         "2: unknown key 'adress' in [bus a]; did you mean 'address'?\n"},
        {"[bus a]\naddress = x\nuint = 1\nread = a 1\n",
         "3: unknown key 'uint' in [bus a]; did you mean 'unit'?\n"},
    };
    (void)state;
    check_bad_rows(rows, ARRAY_LEN(rows));
}

static void config_refuses_what_is_too_long(void **state)
{
    static const struct {
        const char *before;
        size_t fill;
        const char *after, *report;
    } rows[] = {
        {"[agent]\nsite = ", 129, "\n", "2: 'site': a site has at most 128 bytes\n"},
        {"[web a]\nurl = ", 512, "\n", "2: 'url': a target has at most 511 bytes\n"},
        {"[web ", 97, "]\nurl = x\nfoo\n",
         "1: the section header is too long: a name has at most 63 characters\n"
         "3: expected 'key = value', '[section]' or a comment\n"},
        {"#", 4093, "\n", "1: the line has 4094 bytes; at most 4093 are allowed\n"},
        {WEB "header = ", 9000, "", "3: the line has 9009 bytes; at most 4093 are allowed\n"},
        {WEB "[", 5000, "]\ntimeout = x\nfoo\n",
         "3: the line has 5002 bytes; at most 4093 are allowed\n"
         "5: expected 'key = value', '[section]' or a comment\n"},
        {WEB "ip = ", 70, "\n",
         "3: 'ip': 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx' is not one of "
         "any, prefer4, prefer6, 4, 6\n"},
    };
    static char text[10000];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        size_t before = strlen(rows[i].before);

        memcpy(text, rows[i].before, before);
        memset(text + before, 'x', rows[i].fill);
        strcpy(text + before + rows[i].fill, rows[i].after);
        assert_false(load(text));
        assert_string_equal(reported, rows[i].report);
    }
}

static void config_cuts_what_it_quotes_between_characters(void **state)
{
    char text[256] = WEB "ip = x", *cut;

    (void)state;
    for (unsigned i = 0; i < 40; i++) {
        strcat(text, "\xc3\xa4");
    }
    assert_false(load(text));
    cut = strstr(reported, "' is not one of");
    assert_non_null(cut);
    assert_int_equal(cut - strchr(reported, 'x'), 59);
}

static void config_stops_at_a_nul_byte(void **state)
{
    static const char text[] = "[agent]\nsite = a\0b\nrubbish\n";

    (void)state;
    assert_false(load_bytes(text, sizeof(text) - 1));
    assert_string_equal(reported, "2: the file is not text: a NUL byte; the rest is not read\n");
}

static void config_names_the_other_file_of_a_clash(void **state)
{
    static const char first[] = "[agent]\nsite = a\n[web a]\nurl = x\n";
    static const char second[] = "url = y\n[agent]\nsite = b\n[web a]\nurl = y\n";

    (void)state;
    begin();
    add_string("site.conf", first);
    add_string("more.conf", second);
    assert_false(config_finish(&loader));
    assert_string_equal(reported,
                        "more.conf:1: 'url' stands before the first [section]\n"
                        "more.conf:3: 'site' is already set in site.conf:2\n"
                        "more.conf:4: the name 'a' is already used in site.conf:3: names are "
                        "unique across all kinds\n");
}

/* What a full table makes impossible is reported once, not for each line that follows. */
static void config_reports_each_full_capacity_once(void **state)
{
    static char text[1 << 20];
    size_t used;

    (void)state;
    used = 0;
    for (unsigned i = 0; i < CAP_PROBES + 3; i++) {
        used += (size_t)snprintf(text + used, sizeof(text) - used, "[web p%u]\nurl = x\n", i);
    }
    assert_false(load(text));
    assert_string_equal(reported, "513: more than 256 probes\n");
    used = (size_t)snprintf(text, sizeof(text), "[web a]\n");
    for (unsigned i = 0; i < CAP_TARGETS + 3; i++) {
        used += (size_t)snprintf(text + used, sizeof(text) - used, "url = x%u\n", i);
    }
    assert_false(load(text));
    assert_string_equal(reported, "258: more than 256 targets over all probes\n");
    used = (size_t)snprintf(text, sizeof(text), WEB);
    for (unsigned i = 0; i < CAP_SETTINGS + 3; i++) {
        used += (size_t)snprintf(text + used, sizeof(text) - used, "header = x\n");
    }
    (void)snprintf(text + used, sizeof(text) - used, "[bus b]\naddress = x\nunit = 1\n");
    assert_false(load(text));
    assert_string_equal(reported, "4098: more than 4096 settings; the rest is not read\n");
    used = (size_t)snprintf(text, sizeof(text), WEB);
    for (unsigned i = 0; i < 300; i++) {
        used += (size_t)snprintf(text + used, sizeof(text) - used, "header = %01000u\n", i);
    }
    assert_false(load(text));
    assert_string_equal(reported,
                        "199: the texts of the configuration have more than 196608 bytes; "
                        "the rest is not read\n");
    used = 0;
    for (unsigned i = 0; i < CAP_SLOS / 2 + 2; i++) {
        used += (size_t)snprintf(text + used, sizeof(text) - used,
                                 "[web p%u]\nurl = x\nslo = availability 99%% 1d\n"
                                 "slo = availability 99%% 2d\n",
                                 i);
    }
    assert_false(load(text));
    assert_string_equal(reported, "513: more than 256 slos over all targets\n");
}

static void config_reports_too_many_files_once(void **state)
{
    char name[16];

    (void)state;
    begin();
    for (unsigned i = 0; i < CAP_FILES + 3; i++) {
        (void)snprintf(name, sizeof(name), "f%u", i);
        add_string(name, "# x\n");
    }
    assert_false(config_finish(&loader));
    assert_string_equal(reported, "f64:0: more than 64 files\n");
}

static void config_counts_errors_without_a_reporter(void **state)
{
    (void)state;
    errors = (struct config_errors){.report = NULL};
    config_begin(&loader, &config, fake_kinds, FAKE_KIND_COUNT, &errors);
    add_string("site.conf", "rubbish\nmore\n");
    assert_false(config_finish(&loader));
    assert_int_equal(errors.count, 2);
}

#define DOG   "[agent]\nstore = /x\n" WEB "[watchdog]\n"
#define SITE  "[agent]\nsite = s\n" WEB "[watchdog]\n"
#define OTHER "[web r]\nurl = x\n"
/* A push, a reference, a watchdog's section; what follows begins at line 11. */
#define ACT "[agent]\nsite = s\n[push]\nurl = http://x\ninterval = 30s\n" WEB OTHER "[watchdog]\n"

/* What these say of a value depends on other keys; each limit is tried on both sides. */
static void config_refuses_a_watchdog_that_could_not_work(void **state)
{
    static const struct bad_row rows[] = {
        {WEB "[watchdog]\ndevice = watchdog0\n",
         "4: 'device': write none, systemd, procd or a path below /dev\n"},
        {DOG "device = /dev/\n", "6: 'device': write none, systemd, procd or a path below /dev\n"},
        {DOG "device = /tmp/x\n", "6: 'device': write none, systemd, procd or a path below /dev\n"},
        {DOG "device = /dev/" NAME_63 "\n",
         "6: 'device': write none, systemd, procd or a path below /dev\n"},
        {WEB "[watchdog]\ndevice = /dev/watchdog\n",
         "4: 'device': a watchdog that resets the board needs 'store' in [agent]: resets are "
         "counted there, so that a board never goes round in them\n"},
        {DOG "device = systemd\ntimeout = 60s\n",
         "7: 'timeout': with 'device = systemd' it is the unit that says so, by WatchdogSec=\n"},
        {DOG "timeout = 10s\nfeed = 6s\n", "7: 'feed' 6s is more than half of 'timeout' 10s: one "
                                           "late feeding would be the end\n"},
        {DOG "device = /dev/watchdog\ntimeout = 8s\n",
         "7: 'timeout' 8s: it would be over before the agent could be restarted; 'feed', "
         "'hang' and 'abort' take 9334ms\n"},
        {DOG "device = /dev/watchdog\nhang = 50s\n",
         "5: 'timeout' 1m: it would be over before the agent could be restarted; 'feed', "
         "'hang' and 'abort' take 63s\n"},
        {DOG "restart_window = 1m\nrestarts = 5\nhang = 11s\nabort = 250ms\n",
         "6: 5 'restarts' of an agent that hangs take 1m and never fall into 'restart_window': "
         "safe mode would not be reached\n"},
        {DOG "restarts = 32\n", "6: 32 'restarts' of an agent that hangs take 1780s and never "
                                "fall into 'restart_window': safe mode would not be reached\n"},
        {DOG "reboot = on\n", "6: 'reboot': there is nobody to reset the board: set 'device' to a "
                              "watchdog or to systemd\n"},
        {DOG "device = procd\nreboot = on\n",
         "7: 'reboot': there is nobody to reset the board: set 'device' to a watchdog or to "
         "systemd\n"},
        {WEB "[watchdog]\ndevice = systemd\nreboot = on\n",
         "5: 'reboot': needs 'store' in [agent]: resets are counted there\n"},
        {DOG "device = systemd\nreboot = on\nreboot_budget = 0\n",
         "8: 'reboot_budget': none are allowed, but 'reboot' is on\n"},
        {DOG "rollback = 15m\n",
         "6: 'rollback': nothing is pushed ('url' in [push]), so this configuration would be left "
         "each time; with 0 it stays\n"},
        {SITE "rollback = 119s\n[push]\nurl = http://x\ninterval = 60s\n",
         "6: 'rollback': is less than two intervals of the push, which need not have failed in "
         "it\n"},
        {DOG "rollback = 8d\n", "6: 'rollback': 8d is out of range: 0s to 7d are allowed\n"},
        {DOG "canary = b\n", "6: 'canary': no probe is named 'b'\n"},
        {WEB OTHER "enabled = off\n[watchdog]\ncanary = r\n",
         "7: 'canary': no probe that is enabled is named 'r'\n"},
    };
    (void)state;
    check_bad_rows(rows, ARRAY_LEN(rows));
}

static void config_refuses_a_site_action_that_could_not_work(void **state)
{
    static const struct bad_row rows[] = {
        {DOG "action_reference = a\naction_after = 15m\naction_cooldown = 1h\naction_budget = 4\n"
             "action_timeout = 1m\naction_dry_run = on\n",
         "6: 'action_reference': needs 'action' beside it\n"
         "7: 'action_after': needs 'action' beside it\n"
         "8: 'action_cooldown': needs 'action' beside it\n"
         "9: 'action_budget': needs 'action' beside it\n"
         "10: 'action_timeout': needs 'action' beside it\n"
         "11: 'action_dry_run': needs 'action' beside it\n"},
        {ACT "action = reboot\naction_reference = r\n",
         "11: 'action': write an absolute path, and arguments after blanks\n"},
        {ACT "action = /bin/x\n",
         "11: 'action': name at least one 'action_reference': without one, "
         "a receiver that is dead looks like an uplink that is\n"},
        {ACT "action = /bin/x\naction_reference = r\naction_reference = b\n",
         "13: 'action_reference': no probe is named 'b'\n"},
        {WEB "enabled = off\n" OTHER
             "[agent]\nsite = s\n[push]\nurl = http://x\n[watchdog]\naction = /bin/x\n"
             "action_reference = r\naction_reference = a\n",
         "13: 'action_reference': no probe that is enabled is named 'a'\n"},
        {WEB "[watchdog]\naction = /bin/x\naction_reference = a\n",
         "4: 'action': nothing is pushed ('url' in [push]), so nobody would know that nothing gets "
         "through\n"},
        {"[agent]\nsite = s\n[push]\nurl = http://x\ninterval = 31s\n" WEB
         "[watchdog]\naction = /bin/x\naction_reference = a\naction_after = 1m\n",
         "11: 'action_after': is less than two intervals of the push, which need not have failed "
         "in "
         "it\n"},
    };
    (void)state;
    check_bad_rows(rows, ARRAY_LEN(rows));
}

static void config_says_nothing_of_what_depends_on_a_refused_value(void **state)
{
    static const struct bad_row rows[] = {
        {DOG "device = /dev/watchdog\ntimeout = soon\nfeed = 30m\n",
         "7: 'timeout': 'soon' is not a duration like 250ms, 30s, 5m, 12h or 30d\n"},
        {DOG "hang = 0s\ncanary = nobody\n",
         "6: 'hang': 0s is out of range: 1s to 10m are allowed\n"},
    };
    (void)state;
    check_bad_rows(rows, ARRAY_LEN(rows));
}

static void config_takes_what_is_just_right(void **state)
{
    static const char *const rows[] = {
        WEB "[watchdog]\ndevice = none\n",
        WEB "[watchdog]\ndevice = systemd\n",
        WEB "[watchdog]\ndevice = procd\ntimeout = 10s\n",
        DOG "device = /dev/w\n",
        DOG "device = /dev/a23456789012345678901234567890123456789012345678901234567\n",
        DOG "timeout = 10s\nfeed = 5s\n",
        DOG "device = /dev/watchdog\ntimeout = 9s\nfeed = 1s\n",
        DOG "device = /dev/watchdog\ntimeout = 8s\nfeed = 1s\nhang = 4s\n",
        DOG "restart_window = 1m\nrestarts = 5\nhang = 11s\nabort = 200ms\n",
        DOG "device = systemd\nreboot = on\nreboot_budget = 1\n",
        DOG "device = /dev/watchdog\nreboot = on\n",
        DOG "reboot_budget = 0\n",
        DOG "rollback = 0\n",
        SITE "rollback = 2m\n[push]\nurl = http://x\ninterval = 60s\n",
        SITE "[push]\nurl = http://x\ninterval = 1h\n",
        DOG "canary = a\n",
        ACT "action = /bin/x y\naction_reference = r\naction_after = 1m\n",
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        load_good(rows[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(config_refuses_lines_that_are_none),
        cmocka_unit_test(config_refuses_wrong_sections_and_reads_on),
        cmocka_unit_test(config_refuses_unknown_repeated_and_secret_keys),
        cmocka_unit_test(config_refuses_values_and_says_what_would_be_right),
        cmocka_unit_test(config_refuses_a_timeout_above_its_interval),
        cmocka_unit_test(config_refuses_labels_a_receiver_would_refuse),
        cmocka_unit_test(config_refuses_groups_that_cannot_be),
        cmocka_unit_test(config_bounds_groups),
        cmocka_unit_test(config_refuses_slos_that_cannot_be),
        cmocka_unit_test(config_refuses_dependencies_that_cannot_be),
        cmocka_unit_test(config_refuses_what_would_poison_the_receiver),
        cmocka_unit_test(config_reports_every_mistake_once_and_in_one_pass),
        cmocka_unit_test(config_asks_the_kind_to_check_its_section),
        cmocka_unit_test(config_refuses_what_is_too_long),
        cmocka_unit_test(config_cuts_what_it_quotes_between_characters),
        cmocka_unit_test(config_stops_at_a_nul_byte),
        cmocka_unit_test(config_names_the_other_file_of_a_clash),
        cmocka_unit_test(config_reports_each_full_capacity_once),
        cmocka_unit_test(config_reports_too_many_files_once),
        cmocka_unit_test(config_counts_errors_without_a_reporter),
        cmocka_unit_test(config_refuses_a_watchdog_that_could_not_work),
        cmocka_unit_test(config_refuses_a_site_action_that_could_not_work),
        cmocka_unit_test(config_says_nothing_of_what_depends_on_a_refused_value),
        cmocka_unit_test(config_takes_what_is_just_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
