/* Sites in one line, records for them, and comparison of ledgers. Include after cmocka.h. One
 * translation unit each; everything is static. */
#ifndef PICKET_LEDGER_FIXTURE_H
#define PICKET_LEDGER_FIXTURE_H

#include "ledger.h"
#include "prng.h"
#include "site_fixture.h"

static inline void site_add_probe(struct config *config, char *word)
{
    char *instances = strchr(word, '='), *name = strchr(word, '.');
    assert_true(instances != NULL && name != NULL);
    *instances++ = *name++ = '\0';
    char *slos = strchr(name, '/');
    if (slos != NULL) {
        *slos++ = '\0';
    }
    struct config_probe *probe =
        fixture_probe(config, strcmp(word, "web") == 0 ? &fixture_web : &fixture_bus, name);
    while (slos != NULL && *slos != '\0') {
        probe->slos[probe->slo_count++] =
            (struct config_slo){.type = SLO_LATENCY,
                                .threshold_us = strtol(slos, &slos, 10) * USEC_PER_MSEC,
                                .window_us = 30 * USEC_PER_DAY};
        slos += *slos == '/' ? 1 : 0;
    }
    while (instances != NULL) {
        char *next = strchr(instances, ',');
        if (next != NULL) {
            *next++ = '\0';
        }
        fixture_target(config, instances);
        instances = next;
    }
}

/* "web.portal/800/100=x,y bus.boiler=z": probe portal of kind web with latency objectives of 800
 * and 100 ms and targets x and y, and so on. */
static inline void site_of(struct config *config, const char *line)
{
    char copy[4096];
    assert_true(strlen(line) < sizeof copy);
    (void)snprintf(copy, sizeof copy, "%s", line);
    fixture_begin(config, "branch-0042");
    for (char *word = copy, *next; *word != '\0'; word = next) {
        next = word + strcspn(word, " ");
        next += *next == ' ' ? (*next = '\0', 1) : 0;
        site_add_probe(config, word);
    }
}

/* A result or a miss of this id. */
static inline struct record random_record(struct prng *prng, uint32_t id)
{
    struct record record = {.target = id, .reason = REASON_NONE, .phase = PHASE_NONE};
    if (prng_below(prng, 8) == 0) {
        record.sort = RECORD_MISSED;
        record.count = 1 + prng_below(prng, 1000);
        return record;
    }
    record.sort = RECORD_RESULT;
    record.outcome = (enum outcome)prng_below(prng, OUTCOME_COUNT);
    uint64_t drawn = prng_next(prng);
    record.duration_us = (usec_t)(drawn >> (40 + prng_below(prng, 24))) * RECORD_DURATION_STEP_US;
    if (record.outcome == OUTCOME_FAILURE) {
        record.reason = (enum reason)prng_below(prng, REASON_COUNT);
    }
    record.maintenance = prng_below(prng, 10) == 0;
    return record;
}

static inline void assert_same_sli(const struct sli *a, const struct sli *b)
{
    assert_memory_equal(a->results, b->results, sizeof a->results);
    assert_memory_equal(a->failures, b->failures, sizeof a->failures);
    assert_int_equal(a->missed, b->missed);
    assert_int_equal(a->maintenance, b->maintenance);
    assert_int_equal(a->duration.count, b->duration.count);
    assert_int_equal(a->duration.sum_us, b->duration.sum_us);
    assert_int_equal(a->duration.bound_count, b->duration.bound_count);
    assert_int_equal(a->duration.extra_count, b->duration.extra_count);
    for (unsigned i = 0; i < a->duration.bound_count; i++) {
        assert_int_equal(a->duration.bounds_us[i], b->duration.bounds_us[i]);
        assert_int_equal(a->duration.buckets[i], b->duration.buckets[i]);
    }
    assert_int_equal(a->duration.buckets[a->duration.bound_count],
                     b->duration.buckets[b->duration.bound_count]);
    for (unsigned i = 0; i < a->duration.extra_count; i++) {
        assert_int_equal(a->duration.extras_us[i], b->duration.extras_us[i]);
    }
}

static inline void assert_same_histories(const struct slo_book *a, const struct slo_book *b)
{
    assert_int_equal(a->count, b->count);
    assert_memory_equal(a->targets, b->targets, a->count * sizeof a->targets[0]);
    for (unsigned i = 0; i < a->count; i++) {
        const struct slo_history *p = &a->histories[i], *q = &b->histories[i];
        assert_int_equal(p->type, q->type);
        assert_int_equal(p->threshold_us, q->threshold_us);
        assert_int_equal(p->window_us, q->window_us);
        assert_int_equal(p->gone_at, q->gone_at);
        assert_int_equal(p->last_ms, q->last_ms);
        assert_memory_equal(p->buckets, q->buckets, sizeof p->buckets);
    }
    if (a->count > 0) { /* else nothing goes by that time */
        assert_int_equal(a->clock.boot, b->clock.boot);
        assert_int_equal(a->clock.position_ms, b->clock.position_ms);
        assert_int_equal(a->clock.mono_ms, b->clock.mono_ms);
        assert_int_equal(a->clock.settled, b->clock.settled);
        assert_int_equal(a->clock.has_wall, b->clock.has_wall);
        assert_int_equal(a->clock.wall_less_position_ms, b->clock.wall_less_position_ms);
    }
}

static inline void assert_same_totals(const struct ledger_totals *a, const struct ledger_totals *b)
{
    assert_int_equal(a->ordinal, b->ordinal);
    assert_int_equal(a->results, b->results);
    assert_memory_equal(a->counters, b->counters, sizeof a->counters);
    assert_int_equal(a->sli_count, b->sli_count);
    for (unsigned i = 0; i < a->sli_count; i++) {
        assert_same_sli(&a->slis[i], &b->slis[i]);
    }
    assert_same_histories(&a->slos, &b->slos);
}

static inline void assert_same_ledger(const struct ledger *a, const struct ledger *b)
{
    assert_int_equal(a->epoch, b->epoch);
    assert_int_equal(a->next_id, b->next_id);
    assert_int_equal(a->text_used, b->text_used);
    assert_same_totals(&a->totals, &b->totals);
    for (unsigned i = 0; i < a->totals.sli_count; i++) {
        const struct ledger_entry *p = &a->entries[i], *q = &b->entries[i];
        assert_int_equal(p->id, q->id);
        assert_int_equal(p->gone_at, q->gone_at);
        assert_string_equal(ledger_text(a, p->kind), ledger_text(b, q->kind));
        assert_string_equal(ledger_text(a, p->probe), ledger_text(b, q->probe));
        assert_string_equal(ledger_text(a, p->instance), ledger_text(b, q->instance));
    }
}

/* What holds in every ledger, whatever came before. */
static inline void assert_ledger_rules(const struct ledger *ledger)
{
    uint32_t text_bytes = 0;
    for (unsigned i = 0; i < ledger->totals.slos.count; i++) {
        assert_true(ledger_find(ledger, ledger->totals.slos.targets[i]) >= 0);
    }
    assert_true(ledger->totals.sli_count <= CAP_LEDGER_TARGETS);
    for (unsigned i = 0; i < ledger->totals.sli_count; i++) {
        const struct ledger_entry *entry = &ledger->entries[i];
        const struct sli *sli = &ledger->totals.slis[i];
        uint64_t failures = 0, runs = 0;
        assert_in_range(entry->id, 1, ledger->next_id - 1);
        assert_int_equal(ledger_find(ledger, entry->id), i);
        assert_int_equal(ledger_find_identity(ledger, ledger_text(ledger, entry->kind),
                                              ledger_text(ledger, entry->probe),
                                              ledger_text(ledger, entry->instance)),
                         i);
        text_bytes += (uint32_t)(strlen(ledger_text(ledger, entry->kind)) +
                                 strlen(ledger_text(ledger, entry->probe)) +
                                 strlen(ledger_text(ledger, entry->instance)) + 3);
        for (unsigned j = 0; j < REASON_COUNT; j++) {
            failures += sli->failures[j];
        }
        for (unsigned j = 0; j <= sli->duration.bound_count; j++) {
            runs += sli->duration.buckets[j];
        }
        assert_int_equal(failures, sli->results[OUTCOME_FAILURE]);
        assert_int_equal(runs, sli->results[OUTCOME_SUCCESS]);
        assert_int_equal(runs, sli->duration.count);
        assert_int_equal(sli->duration.bound_count, SLI_FIXED_BOUNDS + sli->duration.extra_count);
        for (unsigned j = 1; j < sli->duration.bound_count; j++) {
            assert_true(sli->duration.bounds_us[j - 1] < sli->duration.bounds_us[j]);
        }
    }
    assert_int_equal(ledger->text_used, text_bytes); /* no gap */
}

#endif
