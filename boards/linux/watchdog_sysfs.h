/* What the kernel tells of its watchdogs without one being opened, which would start it: a folder
 * of attributes each, below /sys. Where the kernel was built without them (WATCHDOG_SYSFS), or the
 * driver does without the watchdog core, the folder is empty or not there, and nothing is known.
 *
 * Attributes: the kernel's Documentation/ABI/testing/sysfs-class-watchdog.
 *
 * Thread rule: none, no state. Memory: the caller's, no heap. Reading does not wait. */
#ifndef PICKET_WATCHDOG_SYSFS_H
#define PICKET_WATCHDOG_SYSFS_H

#include "base.h"

#define WATCHDOG_SYSFS_ROOT "/sys"

enum { WATCHDOG_FOLDER_BYTES = 128 };

/* The folder of the N-th watchdog of the machine; false when there is no such watchdog. */
bool watchdog_sysfs_at(const char *root, unsigned index, char folder[WATCHDOG_FOLDER_BYTES]);
/* The folder of the watchdog a device node stands for, whatever the node is named; false when it is
 * none, or nothing is known of it. */
bool watchdog_sysfs_of(const char *root, const char *device, char folder[WATCHDOG_FOLDER_BYTES]);

/* The first line of an attribute, without its end, and with '?' for what is not printable. False:
 * there is no such attribute, and `text` is "". */
bool watchdog_sysfs_text(const char *folder, const char *attribute, char *text, size_t size);
/* An attribute that is a number, decimal or with 0x. False: not there, or no number. */
bool watchdog_sysfs_number(const char *folder, const char *attribute, uint32_t *out);

#endif
