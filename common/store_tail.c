#include "store_tail.h"

#include <assert.h>
#include <stdatomic.h>
#include <stddef.h>

#include "crc32c.h"

/* Changes with the layout: a region left by another version of the program is not read. */
#define TAIL_MAGIC (UINT32_C(0x504b5401) ^ (uint32_t)sizeof(struct tail))

/* Makes what was written before it valid, or invalid. Only the compiler could bring stores out of
 * order here: nobody reads the region until the process that wrote it is dead. */
static void switch_word(volatile uint32_t *word, uint32_t value)
{
    atomic_signal_fence(memory_order_seq_cst);
    *word = value;
    atomic_signal_fence(memory_order_seq_cst);
}

static const struct tail_end *end_of(const struct tail_block *block)
{
    return &block->ends[block->end & 1];
}

static uint32_t head_crc(const struct tail_head *head)
{
    static_assert(sizeof *head == 6 * sizeof(uint64_t), "no padding in what is summed");
    return crc32c(0, head, sizeof *head);
}

static struct tail_block *place_of(struct tail *tail, uint64_t seq)
{
    return &tail->blocks[seq % CAP_TAIL_BLOCKS];
}

void tail_init(struct tail *tail, uint64_t store)
{
    switch_word(&tail->magic, 0);
    for (unsigned i = 0; i < CAP_TAIL_BLOCKS; i++) {
        tail->blocks[i].head.seq = 0;
    }
    for (unsigned i = 0; i < ARRAY_LEN(tail->checkpoints); i++) {
        tail->checkpoints[i].generation = 0;
    }
    tail->detached = 0;
    tail_set_durable(tail, 0, 0, 0);
    tail->store = store;
    switch_word(&tail->magic, TAIL_MAGIC);
}

bool tail_found(const struct tail *tail)
{
    return tail->magic == TAIL_MAGIC;
}

static uint32_t durable_crc(const struct tail_durable *durable)
{
    return crc32c(0, durable, offsetof(struct tail_durable, crc));
}

struct tail_durable tail_durable(const struct tail *tail)
{
    const struct tail_durable *durable = &tail->durables[tail->durable & 1];
    return durable->crc == durable_crc(durable) ? *durable : (struct tail_durable){0};
}

void tail_set_durable(struct tail *tail, uint64_t ordinal, uint64_t generation, uint64_t told)
{
    uint32_t next = 1 - (tail->durable & 1);
    struct tail_durable *durable = &tail->durables[next];
    *durable = (struct tail_durable){.ordinal = ordinal, .generation = generation, .told = told};
    durable->crc = durable_crc(durable);
    switch_word(&tail->durable, next);
}

/* The sum over the head is written last: until then there is no block in this place. */
void tail_begin(struct tail *tail, const struct tail_head *head)
{
    struct tail_block *block = place_of(tail, head->seq);
    switch_word(&block->head_crc, ~head_crc(&block->head));
    block->head = *head;
    block->ends[0] = (struct tail_end){0};
    block->end = 0;
    switch_word(&block->head_crc, head_crc(head));
}

uint8_t *tail_payload(struct tail *tail, uint64_t seq)
{
    return place_of(tail, seq)->payload;
}

void tail_append(struct tail *tail, uint64_t seq, size_t size, unsigned records)
{
    struct tail_block *block = place_of(tail, seq);
    const struct tail_end *end = end_of(block);
    uint32_t next = 1 - (block->end & 1);
    assert(block->head.seq == seq && end->used + size <= BLOCK_DATA_BYTES);
    block->ends[next] = (struct tail_end){.crc = crc32c(end->crc, block->payload + end->used, size),
                                          .used = (uint16_t)(end->used + size),
                                          .records = (uint16_t)(end->records + records)};
    switch_word(&block->end, next);
}

const struct tail_block *tail_block(const struct tail *tail, uint64_t seq)
{
    const struct tail_block *block = &tail->blocks[seq % CAP_TAIL_BLOCKS];
    bool there = seq != 0 && seq <= INT64_MAX && block->head.seq == seq &&
                 block->head_crc == head_crc(&block->head);
    const struct tail_end *end = end_of(block);
    if (!there || end->used > BLOCK_DATA_BYTES) {
        return NULL;
    }
    return end->crc == crc32c(0, block->payload, end->used) ? block : NULL;
}

unsigned tail_used(const struct tail_block *block)
{
    return end_of(block)->used;
}

unsigned tail_records(const struct tail_block *block)
{
    return end_of(block)->records;
}

uint64_t tail_newest(const struct tail *tail)
{
    uint64_t newest = 0;
    for (unsigned i = 0; i < CAP_TAIL_BLOCKS; i++) {
        uint64_t seq = tail->blocks[i].head.seq;
        if (seq > newest && tail_block(tail, seq) != NULL) {
            newest = seq;
        }
    }
    return newest;
}

static struct tail_checkpoint *older_place(struct tail *tail)
{
    struct tail_checkpoint *places = tail->checkpoints;
    return &places[places[0].generation <= places[1].generation ? 0 : 1];
}

uint8_t *tail_checkpoint_begin(struct tail *tail, size_t *size)
{
    struct tail_checkpoint *place = older_place(tail);
    switch_word(&place->generation, 0);
    *size = sizeof place->bytes;
    return place->bytes;
}

/* The place is still the older one: its generation is 0. */
void tail_checkpoint_end(struct tail *tail, size_t size)
{
    struct tail_checkpoint *place = older_place(tail);
    uint32_t newest = tail->checkpoints[0].generation + tail->checkpoints[1].generation;
    assert(place->generation == 0 && size <= sizeof place->bytes);
    place->size = (uint32_t)size;
    place->crc = crc32c(0, place->bytes, size);
    switch_word(&place->generation, newest + 1);
}

static bool is_whole(const struct tail_checkpoint *place)
{
    return place->generation != 0 && place->size <= sizeof place->bytes &&
           place->crc == crc32c(0, place->bytes, place->size);
}

const struct tail_checkpoint *tail_checkpoint(const struct tail *tail, unsigned nth)
{
    const struct tail_checkpoint *places = tail->checkpoints;
    unsigned newer = places[0].generation > places[1].generation ? 0 : 1;
    unsigned asked = nth == 0 ? newer : 1 - newer;
    return is_whole(&places[asked]) ? &places[asked] : NULL;
}
