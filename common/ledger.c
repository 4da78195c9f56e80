/* The texts of an entry stand in one piece of ledger.text, and the pieces without gaps: forgetting
 * one moves those behind it down. So there is never free room that cannot be used. */
#include "ledger.h"

#include <assert.h>
#include <string.h>

struct identity {
    const char *kind, *probe, *instance;
};

void ledger_init(struct ledger *ledger, uint64_t epoch)
{
    ledger->epoch = epoch;
    ledger->next_id = 1;
    ledger->text_used = 0;
    ledger->end_count = 0;
    ledger->totals.ordinal = 0;
    ledger->totals.results = 0;
    memset(ledger->totals.counters, 0, sizeof ledger->totals.counters);
    ledger->totals.sli_count = 0;
    slo_book_init(&ledger->totals.slos);
}

/* Entries. */

/* Probe names are unique in a configuration, so they tell most entries apart at once. */
static bool is_identity(const struct ledger *ledger, unsigned index,
                        const struct identity *identity)
{
    const struct ledger_entry *entry = &ledger->entries[index];
    return strcmp(ledger_text(ledger, entry->probe), identity->probe) == 0 &&
           strcmp(ledger_text(ledger, entry->instance), identity->instance) == 0 &&
           strcmp(ledger_text(ledger, entry->kind), identity->kind) == 0;
}

/* The first index from `from` on, or -1. */
static int find_identity(const struct ledger *ledger, const struct identity *identity,
                         unsigned from)
{
    for (unsigned i = from; i < ledger->totals.sli_count; i++) {
        if (is_identity(ledger, i, identity)) {
            return (int)i;
        }
    }
    return -1;
}

int ledger_find_identity(const struct ledger *ledger, const char *kind, const char *probe,
                         const char *instance)
{
    struct identity identity = {.kind = kind, .probe = probe, .instance = instance};
    return find_identity(ledger, &identity, 0);
}

/* Before configurations change for the first time, entry i has id i + 1: no need to search. */
int ledger_find(const struct ledger *ledger, uint32_t id)
{
    unsigned count = ledger->totals.sli_count;
    if (id > 0 && id <= count && ledger->entries[id - 1].id == id) {
        return (int)id - 1;
    }
    for (unsigned i = 0; i < count; i++) {
        if (ledger->entries[i].id == id) {
            return (int)i;
        }
    }
    return -1;
}

static uint32_t add_text(struct ledger *ledger, const char *text, size_t size)
{
    uint32_t offset = ledger->text_used;
    memcpy(ledger->text + offset, text, size);
    ledger->text_used += (uint32_t)size;
    return offset;
}

int ledger_add(struct ledger *ledger, uint32_t id, const char *kind, const char *probe,
               const char *instance)
{
    size_t kind_size = strlen(kind) + 1, probe_size = strlen(probe) + 1,
           instance_size = strlen(instance) + 1;
    unsigned index = ledger->totals.sli_count;
    assert(id > 0 && id < UINT32_MAX);
    if (index == CAP_LEDGER_TARGETS ||
        kind_size + probe_size + instance_size > sizeof ledger->text - ledger->text_used) {
        return -1;
    }
    ledger->entries[index] =
        (struct ledger_entry){.id = id,
                              .kind = add_text(ledger, kind, kind_size),
                              .probe = add_text(ledger, probe, probe_size),
                              .instance = add_text(ledger, instance, instance_size)};
    sli_init(&ledger->totals.slis[index], NULL);
    ledger->totals.sli_count++;
    if (ledger->next_id <= id) {
        ledger->next_id = id + 1;
    }
    return (int)index;
}

static void remove_text(struct ledger *ledger, uint32_t begin, uint32_t end)
{
    memmove(ledger->text + begin, ledger->text + end, ledger->text_used - end);
    ledger->text_used -= end - begin;
    for (unsigned i = 0; i < ledger->totals.sli_count; i++) {
        struct ledger_entry *entry = &ledger->entries[i];
        if (entry->kind >= end) {
            entry->kind -= end - begin;
            entry->probe -= end - begin;
            entry->instance -= end - begin;
        }
    }
}

static void forget(struct ledger *ledger, unsigned index)
{
    uint32_t begin = ledger->entries[index].kind, instance = ledger->entries[index].instance;
    uint32_t end = instance + (uint32_t)strlen(ledger_text(ledger, instance)) + 1;
    unsigned last = --ledger->totals.sli_count;
    slo_book_forget_target(&ledger->totals.slos, ledger->entries[index].id);
    ledger->entries[index] = ledger->entries[last];
    ledger->totals.slis[index] = ledger->totals.slis[last];
    remove_text(ledger, begin, end);
}

static bool forget_gone_entry(struct ledger *ledger)
{
    const struct ledger_entry *oldest = NULL;
    for (unsigned i = 0; i < ledger->totals.sli_count; i++) {
        const struct ledger_entry *entry = &ledger->entries[i];
        if (entry->gone_at == 0) {
            continue;
        }
        if (oldest == NULL || entry->gone_at < oldest->gone_at ||
            (entry->gone_at == oldest->gone_at && entry->id < oldest->id)) {
            oldest = entry;
        }
    }
    if (oldest == NULL) {
        return false;
    }
    forget(ledger, (unsigned)(oldest - ledger->entries));
    return true;
}

bool ledger_forget_gone(struct ledger *ledger)
{
    return slo_book_forget_gone(&ledger->totals.slos) || forget_gone_entry(ledger);
}

/* Configurations. */

static struct identity target_identity(const struct config *config, unsigned target)
{
    const struct config_probe *probe = config_target_probe(config, target);
    return (struct identity){.kind = probe->section.kind->name,
                             .probe = config_probe_name(config, probe),
                             .instance = config_instance(config, target)};
}

static bool is_configured(const struct ledger *ledger, unsigned index, const struct config *config)
{
    for (unsigned i = 0; i < config->target_count; i++) {
        struct identity identity = target_identity(config, i);
        if (is_identity(ledger, index, &identity)) {
            return true;
        }
    }
    return false;
}

/* What goes now is gone since the last record. */
static uint64_t gone_from(const struct ledger *ledger)
{
    return ledger->totals.ordinal > 0 ? ledger->totals.ordinal : 1;
}

/* Marks who goes and who is back, before anyone is forgotten. */
static bool mark_gone(struct ledger *ledger, const struct config *config)
{
    uint64_t now = gone_from(ledger);
    bool changed = false;
    for (unsigned i = 0; i < ledger->totals.sli_count; i++) {
        struct ledger_entry *entry = &ledger->entries[i];
        bool gone = !is_configured(ledger, i, config);
        if (gone != (entry->gone_at != 0)) {
            entry->gone_at = gone ? now : 0;
            changed = true;
        }
    }
    return changed;
}

static unsigned add_identity(struct ledger *ledger, const struct identity *identity)
{
    int index;
    assert(strlen(identity->kind) < CAP_NAME_BYTES);
    while ((index = ledger_add(ledger, ledger->next_id, identity->kind, identity->probe,
                               identity->instance)) < 0) {
        bool forgotten = forget_gone_entry(ledger);
        assert(forgotten);
    }
    return (unsigned)index;
}

static void swap(struct ledger *ledger, unsigned a, unsigned b)
{
    struct ledger_entry entry = ledger->entries[a];
    struct sli sli = ledger->totals.slis[a];
    ledger->entries[a] = ledger->entries[b];
    ledger->totals.slis[a] = ledger->totals.slis[b];
    ledger->entries[b] = entry;
    ledger->totals.slis[b] = sli;
}

static bool ask_histories(struct ledger *ledger, const struct config *config, bool make)
{
    bool is_new = false;
    for (unsigned i = 0; i < config->target_count; i++) {
        const struct config_probe *probe = config_target_probe(config, i);
        for (unsigned j = 0; j < config_counted_slos(probe); j++) {
            is_new |=
                slo_book_ask(&ledger->totals.slos, ledger->entries[i].id, &probe->slos[j], make);
        }
    }
    return is_new;
}

static bool bind_histories(struct ledger *ledger, const struct config *config)
{
    slo_book_ask_none(&ledger->totals.slos, gone_from(ledger));
    (void)ask_histories(ledger, config, false);
    return ask_histories(ledger, config, true);
}

/* Entries before i are targets before i; whoever stands in the way goes where target i was. */
bool ledger_bind(struct ledger *ledger, const struct config *config)
{
    bool changed = mark_gone(ledger, config);
    for (unsigned i = 0; i < config->target_count; i++) {
        struct identity identity = target_identity(config, i);
        int found = find_identity(ledger, &identity, i);
        bool is_new = found < 0;
        swap(ledger, i, is_new ? add_identity(ledger, &identity) : (unsigned)found);
        bool bounds = sli_bind(&ledger->totals.slis[i], config_target_probe(config, i));
        changed = changed || is_new || bounds;
    }
    return bind_histories(ledger, config) || changed;
}

/* Totals. */

void ledger_apply(struct ledger *ledger, const struct record *record)
{
    struct ledger_totals *totals = &ledger->totals;
    int index = -1;
    totals->ordinal++;
    switch (record->sort) {
    case RECORD_RESULT:
        totals->results++;
        index = ledger_find(ledger, record->target);
        break;
    case RECORD_MISSED:
        index = ledger_find(ledger, record->target);
        break;
    case RECORD_COUNT:
        if (record->counter < LEDGER_COUNTERS) {
            totals->counters[record->counter] += record->count;
        }
        break;
    case RECORD_RUN:
    case RECORD_CLOCK:
        break;
    }
    if (index >= 0) {
        sli_add(&totals->slis[index], record);
    }
    slo_book_apply(&totals->slos, record);
}

static const struct slo_history *find_history(const struct ledger *ledger, unsigned target,
                                              const struct config_slo *slo)
{
    assert(target < ledger->totals.sli_count);
    return slo_book_find(&ledger->totals.slos, ledger->entries[target].id, slo);
}

struct slo_events ledger_slo_events(const struct ledger *ledger, unsigned target,
                                    const struct config_slo *slo, usec_t window_us, usec_t now_us)
{
    const struct slo_history *history = find_history(ledger, target, slo);
    int64_t now_ms = slo_clock_position(&ledger->totals.slos.clock, now_us);
    return history == NULL ? (struct slo_events){.good = 0}
                           : slo_history_sum(history, window_us, now_ms);
}

/* One moment for all of them, not before the last event of any. */
static int64_t group_now(const struct ledger *ledger, const struct config *config,
                         const struct config_group *group, const struct config_slo *slo,
                         usec_t now_us)
{
    int64_t now_ms = slo_clock_position(&ledger->totals.slos.clock, now_us);
    for (unsigned i = 0; i < config->target_count; i++) {
        const struct slo_history *history =
            config_group_has(config, group, i) ? find_history(ledger, i, slo) : NULL;
        now_ms = history != NULL && history->last_ms > now_ms ? history->last_ms : now_ms;
    }
    return now_ms;
}

struct slo_events ledger_group_events(const struct ledger *ledger, const struct config *config,
                                      const struct config_group *group,
                                      const struct config_slo *slo, usec_t window_us, usec_t now_us)
{
    struct slo_events sum = {.good = 0};
    int64_t now_ms = group_now(ledger, config, group, slo, now_us);
    for (unsigned i = 0; i < config->target_count; i++) {
        const struct slo_history *history =
            config_group_has(config, group, i) ? find_history(ledger, i, slo) : NULL;
        if (history != NULL) {
            struct slo_events events = slo_history_sum(history, window_us, now_ms);
            sum.good += events.good;
            sum.bad += events.bad;
        }
    }
    return sum;
}

void ledger_totals_subtract(struct ledger_totals *totals, const struct ledger_totals *part)
{
    for (unsigned i = 0; i < LEDGER_KEPT_FIRST; i++) {
        totals->counters[i] -= part->counters[i];
    }
    for (unsigned i = 0; i < totals->sli_count; i++) {
        sli_subtract(&totals->slis[i], &part->slis[i]);
    }
}

void ledger_add_end(struct ledger *ledger, const struct run_end *end)
{
    if (ledger->end_count == CAP_RUN_ENDS) {
        memmove(ledger->ends, ledger->ends + 1, (CAP_RUN_ENDS - 1) * sizeof ledger->ends[0]);
        ledger->end_count--;
    }
    ledger->ends[ledger->end_count++] = *end;
}

void ledger_restart(struct ledger *ledger, uint64_t epoch, const struct ledger_totals *told)
{
    ledger->epoch = epoch;
    ledger_totals_subtract(&ledger->totals, told != NULL ? told : &ledger->totals);
}

void ledger_totals_copy(struct ledger_totals *to, const struct ledger_totals *from)
{
    to->ordinal = from->ordinal;
    to->results = from->results;
    memcpy(to->counters, from->counters, sizeof to->counters);
    to->sli_count = from->sli_count;
    memcpy(to->slis, from->slis, from->sli_count * sizeof to->slis[0]);
    slo_book_copy(&to->slos, &from->slos);
}
