#include "daemon_store.h"

#include <fcntl.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "hash.h"
#include "store_plan.h"

/* An operation that has not ended when the agent has is given this long more. */
#define CLOSE_PATIENCE_US (200 * USEC_PER_MSEC)

/* getrandom(2) may not be ready early in the boot, and the agent does not wait for it: identities
 * are to differ, they are no secret. AT_RANDOM is the kernel's, but the same for all children of
 * one parent. */
static uint64_t draw_entropy(void)
{
    uint64_t entropy;
    if (getrandom(&entropy, sizeof entropy, GRND_NONBLOCK) == (ssize_t)sizeof entropy) {
        return entropy;
    }
    const void *at_start = (const void *)getauxval(AT_RANDOM);
    struct timespec now = {0};
    pid_t pid = getpid();
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    entropy = hash64(HASH64_START, &now, sizeof now);
    entropy = hash64(entropy, &pid, sizeof pid);
    return at_start ? hash64(entropy, at_start, 16) : entropy;
}

/* Who cannot tell one boot from the next takes each start for a new one. */
static uint64_t identify_boot(uint64_t entropy)
{
    char text[64];
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t count = fd >= 0 ? read(fd, text, sizeof text) : -1;
    if (fd >= 0) {
        close(fd);
    }
    return count > 0 ? hash64(HASH64_START, text, (size_t)count) : entropy;
}

static struct tail *find_tail(const struct supervised *supervised)
{
    static struct tail own;
    bool kept = supervised->region && supervised->region_size >= sizeof own;
    return kept ? supervised->region : &own;
}

enum error daemon_store_open(struct daemon_store *store, const struct config *config,
                             const struct supervised *supervised, struct store_settings *settings)
{
    const char *path = config_store(config);
    uint64_t entropy = draw_entropy();
    *settings = (struct store_settings){
        .commit_us = config_number(config, &config->agent, AGENT_COMMIT),
        .boot = identify_boot(entropy),
        .entropy = entropy,
        .tail = find_tail(supervised),
    };
    store->blockfile = NULL;
    if (!path) {
        return ERROR_NONE;
    }
    struct store_plan plan;
    store_plan_make(config, &plan);
    store->blockfile = blockfile_new(path);
    if (!store->blockfile) {
        return ERROR_EXHAUSTED;
    }
    settings->device = blockfile_port(store->blockfile);
    settings->block_count = plan.block_count;
    return ERROR_NONE;
}

void daemon_store_waits(const struct daemon_store *store, struct waits *waits)
{
    if (store->blockfile) {
        blockfile_waits(store->blockfile, waits);
    }
}

bool daemon_store_close(struct daemon_store *store)
{
    bool closed = !store->blockfile || blockfile_free(store->blockfile, CLOSE_PATIENCE_US);
    store->blockfile = NULL;
    return closed;
}
