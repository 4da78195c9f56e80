/* <unistd.h> with bounds; see fortify.h. */
#include_next <unistd.h>

#include "fortify.h"

#if defined __FORTIFY && !defined PICKET_FORTIFY_UNISTD_H
#define PICKET_FORTIFY_UNISTD_H

ssize_t __fortify_read(int, void *, size_t) __asm__("read");
ssize_t __fortify_pread(int, void *, size_t, off_t) __asm__("pread");
int __fortify_gethostname(char *, size_t) __asm__("gethostname");

__fortified ssize_t read(int fd, void *to, size_t size)
{
    if (size > __object_bytes(to)) {
        __chk_fail();
    }
    return __fortify_read(fd, to, size);
}

__fortified ssize_t pread(int fd, void *to, size_t size, off_t at)
{
    if (size > __object_bytes(to)) {
        __chk_fail();
    }
    return __fortify_pread(fd, to, size, at);
}

__fortified int gethostname(char *to, size_t size)
{
    if (size > __member_bytes(to)) {
        __chk_fail();
    }
    return __fortify_gethostname(to, size);
}

#endif
