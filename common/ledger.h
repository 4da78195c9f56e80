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
 * Beside the totals it remembers how the last runs of the agent ended.
 *
 * Memory: about 1.5 MB of address space, touched only as far as there are targets and SLOs. */
#ifndef PICKET_LEDGER_H
#define PICKET_LEDGER_H

#include "cause.h"
#include "record.h"
#include "sli.h"
#include "slo_book.h"

#define CAP_LEDGER_TARGETS (2 * CAP_TARGETS)
/* Room for the longest texts of all that can be configured; as a rule, for many more. */
#define CAP_LEDGER_TEXT_BYTES (CAP_TARGETS * (CAP_INSTANCE_BYTES + 2 * CAP_NAME_BYTES))
/* Decoded ids stay below; what is left above are more identities than an agent can ever meet. */
#define LEDGER_ID_END (UINT32_MAX / 2)

/* Counters of the agent. The value is the code on disk: never changed, never reused. */
enum ledger_counter {
    LEDGER_PUSH_FIRST = 0, /* + enum upstream_class: attempts by answer */
    LEDGER_PUSH_END = 8,
    LEDGER_STORE_ERROR_FIRST = 8, /* + enum block_error: operations that failed */
    LEDGER_STORE_ERROR_END = 16,
    LEDGER_STORE_HUNG = 16, /* operations given up as hung */
    /* What the store knows of itself (store_numbers), followed by the agent so that it is committed
     * before it is told, like the rest. */
    LEDGER_STORE_WRITTEN = 17, /* blocks */
    LEDGER_DROPPED_WRAP = 18,  /* results */
    LEDGER_DROPPED_MEMORY = 19,
    LEDGER_DROPPED_DAMAGED = 20,
    LEDGER_RESTART_FIRST = 21, /* + enum cause: runs that came after an end of this cause */
    LEDGER_RESTART_END = 37,
    LEDGER_CARE_FIRST = 37, /* + enum care (agent.h): what the agent did about its own parts */
    LEDGER_CARE_END = 42,
    LEDGER_ROLLBACK_FIRST = 42, /* + enum rollout_reason: the file's configuration was left */
    LEDGER_ROLLBACK_END = 45,
    LEDGER_ACTION_FIRST = 45, /* + enum site_action_result */
    LEDGER_ACTION_END = 48,
    /* No series: what has to be remembered whatever becomes of the epoch. */
    LEDGER_KEPT_FIRST = 48,
    LEDGER_SERVICE_MINUTES = 48, /* the agent has run, over all boots */
    LEDGER_RESETS = 49,          /* a budget: see agent_care_parts.h */
    LEDGER_ACTIONS = 52,         /* likewise */
    LEDGER_COUNTERS = 64         /* codes there is room for */
};

/* The part that grows with each record; copied whole to be staged and published. */
struct ledger_totals {
    uint64_t ordinal; /* of the last record in it */
    uint64_t results; /* ever submitted, over all epochs */
    uint64_t counters[LEDGER_COUNTERS];
    unsigned sli_count; /* of slis below */
    struct sli slis[CAP_LEDGER_TARGETS];
    struct slo_book slos; /* of the entries' ids */
};

struct ledger_entry {
    uint32_t id;                    /* from 1 */
    uint32_t kind, probe, instance; /* offsets into text; the three stand one behind the other */
    uint64_t gone_at;               /* ordinal at which it was last configured; 0: it is */
};

struct ledger {
    uint64_t epoch;   /* never 0 in a ledger that is in use */
    uint32_t next_id; /* from 1 */
    uint32_t text_used;
    unsigned end_count;
    struct run_end ends[CAP_RUN_ENDS];               /* of the runs before, the newest last */
    struct ledger_entry entries[CAP_LEDGER_TARGETS]; /* as many as totals.sli_count */
    struct ledger_totals totals;
    char text[CAP_LEDGER_TEXT_BYTES];
};

/* An empty ledger of this epoch. */
void ledger_init(struct ledger *ledger, uint64_t epoch);
/* Adds an identity at the end, configured, with fixed bounds only; its index, or -1 when there is
 * no room. Neither id nor identity may be there. For decoding. */
int ledger_add(struct ledger *ledger, uint32_t id, const char *kind, const char *probe,
               const char *instance);
/* Index of an id or an identity, or -1. */
int ledger_find(const struct ledger *ledger, uint32_t id);
int ledger_find_identity(const struct ledger *ledger, const char *kind, const char *probe,
                         const char *instance);

/* Arranges the entries for this configuration: entry i is target i, new ones at 0, bounds of new
 * latency objectives added (sli.h says what becomes of counts and old bounds). Where room is
 * needed, those gone longest are forgotten; all that is configured always has room. Returns whether
 * anything but the order changed: then a checkpoint must be durable before records of this
 * configuration are published. */
bool ledger_bind(struct ledger *ledger, const struct config *config);

/* Gives up what has been gone longest: a history of an objective, or when there is none, an entry
 * with its totals; false when nothing is gone. For whoever has less room than the ledger: a
 * checkpoint that does not fit. */
bool ledger_forget_gone(struct ledger *ledger);

/* Counts one record; the totals' ordinal goes up by one whatever it is. A record of an id that is
 * not known counts in `results` only. */
void ledger_apply(struct ledger *ledger, const struct record *record);

/* The events of an SLO of target i, as bound, within one of its windows (slo.h). */
struct slo_events ledger_slo_events(const struct ledger *ledger, unsigned target,
                                    const struct config_slo *slo, usec_t window_us, usec_t now_us);

/* Likewise of an SLO of a group: the sum over its targets, all up to the same moment. */
struct slo_events ledger_group_events(const struct ledger *ledger, const struct config *config,
                                      const struct config_group *group,
                                      const struct config_slo *slo, usec_t window_us,
                                      usec_t now_us);

/* One more run has ended; the oldest end is forgotten when there is no room. */
void ledger_add_end(struct ledger *ledger, const struct run_end *end);

/* A new epoch: every total but `ordinal`, `results`, the counters from LEDGER_KEPT_FIRST on and the
 * histories of objectives goes back to what `told`, an earlier copy of these totals, does not hold
 * yet; without one to 0. */
void ledger_restart(struct ledger *ledger, uint64_t epoch, const struct ledger_totals *told);

/* Takes away what a part of the same totals (or they themselves) has counted; `ordinal`, `results`,
 * the counters that are kept and the histories stay. */
void ledger_totals_subtract(struct ledger_totals *totals, const struct ledger_totals *part);

/* Copies only what is used. */
void ledger_totals_copy(struct ledger_totals *to, const struct ledger_totals *from);

static inline const char *ledger_text(const struct ledger *ledger, uint32_t offset)
{
    return ledger->text + offset;
}

#endif
