/* A call of the C library that would write past the end of an array ends the process instead,
 * before it has written: with glibc on the host, and with musl on boards (boards/deps/fortify).
 *
 * Guards against a target whose C library or compiler lets _FORTIFY_SOURCE mean nothing. */
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { ROOM = 8 };

/* A string's neighbour lies in the same object: only its member's own size tells where it ends. */
static struct {
    char text[ROOM];
    char neighbour[ROOM];
} pair;
static char bytes[ROOM];
static struct pollfd polled[ROOM];
static fd_set set;

enum call {
    MEMCPY,
    MEMMOVE,
    MEMSET,
    STRCPY,
    STRNCPY,
    STRCAT,
    STRNCAT,
    SNPRINTF,
    VSNPRINTF,
    SPRINTF,
    VSPRINTF,
    READ,
    PREAD,
    RECV,
    RECVFROM,
    FREAD,
    FGETS,
    POLL,
    SET,
    CALLS,
};

static const char *const NAMES[CALLS] = {
    "memcpy",   "memmove",   "memset",  "strcpy",   "strncpy", "strcat", "strncat",
    "snprintf", "vsnprintf", "sprintf", "vsprintf", "read",    "pread",  "recv",
    "recvfrom", "fread",     "fgets",   "poll",     "FD_SET",
};

static int vsn(size_t size, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = size > 0 ? vsnprintf(pair.text, size, format, arguments)
                          : vsprintf(pair.text, format, arguments);
    va_end(arguments);
    return length;
}

/* Fills `size` elements of an array that has ROOM; `text` is as long, with its zero. */
static void fill(enum call call, size_t size, const char *text, int fd, FILE *file)
{
    switch (call) {
    case MEMCPY:
        memcpy(bytes, text, size);
        break;
    case MEMMOVE:
        memmove(bytes, text, size);
        break;
    case MEMSET:
        memset(bytes, text[0], size);
        break;
    case STRCPY:
        strcpy(pair.text, text);
        break;
    case STRNCPY:
        strncpy(pair.text, text, size);
        break;
    case STRCAT:
        strcat(pair.text, text);
        break;
    case STRNCAT:
        strncat(pair.text, text, size);
        break;
    case SNPRINTF:
        (void)!snprintf(pair.text, size, "%s", text);
        break;
    case VSNPRINTF:
        vsn(size, "%s", text);
        break;
    case SPRINTF:
        sprintf(pair.text, "%s", text);
        break;
    case VSPRINTF:
        vsn(0, "%s", text);
        break;
    case READ:
        (void)!read(fd, bytes, size);
        break;
    case PREAD:
        (void)!pread(fd, bytes, size, 0);
        break;
    case RECV:
        (void)!recv(fd, bytes, size, MSG_DONTWAIT);
        break;
    case RECVFROM:
        (void)!recvfrom(fd, bytes, size, MSG_DONTWAIT, NULL, NULL);
        break;
    case FREAD:
        (void)!fread(bytes, 1, size, file);
        break;
    case FGETS:
        (void)!fgets(pair.text, (int)size, file);
        break;
    case POLL:
        (void)!poll(polled, (nfds_t)size, 0);
        break;
    case SET:
        FD_SET((int)(size - ROOM + FD_SETSIZE - 1), &set);
        break;
    case CALLS:
        break;
    }
}

/* How a process ends that fills `size` elements, and what it says. */
static int end_of(enum call call, size_t size, char said[static 80])
{
    static const char TEXT[] = "0123456789";
    int pipe_fds[2];
    assert_int_equal(pipe(pipe_fds), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        const struct rlimit no_core = {0, 0};
        char text[sizeof TEXT] = "";
        volatile size_t count = size;
        const char *volatile unknown = text;
        setrlimit(RLIMIT_CORE, &no_core);
        signal(SIGABRT, SIG_DFL);
        dup2(pipe_fds[1], STDERR_FILENO);
        for (size_t at = 0; at + 1 < count; at++) {
            text[at] = TEXT[at];
        }
        fill(call, count, unknown, open("/dev/zero", O_RDONLY), fopen("/dev/zero", "r"));
        _exit(0);
    }
    close(pipe_fds[1]);
    ssize_t length = read(pipe_fds[0], said, 79);
    said[length > 0 ? length : 0] = '\0';
    close(pipe_fds[0]);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
}

static void a_call_that_fits_is_the_plain_one(void **state)
{
    (void)state;
    char said[80];
    for (enum call call = 0; call < CALLS; call++) {
        int end = end_of(call, ROOM, said);
        if (end != 0 || said[0] != '\0') {
            fail_msg("%s: ended with %d and said '%s'", NAMES[call], end, said);
        }
    }
}

static void a_call_past_the_end_ends_the_process(void **state)
{
    (void)state;
    char said[80];
    for (enum call call = 0; call < CALLS; call++) {
        int end = end_of(call, ROOM + 1, said);
        if (end != SIGABRT || strncmp(said, "*** ", 4) != 0) {
            fail_msg("%s: ended with %d and said '%s'", NAMES[call], end, said);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_that_fits_is_the_plain_one),
        cmocka_unit_test(a_call_past_the_end_ends_the_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
