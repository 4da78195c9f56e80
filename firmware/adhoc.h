/* The half of `probe` that needs no file: KIND TARGET [--KEY VALUE]... as a configuration of one
 * probe, and the help about kinds and their keys. Messages go to stderr, help to stdout. */
#ifndef PICKET_ADHOC_H
#define PICKET_ADHOC_H

#include "config.h"

/* The name of the one probe in a configuration made by adhoc_load(). */
#define ADHOC_NAME "adhoc"

/* The kind a word names, or NULL. */
const struct probe_kind *adhoc_kind(const char *word);

/* Says that no kind has this name, and which may have been meant; returns EXIT_CODE_USAGE. */
int adhoc_unknown_kind(const char *word);

/* Prints the usage and keys of one kind; returns EXIT_CODE_OK. */
int adhoc_kind_help(const struct probe_kind *kind);

/* Makes *config of the arguments behind the kind: targets, `--key value` and `--key=value`. False
 * after the errors were printed, each with the argument it is about. */
bool adhoc_load(const struct probe_kind *kind, int argc, char **argv, struct config *config);

#endif
