/* Guards against a status page that misleads or cannot be read: a column that slips, a state that
 * only colour tells, JSON that a program refuses, a rate that looks better than it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "site_fixture.h"
#include "status.h"
#include "version.h"

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

static const char *render(enum status_format format)
{
    struct buffer out;
    buffer_init(&out, memory, sizeof memory);
    status_render(&agent, now_us, format, &out);
    assert_false(buffer_overflowed(&out));
    return buffer_text(&out);
}

static void set_up_agent(void)
{
    memset(&agent, 0, sizeof agent);
    clock_is_trusted = true;
    agent.config = &config;
    agent.ports.clock = (struct clock){.wall = fake_wall};
    memset(&vitals, 0, sizeof vitals);
    agent.ports.vitals = &vitals;
    agent.care.groups = config.probe_count;
    agent.care.before = (struct run_end){.task = VITAL_NONE};
    agent.started_us = now_us - 11520 * USEC_PER_SEC;
    agent.push.state = PUSH_OFF;
    agent.push.last_duration_us = -1;
    agent.store.state = STORE_MEMORY;
    agent.store.trouble = STORE_OFF;
    agent.store.numbers.commit_duration_us = -1;
    agent.store.numbers.uncommitted_since_us = USEC_NEVER;
    agent.store.retry_us = USEC_NEVER;
    ledger_init(&agent.store.ledger, 0x123456780badcafe);
    (void)ledger_bind(&agent.store.ledger, &config);
}

static void count(unsigned target, const struct result *result, unsigned times)
{
    struct ledger *ledger = &agent.store.ledger;
    for (unsigned i = 0; i < times; i++) {
        struct record record = record_of_result(ledger->entries[target].id, result);
        ledger_apply(ledger, &record);
    }
}

/* 1 MiB on a device, two results not on it yet. */
static void set_up_store(void)
{
    struct store *store = &agent.store;
    agent.ports.store.block_count = 256;
    store->state = STORE_DURABLE;
    store->trouble = STORE_FINE;
    store->ledger.totals.results = 1247;
    store->published.results = 1245;
    store->numbers = (struct store_numbers){.dropped_wrap = 7,
                                            .dropped_memory = 8,
                                            .dropped_damaged = 9,
                                            .blocks_written = 10,
                                            .log_results = 1240,
                                            .slots = 240,
                                            .slots_live = 150,
                                            .committed_us = now_us - 12 * USEC_PER_SEC,
                                            .commit_duration_us = 3100,
                                            .uncommitted_since_us = now_us - 1500000};
}

/* It hung once, in the boiler, and was stopped four times. */
static void set_up_recovery(void)
{
    struct ledger *ledger = &agent.store.ledger;
    agent.care.before = (struct run_end){.cause = CAUSE_HANG,
                                         .signal = 9,
                                         .task = VITAL_RUNS,
                                         .target = ledger->entries[1].id,
                                         .ran_us = 90 * USEC_PER_SEC};
    ledger->totals.counters[LEDGER_RESTART_FIRST + CAUSE_HANG] = 1;
    ledger->totals.counters[LEDGER_RESTART_FIRST + CAUSE_STOP] = 4;
    struct run_end noted = agent.care.before;
    noted.unix_ms = 1795748400500;
    ledger_add_end(ledger, &noted);
    atomic_store(&vitals.mandate.armed, 1);
    atomic_store(&vitals.mandate.granted_ms, 60000);
}

/* The portal is well and once was not, the boiler is failing, a third waits, a fourth is off. */
static void set_up_site(void)
{
    fixture_site(&config);
    fixture_probe(&config, &fixture_web, "new");
    fixture_target(&config, "http://new.example.net");
    fixture_probe(&config, &fixture_web, "old")->enabled = false;
    fixture_target(&config, "http://old.example.net");
    set_up_agent();
    struct target_state *portal = &agent.states[0];
    fixture_success(&agent.last[0], 0);
    count(0, &agent.last[0], 1234);
    result_init(&agent.incoming, 0, 0);
    result_fail(&agent.incoming, REASON_TIMEOUT, PHASE_CONNECT, "no answer");
    count(0, &agent.incoming, 2);
    portal->changed_us = now_us - 300 * USEC_PER_SEC;
    portal->last_failure_outcome = OUTCOME_FAILURE;
    portal->last_failure_reason = REASON_TIMEOUT;
    portal->last_failure_phase = PHASE_CONNECT;
    portal->last_failure_us = now_us - 330 * USEC_PER_SEC;
    (void)snprintf(portal->last_failure_note, CAP_NOTE_BYTES, "no answer");
    fixture_exception(&agent.last[1], 1);
    count(1, &agent.last[1], 7);
    agent.store.ledger.totals.slis[1].missed = 3;
    agent.states[1].changed_us = now_us - 59 * USEC_PER_SEC;
    agent.seen[0] = agent.seen[1] = true;
    set_up_store();
    set_up_recovery();
    agent.push.state = PUSH_IDLE;
    agent.push.due_us = now_us + 48 * USEC_PER_SEC;
    agent.store.ledger.totals.counters[LEDGER_PUSH_FIRST + UPSTREAM_ACCEPTED] = 5;
    agent.push.last_success_us = now_us - 12 * USEC_PER_SEC;
    agent.push.last_duration_us = 35000;
    agent.push.last_reply = (struct upstream_reply){.class = UPSTREAM_ACCEPTED, .http_status = 200};
}

static void status_page_of_a_site_is_exactly_this(void **state)
{
    (void)state;
    char expected[4096];
    set_up_site();
    (void)snprintf(expected, sizeof expected,
                   "site     branch-0042, picket %s (%s), up 3h12m, clock trusted\n"
                   "push     accepted 12s ago (HTTP 200, 35.0 ms), next in 48s\n"
                   "store    durable, 1.0 MiB, 62%% used, 1240 results and 2 not yet written, last "
                   "commit 12s ago (3.1 ms), epoch 0badcafe\n"
                   "recovery the run before ended by hang of task runs, SIGKILL (probe boiler), 5 "
                   "restarts, watchdog fed (1m00s)\n"
                   "targets  4: 1 ok, 1 FAIL, 1 waiting, 1 off\n"
                   "\n"
                   "PROBE   KIND  INSTANCE                  STATE    SINCE  LAST(ms)  SUCCESS%%  "
                   "RUNS  FAIL  UNKNOWN  MISSED  REASON\n"
                   "portal  web   https://po...e.net/login  ok       5m00s      45.2     99.83  "
                   "1236     2        0       0  (timeout 5m30s ago)\n"
                   "boiler  bus   tcp://10.1.0.40:502       FAIL       59s      12.0      0.00     "
                   "7     7        0       3  exception in request\n"
                   "    power_watts: illegal data address\n"
                   "new     web   http://new.example.net    waiting      -         -         -     "
                   "0     0        0       0\n"
                   "old     web   http://old.example.net    off          -         -         -     "
                   "0     0        0       0\n"
                   "\n"
                   "PROBE   INSTANCE                          SLO            WINDOW  OBJECTIVE     "
                   "RATIO  GOOD  BAD  BUDGET  BURN 1H  VERDICT\n"
                   "portal  https://portal.example.net/login  availability      30d      99.9%%  "
                   "99.8381%%  1234    2  -61.8%%      1.6  BELOW\n"
                   "portal  https://portal.example.net/login  latency_800ms     30d        95%%  "
                   "99.8381%%  1234    2   96.8%%        0  met\n",
                   picket_version, picket_commit);
    assert_string_equal(render(STATUS_TEXT), expected);
}

/* Behind those of probes; what its targets count for it is no SLO of theirs. */
static void status_shows_groups_behind_all_probes(void **state)
{
    static const struct config_slo slo = {
        .type = SLO_AVAILABILITY, .objective_ppm = 990000, .window_us = 30 * USEC_PER_DAY};
    static const char row[] =
        "-       branch-0042                       shop:availability     30d  "
        "      99%  99.2759%  1234    9   27.6%      0.7  met\n";
    static const char object[] =
        "{\"probe\":null,\"instance\":\"branch-0042\",\"slo\":\"shop:availability\","
        "\"objective_ratio\":0.99,\"window_seconds\":2592000,\"good\":1234,\"bad\":16,"
        "\"ratio\":0.9872,\"window_good\":1234,\"window_bad\":9,"
        "\"budget_remaining_ratio\":0.275";
    (void)state;
    set_up_site();
    fixture_group(&config, "shop", &slo, 2);
    (void)ledger_bind(&agent.store.ledger, &config);
    count(1, &agent.last[1], 7); /* as many before are in no window of it */
    const char *text = render(STATUS_TEXT);
    assert_string_equal(strstr(text, "-       branch-0042"), row);
    text = render(STATUS_JSON);
    assert_non_null(strstr(text, object));
    assert_string_equal(strstr(text, "}}]}\n"), "}}]}\n");
    assert_null(strstr(text, "{\"probe\":\"boiler\",\"instance\":\"tcp://10.1.0.40:502\",\"slo\""));
}

static void status_colour_adds_nothing_but_colour(void **state)
{
    (void)state;
    static char plain[8192], stripped[8192];
    set_up_site();
    (void)snprintf(plain, sizeof plain, "%s", render(STATUS_TEXT));
    const char *coloured = render(STATUS_TEXT_COLOUR);
    assert_non_null(strstr(coloured, "\033[1;31mFAIL\033[0m"));
    assert_non_null(strstr(coloured, "\033[32mok\033[0m"));
    size_t used = 0;
    for (const char *next = coloured; *next != '\0'; next++) {
        if (*next == '\033') {
            next = strchr(next, 'm');
        } else {
            stripped[used++] = *next;
        }
    }
    assert_string_equal(stripped, plain);
}

static void status_tells_how_pushing_goes(void **state)
{
    static const struct {
        struct push push;
        const char *text;
    } rows[] = {
        {{.state = PUSH_OFF, .last_duration_us = -1}, "push     off\n"},
        {{.state = PUSH_IDLE, .last_duration_us = -1, .due_us = 12090 * USEC_PER_SEC},
         "push     none yet, next in 1m30s\n"},
        {{.state = PUSH_IN_FLIGHT, .last_duration_us = -1}, "push     none yet, one in flight\n"},
        {{.state = PUSH_IDLE,
          .last_duration_us = 2100,
          .due_us = 12005 * USEC_PER_SEC,
          .failures_in_row = 3,
          .last_reply = {.class = UPSTREAM_UNREACHABLE, .note = "connect: refused\033"}},
         "push     unreachable (2.1 ms), 3 in a row, last accepted never, next in 5s\n"
         "         connect: refused?\n"},
        {{.state = PUSH_IDLE,
          .last_duration_us = 90000,
          .due_us = 11000 * USEC_PER_SEC,
          .failures_in_row = 1,
          .last_success_us = 11000 * USEC_PER_SEC,
          .last_reply = {.class = UPSTREAM_BUSY, .http_status = 503}},
         "push     busy (HTTP 503, 90.0 ms), 1 in a row, last accepted 16m40s ago, next in 0s\n"},
    };
    (void)state;
    fixture_site(&config);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        set_up_agent();
        agent.push = rows[i].push;
        const char *text = strchr(render(STATUS_TEXT), '\n') + 1;
        assert_memory_equal(text, rows[i].text, strlen(rows[i].text));
        assert_memory_equal(text + strlen(rows[i].text), "store", 5);
    }
}

/* An operator must see at a glance whether what is measured would survive a power cut. */
static void status_tells_how_the_store_is(void **state)
{
    static const struct {
        const char *name;
        enum store_state state;
        enum store_trouble trouble;
        bool configured, is_volatile;
        usec_t committed_us, retry_us;
        const char *note, *text;
        bool failing;
    } rows[] = {
        {"opening", STORE_OPENING, STORE_FINE, true, false, 0, USEC_NEVER, "",
         "store    opening, nothing is measured before its totals are known\n", false},
        {"none", STORE_MEMORY, STORE_OFF, false, false, 0, USEC_NEVER, "",
         "store    none, totals are in memory, epoch 0badcafe\n", false},
        {"new", STORE_DURABLE, STORE_FINE, true, false, 0, USEC_NEVER, "",
         "store    durable, 64 KiB, 0% used, 0 results, no commit yet, epoch 0badcafe\n", false},
        {"in memory of the system", STORE_DURABLE, STORE_FINE, true, true, 11000 * USEC_PER_SEC,
         USEC_NEVER, "",
         "store    VOLATILE (its file system is in memory), 64 KiB, 0% used, 0 results, last "
         "commit "
         "16m40s ago (3.1 ms), epoch 0badcafe\n",
         false},
        {"made right now", STORE_MEMORY, STORE_MAKING, true, false, 0, USEC_NEVER, "",
         "store    being made, totals are in memory meanwhile, epoch 0badcafe\n", false},
        {"full", STORE_MEMORY, STORE_NO_SPACE, true, false, 11000 * USEC_PER_SEC,
         12040 * USEC_PER_SEC, "pwrite: No space left on device\x1b",
         "store    MEMORY: no_space, tried again in 40s, last commit 16m40s ago (3.1 ms), epoch "
         "0badcafe\n"
         "         pwrite: No space left on device?\n",
         true},
        {"hung from the start", STORE_MEMORY, STORE_HUNG, true, false, 0, USEC_NEVER, "",
         "store    MEMORY: hung, not tried again by itself, no commit yet, epoch 0badcafe\n", true},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        fixture_site(&config);
        set_up_agent();
        struct store *store = &agent.store;
        agent.ports.store.block_count = rows[i].configured ? 16 : 0;
        store->state = rows[i].state;
        store->trouble = rows[i].trouble;
        store->retry_us = rows[i].retry_us;
        store->numbers.slots = 10;
        store->numbers.is_volatile = rows[i].is_volatile;
        store->numbers.committed_us = rows[i].committed_us;
        store->numbers.commit_duration_us = rows[i].committed_us > 0 ? 3100 : -1;
        (void)snprintf(store->numbers.note, sizeof store->numbers.note, "%s", rows[i].note);
        print_message("%s\n", rows[i].name);
        const char *text = strstr(render(STATUS_TEXT), "store ");
        assert_memory_equal(text, rows[i].text, strlen(rows[i].text));
        bool opened = rows[i].state != STORE_OPENING;
        const char *next = opened ? "recovery no run" : "targets";
        assert_memory_equal(text + strlen(rows[i].text), next, strlen(next));
        assert_int_equal(status_failing(&agent), rows[i].failing);
        const char *json = render(STATUS_JSON);
        assert_int_equal(strstr(json, "\"stopping\":false") != NULL, true);
        assert_int_equal(strstr(json, "\"trouble\":null") == NULL, rows[i].failing);
        assert_int_equal(strstr(json, "\"epoch\":null") != NULL, rows[i].state == STORE_OPENING);
    }
}

/* What the ledger holds before it is opened is not this site's. */
static void status_tells_no_totals_while_the_store_is_opening(void **state)
{
    (void)state;
    set_up_site();
    agent.state = AGENT_OPENING;
    agent.store.state = STORE_OPENING;
    const char *text = render(STATUS_JSON);
    assert_null(strstr(text, "\"success\":1234"));
    assert_null(strstr(text, "\"accepted\":5"));
    assert_non_null(strstr(text, "\"good\":0,\"bad\":0,"));
    assert_null(strstr(render(STATUS_TEXT), "1234"));
}

static void status_says_when_the_clock_is_not_trusted_and_when_it_stops(void **state)
{
    (void)state;
    fixture_site(&config);
    set_up_agent();
    clock_is_trusted = false;
    agent.state = AGENT_DRAINING;
    assert_non_null(strstr(render(STATUS_TEXT), ", clock NOT trusted, stopping\n"));
    assert_non_null(strstr(render(STATUS_JSON), ",\"stopping\":true,"));
    assert_non_null(strstr(render(STATUS_JSON), ",\"clock_trusted\":false,"));
}

static void status_rounds_rates_down(void **state)
{
    static const struct {
        unsigned good, bad;
        const char *text;
    } rows[] = {{0, 0, " - "},           {1, 0, " 100.00 "},    {0, 1, " 0.00 "},
                {2, 1, " 66.66 "},       {1, 2, " 33.33 "},     {999, 1, " 99.90 "},
                {9999999, 1, " 99.99 "}, {1, 9999999, " 0.00 "}};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        fixture_begin(&config, "s");
        fixture_probe(&config, &fixture_web, "p");
        fixture_target(&config, "i");
        set_up_agent();
        agent.store.ledger.totals.slis[0].results[OUTCOME_SUCCESS] = rows[i].good;
        agent.store.ledger.totals.slis[0].results[OUTCOME_FAILURE] = rows[i].bad;
        const char *line = strstr(render(STATUS_TEXT), "MISSED  REASON\np ");
        assert_non_null(line);
        assert_non_null(strstr(line, rows[i].text));
    }
}

static void status_failing_is_true_for_a_failure_of_an_enabled_target(void **state)
{
    static const struct {
        bool enabled, seen;
        enum outcome outcome;
        bool failing;
    } rows[] = {
        {true, true, OUTCOME_FAILURE, true},   {true, true, OUTCOME_SUCCESS, false},
        {true, true, OUTCOME_UNKNOWN, false},  {true, false, OUTCOME_FAILURE, false},
        {false, true, OUTCOME_FAILURE, false},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        fixture_site(&config);
        set_up_agent();
        config.probes[1].enabled = rows[i].enabled;
        agent.seen[1] = rows[i].seen;
        agent.last[1].outcome = rows[i].outcome;
        assert_int_equal(status_failing(&agent), rows[i].failing);
    }
}

/* The instance gives way until 24 columns are left of it, so that the page stays near 120. */
static void status_cuts_long_instances_in_the_middle(void **state)
{
    char instance[CAP_INSTANCE_BYTES];
    (void)state;
    fixture_begin(&config, "branch-0042");
    (void)snprintf(instance, sizeof instance, "https://begin.example.net/%0300d/the-end", 0);
    fixture_probe(&config, &fixture_web, "portal");
    fixture_target(&config, instance);
    fixture_fill(instance, sizeof instance, '\001');
    fixture_target(&config, instance);
    set_up_agent();
    for (unsigned i = 0; i < 2; i++) {
        result_init(&agent.last[i], (uint16_t)i, 0);
        result_fail(&agent.last[i], REASON_STATUS, PHASE_PROCESSING, "%0180d", 7);
        agent.seen[i] = true;
    }
    const char *text = render(STATUS_TEXT);
    assert_non_null(strstr(text, "https://be..."));
    assert_non_null(strstr(text, "0/the-end  FAIL"));
    assert_non_null(strstr(text, "\\x01\\x0"));
    for (const char *line = text; *line != '\0'; line = strchr(line, '\n') + 1) {
        assert_in_range(strcspn(line, "\n"), 0, 124);
        for (size_t i = 0; i < strcspn(line, "\n"); i++) {
            assert_in_range(line[i], 0x20, 0x7e);
        }
    }
}

static void status_json_escapes_what_a_target_sent(void **state)
{
    (void)state;
    set_up_site();
    fixture_certificate(&agent.last[0].tls, "\"\\\n\x01\xff");
    result_fact_set(&agent.last[0], FACT_HTTP_SSL, DBL_MAX * 10);
    const char *text = render(STATUS_JSON);
    assert_non_null(strstr(text, "\"subject\":\"\\\"\\\\\\n\\u0001\xef\xbf\xbd\","));
    assert_non_null(strstr(text, "\"probe_http_ssl\":null}"));
}

static void status_fits_any_buffer(void **state)
{
    (void)state;
    set_up_site();
    for (int format = STATUS_TEXT; format <= STATUS_JSON; format++) {
        size_t full = strlen(render((enum status_format)format));
        for (size_t size = 0; size <= full; size++) {
            struct buffer out;
            memset(memory + size, '#', 64);
            buffer_init(&out, memory, size);
            status_render(&agent, now_us, (enum status_format)format, &out);
            assert_int_equal(out.used, full);
            assert_int_equal(buffer_overflowed(&out), size < full);
            for (size_t i = 0; i < 64; i++) {
                assert_int_equal(memory[size + i], '#');
            }
        }
    }
}

static void status_json_of_a_site_is_exactly_this(void **state)
{
    (void)state;
    static const char *const parts[] = {
        ",\"uptime_seconds\":11520,\"clock_trusted\":true,\"stopping\":false,",
        "\"runs_in_flight\":0,\n",
        "\"push\":{\"state\":\"idle\",\"last_result\":\"accepted\",\"http_status\":200,\"note\":"
        "null,",
        "\"last_duration_seconds\":0.035,\"last_success_seconds_ago\":12,",
        "\"next_in_seconds\":48,\"failures_in_row\":0,\"attempts\":{\"accepted\":5,\"rejected\":0,",
        "\"busy\":0,\"redirected\":0,\"unreachable\":0,\"timeout\":0}},\n",
        "\"store\":{\"state\":\"durable\",\"configured\":true,\"trouble\":null,\"note\":null,",
        "\"epoch\":\"0badcafe\",\"volatile\":false,\"retry_in_seconds\":null,",
        "\"size_bytes\":1048576,\"used_ratio\":0.625,\"results\":1240,\"uncommitted_results\":2,",
        "\"uncommitted_seconds\":1.5,\"last_commit_seconds_ago\":12,",
        "\"last_commit_duration_seconds\":0.0031,\"written_bytes\":40960,",
        "\"dropped_results\":{\"wrap\":7,\"memory\":8,\"damaged\":9}},\n",
        "\"recovery\":{\"phase\":\"normal\",\"barred_targets\":0,\"last_known_good\":false,",
        "\"rolled_back_for\":null,",
        "\"before\":{\"cause\":\"hang\",\"signal\":\"SIGKILL\",\"task\":\"runs\",",
        "\"probe\":\"boiler\",\"exit_code\":0,\"ran_seconds\":90,\"time\":null},",
        "\"last_ends\":[{\"cause\":\"hang\",\"signal\":\"SIGKILL\",\"task\":\"runs\",",
        "\"probe\":\"boiler\",\"exit_code\":0,\"ran_seconds\":90,",
        "\"time\":\"2026-11-27T03:00:00.500Z\"}],",
        "\"restarts\":{\"stop\":4,\"reload\":0,\"crash\":0,\"hang\":1,\"memory\":0,",
        "\"descriptors\":0,\"supervisor\":0,\"watchdog\":0,\"power\":0,\"unknown\":0},",
        "\"rollbacks\":{\"start\":0,\"silence\":0,\"crashes\":0},",
        "\"actions\":{\"probe_slowed\":0,\"push_restarted\":0,\"worker_replaced\":0},",
        "\"site_actions\":{\"started\":0,\"failed\":0,\"dry_run\":0},",
        "\"watchdog\":{\"armed\":true,\"timeout_seconds\":60,\"resets_left\":null}},\n",
        "\"targets\":[\n",
        "{\"probe\":\"portal\",\"kind\":\"web\",\"instance\":\"https://portal.example.net/login\",",
        "\"enabled\":true,\"held_back\":false,\"in_maintenance\":false,\"outcome\":\"success\","
        "\"reason\":null,\"phase\":"
        "null,",
        "\"note\":null,\"since_seconds\":300,\"duration_seconds\":0.0452,",
        "\"phases\":{\"resolve\":0.0015,\"connect\":0.02,\"tls\":0},",
        "\"facts\":{\"probe_ip_protocol\":4,\"probe_ip_addr_hash\":3668918509,",
        "\"probe_http_status_code\":200},\"values\":[],\"tls\":{\"certificate\":true,",
        "\"version\":\"TLS 1.3\",\"cipher\":\"TLS_AES_256_GCM_SHA384\",",
        "\"subject\":\"CN=portal.example.net\",\"issuer\":\"CN=portal.example.net\",",
        "\"subject_alternative\":\"CN=portal.example.net\",\"serial\":\"0a1b\",",
        "\"fingerprint_sha256\":\"00ff\",\"leaf_not_before\":1700000000,",
        "\"leaf_not_after\":1900000000,\"sent_not_after\":1800000000,",
        "\"verified_not_after\":1850000000},\"results\":{\"success\":1234,\"failure\":2,",
        "\"unknown\":0},\"missed\":0,\"maintenance\":0,\"last_failure\":{\"outcome\":\"failure\","
        "\"reason\":"
        "\"timeout\",",
        "\"phase\":\"connect\",\"note\":\"no answer\",\"seconds_ago\":330}},\n",
        "{\"probe\":\"boiler\",\"kind\":\"bus\",\"instance\":\"tcp://"
        "10.1.0.40:502\",\"enabled\":true,",
        "\"held_back\":false,\"in_maintenance\":false,\"outcome\":\"failure\",\"reason\":"
        "\"exception\",\"phase\":"
        "\"request\",",
        "\"note\":\"power_watts: illegal data address\",\"since_seconds\":59,",
        "\"duration_seconds\":0.012,\"phases\":{\"connect\":0.002,\"request\":0.01},\"facts\":{},",
        "\"values\":[{\"name\":\"flow_celsius\",\"available\":true,\"value\":61.5},",
        "{\"name\":\"power_watts\",\"available\":false,\"value\":null},{\"name\":\"model\",",
        "\"available\":true,\"value\":\"WB-300\"}],\"tls\":null,\"results\":{\"success\":0,",
        "\"failure\":7,\"unknown\":0},\"missed\":3,\"maintenance\":0,\"last_failure\":null},\n",
        "{\"probe\":\"new\",\"kind\":\"web\",\"instance\":\"http://"
        "new.example.net\",\"enabled\":true,",
        "\"held_back\":false,\"in_maintenance\":false,\"outcome\":null,\"reason\":null,\"phase\":"
        "null,\"note\":null,",
        "\"since_seconds\":null,\"duration_seconds\":null,\"phases\":{},\"facts\":{},\"values\":[]"
        ",",
        "\"tls\":null,\"results\":{\"success\":0,\"failure\":0,\"unknown\":0},\"missed\":0,"
        "\"maintenance\":0,",
        "\"last_failure\":null},\n",
        "{\"probe\":\"old\",\"kind\":\"web\",\"instance\":\"http://"
        "old.example.net\",\"enabled\":false,",
        "\"held_back\":false,\"in_maintenance\":false,\"outcome\":null,\"reason\":null,\"phase\":"
        "null,\"note\":null,",
        "\"since_seconds\":null,\"duration_seconds\":null,\"phases\":{},\"facts\":{},\"values\":[]"
        ",",
        "\"tls\":null,\"results\":{\"success\":0,\"failure\":0,\"unknown\":0},\"missed\":0,"
        "\"maintenance\":0,",
        "\"last_failure\":null}],\n",
        "\"slos\":[\n",
        "{\"probe\":\"portal\",\"instance\":\"https://portal.example.net/login\",",
        "\"slo\":\"availability\",\"objective_ratio\":0.999,\"window_seconds\":2592000,",
        "\"good\":1234,\"bad\":2,\"ratio\":0.998381,"
        "\"window_good\":1234,\"window_bad\":2,\"budget_remaining_ratio\":-0.6181229773462784,"
        "\"burn_rates\":{\"5m\":1.6181229773462784,\"30m\":1.6181229773462784,\"1h\":1."
        "6181229773462784,\"2h\":1.6181229773462784,\"6h\":1.6181229773462784,\"1d\":1."
        "6181229773462784,\"3d\":1.6181229773462784}},\n",
        "{\"probe\":\"portal\",\"instance\":\"https://portal.example.net/login\",",
        "\"slo\":\"latency_800ms\",\"objective_ratio\":0.95,\"window_seconds\":2592000,",
        "\"good\":1234,\"bad\":2,\"ratio\":0.998381,"
        "\"window_good\":1234,\"window_bad\":2,\"budget_remaining_ratio\":0.9676375404530744,"
        "\"burn_rates\":{\"5m\":0.03236245954692557,\"30m\":0.03236245954692557,\"1h\":0."
        "03236245954692557,\"2h\":0.03236245954692557,\"6h\":0.03236245954692557,\"1d\":0."
        "03236245954692557,\"3d\":0.03236245954692557}}]}\n",
    };
    char head[256];
    set_up_site();
    const char *text = render(STATUS_JSON);
    (void)snprintf(head, sizeof head,
                   "{\"site\":\"branch-0042\",\"version\":\"%s\",\"commit\":\"%s\"", picket_version,
                   picket_commit);
    assert_memory_equal(text, head, strlen(head));
    text += strlen(head);
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        char got[2048];
        (void)snprintf(got, sizeof got, "%.*s", (int)strlen(parts[i]), text);
        assert_string_equal(got, parts[i]);
        text += strlen(parts[i]);
    }
    assert_string_equal(text, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(status_page_of_a_site_is_exactly_this),
        cmocka_unit_test(status_shows_groups_behind_all_probes),
        cmocka_unit_test(status_colour_adds_nothing_but_colour),
        cmocka_unit_test(status_tells_how_pushing_goes),
        cmocka_unit_test(status_tells_how_the_store_is),
        cmocka_unit_test(status_tells_no_totals_while_the_store_is_opening),
        cmocka_unit_test(status_says_when_the_clock_is_not_trusted_and_when_it_stops),
        cmocka_unit_test(status_rounds_rates_down),
        cmocka_unit_test(status_failing_is_true_for_a_failure_of_an_enabled_target),
        cmocka_unit_test(status_cuts_long_instances_in_the_middle),
        cmocka_unit_test(status_json_escapes_what_a_target_sent),
        cmocka_unit_test(status_fits_any_buffer),
        cmocka_unit_test(status_json_of_a_site_is_exactly_this),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
