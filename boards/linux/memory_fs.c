/* Method for an overlay: its own statfs() speaks of the upper layer's space but hides its kind. So
 * /proc/self/fdinfo gives the mount the file is on, /proc/self/mountinfo the upper folder of that
 * mount, and statfs() on that folder the kind. */
#define _FILE_OFFSET_BITS 64 /* inode numbers and sizes past 32 bits are no error on any board */
#include "memory_fs.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

/* linux/magic.h, which not every tool chain brings along. */
#define TMPFS_KIND   UINT32_C(0x01021994)
#define RAMFS_KIND   UINT32_C(0x858458f6)
#define OVERLAY_KIND UINT32_C(0x794c7630)

enum { CHUNK_BYTES = 256 };

/* Reads a file of /proc line by line without a heap. */
struct lines {
    int fd;
    size_t used, filled;
    char chunk[CHUNK_BYTES];
};

static bool is_memory(uint32_t kind)
{
    return kind == TMPFS_KIND || kind == RAMFS_KIND;
}

/* The type of f_type differs in width and sign between boards; the kinds are 32 bits. */
static uint32_t kind_of(const struct statfs *status)
{
    return (uint32_t)status->f_type;
}

/* The next byte, or -1 at the end. */
static int next_byte(struct lines *lines)
{
    if (lines->used == lines->filled) {
        ssize_t got = read(lines->fd, lines->chunk, sizeof lines->chunk);

        if (got <= 0) {
            return -1;
        }
        lines->filled = (size_t)got;
        lines->used = 0;
    }
    return (unsigned char)lines->chunk[lines->used++];
}

/* A line that does not fit comes out empty. False: no more. */
static bool next_line(struct lines *lines, char *line, size_t size)
{
    size_t length = 0;
    int byte = next_byte(lines);

    if (byte < 0) {
        return false;
    }
    for (; byte >= 0 && byte != '\n'; byte = next_byte(lines)) {
        if (length < size) {
            line[length++] = (char)byte;
        }
    }
    line[length < size ? length : 0] = '\0';
    return true;
}

/* Finds the line of a file of /proc that begins with `start`. */
static bool find_line(const char *path, const char *start, char *line, size_t size)
{
    struct lines lines = {.fd = open(path, O_RDONLY | O_CLOEXEC)};
    bool found = false;

    while (lines.fd >= 0 && !found && next_line(&lines, line, size)) {
        found = strncmp(line, start, strlen(start)) == 0;
    }
    if (lines.fd >= 0) {
        close(lines.fd);
    }
    return found;
}

/* Turns \040 and the like back into the bytes they stand for, up to the end of the option. */
static void unescape_option(char *text)
{
    char *out = text;

    while (*text != '\0' && *text != ',' && *text != ' ') {
        if (text[0] == '\\' && text[1] >= '0' && text[1] <= '3' && text[2] >= '0' &&
            text[2] <= '7' && text[3] >= '0' && text[3] <= '7') {
            *out++ = (char)((text[1] - '0') * 64 + (text[2] - '0') * 8 + (text[3] - '0'));
            text += 4;
        } else {
            *out++ = *text++;
        }
    }
    *out = '\0';
}

/* The upper folder of the overlay the file is on; NULL when it cannot be told. */
static const char *find_upper(int fd, char *line, size_t line_size)
{
    const char key[] = "mnt_id:";
    const char option[] = ",upperdir=";
    char text[64];
    char *upper;

    snprintf(text, sizeof text, "/proc/self/fdinfo/%d", fd);
    if (!find_line(text, key, line, line_size)) {
        return NULL;
    }
    snprintf(text, sizeof text, "%ld ", strtol(line + sizeof key - 1, NULL, 10));
    if (!find_line("/proc/self/mountinfo", text, line, line_size)) {
        return NULL;
    }
    upper = strstr(line, option);
    if (upper == NULL) {
        return NULL;
    }
    upper += sizeof option - 1;
    unescape_option(upper);
    return upper;
}

bool memory_fs_holds(int fd, char *line, size_t line_size)
{
    struct statfs status;
    const char *upper;

    if (fstatfs(fd, &status) != 0) {
        return false;
    }
    if (kind_of(&status) != OVERLAY_KIND) {
        return is_memory(kind_of(&status));
    }
    upper = find_upper(fd, line, line_size);
    return upper != NULL && statfs(upper, &status) == 0 && is_memory(kind_of(&status));
}
