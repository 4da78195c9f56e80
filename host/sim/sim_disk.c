#include "sim_disk.h"

#include <string.h>

#include "sim.h"

static void draw_latency(struct sim *sim)
{
    struct sim_disk *disk = &sim->disk;
    usec_t most_us = 20 * USEC_PER_MSEC;
    if (disk->mode == SIM_DISK_SLOW) {
        most_us = 3 * USEC_PER_SEC;
    } else if (prng_below(&disk->prng, 200) == 0) {
        most_us = USEC_PER_SEC;
    }
    usec_t takes_us = 50 + (usec_t)prng_below(&disk->prng, (uint64_t)most_us);
    if (disk->request.op == BLOCK_CREATE) {
        takes_us += disk->request.count * (usec_t)prng_below(&disk->prng, 40000);
    }
    disk->unacknowledged = disk->unacknowledged || disk->mode == SIM_DISK_HANGS;
    disk->begun_us = sim->now_us;
    disk->ends_us = disk->mode == SIM_DISK_HANGS ? USEC_NEVER : sim->now_us + takes_us;
}

static bool submit(void *context, const struct block_request *request)
{
    struct sim *sim = context;
    struct sim_disk *disk = &sim->disk;
    sim_process_may_crash(sim);
    if (disk->busy) {
        return false;
    }
    disk->busy = true;
    disk->request = *request;
    disk->operations++;
    draw_latency(sim);
    sim_trace(sim, SIM_DISK_OP, request->op, request->first, NULL);
    return true;
}

/* Serving. */

static struct sim_file *write_file(struct sim_disk *disk)
{
    return disk->created.block_count > 0 ? &disk->created : &disk->cached;
}

static bool in_range(const struct sim_file *file, const struct block_request *request)
{
    return request->count > 0 && request->first < file->block_count &&
           request->count <= file->block_count - request->first;
}

static void copy_file(struct sim_file *to, const struct sim_file *from)
{
    to->block_count = from->block_count;
    memcpy(to->bytes, from->bytes, (size_t)from->block_count * BLOCK_BYTES);
}

static void put_blocks(struct sim_disk *disk, uint32_t count)
{
    struct sim_file *file = write_file(disk);
    const uint8_t *bytes = disk->request.bytes;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t block = disk->request.first + i;
        memcpy(file->bytes[block], bytes + (size_t)i * BLOCK_BYTES, BLOCK_BYTES);
        if (file == &disk->cached) {
            disk->dirty[block] = true;
        }
    }
}

static void settle(struct sim *sim)
{
    struct sim_disk *disk = &sim->disk;
    disk->durable.block_count = disk->cached.block_count;
    for (uint32_t i = 0; i < disk->cached.block_count; i++) {
        if (disk->dirty[i]) {
            memcpy(disk->durable.bytes[i], disk->cached.bytes[i], BLOCK_BYTES);
            disk->dirty[i] = false;
        }
    }
    disk->synced_us = sim->now_us;
}

static void publish(struct sim_disk *disk)
{
    copy_file(&disk->cached, &disk->created);
    copy_file(&disk->durable, &disk->created);
    memset(disk->dirty, 0, sizeof disk->dirty);
    disk->created.block_count = 0;
    disk->is_open = true;
}

static enum block_error serve_open(struct sim *sim, struct block_reply *reply)
{
    struct sim_disk *disk = &sim->disk;
    disk->created.block_count = 0;
    disk->is_open = disk->cached.block_count > 0;
    if (disk->is_open) {
        settle(sim);
    }
    reply->block_count = disk->cached.block_count;
    return disk->is_open ? BLOCK_OK : BLOCK_MISSING;
}

static enum block_error serve(struct sim *sim, struct block_reply *reply)
{
    struct sim_disk *disk = &sim->disk;
    const struct block_request *request = &disk->request;
    switch (request->op) {
    case BLOCK_OPEN:
        return serve_open(sim, reply);
    case BLOCK_CREATE:
        if (request->count > SIM_DISK_BLOCKS) {
            return BLOCK_NO_SPACE;
        }
        disk->created.block_count = request->count;
        memset(disk->created.bytes, 0, (size_t)request->count * BLOCK_BYTES);
        return BLOCK_OK;
    case BLOCK_READ:
        if (!disk->is_open || !in_range(&disk->cached, request)) {
            return BLOCK_MISSING;
        }
        memcpy(request->bytes, disk->cached.bytes[request->first],
               (size_t)request->count * BLOCK_BYTES);
        return BLOCK_OK;
    case BLOCK_WRITE:
        if (!in_range(write_file(disk), request)) {
            return BLOCK_MISSING;
        }
        put_blocks(disk, request->count);
        return BLOCK_OK;
    case BLOCK_SYNC:
        if (disk->created.block_count == 0) {
            settle(sim);
        }
        return BLOCK_OK;
    case BLOCK_PUBLISH:
        if (disk->created.block_count == 0) {
            return BLOCK_MISSING;
        }
        publish(disk);
        disk->synced_us = sim->now_us;
        return BLOCK_OK;
    }
    return BLOCK_IO;
}

/* Failing. */

static enum block_error error_of(struct sim_disk *disk)
{
    enum block_op op = disk->request.op;
    bool writes = op == BLOCK_WRITE || op == BLOCK_CREATE || op == BLOCK_PUBLISH;
    switch (disk->mode) {
    case SIM_DISK_ERRORS:
        return prng_below(&disk->prng, op == BLOCK_READ ? 20 : 3) == 0 ? BLOCK_IO : BLOCK_OK;
    case SIM_DISK_FULL:
        return writes ? BLOCK_NO_SPACE : BLOCK_OK;
    case SIM_DISK_READ_ONLY:
        return writes || op == BLOCK_OPEN || op == BLOCK_SYNC ? BLOCK_READ_ONLY : BLOCK_OK;
    default:
        return BLOCK_OK;
    }
}

/* What a failed operation leaves: half a write, or pages that count as clean and never reach the
 * medium (facts/recovery-and-store.md section 2.2). */
static void fail(struct sim_disk *disk)
{
    disk->unacknowledged = true;
    switch (disk->request.op) {
    case BLOCK_WRITE:
        if (in_range(write_file(disk), &disk->request)) {
            put_blocks(disk, (uint32_t)prng_below(&disk->prng, disk->request.count + 1));
        }
        break;
    case BLOCK_SYNC:
        if (prng_below(&disk->prng, 2) == 0) {
            memset(disk->dirty, 0, sizeof disk->dirty);
        }
        break;
    case BLOCK_OPEN:
    case BLOCK_PUBLISH:
        disk->is_open = false;
        disk->created.block_count = 0;
        break;
    default:
        break;
    }
}

static bool collect(void *context, struct block_reply *reply)
{
    struct sim *sim = context;
    struct sim_disk *disk = &sim->disk;
    if (!disk->busy || disk->ends_us > sim->now_us) {
        return false;
    }
    sim_process_may_crash(sim);
    disk->busy = false;
    *reply =
        (struct block_reply){.error = error_of(disk), .duration_us = sim->now_us - disk->begun_us};
    if (reply->error == BLOCK_OK) {
        reply->error = serve(sim, reply);
    } else {
        fail(disk);
        disk->reads_failed = disk->reads_failed || disk->request.op == BLOCK_READ;
    }
    if (reply->error != BLOCK_OK) {
        memcpy(reply->note, "simulated", sizeof "simulated");
        sim_trace(sim, SIM_DISK_OP, disk->request.op, -(int64_t)reply->error, NULL);
    }
    return true;
}

struct blockdev sim_disk_port(struct sim *sim)
{
    return (struct blockdev){sim, submit, collect};
}

usec_t sim_disk_wake(const struct sim_disk *disk)
{
    return disk->busy ? disk->ends_us : USEC_NEVER;
}

void sim_disk_set_mode(struct sim *sim, enum sim_disk_mode mode)
{
    struct sim_disk *disk = &sim->disk;
    bool hung = disk->mode == SIM_DISK_HANGS;
    disk->mode = mode;
    if (disk->busy && mode == SIM_DISK_HANGS) {
        disk->unacknowledged = true;
        disk->ends_us = USEC_NEVER;
    } else if (disk->busy && hung) {
        disk->ends_us = sim->now_us + 1 + (usec_t)prng_below(&disk->prng, 100000);
    }
}

void sim_disk_abandon(struct sim_disk *disk)
{
    bool happened = prng_below(&disk->prng, 2) == 0;
    if (disk->busy && happened && disk->request.op == BLOCK_WRITE &&
        in_range(write_file(disk), &disk->request)) {
        put_blocks(disk, disk->request.count);
    } else if (disk->busy && happened && disk->request.op == BLOCK_PUBLISH &&
               disk->created.block_count > 0) {
        publish(disk);
    }
    disk->busy = false;
    disk->is_open = false;
    disk->reads_failed = false;
    disk->created.block_count = 0;
}

static void tear(struct sim_disk *disk, uint32_t block)
{
    for (size_t at = 0; at < BLOCK_BYTES; at += SIM_SECTOR_BYTES) {
        uint64_t fate = prng_below(&disk->prng, 5);
        if (fate < 2) {
            memcpy(disk->durable.bytes[block] + at, disk->cached.bytes[block] + at,
                   SIM_SECTOR_BYTES);
        } else if (fate == 2) {
            memset(disk->durable.bytes[block] + at, (int)prng_below(&disk->prng, 256),
                   SIM_SECTOR_BYTES);
        }
    }
}

void sim_disk_cut(struct sim_disk *disk)
{
    sim_disk_abandon(disk);
    for (uint32_t i = 0; i < disk->cached.block_count; i++) {
        uint64_t fate = disk->dirty[i] ? prng_below(&disk->prng, 3) : 0;
        if (fate == 1) {
            memcpy(disk->durable.bytes[i], disk->cached.bytes[i], BLOCK_BYTES);
        } else if (fate == 2) {
            tear(disk, i);
        }
        disk->dirty[i] = false;
    }
    copy_file(&disk->cached, &disk->durable);
}
