/* The parts of the status page behind status_render() (status.h), for whoever shows one of them. */
#ifndef PICKET_STATUS_RENDER_H
#define PICKET_STATUS_RENDER_H

#include "agent.h"
#include "status_table.h"

/* The width lines are kept to where the content allows it. */
enum { STATUS_PAGE_COLUMNS = 120 };

void status_json(const struct agent *agent, usec_t now_us, struct buffer *out);

/* Parts of the text: site, push, store and summary; one line a target; one line an SLO, nothing
 * when there is none. */
void status_head(const struct agent *agent, usec_t now_us, bool colour, struct buffer *out);
void status_targets(const struct agent *agent, usec_t now_us, bool colour, struct buffer *out);
void status_slos(const struct agent *agent, bool colour, struct buffer *out);
/* An SLO of a target or, behind all those, of a group. Begin zeroed and go to the next until there
 * is none. */
struct status_slo {
    const struct config_group *group; /* NULL: of a target */
    unsigned section, index;          /* the target, or the targets and the group; which of its */
    const struct config_slo *slo;
    const char *probe, *instance; /* as in its series; a group has no probe */
    char name[METRICS_SLO_NAME_BYTES];
};
bool status_next_slo(const struct agent *agent, struct status_slo *slo);
/* Its events within one of its windows, and those of all time. */
struct slo_events status_slo_events(const struct agent *agent, const struct status_slo *slo,
                                    usec_t window_us);
struct slo_events status_slo_totals(const struct agent *agent, const struct status_slo *slo);

/* The same tables, row by row. The instance is cut at so many columns (status_table.h); the reason
 * ("timeout in connect", or what was last wrong with a target that is well now) stands in `reason`,
 * TABLE_CELL_BYTES long, which is returned. */
enum { STATUS_TARGET_COLUMNS = 11, STATUS_SLO_COLUMNS = 11 };
extern const struct column status_target_columns[STATUS_TARGET_COLUMNS];
void status_target_row(const struct agent *agent, unsigned target, usec_t now_us,
                       unsigned instance_columns, struct row *row);
const char *status_target_reason(char *reason, const struct agent *agent, unsigned target,
                                 usec_t now_us);
extern const struct column status_slo_columns[STATUS_SLO_COLUMNS];
/* Calls `visit` for each SLO; `below`: its window's events do not meet the objective. */
void status_slo_rows(const struct agent *agent,
                     void (*visit)(void *context, const struct row *row, bool below),
                     void *context);

/* Lines and JSON member of the store. */
void status_store(const struct agent *agent, usec_t now_us, bool colour, struct buffer *out);
void status_store_json(const struct agent *agent, usec_t now_us, struct buffer *out);
/* One is configured, there was time to make it, and totals are in memory alone all the same. */
bool status_store_in_trouble(const struct agent *agent);

/* Line and JSON member of recovery: how the run before ended, safe mode, the watchdog. */
void status_recovery(const struct agent *agent, usec_t now_us, bool colour, struct buffer *out);
void status_recovery_json(const struct agent *agent, struct buffer *out);
/* An object: how one run ended. */
void status_end_json(struct buffer *out, const struct ledger *ledger, const struct run_end *end);
/* Not all that is configured may run, or not as it is configured. */
bool status_recovery_in_trouble(const struct agent *agent);

/* How a target stands, in words that read without colour. */
enum status_state {
    STATUS_OK,
    STATUS_FAIL,
    STATUS_UNKNOWN,
    STATUS_MAINTENANCE, /* its last run was no success, and nobody minds */
    STATUS_WAITING,     /* for its first result */
    STATUS_OFF,         /* enabled = off */
    STATUS_STATE_COUNT
};
enum status_state status_state(const struct agent *agent, unsigned target);
const char *status_word(enum status_state state);
const char *status_colour(enum status_state state); /* an escape sequence */

/* Good events in parts per million, rounded down, so that it never looks better than it is: all
 * 1 000 000 only when there was no bad one. -1 without events. */
int64_t status_good_ppm(uint64_t good, uint64_t bad);

/* Text that is printable ASCII already, made sure of ("?"), at most `count` bytes of it. */
void status_append_printable(struct buffer *out, const char *text, size_t count);

#endif
