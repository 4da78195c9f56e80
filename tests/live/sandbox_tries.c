/* Enters the sandbox as the agent does and then tries what an intruder, or the agent itself, would:
 * one line each, `NAME ok` or `NAME ERRNO`. For test_hardening.py.
 *
 *   sandbox_tries CHOICE USER FOLDER [NAME]     CHOICE: off, on, strict; landlock: that part alone
 *
 * USER may be "-". FOLDER has the folders store, run, beside (with a file `cert`) and other (with a
 * file `file`). With NAME only that one is tried. */
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "linux_logger.h"
#include "sandbox.h"
#include "sandbox_landlock.h"

static char folder[64];

static const char *in(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

/* Descriptors stay open: the process ends soon. */
static int opens(const char *path, int flags)
{
    return open(path, flags | O_CLOEXEC, 0600) < 0 ? -1 : 0;
}

static int store_make(void)
{
    return opens(in("store/store.pk.new"), O_RDWR | O_CREAT | O_EXCL);
}
static int store_rename(void)
{
    char from[128];
    snprintf(from, sizeof from, "%s", in("store/store.pk.new"));
    return rename(from, in("store/store.pk"));
}
static int store_open(void)
{
    return opens(in("store/store.pk"), O_RDWR);
}
static int store_sync_folder(void)
{
    int fd = open(in("store"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -1 : fsync(fd);
}
static int store_remove(void)
{
    return unlink(in("store/store.pk"));
}
static int store_mkdir(void)
{
    return mkdir(in("store/x"), 0700);
}
static int store_symlink(void)
{
    return symlink("/etc/passwd", in("store/link"));
}
static int store_chmod(void)
{
    return chmod(in("store"), 04777);
}
static int socket_make(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    memcpy(address.sun_path, in("run/status.sock"), sizeof address.sun_path);
    return fd < 0 ? -1 : bind(fd, (struct sockaddr *)&address, sizeof address);
}
static int socket_remove(void)
{
    return unlink(in("run/status.sock"));
}
static int beside_read(void)
{
    return opens(in("beside/cert"), O_RDONLY);
}
static int beside_write(void)
{
    return opens(in("beside/cert"), O_WRONLY);
}
static int beside_make(void)
{
    return opens(in("beside/new"), O_WRONLY | O_CREAT);
}
static int beside_remove(void)
{
    return unlink(in("beside/cert"));
}
static int beside_run(void)
{
    char *words[] = {"cert", NULL};
    return execv(in("beside/cert"), words);
}
static int other_read(void)
{
    return opens(in("other/file"), O_RDONLY);
}
static int other_list(void)
{
    return opens(in("other"), O_RDONLY | O_DIRECTORY);
}
static int other_make(void)
{
    return opens(in("other/new"), O_WRONLY | O_CREAT);
}
static int hosts_read(void)
{
    return opens("/etc/hosts", O_RDONLY);
}
static int self_read(void)
{
    return opens("/proc/self/mountinfo", O_RDONLY);
}
static int process_1_read(void)
{
    return opens("/proc/1/cmdline", O_RDONLY);
}
static int memory_device(void)
{
    return opens("/dev/null", O_RDWR);
}
static int execute(void)
{
    char *words[] = {"true", NULL};
    return execv("/bin/true", words);
}
static int execute_self(void)
{
    char *words[] = {"picketd", NULL};
    return execv("/proc/self/exe", words);
}
static int fork_plain(void)
{
    pid_t child = fork();
    if (child == 0) {
        _exit(0);
    }
    return child < 0 ? -1 : 0;
}
static int clone_new(void)
{
    return (int)syscall(SYS_clone3, NULL, (size_t)0);
}
static void *idle(void *context)
{
    return context;
}
static int thread(void)
{
    pthread_t made;
    errno = pthread_create(&made, NULL, idle, NULL);
    return errno ? -1 : (errno = pthread_join(made, NULL)) ? -1 : 0;
}
static int ptrace_parent(void)
{
    return (int)ptrace(PTRACE_ATTACH, getppid(), NULL, NULL);
}
static int signal_parent(void)
{
    return kill(getppid(), 0);
}
static int signal_other_thread(void)
{
    return (int)syscall(SYS_tgkill, getppid(), getppid(), 0);
}
static int signal_thread(void) /* by the old call, which names no process: Landlock's to refuse */
{
    return (int)syscall(SYS_tkill, getppid(), 0);
}
static int signal_self(void)
{
    signal(SIGUSR1, SIG_IGN);
    return raise(SIGUSR1);
}
static int opens_socket(int family, int type, int protocol)
{
    return socket(family, type | SOCK_CLOEXEC, protocol) < 0 ? -1 : 0;
}
static int socket_tcp(void)
{
    return opens_socket(AF_INET, SOCK_STREAM, 0);
}
static int socket_tcp6(void)
{
    return opens_socket(AF_INET6, SOCK_STREAM, 0);
}
static int socket_route(void)
{
    return opens_socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
}
static int socket_audit(void)
{
    return opens_socket(AF_NETLINK, SOCK_RAW, NETLINK_AUDIT);
}
static int socket_raw(void)
{
    return opens_socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
}
static int socket_packet(void)
{
    return opens_socket(AF_PACKET, SOCK_RAW, 0);
}
static int socket_alg(void)
{
    return opens_socket(AF_ALG, SOCK_SEQPACKET, 0);
}
static int socket_vsock(void)
{
    return opens_socket(AF_VSOCK, SOCK_STREAM, 0);
}
static int serves(in_port_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return fd < 0 ? -1 : bind(fd, (struct sockaddr *)&address, sizeof address);
}
static int bind_port(void)
{
    return serves(45454);
}
static int bind_any_port(void)
{
    return serves(0);
}
static int abstract_socket(void) /* the test listens on it */
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path + 1, folder, sizeof folder);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(folder));
    return fd < 0 ? -1 : connect(fd, (struct sockaddr *)&address, size);
}
static int map_code(void)
{
    return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED
               ? -1
               : 0;
}
static int map_data(void)
{
    return mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
                   MAP_FAILED
               ? -1
               : 0;
}
static int protect_code(void)
{
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return page == MAP_FAILED ? -1 : mprotect(page, 4096, PROT_READ | PROT_EXEC);
}
static int become_root(void)
{
    return setuid(0);
}
static int be_dumpable(void)
{
    return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}
static int raise_limit(void)
{
    struct rlimit limit = {.rlim_cur = 4096, .rlim_max = 4096};
    return setrlimit(RLIMIT_NOFILE, &limit);
}
static int read_limit(void)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_NOFILE, &limit);
}
static int type_into_terminal(void)
{
    return ioctl(0, TIOCSTI, "x");
}
static int count_input(void)
{
    int count, ends[2];
    return pipe2(ends, O_CLOEXEC) != 0 ? -1 : ioctl(ends[0], FIONREAD, &count);
}
static int new_namespace(void)
{
    return unshare(CLONE_NEWUSER);
}
static int keyring(void)
{
    return (int)syscall(SYS_keyctl, 0, -3, 0);
}
static int bpf(void)
{
    return (int)syscall(SYS_bpf, 0, NULL, 0);
}
static int io_ring(void)
{
    return (int)syscall(SYS_io_uring_setup, 1, NULL);
}
static int peek_parent(void)
{
    return (int)syscall(SYS_process_vm_readv, getppid(), NULL, 0L, NULL, 0L, 0L);
}
static int reboot_machine(void) /* wrong magic numbers: it would be EINVAL at worst */
{
    return (int)syscall(SYS_reboot, 0, 0, 0, NULL);
}
static int future_call(void)
{
    return (int)syscall(10000);
}
static int abort_self(void)
{
    abort();
}

static const struct
try {
    const char *name;
    int (*run)(void);
    bool alone; /* only when it is named: it may not come back, or leave two of us */
}
tries[] = {
#define TRY(name)                                                                                  \
    {                                                                                              \
#name, name, false                                                                         \
    }
    TRY(store_make),
    TRY(store_rename),
    TRY(store_open),
    TRY(store_sync_folder),
    TRY(store_remove),
    TRY(store_mkdir),
    TRY(store_symlink),
    TRY(store_chmod),
    TRY(socket_make),
    TRY(socket_remove),
    TRY(beside_read),
    TRY(beside_write),
    TRY(beside_make),
    TRY(beside_remove),
    TRY(beside_run),
    TRY(other_read),
    TRY(other_list),
    TRY(other_make),
    TRY(hosts_read),
    TRY(self_read),
    TRY(process_1_read),
    TRY(memory_device),
    TRY(fork_plain),
    TRY(clone_new),
    TRY(thread),
    TRY(ptrace_parent),
    TRY(signal_parent),
    TRY(signal_other_thread),
    TRY(signal_thread),
    TRY(signal_self),
    TRY(socket_tcp),
    TRY(socket_tcp6),
    TRY(socket_route),
    TRY(socket_audit),
    TRY(socket_raw),
    TRY(socket_packet),
    TRY(socket_alg),
    TRY(socket_vsock),
    TRY(bind_port),
    TRY(bind_any_port),
    TRY(abstract_socket),
    TRY(map_code),
    TRY(map_data),
    TRY(protect_code),
    TRY(become_root),
    TRY(be_dumpable),
    TRY(raise_limit),
    TRY(read_limit),
    TRY(type_into_terminal),
    TRY(count_input),
    TRY(new_namespace),
    TRY(keyring),
    TRY(bpf),
    TRY(io_ring),
    TRY(peek_parent),
    TRY(reboot_machine),
    TRY(future_call),
    TRY(execute),
    TRY(execute_self),
    {"abort_self", abort_self, true},
};

/* The names that a refusal of the sandbox has, ERRNO_25 for any other: one word each. (glibc has
 * a function for it, musl has none.) */
static const char *errno_name(int number)
{
    static char other[32];
    static const struct {
        int number;
        const char *name;
    } names[] = {{EPERM, "EPERM"},   {EACCES, "EACCES"}, {ENOSYS, "ENOSYS"},
                 {ENOENT, "ENOENT"}, {EINVAL, "EINVAL"}, {EAFNOSUPPORT, "EAFNOSUPPORT"}};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (names[i].number == number) {
            return names[i].name;
        }
    }
    snprintf(other, sizeof other, "ERRNO_%d", number);
    return other;
}

static void run_tries(const char *only)
{
    for (size_t i = 0; i < ARRAY_LEN(tries); i++) {
        if (only ? strcmp(only, tries[i].name) == 0 : !tries[i].alone) {
            int result = tries[i].run();
            printf("%s %s\n", tries[i].name, result == 0 ? "ok" : errno_name(errno));
            fflush(stdout);
        }
    }
}

static bool enter(struct sandbox_plan *plan, const char *choice)
{
    static struct linux_logger state;
    struct logger logger = linux_logger(&state, LOG_LEVEL_DEBUG);
    if (strcmp(choice, "landlock") == 0) {
        int rules = sandbox_landlock_prepare(plan, sandbox_landlock_version());
        return rules >= 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
               sandbox_landlock_enter(rules);
    }
    plan->choice = strcmp(choice, "strict") == 0 ? SANDBOX_STRICT
                   : strcmp(choice, "on") == 0   ? SANDBOX_ON
                                                 : SANDBOX_OFF;
    return sandbox_enter(plan, &logger) == ERROR_NONE;
}

int main(int argc, char **argv)
{
    static struct sandbox_plan plan = {.by_parent = true};
    char store[128], status[128], beside[128];
    if (argc < 4) {
        return 2;
    }
    snprintf(folder, sizeof folder, "%s", argv[3]);
    snprintf(store, sizeof store, "%s", in("store/store.pk"));
    snprintf(status, sizeof status, "%s", in("run/status.sock"));
    snprintf(beside, sizeof beside, "%s", in("beside/cert"));
    plan.user = strcmp(argv[2], "-") == 0 ? NULL : argv[2];
    sandbox_plan_add(&plan, SANDBOX_STORE, store);
    sandbox_plan_add(&plan, SANDBOX_SOCKET, status);
    sandbox_plan_add(&plan, SANDBOX_BESIDE, beside);
    sandbox_plan_add(&plan, SANDBOX_BESIDE, "/etc/hosts");
    if (!enter(&plan, argv[1])) {
        return 1;
    }
    run_tries(argc > 4 ? argv[4] : NULL);
    return 0;
}
