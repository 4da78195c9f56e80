/* Guards against a procd that does not listen, which nobody would know of before the agent hangs. A
 * script stands for ubus. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/wait.h>

#include "feeder.h"
#include "temp_folder.h"

static char said[1024];

static void write_log(void *context, enum log_level level, const char *text)
{
    size_t used = strlen(said);
    (void)context;
    (void)snprintf(said + used, sizeof said - used, "%d %s\n", (int)level, text);
}

/* One feeding, and a turn after the call has ended. */
static void feed(struct feeder *feeder, struct recovery *recovery)
{
    static const struct recovery_orders orders = {.feed = true};
    int status;
    feeder_obey(feeder, recovery, &orders, 0);
    pid_t pid = waitpid(-1, &status, 0);
    assert_true(feeder_reaped(feeder, pid, status));
    feeder_tell(feeder, recovery);
}

static void a_procd_that_does_not_obey_is_told_of_once(void **state)
{
    static const struct logger logger = {.write = write_log};
    static struct vitals vitals;
    static struct recovery recovery;
    struct watchdog_grant grant;
    struct feeder feeder;
    int status;
    (void)state;
    temp_write("ubus", "#!/bin/sh\ntest -e \"${0%/*}/well\"\n");
    assert_int_equal(chmod(temp_path("ubus"), 0755), 0);
    recovery_init(&recovery, &vitals, &logger, 0);
    feeder_init(&feeder);
    feeder.owner = WATCHDOG_OWNER_PROCD;
    feeder.port = watchdog_procd(&feeder.procd, temp_path("ubus"));
    assert_int_equal(feeder.port.start(feeder.port.context, USEC_PER_SEC, &grant), ERROR_NONE);
    pid_t pid = waitpid(-1, &status, 0);
    assert_true(feeder_reaped(&feeder, pid, status));
    feed(&feeder, &recovery);
    assert_string_equal(said, "");
    for (unsigned i = 0; i < 4; i++) {
        feed(&feeder, &recovery);
        assert_string_equal(said, "3 watchdog: procd does not obey (ubus call service watchdog "
                                  "failed 3 times in a row): it may not be watching\n");
    }
    said[0] = '\0';
    temp_write("well", "");
    for (unsigned i = 0; i < 3; i++) {
        feed(&feeder, &recovery);
        assert_string_equal(said, "6 watchdog: procd obeys again\n");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_procd_that_does_not_obey_is_told_of_once),
    };
    return cmocka_run_group_tests(tests, temp_make, temp_unmake);
}
