#include "slo_book.h"

#include <assert.h>
#include <string.h>

void slo_book_init(struct slo_book *book)
{
    book->clock = (struct slo_clock){.boot = 0};
    book->count = 0;
}

void slo_book_copy(struct slo_book *to, const struct slo_book *from)
{
    to->clock = from->clock;
    to->count = from->count;
    memcpy(to->targets, from->targets, from->count * sizeof to->targets[0]);
    memcpy(to->histories, from->histories, from->count * sizeof to->histories[0]);
}

static void count_event(struct slo_book *book, const struct record *record)
{
    int64_t at_ms = slo_clock_position(&book->clock, record->at_us);
    for (unsigned i = 0; i < book->count; i++) {
        if (book->targets[i] == record->target) {
            struct slo_history *history = &book->histories[i];
            slo_history_add(history, at_ms, slo_is_good(history, record));
        }
    }
}

void slo_book_apply(struct slo_book *book, const struct record *record)
{
    slo_clock_follow(&book->clock, record);
    if (record->sort == RECORD_RESULT && record->outcome != OUTCOME_UNKNOWN &&
        !record->maintenance) {
        count_event(book, record);
    }
}

static int find(const struct slo_book *book, uint32_t target, const struct config_slo *slo)
{
    for (unsigned i = 0; i < book->count; i++) {
        if (book->targets[i] == target && slo_history_is_of(&book->histories[i], slo)) {
            return (int)i;
        }
    }
    return -1;
}

const struct slo_history *slo_book_find(const struct slo_book *book, uint32_t target,
                                        const struct config_slo *slo)
{
    int found = find(book, target, slo);
    return found < 0 ? NULL : &book->histories[found];
}

struct slo_history *slo_book_add(struct slo_book *book, uint32_t target,
                                 const struct config_slo *slo)
{
    if (book->count == CAP_SLO_HISTORIES) {
        return NULL;
    }
    struct slo_history *history = &book->histories[book->count];
    book->targets[book->count++] = target;
    slo_history_init(history, slo);
    return history;
}

static void forget(struct slo_book *book, unsigned index)
{
    unsigned last = --book->count;
    book->targets[index] = book->targets[last];
    book->histories[index] = book->histories[last];
}

bool slo_book_forget_gone(struct slo_book *book)
{
    int oldest = -1;
    for (unsigned i = 0; i < book->count; i++) {
        uint64_t gone_at = book->histories[i].gone_at;
        if (gone_at != 0 && (oldest < 0 || gone_at < book->histories[oldest].gone_at)) {
            oldest = (int)i;
        }
    }
    if (oldest < 0) {
        return false;
    }
    forget(book, (unsigned)oldest);
    return true;
}

void slo_book_forget_target(struct slo_book *book, uint32_t target)
{
    for (unsigned i = book->count; i-- > 0;) {
        if (book->targets[i] == target) {
            forget(book, i);
        }
    }
}

void slo_book_ask_none(struct slo_book *book, uint64_t ordinal)
{
    assert(ordinal > 0);
    for (unsigned i = 0; i < book->count; i++) {
        if (book->histories[i].gone_at == 0) {
            book->histories[i].gone_at = ordinal;
        }
    }
}

bool slo_book_ask(struct slo_book *book, uint32_t target, const struct config_slo *slo, bool make)
{
    int found = find(book, target, slo);
    if (found >= 0) {
        book->histories[found].gone_at = 0;
        return false;
    }
    if (!make) {
        return false;
    }
    while (slo_book_add(book, target, slo) == NULL) {
        bool forgotten = slo_book_forget_gone(book);
        assert(forgotten);
    }
    return true;
}
