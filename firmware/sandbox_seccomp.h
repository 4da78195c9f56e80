/* seccomp: the system calls the agent may make once it runs, and nothing else (seccomp(2)).
 *
 * The list has what the agent, its libraries, glibc and musl use on 32 and 64 bits. With arguments
 * looked at: socket (unix, IPv4, IPv6, and route netlink for the names of interfaces), clone (only
 * threads), mmap and mprotect (no memory to execute), ioctl (serial lines and little else), prctl,
 * prlimit64 (reading), tgkill (ourselves). A call that is newer than the list, and clone3, whose
 * arguments cannot be looked at, is said not to exist, so that libc does without. */
#ifndef PICKET_SANDBOX_SECCOMP_H
#define PICKET_SANDBOX_SECCOMP_H

#include "base.h"

/* For the calling thread and those it starts later; no new privileges must be in force. A call off
 * the list gets EPERM, or with `kill` ends the process with SIGSYS.
 * ERROR_MISSING: the kernel has no such filters, or the processor is none we know. */
MUST_CHECK enum error sandbox_seccomp_enter(bool kill);

#endif
