/* Faults for test_recovery.py, put into the agent from outside by LD_PRELOAD: nothing in the
 * product knows of them.
 *
 * A queued signal (FAULT_SIGNAL, its value what to do and how much of it) is only noted. The fault
 * itself happens in the loop's own thread, the next time that thread waits in ppoll(2), which the
 * signal makes return. Other threads wait undisturbed. fork() hands the handler on, so each life of
 * the agent has it. */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Far from those that programs use; the tests have the same. */
#define FAULT_SIGNAL (SIGRTMIN + 7)

/* The value of the signal: the kind, and above it the amount. */
#define AMOUNT_SHIFT 8

enum fault {
    FAULT_NONE,
    FAULT_SPIN,    /* a loop without an end */
    FAULT_LOCK,    /* waits for a lock it holds itself */
    FAULT_ABORT,   /* abort() */
    FAULT_LEAK,    /* `amount` MiB more each turn, for good */
    FAULT_FILES,   /* `amount` descriptors more each turn, or as many as there are */
    FAULT_SLOW,    /* each turn takes `amount` ms longer */
    FAULT_DIE,     /* SIGSEGV, as a bad pointer has it */
    FAULT_CONNECT, /* FAULT_LOCK, but in the next connect(2) to port `amount` */
};

static atomic_int noted;

static void note(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)context;
    atomic_store(&noted, info->si_value.sival_int);
}

__attribute__((constructor)) static void listen_for_faults(void)
{
    struct sigaction action = {.sa_sigaction = note, .sa_flags = SA_SIGINFO};
    sigemptyset(&action.sa_mask);
    sigaction(FAULT_SIGNAL, &action, NULL);
}

static void spin(void)
{
    static atomic_uint turns;
    for (;;) {
        atomic_fetch_add(&turns, 1);
    }
}

static void lock_twice(void)
{
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&mutex);
    pthread_mutex_lock(&mutex);
}

/* Not by malloc(), of which a compiler knows that nobody will see it. */
static void leak(unsigned mebibytes)
{
    (void)!mmap(NULL, (size_t)mebibytes << 20, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
}

static void open_many(unsigned count)
{
    for (unsigned i = 0; i < count && dup(STDERR_FILENO) >= 0; i++) {
    }
}

static void be_slow(unsigned ms)
{
    struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};
    while (clock_nanosleep(CLOCK_MONOTONIC, 0, &left, &left) == EINTR) {
    }
}

static void act(void)
{
    int value = atomic_load(&noted);
    unsigned amount = (unsigned)value >> AMOUNT_SHIFT;
    switch ((enum fault)(value & ((1 << AMOUNT_SHIFT) - 1))) {
    case FAULT_NONE:
        break;
    case FAULT_SPIN:
        spin();
        break;
    case FAULT_LOCK:
        lock_twice();
        break;
    case FAULT_ABORT:
        abort();
    case FAULT_LEAK:
        leak(amount);
        break;
    case FAULT_FILES:
        open_many(amount);
        break;
    case FAULT_SLOW:
        be_slow(amount);
        break;
    case FAULT_DIE:
        signal(SIGSEGV, SIG_DFL); /* a sanitizer would catch it */
        raise(SIGSEGV);
        break;
    case FAULT_CONNECT:
        break;
    }
}

static bool is_loop(void)
{
    return getpid() == (pid_t)syscall(SYS_gettid);
}

/* Instead of libc's. */
int ppoll(struct pollfd *polled, nfds_t count, const struct timespec *timeout, const sigset_t *mask)
{
    static int (*next)(struct pollfd *, nfds_t, const struct timespec *, const sigset_t *);
    if (next == NULL) {
        *(void **)&next = dlsym(RTLD_NEXT, "ppoll");
    }
    int ready = next(polled, count, timeout, mask);
    int why = errno;
    if (is_loop()) {
        act();
    }
    errno = why;
    return ready;
}

static bool is_at_port(const struct sockaddr *address, unsigned port)
{
    struct sockaddr_in at;
    if (address->sa_family != AF_INET) {
        return false;
    }
    memcpy(&at, address, sizeof at);
    return ntohs(at.sin_port) == port;
}

int connect(int fd, __CONST_SOCKADDR_ARG address, socklen_t size)
{
    static int (*next)(int, __CONST_SOCKADDR_ARG, socklen_t);
    int value = atomic_load(&noted);
    if (next == NULL) {
        *(void **)&next = dlsym(RTLD_NEXT, "connect");
    }
    if ((value & ((1 << AMOUNT_SHIFT) - 1)) == FAULT_CONNECT && is_loop() &&
        is_at_port(address.__sockaddr__, (unsigned)value >> AMOUNT_SHIFT)) {
        lock_twice();
    }
    return next(fd, address, size);
}

/* What a build with _FORTIFY_SOURCE calls where it knows the size of the array. */
int __ppoll_chk(struct pollfd *polled, nfds_t count, const struct timespec *timeout,
                const sigset_t *mask, size_t bytes);
int __ppoll_chk(struct pollfd *polled, nfds_t count, const struct timespec *timeout,
                const sigset_t *mask, size_t bytes)
{
    if (bytes / sizeof *polled < count) {
        abort();
    }
    return ppoll(polled, count, timeout, mask);
}
