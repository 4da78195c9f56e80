/* Writes what the agent would push and tell, in several states of a made-up site, to files in the
 * folder argv[1]: NAME.txt (text format), NAME.pb (delimited protobuf), NAME.json (status).
 * tests/live/test_exposition.py hands them to the real promtool and Pushgateway. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent.h"
#include "expo_proto.h"
#include "expo_text.h"
#include "site_fixture.h"
#include "status.h"

static char memory[4 << 20];
static struct config config;
static struct agent agent;
static struct vitals vitals;

static struct wall_time fake_wall(void *context)
{
    (void)context;
    return (struct wall_time){.unix_us = 1790000000 * USEC_PER_SEC, .trusted = true};
}

static void write_file(const char *folder, const char *name, const char *ending,
                       const struct buffer *content)
{
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/%s.%s", folder, name, ending);
    FILE *file = fopen(path, "wb");
    if (buffer_overflowed(content) || file == NULL ||
        fwrite(content->bytes, 1, content->used, file) != content->used || fclose(file) != 0) {
        (void)fprintf(stderr, "cannot write %s\n", path);
        exit(1);
    }
}

static void dump(const char *folder, const char *name)
{
    struct agent_numbers numbers = fixture_numbers();
    struct metrics_view view = {.config = &config,
                                .slis = agent.store.ledger.totals.slis,
                                .last = agent.last,
                                .seen = agent.seen,
                                .agent = &numbers,
                                .epoch = 0xfeedface,
                                .only_probe = -1};
    struct expo_text text_encoder;
    struct expo_proto proto_encoder;
    struct buffer out;
    size_t size = metrics_body_bound(&config) < sizeof memory ? metrics_body_bound(&config) : 0;
    buffer_init(&out, memory, size);
    struct metric_visitor visitor = expo_text_visitor(&text_encoder, &out);
    metrics_walk(&view, &visitor);
    write_file(folder, name, "txt", &out);
    buffer_init(&out, memory, size);
    visitor = expo_proto_visitor(&proto_encoder, &out);
    metrics_walk(&view, &visitor);
    write_file(folder, name, "pb", &out);
    buffer_init(&out, memory, sizeof memory);
    status_render(&agent, 9000 * USEC_PER_SEC, STATUS_JSON, &out);
    write_file(folder, name, "json", &out);
}

static void set_up_agent(void)
{
    memset(&agent, 0, sizeof agent);
    agent.config = &config;
    agent.ports.clock = (struct clock){.wall = fake_wall};
    agent.ports.vitals = &vitals;
    agent.care.groups = config.probe_count;
    agent.care.before = (struct run_end){.task = VITAL_NONE};
    agent.push.last_duration_us = -1;
    agent.store.state = STORE_MEMORY;
    agent.store.trouble = STORE_OFF;
    agent.store.ledger.epoch = 0xfeedface;
    agent.store.ledger.totals.sli_count = config.target_count;
    for (unsigned i = 0; i < config.target_count; i++) {
        sli_init(&agent.store.ledger.totals.slis[i], config_target_probe(&config, i));
    }
}

/* Two targets as in the unit tests, with some history. */
static void set_up_normal(void)
{
    fixture_site(&config);
    set_up_agent();
    fixture_success(&agent.last[0], 0);
    fixture_exception(&agent.last[1], 1);
    for (unsigned i = 0; i < 1000; i++) {
        agent.last[0].duration_us = (usec_t)i * i * 15;
        fixture_count(&agent.store.ledger.totals.slis[0], &agent.last[0]);
        fixture_count(&agent.store.ledger.totals.slis[1], &agent.last[1]);
    }
    agent.seen[0] = agent.seen[1] = true;
}

/* Texts a certificate might hold if nobody had made them safe before. */
static void dump_hostile(const char *folder)
{
    static const char *const texts[] = {
        "\xff\xfe\x80 not UTF-8 \xc3",
        "\"} 1\nforged_total{x=\"y\"} 7\n# TYPE forged_total counter\n",
        "back\\slash \\n \\\" \\x41 \\\\",
        "overlong \xc0\xaf \xe0\x80\xaf, surrogate \xed\xa0\x80, beyond \xf4\x90\x80\x80",
        "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x94\xa5 \xe2\x80\xae\xef\xbb\xbf\xef\xbf\xbf",
        "\x01\x02\x1b[31m\x7f\r\t",
    };
    char name[32];
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        set_up_normal();
        fixture_certificate(&agent.last[0].tls, texts[i]);
        (void)snprintf(agent.last[1].values[2].text, CAP_VALUE_TEXT_BYTES, "%s", texts[i]);
        (void)snprintf(agent.last[1].note, CAP_NOTE_BYTES, "%s", texts[i]);
        (void)snprintf(name, sizeof name, "hostile-%zu", i);
        dump(folder, name);
    }
}

/* Everything there can be, as long as it can get. */
static void dump_worst(const char *folder, const char *name, int byte)
{
    char instance[CAP_INSTANCE_BYTES];
    fixture_begin(&config, "branch-0042");
    struct config_probe *probe = fixture_probe(&config, &fixture_everything, "everything");
    probe->slo_count = CAP_SLOS_PER_PROBE;
    for (unsigned i = 0; i < CAP_SLOS_PER_PROBE; i++) {
        probe->slos[i] = (struct config_slo){.type = SLO_LATENCY,
                                             .objective_ppm = 999999,
                                             .threshold_us = 7777777 + i / 2,
                                             .window_us = 30 * USEC_PER_DAY};
    }
    for (unsigned i = 0; i < 3; i++) {
        fixture_fill(instance, sizeof instance, 'a' + (int)i);
        fixture_target(&config, instance);
    }
    set_up_agent();
    for (unsigned i = 0; i < 3; i++) {
        fixture_worst_result(&agent.last[i], (uint16_t)i, byte);
        fixture_worst_sli(&agent.store.ledger.totals.slis[i], probe);
        agent.seen[i] = true;
    }
    dump(folder, name);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        (void)fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 2;
    }
    fixture_site(&config);
    set_up_agent();
    dump(argv[1], "fresh");
    set_up_normal();
    dump(argv[1], "normal");
    dump_hostile(argv[1]);
    dump_worst(argv[1], "worst-invalid", 0xff);
    dump_worst(argv[1], "worst-quotes", '"');
    dump_worst(argv[1], "worst-lines", '\n');
    return 0;
}
