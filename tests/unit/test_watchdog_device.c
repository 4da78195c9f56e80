/* Guards against a watchdog that is not fed, is stopped by accident, stays held by a child, or
 * whose refusal is not explained. There is no watchdog on a build machine, so here are a file, a
 * FIFO and a terminal as sinks, and a driver made up around /dev/null: its tree of /sys, and what
 * it answers to ioctl(2), which the linker puts before libc's (--wrap). What a real driver does is
 * for an emulated board to show. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <linux/watchdog.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include "temp_folder.h"
#include "watchdog_device.h"

#define ASKED_US (15 * USEC_PER_SEC)

/* The driver. */
static struct driver {
    bool there;
    const char *identity;
    uint32_t options;
    int timeout_s, most_s; /* as started, and the most it can do */
} driver;

int __real_ioctl(int fd, unsigned long request, void *argument);
int __wrap_ioctl(int fd, unsigned long request, void *argument);

int __wrap_ioctl(int fd, unsigned long request, void *argument)
{
    if (!driver.there) {
        return __real_ioctl(fd, request, argument);
    }
    int asked;
    switch (request) {
    case WDIOC_GETSUPPORT: {
        struct watchdog_info info = {.options = driver.options};
        memcpy(info.identity, driver.identity, strlen(driver.identity));
        memcpy(argument, &info, sizeof info);
        return 0;
    }
    case WDIOC_SETTIMEOUT:
        memcpy(&asked, argument, sizeof asked);
        if ((driver.options & WDIOF_SETTIMEOUT) == 0 || asked > driver.most_s) {
            errno = (driver.options & WDIOF_SETTIMEOUT) == 0 ? EOPNOTSUPP : EINVAL;
            return -1;
        }
        driver.timeout_s = asked;
        return 0;
    case WDIOC_GETTIMEOUT:
        if (driver.timeout_s == 0) {
            errno = EOPNOTSUPP;
            return -1;
        }
        memcpy(argument, &driver.timeout_s, sizeof driver.timeout_s);
        return 0;
    default:
        errno = ENOTTY;
        return -1;
    }
}

static size_t bytes_of(const char *name)
{
    struct stat status;

    assert_int_equal(stat(temp_path(name), &status), 0);
    return (size_t)status.st_size;
}

static void a_sink_is_kicked_and_stopped_with_the_magic_byte_last(void **state)
{
    struct watchdog_device device;
    struct watchdog_grant grant;
    char path[PATH_MAX], text[16];

    (void)state;
    temp_write("dog", "");
    (void)snprintf(path, sizeof path, "%s", temp_path("dog"));
    struct watchdog dog = watchdog_device(&device, path);
    dog.feed(dog.context); /* not started: nobody is fed */
    assert_int_equal(bytes_of("dog"), 0);
    assert_int_equal(dog.start(dog.context, ASKED_US, &grant), ERROR_NONE);
    assert_true(grant.timeout_us == 0);
    assert_true(grant.can_stop);
    assert_non_null(strstr(grant.note, "is no watchdog"));
    for (unsigned i = 1; i <= 3; i++) {
        dog.feed(dog.context);
        assert_int_equal(bytes_of("dog"), i);
    }
    dog.trigger(dog.context);
    assert_int_equal(bytes_of("dog"), 3);
    assert_true(dog.stop(dog.context));
    assert_int_equal(bytes_of("dog"), 4);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(read(fd, text, sizeof text), 4);
    (void)close(fd);
    assert_memory_equal(text, "\0\0\0V", 4);
    assert_true(dog.stop(dog.context)); /* twice is no harm */
}

static void what_cannot_be_opened_is_explained(void **state)
{
    static const struct {
        const char *name;
        enum error error;
        const char *note;
    } rows[] = {
        {"none", ERROR_MISSING, "there is no watchdog at"},
        {"fifo", ERROR_MISSING, "there is no watchdog at"}, /* nobody reads it */
        {"folder", ERROR_IO, "directory"},
    };

    (void)state;
    assert_int_equal(mkfifo(temp_path("fifo"), 0600), 0);
    assert_int_equal(mkdir(temp_path("folder"), 0700), 0);
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        struct watchdog_device device;
        struct watchdog_grant grant;
        struct watchdog dog = watchdog_device(&device, temp_path(rows[i].name));

        assert_int_equal(dog.start(dog.context, ASKED_US, &grant), rows[i].error);
        assert_non_null(strstr(grant.note, rows[i].note));
        dog.feed(dog.context);
        assert_true(dog.stop(dog.context));
    }
}

static void a_full_fifo_does_not_hold_up_the_feeder(void **state)
{
    struct watchdog_device device;
    struct watchdog_grant grant;

    (void)state;
    assert_int_equal(mkfifo(temp_path("fifo"), 0600), 0);
    int reader = open(temp_path("fifo"), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    struct watchdog dog = watchdog_device(&device, temp_path("fifo"));
    assert_int_equal(dog.start(dog.context, ASKED_US, &grant), ERROR_NONE);
    for (unsigned i = 0; i < 70000; i++) {
        dog.feed(dog.context);
    }
    assert_true(dog.stop(dog.context));
    (void)close(reader);
}

static void a_terminal_is_a_sink_and_does_not_become_ours(void **state)
{
    struct watchdog_device device;
    struct watchdog_grant grant;
    char name[64], byte = 'x';

    (void)state;
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_int_equal(grantpt(master) | unlockpt(master), 0);
    assert_int_equal(ptsname_r(master, name, sizeof name), 0);
    struct watchdog dog = watchdog_device(&device, name);
    assert_int_equal(dog.start(dog.context, ASKED_US, &grant), ERROR_NONE);
    dog.feed(dog.context);
    struct pollfd at = {.fd = master, .events = POLLIN};
    assert_int_equal(poll(&at, 1, 5000), 1);
    assert_int_equal(read(master, &byte, 1), 1);
    assert_int_equal(byte, '\0');
    assert_true(dog.stop(dog.context));
    (void)close(master);
}

static void a_child_abandons_it_without_a_word_and_no_program_gets_it(void **state)
{
    struct watchdog_device device;
    struct watchdog_grant grant;
    int status;

    (void)state;
    temp_write("dog", "");
    struct watchdog dog = watchdog_device(&device, temp_path("dog"));
    assert_int_equal(dog.start(dog.context, ASKED_US, &grant), ERROR_NONE);
    assert_true((fcntl(device.fd, F_GETFD) & FD_CLOEXEC) != 0);
    pid_t child = fork();
    if (child == 0) {
        int fd = device.fd;

        watchdog_device_abandon(&device);
        dog.feed(dog.context);
        watchdog_device_abandon(&device);
        _exit(fcntl(fd, F_GETFD) < 0 ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(bytes_of("dog"), 0);
    dog.feed(dog.context); /* the parent's is as good as before */
    assert_int_equal(bytes_of("dog"), 1);
    assert_true(dog.stop(dog.context));
}

/* /dev/null takes every byte, and is a character device: /sys can be made to speak of it. */
static struct watchdog null_dog(struct watchdog_device *device, const char *no_way_out,
                                const char *running)
{
    struct watchdog dog = watchdog_device(device, "/dev/null");

    device->sysfs = temp_folder;
    temp_write("dev/char/1:3/nowayout", no_way_out);
    temp_write("dev/char/1:3/state", running);
    return dog;
}

static void what_has_no_way_out_is_kept_and_fed_on(void **state)
{
    struct watchdog_device device;
    struct watchdog_grant grant;
    struct watchdog dog = null_dog(&device, "1\n", "active\n");

    (void)state;
    assert_int_equal(dog.start(dog.context, ASKED_US, &grant), ERROR_NONE);
    assert_false(grant.can_stop);
    assert_false(dog.stop(dog.context));
    assert_true(device.started);
    assert_true(fcntl(device.fd, F_GETFD) >= 0);
    watchdog_device_abandon(&device);
}

static void what_runs_on_after_it_was_stopped_is_opened_again(void **state)
{
    struct watchdog_device device;
    struct watchdog_grant grant;
    struct watchdog dog = null_dog(&device, "0\n", "active\n");

    (void)state;
    assert_int_equal(dog.start(dog.context, ASKED_US, &grant), ERROR_NONE);
    assert_true(grant.can_stop);
    assert_false(dog.stop(dog.context));
    assert_true(device.started);
    temp_write("dev/char/1:3/state", "inactive\n");
    assert_int_equal(dog.start(dog.context, ASKED_US, &grant), ERROR_NONE); /* once more is fine */
    assert_true(dog.stop(dog.context));
    assert_false(device.started);
}

static void what_is_granted_is_what_the_driver_says(void **state)
{
    static const struct {
        struct driver driver;
        usec_t asked_us;
        int granted_s;
        const char *no_way_out, *note;
    } rows[] = {
        {{true, "dw", WDIOF_SETTIMEOUT | WDIOF_MAGICCLOSE, 30, 60},
         ASKED_US,
         15,
         "0\n",
         "dw, 15 s granted of 15 s asked"},
        {{true, "dw", WDIOF_SETTIMEOUT | WDIOF_MAGICCLOSE, 30, 60},
         ASKED_US + 1,
         16,
         "0\n",
         "dw, 16 s granted of 16 s asked"},
        {{true, "dw", WDIOF_SETTIMEOUT | WDIOF_MAGICCLOSE, 10, 12},
         ASKED_US,
         10,
         "1\n",
         "dw, 10 s granted of 15 s asked, cannot be stopped (nowayout)"},
        {{true, "32 bytes of identity, not ended!", WDIOF_MAGICCLOSE, 22, 22},
         ASKED_US,
         22,
         "0\n",
         "32 bytes of identity, not ended!, 22 s granted of 15 s asked"},
        {{true, "a\nb", 0, 0, 0},
         ASKED_US,
         0,
         "0\n",
         "a?b, with a timeout it does not tell, also stops when this process dies (no magic "
         "close)"},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        struct watchdog_device device;
        struct watchdog_grant grant;
        struct watchdog dog = null_dog(&device, rows[i].no_way_out, "inactive\n");

        driver = rows[i].driver;
        assert_int_equal(dog.start(dog.context, rows[i].asked_us, &grant), ERROR_NONE);
        assert_int_equal(grant.timeout_us / USEC_PER_SEC, rows[i].granted_s);
        assert_string_equal(grant.note, rows[i].note);
        assert_int_equal(dog.stop(dog.context), grant.can_stop);
        watchdog_device_abandon(&device);
    }
}

/* A terminal that is held exclusively answers as a watchdog does that somebody has. */
static void one_that_another_process_has_is_said_to_be_held(void **state)
{
    char name[64];
    int status;

    (void)state;
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_int_equal(grantpt(master) | unlockpt(master), 0);
    assert_int_equal(ptsname_r(master, name, sizeof name), 0);
    int holder = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_int_equal(ioctl(holder, TIOCEXCL, NULL), 0);
    assert_int_equal(fchmod(holder, 0666), 0);
    pid_t child = fork();
    if (child == 0) {
        struct watchdog_device device;
        struct watchdog_grant grant;
        struct watchdog dog = watchdog_device(&device, name);

        if (geteuid() == 0 && setuid(65534) != 0) { /* root may open it all the same */
            _exit(2);
        }
        bool told = dog.start(dog.context, ASKED_US, &grant) == ERROR_DENIED &&
                    strstr(grant.note, "is held by another process") != NULL;
        _exit(told ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    (void)close(holder);
    (void)close(master);
}

static void only_a_watchdog_runs(void **state)
{
    (void)state;
    assert_false(watchdog_device_running("/dev/null"));
    assert_false(watchdog_device_running("/dev/no-such-watchdog"));
    temp_write("plain", "active\n");
    assert_false(watchdog_device_running(temp_path("plain")));
}

static int begin(void **state)
{
    driver.there = false;
    return temp_empty(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_sink_is_kicked_and_stopped_with_the_magic_byte_last, begin),
        cmocka_unit_test_setup(what_cannot_be_opened_is_explained, begin),
        cmocka_unit_test_setup(a_full_fifo_does_not_hold_up_the_feeder, begin),
        cmocka_unit_test_setup(a_terminal_is_a_sink_and_does_not_become_ours, begin),
        cmocka_unit_test_setup(a_child_abandons_it_without_a_word_and_no_program_gets_it, begin),
        cmocka_unit_test_setup(what_has_no_way_out_is_kept_and_fed_on, begin),
        cmocka_unit_test_setup(what_runs_on_after_it_was_stopped_is_opened_again, begin),
        cmocka_unit_test_setup(what_is_granted_is_what_the_driver_says, begin),
        cmocka_unit_test_setup(one_that_another_process_has_is_said_to_be_held, begin),
        cmocka_unit_test_setup(only_a_watchdog_runs, begin),
    };
    return cmocka_run_group_tests(tests, temp_make, temp_unmake);
}
