/* Guards against descriptors and memory that leak run by run, credentials or rules of one target
 * that reach another through a slot both use, and a slow peer that holds up the rest. */
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "heap_use.h"
#include "probe_harness.h"
#include "registry.h"
#include "tls_peer.h"

enum { RUNS = 10000, WARM_UP = 204 /* ends on the target the last run ends on */ };

/* A server in a thread of its own: no heap, so that the program's heap is the probes'. */
static struct {
    int listener;
    uint16_t port;
    pthread_t thread;
    char request[4096]; /* the last one, for the thread that waits for its run's result */
} server;

static void answer(int fd, const char *text)
{
    if (write(fd, text, strlen(text)) < 0)
        return;
}

static void serve(int fd)
{
    size_t used = 0;
    ssize_t got;
    while ((got = read(fd, server.request + used, sizeof server.request - 1 - used)) > 0) {
        used += (size_t)got;
        server.request[used] = '\0';
        if (strstr(server.request, "\r\n\r\n"))
            break;
    }
    if (strstr(server.request, " /redirect "))
        answer(fd, "HTTP/1.1 302 Found\r\nLocation: /\r\nSet-Cookie: a=1\r\n\r\n");
    else if (strstr(server.request, " /short "))
        answer(fd, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort");
    else if (!strstr(server.request, " /nothing "))
        answer(fd, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello\n");
}

static void *serve_all(void *unused)
{
    int fd;
    (void)unused;
    while ((fd = accept(server.listener, NULL, NULL)) >= 0) {
        serve(fd);
        close(fd);
    }
    return NULL;
}

static int open_listener(uint16_t *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, length), 0);
    assert_int_equal(listen(fd, 64), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    *port = ntohs(address.sin_port);
    return fd;
}

static int start_server(void **state)
{
    (void)state;
    server.listener = open_listener(&server.port);
    return pthread_create(&server.thread, NULL, serve_all, NULL);
}

static int stop_server(void **state)
{
    (void)state;
    shutdown(server.listener, SHUT_RDWR);
    pthread_join(server.thread, NULL);
    return close(server.listener);
}

static const struct probe_ops *const kinds[] = {&http_probe};

static struct harness *harness_of(const char *format, unsigned slots)
{
    char text[2048];
    unsigned port = server.port;
    snprintf(text, sizeof text, format, port, port, port, port, port);
    struct harness *harness = harness_new_with_slots(text, kinds, 1, slots);
    if (!harness->runner)
        fail_msg("%s", harness->error_text);
    return harness;
}

static void run_one(struct harness *harness, unsigned target, enum outcome outcome,
                    enum reason reason)
{
    static struct result result;
    assert_int_equal(harness_run_target(harness, target, &result), ERROR_NONE);
    if (result.outcome != outcome || result.reason != reason)
        fail_msg("target %u: %s %s: %s", target, outcome_name(result.outcome),
                 reason_name(result.reason), result.note);
}

static void ten_thousand_runs_leave_no_descriptor_and_no_byte(void **state)
{
    struct harness *harness = harness_of("[http a]\nurl = http://127.0.0.1:%u/\n"
                                         "url = http://127.0.0.1:%u/redirect\n"
                                         "url = http://127.0.0.1:%u/short\n"
                                         "url = http://127.0.0.1:%u/nothing\n"
                                         "url = http://127.0.0.1:1/\n"
                                         "expect_body = /hello/\n",
                                         1);
    static const enum reason reasons[] = {REASON_NONE, REASON_NONE, REASON_TRUNCATED, REASON_RESET,
                                          REASON_REFUSED};
    size_t bytes = 0;
    unsigned descriptors = 0;
    (void)state;
    for (unsigned i = 0; i < RUNS; i++) {
        unsigned target = i % 5;
        run_one(harness, target, target < 2 ? OUTCOME_SUCCESS : OUTCOME_FAILURE, reasons[target]);
        if (i == WARM_UP) {
            bytes = heap_bytes();
            descriptors = harness_open_descriptors();
        }
    }
    /* Blocks in use settle within a few KiB, since the allocator hands out a larger one at times;
     * one byte a run would be more. */
    assert_in_range(heap_bytes(), 0, bytes + RUNS - WARM_UP - 1);
    assert_in_range(harness_open_descriptors(), descriptors - 1, descriptors + 1);
    harness_free(harness);
}

static void nothing_is_left_when_all_targets_are_closed(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        unsigned before = harness_open_descriptors();
        struct harness *harness = harness_of("[http a]\nurl = http://127.0.0.1:%u/\n", 4);
        run_one(harness, 0, OUTCOME_SUCCESS, REASON_NONE);
        harness_free(harness);
        assert_in_range(harness_open_descriptors(), before - 1, before + 1);
    }
}

/* One slot, so that each run follows another target's on the same handle. */
static void targets_that_share_a_slot_share_nothing_else(void **state)
{
    char path[] = "/tmp/picket-token-XXXXXX", text[1024];
    int fd = mkstemp(path);
    (void)state;
    assert_int_equal(write(fd, "t0ken\n", 6), 6);
    close(fd);
    snprintf(text, sizeof text,
             "[http secret]\nurl = http://127.0.0.1:%%u/\nbearer_file = %s\nheader = X-Key: k\n"
             "method = PUT\nbody = data\nhost = other.test\n"
             "[http head]\nurl = http://127.0.0.1:%%u/\nmethod = HEAD\n"
             "[http cookie]\nurl = http://127.0.0.1:%%u/redirect\n"
             "[http plain]\nurl = http://127.0.0.1:%%u/\n",
             path);
    struct harness *harness = harness_of(text, 1);
    for (int round = 0; round < 2; round++) {
        run_one(harness, 0, OUTCOME_SUCCESS, REASON_NONE);
        assert_non_null(strstr(server.request, "PUT / HTTP/1.1\r\n"));
        assert_non_null(strstr(server.request, "Host: other.test\r\n"));
        assert_non_null(strstr(server.request, "Authorization: Bearer t0ken\r\n"));
        run_one(harness, 1, OUTCOME_SUCCESS, REASON_NONE);
        assert_non_null(strstr(server.request, "HEAD / HTTP/1.1\r\n"));
        run_one(harness, 2, OUTCOME_SUCCESS, REASON_NONE);
        assert_non_null(strstr(server.request, "Cookie: a=1\r\n"));
        run_one(harness, 3, OUTCOME_SUCCESS, REASON_NONE);
        assert_non_null(strstr(server.request, "GET / HTTP/1.1\r\n"));
        assert_null(strstr(server.request, "Authorization"));
        assert_null(strstr(server.request, "X-Key"));
        assert_null(strstr(server.request, "Cookie"));
        assert_null(strstr(server.request, "other.test"));
        assert_null(strstr(server.request, "Content-Length"));
    }
    harness_free(harness);
    unlink(path);
}

static void a_silent_peer_delays_nobody(void **state)
{
    uint16_t port;
    int silent = open_listener(&port);
    char text[512];
    struct result result;
    (void)state;
    snprintf(text, sizeof text,
             "[http a]\nurl = http://127.0.0.1:%u/\nurl = http://127.0.0.1:%u/\ntimeout = 300ms\n",
             port, server.port);
    struct harness *harness = harness_new_with_slots(text, kinds, 1, 2);
    assert_non_null(harness->runner);
    harness_start(harness, 0);
    harness_start(harness, 1);
    assert_int_equal(harness_collect(harness, &result), ERROR_NONE);
    assert_int_equal(result.target, 1);
    assert_int_equal(result.outcome, OUTCOME_SUCCESS);
    assert_in_range(result.duration_us, 0, 200 * USEC_PER_MSEC);
    assert_int_equal(harness_collect(harness, &result), ERROR_NONE);
    assert_int_equal(result.reason, REASON_TIMEOUT);
    assert_int_equal(result.phase, PHASE_PROCESSING);
    assert_in_range(result.duration_us, 299 * USEC_PER_MSEC, 550 * USEC_PER_MSEC);
    assert_in_range(result.phase_us[PHASE_PROCESSING], 250 * USEC_PER_MSEC, 550 * USEC_PER_MSEC);
    harness_free(harness);
    close(silent);
}

/* A kind whose every step takes a whole turn of the loop. */
static const struct config_key burn_keys[] = {
    {.name = "address", .type = SETTING_TEXT, .flags = KEY_REPEATS | KEY_TARGET},
};

static enum error burn_open(const struct config *config, const struct config_probe *probe,
                            unsigned target, void **prepared, struct endpoint *endpoint, char *why,
                            size_t why_size)
{
    (void)config, (void)probe, (void)target, (void)why, (void)why_size;
    *prepared = NULL;
    endpoint->host[0] = '\0';
    return ERROR_NONE;
}

static void burn_close(void *prepared)
{
    (void)prepared;
}

static enum progress burn(struct run *run)
{
    usec_t until_us = clock_monotonic_us(run->clock) + 21 * USEC_PER_MSEC;
    while (clock_monotonic_us(run->clock) < until_us)
        continue;
    return PROGRESS_YIELD;
}

static enum progress burn_step(struct run *run, const struct waits *ready)
{
    (void)ready;
    return burn(run);
}

static void burn_waits(struct run *run, struct waits *waits)
{
    (void)run, (void)waits;
}

static void burn_cancel(struct run *run)
{
    (void)run;
}

static const struct probe_ops burn_probe = {
    .kind = {.name = "burn", .keys = burn_keys, .key_count = 1},
    .run_bytes = 1,
    .open = burn_open,
    .close = burn_close,
    .start = burn,
    .step = burn_step,
    .waits = burn_waits,
    .cancel = burn_cancel,
};

/* A run whose turn comes one turn late is stepped with a set its descriptors are not in; if it saw
 * nothing then, busy neighbours would keep it from ever seeing anything. */
static void busy_neighbours_starve_nobody(void **state)
{
    static const struct probe_ops *const both[] = {&http_probe, &burn_probe};
    char text[256];
    struct result result;
    (void)state;
    snprintf(text, sizeof text,
             "[burn b]\naddress = 1\naddress = 2\ntimeout = 2s\n"
             "[http a]\nurl = http://127.0.0.1:%u/\ntimeout = 1s\n",
             server.port);
    struct harness *harness = harness_new_with_slots(text, both, 2, 3);
    if (!harness->runner)
        fail_msg("%s", harness->error_text);
    for (unsigned target = 0; target < 3; target++)
        harness_start(harness, target);
    assert_int_equal(harness_collect(harness, &result), ERROR_NONE);
    assert_int_equal(result.target, 2);
    if (result.outcome != OUTCOME_SUCCESS)
        fail_msg("%s: %s", reason_name(result.reason), result.note);
    harness_free(harness);
}

/* Warnings of TLS, which a client passes over, for as long as somebody reads them (3 s at most). */
static void *send_warnings(void *context)
{
    static const char warning[7] = {21, 3, 3, 0, 2, 1, 90};
    char many[700 * sizeof warning];
    int fd = accept(*(const int *)context, NULL, NULL);
    time_t end = time(NULL) + 3;
    for (size_t i = 0; i < sizeof many; i++)
        many[i] = warning[i % sizeof warning];
    while (time(NULL) < end && send(fd, many, sizeof many, MSG_NOSIGNAL) > 0)
        continue;
    close(fd);
    return NULL;
}

static void a_peer_that_sends_warnings_without_end_delays_nobody(void **state)
{
    uint16_t port;
    int listener = open_listener(&port);
    pthread_t thread;
    char text[512];
    struct result result;
    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, send_warnings, &listener), 0);
    snprintf(text, sizeof text,
             "[http a]\nurl = https://127.0.0.1:%u/\nurl = http://127.0.0.1:%u/\n"
             "verify = off\ntimeout = 300ms\n",
             port, server.port);
    struct harness *harness = harness_new_with_slots(text, kinds, 1, 2);
    assert_non_null(harness->runner);
    harness_start(harness, 0);
    harness_start(harness, 1);
    assert_int_equal(harness_collect(harness, &result), ERROR_NONE);
    assert_int_equal(result.target, 1);
    assert_int_equal(result.outcome, OUTCOME_SUCCESS);
    assert_int_equal(harness_collect(harness, &result), ERROR_NONE);
    assert_int_equal(result.reason, REASON_TIMEOUT);
    assert_int_equal(result.phase, PHASE_TLS);
    assert_in_range(result.duration_us, 299 * USEC_PER_MSEC, 550 * USEC_PER_MSEC);
    harness_free(harness);
    pthread_join(thread, NULL);
    close(listener);
}

/* One run over TLS against a server in this thread that answers, and never says goodbye. True when
 * the client's end of the connection is closed by the time the result is there. */
static bool closes_with_its_run(struct harness *harness, int listener, struct made *made)
{
    static const char text[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
    unsigned char bytes[1024];
    struct tls_peer peer;
    struct result result = {.outcome = OUTCOME_UNKNOWN};
    unsigned turns = 0;
    ssize_t got;
    harness_start(harness, 0);
    harness_turn(harness, USEC_PER_MSEC);
    int fd = accept(listener, NULL, NULL);
    tls_peer_start(&peer, fd, made, MBEDTLS_SSL_VERSION_TLS1_3, NULL);
    while (turns++ < 1000 && !tls_peer_step(&peer))
        harness_turn(harness, USEC_PER_MSEC);
    while (turns++ < 1000 && mbedtls_ssl_read(&peer.ssl, bytes, sizeof bytes) <= 0)
        harness_turn(harness, USEC_PER_MSEC);
    assert_int_equal(mbedtls_ssl_write(&peer.ssl, (const unsigned char *)text, sizeof text - 1),
                     sizeof text - 1);
    assert_int_equal(harness_collect(harness, &result), ERROR_NONE);
    if (result.outcome != OUTCOME_SUCCESS)
        fail_msg("%s: %s", reason_name(result.reason), result.note);
    while ((got = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT)) > 0)
        continue; /* its close_notify */
    tls_peer_end(&peer);
    close(fd);
    return got == 0;
}

static void a_tls_connection_is_closed_with_its_run(void **state)
{
    struct made made;
    uint16_t port;
    char text[256];
    int listener = open_listener(&port);
    (void)state;
    made_new(&made, &(struct made_plan){.subject = NULL}, NULL, NULL);
    snprintf(text, sizeof text, "[http a]\nurl = https://127.0.0.1:%u/\nverify = off\n", port);
    struct harness *harness = harness_new_with_slots(text, kinds, 1, 1);
    assert_non_null(harness->runner);
    for (int i = 0; i < 3; i++)
        assert_true(closes_with_its_run(harness, listener, &made));
    harness_free(harness);
    made_free(&made);
    close(listener);
}

static void without_descriptors_the_result_is_unknown(void **state)
{
    struct harness *harness = harness_of("[http a]\nurl = http://127.0.0.1:%u/\n", 1);
    struct rlimit limit, none;
    int spare[64], count = 0;
    (void)state;
    run_one(harness, 0, OUTCOME_SUCCESS, REASON_NONE);
    getrlimit(RLIMIT_NOFILE, &limit);
    none = (struct rlimit){.rlim_cur = 32, .rlim_max = limit.rlim_max};
    setrlimit(RLIMIT_NOFILE, &none);
    while (count < 64 && (spare[count] = dup(0)) >= 0)
        count++;
    run_one(harness, 0, OUTCOME_UNKNOWN, REASON_NONE);
    while (count > 0)
        close(spare[--count]);
    setrlimit(RLIMIT_NOFILE, &limit);
    run_one(harness, 0, OUTCOME_SUCCESS, REASON_NONE);
    harness_free(harness);
}

static void mistakes_are_reported_with_their_line(void **state)
{
    static const struct {
        const char *text;
        unsigned line;
    } rows[] = {
        {"[http a]\nurl = ftp://h/\n", 2},
        {"[http a]\nurl = h\nmethod = get\n", 3},
        {"[http a]\nurl = h\nmethod = CONNECT\n", 3},
        {"[http a]\nurl = h\nmethod = HEAD\nbody = x\n", 4},
        {"[http a]\nurl = h\nmethod = HEAD\nexpect_body = /x/\n", 4},
        {"[http a]\nurl = h\nheader = Authorization: Basic eA==\n", 3},
        {"[http a]\nurl = h\nheader = Content-Length: 5\n", 3},
        {"[http a]\nurl = h\nheader = \"X: a\\r\\nY: b\"\n", 3},
        {"[http a]\nurl = h\nexpect_status = 2xx\n", 3},
        {"[http a]\nurl = h\nexpect_body = /(/\n", 3},
        {"[http a]\nurl = h\nreject_header = X: y\n", 3},
        {"[http a]\nurl = h\nreject_header = X: /(/\n", 3},
        {"[http a]\nurl = h\nmax_body = 2M\n", 3},
        {"[http a]\nurl = h\nredirects = 51\n", 3},
        {"[http a]\nurl = h\nusername = x\n", 3},
        {"[http a]\nurl = h\npassword_file = /x\n", 3},
        {"[http a]\nurl = h\nproxy = h:80\n", 3},
        {"[http a]\nurl = h\nproxy = http://u:p@h:80\n", 3},
        {"[http a]\nurl = h\nconnect_to = h\n", 3},
        {"[http a]\nurl = h\nproxy = http://h:1\nconnect_to = h:1\n", 4},
        {"[http a]\nurl = h\nhost = a b\n", 3},
        {"[http a]\nurl = h\nbody = x\nbody_file = /x\n", 4},
        {"[http a]\nurl = h\nsource = not/valid\n", 3},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char wanted[32];
        struct harness *harness = harness_new(rows[i].text, kinds, 1);
        snprintf(wanted, sizeof wanted, "%u: ", rows[i].line);
        if (harness->runner || !strstr(harness->error_text, wanted))
            fail_msg("%s-> %s", rows[i].text, harness->error_text);
        harness_free(harness);
    }
}

/* It is read in the turn that sends the request: no poll reports it, and libcurl calls nothing back
 * for what has no head. */
static void an_answer_that_came_before_the_request_is_blamed_on_the_transfer(void **state)
{
    static const char early[] = "<html>an answer without a head</html>";
    char text[128];
    uint16_t port;
    struct result result;
    (void)state;
    int listener = open_listener(&port);
    snprintf(text, sizeof text, "[http a]\nurl = http://127.0.0.1:%u/\n", port);
    struct harness *harness = harness_new_with_slots(text, kinds, 1, 1);
    harness_start(harness, 0);
    harness_turn(harness, 0);
    int fd = accept(listener, NULL, NULL);
    answer(fd, early);
    assert_int_equal(harness_collect(harness, &result), ERROR_NONE);
    assert_int_equal(result.reason, REASON_PROTOCOL);
    assert_int_equal(result.phase, PHASE_TRANSFER);
    harness_free(harness);
    close(fd);
    close(listener);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ten_thousand_runs_leave_no_descriptor_and_no_byte),
        cmocka_unit_test(nothing_is_left_when_all_targets_are_closed),
        cmocka_unit_test(targets_that_share_a_slot_share_nothing_else),
        cmocka_unit_test(a_silent_peer_delays_nobody),
        cmocka_unit_test(busy_neighbours_starve_nobody),
        cmocka_unit_test(a_peer_that_sends_warnings_without_end_delays_nobody),
        cmocka_unit_test(a_tls_connection_is_closed_with_its_run),
        cmocka_unit_test(without_descriptors_the_result_is_unknown),
        cmocka_unit_test(mistakes_are_reported_with_their_line),
        cmocka_unit_test(an_answer_that_came_before_the_request_is_blamed_on_the_transfer),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
