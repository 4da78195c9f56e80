/* What must hold at every step of a simulated world, judged by the world's own account and never by
 * the agent's word. Each check has a name; the first that does not hold ends the run.
 *
 * The promises of SPEC section 5: a run ends at most 250 ms past its timeout; every scheduled start
 * is a run or counted as missed; totals are exact over crashes, short of at most `commit` after a
 * power cut, and never go back; a life that ended is back, and why it went is told as it was.
 *
 * The ladder (recovery.h): nobody is ended who works, and who hangs is, in time; SIGKILL comes
 * after SIGABRT; the watchdog is fed only when every armed row is fresh, and started only once the
 * record allows it; resets stay within their budget; safe mode comes and lets groups back in one by
 * one; a dead uplink restarts nothing but what may be a bad configuration.
 *
 * Rollouts (rollout.h): a silent configuration is left in time, and one that pushes is not; nothing
 * bad is kept; there is no going round and round.
 *
 * At the end, liveness: with all faults healed, all is well within bounded time. */
#ifndef PICKET_SIM_CHECK_H
#define PICKET_SIM_CHECK_H

#include "recovery.h"
#include "sim_net.h"
#include "store.h"
#include "watchdog.h"

enum { SIM_ENDS = 64, SIM_RESETS = 256 };

/* How an end came that no supervisor saw. */
enum sim_truth {
    SIM_TRUTH_NONE, /* there was none */
    SIM_TRUTH_SUPERVISOR,
    SIM_TRUTH_POWER,
    SIM_TRUTH_WATCHDOG,
};

struct sim_row {
    uint32_t progress, limit_ms;
    usec_t changed_us, seen_us; /* by the supervisor, in a turn */
    bool news;
};

struct sim_check {
    /* Rows, and the turns of the supervisor. */
    struct sim_row rows[VITAL_COUNT];
    usec_t turn_us, gap_us; /* of the last turn, and from the one before to it */
    usec_t stalled_us;      /* until then the loop was blocked, or all of us stood still */
    usec_t thawed_us;       /* all of us stood still until then */
    unsigned stale;         /* row, VITAL_COUNT: none */
    unsigned leak_turns;
    enum recovery_life life_before; /* the turn */
    usec_t aborted_us, stop_us;     /* of the life there is; 0: not */
    usec_t born_us;

    /* The ladder. */
    enum recovery_phase phase;
    usec_t phase_us, admitted_us, suspended_us, start_after_us, delay_us;
    usec_t ends_us[SIM_ENDS]; /* that nobody asked for, within the window */
    unsigned end_count, failed_exits;
    uint32_t mask, suspended;
    int newest;
    bool reset_noted;   /* the last life before a reset ended in order */
    bool found_running; /* the watchdog, when the supervisor began */

    /* Rollouts (sim_check_rollout.c), of the supervisor there is. */
    bool mended;      /* somebody has said so to the life there is */
    uint32_t text;    /* on trial … */
    usec_t told_us;   /* … since then; USEC_NEVER: it begins with the next life */
    bool heard;       /* a push of it was accepted */
    unsigned tries;   /* how often it was left for its silence */
    uint32_t refused; /* a text that could not start; 0: none */
    usec_t silent_us; /* how long it has run, if it is silent */
    bool good_failed; /* pushes of the good one failed … */
    bool good_heard;  /* … and one was accepted since */
    uint32_t rollbacks[ROLLOUT_REASONS]; /* seen of the mandate */
    uint64_t rollbacks_known[ROLLOUT_REASONS], rollbacks_seen[ROLLOUT_REASONS];
    uint64_t rolled_back; /* for the report */

    /* What the store has to know. */
    bool has_snapshot;
    unsigned truths;     /* bit per enum sim_truth: of the last end the store can know of */
    bool tail_lost;      /* since the snapshot */
    bool in_order;       /* the last life may have stopped in order, as far as the store knows */
    bool asked_reset;    /* … to be reset */
    bool boot_touched;   /* a life of this boot may be in the store … */
    bool boot_on_record; /* … and is … */
    bool life_on_record; /* … and so is the one there is */
    uint64_t epoch;
    uint64_t results[SIM_TARGETS][OUTCOME_COUNT];
    usec_t durable_us; /* since when the store is; USEC_NEVER: it is not */
    enum store_state snapshot_state;
    bool snapshot_other; /* the file that was there then was another store's */
    usec_t snapshot_us, snapshot_durable_us;
    uint64_t lost[SIM_TARGETS]; /* to power cuts */
    bool lost_unknown;          /* as many as the store was in memory for */
    bool may_tell_twice;        /* the limit common/DESIGN.md tells of was met */
    /* Of this life. */
    bool epoch_changed;
    uint64_t life_epoch;
    uint64_t base[SIM_TARGETS][OUTCOME_COUNT], base_missed[SIM_TARGETS];
    uint64_t restarts[CAUSE_COUNT], ends[CAUSE_COUNT]; /* counted by the agent; seen by us */
    bool restarts_known;
    enum store_state store_state;

    /* Budgets, in time of service. */
    usec_t service_us, service_at_us;
    usec_t resets_us[SIM_RESETS];
    unsigned reset_count;
    bool reset_uncharged; /* the last one may not be on record yet */
    usec_t actions_us[SIM_RESETS];
    unsigned action_count;
    uint64_t actions_taken;
    unsigned actions_recorded; /* of these are on the device, or no more than that is sure */
    uint64_t action_ordinal;   /* the record of the last one */
    usec_t acted_us;           /* in time of the world; 0: never */

    /* For the report. */
    uint64_t lives, hangs, crashes, resets, cuts, safe_modes, suspensions, actions, epochs, stays;
};

struct sim;

/* Of the agent (sim_check_agent.c). */
void sim_check_start(struct sim *sim, unsigned target, usec_t now_us, usec_t deadline_us);
void sim_check_collect(struct sim *sim, unsigned target);
/* A body was received. */
void sim_check_told(struct sim *sim);
/* After each of its turns. */
void sim_check_agent(struct sim *sim);
/* It has come to know its totals. */
void sim_check_life_runs(struct sim *sim);
/* The process is about to be no more. */
void sim_check_life_ends(struct sim *sim);
void sim_check_blocked(struct sim *sim, usec_t until_us);
void sim_check_thaw(struct sim *sim);

/* Of what it takes down with it (sim_check_board.c). */
void sim_check_board_ends(struct sim *sim, bool watchdog);
void sim_check_service_ends(struct sim *sim);
void sim_check_supervisor_begins(struct sim *sim);
void sim_check_supervisor_ends(struct sim *sim);
void sim_check_arm(struct sim *sim);
void sim_check_feed(struct sim *sim);

/* Of the ladder (sim_check_ladder.c). */
void sim_check_born(struct sim *sim);
void sim_check_not_born(struct sim *sim);
/* Somebody mended the file. */
void sim_check_begins_anew(struct sim *sim);
void sim_check_before_turn(struct sim *sim);
void sim_check_orders(struct sim *sim, const struct recovery_orders *orders);
void sim_check_after_turn(struct sim *sim);
/* recovery_gone() has said why a life ended. */
void sim_check_end(struct sim *sim, const struct run_end *why);

/* Of rollouts (sim_check_rollout.c). */
/* A life has said what it runs. */
void sim_check_told_text(struct sim *sim, uint32_t text);
/* Somebody has said that the file was mended. */
void sim_check_mended(struct sim *sim);
/* A push was answered. */
void sim_check_pushed(struct sim *sim, bool accepted);
/* A life could not start with its configuration. */
void sim_check_refused(struct sim *sim);
/* The next one begins. */
void sim_check_text_begins(struct sim *sim);
/* A configuration is about to be kept. */
void sim_check_keeps(struct sim *sim);
void sim_check_rollout_begins(struct sim *sim);
/* After each turn of the supervisor. */
void sim_check_rollout(struct sim *sim);

/* Liveness (sim_well.c): what is not yet well, NULL when all is. */
const char *sim_check_unwell(const struct sim *sim);
/* The agent found a store that is not the one it began with, and waits to be restarted (store.h).
 */
bool sim_check_needs_restart(const struct sim *sim);
/* How long that may take from the moment faults heal. */
usec_t sim_check_well_limit(const struct sim *sim);
/* All is well: the receiver knows exactly what was measured, but for what power cuts cost. */
void sim_check_totals(struct sim *sim);

/* Rows are looked at after everything that may change them. */
void sim_check_rows(struct sim *sim);

#endif
