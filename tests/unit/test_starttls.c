/* Guards against dialogs that work only when a reply comes in one segment, and against bytes
 * slipped in before TLS that would later be taken for the server's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "starttls.h"

#define BYTES(text) text, sizeof(text) - 1
#define LDAP_OK     "\x30\x0C\x02\x01\x01\x78\x07\x0A\x01\x00\x04\x00\x04\x00"
#define LDAP_ASK                                                                                   \
    "\x30\x1D\x02\x01\x01\x77\x18\x80\x16"                                                         \
    "1.3.6.1.4.1.1466.20037"

static const struct row {
    enum starttls_protocol protocol;
    const char *said; /* by the server, all of it */
    size_t said_count;
    enum starttls_state state;
    const char *sent; /* by us, all of it */
    size_t sent_count;
    const char *why; /* a part of it */
} rows[] = {
    {STARTTLS_NONE, BYTES(""), STARTTLS_READY, BYTES(""), ""},
    {STARTTLS_NONE, BYTES("x"), STARTTLS_REFUSED, BYTES(""), "in clear"},

    {STARTTLS_SMTP, BYTES("220 mx ESMTP\r\n250-mx\r\n250-SIZE 1\r\n250 STARTTLS\r\n220 go\r\n"),
     STARTTLS_READY, BYTES("EHLO picket\r\nSTARTTLS\r\n"), ""},
    {STARTTLS_SMTP, BYTES("220-one\r\n220-two\r\n220 three\r\n250 mx\r\n220\r\n"), STARTTLS_READY,
     BYTES("EHLO picket\r\nSTARTTLS\r\n"), ""},
    {STARTTLS_SMTP, BYTES("220 bare line ends\n250 x\n220 x\n"), STARTTLS_READY,
     BYTES("EHLO picket\r\nSTARTTLS\r\n"), ""},
    {STARTTLS_SMTP, BYTES("220 mx\r\n250 mx\r\n220 go\r"), STARTTLS_MORE,
     BYTES("EHLO picket\r\nSTARTTLS\r\n"), ""},
    {STARTTLS_SMTP, BYTES("220 mx\r\n250 mx\r\n220 go\r\n250 injected\r\n"), STARTTLS_REFUSED,
     BYTES("EHLO picket\r\nSTARTTLS\r\n"), "in clear"},
    {STARTTLS_SMTP, BYTES("220 mx\r\n250 mx\r\n220 go\r\n\x16"), STARTTLS_REFUSED,
     BYTES("EHLO picket\r\nSTARTTLS\r\n"), "in clear"},
    {STARTTLS_SMTP, BYTES("554 go away\r\n"), STARTTLS_REFUSED, BYTES(""), "554 go away"},
    {STARTTLS_SMTP, BYTES("220 mx\r\n500 what\r\n"), STARTTLS_REFUSED, BYTES("EHLO picket\r\n"),
     "500 what"},
    {STARTTLS_SMTP, BYTES("220 mx\r\n250 mx\r\n454 no certificate\r\n"), STARTTLS_REFUSED,
     BYTES("EHLO picket\r\nSTARTTLS\r\n"), "454 no certificate"},
    {STARTTLS_SMTP, BYTES("220 mx\r\n250-mx\r\n550 inside a reply\r\n250 mx\r\n220 x\r\n"),
     STARTTLS_READY, BYTES("EHLO picket\r\nSTARTTLS\r\n"), ""},
    {STARTTLS_SMTP, BYTES("2200 no code\r\n"), STARTTLS_REFUSED, BYTES(""), "2200 no code"},
    {STARTTLS_SMTP, BYTES("SSH-2.0-x\r\n"), STARTTLS_REFUSED, BYTES(""), "SSH-2.0-x"},
    {STARTTLS_SMTP, BYTES("\r\n"), STARTTLS_REFUSED, BYTES(""), "server answered"},
    {STARTTLS_SMTP, BYTES("22\0 x\r\n"), STARTTLS_REFUSED, BYTES(""), "22? x"},
    {STARTTLS_SMTP, BYTES(""), STARTTLS_MORE, BYTES(""), ""},

    {STARTTLS_IMAP, BYTES("* OK ready\r\na OK go\r\n"), STARTTLS_READY, BYTES("a STARTTLS\r\n"),
     ""},
    {STARTTLS_IMAP, BYTES("* ok [CAPABILITY X]\r\n* CAPABILITY Y\r\nA ok\r\n"), STARTTLS_READY,
     BYTES("a STARTTLS\r\n"), ""},
    {STARTTLS_IMAP, BYTES("* PREAUTH x\r\na BAD x\r\n"), STARTTLS_REFUSED, BYTES("a STARTTLS\r\n"),
     "a BAD x"},
    {STARTTLS_IMAP, BYTES("* BYE full\r\n"), STARTTLS_REFUSED, BYTES(""), "BYE"},
    {STARTTLS_IMAP, BYTES("* OK x\r\n* BYE now\r\n"), STARTTLS_REFUSED, BYTES("a STARTTLS\r\n"),
     "BYE"},
    {STARTTLS_IMAP, BYTES("* OK x\r\na NO tls\r\n"), STARTTLS_REFUSED, BYTES("a STARTTLS\r\n"),
     "NO tls"},
    {STARTTLS_IMAP, BYTES("* OKAY\r\n"), STARTTLS_REFUSED, BYTES(""), "OKAY"},
    {STARTTLS_IMAP, BYTES("* OK x\r\na OK go\r\n* OK injected\r\n"), STARTTLS_REFUSED,
     BYTES("a STARTTLS\r\n"), "in clear"},

    {STARTTLS_POP3, BYTES("+OK pop\r\n+OK go\r\n"), STARTTLS_READY, BYTES("STLS\r\n"), ""},
    {STARTTLS_POP3, BYTES("+OK pop\r\n-ERR no\r\n"), STARTTLS_REFUSED, BYTES("STLS\r\n"), "-ERR"},
    {STARTTLS_POP3, BYTES("-ERR x\r\n"), STARTTLS_REFUSED, BYTES(""), "-ERR"},

    {STARTTLS_FTP, BYTES("220 ftp\r\n234 go\r\n"), STARTTLS_READY, BYTES("AUTH TLS\r\n"), ""},
    {STARTTLS_FTP, BYTES("120 soon\r\n220-hello\r\nfree text\r\n 220 indented\r\n220 x\r\n334\r\n"),
     STARTTLS_READY, BYTES("AUTH TLS\r\n"), ""},
    {STARTTLS_FTP, BYTES("220 ftp\r\n530 no\r\n"), STARTTLS_REFUSED, BYTES("AUTH TLS\r\n"), "530"},
    {STARTTLS_FTP, BYTES("421 busy\r\n"), STARTTLS_REFUSED, BYTES(""), "421"},

    {STARTTLS_POSTGRES, BYTES(""), STARTTLS_MORE, BYTES("\0\0\0\x08\x04\xD2\x16\x2F"), ""},
    {STARTTLS_POSTGRES, BYTES("S"), STARTTLS_READY, BYTES("\0\0\0\x08\x04\xD2\x16\x2F"), ""},
    {STARTTLS_POSTGRES, BYTES("N"), STARTTLS_REFUSED, BYTES("\0\0\0\x08\x04\xD2\x16\x2F"),
     "switched off"},
    {STARTTLS_POSTGRES, BYTES("Efatal"), STARTTLS_REFUSED, BYTES("\0\0\0\x08\x04\xD2\x16\x2F"),
     "error"},
    {STARTTLS_POSTGRES, BYTES("H"), STARTTLS_REFUSED, BYTES("\0\0\0\x08\x04\xD2\x16\x2F"),
     "not PostgreSQL"},
    {STARTTLS_POSTGRES, BYTES("Sx"), STARTTLS_REFUSED, BYTES("\0\0\0\x08\x04\xD2\x16\x2F"),
     "in clear"},

    {STARTTLS_LDAP, BYTES(""), STARTTLS_MORE, BYTES(LDAP_ASK), ""},
    {STARTTLS_LDAP, BYTES(LDAP_OK), STARTTLS_READY, BYTES(LDAP_ASK), ""},
    {STARTTLS_LDAP, BYTES("\x30\x84"), STARTTLS_REFUSED, BYTES(LDAP_ASK), "not LDAP"},
    {STARTTLS_LDAP, BYTES("\x30\x81\x0C\x02\x01\x01\x78\x07\x0A\x01\x00\x04\x00\x04\x00"),
     STARTTLS_READY, BYTES(LDAP_ASK), ""},
    {STARTTLS_LDAP, BYTES("\x30\x82\x00\x0C\x02\x01\x01\x78\x07\x0A\x01\x00\x04\x00\x04\x00"),
     STARTTLS_READY, BYTES(LDAP_ASK), ""},
    {STARTTLS_LDAP, BYTES("\x30\x0C\x02\x01\x01\x78\x07\x0A\x01\x35\x04\x00\x04\x00"),
     STARTTLS_REFUSED, BYTES(LDAP_ASK), "result code 53"},
    {STARTTLS_LDAP, BYTES("\x30\x0C\x02\x01\x00\x78\x07\x0A\x01\x34\x04\x00\x04\x00"),
     STARTTLS_REFUSED, BYTES(LDAP_ASK), "not LDAP's to the request"},
    {STARTTLS_LDAP, BYTES("\x30\x0C\x02\x01\x01\x61\x07\x0A\x01\x00\x04\x00\x04\x00"),
     STARTTLS_REFUSED, BYTES(LDAP_ASK), "not LDAP's to the request"},
    {STARTTLS_LDAP, BYTES("\x30\x03\x02\x01\x01"), STARTTLS_REFUSED, BYTES(LDAP_ASK),
     "not LDAP's to the request"},
    {STARTTLS_LDAP, BYTES("\x30\x05\x02\x01\x01\x78\x00"), STARTTLS_REFUSED, BYTES(LDAP_ASK),
     "not LDAP's to the request"},
    {STARTTLS_LDAP, BYTES("\x30\x07\x02\x01\x01\x78\x07\x0A\x01"), STARTTLS_REFUSED,
     BYTES(LDAP_ASK), "not LDAP's to the request"}, /* a part longer than the whole */
    {STARTTLS_LDAP, BYTES("\x30\x00"), STARTTLS_REFUSED, BYTES(LDAP_ASK), "not LDAP"},
    {STARTTLS_LDAP, BYTES("H"), STARTTLS_REFUSED, BYTES(LDAP_ASK), "not LDAP"},
    {STARTTLS_LDAP, BYTES("\x30\x80"), STARTTLS_REFUSED, BYTES(LDAP_ASK), "not LDAP"},
    {STARTTLS_LDAP, BYTES("\x30\x83\x01\x00\x00"), STARTTLS_REFUSED, BYTES(LDAP_ASK), "not LDAP"},
    {STARTTLS_LDAP, BYTES(LDAP_OK "\x30"), STARTTLS_REFUSED, BYTES(LDAP_ASK), "in clear"},
};

struct end {
    enum starttls_state state;
    char sent[128];
    size_t sent_count;
    char why[sizeof((struct starttls *)0)->why];
};

static void drain(struct starttls *dialog, struct end *end, size_t at_most)
{
    size_t count;
    const void *bytes = starttls_output(dialog, &count);
    count = count < at_most ? count : at_most;
    assert_true(end->sent_count + count <= sizeof end->sent);
    memcpy(end->sent + end->sent_count, bytes, count);
    end->sent_count += count;
    starttls_sent(dialog, count);
}

/* Feeds the server's words cut before each index at which `cuts` says so; what is to be sent is
 * sent a few bytes at a time, and at every cut. */
static void run_cut(const struct row *row, bool (*cut)(size_t index, size_t at), size_t at,
                    struct end *end)
{
    struct starttls dialog;
    memset(end, 0, sizeof *end);
    starttls_begin(&dialog, row->protocol);
    size_t from = 0;
    for (size_t i = 1; i <= row->said_count; i++) {
        if (i == row->said_count || cut(i, at)) {
            drain(&dialog, end, 3);
            starttls_feed(&dialog, row->said + from, i - from);
            from = i;
        }
    }
    end->state = dialog.state;
    memcpy(end->why, dialog.why, sizeof end->why);
    /* What was refused says nothing more; compare what was queued before that. */
    memcpy(end->sent, dialog.out, sizeof dialog.out);
    end->sent_count = dialog.out_length;
}

static bool nowhere(size_t index, size_t at)
{
    (void)index;
    (void)at;
    return false;
}

static bool once(size_t index, size_t at)
{
    return index == at;
}

static bool everywhere(size_t index, size_t at)
{
    (void)index;
    (void)at;
    return true;
}

static void dialogs_end_as_their_protocol_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct end end;
        run_cut(&rows[i], nowhere, 0, &end);
        if (end.state != rows[i].state || end.sent_count != rows[i].sent_count ||
            memcmp(end.sent, rows[i].sent, end.sent_count) != 0 ||
            strstr(end.why, rows[i].why) == NULL) {
            fail_msg("row %zu (%s): state %d, sent %zu, why %s", i,
                     starttls_names[rows[i].protocol], end.state, end.sent_count, end.why);
        }
    }
}

static void segments_make_no_difference(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct end whole, cut;
        run_cut(&rows[i], nowhere, 0, &whole);
        run_cut(&rows[i], everywhere, 0, &cut);
        assert_memory_equal(&whole, &cut, sizeof whole);
        for (size_t at = 1; at < rows[i].said_count; at++) {
            run_cut(&rows[i], once, at, &cut);
            assert_memory_equal(&whole, &cut, sizeof whole);
        }
    }
}

/* Every prefix of a good dialog waits for more: nothing is ready or refused too early. */
static void no_prefix_is_ready(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        for (size_t count = 0; rows[i].state == STARTTLS_READY && count < rows[i].said_count;
             count++) {
            struct row prefix = rows[i];
            struct end end;
            prefix.said_count = count;
            run_cut(&prefix, nowhere, 0, &end);
            assert_int_equal(end.state, STARTTLS_MORE);
        }
    }
}

static void a_server_that_never_stops_is_refused(void **state)
{
    static const struct {
        enum starttls_protocol protocol;
        const char *piece;
    } endless[] = {{STARTTLS_SMTP, "220-x\r\n"},
                   {STARTTLS_SMTP, "x"},
                   {STARTTLS_IMAP, "* OK\r\n"},
                   {STARTTLS_FTP, "120 x\r\n"}};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(endless); i++) {
        struct starttls dialog;
        size_t fed = 0;
        starttls_begin(&dialog, endless[i].protocol);
        while (starttls_feed(&dialog, endless[i].piece, strlen(endless[i].piece)) ==
                   STARTTLS_MORE &&
               fed < 2 * STARTTLS_BYTES_MAX) {
            fed += strlen(endless[i].piece);
        }
        assert_int_equal(dialog.state, STARTTLS_REFUSED);
        assert_true(fed <= STARTTLS_BYTES_MAX);
        assert_non_null(strstr(dialog.why, "too much"));
    }
}

static void a_long_ldap_answer_is_refused(void **state)
{
    struct starttls dialog;
    uint8_t big[STARTTLS_MESSAGE_BYTES + 8] = {0x30, 0x82, 0xFF, 0xFF};
    (void)state;
    starttls_begin(&dialog, STARTTLS_LDAP);
    assert_int_equal(starttls_feed(&dialog, big, sizeof big), STARTTLS_REFUSED);
}

static void a_long_line_is_judged_by_its_beginning(void **state)
{
    struct starttls dialog;
    char line[2000];
    (void)state;
    memset(line, 'x', sizeof line);
    memcpy(line, "220 ", 4);
    line[sizeof line - 1] = '\n';
    starttls_begin(&dialog, STARTTLS_SMTP);
    assert_int_equal(starttls_feed(&dialog, line, sizeof line), STARTTLS_MORE);
    assert_int_equal(dialog.step, 1);
    memcpy(line, "550 ", 4);
    assert_int_equal(starttls_feed(&dialog, line, sizeof line), STARTTLS_REFUSED);
    assert_true(strlen(dialog.why) < sizeof dialog.why);
}

static void names_and_ports_belong_to_each_other(void **state)
{
    (void)state;
    assert_null(starttls_names[STARTTLS_PROTOCOL_COUNT]);
    assert_string_equal(starttls_names[STARTTLS_LDAP], "ldap");
    for (int i = 0; i < STARTTLS_PROTOCOL_COUNT; i++) {
        assert_non_null(starttls_names[i]);
        assert_int_not_equal(starttls_port((enum starttls_protocol)i), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dialogs_end_as_their_protocol_says),
        cmocka_unit_test(segments_make_no_difference),
        cmocka_unit_test(no_prefix_is_ready),
        cmocka_unit_test(a_server_that_never_stops_is_refused),
        cmocka_unit_test(a_long_ldap_answer_is_refused),
        cmocka_unit_test(a_long_line_is_judged_by_its_beginning),
        cmocka_unit_test(names_and_ports_belong_to_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
