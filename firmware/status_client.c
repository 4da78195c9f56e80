#include "status_client.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "verbs.h"

static int open_socket(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval limit = {.tv_sec = 2};
    if (strlen(path) >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    strncpy(address.sun_path, path, sizeof address.sun_path - 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        int connect_errno = errno;
        close(fd);
        errno = connect_errno;
        return -1;
    }
    return fd;
}

/* The first line is the exit code: one digit and a newline. Returns an errno, 0 when all is well.
 */
static int copy_answer(int fd, FILE *out, int *code)
{
    char bytes[4096];
    size_t total = 0;
    ssize_t count;
    while ((count = recv(fd, bytes, sizeof bytes, 0)) > 0) {
        size_t skip = 0;
        for (; skip < (size_t)count && total + skip < 2; skip++) {
            if (total + skip == 0) {
                *code = bytes[skip] == '0'   ? EXIT_CODE_OK
                        : bytes[skip] == '1' ? EXIT_CODE_FAILURE
                                             : EXIT_CODE_USAGE;
            }
        }
        if (*code == EXIT_CODE_USAGE) {
            return EPROTO;
        }
        fwrite(bytes + skip, 1, (size_t)count - skip, out);
        total += (size_t)count;
    }
    return count < 0 ? errno : total == 0 ? ECONNRESET : 0;
}

int status_client_ask(const char *socket_path, const char *question, FILE *out)
{
    int fd = open_socket(socket_path);
    if (fd < 0) {
        return EXIT_CODE_USAGE;
    }
    int code = EXIT_CODE_USAGE;
    ssize_t sent = send(fd, question, strlen(question), MSG_NOSIGNAL);
    int failed_errno = sent < 0 ? errno : copy_answer(fd, out, &code);
    close(fd);
    errno = failed_errno == EAGAIN ? ETIMEDOUT : failed_errno;
    return failed_errno ? EXIT_CODE_USAGE : code;
}
