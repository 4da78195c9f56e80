/* The series of SLOs, rows of the table in metrics_table.c, of a target or of a group, and their
 * label: no longer than it must be to be unique within its probe or group. */
#include <math.h>
#include <string.h>

#include "buffer.h"
#include "hash.h"
#include "metrics_walk.h"
#include "value.h"

static void append_duration(struct buffer *out, usec_t duration_us)
{
    char text[VALUE_PRINT_BYTES];
    buffer_append_string(out, value_print_duration(duration_us, text, sizeof text));
}

static bool same_event(const struct config_slo *a, const struct config_slo *b)
{
    return a->type == b->type && (a->type != SLO_LATENCY || a->threshold_us == b->threshold_us);
}

/* What an SLO shares with others of its section. */
struct clash {
    bool event, window;
    unsigned equal_before; /* SLOs equal in all before it */
};

static struct clash find_clash(const struct config_slo *slos, unsigned count, unsigned slo)
{
    struct clash clash = {.event = false};
    const struct config_slo *mine = &slos[slo];
    for (unsigned i = 0; i < count; i++) {
        const struct config_slo *other = &slos[i];
        if (i == slo || !same_event(mine, other)) {
            continue;
        }
        clash.event = true;
        if (mine->window_us == other->window_us) {
            clash.window = true;
            clash.equal_before += i < slo && mine->objective_ppm == other->objective_ppm ? 1 : 0;
        }
    }
    return clash;
}

static void append_name(struct buffer *out, const struct config_slo *slos, unsigned count,
                        unsigned slo)
{
    const struct config_slo *mine = &slos[slo];
    struct clash clash = find_clash(slos, count, slo);
    buffer_append_string(out, mine->type == SLO_LATENCY ? "latency_" : "availability");
    if (mine->type == SLO_LATENCY) {
        append_duration(out, mine->threshold_us);
    }
    if (clash.event) {
        buffer_append_byte(out, '_');
        append_duration(out, mine->window_us);
    }
    if (clash.window) {
        buffer_append_byte(out, '_');
        buffer_append_number(out, (double)mine->objective_ppm / 1e4);
    }
    if (clash.equal_before > 0) {
        buffer_printf(out, "_%u", clash.equal_before + 1);
    }
}

void metrics_slo_name(const struct config_probe *probe, unsigned slo, char *name, size_t size)
{
    struct buffer out;
    buffer_init(&out, name, size);
    append_name(&out, probe->slos, probe->slo_count, slo);
    (void)buffer_text(&out);
}

void metrics_group_slo_name(const struct config *config, const struct config_group *group,
                            unsigned slo, char *name, size_t size)
{
    struct buffer out;
    buffer_init(&out, name, size);
    buffer_append_string(&out, config_group_name(config, group));
    buffer_append_byte(&out, ':');
    append_name(&out, group->slos, group->slo_count, slo);
    (void)buffer_text(&out);
}

void metrics_group_epoch(const struct config *config, const struct config_group *group,
                         const char *epoch, char label[METRICS_EPOCH_BYTES])
{
    uint64_t sum = hash64(HASH64_START, epoch, strlen(epoch));
    for (unsigned i = 0; i < config->target_count; i++) {
        const struct config_probe *probe = config_target_probe(config, i);
        if (config_group_has(config, group, i)) {
            sum += hash64_strings(probe->section.kind->name, config_probe_name(config, probe),
                                  config_instance(config, i));
        }
    }
    metrics_epoch_label(sum, label);
}

/* What is at hand, a target or a group. */

static unsigned slo_count(const struct walk *walk)
{
    return walk->group != NULL ? walk->group->slo_count : walk->probe->slo_count;
}

static const struct config_slo *slo_at(const struct walk *walk, unsigned slo)
{
    return walk->group != NULL ? &walk->group->slos[slo] : &walk->probe->slos[slo];
}

static void slo_name(const struct walk *walk, unsigned slo, char name[METRICS_SLO_NAME_BYTES])
{
    if (walk->group != NULL) {
        metrics_group_slo_name(walk->config, walk->group, slo, name, METRICS_SLO_NAME_BYTES);
    } else {
        metrics_slo_name(walk->probe, slo, name, METRICS_SLO_NAME_BYTES);
    }
}

static struct slo_events group_totals(const struct walk *walk, const struct config_slo *slo)
{
    struct slo_events sum = {.good = 0};
    for (unsigned i = 0; i < walk->config->target_count; i++) {
        if (config_group_has(walk->config, walk->group, i)) {
            sli_slo_add(&sum, walk->source->sli(walk->source->context, i), slo);
        }
    }
    return sum;
}

static struct slo_events window_events(const struct walk *walk, unsigned slo, usec_t window_us)
{
    const struct metrics_source *source = walk->source;
    return walk->group != NULL
               ? source->group_events(source->context, walk->group, slo_at(walk, slo), window_us)
               : source->slo_events(source->context, walk->target, slo_at(walk, slo), window_us);
}

/* Series. */

void metrics_slo_objective(struct walk *walk)
{
    char name[METRICS_SLO_NAME_BYTES];
    for (unsigned i = 0; i < slo_count(walk); i++) {
        slo_name(walk, i, name);
        walk_sample_labelled(walk, "slo", name, (double)slo_at(walk, i)->objective_ppm / 1e6);
    }
}

void metrics_slo_events(struct walk *walk)
{
    char name[METRICS_SLO_NAME_BYTES];
    for (unsigned i = 0; i < slo_count(walk); i++) {
        const struct config_slo *slo = slo_at(walk, i);
        struct slo_events events =
            walk->group != NULL ? group_totals(walk, slo) : sli_slo_events(walk->sli, slo);
        slo_name(walk, i, name);
        walk_label_push(walk, "slo", name);
        walk_sample_labelled(walk, "result", "good", (double)events.good);
        walk_sample_labelled(walk, "result", "bad", (double)events.bad);
        walk_label_pop(walk);
    }
}

void metrics_slo_budget(struct walk *walk)
{
    char name[METRICS_SLO_NAME_BYTES];
    for (unsigned i = 0; i < slo_count(walk); i++) {
        const struct config_slo *slo = slo_at(walk, i);
        struct slo_events events = window_events(walk, i, slo->window_us);
        double remaining = slo_budget_remaining(events, slo->objective_ppm);
        slo_name(walk, i, name);
        if (!isnan(remaining)) {
            walk_sample_labelled(walk, "slo", name, remaining);
        }
    }
}

static void slo_burn_rates(struct walk *walk, unsigned slo)
{
    const struct config_slo *mine = slo_at(walk, slo);
    for (unsigned i = 0; i < SLO_BURN_WINDOWS; i++) {
        const struct slo_window *window = &slo_burn_windows[i];
        if (window->duration_us > mine->window_us) {
            return;
        }
        struct slo_events events = window_events(walk, slo, window->duration_us);
        double rate = slo_burn_rate(events, mine->objective_ppm);
        if (!isnan(rate)) {
            walk_sample_labelled(walk, "window", window->name, rate);
        }
    }
}

void metrics_slo_burn(struct walk *walk)
{
    char name[METRICS_SLO_NAME_BYTES];
    for (unsigned i = 0; i < slo_count(walk); i++) {
        slo_name(walk, i, name);
        walk_label_push(walk, "slo", name);
        slo_burn_rates(walk, i);
        walk_label_pop(walk);
    }
}
