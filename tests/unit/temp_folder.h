/* A temporary folder of a test program, emptied before each test, with small files in it. Include
 * after cmocka.h. */
#ifndef PICKET_TEST_TEMP_FOLDER_H
#define PICKET_TEST_TEMP_FOLDER_H

#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char temp_folder[] = "/tmp/picket-test-XXXXXX";

/* A path below the folder; the last eight stay valid. */
static inline const char *temp_path(const char *name)
{
    static char paths[8][PATH_MAX];
    static unsigned turn;
    char *path = paths[turn++ % 8];

    (void)snprintf(path, PATH_MAX, "%s/%s", temp_folder, name);
    return path;
}

static inline int temp_remove(const char *path, const struct stat *status, int kind,
                              struct FTW *ftw)
{
    (void)status;
    (void)kind;
    return ftw->level == 0 ? 0 : remove(path);
}

static inline int temp_empty(void **state)
{
    (void)state;
    return nftw(temp_folder, temp_remove, 8, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

static inline int temp_make(void **state)
{
    (void)state;
    return mkdtemp(temp_folder) == NULL;
}

static inline int temp_unmake(void **state)
{
    return temp_empty(state) != 0 || rmdir(temp_folder) != 0;
}

/* Makes a file and the folders it is in. */
static inline void temp_write(const char *name, const char *text)
{
    char path[PATH_MAX];
    int fd;

    (void)snprintf(path, sizeof path, "%s", temp_path(name));
    for (char *at = strchr(path + 1, '/'); at != NULL; at = strchr(at + 1, '/')) {
        *at = '\0';
        (void)mkdir(path, 0755);
        *at = '/';
    }
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    (void)close(fd);
}

static inline const char *temp_read(const char *name, char *text, size_t size)
{
    int fd = open(temp_path(name), O_RDONLY | O_CLOEXEC);
    ssize_t got = fd >= 0 ? read(fd, text, size - 1) : 0;

    text[got > 0 ? got : 0] = '\0';
    if (fd >= 0) {
        (void)close(fd);
    }
    return text;
}

#endif
