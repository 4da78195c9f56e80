/* The totals of a site: who is counted, and how much. What a checkpoint keeps and a push tells.
 *
 * A target is known by kind, probe name and instance; that identity has a number, its id, which
 * records use and which is never given to another identity. ledger_bind() puts the targets of a
 * configuration first, in its order, so that entry i is target i; those that are no longer
 * configured follow and keep their totals, until room is needed, the one longest gone first.
 *
 * The epoch is the identity of the series: totals of one epoch never go down. It changes when
 * totals that were told may be lost (a store that is gone, damaged behind its checkpoint, or could
 * not be written): then they begin at 0 under a new one instead of going backwards.
 *
 * Memory: about 0.5 MB of address space, touched only as far as there are targets. */
#ifndef PICKET_LEDGER_H
#define PICKET_LEDGER_H

#include "record.h"
#include "sli.h"

#define CAP_LEDGER_TARGETS    (2 * CAP_TARGETS)
#define CAP_LEDGER_TEXT_BYTES (128 * 1024)

/* Counters of the agent. The value is the code on disk: never changed, never reused. */
enum ledger_counter {
    LEDGER_PUSH_FIRST = 0, /* + enum upstream_class: attempts by answer */
    LEDGER_PUSH_END = 8,
    LEDGER_STORE_ERROR_FIRST = 8, /* + enum block_error: operations that failed */
    LEDGER_STORE_ERROR_END = 16,
    LEDGER_STORE_HUNG = 16, /* operations given up as hung */
    LEDGER_COUNTERS = 64    /* codes there is room for */
};

/* The part that grows with each record; copied whole to be staged and published. */
struct ledger_totals {
    uint64_t ordinal; /* of the last record in it */
    uint64_t results; /* ever submitted, over all epochs */
    uint64_t counters[LEDGER_COUNTERS];
    unsigned sli_count; /* of slis below */
    struct sli slis[CAP_LEDGER_TARGETS];
};

struct ledger_entry {
    uint32_t id;                    /* from 1 */
    uint32_t kind, probe, instance; /* offsets into text */
    uint64_t gone_at;               /* ordinal at which it was last configured; 0: it is */
};

struct ledger {
    uint64_t epoch;   /* never 0 in a ledger that is in use */
    uint32_t next_id; /* from 1 */
    uint32_t text_used;
    struct ledger_entry entries[CAP_LEDGER_TARGETS]; /* as many as totals.sli_count */
    struct ledger_totals totals;
    char text[CAP_LEDGER_TEXT_BYTES];
};

/* An empty ledger of this epoch. */
void ledger_init(struct ledger *ledger, uint64_t epoch);
/* Adds an identity with fixed bounds only; its index, or -1 when there is no room. For decoding. */
int ledger_add(struct ledger *ledger, uint32_t id, const char *kind, const char *probe,
               const char *instance);
/* Index of an id, or -1. */
int ledger_find(const struct ledger *ledger, uint32_t id);

/* Arranges the entries for this configuration: entry i is target i, new ones at 0, bounds of new
 * latency objectives added (what was counted below the next bound stays above the new one; bounds
 * are never taken away while there is room). Returns whether anything but the order changed: then a
 * checkpoint must be durable before records of this configuration are published. */
bool ledger_bind(struct ledger *ledger, const struct config *config);

/* Counts one record; the totals' ordinal goes up by one whatever it is. A record of an id that is
 * not known counts in `results` only. */
void ledger_apply(struct ledger *ledger, const struct record *record);

/* Every total but `ordinal` and `results` back to 0, under a new epoch. */
void ledger_restart(struct ledger *ledger, uint64_t epoch);

/* Copies only what is used. */
void ledger_totals_copy(struct ledger_totals *to, const struct ledger_totals *from);

static inline const char *ledger_text(const struct ledger *ledger, uint32_t offset)
{
    return ledger->text + offset;
}

#endif
