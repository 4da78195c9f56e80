/* Guards against a leak that is not seen, or seen where there is none: real processes that hold
 * what the test gives them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process_usage.h"

/* A child that has taken what it was told to, and waits to be ended. */
static pid_t child_with(unsigned descriptors, size_t bytes)
{
    int ready[2];
    char byte;
    pid_t child;

    assert_int_equal(pipe(ready), 0);
    child = fork();
    if (child == 0) {
        void *memory =
            mmap(NULL, bytes + 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        if (memory != MAP_FAILED) {
            memset(memory, 1, bytes + 1); /* only what was touched is resident */
        }
        for (unsigned i = 0; i < descriptors; i++) {
            (void)!dup(ready[1]);
        }
        (void)!write(ready[1], memory != MAP_FAILED ? "y" : "n", 1);
        (void)pause();
        _exit(0);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(byte, 'y');
    (void)close(ready[0]);
    (void)close(ready[1]);
    return child;
}

/* As a parent that opened it in time. */
static bool look(pid_t child, struct recovery_usage *usage)
{
    struct process_usage of;
    process_usage_open(&of, child);
    bool known = process_usage_read(&of, usage);
    process_usage_close(&of);
    process_usage_close(&of);
    return known;
}

static void end(pid_t child)
{
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
}

static void descriptors_are_counted_to_the_last(void **state)
{
    static const unsigned counts[] = {1, 100, 400};
    struct recovery_usage bare, usage;
    pid_t child = child_with(0, 0);

    (void)state;
    assert_true(look(child, &bare));
    assert_true(bare.descriptors >= 2);
    end(child);
    for (unsigned i = 0; i < ARRAY_LEN(counts); i++) {
        child = child_with(counts[i], 0);
        assert_true(look(child, &usage));
        assert_int_equal(usage.descriptors, bare.descriptors + counts[i]);
        end(child);
    }
}

static void memory_is_what_is_resident(void **state)
{
    const size_t bytes = 32 * 1024 * 1024;
    struct recovery_usage bare, usage;
    pid_t child = child_with(0, 0);

    (void)state;
    assert_true(look(child, &bare));
    end(child);
    child = child_with(0, bytes);
    assert_true(look(child, &usage));
    end(child);
    assert_true(usage.memory_bytes >= bare.memory_bytes + bytes - bytes / 8);
    /* A sanitizer keeps an eighth of it, and a little more, for itself. */
    assert_true(usage.memory_bytes <= bare.memory_bytes + bytes + bytes / 4);
}

static void nothing_is_known_of_a_process_that_is_not_there(void **state)
{
    struct recovery_usage usage = {1, 1};
    pid_t child = child_with(0, 0);

    (void)state;
    end(child);
    assert_false(look(child, &usage));
    assert_true(usage.memory_bytes == 0);
    assert_int_equal(usage.descriptors, 0);
}

static void what_is_open_stays_readable_when_the_child_hides(void **state)
{
    struct recovery_usage usage;
    struct process_usage of;
    int hide[2], hidden[2];
    char byte;

    (void)state;
    assert_int_equal(pipe(hide) + pipe(hidden), 0);
    pid_t child = fork();
    if (child == 0) {
        (void)!read(hide[0], &byte, 1);
        (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
        (void)!write(hidden[1], "y", 1);
        (void)pause();
        _exit(0);
    }
    process_usage_open(&of, child);
    assert_int_equal(write(hide[1], "g", 1), 1);
    assert_int_equal(read(hidden[0], &byte, 1), 1);
    if (geteuid() == 0) { /* root would see it anyway */
        assert_int_equal(setegid(65534) + seteuid(65534), 0);
    }
    bool known = process_usage_read(&of, &usage);
    assert_int_equal(seteuid(getuid()) + setegid(getgid()), 0);
    assert_true(known);
    assert_true(usage.memory_bytes > 0);
    assert_true(usage.descriptors >= 4);
    end(child);
    assert_false(process_usage_read(&of, &usage));
    process_usage_close(&of);
    for (unsigned i = 0; i < 2; i++) {
        (void)close(hide[i]);
        (void)close(hidden[i]);
    }
}

/* The other way to the same number. */
static void kills_for_want_of_memory_are_the_kernels_count(void **state)
{
    char line[128];
    unsigned long long kills = 0;
    FILE *file = fopen("/proc/vmstat", "re");

    (void)state;
    while (fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, "oom_kill ", 9) == 0) {
            kills = strtoull(line + 9, NULL, 10);
        }
    }
    (void)fclose(file);
    print_message("%llu so far\n", kills);
    assert_true(oom_kills() >= kills);
    assert_true(oom_kills() <= kills + 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(descriptors_are_counted_to_the_last),
        cmocka_unit_test(memory_is_what_is_resident),
        cmocka_unit_test(what_is_open_stays_readable_when_the_child_hides),
        cmocka_unit_test(nothing_is_known_of_a_process_that_is_not_there),
        cmocka_unit_test(kills_for_want_of_memory_are_the_kernels_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
