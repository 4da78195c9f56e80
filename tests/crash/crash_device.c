#include "crash_device.h"

#include <string.h>

static const char *const fault_names[] = {
    [FAULT_NONE] = "none",
    [FAULT_MISSING] = "missing",
    [FAULT_NO_SPACE] = "no-space",
    [FAULT_IO] = "io",
    [FAULT_READ_ONLY] = "read-only",
    [FAULT_DENIED] = "denied",
    [FAULT_IN_USE] = "in-use",
    [FAULT_SHORT] = "short-write",
    [FAULT_SYNC_LOST] = "sync-lost",
    [FAULT_SYNC_STALE] = "sync-stale",
    [FAULT_LATE] = "late",
    [FAULT_NEVER] = "never",
    [FAULT_AWAY] = "away",
    [FAULT_FULL] = "full",
    [FAULT_BIT_FLIP] = "bit-flip",
    [FAULT_MISDIRECTED] = "misdirected",
    [FAULT_STALE_READ] = "stale-read",
};
_Static_assert(ARRAY_LEN(fault_names) == FAULT_COUNT, "one name for each fault");
_Static_assert((int)FAULT_MISSING == (int)BLOCK_MISSING && (int)FAULT_IN_USE == (int)BLOCK_IN_USE,
               "faults that are errors have their numbers");

const char *crash_fault_name(enum crash_fault fault)
{
    return fault < FAULT_COUNT ? fault_names[fault] : "invalid";
}

uint64_t crash_mix(uint64_t a, uint64_t b, uint64_t c)
{
    struct prng prng = {.state = a};
    prng.state = prng_next(&prng) ^ b;
    prng.state = prng_next(&prng) ^ c;
    return prng_next(&prng);
}

/* The files. */

static struct crash_file *file_at(struct crash_device *device, unsigned file)
{
    return file == 0 ? &device->file : &device->created;
}

static void copy_blocks(uint8_t (*to)[BLOCK_BYTES], const uint8_t (*from)[BLOCK_BYTES],
                        uint32_t count)
{
    memcpy(to, from, (size_t)count * BLOCK_BYTES);
}

static void file_make(struct crash_file *file, uint32_t block_count)
{
    file->exists = true;
    file->block_count = block_count;
    memset(file->live, 0, (size_t)block_count * BLOCK_BYTES);
    memset(file->durable, 0, (size_t)block_count * BLOCK_BYTES);
    memset(file->before, 0, (size_t)block_count * BLOCK_BYTES);
}

/* Drops what is pending for one file. */
static void pending_drop(struct crash_device *device, unsigned file)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < device->pending_count; i++) {
        if (device->pending[i].file != file) {
            if (kept != i) {
                device->pending[kept] = device->pending[i];
            }
            kept++;
        }
    }
    device->pending_count = kept;
}

/* Makes what is pending for one file durable. */
static void pending_settle(struct crash_device *device, unsigned file)
{
    struct crash_file *target = file_at(device, file);
    for (unsigned i = 0; i < device->pending_count; i++) {
        const struct crash_pending *write = &device->pending[i];
        if (write->file == file) {
            memcpy(target->durable[write->block], write->bytes, BLOCK_BYTES);
        }
    }
    pending_drop(device, file);
}

static void misuse(struct crash_device *device, const char *how)
{
    if (device->misuse == NULL) {
        device->misuse = how;
    }
}

/* One block changes in the live view, and is pending. */
static void put_block(struct crash_device *device, unsigned file, uint32_t block,
                      const uint8_t *bytes, size_t size)
{
    struct crash_file *target = file_at(device, file);
    if (device->pending_count == CRASH_PENDING_MAX) {
        misuse(device, "more blocks are written without a sync than the harness keeps");
        return;
    }
    if (device->remembers) {
        memcpy(target->before[block], target->live[block], BLOCK_BYTES);
    }
    memcpy(target->live[block], bytes, size);
    struct crash_pending *write = &device->pending[device->pending_count++];
    write->file = (uint8_t)file;
    write->block = block;
    write->op = device->ops;
    memcpy(write->bytes, target->live[block], BLOCK_BYTES);
}

/* Operations. What a WRITE does is pending from its begin; all else happens at its end. */

static unsigned write_file(const struct crash_device *device)
{
    return device->created.exists ? 1 : 0;
}

static bool in_range(const struct crash_file *file, const struct block_request *request)
{
    return file->exists && request->count > 0 && request->first < file->block_count &&
           request->count <= file->block_count - request->first;
}

static void begin_write(struct crash_device *device, enum crash_fault fault)
{
    const struct block_request *request = &device->request;
    unsigned file = write_file(device);
    const uint8_t *bytes = request->bytes;
    if (!in_range(file_at(device, file), request) || (file == 0 && !device->is_open)) {
        misuse(device, "WRITE to blocks that are not there");
        return;
    }
    size_t left = (size_t)request->count * BLOCK_BYTES;
    if (fault == FAULT_SHORT) {
        left /= 2;
    }
    uint32_t shift = fault == FAULT_MISDIRECTED ? 1 : 0;
    for (uint32_t i = 0; left > 0; i++) {
        size_t size = left < BLOCK_BYTES ? left : BLOCK_BYTES;
        uint32_t block = (request->first + i + shift) % file_at(device, file)->block_count;
        put_block(device, file, block, bytes + (size_t)i * BLOCK_BYTES, size);
        left -= size;
    }
}

static void end_read(struct crash_device *device, bool stale, bool flip)
{
    const struct block_request *request = &device->request;
    const struct crash_file *file = &device->file;
    if (!device->is_open || !in_range(file, request)) {
        misuse(device, "READ of blocks that are not there");
        return;
    }
    uint8_t *bytes = request->bytes;
    size_t size = (size_t)request->count * BLOCK_BYTES;
    memcpy(bytes, stale ? file->before[request->first] : file->live[request->first], size);
    if (flip) {
        uint64_t bit = prng_below(&device->prng, size * 8);
        bytes[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
}

static void end_open(struct crash_device *device)
{
    pending_drop(device, 1);
    device->created.exists = false;
    device->is_open = device->file.exists;
    if (!device->file.exists) {
        device->error = BLOCK_MISSING;
    }
}

static void end_create(struct crash_device *device)
{
    if (device->request.count == 0 || device->request.count > CRASH_BLOCKS_MAX) {
        misuse(device, "CREATE of a size the harness does not have");
        return;
    }
    pending_drop(device, 1);
    file_make(&device->created, device->request.count);
}

static void end_publish(struct crash_device *device)
{
    if (!device->created.exists) {
        misuse(device, "PUBLISH of nothing");
        return;
    }
    pending_settle(device, 1);
    pending_drop(device, 0);
    device->file = device->created;
    device->created.exists = false;
    device->is_open = true;
}

/* A sync that fails may leave pages that count as clean. */
static void end_sync_lost(struct crash_device *device, bool stale)
{
    unsigned file = write_file(device);
    struct crash_file *target = file_at(device, file);
    pending_drop(device, file);
    if (stale) {
        copy_blocks(target->live, (const uint8_t(*)[BLOCK_BYTES])target->durable,
                    target->block_count);
    }
}

static void end_well(struct crash_device *device, enum crash_fault lie)
{
    switch (device->request.op) {
    case BLOCK_OPEN:
        end_open(device);
        break;
    case BLOCK_CREATE:
        end_create(device);
        break;
    case BLOCK_READ:
        end_read(device, lie == FAULT_STALE_READ, lie == FAULT_BIT_FLIP);
        break;
    case BLOCK_WRITE:
        break;
    case BLOCK_SYNC:
        pending_settle(device, write_file(device));
        break;
    case BLOCK_PUBLISH:
        end_publish(device);
        break;
    }
}

/* Faults. */

/* A file that is there is never missing: who says so makes the store replace it. */
static bool fault_applies(enum crash_fault fault, enum block_op op, bool file_exists)
{
    switch (fault) {
    case FAULT_MISSING:
        return op != BLOCK_OPEN || !file_exists;
    case FAULT_SHORT:
    case FAULT_MISDIRECTED:
        return op == BLOCK_WRITE;
    case FAULT_SYNC_LOST:
    case FAULT_SYNC_STALE:
        return op == BLOCK_SYNC;
    case FAULT_BIT_FLIP:
    case FAULT_STALE_READ:
        return op == BLOCK_READ;
    case FAULT_FULL:
        return op == BLOCK_WRITE || op == BLOCK_CREATE || op == BLOCK_SYNC;
    default:
        return true;
    }
}

static enum crash_fault fault_of_op(struct crash_device *device)
{
    bool lasts = device->fault == FAULT_AWAY || device->fault == FAULT_FULL;
    bool now = lasts ? device->ops >= device->fault_op : device->ops == device->fault_op;
    if (device->fault == FAULT_NONE || device->healed || !now ||
        !fault_applies(device->fault, device->request.op, device->file.exists)) {
        return FAULT_NONE;
    }
    device->fault_struck = true;
    return device->fault;
}

static enum block_error fault_error(enum crash_fault fault)
{
    switch (fault) {
    case FAULT_MISSING:
    case FAULT_NO_SPACE:
    case FAULT_IO:
    case FAULT_READ_ONLY:
    case FAULT_DENIED:
    case FAULT_IN_USE:
        return (enum block_error)fault;
    case FAULT_FULL:
        return BLOCK_NO_SPACE;
    case FAULT_SHORT:
    case FAULT_SYNC_LOST:
    case FAULT_SYNC_STALE:
    case FAULT_AWAY:
        return BLOCK_IO;
    default:
        return BLOCK_OK;
    }
}

/* The port. */

static enum crash_fault fault_in_flight(const struct crash_device *device)
{
    return device->fault_struck && device->ops == device->fault_op ? device->fault : FAULT_NONE;
}

static bool device_submit(void *context, const struct block_request *request)
{
    struct crash_device *device = context;
    if (device->busy) {
        return false;
    }
    if (device->hook != NULL) {
        device->hook(device->hook_context, false);
    }
    device->busy = true;
    device->request = *request;
    device->ops++;
    enum crash_fault fault = fault_of_op(device);
    device->error = fault_error(fault);
    device->polls_left =
        device->delay_min + (unsigned)prng_below(&device->prng, device->delay_max + 1);
    if (request->op == BLOCK_WRITE) {
        device->writes++;
        if (device->error == BLOCK_OK || fault == FAULT_SHORT) {
            begin_write(device, fault);
        }
    }
    device->changes +=
        request->op == BLOCK_WRITE || request->op == BLOCK_CREATE || request->op == BLOCK_PUBLISH
            ? 1
            : 0;
    return true;
}

static bool device_collect(void *context, struct block_reply *reply)
{
    struct crash_device *device = context;
    enum crash_fault fault = fault_in_flight(device);
    if (!device->busy) {
        return false;
    }
    if ((fault == FAULT_LATE || fault == FAULT_NEVER) && !device->healed) {
        return false;
    }
    if (device->polls_left > 0) {
        device->polls_left--;
        return false;
    }
    if (device->hook != NULL) {
        device->hook(device->hook_context, true);
    }
    device->busy = false;
    if (fault == FAULT_SYNC_LOST || fault == FAULT_SYNC_STALE) {
        end_sync_lost(device, fault == FAULT_SYNC_STALE);
    } else if (device->error == BLOCK_OK) {
        end_well(device, fault);
    } else if (device->request.op == BLOCK_OPEN) {
        device->is_open = false;
        device->created.exists = false;
        pending_drop(device, 1);
    }
    *reply = (struct block_reply){.error = device->error, .duration_us = 1000};
    if (device->request.op == BLOCK_OPEN && device->error == BLOCK_OK) {
        reply->block_count = device->file.block_count;
    }
    if (device->error != BLOCK_OK) {
        memcpy(reply->note, "injected", sizeof "injected");
    }
    return true;
}

void crash_device_init(struct crash_device *device, uint64_t seed)
{
    device->file.exists = false;
    device->created.exists = false;
    device->is_open = device->remembers = device->busy = false;
    device->pending_count = 0;
    device->prng.state = seed;
    device->delay_min = device->delay_max = 0;
    device->ops = device->writes = device->changes = device->fault_op = 0;
    device->fault = FAULT_NONE;
    device->fault_struck = device->healed = false;
    device->hook = NULL;
    device->hook_context = NULL;
    device->misuse = NULL;
}

struct blockdev crash_device_port(struct crash_device *device)
{
    return (struct blockdev){.context = device, .submit = device_submit, .collect = device_collect};
}

void crash_device_heal(struct crash_device *device)
{
    device->healed = true;
}

bool crash_device_unsettled(const struct crash_device *device)
{
    return device->pending_count > 0 || (device->busy && device->request.op == BLOCK_PUBLISH);
}

/* After a crash. */

static void garbage_sector(uint8_t *sector, struct prng *prng)
{
    uint64_t sort = prng_below(prng, 4);
    for (unsigned i = 0; i < CRASH_SECTOR_BYTES; i++) {
        sector[i] = sort == 0 ? 0 : sort == 1 ? 0xff : (uint8_t)(prng_next(prng) >> 56);
    }
}

enum sector_fate { SECTOR_OLD, SECTOR_NEW, SECTOR_GARBAGE };

/* What becomes of sector `sector` of the `nth` block of the last operation or of one before. */
static enum sector_fate sector_fate(unsigned cut, bool last, unsigned sector, unsigned sectors,
                                    bool chosen, struct prng *prng)
{
    if (cut == CUT_NONE || cut == CUT_ALL) {
        return cut == CUT_ALL ? SECTOR_NEW : SECTOR_OLD;
    }
    if (cut < CUT_SUFFIX) {
        unsigned edge = sectors * (cut - CUT_PREFIX) / 8;
        return !last || sector < edge ? SECTOR_NEW : SECTOR_OLD;
    }
    if (cut < CUT_GARBAGE) {
        unsigned edge = sectors * (cut - CUT_SUFFIX) / 8;
        return last && sector >= edge ? SECTOR_NEW : SECTOR_OLD;
    }
    if (cut < CUT_MIX) {
        return chosen && sector % CRASH_SECTORS == cut - CUT_GARBAGE ? SECTOR_GARBAGE : SECTOR_NEW;
    }
    static const enum sector_fate fates[] = {SECTOR_OLD, SECTOR_OLD, SECTOR_NEW, SECTOR_NEW,
                                             SECTOR_GARBAGE};
    return fates[prng_below(prng, ARRAY_LEN(fates))];
}

static void cut_pending(struct crash_device *to, const struct crash_device *from, unsigned cut,
                        struct prng *prng)
{
    unsigned count = 0, last_blocks = 0, nth_of_last = 0;
    uint64_t last_op = 0;
    for (unsigned i = 0; i < from->pending_count; i++) {
        if (from->pending[i].file == 0) {
            last_blocks = from->pending[i].op == last_op ? last_blocks + 1 : 1;
            last_op = from->pending[i].op;
            count++;
        }
    }
    uint64_t chosen = prng_below(prng, count), nth = 0;
    for (unsigned i = 0; i < from->pending_count; i++) {
        const struct crash_pending *write = &from->pending[i];
        if (write->file != 0) {
            continue;
        }
        bool last = write->op == last_op;
        for (unsigned s = 0; s < CRASH_SECTORS; s++) {
            uint8_t *sector = to->file.durable[write->block] + s * CRASH_SECTOR_BYTES;
            enum sector_fate fate =
                sector_fate(cut, last, (last ? nth_of_last * CRASH_SECTORS : 0) + s,
                            last_blocks * CRASH_SECTORS, nth == chosen, prng);
            if (fate == SECTOR_NEW) {
                memcpy(sector, write->bytes + s * CRASH_SECTOR_BYTES, CRASH_SECTOR_BYTES);
            } else if (fate == SECTOR_GARBAGE) {
                garbage_sector(sector, prng);
            }
        }
        nth_of_last += last ? 1 : 0;
        nth++;
    }
}

void crash_device_cut(struct crash_device *to, const struct crash_device *from, unsigned cut,
                      uint64_t seed)
{
    struct prng prng = {.state = seed};
    bool publishing = from->busy && from->request.op == BLOCK_PUBLISH;
    bool published = cut == CUT_NONE ? false : cut == CUT_ALL ? true : prng_below(&prng, 2) == 1;
    crash_device_init(to, seed);
    if (publishing && published && from->created.exists) {
        /* The new file was synced before it got its name. */
        to->file.exists = true;
        to->file.block_count = from->created.block_count;
        copy_blocks(to->file.durable, (const uint8_t(*)[BLOCK_BYTES])from->created.live,
                    from->created.block_count);
    } else if (from->file.exists) {
        to->file.exists = true;
        to->file.block_count = from->file.block_count;
        copy_blocks(to->file.durable, (const uint8_t(*)[BLOCK_BYTES])from->file.durable,
                    from->file.block_count);
        cut_pending(to, from, cut, &prng);
    }
    if (to->file.exists) {
        copy_blocks(to->file.live, (const uint8_t(*)[BLOCK_BYTES])to->file.durable,
                    to->file.block_count);
    }
}

/* Takes back what the write in flight did; whatever it was, it is the end of the list. */
static void take_back(struct crash_device *device, uint64_t op)
{
    while (device->pending_count > 0 && device->pending[device->pending_count - 1].op == op) {
        const struct crash_pending *write = &device->pending[--device->pending_count];
        struct crash_file *file = file_at(device, write->file);
        const uint8_t *under = file->durable[write->block];
        for (unsigned i = 0; i < device->pending_count; i++) {
            if (device->pending[i].file == write->file &&
                device->pending[i].block == write->block) {
                under = device->pending[i].bytes;
            }
        }
        memcpy(file->live[write->block], under, BLOCK_BYTES);
    }
}

void crash_device_keep(struct crash_device *to, const struct crash_device *from, bool happened)
{
    crash_device_init(to, from->prng.state);
    to->file.exists = from->file.exists;
    to->file.block_count = from->file.block_count;
    if (from->busy && from->request.op == BLOCK_PUBLISH && happened && from->created.exists) {
        to->file.exists = true;
        to->file.block_count = from->created.block_count;
        copy_blocks(to->file.live, (const uint8_t(*)[BLOCK_BYTES])from->created.live,
                    to->file.block_count);
        copy_blocks(to->file.durable, (const uint8_t(*)[BLOCK_BYTES])from->created.live,
                    to->file.block_count);
        return;
    }
    if (!from->file.exists) {
        return;
    }
    copy_blocks(to->file.live, (const uint8_t(*)[BLOCK_BYTES])from->file.live,
                from->file.block_count);
    copy_blocks(to->file.durable, (const uint8_t(*)[BLOCK_BYTES])from->file.durable,
                from->file.block_count);
    for (unsigned i = 0; i < from->pending_count; i++) {
        if (from->pending[i].file == 0) {
            to->pending[to->pending_count++] = from->pending[i];
        }
    }
    if (from->busy && from->request.op == BLOCK_WRITE && !happened) {
        take_back(to, from->ops);
    }
    for (unsigned i = 0; i < to->pending_count; i++) {
        to->pending[i].op = 0; /* of a process that is no more */
    }
}
