/* What a process takes up, and how often the kernel killed one for want of memory: for whoever
 * watches a child.
 *
 * What there is to read is opened while the child is young: later it may have put itself out of its
 * parent's sight (PR_SET_DUMPABLE, another user), and what is open stays readable.
 *
 * Thread rule: none. Memory: 2 KiB of stack, no heap. Source: proc(5). */
#ifndef PICKET_PROCESS_USAGE_H
#define PICKET_PROCESS_USAGE_H

#include <sys/types.h>

#include "recovery.h"

struct process_usage {
    int memory, descriptors; /* files; -1: not to be had */
};

/* Right after the fork. Descriptors are not handed to programs that are started. */
void process_usage_open(struct process_usage *of, pid_t pid);
/* Resident memory (pages that it shares are counted whole) and open descriptors. What cannot be
 * told is 0. False: nothing could be told, the process is gone. */
bool process_usage_read(const struct process_usage *of, struct recovery_usage *usage);
/* Any number of times; a zeroed one was never opened. */
void process_usage_close(struct process_usage *of);

/* Processes the kernel has killed since boot because memory ran out, also within a cgroup's limit;
 * 0 where it does not say (before Linux 4.13). One more after a SIGKILL that nobody sent is the
 * best proof there is, though it may have been another process. */
uint64_t oom_kills(void);

#endif
