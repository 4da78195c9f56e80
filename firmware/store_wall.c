#include "store_wall.h"

#include <stdlib.h>
#include <string.h>

static bool add_boot(struct store_wall *wall, uint64_t boot)
{
    if (wall->count == wall->room) {
        size_t room = wall->room > 0 ? 2 * wall->room : 16;
        struct wall_boot *boots = realloc(wall->boots, room * sizeof *boots);
        if (boots == NULL) {
            return false;
        }
        wall->boots = boots;
        wall->room = room;
    }
    wall->boots[wall->count++] =
        (struct wall_boot){.boot = boot, .first_offset_ms = BLOCK_WALL_UNKNOWN};
    return true;
}

static bool gather(struct store_wall *wall, const struct store_replay *replay)
{
    if ((wall->count == 0 || wall->boots[wall->count - 1].boot != replay->boot) &&
        !add_boot(wall, replay->boot)) {
        return false;
    }
    struct wall_boot *boot = &wall->boots[wall->count - 1];
    if (boot->first_offset_ms == BLOCK_WALL_UNKNOWN) {
        boot->first_offset_ms = replay->wall_offset_ms;
    }
    return true;
}

bool store_wall_gather(struct store_wall *wall, const struct store_image *image)
{
    static struct image_walk walk;
    struct record record;
    memset(wall, 0, sizeof *wall);
    store_image_walk(&walk, image);
    while (store_image_next(&walk, &record)) {
        if (!gather(wall, &walk.replay)) {
            store_wall_free(wall);
            return false;
        }
    }
    store_wall_begin(wall);
    return true;
}

void store_wall_free(struct store_wall *wall)
{
    free(wall->boots);
    memset(wall, 0, sizeof *wall);
}

void store_wall_begin(struct store_wall *wall)
{
    wall->at = 0;
    wall->begun = false;
    wall->last_offset_ms = BLOCK_WALL_UNKNOWN;
}

/* Boots follow one another as they were gathered, but for blocks that went in between. */
static void find_boot(struct store_wall *wall, uint64_t boot)
{
    if (wall->begun && wall->boot == boot) {
        return;
    }
    size_t found = wall->count; /* none */
    for (size_t i = 0; i < wall->count && found == wall->count; i++) {
        size_t at = (wall->at + i) % wall->count;
        found = wall->boots[at].boot == boot ? at : found;
    }
    wall->begun = true;
    wall->boot = boot;
    wall->at = found;
    wall->last_offset_ms = BLOCK_WALL_UNKNOWN;
}

struct wall_stamp store_wall_stamp(struct store_wall *wall, const struct store_replay *replay,
                                   const struct record *record)
{
    find_boot(wall, replay->boot);
    bool now_known = replay->wall_offset_ms != BLOCK_WALL_UNKNOWN;
    if (now_known) {
        wall->last_offset_ms = replay->wall_offset_ms;
    }
    int64_t offset_ms = wall->last_offset_ms;
    if (offset_ms == BLOCK_WALL_UNKNOWN && wall->at < wall->count) {
        offset_ms = wall->boots[wall->at].first_offset_ms;
    }
    bool timed = record->sort == RECORD_RESULT || record->sort == RECORD_RUN;
    if (!timed || offset_ms == BLOCK_WALL_UNKNOWN) {
        return (struct wall_stamp){.known = false};
    }
    return (struct wall_stamp){.known = true,
                               .corrected = !now_known,
                               .unix_ms = record->at_us / USEC_PER_MSEC + offset_ms};
}
