/* Guards against configuration text that crashes, hangs or overruns the loader, and against a
 * configuration that is approved and yet breaks what its readers rely on.
 *
 * A libFuzzer entry. The text is cut at each 0xFE byte, which no UTF-8 has, into the main file and
 * the files it includes. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "fake_kind.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static struct config config;

static void must(bool holds)
{
    if (!holds) {
        abort();
    }
}

/* A message is one line of text, whatever it quotes. */
static void judge_message(void *context, const char *file, unsigned line, const char *message)
{
    (void)context, (void)file, (void)line;
    must(message[0] != '\0' && strlen(message) < CONFIG_MESSAGE_BYTES);
    for (const char *at = message; *at != '\0'; at++) {
        must((unsigned char)*at >= 0x20 && *at != 0x7f);
    }
}

static void add_files(struct config_loader *loader, const char *text, size_t size)
{
    char name[16];

    for (unsigned i = 0;; i++) {
        const char *end = memchr(text, 0xfe, size);
        size_t length = end != NULL ? (size_t)(end - text) : size;

        (void)snprintf(name, sizeof(name), "file%u", i);
        config_add_text(loader, name, text, length);
        if (end == NULL) {
            break;
        }
        text += length + 1;
        size -= length + 1;
    }
}

static void take_includes(struct config_loader *loader)
{
    const char *pattern, *from;
    unsigned line;

    while ((pattern = config_next_include(loader, &from, &line)) != NULL) {
        must(*pattern != '\0' && *from != '\0' && line > 0);
    }
}

static void ask_section(const struct config_section *section, unsigned keys)
{
    size_t length;

    for (unsigned key = 0; key < keys; key++) {
        const char *text = config_text(&config, section, key, &length);

        must(text == NULL || text[length] == '\0');
        (void)config_number(&config, section, key);
        must(config_key(section, &config, key) != NULL || config_count(&config, section, key) == 0);
    }
}

static void judge_probe(const struct config_probe *probe)
{
    char name[CAP_NAME_BYTES];

    must(strlen(config_probe_name(&config, probe)) < sizeof(name));
    must(probe->timeout_us > 0 && probe->timeout_us <= probe->interval_us);
    must(probe->attempts >= 1 && probe->target_count >= 1);
    must(probe->first_target + probe->target_count <= config.target_count);
    must(probe->depends_on == CONFIG_NO_PROBE || probe->depends_on < config.probe_count);
    must(config_counted_slos(probe) <= CAP_SLOS_PER_PROBE);
    for (unsigned i = 0; i < config_counted_slos(probe); i++) {
        must(probe->slos[i].threshold_us <= probe->timeout_us);
    }
    ask_section(&probe->section, KIND_KEY_FIRST + probe->section.kind->key_count);
    for (unsigned i = 0;
         probe->section.kind->value_name != NULL &&
         probe->section.kind->value_name(&config, &probe->section, i, name, sizeof(name));
         i++) {
        must(strlen(name) < sizeof(name));
    }
}

static void judge_group(const struct config_group *group)
{
    unsigned members = 0;

    must(group->slo_count >= 1 && group->slo_count <= CAP_SLOS_PER_PROBE);
    for (unsigned i = 0; i < config.target_count; i++) {
        members += config_group_has(&config, group, i) ? 1 : 0;
    }
    must(members >= 1);
    ask_section(&group->section, GROUP_KEY_COUNT);
}

static void judge_config(void)
{
    must(*config_site(&config) != '\0' && strchr(config_site(&config), '/') == NULL);
    ask_section(&config.agent, AGENT_KEY_COUNT);
    ask_section(&config.push, PUSH_KEY_COUNT);
    ask_section(&config.watchdog, WATCHDOG_KEY_COUNT);
    ask_section(&config.defaults, PROBE_KEY_COUNT);
    for (unsigned i = 0; i < config.setting_count; i++) {
        must(config.settings[i].key < KIND_KEY_FIRST + ARRAY_LEN(fake_web_keys));
    }
    for (unsigned i = 0; i < config.probe_count; i++) {
        must(config_find_probe(&config, config_probe_name(&config, &config.probes[i])) == i);
        judge_probe(&config.probes[i]);
    }
    for (unsigned i = 0; i < config.group_count; i++) {
        judge_group(&config.groups[i]);
    }
    for (unsigned i = 0; i < config.target_count; i++) {
        size_t length = strlen(config_instance(&config, i));

        must(length > 0 && length < CAP_INSTANCE_BYTES);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct config_errors errors = {.report = judge_message};
    struct config_loader loader;
    bool good;

    config_begin(&loader, &config, fake_kinds, FAKE_KIND_COUNT, &errors);
    add_files(&loader, (const char *)bytes, size);
    take_includes(&loader);
    good = config_finish(&loader);
    must(good == (errors.count == 0));
    must(config.text_used <= CAP_TEXT_BYTES && config.setting_count <= CAP_SETTINGS);
    if (good) {
        judge_config();
    }
    return 0;
}
