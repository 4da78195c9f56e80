/* The label of an SLO: no longer than it must be to be unique within its probe. */
#include <inttypes.h>

#include "buffer.h"
#include "metrics.h"

/* The duration in the largest unit that gives a whole number. */
static void append_duration(struct buffer *out, usec_t duration_us)
{
    static const struct {
        usec_t unit_us;
        const char *name;
    } units[] = {
        {USEC_PER_DAY, "d"}, {USEC_PER_HOUR, "h"},  {USEC_PER_MINUTE, "m"},
        {USEC_PER_SEC, "s"}, {USEC_PER_MSEC, "ms"}, {1, "us"},
    };
    size_t i = 0;
    while (units[i].unit_us > 1 && duration_us % units[i].unit_us != 0) {
        i++;
    }
    buffer_printf(out, "%" PRId64 "%s", duration_us / units[i].unit_us, units[i].name);
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
