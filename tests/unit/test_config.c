/* Guards against a configuration that is read otherwise than it was written: a comment that eats a
 * value, a default or an inherited value that is lost, a section that falls apart over two files,
 * and input that crashes or hangs the reader. Mistakes are in test_config_errors.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config_fixture.h"

static void config_takes_what_is_just_short_enough(void **state)
{
    static char text[5000] = "#";

    (void)state;
    memset(text + 1, 'x', 4092);
    strcpy(text + 4093, "\r\n" WEB);
    load_good(text);
    strcpy(text, "[web " NAME_63 "]\nurl = ");
    memset(text + strlen(text), '\0', 1);
    for (unsigned i = 0; i < CAP_INSTANCE_BYTES - 1; i++) {
        strcat(text, "x");
    }
    load_good(text);
    assert_int_equal(config_find_probe(&config, NAME_63), 0);
    assert_int_equal(strlen(config_instance(&config, 0)), CAP_INSTANCE_BYTES - 1);
}

static void config_takes_a_bom_and_any_line_end(void **state)
{
    static const char *const texts[] = {
        "\xef\xbb\xbf[web a]\nurl = x\n",
        "[web a]\r\nurl = x\r\n",
        "[web a]\nurl = x",
        "\n\n  [web a]  \n\t url\t=\tx \n",
        "[ web  a ] ; comment\nurl=x\n",
        "[web a]\n; comment\n# comment\n  # [push]\nurl = x ; comment\n",
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        load_good(texts[i]);
        assert_int_equal(config.probe_count, 1);
        assert_string_equal(config_instance(&config, 0), "x");
        assert_string_equal(config_probe_name(&config, &config.probes[0]), "a");
    }
}

static void config_finds_comments_only_where_they_are(void **state)
{
    static const struct {
        const char *line;
        unsigned key;
        const char *text;
    } rows[] = {
        {"header = X: a;b", WEB_HEADER, "X: a;b"},
        {"header = X: a ;b", WEB_HEADER, "X: a"},
        {"header = X: a\t; b", WEB_HEADER, "X: a"},
        {"header = X: a # b", WEB_HEADER, "X: a # b"},
        {"header = \"X: a ; b\" ; c", WEB_HEADER, "X: a ; b"},
        {"header = \"X: \\\" ; b\"", WEB_HEADER, "X: \" ; b"},
        {"header = X: \"a ; b\" c ; d", WEB_HEADER, "X: \"a ; b\" c"},
        {"header = X: it\"s ; b", WEB_HEADER, "X: it\"s"},
        {"header = /etc/x ; a/b", WEB_HEADER, "/etc/x"},
        {"header = X: /a ; b/ c", WEB_HEADER, "X: /a"},
        {"expect_body = /a ; b/ ; c/", WEB_EXPECT, "a ; b"},
        {"expect_body = /a\\/ ; b/i ; c", WEB_EXPECT, "a\\/ ; b"},
        {"expect_body = /\" ; \"/", WEB_EXPECT, "\" ; \""},
        {"expect_status = expect /a ; b/ ; c", WEB_STATUS, "expect /a ; b/"},
        {"expect_status = x=\"a ; b\" ; c", WEB_STATUS, "x=\"a ; b\""},
        {"expect_status = /open ; c", WEB_STATUS, "/open"},
        {"expect_status = a = b = c", WEB_STATUS, "a = b = c"},
        {"expect_status = a : b", WEB_STATUS, "a : b"},
        {"expect_status = [b] ;", WEB_STATUS, "[b]"},
    };
    char text[128];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        (void)snprintf(text, sizeof(text), WEB "%s\n", rows[i].line);
        load_good(text);
        assert_string_equal(config_text(&config, section_of("a"), rows[i].key, NULL), rows[i].text);
    }
}

static void config_keeps_semicolons_of_urls(void **state)
{
    (void)state;
    load_good("[web a]\nurl = https://h/p;v=1?a;b#c ; the rest\nurl = http://h/a@b:c\n"
              "url = [::1]:80\nurl = https://h:80/a@b\n");
    assert_string_equal(config_instance(&config, 0), "https://h/p;v=1?a;b#c");
    assert_string_equal(config_instance(&config, 1), "http://h/a@b:c");
    assert_string_equal(config_instance(&config, 2), "[::1]:80");
}

/* All there is, once: what the accessors say about it is checked key by key. */
static const char everything[] = "# a site with everything\n"
                                 "[agent]\n"
                                 "site        = branch-0042\n"
                                 "label       = region=emea          ; repeatable\n"
                                 "label       = owner=\"Ops \\\"B\\\" ; 24h\"\n"
                                 "include     = conf.d/*.conf\n"
                                 "store       = /var/lib/picket/store.pk\n"
                                 "store_size  = 2M\n"
                                 "commit      = 30s\n"
                                 "concurrency = 8\n"
                                 "socket      = none\n"
                                 "clock_trust = synced\n"
                                 "log_level   = debug\n"
                                 "\n"
                                 "[push]\n"
                                 "url = https://[2001:db8::1]:9091/prefix/\n"
                                 "interval = 15s\n"
                                 "timeout = 10s\n"
                                 "username = branch-0042\n"
                                 "password_file = /etc/picket/push.pw\n"
                                 "ca_file = /etc/picket/ca.pem ; also cert_file, key_file\n"
                                 "cert_file = /c.pem\n"
                                 "key_file = /k.pem\n"
                                 "verify = off\n"
                                 "\n"
                                 "[watchdog]\n"
                                 "device = /dev/watchdog\n"
                                 "timeout = 30s\n"
                                 "\n"
                                 "[defaults]\n"
                                 "interval = 20s\n"
                                 "timeout = 4s\n"
                                 "label = tier=gold\n"
                                 "slo = availability 99.9% 30d\n"
                                 "depends_on = uplink\n"
                                 "source = eth0\n"
                                 "\n"
                                 "[web portal]\n"
                                 "url = https://portal.example.net/login\n"
                                 "url = https://portal.example.net/\n"
                                 "method = POST\n"
                                 "header = \"X-Note: a ; b\"\n"
                                 "header = Accept: */*\n"
                                 "body = \"a\\0b\\r\\n\"\n"
                                 "expect_body = /Sign in ; now/i\n"
                                 "expect_body = /ok/\n"
                                 "max_body = 64K\n"
                                 "redirects = 0\n"
                                 "verify = off\n"
                                 "expect_status = 200-299, 401\n"
                                 "interval = 1m\n"
                                 "timeout = 60s\n"
                                 "attempts = 3\n"
                                 "label = region=apac\n"
                                 "label = page=login\n"
                                 "slo = latency 95% 800ms 30d\n"
                                 "slo = availability 99.95% 7d\n"
                                 "ip = prefer6\n"
                                 "source = 10.0.0.1\n"
                                 "\n"
                                 "[bus uplink]\n"
                                 "address = tcp://10.1.0.40:502\n"
                                 "file = /x\n"
                                 "unit = 247\n"
                                 "read = flow 100 scale=0.1\n"
                                 "read = power 200\n"
                                 "pause = 10ms\n"
                                 "enabled = off\n";

static void check_text(const struct config_section *section, unsigned key, const char *expected)
{
    const char *text = config_text(&config, section, key, NULL);

    if (expected == NULL) {
        assert_null(text);
    } else {
        assert_non_null(text);
        assert_string_equal(text, expected);
    }
}

static void check_number(const struct config_section *section, unsigned key, int64_t expected)
{
    assert_int_equal(config_number(&config, section, key), expected);
}

static void config_reads_the_agents_own_sections(void **state)
{
    (void)state;
    load_good(everything);
    assert_string_equal(config_site(&config), "branch-0042");
    assert_string_equal(config_store(&config), "/var/lib/picket/store.pk");
    check_number(&config.agent, AGENT_STORE_SIZE, 2 << 20);
    check_number(&config.agent, AGENT_COMMIT, 30 * USEC_PER_SEC);
    check_number(&config.agent, AGENT_CONCURRENCY, 8);
    check_text(&config.agent, AGENT_SOCKET, "none");
    check_number(&config.agent, AGENT_CLOCK_TRUST, 1);
    check_number(&config.agent, AGENT_LOG_LEVEL, 3);
    check_text(&config.push, PUSH_URL, "https://[2001:db8::1]:9091/prefix/");
    check_number(&config.push, PUSH_INTERVAL, 15 * USEC_PER_SEC);
    check_number(&config.push, PUSH_TIMEOUT, 10 * USEC_PER_SEC);
    check_text(&config.push, PUSH_USERNAME, "branch-0042");
    check_text(&config.push, PUSH_CA_FILE, "/etc/picket/ca.pem");
    check_text(&config.push, PUSH_BEARER_FILE, NULL);
    check_number(&config.push, PUSH_VERIFY, 0);
    check_text(&config.watchdog, WATCHDOG_DEVICE, "/dev/watchdog");
    check_number(&config.watchdog, WATCHDOG_TIMEOUT, 30 * USEC_PER_SEC);
}

static void config_has_a_default_for_what_is_not_said(void **state)
{
    (void)state;
    load_good(WEB);
    assert_string_equal(config_site(&config), "local");
    assert_null(config_store(&config));
    check_number(&config.agent, AGENT_STORE_SIZE, 1 << 20);
    check_number(&config.agent, AGENT_COMMIT, USEC_PER_MINUTE);
    check_number(&config.agent, AGENT_CONCURRENCY, 16);
    check_number(&config.agent, AGENT_CLOCK_TRUST, 0);
    check_number(&config.agent, AGENT_LOG_LEVEL, 2);
    check_text(&config.push, PUSH_URL, NULL);
    check_number(&config.push, PUSH_INTERVAL, USEC_PER_MINUTE);
    check_number(&config.push, PUSH_TIMEOUT, 30 * USEC_PER_SEC);
    check_number(&config.push, PUSH_VERIFY, 1);
    check_text(&config.watchdog, WATCHDOG_DEVICE, "none");
    check_number(&config.watchdog, WATCHDOG_TIMEOUT, USEC_PER_MINUTE);
    assert_int_equal(probe_of("a")->interval_us, 30 * USEC_PER_SEC);
    assert_int_equal(probe_of("a")->timeout_us, 5 * USEC_PER_SEC);
    assert_int_equal(probe_of("a")->attempts, 1);
    assert_true(probe_of("a")->enabled);
    assert_int_equal(probe_of("a")->depends_on, CONFIG_NO_PROBE);
    assert_int_equal(probe_of("a")->label_count, 0);
    assert_int_equal(probe_of("a")->slo_count, 0);
    check_number(section_of("a"), PROBE_IP, IP_ANY);
    check_number(section_of("a"), WEB_REDIRECTS, 10);
    check_number(section_of("a"), WEB_METHOD, 0);
    check_number(section_of("a"), WEB_MAX_BODY, 0);
    check_text(section_of("a"), WEB_STATUS, "200-299");
    check_text(section_of("a"), WEB_BODY, NULL);
    check_text(section_of("a"), WEB_REDIRECTS, NULL);
}

static void config_reads_every_type_of_value(void **state)
{
    const struct config_section *web;
    const struct setting *setting;
    size_t length;

    (void)state;
    load_good(everything);
    web = section_of("portal");
    check_number(web, WEB_METHOD, 2);
    check_number(web, WEB_MAX_BODY, 65536);
    check_number(web, WEB_REDIRECTS, 0);
    check_number(web, WEB_VERIFY, 0);
    check_text(web, WEB_STATUS, "200-299, 401");
    assert_int_equal(config_count(&config, web, WEB_HEADER), 2);
    check_text(web, WEB_HEADER, "X-Note: a ; b");
    setting = config_setting(&config, web, WEB_HEADER, 1);
    assert_string_equal(config_setting_text(&config, setting), "Accept: */*");
    assert_null(config_setting(&config, web, WEB_HEADER, 2));
    assert_memory_equal(config_text(&config, web, WEB_BODY, &length), "a\0b\r\n", 6);
    assert_int_equal(length, 5);
    setting = config_setting(&config, web, WEB_EXPECT, 0);
    assert_string_equal(config_setting_text(&config, setting), "Sign in ; now");
    assert_int_equal(setting->number, PATTERN_CASELESS);
    assert_int_equal(config_setting(&config, web, WEB_EXPECT, 1)->number, 0);
    assert_int_equal(setting->length, strlen("Sign in ; now"));
    assert_int_equal(config_count(&config, web, WEB_OFFSET), 0);
    assert_string_equal(config_key(web, &config, WEB_OFFSET)->name, "offset");
    assert_string_equal(config_key(web, &config, PROBE_SLO)->name, "slo");
    assert_null(config_key(web, &config, PROBE_KEY_COUNT));
    assert_null(config_key(web, &config, WEB_OFFSET + 1));
}

static void config_probes_inherit_what_they_do_not_say(void **state)
{
    const struct config_probe *portal, *uplink;

    (void)state;
    load_good(everything);
    portal = probe_of("portal");
    uplink = probe_of("uplink");
    assert_int_equal(portal->interval_us, USEC_PER_MINUTE);
    assert_int_equal(portal->timeout_us, USEC_PER_MINUTE);
    assert_int_equal(portal->attempts, 3);
    assert_int_equal(uplink->interval_us, 20 * USEC_PER_SEC);
    assert_int_equal(uplink->timeout_us, 4 * USEC_PER_SEC);
    assert_int_equal(uplink->attempts, 1);
    assert_true(portal->enabled);
    assert_false(uplink->enabled);
    check_text(&portal->section, PROBE_SOURCE, "10.0.0.1");
    check_text(&uplink->section, PROBE_SOURCE, "eth0");
    check_number(&portal->section, PROBE_IP, IP_PREFER6);
    assert_int_equal(portal->slo_count, 2);
    assert_int_equal(portal->slos[0].type, SLO_LATENCY);
    assert_int_equal(portal->slos[0].objective_ppm, 950000);
    assert_int_equal(portal->slos[0].threshold_us, 800 * USEC_PER_MSEC);
    assert_int_equal(portal->slos[0].window_us, 30 * USEC_PER_DAY);
    assert_int_equal(portal->slos[1].objective_ppm, 999500);
    assert_int_equal(uplink->slo_count, 1);
    assert_int_equal(uplink->slos[0].type, SLO_AVAILABILITY);
    assert_int_equal(uplink->slos[0].objective_ppm, 999000);
}

static void config_lets_all_depend_on_one_that_depends_on_none(void **state)
{
    (void)state;
    load_good(everything);
    assert_int_equal(probe_of("portal")->depends_on, config_find_probe(&config, "uplink"));
    assert_int_equal(probe_of("uplink")->depends_on, CONFIG_NO_PROBE);
    load_good(WEB "depends_on = b\n[web b]\nurl = x\ndepends_on = c\n[web c]\nurl = x\n");
    assert_int_equal(probe_of("a")->depends_on, 1);
    assert_int_equal(probe_of("b")->depends_on, 2);
    assert_int_equal(probe_of("c")->depends_on, CONFIG_NO_PROBE);
}

static const char *label_of(const struct config_label *labels, unsigned count, const char *name)
{
    for (unsigned i = 0; i < count; i++) {
        if (strcmp(config.text + labels[i].name, name) == 0) {
            return config.text + labels[i].value;
        }
    }
    return "(none)";
}

static void config_lets_the_nearer_label_win(void **state)
{
    const struct config_probe *portal, *uplink;

    (void)state;
    load_good(everything);
    portal = probe_of("portal");
    uplink = probe_of("uplink");
    assert_int_equal(config.label_count, 2);
    assert_string_equal(label_of(config.labels, 2, "region"), "emea");
    assert_string_equal(label_of(config.labels, 2, "owner"), "Ops \"B\" ; 24h");
    assert_int_equal(portal->label_count, 4);
    assert_string_equal(label_of(portal->labels, 4, "region"), "apac");
    assert_string_equal(label_of(portal->labels, 4, "owner"), "Ops \"B\" ; 24h");
    assert_string_equal(label_of(portal->labels, 4, "tier"), "gold");
    assert_string_equal(label_of(portal->labels, 4, "page"), "login");
    assert_int_equal(uplink->label_count, 3);
    assert_string_equal(label_of(uplink->labels, 3, "region"), "emea");
}

static void config_groups_targets_by_probe_in_the_order_of_the_file(void **state)
{
    static const struct {
        const char *probe, *instance;
        unsigned key;
    } rows[] = {
        {"portal", "https://portal.example.net/login", WEB_URL},
        {"portal", "https://portal.example.net/", WEB_URL},
        {"uplink", "tcp://10.1.0.40:502", BUS_ADDRESS},
        {"uplink", "/x", BUS_FILE},
    };
    (void)state;
    load_good(everything);
    assert_int_equal(config.target_count, ARRAY_LEN(rows));
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        const struct config_probe *probe = config_target_probe(&config, i);

        assert_string_equal(config_probe_name(&config, probe), rows[i].probe);
        assert_string_equal(config_instance(&config, i), rows[i].instance);
        assert_int_equal(config.targets[i].key, rows[i].key);
        assert_in_range(i, probe->first_target, probe->first_target + probe->target_count - 1);
    }
}

static void config_hands_out_includes_with_their_place(void **state)
{
    const char *from;
    unsigned line;

    (void)state;
    begin();
    add_string("site.conf", "[agent]\ninclude = a\ninclude = b\n[web x]\nurl = x\n");
    assert_string_equal(config_next_include(&loader, &from, &line), "a");
    assert_string_equal(from, "site.conf");
    assert_int_equal(line, 2);
    add_string("a", "[agent]\ninclude = c\n");
    assert_string_equal(config_next_include(&loader, &from, &line), "b");
    assert_int_equal(line, 3);
    add_string("b", "[web y]\nurl = y\n");
    assert_string_equal(config_next_include(&loader, &from, &line), "c");
    assert_string_equal(from, "a");
    assert_int_equal(line, 2);
    assert_null(config_next_include(&loader, &from, &line));
    assert_true(config_finish(&loader));
    assert_int_equal(config.probe_count, 2);
}

static void config_continues_a_section_in_another_file(void **state)
{
    static const char first[] = "[agent]\n[push]\nurl = http://h\n[web a]\nurl = x\nip = 4\n";
    static const char second[] = "[web b]\nurl = y\n[agent]\nsite = s\nlabel = a=b\n[defaults]\n"
                                 "timeout = 2s\n[push]\ninterval = 5s\n";

    (void)state;
    begin();
    add_string("site.conf", first);
    add_string("more.conf", second);
    if (!config_finish(&loader)) {
        fail_msg("%s", reported);
    }
    assert_string_equal(config_site(&config), "s");
    assert_int_equal(config.label_count, 1);
    check_text(&config.push, PUSH_URL, "http://h");
    check_number(&config.push, PUSH_INTERVAL, 5 * USEC_PER_SEC);
    assert_int_equal(probe_of("a")->timeout_us, 2 * USEC_PER_SEC);
    check_number(section_of("a"), PROBE_IP, IP_ONLY4);
    check_text(section_of("b"), WEB_URL, "y");
    check_text(section_of("a"), WEB_URL, "x");
}

static void config_gives_named_values_through_the_kind(void **state)
{
    const struct config_section *bus;
    char name[16];

    (void)state;
    load_good(everything);
    bus = section_of("uplink");
    assert_true(bus->kind->value_name(&config, bus, 1, name, sizeof(name)));
    assert_string_equal(name, "power");
    assert_false(bus->kind->value_name(&config, bus, 2, name, sizeof(name)));
}

/* Whatever is cut off, reading ends, and what is good says so about every field. */
static void config_takes_every_prefix(void **state)
{
    (void)state;
    for (size_t size = 0; size < sizeof(everything); size++) {
        bool good = load_bytes(everything, size);

        assert_int_equal(good, errors.count == 0);
        assert_int_equal(good, reported[0] == '\0');
        assert_true(config.text_used <= CAP_TEXT_BYTES);
    }
    assert_false(load_bytes(everything, sizeof(everything))); /* its NUL */
}

/* Likewise for one byte that is another. */
static void config_takes_every_changed_byte(void **state)
{
    static const char bytes[] = "\0\n\"/;=[]\\ x\xff";
    static char text[sizeof(everything)];

    (void)state;
    for (size_t i = 0; i < sizeof(everything) - 1; i++) {
        bool good;

        memcpy(text, everything, sizeof(everything));
        text[i] = bytes[i % (sizeof(bytes) - 1)];
        good = load_bytes(text, sizeof(everything) - 1);
        assert_int_equal(good, errors.count == 0);
    }
}

/* What a group needs is counted behind a probe's own SLOs, once for all who need the same. */
static void config_has_groups_counted_beside_the_probes_own_slos(void **state)
{
    static const char text[] = "[slo first]\nprobe = b\nslo = availability 99% 7d\n"
                               "slo = latency 95% 800ms 30d\n"
                               "[web a]\nurl = x\n"
                               "[web b]\nurl = y\nurl = z\nslo = availability 99.9% 7d\n"
                               "[slo second]\nprobe = a\nprobe = b\nslo = latency 90% 800ms 30d\n";
    (void)state;
    load_good(text);
    const struct config_probe *a = probe_of("a"), *b = probe_of("b");
    assert_int_equal(a->slo_count, 0);
    assert_int_equal(config_counted_slos(a), 1);
    assert_int_equal(a->slos[0].type, SLO_LATENCY);
    assert_int_equal(b->slo_count, 1);
    assert_int_equal(b->slos[0].objective_ppm, 999000);
    assert_int_equal(config_counted_slos(b), 2);
    assert_int_equal(b->slos[1].threshold_us, 800 * USEC_PER_MSEC);
    assert_int_equal(config.group_count, 2);
    assert_string_equal(config_group_name(&config, &config.groups[0]), "first");
    assert_int_equal(config.groups[0].slo_count, 2);
    assert_int_equal(config.groups[0].slos[0].objective_ppm, 990000);
    for (unsigned i = 0; i < config.target_count; i++) {
        bool is_b = config_target_probe(&config, i) == b;
        assert_int_equal(config_group_has(&config, &config.groups[0], i), is_b);
        assert_true(config_group_has(&config, &config.groups[1], i));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(config_has_groups_counted_beside_the_probes_own_slos),
        cmocka_unit_test(config_takes_what_is_just_short_enough),
        cmocka_unit_test(config_takes_a_bom_and_any_line_end),
        cmocka_unit_test(config_finds_comments_only_where_they_are),
        cmocka_unit_test(config_keeps_semicolons_of_urls),
        cmocka_unit_test(config_reads_the_agents_own_sections),
        cmocka_unit_test(config_has_a_default_for_what_is_not_said),
        cmocka_unit_test(config_reads_every_type_of_value),
        cmocka_unit_test(config_probes_inherit_what_they_do_not_say),
        cmocka_unit_test(config_lets_all_depend_on_one_that_depends_on_none),
        cmocka_unit_test(config_lets_the_nearer_label_win),
        cmocka_unit_test(config_groups_targets_by_probe_in_the_order_of_the_file),
        cmocka_unit_test(config_hands_out_includes_with_their_place),
        cmocka_unit_test(config_continues_a_section_in_another_file),
        cmocka_unit_test(config_gives_named_values_through_the_kind),
        cmocka_unit_test(config_takes_every_prefix),
        cmocka_unit_test(config_takes_every_changed_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
