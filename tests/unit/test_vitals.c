/* Guards against a row that seems to hang because an earlier life or an earlier piece of work left
 * it so, against one that is never looked at, and against a mandate or a count that is lost with a
 * life. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <string.h>

#include "vitals.h"

static struct vitals vitals;

static int begin(void **state)
{
    (void)state;
    memset(&vitals, 0, sizeof vitals);
    vitals_begin(&vitals, 60 * USEC_PER_SEC);
    return 0;
}

static void a_new_life_begins_with_its_start_alone(void **state)
{
    (void)state;
    for (unsigned i = 0; i < VITAL_COUNT; i++) {
        vital_arm(&vitals, i, USEC_PER_SEC);
        vital_hold(&vitals, i, 3);
    }
    atomic_store(&vitals.running, 1);
    atomic_store(&vitals.resets, RESETS_ALLOWED);
    atomic_store(&vitals.leave_cause, 8);
    atomic_store(&vitals.workers_replaced, 7);
    uint32_t before = vitals.rows[VITAL_START].progress;
    vitals_begin(&vitals, 60 * USEC_PER_SEC);
    for (unsigned i = 0; i < VITAL_COUNT; i++) {
        assert_int_equal(vital_is_armed(&vitals, i), i == VITAL_START);
        assert_int_equal(vitals.rows[i].subject, 0);
    }
    assert_int_equal(vitals.rows[VITAL_START].limit_ms, 60000);
    assert_int_not_equal(vitals.rows[VITAL_START].progress, before);
    assert_int_equal(vitals.row_end, 1);
    assert_int_equal(vitals.running, 0);
    assert_int_equal(vitals.resets, RESETS_UNDECIDED);
    assert_int_equal(vitals.leave_cause, 0);
    assert_int_equal(vitals.workers_replaced, 0);
}

static void what_the_supervisor_and_its_lives_have_counted_stays(void **state)
{
    (void)state;
    atomic_store(&vitals.mandate.phase, 2);
    atomic_store(&vitals.mandate.barred, 0xf0);
    atomic_store(&vitals.mandate.ends[3], 5);
    atomic_store(&vitals.mandate.actions_done, 4);
    atomic_store(&vitals.counted[3], 4);
    atomic_store(&vitals.judged, 1);
    atomic_store(&vitals.actions_wanted, 6);
    vitals_begin(&vitals, USEC_PER_SEC);
    assert_int_equal(vitals.mandate.phase, 2);
    assert_int_equal(vitals.mandate.barred, 0xf0);
    assert_int_equal(vitals.mandate.ends[3], 5);
    assert_int_equal(vitals.mandate.actions_done, 4);
    assert_int_equal(vitals.counted[3], 4);
    assert_int_equal(vitals.judged, 1);
    assert_int_equal(vitals.actions_wanted, 6);
}

static void limits_are_rounded_up_and_never_to_rest(void **state)
{
    (void)state;
    static const struct {
        usec_t limit_us;
        uint32_t limit_ms;
    } rows[] = {{1, 1},
                {1000, 1},
                {1001, 2},
                {5 * USEC_PER_SEC, 5000},
                {(usec_t)UINT32_MAX * 1000, UINT32_MAX},
                {(usec_t)UINT32_MAX * 1000 + 1, UINT32_MAX},
                {400 * USEC_PER_DAY, UINT32_MAX}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint32_t before = vitals.rows[VITAL_PUSH].progress;
        vital_arm(&vitals, VITAL_PUSH, rows[i].limit_us);
        assert_int_equal(vitals.rows[VITAL_PUSH].limit_ms, rows[i].limit_ms);
        assert_int_equal(vitals.rows[VITAL_PUSH].progress, before + 1); /* new work is progress */
        assert_true(vital_is_armed(&vitals, VITAL_PUSH));
    }
    vital_rest(&vitals, VITAL_PUSH);
    assert_false(vital_is_armed(&vitals, VITAL_PUSH));
}

static void the_end_of_the_rows_only_grows(void **state)
{
    (void)state;
    static const struct {
        unsigned row, end;
    } rows[] = {{VITAL_LOOP, 2},
                {VITAL_WORKER + 7, VITAL_WORKER + 8},
                {VITAL_PUSH, VITAL_WORKER + 8},
                {VITAL_COUNT - 1, VITAL_COUNT},
                {VITAL_START, VITAL_COUNT}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        vital_arm(&vitals, rows[i].row, USEC_PER_SEC);
        assert_int_equal(vitals.row_end, rows[i].end);
    }
    vital_rest(&vitals, VITAL_COUNT - 1);
    assert_int_equal(vitals.row_end, VITAL_COUNT);
}

static void *arm_many(void *context)
{
    unsigned first = *(unsigned *)context;
    for (unsigned i = 0; i < 64; i++) {
        vital_arm(&vitals, VITAL_WORKER + first + 2 * i, USEC_PER_SEC);
    }
    return NULL;
}

static void workers_that_begin_at_once_are_all_looked_at(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 200; round++) {
        unsigned firsts[2] = {0, 1};
        pthread_t threads[2];
        vitals_begin(&vitals, USEC_PER_SEC);
        for (unsigned i = 0; i < 2; i++) {
            assert_int_equal(pthread_create(&threads[i], NULL, arm_many, &firsts[i]), 0);
        }
        for (unsigned i = 0; i < 2; i++) {
            assert_int_equal(pthread_join(threads[i], NULL), 0);
        }
        assert_int_equal(vitals.row_end, VITAL_WORKER + 128);
    }
}

static void what_is_in_hand_is_a_target_or_nothing(void **state)
{
    (void)state;
    vital_hold(&vitals, VITAL_LOOP, 0);
    assert_int_equal(vitals.rows[VITAL_LOOP].subject, 1);
    vital_hold(&vitals, VITAL_LOOP, CAP_TARGETS - 1);
    assert_int_equal(vitals.rows[VITAL_LOOP].subject, CAP_TARGETS);
    vital_hold(&vitals, VITAL_LOOP, -1);
    assert_int_equal(vitals.rows[VITAL_LOOP].subject, 0);
}

static void tasks_have_names_that_stay(void **state)
{
    (void)state;
    static const struct {
        unsigned row;
        const char *name;
    } rows[] = {{VITAL_START, "start"},   {VITAL_LOOP, "loop"},   {VITAL_SCHEDULE, "schedule"},
                {VITAL_RUNS, "runs"},     {VITAL_STORE, "store"}, {VITAL_PUSH, "push"},
                {VITAL_WORKER, "worker"}, {VITAL_NONE, "none"},   {7, "none"},
                {UINT32_MAX, "none"}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_string_equal(vital_name(rows[i].row), rows[i].name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_new_life_begins_with_its_start_alone, begin),
        cmocka_unit_test_setup(what_the_supervisor_and_its_lives_have_counted_stays, begin),
        cmocka_unit_test_setup(limits_are_rounded_up_and_never_to_rest, begin),
        cmocka_unit_test_setup(the_end_of_the_rows_only_grows, begin),
        cmocka_unit_test_setup(workers_that_begin_at_once_are_all_looked_at, begin),
        cmocka_unit_test_setup(what_is_in_hand_is_a_target_or_nothing, begin),
        cmocka_unit_test(tasks_have_names_that_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
