/* Method: who owns what is settled by locks, not by names. PATH.new is locked before anything else
 * is decided, and only its holder looks whether PATH is free and, later, renames over it; so of two
 * agents that start at once one gets the place and the other BLOCK_IN_USE.
 *
 * A new file is written out whole and synced before it is used, so that a later overwrite of a
 * block changes no metadata: no space can be missing then, and a sync is one write and one flush.
 */
#define _FILE_OFFSET_BITS 64 /* inode numbers and sizes past 32 bits are no error on any board */
#include "blockfile_ops.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "memory_fs.h"

enum { ZERO_BLOCKS = 16 /* written at once into a new file */ };

static void let_go(struct blockfile_held *held)
{
    if (held->fd >= 0) {
        close(held->fd);
    }
    *held = (struct blockfile_held){.fd = -1};
}

/* The name goes first, while the lock still keeps others from taking it. */
static void drop_fresh(struct blockfile_files *files)
{
    if (files->fresh.fd >= 0) {
        (void)unlink(files->fresh_path);
    }
    let_go(&files->fresh);
}

void blockfile_let_go(struct blockfile_files *files)
{
    drop_fresh(files);
    let_go(&files->current);
}

static bool claim_current(struct blockfile_files *files, struct blockfile_end *end)
{
    uint64_t bytes;
    int fd = blockfile_claim(files->path, &bytes, end);

    if (fd >= 0) {
        uint64_t blocks = bytes / BLOCK_BYTES;
        files->current.fd = fd;
        files->current.block_count = blocks < UINT32_MAX ? (uint32_t)blocks : UINT32_MAX;
    }
    return fd >= 0;
}

static bool is_volatile(struct blockfile_files *files)
{
    return memory_fs_holds(files->current.fd, (char *)files->scratch, sizeof files->scratch);
}

static bool sync_folder(const char *folder, struct blockfile_end *end)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool synced = fd >= 0 && fsync(fd) == 0;

    if (!synced) {
        (void)blockfile_fail(end, "sync of the folder");
    }
    if (fd >= 0) {
        close(fd);
    }
    return synced;
}

/* A process that died between a write, or the rename, and its sync has left them in the system's
 * memory alone; whoever reads them now would take them for durable. */
static bool make_durable(const struct blockfile_files *files, struct blockfile_end *end)
{
    if (fdatasync(files->current.fd) != 0) {
        return blockfile_fail(end, "fdatasync");
    }
    return sync_folder(files->folder, end);
}

static void run_open(struct blockfile_files *files, struct blockfile_end *end)
{
    blockfile_let_go(files);
    if (!claim_current(files, end)) {
        return;
    }
    if (!make_durable(files, end)) {
        let_go(&files->current);
        return;
    }
    end->reply.block_count = files->current.block_count;
    end->reply.is_volatile = is_volatile(files);
}

/* Only the last folder is made: a missing one above it is a mistake in the path. */
static bool make_folder(const struct blockfile_files *files, struct blockfile_end *end)
{
    if (mkdir(files->folder, 0755) == 0) {
        return sync_folder(files->parent, end);
    }
    return true; /* Making the file says what is wrong if it is not there. */
}

/* One that is still locked belongs to another agent at work. */
static bool remove_stale(const struct blockfile_files *files, struct blockfile_end *end)
{
    struct blockfile_end claimed = {.what = NULL};
    uint64_t bytes;
    int fd = blockfile_claim(files->fresh_path, &bytes, &claimed);
    bool removed;

    if (fd < 0 && claimed.reply.error == BLOCK_MISSING) {
        return true;
    }
    if (fd < 0) {
        *end = claimed;
        return false;
    }
    removed = unlink(files->fresh_path) == 0 || blockfile_fail(end, "unlink");
    close(fd);
    return removed;
}

static bool make_fresh(struct blockfile_files *files, uint32_t count, struct blockfile_end *end)
{
    uint64_t bytes;
    int fd = open(files->fresh_path, BLOCKFILE_OPEN_FLAGS | O_CREAT | O_EXCL, 0600);

    if (fd < 0) {
        return blockfile_fail(end, "open");
    }
    if (!blockfile_own(fd, files->fresh_path, &bytes, end)) {
        close(fd); /* whoever took it keeps it */
        return false;
    }
    files->fresh = (struct blockfile_held){.fd = fd, .block_count = count};
    return true;
}

/* What stands under our name must be ours or nothing before it is replaced. */
static bool own_place(struct blockfile_files *files, struct blockfile_end *end)
{
    struct blockfile_end claimed = {.what = NULL};

    if (files->current.fd >= 0) {
        return blockfile_check_place(files->current.fd, files->path, end);
    }
    if (claim_current(files, &claimed) || claimed.reply.error == BLOCK_MISSING) {
        return true;
    }
    *end = claimed;
    return false;
}

/* A file system that cannot reserve shows a lack of space when the zeros are written. */
static bool reserve(int fd, off_t bytes, struct blockfile_end *end)
{
    if (fallocate(fd, 0, 0, bytes) == 0 || errno == EOPNOTSUPP || errno == ENOSYS) {
        return true;
    }
    return blockfile_fail(end, "fallocate");
}

static bool fill(struct blockfile_files *files, struct blockfile_end *end)
{
    struct iovec pieces[ZERO_BLOCKS];
    off_t bytes = (off_t)files->fresh.block_count * BLOCK_BYTES;
    off_t done = 0;

    if (!reserve(files->fresh.fd, bytes, end)) {
        return false;
    }
    memset(files->scratch, 0, sizeof files->scratch);
    for (int i = 0; i < ZERO_BLOCKS; i++) {
        pieces[i] = (struct iovec){.iov_base = files->scratch, .iov_len = BLOCK_BYTES};
    }
    while (done < bytes) {
        off_t blocks = (bytes - done + BLOCK_BYTES - 1) / BLOCK_BYTES;
        ssize_t got;

        /* After a short write the rest of a block is a piece of its own. */
        pieces[0].iov_len = (size_t)(BLOCK_BYTES - done % BLOCK_BYTES);
        got = pwritev(files->fresh.fd, pieces, blocks < ZERO_BLOCKS ? (int)blocks : ZERO_BLOCKS,
                      done);
        if (got < 0 && errno != EINTR) {
            return blockfile_fail(end, "write");
        }
        if (got == 0) {
            return blockfile_refuse(end, BLOCK_IO, "the file takes no more");
        }
        done += got > 0 ? got : 0;
    }
    return fsync(files->fresh.fd) == 0 || blockfile_fail(end, "fsync");
}

static void run_create(struct blockfile_files *files, uint32_t count, struct blockfile_end *end)
{
    drop_fresh(files);
    if (!make_folder(files, end) || !remove_stale(files, end) || !make_fresh(files, count, end)) {
        return;
    }
    if (!own_place(files, end) || !fill(files, end)) {
        drop_fresh(files);
    }
}

static void run_read(const struct blockfile_held *held, const struct block_request *request,
                     struct blockfile_end *end)
{
    uint8_t *bytes = request->bytes;
    size_t size = (size_t)request->count * BLOCK_BYTES, done = 0;
    off_t start = (off_t)request->first * BLOCK_BYTES;

    while (done < size) {
        ssize_t got = pread(held->fd, bytes + done, size - done, start + (off_t)done);

        if (got < 0 && errno != EINTR) {
            (void)blockfile_fail(end, "read");
            return;
        }
        if (got == 0) {
            (void)blockfile_refuse(end, BLOCK_IO, "the file became shorter");
            return;
        }
        done += got > 0 ? (size_t)got : 0;
    }
}

static void run_write(const struct blockfile_held *held, const struct block_request *request,
                      struct blockfile_end *end)
{
    const uint8_t *bytes = request->bytes;
    size_t size = (size_t)request->count * BLOCK_BYTES, done = 0;
    off_t start = (off_t)request->first * BLOCK_BYTES;

    while (done < size) {
        ssize_t put = pwrite(held->fd, bytes + done, size - done, start + (off_t)done);

        if (put < 0 && errno != EINTR) {
            (void)blockfile_fail(end, "write");
            return;
        }
        if (put == 0) {
            (void)blockfile_refuse(end, BLOCK_IO, "the file takes no more");
            return;
        }
        done += put > 0 ? (size_t)put : 0;
    }
}

/* Between the two renames nothing stands under the name: what a crash leaves there is a missing
 * file, and the damaged one under its other name. */
static bool move_into_place(const struct blockfile_files *files, bool set_aside,
                            struct blockfile_end *end)
{
    bool moved_aside = set_aside && rename(files->path, files->aside_path) == 0;

    if (set_aside && !moved_aside && errno != ENOENT) {
        return blockfile_fail(end, "rename of the old file");
    }
    if (rename(files->fresh_path, files->path) != 0) {
        (void)blockfile_fail(end, "rename of the new file");
        if (moved_aside) {
            (void)rename(files->aside_path, files->path);
        }
        return false;
    }
    return true;
}

/* On any failure everything is let go: after a failed sync nobody knows what is on the medium, and
 * the next OPEN looks. */
static void run_publish(struct blockfile_files *files, bool set_aside, struct blockfile_end *end)
{
    bool done = fsync(files->fresh.fd) == 0 || blockfile_fail(end, "fsync");

    if (!done || !move_into_place(files, set_aside, end) || !sync_folder(files->folder, end)) {
        blockfile_let_go(files);
        return;
    }
    let_go(&files->current);
    files->current = files->fresh;
    files->fresh = (struct blockfile_held){.fd = -1};
    end->reply.is_volatile = is_volatile(files);
}

static void run_sync(const struct blockfile_held *held, struct blockfile_end *end)
{
    if (fdatasync(held->fd) != 0) {
        (void)blockfile_fail(end, "fdatasync");
    }
}

/* What an operation works on, when it needs something that is there. */
static const struct blockfile_held *held_for(const struct blockfile_files *files, enum block_op op)
{
    bool writes = op == BLOCK_WRITE || op == BLOCK_SYNC;

    return op == BLOCK_PUBLISH || (writes && files->fresh.fd >= 0) ? &files->fresh
                                                                   : &files->current;
}

void blockfile_run(struct blockfile_files *files, const struct block_request *request,
                   struct blockfile_end *end)
{
    const struct blockfile_held *held = held_for(files, request->op);

    *end = (struct blockfile_end){.what = NULL};
    if (request->op != BLOCK_OPEN && request->op != BLOCK_CREATE && held->fd < 0) {
        (void)blockfile_refuse(end, BLOCK_MISSING, "nothing is open");
        return;
    }
    switch (request->op) {
    case BLOCK_OPEN:
        run_open(files, end);
        break;
    case BLOCK_CREATE:
        run_create(files, request->count, end);
        break;
    case BLOCK_READ:
        run_read(held, request, end);
        break;
    case BLOCK_WRITE:
        run_write(held, request, end);
        break;
    case BLOCK_SYNC:
        run_sync(held, end);
        break;
    case BLOCK_PUBLISH:
        run_publish(files, request->set_aside, end);
        break;
    }
    /* Nobody can be missing a file that is about to be made: it is the folder. */
    if (request->op != BLOCK_OPEN && end->reply.error == BLOCK_MISSING) {
        end->reply.error = BLOCK_DENIED;
    }
}
