#include "watchdog_sysfs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* /dev/watchdog is a misc device for the sake of old programs, and stands for the first watchdog
 * (the kernel's drivers/watchdog/watchdog_dev.c and linux/miscdevice.h). */
#define MISC_MAJOR_     10
#define WATCHDOG_MINOR_ 130

static bool is_folder(const char *path)
{
    struct stat status;

    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

bool watchdog_sysfs_at(const char *root, unsigned index, char folder[WATCHDOG_FOLDER_BYTES])
{
    (void)snprintf(folder, WATCHDOG_FOLDER_BYTES, "%s/class/watchdog/watchdog%u", root, index);
    return is_folder(folder);
}

bool watchdog_sysfs_of(const char *root, const char *device, char folder[WATCHDOG_FOLDER_BYTES])
{
    struct stat status;
    unsigned major_number, minor_number;

    if (stat(device, &status) != 0 || !S_ISCHR(status.st_mode)) {
        return false;
    }
    major_number = major(status.st_rdev);
    minor_number = minor(status.st_rdev);
    if (major_number == MISC_MAJOR_ && minor_number == WATCHDOG_MINOR_) {
        return watchdog_sysfs_at(root, 0, folder);
    }
    (void)snprintf(folder, WATCHDOG_FOLDER_BYTES, "%s/dev/char/%u:%u", root, major_number,
                   minor_number);
    return is_folder(folder);
}

bool watchdog_sysfs_text(const char *folder, const char *attribute, char *text, size_t size)
{
    char path[WATCHDOG_FOLDER_BYTES + 32];
    ssize_t got = -1;
    int fd;

    (void)snprintf(path, sizeof path, "%s/%s", folder, attribute);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        got = read(fd, text, size - 1);
        (void)close(fd);
    }
    text[got > 0 ? got : 0] = '\0';
    text[strcspn(text, "\n")] = '\0';
    for (char *at = text; *at != '\0'; at++) {
        *at = *at < ' ' || *at > '~' ? '?' : *at;
    }
    return got >= 0;
}

bool watchdog_sysfs_number(const char *folder, const char *attribute, uint32_t *out)
{
    unsigned long value;
    char text[32];
    char *end;

    if (!watchdog_sysfs_text(folder, attribute, text, sizeof text)) {
        return false;
    }
    errno = 0;
    value = strtoul(text, &end, 0);
    if (end == text || *end != '\0' || errno != 0 || value > UINT32_MAX) {
        return false;
    }
    *out = (uint32_t)value;
    return true;
}
