/* Guards against a verdict that blames the wrong value or comes in the wrong order, values that are
 * lost because another one failed, and `stuck` crying over a value nobody was watching. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "modbus_judge.h"

enum { COUNT = 4 };

static struct modbus_value values[COUNT];
static struct modbus_report report;
static struct result result;

static int fresh(void **state)
{
    static const char *const lines[COUNT] = {
        "flow holding 0 i16 scale=0.1 range=10..95 sentinel=-1",
        "power holding 1 u16 stuck=60s",
        "name holding 2 string:4",
        "pump coil 0 bool range=1..1",
    };

    (void)state;
    memset(values, 0, sizeof(values));
    memset(&report, 0, sizeof(report));
    for (unsigned i = 0; i < COUNT; i++) {
        char why[192];
        assert_int_equal(modbus_read_parse(lines[i], strlen(lines[i]), modbus_order_at(0),
                                           &values[i].read, why, sizeof(why)),
                         ERROR_NONE);
        report.readings[i].state = MODBUS_READ_DATA;
    }
    memcpy(report.readings[0].bytes, "\x01\x2c", 2); /* 30.0 */
    memcpy(report.readings[1].bytes, "\x00\x07", 2);
    memcpy(report.readings[2].bytes, "AB12", 4);
    report.readings[3].bytes[0] = 1;
    return 0;
}

static void judge_at(usec_t now_us)
{
    result_init(&result, 0, now_us);
    modbus_judge_values(values, COUNT, &report, now_us, &result);
    modbus_judge(values, COUNT, &report, now_us, &result);
}

static void refuse(unsigned value, uint8_t code)
{
    report.readings[value].state = MODBUS_READ_EXCEPTION;
    report.readings[value].exception = code;
}

static void all_good_is_a_success_with_every_value(void **state)
{
    (void)state;
    judge_at(1);
    assert_int_equal(result.outcome, OUTCOME_SUCCESS);
    assert_int_equal(result.value_count, COUNT);
    assert_true(result.values[0].available && result.values[0].number == 30);
    assert_true(result.values[1].number == 7);
    assert_string_equal(result.values[2].text, "AB12");
    assert_true(result.values[3].number == 1);
}

static void an_exception_leaves_the_other_values(void **state)
{
    (void)state;
    refuse(1, 2);
    judge_at(1);
    assert_int_equal(result.outcome, OUTCOME_FAILURE);
    assert_int_equal(result.reason, REASON_EXCEPTION);
    assert_int_equal(result.phase, PHASE_REQUEST);
    assert_string_equal(result.note, "illegal data address (2) for power");
    assert_true(result.values[0].available);
    assert_false(result.values[1].available);
    assert_true(result.values[3].available);
    assert_true(values[1].alone);
    assert_false(values[0].alone);
}

static void only_a_bad_address_makes_a_value_stand_alone_and_only_while_it_is_bad(void **state)
{
    (void)state;
    refuse(0, 4);
    refuse(1, 3);
    judge_at(1);
    assert_string_equal(result.note, "device failure (4) for flow and 1 more");
    assert_false(values[0].alone);
    assert_true(values[1].alone);
    report.readings[1].state = MODBUS_READ_DATA;
    judge_at(2);
    assert_false(values[1].alone);
}

static void causes_win_by_kind_and_then_by_the_order_of_the_file(void **state)
{
    (void)state;
    memcpy(report.readings[0].bytes, "\x00\x05", 2); /* 0.5 */
    report.readings[3].bytes[0] = 0;
    judge_at(1);
    assert_int_equal(result.reason, REASON_RANGE);
    assert_string_equal(result.note, "flow is 0.5, outside 10..95");
    refuse(2, 1);
    judge_at(1);
    assert_int_equal(result.reason, REASON_EXCEPTION);
    fresh(NULL);
    judge_at(1);
    report.readings[3].bytes[0] = 0;
    judge_at(1 + 30 * USEC_PER_SEC);
    judge_at(1 + 61 * USEC_PER_SEC);
    assert_int_equal(result.reason, REASON_RANGE);
    assert_string_equal(result.note, "pump is 0, outside 1..1");
    report.readings[3].bytes[0] = 1;
    judge_at(1 + 62 * USEC_PER_SEC);
    assert_int_equal(result.reason, REASON_STUCK);
    assert_string_equal(result.note, "power has not changed for 62 s");
    assert_true(result.values[1].available);
}

static void a_sentinel_is_no_failure(void **state)
{
    (void)state;
    memcpy(report.readings[0].bytes, "\xff\xff", 2);
    judge_at(1);
    assert_int_equal(result.outcome, OUTCOME_SUCCESS);
    assert_false(result.values[0].available);
}

static void a_value_that_was_not_watched_is_not_stuck(void **state)
{
    static const struct {
        usec_t at_s;
        uint8_t value;
        bool read, stuck;
    } rows[] = {
        {0, 7, true, false},   {59, 7, true, false},   {60, 7, true, true},   {61, 8, true, false},
        {120, 8, true, false}, {121, 8, true, true},   {300, 8, true, false}, {359, 8, true, false},
        {360, 8, true, true},  {361, 8, false, false}, {362, 8, true, true},  {423, 8, true, false},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        report.readings[1].state = rows[i].read ? MODBUS_READ_DATA : MODBUS_UNREAD;
        report.readings[1].bytes[1] = rows[i].value;
        judge_at((rows[i].at_s + 1) * USEC_PER_SEC);
        if ((result.reason == REASON_STUCK) != rows[i].stuck) {
            fail_msg("at %d s: %s", (int)rows[i].at_s, result.note);
        }
    }
}

static void a_run_that_broke_off_keeps_what_it_read(void **state)
{
    (void)state;
    report.readings[2].state = MODBUS_UNREAD;
    report.readings[3].state = MODBUS_UNREAD;
    result_init(&result, 0, 1);
    modbus_judge_values(values, COUNT, &report, 1, &result);
    assert_false(result_decided(&result));
    assert_int_equal(result.value_count, COUNT);
    assert_true(result.values[0].available && result.values[1].available);
    assert_false(result.values[2].available || result.values[3].available);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(all_good_is_a_success_with_every_value, fresh),
        cmocka_unit_test_setup(an_exception_leaves_the_other_values, fresh),
        cmocka_unit_test_setup(
            only_a_bad_address_makes_a_value_stand_alone_and_only_while_it_is_bad, fresh),
        cmocka_unit_test_setup(causes_win_by_kind_and_then_by_the_order_of_the_file, fresh),
        cmocka_unit_test_setup(a_sentinel_is_no_failure, fresh),
        cmocka_unit_test_setup(a_value_that_was_not_watched_is_not_stuck, fresh),
        cmocka_unit_test_setup(a_run_that_broke_off_keeps_what_it_read, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
