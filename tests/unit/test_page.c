/* Guards against a page that a name can break out of, that is longer than its bound, and spark
 * lines that show other runs than the last ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "page.h"
#include "site_fixture.h"

static char memory[4 << 20];
static struct config config;
static struct agent agent;
static struct vitals vitals;
static bool clock_is_trusted;

static const usec_t now_us = 12000 * USEC_PER_SEC;

static struct wall_time fake_wall(void *context)
{
    (void)context;
    return (struct wall_time){.unix_us = 1790000000 * USEC_PER_SEC, .trusted = clock_is_trusted};
}

static void set_up_agent(void)
{
    memset(&agent, 0, sizeof agent);
    memset(&vitals, 0, sizeof vitals);
    clock_is_trusted = true;
    agent.config = &config;
    agent.ports.clock = (struct clock){.wall = fake_wall};
    agent.ports.vitals = &vitals;
    agent.care.before = (struct run_end){.task = VITAL_NONE};
    agent.push.last_duration_us = -1;
    agent.store.state = STORE_MEMORY;
    agent.store.trouble = STORE_OFF;
    agent.store.numbers.uncommitted_since_us = USEC_NEVER;
    ledger_init(&agent.store.ledger, 1);
    (void)ledger_bind(&agent.store.ledger, &config);
}

static const char *render(void)
{
    struct buffer out;
    buffer_init(&out, memory, sizeof memory);
    page_render(&agent, now_us, &out);
    assert_false(buffer_overflowed(&out));
    assert_true(out.used <= page_bound(&config));
    return buffer_text(&out);
}

static void run(unsigned target, const struct result *result)
{
    agent.last[target] = *result;
    agent.seen[target] = true;
    trail_add(&agent.trails[target], result->outcome, result->duration_us);
}

static void a_page_tells_what_the_status_tells(void **state)
{
    struct result result;
    (void)state;
    fixture_site(&config);
    set_up_agent();
    fixture_success(&result, 0);
    run(0, &result);
    fixture_exception(&result, 1);
    run(1, &result);
    const char *page = render();
    assert_non_null(strstr(page, "<title>FAIL: branch-0042</title>"));
    assert_non_null(strstr(page, "<b class=\"FAIL\">something fails</b>"));
    assert_non_null(strstr(page, "<p id=\"made\">as of 2026-09-21T14:13:20.000Z</p>"));
    assert_non_null(strstr(page, "<dt>targets</dt><dd>2: 1 ok, 1 FAIL</dd>"));
    assert_non_null(strstr(page, "<tr class=\"ok\"><td data-label=\"PROBE\">portal</td>"));
    assert_non_null(strstr(page, "<tr class=\"FAIL\"><td data-label=\"PROBE\">boiler</td>"));
    assert_non_null(strstr(page, "exception in request<br><small>power_watts: illegal data"));
    assert_non_null(strstr(page, "<h2>Objectives</h2>"));
    agent.last[1].outcome = OUTCOME_SUCCESS;
    clock_is_trusted = false;
    page = render();
    assert_non_null(strstr(page, "<title>ok: branch-0042</title>"));
    assert_non_null(strstr(page, "all well</b>"));
    assert_non_null(strstr(page, "the site's clock is not set"));
}

static void no_objectives_no_table_of_them(void **state)
{
    (void)state;
    fixture_begin(&config, "s");
    (void)fixture_probe(&config, &fixture_web, "p");
    fixture_target(&config, "x");
    set_up_agent();
    const char *page = render();
    assert_null(strstr(page, "Objectives"));
    assert_null(strstr(strstr(page, "</table>") + 1, "</table>"));
}

static void nothing_configured_or_received_is_markup(void **state)
{
    struct result result;
    (void)state;
    fixture_begin(&config, "</title><script>\"'&");
    (void)fixture_probe(&config, &fixture_web, "<i>");
    fixture_target(&config, "\"><img src=x>");
    set_up_agent();
    result_init(&result, 0, 0);
    result_fail(&result, REASON_STATUS, PHASE_TLS, "<b onload='x'>&amp;");
    run(0, &result);
    const char *page = render();
    assert_null(strstr(page, "<i>"));
    assert_null(strstr(page, "<img"));
    assert_null(strstr(page, "<b onload"));
    assert_null(strstr(page, "<script>"));
    assert_non_null(strstr(page, "&#60;/title&#62;&#60;script&#62;&#34;&#39;&#38;"));
    assert_non_null(strstr(page, "<small>&#60;b onload=&#39;x&#39;&#62;&#38;amp;</small>"));
    assert_non_null(strstr(page, ">&#34;&#62;&#60;img src=x&#62;<"));
}

static void the_longest_page_is_within_its_bound(void **state)
{
    char name[CAP_NAME_BYTES], instance[CAP_INSTANCE_BYTES];
    struct result result;
    (void)state;
    memset(name, '<', sizeof name - 1);
    memset(instance, '&', sizeof instance - 1);
    name[sizeof name - 1] = instance[sizeof instance - 1] = '\0';
    fixture_begin(&config, name);
    struct config_probe *probe = fixture_probe(&config, &fixture_web, name);
    for (unsigned i = 0; i < 40; i++) {
        fixture_target(&config, instance);
    }
    probe->slo_count = CAP_SLOS_PER_PROBE;
    for (unsigned i = 0; i < CAP_SLOS_PER_PROBE; i++) {
        probe->slos[i] = (struct config_slo){
            .type = SLO_LATENCY, .objective_ppm = 999999, .threshold_us = 1, .window_us = 90};
    }
    set_up_agent();
    for (uint16_t i = 0; i < 40; i++) {
        result_init(&result, i, 0);
        result_fail(&result, REASON_CERT_NOT_YET_VALID, PHASE_PROCESSING, "%0*d", CAP_NOTE_BYTES,
                    1);
        memset(result.note, '<', CAP_NOTE_BYTES - 1);
        for (unsigned j = 0; j < TRAIL_RUNS; j++) {
            run(i, &result);
        }
    }
    (void)render();
}

static void a_trail_keeps_the_last_runs_in_their_order(void **state)
{
    struct trail trail = {.count = 0};
    (void)state;
    for (unsigned i = 0; i < 3 * TRAIL_RUNS + 7; i++) {
        trail_add(&trail, i % 5 == 0 ? OUTCOME_FAILURE : OUTCOME_SUCCESS, i);
        assert_int_equal(trail.count, i < TRAIL_RUNS ? i + 1 : TRAIL_RUNS);
        for (unsigned j = 0; j < trail.count; j++) {
            unsigned expected = i + 1 - trail.count + j;
            assert_int_equal(trail_run(&trail, j).duration_us, expected);
            assert_int_equal(trail_run(&trail, j).outcome,
                             expected % 5 == 0 ? OUTCOME_FAILURE : OUTCOME_SUCCESS);
        }
    }
    trail_add(&trail, OUTCOME_UNKNOWN, 2 * USEC_PER_HOUR);
    assert_int_equal(trail_run(&trail, TRAIL_RUNS - 1).duration_us, UINT32_MAX);
}

static void a_spark_line_draws_each_run_once(void **state)
{
    struct result result;
    (void)state;
    fixture_site(&config);
    set_up_agent();
    fixture_success(&result, 0);
    result.duration_us = 100;
    run(0, &result);
    result.duration_us = 50;
    run(0, &result);
    result.outcome = OUTCOME_FAILURE;
    run(0, &result);
    const char *page = render();
    assert_non_null(strstr(page, "last 3 runs: 2 success, 1 failure, 0 unknown; longest 0.1 ms"));
    assert_non_null(strstr(page, "<path class=\"success\" d=\"M112 20v-20M115 20v-10\"/>"
                                 "<path class=\"failure\" d=\"M118 20v-20\"/>"
                                 "<path class=\"unknown\" d=\"\"/>"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_page_tells_what_the_status_tells),
        cmocka_unit_test(no_objectives_no_table_of_them),
        cmocka_unit_test(nothing_configured_or_received_is_markup),
        cmocka_unit_test(the_longest_page_is_within_its_bound),
        cmocka_unit_test(a_trail_keeps_the_last_runs_in_their_order),
        cmocka_unit_test(a_spark_line_draws_each_run_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
