/* Method: a lock counts only when the name still leads to the locked file afterwards, for it may
 * have been replaced while we waited. What the rules on the kind of file say about a name they say
 * about the file then, too. */
#define _FILE_OFFSET_BITS 64 /* inode numbers and sizes past 32 bits are no error on any board */
#include "blockfile_own.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* A missing folder and a missing file look the same here: who called knows. */
static enum block_error error_of(int system_errno)
{
    switch (system_errno) {
    case ENOENT:
    case ENOTDIR:
        return BLOCK_MISSING;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return BLOCK_NO_SPACE;
    case EROFS:
        return BLOCK_READ_ONLY;
    case EACCES:
    case EPERM:
    case ELOOP:
    case EISDIR:
        return BLOCK_DENIED;
    case EWOULDBLOCK:
    case EEXIST: /* Somebody else made it a moment ago. */
        return BLOCK_IN_USE;
    default:
        return BLOCK_IO;
    }
}

bool blockfile_refuse(struct blockfile_end *end, enum block_error error, const char *what)
{
    end->reply.error = error;
    end->what = what;
    end->system_errno = 0;
    return false;
}

bool blockfile_fail(struct blockfile_end *end, const char *what)
{
    int system_errno = errno;

    (void)blockfile_refuse(end, error_of(system_errno), what);
    end->system_errno = system_errno;
    return false;
}

/* Only an agent at work does that. */
static bool refuse_replaced(struct blockfile_end *end)
{
    return blockfile_refuse(end, BLOCK_IN_USE, "the file was replaced just now");
}

/* Looks before anything is opened: opening a device can do things (a watchdog starts). */
static bool look(const char *path, struct stat *status, struct blockfile_end *end)
{
    if (lstat(path, status) != 0) {
        return blockfile_fail(end, "lstat");
    }
    if (!S_ISREG(status->st_mode)) {
        return blockfile_refuse(end, BLOCK_DENIED, "not a plain file");
    }
    if (status->st_nlink == 0) {
        return refuse_replaced(end);
    }
    if (status->st_nlink != 1) {
        return blockfile_refuse(end, BLOCK_DENIED, "the file has more than one name");
    }
    if (status->st_uid != 0 && status->st_uid != geteuid()) {
        return blockfile_refuse(end, BLOCK_DENIED, "the file belongs to another user");
    }
    return true;
}

static bool is_same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

bool blockfile_own(int fd, const char *path, uint64_t *bytes, struct blockfile_end *end)
{
    struct stat opened, named;

    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        return errno == EWOULDBLOCK
                   ? blockfile_refuse(end, BLOCK_IN_USE, "another process owns the file")
                   : blockfile_fail(end, "flock");
    }
    if (fstat(fd, &opened) != 0) {
        return blockfile_fail(end, "fstat");
    }
    if (!look(path, &named, end)) {
        return end->reply.error == BLOCK_MISSING ? refuse_replaced(end) : false;
    }
    if (!is_same(&opened, &named)) {
        return refuse_replaced(end);
    }
    *bytes = (uint64_t)opened.st_size;
    return true;
}

int blockfile_claim(const char *path, uint64_t *bytes, struct blockfile_end *end)
{
    struct stat status;
    int fd;

    if (!look(path, &status, end)) {
        return -1;
    }
    fd = open(path, BLOCKFILE_OPEN_FLAGS);
    if (fd < 0) {
        (void)blockfile_fail(end, "open");
        return -1;
    }
    if (!blockfile_own(fd, path, bytes, end)) {
        close(fd);
        return -1;
    }
    return fd;
}

bool blockfile_check_place(int fd, const char *path, struct blockfile_end *end)
{
    struct stat named, held;

    if (lstat(path, &named) != 0) {
        return errno == ENOENT || blockfile_fail(end, "lstat");
    }
    if (fstat(fd, &held) != 0) {
        return blockfile_fail(end, "fstat");
    }
    return is_same(&named, &held) ||
           blockfile_refuse(end, BLOCK_DENIED, "another file took its place");
}
