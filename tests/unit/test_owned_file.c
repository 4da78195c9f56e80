/* Guards against: a file that somebody else could have written and is believed; one that is half
 * there after a failure; a name that leads elsewhere; a file without an end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "owned_file.h"
#include "temp_folder.h"

static char got[64], why[OWNED_FILE_WHY_BYTES];
static size_t length;

static enum error read_it(const char *name)
{
    return owned_file_read(temp_folder, name, got, sizeof got, &length, why);
}

static void what_was_written_is_read_and_nothing_else_is_left(void **state)
{
    (void)state;
    struct stat status;
    assert_int_equal(owned_file_folder(temp_folder, why), ERROR_NONE);
    assert_int_equal(read_it("a"), ERROR_MISSING);
    assert_int_equal(owned_file_write(temp_folder, "a", "one", 3, why), ERROR_NONE);
    assert_int_equal(owned_file_write(temp_folder, "a", "second", 6, why), ERROR_NONE);
    assert_int_equal(read_it("a"), ERROR_NONE);
    assert_int_equal(length, 6);
    assert_memory_equal(got, "second", 6);
    assert_int_equal(stat(temp_path("a"), &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    assert_int_equal(access(temp_path("a.new"), F_OK), -1);
}

static void what_others_may_write_to_is_not_believed(void **state)
{
    static const mode_t modes[] = {0660, 0606, 0666, 0620};
    (void)state;
    assert_int_equal(owned_file_write(temp_folder, "a", "one", 3, why), ERROR_NONE);
    for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
        assert_int_equal(chmod(temp_path("a"), modes[i]), 0);
        assert_int_equal(read_it("a"), ERROR_DENIED);
        assert_non_null(strstr(why, "others may write to it"));
    }
    assert_int_equal(chmod(temp_path("a"), 0644), 0); /* to read it is no harm */
    assert_int_equal(read_it("a"), ERROR_NONE);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(chmod(temp_folder, i == 0 ? 0770 : 01777), 0);
        assert_int_equal(read_it("a"), ERROR_DENIED);
        assert_int_equal(owned_file_folder(temp_folder, why), ERROR_DENIED);
        assert_int_equal(owned_file_write(temp_folder, "a", "two", 3, why), ERROR_DENIED);
    }
    assert_int_equal(chmod(temp_folder, 0700), 0);
    assert_int_equal(read_it("a"), ERROR_NONE);
    assert_memory_equal(got, "one", 3);
}

static void what_belongs_to_somebody_else_is_not_believed(void **state)
{
    (void)state;
    if (geteuid() != 0) {
        skip(); /* only root can give something away */
    }
    assert_int_equal(owned_file_write(temp_folder, "a", "one", 3, why), ERROR_NONE);
    assert_int_equal(chown(temp_path("a"), 65534, 65534), 0);
    assert_int_equal(read_it("a"), ERROR_DENIED);
    assert_non_null(strstr(why, "belongs to another user"));
    assert_int_equal(owned_file_write(temp_folder, "a", "one", 3, why), ERROR_NONE);
    assert_int_equal(read_it("a"), ERROR_NONE); /* ours again */
    assert_int_equal(chown(temp_folder, 65534, 65534), 0);
    assert_int_equal(read_it("a"), ERROR_DENIED);
    assert_int_equal(owned_file_folder(temp_folder, why), ERROR_DENIED);
    assert_int_equal(chown(temp_folder, 0, 0), 0);
}

static void what_is_no_plain_file_is_refused(void **state)
{
    (void)state;
    assert_int_equal(owned_file_write(temp_folder, "real", "one", 3, why), ERROR_NONE);
    assert_int_equal(symlink("real", temp_path("link")), 0);
    assert_int_equal(mkfifo(temp_path("fifo"), 0600), 0);
    assert_int_equal(mkdir(temp_path("folder"), 0700), 0);
    assert_int_equal(read_it("link"), ERROR_DENIED);
    assert_int_equal(read_it("fifo"), ERROR_DENIED);
    assert_int_equal(read_it("folder"), ERROR_DENIED);
    assert_int_equal(symlink("real", temp_path("b.new")), 0); /* nor is it written through */
    assert_int_equal(owned_file_write(temp_folder, "b", "two", 3, why), ERROR_DENIED);
    assert_int_equal(read_it("real"), ERROR_NONE);
    assert_memory_equal(got, "one", 3);
}

static void what_is_too_large_is_refused(void **state)
{
    char large[sizeof got + 1] = {0};
    (void)state;
    assert_int_equal(owned_file_write(temp_folder, "a", large, sizeof got, why), ERROR_NONE);
    assert_int_equal(read_it("a"), ERROR_NONE);
    assert_int_equal(length, sizeof got);
    assert_int_equal(owned_file_write(temp_folder, "a", large, sizeof large, why), ERROR_NONE);
    assert_int_equal(read_it("a"), ERROR_RANGE);
}

static void a_folder_that_is_not_there_is_missing(void **state)
{
    (void)state;
    const char *nowhere = temp_path("nowhere");
    temp_write("file", "");
    assert_int_equal(owned_file_folder(nowhere, why), ERROR_MISSING);
    assert_int_equal(owned_file_folder(temp_path("file"), why), ERROR_MISSING);
    assert_int_equal(owned_file_read(nowhere, "a", got, sizeof got, &length, why), ERROR_MISSING);
    assert_int_equal(owned_file_write(nowhere, "a", "", 0, why), ERROR_MISSING);
    assert_non_null(strstr(why, "nowhere: No such file"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_was_written_is_read_and_nothing_else_is_left, temp_empty),
        cmocka_unit_test_setup(what_others_may_write_to_is_not_believed, temp_empty),
        cmocka_unit_test_setup(what_belongs_to_somebody_else_is_not_believed, temp_empty),
        cmocka_unit_test_setup(what_is_no_plain_file_is_refused, temp_empty),
        cmocka_unit_test_setup(what_is_too_large_is_refused, temp_empty),
        cmocka_unit_test_setup(a_folder_that_is_not_there_is_missing, temp_empty),
    };
    return cmocka_run_group_tests(tests, temp_make, temp_unmake);
}
