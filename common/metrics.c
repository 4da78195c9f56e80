/* Method: the table says how often each row becomes a family; the walk goes family by family and,
 * inside, target by target, because both encodings want all samples of a family together. A family
 * is opened by its first sample. */
#include "metrics.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "buffer.h"
#include "metrics_walk.h"

double metrics_bucket_bound(const struct histogram *histogram, unsigned i)
{
    return i < histogram->bound_count ? metrics_seconds_total((uint64_t)histogram->bounds_us[i])
                                      : (double)INFINITY;
}

double metrics_seconds_total(uint64_t total_us)
{
    return (double)total_us / (double)USEC_PER_SEC;
}

/* Those of the series (metrics_table.c), of series to come, of the push group, of Prometheus. */
static const char *const reserved_labels[] = {
    "probe",        "kind",   "instance",
    "result",       "reason", "slo",
    "phase",        "name",   "version",
    "commit",       "cipher", "fingerprint_sha256",
    "subject",      "issuer", "subjectalternative",
    "serialnumber", "window", "cause",
    "job",          "site",   "le",
    "quantile",     "epoch",  "error",
    "action",       "task",   "signal",
};

void metrics_epoch_label(uint64_t epoch, char label[METRICS_EPOCH_BYTES])
{
    struct buffer out;
    buffer_init(&out, label, METRICS_EPOCH_BYTES);
    buffer_printf(&out, "%08" PRIx32, (uint32_t)epoch);
    (void)buffer_text(&out);
}

bool metrics_label_reserved(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(reserved_labels); i++) {
        if (strcmp(name, reserved_labels[i]) == 0) {
            return true;
        }
    }
    return strncmp(name, "__", 2) == 0;
}

void walk_label_push(struct walk *walk, const char *name, const char *value)
{
    assert(walk->labels.count < ARRAY_LEN(walk->labels.at));
    walk->labels.at[walk->labels.count++] = (struct metric_label){.name = name, .value = value};
}

void walk_label_pop(struct walk *walk)
{
    assert(walk->labels.count > 0);
    walk->labels.count--;
}

static void open_family(struct walk *walk)
{
    if (!walk->opened) {
        walk->visitor->family(walk->visitor->context, walk->name, walk->family->type, walk->help);
        walk->opened = true;
    }
}

void walk_sample(struct walk *walk, double value)
{
    open_family(walk);
    walk->visitor->sample(walk->visitor->context, &walk->labels, value);
}

void walk_sample_labelled(struct walk *walk, const char *name, const char *text, double value)
{
    walk_label_push(walk, name, text);
    walk_sample(walk, value);
    walk_label_pop(walk);
}

void walk_histogram(struct walk *walk, const struct histogram *histogram)
{
    open_family(walk);
    walk->visitor->histogram(walk->visitor->context, &walk->labels, histogram);
}

static void push_configured(struct walk *walk, const struct config_label *labels, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        const char *name = walk->config->text + labels[i].name;
        if (!metrics_label_reserved(name)) {
            walk_label_push(walk, name, walk->config->text + labels[i].value);
        }
    }
}

/* The labels between whose series it is and what it tells. */
static void push_common(struct walk *walk, const struct config_label *labels, unsigned count)
{
    push_configured(walk, labels, count);
    if (walk->epoch != NULL && walk->family->type != METRIC_GAUGE) {
        walk_label_push(walk, "epoch", walk->epoch);
    }
}

static void visit_agent(struct walk *walk)
{
    if (walk->agent == NULL) {
        return;
    }
    walk->labels.count = 0;
    walk_label_push(walk, "instance", config_site(walk->config));
    push_common(walk, walk->config->labels, walk->config->label_count);
    walk->family->emit(walk);
}

static void visit_target(struct walk *walk, unsigned target)
{
    const struct config *config = walk->config;
    walk->target = target;
    walk->probe = config_target_probe(config, target);
    walk->last = walk->source->last(walk->source->context, target);
    if (walk->family->last_run && walk->last == NULL) {
        return;
    }
    if (walk->family->scope == SCOPE_KIND && walk->probe->section.kind != walk->kind) {
        return;
    }
    walk->sli = walk->source->sli(walk->source->context, target);
    walk->labels.count = 0;
    walk_label_push(walk, "probe", config_probe_name(config, walk->probe));
    if (walk->family->with_kind) {
        walk_label_push(walk, "kind", walk->probe->section.kind->name);
    }
    walk_label_push(walk, "instance", config_instance(config, target));
    push_common(walk, walk->probe->labels, walk->probe->label_count);
    walk->family->emit(walk);
}

/* The epoch of a counter is that of all it adds up. */
static void visit_group(struct walk *walk, const struct config_group *group)
{
    const char *epoch = walk->epoch;
    char own[METRICS_EPOCH_BYTES];
    if (epoch != NULL) {
        metrics_group_epoch(walk->config, group, epoch, own);
        walk->epoch = own;
    }
    walk->group = group;
    walk->labels.count = 0;
    walk_label_push(walk, "instance", config_site(walk->config));
    push_common(walk, walk->config->labels, walk->config->label_count);
    walk->family->emit(walk);
    walk->group = NULL;
    walk->epoch = epoch;
}

static void visit_groups(struct walk *walk)
{
    for (unsigned i = 0; walk->only_probe < 0 && i < walk->config->group_count; i++) {
        visit_group(walk, &walk->config->groups[i]);
    }
}

static void visit_targets(struct walk *walk)
{
    for (unsigned i = 0; i < walk->config->target_count; i++) {
        if (walk->only_probe < 0 || walk->only_probe == walk->config->targets[i].probe) {
            visit_target(walk, i);
        }
    }
}

/* Copies `pattern`, with `kind` for each "%" unless it is NULL, cut to `size`. */
static void fill(char *text, size_t size, const char *pattern, const char *kind)
{
    struct buffer out;
    buffer_init(&out, text, size);
    for (const char *next = pattern; *next != '\0'; next++) {
        if (*next == '%' && kind != NULL) {
            buffer_append_string(&out, kind);
        } else {
            buffer_append_byte(&out, (uint8_t)*next);
        }
    }
    (void)buffer_text(&out);
}

static void begin_family(struct walk *walk, const char *name, const char *help)
{
    const char *kind = walk->kind != NULL ? walk->kind->name : NULL;
    fill(walk->name, sizeof walk->name, name, kind);
    fill(walk->help, sizeof walk->help, help, kind);
    walk->opened = false;
}

static bool is_first_of_kind(const struct config *config, unsigned probe)
{
    for (unsigned i = 0; i < probe; i++) {
        if (config->probes[i].section.kind == config->probes[probe].section.kind) {
            return false;
        }
    }
    return true;
}

static void visit_kinds(struct walk *walk)
{
    const struct family *family = walk->family;
    for (unsigned i = 0; i < walk->config->probe_count; i++) {
        if (is_first_of_kind(walk->config, i)) {
            walk->kind = walk->config->probes[i].section.kind;
            bool own_help = family->phases && walk->kind->phases_help != NULL;
            begin_family(walk, family->name, own_help ? walk->kind->phases_help : family->help);
            visit_targets(walk);
        }
    }
    walk->kind = NULL;
}

static void visit_facts(struct walk *walk)
{
    for (unsigned i = 0; i < FACT_COUNT; i++) {
        walk->fact = (enum fact)i;
        begin_family(walk, fact_name(walk->fact), fact_help(walk->fact));
        visit_targets(walk);
    }
}

void metrics_walk_source(struct walk *walk)
{
    for (unsigned i = 0; i < metrics_family_count; i++) {
        walk->family = &metrics_families[i];
        switch (walk->family->scope) {
        case SCOPE_AGENT:
            begin_family(walk, walk->family->name, walk->family->help);
            visit_agent(walk);
            break;
        case SCOPE_TARGET:
            begin_family(walk, walk->family->name, walk->family->help);
            visit_targets(walk);
            if (walk->family->with_groups) {
                visit_groups(walk);
            }
            break;
        case SCOPE_KIND:
            visit_kinds(walk);
            break;
        case SCOPE_FACT:
            visit_facts(walk);
            break;
        }
    }
    walk->visitor->end(walk->visitor->context);
}

static const struct sli *view_sli(void *context, unsigned target)
{
    const struct metrics_view *view = context;
    return &view->slis[target];
}

static const struct result *view_last(void *context, unsigned target)
{
    const struct metrics_view *view = context;
    return view->seen[target] ? &view->last[target] : NULL;
}

static struct slo_events view_slo_events(void *context, unsigned target,
                                         const struct config_slo *slo, usec_t window_us)
{
    const struct metrics_view *view = context;
    return view->ledger == NULL
               ? (struct slo_events){.good = 0}
               : ledger_slo_events(view->ledger, target, slo, window_us, view->now_us);
}

static struct slo_events view_group_events(void *context, const struct config_group *group,
                                           const struct config_slo *slo, usec_t window_us)
{
    const struct metrics_view *view = context;
    return view->ledger == NULL ? (struct slo_events){.good = 0}
                                : ledger_group_events(view->ledger, view->config, group, slo,
                                                      window_us, view->now_us);
}

void metrics_walk(const struct metrics_view *view, const struct metric_visitor *visitor)
{
    struct metrics_view copy = *view;
    char epoch[METRICS_EPOCH_BYTES];
    metrics_epoch_label(view->epoch, epoch);
    struct metrics_source source = {
        .context = &copy,
        .sli = view_sli,
        .last = view_last,
        .slo_events = view_slo_events,
        .group_events = view_group_events,
    };
    struct walk walk = {.config = view->config,
                        .agent = view->agent,
                        .epoch = view->epoch != 0 ? epoch : NULL,
                        .only_probe = view->only_probe,
                        .source = &source,
                        .visitor = visitor};
    metrics_walk_source(&walk);
}
