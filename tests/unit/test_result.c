/* Guards against: a later cause that hides the first, a label value or series name that changes or
 * is missing, a note with bytes a terminal would act on, a phase that shows a zero it never had.
 * hash.h and logger.h, which have a handful of lines each, are tested here too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "hash.h"
#include "logger.h"
#include "result.h"

static struct result result;

static int start(void **state)
{
    (void)state;
    memset(&result, 0xa5, sizeof result);
    result_init(&result, 7, 1234);
    return 0;
}

static void result_begins_unknown_and_empty(void **state)
{
    (void)state;
    assert_int_equal(result.target, 7);
    assert_int_equal(result.started_us, 1234);
    assert_int_equal(result.outcome, OUTCOME_UNKNOWN);
    assert_int_equal(result.reason, REASON_NONE);
    assert_int_equal(result.phase, PHASE_NONE);
    assert_int_equal(result.phases_reached, 0);
    assert_int_equal(result.facts_set, 0);
    assert_string_equal(result.note, "");
    assert_false(result_decided(&result));
}

static void decide(int how)
{
    switch (how) {
    case 0:
        result_succeed(&result);
        break;
    case 1:
        result_fail(&result, REASON_STATUS, PHASE_PROCESSING, "HTTP %d", 503);
        break;
    default:
        result_unknown(&result, PHASE_RESOLVE, "no %s", "clock");
        break;
    }
}

static void result_keeps_the_first_verdict(void **state)
{
    static const struct {
        enum outcome outcome;
        enum reason reason;
        enum phase phase;
        const char *note;
    } rows[] = {
        {OUTCOME_SUCCESS, REASON_NONE, PHASE_NONE, ""},
        {OUTCOME_FAILURE, REASON_STATUS, PHASE_PROCESSING, "HTTP 503"},
        {OUTCOME_UNKNOWN, REASON_NONE, PHASE_RESOLVE, "no clock"},
    };
    for (int first = 0; first < 3; first++) {
        for (int second = 0; second < 3; second++) {
            (void)start(state);
            decide(first);
            assert_true(result_decided(&result));
            decide(second);
            assert_int_equal(result.outcome, rows[first].outcome);
            assert_int_equal(result.reason, rows[first].reason);
            assert_int_equal(result.phase, rows[first].phase);
            assert_string_equal(result.note, rows[first].note);
        }
    }
}

static void result_note_replaces_the_note_alone(void **state)
{
    (void)state;
    result_note(&result, "body cut at %d bytes", 65536);
    assert_false(result_decided(&result));
    result_succeed(&result);
    assert_string_equal(result.note, "body cut at 65536 bytes");
    result_note(&result, "%s", "later");
    assert_int_equal(result.outcome, OUTCOME_SUCCESS);
    assert_string_equal(result.note, "later");
}

static void result_note_is_printable_and_cut(void **state)
{
    (void)state;
    char hostile[2000];
    for (size_t i = 0; i < sizeof hostile - 1; i++) {
        hostile[i] = (char)(1 + i % 255);
    }
    hostile[sizeof hostile - 1] = '\0';
    for (size_t from = 0; from < 256; from++) {
        result_note(&result, "%s", hostile + from);
        assert_int_equal(strlen(result.note), CAP_NOTE_BYTES - 1);
        for (const char *next = result.note; *next != '\0'; next++) {
            assert_in_range(*next, 0x20, 0x7e);
        }
    }
    result_note(&result, "%s", "\x1b[2J\n");
    assert_string_equal(result.note, "\\x1b[2J\\n");
}

static void result_phases_add_up_and_never_go_negative(void **state)
{
    (void)state;
    result_phase_add(&result, PHASE_CONNECT, 10);
    result_phase_add(&result, PHASE_CONNECT, 5);
    result_phase_add(&result, PHASE_TLS, -3);
    assert_int_equal(result.phases_reached, PHASE_BIT(PHASE_CONNECT) | PHASE_BIT(PHASE_TLS));
    assert_int_equal(result.phase_us[PHASE_CONNECT], 15);
    assert_int_equal(result.phase_us[PHASE_TLS], 0);
}

static void result_facts_are_there_once_set(void **state)
{
    (void)state;
    result_fact_set(&result, FACT_HTTP_SSL, 0);
    assert_true(result.facts_set == FACT_BIT(FACT_HTTP_SSL));
    result_fact_set(&result, FACT_DNS_SERIAL, 2026112201.0);
    assert_true(result.facts_set == (FACT_BIT(FACT_HTTP_SSL) | FACT_BIT(FACT_DNS_SERIAL)));
    assert_true(result.facts[FACT_DNS_SERIAL] >= 2026112201.0);
}

/* The words of the contract, in its order: SPEC section 3. */
static void result_words_are_those_of_the_contract(void **state)
{
    (void)state;
    static const char reasons[] =
        "resolve connect refused unreachable timeout reset tls_handshake tls_policy cert_expired "
        "cert_not_yet_valid cert_untrusted cert_name cert_pin cert_soon redirect status header "
        "too_large truncated body protocol expect exception range stuck rcode answer loss "
        "internal ";
    static const char phases[] = "resolve connect starttls tls processing transfer dialog request "
                                 "setup rtt ";
    char text[1024] = "";
    for (unsigned i = 0; i < REASON_COUNT; i++) {
        (void)strncat(text, reason_name((enum reason)i), sizeof text - strlen(text) - 1);
        (void)strncat(text, " ", sizeof text - strlen(text) - 1);
    }
    assert_string_equal(text, reasons);
    text[0] = '\0';
    for (unsigned i = 0; i < PHASE_COUNT; i++) {
        (void)strncat(text, phase_name((enum phase)i), sizeof text - strlen(text) - 1);
        (void)strncat(text, " ", sizeof text - strlen(text) - 1);
    }
    assert_string_equal(text, phases);
    assert_string_equal(outcome_name(OUTCOME_SUCCESS), "success");
    assert_string_equal(outcome_name(OUTCOME_FAILURE), "failure");
    assert_string_equal(outcome_name(OUTCOME_UNKNOWN), "unknown");
    assert_string_equal(reason_name(REASON_NONE), "");
    assert_string_equal(phase_name(PHASE_NONE), "");
}

static void result_names_outside_the_vocabulary_are_invalid(void **state)
{
    (void)state;
    assert_string_equal(outcome_name(OUTCOME_COUNT), "invalid");
    assert_string_equal(reason_name((enum reason)(REASON_NONE + 1)), "invalid");
    assert_string_equal(phase_name((enum phase)(PHASE_NONE + 1)), "invalid");
    assert_string_equal(fact_name(FACT_COUNT), "invalid");
    assert_string_equal(fact_help((enum fact)1000), "invalid");
}

static void result_facts_have_a_series_and_a_help_each(void **state)
{
    (void)state;
    for (unsigned i = 0; i < FACT_COUNT; i++) {
        const char *name = fact_name((enum fact)i), *help = fact_help((enum fact)i);
        assert_non_null(name);
        assert_non_null(help);
        assert_int_equal(strncmp(name, "probe_", 6), 0);
        assert_int_equal(name[strspn(name, "abcdefghijklmnopqrstuvwxyz_")], '\0');
        assert_true(strlen(help) > 10);
        for (unsigned j = 0; j < i; j++) {
            assert_string_not_equal(name, fact_name((enum fact)j));
        }
    }
    assert_string_equal(fact_name(FACT_DNS_LOOKUP_SECONDS), "probe_dns_lookup_time_seconds");
    assert_string_equal(fact_name(FACT_HTTP_LAST_MODIFIED),
                        "probe_http_last_modified_timestamp_seconds");
    assert_string_equal(fact_help(FACT_HTTP_STATUS_CODE), "Response HTTP status code");
}

/* Vectors of draft-eastlake-fnv, appendix C; the last is blackbox_exporter's for 127.0.0.1. */
static void hash_is_fnv1a(void **state)
{
    (void)state;
    static const uint8_t loopback[] = {127, 0, 0, 1};
    assert_int_equal(hash32("", 0), 0x811c9dc5);
    assert_int_equal(hash32("a", 1), 0xe40c292c);
    assert_int_equal(hash32("foobar", 6), 0xbf9cf968);
    assert_true(hash64(HASH64_START, "", 0) == UINT64_C(0xcbf29ce484222325));
    assert_true(hash64(HASH64_START, "a", 1) == UINT64_C(0xaf63dc4c8601ec8c));
    assert_true(hash64(HASH64_START, "foobar", 6) == UINT64_C(0x85944171f73967e8));
    assert_true(hash64(hash64(HASH64_START, "foo", 3), "bar", 3) == UINT64_C(0x85944171f73967e8));
    assert_int_equal(hash32(loopback, sizeof loopback), 3668918509U);
}

static void hash_of_strings_minds_their_borders(void **state)
{
    (void)state;
    assert_true(hash64_strings("a", "bc", "") != hash64_strings("ab", "c", ""));
    assert_true(hash64_strings("a", "", "b") != hash64_strings("a", "b", ""));
    assert_true(hash64_strings("a", "b", "c") == hash64_strings("a", "b", "c"));
}

struct line {
    enum log_level level;
    char text[600];
    int count;
};

static void keep_line(void *context, enum log_level level, const char *text)
{
    struct line *line = context;
    line->level = level;
    (void)strncpy(line->text, text, sizeof line->text - 1);
    line->count++;
}

static void logger_writes_one_bounded_line(void **state)
{
    (void)state;
    struct line line = {.count = 0};
    struct logger logger = {.context = &line, .write = keep_line};
    logger_printf(&logger, LOG_LEVEL_WARNING, "%s %d", "answer", 42);
    assert_string_equal(line.text, "answer 42");
    assert_int_equal(line.level, LOG_LEVEL_WARNING);
    logger_printf(&logger, LOG_LEVEL_INFO, "%0600d", 1);
    assert_int_equal(strlen(line.text), 511);
    assert_int_equal(line.count, 2);
}

static void logger_may_be_missing(void **state)
{
    (void)state;
    struct logger none = {.write = NULL};
    logger_printf(NULL, LOG_LEVEL_ERROR, "%s", "x");
    logger_printf(&none, LOG_LEVEL_ERROR, "%s", "x");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(result_begins_unknown_and_empty, start),
        cmocka_unit_test_setup(result_keeps_the_first_verdict, start),
        cmocka_unit_test_setup(result_note_replaces_the_note_alone, start),
        cmocka_unit_test_setup(result_note_is_printable_and_cut, start),
        cmocka_unit_test_setup(result_phases_add_up_and_never_go_negative, start),
        cmocka_unit_test_setup(result_facts_are_there_once_set, start),
        cmocka_unit_test(result_words_are_those_of_the_contract),
        cmocka_unit_test(result_names_outside_the_vocabulary_are_invalid),
        cmocka_unit_test(result_facts_have_a_series_and_a_help_each),
        cmocka_unit_test(hash_is_fnv1a),
        cmocka_unit_test(hash_of_strings_minds_their_borders),
        cmocka_unit_test(logger_writes_one_bounded_line),
        cmocka_unit_test(logger_may_be_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
