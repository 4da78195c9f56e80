/* The tls probe through the real runner against a server in the same thread. Guards against a
 * verdict in the wrong order, facts that are missing when they matter, phases that were not
 * reached, and descriptors that stay open. What openssl's server does is in live/test_tls.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <mbedtls/base64.h>

#include "certinfo.h"
#include "certtext.h"
#include "probe_harness.h"
#include "registry.h"
#include "tls_peer.h"

#define NOW_2026 ((usec_t)1782864000 * USEC_PER_SEC) /* 2026-07-01 */
#define TURN_US  (2 * USEC_PER_MSEC)

enum { TURNS_MAX = 3000, TEXT_BYTES = 4096 };

static char folder[] = "/tmp/picket-tls-XXXXXX";
static struct made root, leaf, expired, future, soon, stranger;
static char good_pin[64], other_pin[64];

static const char *in_folder(const char *name)
{
    static char paths[8][64];
    static unsigned next;
    char *path = paths[next++ % ARRAY_LEN(paths)];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

/* ---- the server ---- */

struct server {
    int listener, fd;
    uint16_t port;
    struct made *made;
    mbedtls_ssl_protocol_version newest;
    const char *words; /* said in clear at once, before TLS */
    bool closes;       /* right after the words */
    bool in_tls;
    char heard[256];
    size_t heard_count;
    struct tls_peer peer;
};

static void server_open(struct server *server, struct made *made)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof address;
    memset(server, 0, sizeof *server);
    server->fd = -1;
    server->made = made;
    server->newest = MBEDTLS_SSL_VERSION_TLS1_3;
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(server->listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(server->listener, 8), 0);
    assert_int_equal(getsockname(server->listener, (struct sockaddr *)&address, &length), 0);
    server->port = ntohs(address.sin_port);
}

static void server_begin_tls(struct server *server)
{
    tls_peer_start(&server->peer, server->fd, server->made, server->newest, NULL);
    server->in_tls = true;
}

static void server_accept(struct server *server)
{
    server->fd = accept4(server->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (server->fd < 0) {
        return;
    }
    if (server->words == NULL && !server->closes) {
        server_begin_tls(server);
    } else if (server->words != NULL) {
        assert_int_equal(write(server->fd, server->words, strlen(server->words)),
                         (ssize_t)strlen(server->words));
    }
    if (server->closes) {
        shutdown(server->fd, SHUT_WR);
    }
}

/* In clear it keeps what it hears up to the first TLS record. */
static void server_listen(struct server *server)
{
    uint8_t start[2], byte;
    while (recv(server->fd, start, sizeof start, MSG_PEEK) > 0) {
        if (start[0] == 0x16 && start[1] == 0x03 && server->made != NULL) {
            server_begin_tls(server);
            return;
        }
        assert_int_equal(read(server->fd, &byte, 1), 1);
        if (server->heard_count < sizeof server->heard - 1) {
            server->heard[server->heard_count++] = (char)byte;
        }
    }
}

static void server_step(struct server *server)
{
    if (server->fd < 0) {
        server_accept(server);
    } else if (server->in_tls) {
        (void)tls_peer_step(&server->peer);
    } else {
        server_listen(server);
    }
}

static void server_close(struct server *server)
{
    if (server->in_tls) {
        tls_peer_end(&server->peer);
    }
    if (server->fd >= 0) {
        close(server->fd);
    }
    close(server->listener);
}

/* ---- running ---- */

/* Runs `[tls x]` with `keys` behind its target; "PORT" in them is the server's. */
static void run(struct server *server, struct wall_time wall, const char *keys,
                struct result *result)
{
    static char text[TEXT_BYTES];
    int used = snprintf(text, sizeof text, "[tls x]\n%s",
                        strstr(keys, "timeout") == NULL ? "timeout = 2s\n" : "");
    const char *mark = strstr(keys, "PORT");
    if (mark != NULL) {
        snprintf(text + used, sizeof text - (size_t)used, "%.*s%u%s\n", (int)(mark - keys), keys,
                 server->port, mark + 4);
    } else {
        snprintf(text + used, sizeof text - (size_t)used, "%s\n", keys);
    }
    const struct probe_ops *kinds[] = {&tls_probe};
    struct harness *harness = harness_new(text, kinds, 1);
    if (harness->runner == NULL) {
        fail_msg("%s%s", text, harness->error_text);
    }
    harness->wall = wall;
    fake_resolver_add(&harness->names, "lab.example", "127.0.0.1");
    harness_start(harness, 0);
    unsigned turns = 0;
    while (!harness->prober.collect(harness->prober.context, result)) {
        assert_true(++turns < TURNS_MAX);
        if (server != NULL) {
            server_step(server);
        }
        harness_turn(harness, TURN_US);
    }
    harness_free(harness);
}

static const struct wall_time now_2026 = {NOW_2026, true};
static const struct wall_time no_clock = {0, false};

struct row {
    const char *what;
    struct made *made;
    const char *keys;
    enum outcome outcome;
    enum reason reason; /* of a failure */
    bool no_clock, tls12;
};
#define FAILS(why) .outcome = OUTCOME_FAILURE, .reason = (why)

static void check(const char *what, const struct result *result, enum outcome outcome,
                  enum reason reason)
{
    if (result->outcome != outcome ||
        result->reason != (outcome == OUTCOME_FAILURE ? reason : REASON_NONE)) {
        fail_msg("%s: %s %s in %s (%s)", what, outcome_name(result->outcome),
                 reason_name(result->reason), phase_name(result->phase), result->note);
    }
}

#define NAMED   "address = lab.example:PORT\n"
#define CA      "ca_file = @/root.pem\n"
#define WITH_CA NAMED CA

/* "@" stands for the folder, "%1" for the pin of the leaf, "%2" for another. */
static const char *fill(const char *keys)
{
    static char text[TEXT_BYTES];
    size_t used = 0;
    for (; *keys != '\0' && used < sizeof text - 100; keys++) {
        const char *part = keys[0] == '@'                     ? folder
                           : keys[0] == '%' && keys[1] == '1' ? good_pin
                           : keys[0] == '%' && keys[1] == '2' ? other_pin
                                                              : NULL;
        if (part == NULL) {
            text[used++] = *keys;
            continue;
        }
        used += (size_t)snprintf(text + used, sizeof text - used, "%s", part);
        keys += keys[0] == '%';
    }
    text[used] = '\0';
    return text;
}

static void certificates_are_judged_in_order_and_always_reported(void **state)
{
    static const struct row rows[] = {
        {.what = "good", .made = &leaf, .keys = WITH_CA},
        {.what = "good, TLS 1.2", .made = &leaf, .keys = WITH_CA, .tls12 = true},
        {.what = "good by address", .made = &leaf, .keys = "address = 127.0.0.1:PORT\n" CA},
        {.what = "expired", .made = &expired, .keys = WITH_CA, FAILS(REASON_CERT_EXPIRED)},
        {.what = "future", .made = &future, .keys = WITH_CA, FAILS(REASON_CERT_NOT_YET_VALID)},
        {.what = "stranger", .made = &stranger, .keys = WITH_CA, FAILS(REASON_CERT_UNTRUSTED)},
        {.what = "name",
         .made = &leaf,
         .keys = WITH_CA "server_name = x.example\n",
         FAILS(REASON_CERT_NAME)},
        {.what = "pin", .made = &leaf, .keys = WITH_CA "pin_sha256 = %1\n"},
        {.what = "one of two pins",
         .made = &leaf,
         .keys = WITH_CA "pin_sha256 = %2\npin_sha256 = sha256//%1\n"},
        {.what = "another pin",
         .made = &leaf,
         .keys = WITH_CA "pin_sha256 = %2\n",
         FAILS(REASON_CERT_PIN)},
        {.what = "pin before days",
         .made = &soon,
         .keys = WITH_CA "pin_sha256 = %2\nmin_days = 14\n",
         FAILS(REASON_CERT_PIN)},
        {.what = "name before pin",
         .made = &leaf,
         .keys = WITH_CA "server_name = x\npin_sha256 = %2\n",
         FAILS(REASON_CERT_NAME)},
        {.what = "soon", .made = &soon, .keys = WITH_CA "min_days = 14\n", FAILS(REASON_CERT_SOON)},
        {.what = "exactly ten days left", .made = &soon, .keys = WITH_CA "min_days = 10\n"},
        {.what = "one more",
         .made = &soon,
         .keys = WITH_CA "min_days = 11\n",
         FAILS(REASON_CERT_SOON)},
        {.what = "min_tls",
         .made = &leaf,
         .keys = WITH_CA "min_tls = 1.3\n",
         .tls12 = true,
         FAILS(REASON_TLS_POLICY)},
        {.what = "min_tls met", .made = &leaf, .keys = WITH_CA "min_tls = 1.3\n"},
        {.what = "min_tls before the certificate",
         .made = &expired,
         .keys = WITH_CA "min_tls = 1.3\n",
         .tls12 = true,
         FAILS(REASON_TLS_POLICY)},
        {.what = "verify off", .made = &expired, .keys = NAMED "verify = off\n"},
        {.what = "verify off, days",
         .made = &expired,
         .keys = NAMED "verify = off\nmin_days = 1\n",
         FAILS(REASON_CERT_SOON)},
        {.what = "verify off, pin",
         .made = &stranger,
         .keys = NAMED "verify = off\npin_sha256 = %1\n",
         FAILS(REASON_CERT_PIN)},
        {.what = "no clock",
         .made = &leaf,
         .keys = WITH_CA,
         .no_clock = true,
         .outcome = OUTCOME_UNKNOWN},
        {.what = "no clock, expired",
         .made = &expired,
         .keys = WITH_CA,
         .no_clock = true,
         .outcome = OUTCOME_UNKNOWN},
        {.what = "no clock, stranger",
         .made = &stranger,
         .keys = WITH_CA,
         .no_clock = true,
         FAILS(REASON_CERT_UNTRUSTED)},
        {.what = "no clock, pin",
         .made = &leaf,
         .keys = WITH_CA "pin_sha256 = %2\n",
         .no_clock = true,
         FAILS(REASON_CERT_PIN)},
        {.what = "no clock, days",
         .made = &leaf,
         .keys = NAMED "verify = off\nmin_days = 1\n",
         .no_clock = true,
         .outcome = OUTCOME_UNKNOWN},
        {.what = "no clock, verify off",
         .made = &leaf,
         .keys = NAMED "verify = off\n",
         .no_clock = true},
    };
    (void)state;
    unsigned descriptors = harness_open_descriptors();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct server server;
        struct result result;
        server_open(&server, rows[i].made);
        server.newest = rows[i].tls12 ? MBEDTLS_SSL_VERSION_TLS1_2 : MBEDTLS_SSL_VERSION_TLS1_3;
        run(&server, rows[i].no_clock ? no_clock : now_2026, fill(rows[i].keys), &result);
        server_close(&server);
        check(rows[i].what, &result, rows[i].outcome, rows[i].reason);
        assert_int_equal(result.phase, rows[i].outcome == OUTCOME_SUCCESS ? PHASE_NONE : PHASE_TLS);
        assert_int_equal(result.phases_reached & ~PHASE_BIT(PHASE_RESOLVE),
                         PHASE_BIT(PHASE_CONNECT) | PHASE_BIT(PHASE_TLS));
        assert_true(result.phase_us[PHASE_TLS] > 0);
        assert_true(result.phase_us[PHASE_TLS] <= result.duration_us);
        assert_true(result.tls.certificate);
        assert_string_equal(result.tls.subject, "CN=lab.example");
        assert_int_equal(result.tls.leaf_not_after,
                         certtext_unix(&rows[i].made->certificate.valid_to));
        assert_string_equal(result.tls.version, rows[i].tls12 ? "TLS 1.2" : "TLS 1.3");
        assert_string_not_equal(result.tls.cipher, "");
        assert_int_equal(harness_open_descriptors(), descriptors);
    }
}

/* ---- before TLS ---- */

static void the_words_before_tls_have_their_own_phase(void **state)
{
    static const struct {
        const char *protocol, *words, *heard;
    } rows[] = {
        {"smtp", "220 mx\r\n250 mx\r\n220 go\r\n", "EHLO picket\r\nSTARTTLS\r\n"},
        {"imap", "* OK\r\na OK\r\n", "a STARTTLS\r\n"},
        {"pop3", "+OK\r\n+OK\r\n", "STLS\r\n"},
        {"ftp", "220 x\r\n234 x\r\n", "AUTH TLS\r\n"},
        {"postgres", "S", NULL},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct server server;
        struct result result;
        char keys[256];
        server_open(&server, &leaf);
        server.words = rows[i].words;
        snprintf(keys, sizeof keys, WITH_CA "starttls = %s\n", rows[i].protocol);
        run(&server, now_2026, fill(keys), &result);
        check(rows[i].protocol, &result, OUTCOME_SUCCESS, REASON_NONE);
        assert_int_equal(result.phases_reached & ~PHASE_BIT(PHASE_RESOLVE),
                         PHASE_BIT(PHASE_CONNECT) | PHASE_BIT(PHASE_STARTTLS) |
                             PHASE_BIT(PHASE_TLS));
        if (rows[i].heard != NULL) {
            assert_string_equal(server.heard, rows[i].heard);
        } else {
            assert_int_equal(server.heard_count, 8);
        }
        server_close(&server);
    }
}

static void a_dialog_that_fails_never_reaches_tls(void **state)
{
    static const struct {
        const char *what, *words;
        bool closes;
        enum reason reason;
        const char *note;
    } rows[] = {
        {"refused", "220 x\r\n250 x\r\n454 no\r\n", false, REASON_PROTOCOL, "454 no"},
        {"another protocol", "SSH-2.0\r\n", false, REASON_PROTOCOL, "SSH"},
        {"injection", "220 x\r\n250 x\r\n220 x\r\n250 y\r\n", false, REASON_PROTOCOL, "in clear"},
        {"closes", "220 x\r\n", true, REASON_RESET, "closed"},
        {"silent", "220-", false, REASON_TIMEOUT, ""},
        {"hostile", "5\x1b[2J\r\n", false, REASON_PROTOCOL, "\\x1b[2J"},
    };
    (void)state;
    unsigned descriptors = harness_open_descriptors();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct server server;
        struct result result;
        server_open(&server, NULL);
        server.words = rows[i].words;
        server.closes = rows[i].closes;
        run(&server, now_2026, fill(WITH_CA "starttls = smtp\ntimeout = 300ms\n"), &result);
        server_close(&server);
        check(rows[i].what, &result, OUTCOME_FAILURE, rows[i].reason);
        assert_int_equal(result.phase, PHASE_STARTTLS);
        assert_non_null(strstr(result.note, rows[i].note));
        assert_int_equal(result.phases_reached & PHASE_BIT(PHASE_TLS), 0);
        assert_false(result.tls.certificate);
        assert_int_equal(harness_open_descriptors(), descriptors);
    }
}

static void a_handshake_that_fails_says_how(void **state)
{
    static const struct {
        const char *what, *words;
        bool closes;
        enum reason reason;
    } rows[] = {
        {"garbage", "HTTP/1.1 400 Bad Request\r\n\r\n", false, REASON_TLS_HANDSHAKE},
        {"alert", "\x15\x03\x03\x01\x02", false, REASON_TIMEOUT}, /* a record that never ends */
        {"closes", NULL, true, REASON_RESET},
        {"silent", "", false, REASON_TIMEOUT},
    };
    (void)state;
    unsigned descriptors = harness_open_descriptors();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct server server;
        struct result result;
        server_open(&server, NULL);
        server.words = rows[i].words;
        server.closes = rows[i].closes;
        run(&server, now_2026, fill(WITH_CA "timeout = 300ms\n"), &result);
        server_close(&server);
        check(rows[i].what, &result, OUTCOME_FAILURE, rows[i].reason);
        assert_int_equal(result.phase, PHASE_TLS);
        assert_string_equal(result.tls.version, "");
        assert_true(result.duration_us < 550 * USEC_PER_MSEC);
        assert_int_equal(harness_open_descriptors(), descriptors);
    }
}

/* Or it would turn for nothing, or sleep through the answer. */
static void a_silent_server_is_waited_for_on_its_socket(void **state)
{
    static const char *const keys[] = {"", "starttls = smtp\n"};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        struct server server;
        char text[256];
        const struct probe_ops *kinds[] = {&tls_probe};
        server_open(&server, NULL);
        server.words = "";
        snprintf(text, sizeof text, "[tls x]\naddress = 127.0.0.1:%u\nverify = off\n%s",
                 server.port, keys[i]);
        struct harness *harness = harness_new(text, kinds, 1);
        harness_start(harness, 0);
        for (unsigned turn = 0; turn < 20; turn++) {
            server_step(&server);
            harness_turn(harness, TURN_US);
        }
        assert_int_equal(harness->waits.count, 1);
        assert_int_equal(harness->waits.at[0].events, POLLIN);
        harness_free(harness);
        server_close(&server);
    }
}

static void a_closed_port_is_refused(void **state)
{
    struct server server;
    struct result result;
    (void)state;
    server_open(&server, &leaf);
    close(server.listener);
    run(NULL, now_2026, fill("address = 127.0.0.1:1\n" CA), &result);
    check("closed", &result, OUTCOME_FAILURE, REASON_REFUSED);
    assert_int_equal(result.phase, PHASE_CONNECT);
    assert_false(result.tls.certificate);
}

/* ---- files ---- */

static void a_local_file_is_judged_by_its_dates_and_pins(void **state)
{
    static const struct row rows[] = {
        {.what = "good", .keys = "file = @/leaf.pem\n"},
        {.what = "der", .keys = "file = @/leaf.der\n"},
        {.what = "expired", .keys = "file = @/expired.pem\n", FAILS(REASON_CERT_EXPIRED)},
        {.what = "future", .keys = "file = @/future.pem\n", FAILS(REASON_CERT_NOT_YET_VALID)},
        {.what = "soon", .keys = "file = @/soon.pem\nmin_days = 14\n", FAILS(REASON_CERT_SOON)},
        {.what = "pin", .keys = "file = @/leaf.pem\npin_sha256 = %2\n", FAILS(REASON_CERT_PIN)},
        {.what = "an expired CA behind it",
         .keys = "file = @/chain.pem\n",
         FAILS(REASON_CERT_EXPIRED)},
        {.what = "a stranger's, no CA named", .keys = "file = @/stranger.pem\n"},
        {.what = "a stranger's",
         .keys = "file = @/stranger.pem\n" CA,
         FAILS(REASON_CERT_UNTRUSTED)},
        {.what = "an expired one behind it that nobody needs",
         .keys = "file = @/chain.pem\nmin_days = 14\n" CA},
        {.what = "with CA", .keys = "file = @/leaf.pem\n" CA},
        {.what = "with name",
         .keys = "file = @/leaf.pem\nserver_name = x\n" CA,
         FAILS(REASON_CERT_NAME)},
        {.what = "verify off", .keys = "file = @/expired.pem\nverify = off\n"},
        {.what = "no clock",
         .keys = "file = @/leaf.pem\n",
         .no_clock = true,
         .outcome = OUTCOME_UNKNOWN},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct result result;
        run(NULL, rows[i].no_clock ? no_clock : now_2026, fill(rows[i].keys), &result);
        check(rows[i].what, &result, rows[i].outcome, rows[i].reason);
        assert_true(result.tls.certificate);
        assert_string_equal(result.tls.subject, "CN=lab.example");
        assert_string_equal(result.tls.version, "");
        assert_int_equal(result.phases_reached, 0);
    }
}

static void a_file_without_a_certificate_fails(void **state)
{
    static const struct row rows[] = {
        {.what = "missing", .keys = "file = @/none.pem\n", FAILS(REASON_CONNECT)},
        {.what = "junk", .keys = "file = @/junk.pem\n", FAILS(REASON_PROTOCOL)},
        {.what = "key", .keys = "file = @/leaf.key\n", FAILS(REASON_PROTOCOL)},
        {.what = "folder", .keys = "file = @\n", FAILS(REASON_PROTOCOL)},
        {.what = "half", .keys = "file = @/half.pem\n", FAILS(REASON_PROTOCOL)},
        {.what = "large", .keys = "file = @/large.pem\n", FAILS(REASON_PROTOCOL)},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct result result;
        run(NULL, now_2026, fill(rows[i].keys), &result);
        check(rows[i].what, &result, OUTCOME_FAILURE, rows[i].reason);
        assert_false(result.tls.certificate);
    }
}

/* ---- configuration ---- */

static void mistakes_are_reported_at_load(void **state)
{
    static const struct {
        const char *keys, *message;
    } rows[] = {
        {"", "address"},
        {"address = x y\n", "address is not"},
        {"address = x:99999\n", "address is not"},
        {"address = x\npin_sha256 = abc\n", "pin_sha256 is not"},
        {"address = x\npin_sha256 = AAAA\n", "pin_sha256 is not"},
        {"file = /x\nstarttls = smtp\n", "starttls needs an address"},
        {"address = x\nstarttls = nntp\n", "starttls"},
        {"address = x\nmin_days = -1\n", "min_days"},
        {"address = x\nmin_tls = 1.1\n", "min_tls"},
        {"address = x\ncert_file = /c\n", "key_file is missing"},
        {"address = x\nkey_file = /c\n", "cert_file is missing"},
        {"address = x\nserver_name = a/b\n", "server_name is no host name"},
        {"address = x\nca_file = \"\"\n", "ca_file"},
        {"address = x\nverify = off\nca_file = /none.pem\n", "ca_file /none.pem: No such file"},
        {"address = x\nca_file = @/junk.pem\n", "no certificate found"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[512];
        const struct probe_ops *kinds[] = {&tls_probe};
        snprintf(text, sizeof text, "[tls x]\n%s", fill(rows[i].keys));
        struct harness *harness = harness_new(text, kinds, 1);
        if (harness->runner != NULL || strstr(harness->error_text, rows[i].message) == NULL) {
            fail_msg("%s: %s", text, harness->error_text);
        }
        harness_free(harness);
    }
}

/* ---- set-up ---- */

static void pin_of(const struct made *made, char *out)
{
    uint8_t sha256[32];
    size_t used;
    assert_int_equal(certinfo_pin(&made->certificate, sha256), ERROR_NONE);
    assert_int_equal(mbedtls_base64_encode((unsigned char *)out, 64, &used, sha256, 32), 0);
}

static void write_file(const char *name, const void *bytes, size_t count)
{
    FILE *file = fopen(in_folder(name), "w");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, count, file), count);
    fclose(file);
}

static int make_files(void **state)
{
    static const char half[] = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    struct made_plan plan = {.dns = {"lab.example"}, .address = {127, 0, 0, 1}};
    struct made old_root, chain;
    (void)state;
    assert_non_null(mkdtemp(folder));
    made_new(&root, &(struct made_plan){.subject = "CN=Root", .authority = true}, NULL, NULL);
    made_new(&old_root,
             &(struct made_plan){.subject = "CN=Old", .authority = true, .until = "20210101000000"},
             NULL, NULL);
    made_new(&leaf, &plan, &root, "CN=Root");
    made_new(&stranger, &plan, NULL, NULL);
    made_new(&chain, &plan, &root, "CN=Root");
    made_send(&chain, &old_root);
    plan.until = "20260101000000";
    made_new(&expired, &plan, &root, "CN=Root");
    plan.until = "20260711000000";
    made_new(&soon, &plan, &root, "CN=Root");
    plan.until = NULL;
    plan.from = "20800101000000";
    made_new(&future, &plan, &root, "CN=Root");
    made_save(&root, in_folder("root.pem"), NULL);
    made_save(&leaf, in_folder("leaf.pem"), in_folder("leaf.key"));
    made_save(&expired, in_folder("expired.pem"), NULL);
    made_save(&future, in_folder("future.pem"), NULL);
    made_save(&soon, in_folder("soon.pem"), NULL);
    made_save(&stranger, in_folder("stranger.pem"), NULL);
    made_save(&chain, in_folder("chain.pem"), NULL);
    made_save(&leaf, in_folder("half.pem"), NULL);
    FILE *file = fopen(in_folder("half.pem"), "a");
    fputs(half, file);
    fclose(file);
    write_file("leaf.der", leaf.certificate.raw.p, leaf.certificate.raw.len);
    write_file("junk.pem", "junk\n", 5);
    write_file("large.pem", "", 0);
    assert_int_equal(truncate(in_folder("large.pem"), 1024 * 1024), 0);
    pin_of(&leaf, good_pin);
    pin_of(&root, other_pin);
    made_free(&old_root);
    made_free(&chain);
    return 0;
}

static int remove_files(void **state)
{
    static const char *const names[] = {"root.pem",   "leaf.pem", "leaf.key",     "expired.pem",
                                        "future.pem", "soon.pem", "stranger.pem", "chain.pem",
                                        "half.pem",   "leaf.der", "junk.pem",     "large.pem"};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        unlink(in_folder(names[i]));
    }
    rmdir(folder);
    made_free(&root);
    made_free(&leaf);
    made_free(&expired);
    made_free(&future);
    made_free(&soon);
    made_free(&stranger);
    mbedtls_psa_crypto_free();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(certificates_are_judged_in_order_and_always_reported),
        cmocka_unit_test(the_words_before_tls_have_their_own_phase),
        cmocka_unit_test(a_dialog_that_fails_never_reaches_tls),
        cmocka_unit_test(a_handshake_that_fails_says_how),
        cmocka_unit_test(a_silent_server_is_waited_for_on_its_socket),
        cmocka_unit_test(a_closed_port_is_refused),
        cmocka_unit_test(a_local_file_is_judged_by_its_dates_and_pins),
        cmocka_unit_test(a_file_without_a_certificate_fails),
        cmocka_unit_test(mistakes_are_reported_at_load),
    };
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
