/* Which configuration the lives of an agent run: the file's, or the last known good one. Pure; a
 * part of the ladder (recovery.h), which feeds it and carries out what it says.
 *
 * Good is a configuration that ran well for `safe_time` with all of its probes and, when it or the
 * one before has a [push], had a push accepted. Until then it is on trial, be it new by SIGHUP, by
 * a start, or because the file was changed without a word. One on trial is left for the good one
 * - when it cannot start: its file has errors, or what it names cannot be opened;
 * - when its ends lead to safe mode;
 * - when it got no push accepted for `rollback`, counted from its first life, while the good one is
 *   known to push. One accepted push is enough for good: what comes later is no fault of the
 *   configuration. One without a [push] is silent too, or a file that was cut short would go
 *   unseen; whoever means it writes `rollback = 0s`.
 *
 * The uplink. A dead one looks like a silent configuration, until the good one is silent as well.
 * So: when pushes fail under the good one before the first is accepted, it was the uplink (or the
 * receiver), and with that first accepted push the file's configuration is tried again. When none
 * failed, it was the configuration, and the matter is settled. ROLLOUT_TRIES in all, so that an
 * uplink that comes and goes does not turn the agent round and round. An uplink that comes back in
 * the seconds between the two is taken for the configuration's fault; `status` says which runs.
 *
 * Whatever was decided ends when somebody mends the file and says so (SIGHUP), when the text on
 * trial changes, and with the parent: a restart tries the file anew.
 *
 * Thread rule: one thread. Memory: some 100 bytes. */
#ifndef PICKET_ROLLOUT_H
#define PICKET_ROLLOUT_H

#include "base.h"
#include "logger.h"

/* How often one text is tried before its silence counts for good. */
#define ROLLOUT_TRIES 3

/* Why the file's configuration was left. Label values; their place in the ledger follows from the
 * order. */
enum rollout_reason {
    ROLLOUT_START,   /* it could not start */
    ROLLOUT_SILENCE, /* no push of it was accepted */
    ROLLOUT_CRASHES, /* its ends led to safe mode */
    ROLLOUT_REASONS
};

/* What a life says of the configuration it runs. */
struct rollout_runs {
    uint32_t text;     /* stands for what the file says: another text, another number */
    bool same;         /* as the last known good one says */
    bool keepable;     /* it is not too large to be kept */
    bool pushes;       /* it has a [push] */
    usec_t silence_us; /* `rollback`; 0: silence is no reason */
};

/* Pushes of the life there is. */
struct rollout_pushes {
    uint32_t accepted, failed; /* failed: before the first that was accepted */
};

struct rollout {
    const struct logger *logger;
    bool known, known_pushes;         /* there is a good one; pushes of it were accepted */
    bool used;                        /* lives to come run it instead of the file's */
    bool life_good;                   /* the life there is was begun so */
    bool told;                        /* it has said what it runs … */
    struct rollout_runs runs;         /* … or the one before */
    bool heard;                       /* a push of the file's configuration was accepted */
    usec_t since_us;                  /* of its first life; USEC_NEVER: it had none yet */
    bool announced;                   /* that it is on trial */
    unsigned tries;                   /* of its silence */
    bool failed_too;                  /* pushes failed under the good one as well */
    bool settled;                     /* they did not: it stays */
    enum rollout_reason reason;       /* while `used` */
    uint32_t counts[ROLLOUT_REASONS]; /* how often the file's was left, since the beginning */
};

/* `logger` is borrowed. Nothing is known to be good. */
void rollout_init(struct rollout *rollout, const struct logger *logger);
/* One is kept from before; `pushes`: it has a [push]. */
void rollout_found(struct rollout *rollout, bool pushes);

/* A life begins, with the good one when `used` says so. */
void rollout_born(struct rollout *rollout);
/* It has said what it runs. */
void rollout_told(struct rollout *rollout, const struct rollout_runs *runs, usec_t now_us);
/* Whether the life there is runs the good one, whoever it has it from. */
bool rollout_runs_good(const struct rollout *rollout);
/* The file's configuration cannot start. */
void rollout_refused(struct rollout *rollout);
/* Lives ended until safe mode. */
void rollout_crashed(struct rollout *rollout);
/* Somebody mended the file and said so. */
void rollout_mended(struct rollout *rollout);
/* Of the life there is, or the last one. True: it has to end, for one of the other configuration.
 */
bool rollout_step(struct rollout *rollout, const struct rollout_pushes *pushes, usec_t now_us);
/* Time in which nobody ran is not silence. */
void rollout_forgive(struct rollout *rollout, usec_t absent_us);

/* Whether what runs may become the good one, as far as pushes tell. */
bool rollout_may_keep(const struct rollout *rollout);
/* It did. */
void rollout_kept(struct rollout *rollout);

/* "start", "silence", "crashes" */
const char *rollout_reason_name(enum rollout_reason reason);
/* "cannot start", …: what is the matter with the file's configuration, for people. */
const char *rollout_reason_text(enum rollout_reason reason);

#endif
