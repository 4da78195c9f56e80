#include "vitals.h"

#include <assert.h>

void vitals_begin(struct vitals *vitals, usec_t limit_us)
{
    for (unsigned i = 0; i < VITAL_COUNT; i++) {
        vital_rest(vitals, i);
        vital_hold(vitals, i, -1);
    }
    vitals_set(&vitals->row_end, 0);
    vitals_set(&vitals->running, 0);
    vitals_set(&vitals->resets, RESETS_UNDECIDED);
    vitals_set(&vitals->leave_cause, 0);
    vitals_set(&vitals->workers_replaced, 0);
    vitals_set(&vitals->pushes_accepted, 0);
    vitals_set(&vitals->pushes_failed, 0);
    vital_arm(vitals, VITAL_START, limit_us);
}

void vital_arm(struct vitals *vitals, unsigned row, usec_t limit_us)
{
    assert(row < VITAL_COUNT && limit_us > 0);
    usec_t limit_ms = (limit_us + USEC_PER_MSEC - 1) / USEC_PER_MSEC;
    vital_progress(vitals, row);
    vitals_set(&vitals->rows[row].limit_ms,
               limit_ms > UINT32_MAX ? UINT32_MAX : (uint32_t)limit_ms);
    /* Workers arm theirs beside the loop: the end only ever grows. */
    uint32_t end = atomic_load(&vitals->row_end);
    while (end <= row && !atomic_compare_exchange_weak(&vitals->row_end, &end, row + 1)) {
    }
}

void vital_rest(struct vitals *vitals, unsigned row)
{
    assert(row < VITAL_COUNT);
    vitals_set(&vitals->rows[row].limit_ms, 0);
}

const char *vital_name(unsigned row)
{
    static const char *const names[] = {"start", "loop", "schedule", "runs",
                                        "store", "push", "worker"};
    return row < ARRAY_LEN(names) ? names[row] : "none";
}
