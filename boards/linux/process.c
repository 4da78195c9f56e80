#include "process.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

/* open() takes the lowest free number. */
static void fill_standard_descriptors(void)
{
    int fd;
    do {
        fd = open("/dev/null", O_RDWR);
    } while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0) {
        close(fd);
    }
}

static void limit_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur > PROCESS_DESCRIPTORS_MAX) {
        limit.rlim_cur = PROCESS_DESCRIPTORS_MAX;
        (void)setrlimit(RLIMIT_NOFILE, &limit); /* lowering the soft limit is always allowed */
    }
}

/* The memory of a process that was configured holds secrets. */
static void keep_no_core(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_CORE, &limit) == 0) {
        limit.rlim_cur = 0;
        (void)setrlimit(RLIMIT_CORE, &limit);
    }
}

void process_prepare(void)
{
    fill_standard_descriptors();
    limit_descriptors();
    keep_no_core();
}
