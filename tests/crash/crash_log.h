/* Reads the log of an image anew, what of it is durable, record by record, and holds it against
 * what was submitted. Shares the codec with the store (block.h, record.h), but not how the log is
 * found. */
#ifndef PICKET_CRASH_LOG_H
#define PICKET_CRASH_LOG_H

#include "crash_device.h"
#include "crash_model.h"

/* Blocks that were read before and have not changed are not read again. */
struct crash_log_block {
    bool valid; /* bytes and what follows are filled */
    bool is_data;
    struct block_data data;
    uint8_t bytes[BLOCK_BYTES];
};
struct crash_log {
    struct crash_log_block blocks[CRASH_BLOCKS_MAX];
    uint64_t store;
    /* Of the log that was read last. */
    uint64_t oldest_seq, newest_seq, first_ordinal, last_ordinal, results, dropped_wrap,
        dropped_memory;
};

/* The model changed: what was read must be read again. */
void crash_log_forget(struct crash_log *log);
enum crash_log_verdict {
    LOG_NONE,    /* the image has no super */
    LOG_MATCHES, /* each record is the one submitted */
    LOG_DIFFERS, /* some are not; never when asked to be strict: then the case fails */
};
/* `ledger` knows the ids. Records behind `recovered` are of the store that has just opened. */
enum crash_log_verdict crash_log_read(struct crash_log *log, const struct crash_file *file,
                                      const struct ledger *ledger, const struct model *model,
                                      uint64_t recovered, bool strict);

#endif
