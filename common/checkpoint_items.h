/* What writer (checkpoint.c) and reader (checkpoint_read.c) share; nobody else includes it. */
#ifndef PICKET_CHECKPOINT_ITEMS_H
#define PICKET_CHECKPOINT_ITEMS_H

#include "bytes.h"
#include "checkpoint.h"

#define CHECKPOINT_FORMAT     1
#define CHECKPOINT_CLEAN      1 /* the only flag */
#define CHECKPOINT_HEAD_BYTES 96

/* Types on disk; they never change. Those not known are passed over. */
enum checkpoint_item {
    CHECKPOINT_END = 0,
    CHECKPOINT_COUNTER = 1,
    CHECKPOINT_TARGET = 2,
    CHECKPOINT_RUN_END = 3,
};

/* The longest target item: three texts with their lengths, codes of reasons, and varints for id,
 * gone_at, two counts of what follows, missed, sum, outcomes, reasons, bounds and buckets. */
#define CHECKPOINT_TARGET_BYTES                                                                    \
    (2 * CAP_NAME_BYTES + CAP_INSTANCE_BYTES + 3 * BYTES_VARINT_MAX + REASON_COUNT +               \
     BYTES_VARINT_MAX *                                                                            \
         (6 + OUTCOME_COUNT + REASON_COUNT + SLI_EXTRA_BOUNDS + SLI_BOUNDS_MAX + 1))

/* An end of a run: four codes, and varints for target, duration and time. */
#define CHECKPOINT_RUN_END_BYTES (4 + 3 * BYTES_VARINT_MAX)

#endif
