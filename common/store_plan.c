/* Method: a block is self-contained, so a target's first two records in it cost more than the rest
 * (there is no rhythm yet to differ from). How many results a block holds is therefore found by
 * bisection: the cost of n results over all targets grows with n. */
#include "store_plan.h"

#include <assert.h>
#include <stdio.h>

#include "block.h"
#include "bytes.h"
#include "checkpoint.h"
#include "value.h"

#define MIB           (INT64_C(1) << 20)
#define DAYS_PER_YEAR 365.25
#define DAY_MSEC      ((double)(USEC_PER_DAY / USEC_PER_MSEC))
/* Of one record: the start differs from the rhythm by less than 64 ms; the duration differs from
 * the last one by less than 82 ms (and more than 0.6 ms); one run in twenty fails, which costs two
 * bytes. The target stands before these, one byte for ids below 64, else two. */
#define START_BYTES    1.0
#define DURATION_BYTES 2.0
#define FAILURE_BYTES  0.1
/* Of a target's first duration in a block: up to 80 ms are two bytes, up to 10 s three. */
#define FIRST_DURATION_BYTES 2.5
#define PUSH_RECORD_BYTES    4.0
#define BISECTIONS           48
/* The open block may just have been begun. */
#define SPARE_SLOTS (STORE_FREE_SLOTS + 1)
#define COMMIT_STEP (10 * USEC_PER_SEC) /* from itself on; seconds before */
#define COMMIT_MAX  USEC_PER_HOUR
#define GIGABYTE    INT64_C(1000000000)

/* Where the figures are from, and which are assumptions:
 * - emmc: cycles at the low end of MLC (kernel, ubifs.rst: 1,000 to 10,000); 4 GB the smallest part
 *   on gateways in use; 32 bytes worn for each written is the growth of small random writes that
 *   Bergmann measured on flash with large allocation units (Linaro flash survey, 2011): assumed to
 *   hold for eMMC at its worst.
 * - sd: a cheap TLC card of 500 cycles, which at worst rewrites a whole allocation unit of 4 MiB
 *   for each write (the same survey).
 * - nor, nand: 100,000 cycles (ubifs.rst); 5.5 bytes reach the device for each written when 4 KiB
 *   are rewritten and synced once a second, measured with JFFS2 and UBIFS. 2 MiB is what is left
 *   for data on a NOR chip of a small router, 32 MiB on a NAND chip.
 * - disk: magnetic, or a drive with spare flash by the hundred gigabytes. */
static const struct store_flash flashes[] = {
    [FLASH_EMMC] = {"emmc", INT64_C(4000000000), 1000, 32, 0},
    [FLASH_SD] = {"sd", INT64_C(8000000000), 500, 0, 4 * MIB},
    [FLASH_NOR] = {"nor", 2 * MIB, 100000, 5.5, 0},
    [FLASH_NAND] = {"nand", 32 * MIB, 100000, 5.5, 0},
    [FLASH_DISK] = {"disk", 0, 0, 0, 0},
};
static_assert(ARRAY_LEN(flashes) == FLASH_TYPE_COUNT, "one model for each type");

const struct store_flash *store_flash(enum flash_type type)
{
    return &flashes[type];
}

static void plan_layout(const struct config *config, struct store_plan *plan)
{
    size_t bytes = checkpoint_bound(config);
    uint32_t blocks = (uint32_t)((bytes + BLOCK_PART_BYTES - 1) / BLOCK_PART_BYTES);
    plan->checkpoint_blocks = blocks > 0 ? blocks : 1;
    plan->block_count =
        (uint32_t)(config_number(config, &config->agent, AGENT_STORE_SIZE) / BLOCK_BYTES);
    uint32_t around = 2 + 2 * plan->checkpoint_blocks;
    uint32_t least = around + BLOCK_SLOTS_MIN;
    plan->least_bytes = (int64_t)(least > BLOCK_COUNT_MIN ? least : BLOCK_COUNT_MIN) * BLOCK_BYTES;
    plan->slots = plan->block_count >= least ? plan->block_count - around : 0;
}

static double runs_per_day(const struct config *config, unsigned target)
{
    const struct config_probe *probe = config_target_probe(config, target);
    return probe->enabled ? (double)USEC_PER_DAY / (double)probe->interval_us : 0;
}

static double pushes_per_day(const struct config *config)
{
    bool pushes = config_text(config, &config->push, PUSH_URL, NULL) != NULL;
    return pushes
               ? (double)USEC_PER_DAY / (double)config_number(config, &config->push, PUSH_INTERVAL)
               : 0;
}

static double varint_bytes(uint64_t value)
{
    uint8_t bytes[BYTES_VARINT_MAX];
    return (double)bytes_put_varint(bytes, value);
}

/* What all results of a configuration have in common. */
struct load {
    const struct config *config;
    double results_per_day, pushes_per_day;
    double second_start_bytes[CAP_TARGETS]; /* of a target's second start in a block */
};

/* The start of a second result is expected after the gap of the target that was seen again last: a
 * small difference when that one has the same interval, else about a whole gap. */
static double second_start_bytes(const struct load *load, unsigned target)
{
    usec_t interval_us = config_target_probe(load->config, target)->interval_us;
    double same = 0;
    for (unsigned i = 0; i < load->config->target_count; i++) {
        if (config_target_probe(load->config, i)->interval_us == interval_us) {
            same += runs_per_day(load->config, i) / load->results_per_day;
        }
    }
    return same * START_BYTES +
           (1 - same) * varint_bytes((uint64_t)(interval_us / USEC_PER_MSEC) * 2);
}

/* At least one target must be enabled. */
static void measure_load(struct load *load, const struct config *config, double results_per_day)
{
    load->config = config;
    load->results_per_day = results_per_day;
    load->pushes_per_day = pushes_per_day(config);
    for (unsigned i = 0; i < config->target_count; i++) {
        load->second_start_bytes[i] = second_start_bytes(load, i);
    }
}

/* Of `count` records of a target in one block; `count` is a mean, so it need not be whole. The
 * first start differs from that of whatever target was before. */
static double bytes_of_target(const struct load *load, unsigned target, double count)
{
    uint64_t between_ms = (uint64_t)(DAY_MSEC / load->results_per_day);
    double head = varint_bytes(((uint64_t)target + 1) * 2) + FAILURE_BYTES;
    double first = head + varint_bytes(between_ms * 2) + FIRST_DURATION_BYTES;
    double second = head + load->second_start_bytes[target] + DURATION_BYTES;
    double steady = head + START_BYTES + DURATION_BYTES;
    if (count <= 1) {
        return count * first;
    }
    return count <= 2 ? first + (count - 1) * second : first + second + (count - 2) * steady;
}

/* Of the records of a part of a day. */
static double bytes_of_days(const struct load *load, double days)
{
    double bytes = load->pushes_per_day * days * PUSH_RECORD_BYTES;
    for (unsigned i = 0; i < load->config->target_count; i++) {
        bytes += bytes_of_target(load, i, runs_per_day(load->config, i) * days);
    }
    return bytes;
}

/* How long it takes to fill a block. */
static double days_per_block(const struct load *load)
{
    double room = BLOCK_DATA_BYTES - RECORD_MAX_BYTES;
    double low = 0, high = room / load->results_per_day; /* at a byte a result */
    for (unsigned i = 0; i < BISECTIONS; i++) {
        double middle = (low + high) / 2;
        if (bytes_of_days(load, middle) <= room) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

static double least(double a, double b)
{
    return a < b ? a : b;
}

/* A block that a commit leaves with room for less than half of what came since the last one ends
 * there. Any other fills and is written then, and the commit that was under way is over. */
static void plan_writes(const struct config *config, struct store_plan *plan, usec_t commit_us)
{
    double records = plan->results_per_day + pushes_per_day(config);
    double commits = least((double)USEC_PER_DAY / (double)commit_us, records);
    double filled = plan->results_per_day / plan->results_per_block;
    double to_fill = commits / filled, whole = (double)(uint64_t)to_fill;
    bool ends_early = whole >= 1 && to_fill - whole < 0.5;
    double ended = ends_early ? commits / whole : filled;
    double blocks = ends_early ? commits : filled * (whole + 1);
    double checkpoints = ended / least(STORE_CHECKPOINT_SEALS, plan->slots / 4);
    plan->writes_per_day = blocks + checkpoints;
    plan->bytes_per_day = (blocks + checkpoints * plan->checkpoint_blocks) * BLOCK_BYTES;
    plan->bytes_per_result = BLOCK_BYTES * ended / plan->results_per_day;
    plan->hours = (plan->slots - SPARE_SLOTS) / ended * 24;
    plan->life_years = 0;
    if (plan->flash_bytes > 0) {
        double worn = plan->flash->unit_bytes > 0
                          ? plan->writes_per_day * (double)plan->flash->unit_bytes
                          : plan->bytes_per_day * plan->flash->amplification;
        plan->life_years = (double)plan->flash_bytes * plan->flash->cycles / (worn * DAYS_PER_YEAR);
    }
}

static void plan_flash(const struct config *config, struct store_plan *plan)
{
    plan->flash = store_flash((enum flash_type)config_number(config, &config->agent, AGENT_FLASH));
    plan->flash_bytes = plan->flash->size_bytes;
    /* A profile's size is that of the profile's flash, not of another that the file names. */
    bool is_set = config_setting(config, &config->agent, AGENT_FLASH_SIZE, 0) != NULL ||
                  config_setting(config, &config->agent, AGENT_FLASH, 0) == NULL;
    int64_t bytes = is_set ? config_number(config, &config->agent, AGENT_FLASH_SIZE) : 0;
    if (bytes > 0 && plan->flash_bytes > 0) {
        plan->flash_bytes = bytes;
    }
}

void store_plan_make(const struct config *config, struct store_plan *plan)
{
    *plan = (struct store_plan){.block_count = 0};
    plan_layout(config, plan);
    plan_flash(config, plan);
    for (unsigned i = 0; i < config->target_count; i++) {
        plan->results_per_day += runs_per_day(config, i);
    }
    if (plan->results_per_day <= 0 || plan->slots == 0) {
        return;
    }
    struct load load;
    measure_load(&load, config, plan->results_per_day);
    double days = days_per_block(&load);
    plan->results_per_block = plan->results_per_day * days;
    plan_writes(config, plan, config_number(config, &config->agent, AGENT_COMMIT));
}

usec_t store_plan_commit(const struct config *config)
{
    struct store_plan plan;
    store_plan_make(config, &plan);
    if (plan.results_per_block <= 0) {
        return 0;
    }
    for (usec_t commit_us = USEC_PER_SEC; commit_us <= COMMIT_MAX;
         commit_us += commit_us < COMMIT_STEP ? USEC_PER_SEC : COMMIT_STEP) {
        plan_writes(config, &plan, commit_us);
        if (plan.life_years <= 0 || plan.life_years >= STORE_LIFE_YEARS_MIN) {
            return commit_us;
        }
    }
    return 0;
}

/* Flash is sold by the decimal gigabyte. */
static const char *print_flash_size(int64_t bytes, char *out, size_t size)
{
    if (bytes % GIGABYTE != 0) {
        return value_print_size(bytes, out, size);
    }
    (void)snprintf(out, size, "%d GB", (int)(bytes / GIGABYTE));
    return out;
}

const char *store_plan_model(const struct store_plan *plan, char *out, size_t size)
{
    const struct store_flash *flash = plan->flash;
    char capacity[VALUE_PRINT_BYTES], unit[VALUE_PRINT_BYTES];
    if (plan->flash_bytes == 0) {
        (void)snprintf(out, size, "%s, not worn", flash->name);
        return out;
    }
    (void)print_flash_size(plan->flash_bytes, capacity, sizeof capacity);
    if (flash->unit_bytes > 0) {
        (void)snprintf(out, size, "%s of %s, %.0f cycles, each write wears %s", flash->name,
                       capacity, flash->cycles,
                       value_print_size(flash->unit_bytes, unit, sizeof unit));
    } else {
        (void)snprintf(out, size, "%s of %s, %.0f cycles, wear %g times what is written",
                       flash->name, capacity, flash->cycles, flash->amplification);
    }
    return out;
}
