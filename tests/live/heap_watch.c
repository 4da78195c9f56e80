/* Counts what is taken from the heap, for test_heap.py: put in front of libc by LD_PRELOAD, nothing
 * in the product knows of it.
 *
 * An allocation belongs to the first function on the stack that is part of the program: so
 * strdup(3) and fopen(3) count for who called them. Whose that function is says a table of address
 * ranges, HEAP_WATCH_RANGES (`FIRST END OWNER` a line, hexadecimal, ascending, from the start of
 * the program), which comes from the linker's map. The counts lie in a file the test may read at
 * any time, HEAP_WATCH_COUNTS, since the agent's sandbox lets nobody open one later.
 *
 * Each process has a part of that file, in the order they began. The start of the agent is over,
 * and `late` counts, when its loop first waits in ppoll(2): that is before the first run of a
 * probe. That of its parent is over when it has forked. */
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <link.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* The same in test_heap.py. */
enum { OWNERS = 16, PROCESSES = 8, CALLERS = 64, OWNER_BYTES = 16 };

enum { RANGES = 16384, BLOCKS = 1 << 16, FRAMES = 24 };

struct owner {
    uint64_t calls, late_calls; /* of them after the start */
    uint64_t live, peak;        /* bytes */
};

struct process {
    uint64_t pid, started, caller_count;
    struct owner owners[OWNERS];
    uint64_t callers[CALLERS]; /* late ones of our own floors, first come first listed */
    uint64_t caller_calls[CALLERS];
};

struct counts {
    char names[OWNERS][OWNER_BYTES];
    uint64_t process_count;
    struct process processes[PROCESSES];
};

struct range {
    uintptr_t first, end;
    unsigned owner;
};

struct block {
    const void *address;
    size_t size;
    unsigned owner;
};

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *block);

static struct range ranges[RANGES];
static unsigned range_count;
static uintptr_t program;
static struct block blocks[BLOCKS];
static struct counts *counts; /* NULL: not watching */
static struct process *own;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static __thread bool inside; /* what the watch itself allocates is not watched */

static bool is_floor(unsigned owner)
{
    static const char *const floors[] = {"common", "probes", "linux", "firmware"};
    for (unsigned i = 0; i < sizeof floors / sizeof floors[0]; i++) {
        if (strcmp(counts->names[owner], floors[i]) == 0) {
            return true;
        }
    }
    return false;
}

static unsigned owner_number(const char *name)
{
    for (unsigned i = 0; i < OWNERS; i++) {
        if (counts->names[i][0] == '\0') {
            snprintf(counts->names[i], OWNER_BYTES, "%s", name);
        }
        if (strcmp(counts->names[i], name) == 0) {
            return i;
        }
    }
    abort();
}

static int program_start(struct dl_phdr_info *info, size_t size, void *start)
{
    (void)size;
    *(uintptr_t *)start = info->dlpi_addr;
    return 1; /* the first one is the program */
}

static void read_ranges(FILE *file)
{
    dl_iterate_phdr(program_start, &program);
    char name[64];
    uintptr_t first, end;
    while (range_count < RANGES && fscanf(file, "%lx %lx %63s", &first, &end, name) == 3) {
        ranges[range_count++] = (struct range){program + first, program + end, owner_number(name)};
    }
}

static void begin_process(void)
{
    own = counts && counts->process_count < PROCESSES ? &counts->processes[counts->process_count++]
                                                      : NULL;
    if (own) {
        own->pid = (uint64_t)getpid();
    }
}

static void start_is_over(void)
{
    if (own) {
        own->started = 1;
    }
}

static void begin_child(void)
{
    pthread_mutex_init(&lock, NULL);
    begin_process();
}

__attribute__((constructor)) static void begin(void)
{
    const char *ranges_path = getenv("HEAP_WATCH_RANGES");
    const char *counts_path = getenv("HEAP_WATCH_COUNTS");
    FILE *file = ranges_path ? fopen(ranges_path, "r") : NULL;
    int fd = counts_path ? open(counts_path, O_RDWR | O_CLOEXEC) : -1;
    if (file && fd >= 0 && ftruncate(fd, sizeof *counts) == 0) {
        void *memory = mmap(NULL, sizeof *counts, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        counts = memory == MAP_FAILED ? NULL : memory;
    }
    if (!counts) {
        fprintf(stderr, "heap_watch: HEAP_WATCH_RANGES or HEAP_WATCH_COUNTS: %s\n",
                strerror(errno));
        abort();
    }
    read_ranges(file);
    fclose(file);
    close(fd);
    void *frames[2];
    (void)backtrace(frames, 2); /* loads what it needs while it may */
    (void)pthread_atfork(NULL, start_is_over, begin_child);
    begin_process();
}

static const struct range *range_of(uintptr_t address)
{
    unsigned low = 0, high = range_count;
    while (low < high) {
        unsigned middle = (low + high) / 2;
        if (ranges[middle].end <= address) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < range_count && ranges[low].first <= address ? &ranges[low] : NULL;
}

static void note_late(uintptr_t caller, unsigned owner)
{
    own->owners[owner].late_calls++;
    if (!is_floor(owner)) {
        return;
    }
    unsigned i = 0;
    while (i < own->caller_count && own->callers[i] != caller) {
        i++;
    }
    if (i == own->caller_count && i < CALLERS) {
        own->callers[i] = caller;
        own->caller_count++;
    }
    if (i < CALLERS) {
        own->caller_calls[i]++;
    }
}

static struct block *slot_of(const void *address)
{
    size_t at = ((uintptr_t)address >> 4) * 0x9e3779b97f4a7c15u >> 48;
    for (unsigned tried = 0; tried < BLOCKS; tried++, at = (at + 1) % BLOCKS) {
        if (blocks[at].address == address || !blocks[at].address) {
            return &blocks[at];
        }
    }
    abort();
}

/* Moves those up that a search would miss now: linear probing without tombstones. */
static void remove_block(struct block *gone)
{
    size_t hole = (size_t)(gone - blocks);
    *gone = (struct block){0};
    for (size_t at = (hole + 1) % BLOCKS; blocks[at].address; at = (at + 1) % BLOCKS) {
        struct block moved = blocks[at];
        blocks[at] = (struct block){0};
        *slot_of(moved.address) = moved;
    }
}

static void forget(const void *address)
{
    if (!own || !address || inside) {
        return;
    }
    pthread_mutex_lock(&lock);
    struct block *block = slot_of(address);
    if (block->address) {
        own->owners[block->owner].live -= block->size;
        remove_block(block);
    }
    pthread_mutex_unlock(&lock);
}

static void *note(void *address, size_t size)
{
    if (!own || !address || inside) {
        return address;
    }
    inside = true;
    void *frames[FRAMES];
    int depth = backtrace(frames, FRAMES);
    const struct range *range = NULL;
    uintptr_t caller = 0;
    for (int i = 0; i < depth && !range; i++) {
        caller = (uintptr_t)frames[i] - 1; /* a return address may be another function's first */
        range = range_of(caller);
    }
    pthread_mutex_lock(&lock);
    unsigned number = range ? range->owner : owner_number("elsewhere");
    struct owner *owner = &own->owners[number];
    owner->calls++;
    owner->live += size;
    owner->peak = owner->live > owner->peak ? owner->live : owner->peak;
    if (own->started) {
        note_late(range ? caller - program : 0, number);
    }
    *slot_of(address) = (struct block){address, size, number};
    pthread_mutex_unlock(&lock);
    inside = false;
    return address;
}

void *malloc(size_t size)
{
    return note(__libc_malloc(size), size);
}

void *calloc(size_t count, size_t size)
{
    return note(__libc_calloc(count, size), count * size);
}

/* Which of the two a failed one leaves alone is of no interest here: the test does not run out. */
void *realloc(void *block, size_t size)
{
    forget(block);
    return note(__libc_realloc(block, size), size);
}

void *memalign(size_t alignment, size_t size)
{
    return note(__libc_memalign(alignment, size), size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return memalign(alignment, size);
}

int posix_memalign(void **block, size_t alignment, size_t size)
{
    *block = memalign(alignment, size);
    return *block ? 0 : ENOMEM;
}

void free(void *block)
{
    forget(block);
    __libc_free(block);
}

int ppoll(struct pollfd *fds, nfds_t count, const struct timespec *patience, const sigset_t *mask)
{
    static int (*next)(struct pollfd *, nfds_t, const struct timespec *, const sigset_t *);
    if (!next) {
        *(void **)&next = dlsym(RTLD_NEXT, "ppoll");
    }
    start_is_over();
    return next(fds, count, patience, mask);
}
