/* Guards against a power cut that is called a watchdog, a reset by the watchdog that is called a
 * power cut (a board could go round in them uncounted), an orderly end that is called a crash, and
 * against names that change: they are label values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <string.h>

#include "cause.h"

#define ANY_BOARD 99

static void every_piece_of_evidence_leads_to_one_cause(void **state)
{
    (void)state;
    static const struct {
        bool has_store, clean;
        enum cause said;
        bool same_boot, had_supervisor;
        unsigned board; /* ANY_BOARD: whatever it says */
        enum cause cause;
    } rows[] = {
        /* Nothing is known of a run before, whatever else there is. */
        {false, false, CAUSE_NONE, false, true, ANY_BOARD, CAUSE_NONE},
        {false, true, CAUSE_STOP, true, true, ANY_BOARD, CAUSE_NONE},
        {false, false, CAUSE_CRASH, true, false, ANY_BOARD, CAUSE_NONE},
        /* An orderly end has said why, in whatever boot that was. */
        {true, true, CAUSE_STOP, true, true, ANY_BOARD, CAUSE_STOP},
        {true, true, CAUSE_STOP, false, true, ANY_BOARD, CAUSE_STOP},
        {true, true, CAUSE_RELOAD, true, false, ANY_BOARD, CAUSE_RELOAD},
        {true, true, CAUSE_WATCHDOG, false, true, ANY_BOARD, CAUSE_WATCHDOG},
        {true, true, CAUSE_NONE, false, true, ANY_BOARD, CAUSE_STOP}, /* of an older version */
        /* What an unclean end said is of a run before it. */
        {true, false, CAUSE_STOP, true, true, ANY_BOARD, CAUSE_SUPERVISOR},
        {true, false, CAUSE_WATCHDOG, true, true, ANY_BOARD, CAUSE_SUPERVISOR},
        {true, false, CAUSE_NONE, true, true, ANY_BOARD, CAUSE_SUPERVISOR},
        {true, false, CAUSE_NONE, true, false, ANY_BOARD, CAUSE_UNKNOWN},
        /* Another boot: the board's word, which need not be one. */
        {true, false, CAUSE_NONE, false, true, BOARD_WATCHDOG, CAUSE_WATCHDOG},
        {true, false, CAUSE_NONE, false, true, BOARD_POWER, CAUSE_POWER},
        {true, false, CAUSE_NONE, false, true, BOARD_SILENT, CAUSE_POWER},
        {true, false, CAUSE_NONE, false, true, BOARD_MUTE, CAUSE_UNKNOWN},
        {true, false, CAUSE_STOP, false, false, BOARD_WATCHDOG, CAUSE_WATCHDOG},
        {true, false, CAUSE_WATCHDOG, false, false, BOARD_MUTE, CAUSE_UNKNOWN},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        bool any = rows[i].board == ANY_BOARD;
        for (unsigned board = any ? BOARD_SILENT : rows[i].board;
             board <= (any ? BOARD_POWER : rows[i].board); board++) {
            struct cause_evidence evidence = {
                .has_store = rows[i].has_store,
                .clean = rows[i].clean,
                .said = rows[i].said,
                .same_boot = rows[i].same_boot,
                .had_supervisor = rows[i].had_supervisor,
                .board = (enum board_word)board,
            };
            if (cause_judge(&evidence) != rows[i].cause) {
                fail_msg("row %zu, board %u: %s", i, board, cause_name(cause_judge(&evidence)));
            }
        }
    }
}

static void names_of_causes_stay_what_they_are(void **state)
{
    (void)state;
    static const char *const names[] = {"none",     "stop",   "reload",      "crash",
                                        "hang",     "memory", "descriptors", "supervisor",
                                        "watchdog", "power",  "unknown"};
    assert_int_equal(ARRAY_LEN(names), CAUSE_COUNT);
    for (unsigned i = 0; i < CAUSE_COUNT; i++) {
        assert_string_equal(cause_name((enum cause)i), names[i]);
    }
}

static void signals_have_their_names_where_they_have_one(void **state)
{
    (void)state;
    static const struct {
        unsigned number;
        const char *name;
    } rows[] = {
        {0, ""},
        {SIGHUP, "SIGHUP"},
        {SIGINT, "SIGINT"},
        {SIGQUIT, "SIGQUIT"},
        {SIGILL, "SIGILL"},
        {SIGTRAP, "SIGTRAP"},
        {SIGABRT, "SIGABRT"},
        {SIGBUS, "SIGBUS"},
        {SIGFPE, "SIGFPE"},
        {SIGKILL, "SIGKILL"},
        {SIGUSR1, "SIGUSR1"},
        {SIGSEGV, "SIGSEGV"},
        {SIGUSR2, "SIGUSR2"},
        {SIGPIPE, "SIGPIPE"},
        {SIGALRM, "SIGALRM"},
        {SIGTERM, "SIGTERM"},
        {SIGXCPU, "SIGXCPU"},
        {SIGXFSZ, "SIGXFSZ"},
        {SIGSYS, "SIGSYS"},
        {16, "signal 16"},
        {32, "signal 32"},
        {64, "signal 64"},
        {255, "signal 255"},
        {UINT32_MAX, "signal 42949672"}, /* cut, not run over */
    };
    char text[CAUSE_SIGNAL_BYTES];
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        memset(text, 'x', sizeof text);
        assert_string_equal(cause_signal_name(rows[i].number, text), rows[i].name);
    }
}

static void an_end_is_described_for_people(void **state)
{
    (void)state;
    static const struct {
        struct run_end end;
        const char *text;
    } rows[] = {
        {{.cause = CAUSE_CRASH, .signal = SIGSEGV, .task = VITAL_NONE}, "crash, SIGSEGV"},
        {{.cause = CAUSE_CRASH, .exit_code = 3, .task = VITAL_NONE}, "crash, exit code 3"},
        {{.cause = CAUSE_CRASH, .exit_code = 0, .task = VITAL_NONE}, "crash, exit code 0"},
        {{.cause = CAUSE_HANG, .signal = SIGABRT, .task = VITAL_LOOP},
         "hang of task loop, SIGABRT"},
        {{.cause = CAUSE_HANG, .signal = SIGKILL, .task = VITAL_START},
         "hang of task start, SIGKILL"},
        {{.cause = CAUSE_HANG, .task = VITAL_WORKER}, "hang of task worker"},
        {{.cause = CAUSE_MEMORY, .signal = SIGKILL, .task = VITAL_NONE}, "memory, SIGKILL"},
        {{.cause = CAUSE_POWER, .task = VITAL_NONE}, "power"},
        {{.cause = CAUSE_STOP, .exit_code = 1, .task = VITAL_NONE}, "stop"},
        {{.cause = CAUSE_NONE, .task = VITAL_NONE}, "none"},
    };
    char text[CAUSE_TEXT_BYTES];
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_string_equal(cause_describe(&rows[i].end, text), rows[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_piece_of_evidence_leads_to_one_cause),
        cmocka_unit_test(names_of_causes_stay_what_they_are),
        cmocka_unit_test(signals_have_their_names_where_they_have_one),
        cmocka_unit_test(an_end_is_described_for_people),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
