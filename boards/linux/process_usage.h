/* What a process takes up, and how often the kernel killed one for want of memory: for whoever
 * watches a child.
 *
 * Thread rule: none, no state. Memory: 2 KiB of stack, no heap. Source: proc(5). */
#ifndef PICKET_PROCESS_USAGE_H
#define PICKET_PROCESS_USAGE_H

#include <sys/types.h>

#include "recovery.h"

/* Resident memory (pages that it shares are counted whole) and open descriptors. What cannot be
 * told is 0: descriptors of a process of another user need privileges. False: nothing could be
 * told, there is no such process. */
bool process_usage(pid_t pid, struct recovery_usage *usage);

/* Processes the kernel has killed since boot because memory ran out, also within a cgroup's limit;
 * 0 where it does not say (before Linux 4.13). One more after a SIGKILL that nobody sent is the
 * best proof there is, though it may have been another process. */
uint64_t oom_kills(void);

#endif
