/* The histories of all objectives of a site (slo.h), each known by the id of its target and by what
 * it counts: two SLOs of a target that differ in nothing but the objective share one.
 *
 * A history that is no longer asked for goes on and is kept until its room is needed, so that a
 * configuration that is taken back has lost nothing.
 *
 * Memory: about 0.7 MB of address space at the default caps, touched as far as there are SLOs. */
#ifndef PICKET_SLO_BOOK_H
#define PICKET_SLO_BOOK_H

#include "slo.h"

#define CAP_SLO_HISTORIES (2 * CAP_SLOS)

struct slo_book {
    struct slo_clock clock;
    unsigned count;
    uint32_t targets[CAP_SLO_HISTORIES]; /* ids (ledger.h); apart, so that a search is short */
    struct slo_history histories[CAP_SLO_HISTORIES];
};

void slo_book_init(struct slo_book *book);
/* Copies only what is used. */
void slo_book_copy(struct slo_book *to, const struct slo_book *from);
/* Moves time, and counts a result in all histories of its target; `unknown`
 * and runs in maintenance are no events. */
void slo_book_apply(struct slo_book *book, const struct record *record);

/* Adds an empty history at the end; NULL when there is no room. For decoding. */
struct slo_history *slo_book_add(struct slo_book *book, uint32_t target,
                                 const struct config_slo *slo);
const struct slo_history *slo_book_find(const struct slo_book *book, uint32_t target,
                                        const struct config_slo *slo);

/* Asking for histories anew, in three steps: from now on none is asked for … (`ordinal` is the
 * number of the last record, above 0) */
void slo_book_ask_none(struct slo_book *book, uint64_t ordinal);
/* … then these are; what is new begins empty, for which the one that has not been asked for longest
 * makes room. First call it for all that is there already (`make` false). Returns whether there is
 * a new one. CAP_SLOS can always be asked for. */
bool slo_book_ask(struct slo_book *book, uint32_t target, const struct config_slo *slo, bool make);

/* Gives up the one that has not been asked for longest; false when all are asked for. */
bool slo_book_forget_gone(struct slo_book *book);
/* The id is given up. */
void slo_book_forget_target(struct slo_book *book, uint32_t target);

#endif
