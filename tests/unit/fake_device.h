/* A block device port in memory, over virtual time: what was written is durable only once a sync
 * has ended, an operation can take any time or hang, and any can fail. It fails the test at once
 * when the port's contract is broken. Include after cmocka.h. */
#ifndef PICKET_FAKE_DEVICE_H
#define PICKET_FAKE_DEVICE_H

#include <string.h>

#include "blockdev.h"

enum { FAKE_DEVICE_BLOCKS = 256, FAKE_DEVICE_OPS = BLOCK_PUBLISH + 1 };

struct fake_file {
    uint32_t block_count; /* 0: there is none */
    uint8_t bytes[FAKE_DEVICE_BLOCKS * BLOCK_BYTES];
};

struct fake_device {
    struct fake_file cached, durable, created;
    bool is_volatile;
    usec_t takes_us; /* each operation; USEC_NEVER: it hangs */
    enum block_error fails[FAKE_DEVICE_OPS];
    bool busy;
    struct block_request request;
    usec_t ends_us;
    uint64_t ended[FAKE_DEVICE_OPS];
    const usec_t *now_us; /* borrowed */
    /* Told of each operation as it begins and as it ends well; may be NULL. */
    void *watcher;
    void (*begun)(void *watcher, enum block_op op);
    void (*done)(void *watcher, enum block_op op);
};

static inline void fake_file_copy(struct fake_file *to, const struct fake_file *from)
{
    to->block_count = from->block_count;
    memcpy(to->bytes, from->bytes, (size_t)from->block_count * BLOCK_BYTES);
}

static inline bool fake_device_submit(void *context, const struct block_request *request)
{
    struct fake_device *device = context;
    assert_false(device->busy);
    device->busy = true;
    device->request = *request;
    device->ends_us = usec_add(*device->now_us, device->takes_us);
    if (device->begun != NULL) {
        device->begun(device->watcher, request->op);
    }
    return true;
}

static inline uint8_t *fake_device_at(struct fake_file *file, const struct block_request *request)
{
    assert_true(request->count > 0 && request->first < file->block_count);
    assert_true(request->count <= file->block_count - request->first);
    return file->bytes + (size_t)request->first * BLOCK_BYTES;
}

static inline void fake_device_serve(struct fake_device *device, struct block_reply *reply)
{
    const struct block_request *request = &device->request;
    size_t size = (size_t)request->count * BLOCK_BYTES;
    bool is_made = device->created.block_count > 0;
    switch (request->op) {
    case BLOCK_OPEN:
        device->created.block_count = 0;
        fake_file_copy(&device->durable, &device->cached);
        reply->block_count = device->cached.block_count;
        reply->is_volatile = device->is_volatile;
        reply->error = device->cached.block_count == 0 ? BLOCK_MISSING : BLOCK_OK;
        break;
    case BLOCK_CREATE:
        assert_in_range(request->count, 1, FAKE_DEVICE_BLOCKS);
        memset(&device->created, 0, sizeof device->created);
        device->created.block_count = request->count;
        break;
    case BLOCK_READ:
        memcpy(request->bytes, fake_device_at(&device->cached, request), size);
        break;
    case BLOCK_WRITE:
        memcpy(fake_device_at(is_made ? &device->created : &device->cached, request),
               request->bytes, size);
        break;
    case BLOCK_SYNC:
        if (!is_made) {
            fake_file_copy(&device->durable, &device->cached);
        }
        break;
    case BLOCK_PUBLISH:
        assert_true(is_made);
        fake_file_copy(&device->cached, &device->created);
        fake_file_copy(&device->durable, &device->created);
        device->created.block_count = 0;
        reply->is_volatile = device->is_volatile;
        break;
    }
}

static inline bool fake_device_collect(void *context, struct block_reply *reply)
{
    struct fake_device *device = context;
    if (!device->busy || device->ends_us > *device->now_us) {
        return false;
    }
    enum block_op op = device->request.op;
    device->busy = false;
    *reply = (struct block_reply){.error = device->fails[op], .duration_us = device->takes_us};
    if (reply->error == BLOCK_OK) {
        fake_device_serve(device, reply);
    } else {
        memcpy(reply->note, "it is broken", sizeof "it is broken");
    }
    if (reply->error == BLOCK_OK) {
        device->ended[op]++;
        if (device->done != NULL) {
            device->done(device->watcher, op);
        }
    }
    return true;
}

static inline struct blockdev fake_device_port(struct fake_device *device)
{
    return (struct blockdev){device, fake_device_submit, fake_device_collect};
}

/* The process that used it has died: what was begun may be done or not, but is not told. */
static inline void fake_device_abandon(struct fake_device *device)
{
    device->busy = false;
    device->created.block_count = 0;
}

/* The power was cut. */
static inline void fake_device_cut(struct fake_device *device)
{
    fake_device_abandon(device);
    fake_file_copy(&device->cached, &device->durable);
}

/* The moment the operation in flight ends. */
static inline usec_t fake_device_wake(const struct fake_device *device)
{
    return device->busy ? device->ends_us : USEC_NEVER;
}

#endif
