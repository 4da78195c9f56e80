/* What the store should hold: every record ever submitted, kept plainly, and totals made from them
 * by counting. Shares no arithmetic with the ledger, the records or the checkpoint.
 *
 * A tally is what the outside can see of totals. It is by identity of the harness, not by entry of
 * the ledger, so order and ids do not matter. */
#ifndef PICKET_CRASH_MODEL_H
#define PICKET_CRASH_MODEL_H

#include "ledger.h"

enum {
    MODEL_TARGETS = 10,                 /* identities over all configurations */
    MODEL_BELOW = SLI_FIXED_BOUNDS + 1, /* the fixed bounds and the identity's own */
    MODEL_RECORDS_MAX = 60000,
    MODEL_SNAPSHOT_RECORDS = 256,
    MODEL_OF_STORE = 255, /* sort of a record the store made itself */
};

struct model_identity {
    const char *kind, *probe, *instance;
    usec_t objective_us; /* latency bound it has from its first record on; 0: none */
};
extern const struct model_identity model_identities[MODEL_TARGETS];

struct tally_target {
    uint64_t results[OUTCOME_COUNT];
    uint64_t failures[REASON_COUNT];
    uint64_t missed, count, sum_us;
    uint64_t below[MODEL_BELOW]; /* successes not longer than the bound */
};
struct tally {
    struct tally_target targets[MODEL_TARGETS];
    uint64_t counters[LEDGER_COUNTERS];
};
#define TALLY_VALUES (sizeof(struct tally) / sizeof(uint64_t))

/* to += / -= amount. */
void tally_add(struct tally *to, const struct tally *amount);
void tally_subtract(struct tally *to, const struct tally *amount);
/* Index of the first value of a that is not equal to (not at most) b's, or -1. */
int tally_differs(const struct tally *a, const struct tally *b);
int tally_exceeds(const struct tally *a, const struct tally *b);
/* What value `index` is, for people. Borrowed until the next call. */
const char *tally_value_name(int index);

struct model_record {
    uint8_t sort; /* enum record_sort */
    uint8_t target, outcome, reason, phase, counter;
    uint64_t value; /* duration as stored, or count */
    int64_t at_ms;  /* start; CLOCK: the offset */
};

/* The records 1 … ordinal, and what followed from them. */
struct model {
    uint64_t ordinal;
    uint64_t results[MODEL_RECORDS_MAX / MODEL_SNAPSHOT_RECORDS + 1];
    struct model_record records[MODEL_RECORDS_MAX + 1]; /* [0] is none */
    struct tally snapshots[MODEL_RECORDS_MAX / MODEL_SNAPSHOT_RECORDS + 1];
};

void model_init(struct model *model);
/* False: no room for another one. */
MUST_CHECK bool model_append(struct model *model, const struct model_record *record);
/* Forgets all behind `ordinal`. */
void model_truncate(struct model *model, uint64_t ordinal);
/* Totals of the first `ordinal` records, and how many of them are results. */
uint64_t model_prefix(const struct model *model, uint64_t ordinal, struct tally *tally);
/* Counts one record. */
void model_count(struct tally *tally, const struct model_record *record);
/* The first `ordinal` records. */
void model_copy(struct model *to, const struct model *from, uint64_t ordinal);

/* Index of an identity of a ledger's entry, or -1. */
int model_find(const struct ledger *ledger, const struct ledger_entry *entry);
/* A ledger's totals as a tally. The identity's own bound is taken from `expected` where the ledger
 * does not have it. -1 when all is well, else the index of an entry nobody has configured. */
int model_read(const struct ledger *ledger, const struct ledger_totals *totals,
               const struct tally *expected, struct tally *tally);

#endif
