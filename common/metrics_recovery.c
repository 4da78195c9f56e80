/* The series of self-recovery, rows of the table in metrics_table.c. */
#include "metrics_walk.h"

void metrics_restarts(struct walk *walk)
{
    for (unsigned i = CAUSE_NONE + 1; i < CAUSE_COUNT; i++) {
        walk_sample_labelled(walk, "cause", cause_name((enum cause)i),
                             (double)walk->agent->counters[LEDGER_RESTART_FIRST + i]);
    }
}

/* Labels that do not apply are empty, which is the same as absent to whoever stores them. */
void metrics_last_restart(struct walk *walk)
{
    const struct recovery_series *recovery = &walk->agent->recovery;
    const struct run_end *before = &recovery->before;
    char signal[CAUSE_SIGNAL_BYTES];
    if (before->cause == CAUSE_NONE) {
        return;
    }
    walk_label_push(walk, "cause", cause_name(before->cause));
    walk_label_push(walk, "task", before->task != VITAL_NONE ? vital_name(before->task) : "");
    walk_label_push(walk, "signal", cause_signal_name(before->signal, signal));
    walk_sample_labelled(walk, "probe", recovery->before_probe, 1);
    walk_label_pop(walk);
    walk_label_pop(walk);
    walk_label_pop(walk);
}

void metrics_recovery_phase(struct walk *walk)
{
    for (unsigned i = 0; i < RECOVERY_PHASE_COUNT; i++) {
        walk_sample_labelled(walk, "phase", recovery_phase_name((enum recovery_phase)i),
                             walk->agent->recovery.phase == (enum recovery_phase)i ? 1 : 0);
    }
}

void metrics_recovery_barred(struct walk *walk)
{
    walk_sample(walk, walk->agent->recovery.barred_targets);
}

void metrics_recovery_actions(struct walk *walk)
{
    for (unsigned i = 0; i < CARE_COUNT; i++) {
        walk_sample_labelled(walk, "action", care_name((enum care)i),
                             (double)walk->agent->counters[LEDGER_CARE_FIRST + i]);
    }
}

void metrics_config_file_in_use(struct walk *walk)
{
    walk_sample(walk, walk->agent->recovery.good_config ? 0 : 1);
}

void metrics_config_rollbacks(struct walk *walk)
{
    for (unsigned i = 0; i < ROLLOUT_REASONS; i++) {
        walk_sample_labelled(walk, "reason", rollout_reason_name((enum rollout_reason)i),
                             (double)walk->agent->counters[LEDGER_ROLLBACK_FIRST + i]);
    }
}

void metrics_site_actions(struct walk *walk)
{
    if (!walk->agent->recovery.acts) {
        return;
    }
    for (unsigned i = 0; i < SITE_ACTION_RESULTS; i++) {
        walk_sample_labelled(walk, "result", site_action_result_name((enum site_action_result)i),
                             (double)walk->agent->counters[LEDGER_ACTION_FIRST + i]);
    }
}

void metrics_watchdog_armed(struct walk *walk)
{
    walk_sample(walk, walk->agent->recovery.armed ? 1 : 0);
}

void metrics_watchdog_timeout(struct walk *walk)
{
    if (walk->agent->recovery.armed && walk->agent->recovery.granted_us > 0) {
        walk_sample(walk, (double)walk->agent->recovery.granted_us / (double)USEC_PER_SEC);
    }
}

void metrics_watchdog_resets_left(struct walk *walk)
{
    if (walk->agent->recovery.may_reset) {
        walk_sample(walk, (double)walk->agent->recovery.resets_left);
    }
}
