#include "crash_model.h"

#include <stdio.h>
#include <string.h>

const struct model_identity model_identities[MODEL_TARGETS] = {
    {"web", "portal", "https://portal.example.net/login", 800 * USEC_PER_MSEC},
    {"web", "shop", "https://shop.example.net/", 300 * USEC_PER_MSEC},
    {"web", "shop", "https://shop2.example.net/", 300 * USEC_PER_MSEC},
    {"bus", "boiler", "tcp://10.1.0.40:502", 0},
    {"bus", "meter", "tcp://10.1.0.41:502", 0},
    {"web", "mail", "https://mail.example.net/", 1500 * USEC_PER_MSEC},
    {"bus", "chiller", "rtu:///dev/ttyRS485", 0},
    {"web", "boiler2", "https://boiler.example.net/", 0},
    {"bus", "portal", "https://portal.example.net/login", 0},
    {"web", "late", "https://late.example.net/", 40 * USEC_PER_MSEC},
};

/* SPEC.md says them; not taken from the ledger on purpose. */
static const usec_t bounds_us[SLI_FIXED_BOUNDS] = {
    1000,   2500,   5000,    10000,   25000,   50000,    100000,
    250000, 500000, 1000000, 2500000, 5000000, 10000000,
};

void tally_add(struct tally *to, const struct tally *amount)
{
    uint64_t *sum = (uint64_t *)(void *)to;
    const uint64_t *more = (const uint64_t *)(const void *)amount;
    for (size_t i = 0; i < TALLY_VALUES; i++) {
        sum[i] += more[i];
    }
}

void tally_subtract(struct tally *to, const struct tally *amount)
{
    uint64_t *rest = (uint64_t *)(void *)to;
    const uint64_t *less = (const uint64_t *)(const void *)amount;
    for (size_t i = 0; i < TALLY_VALUES; i++) {
        rest[i] -= less[i];
    }
}

int tally_differs(const struct tally *a, const struct tally *b)
{
    const uint64_t *left = (const uint64_t *)(const void *)a;
    const uint64_t *right = (const uint64_t *)(const void *)b;
    if (memcmp(a, b, sizeof *a) == 0) {
        return -1;
    }
    for (size_t i = 0; i < TALLY_VALUES; i++) {
        if (left[i] != right[i]) {
            return (int)i;
        }
    }
    return -1;
}

int tally_exceeds(const struct tally *a, const struct tally *b)
{
    const uint64_t *left = (const uint64_t *)(const void *)a;
    const uint64_t *right = (const uint64_t *)(const void *)b;
    for (size_t i = 0; i < TALLY_VALUES; i++) {
        if (left[i] > right[i]) {
            return (int)i;
        }
    }
    return -1;
}

const char *tally_value_name(int index)
{
    static char name[64];
    size_t per_target = sizeof(struct tally_target) / sizeof(uint64_t);
    size_t target = (size_t)index / per_target, value = (size_t)index % per_target;
    if (target >= MODEL_TARGETS) {
        (void)snprintf(name, sizeof name, "counter %zu",
                       (size_t)index - MODEL_TARGETS * per_target);
    } else if (value < OUTCOME_COUNT) {
        (void)snprintf(name, sizeof name, "target %zu results{%s}", target,
                       outcome_name((enum outcome)value));
    } else if ((value -= OUTCOME_COUNT) < REASON_COUNT) {
        (void)snprintf(name, sizeof name, "target %zu failures{%s}", target,
                       reason_name((enum reason)value));
    } else if ((value -= REASON_COUNT) < 3) {
        static const char *const names[] = {"missed", "count", "sum_us"};
        (void)snprintf(name, sizeof name, "target %zu %s", target, names[value]);
    } else {
        (void)snprintf(name, sizeof name, "target %zu below bound %zu", target, value - 3);
    }
    return name;
}

void model_count(struct tally *tally, const struct model_record *record)
{
    if (record->sort == MODEL_OF_STORE) {
        return;
    }
    struct tally_target *target = &tally->targets[record->target];
    if (record->sort == RECORD_COUNT) {
        tally->counters[record->counter] += record->value;
    } else if (record->sort == RECORD_MISSED) {
        target->missed += record->value;
    } else if (record->sort == RECORD_RESULT) {
        target->results[record->outcome]++;
        if (record->outcome == OUTCOME_FAILURE) {
            target->failures[record->reason]++;
        }
        if (record->outcome == OUTCOME_SUCCESS) {
            target->count++;
            target->sum_us += record->value;
            for (unsigned i = 0; i < MODEL_BELOW; i++) {
                usec_t bound = i < SLI_FIXED_BOUNDS ? bounds_us[i]
                                                    : model_identities[record->target].objective_us;
                target->below[i] += record->value <= (uint64_t)bound ? 1 : 0;
            }
        }
    }
}

void model_init(struct model *model)
{
    model->ordinal = 0;
    model->results[0] = 0;
    memset(&model->snapshots[0], 0, sizeof model->snapshots[0]);
}

bool model_append(struct model *model, const struct model_record *record)
{
    if (model->ordinal == MODEL_RECORDS_MAX) {
        return false;
    }
    model->records[++model->ordinal] = *record;
    if (model->ordinal % MODEL_SNAPSHOT_RECORDS == 0) {
        size_t at = (size_t)(model->ordinal / MODEL_SNAPSHOT_RECORDS);
        struct tally *tally = &model->snapshots[at];
        *tally = model->snapshots[at - 1];
        model->results[at] = model->results[at - 1];
        for (uint64_t i = model->ordinal - MODEL_SNAPSHOT_RECORDS + 1; i <= model->ordinal; i++) {
            model_count(tally, &model->records[i]);
            model->results[at] += model->records[i].sort == RECORD_RESULT ? 1 : 0;
        }
    }
    return true;
}

void model_truncate(struct model *model, uint64_t ordinal)
{
    if (ordinal < model->ordinal) {
        model->ordinal = ordinal;
    }
}

uint64_t model_prefix(const struct model *model, uint64_t ordinal, struct tally *tally)
{
    uint64_t at = ordinal / MODEL_SNAPSHOT_RECORDS;
    uint64_t results = model->results[at];
    *tally = model->snapshots[at];
    for (uint64_t i = at * MODEL_SNAPSHOT_RECORDS + 1; i <= ordinal; i++) {
        model_count(tally, &model->records[i]);
        results += model->records[i].sort == RECORD_RESULT ? 1 : 0;
    }
    return results;
}

void model_copy(struct model *to, const struct model *from, uint64_t ordinal)
{
    size_t snapshots = (size_t)(ordinal / MODEL_SNAPSHOT_RECORDS) + 1;
    to->ordinal = ordinal;
    memcpy(to->records, from->records, (size_t)(ordinal + 1) * sizeof to->records[0]);
    memcpy(to->results, from->results, snapshots * sizeof to->results[0]);
    memcpy(to->snapshots, from->snapshots, snapshots * sizeof to->snapshots[0]);
}

int model_find(const struct ledger *ledger, const struct ledger_entry *entry)
{
    for (int i = 0; i < MODEL_TARGETS; i++) {
        const struct model_identity *identity = &model_identities[i];
        if (strcmp(identity->kind, ledger_text(ledger, entry->kind)) == 0 &&
            strcmp(identity->probe, ledger_text(ledger, entry->probe)) == 0 &&
            strcmp(identity->instance, ledger_text(ledger, entry->instance)) == 0) {
            return i;
        }
    }
    return -1;
}

static void read_sli(const struct sli *sli, usec_t objective_us,
                     const struct tally_target *expected, struct tally_target *to)
{
    const struct histogram *histogram = &sli->duration;
    uint64_t below = 0;
    memcpy(to->results, sli->results, sizeof to->results);
    memcpy(to->failures, sli->failures, sizeof to->failures);
    to->missed = sli->missed;
    to->count = histogram->count;
    to->sum_us = histogram->sum_us;
    to->below[SLI_FIXED_BOUNDS] = expected->below[SLI_FIXED_BOUNDS];
    for (unsigned i = 0; i < histogram->bound_count; i++) {
        below += histogram->buckets[i];
        for (unsigned k = 0; k < SLI_FIXED_BOUNDS; k++) {
            if (bounds_us[k] == histogram->bounds_us[i]) {
                to->below[k] = below;
            }
        }
        if (objective_us != 0 && objective_us == histogram->bounds_us[i]) {
            to->below[SLI_FIXED_BOUNDS] = below;
        }
    }
}

int model_read(const struct ledger *ledger, const struct ledger_totals *totals,
               const struct tally *expected, struct tally *tally)
{
    memset(tally, 0, sizeof *tally);
    memcpy(tally->counters, totals->counters, sizeof tally->counters);
    for (unsigned i = LEDGER_STORE_ERROR_FIRST; i <= LEDGER_STORE_HUNG; i++) {
        tally->counters[i] = 0; /* the store's own count of its errors */
    }
    for (unsigned i = 0; i < totals->sli_count; i++) {
        int identity = model_find(ledger, &ledger->entries[i]);
        if (identity < 0) {
            return (int)i;
        }
        read_sli(&totals->slis[i], model_identities[identity].objective_us,
                 &expected->targets[identity], &tally->targets[identity]);
    }
    return -1;
}
