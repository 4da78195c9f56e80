#include "curl_slice.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/socket.h>

/* Of the thread: that of a Modbus line receives meanwhile. */
static _Thread_local struct {
    bool begun;
    size_t bytes;
    unsigned reads;
} slice;

/* The names the linker gives to the wrapped function and to the C library's own. */
ssize_t __wrap_recv(int fd, void *bytes, size_t size, int flags);
ssize_t __real_recv(int fd, void *bytes, size_t size, int flags);

ssize_t __wrap_recv(int fd, void *bytes, size_t size, int flags)
{
    if (!slice.begun) {
        return __real_recv(fd, bytes, size, flags);
    }
    if (slice.reads == 0 || slice.bytes == 0) {
        errno = EAGAIN;
        return -1;
    }
    slice.reads--;
    ssize_t received = __real_recv(fd, bytes, size < slice.bytes ? size : slice.bytes, flags);
    slice.bytes -= received > 0 ? (size_t)received : 0;
    return received;
}

void curl_slice_begin(void)
{
    slice.begun = true;
    slice.bytes = CURL_SLICE_BYTES;
    slice.reads = CURL_SLICE_READS;
}

void curl_slice_end(void)
{
    slice.begun = false;
}
