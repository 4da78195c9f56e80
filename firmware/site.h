/* Loading a site's configuration with its errors on stderr, for every verb that takes a file. */
#ifndef PICKET_SITE_H
#define PICKET_SITE_H

#include "config_texts.h"
#include "logger.h"

/* Stands for the configuration that is compiled in (site_image.h) wherever a FILE is named. In a
 * program without one it is a name like any other. */
#define SITE_IMAGE "@site-image"
/* What a verb reads that was given no FILE: SITE_IMAGE; NULL: none is compiled in. */
const char *site_default(void);

/* Reads FILE and its includes into *config; prints each error as FILE:LINE: message. True when
 * clean. */
bool site_load(const char *path, struct config *config);

/* The same with errors of the caller's choice. What was read is also written to `texts`, which may
 * be NULL. */
bool site_read(const char *path, struct config *config, struct config_errors *errors,
               struct config_texts *texts);
/* Reads whole texts again. */
bool site_read_texts(const struct config_texts *texts, struct config *config,
                     struct config_errors *errors);

/* Opens all that a running agent needs of the machine (certificates, secrets, patterns, the user it
 * becomes) and closes it again. True when it is all there; else each miss went to `errors`. Blocks
 * on the file system. */
bool site_opens(const struct config *config, struct config_errors *errors);

/* Reads FILE and tries all it names, as a start would, and logs each mistake. For a process that
 * ends then. */
bool site_log_check(const char *path, struct config *config, const struct logger *logger);

/* Prints "FILE: N errors" on stderr, nothing when there are none. */
void site_count_errors(const char *path, const struct config_errors *errors);

/* A config_errors that prints FILE:LINE: message on stderr. */
struct config_errors site_errors(void);
/* One that logs it as an error. `logger` is borrowed. */
struct config_errors site_logged_errors(const struct logger *logger);

#endif
