/* A store as a file that is only looked at: live, copied, cut or damaged. Nothing is ever written
 * or locked, and what a running agent writes meanwhile is taken for what it looks like.
 *
 * Memory: about 1.5 MB, static with its user. Thread rule: one thread. */
#ifndef PICKET_STORE_IMAGE_H
#define PICKET_STORE_IMAGE_H

#include "checkpoint.h"
#include "store_replay.h"
#include "store_scan.h"

enum image_kind {
    IMAGE_STORE,
    IMAGE_EMPTY,   /* no bytes, or zeros only */
    IMAGE_FOREIGN, /* no block says that this is a store */
    IMAGE_NEWER,   /* of a format version that is not known here */
};

enum image_part {
    PART_MISSING, /* the file ends before it, or it was never written */
    PART_WHOLE,
    PART_UNFINISHED, /* or damaged: the same to the eye */
};

struct image_area {
    enum image_part part;
    uint64_t generation; /* when whole, or begun */
    uint64_t covers;     /* when whole */
};

struct store_image {
    int descriptor;
    uint64_t size_bytes;
    uint32_t file_blocks; /* whole ones */
    uint32_t unreadable;  /* blocks the system could not read */
    bool read_failed;     /* the last one */
    enum image_kind kind;
    struct block_super super;
    enum image_part supers[2]; /* the first, and its copy at the end */

    /* For IMAGE_STORE alone. */
    struct store_scan scan;
    uint32_t missing_slots; /* the file ends before them */
    uint32_t foreign_slots; /* of the damaged: whole blocks of another store */
    struct image_area areas[2];
    int area; /* the one in use; -1: there is no whole checkpoint, and the next two are empty */
    struct checkpoint checkpoint;
    struct ledger ledger; /* as of the checkpoint */
};

/* Opens a plain file for reading. False: `why` says what the system said. */
MUST_CHECK bool store_image_open(struct store_image *image, const char *path, char *why,
                                 size_t size);
/* Looks at every block; may be called again, for a file that changes. */
void store_image_scan(struct store_image *image);
void store_image_close(struct store_image *image);

/* The records of the log, oldest first. */
struct image_walk {
    const struct store_image *image;
    uint32_t next; /* index into scan.live */
    bool in_block;
    uint32_t slot;
    uint32_t lost_blocks;    /* no longer what they were when the image was scanned */
    uint32_t broken_blocks;  /* hold records that are none */
    uint64_t broken_records; /* that were announced and could not be read */
    uint64_t result;         /* number of the result last handed out */
    struct block_data data;  /* of the block at hand */
    struct store_replay replay;
    uint8_t block[BLOCK_BYTES];
};
void store_image_walk(struct image_walk *walk, const struct store_image *image);
/* The next block of the log; false at the end. Its records, if any, then come one by one. */
bool store_image_block(struct image_walk *walk);
bool store_image_record(struct image_walk *walk, struct record *record);
/* The next record of all. */
bool store_image_next(struct image_walk *walk, struct record *record);

#endif
