/* The totals of an image as a push would tell them: families, names and labels are those of
 * metrics_table.c. Labels of the configuration are not in a store, and so not here; nor is the
 * site, so there are no series of the agent itself. */
#include <stdio.h>
#include <string.h>

#include "expo_text.h"
#include "registry.h"
#include "store_view.h"

enum { TARGET_BYTES = 256 * 1024 }; /* all samples of one target in one family */

static char text[TARGET_BYTES];

struct prom {
    const struct ledger *ledger;
    struct buffer out;
    struct expo_text encoder;
    struct metric_visitor visitor;
    struct metric_labels labels;
    struct store_names names;
    char epoch[METRICS_EPOCH_BYTES];
    const struct sli *sli;
    uint64_t reasons; /* bits of those the target's kind can have */
};

/* Of a kind that this program does not know: those that were counted. */
static uint64_t reasons_of(const char *kind_name, const struct sli *sli)
{
    unsigned count;
    const struct probe_kind *const *kinds = registry_kinds(&count);
    uint64_t reasons = 0;
    for (unsigned i = 0; i < count; i++) {
        if (strcmp(kinds[i]->name, kind_name) == 0) {
            return kinds[i]->reasons;
        }
    }
    for (unsigned i = 0; i < REASON_COUNT; i++) {
        reasons |= sli->failures[i] > 0 ? REASON_BIT(i) : 0;
    }
    return reasons;
}

static void sample(struct prom *prom, const char *name, const char *value, uint64_t count)
{
    unsigned before = prom->labels.count;
    if (name != NULL) {
        prom->labels.at[prom->labels.count++] = (struct metric_label){name, value};
    }
    prom->visitor.sample(prom->visitor.context, &prom->labels, (double)count);
    prom->labels.count = before;
}

static void results(struct prom *prom)
{
    for (unsigned i = 0; i < OUTCOME_COUNT; i++) {
        sample(prom, "result", outcome_name((enum outcome)i), prom->sli->results[i]);
    }
}

static void failures(struct prom *prom)
{
    for (unsigned i = 0; i < REASON_COUNT; i++) {
        if ((prom->reasons & REASON_BIT(i)) != 0) {
            sample(prom, "reason", reason_name((enum reason)i), prom->sli->failures[i]);
        }
    }
}

static void durations(struct prom *prom)
{
    prom->visitor.histogram(prom->visitor.context, &prom->labels, &prom->sli->duration);
}

static void missed(struct prom *prom)
{
    sample(prom, NULL, NULL, prom->sli->missed);
}

static void maintenance(struct prom *prom)
{
    sample(prom, NULL, NULL, prom->sli->maintenance);
}

static void flush_samples(struct prom *prom)
{
    fputs(buffer_text(&prom->out), stdout);
    prom->out.used = 0;
}

static void target(struct prom *prom, unsigned index, void (*emit)(struct prom *prom))
{
    store_names(&prom->names, prom->ledger, (int)index);
    prom->sli = &prom->ledger->totals.slis[index];
    prom->reasons = reasons_of(prom->names.kind, prom->sli);
    prom->labels = (struct metric_labels){.count = 4,
                                          .at = {{"probe", prom->names.probe},
                                                 {"kind", prom->names.kind},
                                                 {"instance", prom->names.instance},
                                                 {"epoch", prom->epoch}}};
    emit(prom);
    flush_samples(prom);
}

void store_prom_print(const struct ledger *ledger)
{
    static const struct {
        const char *name;
        enum metric_type type;
        const char *help;
        void (*emit)(struct prom *prom);
    } families[] = {
        {"picket_probe_results_total", METRIC_COUNTER, "Runs by outcome", results},
        {"picket_probe_failures_total", METRIC_COUNTER, "Failed runs by first cause", failures},
        {"picket_probe_duration_seconds", METRIC_HISTOGRAM, "Duration of successful runs",
         durations},
        {"picket_probe_missed_total", METRIC_COUNTER, "Scheduled runs that were not made", missed},
        {"picket_probe_maintenance_total", METRIC_COUNTER,
         "Runs in maintenance, which count in no other series", maintenance},
    };
    static struct prom prom;
    prom.ledger = ledger;
    metrics_epoch_label(ledger->epoch, prom.epoch);
    buffer_init(&prom.out, text, sizeof text);
    prom.visitor = expo_text_visitor(&prom.encoder, &prom.out);
    for (unsigned i = 0; i < ARRAY_LEN(families) && ledger->totals.sli_count > 0; i++) {
        prom.visitor.family(prom.visitor.context, families[i].name, families[i].type,
                            families[i].help);
        for (unsigned index = 0; index < ledger->totals.sli_count; index++) {
            target(&prom, index, families[i].emit);
        }
    }
    prom.visitor.end(prom.visitor.context);
    flush_samples(&prom);
}
