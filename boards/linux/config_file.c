/* Method: every file goes through the same door, which refuses what is no regular file, too large
 * or already read; the loader hands out includes one by one, so nesting needs no stack here. */
#include "config_file.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct file_id {
    dev_t device;
    ino_t inode;
};

struct reading {
    struct config_loader loader;
    struct config_errors *errors;
    struct config_texts *texts; /* or NULL */
    unsigned known_count;
    struct file_id known[CAP_FILES]; /* files already read: the same under two names is found too */
};

/* Where a file was asked for: the line of its include, or the file itself for the first. */
struct origin {
    const char *file;
    unsigned line;
};

/* Only the first file can be: "-" in an include is a file of that name. */
static bool is_stdin(const struct origin *origin, const char *path)
{
    return origin->line == 0 && strcmp(path, "-") == 0;
}

static void report(struct reading *reading, const struct origin *origin, const char *path,
                   const char *cause)
{
    if (origin->line == 0) {
        config_error(reading->errors, path, 0, "%s", cause);
    } else {
        config_error(reading->errors, origin->file, origin->line, "include %s: %s", path, cause);
    }
}

/* Non-blocking, so that a FIFO in a file's place cannot hang the start. */
static int open_path(const char *path)
{
    return open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
}

/* Why this is no file to read, or NULL; notes which file it is. */
static const char *refuse_file(struct reading *reading, int fd)
{
    struct stat status;

    if (fstat(fd, &status) != 0) {
        return strerror(errno);
    }
    if (!S_ISREG(status.st_mode)) {
        return "not a regular file";
    }
    for (unsigned i = 0; i < reading->known_count; i++) {
        if (reading->known[i].device == status.st_dev && reading->known[i].inode == status.st_ino) {
            return "this file is already read";
        }
    }
    if (reading->known_count < CAP_FILES) {
        reading->known[reading->known_count++] =
            (struct file_id){.device = status.st_dev, .inode = status.st_ino};
    }
    return NULL;
}

/* Fills `text` to its end or the file's; NULL when it went well. */
static const char *read_all(int fd, char *text, size_t size, size_t *length)
{
    *length = 0;
    while (*length < size) {
        ssize_t got = read(fd, text + *length, size - *length);

        if (got == 0) {
            return NULL;
        }
        if (got < 0 && errno != EINTR) {
            return strerror(errno);
        }
        *length += got > 0 ? (size_t)got : 0;
    }
    return "larger than 1 MiB, which is no configuration";
}

static void add_text(struct reading *reading, const char *name, const char *text, size_t size)
{
    config_add_text(&reading->loader, name, text, size);
    if (reading->texts != NULL) {
        config_texts_add(reading->texts, name, text, size);
    }
}

/* Reads one file into the loader. False when it could not be read; that is reported. */
static bool read_file(struct reading *reading, const struct origin *origin, const char *path)
{
    const size_t size = CONFIG_FILE_BYTES_MAX + 1;
    bool from_stdin = is_stdin(origin, path);
    int fd = from_stdin ? STDIN_FILENO : open_path(path);
    const char *cause_of_open = fd < 0 ? strerror(errno) : NULL;
    char *text = malloc(size);
    const char *cause = fd < 0 ? cause_of_open : text == NULL ? "out of memory" : NULL;
    size_t length;

    if (cause == NULL && !from_stdin) {
        cause = refuse_file(reading, fd);
    }
    if (cause == NULL) {
        cause = read_all(fd, text, size, &length);
    }
    if (cause == NULL) {
        add_text(reading, from_stdin ? "stdin" : path, text, length);
    } else {
        report(reading, origin, path, cause);
    }
    free(text);
    if (fd >= 0 && !from_stdin) {
        close(fd);
    }
    return cause == NULL;
}

/* Appends to a path, with what glob would read as a wildcard made plain when asked to. False: no
 * room. */
static bool append(char *out, size_t size, const char *text, size_t length, bool plain)
{
    size_t used = strlen(out);

    for (size_t i = 0; i < length; i++) {
        bool escape = plain && strchr("*?[\\", text[i]) != NULL;

        if (used + (escape ? 2 : 1) >= size) {
            return false;
        }
        if (escape) {
            out[used++] = '\\';
        }
        out[used++] = text[i];
    }
    out[used] = '\0';
    return true;
}

/* The pattern as seen from here: below the folder of the file it stands in, unless absolute. The
 * folder's own name is no pattern. */
static bool locate(const char *from, const char *pattern, bool wild, char *out, size_t size)
{
    const char *slash = strrchr(from, '/');
    size_t folder = pattern[0] == '/' || slash == NULL ? 0 : (size_t)(slash - from) + 1;

    out[0] = '\0';
    return append(out, size, from, folder, wild) &&
           append(out, size, pattern, strlen(pattern), false);
}

/* A folder that is not there holds nothing; one that may not be read is worth a word. */
static int is_serious(const char *path, int system_errno)
{
    (void)path;
    return system_errno != ENOENT && system_errno != ENOTDIR;
}

static int compare_paths(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void read_matches(struct reading *reading, const struct origin *origin, const char *pattern)
{
    glob_t matches;
    int status = glob(pattern, GLOB_NOSORT, is_serious, &matches);

    if (status == GLOB_NOSPACE) {
        report(reading, origin, pattern, "out of memory");
    } else if (status == GLOB_ABORTED) {
        report(reading, origin, pattern, "the folder cannot be read");
    } else if (status == 0) {
        qsort(matches.gl_pathv, matches.gl_pathc, sizeof(matches.gl_pathv[0]), compare_paths);
        for (size_t i = 0; i < matches.gl_pathc; i++) {
            (void)read_file(reading, origin, matches.gl_pathv[i]);
        }
    }
    globfree(&matches);
}

OWN_FRAME static void follow_include(struct reading *reading, const struct origin *origin,
                                     const char *pattern)
{
    bool wild = strpbrk(pattern, "*?[") != NULL;
    char located[PATH_MAX];

    if (!locate(origin->file, pattern, wild, located, sizeof(located))) {
        report(reading, origin, pattern, "the path is too long");
    } else if (wild) {
        read_matches(reading, origin, located);
    } else {
        (void)read_file(reading, origin, located);
    }
}

enum error config_file_load(const char *path, struct config *config,
                            const struct probe_kind *const *kinds, unsigned kind_count,
                            struct config_errors *errors, struct config_texts *texts)
{
    struct reading reading = {.errors = errors, .texts = texts};
    struct origin origin = {.line = 0};
    const char *pattern;
    bool good;

    config_begin(&reading.loader, config, kinds, kind_count, errors);
    if (texts != NULL) {
        config_texts_begin(texts);
    }
    if (!read_file(&reading, &origin, path)) {
        if (texts != NULL) {
            texts->used = 0;
        }
        return ERROR_MISSING;
    }
    while ((pattern = config_next_include(&reading.loader, &origin.file, &origin.line)) != NULL) {
        follow_include(&reading, &origin, pattern);
    }
    good = config_finish(&reading.loader);
    if (texts != NULL) {
        (void)config_texts_end(texts);
    }
    return good ? ERROR_NONE : ERROR_INVALID;
}
