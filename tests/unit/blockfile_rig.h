/* A blockfile in a folder of its own, asked one operation at a time; each end is waited for on the
 * descriptor the loop would watch, with a deadline. Include after cmocka.h. */
#ifndef PICKET_BLOCKFILE_RIG_H
#define PICKET_BLOCKFILE_RIG_H

#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "blockfile.h"

enum { RIG_DEADLINE_MS = 20000, RIG_BLOCKS_MAX = 64 };

#define RIG_PATIENCE_US (20 * USEC_PER_SEC)

static char rig_folder[] = "/tmp/picket-blockfile-XXXXXX";
static uint8_t rig_bytes[RIG_BLOCKS_MAX * BLOCK_BYTES];

/* A path below the folder; the last eight stay valid. */
static const char *rig_path(const char *name)
{
    static char paths[8][PATH_MAX];
    static unsigned turn;
    char *path = paths[turn++ % 8];

    (void)snprintf(path, PATH_MAX, "%s/%s", rig_folder, name);
    return path;
}

static int rig_remove_entry(const char *path, const struct stat *status, int kind, struct FTW *ftw)
{
    (void)status;
    (void)kind;
    return ftw->level == 0 ? 0 : remove(path);
}

/* Every test begins with an empty folder. */
static int rig_setup(void **state)
{
    (void)state;
    return nftw(rig_folder, rig_remove_entry, 8, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

static int rig_make_folder(void **state)
{
    (void)state;
    return mkdtemp(rig_folder) == NULL;
}

static int rig_remove_folder(void **state)
{
    return rig_setup(state) != 0 || rmdir(rig_folder) != 0;
}

static struct blockfile *rig_open_port(const char *path)
{
    struct blockfile *file = blockfile_new(path);

    assert_non_null(file);
    return file;
}

static void rig_submit(struct blockfile *file, const struct block_request *request)
{
    struct blockdev port = blockfile_port(file);

    assert_true(port.submit(port.context, request));
}

/* True when an end came within the time. */
static bool rig_ends_within(struct blockfile *file, int timeout_ms)
{
    struct waits waits;

    waits_clear(&waits);
    blockfile_waits(file, &waits);
    assert_int_equal(waits.count, 1);
    return poll(waits.at, waits.count, timeout_ms) == 1;
}

static struct block_reply rig_collect(struct blockfile *file)
{
    struct blockdev port = blockfile_port(file);
    struct block_reply reply;

    assert_true(rig_ends_within(file, RIG_DEADLINE_MS));
    memset(&reply, 0xa5, sizeof reply);
    assert_true(port.collect(port.context, &reply));
    assert_false(rig_ends_within(file, 0));
    assert_false(port.collect(port.context, &reply));
    assert_int_equal(reply.note[0] == '\0', reply.error == BLOCK_OK);
    assert_true(reply.duration_us >= 0 && reply.duration_us < RIG_PATIENCE_US);
    return reply;
}

static struct block_reply rig_run(struct blockfile *file, struct block_request request)
{
    rig_submit(file, &request);
    return rig_collect(file);
}

static enum block_error rig_do(struct blockfile *file, enum block_op op)
{
    return rig_run(file, (struct block_request){.op = op}).error;
}

static enum block_error rig_create(struct blockfile *file, uint32_t count)
{
    return rig_run(file, (struct block_request){.op = BLOCK_CREATE, .count = count}).error;
}

static enum block_error rig_write(struct blockfile *file, uint32_t first, uint32_t count, int fill)
{
    const struct block_request request = {
        .op = BLOCK_WRITE, .first = first, .count = count, .bytes = rig_bytes};

    memset(rig_bytes, fill, (size_t)count * BLOCK_BYTES);
    return rig_run(file, request).error;
}

static enum block_error rig_publish(struct blockfile *file, bool set_aside)
{
    return rig_run(file, (struct block_request){.op = BLOCK_PUBLISH, .set_aside = set_aside}).error;
}

/* The byte all of the blocks are filled with, -1 when they are not, -2 when they cannot be read. */
static int rig_read(struct blockfile *file, uint32_t first, uint32_t count)
{
    const struct block_request request = {
        .op = BLOCK_READ, .first = first, .count = count, .bytes = rig_bytes};
    size_t size = (size_t)count * BLOCK_BYTES;

    memset(rig_bytes, 0xee, size);
    if (rig_run(file, request).error != BLOCK_OK) {
        return -2;
    }
    for (size_t i = 1; i < size; i++) {
        if (rig_bytes[i] != rig_bytes[0]) {
            return -1;
        }
    }
    return rig_bytes[0];
}

static void rig_free(struct blockfile *file)
{
    assert_true(blockfile_free(file, RIG_PATIENCE_US));
}

/* A store of `count` blocks that all hold `fill`, open. */
static struct blockfile *rig_store(const char *path, uint32_t count, int fill)
{
    struct blockfile *file = rig_open_port(path);

    assert_int_equal(rig_create(file, count), BLOCK_OK);
    assert_int_equal(rig_write(file, 0, count, fill), BLOCK_OK);
    assert_int_equal(rig_publish(file, false), BLOCK_OK);
    return file;
}

static bool rig_is_there(const char *path)
{
    struct stat status;

    return lstat(path, &status) == 0;
}

static void rig_write_file(const char *path, size_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, (off_t)size), 0);
    assert_int_equal(close(fd), 0);
}

/* What a child ended with: its exit status, or 1000 and its signal. It is waited for without a
 * deadline: each wait inside it has one. */
static int rig_end_of(pid_t child)
{
    int status;

    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
}

#endif
