/* Guards against a device that blocks the loop or another probe, a run past its deadline,
 * descriptors and threads left behind, and an answer that is believed although it is not the one
 * asked for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <signal.h>
#include <sys/resource.h>

#include "modbus_runs.h"

struct hostile_row {
    enum peer_habit habit;
    uint8_t code;
    enum reason reason; /* REASON_NONE: a success */
    const char *note;
};

/* What is only known when the time is over is told in the last 10 ms of it, if the machine has them
 * to give: rows are given some runs. */
static bool is_told(const struct hostile_row *row, const struct result *result)
{
    return result->reason == row->reason && strstr(result->note, row->note) != NULL &&
           (row->reason == REASON_NONE || result->phase == PHASE_REQUEST);
}

static void assert_rows(enum peer_wire wire, const struct hostile_row *rows, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct peer *peer = peer_new(wire, rows[i].habit);

        peer->code = rows[i].code;
        unsigned before = harness_open_descriptors();
        struct harness *harness = harness_for(peer, "read = a holding 100 u32\n");
        struct result result = run_target(harness, 0);
        for (unsigned more = 0; more < 5 && !is_told(&rows[i], &result); more++) {
            result = run_target(harness, 0);
        }
        if (!is_told(&rows[i], &result)) {
            fail_msg("habit %d: %s in %s: %s", rows[i].habit, reason_name(result.reason),
                     phase_name(result.phase), result.note);
        }
        assert_int_equal(result.values[0].available, rows[i].reason == REASON_NONE);
        harness_free(harness);
        expect_left(own_threads + 1, before + 1); /* the peer and its end of the connection */
        peer_free(peer);
    }
}

static void hostile_devices_over_tcp_each_get_their_reason(void **state)
{
    static const struct hostile_row rows[] = {
        {PEER_GOOD, 0, REASON_NONE, ""},
        {PEER_SILENT, 0, REASON_TIMEOUT, "no answer from unit 17 to holding 100"},
        {PEER_DRIP, 0, REASON_TIMEOUT, "no answer"},
        {PEER_WRONG_TRANSACTION, 0, REASON_PROTOCOL, "transaction"},
        {PEER_WRONG_PROTOCOL, 0, REASON_PROTOCOL, "protocol id"},
        {PEER_LENGTH_SHORT, 0, REASON_PROTOCOL, "MBAP"},
        {PEER_LENGTH_LONG, 0, REASON_PROTOCOL, "MBAP"},
        {PEER_WRONG_UNIT, 0, REASON_PROTOCOL, "unit 18"},
        {PEER_WRONG_FUNCTION, 0, REASON_PROTOCOL, "function 4"},
        {PEER_COUNT_LONG, 0, REASON_PROTOCOL, "250 bytes"},
        {PEER_COUNT_PROMISED, 0, REASON_PROTOCOL, "250 bytes"},
        {PEER_COUNT_SHORT, 0, REASON_PROTOCOL, "3 bytes"},
        {PEER_GARBAGE, 0, REASON_PROTOCOL, "transaction"},
        {PEER_CLOSE, 0, REASON_RESET, "closed"},
        {PEER_CLOSE_MIDWAY, 0, REASON_RESET, "closed"},
        {PEER_EXCEPTION, 2, REASON_EXCEPTION, "illegal data address (2) for a"},
        {PEER_EXCEPTION, 11, REASON_EXCEPTION, "failed to respond (11) for a"},
        {PEER_EXCEPTION, 200, REASON_EXCEPTION, "unknown exception (200)"},
        {PEER_EXCEPTION_ZERO, 0, REASON_PROTOCOL, "without a code"},
        {PEER_EXCEPTION_OTHER_FUNCTION, 0, REASON_PROTOCOL, "function 144"},
        {PEER_STRANGER, 0, REASON_PROTOCOL, "unit 99"},
        {PEER_FLOOD, 0, REASON_PROTOCOL, "transaction 0"},
    };

    (void)state;
    assert_rows(PEER_TCP, rows, ARRAY_LEN(rows));
}

static void hostile_devices_over_rtu_each_get_their_reason(void **state)
{
    static const struct hostile_row rows[] = {
        {PEER_GOOD, 0, REASON_NONE, ""},
        {PEER_SILENT, 0, REASON_TIMEOUT, "no answer from unit 17"},
        {PEER_DRIP, 0, REASON_TIMEOUT, "no answer"},
        {PEER_WRONG_CRC, 0, REASON_PROTOCOL, "wrong CRC"},
        {PEER_NOISE, 0, REASON_PROTOCOL, ""},
        {PEER_WRONG_UNIT, 0, REASON_PROTOCOL, "unit 18"},
        {PEER_STRANGER, 0, REASON_NONE, ""},
        {PEER_STRANGERS, 0, REASON_PROTOCOL, "unit 99"},
        {PEER_WRONG_FUNCTION, 0, REASON_PROTOCOL, "function 4"},
        {PEER_COUNT_LONG, 0, REASON_PROTOCOL, "250 bytes"},
        {PEER_COUNT_PROMISED, 0, REASON_PROTOCOL, "250 bytes"},
        {PEER_COUNT_SHORT, 0, REASON_PROTOCOL, "3 bytes"},
        {PEER_GARBAGE, 0, REASON_PROTOCOL, ""},
        {PEER_EXCEPTION, 6, REASON_EXCEPTION, "device busy (6) for a"},
        {PEER_EXCEPTION_ZERO, 0, REASON_PROTOCOL, "without a code"},
    };

    (void)state;
    assert_rows(PEER_RTU, rows, ARRAY_LEN(rows));
    assert_rows(PEER_RTU_TCP, rows, ARRAY_LEN(rows));
}

static void a_silent_device_delays_no_other_endpoint(void **state)
{
    static const enum peer_habit habits[] = {PEER_SILENT, PEER_DRIP};

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(habits); i++) {
        struct peer *bad = peer_new(PEER_RTU, habits[i]), *worse = peer_new(PEER_TCP, habits[i]);
        struct peer *good = peer_new(PEER_TCP, PEER_GOOD);
        struct harness *harness =
            harness_of("[modbus x]\naddress = %s\naddress = %s\naddress = %s\ntimeout = 400ms\n"
                       "read = a holding 1 u16\n",
                       bad->address, worse->address, good->address);
        struct result result;

        harness_start(harness, 0);
        harness_start(harness, 1);
        harness_start(harness, 2);
        assert_int_equal(harness_collect(harness, &result), ERROR_NONE);
        assert_int_equal(result.target, 2);
        assert_success(&result);
        assert_true(result.duration_us < 100 * USEC_PER_MSEC);
        for (unsigned j = 0; j < 2; j++) {
            assert_int_equal(harness_collect(harness, &result), ERROR_NONE);
            assert_int_equal(result.reason, REASON_TIMEOUT);
            assert_true(result.duration_us <= TIMEOUT_US + GRACE_US);
        }
        assert_true(harness->turns < 200); /* nobody spins while it waits */
        harness_free(harness);
        peer_free(bad);
        peer_free(worse);
        peer_free(good);
    }
}

static void runs_on_one_endpoint_come_one_after_the_other(void **state)
{
    static const enum peer_wire wires[] = {PEER_TCP, PEER_RTU};

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(wires); i++) {
        struct peer *peer = peer_new(wires[i], PEER_GOOD);
        struct harness *harness =
            harness_of("[modbus x]\naddress = %s\nunit = 1\npause = 20ms\nread = a holding 1 u16\n"
                       "[modbus y]\naddress = %s\nunit = 2\nread = a holding 2 u16\n"
                       "[modbus z]\naddress = %s\nunit = 3\nread = a holding 3 u16\n",
                       peer->address, peer->address, peer->address);
        struct result result;

        for (unsigned target = 0; target < 3; target++) {
            harness_start(harness, target);
        }
        for (unsigned target = 0; target < 3; target++) {
            assert_int_equal(harness_collect(harness, &result), ERROR_NONE);
            assert_int_equal(result.target, target);
            assert_success(&result);
            assert_true(result.values[0].number == peer_register(target + 1));
        }
        expect_threads(own_threads + 2); /* the peer, and one for all three */
        assert_true(harness->turns < 100);
        harness_free(harness);
        peer_free(peer);
    }
}

static void a_run_that_never_got_its_turn_is_unknown(void **state)
{
    struct peer *peer = peer_new(PEER_TCP, PEER_SILENT);
    struct harness *harness =
        harness_of("[modbus x]\naddress = %s\ntimeout = 600ms\nread = a holding 1 u16\n"
                   "[modbus y]\naddress = %s\ntimeout = 200ms\nread = a holding 2 u16\n"
                   "[modbus z]\naddress = %s\ntimeout = 2s\nread = a holding 3 u16\n",
                   peer->address, peer->address, peer->address);
    struct result result;

    (void)state;
    for (unsigned target = 0; target < 3; target++) {
        harness_start(harness, target);
    }
    assert_int_equal(harness_collect(harness, &result), ERROR_NONE);
    assert_int_equal(result.target, 1);
    assert_int_equal(result.outcome, OUTCOME_UNKNOWN);
    assert_non_null(strstr(result.note, "no turn"));
    atomic_store(&peer->habit, PEER_GOOD);
    assert_int_equal(harness_collect(harness, &result), ERROR_NONE);
    assert_int_equal(result.target, 0);
    assert_int_equal(result.reason, REASON_TIMEOUT);
    assert_int_equal(harness_collect(harness, &result), ERROR_NONE);
    assert_int_equal(result.target, 2);
    assert_success(&result);
    harness_free(harness);
    peer_free(peer);
}

static void a_run_cut_by_its_deadline_hands_over_what_it_read(void **state)
{
    struct peer *peer = peer_new(PEER_TCP, PEER_BUSY);
    struct harness *harness =
        harness_for(peer, "busy_retries = 10\nread = a coil 3 bool\nread = b holding 5 u16\n");
    char requests[256];

    (void)state;
    peer->code = 6;
    atomic_store(&peer->busy, 0);
    struct result result = run_target(harness, 0);
    assert_success(&result);
    atomic_store(&peer->habit, PEER_GOOD);
    peer->hole = 5;
    harness_free(harness);
    (void)peer_requests(peer, requests, sizeof(requests));
    harness = harness_for(peer, "pause = 250ms\nread = a coil 3 bool\nread = b holding 5 u16\n");
    result = run_target(harness, 0);
    assert_int_equal(result.reason, REASON_TIMEOUT);
    assert_true(result.values[0].available);
    assert_false(result.values[1].available);
    harness_free(harness);
    /* What needs a longer silence than is left is not asked too early. */
    assert_string_equal(peer_requests(peer, requests, sizeof(requests)), "1:3+1 ");
    peer_free(peer);
}

static double seconds_since(const struct timespec *start)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - start->tv_sec) + (double)(now.tv_nsec - start->tv_nsec) / 1e9;
}

static void cancelling_ends_at_once_and_leaves_nothing(void **state)
{
    static const enum peer_wire wires[] = {PEER_TCP, PEER_RTU_TCP, PEER_RTU};
    static const enum peer_habit habits[] = {PEER_SILENT, PEER_DRIP};

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(wires) * ARRAY_LEN(habits); i++) {
        struct peer *peer = peer_new(wires[i / 2], habits[i % 2]);
        bool drips_on_a_line = wires[i / 2] == PEER_RTU && habits[i % 2] == PEER_DRIP;
        unsigned before = harness_open_descriptors();
        struct harness *harness = harness_of("[modbus x]\naddress = %s\ntimeout = 1s\n"
                                             "read = a holding 1 string:38\n",
                                             peer->address);
        struct timespec start;

        harness_start(harness, 0);
        for (unsigned turn = 0; turn < 25; turn++) {
            harness_turn(harness, 10 * USEC_PER_MSEC);
        }
        clock_gettime(CLOCK_MONOTONIC, &start);
        harness->prober.cancel_all(harness->prober.context);
        assert_true(seconds_since(&start) < 0.05);
        harness_free(harness); /* a dripping line may hold it until the job's deadline */
        assert_true(seconds_since(&start) < (drips_on_a_line ? 1.3 : 0.2));
        expect_left(own_threads + 1, before + 1);
        assert_true(seconds_since(&start) < 2); /* what it sends takes longer than four */
        peer_free(peer);
    }
}

static void a_cancelled_run_does_not_spoil_the_next(void **state)
{
    static const enum peer_wire wires[] = {PEER_TCP, PEER_RTU};

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(wires); i++) {
        struct peer *peer = peer_new(wires[i], PEER_SILENT);
        struct harness *harness = harness_for(peer, "read = a holding 1 u16\n");

        for (unsigned round = 0; round < 20; round++) {
            struct result result;

            atomic_store(&peer->habit, PEER_SILENT);
            harness_start(harness, 0);
            for (unsigned turn = 0; turn < round % 4; turn++) {
                harness_turn(harness, USEC_PER_MSEC);
            }
            harness->prober.cancel_all(harness->prober.context);
            atomic_store(&peer->habit, PEER_GOOD);
            result = run_target(harness, 0);
            assert_success(&result);
        }
        harness_free(harness);
        peer_free(peer);
    }
}

/* Takes every descriptor below FD_SETSIZE. Returns how many; the caller closes them. */
static int fill_descriptors(int *fillers)
{
    int count = 0;

    do {
        fillers[count] = dup(STDIN_FILENO);
    } while (fillers[count] >= 0 && fillers[count++] < FD_SETSIZE - 1);
    return count;
}

static void a_descriptor_select_cannot_hold_is_refused(void **state)
{
    static const enum peer_wire wires[] = {PEER_TCP, PEER_RTU};
    static int fillers[FD_SETSIZE + 1];
    struct rlimit limit, raised;

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    raised = limit;
    raised.rlim_cur = FD_SETSIZE + 64;
    if (setrlimit(RLIMIT_NOFILE, &raised) != 0) {
        skip();
    }
    for (unsigned i = 0; i < ARRAY_LEN(wires); i++) {
        struct peer *peer = peer_new(wires[i], PEER_GOOD);
        struct harness *harness = harness_for(peer, "read = a holding 1 u16\n");
        int count = fill_descriptors(fillers);
        struct result result = run_target(harness, 0);

        assert_int_equal(result.outcome, OUTCOME_UNKNOWN);
        assert_non_null(strstr(result.note, "select"));
        while (count > 0) {
            close(fillers[--count]);
        }
        result = run_target(harness, 0);
        assert_success(&result);
        harness_free(harness);
        peer_free(peer);
    }
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hostile_devices_over_tcp_each_get_their_reason),
        cmocka_unit_test(hostile_devices_over_rtu_each_get_their_reason),
        cmocka_unit_test(a_silent_device_delays_no_other_endpoint),
        cmocka_unit_test(runs_on_one_endpoint_come_one_after_the_other),
        cmocka_unit_test(a_run_that_never_got_its_turn_is_unknown),
        cmocka_unit_test(a_run_cut_by_its_deadline_hands_over_what_it_read),
        cmocka_unit_test(cancelling_ends_at_once_and_leaves_nothing),
        cmocka_unit_test(a_cancelled_run_does_not_spoil_the_next),
        cmocka_unit_test(a_descriptor_select_cannot_hold_is_refused),
    };
    signal(SIGPIPE, SIG_IGN); /* the peers' own; the probe must not need it */
    return cmocka_run_group_tests(tests, count_own_threads, NULL);
}
