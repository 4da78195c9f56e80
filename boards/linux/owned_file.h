/* A small file in a folder that nobody but the user of this process can write to: what stands there
 * is what this user put there, and may be believed by a process with more rights than others.
 *
 * Folder and file have to belong to the effective user, and may not be writable by group or others.
 * The file is replaced whole: written under another name, synced, renamed, the folder synced. So a
 * power cut leaves the old one or the new one. Blocks on the file system. Thread rule: one writer
 * of a name at a time. */
#ifndef PICKET_OWNED_FILE_H
#define PICKET_OWNED_FILE_H

#include "base.h"

#define OWNED_FILE_WHY_BYTES 256

/* Both fill in `why`, for people, on an error:
 * ERROR_MISSING: there is no such folder, or no such file in it (of write: no such folder).
 * ERROR_DENIED: folder or file belong to somebody else or can be written by others, it is no
 * regular file, or the system refuses. ERROR_RANGE: it has more than `size` bytes. ERROR_IO: the
 * rest; what was written before is still there. */
MUST_CHECK enum error owned_file_read(const char *folder, const char *name, void *bytes,
                                      size_t size, size_t *length, char why[OWNED_FILE_WHY_BYTES]);
MUST_CHECK enum error owned_file_write(const char *folder, const char *name, const void *bytes,
                                       size_t length, char why[OWNED_FILE_WHY_BYTES]);
/* Whether a file could be written to that folder; `why` not when it is there, but as above. */
MUST_CHECK enum error owned_file_folder(const char *folder, char why[OWNED_FILE_WHY_BYTES]);

#endif
