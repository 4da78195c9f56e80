/* Between the files of the ladder; nobody else includes this. recovery.c has lives and the turn,
 * recovery_look.c the signs of life, recovery_phase.c safe mode, recovery_watchdog.c the feeding.
 */
#ifndef PICKET_RECOVERY_PARTS_H
#define PICKET_RECOVERY_PARTS_H

#include "recovery.h"

#define RECOVERY_ALL_GROUPS ((1u << VITALS_GROUPS) - 1)

/* recovery_look.c: true when every armed row is fresh. Dooms the life when not, or when it leaks.
 */
bool recovery_look(struct recovery *recovery, const struct recovery_usage *usage, usec_t now_us,
                   struct recovery_orders *orders);

/* The first of each turn: time in which nothing of this ran was not the life's to use. */
void recovery_forgive_absence(struct recovery *recovery, usec_t now_us);

/* recovery_phase.c */

/* What the life and the status page see of all this. */
void recovery_tell_mandate(struct recovery *recovery);
/* A life ended that should not have. */
void recovery_judge_restart(struct recovery *recovery, usec_t now_us);
/* A new configuration is a new beginning. */
void recovery_begin_anew(struct recovery *recovery, usec_t now_us);
/* The last life before a reset has ended: in order, with the reset on record, or not. */
void recovery_note_reset(struct recovery *recovery, bool noted, usec_t now_us);
void recovery_step_phase(struct recovery *recovery, usec_t now_us);
/* Orders to keep the configuration once it has proved itself. */
void recovery_keep_good(struct recovery *recovery, usec_t now_us, struct recovery_orders *orders);

/* recovery_watchdog.c: `fresh` is what recovery_look() found in this turn. */
void recovery_step_watchdog(struct recovery *recovery, bool fresh, usec_t now_us,
                            struct recovery_orders *orders);

#endif
