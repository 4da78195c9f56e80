/* Guards against a service that systemd believes dead because its datagrams do not arrive, that
 * waits for a systemd that does not read, and against children that speak for it. Real sockets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>

#include "notify.h"
#include "temp_folder.h"

/* What systemd is here. */
struct listener {
    int fd;
    char name[108]; /* for $NOTIFY_SOCKET */
};

static struct listener listen_at(bool abstract)
{
    struct listener listener = {.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    struct sockaddr_un at = {.sun_family = AF_UNIX};

    (void)snprintf(listener.name, sizeof listener.name, "%s%s/notify", abstract ? "@" : "",
                   temp_folder);
    memcpy(at.sun_path, listener.name, sizeof listener.name);
    at.sun_path[0] = abstract ? '\0' : '/';
    assert_int_equal(bind(listener.fd, (struct sockaddr *)&at,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
                                      strlen(listener.name) + (abstract ? 0 : 1))),
                     0);
    return listener;
}

static const char *heard(const struct listener *listener)
{
    static char text[1024];
    struct pollfd at = {.fd = listener->fd, .events = POLLIN};
    ssize_t got = poll(&at, 1, 0) == 1 ? recv(listener->fd, text, sizeof text - 1, 0) : 0;

    text[got > 0 ? got : 0] = '\0';
    return text;
}

static void set_environment(const char *socket_name, const char *timeout, const char *pid)
{
    const char *const pairs[][2] = {
        {"NOTIFY_SOCKET", socket_name}, {"WATCHDOG_USEC", timeout}, {"WATCHDOG_PID", pid}};

    for (unsigned i = 0; i < ARRAY_LEN(pairs); i++) {
        if (pairs[i][1] != NULL) {
            assert_int_equal(setenv(pairs[i][0], pairs[i][1], 1), 0);
        } else {
            assert_int_equal(unsetenv(pairs[i][0]), 0);
        }
    }
}

static void a_message_arrives_whole_by_path_and_by_name(void **state)
{
    for (unsigned abstract = 0; abstract < 2; abstract++) {
        assert_int_equal(temp_empty(state), 0);
        struct listener listener = listen_at(abstract != 0);
        struct notify notify;

        set_environment(listener.name, NULL, NULL);
        notify_open(&notify);
        assert_true(notify.open);
        assert_true((fcntl(notify.fd, F_GETFD) & FD_CLOEXEC) != 0);
        assert_true(notify_send(&notify, "READY=1\nSTATUS=%u probes", 3u));
        assert_string_equal(heard(&listener), "READY=1\nSTATUS=3 probes");
        notify_close(&notify);
        assert_false(notify_send(&notify, "READY=1"));
        assert_string_equal(heard(&listener), "");
        (void)close(listener.fd);
    }
}

static void children_are_left_nothing_to_speak_with(void **state)
{
    struct notify notify;

    (void)state;
    set_environment("/nowhere", "1000000", "1");
    notify_open(&notify);
    assert_null(getenv("NOTIFY_SOCKET"));
    assert_null(getenv("WATCHDOG_USEC"));
    assert_null(getenv("WATCHDOG_PID"));
    notify_close(&notify);
}

static void without_a_socket_every_word_is_for_nothing(void **state)
{
    char long_name[200];
    const char *const names[] = {NULL, "", "@", "/", "relative", "vsock:2:9999", long_name};

    (void)state;
    memset(long_name, 'x', sizeof long_name);
    long_name[0] = '/';
    long_name[sizeof long_name - 1] = '\0';
    for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
        struct notify notify;

        set_environment(names[i], NULL, NULL);
        notify_open(&notify);
        assert_false(notify.open);
        assert_false(notify_send(&notify, "READY=1"));
        notify_close(&notify);
    }
}

static void nobody_who_listens_or_one_who_does_not_read_holds_us_up(void **state)
{
    struct listener listener = listen_at(false);
    struct notify notify;
    unsigned sent = 0;

    (void)state;
    set_environment(listener.name, NULL, NULL);
    notify_open(&notify);
    while (sent < 100000 && notify_send(&notify, "WATCHDOG=1")) {
        sent++;
    }
    assert_true(sent > 0 && sent < 100000);
    (void)close(listener.fd);
    assert_false(notify_send(&notify, "WATCHDOG=1"));
    notify_close(&notify);
}

static void a_message_that_is_too_long_is_not_sent_in_part(void **state)
{
    struct listener listener = listen_at(false);
    struct notify notify;
    char text[600];

    (void)state;
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    set_environment(listener.name, NULL, NULL);
    notify_open(&notify);
    assert_false(notify_send(&notify, "STATUS=%s", text));
    assert_string_equal(heard(&listener), "");
    notify_close(&notify);
    (void)close(listener.fd);
}

static void the_watchdog_is_fed_triggered_and_stopped(void **state)
{
    struct listener listener = listen_at(false);
    struct watchdog_grant grant;
    struct notify notify;
    char pid[16];

    (void)state;
    (void)snprintf(pid, sizeof pid, "%d", (int)getpid());
    set_environment(listener.name, "10000000", pid);
    notify_open(&notify);
    struct watchdog dog = watchdog_systemd(&notify);
    assert_int_equal(dog.start(dog.context, 60 * USEC_PER_SEC, &grant), ERROR_NONE);
    assert_true(grant.timeout_us == 10 * USEC_PER_SEC);
    assert_true(grant.can_stop);
    assert_string_equal(heard(&listener), "");
    dog.feed(dog.context);
    assert_string_equal(heard(&listener), "WATCHDOG=1");
    dog.trigger(dog.context);
    assert_string_equal(heard(&listener), "WATCHDOG=trigger");
    assert_true(dog.stop(dog.context));
    assert_string_equal(heard(&listener), "WATCHDOG_USEC=0");
    assert_int_equal(dog.start(dog.context, 60 * USEC_PER_SEC, &grant), ERROR_NONE);
    assert_string_equal(heard(&listener), "WATCHDOG_USEC=10000000\nWATCHDOG=1");
    notify_close(&notify);
    (void)close(listener.fd);
}

static void a_watchdog_that_is_not_ours_to_feed_is_explained(void **state)
{
    struct listener listener = listen_at(false);
    const struct {
        const char *name, *timeout, *pid, *note;
    } rows[] = {
        {NULL, "10000000", NULL, "NOTIFY_SOCKET"},
        {listener.name, NULL, NULL, "WatchdogSec= is not set"},
        {listener.name, "0", NULL, "WatchdogSec= is not set"},
        {listener.name, "-5", NULL, "WatchdogSec= is not set"},
        {listener.name, "99999999999999999999", NULL, "WatchdogSec= is not set"},
        {listener.name, "10000000", "1", "another process"},
        {listener.name, "10000000", "", "another process"},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        struct watchdog_grant grant;
        struct notify notify;

        set_environment(rows[i].name, rows[i].timeout, rows[i].pid);
        notify_open(&notify);
        struct watchdog dog = watchdog_systemd(&notify);
        assert_int_equal(dog.start(dog.context, USEC_PER_SEC, &grant), ERROR_MISSING);
        assert_non_null(strstr(grant.note, rows[i].note));
        notify_close(&notify);
    }
    (void)close(listener.fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_message_arrives_whole_by_path_and_by_name, temp_empty),
        cmocka_unit_test_setup(children_are_left_nothing_to_speak_with, temp_empty),
        cmocka_unit_test_setup(without_a_socket_every_word_is_for_nothing, temp_empty),
        cmocka_unit_test_setup(nobody_who_listens_or_one_who_does_not_read_holds_us_up, temp_empty),
        cmocka_unit_test_setup(a_message_that_is_too_long_is_not_sent_in_part, temp_empty),
        cmocka_unit_test_setup(the_watchdog_is_fed_triggered_and_stopped, temp_empty),
        cmocka_unit_test_setup(a_watchdog_that_is_not_ours_to_feed_is_explained, temp_empty),
    };
    return cmocka_run_group_tests(tests, temp_make, temp_unmake);
}
