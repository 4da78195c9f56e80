/* Any bytes as a checkpoint: none, or a ledger that keeps every rule, and that encodes to a
 * checkpoint which decodes to the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoint.h"

static void expect(bool good)
{
    if (!good) {
        abort();
    }
}

static void expect_sli(const struct sli *sli)
{
    const struct histogram *histogram = &sli->duration;
    uint64_t failures = 0, runs = 0;
    for (unsigned i = 0; i < REASON_COUNT; i++) {
        failures += sli->failures[i];
    }
    for (unsigned i = 0; i <= histogram->bound_count; i++) {
        runs += histogram->buckets[i];
        expect(i == 0 || i == histogram->bound_count ||
               histogram->bounds_us[i - 1] < histogram->bounds_us[i]);
    }
    expect(failures == sli->results[OUTCOME_FAILURE] && runs == sli->results[OUTCOME_SUCCESS] &&
           runs == histogram->count);
    expect(histogram->bound_count == SLI_FIXED_BOUNDS + histogram->extra_count);
    expect(histogram->bounds_us[histogram->bound_count - 1] <= SLI_BOUND_MAX_US);
}

static void expect_rules(const struct ledger *ledger)
{
    expect(ledger->epoch != 0 && ledger->totals.sli_count <= CAP_LEDGER_TARGETS);
    for (unsigned i = 0; i < ledger->totals.sli_count; i++) {
        const struct ledger_entry *entry = &ledger->entries[i];
        expect(entry->id > 0 && entry->id < ledger->next_id);
        expect(ledger_find(ledger, entry->id) == (int)i);
        expect(ledger_find_identity(ledger, ledger_text(ledger, entry->kind),
                                    ledger_text(ledger, entry->probe),
                                    ledger_text(ledger, entry->instance)) == (int)i);
        expect(config_is_name(ledger_text(ledger, entry->kind)));
        expect(config_is_instance(ledger_text(ledger, entry->instance)));
        expect_sli(&ledger->totals.slis[i]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct ledger first, second;
    static uint8_t once[1 << 20], twice[1 << 20];
    static const struct config nothing;
    struct checkpoint checkpoint, again;
    if (!checkpoint_decode(data, size, &checkpoint, &first)) {
        return 0;
    }
    expect_rules(&first);
    size_t used = checkpoint_encode(&checkpoint, &first, &first.totals, once, sizeof once);
    expect(used <= size); /* less when there were items that are not known */
    expect(checkpoint_decode(once, used, &again, &second));
    expect(checkpoint_encode(&again, &second, &second.totals, twice, sizeof twice) == used);
    expect(memcmp(once, twice, used) == 0);
    (void)ledger_bind(&first, &nothing);
    while (ledger_forget_gone(&first)) {
        expect_rules(&first);
    }
    expect(first.totals.sli_count == 0 && first.text_used == 0);
    return 0;
}
