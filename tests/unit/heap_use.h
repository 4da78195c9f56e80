/* What is allocated, where the C library tells (glibc): elsewhere always the same, so what a test
 * says of it is shown by the build for this machine. */
#ifndef PICKET_TEST_HEAP_USE_H
#define PICKET_TEST_HEAP_USE_H

#include <malloc.h>
#include <stddef.h>

static inline size_t heap_bytes(void)
{
#ifdef __GLIBC__
    struct mallinfo2 use = mallinfo2();
    return use.uordblks + use.hblkhd;
#else
    return 0;
#endif
}

#endif
