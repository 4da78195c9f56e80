/* The label of an SLO: no longer than it must be to be unique within its probe. */
#include "buffer.h"
#include "metrics.h"
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
