/* The modbus kind through the real runner, against devices in threads: libmodbus' own server side
 * for every table and type, modbus_peer.h for the rest. Guards against a value that is lost or
 * taken for another, requests nobody asked for, and a connection that is kept or dropped wrongly.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <modbus/modbus.h>
#include <signal.h>

#include "modbus_runs.h"

/* libmodbus' server side over an open descriptor, until it is closed. */
struct server {
    modbus_t *context;
    modbus_mapping_t *map;
    int listener;
    atomic_bool stop;
    pthread_t thread;
};

static void serve_one(struct server *server, int fd)
{
    struct pollfd at = {.fd = fd, .events = POLLIN};
    uint8_t query[MODBUS_MAX_ADU_LENGTH];

    modbus_set_socket(server->context, fd);
    while (!atomic_load(&server->stop)) {
        if (poll(&at, 1, 20) == 0) {
            continue;
        }
        int length = modbus_receive(server->context, query);
        if (length < 0) {
            return;
        }
        if (length > 0) {
            modbus_reply(server->context, query, length, server->map);
        }
    }
}

static void *server_main(void *context)
{
    struct server *server = context;

    while (!atomic_load(&server->stop)) {
        if (server->listener < 0) {
            serve_one(server, modbus_get_socket(server->context));
            continue;
        }
        int fd = accept(server->listener, NULL, NULL);
        if (fd >= 0) {
            serve_one(server, fd);
            close(fd);
        }
    }
    return NULL;
}

/* The peer gives the descriptors and the address; its own thread does not run. */
static struct peer *server_start(struct server *server, enum peer_wire wire)
{
    struct peer *peer = calloc(1, sizeof(*peer));

    peer->wire = wire;
    peer->listener = peer->master = peer->slave = -1;
    if (wire == PEER_RTU) {
        peer_open_line(peer);
    } else {
        peer_listen(peer);
    }
    server->listener = peer->listener;
    server->context =
        wire == PEER_TCP ? modbus_new_tcp(NULL, 502) : modbus_new_rtu("unused", 115200, 'E', 8, 1);
    modbus_set_slave(server->context, 17);
    modbus_set_socket(server->context, peer->master);
    server->map = modbus_mapping_new(100, 100, 300, 300);
    atomic_store(&server->stop, false);
    assert_int_equal(pthread_create(&server->thread, NULL, server_main, server), 0);
    return peer;
}

static void server_end(struct server *server, struct peer *peer)
{
    atomic_store(&server->stop, true);
    if (peer->listener >= 0) {
        shutdown(peer->listener, SHUT_RDWR);
    }
    pthread_join(server->thread, NULL);
    modbus_mapping_free(server->map);
    modbus_free(server->context);
    int fds[] = {peer->listener, peer->master, peer->slave};
    for (unsigned i = 0; i < ARRAY_LEN(fds); i++) {
        if (fds[i] >= 0) {
            close(fds[i]);
        }
    }
    free(peer);
}

static void every_table_and_type_is_read_over_every_wire(void **state)
{
    static const enum peer_wire wires[] = {PEER_TCP, PEER_RTU_TCP, PEER_RTU};

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(wires); i++) {
        struct server server;
        struct peer *peer = server_start(&server, wires[i]);

        server.map->tab_bits[7] = 1;
        server.map->tab_input_bits[9] = 1;
        server.map->tab_registers[100] = (uint16_t)-305;
        server.map->tab_input_registers[200] = 0xe979;
        server.map->tab_input_registers[201] = 0x42f6;
        memcpy(&server.map->tab_registers[10], "BA21", 4);
        struct harness *harness =
            harness_for(peer, "read = on coil 7 bool\nread = off coil 8 bool\n"
                              "read = door discrete 9 bool\n"
                              "read = flow holding 100 i16 scale=0.1\n"
                              "read = power input 200 f32 order=cdab\n"
                              "read = model holding 10 string:4\n"
                              "read = alarm holding 100 bool bit=15\n");
        struct result result = run_target(harness, 0);
        assert_success(&result);
        assert_int_equal(result.value_count, 7);
        assert_true(result.values[0].number == 1);
        assert_true(result.values[1].available && result.values[1].number == 0);
        assert_true(result.values[2].number == 1);
        assert_true(result.values[3].number == -305 * 0.1);
        assert_true(result.values[4].number > 123.45 && result.values[4].number < 123.46);
        assert_string_equal(result.values[5].text, "AB12");
        assert_true(result.values[6].number == 1);
        assert_true((result.phases_reached & PHASE_BIT(PHASE_CONNECT)) != 0);
        assert_true((result.phases_reached & PHASE_BIT(PHASE_REQUEST)) != 0);
        assert_true(result.phase_us[PHASE_REQUEST] > 0);
        harness_free(harness);
        server_end(&server, peer);
    }
}

static void nobody_listening_is_refused_and_no_line_is_connect(void **state)
{
    struct peer *peer = peer_new(PEER_TCP, PEER_GOOD);
    char address[96];
    struct harness *harness;
    struct result result;

    (void)state;
    memcpy(address, peer->address, sizeof(address));
    peer_free(peer);
    harness = harness_of("[modbus x]\naddress = %s\naddress = rtu:///dev/picket-no-such-line\n"
                         "address = rtu:///dev/null\n"
                         "timeout = 400ms\nread = a holding 0 u16\n",
                         address);
    result = run_target(harness, 0);
    assert_int_equal(result.reason, REASON_REFUSED);
    assert_int_equal(result.phase, PHASE_CONNECT);
    assert_int_equal(result.phases_reached & PHASE_BIT(PHASE_REQUEST), 0);
    result = run_target(harness, 1);
    assert_int_equal(result.reason, REASON_CONNECT);
    assert_int_equal(result.phase, PHASE_CONNECT);
    assert_non_null(strstr(result.note, "no serial device at /dev/picket-no-such-line"));
    assert_int_equal(result.phases_reached & PHASE_BIT(PHASE_REQUEST), 0);
    result = run_target(harness, 2);
    assert_int_equal(result.reason, REASON_CONNECT);
    assert_non_null(strstr(result.note, "is no serial line"));
    harness_free(harness);
}

static void a_bad_register_loses_only_itself_and_is_then_asked_alone(void **state)
{
    struct peer *peer = peer_new(PEER_TCP, PEER_GOOD);
    char text[512];

    (void)state;
    peer->hole = 103;
    struct harness *harness =
        harness_for(peer, "read = a holding 100 u16\nread = b holding 101 u16\n"
                          "read = c holding 102 u16\nread = d holding 103 u16\n"
                          "read = e holding 104 u16\nread = f holding 105 u16\n");
    struct result result = run_target(harness, 0);
    assert_int_equal(result.reason, REASON_EXCEPTION);
    assert_string_equal(result.note, "illegal data address (2) for d");
    for (unsigned i = 0; i < 6; i++) {
        assert_int_equal(result.values[i].available, i != 3);
        assert_true(i == 3 || result.values[i].number == peer_register(100 + i));
    }
    assert_string_equal(peer_requests(peer, text, sizeof(text)),
                        "3:100+6 3:100+3 3:103+3 3:103+1 3:104+2 ");
    result = run_target(harness, 0);
    assert_int_equal(result.reason, REASON_EXCEPTION);
    assert_string_equal(peer_requests(peer, text, sizeof(text)), "3:100+3 3:103+1 3:104+2 ");
    peer->hole = -1; /* the device got new firmware */
    result = run_target(harness, 0);
    assert_success(&result);
    peer_requests(peer, text, sizeof(text));
    result = run_target(harness, 0);
    assert_string_equal(peer_requests(peer, text, sizeof(text)), "3:100+6 ");
    harness_free(harness);
    peer_free(peer);
}

static void a_border_between_registers_is_learnt(void **state)
{
    struct peer *peer = peer_new(PEER_TCP, PEER_GOOD);
    char text[512];

    (void)state;
    peer->border = 102;
    struct harness *harness = harness_for(peer, "read = a holding 100 u32\n"
                                                "read = b holding 102 u32\n");
    struct result result = run_target(harness, 0);
    assert_success(&result);
    assert_string_equal(peer_requests(peer, text, sizeof(text)), "3:100+4 3:100+2 3:102+2 ");
    result = run_target(harness, 0);
    assert_success(&result);
    assert_string_equal(peer_requests(peer, text, sizeof(text)), "3:100+2 3:102+2 ");
    harness_free(harness);
    peer_free(peer);
}

static void limits_of_the_device_are_kept(void **state)
{
    struct peer *peer = peer_new(PEER_TCP, PEER_GOOD);
    char text[512];
    struct harness *harness = harness_for(
        peer, "max_registers = 4\nmax_bits = 2\nread = a holding 100 u32\n"
              "read = b holding 102 u32\nread = c holding 104 u32\nread = d coil 3 bool\n"
              "read = e coil 4 bool\nread = f coil 5 bool\nread = g input 9 u16\n");
    struct result result = run_target(harness, 0);

    (void)state;
    assert_success(&result);
    assert_string_equal(peer_requests(peer, text, sizeof(text)),
                        "1:3+2 1:5+1 4:9+1 3:100+4 3:104+2 ");
    harness_free(harness);
    peer_free(peer);
}

static void a_busy_device_is_asked_again(void **state)
{
    struct peer *peer = peer_new(PEER_TCP, PEER_BUSY);
    char text[512];
    struct harness *harness = harness_for(peer, "busy_retries = 2\nread = a holding 1 u16\n");

    (void)state;
    peer->code = 6;
    atomic_store(&peer->busy, 2);
    struct result result = run_target(harness, 0);
    assert_success(&result);
    assert_true(result.duration_us >= 200 * USEC_PER_MSEC);
    assert_true(result.phase_us[PHASE_REQUEST] < 100 * USEC_PER_MSEC);
    assert_string_equal(peer_requests(peer, text, sizeof(text)), "3:1+1 3:1+1 3:1+1 ");
    atomic_store(&peer->busy, 3);
    result = run_target(harness, 0);
    assert_int_equal(result.reason, REASON_EXCEPTION);
    assert_string_equal(result.note, "device busy (6) for a");
    harness_free(harness);
    peer_free(peer);
}

static void a_gateway_that_reaches_nobody_is_asked_once(void **state)
{
    struct peer *peer = peer_new(PEER_TCP, PEER_EXCEPTION);
    char text[512];
    struct harness *harness = harness_for(
        peer, "read = a holding 1 u16\nread = b holding 5 u16\nread = c holding 9 u16\n");

    (void)state;
    peer->code = 11;
    struct result result = run_target(harness, 0);
    assert_int_equal(result.reason, REASON_EXCEPTION);
    assert_non_null(strstr(result.note, "(11) for a and 2 more"));
    assert_string_equal(peer_requests(peer, text, sizeof(text)), "3:1+1 ");
    harness_free(harness);
    peer_free(peer);
}

static void pauses_are_kept_and_not_blamed_on_the_device(void **state)
{
    struct peer *peer = peer_new(PEER_TCP, PEER_GOOD);
    struct harness *harness =
        harness_for(peer, "pause = 100ms\nread = a holding 1 u16\nread = b holding 5 u16\n");
    struct result result = run_target(harness, 0);

    (void)state;
    assert_success(&result);
    assert_true(result.duration_us >= 200 * USEC_PER_MSEC);
    assert_true(result.phase_us[PHASE_REQUEST] < 100 * USEC_PER_MSEC);
    harness_free(harness);
    peer_free(peer);
}

static bool has_connect(const struct result *result)
{
    return (result->phases_reached & PHASE_BIT(PHASE_CONNECT)) != 0;
}

static void a_connection_is_kept_and_silently_replaced_when_it_was_closed(void **state)
{
    static const enum peer_wire wires[] = {PEER_TCP, PEER_RTU_TCP};

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(wires); i++) {
        struct peer *peer = peer_new(wires[i], PEER_GOOD);
        struct harness *harness = harness_for(peer, "keep_open = on\nread = a holding 1 u16\n");
        struct result result = run_target(harness, 0);

        assert_success(&result);
        assert_true(has_connect(&result));
        result = run_target(harness, 0);
        assert_success(&result);
        assert_false(has_connect(&result));
        assert_true((result.facts_set & FACT_BIT(FACT_IP_PROTOCOL)) != 0);
        assert_int_equal(atomic_load(&peer->connections), 1);
        /* It closes when it is asked: the run notices only then. */
        atomic_store(&peer->habit, PEER_CLOSE);
        harness_start(harness, 0);
        for (unsigned turn = 0; atomic_load(&peer->connections) == 1 && turn < 20; turn++) {
            harness_turn(harness, 10 * USEC_PER_MSEC);
        }
        atomic_store(&peer->habit, PEER_GOOD);
        assert_int_equal(harness_collect(harness, &result), ERROR_NONE);
        /* Either the new connection met the old habit, once and for all, or it was good. */
        assert_true(result.reason == REASON_RESET || result.outcome == OUTCOME_SUCCESS);
        assert_true(has_connect(&result));
        assert_int_equal(atomic_load(&peer->connections), 2);
        harness_free(harness);
        peer_free(peer);
    }
}

static void a_kept_connection_that_the_device_closed_meanwhile_is_not_used(void **state)
{
    struct peer *peer = peer_new(PEER_TCP, PEER_GOOD);
    struct harness *harness = harness_for(peer, "keep_open = on\nread = a holding 1 u16\n");
    struct result result = run_target(harness, 0);
    struct peer *second;

    (void)state;
    assert_success(&result);
    /* The device goes away and comes back on the same port. */
    struct sockaddr_in at;
    socklen_t size = sizeof(at);
    assert_int_equal(getsockname(peer->listener, (struct sockaddr *)&at, &size), 0);
    peer_free(peer);
    second = calloc(1, sizeof(*second));
    second->wire = PEER_TCP;
    second->hole = second->master = second->slave = -1;
    pthread_mutex_init(&second->lock, NULL);
    second->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1;
    setsockopt(second->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    assert_int_equal(bind(second->listener, (struct sockaddr *)&at, size), 0);
    assert_int_equal(listen(second->listener, 4), 0);
    assert_int_equal(pthread_create(&second->thread, NULL, peer_main, second), 0);
    result = run_target(harness, 0);
    assert_success(&result);
    assert_true(has_connect(&result));
    harness_free(harness);
    peer_free(second);
}

static void a_line_is_kept_open_and_a_silent_run_closes_it(void **state)
{
    struct peer *peer = peer_new(PEER_RTU, PEER_GOOD);
    struct harness *harness = harness_for(peer, "keep_open = on\nread = a holding 1 u16\n");
    unsigned before = harness_open_descriptors();
    struct result result = run_target(harness, 0);

    (void)state;
    assert_success(&result);
    assert_true(has_connect(&result));
    assert_int_equal(harness_open_descriptors(), before + 1);
    result = run_target(harness, 0);
    assert_success(&result);
    assert_false(has_connect(&result));
    atomic_store(&peer->habit, PEER_SILENT);
    result = run_target(harness, 0);
    assert_int_equal(result.reason, REASON_TIMEOUT);
    expect_left(own_threads + 2, before);
    atomic_store(&peer->habit, PEER_GOOD);
    result = run_target(harness, 0);
    assert_success(&result);
    harness_free(harness);
    peer_free(peer);
}

static void mistakes_in_the_configuration_name_their_line(void **state)
{
    static const struct {
        const char *text, *message;
    } rows[] = {
        {"address = udp://h:1\nread = a coil 0 bool\n", "2: address: 'udp://'"},
        {"address = h\nread = a coil 0 bool\nread = a coil 1 bool\n", "4: read: name 'a' stands"},
        {"address = h\nread = a holdin 0 u16\n", "3: read: unknown table 'holdin', did you"},
        {"address = h\nmax_registers = 2\nread = a holding 0 f64\n", "4: read: a takes 4"},
        {"address = h\nmax_registers = 126\nread = a holding 0 f64\n", "3: "},
        {"address = h\nunit = 256\nread = a holding 0 f64\n", "3: "},
        {"address = h\nread = a holding 0 u16 stuck=30s\ninterval = 30s\n",
         "3: read: stuck of a is shorter"},
        {"address = rtu:///dev/ttyS0\nunit = 0\nread = a coil 0 bool\n", "2: unit 0 is everybody"},
        {"address = h\n", "1: "},
        {"read = a coil 0 bool\n", "1: "},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        char text[512] = "[modbus x]\n";
        strncat(text, rows[i].text, sizeof(text) - strlen(text) - 1);
        struct harness *harness = harness_new(text, kinds, 1);
        assert_null(harness->runner);
        if (strncmp(harness->error_text, rows[i].message, strlen(rows[i].message)) != 0) {
            fail_msg("%s: %s", rows[i].text, harness->error_text);
        }
        harness_free(harness);
    }
}

static void more_values_than_fit_are_an_error_and_as_many_as_fit_are_read(void **state)
{
    struct peer *peer = peer_new(PEER_TCP, PEER_GOOD);
    char lines[4096] = "", text[512];

    (void)state;
    for (unsigned i = 0; i < CAP_VALUES; i++) {
        size_t used = strlen(lines);
        snprintf(lines + used, sizeof(lines) - used, "read = v%u holding %u u16\n", i, 2 * i);
    }
    struct harness *harness = harness_for(peer, lines);
    struct result result = run_target(harness, 0);
    assert_success(&result);
    assert_int_equal(result.value_count, CAP_VALUES);
    for (unsigned i = 0; i < CAP_VALUES; i++) {
        char name[16], expected[16];
        assert_true(result.values[i].number == peer_register(2 * i));
        assert_true(modbus_probe.kind.value_name(
            &harness->config, &harness->config.probes[0].section, i, name, sizeof(name)));
        snprintf(expected, sizeof(expected), "v%u", i);
        assert_string_equal(name, expected);
    }
    peer_requests(peer, text, sizeof(text));
    harness_free(harness);
    snprintf(text, sizeof(text), "[modbus x]\naddress = %s\n", peer->address);
    strncat(lines, "read = more coil 0 bool\n", sizeof(lines) - strlen(lines) - 1);
    char all[8192];
    snprintf(all, sizeof(all), "%s%s", text, lines);
    harness = harness_new(all, kinds, 1);
    assert_null(harness->runner);
    assert_non_null(strstr(harness->error_text, "51: more than 48 reads"));
    harness_free(harness);
    peer_free(peer);
}

/* What opens targets may still change what the process may do, and has to know what it leaves in
 * reach. */
static void opening_starts_no_thread_and_tells_the_device(void **state)
{
    static const enum peer_wire wires[] = {PEER_TCP, PEER_RTU_TCP, PEER_RTU};

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(wires); i++) {
        struct peer *peer = peer_new(wires[i], PEER_GOOD);
        expect_threads(own_threads + 1); /* the peer's */
        struct harness *harness = harness_for(peer, "read = a holding 1 u16\n");
        bool device;
        const char *path = runner_path(harness->runner, 0, &device);
        assert_int_equal(count_threads(), own_threads + 1);
        assert_int_equal(device, wires[i] == PEER_RTU);
        assert_int_equal(path != NULL, device);
        assert_true(path == NULL || strncmp(path, "/dev/", 5) == 0);
        struct result result = run_target(harness, 0);
        assert_success(&result);
        assert_int_equal(count_threads(), own_threads + 2);
        harness_free(harness);
        expect_threads(own_threads + 1);
        peer_free(peer);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_table_and_type_is_read_over_every_wire),
        cmocka_unit_test(nobody_listening_is_refused_and_no_line_is_connect),
        cmocka_unit_test(a_bad_register_loses_only_itself_and_is_then_asked_alone),
        cmocka_unit_test(a_border_between_registers_is_learnt),
        cmocka_unit_test(limits_of_the_device_are_kept),
        cmocka_unit_test(a_busy_device_is_asked_again),
        cmocka_unit_test(a_gateway_that_reaches_nobody_is_asked_once),
        cmocka_unit_test(pauses_are_kept_and_not_blamed_on_the_device),
        cmocka_unit_test(a_connection_is_kept_and_silently_replaced_when_it_was_closed),
        cmocka_unit_test(a_kept_connection_that_the_device_closed_meanwhile_is_not_used),
        cmocka_unit_test(a_line_is_kept_open_and_a_silent_run_closes_it),
        cmocka_unit_test(mistakes_in_the_configuration_name_their_line),
        cmocka_unit_test(opening_starts_no_thread_and_tells_the_device),
        cmocka_unit_test(more_values_than_fit_are_an_error_and_as_many_as_fit_are_read),
    };
    signal(SIGPIPE, SIG_IGN); /* the peers' own; the probe must not need it */
    return cmocka_run_group_tests(tests, count_own_threads, NULL);
}
