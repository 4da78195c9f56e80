#include "dns_guard.h"

#include <errno.h>
#include <sys/socket.h>

/* The names the linker gives to the wrapped function and to the C library's own. */
ssize_t __wrap_recvfrom(int fd, void *bytes, size_t size, int flags, struct sockaddr *from,
                        socklen_t *from_length);
ssize_t __real_recvfrom(int fd, void *bytes, size_t size, int flags, struct sockaddr *from,
                        socklen_t *from_length);

ssize_t __wrap_recvfrom(int fd, void *bytes, size_t size, int flags, struct sockaddr *from,
                        socklen_t *from_length)
{
    ssize_t received = __real_recvfrom(fd, bytes, size, flags, from, from_length);
    int type = 0;
    socklen_t length = sizeof type;
    if (received > DNS_GUARD_BYTES && getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0 &&
        type == SOCK_DGRAM) {
        errno = EAGAIN;
        return -1;
    }
    return received;
}
