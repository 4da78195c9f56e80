#include "process_usage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A process with this many descriptors is over any limit; the loop over them has an end. */
enum { DESCRIPTORS_MAX = 1 << 20 };

/* What getdents64(2) fills in; libc has no declaration of its own that musl shares. */
struct entry {
    uint64_t inode;
    int64_t offset;
    uint16_t bytes;
    uint8_t kind;
    char name[];
};

/* Resident pages are the second number of statm. */
static uint64_t resident_bytes(int statm)
{
    long page_bytes = sysconf(_SC_PAGESIZE);
    char text[128];
    ssize_t got = statm >= 0 ? pread(statm, text, sizeof text - 1, 0) : -1;
    char *second;

    if (got <= 0 || page_bytes <= 0) {
        return 0;
    }
    text[got] = '\0';
    second = strchr(text, ' ');
    return second != NULL ? strtoull(second, NULL, 10) * (uint64_t)page_bytes : 0;
}

/* How many names of this chunk are numbers: "." and ".." are not. */
static unsigned count_chunk(const uint8_t *bytes, size_t filled)
{
    unsigned count = 0;

    for (size_t at = 0; at + offsetof(struct entry, name) < filled;) {
        const uint8_t *name = bytes + at + offsetof(struct entry, name);
        uint16_t entry_bytes;

        memcpy(&entry_bytes, bytes + at + offsetof(struct entry, bytes), sizeof entry_bytes);
        if (entry_bytes == 0) {
            break;
        }
        count += *name != '.';
        at += entry_bytes;
    }
    return count;
}

/* readdir() would allocate. */
static unsigned count_descriptors(int folder)
{
    uint8_t chunk[1024];
    unsigned count = 0;
    long got;

    if (folder < 0 || lseek(folder, 0, SEEK_SET) != 0) {
        return 0;
    }
    do {
        got = syscall(SYS_getdents64, folder, chunk, sizeof chunk);
        count += got > 0 ? count_chunk(chunk, (size_t)got) : 0;
    } while (got > 0 && count < DESCRIPTORS_MAX);
    return count;
}

static int open_of(pid_t pid, const char *what, int flags)
{
    char path[48];

    (void)snprintf(path, sizeof path, "/proc/%ld/%s", (long)pid, what);
    return open(path, O_RDONLY | O_CLOEXEC | flags);
}

void process_usage_open(struct process_usage *of, pid_t pid)
{
    of->memory = open_of(pid, "statm", 0);
    of->descriptors = open_of(pid, "fd", O_DIRECTORY);
}

bool process_usage_read(const struct process_usage *of, struct recovery_usage *usage)
{
    usage->memory_bytes = resident_bytes(of->memory);
    usage->descriptors = count_descriptors(of->descriptors);
    return usage->memory_bytes > 0 || usage->descriptors > 0;
}

static void close_one(int *fd)
{
    if (*fd > 0) { /* 0 is somebody's standard input */
        (void)close(*fd);
    }
    *fd = -1;
}

void process_usage_close(struct process_usage *of)
{
    close_one(&of->memory);
    close_one(&of->descriptors);
}

/* The file is some 3 KiB, and the line stands near its middle: it is looked for in chunks that
 * overlap by what a line can be cut into. */
uint64_t oom_kills(void)
{
    static const char name[] = "\noom_kill ";
    char text[1024];
    size_t kept = 0;
    uint64_t kills = 0;
    int fd = open("/proc/vmstat", O_RDONLY | O_CLOEXEC);
    ssize_t got = 1;

    while (fd >= 0 && got > 0) {
        const char *found, *end;

        got = read(fd, text + kept, sizeof text - 1 - kept);
        text[kept + (size_t)(got > 0 ? got : 0)] = '\0';
        found = strstr(text, name);
        end = found != NULL ? strchr(found + 1, '\n') : NULL;
        if (end != NULL) {
            kills = strtoull(found + sizeof name - 1, NULL, 10);
            break;
        }
        kept = strlen(text) < 64 ? strlen(text) : 64;
        memmove(text, text + strlen(text) - kept, kept);
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    return kills;
}
