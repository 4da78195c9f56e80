/* Guards connecting: the right cause when all addresses fail, every address tried, no descriptor
 * left behind, and `unknown` when it is the agent that is short of something. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "fake_clock.h"
#include "net.h"
#include "probe_harness.h"

static usec_t monotonic_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * USEC_PER_SEC + now.tv_nsec / 1000;
}

static void net_parse_host_port_takes_what_users_write(void **state)
{
    static const struct {
        const char *text;
        uint16_t default_port;
        enum error error;
        const char *host;
        uint16_t port;
    } rows[] = {
        {"mail.example.net:25", 0, ERROR_NONE, "mail.example.net", 25},
        {"mail.example.net", 443, ERROR_NONE, "mail.example.net", 443},
        {"mail.example.net:25", 443, ERROR_NONE, "mail.example.net", 25},
        {"localhost.:1", 0, ERROR_NONE, "localhost.", 1},
        {"192.0.2.1:65535", 0, ERROR_NONE, "192.0.2.1", 65535},
        {"[::1]:80", 0, ERROR_NONE, "::1", 80},
        {"[2001:db8::1]", 7, ERROR_NONE, "2001:db8::1", 7},
        {"[fe80::1%eth0]:80", 0, ERROR_NONE, "fe80::1%eth0", 80},
        {"_sip._tcp.example.net:5060", 0, ERROR_NONE, "_sip._tcp.example.net", 5060},
        {"a:0", 0, ERROR_RANGE, NULL, 0},
        {"a:65536", 0, ERROR_RANGE, NULL, 0},
        {"a:99999999999999999999", 0, ERROR_RANGE, NULL, 0},
        {"a:-1", 0, ERROR_RANGE, NULL, 0},
        {"a", 0, ERROR_INVALID, NULL, 0},
        {"a:", 80, ERROR_INVALID, NULL, 0},
        {"a:8x", 80, ERROR_INVALID, NULL, 0},
        {"a: 80", 80, ERROR_INVALID, NULL, 0},
        {"", 80, ERROR_INVALID, NULL, 0},
        {":80", 80, ERROR_INVALID, NULL, 0},
        {"::1", 80, ERROR_INVALID, NULL, 0},
        {"[::1", 80, ERROR_INVALID, NULL, 0},
        {"[::1]80", 80, ERROR_INVALID, NULL, 0},
        {"[localhost]:80", 80, ERROR_INVALID, NULL, 0},
        {"[]:80", 80, ERROR_INVALID, NULL, 0},
        {"[::1%]:80", 80, ERROR_INVALID, NULL, 0},
        {"[::1%../../x]:80", 80, ERROR_INVALID, NULL, 0},
        {"a b:80", 80, ERROR_INVALID, NULL, 0},
        {"a/b:80", 80, ERROR_INVALID, NULL, 0},
        {"user@a:80", 80, ERROR_INVALID, NULL, 0},
        {"a..b:80", 80, ERROR_INVALID, NULL, 0},
        {".a:80", 80, ERROR_INVALID, NULL, 0},
        {"-a:80", 80, ERROR_INVALID, NULL, 0},
        {"caf\xc3\xa9:80", 80, ERROR_INVALID, NULL, 0},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct endpoint endpoint, before;
        memset(&endpoint, 0x55, sizeof endpoint);
        before = endpoint;
        enum error error = net_parse_host_port(rows[i].text, rows[i].default_port, &endpoint);
        if (error != rows[i].error) {
            fail_msg("'%s' gave %d", rows[i].text, (int)error);
        }
        if (error != ERROR_NONE) {
            assert_memory_equal(&endpoint, &before, sizeof endpoint);
            continue;
        }
        assert_string_equal(endpoint.host, rows[i].host);
        assert_int_equal(endpoint.port, rows[i].port);
    }
}

static void net_parse_host_port_bounds_lengths(void **state)
{
    (void)state;
    char text[400];
    struct endpoint endpoint;
    memset(text, 'a', sizeof text);
    strcpy(text + 63, ":1");
    assert_int_equal(net_parse_host_port(text, 0, &endpoint), ERROR_NONE);
    memset(text, 'a', sizeof text);
    strcpy(text + 64, ":1");
    assert_int_equal(net_parse_host_port(text, 0, &endpoint), ERROR_INVALID);
    for (size_t i = 0; i < sizeof text; i++) {
        text[i] = i % 2 == 0 ? 'a' : '.';
    }
    strcpy(text + 255, ":1");
    assert_int_equal(net_parse_host_port(text, 0, &endpoint), ERROR_NONE);
    assert_int_equal(strlen(endpoint.host), 255);
    text[255] = '.';
    strcpy(text + 256, ":1");
    assert_int_equal(net_parse_host_port(text, 0, &endpoint), ERROR_INVALID);
}

static void net_source_is_an_address_or_an_interface(void **state)
{
    (void)state;
    static const char *const good[] = {"192.0.2.1", "2001:db8::1", "eth0", "wwan0.100", "br-lan"};
    static const char *const bad[] = {"",      ".", "..", "eth 0", "a/b", "averylonginterface",
                                      "eth0:1"};
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        assert_true(net_source_valid(good[i]));
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_false(net_source_valid(bad[i]));
    }
}

static void net_address_facts_are_blackbox_exporters(void **state)
{
    (void)state;
    struct result result;
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    char text[64];
    result_init(&result, 0, 0);
    net_address_facts(&result, (void *)&v4);
    assert_true(result.facts[FACT_IP_PROTOCOL] == 4);
    assert_true(result.facts[FACT_IP_ADDR_HASH] == 3668918509.0);
    v4.sin_port = htons(80);
    assert_string_equal(net_address_text((void *)&v4, text, sizeof text), "127.0.0.1:80");
    net_address_facts(&result, (void *)&v6);
    assert_true(result.facts[FACT_IP_PROTOCOL] == 6);
    v6.sin6_port = htons(443);
    assert_string_equal(net_address_text((void *)&v6, text, sizeof text), "[::1]:443");
}

static void net_reason_classifies_every_errno_a_connection_gives(void **state)
{
    static const struct {
        int system_errno;
        enum reason reason;
    } rows[] = {
        {ECONNREFUSED, REASON_REFUSED},
        {ENETUNREACH, REASON_UNREACHABLE},
        {EHOSTUNREACH, REASON_UNREACHABLE},
        {ETIMEDOUT, REASON_TIMEOUT},
        {ECONNRESET, REASON_RESET},
        {EPIPE, REASON_RESET},
        {EACCES, REASON_CONNECT},
        {EPERM, REASON_CONNECT},
        {EAFNOSUPPORT, REASON_UNREACHABLE},
        {EADDRNOTAVAIL, REASON_UNREACHABLE},
        {EIO, REASON_CONNECT},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(net_reason(rows[i].system_errno), rows[i].reason);
    }
    assert_true(net_exhausted(EMFILE) && net_exhausted(ENFILE) && net_exhausted(ENOBUFS) &&
                net_exhausted(ENOMEM));
    assert_false(net_exhausted(ECONNREFUSED));
}

/* --- Connecting --- */

static struct address addresses[CAP_ADDRESSES];
static struct result result;
static struct run run;
static struct net_connect attempt;

static void no_run(usec_t timeout_us)
{
    static struct fake_clock clock_state;
    static struct clock fake;
    fake = fake_clock_port(&clock_state);
    memset(addresses, 0, sizeof addresses);
    result_init(&result, 0, 1);
    run = (struct run){.result = &result, .clock = &fake, .addresses = addresses};
    run.now_us = monotonic_us();
    run.deadline_us = run.now_us + timeout_us;
}

static void add_address(const char *literal, uint16_t port)
{
    struct address *address = &addresses[run.address_count++];
    if (inet_pton(AF_INET, literal, &address->socket.v4.sin_addr) == 1) {
        address->socket.v4.sin_family = AF_INET;
        address->socket.v4.sin_port = htons(port);
        address->length = sizeof address->socket.v4;
    } else {
        assert_int_equal(inet_pton(AF_INET6, literal, &address->socket.v6.sin6_addr), 1);
        address->socket.v6.sin6_family = AF_INET6;
        address->socket.v6.sin6_port = htons(port);
        address->length = sizeof address->socket.v6;
    }
}

static int listener(int family, int backlog, uint16_t *port)
{
    struct address address;
    memset(&address, 0, sizeof address);
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    socklen_t length = family == AF_INET ? sizeof address.socket.v4 : sizeof address.socket.v6;
    address.socket.any.sa_family = (sa_family_t)family;
    if (family == AF_INET) {
        address.socket.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    } else {
        address.socket.v6.sin6_addr = in6addr_loopback;
    }
    assert_int_equal(bind(fd, &address.socket.any, length), 0);
    assert_int_equal(getsockname(fd, &address.socket.any, &length), 0);
    *port = ntohs(family == AF_INET ? address.socket.v4.sin_port : address.socket.v6.sin6_port);
    assert_int_equal(listen(fd, backlog), 0);
    return fd;
}

static uint16_t closed_port(void)
{
    uint16_t port;
    close(listener(AF_INET, 1, &port));
    return port;
}

/* Turns as the loop does until it is over; fails when that takes longer than the deadline. */
static enum net_state connect_all(const char *source)
{
    static struct waits waits;
    enum net_state state = net_connect_start(&attempt, &run, source);
    while (state == NET_WAIT) {
        waits_clear(&waits);
        net_connect_waits(&attempt, &waits);
        assert_int_equal(waits.count, 1);
        usec_t left_us = usec_max(waits_wake(&waits, run.now_us) - monotonic_us(), 0);
        poll(waits.at, waits.count, (int)(left_us / 1000) + 1);
        run.now_us = monotonic_us();
        assert_true(run.now_us < run.deadline_us + 250 * USEC_PER_MSEC);
        state = net_connect_step(&attempt, &run, source);
    }
    return state;
}

static void net_connects_and_books_the_address(void **state)
{
    (void)state;
    uint16_t port;
    int server = listener(AF_INET, 4, &port);
    unsigned before = harness_open_descriptors();
    no_run(USEC_PER_SEC);
    add_address("127.0.0.1", port);
    assert_int_equal(connect_all(NULL), NET_CONNECTED);
    assert_false(result_decided(&result));
    assert_true(result.facts[FACT_IP_ADDR_HASH] == 3668918509.0);
    int on = 0;
    socklen_t size = sizeof on;
    assert_int_equal(getsockopt(attempt.fd, IPPROTO_TCP, 1 /* TCP_NODELAY */, &on, &size), 0);
    assert_int_not_equal(on, 0);
    net_connect_close(&attempt);
    net_connect_close(&attempt);
    assert_int_equal(harness_open_descriptors(), before);
    close(server);
}

static void net_tries_every_address_before_it_blames_the_most_telling(void **state)
{
    (void)state;
    uint16_t port, refused = closed_port();
    int server = listener(AF_INET, 4, &port);
    /* No stream leads to a multicast group: ENETUNREACH, and no packet leaves. */
    static const char nowhere[] = "224.0.0.1";
    unsigned before = harness_open_descriptors();
    no_run(USEC_PER_SEC);
    add_address(nowhere, 9);
    add_address("127.0.0.1", refused);
    add_address("127.0.0.1", port);
    assert_int_equal(connect_all(NULL), NET_CONNECTED);
    assert_false(result_decided(&result));
    net_connect_close(&attempt);

    no_run(USEC_PER_SEC);
    add_address("127.0.0.1", refused);
    assert_int_equal(connect_all(NULL), NET_FAILED);
    assert_int_equal(result.reason, REASON_REFUSED);
    assert_int_equal(result.phase, PHASE_CONNECT);
    assert_non_null(strstr(result.note, "127.0.0.1:"));

    no_run(USEC_PER_SEC);
    add_address("127.0.0.1", refused);
    add_address("ff02::1", 9); /* last, and says least */
    assert_int_equal(connect_all(NULL), NET_FAILED);
    assert_int_equal(result.reason, REASON_REFUSED);
    assert_int_equal(harness_open_descriptors(), before);
    close(server);
}

/* A listener whose queue is full answers no SYN: the nearest thing to a black hole on loopback. */
static unsigned fill_queue(uint16_t port, int *fillers, unsigned size)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (unsigned i = 0; i < size; i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        connect(fillers[i], (void *)&address, sizeof address);
    }
    return size;
}

static void net_gives_a_silent_address_its_share_and_goes_on(void **state)
{
    (void)state;
    uint16_t hole_port, port;
    int fillers[8];
    int hole = listener(AF_INET, 0, &hole_port), server = listener(AF_INET, 4, &port);
    unsigned filled = fill_queue(hole_port, fillers, ARRAY_LEN(fillers));
    no_run(600 * USEC_PER_MSEC);
    usec_t started_us = run.now_us;
    add_address("127.0.0.1", hole_port);
    add_address("127.0.0.1", hole_port);
    add_address("127.0.0.1", port);
    assert_int_equal(connect_all(NULL), NET_CONNECTED);
    assert_in_range(run.now_us - started_us, 400 * USEC_PER_MSEC, 599 * USEC_PER_MSEC);
    net_connect_close(&attempt);

    no_run(200 * USEC_PER_MSEC);
    add_address("127.0.0.1", hole_port);
    assert_int_equal(connect_all(NULL), NET_FAILED);
    assert_int_equal(result.reason, REASON_TIMEOUT);
    for (unsigned i = 0; i < filled; i++) {
        close(fillers[i]);
    }
    close(hole);
    close(server);
}

static void net_source_decides_where_from(void **state)
{
    (void)state;
    uint16_t port;
    int server = listener(AF_INET, 4, &port);
    struct sockaddr_in peer;
    socklen_t size = sizeof peer;
    no_run(USEC_PER_SEC);
    add_address("127.0.0.1", port);
    assert_int_equal(connect_all("127.0.0.2"), NET_CONNECTED);
    int accepted = accept(server, (void *)&peer, &size);
    assert_int_equal(peer.sin_addr.s_addr, inet_addr("127.0.0.2"));
    close(accepted);
    net_connect_close(&attempt);

    no_run(USEC_PER_SEC);
    add_address("127.0.0.1", port);
    assert_int_equal(connect_all("lo"), NET_CONNECTED);
    net_connect_close(&attempt);

    static const char *const missing[] = {"192.0.2.77", "nosuch0", "::1"};
    for (size_t i = 0; i < ARRAY_LEN(missing); i++) {
        no_run(USEC_PER_SEC);
        add_address("127.0.0.1", port);
        assert_int_equal(connect_all(missing[i]), NET_FAILED);
        assert_int_equal(result.outcome, OUTCOME_UNKNOWN);
        assert_true(result_decided(&result));
        assert_int_equal(attempt.fd, -1);
    }

    no_run(USEC_PER_SEC); /* a source of one family skips addresses of the other */
    add_address("::1", port);
    add_address("127.0.0.1", port);
    assert_int_equal(connect_all("127.0.0.1"), NET_CONNECTED);
    net_connect_close(&attempt);
    close(server);
}

static void net_without_descriptors_is_unknown(void **state)
{
    (void)state;
    struct rlimit limit, none;
    getrlimit(RLIMIT_NOFILE, &limit);
    none = limit;
    none.rlim_cur = 3;
    no_run(USEC_PER_SEC);
    add_address("127.0.0.1", 9);
    setrlimit(RLIMIT_NOFILE, &none);
    enum net_state end = net_connect_start(&attempt, &run, NULL);
    setrlimit(RLIMIT_NOFILE, &limit);
    assert_int_equal(end, NET_FAILED);
    assert_int_equal(result.outcome, OUTCOME_UNKNOWN);
    assert_true(result_decided(&result));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(net_parse_host_port_takes_what_users_write),
        cmocka_unit_test(net_parse_host_port_bounds_lengths),
        cmocka_unit_test(net_source_is_an_address_or_an_interface),
        cmocka_unit_test(net_address_facts_are_blackbox_exporters),
        cmocka_unit_test(net_reason_classifies_every_errno_a_connection_gives),
        cmocka_unit_test(net_connects_and_books_the_address),
        cmocka_unit_test(net_tries_every_address_before_it_blames_the_most_telling),
        cmocka_unit_test(net_gives_a_silent_address_its_share_and_goes_on),
        cmocka_unit_test(net_source_decides_where_from),
        cmocka_unit_test(net_without_descriptors_is_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
