/* Configuration files on this machine: reads them, follows `include`, runs the loader (config.h).
 *
 * Secret files are no part of this: who uses one reads it (secret_file.h). Thread rule: one load at
 * a time per configuration. Memory: one file's text on the heap while it is read. Blocks on the
 * file system: for start, `check` and reload only. */
#ifndef PICKET_CONFIG_FILE_H
#define PICKET_CONFIG_FILE_H

#include "config_texts.h"

enum { CONFIG_FILE_BYTES_MAX = 1024 * 1024 /* of one file */ };

/* Reads the file at `path` ("-": standard input) and all it includes into *config, and checks the
 * whole. Every mistake goes to `errors` with file and line; line 0 means the file as a whole.
 *
 * `include = PATTERN` may stand in included files too. A relative pattern is relative to the folder
 * of the file it stands in. With a wildcard (* ? [) it gives the matching files in byte order of
 * their names, or none; without one the file must be there. A file that was already read is an
 * error, so includes cannot go round in a circle, and CAP_FILES bounds them all.
 *
 * ERROR_NONE: *config is complete. ERROR_MISSING: `path` itself cannot be read (reported too).
 * ERROR_INVALID: something was reported; *config must not be used. `kinds` are borrowed as long as
 * the config lives. What was read is also written to `texts`, which may be NULL. */
MUST_CHECK enum error config_file_load(const char *path, struct config *config,
                                       const struct probe_kind *const *kinds, unsigned kind_count,
                                       struct config_errors *errors, struct config_texts *texts);

#endif
