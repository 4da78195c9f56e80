/* Guards against a procd that is told nothing, or something it does not understand, and against a
 * ubus that hangs and takes the supervisor along. A script stands for ubus and writes down what it
 * was called with. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <sys/wait.h>

#include "procd.h"
#include "temp_folder.h"

#define SCRIPT_START "#!/bin/sh\nfolder=${0%/*}\n"
/* One line a call, whole or not at all. */
#define WRITE_DOWN "printf '%s\\n' \"$*\" >>\"$folder/calls\"\n"

static const char *make_ubus(const char *rest)
{
    char text[512];

    (void)snprintf(text, sizeof text, "%s%s", SCRIPT_START, rest);
    temp_write("ubus", text);
    assert_int_equal(chmod(temp_path("ubus"), 0755), 0);
    return temp_path("ubus");
}

/* What the supervisor does when a child has ended. */
static void reap(struct procd *state)
{
    int status;
    pid_t pid = waitpid(-1, &status, 0);

    assert_true(pid > 0);
    assert_true(procd_reaped(state, pid, status));
}

static void procd_is_told_name_mode_and_timeout(void **state)
{
    struct watchdog_grant grant;
    struct procd procd;
    char calls[1024];

    (void)state;
    struct watchdog dog = watchdog_procd(&procd, make_ubus(WRITE_DOWN));
    dog.feed(dog.context); /* not started: nobody is called */
    assert_int_equal(procd.call, 0);
    assert_int_equal(dog.start(dog.context, 14500 * USEC_PER_MSEC, &grant), ERROR_NONE);
    assert_true(grant.timeout_us == 15 * USEC_PER_SEC);
    assert_true(grant.can_stop);
    assert_string_equal(grant.note, "procd, 15 s for instance1 of picketd");
    reap(&procd);
    dog.feed(dog.context);
    reap(&procd);
    dog.trigger(dog.context);
    assert_int_equal(procd.call, 0);
    assert_true(dog.stop(dog.context));
    reap(&procd);
    dog.feed(dog.context);
    assert_int_equal(procd.call, 0);
    assert_int_equal(procd.failures, 0);
    assert_string_equal(
        temp_read("calls", calls, sizeof calls),
        "call service watchdog "
        "{\"name\":\"picketd\",\"instance\":\"instance1\",\"mode\":1,\"timeout\":15}\n"
        "call service watchdog "
        "{\"name\":\"picketd\",\"instance\":\"instance1\",\"mode\":1,\"timeout\":15}\n"
        "call service watchdog "
        "{\"name\":\"picketd\",\"instance\":\"instance1\",\"mode\":0,\"timeout\":15}\n");
}

static void the_init_script_names_the_instance(void **state)
{
    struct watchdog_grant grant;
    struct procd procd;
    char calls[512];

    (void)state;
    assert_int_equal(setenv("PICKET_PROCD_SERVICE", "picket.branch_7", 1), 0);
    assert_int_equal(setenv("PICKET_PROCD_INSTANCE", "main-1", 1), 0);
    struct watchdog dog = watchdog_procd(&procd, make_ubus(WRITE_DOWN));
    assert_int_equal(dog.start(dog.context, USEC_PER_SEC, &grant), ERROR_NONE);
    reap(&procd);
    assert_non_null(strstr(temp_read("calls", calls, sizeof calls),
                           "{\"name\":\"picket.branch_7\",\"instance\":\"main-1\","));
}

static void a_name_that_would_break_the_call_is_refused(void **state)
{
    static const char *const names[] = {
        "", "a b", "x\",\"mode\":0", "\n",
        "a-name-of-sixty-four-bytes-or-more-cannot-be-what-the-service-is-called"};

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
        struct watchdog_grant grant;
        struct procd procd;

        assert_int_equal(setenv("PICKET_PROCD_SERVICE", names[i], 1), 0);
        struct watchdog dog = watchdog_procd(&procd, make_ubus(WRITE_DOWN));
        assert_int_equal(dog.start(dog.context, USEC_PER_SEC, &grant), ERROR_INVALID);
        assert_non_null(strstr(grant.note, "PICKET_PROCD_SERVICE"));
        assert_int_equal(procd.call, 0);
    }
}

static void a_call_that_hangs_is_killed_when_the_next_is_due(void **state)
{
    struct watchdog_grant grant;
    struct procd procd;
    int status;

    (void)state;
    struct watchdog dog = watchdog_procd(&procd, make_ubus("exec sleep 600\n"));
    assert_int_equal(dog.start(dog.context, USEC_PER_SEC, &grant), ERROR_NONE);
    pid_t first = procd.call;
    dog.feed(dog.context);
    assert_int_equal(procd.failures, 1);
    assert_int_not_equal(procd.call, first);
    assert_int_equal(waitpid(first, &status, 0), first);
    assert_true(WIFSIGNALED(status));
    assert_false(procd_reaped(&procd, first, status)); /* it was written off */
    assert_int_equal(procd.failures, 1);
    assert_int_equal(kill(procd.call, SIGKILL), 0);
    reap(&procd);
    assert_int_equal(procd.failures, 2);
}

static void failures_are_counted_until_a_call_is_obeyed(void **state)
{
    struct watchdog_grant grant;
    struct procd procd;

    (void)state;
    struct watchdog dog = watchdog_procd(&procd, make_ubus("test -e \"$folder/good\" || exit 4\n"));
    assert_int_equal(dog.start(dog.context, USEC_PER_SEC, &grant), ERROR_NONE);
    reap(&procd);
    dog.feed(dog.context);
    reap(&procd);
    assert_int_equal(procd.failures, 2);
    temp_write("good", "");
    dog.feed(dog.context);
    reap(&procd);
    assert_int_equal(procd.failures, 0);
}

static void a_machine_without_ubus_is_no_openwrt(void **state)
{
    struct watchdog_grant grant;
    struct procd procd;

    (void)state;
    struct watchdog dog = watchdog_procd(&procd, temp_path("no-such-program"));
    assert_int_equal(dog.start(dog.context, USEC_PER_SEC, &grant), ERROR_IO);
    assert_int_equal(procd.call, 0);
    if (access("/bin/ubus", F_OK) != 0) {
        dog = watchdog_procd(&procd, NULL);
        assert_int_equal(dog.start(dog.context, USEC_PER_SEC, &grant), ERROR_MISSING);
        assert_non_null(strstr(grant.note, "no ubus"));
    }
}

static void the_call_has_no_signal_held_back_or_ignored_by_us(void **state)
{
    struct watchdog_grant grant;
    struct procd procd;
    char text[512];
    sigset_t held;

    (void)state;
    signal(SIGPIPE, SIG_IGN);
    (void)sigemptyset(&held);
    (void)sigaddset(&held, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &held, NULL);
    struct watchdog dog = watchdog_procd(
        &procd, make_ubus("exec grep -E '^Sig(Blk|Ign)' /proc/self/status >\"$folder/signals\"\n"));
    assert_int_equal(dog.start(dog.context, USEC_PER_SEC, &grant), ERROR_NONE);
    reap(&procd);
    temp_read("signals", text, sizeof text);
    assert_non_null(strstr(text, "SigBlk:\t0000000000000000\n"));
    const char *ignored = strstr(text, "SigIgn:\t");
    assert_non_null(ignored);
    assert_true((strtoull(ignored + 8, NULL, 16) & 1ull << (SIGPIPE - 1)) == 0);
    (void)sigprocmask(SIG_UNBLOCK, &held, NULL);
}

static int begin(void **state)
{
    (void)unsetenv("PICKET_PROCD_SERVICE");
    (void)unsetenv("PICKET_PROCD_INSTANCE");
    return temp_empty(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(procd_is_told_name_mode_and_timeout, begin),
        cmocka_unit_test_setup(the_init_script_names_the_instance, begin),
        cmocka_unit_test_setup(a_name_that_would_break_the_call_is_refused, begin),
        cmocka_unit_test_setup(a_call_that_hangs_is_killed_when_the_next_is_due, begin),
        cmocka_unit_test_setup(failures_are_counted_until_a_call_is_obeyed, begin),
        cmocka_unit_test_setup(a_machine_without_ubus_is_no_openwrt, begin),
        cmocka_unit_test_setup(the_call_has_no_signal_held_back_or_ignored_by_us, begin),
    };
    return cmocka_run_group_tests(tests, temp_make, temp_unmake);
}
