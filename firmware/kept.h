/* The last known good configuration on disk, as texts (config_texts.h), so that a start finds it
 * too: after a reboot, an upgrade of the package, a restart with a new file.
 *
 * It lies in a folder of the parent's (`run --state`), in a file for each configuration file, and
 * is written by a process of the parent's and read by a life before that reads the configuration,
 * with the parent's rights. The agent, whoever it has become, must not be able to write there: what
 * it left would be what a parent that is root has a next life read. So folder and file have to
 * belong to the parent's user and be writable by nobody else (owned_file.h), and the sandbox does
 * not grant the folder. Where parent and agent are one user it is the sandbox alone that keeps them
 * apart (Landlock); without it there is no boundary, and there was none before.
 *
 * Everything here blocks on the file system, so the parent does none of it itself. */
#ifndef PICKET_KEPT_H
#define PICKET_KEPT_H

#include <limits.h>

#include "logger.h"
#include "supervisor.h"

struct kept_place {
    char folder[PATH_MAX];
    char name[32]; /* "": nowhere, what is read from standard input has no name to be found by */
};

/* For the configuration `file`. `state` is the folder; NULL: the last of $STATE_DIRECTORY
 * (systemd.exec(5)), or KEPT_FOLDER. */
#define KEPT_FOLDER "/var/lib/picket-good"
void kept_find_place(const char *file, const char *state, struct kept_place *place);

/* For a life: the configuration it is to run, in *config. That is the last known good one when
 * `supervised` says so, else that of `file`. The first life that gets here looks for one that is
 * kept, and tells the parent. False: there are errors; they were reported. */
bool kept_load(const struct kept_place *place, struct supervised *supervised, const char *file,
               struct config *config);

/* Writes texts there, and logs how that went; a folder that is missing, or not ours to use, was
 * told of at the start. */
void kept_write(const struct kept_place *place, const struct config_texts *texts,
                const struct logger *logger);

#endif
