/* Reads a secret (a password, a token) out of its own file. SPEC section 2: a secret is never
 * written in place, and nothing prints one.
 *
 * The rule: a regular file, not accessible to others, holding one line of text. A line end behind
 * it is not part of the secret. Blocks on the file system: for start only. Thread rule: none. */
#ifndef PICKET_SECRET_FILE_H
#define PICKET_SECRET_FILE_H

#include "base.h"

/* Writes the secret NUL-terminated to `out` and its length to *length. `why` gets one line that
 * names the file and never its content. ERROR_MISSING: it cannot be opened. ERROR_DENIED: no
 * regular file, or others may read or write it. ERROR_INVALID: empty, or with control characters.
 * ERROR_FULL: longer than `size` - 1 bytes. ERROR_IO: reading failed. On an error `out` is wiped.
 */
MUST_CHECK enum error secret_file_read(const char *path, char *out, size_t size, size_t *length,
                                       char *why, size_t why_size);
/* Overwrites memory that held a secret; the compiler may not leave it out. */
void secret_wipe(void *bytes, size_t count);

#endif
