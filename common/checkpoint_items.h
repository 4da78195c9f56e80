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
    CHECKPOINT_SLO_CLOCK = 4,
    CHECKPOINT_SLO = 5,
    CHECKPOINT_MAINTENANCE = 6,
};

/* Flags of the axis of objectives. */
#define CHECKPOINT_SLO_SETTLED  1
#define CHECKPOINT_SLO_HAS_WALL 2

/* Codes of enum slo_type on disk. */
enum { CHECKPOINT_SLO_AVAILABILITY = 1, CHECKPOINT_SLO_LATENCY = 2 };
#endif
