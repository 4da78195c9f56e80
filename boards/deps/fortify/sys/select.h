/* <sys/select.h> with bounds; see fortify.h. A set has room for descriptors below FD_SETSIZE. */
#include_next <sys/select.h>

#include "../fortify.h"

#if defined __FORTIFY && !defined PICKET_FORTIFY_SYS_SELECT_H
#define PICKET_FORTIFY_SYS_SELECT_H

__fortified unsigned __fortify_descriptor(long fd)
{
    if (fd < 0 || fd >= FD_SETSIZE) {
        __chk_fail();
    }
    return (unsigned)fd;
}

#define __FORTIFY_WORD(fd, set)                                                                    \
    ((set)->fds_bits[__fortify_descriptor(fd) / (8 * sizeof(unsigned long))])
#define __FORTIFY_BIT(fd) (1UL << ((unsigned)(fd) % (8 * sizeof(unsigned long))))

#undef FD_SET
#undef FD_CLR
#undef FD_ISSET
#define FD_SET(fd, set)   ((void)(__FORTIFY_WORD(fd, set) |= __FORTIFY_BIT(fd)))
#define FD_CLR(fd, set)   ((void)(__FORTIFY_WORD(fd, set) &= ~__FORTIFY_BIT(fd)))
#define FD_ISSET(fd, set) (!!(__FORTIFY_WORD(fd, set) & __FORTIFY_BIT(fd)))

#endif
