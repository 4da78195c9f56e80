/* Guards against: a bad file that is taken for good, an answer of an older file that is taken for
 * that of the newest, a checker that never ends and one that outlives its parent's interest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "recheck.h"

/* What the checker does, and what the log said. */
struct rig {
    enum { CHECK_GOOD, CHECK_BAD, CHECK_CRASH, CHECK_HANG } kind;
    char log[1024];
    struct logger logger;
    struct recheck recheck;
};

static bool check(void *context, const struct logger *logger)
{
    const struct rig *rig = context;
    (void)logger;
    alarm(30); /* not for ever, whatever the test does */
    if (rig->kind == CHECK_CRASH) {
        raise(SIGKILL);
    }
    if (rig->kind == CHECK_HANG) {
        pause();
    }
    return rig->kind == CHECK_GOOD;
}

static void write_log(void *context, enum log_level level, const char *text)
{
    struct rig *rig = context;
    size_t used = strlen(rig->log);
    (void)level;
    snprintf(rig->log + used, sizeof rig->log - used, "%s\n", text);
}

static void rig_init(struct rig *rig, const char *path)
{
    *rig = (struct rig){.kind = CHECK_GOOD};
    rig->logger = (struct logger){.context = rig, .write = write_log};
    recheck_init(&rig->recheck, path, &rig->logger, check, rig);
}

/* Waits for the checker and hands it over. */
static enum recheck_end reap(struct rig *rig, usec_t now_us)
{
    int status;
    pid_t pid = waitpid(rig->recheck.checker, &status, 0);
    assert_int_equal(pid, rig->recheck.checker);
    return recheck_reaped(&rig->recheck, pid, status, now_us);
}

static void a_check_tells_good_from_bad_and_crashed(void **state)
{
    static const struct {
        int kind;
        enum recheck_end end;
        const char *log;
    } rows[] = {
        {CHECK_GOOD, RECHECK_GOOD, "a.conf is good: restarting with it\n"},
        {CHECK_BAD, RECHECK_BAD,
         "a.conf has errors: refused, the old configuration keeps running\n"},
        {CHECK_CRASH, RECHECK_BAD,
         "a.conf has errors: refused, the old configuration keeps running\n"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct rig rig;
        rig_init(&rig, "a.conf");
        rig.kind = rows[i].kind;
        assert_int_equal(recheck_wake_us(&rig.recheck), USEC_NEVER);
        recheck_begin(&rig.recheck, 0);
        assert_int_not_equal(recheck_wake_us(&rig.recheck), USEC_NEVER);
        assert_int_equal(recheck_reaped(&rig.recheck, getpid(), 0, 0), RECHECK_OTHER);
        assert_int_equal(reap(&rig, 0), rows[i].end);
        assert_string_equal(rig.log, rows[i].log);
        assert_int_equal(recheck_wake_us(&rig.recheck), USEC_NEVER);
    }
}

static void a_second_sighup_checks_the_file_once_more(void **state)
{
    struct rig rig;
    (void)state;
    rig_init(&rig, "a.conf");
    recheck_begin(&rig.recheck, 0);
    rig.kind = CHECK_BAD; /* the file has changed */
    recheck_begin(&rig.recheck, 0);
    recheck_begin(&rig.recheck, 0);
    assert_int_equal(reap(&rig, 0), RECHECK_AGAIN);
    assert_string_equal(rig.log, "");
    assert_int_equal(reap(&rig, 0), RECHECK_BAD);
}

static void one_that_takes_too_long_is_killed(void **state)
{
    struct rig rig;
    (void)state;
    rig_init(&rig, "a.conf");
    rig.kind = CHECK_HANG;
    recheck_begin(&rig.recheck, 5);
    recheck_step(&rig.recheck, recheck_wake_us(&rig.recheck) - 1);
    assert_int_equal(waitpid(rig.recheck.checker, NULL, WNOHANG), 0);
    recheck_step(&rig.recheck, recheck_wake_us(&rig.recheck));
    assert_int_equal(recheck_wake_us(&rig.recheck), USEC_NEVER);
    assert_int_equal(reap(&rig, 0), RECHECK_BAD);
    assert_string_equal(rig.log, "a.conf took too long to check: refused, the old configuration "
                                 "keeps running\n");
}

static void a_cancelled_one_is_killed_and_forgotten(void **state)
{
    struct rig rig;
    int status;
    (void)state;
    rig_init(&rig, "a.conf");
    rig.kind = CHECK_HANG;
    recheck_begin(&rig.recheck, 0);
    pid_t checker = rig.recheck.checker;
    recheck_cancel(&rig.recheck);
    recheck_cancel(&rig.recheck);
    assert_int_equal(waitpid(checker, &status, 0), checker);
    assert_int_equal(WTERMSIG(status), SIGKILL);
    assert_int_equal(recheck_reaped(&rig.recheck, checker, status, 0), RECHECK_OTHER);
    assert_string_equal(rig.log, "");
}

static void standard_input_is_not_read_again(void **state)
{
    struct rig rig;
    (void)state;
    rig_init(&rig, "-");
    recheck_begin(&rig.recheck, 0);
    assert_int_equal(rig.recheck.checker, 0);
    assert_non_null(strstr(rig.log, "came from standard input"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_check_tells_good_from_bad_and_crashed),
        cmocka_unit_test(a_second_sighup_checks_the_file_once_more),
        cmocka_unit_test(one_that_takes_too_long_is_killed),
        cmocka_unit_test(a_cancelled_one_is_killed_and_forgotten),
        cmocka_unit_test(standard_input_is_not_read_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
