/* What the thread of a blockfile does with files: one call is one operation, from its start to its
 * end, and may wait for the medium as long as that takes. blockfile.h is the way to ask for it.
 *
 * Thread rule: one thread at a time. Memory: caller's. */
#ifndef PICKET_BLOCKFILE_OPS_H
#define PICKET_BLOCKFILE_OPS_H

#include "blockfile_own.h"

struct blockfile_held {
    int fd; /* owned; -1: none */
    uint32_t block_count;
};

struct blockfile_files {
    /* The caller's, and to be set before anything is run. */
    const char *path, *fresh_path, *aside_path;
    const char *folder, *parent; /* of the path, and of that */
    /* Both begin as {.fd = -1}. */
    struct blockfile_held current; /* under `path` */
    struct blockfile_held fresh;   /* under `fresh_path`, until it is published */
    uint8_t scratch[BLOCK_BYTES];
};

/* Leaves the note of the reply to who hands it over: see struct blockfile_end. */
void blockfile_run(struct blockfile_files *files, const struct block_request *request,
                   struct blockfile_end *end);
/* Closes what is open and removes a file that was not published. */
void blockfile_let_go(struct blockfile_files *files);

#endif
