/* A store image, looked at and added up, for the three things `store` shows of it. */
#ifndef PICKET_STORE_VIEW_H
#define PICKET_STORE_VIEW_H

#include "store_tally.h"

struct store_view {
    const char *path; /* as the user wrote it */
    struct store_image image;
    struct store_wall wall;
    struct store_tally tally; /* for IMAGE_STORE */
};

/* Loads; a file that is being written is looked at again when it does not seem whole. Prints what
 * is wrong on stderr when it cannot be read: false. */
MUST_CHECK bool store_view_load(struct store_view *view, const char *path);
void store_view_free(struct store_view *view);

enum { STORE_FINDINGS_MAX = 24, STORE_FINDING_BYTES = 160 };
struct store_findings {
    unsigned count;
    char lines[STORE_FINDINGS_MAX][STORE_FINDING_BYTES];
};
/* What is not as it should be, one line each; none: the image is whole. */
void store_view_judge(const struct store_view *view, struct store_findings *findings);

/* store_verify.c, store_stats.c, store_dump.c: each prints, and returns an exit code. */
int store_verify_print(const struct store_view *view, bool json);
int store_stats_print(const struct store_view *view, bool json);

struct store_selection {
    const char *probe; /* NULL: all */
    int outcome;       /* negative: all */
    bool has_since, has_until;
    int64_t since_ms, until_ms; /* Unix time, both included */
};
enum store_dump_format { DUMP_TEXT, DUMP_JSON, DUMP_CSV, DUMP_PROM };
int store_dump_print(struct store_view *view, enum store_dump_format format,
                     const struct store_selection *selection);
/* store_prom.c: the totals as of the end of the log. */
void store_prom_print(const struct ledger *ledger);

/* "0123456789abcdef", how identities are shown. */
enum { STORE_IDENTITY_BYTES = 17 };
const char *store_identity(uint64_t identity, char *out);
/* The names of an entry, fit to be shown: what is no UTF-8, and control characters of all sorts,
 * which an image might hold to play tricks on a terminal, are U+FFFD. "" when index is negative. */
struct store_names {
    char kind[3 * CAP_NAME_BYTES], probe[3 * CAP_NAME_BYTES], instance[3 * CAP_INSTANCE_BYTES];
};
void store_names(struct store_names *names, const struct ledger *ledger, int index);

#endif
