/* Loading a site's configuration with its errors on stderr, for every verb that takes a file. */
#ifndef PICKET_SITE_H
#define PICKET_SITE_H

#include "config.h"

/* Reads FILE and its includes into *config; prints each error as FILE:LINE: message. True when
 * clean. */
bool site_load(const char *path, struct config *config);

/* A config_errors that prints FILE:LINE: message on stderr. */
struct config_errors site_errors(void);

#endif
