/* The block device of a simulated board: latencies, hangs, errors, a full or read-only file system,
 * and what a power cut leaves of writes that were not synced: each block old, new, or a mix of both
 * and garbage, sector by sector. After a SYNC has ended nothing of what was written before is ever
 * lost. A crash of the process alone costs at most the operation in flight. */
#ifndef PICKET_SIM_DISK_H
#define PICKET_SIM_DISK_H

#include "blockdev.h"
#include "prng.h"

enum { SIM_DISK_BLOCKS = 128, SIM_SECTOR_BYTES = 512 };

enum sim_disk_mode {
    SIM_DISK_WELL,
    SIM_DISK_SLOW,
    SIM_DISK_HANGS,
    SIM_DISK_ERRORS, /* one operation in three fails */
    SIM_DISK_FULL,
    SIM_DISK_READ_ONLY,
    SIM_DISK_MODES
};

struct sim_file {
    uint32_t block_count; /* 0: there is none */
    uint8_t bytes[SIM_DISK_BLOCKS][BLOCK_BYTES];
};

struct sim_disk {
    struct sim_file cached, durable, created;
    bool dirty[SIM_DISK_BLOCKS]; /* written and not yet synced */
    bool busy, is_open;
    struct block_request request;
    usec_t begun_us, ends_us;
    enum sim_disk_mode mode;
    struct prng prng;
    usec_t synced_us; /* when a SYNC last ended well, or was made by PUBLISH */
    uint64_t operations;
    /* Something failed, or hung, that may have reached the medium all the same (common/DESIGN.md:
     * what comes back then was told under another epoch, too). Cleared by who has judged it. */
    bool unacknowledged;
    bool reads_failed; /* since the process began: what it found may be less than there is */
};

struct sim;
struct blockdev sim_disk_port(struct sim *sim);
/* When the operation in flight ends. */
usec_t sim_disk_wake(const struct sim_disk *disk);
void sim_disk_set_mode(struct sim *sim, enum sim_disk_mode mode);
/* The process that used it is no more. */
void sim_disk_abandon(struct sim_disk *disk);
/* The power went. */
void sim_disk_cut(struct sim_disk *disk);

#endif
