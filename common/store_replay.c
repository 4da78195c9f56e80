#include "store_replay.h"

void store_replay_begin(struct store_replay *replay, const struct block_data *data,
                        const uint8_t *payload)
{
    record_coder_init(&replay->coder, data->base_ms);
    replay->payload = payload;
    replay->used = data->used;
    replay->at = 0;
    replay->left = data->records;
    replay->ordinal = data->first_ordinal - 1;
    replay->boot = data->boot;
    replay->wall_offset_ms = data->wall_offset_ms;
    replay->broken = false;
}

bool store_replay_next(struct store_replay *replay, struct record *record)
{
    if (replay->left == 0) {
        replay->broken = replay->broken || replay->at != replay->used;
        return false;
    }
    size_t size = record_decode(&replay->coder, replay->payload, replay->at, replay->used, record);
    if (size == 0) {
        replay->left = 0;
        replay->broken = true;
        return false;
    }
    replay->at += size;
    replay->left--;
    replay->ordinal++;
    if (record->sort == RECORD_RUN) {
        replay->boot = record->boot;
        replay->wall_offset_ms = BLOCK_WALL_UNKNOWN;
    } else if (record->sort == RECORD_CLOCK) {
        replay->wall_offset_ms = record->wall_offset_ms;
    }
    return true;
}
