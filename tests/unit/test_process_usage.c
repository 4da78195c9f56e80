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
        void *memory = mmap(NULL, bytes + 1, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

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
    assert_true(process_usage(child, &bare));
    assert_true(bare.descriptors >= 2);
    end(child);
    for (unsigned i = 0; i < ARRAY_LEN(counts); i++) {
        child = child_with(counts[i], 0);
        assert_true(process_usage(child, &usage));
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
    assert_true(process_usage(child, &bare));
    end(child);
    child = child_with(0, bytes);
    assert_true(process_usage(child, &usage));
    end(child);
    assert_true(usage.memory_bytes >= bare.memory_bytes + bytes - bytes / 8);
    assert_true(usage.memory_bytes <= bare.memory_bytes + bytes + bytes / 8);
}

static void nothing_is_known_of_a_process_that_is_not_there(void **state)
{
    struct recovery_usage usage = {1, 1};
    pid_t child = child_with(0, 0);

    (void)state;
    end(child);
    assert_false(process_usage(child, &usage));
    assert_true(usage.memory_bytes == 0);
    assert_int_equal(usage.descriptors, 0);
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
        cmocka_unit_test(nothing_is_known_of_a_process_that_is_not_there),
        cmocka_unit_test(kills_for_want_of_memory_are_the_kernels_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
