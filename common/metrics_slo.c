/* The series of SLOs, rows of the table in metrics_table.c, and their label: no longer than it must
 * be to be unique within its probe. */
#include <math.h>

#include "buffer.h"
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

/* What an SLO shares with others of its probe. */
struct clash {
    bool event, window;
    unsigned equal_before; /* SLOs equal in all before it */
};

static struct clash find_clash(const struct config_probe *probe, unsigned slo)
{
    struct clash clash = {.event = false};
    const struct config_slo *mine = &probe->slos[slo];
    for (unsigned i = 0; i < probe->slo_count; i++) {
        const struct config_slo *other = &probe->slos[i];
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

void metrics_slo_name(const struct config_probe *probe, unsigned slo, char *name, size_t size)
{
    const struct config_slo *mine = &probe->slos[slo];
    struct clash clash = find_clash(probe, slo);
    struct buffer out;
    buffer_init(&out, name, size);
    buffer_append_string(&out, mine->type == SLO_LATENCY ? "latency_" : "availability");
    if (mine->type == SLO_LATENCY) {
        append_duration(&out, mine->threshold_us);
    }
    if (clash.event) {
        buffer_append_byte(&out, '_');
        append_duration(&out, mine->window_us);
    }
    if (clash.window) {
        buffer_append_byte(&out, '_');
        buffer_append_number(&out, (double)mine->objective_ppm / 1e4);
    }
    if (clash.equal_before > 0) {
        buffer_printf(&out, "_%u", clash.equal_before + 1);
    }
    (void)buffer_text(&out);
}

/* Series. */

void metrics_slo_objective(struct walk *walk)
{
    char name[METRICS_SLO_NAME_BYTES];
    for (unsigned i = 0; i < walk->probe->slo_count; i++) {
        metrics_slo_name(walk->probe, i, name, sizeof name);
        walk_sample_labelled(walk, "slo", name, (double)walk->probe->slos[i].objective_ppm / 1e6);
    }
}

void metrics_slo_events(struct walk *walk)
{
    char name[METRICS_SLO_NAME_BYTES];
    for (unsigned i = 0; i < walk->probe->slo_count; i++) {
        struct slo_events events = sli_slo_events(walk->sli, &walk->probe->slos[i]);
        metrics_slo_name(walk->probe, i, name, sizeof name);
        walk_label_push(walk, "slo", name);
        walk_sample_labelled(walk, "result", "good", (double)events.good);
        walk_sample_labelled(walk, "result", "bad", (double)events.bad);
        walk_label_pop(walk);
    }
}

static struct slo_events window_events(const struct walk *walk, unsigned slo, usec_t window_us)
{
    return walk->source->slo_events(walk->source->context, walk->target, &walk->probe->slos[slo],
                                    window_us);
}

void metrics_slo_budget(struct walk *walk)
{
    char name[METRICS_SLO_NAME_BYTES];
    for (unsigned i = 0; i < walk->probe->slo_count; i++) {
        const struct config_slo *slo = &walk->probe->slos[i];
        struct slo_events events = window_events(walk, i, slo->window_us);
        double remaining = slo_budget_remaining(events, slo->objective_ppm);
        metrics_slo_name(walk->probe, i, name, sizeof name);
        if (!isnan(remaining)) {
            walk_sample_labelled(walk, "slo", name, remaining);
        }
    }
}

static void slo_burn_rates(struct walk *walk, unsigned slo)
{
    const struct config_slo *mine = &walk->probe->slos[slo];
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
    for (unsigned i = 0; i < walk->probe->slo_count; i++) {
        metrics_slo_name(walk->probe, i, name, sizeof name);
        walk_label_push(walk, "slo", name);
        slo_burn_rates(walk, i);
        walk_label_pop(walk);
    }
}
