/* The tcp probe through the real runner against a scripted server in the same thread. Guards
 * against a wrong reason or phase, a run past its deadline, anything said to a peer that is not
 * trusted, bytes in clear that count as said inside TLS, and descriptors that stay open. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <sys/resource.h>
#include <time.h>

#include "probe_harness.h"
#include "registry.h"
#include "script_server.h"

#define TURN_US USEC_PER_MSEC
enum { TURNS_MAX = 20000, TEXT_BYTES = 8192 };

static struct made root, leaf, expired, future, stranger;
static char folder[] = "/tmp/test_tcp.XXXXXX";
static char ca_path[64];

static usec_t monotonic_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * USEC_PER_SEC + now.tv_nsec / 1000;
}

static int make_certificates(void **state)
{
    (void)state;
    const char *authority = "CN=root";
    made_new(&root, &(struct made_plan){.subject = authority, .authority = true}, NULL, NULL);
    struct made_plan plan = {.dns = {"lab.example"}, .address = {127, 0, 0, 1}};
    made_new(&leaf, &plan, &root, authority);
    made_new(&stranger, &plan, NULL, NULL);
    plan.until = "20210101000000";
    made_new(&expired, &plan, &root, authority);
    plan.from = "20800101000000";
    plan.until = "20900101000000";
    made_new(&future, &plan, &root, authority);
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    snprintf(ca_path, sizeof ca_path, "%s/root.pem", folder);
    made_save(&root, ca_path, NULL);
    return 0;
}

static int forget_certificates(void **state)
{
    (void)state;
    unlink(ca_path);
    rmdir(folder);
    made_free(&root);
    made_free(&leaf);
    made_free(&expired);
    made_free(&future);
    made_free(&stranger);
    return 0;
}

static struct harness *open_probe(uint16_t port, const char *keys)
{
    static const struct probe_ops *const kinds[] = {&tcp_probe};
    static char text[TEXT_BYTES];
    snprintf(text, sizeof text, "[tcp x]\naddress = 127.0.0.1:%u\n%s%s", port,
             strstr(keys, "timeout") == NULL ? "timeout = 2s\n" : "", keys);
    struct harness *harness = harness_new(text, kinds, 1);
    if (harness->runner == NULL) {
        fail_msg("%s%s", text, harness->error_text);
    }
    return harness;
}

/* Runs target 0 while the server plays its script. */
static void play(struct harness *harness, struct script_server *server, struct result *result)
{
    usec_t patience_us = monotonic_us() + 10 * USEC_PER_SEC;
    harness_start(harness, 0);
    while (!harness->prober.collect(harness->prober.context, result)) {
        assert_true(monotonic_us() < patience_us);
        script_server_step(server);
        harness_turn(harness, TURN_US);
    }
    script_server_step(server); /* hears what was said last */
}

static void run_once(const struct server_action *actions, struct made *made, const char *keys,
                     struct script_server *server, struct result *result)
{
    script_server_open(server, actions);
    server->made = made;
    struct harness *harness = open_probe(server->port, keys);
    play(harness, server, result);
    harness_free(harness);
    script_server_close(server);
}

static void check(const char *what, const struct result *result, enum outcome outcome,
                  enum reason reason, enum phase phase)
{
    if (result->outcome != outcome || result->reason != reason || result->phase != phase) {
        fail_msg("%s: %s %s in %s (%s)", what, outcome_name(result->outcome),
                 reason_name(result->reason), phase_name(result->phase), result->note);
    }
}

#define PHASES(tls)                                                                                \
    (PHASE_BIT(PHASE_RESOLVE) | PHASE_BIT(PHASE_CONNECT) | PHASE_BIT(PHASE_DIALOG) |               \
     ((tls) ? PHASE_BIT(PHASE_TLS) : 0))

/* --- In clear --- */

#define SMTP "step = expect /^220 /\nstep = send \"EHLO x\\r\\n\"\nstep = expect /^250 (\\w+)/\n"

static void tcp_dialogs_end_as_the_peer_deserves(void **state)
{
    static const struct {
        const char *what, *keys;
        struct server_action actions[8];
        enum outcome outcome;
        enum reason reason;
        enum phase phase;
        const char *note;
        int regex, bytes; /* the facts; -1: not set */
    } rows[] = {
        {"connect only", "", {{0}}, OUTCOME_SUCCESS, REASON_NONE, PHASE_NONE, "", -1, -1},
        {"a dialog",
         SMTP "step = send \"${1}\"\n",
         {{SERVER_SAY, "220 hello\r\n"}, {SERVER_HEAR, "EHLO x\r\n"}, {SERVER_SAY, "250 yes\r\n"}},
         OUTCOME_SUCCESS,
         REASON_NONE,
         PHASE_NONE,
         "",
         0,
         -1},
        {"in drops",
         SMTP,
         {{SERVER_DRIP, "220 hello\r\n"},
          {SERVER_HEAR, "EHLO x\r\n"},
          {SERVER_DRIP, "250-a\r\n250 b\r\n"}},
         OUTCOME_SUCCESS,
         REASON_NONE,
         PHASE_NONE,
         "",
         0,
         -1},
        {"closes at once",
         SMTP,
         {{SERVER_CLOSE, NULL}},
         OUTCOME_FAILURE,
         REASON_EXPECT,
         PHASE_DIALOG,
         "step 1 (expect /^220 /): the peer closed the connection; nothing",
         1,
         -1},
        {"closes in the middle",
         SMTP,
         {{SERVER_SAY, "220 hello\r\n"},
          {SERVER_HEAR, "EHLO x\r\n"},
          {SERVER_SAY, "421 busy\r\n"},
          {SERVER_CLOSE, NULL}},
         OUTCOME_FAILURE,
         REASON_EXPECT,
         PHASE_DIALOG,
         "; received \"421 busy\\r\\n\"",
         1,
         -1},
        {"says it and closes",
         "step = expect /^bye$/\n",
         {{SERVER_SAY, "bye"}, {SERVER_CLOSE, NULL}},
         OUTCOME_SUCCESS,
         REASON_NONE,
         PHASE_NONE,
         "",
         0,
         -1},
        {"resets",
         SMTP,
         {{SERVER_SAY, "220 x\r\n"}, {SERVER_HEAR, "EHLO x\r\n"}, {SERVER_RESET, NULL}},
         OUTCOME_FAILURE,
         REASON_RESET,
         PHASE_DIALOG,
         "",
         0,
         -1},
        {"a reject",
         "step = reject /^5/\n" SMTP,
         {{SERVER_SAY, "554 go away\r\n"}},
         OUTCOME_FAILURE,
         REASON_EXPECT,
         PHASE_DIALOG,
         "step 1 (reject /^5/): matched; received \"554 go away",
         1,
         -1},
        {"bytes",
         "step = expect_bytes \"\\x00\\x01\"\n",
         {{SERVER_SAY, "abc"}, {SERVER_CLOSE, NULL}},
         OUTCOME_FAILURE,
         REASON_EXPECT,
         PHASE_DIALOG,
         "received \"abc\"",
         -1,
         1},
        {"a flood",
         "step = expect /x/\n",
         {{SERVER_FLOOD, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}},
         OUTCOME_FAILURE,
         REASON_TOO_LARGE,
         PHASE_DIALOG,
         "sent too much",
         0,
         -1},
        {"silence",
         "timeout = 300ms\nstep = expect /x/\n",
         {{0}},
         OUTCOME_FAILURE,
         REASON_TIMEOUT,
         PHASE_DIALOG,
         "step 1 (expect /x/): still waiting; nothing was received",
         0,
         -1},
        {"a prompt that a blank could follow",
         "step = expect /login:\\s*$/\nstep = send \"me\\n\"\n",
         {{SERVER_SAY, "login: "}},
         OUTCOME_SUCCESS,
         REASON_NONE,
         PHASE_NONE,
         "",
         0,
         -1},
        {"a group that never ends in time",
         "timeout = 300ms\nstep = expect /(\\d+)/\n",
         {{SERVER_SAY, "12"}},
         OUTCOME_FAILURE,
         REASON_TIMEOUT,
         PHASE_DIALOG,
         "received \"12\"",
         0,
         -1},
    };
    (void)state;
    unsigned descriptors = harness_open_descriptors();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct script_server server;
        struct result result;
        run_once(rows[i].actions, NULL, rows[i].keys, &server, &result);
        check(rows[i].what, &result, rows[i].outcome, rows[i].reason, rows[i].phase);
        if (strstr(result.note, rows[i].note) == NULL) {
            fail_msg("%s: %s", rows[i].what, result.note);
        }
        /* Without a step there is no dialog, so no phase of that name either. */
        bool has_steps = rows[i].keys[0] != '\0';
        assert_int_equal(result.phases_reached,
                         has_steps ? PHASES(false) : PHASES(false) & ~PHASE_BIT(PHASE_DIALOG));
        bool regex = (result.facts_set & FACT_BIT(FACT_FAILED_DUE_TO_REGEX)) != 0;
        bool bytes = (result.facts_set & FACT_BIT(FACT_FAILED_DUE_TO_BYTES)) != 0;
        assert_int_equal(regex ? (int)result.facts[FACT_FAILED_DUE_TO_REGEX] : -1, rows[i].regex);
        assert_int_equal(bytes ? (int)result.facts[FACT_FAILED_DUE_TO_BYTES] : -1, rows[i].bytes);
        assert_int_equal(harness_open_descriptors(), descriptors);
    }
}

static void tcp_sends_exactly_what_is_written(void **state)
{
    (void)state;
    static const struct server_action actions[] = {{SERVER_SAY, "challenge 4f2a\n"},
                                                   {SERVER_END, NULL}};
    struct script_server server;
    struct result result;
    run_once(actions, NULL,
             "step = expect /^challenge (\\w+)/\nstep = send \"answer ${1}\\t\\x01\"\n"
             "step = send QUIT\n",
             &server, &result);
    assert_int_equal(result.outcome, OUTCOME_SUCCESS);
    assert_int_equal(server.heard_count, 17);
    assert_memory_equal(server.heard, "answer 4f2a\t\x01QUIT", 17);
}

/* A peer that drips one byte at a time for ever: the deadline does not move with it. */
static void tcp_ends_at_its_deadline_whatever_the_peer_does(void **state)
{
    static char drops[20000];
    const struct server_action rows[][2] = {
        {{SERVER_DRIP, drops}}, {{SERVER_END, NULL}}, {{SERVER_TLS, NULL}}, {{SERVER_HEAR, "x"}}};
    (void)state;
    memset(drops, 'a', sizeof drops - 1);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        for (unsigned tls = 0; tls < 2; tls++) {
            struct script_server server;
            struct result result;
            if (tls == 1 && rows[i][0].verb == SERVER_TLS) {
                continue;
            }
            script_server_open(&server, rows[i]);
            server.made = &leaf;
            struct harness *harness =
                open_probe(server.port, tls == 1 ? "timeout = 400ms\ntls = on\nverify = off\n"
                                                 : "timeout = 400ms\nstep = expect /x/\n");
            usec_t before_us = monotonic_us();
            play(harness, &server, &result);
            usec_t took_us = monotonic_us() - before_us;
            unsigned turns = harness->turns;
            harness_free(harness);
            script_server_close(&server);
            if (tls == 1 && rows[i][0].verb == SERVER_DRIP) {
                check("drops are no TLS", &result, OUTCOME_FAILURE, REASON_TLS_HANDSHAKE,
                      PHASE_TLS);
                continue;
            }
            check("cut", &result, OUTCOME_FAILURE, REASON_TIMEOUT,
                  tls == 1 ? PHASE_TLS : PHASE_DIALOG);
            assert_true(took_us >= 400 * USEC_PER_MSEC);
            assert_true(took_us <= 650 * USEC_PER_MSEC);
            assert_true(result.duration_us <= 650 * USEC_PER_MSEC);
            if (rows[i][0].verb != SERVER_DRIP) {
                assert_true(turns < 600); /* it slept: no turn of 1 ms was without a reason */
            }
        }
    }
}

static void tcp_names_what_kept_it_from_connecting(void **state)
{
    (void)state;
    struct script_server server;
    struct result result;
    static const struct server_action nothing[] = {{SERVER_END, NULL}};
    script_server_open(&server, nothing);
    script_server_close(&server);
    struct harness *harness = open_probe(server.port, "step = expect /x/\n");
    assert_int_equal(harness_run_target(harness, 0, &result), ERROR_NONE);
    check("refused", &result, OUTCOME_FAILURE, REASON_REFUSED, PHASE_CONNECT);
    assert_int_equal(result.phases_reached, PHASE_BIT(PHASE_RESOLVE) | PHASE_BIT(PHASE_CONNECT));
    assert_true(result.facts[FACT_FAILED_DUE_TO_REGEX] == 0);
    harness_free(harness);

    /* A listener whose queue is full answers no SYN. */
    int fillers[8];
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    script_server_open(&server, nothing);
    assert_int_equal(listen(server.listener, 0), 0);
    address.sin_port = htons(server.port);
    for (size_t i = 0; i < ARRAY_LEN(fillers); i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        connect(fillers[i], (struct sockaddr *)&address, sizeof address);
    }
    harness = open_probe(server.port, "timeout = 300ms\n");
    usec_t before_us = monotonic_us();
    assert_int_equal(harness_run_target(harness, 0, &result), ERROR_NONE);
    check("black hole", &result, OUTCOME_FAILURE, REASON_TIMEOUT, PHASE_CONNECT);
    assert_true(monotonic_us() - before_us <= 550 * USEC_PER_MSEC);
    harness_free(harness);
    for (size_t i = 0; i < ARRAY_LEN(fillers); i++) {
        close(fillers[i]);
    }
    script_server_close(&server);
}

static void tcp_without_descriptors_is_unknown(void **state)
{
    (void)state;
    static const struct server_action nothing[] = {{SERVER_END, NULL}};
    struct script_server server;
    struct result result;
    struct rlimit limit, none;
    script_server_open(&server, nothing);
    struct harness *harness = open_probe(server.port, "");
    getrlimit(RLIMIT_NOFILE, &limit);
    none = limit;
    none.rlim_cur = 3;
    setrlimit(RLIMIT_NOFILE, &none);
    enum error error = harness_run_target(harness, 0, &result);
    setrlimit(RLIMIT_NOFILE, &limit);
    assert_int_equal(error, ERROR_NONE);
    check("EMFILE", &result, OUTCOME_UNKNOWN, REASON_NONE, PHASE_CONNECT);
    harness_free(harness);
    script_server_close(&server);
}

/* Takes the client's connection to `port` most of its room to write. */
static void narrow(uint16_t port)
{
    int small = 2048;
    for (int fd = 3; fd < 64; fd++) {
        struct sockaddr_in peer = {.sin_port = 0};
        socklen_t size = sizeof peer;
        if (getpeername(fd, (struct sockaddr *)&peer, &size) == 0 && ntohs(peer.sin_port) == port) {
            setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
        }
    }
}

/* 45 sends of 4 000 bytes to a peer that reads only when it has to: partial writes, in order. */
static void tcp_sends_all_of_it_to_a_slow_reader(void **state)
{
    (void)state;
    static const struct server_action nothing[] = {{SERVER_END, NULL}};
    static char keys[TEXT_BYTES], long_send[4010];
    enum { SENDS = 45 };
    struct script_server server;
    struct result result;
    static const struct probe_ops *const kinds[] = {&tcp_probe};
    static char text[SENDS * 4040];
    script_server_open(&server, nothing);
    int small = 2048;
    setsockopt(server.listener, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    snprintf(keys, sizeof keys, "[tcp x]\naddress = 127.0.0.1:%u\ntimeout = 4s\n", server.port);
    size_t used = (size_t)snprintf(text, sizeof text, "%s", keys);
    for (unsigned i = 0; i < SENDS; i++) {
        memset(long_send, '0' + (int)i, 4000);
        long_send[4000] = '\0';
        for (size_t at = 0; at < 4000; at++) {
            long_send[at] = (char)('a' + (i + at) % 26);
        }
        used += (size_t)snprintf(text + used, sizeof text - used, "step = send %s\n", long_send);
    }
    struct harness *harness = harness_new(text, kinds, 1);
    if (harness->runner == NULL) {
        fail_msg("%s", harness->error_text);
    }
    harness_start(harness, 0);
    size_t heard = 0;
    unsigned turns = 0, blocked = 0;
    bool done = false;
    while (heard < SENDS * 4000u) {
        assert_true(++turns < TURNS_MAX);
        if (server.fd < 0) {
            server.fd = accept4(server.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        }
        narrow(server.port);
        harness_turn(harness, TURN_US);
        done = done || harness->prober.collect(harness->prober.context, &result);
        /* It waits for room: a write was refused, or taken in part. */
        const struct pollfd *at = &harness->waits.at[0];
        blocked += harness->waits.count == 1 && (at->events & POLLOUT) != 0;
        char bytes[3000];
        ssize_t got = turns % 2 == 0 ? recv(server.fd, bytes, sizeof bytes, MSG_DONTWAIT) : 0;
        for (ssize_t i = 0; i < got; i++, heard++) {
            assert_int_equal(bytes[i], 'a' + (heard / 4000 + heard % 4000) % 26);
        }
    }
    if (!done) {
        assert_int_equal(harness_collect(harness, &result), ERROR_NONE);
    }
    check("slow reader", &result, OUTCOME_SUCCESS, REASON_NONE, PHASE_NONE);
    assert_true(blocked > 10);
    harness_free(harness);
    script_server_close(&server);
}

static void tcp_targets_do_not_delay_each_other(void **state)
{
    (void)state;
    static const struct server_action quick[] = {{SERVER_SAY, "ok\n"}, {SERVER_END, NULL}};
    static const struct server_action silent[] = {{SERVER_END, NULL}};
    static const struct probe_ops *const kinds[] = {&tcp_probe};
    struct script_server first, second;
    struct result result;
    char text[300];
    script_server_open(&first, silent);
    script_server_open(&second, quick);
    snprintf(text, sizeof text,
             "[tcp x]\naddress = 127.0.0.1:%u\naddress = 127.0.0.1:%u\ntimeout = 1s\n"
             "step = expect /ok/\n",
             first.port, second.port);
    struct harness *harness = harness_new(text, kinds, 1);
    assert_non_null(harness->runner);
    harness_start(harness, 0);
    harness_start(harness, 1);
    while (!harness->prober.collect(harness->prober.context, &result)) {
        script_server_step(&first);
        script_server_step(&second);
        harness_turn(harness, TURN_US);
    }
    assert_int_equal(result.target, 1);
    assert_int_equal(result.outcome, OUTCOME_SUCCESS);
    assert_true(result.duration_us < 500 * USEC_PER_MSEC);
    assert_int_equal(harness_collect(harness, &result), ERROR_NONE);
    check("silent", &result, OUTCOME_FAILURE, REASON_TIMEOUT, PHASE_DIALOG);
    harness_free(harness);
    script_server_close(&first);
    script_server_close(&second);
}

/* --- TLS --- */

#define STARTTLS_DIALOG                                                                            \
    "step = expect /^220 /\nstep = send \"EHLO x\\r\\n\"\nstep = expect /^250[ -]STARTTLS/\n"      \
    "step = send \"STARTTLS\\r\\n\"\nstep = starttls\nstep = send \"NOOP\\r\\n\"\n"                \
    "step = expect /^250 inside/\n"

static const struct server_action starttls_actions[] = {
    {SERVER_SAY, "220 lab\r\n"},
    {SERVER_HEAR, "EHLO x\r\n"},
    {SERVER_SAY, "250-lab\r\n250-STARTTLS\r\n250 OK\r\n"},
    {SERVER_HEAR, "STARTTLS\r\n"},
    {SERVER_SAY, "220 go\r\n"},
    {SERVER_TLS, NULL},
    {SERVER_HEAR, "NOOP\r\n"},
    {SERVER_SAY, "250 inside\r\n"},
    {SERVER_END, NULL},
};

static void tcp_trusts_before_it_talks(void **state)
{
    static const struct server_action talk[] = {
        {SERVER_TLS, NULL}, {SERVER_HEAR, "hello\n"}, {SERVER_SAY, "ok\n"}, {SERVER_END, NULL}};
    static const struct {
        const char *what;
        struct made *made;
        const char *keys;
        enum outcome outcome;
        enum reason reason;
        bool no_clock, tls12;
    } rows[] = {
        {"good", &leaf, "", OUTCOME_SUCCESS, REASON_NONE, false, false},
        {"good, TLS 1.2", &leaf, "", OUTCOME_SUCCESS, REASON_NONE, false, true},
        {"by name", &leaf, "server_name = lab.example\n", OUTCOME_SUCCESS, REASON_NONE, false,
         false},
        {"name", &leaf, "server_name = x.example\n", OUTCOME_FAILURE, REASON_CERT_NAME, false,
         false},
        {"expired", &expired, "", OUTCOME_FAILURE, REASON_CERT_EXPIRED, false, false},
        {"expired, TLS 1.2", &expired, "", OUTCOME_FAILURE, REASON_CERT_EXPIRED, false, true},
        {"future", &future, "", OUTCOME_FAILURE, REASON_CERT_NOT_YET_VALID, false, false},
        {"stranger", &stranger, "", OUTCOME_FAILURE, REASON_CERT_UNTRUSTED, false, false},
        {"stranger, verify off", &stranger, "verify = off\n", OUTCOME_SUCCESS, REASON_NONE, false,
         false},
        {"min_tls", &leaf, "min_tls = 1.3\n", OUTCOME_FAILURE, REASON_TLS_POLICY, false, true},
        {"min_tls met", &leaf, "min_tls = 1.3\n", OUTCOME_SUCCESS, REASON_NONE, false, false},
        {"no clock", &leaf, "", OUTCOME_UNKNOWN, REASON_NONE, true, false},
        {"no clock, verify off", &expired, "verify = off\n", OUTCOME_SUCCESS, REASON_NONE, true,
         false},
    };
    (void)state;
    unsigned descriptors = harness_open_descriptors();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct script_server server;
        struct result result;
        char keys[500];
        script_server_open(&server, talk);
        server.made = rows[i].made;
        server.newest = rows[i].tls12 ? MBEDTLS_SSL_VERSION_TLS1_2 : MBEDTLS_SSL_VERSION_TLS1_3;
        snprintf(keys, sizeof keys,
                 "tls = on\nca_file = %s\n%sstep = send \"hello\\n\"\nstep = expect /^ok$/\n",
                 ca_path, rows[i].keys);
        struct harness *harness = open_probe(server.port, keys);
        harness->wall.trusted = !rows[i].no_clock;
        play(harness, &server, &result);
        enum phase phase = rows[i].outcome == OUTCOME_SUCCESS ? PHASE_NONE : PHASE_TLS;
        check(rows[i].what, &result, rows[i].outcome, rows[i].reason, phase);
        assert_true(result.tls.certificate);
        assert_true(result.tls.leaf_not_after > 0);
        assert_string_equal(result.tls.subject, "CN=lab.example");
        assert_int_equal(server.heard_total, rows[i].outcome == OUTCOME_SUCCESS ? 6 : 0);
        /* A bad certificate ends the handshake itself; its other end never comes out of it. */
        bool dialog = rows[i].outcome == OUTCOME_SUCCESS;
        assert_int_equal(server.at > 0, dialog || rows[i].reason == REASON_TLS_POLICY);
        assert_int_equal((result.phases_reached & PHASE_BIT(PHASE_DIALOG)) != 0, dialog);
        assert_true((result.phases_reached & PHASE_BIT(PHASE_TLS)) != 0);
        harness_free(harness);
        script_server_close(&server);
        assert_int_equal(harness_open_descriptors(), descriptors);
    }
}

static void tcp_changes_to_tls_on_the_way(void **state)
{
    (void)state;
    struct script_server server;
    struct result result;
    char keys[600];
    snprintf(keys, sizeof keys, "ca_file = %s\n%s", ca_path, STARTTLS_DIALOG);
    run_once(starttls_actions, &leaf, keys, &server, &result);
    check("starttls", &result, OUTCOME_SUCCESS, REASON_NONE, PHASE_NONE);
    assert_int_equal(result.phases_reached, PHASES(true));
    assert_string_equal(result.tls.version, "TLS 1.3");
    assert_string_equal(server.peer.sni, ""); /* an address has none */

    run_once(starttls_actions, &expired, keys, &server, &result);
    check("starttls, expired", &result, OUTCOME_FAILURE, REASON_CERT_EXPIRED, PHASE_TLS);
    assert_int_equal(server.heard_total, strlen("EHLO x\r\nSTARTTLS\r\n"));
    assert_int_equal(result.phases_reached, PHASES(true));
}

/* CVE-2011-0411: words put behind the go-ahead in clear must not be read as said inside TLS. */
static void tcp_refuses_words_in_clear_behind_the_go_ahead(void **state)
{
    (void)state;
    static const struct server_action evil[] = {
        {SERVER_SAY, "220 lab\r\n"},
        {SERVER_HEAR, "EHLO x\r\n"},
        {SERVER_SAY, "250 STARTTLS\r\n"},
        {SERVER_HEAR, "STARTTLS\r\n"},
        {SERVER_SAY, "220 go\r\n250 inside\r\n"},
        {SERVER_TLS, NULL},
        {SERVER_END, NULL},
    };
    struct script_server server;
    struct result result;
    run_once(evil, &leaf, "verify = off\n" STARTTLS_DIALOG, &server, &result);
    check("injected", &result, OUTCOME_FAILURE, REASON_PROTOCOL, PHASE_DIALOG);
    assert_int_equal(server.heard_total, strlen("EHLO x\r\nSTARTTLS\r\n"));
}

static void tcp_tells_the_ends_of_tls_apart(void **state)
{
    static const struct {
        const char *what;
        struct server_action actions[4];
        bool wants_client;
        enum reason reason;
        enum phase phase;
    } rows[] = {
        {"not TLS", {{SERVER_SAY, "220 hello\r\n"}}, false, REASON_TLS_HANDSHAKE, PHASE_TLS},
        {"closes", {{SERVER_CLOSE, NULL}}, false, REASON_RESET, PHASE_TLS},
        {"resets", {{SERVER_RESET, NULL}}, false, REASON_RESET, PHASE_TLS},
        {"closes inside",
         {{SERVER_TLS, NULL}, {SERVER_CLOSE, NULL}},
         false,
         REASON_EXPECT,
         PHASE_DIALOG},
        {"resets inside",
         {{SERVER_TLS, NULL}, {SERVER_RESET, NULL}},
         false,
         REASON_RESET,
         PHASE_DIALOG},
        {"wants a client certificate",
         {{SERVER_TLS, NULL}},
         true,
         REASON_TLS_HANDSHAKE,
         PHASE_DIALOG},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct script_server server;
        struct result result;
        script_server_open(&server, rows[i].actions);
        server.made = &leaf;
        server.client_ca = rows[i].wants_client ? &root.certificate : NULL;
        struct harness *harness =
            open_probe(server.port, "tls = on\nverify = off\nstep = expect /x/\n");
        play(harness, &server, &result);
        check(rows[i].what, &result, OUTCOME_FAILURE, rows[i].reason, rows[i].phase);
        harness_free(harness);
        script_server_close(&server);
    }
}

/* After any number of turns: nothing left open, and the next run is as good as the first. */
static void tcp_can_be_cancelled_at_every_step(void **state)
{
    (void)state;
    unsigned descriptors = harness_open_descriptors();
    for (unsigned turns = 0; turns < 40; turns++) {
        struct script_server server;
        struct result result;
        script_server_open(&server, starttls_actions);
        server.made = &leaf;
        struct harness *harness = open_probe(server.port, "verify = off\n" STARTTLS_DIALOG);
        harness_start(harness, 0);
        for (unsigned i = 0; i < turns; i++) {
            script_server_step(&server);
            harness_turn(harness, TURN_US);
        }
        harness->prober.cancel_all(harness->prober.context);
        harness->prober.cancel_all(harness->prober.context);
        assert_false(harness->prober.collect(harness->prober.context, &result));
        script_server_hang_up(&server);
        server.at = 0;
        server.heard_count = 0;
        int dead;
        while ((dead = accept(server.listener, NULL, NULL)) >= 0) {
            close(dead);
        }
        play(harness, &server, &result);
        check("after a cancel", &result, OUTCOME_SUCCESS, REASON_NONE, PHASE_NONE);
        harness_free(harness);
        script_server_close(&server);
        assert_int_equal(harness_open_descriptors(), descriptors);
    }
}

/* --- Configuration --- */

static void tcp_check_finds_every_mistake_with_its_line(void **state)
{
    static const struct {
        const char *text, *errors;
    } rows[] = {
        {"[tcp x]\naddress = a:1\nstep = sned \"x\"\n", "3: step: unknown step 'sned', did you"},
        {"[tcp x]\naddress = a\n", "2: address is HOST:PORT"},
        {"[tcp x]\naddress = a:1\naddress = ::1:2\n", "3: address is HOST:PORT"},
        {"[tcp x]\naddress = a:1\nstep = reject /x/\n", "3: step: no expect follows"},
        {"[tcp x]\naddress = a:1\nstep = expect /(/\nstep = send \"\\q\"\n", "4: step: send takes"},
        {"[tcp x]\naddress = a:1\nstep = expect /(/\n", "3: step: regular expression"},
        {"[tcp x]\naddress = a:1\nverify = off\n", "3: verify is of no use"},
        {"[tcp x]\naddress = a:1\ntls = on\nstep = starttls\n", "3: tls = on has TLS from"},
        {"[tcp x]\naddress = a:1\ntls = on\ncert_file = /x\n", "4: "},
        {"[tcp x]\naddress = a:1\nsource = eth 0\n", "3: source is"},
        {"[tcp x]\nstep = send x\n", "1: "},
    };
    (void)state;
    static const struct probe_ops *const kinds[] = {&tcp_probe};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct harness *harness = harness_new(rows[i].text, kinds, 1);
        if (harness->runner != NULL || strstr(harness->error_text, rows[i].errors) == NULL) {
            fail_msg("%s-> %s", rows[i].text, harness->error_text);
        }
        harness_free(harness);
    }
}

static void tcp_open_says_which_file_it_misses(void **state)
{
    (void)state;
    static const struct probe_ops *const kinds[] = {&tcp_probe};
    struct harness *harness =
        harness_new("[tcp x]\naddress = a:1\ntls = on\nca_file = /nowhere/ca.pem\n", kinds, 1);
    assert_null(harness->runner);
    assert_non_null(strstr(harness->error_text, "/nowhere/ca.pem"));
    harness_free(harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tcp_dialogs_end_as_the_peer_deserves),
        cmocka_unit_test(tcp_sends_exactly_what_is_written),
        cmocka_unit_test(tcp_ends_at_its_deadline_whatever_the_peer_does),
        cmocka_unit_test(tcp_names_what_kept_it_from_connecting),
        cmocka_unit_test(tcp_without_descriptors_is_unknown),
        cmocka_unit_test(tcp_sends_all_of_it_to_a_slow_reader),
        cmocka_unit_test(tcp_targets_do_not_delay_each_other),
        cmocka_unit_test(tcp_trusts_before_it_talks),
        cmocka_unit_test(tcp_changes_to_tls_on_the_way),
        cmocka_unit_test(tcp_refuses_words_in_clear_behind_the_go_ahead),
        cmocka_unit_test(tcp_tells_the_ends_of_tls_apart),
        cmocka_unit_test(tcp_can_be_cancelled_at_every_step),
        cmocka_unit_test(tcp_check_finds_every_mistake_with_its_line),
        cmocka_unit_test(tcp_open_says_which_file_it_misses),
    };
    return cmocka_run_group_tests(tests, make_certificates, forget_certificates);
}
