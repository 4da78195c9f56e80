/* Guards against a handshake that blocks, a verdict that loses the facts, an SNI that no server may
 * get, and a peer that keeps the agent busy by never stopping to send. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "chain_guard.h"
#include "tls_peer.h"
#include "tls_session.h"

#define NOW_2026 ((usec_t)1782864000 * USEC_PER_SEC)

enum { STEPS_MAX = 400 };

static struct made root, other, leaf, expired, deep, client;
static struct trust trust = {.verify = true};

struct pair {
    struct tls_session session;
    struct tls_peer peer;
    struct tls_facts facts;
    int ends[2];
    enum tls_state state;
    bool reset;
    unsigned waits;
    char why[256];
};

struct plan {
    struct made *server;
    mbedtls_ssl_protocol_version version;
    const char *host;
    bool stop_on_bad, no_verify;
    mbedtls_x509_crt *client_ca;
};

static void open_pair(struct pair *pair, const struct plan *plan)
{
    struct certinfo info;
    memset(pair, 0, sizeof *pair);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair->ends), 0);
    certinfo_init(&info, &pair->facts, (struct wall_time){NOW_2026, true}, !plan->no_verify,
                  plan->stop_on_bad);
    assert_int_equal(tls_session_start(&pair->session, pair->ends[0], &trust, plan->host, &info),
                     ERROR_NONE);
    tls_peer_start(&pair->peer, pair->ends[1], plan->server, plan->version, plan->client_ca);
    pair->state = TLS_YIELD;
}

static void close_pair(struct pair *pair)
{
    tls_session_end(&pair->session);
    tls_session_end(&pair->session); /* twice is fine */
    tls_peer_end(&pair->peer);
    close(pair->ends[0]);
    if (pair->ends[1] >= 0) {
        close(pair->ends[1]);
    }
}

static bool step(struct pair *pair)
{
    pair->state = tls_session_handshake(&pair->session, &pair->reset, pair->why, sizeof pair->why);
    pair->waits += pair->state == TLS_WAIT;
    return pair->state == TLS_WAIT || pair->state == TLS_YIELD;
}

static void shake(struct pair *pair)
{
    unsigned steps = 0;
    while (step(pair)) {
        assert_true(++steps < STEPS_MAX);
        (void)tls_peer_step(&pair->peer);
    }
    (void)tls_peer_step(&pair->peer);
}

static enum reason reason_of(const struct pair *pair)
{
    enum reason reason = REASON_NONE;
    char why[128];
    (void)certinfo_judge(&pair->session.info, &reason, why, sizeof why);
    return reason;
}

static void a_session_is_established_step_by_step(void **state)
{
    static const struct {
        mbedtls_ssl_protocol_version version;
        const char *name, *cipher;
    } rows[] = {{MBEDTLS_SSL_VERSION_TLS1_2, "TLS 1.2", "TLS_ECDHE_ECDSA_WITH_"},
                {MBEDTLS_SSL_VERSION_TLS1_3, "TLS 1.3", "TLS_"}};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct pair pair;
        char text[16];
        open_pair(&pair, &(struct plan){.server = &leaf,
                                        .version = rows[i].version,
                                        .host = "lab.example",
                                        .stop_on_bad = true});
        shake(&pair);
        assert_int_equal(pair.state, TLS_ESTABLISHED);
        assert_true(pair.waits > 0);
        assert_string_equal(pair.facts.version, rows[i].name);
        assert_int_equal(strncmp(pair.facts.cipher, rows[i].cipher, strlen(rows[i].cipher)), 0);
        assert_null(strchr(pair.facts.cipher, '-'));
        assert_null(strstr(pair.facts.cipher, "TLS1"));
        assert_string_equal(pair.facts.subject, "CN=lab.example");
        assert_int_equal(reason_of(&pair), REASON_NONE);
        assert_non_null(tls_session_peer(&pair.session));
        assert_string_equal(pair.peer.sni, "lab.example");

        /* bytes both ways, and an orderly end */
        assert_int_equal(tls_session_read(&pair.session, text, sizeof text), TLS_IO_WAIT);
        assert_int_equal(tls_session_events(&pair.session), POLLIN);
        assert_int_equal(tls_session_write(&pair.session, "ping", 4), 4);
        assert_int_equal(mbedtls_ssl_read(&pair.peer.ssl, (unsigned char *)text, sizeof text), 4);
        assert_int_equal(mbedtls_ssl_write(&pair.peer.ssl, (const unsigned char *)"pong", 4), 4);
        assert_int_equal(tls_session_read(&pair.session, text, 2), 2);
        assert_int_equal(tls_session_read(&pair.session, text + 2, sizeof text - 2), 2);
        assert_memory_equal(text, "pong", 4);
        assert_int_equal(mbedtls_ssl_close_notify(&pair.peer.ssl), 0);
        assert_int_equal(tls_session_read(&pair.session, text, sizeof text), TLS_IO_CLOSED);
        close_pair(&pair);
    }
}

static void the_name_asked_for_is_no_literal_and_has_no_dot(void **state)
{
    static const struct {
        const char *host, *sni;
        enum reason reason;
    } rows[] = {
        {"lab.example", "lab.example", REASON_NONE},
        {"lab.example.", "lab.example", REASON_NONE},
        {"other.example", "other.example", REASON_CERT_NAME},
        {"127.0.0.1", "", REASON_NONE}, /* among the addresses of the certificate */
        {"127.0.0.2", "", REASON_CERT_NAME},
        {"::1", "", REASON_CERT_NAME},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct pair pair;
        open_pair(&pair, &(struct plan){.server = &leaf,
                                        .version = MBEDTLS_SSL_VERSION_TLS1_3,
                                        .host = rows[i].host});
        shake(&pair);
        assert_int_equal(pair.state, TLS_ESTABLISHED);
        assert_string_equal(pair.peer.sni, rows[i].sni);
        assert_int_equal(reason_of(&pair), rows[i].reason);
        close_pair(&pair);
    }
}

static void server_name_wins_over_the_host(void **state)
{
    struct pair pair;
    (void)state;
    trust.server_name = "lab.example";
    open_pair(&pair, &(struct plan){.server = &leaf,
                                    .version = MBEDTLS_SSL_VERSION_TLS1_3,
                                    .host = "10.9.8.7",
                                    .stop_on_bad = true});
    shake(&pair);
    trust.server_name = NULL;
    assert_int_equal(pair.state, TLS_ESTABLISHED);
    assert_string_equal(pair.peer.sni, "lab.example");
    close_pair(&pair);
}

static void a_bad_certificate_is_refused_or_reported(void **state)
{
    static const mbedtls_ssl_protocol_version versions[] = {MBEDTLS_SSL_VERSION_TLS1_2,
                                                            MBEDTLS_SSL_VERSION_TLS1_3};
    static const struct {
        struct made *server;
        const char *host;
        enum reason reason;
    } rows[] = {
        {&expired, "lab.example", REASON_CERT_EXPIRED},
        {&other, "lab.example", REASON_CERT_UNTRUSTED},
        {&leaf, "x.example", REASON_CERT_NAME},
    };
    (void)state;
    for (size_t i = 0; i < 2 * 2 * ARRAY_LEN(rows); i++) {
        bool stop = i & 1;
        size_t row = i / 4;
        struct pair pair;
        open_pair(&pair, &(struct plan){.server = rows[row].server,
                                        .version = versions[i / 2 % 2],
                                        .host = rows[row].host,
                                        .stop_on_bad = stop});
        shake(&pair);
        assert_int_equal(pair.state, stop ? TLS_FAILED : TLS_ESTABLISHED);
        assert_int_equal(pair.session.info.refused, stop);
        assert_int_equal(reason_of(&pair), rows[row].reason);
        assert_false(pair.reset);
        assert_true(pair.facts.certificate);
        assert_int_equal(mbedtls_ssl_is_handshake_over(&pair.peer.ssl), !stop);
        close_pair(&pair);
    }
}

static void verify_off_takes_any_certificate_and_tells_its_facts(void **state)
{
    struct pair pair;
    (void)state;
    trust.verify = false;
    open_pair(&pair, &(struct plan){.server = &expired,
                                    .version = MBEDTLS_SSL_VERSION_TLS1_3,
                                    .host = "x",
                                    .no_verify = true,
                                    .stop_on_bad = true});
    shake(&pair);
    trust.verify = true;
    assert_int_equal(pair.state, TLS_ESTABLISHED);
    assert_int_equal(reason_of(&pair), REASON_NONE);
    assert_true(pair.facts.certificate);
    assert_int_equal(pair.facts.verified_not_after, 0);
    close_pair(&pair);
}

/* mbedTLS follows eight intermediates, and tries every certificate sent whose name fits: for
 * thirty-five expired ones of one name on a slow curve that took twelve seconds in one call. */
static void a_chain_that_costs_too_much_is_untrusted_at_once(void **state)
{
    struct made maze, wall;
    struct pair pair;
    (void)state;
    made_new(&wall, &(struct made_plan){.subject = "CN=a", .authority = true}, &root, "CN=Root");
    made_new(&maze, &(struct made_plan){.dns = {"lab.example"}}, &wall, "CN=a");
    made_free(&wall);
    for (unsigned i = 0; i < 18; i++) {
        made_new(&wall,
                 &(struct made_plan){.subject = i & 1 ? "CN=a" : "CN=A",
                                     .authority = true,
                                     .until = "20210101000000"},
                 &root, "CN=Root");
        made_send(&maze, &wall);
        made_free(&wall);
    }
    for (unsigned tls13 = 0; tls13 < 2; tls13++) {
        open_pair(&pair, &(struct plan){.server = &maze,
                                        .version = tls13 ? MBEDTLS_SSL_VERSION_TLS1_3
                                                         : MBEDTLS_SSL_VERSION_TLS1_2,
                                        .host = "lab.example"});
        shake(&pair);
        assert_int_equal(pair.state, TLS_FAILED);
        assert_int_equal(reason_of(&pair), REASON_CERT_UNTRUSTED);
        assert_string_equal(pair.facts.issuer, "CN=a");
        assert_true(chain_guard_accepts(&leaf.certificate));
        assert_false(chain_guard_accepts(&maze.certificate));
        close_pair(&pair);
    }
    made_free(&maze);
}

static void a_chain_that_is_too_deep_is_untrusted(void **state)
{
    struct pair pair;
    (void)state;
    open_pair(&pair, &(struct plan){.server = &deep,
                                    .version = MBEDTLS_SSL_VERSION_TLS1_3,
                                    .host = "lab.example"});
    shake(&pair);
    assert_int_equal(pair.state, TLS_FAILED);
    assert_int_equal(reason_of(&pair), REASON_CERT_UNTRUSTED);
    assert_non_null(strstr(pair.why, "intermediate"));
    assert_string_equal(pair.facts.subject, "CN=lab.example"); /* even so */
    close_pair(&pair);
}

static void a_client_certificate_is_shown_when_asked_for(void **state)
{
    static const mbedtls_ssl_protocol_version versions[] = {MBEDTLS_SSL_VERSION_TLS1_2,
                                                            MBEDTLS_SSL_VERSION_TLS1_3};
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        bool shown = i & 1;
        struct pair pair;
        trust.client_chain = shown ? &client.certificate : NULL;
        trust.client_key = shown ? &client.key : NULL;
        open_pair(&pair, &(struct plan){.server = &leaf,
                                        .version = versions[i / 2],
                                        .host = "lab.example",
                                        .stop_on_bad = true,
                                        .client_ca = &root.certificate});
        shake(&pair);
        assert_int_equal(tls_peer_step(&pair.peer), shown);
        if (!shown && versions[i / 2] == MBEDTLS_SSL_VERSION_TLS1_2) {
            assert_int_equal(pair.state, TLS_FAILED);
            assert_non_null(strstr(pair.why, "server sent alert"));
            assert_false(pair.reset);
        } else {
            char byte;
            /* TLS 1.3: the client is done before the server has looked. */
            assert_int_equal(pair.state, TLS_ESTABLISHED);
            assert_int_equal(tls_session_read(&pair.session, &byte, 1),
                             shown ? TLS_IO_WAIT : TLS_IO_ERROR);
        }
        close_pair(&pair);
    }
    trust.client_chain = NULL;
    trust.client_key = NULL;
}

static void the_end_of_the_stream_is_no_fault_of_tls(void **state)
{
    (void)state;
    for (unsigned after = 0; after < 12; after++) {
        struct pair pair;
        open_pair(&pair, &(struct plan){.server = &leaf,
                                        .version = MBEDTLS_SSL_VERSION_TLS1_2,
                                        .host = "lab.example",
                                        .stop_on_bad = true});
        for (unsigned i = 0; i < after && step(&pair); i++) {
            (void)tls_peer_step(&pair.peer);
        }
        close(pair.ends[1]);
        pair.ends[1] = -1;
        unsigned steps = 0;
        while (pair.state != TLS_ESTABLISHED && step(&pair)) {
            assert_true(++steps < STEPS_MAX);
        }
        if (pair.state == TLS_FAILED) {
            assert_true(pair.reset);
            assert_non_null(strstr(pair.why, "by the server"));
        }
        close_pair(&pair);
    }
}

/* The alert cannot be sent any more, but it was the certificate. */
static void a_refused_certificate_is_the_cause_though_the_peer_left(void **state)
{
    struct pair pair;
    (void)state;
    open_pair(&pair, &(struct plan){.server = &expired,
                                    .version = MBEDTLS_SSL_VERSION_TLS1_2,
                                    .host = "lab.example",
                                    .stop_on_bad = true});
    while (step(&pair) && pair.state != TLS_WAIT) {
    }
    for (unsigned i = 0; i < 20; i++) {
        (void)tls_peer_step(&pair.peer); /* its whole flight */
    }
    close(pair.ends[1]);
    pair.ends[1] = -1;
    while (step(&pair)) {
    }
    assert_int_equal(pair.state, TLS_FAILED);
    assert_true(pair.session.ended);
    assert_false(pair.reset);
    assert_int_equal(reason_of(&pair), REASON_CERT_EXPIRED);
    close_pair(&pair);
}

static void an_answer_that_is_not_tls_is_called_that(void **state)
{
    static const char *const answers[] = {"HTTP/1.1 400 Bad Request\r\n\r\n",
                                          "SSH-2.0-OpenSSH_9.2\r\n",
                                          "220 mx.example ESMTP ready\r\n"};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
        struct pair pair;
        open_pair(&pair, &(struct plan){.server = &leaf,
                                        .version = MBEDTLS_SSL_VERSION_TLS1_3,
                                        .host = "lab.example",
                                        .stop_on_bad = true});
        assert_int_equal(write(pair.ends[1], answers[i], strlen(answers[i])),
                         (ssize_t)strlen(answers[i]));
        while (step(&pair)) {
        }
        assert_int_equal(pair.state, TLS_FAILED);
        assert_false(pair.reset);
        assert_string_equal(pair.why, "server's answer is not TLS");
        assert_false(pair.facts.certificate);
        close_pair(&pair);
    }
}

static void every_alert_is_named(void **state)
{
    (void)state;
    for (unsigned alert = 0; alert < 256; alert++) {
        const uint8_t record[] = {21, 3, 3, 0, 2, 2, (uint8_t)alert};
        struct pair pair;
        char start[32];
        open_pair(&pair, &(struct plan){.server = &leaf,
                                        .version = MBEDTLS_SSL_VERSION_TLS1_2,
                                        .host = "lab.example",
                                        .stop_on_bad = true});
        assert_int_equal(write(pair.ends[1], record, sizeof record), sizeof record);
        while (step(&pair)) {
        }
        assert_int_equal(pair.state, TLS_FAILED);
        snprintf(start, sizeof start, "server sent alert %u ", alert);
        assert_int_equal(strncmp(pair.why, start, strlen(start)), 0);
        assert_int_equal(strstr(pair.why, "unknown_ca") != NULL, alert == 48);
        close_pair(&pair);
    }
}

/* Each prefix of what a server says, then silence: the client waits, whatever the cut. */
static void a_dripping_server_is_waited_for(void **state)
{
    uint8_t flight[16 * 1024];
    (void)state;
    struct pair pair;
    open_pair(&pair, &(struct plan){.server = &leaf,
                                    .version = MBEDTLS_SSL_VERSION_TLS1_2,
                                    .host = "lab.example",
                                    .stop_on_bad = true});
    int between[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, between), 0);
    pair.peer.fd = between[1]; /* the test carries the bytes, one at a time */
    unsigned carried = 0, waits = 0;
    while (step(&pair)) {
        waits += pair.state == TLS_WAIT;
        ssize_t count = read(pair.ends[1], flight, sizeof flight);
        if (count > 0) {
            assert_int_equal(write(between[0], flight, (size_t)count), count);
        }
        (void)tls_peer_step(&pair.peer);
        if (pair.state == TLS_WAIT && read(between[0], flight, 1) == 1) {
            assert_int_equal(write(pair.ends[1], flight, 1), 1);
            carried++;
        }
        assert_true(carried < sizeof flight);
    }
    assert_int_equal(pair.state, TLS_ESTABLISHED);
    assert_true(waits >= carried && carried > 500);
    close(between[0]);
    close(between[1]);
    close_pair(&pair);
}

/* Records that mean nothing, without end. One call takes no more than its slice. */
static void a_flood_costs_one_slice_a_call(void **state)
{
    static uint8_t flood[256 * 1024];
    struct pair pair;
    (void)state;
    for (size_t i = 0; i + 7 <= sizeof flood; i += 7) {
        /* a warning nobody knows, to be ignored */
        memcpy(flood + i, (const uint8_t[]){21, 3, 3, 0, 2, 1, 99}, 7);
    }
    open_pair(&pair, &(struct plan){.server = &leaf,
                                    .version = MBEDTLS_SSL_VERSION_TLS1_2,
                                    .host = "lab.example",
                                    .stop_on_bad = true});
    int room = sizeof flood;
    assert_int_equal(setsockopt(pair.ends[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof room), 0);
    ssize_t sent = write(pair.ends[1], flood, sizeof flood);
    assert_true(sent > TLS_SLICE_BYTES);
    int left = (int)sent, now = 0;
    do {
        (void)step(&pair);
        assert_int_equal(ioctl(pair.ends[0], FIONREAD, &now), 0);
        assert_true(left - now <= TLS_SLICE_BYTES);
        left = now;
    } while (left > 0 && pair.state != TLS_FAILED);
    assert_true(pair.state == TLS_WAIT || pair.state == TLS_FAILED);
    close_pair(&pair);
}

static void a_name_that_is_too_long_is_refused_at_once(void **state)
{
    struct tls_session session;
    struct tls_facts facts = {0};
    struct certinfo info;
    char host[300];
    (void)state;
    memset(host, 'a', sizeof host - 1);
    host[sizeof host - 1] = '\0';
    certinfo_init(&info, &facts, (struct wall_time){0, false}, true, true);
    assert_int_equal(tls_session_start(&session, -1, &trust, host, &info), ERROR_INVALID);
    assert_false(session.active);
    tls_session_end(&session);
}

static int make_certificates(void **state)
{
    struct made_plan server = {.dns = {"lab.example"}, .address = {127, 0, 0, 1}};
    struct made_plan old = server;
    (void)state;
    old.until = "20260101000000";
    made_new(&root, &(struct made_plan){.subject = "CN=Root", .authority = true}, NULL, NULL);
    made_new(&leaf, &server, &root, "CN=Root");
    made_new(&expired, &old, &root, "CN=Root");
    made_new(&other, &server, NULL, NULL);
    made_new(&client, &(struct made_plan){.subject = "CN=me", .for_clients = true}, &root,
             "CN=Root");
    struct made chain[10];
    const struct made *issuer = &root;
    char names[11][8] = {"CN=Root"};
    for (unsigned i = 0; i < ARRAY_LEN(chain); i++) {
        snprintf(names[i + 1], sizeof names[0], "CN=I%u", i);
        made_new(&chain[i], &(struct made_plan){.subject = names[i + 1], .authority = true}, issuer,
                 names[i]);
        issuer = &chain[i];
    }
    made_new(&deep, &server, issuer, names[ARRAY_LEN(chain)]);
    for (unsigned i = ARRAY_LEN(chain); i > 0; i--) {
        made_send(&deep, &chain[i - 1]);
        made_free(&chain[i - 1]);
    }
    trust.ca = &root.certificate;
    return 0;
}

static int free_certificates(void **state)
{
    (void)state;
    made_free(&root);
    made_free(&leaf);
    made_free(&expired);
    made_free(&other);
    made_free(&client);
    made_free(&deep);
    mbedtls_psa_crypto_free();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_session_is_established_step_by_step),
        cmocka_unit_test(the_name_asked_for_is_no_literal_and_has_no_dot),
        cmocka_unit_test(server_name_wins_over_the_host),
        cmocka_unit_test(a_bad_certificate_is_refused_or_reported),
        cmocka_unit_test(verify_off_takes_any_certificate_and_tells_its_facts),
        cmocka_unit_test(a_chain_that_costs_too_much_is_untrusted_at_once),
        cmocka_unit_test(a_chain_that_is_too_deep_is_untrusted),
        cmocka_unit_test(a_client_certificate_is_shown_when_asked_for),
        cmocka_unit_test(the_end_of_the_stream_is_no_fault_of_tls),
        cmocka_unit_test(a_refused_certificate_is_the_cause_though_the_peer_left),
        cmocka_unit_test(an_answer_that_is_not_tls_is_called_that),
        cmocka_unit_test(every_alert_is_named),
        cmocka_unit_test(a_dripping_server_is_waited_for),
        cmocka_unit_test(a_flood_costs_one_slice_a_call),
        cmocka_unit_test(a_name_that_is_too_long_is_refused_at_once),
    };
    return cmocka_run_group_tests(tests, make_certificates, free_certificates);
}
