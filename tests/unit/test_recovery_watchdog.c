/* Guards against: a gateway that goes round in resets, or is reset without being asked; a watchdog
 * that is fed for an agent that hangs, one that bites an agent that is well, and one that is
 * started before it may be; and, at random, against a ladder that contradicts itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ladder_world.h"
#include "prng.h"

static void begin_owned(enum watchdog_owner owner)
{
    begin_world();
    world.settings.owner = owner;
}

static void a_watchdog_is_started_when_its_owner_allows(void **state)
{
    (void)state;
    static const struct {
        enum watchdog_owner owner;
        enum vitals_resets resets;
        bool found, runs, arms;
    } rows[] = {
        {WATCHDOG_OWNER_NONE, RESETS_ALLOWED, false, true, false},
        {WATCHDOG_OWNER_DEVICE, RESETS_UNDECIDED, false, true, false},
        {WATCHDOG_OWNER_DEVICE, RESETS_USED_UP, false, true, false},
        {WATCHDOG_OWNER_DEVICE, RESETS_ALLOWED, false, true, true},
        {WATCHDOG_OWNER_DEVICE, RESETS_UNDECIDED, true, true, true},
        {WATCHDOG_OWNER_SYSTEMD, RESETS_UNDECIDED, false, true, true},
        {WATCHDOG_OWNER_PROCD, RESETS_UNDECIDED, false, true, true},
        {WATCHDOG_OWNER_SYSTEMD, RESETS_ALLOWED, false, false, false},
        /* It counts on from the life of the service before. */
        {WATCHDOG_OWNER_PROCD, RESETS_UNDECIDED, false, false, true},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        begin_owned(rows[i].owner);
        world.resets = rows[i].resets;
        world.never_runs = !rows[i].runs;
        if (!rows[i].runs) {
            recovery_configure(&world.recovery, &world.settings);
        }
        if (rows[i].found) {
            recovery_found_running(&world.recovery);
        }
        pass(2 * SEC);
        if ((strstr(world.diary, " arm\n") != NULL) != rows[i].arms) {
            fail_msg("row %zu:\n%s", i, world.diary);
        }
        assert_int_equal(word_of(&world.vitals.mandate.armed), rows[i].arms);
        assert_int_equal(word_of(&world.vitals.mandate.granted_ms), rows[i].arms ? 60000 : 0);
    }
}

static void a_watchdog_that_cannot_be_started_is_tried_each_minute(void **state)
{
    (void)state;
    begin_owned(WATCHDOG_OWNER_DEVICE);
    world.arms = ERROR_DENIED;
    pass(125 * SEC);
    expect_diary("0 start\n0.25 arm in vain\n60.25 arm in vain\n100 keep this configuration\n"
                 "120.25 arm in vain\n");
    assert_int_equal(world.feeds, 0);
    world.arms = ERROR_NONE;
    pass(60 * SEC);
    expect_diary("180.5 arm\n");
}

static void it_is_fed_at_its_pace_or_faster_where_less_was_granted(void **state)
{
    (void)state;
    static const struct {
        usec_t granted_us;
        unsigned feeds; /* in 600 s */
    } rows[] = {{60 * SEC, 60}, {30 * SEC, 60}, {15 * SEC, 120}, {0, 60}, {3 * SEC, 600}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        begin_owned(WATCHDOG_OWNER_DEVICE);
        world.grant.timeout_us = rows[i].granted_us;
        pass(SEC);
        forget();
        pass(600 * SEC);
        assert_in_range(world.feeds, rows[i].feeds - 1, rows[i].feeds + 1);
    }
}

static void count_short(void *context, enum log_level level, const char *text)
{
    unsigned *count = context;
    *count += level == LOG_LEVEL_WARNING &&
                      strstr(text, "an agent that hangs is not restarted in that time") != NULL
                  ? 1
                  : 0;
}

/* What the driver grants is not known before it is asked, so no check of a file can tell. */
static void a_grant_in_which_nothing_can_be_mended_is_warned_of(void **state)
{
    static const struct {
        usec_t granted_us;
        unsigned warnings;
    } rows[] = {{0, 0}, {60 * SEC, 0}, {7 * SEC, 0}, {7 * SEC - 1, 1}, {SEC, 1}};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        unsigned warnings = 0;
        struct logger logger = {.context = &warnings, .write = count_short};
        begin_owned(WATCHDOG_OWNER_DEVICE);
        world.recovery.logger = &logger;
        world.grant.timeout_us = rows[i].granted_us;
        pass(10 * SEC);
        assert_int_equal(warnings, rows[i].warnings);
    }
}

static void it_is_not_fed_for_an_agent_that_is_being_ended(void **state)
{
    (void)state;
    begin_owned(WATCHDOG_OWNER_DEVICE);
    world.settings.feed_us = SEC;
    world.settings.abort_us = 20 * SEC;
    pass(10 * SEC);
    forget();
    world.stuck = 1u << VITAL_LOOP;
    world.deaf = true;
    pass(5 * SEC);
    assert_in_range(world.feeds, 4, 5); /* it may be silent for that long */
    forget();
    pass(20 * SEC);
    assert_in_range(world.feeds, 0, 1);
    assert_true(world.lives);
    forget();
    world.stuck = 0;
    pass(1 * SEC); /* killed by now: the ladder goes on, and says so */
    assert_false(world.lives);
    forget();
    pass(60 * SEC);
    assert_in_range(world.feeds, 55, 61);
}

static void it_is_fed_between_two_lives(void **state)
{
    (void)state;
    begin_owned(WATCHDOG_OWNER_DEVICE);
    world.settings.feed_us = SEC;
    world.settings.restarts = 20;
    pass(10 * SEC);
    for (unsigned i = 0; i < 8; i++) {
        crash();
        pass(60 * SEC);
        pass(0);
    }
    forget();
    crash();
    pass(59 * SEC);
    assert_false(world.lives);
    assert_in_range(world.feeds, 55, 60);
}

static void a_budget_that_is_used_up_stops_it(void **state)
{
    (void)state;
    begin_owned(WATCHDOG_OWNER_DEVICE);
    pass(10 * SEC);
    forget();
    world.resets = RESETS_USED_UP;
    pass(100 * SEC);
    assert_string_equal(world.diary, "10 disarm\n100 keep this configuration\n");
    assert_int_equal(word_of(&world.vitals.mandate.armed), 0);
    assert_int_equal(world.feeds, 0);
    forget();
    world.resets = RESETS_ALLOWED; /* a day later */
    pass(70 * SEC);
    assert_string_equal(world.diary, "110 arm\n");
}

static void one_that_cannot_be_stopped_is_fed_on(void **state)
{
    (void)state;
    begin_owned(WATCHDOG_OWNER_DEVICE);
    world.grant.can_stop = false;
    pass(10 * SEC);
    forget();
    world.resets = RESETS_USED_UP;
    pass(100 * SEC);
    assert_string_equal(world.diary, "100 keep this configuration\n");
    assert_in_range(world.feeds, 9, 11);
}

static void a_service_manager_is_not_stopped_by_the_budget_of_resets(void **state)
{
    (void)state;
    begin_owned(WATCHDOG_OWNER_SYSTEMD);
    world.resets = RESETS_USED_UP;
    pass(60 * SEC);
    assert_string_equal(world.diary, "0 start\n0.25 arm\n");
}

static void other_settings_are_asked_for_at_once_and_the_same_are_not(void **state)
{
    (void)state;
    begin_owned(WATCHDOG_OWNER_DEVICE);
    (void)snprintf(world.settings.device, sizeof world.settings.device, "/dev/watchdog");
    pass(10 * SEC);
    for (unsigned what = 0; what < 4; what++) {
        reload();
        if (what == 1) {
            world.settings.timeout_us = 50 * SEC;
        } else if (what == 2) {
            (void)snprintf(world.settings.device, sizeof world.settings.device, "/dev/watchdog1");
        } else if (what == 3) {
            world.settings.owner = WATCHDOG_OWNER_SYSTEMD;
        }
        forget();
        world.resets = what == 1 ? RESETS_UNDECIDED : RESETS_ALLOWED; /* it runs: no waiting */
        pass(2 * SEC);
        bool arms = strstr(world.diary, " arm\n") != NULL;
        if (arms != (what > 0)) {
            fail_msg("change %u:\n%s", what, world.diary);
        }
    }
}

static void no_watchdog_is_started_by_one_that_is_to_end(void **state)
{
    (void)state;
    begin_owned(WATCHDOG_OWNER_DEVICE);
    world.resets = RESETS_UNDECIDED;
    pass(10 * SEC);
    recovery_stop(&world.recovery, world.now_us);
    world.resets = RESETS_ALLOWED;
    forget();
    pass(10 * SEC);
    expect_diary("");
}

static void no_watchdog_is_started_between_two_lives(void **state)
{
    (void)state;
    begin_owned(WATCHDOG_OWNER_DEVICE);
    world.resets = RESETS_UNDECIDED;
    pass(10 * SEC);
    atomic_store(&world.vitals.resets, RESETS_ALLOWED); /* its last word */
    crash();
    forget();
    pass(SEC);
    expect_diary("");
}

/* The reset. */

static void the_board_is_reset_only_when_all_say_so(void **state)
{
    (void)state;
    static const struct {
        bool reboot, owned;
        enum vitals_resets resets;
        enum recovery_phase phase;
    } rows[] = {
        {true, true, RESETS_ALLOWED, RECOVERY_RESETTING},
        {false, true, RESETS_ALLOWED, RECOVERY_STAYING},
        {true, false, RESETS_ALLOWED, RECOVERY_STAYING},
        {true, true, RESETS_USED_UP, RECOVERY_STAYING},
        {true, true, RESETS_UNDECIDED, RECOVERY_STAYING},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        begin_owned(rows[i].owned ? WATCHDOG_OWNER_DEVICE : WATCHDOG_OWNER_NONE);
        world.settings.reboot = rows[i].reboot;
        world.settings.exits = 1;
        world.grant.can_stop = false;
        pass(10 * SEC);
        crash_into_safe_mode();
        pass(10 * SEC);
        world.resets = rows[i].resets;
        pass(SEC);
        crash();
        assert_int_equal(world.recovery.phase, rows[i].phase);
    }
}

static void begin_resetting(void)
{
    begin_owned(WATCHDOG_OWNER_DEVICE);
    world.settings.reboot = true;
    world.settings.exits = 1;
    pass(10 * SEC);
    crash_into_safe_mode();
    pass(10 * SEC);
    crash();
    assert_int_equal(world.recovery.phase, RECOVERY_RESETTING);
    forget();
}

/* One more life puts it on record; then nothing is fed and nothing runs. */
static void a_reset_is_on_record_before_the_feeding_ends(void **state)
{
    (void)state;
    begin_resetting();
    world.resets = RESETS_UNDECIDED;
    pass(30 * SEC);
    assert_non_null(strstr(world.diary, "start\n"));
    assert_null(strstr(world.diary, "stop\n"));
    assert_true(world.feeds > 0);
    world.resets = RESETS_ALLOWED;
    forget();
    pass(SEC);
    assert_int_equal(word_of(&world.vitals.leave_cause), CAUSE_WATCHDOG);
    assert_non_null(strstr(world.diary, "stop\n"));
    assert_non_null(strstr(world.diary, "gone: stop\n"));
    assert_non_null(strstr(world.diary, "trigger\n"));
    world.feeds = 0;
    forget();
    pass(100 * SEC);
    assert_null(strstr(world.diary, "start"));
    assert_null(strstr(world.diary, "trigger"));
    assert_int_equal(world.feeds, 0);
    assert_false(world.lives);
}

static void a_reset_that_cannot_be_recorded_does_not_come(void **state)
{
    (void)state;
    for (unsigned way = 0; way < 3; way++) {
        begin_resetting();
        world.resets = way == 0 ? RESETS_UNDECIDED : RESETS_ALLOWED;
        world.ignores_stop = way == 1;
        world.never_runs = way == 2;
        while (!world.lives) {
            pass(SEC);
        }
        if (way == 2) {
            crash();
        }
        pass(150 * SEC);
        assert_int_equal(world.recovery.phase, RECOVERY_STAYING);
        assert_null(strstr(world.diary, "trigger\n"));
        assert_true(world.feeds > 0);
    }
}

static void a_reset_that_does_not_come_is_not_waited_for_for_ever(void **state)
{
    (void)state;
    begin_resetting();
    pass(600 * SEC);
    assert_int_equal(world.recovery.phase, RECOVERY_STAYING);
    assert_true(world.lives);
    assert_true(world.feeds > 0);
}

/* All of it at random: the ladder's own assertions, and what must hold whatever happens. */

static void whatever_happens(struct prng *prng)
{
    static const enum vitals_resets resets[] = {RESETS_UNDECIDED, RESETS_ALLOWED, RESETS_ALLOWED,
                                                RESETS_USED_UP};
    switch (prng_below(prng, 16)) {
    case 0:
    case 1:
    case 2:
        if (world.lives) {
            crash();
        }
        break;
    case 3:
        if (world.lives && prng_below(prng, 4) == 0) {
            reload();
        }
        break;
    case 4:
        if (world.lives) {
            fail_to_start();
        }
        break;
    case 5:
        world.stuck = prng_next(prng) & prng_next(prng);
        break;
    case 6:
        world.deaf = prng_below(prng, 2) == 0;
        break;
    case 7:
        world.resets = resets[prng_below(prng, ARRAY_LEN(resets))];
        break;
    case 8:
        world.settings.owner = (enum watchdog_owner)prng_below(prng, 4);
        world.settings.reboot = prng_below(prng, 2) == 0;
        world.settings.exits = 1 + (unsigned)prng_below(prng, 3);
        break;
    case 9:
        if (prng_below(prng, 16) == 0) {
            recovery_mended(&world.recovery, world.now_us);
        }
        break;
    case 10:
        world.no_process = prng_below(prng, 4) == 0;
        break;
    default:
        world.stuck = 0;
        break;
    }
}

static void the_ladder_holds_whatever_happens(void **state)
{
    (void)state;
    static unsigned phases[RECOVERY_PHASE_COUNT];
    for (unsigned seed = 0; seed < 300; seed++) {
        struct prng prng;
        prng = (struct prng){seed + 1};
        begin_world();
        world.settings.reboot = seed % 2 == 0;
        world.settings.owner = WATCHDOG_OWNER_DEVICE;
        world.settings.exits = 1 + seed % 3;
        for (unsigned i = 0; i < 300; i++) {
            whatever_happens(&prng);
            usec_t begin_us = world.now_us;
            while (world.now_us < begin_us + (usec_t)prng_below(&prng, 200) * SEC / 4) {
                bool doomed =
                    world.recovery.life == LIFE_ABORTED || world.recovery.life == LIFE_KILLED;
                bool resetting = world.recovery.reset_noted;
                turn();
                assert_false(world.orders.feed && (doomed || resetting));
                assert_false(world.orders.start && world.orders.kill != RECOVERY_SPARE);
                assert_true(world.orders.wake_us >= world.now_us);
                assert_int_equal(world.recovery.admitted & world.recovery.suspended, 0);
                assert_int_equal(world.lives, world.recovery.life != LIFE_NONE);
                phases[world.recovery.phase]++;
                world.now_us = usec_max(world.orders.wake_us, world.now_us + 1);
            }
            forget();
        }
    }
    for (unsigned i = 0; i < RECOVERY_PHASE_COUNT; i++) {
        assert_true(phases[i] > 100); /* else it went nowhere near */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_watchdog_is_started_when_its_owner_allows),
        cmocka_unit_test(a_watchdog_that_cannot_be_started_is_tried_each_minute),
        cmocka_unit_test(it_is_fed_at_its_pace_or_faster_where_less_was_granted),
        cmocka_unit_test(a_grant_in_which_nothing_can_be_mended_is_warned_of),
        cmocka_unit_test(it_is_not_fed_for_an_agent_that_is_being_ended),
        cmocka_unit_test(it_is_fed_between_two_lives),
        cmocka_unit_test(a_budget_that_is_used_up_stops_it),
        cmocka_unit_test(one_that_cannot_be_stopped_is_fed_on),
        cmocka_unit_test(a_service_manager_is_not_stopped_by_the_budget_of_resets),
        cmocka_unit_test(other_settings_are_asked_for_at_once_and_the_same_are_not),
        cmocka_unit_test(no_watchdog_is_started_by_one_that_is_to_end),
        cmocka_unit_test(no_watchdog_is_started_between_two_lives),
        cmocka_unit_test(the_board_is_reset_only_when_all_say_so),
        cmocka_unit_test(a_reset_is_on_record_before_the_feeding_ends),
        cmocka_unit_test(a_reset_that_cannot_be_recorded_does_not_come),
        cmocka_unit_test(a_reset_that_does_not_come_is_not_waited_for_for_ever),
        cmocka_unit_test(the_ladder_holds_whatever_happens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
