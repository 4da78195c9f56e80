#include "sim_site.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"

static const struct config_key keys[] = {
    {.name = "url", .type = SETTING_TEXT, .flags = KEY_REPEATS | KEY_REQUIRED | KEY_TARGET},
};
static const struct probe_kind kind = {
    .name = "sim",
    .help = "a probe of the simulator",
    .keys = keys,
    .key_count = ARRAY_LEN(keys),
    .reasons = REASON_BIT(REASON_STATUS) | REASON_BIT(REASON_TIMEOUT),
    .phases = PHASE_BIT(PHASE_PROCESSING),
    .phases_help = "Duration of a simulated request by phase",
};

/* Writing. */

struct writer {
    char *text;
    size_t used;
};

static void PRINTF_LIKE(2, 3) put(struct writer *writer, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length =
        vsnprintf(writer->text + writer->used, SIM_TEXT_BYTES - writer->used, format, arguments);
    va_end(arguments);
    writer->used += length > 0 ? (size_t)length : 0;
    if (writer->used >= SIM_TEXT_BYTES) {
        writer->used = SIM_TEXT_BYTES - 1;
    }
}

static unsigned below(struct prng *prng, unsigned bound)
{
    return (unsigned)prng_below(prng, bound);
}

static unsigned pick(struct prng *prng, const unsigned *from, unsigned count)
{
    return from[below(prng, count)];
}
#define PICK(prng, ...)                                                                            \
    pick(prng, (const unsigned[]){__VA_ARGS__},                                                    \
         sizeof((const unsigned[]){__VA_ARGS__}) / sizeof(unsigned))

/* What a section needs to know of the others. */
struct shape {
    unsigned probes, push_s, owner; /* owner: 0 none, 1 device, 2 systemd */
    bool store, silent;
};

/* One draw a statement: in a list of arguments a compiler takes them in whatever order it likes. */
static void put_agent(struct writer *writer, struct prng *prng, const struct shape *shape)
{
    unsigned concurrency = PICK(prng, 2, 4, 8, 16), size_k = PICK(prng, 64, 64, 96, 128, 256);
    unsigned commit_s = PICK(prng, 1, 10, 30, 60, 60, 120, 300), timeout_s = PICK(prng, 5, 10, 30);
    put(writer, "[agent]\nsite = sim\nconcurrency = %u\n", concurrency);
    if (shape->store) {
        put(writer, "store = /sim/store.pk\nstore_size = %uK\ncommit = %us\nflash = disk\n", size_k,
            commit_s);
    }
    put(writer, "\n[push]\nurl = http://%s\ninterval = %us\ntimeout = %us\n\n",
        shape->silent ? "nowhere" : "receiver", shape->push_s, timeout_s);
}

/* What [watchdog] has to fit: the device must outlast a hang and its end, and the window must hold
 * the restarts of an agent that hangs. */
static void put_ladder(struct writer *writer, struct prng *prng, const struct shape *shape)
{
    unsigned hang_s = PICK(prng, 5, 8, 10, 15, 20, 30, 30, 60, 60), abort_s = PICK(prng, 1, 2, 5);
    unsigned restarts = 2 + below(prng, 5), span_s = 0;
    for (unsigned i = 1, delay_s = 1; i < restarts; i++, delay_s *= 2) {
        span_s += delay_s + hang_s + abort_s;
    }
    unsigned window_s = span_s + 60 + below(prng, 1800);
    unsigned safe_s = PICK(prng, 30, 60, 300, 600, 1800), step_s = PICK(prng, 10, 60, 60, 300);
    unsigned tries = 1 + below(prng, 4), overruns = PICK(prng, 0, 3, 20), parts = below(prng, 5);
    put(writer, "[watchdog]\nhang = %us\nabort = %us\nrestarts = %u\nrestart_window = %us\n",
        hang_s, abort_s, restarts, window_s);
    put(writer, "safe_time = %us\nrejoin_step = %us\nrejoin_tries = %u\n", safe_s, step_s, tries);
    put(writer, "overruns = %u\nsubsystem_restarts = %u\n", overruns, parts);
    unsigned intervals = PICK(prng, 0, 1, 2, 2, 3, 5);
    if (intervals != 1) { /* 1: unset */
        put(writer, "rollback = %us\n", intervals * shape->push_s);
    }
    if (shape->owner == 1) {
        unsigned least_s = (hang_s + abort_s + 2) * 6 / 5 + 1;
        put(writer, "device = /dev/watchdog\ntimeout = %us\n", least_s + below(prng, 60));
    } else if (shape->owner == 2) {
        put(writer, "device = systemd\n");
    }
    bool reboot = shape->owner > 0 && shape->store && below(prng, 2) == 0;
    unsigned budget = reboot ? 1 + below(prng, 3) : PICK(prng, 0, 1, 1, 2, 3);
    put(writer, "reboot = %s\nreboot_budget = %u\n", reboot ? "on" : "off", budget);
    if (below(prng, 2) == 0) {
        put(writer, "canary = p%u\n", below(prng, shape->probes));
    }
}

static void put_action(struct writer *writer, struct prng *prng, const struct shape *shape)
{
    if (below(prng, 2) == 0) {
        return;
    }
    unsigned after_s = PICK(prng, 1200, 1800, 2700), cooldown_s = PICK(prng, 60, 600, 3600, 7200);
    unsigned budget = 1 + below(prng, 4), count = 1 + below(prng, 3);
    bool dry = below(prng, 6) == 0;
    /* Twice the longest interval there is, of references and of the push. */
    after_s = after_s < 2 * shape->push_s ? 2 * shape->push_s : after_s;
    put(writer,
        "action = /sim/mend\naction_after = %us\naction_cooldown = %us\naction_budget = %u\n"
        "action_dry_run = %s\n",
        after_s, cooldown_s, budget, dry ? "on" : "off");
    for (unsigned i = 0; i < count; i++) {
        put(writer, "action_reference = p%u\n", below(prng, shape->probes));
    }
}

/* Drawn from `edit`: what a reload changes. Only the first probe is sure to be asked for by name.
 */
static void put_probe(struct writer *writer, struct prng *prng, struct prng *edit, unsigned probe)
{
    unsigned interval_s = PICK(edit, 10, 30, 30, 60, 60, 120, 300, 600);
    unsigned timeout_s = PICK(edit, 1, 2, 5, 5, 10);
    put(writer, "\n[sim p%u]\ninterval = %us\ntimeout = %us\n", probe, interval_s, timeout_s);
    for (unsigned i = 0, count = below(prng, 6) == 0 ? 2 : 1; i < count; i++) {
        put(writer, "url = sim://%u.%u\n", probe, i);
    }
    if (below(prng, 4) == 0) {
        put(writer, "slo = latency 95%% 200ms 30d\n");
    }
}

static size_t write_text(struct sim_site *site, bool silent)
{
    struct prng prng = {.state = site->shape};
    struct writer writer = {.text = site->text};
    struct shape shape = {.silent = silent};
    bool large = below(&prng, 3) == 0;
    shape.probes = 3 + below(&prng, large ? 10 : 5);
    shape.push_s = PICK(&prng, 30, 60, 300, 600, 600, 900, 1800);
    shape.store = below(&prng, 8) != 0;
    unsigned owner = below(&prng, 10);
    shape.owner = owner < 3 ? 0 : owner < 9 && shape.store ? 1 : owner == 9 ? 2 : 0;
    put_agent(&writer, &prng, &shape);
    put_ladder(&writer, &prng, &shape);
    put_action(&writer, &prng, &shape);
    for (unsigned i = 0; i < shape.probes; i++) {
        put_probe(&writer, &prng, &site->prng, i);
    }
    return writer.used;
}

/* Reading. */

static void report(void *context, const char *file, unsigned line, const char *message)
{
    struct sim *sim = context;
    sim_fail(sim, "configuration_is_accepted", "%s:%u: %s", file, line, message);
}

static void load(struct sim *sim, unsigned slot, enum sim_nature nature)
{
    struct sim_site *site = &sim->site;
    struct config *config = &site->configs[slot];
    static const struct probe_kind *const kinds[] = {&kind};
    static struct config_loader loader;
    struct config_errors errors = {.context = sim, .report = report};
    size_t size = write_text(site, nature == SIM_CONFIG_SILENT);
    site->natures[slot] = nature;
    site->texts[slot] = ++site->edits;
    config_begin(&loader, config, kinds, ARRAY_LEN(kinds), &errors);
    config_add_text(&loader, "sim.conf", sim->site.text, size);
    if (config_finish(&loader) && config->target_count > SIM_TARGETS) {
        sim_fail(sim, "configuration_is_accepted", "more targets than the simulator has");
    }
}

static void read_numbers(struct sim_site *site, const struct config *config)
{
    const struct config_section *section = &config->watchdog;
    recovery_settings_of(config, &site->settings);
    site->has_store = config_store(config) != NULL;
    site->commit_us = config_number(config, &config->agent, AGENT_COMMIT);
    site->reboot_budget = (unsigned)config_number(config, section, WATCHDOG_REBOOT_BUDGET);
    bool acts = config_text(config, section, WATCHDOG_ACTION, NULL) != NULL;
    site->action_after_us = acts ? config_number(config, section, WATCHDOG_ACTION_AFTER) : 0;
    site->action_cooldown_us = config_number(config, section, WATCHDOG_ACTION_COOLDOWN);
    site->action_budget = (unsigned)config_number(config, section, WATCHDOG_ACTION_BUDGET);
    site->action_dry = config_number(config, section, WATCHDOG_ACTION_DRY_RUN) != 0;
    const char *canary = config_text(config, section, WATCHDOG_CANARY, NULL);
    site->canary = canary != NULL ? config_find_probe(config, canary) : 0;
    site->groups = config->probe_count < VITALS_GROUPS ? config->probe_count : VITALS_GROUPS;
    for (unsigned i = 0; i < config_count(config, section, WATCHDOG_ACTION_REFERENCE); i++) {
        const struct setting *named = config_setting(config, section, WATCHDOG_ACTION_REFERENCE, i);
        site->references |= 1u << config_find_probe(config, config_setting_text(config, named));
    }
}

void sim_site_init(struct sim *sim)
{
    struct sim_site *site = &sim->site;
    site->shape = prng_next(&site->prng);
    site->config = &site->configs[0];
    site->keeps = below(&site->prng, 4) != 0;
    load(sim, 0, SIM_CONFIG_WELL);
    if (!sim->failure.failed) {
        read_numbers(site, &site->configs[0]);
    }
}

/* There are three: the one of the life, the last good one, and one that is neither. */
static void edit_file(struct sim *sim, enum sim_nature nature)
{
    struct sim_site *site = &sim->site;
    unsigned free = 0;
    while (&site->configs[free] == site->config || (site->has_good && free == site->good)) {
        free++;
    }
    site->current = free;
    load(sim, free, nature);
}

unsigned sim_site_running(const struct sim *sim)
{
    return (unsigned)(sim->site.config - sim->site.configs);
}

enum sim_nature sim_site_nature(const struct sim *sim)
{
    return sim->site.natures[sim_site_running(sim)];
}

void sim_site_keep(struct sim *sim)
{
    sim->site.good = sim_site_running(sim);
    sim->site.has_good = true;
}

void sim_site_use(struct sim *sim, bool good)
{
    struct sim_site *site = &sim->site;
    site->config = &site->configs[good && site->has_good ? site->good : site->current];
}

const struct config_probe *sim_site_probe(const struct sim *sim, unsigned target)
{
    return config_target_probe(sim->site.config, target);
}

unsigned sim_site_group(const struct sim *sim, unsigned target)
{
    const struct config *config = sim->site.config;
    return config->targets[target].probe * sim->site.groups / config->probe_count;
}

int sim_site_target(const struct sim *sim, const char *instance, size_t length)
{
    for (unsigned i = 0; i < sim->site.config->target_count; i++) {
        const char *own = config_instance(sim->site.config, i);
        if (strlen(own) == length && memcmp(own, instance, length) == 0) {
            return (int)i;
        }
    }
    return -1;
}

/* Rollouts. */

void sim_site_tell(struct sim *sim)
{
    const struct sim_site *site = &sim->site;
    uint32_t text = site->texts[sim_site_running(sim)];
    recovery_runs(&sim->lives.recovery,
                  (struct rollout_runs){.text = text,
                                        .same = site->has_good && text == site->texts[site->good],
                                        .keepable = true},
                  sim_now(sim));
    sim_check_told_text(sim, text);
}

/* One that cannot run is refused by the check, and no more than stands in the file then. */
void sim_site_roll_out(struct sim *sim, enum sim_nature nature, bool says_so)
{
    struct sim_lives *lives = &sim->lives;
    bool hears = lives->supervisor == SIM_SUPERVISOR_RUNS && !lives->stopping;
    bool takes =
        lives->process == SIM_PROCESS_RUNS && lives->leave == CAUSE_NONE && !lives->asked_to_leave;
    edit_file(sim, nature);
    sim_trace(sim, SIM_ROLL_OUT, nature, says_so, NULL);
    if (!says_so || !hears || nature == SIM_CONFIG_UNFIT ||
        !(takes || lives->process == SIM_PROCESS_NONE)) {
        return;
    }
    recovery_mended(&lives->recovery, sim_now(sim));
    sim_check_mended(sim);
    if (takes) {
        sim_process_ask_to_leave(sim, CAUSE_RELOAD);
    }
}
