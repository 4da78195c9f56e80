/* Guards against files that are read twice, in another order, from the wrong folder or not at all
 * without a word, against input that is no configuration, and against mistakes reported for the
 * wrong file. Everything lies in a folder of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config_file.h"
#include "fake_kind.h"

enum { REPORT_BYTES = 1 << 14 };

static struct config config;
static struct config_texts texts;
static char folder[] = "/tmp/picket-config-XXXXXX";
static char reported[REPORT_BYTES];
static unsigned error_count;

/* Paths are told without the folder, which has another name each time. */
static void without_folder(const char *text, char *out, size_t size)
{
    size_t used = 0, length = strlen(folder);

    while (*text != '\0' && used + 1 < size) {
        if (strncmp(text, folder, length) == 0 && text[length] == '/') {
            text += length + 1;
        } else {
            out[used++] = *text++;
        }
    }
    out[used] = '\0';
}

static void note_error(void *context, const char *file, unsigned line, const char *message)
{
    char whole[1024];
    size_t used = strlen(reported);

    (void)context;
    (void)snprintf(whole, sizeof(whole), "%s:%u: %s\n", file, line, message);
    without_folder(whole, reported + used, sizeof(reported) - used);
}

static const char *path_of(const char *name)
{
    static char path[PATH_MAX];

    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    return path;
}

static void write_bytes(const char *name, const char *bytes, size_t count)
{
    int fd = open(path_of(name), O_CREAT | O_TRUNC | O_WRONLY, 0644);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, count), count);
    assert_int_equal(close(fd), 0);
}

static void write_file(const char *name, const char *text)
{
    write_bytes(name, text, strlen(text));
}

/* What was read from files is read from their texts again, to the last byte of it. */
static void expect_same_from_texts(void)
{
    static struct config again;
    struct config_errors errors = {.report = note_error};

    assert_true(config_texts_whole(&texts));
    if (!config_texts_load(&texts, &again, fake_kinds, FAKE_KIND_COUNT, &errors)) {
        fail_msg("%s", reported);
    }
    assert_memory_equal(&again, &config, sizeof config);
}

static enum error load_path(const char *path)
{
    struct config_errors errors = {.report = note_error};
    enum error error;

    reported[0] = '\0';
    error = config_file_load(path, &config, fake_kinds, FAKE_KIND_COUNT, &errors, &texts);
    error_count = errors.count;
    assert_int_equal(error == ERROR_NONE, errors.count == 0);
    if (error == ERROR_NONE && texts.used > 0) {
        expect_same_from_texts();
    }
    return error;
}

static enum error load(const char *name)
{
    return load_path(path_of(name));
}

static void expect_good(const char *name)
{
    if (load(name) != ERROR_NONE) {
        fail_msg("%s", reported);
    }
}

static void expect_report(const char *name, const char *report)
{
    assert_int_equal(load(name), ERROR_INVALID);
    assert_string_equal(reported, report);
}

/* The names of all probes in the order they were read. */
static const char *probe_names(void)
{
    static char names[1024];
    size_t used = 0;

    names[0] = '\0';
    for (unsigned i = 0; i < config.probe_count; i++) {
        used += (size_t)snprintf(names + used, sizeof(names) - used, "%s ",
                                 config_probe_name(&config, &config.probes[i]));
    }
    return names;
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) == NULL || mkdir(path_of("conf.d"), 0755) != 0 ||
           mkdir(path_of("od[d]"), 0755) != 0;
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status, (void)type, (void)walk;
    return remove(path);
}

static int remove_folder(void **state)
{
    (void)state;
    return nftw(folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static void config_file_reads_matches_in_order_and_nested_includes(void **state)
{
    (void)state;
    write_file("site.conf", "[agent]\ninclude = conf.d/*.conf\ninclude = last.conf\n"
                            "[web main]\nurl = x\n");
    write_file("conf.d/20-b.conf", "[web b]\nurl = x\n");
    write_file("conf.d/10-a.conf", "[web a]\nurl = x\n[agent]\ninclude = extra\nsite = s\n");
    write_file("conf.d/B.conf", "[web upper]\nurl = x\n");
    write_file("conf.d/not.txt", "rubbish\n");
    write_file("conf.d/.hidden.conf", "rubbish\n");
    write_file("conf.d/extra", "[web extra]\nurl = x\n");
    write_file("last.conf", "[web last]\nurl = x\n");
    expect_good("site.conf");
    assert_string_equal(probe_names(), "main a b upper last extra ");
    assert_true(texts.used > 0);
    assert_string_equal(config_site(&config), "s");
    assert_int_equal(config.file_count, 6);
}

static void config_file_takes_absolute_and_relative_names(void **state)
{
    char text[PATH_MAX + 64], old[PATH_MAX];

    (void)state;
    (void)snprintf(text, sizeof(text), "[agent]\ninclude = %s\n", path_of("other.conf"));
    write_file("abs.conf", text);
    write_file("other.conf", "[web other]\nurl = x\n");
    expect_good("abs.conf");
    assert_string_equal(probe_names(), "other ");
    write_file("rel.conf", "[agent]\ninclude = ./other.c?nf\n");
    assert_non_null(getcwd(old, sizeof(old)));
    assert_int_equal(chdir(folder), 0);
    assert_int_equal(load_path("rel.conf"), ERROR_NONE);
    assert_int_equal(chdir(old), 0);
    assert_string_equal(probe_names(), "other ");
}

static void config_file_takes_a_folders_name_for_no_pattern(void **state)
{
    (void)state;
    write_file("od[d]/site.conf", "[agent]\ninclude = *.inc\n[web main]\nurl = x\n");
    write_file("od[d]/a.inc", "[web a]\nurl = x\n");
    expect_good("od[d]/site.conf");
    assert_string_equal(probe_names(), "main a ");
}

static void config_file_wants_a_plain_name_and_not_a_pattern_to_match(void **state)
{
    (void)state;
    write_file("site.conf", "[agent]\ninclude = none.d/*.conf\ninclude = none*.conf\n");
    expect_good("site.conf");
    write_file("site.conf", "[agent]\ninclude = none.conf\n");
    expect_report("site.conf", "site.conf:2: include none.conf: No such file or directory\n");
}

static void config_file_refuses_the_same_file_twice(void **state)
{
    (void)state;
    write_file("other.conf", "[web other]\nurl = x\n");
    write_file("site.conf", "[agent]\ninclude = other.conf\ninclude = ./other.conf\n");
    expect_report("site.conf", "site.conf:3: include ./other.conf: this file is already read\n");
    write_file("site.conf", "[agent]\ninclude = site.conf\n");
    expect_report("site.conf", "site.conf:2: include site.conf: this file is already read\n");
    write_file("a.conf", "[agent]\ninclude = b.conf\n");
    write_file("b.conf", "[agent]\ninclude = a.conf\n");
    expect_report("a.conf", "b.conf:2: include a.conf: this file is already read\n");
}

static void config_file_refuses_what_is_no_file_of_sane_size(void **state)
{
    static char large[CONFIG_FILE_BYTES_MAX + 1];

    (void)state;
    memset(large, '\n', sizeof(large));
    write_bytes("large.conf", large, sizeof(large) - 1);
    expect_good("large.conf");
    assert_int_equal(texts.used, 0); /* too large to be kept */
    write_bytes("large.conf", large, sizeof(large));
    assert_int_equal(load("large.conf"), ERROR_MISSING);
    assert_string_equal(reported, "large.conf:0: larger than 1 MiB, which is no configuration\n");
    assert_int_equal(load("conf.d"), ERROR_MISSING);
    assert_string_equal(reported, "conf.d:0: not a regular file\n");
    assert_int_equal(mkfifo(path_of("fifo"), 0600), 0);
    assert_int_equal(load("fifo"), ERROR_MISSING);
    assert_string_equal(reported, "fifo:0: not a regular file\n");
    assert_int_equal(load("gone.conf"), ERROR_MISSING);
    assert_string_equal(reported, "gone.conf:0: No such file or directory\n");
}

static void config_file_reports_the_file_a_mistake_is_in(void **state)
{
    (void)state;
    write_file("site.conf", "[agent]\ninclude = conf.d/bad\nsite = ..\n[web a]\nurl = x\n");
    write_file("conf.d/bad", "rubbish\n[web a]\nurl = y\ntimeout = 1m\n[web b]\n");
    expect_report("site.conf",
                  "conf.d/bad:1: expected 'key = value', '[section]' or a comment\n"
                  "conf.d/bad:2: the name 'a' is already used in site.conf:4: names are unique "
                  "across all kinds\n"
                  "site.conf:3: 'site': a site is not '.' or '..' and has no '/', since it becomes "
                  "part of the push's path\n"
                  "conf.d/bad:4: 'timeout' 1m is above the interval of 30s (by default): lower it "
                  "or raise 'interval' in [web a]\n"
                  "conf.d/bad:5: [web b] has no target: set 'url'\n");
    assert_int_equal(error_count, 5);
}

static void config_file_bounds_the_number_of_files(void **state)
{
    char name[32];

    (void)state;
    assert_int_equal(mkdir(path_of("many.d"), 0755), 0);
    for (unsigned i = 0; i < CAP_FILES + 5; i++) {
        (void)snprintf(name, sizeof(name), "many.d/%03u", i);
        write_file(name, "# nothing\n");
    }
    write_file("site.conf", "[agent]\ninclude = many.d/*\n");
    assert_int_equal(load("site.conf"), ERROR_INVALID);
    assert_string_equal(reported, "many.d/063:0: more than 64 files\n");
}

static void config_file_reads_standard_input(void **state)
{
    int saved = dup(STDIN_FILENO), ends[2];
    static const char text[] = "[web a]\nurl = x\nrubbish\n";
    enum error error;

    (void)state;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], text, sizeof(text) - 1), sizeof(text) - 1);
    assert_int_equal(close(ends[1]), 0);
    assert_int_equal(dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
    error = load_path("-");
    assert_int_equal(dup2(saved, STDIN_FILENO), STDIN_FILENO);
    close(ends[0]);
    close(saved);
    assert_int_equal(error, ERROR_INVALID);
    assert_string_equal(reported, "stdin:3: expected 'key = value', '[section]' or a comment\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(config_file_reads_matches_in_order_and_nested_includes),
        cmocka_unit_test(config_file_takes_absolute_and_relative_names),
        cmocka_unit_test(config_file_takes_a_folders_name_for_no_pattern),
        cmocka_unit_test(config_file_wants_a_plain_name_and_not_a_pattern_to_match),
        cmocka_unit_test(config_file_refuses_the_same_file_twice),
        cmocka_unit_test(config_file_refuses_what_is_no_file_of_sane_size),
        cmocka_unit_test(config_file_reports_the_file_a_mistake_is_in),
        cmocka_unit_test(config_file_bounds_the_number_of_files),
        cmocka_unit_test(config_file_reads_standard_input),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
