/* Method: everything is done relative to the descriptor of the folder that was looked at, and
 * judged by the descriptor of the file that was opened, so that no name can lead elsewhere in
 * between. */
#define _FILE_OFFSET_BITS 64 /* inode numbers and sizes past 32 bits are no error on any board */
#include "owned_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum error tell(enum error error, char *why, const char *path, const char *what)
{
    (void)snprintf(why, OWNED_FILE_WHY_BYTES, "%s: %s", path, what);
    return error;
}

static enum error fail(char *why, const char *path, int system_errno)
{
    enum error error = system_errno == ENOENT || system_errno == ENOTDIR ? ERROR_MISSING
                       : system_errno == EACCES || system_errno == EPERM || system_errno == ELOOP
                           ? ERROR_DENIED
                           : ERROR_IO;
    return tell(error, why, path, strerror(system_errno));
}

static enum error check_owner(const struct stat *status, const char *path, char *why)
{
    if (status->st_uid != geteuid()) {
        return tell(ERROR_DENIED, why, path, "belongs to another user: it is not believed");
    }
    if ((status->st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        return tell(ERROR_DENIED, why, path, "others may write to it: it is not believed");
    }
    return ERROR_NONE;
}

/* *fd is open only when there is no error. */
static enum error open_folder(const char *folder, int *fd, char *why)
{
    struct stat status;
    *fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*fd < 0) {
        return fail(why, folder, errno);
    }
    enum error error =
        fstat(*fd, &status) != 0 ? fail(why, folder, errno) : check_owner(&status, folder, why);
    if (error) {
        close(*fd);
    }
    return error;
}

enum error owned_file_folder(const char *folder, char why[OWNED_FILE_WHY_BYTES])
{
    int fd;
    enum error error = open_folder(folder, &fd, why);
    if (error) {
        return error;
    }
    if (faccessat(fd, ".", W_OK | X_OK, AT_EACCESS) != 0) {
        error = fail(why, folder, errno);
    }
    close(fd);
    return error;
}

static enum error read_all(int fd, const char *path, void *bytes, size_t size, size_t *length,
                           char *why)
{
    *length = 0;
    while (*length < size) {
        ssize_t got = read(fd, (char *)bytes + *length, size - *length);
        if (got == 0) {
            return ERROR_NONE;
        }
        if (got < 0 && errno != EINTR) {
            return tell(ERROR_IO, why, path, strerror(errno));
        }
        *length += got > 0 ? (size_t)got : 0;
    }
    char more;
    return read(fd, &more, 1) == 0 ? ERROR_NONE : tell(ERROR_RANGE, why, path, "is too large");
}

/* Non-blocking, so that a FIFO in its place cannot hold us up. */
enum error owned_file_read(const char *folder, const char *name, void *bytes, size_t size,
                           size_t *length, char why[OWNED_FILE_WHY_BYTES])
{
    struct stat status;
    int folder_fd;
    enum error error = open_folder(folder, &folder_fd, why);
    if (error) {
        return error;
    }
    int fd = openat(folder_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    close(folder_fd);
    if (fd < 0) {
        return fail(why, name, errno);
    }
    if (fstat(fd, &status) != 0) {
        error = fail(why, name, errno);
    } else if (!S_ISREG(status.st_mode)) {
        error = tell(ERROR_DENIED, why, name, "is no regular file");
    } else {
        error = check_owner(&status, name, why);
    }
    if (!error) {
        error = read_all(fd, name, bytes, size, length, why);
    }
    close(fd);
    return error;
}

static bool write_all(int fd, const void *bytes, size_t length)
{
    for (size_t done = 0; done < length;) {
        ssize_t put = write(fd, (const char *)bytes + done, length - done);
        if (put < 0 && errno != EINTR) {
            return false;
        }
        done += put > 0 ? (size_t)put : 0;
    }
    return fsync(fd) == 0;
}

static enum error write_new(int folder_fd, const char *name, const void *bytes, size_t length,
                            char *why)
{
    int fd = openat(folder_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        return fail(why, name, errno);
    }
    enum error error = write_all(fd, bytes, length) ? ERROR_NONE : fail(why, name, errno);
    if (close(fd) != 0 && !error) {
        error = fail(why, name, errno);
    }
    return error;
}

enum error owned_file_write(const char *folder, const char *name, const void *bytes, size_t length,
                            char why[OWNED_FILE_WHY_BYTES])
{
    char fresh[NAME_MAX + 1];
    int folder_fd;
    enum error error = open_folder(folder, &folder_fd, why);
    if (error) {
        return error;
    }
    if ((size_t)snprintf(fresh, sizeof fresh, "%s.new", name) >= sizeof fresh) {
        error = tell(ERROR_IO, why, name, "the name is too long");
    } else {
        error = write_new(folder_fd, fresh, bytes, length, why);
    }
    if (!error && (renameat(folder_fd, fresh, folder_fd, name) != 0 || fsync(folder_fd) != 0)) {
        error = fail(why, name, errno);
    }
    if (error) {
        (void)unlinkat(folder_fd, fresh, 0);
    }
    close(folder_fd);
    return error;
}
