/* Method: everything the kernel's version can tell apart is forbidden, then each path of the plan
 * is given what its use needs. The kernel's header is often older than the kernel, so the few
 * constants stand here (linux/landlock.h). */
#include "sandbox_landlock.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The same number on every processor but alpha. */
enum { CREATE_RULESET = 444, ADD_RULE = 445, RESTRICT_SELF = 446 };
enum { CREATE_RULESET_VERSION = 1 };
enum { RULE_PATH_BENEATH = 1, RULE_NET_PORT = 2 };

#define RIGHT(bit)   (UINT64_C(1) << (bit))
#define WRITE_FILE   RIGHT(1)
#define READ_FILE    RIGHT(2)
#define READ_DIR     RIGHT(3)
#define REMOVE_FILE  RIGHT(5)
#define MAKE_REG     RIGHT(8)
#define MAKE_SOCK    RIGHT(9)
#define TRUNCATE     RIGHT(14)
#define IOCTL_DEV    RIGHT(15)
#define FOR_FILES    (RIGHT(0) | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV)
#define BIND_TCP     RIGHT(0)
#define SCOPE_SOCKET RIGHT(0) /* abstract unix sockets … */
#define SCOPE_SIGNAL RIGHT(1) /* … and signals, to processes outside */

struct ruleset {
    uint64_t files, net, scopes;
};
struct path_beneath {
    uint64_t rights;
    int32_t folder;
} __attribute__((packed));
struct net_port {
    uint64_t rights, port;
};

unsigned sandbox_landlock_version(void)
{
    long version = syscall(CREATE_RULESET, NULL, (size_t)0, CREATE_RULESET_VERSION);
    return version > 0 ? (unsigned)version : 0;
}

/* All rights on files a version knows: 13 in version 1, then one in each of 2, 3 and 5. */
static uint64_t rights_of(unsigned version)
{
    unsigned count = version >= 5 ? 16 : version >= 3 ? 15 : version == 2 ? 14 : 13;
    return RIGHT(count) - 1;
}

/* A newer kernel than we know offers more; an older one refuses a structure that is too long. */
static int create(unsigned version)
{
    struct ruleset ruleset = {.files = rights_of(version),
                              .net = version >= 4 ? BIND_TCP : 0,
                              .scopes = version >= 6 ? SCOPE_SOCKET | SCOPE_SIGNAL : 0};
    size_t size = version >= 6   ? sizeof ruleset
                  : version >= 4 ? offsetof(struct ruleset, scopes)
                                 : offsetof(struct ruleset, net);
    return (int)syscall(CREATE_RULESET, &ruleset, size, 0);
}

/* Gives rights on what stands at the path now. False: nothing, or the kernel refused. */
static bool grant(int rules, unsigned version, const char *path, uint64_t rights,
                  struct stat *status)
{
    int fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    bool good = fstat(fd, status) == 0;
    struct path_beneath rule = {.rights = rights & rights_of(version), .folder = fd};
    if (good && !S_ISDIR(status->st_mode)) {
        rule.rights &= FOR_FILES;
    }
    good = good && syscall(ADD_RULE, rules, RULE_PATH_BENEATH, &rule, 0) == 0;
    close(fd);
    return good;
}

char *sandbox_folder(const char *path, char *out, size_t size)
{
    snprintf(out, size, "%s", path);
    char *slash = strrchr(out, '/');
    if (!slash) {
        snprintf(out, size, ".");
    } else if (slash == out) {
        out[1] = '\0';
    } else {
        *slash = '\0';
    }
    return out;
}

/* The folder by the name as it is written, and by where links lead to now. */
static void grant_beside(int rules, unsigned version, const char *path)
{
    char real[PATH_MAX], folder[PATH_MAX];
    struct stat status;
    (void)grant(rules, version, sandbox_folder(path, folder, sizeof folder), READ_FILE, &status);
    if (realpath(path, real)) {
        (void)grant(rules, version, sandbox_folder(real, folder, sizeof folder), READ_FILE,
                    &status);
    }
}

static void grant_path(int rules, unsigned version, struct sandbox_path *path)
{
    const uint64_t store = READ_FILE | WRITE_FILE | READ_DIR | MAKE_REG | REMOVE_FILE | TRUNCATE;
    char folder[PATH_MAX];
    struct stat status;
    bool granted = false;
    switch (path->use) {
    case SANDBOX_FILE:
        (void)grant(rules, version, path->path, READ_FILE, &status);
        break;
    case SANDBOX_BESIDE:
        grant_beside(rules, version, path->path);
        break;
    case SANDBOX_LINE:
        granted = grant(rules, version, path->path, READ_FILE | WRITE_FILE | IOCTL_DEV, &status);
        break;
    case SANDBOX_STORE:
        granted = grant(rules, version, sandbox_folder(path->path, folder, sizeof folder), store,
                        &status);
        break;
    case SANDBOX_SOCKET:
        (void)grant(rules, version, sandbox_folder(path->path, folder, sizeof folder),
                    MAKE_SOCK | REMOVE_FILE, &status);
        break;
    }
    if (granted) {
        path->device = status.st_dev;
        path->inode = status.st_ino;
    }
}

/* What the kernel says of ourselves, where the store is on an overlay (memory_fs.h). A folder of
 * /proc is the same one only as long as somebody holds it: the descriptor stays open. */
static void grant_self(int rules)
{
    struct path_beneath rule = {.rights = READ_FILE,
                                .folder = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC)};
    if (rule.folder >= 0) {
        (void)syscall(ADD_RULE, rules, RULE_PATH_BENEATH, &rule, 0);
    }
}

int sandbox_landlock_prepare(struct sandbox_plan *plan, unsigned version)
{
    int rules = create(version);
    if (rules < 0) {
        return -1;
    }
    for (unsigned i = 0; i < plan->path_count; i++) {
        grant_path(rules, version, &plan->paths[i]);
    }
    grant_self(rules);
    if (version >= 4 && plan->binds) { /* to an address, never to a port of our choice */
        const struct net_port any = {.rights = BIND_TCP, .port = 0};
        (void)syscall(ADD_RULE, rules, RULE_NET_PORT, &any, 0);
    }
    return rules;
}

bool sandbox_landlock_enter(int rules)
{
    return syscall(RESTRICT_SELF, rules, 0) == 0;
}
