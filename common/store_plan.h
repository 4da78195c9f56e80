/* What a store will be like: its layout, how long a log it holds, how much it writes, how long the
 * flash below it lasts. Worked out from the configuration alone, before anything runs.
 *
 * The layout is exact and is what the store is made with. The rest is an estimate from the rates
 * that are configured and from what records cost (record.h) in the usual case: probes that succeed,
 * durations that vary by a few milliseconds. Pure; no state. */
#ifndef PICKET_STORE_PLAN_H
#define PICKET_STORE_PLAN_H

#include "config.h"
#include "record.h"

/* A checkpoint is written when this many blocks, or a quarter of the slots, were filled since the
 * last. */
#define STORE_CHECKPOINT_SEALS 32
/* Slots a commit leaves free: one for the next, one in case that turns out bad. */
#define STORE_FREE_SLOTS 2
/* Flash that would be worn out sooner is a mistake, unless it is accepted. */
#define STORE_LIFE_YEARS_MIN 5

/* In the order of the choices of `flash`. */
enum flash_type { FLASH_EMMC, FLASH_SD, FLASH_NOR, FLASH_NAND, FLASH_DISK, FLASH_TYPE_COUNT };

/* How a kind of storage wears. life = size * cycles / bytes worn a day, where one write wears
 * `unit_bytes` when that is set, and else `amplification` times what was written. */
struct store_flash {
    const char *name;
    int64_t size_bytes; /* when flash_size does not say; 0: does not wear */
    double cycles;
    double amplification;
    int64_t unit_bytes;
};
const struct store_flash *store_flash(enum flash_type type);

struct store_plan {
    /* Of the file: super | checkpoint | checkpoint | slots | copy of super. */
    uint32_t block_count, checkpoint_blocks;
    uint32_t slots;      /* 0: there are fewer than BLOCK_SLOTS_MIN */
    int64_t least_bytes; /* the smallest store_size for these targets */

    double results_per_day;   /* of enabled probes */
    double results_per_block; /* 0: nothing runs */
    double bytes_per_result;  /* of the file, headers included */
    double hours; /* of results the log holds at least, once it is full; 0: nothing runs */

    double writes_per_day; /* commits and checkpoints; each ends with a sync */
    double bytes_per_day;

    const struct store_flash *flash;
    int64_t flash_bytes;
    double life_years; /* 0: does not wear */
};

/* For a configuration with `store` set or not; `slots` 0 leaves hours, writes and life at 0. */
void store_plan_make(const struct config *config, struct store_plan *plan);
/* The shortest commit, in round seconds, with which the flash lasts STORE_LIFE_YEARS_MIN; 0: none
 * would do. */
usec_t store_plan_commit(const struct config *config);
/* The model of wear in words: "sd of 8 GB, 500 cycles, each write wears 4M"; returns `out`. */
const char *store_plan_model(const struct store_plan *plan, char *out, size_t size);

#endif
