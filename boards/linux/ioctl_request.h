/* The type of a request of ioctl(): POSIX says int, which most of them are too big for; glibc does
 * not. */
#ifndef PICKET_IOCTL_REQUEST_H
#define PICKET_IOCTL_REQUEST_H

#include <sys/ioctl.h>

#ifdef __GLIBC__
typedef unsigned long ioctl_request;
#else
typedef int ioctl_request;
#endif

#endif
