/* <sys/socket.h> with bounds; see fortify.h. */
#include_next <sys/socket.h>

#include "../fortify.h"

#if defined __FORTIFY && !defined PICKET_FORTIFY_SYS_SOCKET_H
#define PICKET_FORTIFY_SYS_SOCKET_H

ssize_t __fortify_recv(int, void *, size_t, int) __asm__("recv");
ssize_t __fortify_recvfrom(int, void *__restrict, size_t, int, struct sockaddr *__restrict,
                           socklen_t *__restrict) __asm__("recvfrom");

__fortified ssize_t recv(int fd, void *to, size_t size, int flags)
{
    if (size > __object_bytes(to)) {
        __chk_fail();
    }
    return __fortify_recv(fd, to, size, flags);
}

__fortified ssize_t recvfrom(int fd, void *__restrict to, size_t size, int flags,
                             struct sockaddr *__restrict address,
                             socklen_t *__restrict address_size)
{
    if (size > __object_bytes(to)) {
        __chk_fail();
    }
    return __fortify_recvfrom(fd, to, size, flags, address, address_size);
}

#endif
