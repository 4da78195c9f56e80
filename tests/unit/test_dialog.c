/* Guards the tcp dialog: the verdict must not depend on how TCP cut the stream, and nothing in
 * clear may pass for what comes inside TLS. */
#include "dialog_rig.h"

struct row {
    const char *steps[STEPS];
    const char *input;
    size_t size; /* of the input when it holds NUL bytes, else 0 */
    enum then then;
    enum dialog_state state;
    enum reason reason;
    unsigned step;    /* where it stands at the end, from 0 */
    const char *sent; /* NULL: nothing */
};

/* --- What each step does --- */

static const struct row rows[] = {
    {{NULL}, "", 0, THEN_NOTHING, DIALOG_DONE, REASON_NONE, 0, NULL},
    {{"send \"PING\\r\\n\""}, "", 0, THEN_NOTHING, DIALOG_DONE, REASON_NONE, 1, "PING\r\n"},
    {{"send QUIT"}, "", 0, THEN_NOTHING, DIALOG_DONE, REASON_NONE, 1, "QUIT"},
    {{"expect /^220 .*ESMTP/"},
     "220 mail ESMTP\r\n",
     0,
     THEN_NOTHING,
     DIALOG_DONE,
     REASON_NONE,
     1,
     NULL},
    /* the sample of SPEC section 2 */
    {{"expect /^220 .*ESMTP/", "send \"EHLO picket\\r\\n\"", "expect /^250[ -]STARTTLS/",
      "send \"STARTTLS\\r\\n\"", "starttls"},
     "220 mail ESMTP\r\n250-mail\r\n250-STARTTLS\r\n250 OK\r\n220 go\r\n",
     0,
     THEN_NOTHING,
     DIALOG_WANTS_TLS,
     REASON_NONE,
     4,
     "EHLO picket\r\nSTARTTLS\r\n"},
    {{"send \"a STARTTLS\\r\\n\"", "starttls"},
     "* OK hello\r\na OK begin\r\n",
     0,
     THEN_NOTHING,
     DIALOG_WANTS_TLS,
     REASON_NONE,
     1,
     "a STARTTLS\r\n"},
    {{"send \"STLS\\r\\n\"", "starttls"},
     "+OK\r\n",
     0,
     THEN_NOTHING,
     DIALOG_WANTS_TLS,
     REASON_NONE,
     1,
     "STLS\r\n"},
    {{"send \"AUTH TLS\\r\\n\"", "reject /x/", "starttls", "expect /y/"},
     "234 go\n",
     0,
     THEN_NOTHING,
     DIALOG_WANTS_TLS,
     REASON_NONE,
     2,
     "AUTH TLS\r\n"},
    {{"send \"STARTTLS\\r\\n\"", "starttls"},
     "454 not now\r\n",
     0,
     THEN_NOTHING,
     DIALOG_FAILED,
     REASON_PROTOCOL,
     1,
     "STARTTLS\r\n"},
    {{"send \"a STARTTLS\\r\\n\"", "starttls"},
     "a BAD what\r\n",
     0,
     THEN_NOTHING,
     DIALOG_FAILED,
     REASON_PROTOCOL,
     1,
     "a STARTTLS\r\n"},
    {{"send \"STARTTLS\\r\\n\"", "starttls"},
     "250 NO-SOLICITING\r\n",
     0,
     THEN_NOTHING,
     DIALOG_OPEN,
     REASON_NONE,
     1,
     "STARTTLS\r\n"},
    {{"send \"STARTTLS\\r\\n\"", "starttls"},
     "",
     0,
     THEN_CLOSE,
     DIALOG_FAILED,
     REASON_RESET,
     1,
     "STARTTLS\r\n"},
    /* something in clear behind the go-ahead */
    {{"expect /^220 /", "starttls"},
     "220 go\r\nEVIL\r\n",
     0,
     THEN_NOTHING,
     DIALOG_FAILED,
     REASON_PROTOCOL,
     1,
     NULL},
    {{"send \"STARTTLS\\r\\n\"", "starttls"},
     "220 go\r\nE",
     0,
     THEN_NOTHING,
     DIALOG_FAILED,
     REASON_PROTOCOL,
     1,
     "STARTTLS\r\n"},
    {{"expect_bytes \"S\"", "starttls"},
     "S",
     0,
     THEN_NOTHING,
     DIALOG_WANTS_TLS,
     REASON_NONE,
     1,
     NULL},
    {{"expect_bytes \"S\"", "starttls"},
     "SX",
     0,
     THEN_NOTHING,
     DIALOG_FAILED,
     REASON_PROTOCOL,
     1,
     NULL},
    {{"expect /S/", "starttls"}, "S", 0, THEN_NOTHING, DIALOG_OPEN, REASON_NONE, 1, NULL},
    {{"expect /S/", "starttls"}, "S", 0, THEN_QUIET, DIALOG_WANTS_TLS, REASON_NONE, 1, NULL},
    {{"starttls"}, "", 0, THEN_NOTHING, DIALOG_WANTS_TLS, REASON_NONE, 0, NULL},
    /* lines */
    {{"expect /^b$/"}, "a\r\nab\r\nb\r\n", 0, THEN_NOTHING, DIALOG_DONE, REASON_NONE, 1, NULL},
    {{"expect /^b$/"}, "ab\nbb\nb", 0, THEN_NOTHING, DIALOG_OPEN, REASON_NONE, 0, NULL},
    {{"expect /^b$/"}, "b", 0, THEN_CLOSE, DIALOG_DONE, REASON_NONE, 1, NULL},
    {{"expect /^b$/"}, "b", 0, THEN_QUIET, DIALOG_DONE, REASON_NONE, 1, NULL},
    {{"expect /^b$/"}, "b\r", 0, THEN_QUIET, DIALOG_DONE, REASON_NONE, 1, NULL},
    {{"expect /^$/"}, "a\r\n\r\n", 0, THEN_NOTHING, DIALOG_DONE, REASON_NONE, 1, NULL},
    {{"expect /OK$/"}, "OK but\r\nnot OK\r\n", 0, THEN_NOTHING, DIALOG_DONE, REASON_NONE, 1, NULL},
    {{"expect /^OK$/"}, "OK but\r\n", 0, THEN_NOTHING, DIALOG_OPEN, REASON_NONE, 0, NULL},
    {{"expect /login: /", "send \"me\\n\"", "expect /word: /", "send \"pw\\n\""},
     "login: Password: ",
     0,
     THEN_NOTHING,
     DIALOG_DONE,
     REASON_NONE,
     4,
     "me\npw\n"},
    {{"expect /login:\\s*$/"}, "login: ", 0, THEN_NOTHING, DIALOG_OPEN, REASON_NONE, 0, NULL},
    {{"expect /login:\\s*$/"}, "login: ", 0, THEN_QUIET, DIALOG_DONE, REASON_NONE, 1, NULL},
    {{"expect /one/", "expect /two/"},
     "one two\n",
     0,
     THEN_NOTHING,
     DIALOG_DONE,
     REASON_NONE,
     2,
     NULL},
    {{"expect /one/", "expect /^two/"},
     "one two\n",
     0,
     THEN_NOTHING,
     DIALOG_OPEN,
     REASON_NONE,
     1,
     NULL},
    {{"expect /^one$/", "expect /.*/"},
     "one\n",
     0,
     THEN_NOTHING,
     DIALOG_OPEN,
     REASON_NONE,
     1,
     NULL},
    {{"expect /^one$/", "expect /^(.*)$/", "send \"${1}\""},
     "one\n\n",
     0,
     THEN_NOTHING,
     DIALOG_DONE,
     REASON_NONE,
     3,
     NULL},
    {{"expect /OK/i"}, "ok\n", 0, THEN_NOTHING, DIALOG_DONE, REASON_NONE, 1, NULL},
    {{"expect /a.b/"}, "a\0b\n", 4, THEN_NOTHING, DIALOG_DONE, REASON_NONE, 1, NULL},
    {{"expect /x/"}, "a\nb\n", 0, THEN_CLOSE, DIALOG_FAILED, REASON_EXPECT, 0, NULL},
    {{"expect /x/"}, "", 0, THEN_CLOSE, DIALOG_FAILED, REASON_EXPECT, 0, NULL},
    /* groups */
    {{"expect /token: (\\w+)/", "send \"${1}!${1}${0}\\n\""},
     "token: abc12\n",
     0,
     THEN_NOTHING,
     DIALOG_DONE,
     REASON_NONE,
     2,
     "abc12!abc12token: abc12\n"},
    {{"expect /(a)|(b)/", "send \"[${2}${9}]\""},
     "a\n",
     0,
     THEN_NOTHING,
     DIALOG_DONE,
     REASON_NONE,
     2,
     "[]"},
    {{"expect /(a)/", "expect_bytes \"b\"", "send \"${1}$\\x7b1}${x}$\""},
     "ab",
     0,
     THEN_NOTHING,
     DIALOG_DONE,
     REASON_NONE,
     3,
     "a${1}${x}$"},
    {{"expect /(\\d+)/", "send \"${1}\""},
     "123",
     0,
     THEN_NOTHING,
     DIALOG_OPEN,
     REASON_NONE,
     0,
     NULL},
    {{"expect /(\\d+)/", "send \"${1}\""},
     "123\r",
     0,
     THEN_NOTHING,
     DIALOG_OPEN,
     REASON_NONE,
     0,
     NULL},
    {{"expect /(\\d+)/", "send \"${1}\""},
     "123\r\n",
     0,
     THEN_NOTHING,
     DIALOG_DONE,
     REASON_NONE,
     2,
     "123"},
    /* bytes */
    {{"expect_bytes \"\\x00\\xff\\r\\n\""},
     "..\0\0\xff\r\n",
     7,
     THEN_NOTHING,
     DIALOG_DONE,
     REASON_NONE,
     1,
     NULL},
    {{"expect_bytes \"aab\""}, "aaab", 0, THEN_NOTHING, DIALOG_DONE, REASON_NONE, 1, NULL},
    {{"expect_bytes \"a\\nb\"", "expect /^c/"},
     "xa\nbc\nc\n",
     0,
     THEN_NOTHING,
     DIALOG_DONE,
     REASON_NONE,
     2,
     NULL},
    {{"expect_bytes \"a\\n\"", "expect /^c/"},
     "xa\nc\n",
     0,
     THEN_NOTHING,
     DIALOG_DONE,
     REASON_NONE,
     2,
     NULL},
    {{"expect_bytes \"a\"", "expect /^c/"},
     "ac",
     0,
     THEN_CLOSE,
     DIALOG_FAILED,
     REASON_EXPECT,
     1,
     NULL},
    {{"expect_bytes \"a\"", "expect /\\bc/"},
     "ac-c\n",
     0,
     THEN_NOTHING,
     DIALOG_DONE,
     REASON_NONE,
     2,
     NULL},
    {{"expect_bytes \"ab\""}, "a b", 0, THEN_CLOSE, DIALOG_FAILED, REASON_EXPECT, 0, NULL},
    {{"expect /foo/", "expect_bytes \"\\r\\n\"", "send x"},
     "foo\r\n",
     0,
     THEN_NOTHING,
     DIALOG_DONE,
     REASON_NONE,
     3,
     "x"},
    /* rejects */
    {{"reject /^5\\d\\d/", "expect /^2/"},
     "1\r\n550 no\r\n220 yes\r\n",
     0,
     THEN_NOTHING,
     DIALOG_FAILED,
     REASON_EXPECT,
     0,
     NULL},
    {{"expect /^2/", "reject /^5/", "expect /^3/"},
     "5\n2\n3\n",
     0,
     THEN_NOTHING,
     DIALOG_DONE,
     REASON_NONE,
     3,
     NULL},
    {{"reject /^220.*busy/", "expect /^2\\d\\d .*$/"},
     "220 mail busy\r\n",
     0,
     THEN_NOTHING,
     DIALOG_FAILED,
     REASON_EXPECT,
     0,
     NULL},
    {{"reject /denied/", "expect /\\$ /"},
     "user$ ",
     0,
     THEN_NOTHING,
     DIALOG_DONE,
     REASON_NONE,
     2,
     NULL},
    {{"reject /denied$/", "expect /x/"},
     "denied",
     0,
     THEN_NOTHING,
     DIALOG_OPEN,
     REASON_NONE,
     1,
     NULL},
    {{"reject /denied$/", "expect /x/"},
     "denied",
     0,
     THEN_QUIET,
     DIALOG_FAILED,
     REASON_EXPECT,
     0,
     NULL},
    {{"reject /^a b/", "expect /a/", "expect /c/"},
     "a b c\n",
     0,
     THEN_NOTHING,
     DIALOG_FAILED,
     REASON_EXPECT,
     0,
     NULL},
    {{"reject /a/", "reject /b/", "expect /c/"},
     "b\n",
     0,
     THEN_NOTHING,
     DIALOG_FAILED,
     REASON_EXPECT,
     1,
     NULL},
};

static void dialog_follows_its_steps(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct row *row = &rows[i];
        struct dialog_script script;
        struct end end;
        size_t size = row->size > 0 ? row->size : strlen(row->input);
        read_script(&script, row->steps);
        begin(&end, &script);
        feed(&end, row->input, size);
        finish(&end, row->then);
        bool sent = strcmp(end.sent, row->sent != NULL ? row->sent : "") == 0;
        if (end.late || end.state != row->state || end.reason != row->reason ||
            end.step != row->step || !sent) {
            char text[200];
            struct buffer note;
            buffer_init(&note, text, sizeof text);
            dialog_explain(&dialog, &note);
            fail_msg("row %zu (%s ...): state %d reason %s step %u sent '%s': %s", i, row->steps[0],
                     (int)end.state, reason_name(end.reason), end.step, end.sent, text);
        }
        dialog_script_free(&script);
        dialog_script_free(&script);
    }
}

static bool same_end(const struct end *a, const struct end *b)
{
    return a->state == b->state && a->reason == b->reason && a->step == b->step &&
           a->by_pattern == b->by_pattern && a->by_bytes == b->by_bytes &&
           a->sent_length == b->sent_length && memcmp(a->sent, b->sent, a->sent_length) == 0;
}

/* One cut into three, every way there is; and byte by byte. */
static void dialog_does_not_depend_on_segments(void **state)
{
    (void)state;
    struct end whole, split;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct row *row = &rows[i];
        struct dialog_script script;
        size_t size = row->size > 0 ? row->size : strlen(row->input);
        read_script(&script, row->steps);
        begin(&whole, &script);
        feed(&whole, row->input, size);
        finish(&whole, row->then);
        bool injected = whole.reason == REASON_PROTOCOL;
        for (size_t one = 0; one <= size; one++) {
            for (size_t two = one; two <= size; two++) {
                begin(&split, &script);
                feed(&split, row->input, one);
                feed(&split, row->input + one, two - one);
                feed(&split, row->input + two, size - two);
                finish(&split, row->then);
                /* What is injected may go to the handshake instead, which refuses it too. */
                if (!same_end(&whole, &split) && !(injected && split.late)) {
                    fail_msg("row %zu (%s ...) cut at %zu and %zu: state %d step %u sent '%s'", i,
                             row->steps[0], one, two, (int)split.state, split.step, split.sent);
                }
            }
        }
        begin(&split, &script);
        for (size_t at = 0; at < size; at++) {
            feed(&split, row->input + at, 1);
        }
        finish(&split, row->then);
        assert_true(same_end(&whole, &split) || (injected && split.late));
        dialog_script_free(&script);
    }
}

/* Random scripts over random text of a small alphabet, whole and in random segments. Rejects are
 * left out: they see what came along with a match (dialog.h). */
static void dialog_does_not_depend_on_segments_for_random_scripts(void **state)
{
    static const char *const steps[] = {
        "expect /^a/",          "expect /b$/",
        "expect /(a+)b/",       "expect /a|ab/",
        "expect /^(.*): /",     "expect /a.*b/",
        "expect /\\bb/",        "expect_bytes \"ab\"",
        "expect_bytes \"\\n\"", "send \"<${1}>\"",
        "expect /^$/",          "expect /(?!.*b)a/",
        "expect /x*/",          "expect_bytes \"b\\ra\"",
        "expect /:\\s+/",       "expect /a{3}/",
    };
    static const char alphabet[] = "aab: \r\n\n";
    uint32_t seed = 7;
    unsigned done = 0;
    (void)state;
    for (unsigned round = 0; round < 3000; round++) {
        const char *chosen[STEPS] = {"expect /()/"};
        char input[40];
        struct dialog_script script;
        struct end whole, split;
        for (unsigned i = 1; i < 5; i++) {
            seed = seed * 1664525u + 1013904223u;
            chosen[i] = steps[(seed >> 16) % ARRAY_LEN(steps)];
        }
        for (unsigned i = 0; i < sizeof input; i++) {
            seed = seed * 1664525u + 1013904223u;
            input[i] = alphabet[(seed >> 16) % (sizeof alphabet - 1)];
        }
        read_script(&script, chosen);
        enum then then = (enum then)(round % 3);
        begin(&whole, &script);
        feed(&whole, input, sizeof input);
        finish(&whole, then);
        done += whole.state == DIALOG_DONE;
        for (unsigned way = 0; way < 4; way++) {
            begin(&split, &script);
            for (size_t at = 0; at < sizeof input;) {
                seed = seed * 1664525u + 1013904223u;
                size_t count = way == 0 ? 1 : 1 + (seed >> 16) % (4 * way);
                count = count < sizeof input - at ? count : sizeof input - at;
                feed(&split, input + at, count);
                at += count;
            }
            finish(&split, then);
            if (!same_end(&whole, &split)) {
                fail_msg("round %u way %u: %s, %s, %s, %s: state %d/%d step %u/%u '%s'/'%s'", round,
                         way, chosen[1], chosen[2], chosen[3], chosen[4], (int)whole.state,
                         (int)split.state, whole.step, split.step, whole.sent, split.sent);
            }
        }
        dialog_script_free(&script);
    }
    assert_in_range(done, 300, 2900);
}

/* The one place where segments could matter, on purpose: text behind the match that came along. */
static void dialog_rejects_what_came_along_with_a_match(void **state)
{
    (void)state;
    static const char *const steps[STEPS] = {"reject /busy/", "expect /^220 /"};
    struct dialog_script script;
    struct end end;
    read_script(&script, steps);
    begin(&end, &script);
    feed(&end, "220 busy\r\n", 10);
    finish(&end, THEN_NOTHING);
    assert_int_equal(end.state, DIALOG_FAILED);
    assert_true(end.by_pattern);
    begin(&end, &script);
    feed(&end, "220 ", 4);
    feed(&end, "busy\r\n", 6);
    finish(&end, THEN_NOTHING);
    assert_int_equal(end.state, DIALOG_DONE);
    dialog_script_free(&script);
}

static void dialog_goes_on_inside_tls(void **state)
{
    (void)state;
    static const char *const steps[STEPS] = {"send \"STARTTLS\\n\"", "starttls", "send \"EHLO\\n\"",
                                             "expect /^250 (\\w+)/", "send \"${1}\\n\""};
    struct dialog_script script;
    struct end end;
    read_script(&script, steps);
    begin(&end, &script);
    feed(&end, "220 go", 6);
    assert_int_equal(dialog.state, DIALOG_OPEN); /* the rest of its line is still in clear */
    feed(&end, " ahead\r", 7);
    assert_int_equal(dialog.state, DIALOG_OPEN);
    feed(&end, "\n", 1);
    assert_int_equal(dialog.state, DIALOG_WANTS_TLS);
    assert_int_equal(dialog_room(&dialog), 0);
    dialog_secured(&dialog);
    drain(&end);
    feed(&end, "250 inside\r\n", 12);
    finish(&end, THEN_NOTHING);
    assert_int_equal(end.state, DIALOG_DONE);
    assert_string_equal(end.sent, "STARTTLS\nEHLO\ninside\n");
    dialog_script_free(&script);
}

/* --- Sends and pauses --- */

static void dialog_sends_back_what_fits_and_no_more(void **state)
{
    (void)state;
    static char input[CAP_DIALOG_OUTPUT_BYTES + 3];
    static const char *const once[STEPS] = {"expect /^(a+)$/", "send \"${1}\""};
    static const char *const twice[STEPS] = {"expect /^(a+)$/", "send \"${1}${1}\""};
    static const char *const thrice[STEPS] = {"expect /^(a+)$/", "send \"${1}${1}${1}\""};
    static const char *const after[STEPS] = {"send \"1\"", "send \"2\"", "expect /(a+)$/",
                                             "send \"${1}\""};
    static const struct {
        const char *const *steps;
        size_t length;
        enum reason reason;
    } sizes[] = {
        /* the whole match and its group are kept side by side */
        {once, CAP_DIALOG_OUTPUT_BYTES / 2, REASON_NONE},
        {once, CAP_DIALOG_OUTPUT_BYTES / 2 + 1, REASON_TOO_LARGE},
        {twice, CAP_DIALOG_OUTPUT_BYTES / 2, REASON_NONE},
        {twice, CAP_DIALOG_OUTPUT_BYTES, REASON_TOO_LARGE},
        {thrice, CAP_DIALOG_OUTPUT_BYTES / 3, REASON_NONE},
        {thrice, CAP_DIALOG_OUTPUT_BYTES / 2, REASON_TOO_LARGE},
        {after, 100, REASON_NONE},
    };
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        struct dialog_script script;
        struct end end;
        memset(input, 'a', sizes[i].length);
        input[sizes[i].length] = '\n';
        read_script(&script, sizes[i].steps);
        begin(&end, &script);
        feed(&end, input, sizes[i].length + 1);
        finish(&end, THEN_NOTHING);
        assert_int_equal(end.reason, sizes[i].reason);
        char text[CAP_NOTE_BYTES];
        struct buffer note;
        buffer_init(&note, text, sizeof text);
        dialog_explain(&dialog, &note);
        assert_null(strstr(text, "${1}")); /* no part of a send in a note: it may be a password */
        dialog_script_free(&script);
    }
}

/* Two sends that do not fit together: the second waits, and meanwhile input is still taken. */
static void dialog_sends_in_order_when_the_peer_takes_little(void **state)
{
    (void)state;
    static char text[2][CAP_DIALOG_OUTPUT_BYTES - 50];
    struct dialog_script script;
    char why[200];
    memset(&script, 0, sizeof script);
    for (unsigned i = 0; i < 2; i++) {
        memset(text[i], 'a' + (int)i, sizeof text[i]);
        memcpy(text[i], "send ", 5);
        assert_int_equal(dialog_script_add(&script, text[i], sizeof text[i], why, sizeof why),
                         ERROR_NONE);
    }
    size_t count, total = 0;
    dialog_begin(&dialog, &script);
    assert_int_equal(dialog.state, DIALOG_OPEN);
    assert_true(dialog_room(&dialog) > 0);
    dialog_feed(&dialog, "early", 5);
    const char *bytes = dialog_output(&dialog, &count);
    assert_int_equal(count, sizeof text[0] - 5);
    while (count > 0) {
        assert_int_equal(bytes[0], total < sizeof text[0] - 5 ? 'a' : 'b');
        dialog_sent(&dialog, 1);
        total++;
        bytes = dialog_output(&dialog, &count);
    }
    assert_int_equal(total, 2 * (sizeof text[0] - 5));
    assert_int_equal(dialog.state, DIALOG_DONE);
    dialog_script_free(&script);
}

/* A pause decides something only when there is something unfinished: the caller need not wake. */
static void dialog_wants_a_pause_only_where_it_could_matter(void **state)
{
    (void)state;
    static const char *const steps[STEPS] = {"expect /^a$/", "expect_bytes \"b\""};
    struct dialog_script script;
    struct end end;
    read_script(&script, steps);
    begin(&end, &script);
    assert_false(dialog_wants_quiet(&dialog));
    feed(&end, "x\r\n", 3);
    assert_false(dialog_wants_quiet(&dialog));
    feed(&end, "x", 1);
    assert_true(dialog_wants_quiet(&dialog));
    dialog_quiet(&dialog);
    assert_false(dialog_wants_quiet(&dialog));
    feed(&end, "\na", 2);
    assert_true(dialog_wants_quiet(&dialog));
    dialog_quiet(&dialog);
    assert_int_equal(dialog.step, 1);
    feed(&end, "x", 1);
    assert_false(dialog_wants_quiet(&dialog));
    dialog_script_free(&script);
}

/* --- Notes --- */

static void dialog_explains_itself_without_secrets(void **state)
{
    static const struct {
        const char *steps[STEPS];
        const char *input, *note;
    } notes[] = {
        {{"send \"hunter2\\n\"", "expect /^250/"},
         "500 no\r\n",
         "step 2 (expect /^250/): the peer closed the connection; received \"500 no\\r\\n\""},
        {{"expect_bytes \"\\x05\""},
         "",
         "step 1 (expect_bytes \"\\x05\"): the peer closed the connection; nothing was received"},
        {{"reject /^5/", "expect /^2/"},
         "\x1b[2J\n5\n",
         "step 1 (reject /^5/): matched; received \"\\x1b[2J\\n5\\n\""},
        {{"expect /^2/", "expect /x/"},
         "1\n2 b\n3\n",
         "step 2 (expect /x/): the peer closed the connection; received \" b\\n3\\n\""},
        {{"expect /^2/", "send \"a\"", "expect /x/"},
         "1\n2\n3\n",
         "step 3 (expect /x/): the peer closed the connection; nothing was received"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(notes); i++) {
        struct dialog_script script;
        struct end end;
        char text[CAP_NOTE_BYTES];
        struct buffer note;
        read_script(&script, notes[i].steps);
        begin(&end, &script);
        feed(&end, notes[i].input, strlen(notes[i].input));
        finish(&end, THEN_CLOSE);
        buffer_init(&note, text, sizeof text);
        dialog_explain(&dialog, &note);
        assert_string_equal(text, notes[i].note);
        dialog_script_free(&script);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dialog_follows_its_steps),
        cmocka_unit_test(dialog_does_not_depend_on_segments),
        cmocka_unit_test(dialog_does_not_depend_on_segments_for_random_scripts),
        cmocka_unit_test(dialog_rejects_what_came_along_with_a_match),
        cmocka_unit_test(dialog_goes_on_inside_tls),
        cmocka_unit_test(dialog_sends_back_what_fits_and_no_more),
        cmocka_unit_test(dialog_sends_in_order_when_the_peer_takes_little),
        cmocka_unit_test(dialog_wants_a_pause_only_where_it_could_matter),
        cmocka_unit_test(dialog_explains_itself_without_secrets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
