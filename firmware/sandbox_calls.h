/* The system calls of sandbox_seccomp.h, for its one user. Calls that not every processor or libc
 * has stand between #ifdefs. */
#ifndef PICKET_SANDBOX_CALLS_H
#define PICKET_SANDBOX_CALLS_H

/* Of the kernel, and not <sys/syscall.h>: musl has other names for the calls with 32-bit times. */
#include <asm/unistd.h>
#include <linux/sockios.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "base.h"

/* Calls up to this one were looked at (2022, Linux 6.0); what has no system call's number at all,
 * as ARM's private calls and x86's x32 have, begins behind the other. */
#define CALLS_NEWEST  450
#define CALLS_PRIVATE 0xf0000
/* The same number everywhere. */
#define CALLS_CLONE3 435

static const long calls_allowed[] = {
    /* What each run does, most frequent first. */
    __NR_read,
    __NR_write,
    __NR_close,
    __NR_futex,
#ifdef __NR_futex_time64
    __NR_futex_time64,
#endif
#ifdef __NR_ppoll
    __NR_ppoll,
#endif
#ifdef __NR_ppoll_time64
    __NR_ppoll_time64,
#endif
#ifdef __NR_poll
    __NR_poll,
#endif
    __NR_fcntl,
#ifdef __NR_fcntl64
    __NR_fcntl64,
#endif
    __NR_connect,
    __NR_getsockname,
    __NR_getsockopt,
    __NR_setsockopt,
    __NR_sendto,
    __NR_recvfrom,
#ifdef __NR_send
    __NR_send,
#endif
#ifdef __NR_recv
    __NR_recv,
#endif
    __NR_sendmsg,
    __NR_recvmsg,
#ifdef __NR_sendmmsg
    __NR_sendmmsg,
#endif
#ifdef __NR_recvmmsg
    __NR_recvmmsg,
#endif
    __NR_getpeername,
    __NR_shutdown,
    __NR_bind,
    __NR_listen,
#ifdef __NR_accept
    __NR_accept,
#endif
    __NR_accept4,
    __NR_socketpair,
    __NR_clock_gettime,
#ifdef __NR_clock_gettime64
    __NR_clock_gettime64,
#endif
    __NR_gettimeofday,
/* Waiting: libmodbus selects, threads sleep. */
#ifdef __NR_select
    __NR_select,
#endif
#ifdef __NR__newselect
    __NR__newselect,
#endif
#ifdef __NR_pselect6
    __NR_pselect6,
#endif
#ifdef __NR_pselect6_time64
    __NR_pselect6_time64,
#endif
    __NR_nanosleep,
    __NR_clock_nanosleep,
#ifdef __NR_clock_nanosleep_time64
    __NR_clock_nanosleep_time64,
#endif
    __NR_clock_getres,
#ifdef __NR_clock_getres_time64
    __NR_clock_getres_time64,
#endif
    __NR_restart_syscall,
#ifdef __NR_time
    __NR_time,
#endif
    /* Files: the store, certificates, name resolution. */
    __NR_openat,
#ifdef __NR_open
    __NR_open,
#endif
    __NR_lseek,
#ifdef __NR__llseek
    __NR__llseek,
#endif
    __NR_readv,
    __NR_writev,
    __NR_pread64,
    __NR_pwrite64,
#ifdef __NR_preadv
    __NR_preadv,
#endif
#ifdef __NR_pwritev
    __NR_pwritev,
#endif
#ifdef __NR_preadv2
    __NR_preadv2,
#endif
#ifdef __NR_pwritev2
    __NR_pwritev2,
#endif
    __NR_fsync,
    __NR_fdatasync,
    __NR_ftruncate,
#ifdef __NR_ftruncate64
    __NR_ftruncate64,
#endif
    __NR_fallocate,
    __NR_flock,
    __NR_fstat,
#ifdef __NR_fstat64
    __NR_fstat64,
#endif
#ifdef __NR_stat
    __NR_stat,
#endif
#ifdef __NR_stat64
    __NR_stat64,
#endif
#ifdef __NR_lstat
    __NR_lstat,
#endif
#ifdef __NR_lstat64
    __NR_lstat64,
#endif
#ifdef __NR_newfstatat
    __NR_newfstatat,
#endif
#ifdef __NR_fstatat64
    __NR_fstatat64,
#endif
#ifdef __NR_statx
    __NR_statx,
#endif
#ifdef __NR_fstatfs
    __NR_fstatfs,
#endif
#ifdef __NR_fstatfs64
    __NR_fstatfs64,
#endif
#ifdef __NR_statfs
    __NR_statfs,
#endif
#ifdef __NR_statfs64
    __NR_statfs64,
#endif
#ifdef __NR_access
    __NR_access,
#endif
    __NR_faccessat,
#ifdef __NR_faccessat2
    __NR_faccessat2,
#endif
#ifdef __NR_readlink
    __NR_readlink,
#endif
    __NR_readlinkat,
#ifdef __NR_mkdir
    __NR_mkdir,
#endif
    __NR_mkdirat,
#ifdef __NR_unlink
    __NR_unlink,
#endif
    __NR_unlinkat,
#ifdef __NR_rename
    __NR_rename,
#endif
#ifdef __NR_renameat
    __NR_renameat,
#endif
#ifdef __NR_renameat2
    __NR_renameat2,
#endif
    __NR_umask,
    __NR_pipe2,
    __NR_eventfd2,
    __NR_epoll_create1,
    __NR_epoll_ctl,
    __NR_epoll_pwait,
#ifdef __NR_epoll_wait
    __NR_epoll_wait,
#endif
    __NR_dup,
    /* Memory and threads; what looks at arguments is below. */
    __NR_brk,
    __NR_munmap,
    __NR_mremap,
    __NR_madvise,
    __NR_set_robust_list,
    __NR_get_robust_list,
#ifdef __NR_rseq
    __NR_rseq,
#endif
    __NR_sched_yield,
    __NR_sched_getaffinity,
#ifdef __NR_membarrier
    __NR_membarrier,
#endif
    __NR_exit,
    __NR_exit_group,
    __NR_gettid,
    __NR_getpid,
    __NR_getppid,
    __NR_getuid,
#ifdef __NR_getuid32
    __NR_getuid32,
#endif
    __NR_geteuid,
#ifdef __NR_geteuid32
    __NR_geteuid32,
#endif
    __NR_getgid,
#ifdef __NR_getgid32
    __NR_getgid32,
#endif
    __NR_getegid,
#ifdef __NR_getegid32
    __NR_getegid32,
#endif
    __NR_rt_sigaction,
    __NR_rt_sigprocmask,
    __NR_rt_sigreturn,
#ifdef __NR_sigreturn
    __NR_sigreturn,
#endif
    __NR_sigaltstack,
    __NR_tkill,
    /* The rest: whether the kernel keeps time, randomness, what machine this is. */
    __NR_adjtimex,
    __NR_clock_adjtime,
#ifdef __NR_clock_adjtime64
    __NR_clock_adjtime64,
#endif
    __NR_getrandom,
    __NR_uname,
    __NR_sysinfo,
#ifdef __NR_getrlimit
    __NR_getrlimit,
#endif
#ifdef __NR_ugetrlimit
    __NR_ugetrlimit,
#endif
    __NR_getrusage,
};

/* Allowed when the argument has none of the bits, or with `set` any of them. */
struct bits_rule {
    long number;
    unsigned argument;
    bool set;
    uint32_t bits;
};

static const struct bits_rule calls_by_bits[] = {
#ifdef __NR_mmap
    {__NR_mmap, 2, false, PROT_EXEC},
#endif
#ifdef __NR_mmap2
    {__NR_mmap2, 2, false, PROT_EXEC},
#endif
    {__NR_mprotect, 2, false, PROT_EXEC},
    {__NR_clone, 0, true, CLONE_THREAD},
};

/* Allowed with these values of an argument. */
struct values_rule {
    long number;
    unsigned argument, count;
    const uint32_t *values;
};

/* Serial lines, sockets and terminals: read, set, count what is there; but not TIOCSTI, which types
 * into a terminal. TCGETS2 and the like are not in libc's headers. */
static const uint32_t ioctls[] = {
    TCGETS,      TCSETS,      TCSETSW,      TCSETSF,    TCFLSH,   TCSBRK,
    TCXONC,      TIOCMGET,    TIOCMSET,     TIOCMBIS,   TIOCMBIC, TIOCEXCL,
    TIOCGWINSZ,  TIOCOUTQ,    FIONREAD,     FIONBIO,    0x542e,   0x542f, /* TIOC[GS]RS485 */
    0x802c542a,  0x402c542b,  0x402c542c,   0x402c542d,                   /* TC[GS]ETS2… */
    SIOCGIFADDR, SIOCGIFNAME, SIOCGIFINDEX,
};

/* The names of threads and of mappings (PR_SET_VMA), which libc sets. */
static const uint32_t prctls[] = {PR_SET_NAME, PR_GET_NAME, 0x53564d41};

static const struct values_rule calls_by_values[] = {
    {__NR_ioctl, 1, ARRAY_LEN(ioctls), ioctls},
    {__NR_prctl, 0, ARRAY_LEN(prctls), prctls},
};

#endif
