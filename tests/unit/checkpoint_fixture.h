/* The numbers of a checkpoint with something in every field. */
#ifndef PICKET_CHECKPOINT_FIXTURE_H
#define PICKET_CHECKPOINT_FIXTURE_H

#include "checkpoint.h"

static const struct checkpoint full = {
    .pushed_ordinal = 0x1122334455667788,
    .oldest_seq = 3,
    .next_seq = INT64_MAX,
    .dropped_wrap = 5,
    .dropped_memory = 6,
    .blocks_written = 7,
    .boot = 0xfedcba9876543210,
    .clean = true,
    .unix_ms = 1790000000123,
};

static inline void assert_full(const struct checkpoint *checkpoint)
{
    assert_int_equal(checkpoint->pushed_ordinal, full.pushed_ordinal);
    assert_int_equal(checkpoint->oldest_seq, full.oldest_seq);
    assert_int_equal(checkpoint->next_seq, full.next_seq);
    assert_int_equal(checkpoint->dropped_wrap, full.dropped_wrap);
    assert_int_equal(checkpoint->dropped_memory, full.dropped_memory);
    assert_int_equal(checkpoint->blocks_written, full.blocks_written);
    assert_int_equal(checkpoint->boot, full.boot);
    assert_int_equal(checkpoint->clean, full.clean);
    assert_int_equal(checkpoint->unix_ms, full.unix_ms);
}

#endif
