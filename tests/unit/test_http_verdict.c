/* Guards against an answer that grows without bound, a cause that is blamed out of its turn, and a
 * phase counted twice or at zero. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "http_answer.h"
#include "http_failure.h"
#include "http_judge.h"
#include "http_phases.h"

static struct http_answer answer;
static uint8_t body[HTTP_BODY_BYTES];
static struct result result;

static bool line(const char *text)
{
    return http_answer_line(&answer, text, strlen(text));
}

/* ---- the answer ---- */

static void headers_are_kept_for_the_last_status_only(void **state)
{
    unsigned cursor = 0;
    (void)state;
    http_answer_begin(&answer, NULL, 10, false);
    assert_true(line("HTTP/1.1 100 Continue\r\n") && line("X-A: interim\r\n") && line("\r\n"));
    assert_false(answer.head_done);
    assert_true(line("HTTP/1.1 204\r\n") && line("X-A:  one \t\r\n") && line("x-a:\r\n"));
    assert_true(line("X-AB: three\n") && line("no colon\r\n"));
    assert_false(answer.head_done);
    assert_true(line("\r\n"));
    assert_true(answer.head_done);
    assert_int_equal(answer.status, 204);
    assert_string_equal(http_answer_header(&answer, "x-A", 3, &cursor), "one");
    assert_string_equal(http_answer_header(&answer, "x-A", 3, &cursor), "");
    assert_null(http_answer_header(&answer, "x-A", 3, &cursor));
    /* A trailer is a header more, and never a status line. */
    assert_true(line("HTTP/1.1 500: x\r\n"));
    assert_int_equal(answer.status, 204);
}

static void headers_end_at_sixteen_kibibytes_or_a_hundred_lines(void **state)
{
    static char big[HTTP_HEAD_BYTES + 1];
    (void)state;
    memset(big, 'a', sizeof big);
    big[1] = ':';
    http_answer_begin(&answer, NULL, 10, false);
    assert_true(http_answer_line(&answer, big, HTTP_HEAD_BYTES));
    assert_int_equal(answer.end, HTTP_END_OPEN);
    assert_false(http_answer_line(&answer, "\n", 1));
    assert_int_equal(answer.end, HTTP_END_HEAD_TOO_LARGE);
    http_answer_begin(&answer, NULL, 10, false);
    assert_false(http_answer_line(&answer, big, HTTP_HEAD_BYTES + 1));
    http_answer_begin(&answer, NULL, 10, false);
    for (int i = 0; i < HTTP_HEAD_LINES; i++)
        assert_true(line("HTTP/1.1 100 Continue\r\n"));
    assert_false(line("\r\n"));
    /* The shortest lines there are must all find room. */
    http_answer_begin(&answer, NULL, 10, false);
    for (int i = 0; i < HTTP_HEAD_LINES; i++)
        assert_true(http_answer_line(&answer, "a:", 2));
    assert_true(answer.stored <= HTTP_HEAD_BYTES);
}

static void body_stops_at_its_limit(void **state)
{
    (void)state;
    for (int fails = 0; fails < 2; fails++) {
        http_answer_begin(&answer, body, 10, fails == 1);
        assert_true(http_answer_body(&answer, "01234", 5));
        assert_true(http_answer_body(&answer, "56789", 5));
        assert_int_equal(answer.end, HTTP_END_OPEN);
        assert_false(http_answer_body(&answer, "x", 1));
        assert_int_equal(answer.end, fails ? HTTP_END_TOO_LARGE : HTTP_END_CUT);
        assert_int_equal(answer.body_bytes, 10);
        assert_memory_equal(body, "0123456789", 10);
    }
    http_answer_begin(&answer, NULL, 10, false);
    assert_false(http_answer_body(&answer, "0123456789ab", 12));
    assert_int_equal(answer.body_bytes, 10);
}

/* ---- the verdict ---- */

static struct http_rule rule(enum http_rule_kind kind, const char *name, const char *text)
{
    char why[100];
    struct http_rule made = {kind, name, name ? strlen(name) : 0, text,
                             pattern_new(text, strlen(text), 0, why, sizeof why)};
    assert_non_null(made.pattern);
    return made;
}

/* Judges `answer` into a new `result`; the turns it took. */
static unsigned judge(const struct http_criteria *criteria)
{
    struct http_search search = {0};
    unsigned turns = 1;
    result_init(&result, 0, 0);
    http_judge_head(criteria, &answer, &result);
    while (!result_decided(&result) && !http_judge_body(criteria, &answer, &search, &result))
        turns++;
    return turns;
}

static void the_first_cause_wins(void **state)
{
    struct http_rule headers[] = {rule(HTTP_RULE_REJECT, "X", "bad"),
                                  rule(HTTP_RULE_EXPECT, "X", "good")};
    struct http_rule bodies[] = {rule(HTTP_RULE_REJECT, NULL, "bad"),
                                 rule(HTTP_RULE_EXPECT, NULL, "good")};
    struct http_criteria criteria = {.status_text = "200",
                                     .header_rules = headers,
                                     .body_rules = bodies,
                                     .header_rule_count = 2,
                                     .body_rule_count = 2};
    static const struct {
        const char *status, *x, *body;
        enum http_end end;
        enum reason reason;
        int regex;
    } rows[] = {
        {"HTTP/1.1 200 OK", "X: good", "good", HTTP_END_WHOLE, REASON_NONE, 0},
        {"HTTP/1.1 200 OK", "X: good", "good", HTTP_END_CUT, REASON_NONE, 0},
        {"HTTP/1.1 500 No", "X: bad", "bad", HTTP_END_TOO_LARGE, REASON_STATUS, 0},
        {"HTTP/1.1 200 OK", "X: bad", "bad", HTTP_END_TOO_LARGE, REASON_HEADER, 1},
        {"HTTP/1.1 200 OK", "Y: good", "good", HTTP_END_WHOLE, REASON_HEADER, 1},
        {"HTTP/1.1 200 OK", "X: good bad", "good", HTTP_END_WHOLE, REASON_HEADER, 1},
        {"HTTP/1.1 200 OK", "X: good", "bad", HTTP_END_TOO_LARGE, REASON_TOO_LARGE, 0},
        {"HTTP/1.1 200 OK", "X: good", "bad", HTTP_END_TRUNCATED, REASON_TRUNCATED, 0},
        {"HTTP/1.1 200 OK", "X: good", "good bad", HTTP_END_WHOLE, REASON_BODY, 1},
        {"HTTP/1.1 200 OK", "X: good", "", HTTP_END_WHOLE, REASON_BODY, 1},
    };
    (void)state;
    assert_int_equal(http_status_read("200", 3, &criteria.status), ERROR_NONE);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        http_answer_begin(&answer, body, sizeof body, false);
        assert_true(line(rows[i].status) && line(rows[i].x) && line(""));
        assert_true(http_answer_body(&answer, rows[i].body, strlen(rows[i].body)));
        answer.end = rows[i].end;
        judge(&criteria);
        if (result.reason != rows[i].reason)
            fail_msg("row %zu: %s, %s", i, reason_name(result.reason), result.note);
        assert_int_equal((int)result.facts[FACT_FAILED_DUE_TO_REGEX], rows[i].regex);
        assert_int_equal(result.outcome,
                         rows[i].reason == REASON_NONE ? OUTCOME_SUCCESS : OUTCOME_FAILURE);
        assert_int_equal(strstr(result.note, "cut") != NULL, rows[i].end == HTTP_END_CUT);
    }
    for (size_t i = 0; i < 2; i++) {
        pattern_free(headers[i].pattern);
        pattern_free(bodies[i].pattern);
    }
}

static void one_value_of_a_repeated_header_is_enough(void **state)
{
    struct http_rule rules[] = {rule(HTTP_RULE_EXPECT, "X", "^b$")};
    struct http_criteria criteria = {
        .status_text = "200", .header_rules = rules, .header_rule_count = 1};
    (void)state;
    assert_int_equal(http_status_read("200", 3, &criteria.status), ERROR_NONE);
    for (int rejects = 0; rejects < 2; rejects++) {
        rules[0].kind = rejects ? HTTP_RULE_REJECT : HTTP_RULE_EXPECT;
        http_answer_begin(&answer, NULL, 10, false);
        assert_true(line("HTTP/1.1 200") && line("X: a") && line("X: b") && line("X: c") &&
                    line(""));
        answer.end = HTTP_END_WHOLE;
        judge(&criteria);
        assert_int_equal(result.reason, rejects ? REASON_HEADER : REASON_NONE);
    }
    /* A header that is missing passes a reject. */
    rules[0].name = "Z";
    judge(&criteria);
    assert_int_equal(result.outcome, OUTCOME_SUCCESS);
    pattern_free(rules[0].pattern);
}

/* Values that each stay just below what one search may cost, made for the pattern. */
static void many_values_of_a_header_share_the_work_of_their_search(void **state)
{
    struct http_rule rules[] = {rule(HTTP_RULE_EXPECT, "X", "(a+)+b")};
    struct http_criteria criteria = {
        .status_text = "200", .header_rules = rules, .header_rule_count = 1};
    (void)state;
    assert_int_equal(http_status_read("200", 3, &criteria.status), ERROR_NONE);
    for (unsigned values = 1; values <= 90; values += 89) {
        http_answer_begin(&answer, NULL, 10, false);
        assert_true(line("HTTP/1.1 200"));
        for (unsigned i = 0; i < values; i++)
            assert_true(line("X: aaaaaaaaaaaaaaacb"));
        assert_true(line(""));
        answer.end = HTTP_END_WHOLE;
        judge(&criteria);
        assert_int_equal(result.reason, REASON_HEADER);
        assert_int_equal(strstr(result.note, "too much work") != NULL, values > 1);
    }
    pattern_free(rules[0].pattern);
}

static void headers_without_end_are_too_large_whatever_came_before(void **state)
{
    struct http_criteria criteria = {.status_text = "200"};
    static const struct {
        const char *status;
        enum reason reason;
    } rows[] = {{"HTTP/1.1 100 Continue", REASON_TOO_LARGE},
                {"HTTP/1.1 200 OK", REASON_TOO_LARGE},
                {"HTTP/1.1 500 No", REASON_STATUS}};
    (void)state;
    assert_int_equal(http_status_read("200", 3, &criteria.status), ERROR_NONE);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        http_answer_begin(&answer, NULL, 10, false);
        assert_true(line(rows[i].status));
        answer.end = HTTP_END_HEAD_TOO_LARGE;
        judge(&criteria);
        assert_int_equal(result.reason, rows[i].reason);
    }
}

/* Three rules that look at every byte twice and more must not keep others waiting for all three. */
static void a_large_body_is_judged_in_turns(void **state)
{
    struct http_rule rules[] = {rule(HTTP_RULE_REJECT, NULL, "...[^t]"),
                                rule(HTTP_RULE_REJECT, NULL, "..[^t]"),
                                rule(HTTP_RULE_EXPECT, NULL, "..t$")};
    struct http_criteria criteria = {
        .status_text = "200", .body_rules = rules, .body_rule_count = ARRAY_LEN(rules)};
    static uint8_t large[HTTP_BODY_BYTES];
    (void)state;
    memset(large, 't', sizeof large);
    assert_int_equal(http_status_read("200", 3, &criteria.status), ERROR_NONE);
    for (size_t bytes = 100; bytes <= sizeof large; bytes += sizeof large - 100) {
        http_answer_begin(&answer, body, sizeof body, false);
        assert_true(line("HTTP/1.1 200") && line(""));
        assert_true(http_answer_body(&answer, large, bytes));
        answer.end = HTTP_END_WHOLE;
        unsigned turns = judge(&criteria);
        assert_int_equal(result.outcome, OUTCOME_SUCCESS);
        assert_in_range(turns, bytes == 100 ? 1 : 4, bytes == 100 ? 1 : 10);
        rules[0].kind = HTTP_RULE_EXPECT;
        judge(&criteria);
        assert_int_equal(result.reason, REASON_BODY);
        rules[0].kind = HTTP_RULE_REJECT;
    }
    for (size_t i = 0; i < ARRAY_LEN(rules); i++)
        pattern_free(rules[i].pattern);
}

/* ---- why a transfer failed ---- */

static void every_code_has_a_reason_and_a_phase(void **state)
{
    static const struct {
        struct http_trouble trouble;
        bool unknown;
        enum reason reason;
        enum phase phase;
    } rows[] = {
        {{CURLE_COULDNT_RESOLVE_HOST, 0, 0, false, PHASE_RESOLVE, ""},
         false,
         REASON_RESOLVE,
         PHASE_RESOLVE},
        {{CURLE_COULDNT_CONNECT, ECONNREFUSED, 0, false, PHASE_CONNECT, ""},
         false,
         REASON_REFUSED,
         PHASE_CONNECT},
        {{CURLE_COULDNT_CONNECT, ENETUNREACH, 0, false, PHASE_CONNECT, ""},
         false,
         REASON_UNREACHABLE,
         PHASE_CONNECT},
        {{CURLE_COULDNT_CONNECT, EHOSTUNREACH, 0, false, PHASE_CONNECT, ""},
         false,
         REASON_UNREACHABLE,
         PHASE_CONNECT},
        {{CURLE_COULDNT_CONNECT, ETIMEDOUT, 0, false, PHASE_CONNECT, ""},
         false,
         REASON_TIMEOUT,
         PHASE_CONNECT},
        {{CURLE_COULDNT_CONNECT, 0, 0, false, PHASE_CONNECT, ""},
         false,
         REASON_CONNECT,
         PHASE_CONNECT},
        {{CURLE_COULDNT_CONNECT, EMFILE, 0, true, PHASE_CONNECT, ""},
         true,
         REASON_NONE,
         PHASE_CONNECT},
        {{CURLE_OUT_OF_MEMORY, 0, 0, false, PHASE_TLS, ""}, true, REASON_NONE, PHASE_TLS},
        {{CURLE_INTERFACE_FAILED, ENODEV, 0, false, PHASE_CONNECT, ""},
         true,
         REASON_NONE,
         PHASE_CONNECT},
        {{CURLE_OPERATION_TIMEDOUT, 0, 0, false, PHASE_CONNECT, ""},
         false,
         REASON_TIMEOUT,
         PHASE_CONNECT},
        {{CURLE_SSL_CONNECT_ERROR, 0, 0, false, PHASE_TLS, "(-0x7780)"},
         false,
         REASON_TLS_HANDSHAKE,
         PHASE_TLS},
        {{CURLE_SSL_CONNECT_ERROR, ECONNRESET, 0, false, PHASE_TLS, ""},
         false,
         REASON_RESET,
         PHASE_TLS},
        {{CURLE_SSL_CONNECT_ERROR, 0, 0, false, PHASE_TLS, "x (-0x7280) y"},
         false,
         REASON_RESET,
         PHASE_TLS},
        {{CURLE_RECV_ERROR, ECONNRESET, 0, false, PHASE_TRANSFER, ""},
         false,
         REASON_RESET,
         PHASE_TRANSFER},
        {{CURLE_SEND_ERROR, EPIPE, 0, false, PHASE_PROCESSING, ""},
         false,
         REASON_RESET,
         PHASE_PROCESSING},
        {{CURLE_RECV_ERROR, 0, 0, false, PHASE_TRANSFER, "bad chunk"},
         false,
         REASON_PROTOCOL,
         PHASE_TRANSFER},
        {{CURLE_RECV_ERROR, 0, 0, false, PHASE_PROCESSING, "(-0x7780)"},
         false,
         REASON_TLS_HANDSHAKE,
         PHASE_TLS},
        {{CURLE_RECV_ERROR, 0, 407, false, PHASE_CONNECT, ""},
         false,
         REASON_CONNECT,
         PHASE_CONNECT},
        {{CURLE_GOT_NOTHING, 0, 0, false, PHASE_PROCESSING, ""},
         false,
         REASON_RESET,
         PHASE_PROCESSING},
        {{CURLE_WEIRD_SERVER_REPLY, 0, 0, false, PHASE_TRANSFER, ""},
         false,
         REASON_PROTOCOL,
         PHASE_TRANSFER},
        {{CURLE_UNSUPPORTED_PROTOCOL, 0, 0, false, PHASE_TRANSFER, ""},
         false,
         REASON_PROTOCOL,
         PHASE_TRANSFER},
        {{CURLE_BAD_FUNCTION_ARGUMENT, 0, 0, false, PHASE_CONNECT, ""},
         false,
         REASON_INTERNAL,
         PHASE_CONNECT},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct http_failure failure = http_failure_of(&rows[i].trouble);
        if (failure.unknown != rows[i].unknown || failure.reason != rows[i].reason ||
            failure.phase != rows[i].phase)
            fail_msg("row %zu: %s in %s", i, reason_name(failure.reason),
                     phase_name(failure.phase));
    }
}

/* ---- phases ---- */

static void phases_add_up_over_hops_and_the_last_transfer_counts(void **state)
{
    struct http_phases phases = {.open = PHASE_NONE};
    (void)state;
    result_init(&result, 0, 0);
    http_phases_begin(&phases, PHASE_CONNECT, 1000);
    http_phases_next(&phases, &result, PHASE_PROCESSING, 1010);
    http_phases_next(&phases, &result, PHASE_PROCESSING, 1011); /* the first one counts */
    http_phases_next(&phases, &result, PHASE_TRANSFER, 1030);
    http_phases_next(&phases, &result, PHASE_CONNECT, 1031); /* never back */
    http_phases_hop(&phases, &result, 1050);
    http_phases_next(&phases, &result, PHASE_TRANSFER, 1060); /* between hops nothing is open */
    http_phases_begin(&phases, PHASE_RESOLVE, 1100);
    http_phases_next(&phases, &result, PHASE_CONNECT, 1105);
    http_phases_next(&phases, &result, PHASE_TLS, 1107);
    http_phases_next(&phases, &result, PHASE_PROCESSING, 1120);
    http_phases_next(&phases, &result, PHASE_TRANSFER, 1150);
    assert_int_equal(http_phases_end(&phases, &result, 1157), PHASE_TRANSFER);
    assert_int_equal(http_phases_end(&phases, &result, 1999), PHASE_NONE);
    assert_int_equal(result.phase_us[PHASE_RESOLVE], 5);
    assert_int_equal(result.phase_us[PHASE_CONNECT], 12);
    assert_int_equal(result.phase_us[PHASE_TLS], 13);
    assert_int_equal(result.phase_us[PHASE_PROCESSING], 50);
    assert_int_equal(result.phase_us[PHASE_TRANSFER], 7);
}

static void a_phase_that_was_not_reached_has_no_sample(void **state)
{
    struct http_phases phases = {.open = PHASE_NONE};
    (void)state;
    result_init(&result, 0, 0);
    http_phases_begin(&phases, PHASE_CONNECT, 1000);
    http_phases_next(&phases, &result, PHASE_TLS, 1010);
    assert_int_equal(http_phases_end(&phases, &result, 1025), PHASE_TLS);
    assert_int_equal(result.phases_reached, PHASE_BIT(PHASE_CONNECT) | PHASE_BIT(PHASE_TLS));
    assert_int_equal(result.phase_us[PHASE_TLS], 15);
    /* A redirect cut before its transfer counts what it reached. */
    http_phases_begin(&phases, PHASE_CONNECT, 2000);
    http_phases_hop(&phases, &result, 2004);
    assert_int_equal(result.phase_us[PHASE_CONNECT], 14);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_are_kept_for_the_last_status_only),
        cmocka_unit_test(headers_end_at_sixteen_kibibytes_or_a_hundred_lines),
        cmocka_unit_test(body_stops_at_its_limit),
        cmocka_unit_test(the_first_cause_wins),
        cmocka_unit_test(one_value_of_a_repeated_header_is_enough),
        cmocka_unit_test(many_values_of_a_header_share_the_work_of_their_search),
        cmocka_unit_test(headers_without_end_are_too_large_whatever_came_before),
        cmocka_unit_test(a_large_body_is_judged_in_turns),
        cmocka_unit_test(every_code_has_a_reason_and_a_phase),
        cmocka_unit_test(phases_add_up_over_hops_and_the_last_transfer_counts),
        cmocka_unit_test(a_phase_that_was_not_reached_has_no_sample),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
