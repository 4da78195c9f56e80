#include "secret_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void secret_wipe(void *bytes, size_t count)
{
    explicit_bzero(bytes, count);
}

static enum error refuse(enum error error, const char *path, const char *cause, char *why,
                         size_t why_size)
{
    snprintf(why, why_size, "%s: %s", path, cause);
    return error;
}

static enum error check_mode(int fd, const char *path, char *why, size_t why_size)
{
    struct stat status;
    if (fstat(fd, &status) != 0)
        return refuse(ERROR_IO, path, strerror(errno), why, why_size);
    if (!S_ISREG(status.st_mode))
        return refuse(ERROR_DENIED, path, "not a regular file", why, why_size);
    if ((status.st_mode & (S_IROTH | S_IWOTH)) != 0)
        return refuse(ERROR_DENIED, path, "holds a secret, but others may access it (chmod o-rw)",
                      why, why_size);
    return ERROR_NONE;
}

static enum error read_all(int fd, const char *path, char *out, size_t size, size_t *length,
                           char *why, size_t why_size)
{
    size_t used = 0;
    while (used < size) {
        ssize_t got = read(fd, out + used, size - used);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return refuse(ERROR_IO, path, strerror(errno), why, why_size);
        if (got == 0)
            break;
        used += (size_t)got;
    }
    if (used == size)
        return refuse(ERROR_FULL, path, "too long for a secret", why, why_size);
    *length = used;
    return ERROR_NONE;
}

/* Cuts the line end and refuses what could not be a line: it would end up in a request's head. */
static enum error take_line(const char *path, char *out, size_t *length, char *why, size_t why_size)
{
    size_t count = *length;
    if (count > 0 && out[count - 1] == '\n')
        count--;
    if (count > 0 && out[count - 1] == '\r')
        count--;
    if (count == 0)
        return refuse(ERROR_INVALID, path, "empty", why, why_size);
    for (size_t i = 0; i < count; i++)
        if ((unsigned char)out[i] < 0x20 || out[i] == 0x7f)
            return refuse(ERROR_INVALID, path, "more than one line, or control characters", why,
                          why_size);
    out[count] = '\0';
    *length = count;
    return ERROR_NONE;
}

enum error secret_file_read(const char *path, char *out, size_t size, size_t *length, char *why,
                            size_t why_size)
{
    /* Non-blocking, so that a FIFO in the file's place cannot hang the start. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return refuse(ERROR_MISSING, path, strerror(errno), why, why_size);
    enum error error = check_mode(fd, path, why, why_size);
    if (error == ERROR_NONE)
        error = read_all(fd, path, out, size, length, why, why_size);
    close(fd);
    if (error == ERROR_NONE)
        error = take_line(path, out, length, why, why_size);
    if (error != ERROR_NONE)
        secret_wipe(out, size);
    return error;
}
